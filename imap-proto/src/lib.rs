//! IMAP4rev1 and IMAP4rev2: **not written yet**. There is no session, no codec and no server here.
//!
//! What stands so far:
//!
//! - A proof. The shape of a session (`mail_wire::machine::Machine`: one event asks, one answer replies) is shared by all
//!   three protocols, and IMAP is the one that strains it. Before SMTP and POP3 were built on it, IMAP's hard cases were
//!   driven through it with a machine that knows just enough of the protocol: `tests/hard_shapes.rs`, which goes when the
//!   real session comes.
//! - The third mapping of a store's errors, beside those of SMTP and POP3, so that the contract was tried against all
//!   three protocols' codes from the beginning: [`server::error`], with feature `server`.
//!
//! | RFC | What | Where |
//! | --- | --- | --- |
//! | 5530 | response codes | [`response::code`] |

#[cfg(feature = "codec")]
pub mod codec;
pub mod command;
pub mod error;
pub mod fetch;
pub mod frame;
pub mod grammar;
pub mod limits;
pub mod list;
pub mod response;
#[cfg(feature = "server")]
pub mod server;
pub mod session;
pub mod view;

#[cfg(feature = "codec")]
pub use codec::{CodecError, ServerCodec};
#[cfg(feature = "server")]
pub use server::{Server, ServerBuilder};
pub use session::{Answer, Event, ServerSession};
