//! What the server says.
//!
//! [`mod@write`] has the words, which the server writes without a detour; [`Response`] is the whole of it as types, written
//! and read, for clients and for tests.

pub mod code;
mod data;
mod encode;
mod parse;
mod parse_fetch;
mod pen;
mod reader;
mod status;
pub mod write;

pub use data::{Data, Envelope, EnvelopeAddress, Esearch, FetchItem, Listed, Response, Rfc822, Value};
pub use parse::ResponseError;
pub use reader::{ReadError, ResponseLimits, ResponseReader};
pub use status::{Code, Status, StatusKind, Text};
