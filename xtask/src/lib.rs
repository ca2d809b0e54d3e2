//! The project's own tasks, one module a command.
//!
//! Every command is a list of steps ([`Steps`]): a step prints its name and its time, never
//! stops the ones after it, and is counted at the end. What other programs print passes through
//! unchanged. Nothing here knows the product beyond its command line and its HTTP API.

pub mod bench;
mod cluster;
mod cmd;
mod demo;
pub mod e2e;
pub mod fuzz;
mod go;
mod http;
mod keycloak;
mod node;
pub mod peers;
mod place;
mod python;
mod rust;
pub mod soak;
mod steps;
pub mod test;
pub mod tidy;

pub use place::Place;
pub use steps::{Steps, Stop};
