//! What the server says.

pub mod code;
