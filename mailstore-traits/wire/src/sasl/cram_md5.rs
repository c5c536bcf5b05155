//! CRAM-MD5 (RFC 2195): a challenge, and its HMAC-MD5 with a secret that the server has to keep as it is.
//!
//! Off unless a host asks for it: "LIMITED USE" by IANA's registry, for dictionaries are tried fast against what is heard,
//! and a stolen list of secrets is a list of passwords. Old clients and devices know nothing better.

use hmac::{Hmac, KeyInit as _, Mac as _};
use mailstore_traits::{Secret, UserName};
use md5::Md5;

use super::{Failure, SaslConfig, prepare_user_name};

/// What one response says.
pub(super) struct Response {
    pub(super) user: UserName,
    pub(super) digest: [u8; 16],
}

/// Whether `digest` is the HMAC-MD5 of the challenge with that secret. For a host that keeps the secret itself, in its
/// [`Authenticator::check_cram_md5`](mailstore_traits::Authenticator::check_cram_md5); call it for an unknown user too,
/// with any secret (attack row A2). Takes equally long wherever the two differ (attack row A4).
///
/// ```
/// use mail_wire::{Secret, sasl::cram_md5};
/// // RFC 2195 §2.
/// let digest = *b"\xb9\x13\xa6\x02\xc7\xed\xa7\xa4\x95\xb4\xe6\xe7\x33\x4d\x38\x90";
/// let secret = Secret::new(String::from("tanstaaftanstaaf"));
/// assert!(cram_md5::matches(&secret, "<1896.697170952@postoffice.reston.mci.net>", &digest));
/// ```
pub fn matches(secret: &Secret<String>, challenge: &str, digest: &[u8; 16]) -> bool {
    let mut mac =
        Hmac::<Md5>::new_from_slice(secret.expose().as_bytes()).expect("HMAC takes keys of any length (RFC 2104 §2)");
    mac.update(challenge.as_bytes());
    mac.verify_slice(digest).is_ok()
}

/// A challenge that was never sent before, in the form of a message id (RFC 2195 §2). It holds no time and tells nothing of
/// the server but the name that it has been given.
pub(super) fn challenge(config: &SaslConfig) -> Result<String, Failure> {
    let nonce = config.nonce().filter(|nonce| super::scram::is_nonce(nonce)).ok_or(Failure::Unavailable)?;
    Ok(format!("<{nonce}@{}>", config.challenge_host))
}

/// "the user name, a space, and a 'digest'", which is "sixteen octets ... in hexadecimal format, using lower-case ASCII
/// characters" (RFC 2195 §2). The name may have spaces of its own.
pub(super) fn parse(response: &[u8]) -> Result<Response, Failure> {
    let response = std::str::from_utf8(response).map_err(|_| Failure::Malformed)?;
    let (user, digest) = response.rsplit_once(' ').ok_or(Failure::Malformed)?;
    let digest = digest_from_hex(digest).ok_or(Failure::Malformed)?;
    if user.is_empty() {
        return Err(Failure::Malformed);
    }
    Ok(Response { user: prepare_user_name(user)?, digest })
}

/// Sixteen octets from thirty-two digits, small ones as the RFCs have them: CRAM-MD5's (RFC 2195 §2) and APOP's
/// (RFC 1939 §7).
///
/// ```
/// use mail_wire::sasl::cram_md5::digest_from_hex;
/// assert_eq!(digest_from_hex("000102030405060708090a0b0c0d0eff").map(|digest| digest[15]), Some(0xff));
/// assert_eq!(digest_from_hex("000102030405060708090A0B0C0D0EFF"), None);
/// ```
pub fn digest_from_hex(text: &str) -> Option<[u8; 16]> {
    let digit = |octet: &u8| match octet {
        b'0'..=b'9' => Some(octet.wrapping_sub(b'0')),
        b'a'..=b'f' => Some(octet.wrapping_sub(b'a').wrapping_add(10)),
        _ => None,
    };
    let mut digest = [0; 16];
    let (pairs, rest) = text.as_bytes().as_chunks::<2>();
    if pairs.len() != digest.len() || !rest.is_empty() {
        return None;
    }
    for (octet, [high, low]) in digest.iter_mut().zip(pairs) {
        *octet = digit(high)? << 4 | digit(low)?;
    }
    Some(digest)
}

#[cfg(test)]
mod tests {
    use super::*;

    const CHALLENGE: &str = "<1896.697170952@postoffice.reston.mci.net>";

    #[test]
    fn the_example_of_rfc_2195_section_2() {
        let config = SaslConfig::from_os_random()
            .with_nonces(|| "1896.697170952".into())
            .with_challenge_host("postoffice.reston.mci.net");
        assert_eq!(challenge(&config).unwrap(), CHALLENGE);
        let Response { user, digest } = parse(b"tim b913a602c7eda7a495b4e6e7334d3890").ok().unwrap();
        assert_eq!(user.as_str(), "tim");
        let secret = |text: &str| Secret::new(String::from(text));
        assert!(matches(&secret("tanstaaftanstaaf"), CHALLENGE, &digest));
        assert!(!matches(&secret("tanstaaftanstaa"), CHALLENGE, &digest));
        assert!(!matches(&secret("tanstaaftanstaaf"), "<1896.697170953@postoffice.reston.mci.net>", &digest));
        for at in 0..digest.len() {
            let mut wrong = digest;
            wrong[at] ^= 0x80;
            assert!(!matches(&secret("tanstaaftanstaaf"), CHALLENGE, &wrong), "{at}");
        }
    }

    #[test]
    fn a_name_may_have_spaces() {
        let response = parse(b"tim of example b913a602c7eda7a495b4e6e7334d3890").ok().unwrap();
        assert_eq!(response.user.as_str(), "tim of example");
    }

    #[test]
    fn sec_a8_what_is_no_name_and_digest_is_malformed() {
        for bad in [
            &b""[..],
            b"tim",
            b" b913a602c7eda7a495b4e6e7334d3890",
            b"tim ",
            b"tim b913a602c7eda7a495b4e6e7334d389",
            b"tim b913a602c7eda7a495b4e6e7334d38900",
            b"tim B913A602C7EDA7A495B4E6E7334D3890",
            b"tim g913a602c7eda7a495b4e6e7334d3890",
            b"t\0im b913a602c7eda7a495b4e6e7334d3890",
            b"tim\r b913a602c7eda7a495b4e6e7334d3890",
            b"\xff b913a602c7eda7a495b4e6e7334d3890",
        ] {
            assert_eq!(parse(bad).err(), Some(Failure::Malformed), "{:?}", bad.escape_ascii().to_string());
        }
    }

    #[test]
    fn the_challenges_host_cannot_break_it() {
        let config = SaslConfig::from_os_random().with_nonces(|| "1".into()).with_challenge_host("a> <b\r\n@c");
        assert_eq!(challenge(&config).unwrap(), "<1@a???b???c>");
    }
}
