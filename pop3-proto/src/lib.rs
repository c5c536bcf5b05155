//! POP3, the server's side: a session without I/O, a codec around it, and a whole server over a store.
//!
//! POP3 (RFC 1939) is how a mail program fetches what lies in one mailbox. The client logs in and gets a *maildrop*: a list
//! of messages, numbered from 1, that nobody else changes meanwhile. It asks for sizes (`LIST`), for names that last longer
//! than the session (`UIDL`), for messages (`RETR`) or their first lines (`TOP`), and marks what may go (`DELE`). What is
//! marked is removed when it says `QUIT`, and only then: a connection that breaks removes nothing.
//!
//! ```text
//!   C: USER ada            S: +OK send PASS                          AUTHORIZATION
//!   C: PASS correct horse  S: +OK maildrop has 2 messages (320 octets)
//!   C: RETR 1              S: +OK 120 octets, the message, a dot     TRANSACTION
//!   C: DELE 1              S: +OK message 1 deleted
//!   C: QUIT                S: +OK signing off (1 message left)       UPDATE: now it is removed
//! ```
//!
//! # Four floors
//!
//! Each stands on the one below and can be used without the ones above.
//!
//! ```text
//!   server      Server::builder(..).build(store)          sockets, TLS, a MailStore       feature `server`
//!   codec       ServerCodec: Decoder + Encoder            tokio-util                      feature `codec`
//!   session     ServerSession: events out, answers in     no I/O, no clock, no storage
//!   grammar     Command, Response, Capability, listings   pure functions, both directions
//! ```
//!
//! # Three ways to use it
//!
//! **Bare**, with any runtime or none. The session keeps numbers, sizes, unique-ids and marks, cuts `TOP` and stuffs dots;
//! the host knows users and mail.
//!
//! ```
//! use std::sync::Arc;
//! use bytes::{Bytes, BytesMut};
//! use mail_wire::{AccountId, CredentialAnswer, CredentialQuery, sasl::SaslConfig};
//! use pop3_proto::{Answer, Config, Event, Maildrop, ServerSession};
//!
//! let sasl = Arc::new(SaslConfig::from_os_random());
//! let config = Arc::new(Config::new("mail.example.org", sasl).with_insecure_login(true));
//! let mut session = ServerSession::new(config);
//! let mut input = BytesMut::from("USER ada\r\nPASS secret\r\nRETR 1\r\nQUIT\r\n"); // from a socket
//! let mut output = BytesMut::new(); // to the socket
//! while let Some(event) = session.next_event(&mut input)? {
//!     let answer = match &event {
//!         Event::Credentials(CredentialQuery::Password { user, password })
//!             // Compare in constant time, and compare hashes; this is an example.
//!             if user.as_str() == "ada" && password.expose() == "secret" =>
//!         {
//!             CredentialAnswer::Accepted(AccountId::new("ada")).into()
//!         }
//!         Event::Authenticated(_) => {
//!             let mut maildrop = Maildrop::new(1_700_000_000, session.config().limits().maildrop_entries);
//!             maildrop.push(17, 25)?;
//!             maildrop.into()
//!         }
//!         Event::Retrieve { key: 17, .. } => {
//!             session.answer(Answer::Message, &mut output)?;
//!             session.answer(Bytes::from("Subject: hello\r\n\r\n.dots\r\n"), &mut output)?;
//!             Answer::End
//!         }
//!         event => event.default_answer(),
//!     };
//!     session.answer(answer, &mut output)?;
//! }
//! assert!(session.is_closed());
//! assert!(output.ends_with(
//!     b"+OK 25 octets\r\nSubject: hello\r\n\r\n..dots\r\n.\r\n\
//!       +OK mail.example.org POP3 server signing off (1 message left)\r\n"
//! ));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! **With tokio-util**, in a `Framed`. It reads before it decodes, so the host greets unasked.
//!
//! ```
//! # #[cfg(feature = "codec")] {
//! use std::{io, sync::Arc, time::Duration};
//! use bytes::BytesMut;
//! use futures::{SinkExt, TryStreamExt};
//! use mail_wire::io::{Link, TlsConfig};
//! use pop3_proto::{Answer, CodecError, Config, Event, ServerCodec, ServerSession};
//! use tokio_util::codec::{Framed, FramedParts};
//!
//! async fn converse(socket: Link, config: Arc<Config>, tls: TlsConfig) -> Result<(), CodecError> {
//!     let mut framed = Framed::new(socket, ServerCodec::new(ServerSession::new(config)));
//!     framed.send(Answer::greeting()).await?;
//!     while let Some(event) = framed.try_next().await? {
//!         match event {
//!             Event::StartTls => {
//!                 framed.send(Answer::ok()).await?;
//!                 framed = upgrade(framed, &tls).await?;
//!             }
//!             event => framed.send(event.default_answer()).await?,
//!         }
//!     }
//!     Ok(())
//! }
//!
//! async fn upgrade(framed: Framed<Link, ServerCodec>, tls: &TlsConfig) -> io::Result<Framed<Link, ServerCodec>> {
//!     // What was read behind STLS goes to the handshake, which refuses clear text that somebody slipped in.
//!     let FramedParts { io, mut codec, read_buf, .. } = framed.into_parts();
//!     let (link, info) = io.accept_tls(read_buf, tls, Duration::from_secs(30)).await?;
//!     codec.session_mut().tls_started(info, &mut BytesMut::new());
//!     Ok(Framed::new(link, codec))
//! }
//! # }
//! ```
//!
//! **As a server** over a store that implements the traits of `pillarbox-mailstore-traits`.
//!
//! ```no_run
//! # #[cfg(feature = "server")] {
//! use mail_wire::io::TlsConfig;
//! use mailstore_traits::memory::MemoryStore;
//! use tokio::net::TcpListener;
//!
//! # async fn run() -> Result<(), Box<dyn std::error::Error>> {
//! let store = MemoryStore::new().with_account("ada@example.org", "correct horse");
//! let tls = TlsConfig::from_pem_files("cert.pem", "key.pem")?;
//! let pop3 = pop3_proto::Server::builder("mail.example.org").tls(tls.clone()).build(store.clone());
//! let pop3s = pop3_proto::Server::builder("mail.example.org").tls(tls).implicit_tls(true).build(store);
//! tokio::try_join!(
//!     pop3.serve(TcpListener::bind("[::]:1110").await?),
//!     pop3s.serve(TcpListener::bind("[::]:1995").await?),
//! )?;
//! # Ok(())
//! # }
//! # }
//! ```
//!
//! # Features
//!
//! | Feature | Adds |
//! | --- | --- |
//! | `codec` (default) | `ServerCodec`, tokio-util's `Decoder` and `Encoder` |
//! | `server` | `Server`, over tokio, rustls and a `MailStore`; implies `codec` |
//!
//! # Limits
//!
//! Every one is a field of [`Limits`] or [`Timeouts`].
//!
//! | What | Default | Why |
//! | --- | --- | --- |
//! | a command | 255 octets | RFC 2449 §4 |
//! | a line inside AUTH | 12,288 octets | RFC 4954 §4 |
//! | messages of a maildrop | 1,000,000 | 12 octets each |
//! | accounts that wait for their next login | 100,000 | where LOGIN-DELAY is asked for |
//! | a part of a listing | 16 KiB | a million messages never stand in the output |
//! | errors, failed logins | 10, 10 | then the session closes |
//! | silence | 10 minutes | RFC 1939 §3 |
//! | one line, a session without login | 1 minute, 10 minutes | slow-loris |
//!
//! # What is carried out
//!
//! | RFC | Section | What | Where | Tested by |
//! | --- | --- | --- | --- | --- |
//! | 1939 | §3 | responses, multi-line, dot-stuffing | [`response`], [`session`] | `session::message`, `tests/properties.rs` |
//! | 1939 | §3 | inactivity timer, closing in silence | [`session`] | `tests/limits.rs`, `tests/server.rs` |
//! | 1939 | §4, §5, §6 | the states, STAT LIST RETR DELE NOOP RSET QUIT | [`command`], [`session`] | `tests/transcripts/rfc1939-*`, `tests/maildrop.rs` |
//! | 1939 | §7 | TOP, UIDL, USER, PASS | [`command`], [`session`] | `tests/transcripts/rfc1939-section-7.txt`, `user-and-pass.txt` |
//! | 1939 | §8 | the maildrop held alone | `server` | `tests/server.rs` |
//! | 1939 | §11 | sizes with CRLF line ends | [`response`], `server` | `tests/server.rs` |
//! | 1939 | §7 | APOP, off unless a host asks for it | [`command`], [`session`] | `tests/transcripts/rfc1939-apop.txt`, `tests/login.rs` |
//! | 2449 | §3, §4 | grammar, lengths | [`grammar`], [`response`] | known answers beside the code, `tests/limits.rs` |
//! | 2449 | §5, §6 | CAPA; TOP USER SASL RESP-CODES PIPELINING UIDL | [`response`], [`session`] | `tests/transcripts/rfc2449-capa.txt` |
//! | 2449 | §6.5 | LOGIN-DELAY, enforced by account, the same for all or not | [`Config`], `server` | `tests/policy.rs`, `tests/transcripts/rfc2449-login-delay.txt` |
//! | 2449 | §6.7 | EXPIRE, the same for all or not; the host's promise | [`Expiry`], `server` | `tests/policy.rs`, `tests/transcripts/rfc2449-expire-*` |
//! | 2449 | §6.9 | IMPLEMENTATION, none unless a host says one, after the login | [`Config`] | `tests/transcripts/rfc2449-implementation.txt`, `tests/policy.rs` |
//! | 2449 | §8 | `[IN-USE]`, `[LOGIN-DELAY]` | [`ResponseCode`] | `tests/transcripts/rfc2449-in-use.txt`, `tests/server.rs` |
//! | 2595 | §4 | STLS | [`session`] | `tests/starttls_injection.rs`, `tests/transcripts/rfc2595-stls.txt` |
//! | 3206 | §4 to §6 | `[SYS/TEMP]`, `[SYS/PERM]`, `[AUTH]`, AUTH-RESP-CODE | [`ResponseCode`] | `tests/transcripts/unavailable.txt`, `server::error` |
//! | 5034 | §4 | AUTH with initial response | [`command`], [`session`] | `tests/transcripts/rfc5034-*`, `tests/login.rs` |
//! | 6856 | §2, §5 | UTF8, its `USER`, `[UTF8]` | [`Utf8Support`] | `tests/transcripts/rfc6856-*`, `tests/policy.rs` |
//! | 8314 | §3.2 | TLS from the first octet on | `server` | `tests/server.rs` |
//!
//! Not carried out: LANG (RFC 6856 §3), which is refused and not in CAPA; the implicit DELE that EXPIRE 0 permits (RFC 2449
//! §6.7, "MAY"): nothing but DELE marks a message.
//!
//! # Where the RFCs leave a choice
//!
//! - A line that is no command costs an error; asking for a message that is not there does not.
//! - One space stands between words, and none at the end of a line (RFC 1939 §3).
//! - Raw UTF-8 in a header reaches clients that have not said UTF8, unless the host says otherwise: RFC 6856 §2.1 forbids
//!   it, and to obey would lose what they delete. [`Utf8Support::AsIs`] has the reasons, and the other choices.
//! - `UTF8` may be said again; `STLS` behind it is refused (RFC 6856 §2.1, "MAY").
//! - `[LOGIN-DELAY]` comes after the password and never to USER, where it would tell who has an account (RFC 2449 §8.1.1).
//! - `LANG` is refused in every state and costs no error: it is no attack.
//! - `USER` says yes to everybody (RFC 1939 §13), but for names that nobody can have and where no login is taken.
//! - Without TLS no login is taken: `-ERR [AUTH]`, since the credentials come "in violation of policy" (RFC 3206 §5).
//! - A message that another program has removed meanwhile is `-ERR`; it is listed, and keeps its number, until the session
//!   ends.
//! - A bare CR or LF in a message goes out as CRLF, and a last line without an end gets one: no client finds an end of the
//!   message that is not there. Sizes count the octets of the store, which are canonical.
//! - Timeouts close without a word (RFC 1939 §3); a shutdown says `-ERR [SYS/TEMP] shutting down`.
//!
//! # Attack rows that have no test here
//!
//! C2, M2 to M4: a client sends no body. C4: pipelining is offered from the first octet on (RFC 2449 §6.6), so there is no
//! early talker. M15, T10, T11, I6: `pillarbox-wire`'s. A1, A3, A5, A6, A9: its SASL's. S1 to S3, S5 to S9: there is no end of
//! data but the server's own (row I3).
#![cfg_attr(docsrs, feature(doc_cfg))]

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
pub use response::{Expiry, Refusal, ResponseCode};
#[cfg(feature = "server")]
pub use server::{Retrieved, Server, ServerBuilder};
pub use session::{
    Answer, Authenticated, Config, Event, LoginFailure, Maildrop, MaildropFull, RawHeader, ServerSession, SessionState,
    Utf8Support,
};

/// The README's example, compiled and run.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
pub struct Readme;
