//! What SMTP, IMAP and POP3 share on the wire.
//!
//! | Module | What |
//! | --- | --- |
//! | [`mod@line`] | lines that end in CRLF, under a ceiling |
//! | [`dot`] | dot-stuffing in both directions |
//! | [`line_ends`] | the same rules for line ends where a message comes in chunks |
//! | [`base64`] | strict, as SASL wants it |
//! | [`proxy`] | whose connection it is, when a load balancer passes it on |
//! | [`sasl`] | logging in: PLAIN, LOGIN, SCRAM-SHA-256, OAUTHBEARER, XOAUTH2 |
//! | [`machine`] | the shape that every session has, and its timers |
//! | `io` | feature `io`: sessions over tokio sockets and TLS |
//!
//! # RFCs
//!
//! | RFC | Title | Sections | Module | Tested by |
//! | --- | --- | --- | --- | --- |
//! | 4648 | Base64 | §4, §10 | [`base64`] | there |
//! | 4422 | SASL | §3 | [`sasl`] | `tests/sasl_conversations.rs`, `tests/sasl_attacks.rs` |
//! | 4616 | PLAIN | all | [`sasl`] | there, `tests/sasl_conversations.rs` |
//! | draft-murchison-sasl-login-00 | LOGIN | §2 | [`sasl`] | there, `tests/sasl_conversations.rs` |
//! | 5802, 7677 | SCRAM, SCRAM-SHA-256 | 5802 §3, §5, §7; 7677 §3; no channel binding (5802 §6) | [`sasl::scram`] | there, both `tests/sasl_*.rs` |
//! | 5801 | GS2 | §4, the header | [`sasl`] | there |
//! | 7628 | OAUTHBEARER | §3, §4; bearer tokens (RFC 6750 §2.1) only | [`sasl`] | there, `tests/sasl_conversations.rs` |
//! | 4013 | SASLprep | §2, as for queries (§2.5) | [`sasl`] | there |
//! | 4954, 5034, 4959, 9051 | AUTH and AUTHENTICATE: `=`, `*`, the ceiling | 4954 §4, 5034 §4, 4959 §3, 9051 §6.2.2 | [`sasl::Dialogue`] | `tests/sasl_*.rs` |
//! | HAProxy `proxy-protocol.txt` | PROXY protocol | §2.1, §2.2 | [`proxy`] | there |
//!
//! Nothing here has a protocol's name in it, and nothing without the feature `io` knows a socket or a clock.

pub mod base64;
pub mod dot;
#[cfg(feature = "io")]
pub mod io;
pub mod line;
pub mod line_ends;
pub mod machine;
pub mod proxy;
pub mod sasl;
mod stretch;

pub use mailstore_traits::{
    AccountId, ClientCertificate, CredentialAnswer, CredentialQuery, ScramHash, ScramKeyPair, ScramKeys, Secret,
    UserName,
};
