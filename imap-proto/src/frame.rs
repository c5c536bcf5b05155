//! Whole commands out of octets: lines, the literals that they announce, and the lines behind those, under ceilings.
//!
//! A command is framed first and parsed afterwards, in one piece. That bounds memory, reads no octet twice, and keeps the
//! borders of commands in garbage too. Whether a literal is taken is its caller's to decide, before an octet of it is
//! read: [`Piece::Literal`] asks.

use bytes::{Buf, BytesMut};
use mail_wire::line::{LineFault, LineReader};

/// What has come.
#[derive(Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Piece {
    /// A whole command: its line, and where a literal was announced the CRLF, the literal and what follows it. Without
    /// the last CRLF.
    Command(BytesMut),
    /// A line ends in `{octets}` or `{octets+}`. [`FrameReader::so_far`] is the command up to the brace;
    /// [`FrameReader::take_literal`] goes on with it, [`FrameReader::abandon`] does not.
    Literal(LiteralHead),
}

/// What stands in the braces before a literal (RFC 9051 §4.3).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct LiteralHead {
    /// How many octets follow. More than fit into 64 bits are told as [`u64::MAX`].
    pub octets: u64,
    /// Whether the client waits for a continuation before it sends them; with `{n+}` it does not (RFC 7888 §4).
    pub waits: bool,
}

impl LiteralHead {
    /// Reads what a line ends in. `None` if no literal is announced.
    pub fn at_end_of(line: &[u8]) -> Option<Self> {
        let inner = line.strip_suffix(b"}")?;
        let from = memchr::memrchr(b'{', inner)?.checked_add(1)?;
        let digits = inner.get(from..)?;
        let (digits, waits) = match digits.strip_suffix(b"+") {
            Some(digits) => (digits, false),
            None => (digits, true),
        };
        if digits.is_empty() || !digits.iter().all(u8::is_ascii_digit) {
            return None;
        }
        let add = |sum: u64, digit: &u8| sum.saturating_mul(10).saturating_add(u64::from(digit.wrapping_sub(b'0')));
        Some(Self { octets: digits.iter().fold(0, add), waits })
    }
}

/// Room that is made for a literal before it comes: a peer that announces one and sends none holds no more than this
/// (attack row M5).
const ROOM_MOST: usize = 4096;

/// Room for what stands behind a literal: nearly always little.
const ROOM_FOR_A_LINE: usize = 128;

/// Finds commands in what has been read. It holds no more of one than its caller has let it take.
#[derive(Debug, Default)]
pub struct FrameReader {
    lines: LineReader,
    /// The command up to its last literal, that literal included as far as it has come.
    so_far: BytesMut,
    /// Octets of the literal that are still to come.
    left: usize,
    literals: usize,
}

impl FrameReader {
    /// A reader at a command's start.
    pub fn new() -> Self {
        Self::default()
    }

    /// Takes the next piece off the front of `input`. `None` means: more octets, please. `line_limit` is for one line,
    /// CRLF included.
    ///
    /// # Errors
    /// A line that is none. It has been swallowed, and the command that it belonged to is forgotten.
    pub fn next(&mut self, input: &mut BytesMut, line_limit: usize) -> Option<Result<Piece, LineFault>> {
        if self.left > 0 {
            let count = self.left.min(input.len());
            self.so_far.extend_from_slice(input.get(..count).unwrap_or_default());
            input.advance(count);
            self.left = self.left.saturating_sub(count);
            if self.left > 0 {
                return None;
            }
        }
        let line = match self.lines.next_line(input, line_limit)? {
            Ok(line) => line,
            Err(fault) => {
                self.abandon();
                return Some(Err(fault));
            }
        };
        let head = LiteralHead::at_end_of(&line);
        if head.is_none() && self.so_far.is_empty() {
            // Nearly always a line is the whole of it.
            return Some(Ok(Piece::Command(line)));
        }
        if self.so_far.is_empty() {
            self.so_far = line;
        } else {
            self.so_far.extend_from_slice(&line);
        }
        Some(Ok(match head {
            Some(head) => Piece::Literal(head),
            None => {
                self.literals = 0;
                Piece::Command(std::mem::take(&mut self.so_far))
            }
        }))
    }

    /// The command as far as it has come: up to the brace of the literal that was announced last.
    pub fn so_far(&self) -> &[u8] {
        &self.so_far
    }

    /// How many literals of this command have been taken.
    pub fn literals(&self) -> usize {
        self.literals
    }

    /// Goes on with the literal that was announced: so many octets of it are taken in.
    pub fn take_literal(&mut self, octets: usize) {
        let room = octets.min(ROOM_MOST).saturating_add(ROOM_FOR_A_LINE);
        let needed = self.so_far.len().saturating_add(room);
        // The first line is a piece of its caller's buffer, and would grow into one as large as that. Later it is moved
        // only when it is full, and to twice the room: many empty literals cost no more than their octets (attack row M5).
        if self.literals == 0 || needed > self.so_far.capacity() {
            let capacity = if self.literals == 0 { needed } else { needed.max(self.so_far.len().saturating_mul(2)) };
            let mut so_far = BytesMut::with_capacity(capacity);
            so_far.extend_from_slice(&self.so_far);
            self.wipe();
            self.so_far = so_far;
        }
        self.so_far.extend_from_slice(b"\r\n");
        self.left = octets;
        self.literals = self.literals.saturating_add(1);
    }

    /// Forgets the command. What comes next is a line's start.
    pub fn abandon(&mut self) {
        self.wipe();
        self.so_far = BytesMut::new();
        self.left = 0;
        self.literals = 0;
    }

    /// A password may stand in what has come.
    fn wipe(&mut self) {
        self.so_far.fill(0);
        std::hint::black_box(&self.so_far);
    }

    /// Whether what comes next is the first octet of a command.
    pub fn is_at_start(&self) -> bool {
        self.so_far.is_empty() && !self.lines.is_discarding()
    }

    /// Whether a command has begun that has not ended.
    pub fn is_mid_command(&self, input: &BytesMut) -> bool {
        !self.so_far.is_empty() || self.lines.is_mid_line(input)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Takes every literal up to a ceiling, and tells what came.
    fn read(octets: &[u8], cut: usize) -> Vec<String> {
        let (mut reader, mut input, mut pieces) = (FrameReader::new(), BytesMut::new(), Vec::new());
        for chunk in octets.chunks(cut.max(1)) {
            input.extend_from_slice(chunk);
            while let Some(piece) = reader.next(&mut input, 64) {
                match piece {
                    Ok(Piece::Command(command)) => pieces.push(command.escape_ascii().to_string()),
                    Ok(Piece::Literal(LiteralHead { octets, waits })) => {
                        pieces.push(format!("{octets} {waits}"));
                        if octets > 100 {
                            reader.abandon();
                        } else {
                            reader.take_literal(usize::try_from(octets).unwrap());
                        }
                    }
                    Err(fault) => pieces.push(fault.to_string()),
                }
                assert!(reader.so_far().len() <= 1000);
            }
        }
        pieces
    }

    #[test]
    fn literals_belong_to_their_command_whatever_is_in_them() {
        for cut in [1, 2, 3, 7, 100] {
            assert_eq!(
                read(b"a LOGIN {3}\r\nx\r\n {4+}\r\na\0\nb\r\nb NOOP\r\n", cut),
                ["3 true", "4 false", "a LOGIN {3}\\r\\nx\\r\\n {4+}\\r\\na\\x00\\nb", "b NOOP"],
                "cut every {cut}"
            );
            assert_eq!(read(b"a x {0}\r\n\r\n\r\n", cut), ["0 true", "a x {0}\\r\\n", ""]);
        }
    }

    #[test]
    fn what_is_announced_is_a_number_in_braces_at_the_end() {
        for (line, head) in [
            (&b"a {5}"[..], Some((5, true))),
            (b"{5+}", Some((5, false))),
            (b"a ~{12}", Some((12, true))),
            (b"a {4294967295}", Some((4_294_967_295, true))),
            (b"a {99999999999999999999}", Some((u64::MAX, true))),
            (b"a {}", None),
            (b"a {+}", None),
            (b"a {-1}", None),
            (b"a {5++}", None),
            (b"a {5} ", None),
            (b"a {x}", None),
            (b"5}", None),
            (b"", None),
        ] {
            let head = head.map(|(octets, waits)| LiteralHead { octets, waits });
            assert_eq!(LiteralHead::at_end_of(line), head, "{}", line.escape_ascii());
        }
    }

    #[test]
    fn sec_m5_no_octet_of_a_literal_is_held_that_was_not_asked_for() {
        let (mut reader, mut input) = (FrameReader::new(), BytesMut::from("a LOGIN {4294967295}\r\n"));
        let piece = reader.next(&mut input, 8192);
        assert_eq!(piece, Some(Ok(Piece::Literal(LiteralHead { octets: 4_294_967_295, waits: true }))));
        assert!(reader.so_far.capacity() <= 8192);
        reader.abandon();
        input.extend_from_slice(b"b NOOP\r\n");
        assert_eq!(reader.next(&mut input, 8192), Some(Ok(Piece::Command(BytesMut::from("b NOOP")))));
    }

    #[test]
    fn sec_m5_many_empty_literals_are_moved_a_few_times() {
        let (mut reader, mut input) = (FrameReader::new(), BytesMut::from("{0+}\r\n".repeat(20_000).as_bytes()));
        let (mut moved, mut at) = (0, std::ptr::null());
        while let Some(piece) = reader.next(&mut input, 8192) {
            assert!(matches!(piece, Ok(Piece::Literal(_))));
            reader.take_literal(0);
            moved += usize::from(reader.so_far.as_ptr() != at);
            at = reader.so_far.as_ptr();
        }
        assert!(reader.so_far().len() > 100_000 && moved < 40, "moved {moved} times");
    }

    #[test]
    fn a_faulty_line_takes_its_command_with_it() {
        assert_eq!(read(b"a x {1}\r\n.b\nc\r\nd NOOP\r\n", 100), ["1 true", "bare LF in a line", "d NOOP"]);
    }

    proptest! {
        #[test]
        fn cutting_the_input_anywhere_changes_nothing(
            octets in prop::collection::vec(prop::sample::select(b"a{}1+\r\n\0 ".to_vec()), 0..120),
            cut in 1usize..9,
        ) {
            prop_assert_eq!(read(&octets, cut), read(&octets, octets.len()));
        }
    }
}
