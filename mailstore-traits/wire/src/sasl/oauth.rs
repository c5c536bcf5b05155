//! OAUTHBEARER (RFC 7628) and XOAUTH2: a bearer token (RFC 6750), and a name for it.
//!
//! XOAUTH2 is what OAUTHBEARER grew out of, and what many clients still speak; no RFC has it. Both say no in the same
//! way: a challenge that holds the reason in JSON, a dummy response, and then the failure (RFC 7628 §3.2.3).

use mailstore_traits::{Secret, UserName};

use super::{Failure, Mechanism, gs2, prepare_user_name};

/// The separator of both.
const KVSEP: char = '\u{1}';

/// One message.
pub(super) struct Bearer {
    /// Whom the client wants to be, if it says so.
    pub(super) user: Option<UserName>,
    /// The token. `None` where there is none, or one that no bearer token can be: there is nothing to ask the host.
    pub(super) token: Option<Secret<String>>,
}

/// Why a token was refused, as a client of that mechanism wants to have it said. It never says more than that
/// (attack row A1).
pub(super) const fn refusal(mechanism: Mechanism) -> &'static [u8] {
    match mechanism {
        // "Valid error codes are defined in the IANA OAuth Extensions Error Registry" (RFC 7628 §3.2.2).
        Mechanism::OauthBearer => br#"{"status":"invalid_token","schemes":"bearer"}"#,
        // Clients of this one look for an HTTP status.
        _ => br#"{"status":"401","schemes":"bearer"}"#,
    }
}

/// OAUTHBEARER's message (RFC 7628 §3.1).
///
/// ```abnf
/// client-resp = (gs2-header kvsep *kvpair kvsep) / kvsep
/// kvpair      = key "=" value kvsep
/// key         = 1*(ALPHA)
/// value       = *(VCHAR / SP / HTAB / CR / LF)
/// ```
///
/// `host` and `port` are for token types that sign them, which bearer tokens do not. The port is looked at for its
/// form; neither is compared with anything. Unknown keys are passed over, as they MUST be.
pub(super) fn parse_oauthbearer(message: &[u8]) -> Result<Bearer, Failure> {
    let message = std::str::from_utf8(message).map_err(|_| Failure::Malformed)?;
    if message.is_empty() || message.strip_prefix(KVSEP) == Some("") {
        // It names nobody and brings nothing: "the server MAY simply fail the authentication" (RFC 7628 §3.1).
        return Err(Failure::Rejected);
    }
    let (header, rest) = gs2::parse(message)?;
    if let gs2::Flag::Bound(_) = header.flag {
        // There is no OAUTHBEARER-PLUS (RFC 7628 §3.1).
        return Err(Failure::Rejected);
    }
    let pairs = rest.strip_prefix(KVSEP).and_then(|rest| rest.strip_suffix(KVSEP)).ok_or(Failure::Malformed)?;
    if !(pairs.is_empty() || pairs.ends_with(KVSEP)) {
        return Err(Failure::Malformed);
    }
    let mut auth = None;
    for pair in pairs.split_terminator(KVSEP) {
        let (key, value) = pair.split_once('=').ok_or(Failure::Malformed)?;
        if key.is_empty() || !key.bytes().all(|octet| octet.is_ascii_alphabetic()) || !value.bytes().all(is_value) {
            return Err(Failure::Malformed);
        }
        match key {
            "auth" if auth.is_some() => return Err(Failure::Malformed),
            "auth" => auth = Some(value),
            "port" if !is_port(value) => return Err(Failure::Malformed),
            _ => {}
        }
    }
    Ok(Bearer { user: header.authzid, token: auth.and_then(bearer_token) })
}

/// XOAUTH2's message: `user=<name>^Aauth=Bearer <token>^A^A`, in that order and with nothing else.
pub(super) fn parse_xoauth2(message: &[u8]) -> Result<Bearer, Failure> {
    let message = std::str::from_utf8(message).map_err(|_| Failure::Malformed)?;
    let mut fields = message.split(KVSEP);
    let (Some(user), Some(auth), Some(""), Some(""), None) =
        (fields.next(), fields.next(), fields.next(), fields.next(), fields.next())
    else {
        return Err(Failure::Malformed);
    };
    let (Some(user), Some(auth)) = (user.strip_prefix("user="), auth.strip_prefix("auth=")) else {
        return Err(Failure::Malformed);
    };
    if user.is_empty() || !auth.bytes().all(is_value) {
        return Err(Failure::Malformed);
    }
    Ok(Bearer { user: Some(prepare_user_name(user)?), token: bearer_token(auth) })
}

/// The token of an HTTP Authorization header (RFC 6750 §2.1). The scheme's case does not matter (RFC 7628 §4).
///
/// ```abnf
/// b64token    = 1*( ALPHA / DIGIT / "-" / "." / "_" / "~" / "+" / "/" ) *"="
/// credentials = "Bearer" 1*SP b64token
/// ```
fn bearer_token(auth: &str) -> Option<Secret<String>> {
    let (scheme, token) = auth.split_once(' ')?;
    let token = token.trim_start_matches(' ');
    let body = token.trim_end_matches('=');
    let is_token = |octet: u8| octet.is_ascii_alphanumeric() || b"-._~+/".contains(&octet);
    let well_formed = scheme.eq_ignore_ascii_case("bearer") && !body.is_empty() && body.bytes().all(is_token);
    well_formed.then(|| Secret::new(token.to_owned()))
}

/// `VCHAR / SP / HTAB / CR / LF`.
fn is_value(octet: u8) -> bool {
    matches!(octet, b' '..=b'~' | b'\t' | b'\r' | b'\n')
}

/// "a decimal positive integer string without leading zeros" (RFC 7628 §3.1).
fn is_port(value: &str) -> bool {
    value.bytes().all(|octet| octet.is_ascii_digit()) && !value.starts_with('0') && value.parse::<u16>().is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(bearer: &Bearer) -> (Option<&str>, Option<&str>) {
        (bearer.user.as_ref().map(UserName::as_str), bearer.token.as_ref().map(|token| token.expose().as_str()))
    }

    #[test]
    fn the_messages_of_rfc_7628_section_4() {
        for port in ["143", "587"] {
            let message = format!(
                "n,a=user@example.com,\u{1}host=server.example.com\u{1}port={port}\u{1}\
                 auth=Bearer vF9dft4qmTc2Nvb3RlckBhbHRhdmlzdGEuY29tCg==\u{1}\u{1}"
            );
            let bearer = parse_oauthbearer(message.as_bytes()).ok().unwrap();
            assert_eq!(shown(&bearer), (Some("user@example.com"), Some("vF9dft4qmTc2Nvb3RlckBhbHRhdmlzdGEuY29tCg==")));
        }
        // §4.3: an empty one asks for the reason.
        let bearer =
            parse_oauthbearer(b"n,a=user@example.com,\x01host=server.example.com\x01port=143\x01auth=\x01\x01");
        assert_eq!(shown(&bearer.ok().unwrap()), (Some("user@example.com"), None));
        // §4.2's message, for another mechanism: no bearer token.
        let bearer = parse_oauthbearer(
            b"n,a=user@example.com,\x01host=example.com\x01port=143\x01auth=OAuth realm=\"Example\"\x01\x01",
        );
        assert_eq!(shown(&bearer.ok().unwrap()), (Some("user@example.com"), None));
        // §4.4's header has `user=` where RFC 5801 has `a=`, and is none.
        assert_eq!(
            parse_oauthbearer(b"n,user=someuser@example.com,\x01auth=Bearer vF9d==\x01\x01").err(),
            Some(Failure::Malformed)
        );
    }

    #[test]
    fn names_are_optional_and_unknown_keys_passed_over() {
        let bearer = parse_oauthbearer(b"n,,\x01mthd=POST\x01auth=bEaReR  abc\x01unheard=of\x01\x01").ok().unwrap();
        assert_eq!(shown(&bearer), (None, Some("abc")));
        assert_eq!(shown(&parse_oauthbearer(b"y,,\x01\x01").ok().unwrap()), (None, None));
    }

    #[test]
    fn the_example_of_xoauth2() {
        let bearer = parse_xoauth2(b"user=someuser@example.com\x01auth=Bearer ya29.vF9dft4qmTc2Nvb3Rlcg\x01\x01");
        assert_eq!(shown(&bearer.ok().unwrap()), (Some("someuser@example.com"), Some("ya29.vF9dft4qmTc2Nvb3Rlcg")));
    }

    #[test]
    fn a_message_that_names_nobody_is_simply_rejected() {
        assert_eq!(parse_oauthbearer(b"\x01").err(), Some(Failure::Rejected));
        assert_eq!(parse_oauthbearer(b"").err(), Some(Failure::Rejected));
    }

    #[test]
    fn messages_out_of_grammar_are_malformed() {
        for bad in [
            &b"n,,"[..],
            b"n,,\x01",
            b"n,,\x01auth=Bearer a",
            b"n,,\x01auth=Bearer a\x01",
            b"n,,auth=Bearer a\x01\x01",
            b"n,,\x01\x01auth=Bearer a\x01\x01",
            b"n,,\x01auth=Bearer a\x01\x01\x01",
            b"n,,\x01auth\x01\x01",
            b"n,,\x01=x\x01\x01",
            b"n,,\x01a1=x\x01\x01",
            b"n,,\x01auth=Bearer a\x01auth=Bearer b\x01\x01",
            b"n,,\x01port=0\x01\x01",
            b"n,,\x01port=+1\x01\x01",
            b"n,,\x01port=65536\x01\x01",
            b"n,,\x01port=\x01\x01",
            b"n,,\x01auth=Bearer \xc3\xa9\x01\x01",
            b"n,,\x01auth=Bearer \0\x01\x01",
            b"n,,\x01auth=\xff\x01\x01",
        ] {
            assert_eq!(parse_oauthbearer(bad).err(), Some(Failure::Malformed), "{:?}", bad.escape_ascii().to_string());
        }
        for bad in [
            &b""[..],
            b"\x01",
            b"user=a\x01auth=Bearer b",
            b"user=a\x01auth=Bearer b\x01",
            b"user=a\x01auth=Bearer b\x01\x01\x01",
            b"auth=Bearer b\x01user=a\x01\x01",
            b"user=\x01auth=Bearer b\x01\x01",
            b"user=a\x01Bearer b\x01\x01",
            b"user=a\x01auth=Bearer \0\x01\x01",
            b"user=a\x01x=y\x01auth=Bearer b\x01\x01",
        ] {
            assert_eq!(parse_xoauth2(bad).err(), Some(Failure::Malformed), "{:?}", bad.escape_ascii().to_string());
        }
    }

    #[test]
    fn what_no_token_can_be_is_not_asked_of_the_host() {
        for auth in
            ["", "Bearer", "Bearer ", "Bearer =", "Bearer a b", "Bearer a,b", "Basic abc", "Bearer a=b", "Bearer\ta"]
        {
            assert!(bearer_token(auth).is_none(), "{auth:?}");
        }
    }

    #[test]
    fn sec_a8_names_with_control_characters_or_octets_that_are_not_utf8_are_malformed() {
        for bad in [&b"\0"[..], b"\r", b"\n", b"\x7f", b"\xff", b"\xc2\x85"] {
            let bearer = [b"n,a=a", bad, b",\x01auth=Bearer b\x01\x01"].concat();
            assert_eq!(parse_oauthbearer(&bearer).err(), Some(Failure::Malformed), "{bad:?}");
            let xoauth2 = [b"user=a", bad, b"\x01auth=Bearer b\x01\x01"].concat();
            assert_eq!(parse_xoauth2(&xoauth2).err(), Some(Failure::Malformed), "{bad:?}");
        }
    }
}
