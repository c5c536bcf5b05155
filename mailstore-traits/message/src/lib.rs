//! What a message is made of: RFC 5322 and MIME structure, found in one pass as octets arrive.
//!
//! A mail server looks at a message once, while it takes it in and writes it to the store. A **digest** is what it
//! remembers of that look: where each part's header and body stand, of what type the parts are, the raw header fields
//! that an ENVELOPE is made of, and what was wrong. A few hundred octets, kept by the store beside the message; with
//! them a list of ten thousand messages is answered without one body being read.
//!
//! ```text
//!   octets, in chunks of any size
//!      │
//!      ├──────────────► the store's stage (the message, untouched)
//!      ▼
//!   Digester ──finish()──► Digest ──to_octets()──► MessageDigest, kept by the store
//!   bounded by Limits        │  ▲                     │
//!                            │  └────from_octets()────┘
//!                            ├─ with_prefix(trace fields)   at the prefix's price
//!                            ├─ fields(), field_count()     what servers and ENVELOPE ask
//!                            └─ root(), parts()             a tree of Part
//!
//!   multipart/mixed            part 0: header 0..120, body 120..900
//!   ├─ text/plain              part 1: its own header, body, octets, lines
//!   └─ message/rfc822          part 2
//!      └─ text/html            part 3: the message inside, with ENVELOPE fields of its own
//! ```
//!
//! # Rules
//!
//! - **Never an error.** A malformed message has a poorer digest, and [`Defect`]s that say why (store contract, rule
//!   12).
//! - **Never a step back.** Each octet is looked at as it goes by; every decision falls at a line's end, so that
//!   cutting the octets differently changes nothing.
//! - **Bounded.** What is held is a sum of [`Limits`], whatever is fed, and so is what [`Digest::to_octets`] gives.
//! - **Well formed, always.** A part is a [`PartKind::Multipart`] only if parts were found in it, and a
//!   [`PartKind::Message`] only if the message in it is told of. All else is a leaf, whatever its type says; who makes
//!   BODYSTRUCTURE of it goes by the kind, and tells clients of `multipart/…` or `message/rfc822` leaves as
//!   `application/octet-stream` (as RFC 2046 §5.2.4 does with messages it does not know).
//! - **Offsets are of the message**, that is of prefix and blob together, as [`open_body`] counts. Inside, and in the
//!   kept octets, they count from the blob's start, so that a prefix moves none of them.
//! - A line ends with LF, with or without CR before it. CR alone ends nothing.
//!
//! A digest keeps fields raw. What they mean is read when somebody asks: [`address`] makes ENVELOPE's addresses of them,
//! [`words`] their text; [`transfer`] and [`charset`] do the same for bodies, chunk by chunk.
//!
//! [`open_body`]: mailstore_traits::Account::open_body
//!
//! # Three ways to use it
//!
//! **In your own program**, whether there is a server in it or not:
//!
//! ```toml
//! [dependencies]
//! pillarbox-message = "0.1"
//! ```
//!
//! ```
//! use mail_message::{Digest, PartKind};
//!
//! let blob = b"Subject: two parts\r\nContent-Type: multipart/mixed; boundary=b\r\n\r\n\
//!     --b\r\n\r\nHello\r\n--b\r\nContent-Type: image/png\r\n\r\n...\r\n--b--\r\n";
//! let digest = Digest::of(blob);
//! assert_eq!(digest.root().kind(), PartKind::Multipart);
//! let bodies: Vec<_> = digest.root().children().map(|part| part.body()).collect();
//! assert_eq!(bodies, [72..77, 111..114]);
//! assert_eq!(digest.field_count("Received"), Some(0));
//!
//! // At the end of the data the server knows its trace field, and puts it in front.
//! let prefix = b"Received: from there by here; Mon, 1 Jan 2024 00:00:00 +0000\r\n";
//! let delivered = digest.with_prefix(prefix);
//! assert_eq!(delivered.field_count("Received"), Some(1));
//! assert_eq!(delivered.part(1).unwrap().body(), 72 + prefix.len() as u64..77 + prefix.len() as u64);
//! ```
//!
//! **As a whole program**, from the repository: the servers make a digest of each message as it comes in, and IMAP answers
//! ENVELOPE, BODYSTRUCTURE and SEARCH out of it.
//!
//! ```sh
//! cargo run --release -p pillarbox-mail-server
//! ```
//!
//! **Under a fuzzer**, from the repository, too: however the octets are cut, the digest is the same and sound; and a stored
//! digest that somebody has tampered with is refused or read.
//!
//! ```sh
//! fuzz/run message_digest message_stored
//! ```
//!
//! # Features
//!
//! None.
//!
//! # Limits
//!
//! Where a ceiling is met the digest gets poorer and says so; the message is never refused.
//!
//! | Limit | Default | Beyond it | Says who |
//! | --- | --- | --- | --- |
//! | `depth` | 100 | the part is a leaf, [`Defect::TooDeep`] | attack row M11 |
//! | `parts` | 1,000 | further ones are passed over, [`Defect::TooManyParts`] | attack row M11 |
//! | `field_octets` | 64 KiB | the field is cut, [`Defect::HeaderTruncated`] | attack row M11 |
//! | `fields` | 512 | further ones are counted and not kept, [`Defect::TooManyFields`] | attack row M11 |
//! | `fields_octets` | 256 KiB | the same; the one at the border is cut | attack row M11 |
//! | `parameters` | 64 | further ones are left out, [`Defect::TooManyParameters`] | attack row M11 |
//! | `parameter_octets` | 2,048 | the value is cut, [`Defect::HeaderTruncated`] | attack row M11 |
//! | `parts_octets` | 256 KiB | what finds no room is left out, [`Defect::HeaderTruncated`] | attack row M11 |
//! | `boundary_octets` | 200 | the multipart is a leaf, [`Defect::NoBoundary`] | RFC 2046 §5.1.1 has 70 |
//! | `preview_octets` | 1,024 | the preview is cut | RFC 8970 §3.3 |
//!
//! # RFCs
//!
//! `there` is the module's own tests, `file::name…` a test of `tests/file.rs` by the beginning of its name. What holds of
//! every message is `tests/properties.rs`, attack row M11 is `tests/limits.rs`.
//!
//! | RFC | Section | What | Module | Tested by |
//! | --- | --- | --- | --- | --- |
//! | 5322 | §2.1, §2.2, §4.5.8 | lines, fields, the end of the header | `digester`, `field` | there, `known_answers::small_messages`, `known_answers::a_missing_empty_line…` |
//! | 5322 | §2.2.3 | folding | `digester`, `field` | there, `known_answers::fields_are_kept_raw_in…` |
//! | 5322 | §3.3, §4.3 | the day of a Date field | [`date`] | there |
//! | 5322 | §3.4, §4.4 | addresses, groups, routes | [`address`] | there |
//! | 2045 | §5, §6, §7, §8 | Content-Type, -Transfer-Encoding, -ID, -Description | `content`, `digester::header` | there, `known_answers::the_fields_of_mime_are…` |
//! | 2045 | §5.2 | the default type | `digester` | `known_answers::small_messages` |
//! | 2045 | §6.7, §6.8 | quoted-printable and base64, undone as they go by | [`transfer`] | there |
//! | 2046 | §5.1.1 | delimiters, preamble, epilogue | `digester::delimiter` | `known_answers::the_example_of_rfc_2046…`, `known_answers::delimiters_may_be_padded…`, `known_answers::a_boundary_that_begins…` |
//! | 2046 | §5.1.2 | outer delimiters end inner parts | `digester` | `known_answers::an_outer_delimiter_ends…` |
//! | 2046 | §5.1.5 | multipart/digest | `digester` | `known_answers::a_multipart_digest_holds…` |
//! | 2046, 6532 | 2046 §5.2.1; 6532 §3.7 | message/rfc822, message/global | `digester` | `known_answers::a_message_in_a_message…` |
//! | 2047 | §2, §4, §5, §6 | encoded words, read and written | [`words`] | there |
//! | 2049 | appendix A | the complex example | `digester` | `known_answers::the_complex_example_of…` |
//! | 2183 | §2 | Content-Disposition | `content` | `content::a_disposition_may_have…` |
//! | 2231 | §3, §4 | parameters in pieces, with charset | `parameter` | there, `limits::sec_m11_ten_thousand_pieces_of…` |
//! | 1864, 2557, 3282 | the fields | Content-MD5, -Location, -Language | `digester::header` | `known_answers::the_fields_of_mime_are…` |
//! | 8970 | §3.3 | the preview | `digest` | `known_answers::the_preview_is_of_the…` |
//!
//! Not there yet: writing messages, and signatures of any kind.
#![cfg_attr(docsrs, feature(doc_cfg))]

pub mod address;
pub mod charset;
mod content;
pub mod date;
mod defect;
mod digest;
mod digester;
mod encoding;
mod field;
mod kept;
mod limits;
mod parameter;
mod part;
pub mod text;
pub mod transfer;
pub mod words;

pub use defect::{Defect, Defects};
pub use digest::{Digest, Preview};
pub use digester::Digester;
pub use encoding::{DIGEST_VERSION, DigestError};
pub use field::Field;
pub use limits::{Limits, MAX_DEPTH};
pub use parameter::{ParameterValue, Parameters};
pub use part::{Part, PartKind};

/// The README's code, compiled.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
pub struct Readme;
