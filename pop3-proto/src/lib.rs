//! POP3 (RFC 1939), the server's side.

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
pub use error::{Error, ParseError, ParseErrorKind, PeerError, Rejection, UsageError};
pub use limits::{Limits, Timeouts};
pub use response::{Refusal, ResponseCode};
#[cfg(feature = "server")]
pub use server::{Server, ServerBuilder};
pub use session::{Answer, Authenticated, Config, Event, Maildrop, MaildropFull, ServerSession, SessionState};
