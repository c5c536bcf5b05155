//! What the server says.

pub mod code;
mod status;

pub use status::{Code, Status, StatusKind, Text};
