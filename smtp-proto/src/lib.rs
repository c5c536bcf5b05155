//! SMTP, LMTP and submission.
pub mod command;
mod error;
pub mod grammar;
pub mod response;

pub use error::{Error, ParseError, ParseErrorKind, PeerError, UsageError};
pub use response::Reply;
