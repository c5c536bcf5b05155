//! RFC 5321 §4.1.1.6 to §4.1.1.9: VRFY, EXPN, HELP and NOOP, whose argument is a piece of text.

use super::CommandErrorKind;
use crate::error::{ParseError, ParseErrorKind};

/// Is there such a user? `vrfy = "VRFY" SP String [ SP "SMTPUTF8" ] CRLF` (RFC 6531 §3.7.4.2).
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Vrfy {
    /// The user, by name or address; as the client wrote it, without control characters. The grammar wants an atom or a
    /// quoted string, and clients send addresses.
    pub what: String,
    /// Whether the reply may hold UTF-8.
    pub smtp_utf8: bool,
}

/// Who is on that list? `expn = "EXPN" SP String [ SP "SMTPUTF8" ] CRLF` (RFC 6531 §3.7.4.2).
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Expn {
    /// The list, as the client wrote it, without control characters.
    pub what: String,
    /// Whether the reply may hold UTF-8.
    pub smtp_utf8: bool,
}

/// `help = "HELP" [ SP String ] CRLF`.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct Help {
    /// What about.
    pub about: Option<String>,
}

/// `noop = "NOOP" [ SP String ] CRLF`. RFC 5321 §4.1.1.9: "If a parameter string is specified, servers SHOULD ignore it."
#[derive(Debug, Clone, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct Noop {
    /// What is to be ignored.
    pub ignored: Option<String>,
}

impl Vrfy {
    pub(super) fn parse(arguments: &[u8]) -> Result<Self, CommandErrorKind> {
        name(arguments).map(|(what, smtp_utf8)| Self { what, smtp_utf8 })
    }

    pub(super) fn arguments(&self) -> String {
        named(&self.what, self.smtp_utf8)
    }
}

impl Expn {
    pub(super) fn parse(arguments: &[u8]) -> Result<Self, CommandErrorKind> {
        name(arguments).map(|(what, smtp_utf8)| Self { what, smtp_utf8 })
    }

    pub(super) fn arguments(&self) -> String {
        named(&self.what, self.smtp_utf8)
    }
}

impl Help {
    pub(super) fn parse(arguments: &[u8]) -> Result<Self, CommandErrorKind> {
        Ok(Self { about: optional(arguments)? })
    }

    pub(super) fn arguments(&self) -> String {
        self.about.as_ref().map(|about| format!(" {about}")).unwrap_or_default()
    }
}

impl Noop {
    pub(super) fn parse(arguments: &[u8]) -> Result<Self, CommandErrorKind> {
        Ok(Self { ignored: optional(arguments)? })
    }

    pub(super) fn arguments(&self) -> String {
        self.ignored.as_ref().map(|ignored| format!(" {ignored}")).unwrap_or_default()
    }
}

fn named(what: &str, smtp_utf8: bool) -> String {
    format!(" {what}{}", if smtp_utf8 { " SMTPUTF8" } else { "" })
}

fn name(arguments: &[u8]) -> Result<(String, bool), CommandErrorKind> {
    let text = text(arguments)?;
    // A space is the protocol's; the other white space of Unicode belongs to the text.
    let text = text.trim_matches(' ');
    let (what, smtp_utf8) = match text.rsplit_once(' ') {
        Some((what, last)) if last.eq_ignore_ascii_case("SMTPUTF8") => (what, true),
        _ => (text, false),
    };
    match what.trim_matches(' ') {
        "" => Err(ParseError::new(ParseErrorKind::Argument, 0).into()),
        what => Ok((what.to_owned(), smtp_utf8)),
    }
}

fn optional(arguments: &[u8]) -> Result<Option<String>, CommandErrorKind> {
    let text = text(arguments)?;
    let text = text.trim_matches(' ');
    Ok((!text.is_empty()).then(|| text.to_owned()))
}

fn text(arguments: &[u8]) -> Result<String, CommandErrorKind> {
    let text =
        std::str::from_utf8(arguments).map_err(|error| ParseError::new(ParseErrorKind::Utf8, error.valid_up_to()))?;
    match text.find(char::is_control) {
        Some(at) => Err(ParseError::new(ParseErrorKind::Text, at).into()),
        None => Ok(text.to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::super::{Command, Dialect, assert_known};
    use super::*;

    #[test]
    fn known_answers() {
        let dialect = Dialect::default();
        let vrfy = |what: &str, smtp_utf8| Command::Vrfy(Vrfy { what: what.into(), smtp_utf8 });
        for (line, command, written) in [
            ("VRFY Crispin", vrfy("Crispin", false), "VRFY Crispin"),
            ("vrfy <a@b>", vrfy("<a@b>", false), "VRFY <a@b>"),
            ("VRFY a SMTPUTF8 \u{a0}", vrfy("a SMTPUTF8 \u{a0}", false), "VRFY a SMTPUTF8 \u{a0}"),
            ("VRFY jürgen SmtpUtf8", vrfy("jürgen", true), "VRFY jürgen SMTPUTF8"),
            ("VRFY Ada Lovelace", vrfy("Ada Lovelace", false), "VRFY Ada Lovelace"),
            (
                "EXPN Example-People",
                Command::Expn(Expn { what: "Example-People".into(), smtp_utf8: false }),
                "EXPN Example-People",
            ),
            ("HELP", Command::Help(Help::default()), "HELP"),
            ("HELP MAIL", Command::Help(Help { about: Some("MAIL".into()) }), "HELP MAIL"),
            ("NOOP", Command::Noop(Noop::default()), "NOOP"),
            ("NOOP  ", Command::Noop(Noop::default()), "NOOP"),
            ("NOOP what ever", Command::Noop(Noop { ignored: Some("what ever".into()) }), "NOOP what ever"),
        ] {
            assert_known(line, &command, written, &dialect);
        }
        for line in ["VRFY", "VRFY ", "EXPN", "VRFY a\tb", "VRFY \u{85}", "NOOP \u{7f}"] {
            assert!(Command::parse(line.as_bytes(), &dialect).is_err(), "{line}");
        }
        assert!(Command::parse(b"HELP \xff", &dialect).is_err());
    }
}
