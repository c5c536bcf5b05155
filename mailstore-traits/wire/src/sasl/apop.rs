//! What POP3's APOP (RFC 1939 §7) shows: the MD5 of a timestamp and a secret. No SASL mechanism, and off unless a host asks
//! for it (attack row A14); it stands here with the arithmetic that it shares with the others.

use mailstore_traits::Secret;
use md5::{Digest as _, Md5};
use subtle::ConstantTimeEq as _;

/// Whether `digest` is the MD5 of the timestamp, with its angle brackets, and the secret behind it. For a host that keeps
/// the secret itself, in its [`Authenticator::check_apop`](mailstore_traits::Authenticator::check_apop); call it for an
/// unknown user too, with any secret (attack row A2). Takes equally long wherever the two differ (attack row A4).
///
/// ```
/// use mail_wire::{Secret, sasl::apop};
/// // RFC 1939 §7.
/// let digest = *b"\xc4\xc9\x33\x4b\xac\x56\x0e\xcc\x97\x9e\x58\x00\x1b\x3e\x22\xfb";
/// let secret = Secret::new(String::from("tanstaaf"));
/// assert!(apop::matches(&secret, "<1896.697170952@dbc.mtview.ca.us>", &digest));
/// ```
pub fn matches(secret: &Secret<String>, timestamp: &str, digest: &[u8; 16]) -> bool {
    let expected = Md5::new().chain_update(timestamp).chain_update(secret.expose()).finalize();
    expected.as_slice().ct_eq(digest).into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_octet_of_the_digest_and_of_the_secret_counts() {
        let timestamp = "<1896.697170952@dbc.mtview.ca.us>";
        let right = *b"\xc4\xc9\x33\x4b\xac\x56\x0e\xcc\x97\x9e\x58\x00\x1b\x3e\x22\xfb";
        let secret = |text: &str| Secret::new(String::from(text));
        for at in 0..right.len() {
            let mut wrong = right;
            wrong[at] ^= 1;
            assert!(!matches(&secret("tanstaaf"), timestamp, &wrong), "{at}");
        }
        assert!(!matches(&secret("tanstaa"), timestamp, &right));
        assert!(!matches(&secret("tanstaaf"), "<1896.697170952@dbc.mtview.ca.u>", &right));
    }
}
