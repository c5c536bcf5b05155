//! IMAP4rev1 and IMAP4rev2, the server's side: a session without I/O, a codec around it, and a whole server over a store.
//!
//! IMAP (RFC 9051, RFC 3501) is how a mail program works in mailboxes that stay on the server. A client logs in, *selects* a
//! mailbox, and from then on believes a list of messages: number 1 is the oldest, and numbers change only when it is told
//! `EXPUNGE`. It asks for parts of messages (`FETCH`), changes flags (`STORE`), looks for text (`SEARCH`), and is told what
//! others do meanwhile, at once if it idles.
//!
//! ```text
//!   C: a LOGIN ada secret       S: a OK [CAPABILITY ..] Logged in            authenticated
//!   C: b SELECT INBOX           S: * 3 EXISTS .. b OK [READ-WRITE] ..        selected
//!   C: c UID FETCH 1:* (FLAGS)  S: * 1 FETCH (UID 7 FLAGS (\Seen)) .. c OK
//!   C: d IDLE                   S: + idling, and later, unasked: * 4 EXISTS
//!   C: DONE                     S: d OK IDLE completed
//! ```
//!
//! The hard half is to keep that belief true: UIDs against numbers, what may be told when, one's own changes that are not
//! told again, a modification sequence that is never ahead. All of it is here, and the host's store never hears of it.
//!
//! # Four floors
//!
//! Each stands on the one below and can be used without the ones above.
//!
//! ```text
//!   server     Server::builder(..).build(store)        sockets, TLS, a MailStore
//!   codec      ServerCodec: Decoder + Encoder          tokio-util
//!   session    ServerSession: events out, answers in   no I/O, no clock, no storage
//!   grammar    Command, Response, Listing, View        pure functions, both directions
//! ```
//!
//! | Room | What is in it |
//! | --- | --- |
//! | [`grammar`] | tags, sets, names of mailboxes (modified UTF-7 and UTF-8), strings, dates |
//! | [`frame`] | whole commands out of octets: lines and literals, under ceilings |
//! | [`command`], [`response`] | every command and response, read and written |
//! | [`session`] | which command is legal when; logins, STARTTLS, IDLE, the message of APPEND |
//! | [`view`] | what a client believes of its mailbox, and what it has to be told |
//! | [`list`] | LIST and LSUB over a store's names; patterns |
//! | [`fetch`] | ENVELOPE, BODYSTRUCTURE and sections, from a message's digest |
//! | `server` | all of it over a [`MailStore`](mailstore_traits::MailStore) |
//!
//! # Three ways to use it
//!
//! **In your own program**, on the floor that suits you.
//!
//! ```toml
//! [dependencies]
//! pillarbox-imap-proto = { version = "0.1", features = ["server"] }
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
//! let imap = imap_proto::Server::builder("mail.example.org").tls(tls.clone()).build(store.clone());
//! let imaps = imap_proto::Server::builder("mail.example.org").tls(tls).implicit_tls(true).build(store);
//! tokio::try_join!(
//!     imap.serve(TcpListener::bind("[::]:2143").await?),
//!     imaps.serve(TcpListener::bind("[::]:2993").await?),
//! )?;
//! # Ok(())
//! # }
//! # }
//! ```
//!
//! *The codec*, in a `Framed` of tokio-util: the example is in `codec`.
//!
//! *The session*, bare, with any runtime or none. The session knows the protocol; the host knows users and mail.
//!
//! ```
//! use std::sync::Arc;
//! use bytes::BytesMut;
//! use imap_proto::command::CommandBody;
//! use imap_proto::session::Config;
//! use imap_proto::{Answer, Event, ServerSession};
//! use mail_wire::{AccountId, CredentialAnswer, CredentialQuery, sasl::SaslConfig};
//!
//! let sasl = Arc::new(SaslConfig::from_os_random());
//! let config = Arc::new(Config::new("mail.example.org", sasl).with_insecure_login(true));
//! let mut session = ServerSession::new(config);
//! let mut input = BytesMut::from("a LOGIN ada secret\r\nb SELECT INBOX\r\nc LOGOUT\r\n"); // from a socket
//! let mut output = BytesMut::new(); // to the socket
//! while let Some(event) = session.next_event(&mut input)? {
//!     let answer = match &event {
//!         Event::Credentials(CredentialQuery::Password { user, password })
//!             // Compare in constant time, and compare hashes; this is an example.
//!             if user.as_str() == "ada" && password.expose() == "secret" =>
//!         {
//!             CredentialAnswer::Accepted(AccountId::new("ada")).into()
//!         }
//!         Event::Authenticated(_) => Answer::Ok,
//!         Event::Command(CommandBody::Select(_)) => {
//!             // Untagged responses come before the answer.
//!             output.extend_from_slice(b"* 0 EXISTS\r\n");
//!             Answer::Ok
//!         }
//!         event => event.default_answer(),
//!     };
//!     session.answer(answer, &mut output)?;
//! }
//! assert!(session.is_closed());
//! assert!(output.ends_with(
//!     b"* 0 EXISTS\r\nb OK SELECT completed\r\n* BYE mail.example.org logging out\r\nc OK LOGOUT completed\r\n"
//! ));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! *The grammar* alone, for a client or a proxy: [`command::Command`] and [`response::Response`] are read and written, and
//! [`response::ResponseReader`] finds whole responses in a stream.
//!
//! **As a whole program**, with SMTP and POP3 beside it, accounts and an embedded store, from the repository:
//!
//! ```sh
//! cargo run --release -p pillarbox-mail-server
//! ```
//!
//! **Under a fuzzer**, from the repository, too. Each target asserts a property: that the way the octets are cut changes
//! nothing, that what is written is read again, that a pattern matches what its definition says.
//!
//! ```sh
//! fuzz/run imap_session imap_store imap_command imap_response imap_search imap_pattern
//! ```
//!
//! # Features
//!
//! | Feature | Adds |
//! | --- | --- |
//! | `codec` (default) | [`ServerCodec`]: tokio-util's traits around a session |
//! | `server` | [`Server`]: sockets, TLS, mailboxes out of a `MailStore`; implies `codec` |
//!
//! Extensions are not features: what a server advertises is what its store can do.
//!
//! # Limits
//!
//! What a connection can make the process hold is a sum of the fields of [`Limits`](limits::Limits); none of it depends on
//! a message's size. The clocks are [`Timeouts`](limits::Timeouts).
//!
//! | Limit | Default | Beyond it | Says who |
//! | --- | --- | --- | --- |
//! | `command_before_login`, `command` | 8 KiB / 128 KiB | BAD; clients send sets of UIDs of tens of KiB | attack rows M1, M5 |
//! | `line` | 64 KiB up to the next literal | BAD | attack row M1 |
//! | `auth_line` | 12,352 | BAD, the exchange ends | RFC 4954 §4, attack row M16 |
//! | `literals` | 100 in a command | BAD; each is asked for, or refused before it is sent | attack row M5 |
//! | `append` | 50 MiB, of which one chunk is in memory | `BAD [TOOBIG]` | attack rows M4, M5 |
//! | `discard` | 64 MiB of a refused `{n+}` literal | `BYE [TOOBIG]` | attack row M6 |
//! | `sequence_set_items` | 10,000 ranges, never counted out | BAD | attack row M8 |
//! | `search_depth`, `search_keys` | 50 / 1,000 | BAD; nothing recurses | attack row M7 |
//! | `list_items` | 1,000 in any other list | BAD | attack row M7 |
//! | `pattern` | 1,000 octets, as long as a name can be | BAD | attack row M9 |
//! | `errors_before_login`, `errors` | 10 / 20 | BYE | attack row C5 |
//! | `failed_logins` | 10 | BYE | attack row A11 |
//! | `Timeouts::idle_before_login`, `Timeouts::idle` | 1 minute / 30 minutes | BYE | RFC 9051 §5.4 |
//! | `Timeouts::line` | 1 minute | BYE | attack row C1 |
//! | `Timeouts::login` | 3 minutes without one | BYE | attack row C1 |
//! | `Timeouts::body` | 2 minutes in which a message makes no progress | BYE | attack row C2 |
//! | `Timeouts::still_here` | 2 minutes | none: IDLE says so often that the server is there | boxes on the way that forget silent connections |
//!
//! Of changed flags that wait to be told a session keeps 1,000 messages, and then only their UIDs ([`view`]). A session of
//! a mailbox costs what its UIDs cost as ranges; a dense one of a million messages is one range.
//!
//! # RFCs
//!
//! `there` is the module's own tests, `file::name…` a test of `tests/file.rs` by the beginning of its name, and a `.txt` a
//! conversation in `tests/transcripts`, which is played whole, octet by octet, and fully pipelined.
//!
//! | RFC | Section | What | Module | Tested by |
//! | --- | --- | --- | --- | --- |
//! | 9051, 3501 | §2.2, §4, §9 | tags, literals, strings, the whole grammar | [`grammar`], [`frame`], [`command`] | there, `tests/command_known.rs`, `tests/command_roundtrip.rs` |
//! | 9051, 3501 | §7 | responses, status, codes | [`response`] | there, `tests/response_roundtrip.rs` |
//! | 9051 | §3, §6.1, §6.2 | states, CAPABILITY, LOGIN, AUTHENTICATE, LOGOUT | [`session`] | `session/login.txt`, `session/authenticate.txt`, `session/select-states.txt`, `tests/attacks.rs` |
//! | 9051 | §6.2.1 | STARTTLS | [`session`] | `session/rfc9051-starttls.txt`, `attacks::sec_t1_nothing_behind_starttls…` |
//! | 9051 | §8 | the sample session | `server` | `server/rfc9051-section-8.txt` |
//! | 9051 | §2.3.1, §5.2, §7.5.1 | numbers, UIDs, what is told when | [`view`] | there, `view_model::whatever_happens_a_client…`, `many_clients::each_client_believes_what…` |
//! | 9051 | §6.3.1 to §6.3.3 | ENABLE, SELECT, EXAMINE | [`session`], `server::select` | `session/enable.txt`, `server::select_tells_what_the_mailbox…` |
//! | 9051 | §6.3.4 to §6.3.8 | CREATE, DELETE, RENAME, subscriptions | `server::mailboxes` | `server/mailboxes.txt`, `server::mailboxes_are_made_listed…`, `server::a_renamed_inbox_is_empty_and…` |
//! | 9051, 5258, 3348, 6154, 5819 | §6.3.9 | LIST, LIST-EXTENDED, CHILDREN, SPECIAL-USE, LIST-STATUS; LSUB | [`list`], `server::mailboxes` | there, `server::mailboxes_are_made_listed…` |
//! | 9051, 2342 | §6.3.10 | NAMESPACE | `server::mailboxes` | `server/mailboxes.txt` |
//! | 9051, 8438 | §6.3.11 | STATUS, with SIZE and DELETED | `server::mailboxes` | `server/rev2.txt`, `server/mailboxes.txt` |
//! | 9051, 4315 | §6.3.12 | APPEND, APPENDUID, COPYUID, UID EXPUNGE | `server::append`, `server::transfer` | `server/append-and-copy.txt`, `server/append-limits.txt`, `server::messages_are_appended_copied…` |
//! | 2177 | §3 | IDLE | [`session`], `server::idle` | `session/idle.txt`, `server/two-clients-idle.txt`, `server::an_idling_client_hears_at_once…` |
//! | 9051, 3691 | §6.4.1 to §6.4.3 | CLOSE, UNSELECT, EXPUNGE | `server::select`, `server::transfer` | `server/close-and-expunge.txt`, `server/two-clients-expunge.txt` |
//! | 9051, 4731, 5182 | §6.4.4 | SEARCH, ESEARCH, `$` | `server::search` | `server/search.txt`, `tests/search_keys.rs`, `tests/search_memory.rs` |
//! | 9051 | §6.4.5, §7.5.2 | FETCH: ENVELOPE, BODYSTRUCTURE, sections, partials | [`fetch`], `server::fetch` | there, `server/fetch-shapes.txt`, `tests/fetch_known.rs`, `tests/fetch_sections.rs` |
//! | 3516 | §4 | BINARY, BINARY.SIZE | `server::fetch` | `fetch_sections::transfer_encodings_are…`, `fetch_known::what_has_to_be_decoded…` |
//! | 9051, 6851 | §6.4.6 to §6.4.8 | STORE, COPY, MOVE | `server::store`, `server::transfer` | `server::messages_are_appended_copied…`, `many_clients::each_client_believes_what…` |
//! | 7162 | §3.1 | CONDSTORE | [`view`], `server::store` | there, `server/condstore.txt`, `tests/condstore.rs` |
//! | 3501 | §5.1.3 | modified UTF-7 | [`grammar::Mailbox`] | there |
//! | 7888 | §4, §5 | LITERAL+ | [`frame`], [`session`] | there, `session/login-literal.txt`, `attacks::sec_m6_what_comes_unasked…` |
//! | 4959 | §3 | SASL-IR | [`session`] | `session/authenticate.txt` |
//! | 2971 | §3 | ID | [`session`] | `session/id.txt` |
//! | 5161 | §3 | ENABLE | [`session`] | `session/enable.txt` |
//! | 5530 | §3 | response codes | [`response::code`], `server::error` | there, `tests/response_roundtrip.rs` |
//! | 8314 | §3.2 | TLS from the first octet on | [`session`] | `attacks::implicit_tls_greets_inside_it` |
//!
//! Not there yet: a client's session (its commands and responses are), and, not in CAPABILITY either, QRESYNC, UTF8=ACCEPT,
//! MULTIAPPEND, BINARY's APPEND, COMPRESS, QUOTA, SORT and THREAD, ACL, METADATA, NOTIFY, OBJECTID, CREATE-SPECIAL-USE.
//!
//! # Where the RFCs leave a choice
//!
//! - EXPUNGE is told with the highest number first, so that each number is what it was.
//! - `\Seen` is set when a body has been sent, and told behind it. Messages that come while a mailbox is selected are
//!   `\Recent` to the next session that selects it (RFC 3501 §2.3.2 wants exactly one).
//! - A silent STORE hides this client's own change and nobody else's: messages that others have changed meanwhile are told.
//! - Messages that have gone without the client's knowing: FETCH tells the others and answers `NO [EXPUNGEISSUED]`, UID
//!   commands pass over them, COPY by number is refused, MOVE of them is OK (RFC 2180 §4).
//! - A header with octets beyond ASCII reaches a client that has not enabled IMAP4rev2 as encoded words in ENVELOPE and
//!   BODYSTRUCTURE; the octets of `BODY[...]` are never rewritten.
//! - Of what is read from a message no more than a chunk is in memory; what has to be decoded or picked first and is longer
//!   than 64 KiB is read twice, for its length comes before it.
//! - The selected mailbox is deleted by somebody else: BYE, since no answer tells that (RFC 2180 §3.3).
//! - A mailbox name that is none is `NO [CANNOT]`, and costs no error.
//! - What is looser than the grammar: an empty line between commands, a command in place of `*` in AUTHENTICATE, DONE in
//!   any case, reversed sets, `RFC822.PEEK`, unknown system flags in STORE and APPEND (left out).
#![cfg_attr(docsrs, feature(doc_cfg))]

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
mod stack;
pub mod view;

#[cfg(feature = "codec")]
pub use codec::{CodecError, ServerCodec};
#[cfg(feature = "server")]
pub use server::{Server, ServerBuilder};
pub use session::{Answer, Event, ServerSession};

/// The README's code, compiled.
#[cfg(all(doctest, feature = "server"))]
#[doc = include_str!("../README.md")]
pub struct Readme;
