//! RFC 5321 §4.1.1.3, RCPT, with NOTIFY and ORCPT (RFC 3461) and RRVS (RFC 7293).

use super::parameters::{Refused, set, take_each, take_extra};
use super::{CommandErrorKind, Dialect, Notify, OriginalRecipient, ValidSince, path_prefix};
use crate::error::ParseErrorKind;
use crate::grammar::{ExtraParameter, ForwardPath, Parameter, forward_path, named};

/// A client names one recipient of the message.
///
/// ```abnf
/// rcpt = "RCPT TO:" ( "<Postmaster@" Domain ">" / "<Postmaster>" / Forward-path ) [SP Rcpt-parameters] CRLF
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Rcpt {
    /// Whom the message is for. Not ASCII only if MAIL said SMTPUTF8; the session sees to that.
    pub path: ForwardPath,
    /// What the sender wants to hear of (RFC 3461 §4.1). `None` if it does not say: failures, and delays if a host tells of
    /// them.
    pub notify: Option<Notify>,
    /// Whom the sender first wrote to (RFC 3461 §4.2).
    pub original: Option<OriginalRecipient>,
    /// Since when the address has to have belonged to who has it now (RFC 7293).
    pub valid_since: Option<ValidSince>,
    /// Parameters that the host registered.
    pub extra: Vec<ExtraParameter>,
}

impl Rcpt {
    /// To there, without parameters.
    pub fn new(path: impl Into<ForwardPath>) -> Self {
        Self { path: path.into(), notify: None, original: None, valid_since: None, extra: Vec::new() }
    }

    pub(super) fn parse(arguments: &[u8], dialect: &Dialect) -> Result<Self, CommandErrorKind> {
        let path_at = path_prefix("TO:", arguments, &dialect.leniency)?;
        let (behind, path) = forward_path(path_at)
            .map_err(|fault| CommandErrorKind::Path(named(ParseErrorKind::Path, arguments, fault)))?;
        let mut rcpt = Self::new(path);
        take_each(arguments, behind, |parameter| rcpt.take(parameter, dialect))?;
        Ok(rcpt)
    }

    fn take(&mut self, parameter: &Parameter<'_>, dialect: &Dialect) -> Result<(), Refused> {
        let extensions = &dialect.extensions;
        let value = parameter.value;
        match parameter.upper().as_octets() {
            b"NOTIFY" if extensions.dsn => set(&mut self.notify, value.and_then(Notify::parse)),
            // RFC 6533 §3: octets beyond ASCII only where SMTPUTF8 is offered.
            b"ORCPT" if extensions.dsn => {
                let original = value.and_then(OriginalRecipient::parse);
                set(&mut self.original, original.filter(|original| original.is_ascii() || extensions.smtp_utf8))
            }
            b"RRVS" if extensions.rrvs => set(&mut self.valid_since, value.and_then(ValidSince::parse)),
            _ => take_extra(&mut self.extra, parameter, &dialect.rcpt_parameters),
        }
    }

    pub(super) fn arguments(&self) -> String {
        let mut arguments = format!(" TO:{}", self.path);
        if let Some(notify) = self.notify {
            arguments += &format!(" NOTIFY={notify}");
        }
        if let Some(original) = &self.original {
            arguments += &format!(" ORCPT={original}");
        }
        if let Some(since) = self.valid_since {
            arguments += &format!(" RRVS={since}");
        }
        for parameter in &self.extra {
            arguments += &format!(" {parameter}");
        }
        arguments
    }
}

#[cfg(test)]
mod tests {
    use super::super::{Command, assert_known};
    use super::*;

    #[test]
    fn known_answers() {
        let mut dialect = Dialect::default();
        dialect.rcpt_parameters.push("NOTIFY".parse().unwrap());
        let to = |path: &str| Rcpt::new(path.parse::<ForwardPath>().unwrap());
        let mut notified = to("<a@b>");
        notified.extra = vec![ExtraParameter::new("NOTIFY".parse().unwrap(), Some("NEVER".parse().unwrap()))];
        for (line, rcpt, written) in [
            ("RCPT TO:<Brown@foo.com>", to("<Brown@foo.com>"), "RCPT TO:<Brown@foo.com>"),
            ("rcpt to:<postMASTER>", Rcpt::new(ForwardPath::POSTMASTER), "RCPT TO:<postmaster>"),
            ("RCPT TO:<@hosta.int,@jkl.org:userc@d.bar.org>", to("<userc@d.bar.org>"), "RCPT TO:<userc@d.bar.org>"),
            ("RCPT TO:<ä@b>", to("<ä@b>"), "RCPT TO:<ä@b>"),
            ("RCPT TO:<a@b> notify=NEVER", notified, "RCPT TO:<a@b> NOTIFY=NEVER"),
        ] {
            assert_known(line, &Command::Rcpt(rcpt), written, &dialect);
        }
        let error = |line: &str| Command::parse(line.as_bytes(), &dialect).expect_err(line).kind;
        assert!(matches!(error("RCPT TO:<>"), CommandErrorKind::Path(_)));
        assert!(matches!(error("RCPT TO: <a@b>"), CommandErrorKind::Path(_)));
        assert!(matches!(error("RCPT FROM:<a@b>"), CommandErrorKind::Syntax(_)));
        assert!(matches!(error("RCPT TO:<a@b> ORCPT=x"), CommandErrorKind::UnknownParameter(_)));
        assert!(matches!(error("RCPT TO:<a@b> NOTIFY="), CommandErrorKind::Syntax(_)));
    }
}
