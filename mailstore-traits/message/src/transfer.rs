//! Transfer encodings undone as octets go by (RFC 2045 §6).

/// Undoes a Content-Transfer-Encoding, chunk by chunk. It never fails: what is no code is passed over or left as it is
/// (RFC 2045 §6.7, §6.8 tell readers to be robust), and [`is_damaged`](Self::is_damaged) says so. It holds a few octets.
#[derive(Debug, Clone)]
pub struct TransferDecoder {
    state: State,
    damaged: bool,
}

#[derive(Debug, Clone)]
enum State {
    Identity,
    Base64 {
        bits: u32,
        count: u32,
        ended: bool,
    },
    /// What has been read and cannot be decided yet: `=` and what follows it, or white space that may end a line.
    QuotedPrintable {
        held: Vec<u8>,
    },
}

/// White space at a line's end is held back until the line goes on; RFC 2045 §6.7 has lines of 76, and what is longer
/// than this was not put there by a transport (attack row M11).
const BLANKS_MOST: usize = 1000;

impl TransferDecoder {
    /// For a part with that Content-Transfer-Encoding; `None` of it is 7bit. `None` for an encoding that nobody knows.
    pub fn new(encoding: Option<&[u8]>) -> Option<Self> {
        let is =
            |name: &str| encoding.is_some_and(|encoding| encoding.trim_ascii().eq_ignore_ascii_case(name.as_bytes()));
        // Some programs write 8-bit and mean it.
        let state = if encoding.is_none() || ["7bit", "8bit", "7-bit", "8-bit", "binary", ""].into_iter().any(is) {
            State::Identity
        } else if is("base64") {
            State::Base64 { bits: 0, count: 0, ended: false }
        } else if is("quoted-printable") {
            State::QuotedPrintable { held: Vec::new() }
        } else {
            return None;
        };
        Some(Self { state, damaged: false })
    }

    /// Whether what comes out is what goes in.
    pub fn is_identity(&self) -> bool {
        matches!(self.state, State::Identity)
    }

    /// Whether something was no code.
    pub fn is_damaged(&self) -> bool {
        self.damaged
    }

    /// Decodes a chunk, cut anywhere, and appends what it means. That is never more than the chunk and
    /// what was held back.
    pub fn decode(&mut self, input: &[u8], out: &mut Vec<u8>) {
        match &mut self.state {
            State::Identity => out.extend_from_slice(input),
            State::Base64 { bits, count, ended } => {
                for &octet in input {
                    let sextet = match octet {
                        b'A'..=b'Z' => octet.wrapping_sub(b'A'),
                        b'a'..=b'z' => octet.wrapping_sub(b'a').wrapping_add(26),
                        b'0'..=b'9' => octet.wrapping_sub(b'0').wrapping_add(52),
                        b'+' => 62,
                        b'/' => 63,
                        b'=' => {
                            // Padding ends a group; some programs join several encodings.
                            *count = 0;
                            *bits = 0;
                            *ended = true;
                            continue;
                        }
                        octet => {
                            self.damaged |= !octet.is_ascii_whitespace();
                            continue;
                        }
                    };
                    self.damaged |= std::mem::take(ended);
                    *bits = (*bits << 6) | u32::from(sextet);
                    *count = count.wrapping_add(6);
                    if *count >= 8 {
                        *count = count.wrapping_sub(8);
                        out.push((*bits >> *count) as u8);
                        *bits &= (1 << *count) - 1;
                    }
                }
            }
            State::QuotedPrintable { held } => {
                let mut rest = input;
                while let Some((&octet, behind)) = rest.split_first() {
                    if held.is_empty() {
                        // Most of it means itself.
                        let plain = rest.iter().position(|octet| matches!(octet, b'=' | b' ' | b'\t' | b'\r'));
                        let plain = plain.unwrap_or(rest.len());
                        if plain > 0 {
                            let (means_itself, behind) = rest.split_at(plain);
                            out.extend_from_slice(means_itself);
                            rest = behind;
                            continue;
                        }
                    }
                    rest = behind;
                    self.damaged |= quoted(held, octet, out);
                }
            }
        }
    }

    /// The part is over: what was held back is decided.
    pub fn finish(&mut self, out: &mut Vec<u8>) {
        match &mut self.state {
            State::Identity => {}
            State::Base64 { count, .. } => self.damaged |= *count >= 6,
            State::QuotedPrintable { held } => {
                // White space before the end is a transport's; a soft break before it is one.
                let is_blank = held.iter().all(|octet| matches!(octet, b' ' | b'\t'));
                if !is_blank && held.as_slice() != b"=" && held.as_slice() != b"=\r" {
                    self.damaged |= held.first() == Some(&b'=');
                    out.extend_from_slice(held);
                }
                held.clear();
            }
        }
    }
}

/// One octet of quoted-printable behind what is held. Answers whether it was no code.
fn quoted(held: &mut Vec<u8>, octet: u8, out: &mut Vec<u8>) -> bool {
    match (held.first(), octet) {
        (None, b'=' | b' ' | b'\t' | b'\r') => held.push(octet),
        (None, _) => out.push(octet),
        (Some(b'='), _) => return escaped(held, octet, out),
        // White space that a line ended behind was not there (RFC 2045 §6.7, rule 3).
        (Some(b' ' | b'\t'), b'\r' | b'\n') => {
            held.clear();
            return quoted_after(held, octet, out);
        }
        (Some(b' ' | b'\t'), b' ' | b'\t') if held.len() < BLANKS_MOST => held.push(octet),
        // White space in a line, or a CR.
        (Some(_), _) => {
            out.append(held);
            return quoted_after(held, octet, out);
        }
    }
    false
}

/// One octet behind nothing that is held.
fn quoted_after(held: &mut Vec<u8>, octet: u8, out: &mut Vec<u8>) -> bool {
    match octet {
        b'=' | b' ' | b'\t' | b'\r' => held.push(octet),
        octet => out.push(octet),
    }
    false
}

/// One octet behind `=`.
fn escaped(held: &mut Vec<u8>, octet: u8, out: &mut Vec<u8>) -> bool {
    let hex = |octet: u8| char::from(octet).to_digit(16).and_then(|digit| u8::try_from(digit).ok());
    match (held.as_slice(), octet) {
        // A soft line break, with white space that a transport has added, and with LF alone.
        (_, b'\n') if held.iter().skip(1).all(|octet| matches!(octet, b' ' | b'\t' | b'\r')) => {
            held.clear();
            false
        }
        ([b'='], b' ' | b'\t' | b'\r') => {
            held.push(octet);
            false
        }
        ([b'=', .., b' ' | b'\t'], b' ' | b'\t' | b'\r') if held.len() < BLANKS_MOST => {
            held.push(octet);
            false
        }
        ([b'='], octet) if hex(octet).is_some() => {
            held.push(octet);
            false
        }
        ([b'=', high], low) if hex(*high).is_some() && hex(low).is_some() => {
            let octet = hex(*high).unwrap_or(0).wrapping_mul(16).wrapping_add(hex(low).unwrap_or(0));
            held.clear();
            out.push(octet);
            false
        }
        // No code: it stands for itself.
        _ => {
            out.append(held);
            quoted_after(held, octet, out);
            true
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn decoded(encoding: &str, input: &[u8], cut: usize) -> (Vec<u8>, bool) {
        let mut decoder = TransferDecoder::new(Some(encoding.as_bytes())).unwrap();
        let mut out = Vec::new();
        input.chunks(cut.max(1)).for_each(|chunk| decoder.decode(chunk, &mut out));
        decoder.finish(&mut out);
        (out, decoder.is_damaged())
    }

    #[test]
    #[cfg_attr(miri, ignore = "minutes, interpreted")]
    fn the_rfcs_own_codes() {
        for (encoding, input, expected, damaged) in [
            ("BASE64", &b"Zm9vYmFy"[..], &b"foobar"[..], false),
            ("base64", b"Zm9v\r\nYg==\r\n", b"foob", false),
            ("base64", b"Zg", b"f", false),
            ("base64", b"Z", b"", true),
            ("base64", b"Zm!9v", b"foo", true),
            ("base64", b"Zg==Zg==", b"ff", true),
            (
                "quoted-printable",
                b"Now's the time =\r\nfor all folk to come=\r\n to the aid",
                b"Now's the time for all folk to come to the aid",
                false,
            ),
            ("quoted-printable", b"a=3D=c3=BC", b"a=\xc3\xbc", false),
            ("quoted-printable", b"trailing  \r\nblank\t", b"trailing\r\nblank", false),
            ("quoted-printable", b"soft=  \r\nbreak=", b"softbreak", false),
            ("quoted-printable", b"soft=\nbreak", b"softbreak", false),
            ("quoted-printable", b"100% =zz =4", b"100% =zz =4", true),
            ("quoted-printable", b"a b\tc", b"a b\tc", false),
            ("quoted-printable", b"==41", b"=A", true),
            ("8bit", b"\xff\0=", b"\xff\0=", false),
        ] {
            for cut in [1, 2, 3, 100] {
                assert_eq!(decoded(encoding, input, cut), (expected.to_vec(), damaged), "{}", input.escape_ascii());
            }
        }
        assert!(TransferDecoder::new(Some(b"x-uuencode")).is_none());
        assert!(TransferDecoder::new(None).is_some_and(|decoder| decoder.is_identity()));
    }

    proptest! {
        #[test]
        #[cfg_attr(miri, ignore = "minutes, interpreted")]
        fn cutting_the_octets_changes_nothing(
            input in prop::collection::vec(prop::sample::select(b"=A4f \t\r\nz+/".to_vec()), 0..60), cut in 1usize..7) {
            for encoding in ["base64", "quoted-printable"] {
                let whole = decoded(encoding, &input, input.len());
                prop_assert!(whole.0.len() <= input.len());
                prop_assert_eq!(decoded(encoding, &input, cut), whole);
            }
        }
    }
}
