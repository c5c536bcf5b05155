//! Charsets, read into UTF-8 as octets go by.

use encoding_rs::{CoderResult, Decoder, Encoding, UTF_8};

/// The charset of that name, in any case, by the names that mail and the web use. `None` if nobody knows it, and for
/// charsets in which a stateful decoder could be made to hide text.
pub fn charset(name: &[u8]) -> Option<&'static Encoding> {
    let name = name.trim_ascii();
    let is = |other: &str| name.eq_ignore_ascii_case(other.as_bytes());
    if is("us-ascii") || is("ascii") || is("unknown-8bit") {
        // What is beyond ASCII in it is read as what it most often is.
        return Some(encoding_rs::WINDOWS_1252);
    }
    // Labels of the web that mail writes otherwise.
    if is("cp932") || is("windows-932") {
        return Some(encoding_rs::SHIFT_JIS);
    }
    if is("cp936") {
        return Some(encoding_rs::GBK);
    }
    if is("cp949") {
        return Some(encoding_rs::EUC_KR);
    }
    Encoding::for_label_no_replacement(name)
}

/// Reads one charset, chunk by chunk. What is malformed becomes U+FFFD.
#[derive(Debug)]
pub struct CharsetDecoder {
    decoder: Decoder,
}

impl CharsetDecoder {
    /// For a text in that charset; UTF-8 if nobody knows it.
    pub fn new(charset: Option<&'static Encoding>) -> Self {
        Self { decoder: charset.unwrap_or(UTF_8).new_decoder_without_bom_handling() }
    }

    /// Decodes a chunk, cut anywhere, and appends its text; with `last`, what was held back as well.
    pub fn decode(&mut self, mut input: &[u8], last: bool, out: &mut String) {
        loop {
            let room = self.decoder.max_utf8_buffer_length(input.len()).unwrap_or(input.len().saturating_add(16));
            out.reserve(room.max(16));
            let (result, read, _) = self.decoder.decode_to_string(input, out, last);
            input = input.get(read..).unwrap_or_default();
            if result == CoderResult::InputEmpty {
                return;
            }
        }
    }
}

/// A whole text in that charset.
pub fn decode(charset: &'static Encoding, input: &[u8]) -> String {
    charset.decode_without_bom_handling(input).0.into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn charsets_are_known_by_the_names_of_mail() {
        for (name, input, text) in [
            ("utf-8", &b"\xc3\xbc"[..], "ü"),
            ("ISO-8859-1", b"\xfc", "ü"),
            ("us-ascii", b"a", "a"),
            ("windows-1251", b"\xcf", "П"),
            ("KOI8-R", b"\xf0", "П"),
            ("iso-2022-jp", b"\x1b$B9a9A\x1b(B", "香港"),
            ("Shift_JIS", b"\x82\xa0", "あ"),
            ("big5", b"\xa7A", "你"),
            ("gb2312", b"\xc4\xe3", "你"),
            ("euc-kr", b"\xb0\xa1", "가"),
        ] {
            let charset = charset(name.as_bytes()).unwrap();
            assert_eq!(decode(charset, input), text, "{name}");
            let mut decoder = CharsetDecoder::new(Some(charset));
            let mut out = String::new();
            input.iter().for_each(|octet| decoder.decode(&[*octet], false, &mut out));
            decoder.decode(b"", true, &mut out);
            assert_eq!(out, text, "{name}, octet by octet");
        }
        for unknown in ["x-foo", "", "utf-7", "hz-gb-2312"] {
            assert_eq!(charset(unknown.as_bytes()), None, "{unknown}");
        }
    }
}
