//! What a client says: RFC 5321 §4.1.1 and the verbs of the extensions. One file for each family of verbs.
//!
//! A line has been found before it is parsed; [`Command::parse`] takes it without its CRLF.

mod auth;
mod bdat;
mod delivery;
mod dialect;
mod dsn;
mod forwarded;
mod hello;
mod mail;
mod parameters;
mod query;
mod rcpt;
mod submitter;
mod verb;
mod xclient;
mod xforward;

use bytes::BytesMut;
use nom::Parser;
use nom::bytes::complete::take_while;

pub use auth::{Auth, MechanismName};
pub use bdat::Bdat;
pub use delivery::{ByMode, DeliverBy, FutureRelease, Hold, Priority, PriorityProfile, ValidSince, WithoutRrvs};
pub use dialect::{Dialect, Extensions, Leniency};
pub use dsn::{EnvelopeId, Notify, OriginalRecipient, Return};
pub use forwarded::Told;
pub use hello::Hello;
pub use mail::{BodyType, Mail};
pub use query::{Expn, Help, Noop, Vrfy};
pub use rcpt::Rcpt;
pub use submitter::Submitter;
pub use verb::Verb;
pub use xclient::{ClientProtocol, Xclient};
pub use xforward::{Ident, Source, Xforward};

use crate::error::{ParseError, ParseErrorKind};
use crate::grammar::{Fault, Keyword};

/// A command that is whole and legal by its grammar. Whether it may come at that moment is the session's to say.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Command {
    /// EHLO, HELO or LHLO.
    Hello(Hello),
    /// MAIL: a message comes, from whom.
    Mail(Mail),
    /// RCPT: for whom.
    Rcpt(Rcpt),
    /// DATA: here it is.
    Data,
    /// BDAT: here is a chunk of it (RFC 3030).
    Bdat(Bdat),
    /// RSET: forget the message.
    Rset,
    /// NOOP.
    Noop(Noop),
    /// QUIT: goodbye.
    Quit,
    /// VRFY: is there such a user?
    Vrfy(Vrfy),
    /// EXPN: who is on that list?
    Expn(Expn),
    /// HELP.
    Help(Help),
    /// STARTTLS (RFC 3207).
    StartTls,
    /// AUTH (RFC 4954).
    Auth(Auth),
    /// XCLIENT: it is another's connection.
    Xclient(Xclient),
    /// XFORWARD: the next message came from elsewhere.
    Xforward(Xforward),
}

impl Command {
    /// Parses a line, without its CRLF, with what `dialect` adds to the plain protocol.
    ///
    /// White space at the line's end is passed over, as RFC 5321 §4.1.1 wants.
    ///
    /// # Errors
    /// [`CommandError`], which says what kind of refusal it is.
    pub fn parse(line: &[u8], dialect: &Dialect) -> Result<Self, CommandError> {
        let trailing = line.iter().rev().take_while(|octet| matches!(octet, b' ' | b'\t')).count();
        let line = line.get(..line.len().saturating_sub(trailing)).unwrap_or_default();
        let Some((verb, arguments)) = Verb::split(line) else {
            return Err(CommandError { verb: None, kind: CommandErrorKind::UnknownVerb });
        };
        let offset = line.len().saturating_sub(arguments.len());
        Self::parse_arguments(verb, arguments, dialect)
            .map_err(|kind| CommandError { verb: Some(verb), kind: kind.moved_by(offset) })
    }

    fn parse_arguments(verb: Verb, arguments: &[u8], dialect: &Dialect) -> Result<Self, CommandErrorKind> {
        let bare = |command: Self| match arguments {
            [] => Ok(command),
            _ => Err(ParseError::new(ParseErrorKind::End, 0).into()),
        };
        match verb {
            Verb::Ehlo | Verb::Helo | Verb::Lhlo => Hello::parse(verb, arguments, dialect).map(Self::Hello),
            Verb::Mail => Mail::parse(arguments, dialect).map(Self::Mail),
            Verb::Rcpt => Rcpt::parse(arguments, dialect).map(Self::Rcpt),
            Verb::Data => bare(Self::Data),
            Verb::Bdat => Bdat::parse(arguments).map(Self::Bdat),
            Verb::Rset => bare(Self::Rset),
            Verb::Quit => bare(Self::Quit),
            Verb::StartTls => bare(Self::StartTls),
            Verb::Noop => Noop::parse(arguments).map(Self::Noop),
            Verb::Help => Help::parse(arguments).map(Self::Help),
            Verb::Vrfy => Vrfy::parse(arguments).map(Self::Vrfy),
            Verb::Expn => Expn::parse(arguments).map(Self::Expn),
            Verb::Auth => Auth::parse(arguments).map(Self::Auth),
            Verb::Xclient => Xclient::parse(arguments).map(Self::Xclient),
            Verb::Xforward => Xforward::parse(arguments).map(Self::Xforward),
        }
    }

    /// Which command it is.
    pub fn verb(&self) -> Verb {
        match self {
            Self::Hello(hello) => hello.verb(),
            Self::Mail(_) => Verb::Mail,
            Self::Rcpt(_) => Verb::Rcpt,
            Self::Data => Verb::Data,
            Self::Bdat(_) => Verb::Bdat,
            Self::Rset => Verb::Rset,
            Self::Noop(_) => Verb::Noop,
            Self::Quit => Verb::Quit,
            Self::Vrfy(_) => Verb::Vrfy,
            Self::Expn(_) => Verb::Expn,
            Self::Help(_) => Verb::Help,
            Self::StartTls => Verb::StartTls,
            Self::Auth(_) => Verb::Auth,
            Self::Xclient(_) => Verb::Xclient,
            Self::Xforward(_) => Verb::Xforward,
        }
    }

    /// Writes the command's line, with its CRLF. This writes secrets: what an AUTH carries goes out in full.
    pub fn encode(&self, out: &mut BytesMut) {
        out.extend_from_slice(self.verb().as_str().as_bytes());
        let arguments = match self {
            Self::Hello(hello) => format!(" {}", hello.name),
            Self::Mail(mail) => mail.arguments(),
            Self::Rcpt(rcpt) => rcpt.arguments(),
            Self::Bdat(bdat) => bdat.arguments(),
            Self::Xclient(xclient) => xclient.arguments(),
            Self::Xforward(xforward) => xforward.arguments(),
            Self::Vrfy(vrfy) => vrfy.arguments(),
            Self::Expn(expn) => expn.arguments(),
            Self::Noop(noop) => noop.arguments(),
            Self::Help(help) => help.arguments(),
            Self::Auth(auth) => {
                auth.encode_arguments(out);
                String::new()
            }
            Self::Data | Self::Rset | Self::Quit | Self::StartTls => String::new(),
        };
        out.extend_from_slice(arguments.as_bytes());
        out.extend_from_slice(b"\r\n");
    }
}

/// A line that is no legal command.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{}{kind}", verb.map(|verb| format!("{verb}: ")).unwrap_or_default())]
#[non_exhaustive]
pub struct CommandError {
    /// The command that it would have been, if that much could be told.
    pub verb: Option<Verb>,
    /// What is wrong.
    pub kind: CommandErrorKind,
}

/// What is wrong with a command's line.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum CommandErrorKind {
    /// No such command: 500.
    #[error("unknown command")]
    UnknownVerb,
    /// Its arguments do not follow the grammar: 501.
    #[error("{0}")]
    Syntax(#[from] ParseError),
    /// The path of MAIL or RCPT does not follow the grammar: 501.
    #[error("{0}")]
    Path(ParseError),
    /// A value that its parameter cannot have: 501.
    #[error("expected a legal value of {0}")]
    ParameterValue(Keyword),
    /// A parameter, or a value of one, that is legal and not known here: 555 (RFC 5321 §4.1.1.11).
    #[error("unknown parameter {0}")]
    UnknownParameter(Keyword),
    /// An address that is not ASCII, and no SMTPUTF8 (RFC 6531 §3.5): 550 or 553.
    #[error("an address that is not ASCII needs SMTPUTF8")]
    NonAsciiAddress,
}

impl CommandErrorKind {
    fn moved_by(self, by: usize) -> Self {
        let moved = |error: ParseError| ParseError { offset: error.offset.saturating_add(by), ..error };
        match self {
            Self::Syntax(error) => Self::Syntax(moved(error)),
            Self::Path(error) => Self::Path(moved(error)),
            Self::UnknownVerb | Self::ParameterValue(_) | Self::UnknownParameter(_) | Self::NonAsciiAddress => self,
        }
    }
}

/// Takes `FROM:` or `TO:`, and the space behind it that [`Leniency::space_after_colon`] lets pass.
pub(crate) fn path_prefix<'a>(prefix: &str, input: &'a [u8], leniency: &Leniency) -> Result<&'a [u8], ParseError> {
    match input.split_at_checked(prefix.len()) {
        Some((word, rest)) if word.eq_ignore_ascii_case(prefix.as_bytes()) => {
            if !leniency.space_after_colon {
                return Ok(rest);
            }
            let spaces = take_while::<_, _, Fault<'_>>(|octet| octet == b' ').parse(rest);
            Ok(spaces.map_or(rest, |(rest, _)| rest))
        }
        _ => Err(ParseError::new(ParseErrorKind::Argument, 0)),
    }
}

/// What a test of a command wants: parsed, written, parsed again.
#[cfg(test)]
pub(crate) fn assert_known(line: &str, command: &Command, written: &str, dialect: &Dialect) {
    assert_eq!(Command::parse(line.as_bytes(), dialect).as_ref(), Ok(command), "{line}");
    let mut out = BytesMut::new();
    command.encode(&mut out);
    assert_eq!(out, format!("{written}\r\n"));
    assert_eq!(Command::parse(written.as_bytes(), dialect).as_ref(), Ok(command), "{written}");
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::grammar::{Address, Domain, ForwardPath, LocalPart, ReversePath};

    fn address() -> impl Strategy<Value = Address> {
        ("\\PC{0,30}|[ -~]{0,30}", "[a-z0-9]{1,9}(-[a-z0-9]{1,9}){0,2}|[à-ÿ]{1,9}").prop_map(|(name, domain)| {
            Address::new(LocalPart::from_unquoted(name).unwrap(), domain.parse::<Domain>().unwrap())
        })
    }

    proptest! {
        #[test]
        fn parse_inverts_encode(
            address in address(),
            size: Option<u64>,
            body in proptest::option::of(prop::sample::select(vec![BodyType::SevenBit, BodyType::EightBitMime])),
            is_null: bool,
            to_postmaster: bool,
        ) {
            let mut mail = Mail::new(ReversePath::NULL);
            if !is_null {
                mail.path = address.clone().into();
            }
            (mail.size, mail.body, mail.smtp_utf8) = (size, body, !mail.path.is_ascii());
            let to = if to_postmaster { ForwardPath::POSTMASTER } else { address.into() };
            for command in [Command::Mail(mail), Command::Rcpt(Rcpt::new(to))] {
                let mut out = BytesMut::new();
                command.encode(&mut out);
                prop_assert!(out.ends_with(b"\r\n"));
                let line = &out[..out.len() - 2];
                prop_assert!(!line.iter().any(|octet| matches!(octet, b'\r' | b'\n' | 0)), "one line");
                prop_assert_eq!(Command::parse(line, &Dialect::default()), Ok(command));
            }
        }

        #[test]
        fn nothing_panics(line in prop::collection::vec(any::<u8>(), 0..60), verb in prop::sample::select(&Verb::ALL[..])) {
            let _ = Command::parse(&line, &Dialect::default());
            let _ = Command::parse(&[verb.as_str().as_bytes(), b" ", &line].concat(), &Dialect::default());
        }
    }

    #[test]
    fn commands_without_arguments_have_none() {
        let dialect = Dialect::default();
        for (line, command) in [
            ("DATA", Command::Data),
            ("rset", Command::Rset),
            ("Quit", Command::Quit),
            ("STARTTLS  \t", Command::StartTls),
        ] {
            assert_eq!(Command::parse(line.as_bytes(), &dialect).as_ref(), Ok(&command));
            let with = Command::parse(format!("{} x", line.trim_end()).as_bytes(), &dialect).unwrap_err();
            assert_eq!(with.verb, Some(command.verb()));
            assert!(matches!(with.kind, CommandErrorKind::Syntax(ParseError { kind: ParseErrorKind::End, .. })));
        }
    }

    #[test]
    fn what_is_no_command_is_told_apart_from_a_wrong_one() {
        for line in
            ["", " ", "X", "MAILFROM:<a@b>", "EHLO\ta", "DATAx", "GET / HTTP/1.1", "NOOP\0", "ÄHLO", "\u{feff}EHLO a"]
        {
            let error = Command::parse(line.as_bytes(), &Dialect::default()).unwrap_err();
            assert_eq!(error, CommandError { verb: None, kind: CommandErrorKind::UnknownVerb }, "{line:?}");
        }
    }

    #[test]
    fn an_error_says_where_it_is_in_the_line() {
        let error = Command::parse(b"MAIL FROM:<a@b->", &Dialect::default()).unwrap_err();
        assert_eq!(error.kind, CommandErrorKind::Path(ParseError::new(ParseErrorKind::Domain, 13)));
        assert_eq!(error.to_string(), "MAIL: expected a domain name at octet 13");
    }
}
