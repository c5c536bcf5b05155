//! Lines that end in CRLF and in nothing else, under a ceiling (RFC 5321 §2.3.8, RFC 9051 §2.2, RFC 1939 §3).
//!
//! The complete line is found first and parsed afterwards. That bounds memory, reads no octet twice, and keeps the
//! borders of commands in garbage too: a bare LF never ends a line, so `NOOP LF RSET CRLF` is one faulty line and not two
//! commands (attack row S4).

use bytes::{Buf, BytesMut};

/// Why a line was thrown away. It has been swallowed up to its CRLF, and the next one stands in front.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum LineFault {
    /// More octets than the ceiling, CRLF included.
    #[error("line too long")]
    TooLong,
    /// An LF without a CR before it.
    #[error("bare LF in a line")]
    BareLf,
    /// A CR without an LF behind it.
    #[error("bare CR in a line")]
    BareCr,
    /// A NUL.
    #[error("NUL in a line")]
    Nul,
}

/// Finds lines in what has been read. It keeps no octets: they wait in the caller's buffer, never more than the ceiling
/// of them (attack row M1).
#[derive(Debug, Clone, Default)]
pub struct LineReader {
    /// Octets at the front of the input that are known to hold no line end.
    scanned: usize,
    /// The line was past the ceiling and what had come of it was thrown away.
    discarding: bool,
}

impl LineReader {
    /// A reader at a line's start.
    pub const fn new() -> Self {
        Self { scanned: 0, discarding: false }
    }

    /// Takes the next line off the front of `input` and gives it without its CRLF. `None` means: more octets, please.
    ///
    /// `limit` counts the CRLF. It may differ from call to call, with the state of the session.
    ///
    /// # Errors
    /// A line with a [`LineFault`] is swallowed and told once, when its CRLF has come.
    pub fn next_line(&mut self, input: &mut BytesMut, limit: usize) -> Option<Result<BytesMut, LineFault>> {
        Some(self.find_line(input, limit)?.map(|end| {
            let mut line = input.split_to(end);
            line.truncate(end.saturating_sub(2));
            line
        }))
    }

    /// Reads the next line where it stands, without its CRLF, and takes it off the front of `input`: for those that keep
    /// nothing of it, or wipe it. Otherwise as [`next_line`](Self::next_line).
    ///
    /// # Errors
    /// A line with a [`LineFault`] is swallowed and told once, when its CRLF has come.
    #[inline]
    pub fn read_line<T>(
        &mut self,
        input: &mut BytesMut,
        limit: usize,
        read: impl FnOnce(&mut [u8]) -> T,
    ) -> Option<Result<T, LineFault>> {
        match self.find_line(input, limit)? {
            Ok(end) => {
                let read = Some(Ok(read(input.get_mut(..end.saturating_sub(2)).unwrap_or_default())));
                input.advance(end);
                read
            }
            Err(fault) => Some(Err(fault)),
        }
    }

    /// Where the line at the front of `input` ends, its CRLF included. One with a fault has been taken off.
    fn find_line(&mut self, input: &mut BytesMut, limit: usize) -> Option<Result<usize, LineFault>> {
        let Some(end) = self.find_line_end(input) else {
            // A CR at the end may be half of a CRLF that is still to come, so it stays.
            let keep = usize::from(input.last() == Some(&b'\r'));
            if self.discarding || input.len().saturating_sub(keep).saturating_add(2) > limit {
                self.discarding = true;
                input.advance(input.len().saturating_sub(keep));
            }
            self.scanned = input.len();
            return None;
        };
        let too_long = std::mem::take(&mut self.discarding) || end > limit;
        self.scanned = 0;
        let line = input.get(..end.saturating_sub(2)).unwrap_or_default();
        let fault = if too_long { Some(LineFault::TooLong) } else { check(line).err() };
        Some(match fault {
            Some(fault) => {
                input.advance(end);
                Err(fault)
            }
            None => Ok(end),
        })
    }

    /// Whether a line has begun that has not ended.
    pub fn is_mid_line(&self, input: &BytesMut) -> bool {
        self.discarding || !input.is_empty()
    }

    /// Whether what stands at the front of the input is the rest of a line that is being thrown away.
    pub fn is_discarding(&self) -> bool {
        self.discarding
    }

    /// The first position behind a CRLF.
    fn find_line_end(&self, input: &BytesMut) -> Option<usize> {
        // The last octet that was scanned may be the CR of an LF that has just come.
        let from = self.scanned.saturating_sub(1);
        let unscanned = input.get(from..)?;
        // Nearly always the first LF is the one: to look for two octets costs more than most lines have.
        memchr::memchr_iter(b'\n', unscanned)
            .find(|at| at.checked_sub(1).and_then(|before| unscanned.get(before)) == Some(&b'\r'))
            .map(|at| from + at + 1)
    }
}

fn check(line: &[u8]) -> Result<(), LineFault> {
    match memchr::memchr3(b'\r', b'\n', 0, line).and_then(|at| line.get(at)) {
        None => Ok(()),
        Some(b'\n') => Err(LineFault::BareLf),
        Some(b'\r') => Err(LineFault::BareCr),
        Some(_) => Err(LineFault::Nul),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn read_all(octets: &[u8], limit: usize, cut: usize) -> Vec<Result<Vec<u8>, LineFault>> {
        let (mut reader, mut input, mut lines) = (LineReader::new(), BytesMut::new(), Vec::new());
        for chunk in octets.chunks(cut.max(1)) {
            input.extend_from_slice(chunk);
            while let Some(line) = reader.next_line(&mut input, limit) {
                lines.push(line.map(|line| line.to_vec()));
            }
            assert!(input.len() <= limit, "no more than the ceiling waits");
        }
        lines
    }

    #[test]
    fn sec_s4_only_crlf_ends_a_line() {
        for cut in [1, 2, 3, 100] {
            assert_eq!(
                read_all(b"NOOP\nRSET\r\nEHLO a\0b\r\nA\rB\r\nC\r\r\n\r\nQUIT\r\n", 512, cut),
                [
                    Err(LineFault::BareLf),
                    Err(LineFault::Nul),
                    Err(LineFault::BareCr),
                    Err(LineFault::BareCr),
                    Ok(Vec::new()),
                    Ok(b"QUIT".to_vec()),
                ],
                "cut every {cut}"
            );
        }
    }

    #[test]
    fn the_ceiling_counts_the_crlf() {
        for cut in [1, 2, 7, 100] {
            assert_eq!(read_all(b"12345678\r\n", 10, cut), [Ok(b"12345678".to_vec())]);
            assert_eq!(
                read_all(b"123456789\r\nNEXT\r\n", 10, cut),
                [Err(LineFault::TooLong), Ok(b"NEXT".to_vec())],
                "cut every {cut}"
            );
        }
    }

    #[test]
    #[cfg_attr(miri, ignore = "minutes, interpreted")]
    fn sec_m1_a_line_without_end_is_not_kept() {
        let (mut reader, mut input) = (LineReader::new(), BytesMut::new());
        let chunk = vec![b'x'; 16 * 1024];
        for _ in 0..(1 << 30) / chunk.len() {
            input.extend_from_slice(&chunk);
            assert!(reader.next_line(&mut input, 512).is_none());
            assert!(input.len() <= 512 && input.capacity() <= 64 * 1024);
        }
        input.extend_from_slice(b"\r\nNOOP\r\n");
        assert_eq!(reader.next_line(&mut input, 512), Some(Err(LineFault::TooLong)));
        assert_eq!(reader.next_line(&mut input, 512), Some(Ok(BytesMut::from("NOOP"))));
    }

    proptest! {
        #[test]
        fn cutting_the_input_anywhere_changes_nothing(
            octets in prop::collection::vec(prop::sample::select(b"ab\r\n\0".to_vec()), 0..80),
            limit in 2usize..12,
            cut in 1usize..9,
        ) {
            prop_assert_eq!(read_all(&octets, limit, cut), read_all_at_once(&octets, limit));
        }
    }

    /// The rule itself: split behind each CRLF, judge each piece.
    fn read_all_at_once(octets: &[u8], limit: usize) -> Vec<Result<Vec<u8>, LineFault>> {
        let mut lines = Vec::new();
        let mut rest = octets;
        while let Some(at) = rest.windows(2).position(|pair| pair == b"\r\n") {
            let line = &rest[..at];
            lines.push(if at + 2 > limit {
                Err(LineFault::TooLong)
            } else {
                match line.iter().find(|octet| b"\r\n\0".contains(octet)) {
                    None => Ok(line.to_vec()),
                    Some(b'\n') => Err(LineFault::BareLf),
                    Some(b'\r') => Err(LineFault::BareCr),
                    Some(_) => Err(LineFault::Nul),
                }
            });
            rest = &rest[at + 2..];
        }
        lines
    }
}
