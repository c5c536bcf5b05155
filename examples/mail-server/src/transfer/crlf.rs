//! Line ends: LF in files, CRLF in mail.

/// Makes every line end CRLF, the last line's too: bare LF and bare CR alike, as a server does with what comes by SMTP.
#[derive(Debug, Default)]
pub(super) struct ToCrlf {
    /// A CR has come whose LF may follow.
    after_cr: bool,
    /// Something of a line has come.
    mid_line: bool,
}

impl ToCrlf {
    /// Converts some octets, cut anywhere.
    pub(super) fn push(&mut self, octets: &[u8], out: &mut Vec<u8>) {
        let mut rest = octets;
        while let Some(&first) = rest.first() {
            let at = memchr::memchr2(b'\r', b'\n', rest).unwrap_or(rest.len());
            let (text, more) = rest.split_at(at);
            if text.is_empty() {
                match first {
                    // The LF of a CRLF that has been written already.
                    b'\n' if self.after_cr => self.after_cr = false,
                    end => {
                        out.extend_from_slice(b"\r\n");
                        self.after_cr = end == b'\r';
                    }
                }
                self.mid_line = false;
                rest = more.get(1..).unwrap_or_default();
            } else {
                self.after_cr = false;
                self.mid_line = true;
                out.extend_from_slice(text);
                rest = more;
            }
        }
    }

    /// Completes the last line.
    pub(super) fn finish(self, out: &mut Vec<u8>) {
        if self.mid_line {
            out.extend_from_slice(b"\r\n");
        }
    }
}

/// Makes every CRLF an LF, for files of systems whose lines end so.
#[derive(Debug, Default)]
pub(super) struct ToLf {
    held_cr: bool,
}

impl ToLf {
    /// Converts some octets, cut anywhere.
    pub(super) fn push(&mut self, octets: &[u8], mut out: impl FnMut(&[u8])) {
        let mut rest = octets;
        let Some(&first) = rest.first() else { return };
        if std::mem::take(&mut self.held_cr) && first != b'\n' {
            out(b"\r");
        }
        while let Some(at) = memchr::memchr(b'\r', rest) {
            let (text, more) = rest.split_at(at);
            out(text);
            match more.get(1) {
                Some(b'\n') => {}
                Some(_) => out(b"\r"),
                None => self.held_cr = true,
            }
            rest = more.get(1..).unwrap_or_default();
        }
        out(rest);
    }

    /// Gives what was held back.
    pub(super) fn finish(self, mut out: impl FnMut(&[u8])) {
        if self.held_cr {
            out(b"\r");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn split_anywhere(octets: &[u8], convert: impl Fn(&[&[u8]]) -> Vec<u8>, expected: &[u8]) {
        for at in 0..=octets.len() {
            let (a, b) = octets.split_at(at);
            assert_eq!(convert(&[a, b]).escape_ascii().to_string(), expected.escape_ascii().to_string(), "cut at {at}");
        }
        let single: Vec<&[u8]> = octets.chunks(1).collect();
        assert_eq!(convert(&single), expected);
    }

    #[test]
    fn every_line_end_becomes_crlf_wherever_the_octets_are_cut() {
        let convert = |parts: &[&[u8]]| {
            let (mut to, mut out) = (ToCrlf::default(), Vec::new());
            parts.iter().for_each(|part| to.push(part, &mut out));
            to.finish(&mut out);
            out
        };
        for (octets, expected) in [
            ("a\nb\r\nc\rd", "a\r\nb\r\nc\r\nd\r\n"),
            ("\n\n\r\r\n", "\r\n\r\n\r\n\r\n"),
            ("\r\n", "\r\n"),
            ("a", "a\r\n"),
            ("", ""),
            ("a\r\n", "a\r\n"),
        ] {
            split_anywhere(octets.as_bytes(), convert, expected.as_bytes());
        }
    }

    #[test]
    fn every_crlf_becomes_lf_wherever_the_octets_are_cut() {
        let convert = |parts: &[&[u8]]| {
            let (mut to, mut out) = (ToLf::default(), Vec::new());
            parts.iter().for_each(|part| to.push(part, |text| out.extend_from_slice(text)));
            to.finish(|text| out.extend_from_slice(text));
            out
        };
        for (octets, expected) in
            [("a\r\nb\r\n", "a\nb\n"), ("\r\r\n\rx\r", "\r\n\rx\r"), ("", ""), ("\r", "\r"), ("\n\r\n", "\n\n")]
        {
            split_anywhere(octets.as_bytes(), convert, expected.as_bytes());
        }
    }
}
