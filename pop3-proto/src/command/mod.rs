//! What the client says.
//!
//! ```abnf
//! command = keyword *(SP param) CRLF    ; RFC 2449 §3, 255 octets
//! ```
//!
//! Keywords are case-insensitive, and one space stands between words (RFC 1939 §3). USER and PASS take the rest of the
//! line: a name or a password may hold spaces (RFC 1939 §7).

mod arguments;
mod login;
mod message;

use bytes::BytesMut;
use mail_wire::{Secret, UserName};

use crate::error::{ParseError, ParseErrorKind};
use crate::grammar::{LineCount, MessageNumber, Word, word};
use arguments::Arguments;
pub use login::{Apop, Auth, InitialResponse};

/// A command.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub enum Command {
    /// USER name (RFC 1939 §7).
    User(UserName),
    /// PASS string (RFC 1939 §7): octets, for old clients do not say in which character set.
    Pass(Secret<Vec<u8>>),
    /// `AUTH mechanism [initial-response]` (RFC 5034 §4).
    Auth(Auth),
    /// APOP name digest (RFC 1939 §7).
    Apop(Apop),
    /// STLS (RFC 2595 §4).
    Stls,
    /// UTF8 (RFC 6856 §2.1).
    Utf8,
    /// `LANG [range]` (RFC 6856 §3): read, so that it can be refused for what it is.
    Lang(Option<Word>),
    /// CAPA (RFC 2449 §5).
    Capa,
    /// QUIT (RFC 1939 §4 and §6).
    Quit,
    /// STAT (RFC 1939 §5).
    Stat,
    /// `LIST [msg]` (RFC 1939 §5).
    List(Option<MessageNumber>),
    /// `UIDL [msg]` (RFC 1939 §7).
    Uidl(Option<MessageNumber>),
    /// RETR msg (RFC 1939 §5).
    Retr(MessageNumber),
    /// TOP msg n (RFC 1939 §7).
    Top(MessageNumber, LineCount),
    /// DELE msg (RFC 1939 §5).
    Dele(MessageNumber),
    /// NOOP (RFC 1939 §5).
    Noop,
    /// RSET (RFC 1939 §5).
    Rset,
}

/// The first word of a command: the only list of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Keyword {
    User,
    Pass,
    Auth,
    Apop,
    Stls,
    Utf8,
    Lang,
    Capa,
    Quit,
    Stat,
    List,
    Uidl,
    Retr,
    Top,
    Dele,
    Noop,
    Rset,
}

const KEYWORDS: [(&str, Keyword); 17] = [
    ("USER", Keyword::User),
    ("PASS", Keyword::Pass),
    ("AUTH", Keyword::Auth),
    ("APOP", Keyword::Apop),
    ("STLS", Keyword::Stls),
    ("UTF8", Keyword::Utf8),
    ("LANG", Keyword::Lang),
    ("CAPA", Keyword::Capa),
    ("QUIT", Keyword::Quit),
    ("STAT", Keyword::Stat),
    ("LIST", Keyword::List),
    ("UIDL", Keyword::Uidl),
    ("RETR", Keyword::Retr),
    ("TOP", Keyword::Top),
    ("DELE", Keyword::Dele),
    ("NOOP", Keyword::Noop),
    ("RSET", Keyword::Rset),
];

impl Command {
    /// Reads a command from its line, without CRLF.
    ///
    /// # Errors
    /// [`ParseError`] names the rule that was not followed, and where. Its text holds nothing that the peer sent.
    pub fn parse(line: &[u8]) -> Result<Self, ParseError> {
        let length = line.iter().position(|&octet| octet == b' ').unwrap_or(line.len());
        let (word, _) = line.split_at(length);
        let (_, keyword) = KEYWORDS
            .into_iter()
            .find(|(name, _)| word.eq_ignore_ascii_case(name.as_bytes()))
            .ok_or(ParseError::new(ParseErrorKind::Keyword, 0))?;
        let mut arguments = Arguments::behind(line, length);
        let command = match keyword {
            Keyword::User => Self::User(login::name(&mut arguments)?),
            Keyword::Pass => Self::Pass(login::password(&mut arguments)?),
            Keyword::Auth => Self::Auth(login::auth(&mut arguments)?),
            Keyword::Apop => Self::Apop(login::apop(&mut arguments)?),
            Keyword::Stls => Self::Stls,
            Keyword::Utf8 => Self::Utf8,
            Keyword::Lang => Self::Lang(language_range(&mut arguments)?),
            Keyword::Capa => Self::Capa,
            Keyword::Quit => Self::Quit,
            Keyword::Stat => Self::Stat,
            Keyword::List => Self::List(message::optional_number(&mut arguments)?),
            Keyword::Uidl => Self::Uidl(message::optional_number(&mut arguments)?),
            Keyword::Retr => Self::Retr(message::number(&mut arguments)?),
            Keyword::Top => Self::Top(message::number(&mut arguments)?, message::lines(&mut arguments)?),
            Keyword::Dele => Self::Dele(message::number(&mut arguments)?),
            Keyword::Noop => Self::Noop,
            Keyword::Rset => Self::Rset,
        };
        arguments.end()?;
        Ok(command)
    }

    /// Writes the command's line, CRLF included. Whether it is too long for the server (RFC 2449 §4) is not looked at.
    pub fn encode(&self, out: &mut BytesMut) {
        let keyword = self.keyword();
        let name = KEYWORDS.into_iter().find(|(_, known)| *known == keyword).map_or("", |(name, _)| name);
        out.extend_from_slice(name.as_bytes());
        match self {
            Self::User(name) => login::encode_rest(name.as_str().as_bytes(), out),
            Self::Pass(password) => login::encode_rest(password.expose(), out),
            Self::Auth(auth) => auth.encode(out),
            Self::Apop(apop) => apop.encode(out),
            Self::Lang(range) => {
                if let Some(range) = range {
                    login::encode_rest(range.as_str().as_bytes(), out);
                }
            }
            Self::List(number) | Self::Uidl(number) => {
                if let Some(number) = number {
                    message::encode(number, out);
                }
            }
            Self::Retr(number) | Self::Dele(number) => message::encode(number, out),
            Self::Top(number, lines) => {
                message::encode(number, out);
                message::encode(lines, out);
            }
            Self::Stls | Self::Utf8 | Self::Capa | Self::Quit | Self::Stat | Self::Noop | Self::Rset => {}
        }
        out.extend_from_slice(b"\r\n");
    }

    fn keyword(&self) -> Keyword {
        match self {
            Self::User(_) => Keyword::User,
            Self::Pass(_) => Keyword::Pass,
            Self::Auth(_) => Keyword::Auth,
            Self::Apop(_) => Keyword::Apop,
            Self::Stls => Keyword::Stls,
            Self::Utf8 => Keyword::Utf8,
            Self::Lang(_) => Keyword::Lang,
            Self::Capa => Keyword::Capa,
            Self::Quit => Keyword::Quit,
            Self::Stat => Keyword::Stat,
            Self::List(_) => Keyword::List,
            Self::Uidl(_) => Keyword::Uidl,
            Self::Retr(_) => Keyword::Retr,
            Self::Top(..) => Keyword::Top,
            Self::Dele(_) => Keyword::Dele,
            Self::Noop => Keyword::Noop,
            Self::Rset => Keyword::Rset,
        }
    }
}

/// `*` or a basic language range (RFC 4647 §2.1); which one it is makes no difference to a server that knows none.
fn language_range(arguments: &mut Arguments<'_>) -> Result<Option<Word>, ParseError> {
    if arguments.is_empty() { Ok(None) } else { arguments.word(word, ParseErrorKind::Argument).map(Some) }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// What the line reads as, written again; or the rule that it does not follow, and where.
    pub(super) fn written_again(line: &[u8]) -> Result<Vec<u8>, (ParseErrorKind, usize)> {
        let command = Command::parse(line).map_err(|error| (error.kind, error.offset))?;
        let mut out = BytesMut::new();
        command.encode(&mut out);
        Ok(out.to_vec())
    }

    #[test]
    fn commands_without_arguments_are_read_in_any_case() {
        for (line, canonical) in [
            ("STLS", "STLS\r\n"),
            ("stls", "STLS\r\n"),
            ("utf8", "UTF8\r\n"),
            ("LANG", "LANG\r\n"),
            ("lang MUL", "LANG MUL\r\n"),
            ("LANG *", "LANG *\r\n"),
            ("CaPa", "CAPA\r\n"),
            ("quit", "QUIT\r\n"),
            ("STAT", "STAT\r\n"),
            ("noop", "NOOP\r\n"),
            ("Rset", "RSET\r\n"),
        ] {
            assert_eq!(written_again(line.as_bytes()), Ok(canonical.into()), "{line}");
        }
    }

    #[test]
    fn what_is_no_command_is_told_by_its_rule() {
        use ParseErrorKind::{End, Keyword};
        for (line, expected) in [
            (&b""[..], (Keyword, 0)),
            (b" QUIT", (Keyword, 0)),
            (b"QUI", (Keyword, 0)),
            (b"QUITS", (Keyword, 0)),
            (b"XTND XMIT", (Keyword, 0)),
            (b"GET / HTTP/1.1", (Keyword, 0)),
            (b"\xff\xfe", (Keyword, 0)),
            (b"QUIT ", (End, 4)),
            (b"STAT 1", (End, 4)),
            (b"CAPA x", (End, 4)),
            (b"UTF8 USER", (End, 4)),
            (b"UTF-8", (Keyword, 0)),
            (b"LANG en de", (End, 7)),
        ] {
            assert_eq!(written_again(line), Err(expected), "{}", line.escape_ascii());
        }
    }

    proptest! {
        #[test]
        fn what_is_written_reads_the_same(line in prop::collection::vec(prop::sample::select(
            [b"TOP 1\t9UIDLRETLSDPASAUH -=\xe9".as_slice(), b" "].concat()), 0..24)) {
            if let Ok(written) = written_again(&line) {
                prop_assert_eq!(written_again(&written[..written.len() - 2]), Ok(written.clone()));
            }
        }

        #[test]
        fn no_octets_make_it_panic(line in prop::collection::vec(any::<u8>(), 0..300)) {
            let _ = Command::parse(&line);
        }
    }
}
