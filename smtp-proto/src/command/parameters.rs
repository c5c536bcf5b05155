//! RFC 5321 §4.1.1.11: what MAIL and RCPT carry behind their path, each parameter once and not without end.

use super::CommandErrorKind;
use crate::error::{ParseError, ParseErrorKind};
use crate::grammar::{ExtraParameter, Keyword, Parameter, named, parameter};

/// The most parameters of a command. All that are registered are fewer; each costs more memory than it has octets.
const MOST: usize = 32;

/// Why a command does not take a parameter that follows the grammar.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Refused {
    /// It had it before.
    Twice,
    /// That is no value of it.
    Value,
    /// It, or that value of it, is not known here.
    Unknown,
}

/// Hands over what stands `behind` the path, which is the end of `arguments`, parameter by parameter.
pub(super) fn take_each<'a>(
    arguments: &'a [u8],
    behind: &'a [u8],
    mut take: impl FnMut(&Parameter<'a>) -> Result<(), Refused>,
) -> Result<(), CommandErrorKind> {
    let (mut rest, mut left) = (behind, MOST);
    while !rest.is_empty() {
        let error = |kind| ParseError::new(kind, arguments.len().saturating_sub(rest.len()));
        left = left.checked_sub(1).ok_or_else(|| error(ParseErrorKind::Parameter))?;
        let (behind, next) = parameter(rest).map_err(|fault| named(ParseErrorKind::Parameter, arguments, fault))?;
        match take(&next) {
            Ok(()) => rest = behind,
            Err(Refused::Twice) => return Err(error(ParseErrorKind::UniqueParameter).into()),
            Err(Refused::Value) => return Err(CommandErrorKind::ParameterValue(next.keyword())),
            Err(Refused::Unknown) => return Err(CommandErrorKind::UnknownParameter(next.keyword())),
        }
    }
    Ok(())
}

/// Sets what a parameter is for, once.
pub(super) fn set<T>(field: &mut Option<T>, value: Option<T>) -> Result<(), Refused> {
    if field.is_some() {
        return Err(Refused::Twice);
    }
    *field = value;
    if field.is_some() { Ok(()) } else { Err(Refused::Value) }
}

/// Sets what a parameter without a value is for, once.
pub(super) fn set_flag(field: &mut bool, value: Option<&str>) -> Result<(), Refused> {
    match value {
        _ if *field => Err(Refused::Twice),
        Some(_) => Err(Refused::Value),
        None => {
            *field = true;
            Ok(())
        }
    }
}

/// Keeps a parameter that the host has `registered`, once.
pub(super) fn take_extra(
    extra: &mut Vec<ExtraParameter>,
    parameter: &Parameter<'_>,
    registered: &[Keyword],
) -> Result<(), Refused> {
    if !registered.iter().any(|name| parameter.is(name)) {
        return Err(Refused::Unknown);
    }
    if extra.iter().any(|other| parameter.is(&other.keyword)) {
        return Err(Refused::Twice);
    }
    extra.push(parameter.to_extra());
    Ok(())
}

#[cfg(test)]
mod tests {
    use crate::command::{Command, CommandErrorKind, Dialect};
    use crate::error::{ParseError, ParseErrorKind};
    use crate::grammar::Keyword;

    #[test]
    fn each_parameter_comes_once_and_not_without_end() {
        let mut dialect = Dialect::default();
        dialect.mail_parameters.extend((0..40).map(|number| format!("X{number}").parse::<Keyword>().unwrap()));
        let parse = |parameters: &str| Command::parse(format!("MAIL FROM:<>{parameters}").as_bytes(), &dialect);
        let many = |count: usize| (0..count).map(|number| format!(" x{number}")).collect::<String>();
        assert!(parse(&many(32)).is_ok());
        let after = "MAIL FROM:<>".len();
        for (parameters, kind, offset) in [
            (many(33), ParseErrorKind::Parameter, many(32).len()),
            (" x1 X1".into(), ParseErrorKind::UniqueParameter, 3),
            (" x1=1 X2 X1=2".into(), ParseErrorKind::UniqueParameter, 8),
            (" SIZE=1 BODY=7BIT size=2".into(), ParseErrorKind::UniqueParameter, 17),
            (" BODY=7BIT BODY=7BIT".into(), ParseErrorKind::UniqueParameter, 10),
            (" SMTPUTF8 SMTPUTF8".into(), ParseErrorKind::UniqueParameter, 9),
            (" REQUIRETLS REQUIRETLS".into(), ParseErrorKind::UniqueParameter, 11),
            (" X1  X2".into(), ParseErrorKind::Parameter, 4),
            ("X1".into(), ParseErrorKind::Parameter, 0),
        ] {
            let error = CommandErrorKind::Syntax(ParseError::new(kind, after + offset));
            assert_eq!(parse(&parameters).unwrap_err().kind, error, "{parameters}");
        }
    }
}
