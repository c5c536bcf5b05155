//! What SMTP, IMAP and POP3 share on the wire.
//!
//! | Module | What |
//! | --- | --- |
//! | [`line`] | lines that end in CRLF, under a ceiling |
//! | [`dot`] | dot-stuffing in both directions |
//! | [`base64`] | strict, as SASL wants it |
//! | [`sasl`] | logging in: PLAIN, LOGIN, SCRAM-SHA-256, OAUTHBEARER, XOAUTH2 |
//! | [`machine`] | the shape that every session has, and its timers |
//! | `io` | feature `io`: sessions over tokio sockets and TLS
//!
//! Nothing here has a protocol's name in it, and nothing without the feature `io` knows a socket or a clock.

pub mod base64;
pub mod dot;
#[cfg(feature = "io")]
pub mod io;
pub mod line;
pub mod machine;
pub mod sasl;

pub use mailstore_traits::{
    AccountId, CredentialAnswer, CredentialQuery, ScramHash, ScramKeyPair, ScramKeys, Secret, UserName,
};
