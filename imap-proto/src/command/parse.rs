//! From a frame to a command.

use super::{AppendHead, Command, CommandBody, CommandError, CommandErrorKind};
use crate::grammar::{Dialect, Tag};
use crate::limits::Limits;

impl Command {
    /// Reads a frame: see [`frame`](crate::frame).
    ///
    /// # Errors
    /// [`CommandError`] says what was expected, and by which tag to tell it.
    pub fn parse(frame: &[u8], _dialect: Dialect, _limits: &Limits) -> Result<Self, CommandError> {
        let mut words = frame.splitn(2, |&octet| octet == b' ');
        let tag = words.next().and_then(|tag| Tag::new(std::str::from_utf8(tag).ok()?));
        let tag = tag.ok_or(CommandError::new(None, CommandErrorKind::NoTag))?;
        let body = match words.next().unwrap_or_default().to_ascii_uppercase().as_slice() {
            b"CAPABILITY" => CommandBody::Capability,
            b"NOOP" => CommandBody::Noop,
            b"LOGOUT" => CommandBody::Logout,
            b"STARTTLS" => CommandBody::StartTls,
            b"" => return Err(CommandError::new(Some(tag), CommandErrorKind::NoCommand)),
            _ => return Err(CommandError::new(Some(tag), CommandErrorKind::UnknownCommand)),
        };
        Ok(Self { tag, body })
    }
}

impl AppendHead {
    /// Reads the octets up to and including the brace of a literal. `None`: this is no APPEND, or the literal is its
    /// mailbox's name.
    ///
    /// # Errors
    /// [`CommandError`] says what was expected, and by which tag to tell it.
    pub fn parse(_frame: &[u8], _dialect: Dialect, _limits: &Limits) -> Result<Option<Self>, CommandError> {
        Ok(None)
    }
}
