//! SMTP, LMTP and submission: how mail comes in.
//!
//! A client connects, says who it is (`EHLO`), whom a message is from (`MAIL`), whom it is for (`RCPT`, once for each),
//! and then sends the message itself (`DATA`), which ends with a dot on a line of its own. The server answers each with a
//! three-digit reply: 2yz is yes, 3yz is go on, 4yz is not now, 5yz is no. With the reply to the dot the server takes the
//! message into keeping, and it is the server's to lose.
//!
//! ```text
//! S: 220 mail.example.org ESMTP                      MAIL opens a transaction, RCPT adds to it,
//! C: EHLO client.example.net                         DATA carries it out. RSET and EHLO drop it.
//! S: 250-mail.example.org
//! S: 250 PIPELINING                                  LMTP (RFC 2033) is the same between a host's own queue and
//! C: MAIL FROM:<eve@example.net>                     its mailboxes: LHLO, and at the end one reply for each
//! S: 250 2.1.0 sender ok                             recipient.
//! C: RCPT TO:<ada@example.org>
//! S: 250 2.1.5 recipient ok                          Submission (RFC 6409) is the same from a user's mail
//! C: DATA                                            program: after a login (AUTH), under TLS.
//! S: 354 start mail input; end with <CRLF>.<CRLF>
//! C: Subject: hello
//! C:
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
//! **A whole server** over a store ([`Server`], feature `server`):
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
//! **Framed over any tokio stream** ([`ServerCodec`], feature `codec`), with a policy of your own:
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
//! **Bare**, over whatever reads and writes ([`ServerSession`]). This is all of a server that takes mail for one user:
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
//! # Features
//!
//! | Feature | Adds |
//! | --- | --- |
//! | `codec` (default) | [`ServerCodec`]: tokio-util's traits around a session |
//! | `server` | [`Server`]: sockets, TLS, delivery into a `MailStore` |
//!
//! Extensions are not features but fields of [`Config`].
//!
//! # Limits
//!
//! What a connection can make the process hold is a sum of the fields of [`Limits`]; none of it depends on a message's
//! size.
//!
//! | Field | Default | What happens beyond | Says who |
//! | --- | --- | --- | --- |
//! | `command_line` | 512, and what extensions add | 500 | RFC 5321 §4.5.3.1.4 |
//! | `auth_line` | 12,288 | 500 5.5.6 | RFC 4954 §4 |
//! | `message_size` | 25 MiB | 552 5.3.4, at MAIL, at BDAT or at the end | RFC 1870 §6.1 |
//! | `recipients` | 1000 | 452 4.5.3 | RFC 5321 §4.5.3.1.10 |
//! | `messages` | 100 from a stranger | 421 4.7.0 | attack row M3 |
//! | `errors`, `unknown_commands` | 10, 5 | 421 4.7.0 | attack row C5 |
//! | `idle_commands` | 100 in a row | 421 4.7.0 | attack row C1 |
//! | `refused_recipients` | 100 | 421 4.7.0 | attack row C5 |
//! | `failed_logins` | 10 | 421 4.7.0 | attack row A11 |
//!
//! The clocks are [`Timeouts`](session::Timeouts). What passes although the grammar does not let it is
//! [`Leniency`](command::Leniency): nothing by default, but for a lone CR or LF in a message, which becomes a line end
//! ([`Config::line_ends`]).
//!
//! # RFCs
//!
//! | Number | Title | Sections | Module | Tested by |
//! | --- | --- | --- | --- | --- |
//! | 1870 | SIZE | all | `command::mail`, `session::data` | `rfc1870-*.txt`, `tests/limits.rs` |
//! | 2033 | LMTP | all | `session`, `server` | `rfc2033-*.txt`, `lmtp-rules.txt`, `tests/server.rs` |
//! | 2034, 3463 | ENHANCEDSTATUSCODES | all | `grammar::status`, `response` | `response::reply`, `rfc2034-6-codes.txt`, every transcript |
//! | 2852 | DELIVERBY, the parameter | its grammar | `command::delivery` | `delivery-parameters.txt` |
//! | 2920 | PIPELINING | 3.1, 3.2 but for (5) and (6) | `session` | `rfc2920-*.txt`, `pipelined-after-refusal.txt`, every transcript |
//! | 3030 | CHUNKING, and BINARYMIME where it is switched on | 2, 3 | `command::bdat`, `session::bdat` | `rfc3030-*.txt`, `bdat-*.txt`, `tests/bdat.rs` |
//! | 3207 | STARTTLS | 4 | `session`, `server` | `rfc3207-5-starttls.txt`, `starttls*.txt`, `tests/starttls_injection.rs` |
//! | 3461 | DSN, the parameters | 4, 5.1, 5.4 | `grammar::xtext`, `command::dsn` | `rfc3461-*.txt`, `tests/parameters.rs` |
//! | 3461, 3464 | DSN: reports of success | 3461 §4.1, §6; 3464 | `server::report` | there, `tests/reports.rs` |
//! | 3848 | ESMTP and LMTP transmission types | 2 | `server::trace` | there |
//! | 4865 | FUTURERELEASE, the parameters | their grammar | `command::delivery` | `delivery-parameters.txt` |
//! | 4954 | AUTH | 3 to 6 | `command::auth`, `command::submitter`, `session::auth` | `rfc4954-*.txt`, `rfc7677-scram.txt`, `tests/logins.rs` |
//! | 5321 | Simple Mail Transfer Protocol | 2.3.8, 3.1 to 3.5, 4.1, 4.2, 4.5 | `grammar`, `command`, `response`, `session` | `rfc5321-*.txt`, `address-literals.txt`, `queries.txt`, `tests/smuggling.rs`, `tests/addresses.rs`, `tests/conversation.rs` |
//! | 5321 | (trace information) | 4.4 | `server::trace` | there, `tests/server.rs` |
//! | 6152 | 8BITMIME | all | `command::mail` | `rfc1652-4-8bitmime.txt`, `parameters.txt`, `tests/server.rs` |
//! | 6409 | submission | 3.1, 4.3, 6.1 | `session`, `server` | `rfc4954-plain.txt`, `submission-without-login.txt`, `tests/server.rs` |
//! | 6531 | SMTPUTF8 | 3.1 to 3.7, 4.3 | `grammar`, `command`, `server::trace` | `rfc6531-smtputf8.txt`, `tests/addresses.rs` |
//! | 6533 | (ORCPT of type utf-8) | 3 | `command::dsn` | there |
//! | 6710 | MT-PRIORITY, the parameter | 3, 5 | `command::delivery` | `rfc6710-8-priority.txt`, `delivery-parameters.txt` |
//! | 7293 | RRVS, the parameter | its grammar | `command::delivery` | `delivery-parameters.txt` |
//! | 8314 | implicit TLS | 3.3 | `server` | `tests/server.rs` |
//! | 8689 | REQUIRETLS, the parameter | 2, 4.1 but for the field TLS-Required | `command::mail`, `session` | `rfc8689-*.txt` |
//! | 9422 | LIMITS: RCPTMAX, MAILMAX | the keyword | `session` | `limits.txt` |
//! | Postfix `XCLIENT_README`, `XFORWARD_README` | XCLIENT and XFORWARD, from peers that the host trusts | all | `command::xclient`, `command::xforward`, `session::trust` | `xclient*.txt`, `xforward.txt`, `tests/trust.rs` |
//!
//! RFC 2920 §3.2 (5) and (6) would have the replies to NOOP and some others sent at once; here a whole group of commands
//! is answered in one write, as soon as there is nothing more to read.
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

/// The README's example, compiled and run.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
pub struct Readme;
