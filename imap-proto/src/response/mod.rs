//! What the server says.

pub mod code;
mod status;
pub mod write;

pub use status::{Code, Status, StatusKind, Text};
