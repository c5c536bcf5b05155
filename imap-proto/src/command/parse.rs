//! From a frame to a command.

use mail_wire::Secret;
use nom::Parser;
use nom::combinator::opt;
use nom::sequence::preceded;

use super::{AppendHead, Command, CommandBody, CommandError, CommandErrorKind};
use super::{Authenticate, Create, Fetch, List, Login, Lsub, Rename, Search, Select, Status, Store, Transfer};
use crate::frame::LiteralHead;
use crate::grammar::read::{
    Fault, Parsed, Upper, atom, boxed, date_time, expected, flag_list, items, mailbox, message_set, space,
};
use crate::grammar::{Dialect, Numbering, Tag, class};
use crate::limits::Limits;

/// What a parser of arguments has to know.
#[derive(Clone, Copy)]
pub(super) struct Context<'l> {
    pub(super) dialect: Dialect,
    pub(super) limits: &'l Limits,
}

impl Command {
    /// Reads a frame: see [`frame`](crate::frame).
    ///
    /// # Errors
    /// [`CommandError`] says what was expected, and by which tag to tell it.
    pub fn parse(frame: &[u8], dialect: Dialect, limits: &Limits) -> Result<Self, CommandError> {
        let (tag, verb, rest) = begin(frame)?;
        let with = Context { dialect, limits };
        let body = match Verb::of(verb).as_octets() {
            b"UID" => uid(rest, with),
            verb => body(verb, rest, with),
        };
        let fault = match body {
            Ok((b"", body)) => return Ok(Self { tag, body }),
            Ok(_) => CommandErrorKind::Trailing,
            Err(nom::Err::Error(Fault(kind)) | nom::Err::Failure(Fault(kind))) => kind,
            Err(nom::Err::Incomplete(_)) => CommandErrorKind::Expected("more"),
        };
        Err(CommandError::new(Some(tag), fault))
    }
}

impl AppendHead {
    /// Reads the octets up to and including the brace of a literal. `None`: this is no APPEND, or the literal is its
    /// mailbox's name.
    ///
    /// # Errors
    /// [`CommandError`] says what was expected, and by which tag to tell it.
    pub fn parse(frame: &[u8], dialect: Dialect, limits: &Limits) -> Result<Option<Self>, CommandError> {
        let Ok((tag, verb, rest)) = begin(frame) else { return Ok(None) };
        if !verb.eq_ignore_ascii_case(b"APPEND") {
            return Ok(None);
        }
        let Some(literal) = LiteralHead::at_end_of(frame) else { return Ok(None) };
        let brace = memchr::memrchr(b'{', rest).unwrap_or(rest.len());
        let arguments = rest.get(..brace).unwrap_or_default();
        if arguments == b" " {
            return Ok(None);
        }
        let flags = preceded(space, |input| flag_list(input, limits.list_items));
        let head = (preceded(space, |input| mailbox(input, dialect)), opt(flags), opt(preceded(space, date_time)));
        let mut head = (head, space);
        match head.parse(arguments) {
            Ok((b"", ((mailbox, flags, date), ()))) => {
                Ok(Some(Self { tag, mailbox, flags: flags.unwrap_or_default(), date, literal }))
            }
            Ok(_) => {
                let kind = CommandErrorKind::Expected("flags, a date and the message's literal");
                Err(CommandError::new(Some(tag), kind))
            }
            Err(nom::Err::Error(Fault(kind)) | nom::Err::Failure(Fault(kind))) => {
                Err(CommandError::new(Some(tag), kind))
            }
            Err(nom::Err::Incomplete(_)) => Ok(None),
        }
    }
}

/// The tag, the verb, and what stands behind it.
fn begin(frame: &[u8]) -> Result<(Tag, &[u8], &[u8]), CommandError> {
    let tag = Tag::split(frame).filter(|(_, rest)| matches!(rest, [] | [b' ', ..]));
    let (tag, rest) = tag.ok_or(CommandError::new(None, CommandErrorKind::NoTag))?;
    match rest {
        [b' ', rest @ ..] => match class::ATOM.split(rest) {
            ([], _) => Err(CommandError::new(Some(tag), CommandErrorKind::NoCommand)),
            (verb, rest) => Ok((tag, verb, rest)),
        },
        _ => Err(CommandError::new(Some(tag), CommandErrorKind::NoCommand)),
    }
}

/// AUTHENTICATE is the longest one.
type Verb = Upper<12>;

fn unknown<T>() -> Result<T, nom::Err<Fault>> {
    Err(nom::Err::Failure(Fault(CommandErrorKind::UnknownCommand)))
}

fn body<'a>(verb: &[u8], rest: &'a [u8], with: Context<'_>) -> Parsed<'a, CommandBody> {
    let plain = |body| Ok((rest, body));
    match verb {
        b"CAPABILITY" => return plain(CommandBody::Capability),
        b"NOOP" => return plain(CommandBody::Noop),
        b"LOGOUT" => return plain(CommandBody::Logout),
        b"STARTTLS" => return plain(CommandBody::StartTls),
        b"NAMESPACE" => return plain(CommandBody::Namespace),
        b"IDLE" => return plain(CommandBody::Idle),
        b"CHECK" => return plain(CommandBody::Check),
        b"CLOSE" => return plain(CommandBody::Close),
        b"UNSELECT" => return plain(CommandBody::Unselect),
        b"EXPUNGE" => return plain(CommandBody::Expunge(None)),
        _ => {}
    }
    let name = |input| mailbox(input, with.dialect);
    let arguments = |rest| space(rest).map(|(rest, ())| rest);
    let by = Numbering::Sequence;
    match verb {
        b"AUTHENTICATE" => Authenticate::read(arguments(rest)?).map(|(rest, it)| (rest, CommandBody::Authenticate(it))),
        b"LOGIN" => Login::read(arguments(rest)?, with).map(|(rest, it)| (rest, CommandBody::Login(it))),
        b"ENABLE" => {
            let (rest, names) = items(with.limits.list_items, "a capability", atom)(arguments(rest)?)?;
            Ok((rest, CommandBody::Enable(names.into_iter().map(boxed).collect())))
        }
        b"ID" => super::login::read_id(arguments(rest)?, with).map(|(rest, it)| (rest, CommandBody::Id(it))),
        b"SELECT" => Select::read(arguments(rest)?, false, with).map(|(rest, it)| (rest, CommandBody::Select(it))),
        b"EXAMINE" => Select::read(arguments(rest)?, true, with).map(|(rest, it)| (rest, CommandBody::Select(it))),
        b"CREATE" => Create::read(arguments(rest)?, with).map(|(rest, it)| (rest, CommandBody::Create(it))),
        b"DELETE" => name(arguments(rest)?).map(|(rest, it)| (rest, CommandBody::Delete(it))),
        b"RENAME" => Rename::read(arguments(rest)?, with).map(|(rest, it)| (rest, CommandBody::Rename(it))),
        b"SUBSCRIBE" => name(arguments(rest)?).map(|(rest, it)| (rest, CommandBody::Subscribe(it))),
        b"UNSUBSCRIBE" => name(arguments(rest)?).map(|(rest, it)| (rest, CommandBody::Unsubscribe(it))),
        b"LIST" => List::read(arguments(rest)?, with).map(|(rest, it)| (rest, CommandBody::List(it))),
        b"LSUB" => Lsub::read(arguments(rest)?, with).map(|(rest, it)| (rest, CommandBody::Lsub(it))),
        b"STATUS" => Status::read(arguments(rest)?, with).map(|(rest, it)| (rest, CommandBody::Status(it))),
        // It has come without a literal, or it would not have come here.
        b"APPEND" => expected("a mailbox name and the literal of a message"),
        b"SEARCH" => Search::read(arguments(rest)?, by, with).map(|(rest, it)| (rest, CommandBody::Search(it))),
        b"FETCH" => Fetch::read(arguments(rest)?, by, with).map(|(rest, it)| (rest, CommandBody::Fetch(it))),
        b"STORE" => Store::read(arguments(rest)?, by, with).map(|(rest, it)| (rest, CommandBody::Store(it))),
        b"COPY" => Transfer::read(arguments(rest)?, by, with).map(|(rest, it)| (rest, CommandBody::Copy(it))),
        b"MOVE" => Transfer::read(arguments(rest)?, by, with).map(|(rest, it)| (rest, CommandBody::Move(it))),
        _ => unknown(),
    }
}

/// What stands behind UID (RFC 9051 §6.4.9).
fn uid<'a>(rest: &'a [u8], with: Context<'_>) -> Parsed<'a, CommandBody> {
    let (rest, ((), verb, ())) = (space, atom, space).parse(rest)?;
    let by = Numbering::Uid;
    match Verb::of(verb).as_octets() {
        b"SEARCH" => Search::read(rest, by, with).map(|(rest, it)| (rest, CommandBody::Search(it))),
        b"FETCH" => Fetch::read(rest, by, with).map(|(rest, it)| (rest, CommandBody::Fetch(it))),
        b"STORE" => Store::read(rest, by, with).map(|(rest, it)| (rest, CommandBody::Store(it))),
        b"COPY" => Transfer::read(rest, by, with).map(|(rest, it)| (rest, CommandBody::Copy(it))),
        b"MOVE" => Transfer::read(rest, by, with).map(|(rest, it)| (rest, CommandBody::Move(it))),
        b"EXPUNGE" => {
            let (rest, uids) = message_set(rest, with.limits.sequence_set_items)?;
            Ok((rest, CommandBody::Expunge(Some(uids))))
        }
        _ => unknown(),
    }
}

/// A copy that is wiped when it is dropped.
pub(super) fn secret(octets: &[u8]) -> Secret<Vec<u8>> {
    Secret::new(octets.to_vec())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn error(frame: &[u8]) -> CommandErrorKind {
        Command::parse(frame, Dialect::ASCII, &Limits::default()).unwrap_err().kind
    }

    #[test]
    fn what_is_no_command_is_told_with_its_tag() {
        for (frame, tag, kind) in [
            (&b""[..], None, CommandErrorKind::NoTag),
            (b" a NOOP", None, CommandErrorKind::NoTag),
            (b"+ NOOP", None, CommandErrorKind::NoTag),
            (b"a", Some("a"), CommandErrorKind::NoCommand),
            (b"a ", Some("a"), CommandErrorKind::NoCommand),
            (b"a  NOOP", Some("a"), CommandErrorKind::NoCommand),
            (b"a XYZZY", Some("a"), CommandErrorKind::UnknownCommand),
            (b"a UID XYZZY 1", Some("a"), CommandErrorKind::UnknownCommand),
            (b"a AUTHENTICATEXXXXXXXXXXXXX", Some("a"), CommandErrorKind::UnknownCommand),
            (b"a NOOP ", Some("a"), CommandErrorKind::Trailing),
            (b"a NOOP x", Some("a"), CommandErrorKind::Trailing),
            (b"a SELECT", Some("a"), CommandErrorKind::Expected("a space")),
            (b"a SELECT ", Some("a"), CommandErrorKind::Expected("a mailbox name")),
            (b"a DELETE &AC8-", Some("a"), CommandErrorKind::MailboxName),
            (b"a DELETE a b", Some("a"), CommandErrorKind::Trailing),
            (b"a APPEND x", Some("a"), CommandErrorKind::Expected("a mailbox name and the literal of a message")),
        ] {
            let error = Command::parse(frame, Dialect::ASCII, &Limits::default()).unwrap_err();
            assert_eq!((error.tag.as_ref().map(Tag::as_str), error.kind), (tag, kind), "{}", frame.escape_ascii());
        }
        assert_eq!(error(b"a DELETE {1}\r\n\0"), CommandErrorKind::Nul);
    }

    #[test]
    fn an_append_is_read_up_to_its_message() {
        let head = |frame: &[u8]| AppendHead::parse(frame, Dialect::ASCII, &Limits::default());
        // RFC 9051 §6.3.12.
        let read = head(b"A003 APPEND saved-messages (\\Seen) {326}").unwrap().unwrap();
        assert_eq!((read.tag.as_str(), read.mailbox.as_str(), read.literal.octets), ("A003", "saved-messages", 326));
        assert_eq!((read.flags.len(), read.date, read.literal.waits), (1, None, true));
        let dated = head(b"a append {3}\r\na b (\\Foo) \"17-Jul-1996 02:44:25 -0700\" {1+}").unwrap().unwrap();
        assert_eq!((dated.mailbox.as_str(), dated.flags.len(), dated.literal.waits), ("a b", 0, false));
        assert_eq!(dated.date.map(|date| date.unix_seconds()), Some(837_596_665));
        assert!(head(b"a APPEND x {1}").unwrap().unwrap().date.is_none());
        for no_head in [&b"a APPEND {5}"[..], b"a SELECT {5}", b"{5}", b"a APPEND x"] {
            assert_eq!(head(no_head), Ok(None), "{}", no_head.escape_ascii());
        }
        for wrong in
            [&b"a APPEND x{5}"[..], b"a APPEND x () y {5}", b"a APPEND x ~{5}", b"a APPEND \"x {5}", b"a APPEND & {5}"]
        {
            assert!(head(wrong).is_err(), "{}", wrong.escape_ascii());
        }
    }
}
