//! Modified UTF-7: how IMAP4rev1 writes names of mailboxes (RFC 3501 §5.1.3), and stores that keep them as folders.
//!
//! A name has one encoding and no other (attack row P2): what would be encoded anew in another way is refused, so that two
//! spellings never mean one mailbox and a check on the one cannot be passed with the other.

use super::class;

/// Not modified UTF-7, or not the one way to write that name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("expected a name in modified UTF-7")]
pub struct InvalidUtf7;

/// The alphabet of base64 with `,` in place of `/`.
const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+,";

fn sextet(octet: u8) -> Option<u32> {
    Some(u32::from(match octet {
        b'A'..=b'Z' => octet.wrapping_sub(b'A'),
        b'a'..=b'z' => octet.wrapping_sub(b'a').wrapping_add(26),
        b'0'..=b'9' => octet.wrapping_sub(b'0').wrapping_add(52),
        b'+' => 62,
        b',' => 63,
        _ => return None,
    }))
}

/// Reads a name.
///
/// # Errors
/// [`InvalidUtf7`] for octets that are not printable ASCII, a `&` that is not closed, base64 that is none or is padded
/// with ones, half a surrogate pair, a printable ASCII character that is written in base64, and two shifts in a row.
pub fn decode(name: &[u8]) -> Result<String, InvalidUtf7> {
    // Nearly every name has no shift in it.
    if class::UTF7_PLAIN.has_all(name) {
        return std::str::from_utf8(name).map(str::to_owned).map_err(|_| InvalidUtf7);
    }
    let mut decoded = String::with_capacity(name.len());
    let mut octets = name.iter().copied().peekable();
    // A shift that begins where another has ended could have been one with it.
    let mut after_shift = false;
    while let Some(octet) = octets.next() {
        match octet {
            b'&' if octets.next_if_eq(&b'-').is_some() => {
                decoded.push('&');
                after_shift = false;
            }
            b'&' if after_shift => return Err(InvalidUtf7),
            b'&' => {
                shifted(&mut octets, &mut decoded)?;
                after_shift = true;
            }
            b' '..=b'~' => {
                decoded.push(char::from(octet));
                after_shift = false;
            }
            _ => return Err(InvalidUtf7),
        }
    }
    Ok(decoded)
}

/// What stands between `&` and `-`.
fn shifted(octets: &mut impl Iterator<Item = u8>, decoded: &mut String) -> Result<(), InvalidUtf7> {
    let (mut bits, mut count, mut high) = (0u32, 0u32, None);
    loop {
        match octets.next().ok_or(InvalidUtf7)? {
            b'-' => break,
            octet => {
                bits = (bits << 6) | sextet(octet).ok_or(InvalidUtf7)?;
                count += 6;
            }
        }
        if count < 16 {
            continue;
        }
        count -= 16;
        let unit = (bits >> count) & 0xffff;
        bits &= (1 << count) - 1;
        let code = match (high.take(), unit) {
            (None, 0xd800..=0xdbff) => {
                high = Some(unit);
                continue;
            }
            (None, 0x20..=0x7e) => return Err(InvalidUtf7),
            (None, unit) => unit,
            (Some(high), 0xdc00..=0xdfff) => 0x1_0000 + ((high - 0xd800) << 10) + (unit - 0xdc00),
            (Some(_), _) => return Err(InvalidUtf7),
        };
        decoded.push(char::from_u32(code).ok_or(InvalidUtf7)?);
    }
    // Less than a sextet is left over, and it is zeroes.
    if high.is_some() || count >= 6 || bits != 0 { Err(InvalidUtf7) } else { Ok(()) }
}

/// Writes a name.
pub fn encode(name: &str, out: &mut Vec<u8>) {
    let mut chars = name.chars().peekable();
    while let Some(char) = chars.next() {
        match char {
            '&' => out.extend_from_slice(b"&-"),
            ' '..='~' => out.push(char as u8),
            _ => {
                out.push(b'&');
                let (mut bits, mut count) = (0u32, 0u32);
                let mut next = Some(char);
                while let Some(char) = next {
                    let mut units = [0u16; 2];
                    for unit in char.encode_utf16(&mut units) {
                        bits = (bits << 16) | u32::from(*unit);
                        count += 16;
                        while count >= 6 {
                            count -= 6;
                            out.push(letter(bits >> count));
                        }
                        bits &= (1 << count) - 1;
                    }
                    next = chars.next_if(|char| !matches!(char, ' '..='~'));
                }
                if count > 0 {
                    out.push(letter(bits << (6 - count)));
                }
                out.push(b'-');
            }
        }
    }
}

fn letter(sextet: u32) -> u8 {
    ALPHABET.get((sextet & 63) as usize).copied().unwrap_or(b'A')
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn encoded(name: &str) -> Vec<u8> {
        let mut out = Vec::new();
        encode(name, &mut out);
        out
    }

    #[test]
    fn the_rfcs_own_names() {
        for (name, text) in [
            // RFC 3501 §5.1.3.
            ("~peter/mail/台北/日本語", "~peter/mail/&U,BTFw-/&ZeVnLIqe-"),
            ("R&D", "R&-D"),
            ("Entwürfe", "Entw&APw-rfe"),
            ("😀", "&2D3eAA-"),
            ("&&", "&-&-"),
            ("ü&", "&APw-&-"),
        ] {
            assert_eq!(encoded(name), text.as_bytes());
            assert_eq!(decode(text.as_bytes()).as_deref(), Ok(name));
        }
    }

    #[test]
    fn sec_p2_a_name_has_one_spelling() {
        for hostile in [
            &b"&AC8-"[..],
            b"&AC4ALg-",
            b"&AGE-",
            b"&Jjo",
            b"&",
            b"a&",
            b"&Jjo!",
            b"&JjoB-",
            b"&Jjp-",
            b"&J-",
            b"&Jj-",
            b"&2D0-",
            b"&3gA-",
            b"&2D0AYQ-",
            b"&U,BTFw-&ZeVnLIqe-",
            b"\xc3\xbc",
            b"a\0",
            b"a\r\n",
            b"&APw=-",
            b"&AP/-",
        ] {
            assert_eq!(decode(hostile), Err(InvalidUtf7), "{}", hostile.escape_ascii());
        }
    }

    #[test]
    fn every_code_point_comes_back() {
        for code in (0..0x11_0000).step_by(7).chain(0..0x3000).filter_map(char::from_u32) {
            let name = format!("a{code}{code}b");
            assert_eq!(decode(&encoded(&name)).as_deref(), Ok(&*name));
        }
    }

    proptest! {
        #[test]
        fn sec_p2_what_is_taken_is_written_the_same_way(octets in prop::collection::vec(
            prop::sample::select(b"&-AJjo+,2D3eQUw a/".to_vec()), 0..14)) {
            if let Ok(name) = decode(&octets) {
                prop_assert_eq!(encoded(&name), octets);
            }
        }

        #[test]
        fn any_name_comes_back(name in any::<String>()) {
            prop_assert_eq!(decode(&encoded(&name)), Ok(name));
        }
    }
}
