//! RFC 5321 §4.1.1.2, MAIL, with SIZE (RFC 1870), BODY (RFC 6152, RFC 3030 §3), SMTPUTF8 (RFC 6531), REQUIRETLS (RFC 8689),
//! AUTH (RFC 4954 §5), RET and ENVID (RFC 3461), and of [`delivery`](super::delivery) what is of MAIL.

use super::parameters::{Refused, set, set_flag, take_each, take_extra};
use super::{CommandErrorKind, DeliverBy, Dialect, EnvelopeId, Hold, Priority, Return, Submitter, path_prefix};
use crate::error::ParseErrorKind;
use crate::grammar::{ExtraParameter, Parameter, ReversePath, named, reverse_path};

/// What kind of octets the message is made of (RFC 6152 §2).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum BodyType {
    /// ASCII.
    SevenBit,
    /// Any octets, in lines.
    EightBitMime,
    /// Any octets, and not in lines (RFC 3030 §3).
    BinaryMime,
}

impl BodyType {
    const fn as_str(self) -> &'static str {
        match self {
            Self::SevenBit => "7BIT",
            Self::EightBitMime => "8BITMIME",
            Self::BinaryMime => "BINARYMIME",
        }
    }

    /// A legal value, perhaps, of an extension that is not offered, is none.
    fn parse(value: &str, binary_mime: bool) -> Option<Self> {
        let known = [Self::EightBitMime, Self::SevenBit, Self::BinaryMime];
        let body = known.into_iter().find(|known| value.eq_ignore_ascii_case(known.as_str()))?;
        (body != Self::BinaryMime || binary_mime).then_some(body)
    }
}

/// A client begins a message and says whom it is from.
///
/// ```abnf
/// mail = "MAIL FROM:" Reverse-path [SP Mail-parameters] CRLF
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Mail {
    /// Whom news of failure goes to.
    pub path: ReversePath,
    /// How many octets the client says that the message has. It may lie (attack row M4).
    pub size: Option<u64>,
    /// What kind of octets it says that the message is made of.
    pub body: Option<BodyType>,
    /// Whether addresses and headers may hold UTF-8.
    pub smtp_utf8: bool,
    /// Whether it may only go on under TLS that has been verified, to servers that promise the same (RFC 8689 §4.2).
    pub require_tls: bool,
    /// Who first submitted it (RFC 4954 §5): a claim, see [`Submitter`].
    pub submitter: Option<Submitter>,
    /// What the sender calls this sending (RFC 3461 §4.4).
    pub envelope_id: Option<EnvelopeId>,
    /// How much of it goes back if it fails (RFC 3461 §4.3).
    pub returned: Option<Return>,
    /// How urgent it is (RFC 6710).
    pub priority: Option<Priority>,
    /// When it is to be delivered at the latest (RFC 2852).
    pub deliver_by: Option<DeliverBy>,
    /// When it may go on its way at the earliest (RFC 4865).
    pub hold: Option<Hold>,
    /// Parameters that the host registered.
    pub extra: Vec<ExtraParameter>,
}

impl Mail {
    /// From there, without parameters.
    pub fn new(path: impl Into<ReversePath>) -> Self {
        Self {
            path: path.into(),
            size: None,
            body: None,
            smtp_utf8: false,
            require_tls: false,
            submitter: None,
            envelope_id: None,
            returned: None,
            priority: None,
            deliver_by: None,
            hold: None,
            extra: Vec::new(),
        }
    }

    /// With `SIZE=`.
    #[must_use]
    pub fn with_size(mut self, octets: u64) -> Self {
        self.size = Some(octets);
        self
    }

    /// With `BODY=`.
    #[must_use]
    pub fn with_body(mut self, body: BodyType) -> Self {
        self.body = Some(body);
        self
    }

    /// With `SMTPUTF8`.
    #[must_use]
    pub fn with_smtp_utf8(mut self) -> Self {
        self.smtp_utf8 = true;
        self
    }

    pub(super) fn parse(arguments: &[u8], dialect: &Dialect) -> Result<Self, CommandErrorKind> {
        let path_at = path_prefix("FROM:", arguments, &dialect.leniency)?;
        let (behind, path) = reverse_path(path_at)
            .map_err(|fault| CommandErrorKind::Path(named(ParseErrorKind::Path, arguments, fault)))?;
        let mut mail = Self::new(path);
        take_each(arguments, behind, |parameter| mail.take(parameter, dialect))?;
        if !mail.path.is_ascii() && !mail.smtp_utf8 {
            return Err(CommandErrorKind::NonAsciiAddress);
        }
        if !mail.smtp_utf8 && mail.submitter.as_ref().is_some_and(|submitter| !submitter.is_ascii()) {
            return Err(CommandErrorKind::NonAsciiAddress);
        }
        Ok(mail)
    }

    fn take(&mut self, parameter: &Parameter<'_>, dialect: &Dialect) -> Result<(), Refused> {
        let extensions = &dialect.extensions;
        let value = parameter.value;
        match parameter.upper().as_octets() {
            b"SIZE" if extensions.size => set(&mut self.size, value.and_then(size)),
            b"BODY" if extensions.eight_bit_mime => {
                let body = value.map(|value| BodyType::parse(value, extensions.binary_mime).ok_or(Refused::Unknown));
                set(&mut self.body, body.transpose()?)
            }
            b"SMTPUTF8" if extensions.smtp_utf8 => set_flag(&mut self.smtp_utf8, value),
            b"AUTH" if extensions.auth => set(&mut self.submitter, value.and_then(Submitter::parse)),
            b"RET" if extensions.dsn => set(&mut self.returned, value.and_then(Return::parse)),
            b"ENVID" if extensions.dsn => set(&mut self.envelope_id, value.and_then(EnvelopeId::parse)),
            b"REQUIRETLS" if extensions.require_tls => set_flag(&mut self.require_tls, value),
            b"MT-PRIORITY" if extensions.mt_priority.is_some() => {
                set(&mut self.priority, value.and_then(Priority::parse))
            }
            b"BY" if let Some(minimum) = extensions.deliver_by => {
                set(&mut self.deliver_by, value.and_then(|value| DeliverBy::parse(value, minimum)))
            }
            // RFC 4865: one of the two.
            b"HOLDFOR" | b"HOLDUNTIL" if extensions.future_release.is_some() && self.hold.is_some() => {
                Err(Refused::Value)
            }
            b"HOLDFOR" if let Some(most) = extensions.future_release => {
                set(&mut self.hold, value.and_then(|value| Hold::parse_for(value, most)))
            }
            b"HOLDUNTIL" if let Some(most) = extensions.future_release => {
                set(&mut self.hold, value.and_then(|value| Hold::parse_until(value, most)))
            }
            _ => take_extra(&mut self.extra, parameter, &dialect.mail_parameters),
        }
    }

    pub(super) fn arguments(&self) -> String {
        let mut arguments = format!(" FROM:{}", self.path);
        if let Some(size) = self.size {
            arguments += &format!(" SIZE={size}");
        }
        if let Some(body) = self.body {
            arguments += &format!(" BODY={}", body.as_str());
        }
        if self.smtp_utf8 {
            arguments += " SMTPUTF8";
        }
        if self.require_tls {
            arguments += " REQUIRETLS";
        }
        if let Some(submitter) = &self.submitter {
            arguments += &format!(" AUTH={submitter}");
        }
        if let Some(returned) = self.returned {
            arguments += &format!(" RET={}", returned.as_str());
        }
        if let Some(id) = &self.envelope_id {
            arguments += &format!(" ENVID={id}");
        }
        if let Some(priority) = self.priority {
            arguments += &format!(" MT-PRIORITY={priority}");
        }
        if let Some(by) = self.deliver_by {
            arguments += &format!(" BY={by}");
        }
        if let Some(hold) = self.hold {
            arguments += &format!(" {hold}");
        }
        for parameter in &self.extra {
            arguments += &format!(" {parameter}");
        }
        arguments
    }
}

/// RFC 1870 §5: `size-value ::= 1*20DIGIT`. What is a number and does not fit 64 bits is no size that anybody means
/// (attack row M4).
fn size(value: &str) -> Option<u64> {
    let is_number = value.len() <= 20 && value.bytes().all(|octet| octet.is_ascii_digit());
    value.parse().ok().filter(|_| is_number)
}

#[cfg(test)]
mod tests {
    use super::super::{Command, assert_known};
    use super::*;
    use crate::grammar::Keyword;

    fn path(path: &str) -> ReversePath {
        path.parse().unwrap()
    }

    #[test]
    fn known_answers() {
        let mut dialect = Dialect::default();
        dialect.mail_parameters.push("X-TAG".parse().unwrap());
        let mut tagged = Mail::new(path("<a@b>"));
        tagged.extra = vec![ExtraParameter::new("X-TAG".parse().unwrap(), Some("1".parse().unwrap()))];
        for (line, mail, written) in [
            ("MAIL FROM:<>", Mail::new(ReversePath::NULL), "MAIL FROM:<>"),
            ("mail from:<a@b>", Mail::new(path("<a@b>")), "MAIL FROM:<a@b>"),
            ("MAIL FROM:<@x:a@b>", Mail::new(path("<a@b>")), "MAIL FROM:<a@b>"),
            (
                "MAIL FROM:<ned@thor.innosoft.com> SIZE=500000",
                Mail::new(path("<ned@thor.innosoft.com>")).with_size(500_000),
                "MAIL FROM:<ned@thor.innosoft.com> SIZE=500000",
            ),
            (
                "MAIL FROM:<a@b> smtputf8 body=8bitMime size=0",
                Mail::new(path("<a@b>")).with_size(0).with_body(BodyType::EightBitMime).with_smtp_utf8(),
                "MAIL FROM:<a@b> SIZE=0 BODY=8BITMIME SMTPUTF8",
            ),
            (
                "MAIL FROM:<jürgen@bücher.example> SMTPUTF8",
                Mail::new(path("<jürgen@bücher.example>")).with_smtp_utf8(),
                "MAIL FROM:<jürgen@bücher.example> SMTPUTF8",
            ),
            (
                "MAIL FROM:<a@b> SIZE=18446744073709551615 BODY=7BIT",
                Mail::new(path("<a@b>")).with_size(u64::MAX).with_body(BodyType::SevenBit),
                "MAIL FROM:<a@b> SIZE=18446744073709551615 BODY=7BIT",
            ),
            ("MAIL FROM:<a@b> X-Tag=1", tagged, "MAIL FROM:<a@b> X-TAG=1"),
        ] {
            assert_known(line, &Command::Mail(mail), written, &dialect);
        }
    }

    fn error(line: &str) -> CommandErrorKind {
        Command::parse(line.as_bytes(), &Dialect::default()).expect_err(line).kind
    }

    #[test]
    fn a_wrong_path_a_wrong_parameter_and_an_unknown_one_are_told_apart() {
        for line in ["MAIL FROM:", "MAIL FROM:a@b", "MAIL FROM: <a@b>", "MAIL FROM:<a@b", "MAIL FROM:<a@b\u{85}>"] {
            assert!(matches!(error(line), CommandErrorKind::Path(_)), "{line}");
        }
        for line in [
            "MAIL",
            "MAIL TO:<a@b>",
            "MAIL FROM <a@b>",
            "MAIL FROM :<a@b>",
            "MAIL FROM:<a@b>SIZE=1",
            "MAIL FROM:<a@b>x",
            "MAIL FROM:<a@b> SIZE=1 SIZE=1",
            "MAIL FROM:<a@b> =",
        ] {
            assert!(matches!(error(line), CommandErrorKind::Syntax(_)), "{line} {:?}", error(line));
        }
        for (line, keyword) in [
            ("MAIL FROM:<a@b> X-TAG=1", "X-TAG"),
            ("MAIL FROM:<a@b> AUTH=<>", "AUTH"),
            ("MAIL FROM:<a@b> BODY=BINARYMIME", "BODY"),
            ("MAIL FROM:<a@b> ret=hdrs", "RET"),
        ] {
            let keyword: Keyword = keyword.parse().unwrap();
            assert_eq!(error(line), CommandErrorKind::UnknownParameter(keyword), "{line}");
        }
        for parameter in ["SIZE", "SIZE=x", "SMTPUTF8=1", "BODY"] {
            let kind = error(&format!("MAIL FROM:<a@b> {parameter}"));
            assert!(matches!(kind, CommandErrorKind::ParameterValue(_)), "{parameter}: {kind:?}");
        }
        assert_eq!(error("MAIL FROM:<ä@b>"), CommandErrorKind::NonAsciiAddress);
    }

    #[test]
    fn sec_m4_a_size_that_is_no_number_of_64_bits_is_a_syntax_error() {
        for size in ["18446744073709551616", "99999999999999999999999", "-1", "+5", "0x5", "1e3", "1.5"] {
            let kind = error(&format!("MAIL FROM:<a@b> SIZE={size}"));
            assert!(matches!(kind, CommandErrorKind::ParameterValue(_)), "{size}: {kind:?}");
        }
    }

    #[test]
    fn an_extension_that_is_switched_off_has_no_parameters() {
        let mut dialect = Dialect::default();
        dialect.extensions.size = false;
        dialect.extensions.eight_bit_mime = false;
        dialect.extensions.smtp_utf8 = false;
        for parameter in ["SIZE=1", "BODY=7BIT", "SMTPUTF8"] {
            let error = Command::parse(format!("MAIL FROM:<a@b> {parameter}").as_bytes(), &dialect).unwrap_err();
            assert!(matches!(error.kind, CommandErrorKind::UnknownParameter(_)));
        }
    }

    #[test]
    fn binary_octets_are_announced_where_they_are_taken() {
        let mut dialect = Dialect::default();
        dialect.extensions.binary_mime = true;
        let mail = Mail::new(path("<a@b>")).with_body(BodyType::BinaryMime);
        let written = "MAIL FROM:<a@b> BODY=BINARYMIME";
        assert_known("MAIL FROM:<a@b> body=BinaryMime", &Command::Mail(mail), written, &dialect);
    }

    #[test]
    fn a_space_behind_the_colon_passes_where_the_host_lets_it() {
        let mut dialect = Dialect::default();
        dialect.leniency.space_after_colon = true;
        for line in ["MAIL FROM: <a@b>", "MAIL FROM:  <a@b>", "MAIL FROM:<a@b>"] {
            let mail = Mail::new(path("<a@b>"));
            assert_eq!(Command::parse(line.as_bytes(), &dialect), Ok(Command::Mail(mail)));
        }
    }
}
