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
//!   server     Server::builder(..).build(store)          sockets, TLS, a MailStore
//!   codec      ServerCodec: Decoder + Encoder            tokio-util
//!   session    ServerSession: events out, answers in     no I/O, no clock, no storage
//!   grammar    Command, Response, Capability, listings   pure functions, both directions
//! ```
//!
//! # Three ways to use it
//!
//! **In your own program**, on the floor that suits you.
//!
//! ```toml
//! [dependencies]
//! pillarbox-pop3-proto = { version = "0.1", features = ["server"] }
//! pillarbox-mailstore-traits = { version = "0.1", features = ["memory"] }
//! pillarbox-wire = { version = "0.1", features = ["io"] }
//! tokio = { version = "1", features = ["full"] }
//! ```
//!
//! *The server*, over a store that implements the traits of `pillarbox-mailstore-traits`.
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
//! *The codec*, in a `Framed` of tokio-util. It reads before it decodes, so the host greets unasked.
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
//! *The session*, bare, with any runtime or none. The session keeps numbers, sizes, unique-ids and marks, cuts `TOP` and stuffs dots;
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
//! **As a whole program**, with SMTP and IMAP beside it, accounts and an embedded store, from the repository:
//!
//! ```sh
//! cargo run --release -p pillarbox-mail-server
//! ```
//!
//! **Under a fuzzer**, from the repository, too. The target plays whole conversations and asserts that the way the octets
//! are cut changes nothing; a host puts its own decisions in the place of the target's answers.
//!
//! ```sh
//! fuzz/run pop3_session
//! ```
//!
//! # Features
//!
//! | Feature | Adds |
//! | --- | --- |
//! | `codec` (default) | [`ServerCodec`]: tokio-util's traits around a session |
//! | `server` | [`Server`]: sockets, TLS, a maildrop out of a `MailStore`; implies `codec` |
//!
//! Extensions are not features but methods of [`Config`].
//!
//! # Limits
//!
//! What a connection can make the process hold is a sum of the fields of [`Limits`]; none of it depends on a message's
//! size. The clocks are [`Timeouts`].
//!
//! | Limit | Default | Beyond it | Says who |
//! | --- | --- | --- | --- |
//! | `command_line` | 255 octets | `-ERR` | RFC 2449 §4, attack row M1 |
//! | `auth_line` | 12,288 octets | `-ERR`, the exchange ends | RFC 4954 §4, attack row M16 |
//! | `maildrop_entries` | 1,000,000 messages of 12 octets each | the login is refused: `-ERR [SYS/PERM]` | attack row M13 |
//! | `login_intervals` | 100,000 accounts that wait for their next login | who has the least left to wait may come at once | RFC 2449 §6.5 |
//! | `listing_part` | 16 KiB | the rest waits until this has been sent | attack row M13 |
//! | `errors` | 10 | `-ERR`, and the session closes | attack row C5 |
//! | `failed_logins` | 10 | `-ERR [AUTH]`, and the session closes | attack row A11 |
//! | `Timeouts::idle` | 10 minutes | the session closes without a word | RFC 1939 §3 |
//! | `Timeouts::line` | 1 minute | the same | attack row C1 |
//! | `Timeouts::login` | 10 minutes without one | the same | attack row C1 |
//!
//! # RFCs
//!
//! `there` is the module's own tests, `file::name…` a test of `tests/file.rs` by the beginning of its name, and a `.txt` a
//! conversation in `tests/transcripts`, which is played whole, octet by octet, and fully pipelined.
//!
//! | RFC | Section | What | Module | Tested by |
//! | --- | --- | --- | --- | --- |
//! | 1939 | §3 | responses, multi-line, dot-stuffing | [`response`], `session::message` | there, `tests/properties.rs` |
//! | 1939 | §3 | inactivity timer, closing in silence | [`session`] | `limits::sec_c1_three_clocks_run`, `server::a_silent_client_is_closed_in…` |
//! | 1939 | §4, §5, §6 | the states, STAT LIST RETR DELE NOOP RSET QUIT | [`command`], [`session`] | there, `rfc1939-section-5.txt`, `rfc1939-section-10.txt`, `marks.txt`, `quit-fails.txt`, `maildrop::sec_p7_only_quit_removes…` |
//! | 1939 | §7 | TOP, UIDL, USER, PASS | [`command`], [`session`] | there, `rfc1939-section-7.txt`, `top-edges.txt`, `user-and-pass.txt` |
//! | 1939 | §7 | APOP, off unless a host asks for it | [`command`], `session::timestamp` | there, `rfc1939-apop.txt`, `login::sec_a14_apop_is_there_when_the…` |
//! | 1939 | §8 | the maildrop held alone | `server::maildrop` | `server::sec_p6_one_session_has_the…` |
//! | 1939 | §11 | sizes with CRLF line ends | [`response`], `server::maildrop` | `maildrop::a_message_has_the_octets_that…`, `server::what_was_delivered_is_fetched…` |
//! | 2449 | §3, §4 | grammar, lengths | [`grammar`], [`response`] | there, `limits::a_command_has_255_octets_at_the…` |
//! | 2449 | §5, §6 | CAPA; TOP USER SASL RESP-CODES PIPELINING UIDL | `response::capability`, `session::config` | there, `rfc2449-capa.txt`, `server::pipelined_commands_are_answered…` |
//! | 2449 | §6.5 | LOGIN-DELAY, enforced by account, the same for all or not | [`Config`], `server::login_interval` | there, `rfc2449-login-delay.txt`, `policy::a_login_too_early_is_told_so…` |
//! | 2449 | §6.7 | EXPIRE, the same for all or not; the host's promise | [`Expiry`], `server` | there, `rfc2449-expire-*.txt`, `policy::what_differs_by_account_is_told…` |
//! | 2449 | §6.9 | IMPLEMENTATION, none unless a host says one, after the login | [`Config`] | `rfc2449-implementation.txt`, `policy::sec_r7_neither_greeting_nor…` |
//! | 2449 | §8 | `[IN-USE]`, `[LOGIN-DELAY]` | [`ResponseCode`] | there, `rfc2449-in-use.txt`, `policy::a_login_that_finds_the_maildrop…` |
//! | 2595 | §4 | STLS | [`session`] | `rfc2595-stls.txt`, `stls-injection.txt`, `tests/starttls_injection.rs` |
//! | 3206 | §4 to §6 | `[SYS/TEMP]`, `[SYS/PERM]`, `[AUTH]`, AUTH-RESP-CODE | [`ResponseCode`], `server::error` | there, `unavailable.txt` |
//! | 5034 | §4 | AUTH with initial response | `command::login`, `session::auth` | there, `rfc5034-*.txt`, `tests/login.rs` |
//! | 6856 | §2, §5 | UTF8, its `USER`, `[UTF8]` | [`Utf8Support`], `session::utf8` | there, `rfc6856-*.txt`, `policy::a_host_may_keep_a_raw_header…` |
//! | 8314 | §3.2 | TLS from the first octet on | `server` | `server::implicit_tls_comes_before_the…` |
//!
//! Not there yet: a client, and LANG (RFC 6856 §3), which is refused and not in CAPA. Nor is the implicit DELE that EXPIRE
//! 0 permits (RFC 2449 §6.7, "MAY"): nothing but DELE marks a message.
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

/// The README's code, compiled.
#[cfg(all(doctest, feature = "server"))]
#[doc = include_str!("../README.md")]
pub struct Readme;
