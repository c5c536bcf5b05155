//! The GS2 header (RFC 5801 §4, RFC 5802 §7) that begins the messages of SCRAM and OAUTHBEARER.

use mailstore_traits::UserName;

use super::{Failure, prepare_user_name};

/// What a client says of channel bindings (RFC 5802 §6).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Flag<'a> {
    /// `n`: it knows of none.
    Unknown,
    /// `y`: it knows of some, and believes that the server does not. Where the server does, somebody in between has taken
    /// the -PLUS mechanisms off its list.
    NotOffered,
    /// `p=` and a name: it binds, by this type.
    Bound(&'a str),
}

/// The header of one message.
#[derive(Debug)]
pub(super) struct Gs2Header<'a> {
    /// The header as it came, with both its commas: what SCRAM's `c=` must repeat.
    pub(super) octets: &'a str,
    pub(super) flag: Flag<'a>,
    /// Whom the client wants to act as, if it says so.
    pub(super) authzid: Option<UserName>,
}

/// The header, and what is behind it.
///
/// ```abnf
/// gs2-header     = gs2-cbind-flag "," [ authzid ] ","
/// gs2-cbind-flag = ("p=" cb-name) / "n" / "y"
/// authzid        = "a=" saslname
/// ```
///
/// What a flag means for a login is the mechanism's to say.
pub(super) fn parse(message: &str) -> Result<(Gs2Header<'_>, &str), Failure> {
    let (flag, behind) = message.split_once(',').ok_or(Failure::Malformed)?;
    let (authzid, rest) = behind.split_once(',').ok_or(Failure::Malformed)?;
    let flag = match (flag, flag.strip_prefix("p=")) {
        ("n", _) => Flag::Unknown,
        ("y", _) => Flag::NotOffered,
        (_, Some(name)) if is_binding_name(name) => Flag::Bound(name),
        _ => return Err(Failure::Malformed),
    };
    let authzid = match authzid.strip_prefix("a=") {
        Some(name) => Some(prepare_user_name(&sasl_name(name)?)?),
        None if authzid.is_empty() => None,
        None => return Err(Failure::Malformed),
    };
    let octets = message.strip_suffix(rest).unwrap_or(message);
    Ok((Gs2Header { octets, flag, authzid }, rest))
}

/// ```abnf
/// cb-name = 1*(ALPHA / DIGIT / "." / "-")
/// ```
fn is_binding_name(name: &str) -> bool {
    !name.is_empty() && name.bytes().all(|octet| octet.is_ascii_alphanumeric() || matches!(octet, b'.' | b'-'))
}

/// A name with its escapes undone.
///
/// ```abnf
/// saslname = 1*(value-safe-char / "=2C" / "=3D")
/// ```
///
/// "If the server receives a username that contains '=' not followed by either '2C' or '3D', then the server MUST fail
/// the authentication" (RFC 5802 §5.1).
pub(super) fn sasl_name(escaped: &str) -> Result<String, Failure> {
    let mut parts = escaped.split('=');
    let mut name = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        let (c, rest) = match (part.strip_prefix("2C"), part.strip_prefix("3D")) {
            (Some(rest), _) => (',', rest),
            (_, Some(rest)) => ('=', rest),
            _ => return Err(Failure::Malformed),
        };
        name.push(c);
        name.push_str(rest);
    }
    if name.is_empty() || name.contains('\0') {
        return Err(Failure::Malformed);
    }
    Ok(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn headers_are_taken_off_as_they_came() {
        for (message, octets, authzid, rest) in [
            ("n,,n=user", "n,,", None, "n=user"),
            ("y,,", "y,,", None, ""),
            ("n,a=ada,x", "n,a=ada,", Some("ada"), "x"),
            ("n,a=a=2Cb=3D,", "n,a=a=2Cb=3D,", Some("a,b="), ""),
        ] {
            let (header, behind) = parse(message).unwrap();
            assert_eq!((header.octets, behind), (octets, rest));
            assert_eq!(header.authzid.as_ref().map(UserName::as_str), authzid);
        }
    }

    #[test]
    fn sec_a6_what_is_said_of_channel_bindings_is_told_apart() {
        for (message, flag) in [
            ("n,,", Flag::Unknown),
            ("y,,", Flag::NotOffered),
            ("p=tls-unique,,n=user", Flag::Bound("tls-unique")),
            ("p=tls-exporter,a=ada,", Flag::Bound("tls-exporter")),
        ] {
            assert_eq!(parse(message).unwrap().0.flag, flag);
        }
    }

    #[test]
    fn other_headers_are_malformed() {
        for bad in [
            "",
            "n",
            "n,",
            "N,,",
            "x,,",
            "p,,",
            ",,",
            "n,ada,",
            "n,a=,",
            "n,a=a=2c,",
            "n,a=a=,",
            "F,n,,",
            "p=,,",
            "p=a b,,",
            "p=a_b,,",
        ] {
            assert_eq!(parse(bad).unwrap_err(), Failure::Malformed, "{bad:?}");
        }
    }

    #[test]
    fn sec_a8_names_with_control_characters_are_malformed() {
        for bad in ["n,a=a\0,", "n,a=a\r,", "n,a=\n,", "n,a=\u{7f},", "n,a=\u{85},"] {
            assert_eq!(parse(bad).unwrap_err(), Failure::Malformed, "{bad:?}");
        }
    }
}
