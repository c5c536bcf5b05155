//! Encoded words (RFC 2047): what a header means, and how what it may not hold is written.

use std::borrow::Cow;

use crate::charset;
use crate::transfer::TransferDecoder;

/// What the value of a header field means, in Unicode: unfolded, encoded words read, octets beyond ASCII taken for UTF-8
/// (RFC 6532 §3.2) or else for Windows-1252. As long as the value, or a few times that for what is decoded.
pub fn decode(value: &[u8]) -> String {
    let mut out = String::with_capacity(value.len());
    let mut rest = value;
    // White space between two encoded words does not count (RFC 2047 §6.2).
    let mut blanks: Option<&[u8]> = None;
    // Octets of words that were cut inside a character: the same charset goes on.
    let mut open: Option<(&'static encoding_rs::Encoding, Vec<u8>)> = None;
    while !rest.is_empty() {
        let begin = memchr::memmem::find(rest, b"=?").unwrap_or(rest.len());
        let (plain, at) = rest.split_at(begin);
        let word = EncodedWord::at_start_of(at);
        if plain.iter().all(|octet| octet.is_ascii_whitespace())
            && (open.is_some() || blanks.is_some())
            && word.is_some()
        {
            // Between two words.
        } else {
            flush(&mut open, &mut out);
            push_plain(plain, &mut out);
        }
        blanks = None;
        match word {
            Some((word, behind)) => {
                match &mut open {
                    Some((charset, octets)) if *charset == word.charset => octets.extend_from_slice(&word.octets),
                    _ => {
                        flush(&mut open, &mut out);
                        open = Some((word.charset, word.octets));
                    }
                }
                blanks = Some(b"");
                rest = behind;
            }
            None if at.is_empty() => rest = at,
            None => {
                flush(&mut open, &mut out);
                out.push_str("=?");
                rest = at.get(2..).unwrap_or_default();
            }
        }
    }
    flush(&mut open, &mut out);
    out
}

fn flush(open: &mut Option<(&'static encoding_rs::Encoding, Vec<u8>)>, out: &mut String) {
    if let Some((charset, octets)) = open.take() {
        out.push_str(&charset::decode(charset, &octets));
    }
}

/// What is no encoded word, with its folding undone.
fn push_plain(plain: &[u8], out: &mut String) {
    let text = match std::str::from_utf8(plain) {
        Ok(text) => Cow::Borrowed(text),
        Err(_) => Cow::Owned(charset::decode(encoding_rs::WINDOWS_1252, plain)),
    };
    out.extend(text.chars().filter(|char| !matches!(char, '\r' | '\n')));
}

/// So many octets an encoded word's text may have: what is longer stays as it is. RFC 2047 §2 allows 75; programs that
/// write a whole subject as one word stay far below this. Without a limit a field of words that never end would be looked
/// through from each of them to its end (attack row M19).
const WORD_MOST: usize = 8 * 1024;

struct EncodedWord {
    charset: &'static encoding_rs::Encoding,
    octets: Vec<u8>,
}

impl EncodedWord {
    /// `=?charset*language?B?text?=`; longer than the RFC's 75 octets too, for many programs write such.
    fn at_start_of(text: &[u8]) -> Option<(Self, &[u8])> {
        let inside = text.strip_prefix(b"=?")?;
        let (name, rest) = cut(inside, b'?')?;
        let (how, rest) = cut(rest, b'?')?;
        let end = memchr::memmem::find(rest.get(..WORD_MOST).unwrap_or(rest), b"?=")?;
        let (encoded, behind) = rest.split_at(end);
        let name = name.split(|&octet| octet == b'*').next()?;
        let charset = charset::charset(name)?;
        if encoded.iter().any(|octet| matches!(octet, b'\r' | b'\n')) {
            return None;
        }
        let mut octets = Vec::with_capacity(encoded.len());
        if how.eq_ignore_ascii_case(b"B") {
            let mut decoder = TransferDecoder::new(Some(b"base64"))?;
            decoder.decode(encoded, &mut octets);
        } else if how.eq_ignore_ascii_case(b"Q") {
            q_decode(encoded, &mut octets);
        } else {
            return None;
        }
        Some((Self { charset, octets }, behind.get(2..).unwrap_or_default()))
    }
}

fn cut(text: &[u8], at: u8) -> Option<(&[u8], &[u8])> {
    let end = memchr::memchr(at, text)?;
    Some((text.get(..end)?, text.get(end.checked_add(1)?..)?))
}

/// RFC 2047 §4.2: `_` is a space, `=` and two digits an octet.
fn q_decode(encoded: &[u8], out: &mut Vec<u8>) {
    let hex = |octet: &u8| char::from(*octet).to_digit(16);
    let mut rest = encoded;
    while let Some((first, behind)) = rest.split_first() {
        rest = behind;
        match (first, behind) {
            (b'_', _) => out.push(b' '),
            (b'=', [high, low, after @ ..]) => match (hex(high), hex(low)) {
                (Some(high), Some(low)) => {
                    out.push(u8::try_from(high * 16 + low).unwrap_or(b'?'));
                    rest = after;
                }
                _ => out.push(b'='),
            },
            (octet, _) => out.push(*octet),
        }
    }
}

/// A header's value for a client that reads ASCII only: octets beyond it, and controls, become encoded words in UTF-8,
/// or in `unknown-8bit` if they are no UTF-8 (RFC 1428). What is ASCII stays as it is, encoded words too.
pub fn encode(value: &[u8]) -> Cow<'_, [u8]> {
    if value.iter().all(|octet| matches!(octet, b' '..=b'~' | b'\t')) {
        return Cow::Borrowed(value);
    }
    let charset: &[u8] = if std::str::from_utf8(value).is_ok() { b"utf-8" } else { b"unknown-8bit" };
    let mut out = Vec::with_capacity(value.len().saturating_mul(2));
    // Words of 45 octets make 60 letters: with what is around them no more than the 75 that a word may have.
    let mut rest = value;
    while !rest.is_empty() {
        let mut end = rest.len().min(45);
        // Characters are not cut.
        while end > 1 && rest.get(end).is_some_and(|octet| octet & 0xc0 == 0x80) && end > 41 {
            end = end.saturating_sub(1);
        }
        let (word, behind) = rest.split_at(end);
        if !out.is_empty() {
            out.push(b' ');
        }
        out.extend_from_slice(b"=?");
        out.extend_from_slice(charset);
        out.extend_from_slice(b"?B?");
        base64(word, &mut out);
        out.extend_from_slice(b"?=");
        rest = behind;
    }
    Cow::Owned(out)
}

fn base64(octets: &[u8], out: &mut Vec<u8>) {
    const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    for group in octets.chunks(3) {
        let bits = group.iter().fold(0u32, |bits, octet| (bits << 8) | u32::from(*octet));
        let bits = bits << (8 * (3usize.saturating_sub(group.len())));
        for place in 0..4usize {
            let sextet = (bits >> (18 - 6 * place)) & 63;
            let letter = ALPHABET.get(sextet as usize).copied().unwrap_or(b'=');
            out.push(if place <= group.len() { letter } else { b'=' });
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn the_rfcs_own_words() {
        for (value, text) in [
            // RFC 2047 §8.
            ("=?ISO-8859-1?Q?a?=", "a"),
            ("=?ISO-8859-1?Q?a?= b", "a b"),
            ("=?ISO-8859-1?Q?a?= =?ISO-8859-1?Q?b?=", "ab"),
            ("=?ISO-8859-1?Q?a?=  \r\n   =?ISO-8859-1?Q?b?=", "ab"),
            ("=?ISO-8859-1?Q?a_b?=", "a b"),
            ("=?ISO-8859-1?Q?a?= =?ISO-8859-2?Q?_b?=", "a b"),
            ("=?US-ASCII?Q?Keith_Moore?= <moore@cs.utk.edu>", "Keith Moore <moore@cs.utk.edu>"),
            (
                "=?ISO-8859-1?B?SWYgeW91IGNhbiByZWFkIHRoaXMgeW8=?=\r\n =?ISO-8859-2?B?dSB1bmRlcnN0YW5kIHRoZSBleGFtcGxlLg==?=",
                "If you can read this you understand the example.",
            ),
            // RFC 2231 §5.
            ("=?US-ASCII*EN?Q?Keith_Moore?=", "Keith Moore"),
            // A character cut between two words.
            ("=?utf-8?B?w4M=?= =?utf-8?Q?x=C3?= =?utf-8?Q?=BC?=", "Ãxü"),
            ("plain", "plain"),
            ("fol\r\n ded", "fol ded"),
            ("größe", "größe"),
            ("=?x-unknown?Q?a?=", "=?x-unknown?Q?a?="),
            ("=?utf-8?X?a?=", "=?utf-8?X?a?="),
            ("a =?= b", "a =?= b"),
            ("=?utf-8?Q?unended", "=?utf-8?Q?unended"),
            ("a=?utf-8?Q?=zz?=b", "a=zzb"),
        ] {
            assert_eq!(decode(value.as_bytes()), text, "{value}");
        }
        assert_eq!(decode(b"caf\xe9"), "café");
    }

    #[test]
    #[cfg_attr(miri, ignore = "what encoding_rs asks of the processor is not known there")]
    fn sec_m19_words_without_an_end_are_not_looked_for_without_an_end() {
        let word = |length: usize| format!("=?utf-8?Q?{}?=", "a".repeat(length));
        assert_eq!(decode(word(WORD_MOST - 2).as_bytes()), "a".repeat(WORD_MOST - 2));
        assert_eq!(decode(word(WORD_MOST).as_bytes()), word(WORD_MOST));
        // Four million octets in which 340,000 words begin: without a limit, 7 * 10^11 octets are looked at.
        let unended = "=?utf-8?Q?x ".repeat(340_000);
        assert_eq!(decode(unended.as_bytes()), unended);
    }

    #[test]
    fn what_is_no_ascii_becomes_words() {
        assert_eq!(encode(b"plain =?utf-8?Q?a?="), Cow::Borrowed(b"plain =?utf-8?Q?a?="));
        assert_eq!(encode("Grüße".as_bytes()).escape_ascii().to_string(), "=?utf-8?B?R3LDvMOfZQ==?=");
        assert_eq!(encode(b"\xfc").escape_ascii().to_string(), "=?unknown-8bit?B?/A==?=");
    }

    proptest! {
        #[test]
        #[cfg_attr(miri, ignore = "minutes, interpreted")]
        fn every_text_comes_back(text in "[ -~äéß日😀]{0,80}") {
            prop_assume!(!text.contains("=?"));
            let encoded = encode(text.as_bytes());
            prop_assert!(encoded.is_ascii());
            prop_assert!(!text.is_ascii() || encoded == text.as_bytes());
            prop_assert!(encoded.split(|octet| *octet == b' ').all(|word| text.is_ascii() || word.len() <= 75));
            prop_assert_eq!(decode(&encoded), text);
        }

        #[test]
        fn no_octets_are_too_odd(value in prop::collection::vec(prop::sample::select(b"=?utf-8BQ_ \r\n\xc3\xbc".to_vec()), 0..60)) {
            let text = decode(&value);
            prop_assert!(!text.contains(['\r', '\n']) && text.len() <= value.len() * 3);
        }
    }
}
