//! SMTP, LMTP and submission.
pub mod command;
mod error;
pub mod grammar;
mod limits;
pub mod response;
pub mod session;

pub use error::{Error, ParseError, ParseErrorKind, PeerError, UsageError};
pub use limits::Limits;
pub use response::Reply;
pub use session::{Answer, Config, Event, Protocol, ServerSession};
