//! Response codes: RFC 2449 §8, RFC 3206 and RFC 6856 §5.
//!
//! ```abnf
//! resp-code  = "[" resp-level *("/" resp-level) "]"
//! resp-level = 1*rchar
//! ```

use nom::bytes::complete::{tag, take_while1};
use nom::combinator::map_opt;
use nom::sequence::delimited;
use nom::{IResult, Parser};

/// Why a command was refused, for programs.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ResponseCode {
    /// `IN-USE`: the login was right, and another session holds the maildrop (RFC 2449 §8.1.2).
    InUse,
    /// `LOGIN-DELAY`: the user has logged in too lately (RFC 2449 §8.1.1).
    LoginDelay,
    /// `SYS/TEMP`: a trouble of the server's that is likely to go away (RFC 3206 §4).
    SysTemp,
    /// `SYS/PERM`: a trouble of the server's that somebody has to see to (RFC 3206 §4).
    SysPerm,
    /// `AUTH`: something is wrong with the user's credentials, or with where or how they were offered (RFC 3206 §5).
    Auth,
    /// `UTF8`: the message has raw UTF-8 in its header, and the client has not said UTF8 (RFC 6856 §5).
    Utf8,
    /// One that is not known here.
    Other(OtherCode),
}

/// A response code that is not known here.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct OtherCode(Box<str>);

impl OtherCode {
    /// As it was written, without its brackets.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

const KNOWN: [ResponseCode; 6] = [
    ResponseCode::InUse,
    ResponseCode::LoginDelay,
    ResponseCode::SysTemp,
    ResponseCode::SysPerm,
    ResponseCode::Auth,
    ResponseCode::Utf8,
];

/// Codes longer than this are not read: with the longest text they would not fit a line.
const MAX_LEN: usize = 20;

impl ResponseCode {
    /// As it is written, without its brackets.
    pub fn as_str(&self) -> &str {
        match self {
            Self::InUse => "IN-USE",
            Self::LoginDelay => "LOGIN-DELAY",
            Self::SysTemp => "SYS/TEMP",
            Self::SysPerm => "SYS/PERM",
            Self::Auth => "AUTH",
            Self::Utf8 => "UTF8",
            Self::Other(code) => code.as_str(),
        }
    }

    /// Reads a code without its brackets: case does not matter, and levels that are not known are ignored.
    fn from_levels(levels: &str) -> Option<Self> {
        if levels.len() > MAX_LEN || levels.split('/').any(str::is_empty) {
            return None;
        }
        let known = KNOWN.into_iter().find(|code| {
            let name = code.as_str();
            levels.get(..name.len()).is_some_and(|start| start.eq_ignore_ascii_case(name))
                && matches!(levels.as_bytes().get(name.len()), None | Some(b'/'))
        });
        Some(known.unwrap_or_else(|| Self::Other(OtherCode(levels.into()))))
    }
}

/// A code in its brackets.
pub(super) fn code(input: &[u8]) -> IResult<&[u8], ResponseCode> {
    let rchar_or_slash = |octet: u8| octet.is_ascii_graphic() && octet != b']';
    let levels = map_opt(take_while1(rchar_or_slash), |octets| {
        std::str::from_utf8(octets).ok().and_then(ResponseCode::from_levels)
    });
    delimited(tag("["), levels, tag("]")).parse(input)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_known_code_reads_as_itself() {
        for known in KNOWN {
            let written = format!("[{}]", known.as_str());
            assert_eq!(code(written.as_bytes()).map(|(_, code)| code), Ok(known.clone()));
            assert_eq!(code(written.to_lowercase().as_bytes()).map(|(_, code)| code), Ok(known));
        }
    }

    #[test]
    fn a_code_of_which_less_is_said_is_another_one() {
        let parse = |octets: &[u8]| code(octets).map(|(_, code)| code.as_str().to_owned()).ok();
        assert_eq!(parse(b"[SYS]").as_deref(), Some("SYS"));
        assert_eq!(parse(b"[AUTHENTIC]").as_deref(), Some("AUTHENTIC"));
        assert_eq!(parse(b"[AUTH/X]").as_deref(), Some("AUTH"));
        for bad in [&b"[]"[..], b"[/]", b"[A//B]", b"[A", b"A]", b"[A B]", b"[123456789012345678901]"] {
            assert_eq!(parse(bad), None, "{}", bad.escape_ascii());
        }
    }
}
