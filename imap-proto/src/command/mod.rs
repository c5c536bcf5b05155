//! What a client says: every command of RFC 3501 §6 and RFC 9051 §6, and of the extensions that are spoken.
//!
//! A command comes as one slice: its line, its literals where they stand, and what follows them, without the last CRLF.

mod append;
mod encode;
mod error;
mod fetch;
mod list;
mod login;
mod mailbox;
mod messages;
mod parse;
mod search;

pub use append::AppendHead;
pub use encode::{Encoded, Literals};
pub use error::{CommandError, CommandErrorKind};
pub use fetch::{Fetch, FetchAttribute, Partial, Section, SectionText};
pub(crate) use fetch::{read_part, read_section, write_part_name};
pub use list::{List, ListReturn, ListSelect, Lsub};
pub use login::{Authenticate, IdField, Login};
pub use mailbox::{Create, Rename, Select, Status, StatusItem};
pub use messages::{Store, Transfer};
pub use search::{Search, SearchKey, SearchReturn};

use crate::grammar::{Mailbox, MessageSet, Tag};

/// A command with its tag.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Command {
    /// What the answer will bear.
    pub tag: Tag,
    /// What is wanted.
    pub body: CommandBody,
}

/// What a client wants. APPEND is missing, for its message is streamed: [`AppendHead`].
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum CommandBody {
    /// CAPABILITY (RFC 9051 §6.1.1).
    Capability,
    /// NOOP (RFC 9051 §6.1.2).
    Noop,
    /// LOGOUT (RFC 9051 §6.1.3).
    Logout,
    /// STARTTLS (RFC 9051 §6.2.1).
    StartTls,
    /// AUTHENTICATE (RFC 9051 §6.2.2).
    Authenticate(Authenticate),
    /// LOGIN (RFC 9051 §6.2.3).
    Login(Login),
    /// ENABLE (RFC 9051 §6.3.1): capabilities, as they were written; at least one.
    Enable(Vec<Box<str>>),
    /// ID (RFC 2971 §3.1): `None` for `NIL`, which hides everything.
    Id(Option<Vec<IdField>>),
    /// SELECT and EXAMINE (RFC 9051 §6.3.2, §6.3.3).
    Select(Select),
    /// CREATE (RFC 9051 §6.3.4).
    Create(Create),
    /// DELETE (RFC 9051 §6.3.5).
    Delete(Mailbox),
    /// RENAME (RFC 9051 §6.3.6).
    Rename(Rename),
    /// SUBSCRIBE (RFC 9051 §6.3.7).
    Subscribe(Mailbox),
    /// UNSUBSCRIBE (RFC 9051 §6.3.8).
    Unsubscribe(Mailbox),
    /// LIST (RFC 9051 §6.3.9).
    List(List),
    /// LSUB (RFC 3501 §6.3.9).
    Lsub(Lsub),
    /// NAMESPACE (RFC 9051 §6.3.10).
    Namespace,
    /// STATUS (RFC 9051 §6.3.11).
    Status(Status),
    /// IDLE (RFC 9051 §6.3.13).
    Idle,
    /// CHECK (RFC 3501 §6.4.1).
    Check,
    /// CLOSE (RFC 9051 §6.4.1).
    Close,
    /// UNSELECT (RFC 9051 §6.4.2).
    Unselect,
    /// EXPUNGE (RFC 9051 §6.4.3), or UID EXPUNGE with the UIDs (RFC 9051 §6.4.9).
    Expunge(Option<MessageSet>),
    /// SEARCH and UID SEARCH (RFC 9051 §6.4.4).
    Search(Search),
    /// FETCH and UID FETCH (RFC 9051 §6.4.5).
    Fetch(Fetch),
    /// STORE and UID STORE (RFC 9051 §6.4.6).
    Store(Store),
    /// COPY and UID COPY (RFC 9051 §6.4.7).
    Copy(Transfer),
    /// MOVE and UID MOVE (RFC 9051 §6.4.8).
    Move(Transfer),
}
