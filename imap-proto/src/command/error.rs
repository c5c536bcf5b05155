//! Why octets are no command.

use crate::grammar::Tag;

/// Why a frame is no command, and the tag by which the client wants to be told.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{kind}")]
#[non_exhaustive]
pub struct CommandError {
    /// The tag, if there was one.
    pub tag: Option<Tag>,
    /// What is wrong.
    pub kind: CommandErrorKind,
}

impl CommandError {
    /// That, with the tag where there was one.
    pub const fn new(tag: Option<Tag>, kind: CommandErrorKind) -> Self {
        Self { tag, kind }
    }
}

/// What is wrong with a command.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum CommandErrorKind {
    /// It does not begin with a tag.
    #[error("expected a tag")]
    NoTag,
    /// There is nothing behind the tag.
    #[error("expected a command")]
    NoCommand,
    /// No such command.
    #[error("unknown command")]
    UnknownCommand,
    /// Something else was expected: words for people.
    #[error("expected {0}")]
    Expected(&'static str),
    /// Something stands behind the command's end.
    #[error("unexpected octets at the end")]
    Trailing,
    /// Nested too deeply (attack row M7).
    #[error("nested too deeply")]
    TooDeep,
    /// Too many items in a list or a set (attack rows M7, M8).
    #[error("too many items")]
    TooMany,
    /// NUL in a literal (RFC 9051 §9, CHAR8).
    #[error("expected no NUL in a literal")]
    Nul,
    /// A mailbox name that cannot be (attack rows P1, P2, P3).
    #[error("invalid mailbox name")]
    MailboxName,
}
