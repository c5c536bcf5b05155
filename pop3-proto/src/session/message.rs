//! A message on its way to the client: counted, cut for TOP, dots stuffed (RFC 1939 §3, §5 and §7).

use bytes::BytesMut;
use mail_wire::dot::DotEncoder;

use super::utf8::AsciiHeader;
use crate::error::UsageError;

/// A message that has begun.
#[derive(Debug)]
pub(super) struct Transfer {
    encoder: DotEncoder,
    /// Octets that the host has not given yet.
    left: u64,
    /// For clients that have not said UTF8.
    ascii: Option<AsciiHeader>,
    /// For TOP.
    top: Option<Top>,
}

impl Transfer {
    /// A message of so many octets; for TOP, of which the header and so many lines are wanted.
    /// With `ascii`, no octet above 127 of the header is sent.
    pub(super) fn new(size: u64, lines: Option<u64>, ascii: bool) -> Self {
        let ascii = ascii.then(AsciiHeader::new);
        Self { encoder: DotEncoder::new(), left: size, ascii, top: lines.map(Top::new) }
    }

    /// Whether more octets are wanted.
    pub(super) fn wants_octets(&self) -> bool {
        self.left > 0 && !self.top.as_ref().is_some_and(Top::is_done)
    }

    /// The next octets, cut anywhere. What TOP does not want of them is dropped.
    pub(super) fn octets(&mut self, octets: &[u8], out: &mut BytesMut) -> Result<(), UsageError> {
        self.left = self.left.checked_sub(octets.len() as u64).ok_or(UsageError::TooManyOctets)?;
        let octets = match &mut self.ascii {
            Some(ascii) => ascii.take(octets),
            None => octets.into(),
        };
        let wanted = match &mut self.top {
            Some(top) => top.take(&octets),
            None => &octets,
        };
        self.encoder.encode(wanted, out);
        Ok(())
    }

    /// The end, if it has come.
    pub(super) fn end(&mut self, out: &mut BytesMut) -> Result<(), UsageError> {
        if self.wants_octets() {
            return Err(UsageError::TooFewOctets);
        }
        self.encoder.finish(out);
        Ok(())
    }
}

/// Finds the end of the header and of the lines that TOP wants. What ends a line here is what the encoder makes a CRLF
/// of: CRLF, or a CR or LF that stands alone.
#[derive(Debug)]
pub(super) struct Top {
    phase: Phase,
    /// Nothing of the line has come yet.
    line_is_empty: bool,
    /// The last octet was a CR: an LF belongs to it.
    behind_cr: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Phase {
    /// In the header; so many lines are wanted behind it.
    Header(u64),
    /// In the body; so many more lines are wanted, at least one.
    Body(u64),
    Done,
}

impl Top {
    pub(super) fn new(lines: u64) -> Self {
        Self { phase: Phase::Header(lines), line_is_empty: true, behind_cr: false }
    }

    pub(super) fn is_done(&self) -> bool {
        self.phase == Phase::Done
    }

    /// So much of the octets as is wanted.
    pub(super) fn take<'a>(&mut self, octets: &'a [u8]) -> &'a [u8] {
        let mut rest = octets;
        while self.phase != Phase::Done {
            if !rest.is_empty()
                && std::mem::take(&mut self.behind_cr)
                && let [b'\n', behind @ ..] = rest
            {
                rest = behind;
            }
            let Some(at) = memchr::memchr2(b'\r', b'\n', rest) else {
                self.line_is_empty &= rest.is_empty();
                return octets;
            };
            self.behind_cr = rest.get(at) == Some(&b'\r');
            self.end_line(at);
            rest = rest.get(at.saturating_add(1)..).unwrap_or_default();
        }
        // A CR is enough here: the encoder completes the line.
        let wanted = octets.len().saturating_sub(rest.len());
        octets.get(..wanted).unwrap_or_default()
    }

    /// A line has ended, of which so many octets came last.
    fn end_line(&mut self, octets: usize) {
        let was_empty = std::mem::replace(&mut self.line_is_empty, true) && octets == 0;
        self.phase = match self.phase {
            Phase::Header(lines) if !was_empty => Phase::Header(lines),
            Phase::Header(0) | Phase::Body(0 | 1) | Phase::Done => Phase::Done,
            Phase::Header(lines) => Phase::Body(lines),
            Phase::Body(lines) => Phase::Body(lines.saturating_sub(1)),
        };
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn send(message: &[u8], lines: Option<u64>, cut: usize) -> String {
        let mut transfer = Transfer::new(message.len() as u64, lines, false);
        let mut out = BytesMut::new();
        for chunk in message.chunks(cut) {
            if transfer.wants_octets() {
                transfer.octets(chunk, &mut out).unwrap();
            }
        }
        transfer.end(&mut out).unwrap();
        String::from_utf8(out.to_vec()).unwrap()
    }

    const MESSAGE: &[u8] = b"Subject: x\r\nTo: y\r\n\r\none\r\n.two\r\n\r\nfour\r\n";

    #[test]
    #[cfg_attr(miri, ignore = "minutes, interpreted")]
    fn top_sends_the_header_the_blank_line_and_so_many_lines() {
        let header = "Subject: x\r\nTo: y\r\n\r\n";
        for cut in 1..MESSAGE.len() + 1 {
            for (lines, body) in [
                (0, ""),
                (1, "one\r\n"),
                (2, "one\r\n..two\r\n"),
                (3, "one\r\n..two\r\n\r\n"),
                (4, "one\r\n..two\r\n\r\nfour\r\n"),
                (5, "one\r\n..two\r\n\r\nfour\r\n"),
                (u64::MAX, "one\r\n..two\r\n\r\nfour\r\n"),
            ] {
                assert_eq!(send(MESSAGE, Some(lines), cut), format!("{header}{body}.\r\n"), "{lines} cut every {cut}");
            }
        }
    }

    #[test]
    fn top_takes_odd_messages() {
        for (message, lines, expected) in [
            (&b""[..], 5, ".\r\n"),
            (b"no body", 5, "no body\r\n.\r\n"),
            (b"A: b\r\nno body\r\n", 0, "A: b\r\nno body\r\n.\r\n"),
            (b"\r\nno header\r\nmore\r\n", 1, "\r\nno header\r\n.\r\n"),
            (b"A: b\n\none\ntwo\n", 1, "A: b\r\n\r\none\r\n.\r\n"),
            (b"A: b\r\rone\rtwo\r", 1, "A: b\r\n\r\none\r\n.\r\n"),
            (b"A: b\r\n\r\none", 3, "A: b\r\n\r\none\r\n.\r\n"),
        ] {
            for cut in 1..message.len() + 2 {
                assert_eq!(send(message, Some(lines), cut), expected, "{} cut every {cut}", message.escape_ascii());
            }
        }
    }

    #[test]
    fn sec_i3_no_message_ends_the_response_early() {
        for (message, expected) in [
            (&b"."[..], "..\r\n.\r\n"),
            (b".\r\n", "..\r\n.\r\n"),
            (b"..", "...\r\n.\r\n"),
            (b"a\n.\nb", "a\r\n..\r\nb\r\n.\r\n"),
            (b"a\n.\r\nb\r\n", "a\r\n..\r\nb\r\n.\r\n"),
            (b"a\r.\rb\r", "a\r\n..\r\nb\r\n.\r\n"),
            (b"a\r\n.\r\n-ERR x\r\n", "a\r\n..\r\n-ERR x\r\n.\r\n"),
            (b"", ".\r\n"),
        ] {
            for cut in 1..message.len() + 2 {
                assert_eq!(send(message, None, cut), expected, "{} cut every {cut}", message.escape_ascii());
                assert_eq!(send(message, Some(99), cut), expected, "{} cut every {cut}", message.escape_ascii());
            }
        }
    }

    #[test]
    fn the_octets_are_counted() {
        let mut out = BytesMut::new();
        let mut transfer = Transfer::new(4, None, false);
        assert_eq!(transfer.octets(b"abcde", &mut out), Err(UsageError::TooManyOctets));
        assert!(out.is_empty(), "nothing of it is sent");
        transfer.octets(b"abc", &mut out).unwrap();
        assert_eq!(transfer.end(&mut out), Err(UsageError::TooFewOctets));
        transfer.octets(b"d", &mut out).unwrap();
        assert!(!transfer.wants_octets());
        assert_eq!(transfer.octets(b"e", &mut out), Err(UsageError::TooManyOctets));
        transfer.end(&mut out).unwrap();
        assert_eq!(out, "abcd\r\n.\r\n");
    }

    /// The rule itself, over the whole message.
    fn top_of(message: &str, lines: usize) -> String {
        let mut told = String::new();
        let (mut in_body, mut left) = (false, lines);
        for line in message.split_inclusive("\r\n") {
            if in_body && left == 0 {
                break;
            }
            left -= usize::from(in_body);
            in_body |= line == "\r\n";
            told.push_str(if line.starts_with('.') { "." } else { "" });
            told.push_str(line);
        }
        told + ".\r\n"
    }

    proptest! {
        #[test]
        fn cutting_the_message_anywhere_changes_nothing(
            lines in prop::collection::vec("[.a]{0,2}", 0..8),
            wanted in 0usize..5,
            cut in 1usize..7,
        ) {
            let message: String = lines.iter().flat_map(|line| [line.as_str(), "\r\n"]).collect();
            prop_assert_eq!(send(message.as_bytes(), Some(wanted as u64), cut), top_of(&message, wanted));
        }
    }
}
