//! Base64 as SASL exchanges carry it: RFC 4648 §4, nothing lenient.
//!
//! The alphabet is strict, the padding required and the last bits zero, so that an octet string has one spelling only.
//! White space, line breaks and anything behind the padding are errors (RFC 4954 §4, RFC 9051 §6.2.2; attack row M16).

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use zeroize::Zeroize as _;

/// Octets that are not base64, or too many of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Base64Error {
    /// An octet outside the alphabet, missing or misplaced padding, or spare bits that are not zero.
    #[error("expected base64 with its padding and without white space")]
    Malformed,
    /// It would decode to more than the ceiling.
    #[error("base64 decodes to more octets than the ceiling")]
    TooLong,
}

/// Encodes, with padding.
///
/// ```
/// assert_eq!(mail_wire::base64::encode(b"tim"), "dGlt");
/// ```
pub fn encode(octets: &[u8]) -> String {
    STANDARD.encode(octets)
}

/// Decodes to at most `max` octets. The ceiling is looked at before anything is allocated.
///
/// What comes out may be a password: wipe it. The buffer is allocated once, so that no copy of it is left behind.
///
/// # Errors
/// [`Base64Error::TooLong`] over the ceiling, [`Base64Error::Malformed`] for anything that the strict grammar lacks.
pub fn decode(encoded: &[u8], max: usize) -> Result<Vec<u8>, Base64Error> {
    if !encoded.len().is_multiple_of(4) {
        return Err(Base64Error::Malformed);
    }
    let padding = encoded.iter().rev().take(2).take_while(|octet| **octet == b'=').count();
    let length = (encoded.len() / 4).saturating_mul(3).saturating_sub(padding);
    if length > max {
        return Err(Base64Error::TooLong);
    }
    // The engine wants room for whole groups.
    let mut decoded = vec![0; length.saturating_add(padding)];
    match STANDARD.decode_slice(encoded, &mut decoded) {
        Ok(count) => {
            decoded.truncate(count);
            Ok(decoded)
        }
        Err(_) => {
            decoded.zeroize();
            Err(Base64Error::Malformed)
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn the_vectors_of_rfc_4648_section_10() {
        for (octets, encoded) in [
            ("", ""),
            ("f", "Zg=="),
            ("fo", "Zm8="),
            ("foo", "Zm9v"),
            ("foob", "Zm9vYg=="),
            ("fooba", "Zm9vYmE="),
            ("foobar", "Zm9vYmFy"),
        ] {
            assert_eq!(encode(octets.as_bytes()), encoded);
            assert_eq!(decode(encoded.as_bytes(), 6).as_deref(), Ok(octets.as_bytes()));
        }
    }

    #[test]
    fn sec_m16_one_octet_string_has_one_spelling() {
        for bad in [
            "Z",
            "Zg",
            "Zg=",
            "Zg==Zg==",
            "Zm8",
            "Zm8=\n",
            "Zm8 ",
            " Zm8",
            "Zm9v\r\nZm9v",
            "Zh==",
            "Zm9=",
            "Zm9v====",
            "====",
            "=",
            "Zg=a",
            "Zm-_",
            "Zm9\0",
            "Zm9\u{e9}",
        ] {
            assert_eq!(decode(bad.as_bytes(), 64), Err(Base64Error::Malformed), "{bad:?}");
        }
    }

    #[test]
    fn sec_m16_the_ceiling_counts_decoded_octets() {
        assert_eq!(decode(b"Zm9vYg==", 4).as_deref(), Ok(&b"foob"[..]));
        assert_eq!(decode(b"Zm9vYg==", 3), Err(Base64Error::TooLong));
        assert_eq!(decode(&vec![b'A'; 1 << 20], 9_216), Err(Base64Error::TooLong));
    }

    proptest! {
        #[test]
        fn decoding_inverts_encoding(octets in proptest::collection::vec(any::<u8>(), 0..200)) {
            prop_assert_eq!(decode(encode(&octets).as_bytes(), octets.len()).unwrap(), octets);
        }

        #[test]
        fn what_decodes_is_what_encoding_writes(octets in proptest::collection::vec(any::<u8>(), 0..40)) {
            if let Ok(decoded) = decode(&octets, 40) {
                prop_assert_eq!(encode(&decoded).into_bytes(), octets);
            }
        }
    }
}
