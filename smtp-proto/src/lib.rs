//! SMTP, LMTP and submission: how mail comes in.
//!
//! A client connects, says who it is (`EHLO`), whom a message is from (`MAIL`), whom it is for (`RCPT`, once for each),
//! and then sends the message itself (`DATA`), which ends with a dot on a line of its own. The server answers each with a
//! three-digit reply: 2yz is yes, 3yz is go on, 4yz is not now, 5yz is no. With the reply to the dot the server takes the
//! message into keeping, and it is the server's to lose.
//!
//! ```text
//! S: 220 mail.example.org ESMTP                     MAIL opens a transaction, RCPT adds to
//! C: EHLO client.example.net                        it, DATA carries it out. RSET and EHLO
//! S: 250-mail.example.org                           drop it.
//! S: 250 PIPELINING
//! C: MAIL FROM:<eve@example.net>                    LMTP (RFC 2033) is the same between a
//! S: 250 2.1.0 sender ok                            host's own queue and its mailboxes:
//! C: RCPT TO:<ada@example.org>                      LHLO, and at the end one reply for each
//! S: 250 2.1.5 recipient ok                         recipient.
//! C: DATA
//! S: 354 start mail input; end with <CRLF>.<CRLF>   Submission (RFC 6409) is the same from
//! C: Subject: hello                                 a user's mail program: after a login
//! C:                                                (AUTH), under TLS.
//! C: Hello, Ada.
//! C: .
//! S: 250 2.0.0 message accepted
//! ```
//!
//! # Four floors
//!
//! ```text
//!        sockets, TLS, a MailStore
//!   ┌──────────────────────────────────────────────────────────────────────────────────────┐
//!   │ server    events become calls on a store, their results answers        feature server│
//!   ├──────────────────────────────────────────────────────────────────────────────────────┤
//!   │ codec     tokio-util's Decoder and Encoder                              feature codec│
//!   ├──────────────────────────────────────────────────────────────────────────────────────┤
//!   │ session   octets → Event, Answer → octets; states, limits, timers; no I/O, no clock  │
//!   ├──────────────────────────────────────────────────────────────────────────────────────┤
//!   │ grammar, command, response     octets ↔ types, both ways; pure functions             │
//!   └──────────────────────────────────────────────────────────────────────────────────────┘
//!        octets
//! ```
//!
//! Stop at any floor.
//!
//! # Three ways to use it
//!
//! **In your own program**, on the floor that suits you.
//!
//! ```toml
//! [dependencies]
//! pillarbox-smtp-proto = { version = "0.1", features = ["server"] }
//! pillarbox-mailstore-traits = { version = "0.1", features = ["memory"] }
//! pillarbox-wire = { version = "0.1", features = ["io"] }
//! tokio = { version = "1", features = ["full"] }
//! ```
//!
//! *The server*, over a store ([`Server`], feature `server`). What the host decides about mail is a
//! [`Policy`](server::policy::Policy):
//!
//! ```no_run
//! # #[cfg(feature = "server")] mod whole {
//! # use mail_wire::io::TlsConfig;
//! # use mailstore_traits::memory::MemoryStore;
//! # use tokio::net::TcpListener;
//! # async fn run() -> Result<(), Box<dyn std::error::Error>> {
//! let store = MemoryStore::new().with_account("ada@example.org", "correct horse");
//! let tls = TlsConfig::from_pem_files("cert.pem", "key.pem")?;
//! let smtp = smtp_proto::Server::builder("mail.example.org").tls(tls).build(store);
//! smtp.serve(TcpListener::bind("[::]:2525").await?).await?;
//! # Ok(()) } }
//! ```
//!
//! *The codec*, framed over any tokio stream ([`ServerCodec`], feature `codec`), with decisions of your own:
//!
//! ```
//! # #[cfg(feature = "codec")] mod framed {
//! # use std::sync::Arc;
//! # use futures::{SinkExt, TryStreamExt};
//! # use smtp_proto::{Answer, Config, Event, ServerCodec, ServerSession};
//! # use tokio_util::codec::Framed;
//! # fn known(_: &smtp_proto::grammar::ForwardPath) -> bool { false }
//! # async fn run<S>(socket: S, config: Arc<Config>) -> Result<(), Box<dyn std::error::Error>>
//! # where S: tokio::io::AsyncRead + tokio::io::AsyncWrite + Unpin {
//! let mut framed = Framed::new(socket, ServerCodec::new(ServerSession::new(config)));
//! framed.send(Answer::greeting()).await?;
//! while let Some(event) = framed.try_next().await? {
//!     match event {
//!         Event::Rcpt(rcpt) if known(&rcpt.path) => framed.send(rcpt.accept()).await?,
//!         event if event.needs_answer() => framed.send(event.default_answer()).await?,
//!         octets_of_the_message => { /* keep them */ }
//!     }
//!     if framed.codec().session().is_closed() { break }
//! }
//! # Ok(()) } }
//! ```
//!
//! *The session*, bare, over whatever reads and writes ([`ServerSession`]). This is all of a server that takes mail for one
//! user:
//!
//! ```
//! use std::io::{Read, Write};
//! use std::sync::Arc;
//! use bytes::BytesMut;
//! use smtp_proto::{Answer, Config, Event, Protocol, ServerSession};
//!
//! fn converse(mut socket: impl Read + Write, config: Arc<Config>) -> Result<Vec<u8>, Box<dyn std::error::Error>> {
//!     let mut session = ServerSession::new(config);
//!     let (mut input, mut output) = (BytesMut::new(), BytesMut::new());
//!     let (mut message, mut chunk) = (Vec::new(), [0; 4096]);
//!     while !session.is_closed() {
//!         while let Some(event) = session.next_event(&mut input)? {
//!             let answer: Answer = match event {
//!                 Event::Data(octets) => { message.extend_from_slice(&octets); continue }
//!                 Event::Rcpt(ref rcpt) if rcpt.path.to_string() == "<ada@example.org>" => rcpt.accept(),
//!                 Event::EndOfData(end) => end.accept(),       // when the message is safe, and not before
//!                 event => event.default_answer(),
//!             };
//!             session.answer(answer, &mut output)?;
//!         }
//!         socket.write_all(&output.split())?;                  // one write for a whole pipelined group
//!         match socket.read(&mut chunk)? {
//!             0 => { session.end_of_input()?; break }
//!             count => input.extend_from_slice(chunk.get(..count).unwrap_or_default()),
//!         }
//!     }
//!     Ok(message)
//! }
//! # struct Script(std::io::Cursor<&'static [u8]>, Vec<u8>);
//! # impl Read for Script { fn read(&mut self, to: &mut [u8]) -> std::io::Result<usize> { self.0.read(to) } }
//! # impl Write for Script {
//! #     fn write(&mut self, octets: &[u8]) -> std::io::Result<usize> { self.1.write(octets) }
//! #     fn flush(&mut self) -> std::io::Result<()> { Ok(()) }
//! # }
//! # let octets = b"EHLO c\r\nMAIL FROM:<a@b>\r\nRCPT TO:<ada@example.org>\r\nDATA\r\n..hi\r\n.\r\nQUIT\r\n";
//! # let config = Arc::new(Config::new("mail.example.org".parse()?, Protocol::Smtp));
//! # assert_eq!(converse(Script(std::io::Cursor::new(octets), Vec::new()), config)?, b".hi\r\n");
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! **As a whole program**, with IMAP and POP3 beside it, accounts and an embedded store, from the repository:
//!
//! ```sh
//! cargo run --release -p pillarbox-mail-server
//! ```
//!
//! **Under a fuzzer**, from the repository, too. The targets play whole conversations and assert that the way the octets
//! are cut changes nothing, and that a message is what a twenty-line reading of the RFC says it is; a host puts its own
//! decisions in the place of their answers.
//!
//! ```sh
//! fuzz/run smtp_session smtp_data smtp_lmtp smtp_command
//! ```
//!
//! # Features
//!
//! | Feature | Adds |
//! | --- | --- |
//! | `codec` (default) | [`ServerCodec`]: tokio-util's traits around a session |
//! | `server` | [`Server`]: sockets, TLS, delivery into a `MailStore`; implies `codec` |
//!
//! Extensions are not features but fields of [`Config`].
//!
//! # Limits
//!
//! What a connection can make the process hold is a sum of the fields of [`Limits`]; none of it depends on a message's
//! size. The clocks are [`Timeouts`](session::Timeouts).
//!
//! | Limit | Default | Beyond it | Says who |
//! | --- | --- | --- | --- |
//! | `command_line` | 512, and what extensions add | 500 | RFC 5321 §4.5.3.1.4, attack row M1 |
//! | `auth_line` | 12,288 | 500 5.5.6 | RFC 4954 §4, attack row M16 |
//! | `message_size` | 25 MiB | 552 5.3.4, at MAIL, at BDAT or at the end | RFC 1870 §6.1, attack rows M2, M3 |
//! | `recipients` | 1,000 | 452 4.5.3 | RFC 5321 §4.5.3.1.10, attack row M3 |
//! | `messages` | 100 from a stranger | 421 4.7.0 | attack row M3 |
//! | `errors`, `unknown_commands` | 10 / 5 | 421 4.7.0 | attack row C5 |
//! | `idle_commands` | 100 in a row | 421 4.7.0 | attack row C1 |
//! | `refused_recipients` | 100 | 421 4.7.0 | attack row C5 |
//! | `failed_logins` | 10 | 421 4.7.0 | attack row A11 |
//! | `Timeouts::idle` | 5 minutes | 421 4.4.2 | RFC 5321 §4.5.3.2.7 |
//! | `Timeouts::line` | 1 minute | 421 4.4.2 | attack row C1 |
//! | `Timeouts::login` | 10 minutes, where mail is only taken after one | 421 4.4.2 | attack row C1 |
//! | `Timeouts::body` | 10 minutes for each 64 KiB of a message | 421 4.4.2 | attack row C2 |
//!
//! What passes although the grammar does not let it is [`Leniency`](command::Leniency): nothing by default, but for a lone
//! CR or LF in a message, which becomes a line end ([`Config::line_ends`]).
//!
//! # RFCs
//!
//! `there` is the module's own tests, `file::name…` a test of `tests/file.rs` by the beginning of its name, and a `.txt` a
//! conversation in `tests/transcripts`, which is played whole, octet by octet, and fully pipelined.
//!
//! | RFC | Section | What | Module | Tested by |
//! | --- | --- | --- | --- | --- |
//! | 5321 | §2.3.8, §4.1.2, §4.5.2 | lines, the grammar, transparency | [`grammar`], `session::data` | there, `rfc5321-4.5.2-transparency.txt`, `tests/smuggling.rs`, `tests/addresses.rs` |
//! | 5321 | §3.1, §3.3, §4.1.1, §4.1.4 | the commands and their order | [`command`], [`session`] | there, `rfc5321-d1-typical.txt`, `rfc5321-d2-aborted.txt`, `rfc5321-3.1-refused.txt`, `rfc5321-4.1.4-order.txt`, `tests/conversation.rs` |
//! | 5321 | §3.5 | VRFY and EXPN | [`command::Vrfy`], [`command::Expn`] | there, `rfc5321-d4-verifying.txt`, `queries.txt`, `logins::sec_a2_a_login_and_vrfy_say_the…` |
//! | 5321 | §4.1.3 | address literals | `grammar::literal` | there, `address-literals.txt` |
//! | 5321 | §4.2 | replies | `response::reply` | there |
//! | 5321 | §4.4 | trace information | `server::trace` | there, `tests/trace_injection.rs`, `server::a_message_comes_in_octet_for…` |
//! | 5321 | §4.5.3 | sizes and times | [`limits`], `session::config` | `tests/limits.rs`, `tests/deadlines.rs`, `rfc5321-4.5.3.1.10-recipients.txt` |
//! | 1870 | §3 to §6 | SIZE | `command::mail`, `session::data` | there, `rfc1870-*.txt`, `limits::sec_m4_a_size_that_lies_is…` |
//! | 2033 | §4 | LMTP | [`session`], `server` | `rfc2033-*.txt`, `lmtp-rules.txt`, `server::lmtp_has_a_reply_for_each…` |
//! | 2034, 3463 | 2034 §4; 3463 §2, §3 | enhanced status codes | `grammar::status`, `response::reply` | there, `rfc2034-6-codes.txt` |
//! | 2852 | the parameter's grammar | DELIVERBY, the parameter | `command::delivery` | there, `delivery-parameters.txt` |
//! | 2920 | §3.1, §3.2 but for (5) and (6) | PIPELINING | [`session`] | `rfc2920-*.txt`, `pipelined-after-refusal.txt`, `server::a_pipelined_group_is_answered…` |
//! | 3030 | §2, §3 | CHUNKING, and BINARYMIME where it is switched on | `command::bdat`, `session::bdat` | there, `rfc3030-*.txt`, `bdat-*.txt`, `tests/bdat.rs` |
//! | 3207 | §4 | STARTTLS | [`session`], `server` | `rfc3207-5-starttls.txt`, `starttls.txt`, `tests/starttls_injection.rs` |
//! | 3461 | §4, §5.1, §5.4 | DSN, the parameters | `grammar::xtext`, `command::dsn` | there, `rfc3461-*.txt`, `parameters::every_parameter_is_written…` |
//! | 3461, 3464 | 3461 §4.1, §6; 3464 §2 | DSN: reports of success | `server::report` | there, `tests/reports.rs` |
//! | 3848 | §2 | ESMTP and LMTP transmission types | `server::trace` | there |
//! | 4865 | the parameters' grammar | FUTURERELEASE, the parameters | `command::delivery` | there, `delivery-parameters.txt` |
//! | 4954 | §3 to §6 | AUTH | `command::auth`, `command::submitter`, `session::auth` | there, `rfc4954-*.txt`, `rfc7677-scram.txt`, `tests/logins.rs` |
//! | 6152 | §2 | 8BITMIME | `command::mail` | there, `rfc1652-4-8bitmime.txt`, `parameters.txt` |
//! | 6409 | §3.1, §4.3, §6.1 | submission | [`session`], `server` | `rfc4954-plain.txt`, `submission-without-login.txt`, `server::mail_is_submitted_by_starttls…` |
//! | 6531 | §3.1 to §3.7, §4.3 | SMTPUTF8 | [`grammar`], [`command`], `server::trace` | there, `rfc6531-smtputf8.txt`, `addresses::sec_i8_utf8_is_taken_in_its…` |
//! | 6533 | §3 | ORCPT of type utf-8 | `command::dsn` | there |
//! | 6710 | §3, §5 | MT-PRIORITY, the parameter | `command::delivery` | there, `rfc6710-8-priority.txt`, `delivery-parameters.txt` |
//! | 7293 | the parameter's grammar | RRVS, the parameter | `command::delivery` | there, `delivery-parameters.txt` |
//! | 8314 | §3.3 | implicit TLS | `server` | `server::implicit_tls_comes_before_the…` |
//! | 8689 | §2, §4.1 but for the field TLS-Required | REQUIRETLS, the parameter | `command::mail`, [`session`] | `rfc8689-*.txt` |
//! | 9422 | the keyword's grammar | LIMITS: RCPTMAX, MAILMAX | [`session`] | `limits.txt` |
//! | Postfix | its two README files | XCLIENT and XFORWARD, from peers that the host trusts | `command::xclient`, `command::xforward`, `session::trust` | there, `xclient*.txt`, `xforward.txt`, `tests/trust.rs` |
//!
//! RFC 2920 §3.2 (5) and (6) would have the replies to NOOP and some others sent at once; here a whole group of commands
//! is answered in one write, as soon as there is nothing more to read.
//!
//! Not there yet: a client. A message goes into the host's store or is refused; nothing is passed on to other servers, so
//! of delivery reports there are only those of success.
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
pub use error::{Error, ParseError, ParseErrorKind, PeerError, UsageError};
pub use limits::Limits;
pub use response::Reply;
#[cfg(feature = "server")]
pub use server::{Server, ServerBuilder};
pub use session::{Answer, Config, Event, Protocol, ServerSession};

/// The README's code, compiled.
#[cfg(all(doctest, feature = "server"))]
#[doc = include_str!("../README.md")]
pub struct Readme;
