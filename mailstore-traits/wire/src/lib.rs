//! What SMTP, IMAP and POP3 share on the wire.
//!
//! Three protocols read lines that end in CRLF, stuff dots, log in by SASL, begin TLS in the middle of a conversation, stand
//! behind load balancers, and have to bound what a peer can make them hold. That is here once, with no protocol's name in
//! it. `pillarbox-smtp-proto`, `pillarbox-imap-proto` and `pillarbox-pop3-proto` are built of it; a protocol of one's own
//! can be, too.
//!
//! ```text
//!   feature io: tokio and rustls                              no I/O, no clock
//!   ─────────────────────────────────────────────────────   ───────────────────────────
//!   socket ◄──► Link ◄──────────────► Driver ◄────────────► Machine: a session
//!               plain, then TLS;      clocks, deadlines,      ├─ line, dot: framing
//!               a PROXY header        shutdown, metrics       └─ sasl::Dialogue: logins
//! ```
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
//! Nothing without the feature `io` knows a socket or a clock.
//!
//! # Three ways to use it
//!
//! **In your own program**: the pieces, each by itself. Lines, under a ceiling ([`sasl`] has a login like this):
//!
//! ```toml
//! [dependencies]
//! pillarbox-wire = "0.1"
//! ```
//!
//! ```
//! use bytes::BytesMut;
//! use mail_wire::line::{LineFault, LineReader};
//!
//! let mut reader = LineReader::new();
//! let mut input = BytesMut::from("NOOP\r\nRSET\nQUIT\r\nHE"); // from a socket
//! assert_eq!(reader.next_line(&mut input, 512).unwrap().unwrap(), "NOOP");
//! // A bare LF ends no line: what stands behind it is no command.
//! assert_eq!(reader.next_line(&mut input, 512), Some(Err(LineFault::BareLf)));
//! assert_eq!(reader.next_line(&mut input, 512), None);
//! input.extend_from_slice(b"LP\r\n");
//! assert_eq!(reader.next_line(&mut input, 512).unwrap().unwrap(), "HELP");
//! ```
//!
//! A session of your own that is a [`machine::Machine`] gets a codec from `codec` and a server from `io`: sockets, TLS,
//! deadlines, caps on connections, metrics. Most hosts meet this crate in one place only, `io::TlsConfig`.
//!
//! **As a whole program**, from the repository:
//!
//! ```sh
//! cargo run --release -p pillarbox-mail-server
//! ```
//!
//! **Under a fuzzer**, from the repository, too. Each target asserts a property: the same lines and messages however
//! the octets are cut, no octet held above a ceiling, nothing let in without the host.
//!
//! ```sh
//! fuzz/run wire_line wire_dot wire_sasl wire_proxy
//! ```
//!
//! # Features
//!
//! | Feature | Adds |
//! | --- | --- |
//! | `codec` | `codec`: any session as tokio-util's `Decoder` and `Encoder` |
//! | `io` | `io`: sessions over tokio sockets and rustls, caps on connections, deadlines, metrics |
//!
//! # Limits
//!
//! A line's ceiling, and a session's clocks, are given by whoever reads; what is set here is for all protocols alike.
//!
//! | Limit | Default | Beyond it | Says who |
//! | --- | --- | --- | --- |
//! | `SaslConfig::max_response` | 12,288 octets in base64 | the exchange ends | RFC 4954 §4, attack row M16 |
//! | `sasl::MAX_CREDENTIAL` | 255 octets of a name or password | the login fails | RFC 4616 §2 |
//! | `LoginDelay::FREE_TRIES`, `LoginDelay::LONGEST` | 3 / 16 seconds | each further failure waits twice as long | attack row A11 |
//! | `DriverOptions::read_chunk` | 16 KiB | the rest is the next read's | a TLS record's size, RFC 8446 §5.1 |
//! | `DriverOptions::output_high_water` | 64 KiB | output is sent before another event is looked at | attack row M13 |
//! | `DriverOptions::write_timeout` | 5 minutes for each 16 KiB | the connection ends | attack row M13 |
//! | `DriverOptions::tls_handshake_timeout` | 30 seconds | the connection ends | attack row T11 |
//! | `DriverOptions::shutdown_grace`, `ServeOptions::shutdown_grace` | 30 seconds / 35 seconds | the connection is cut off | attack row C6 |
//! | `ServeOptions::max_connections`, `ServeOptions::max_connections_per_address` | 1,000 / 50 | told so in the protocol's words, and closed | attack row C3 |
//! | `ServeOptions::proxy_header_timeout` | 10 seconds | closed in silence | attack row M15 |
//!
//! # RFCs
//!
//! `there` is the module's own tests, `file::name…` a test of `tests/file.rs` by the beginning of its name.
//!
//! | RFC | Section | What | Module | Tested by |
//! | --- | --- | --- | --- | --- |
//! | 5321, 1939 | 5321 §4.5.2; 1939 §3 | dot-stuffing, both ways | [`dot`] | there, `reference::sec_s1_sec_s3_the_decoder…`, `reference::sec_s6_what_the_encoder…` |
//! | 5321 | §2.3.8 | lines end in CRLF | [`mod@line`], [`line_ends`] | there, `reference::sec_s4_the_line_reader…` |
//! | 4648 | §4, §10 | base64 | [`base64`] | there |
//! | 4422 | §3 | SASL | [`sasl`] | there, `tests/sasl_conversations.rs`, `tests/sasl_attacks.rs` |
//! | 4616 | §2, §4 | PLAIN | `sasl::plain` | there, `sasl_conversations::plain_comes_with…` |
//! | draft-murchison-sasl-login-00 | §2 | LOGIN | `sasl::login` | `sasl_conversations::the_example_of_the…` |
//! | 5802, 7677 | 5802 §3, §5, §6, §7; 7677 §3 | SCRAM-SHA-1, SCRAM-SHA-256 and their -PLUS | [`sasl::scram`] | there, `sasl_conversations::the_exchange_of_rfc…`, `sasl_attacks::sec_a6_each_rule_of_scram…` |
//! | 9266 | §2; never below TLS 1.3 | channel bindings, `tls-exporter` | [`machine::TlsExporter`], [`sasl::scram`] | `tls::both_ends_of_tls_1_3_export_the…`, `sasl_attacks::sec_a6_by_plus_the…` |
//! | 4422 | appendix A | EXTERNAL | `sasl::external` | `sasl_conversations::the_example_of_rfc_4422…`, `sasl_attacks::sec_a9_a_certificate_lets…` |
//! | 4505 | §2, §3 | ANONYMOUS | `sasl::anonymous` | there, `sasl_conversations::the_example_of_rfc_4505…` |
//! | 2195 | §2 | CRAM-MD5; off unless a host asks for it | [`sasl::cram_md5`] | there, `sasl_conversations::cram_md5_asks_the…` |
//! | 1939 | §7 | what APOP shows; off unless a host asks for it | [`sasl::apop`] | there |
//! | 7301, 6066 | 7301 §3.2; 6066 §3 | TLS: ALPN, server names | `io::tls` | `tls::sec_t9_a_client_of_another…`, `tls::each_name_has_its_certificate_and…` |
//! | 5801 | §4 | GS2, the header | `sasl::gs2` | there |
//! | 7628 | §3, §4; bearer tokens (RFC 6750 §2.1) only | OAUTHBEARER | `sasl::oauth` | there, `sasl_conversations::the_successful…` |
//! | 4013 | §2, as for queries (§2.5) | SASLprep | `sasl::prepare` | there |
//! | 4954, 5034, 4959, 9051 | 4954 §4; 5034 §4; 4959 §3; 9051 §6.2.2 | AUTH and AUTHENTICATE: `=`, `*`, the ceiling | [`sasl::Dialogue`] | `sasl_conversations::an_empty_initial…`, `sasl_attacks::sec_m16_responses_over…` |
//! | HAProxy `proxy-protocol.txt` | §2.1, §2.2 | PROXY protocol, v1 and v2 | [`proxy`] | there, `serve::what_comes_behind_a_proxy_header…` |
//!
//! Not there yet: the client's side of SASL, GSSAPI, TLS as a client.
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
pub mod octet_set;
pub mod proxy;
pub mod sasl;
mod stretch;

pub use mailstore_traits::{
    AccountId, ClientCertificate, CredentialAnswer, CredentialQuery, ScramHash, ScramKeyPair, ScramKeys, Secret,
    UserName,
};

/// The README's code, compiled.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
pub struct Readme;
