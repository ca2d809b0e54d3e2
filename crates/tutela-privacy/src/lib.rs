//! Privacy as pure rules: what data is used for and whether it may be, what people may ask for and by when it is answered,
//! and the map of customers' data.
//!
//! It reads no clock, no file and no socket. Start with [`may`], [`dataset::read`] and [`Clocks::dates`].

pub mod check;
mod clock;
mod consent;
pub mod dataset;
pub mod mask;
mod own;
pub mod plan;
mod purpose;
mod request;
pub mod schema;
pub mod taxonomy;
pub mod walk;

pub use clock::{Clock, Clocks, Dates};
pub use consent::{Answer, Known, Receipt, Said, Why, may};
pub use own::{CollectionOwn, Erase, FieldOwn, Keep, Objects, Relation, Retention};
pub use purpose::{Basis, Notice, Purpose, Recipient};
pub use request::{Kind, Law, Work};
