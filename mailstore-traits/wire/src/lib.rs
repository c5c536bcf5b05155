//! What SMTP, IMAP and POP3 share on the wire.
//!
//! | Module | What |
//! | --- | --- |
//! | [`mod@line`] | lines that end in CRLF, under a ceiling |
//! | [`dot`] | dot-stuffing in both directions |
//! | [`line_ends`] | the same rules for line ends where a message comes in chunks |
//! | [`foreign`] | another protocol on a mail port |
//! | [`base64`] | strict, as SASL wants it |
//! | [`proxy`] | whose connection it is, when a load balancer passes it on |
//! | [`sasl`] | logging in: PLAIN, LOGIN, SCRAM with and without channel bindings, OAUTHBEARER, XOAUTH2, EXTERNAL, ANONYMOUS, CRAM-MD5 |
//! | [`machine`] | the shape that every session has, and its timers |
//! | `codec` | feature `codec`: a session as tokio-util's `Decoder` and `Encoder` |
//! | `io` | feature `io`: sessions over tokio sockets and TLS, caps on connections, deadlines, metrics |
//!
//! # RFCs
//!
//! | RFC | Title | Sections | Module | Tested by |
//! | --- | --- | --- | --- | --- |
//! | 4648 | Base64 | §4, §10 | [`base64`] | there |
//! | 4422 | SASL | §3 | [`sasl`] | `tests/sasl_conversations.rs`, `tests/sasl_attacks.rs` |
//! | 4616 | PLAIN | all | [`sasl`] | there, `tests/sasl_conversations.rs` |
//! | draft-murchison-sasl-login-00 | LOGIN | §2 | [`sasl`] | there, `tests/sasl_conversations.rs` |
//! | 5802, 7677 | SCRAM-SHA-1, SCRAM-SHA-256 and their -PLUS | 5802 §3, §5, §6, §7; 7677 §3 | [`sasl::scram`] | there, both `tests/sasl_*.rs` |
//! | 9266 | Channel bindings for TLS 1.3: `tls-exporter` | §2; never below TLS 1.3 | [`machine::TlsExporter`], [`sasl::scram`] | `tests/tls.rs`, `tests/sasl_attacks.rs` |
//! | 4422 | EXTERNAL | app. A | [`sasl`] | there, `tests/sasl_*.rs` |
//! | 4505 | ANONYMOUS | §2, §3 | [`sasl`] | there, `tests/sasl_conversations.rs` |
//! | 2195 | CRAM-MD5; off unless a host asks for it | §2 | [`sasl::cram_md5`] | there, `tests/sasl_conversations.rs` |
//! | 1939 | what APOP shows; off unless a host asks for it | §7 | [`sasl::apop`] | there |
//! | 7301, 6066 | TLS: ALPN, server names | 7301 §3.2; 6066 §3 | `io` | `tests/tls.rs` |
//! | 5801 | GS2 | §4, the header | [`sasl`] | there |
//! | 7628 | OAUTHBEARER | §3, §4; bearer tokens (RFC 6750 §2.1) only | [`sasl`] | there, `tests/sasl_conversations.rs` |
//! | 4013 | SASLprep | §2, as for queries (§2.5) | [`sasl`] | there |
//! | 4954, 5034, 4959, 9051 | AUTH and AUTHENTICATE: `=`, `*`, the ceiling | 4954 §4, 5034 §4, 4959 §3, 9051 §6.2.2 | [`sasl::Dialogue`] | `tests/sasl_*.rs` |
//! | HAProxy `proxy-protocol.txt` | PROXY protocol | §2.1, §2.2 | [`proxy`] | there |
//!
//! Nothing here has a protocol's name in it, and nothing without the feature `io` knows a socket or a clock.
#![cfg_attr(docsrs, feature(doc_cfg))]

pub mod base64;
#[cfg(feature = "codec")]
pub mod codec;
pub mod dot;
pub mod foreign;
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

/// The README's example, compiled and run.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
pub struct Readme;
