//! The layers around services that answer, fail, panic and hang.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "test code")]

mod agreed; // who has agreed, and who has not
mod exits; // every way a request can end
mod kept; // a recorder that keeps, waits or refuses
mod refused; // what happens where nothing can be recorded
mod router; // inside an axum router
mod told; // what stands in the event
