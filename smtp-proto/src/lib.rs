//! SMTP, LMTP and submission.
#[cfg(feature = "codec")]
pub mod codec;
pub mod command;
pub mod error;
pub mod grammar;
pub mod limits;
pub mod response;
#[cfg(feature = "server")]
pub mod server;
pub mod session;

#[cfg(feature = "codec")]
pub use codec::{CodecError, ServerCodec};
pub use error::{Error, ParseError, ParseErrorKind, PeerError, UsageError};
pub use limits::Limits;
pub use response::Reply;
#[cfg(feature = "server")]
pub use server::{Server, ServerBuilder};
pub use session::{Answer, Config, Event, Protocol, ServerSession};
