//! Stretches of a message that comes in, with or without dots: what [`dot`](crate::dot) and
//! [`line_ends`](crate::line_ends) have in common.

use bytes::{Buf, Bytes, BytesMut};

use crate::line_ends::{Faults, LineEndPolicy};

/// Finds what may pass as it is and makes good what may not. `DOTS` says whether a dot at a line's start means anything.
#[derive(Debug, Clone)]
pub(crate) struct Stretches<const DOTS: bool> {
    policy: LineEndPolicy,
    at: Position,
    faults: Faults,
}

/// What comes of it.
#[derive(Debug)]
pub(crate) enum Stretch {
    /// Octets of the message; never none.
    Octets(Bytes),
    /// The end of data. It comes once, and only where dots mean something.
    End,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Position {
    /// Behind a CRLF, or before the first octet: the only place where a dot means something.
    LineStart,
    MidLine,
    Ended,
}

/// The next thing in the input.
enum Piece {
    /// So many octets that pass as they are, and where they lead.
    Run(usize, Position),
    /// A dot that was put in front of a line.
    Dot,
    /// A CR or LF that stands alone.
    BareCr,
    BareLf,
    Nul,
    End,
    /// It cannot be known yet.
    Undecided,
}

/// A stretch this long is worth a slice that keeps its read buffer alive.
const WORTH_A_SLICE: usize = 512;
/// A stretch shorter than this is moved up by the dots before it.
const MOVED: usize = 4096;
/// Short stretches are joined up to this many octets.
const JOINED: usize = 4096;
/// So many octets are looked at as one: the compiler makes a few instructions of it.
const BLOCK: usize = 128;
/// And so many where no dot is near.
const LARGE_BLOCK: usize = 256;
/// Octets behind a block that are looked at with it.
const BEHIND: usize = 2;
/// So far ahead a dot is looked for: some whole blocks. Farther would be in vain if something else is remarkable nearby.
const AHEAD: usize = 2048 + BEHIND;
/// A dot at a line's start is a sign that more of them are near. Whole lines up to this many octets are copied one octet
/// after the other, which is cheaper than to begin a search for each of them.
const SHORT_LINE: usize = 16;
/// As many octets of such lines are joined at a time.
const SHORT_LINES: usize = 128;

impl<const DOTS: bool> Stretches<DOTS> {
    pub(crate) const fn new(policy: LineEndPolicy) -> Self {
        Self { policy, at: Position::LineStart, faults: Faults { bare_cr: false, bare_lf: false, nul: false } }
    }

    /// Takes octets off the front of `input`. `None` means: more, please; after [`Stretch::End`] it is all that comes,
    /// and what follows the end stays in `input`.
    pub(crate) fn next(&mut self, input: &mut BytesMut) -> Option<Stretch> {
        let mut joined = Vec::new();
        let mut taken = 0;
        while joined.len() < JOINED {
            let rest = input.get(taken..).unwrap_or_default();
            match self.piece(rest) {
                Piece::Run(len, to) if self.is_refused() => {
                    taken += len;
                    self.at = to;
                }
                Piece::Run(len, to) if joined.is_empty() && (len >= WORTH_A_SLICE || len == rest.len()) => {
                    self.at = to;
                    input.advance(taken);
                    return Some(Stretch::Octets(self.close_ranks(input, len)));
                }
                Piece::Run(len, _) if len >= WORTH_A_SLICE => break,
                Piece::Run(len, to) => {
                    make_room(&mut joined, rest);
                    joined.extend_from_slice(rest.get(..len).unwrap_or_default());
                    taken += len;
                    self.at = to;
                }
                // What follows may be worth a slice, or nothing is given any more.
                Piece::Dot if joined.is_empty() || self.is_refused() => {
                    taken += 1;
                    self.at = Position::MidLine;
                }
                Piece::Dot => {
                    make_room(&mut joined, rest);
                    let (len, to) = short_lines(rest, &mut joined);
                    taken += len;
                    self.at = to;
                }
                Piece::BareCr => {
                    self.faults.bare_cr = true;
                    taken += self.normalize(&mut joined);
                }
                Piece::BareLf => {
                    self.faults.bare_lf = true;
                    taken += self.normalize(&mut joined);
                }
                Piece::Nul => {
                    self.faults.nul = true;
                    taken += 1;
                    self.at = Position::MidLine;
                }
                Piece::End if joined.is_empty() => {
                    input.advance(taken + 3);
                    self.at = Position::Ended;
                    return Some(Stretch::End);
                }
                Piece::End | Piece::Undecided => break,
            }
        }
        input.advance(taken);
        if joined.len() < joined.capacity() / 2 {
            joined.shrink_to_fit();
        }
        (!joined.is_empty()).then(|| Stretch::Octets(joined.into()))
    }

    /// Takes a run of so many octets off the front of `input`, and with it those behind it from which only a dot has to be
    /// taken: they are moved up by the dots before them. That is to move an octet once, and costs less than a slice for
    /// each.
    fn close_ranks(&mut self, input: &mut BytesMut, run: usize) -> Bytes {
        let (mut kept, mut taken) = (run, run);
        while DOTS && self.at == Position::LineStart {
            let Some([b'.', behind @ ..]) = input.get(taken..) else { break };
            // One that is longer than this is better left where it is, and is not looked through in vain.
            let behind = behind.get(..MOVED).unwrap_or(behind);
            if matches!(behind, [] | [b'\r' | b'\n' | 0, ..]) {
                break;
            }
            let Piece::Run(len, to) = Self::run(behind) else { break };
            if len == MOVED {
                break;
            }
            let from = taken + 1;
            input.copy_within(from..from + len, kept);
            (kept, taken) = (kept + len, from + len);
            self.at = to;
            if len < WORTH_A_SLICE {
                // More such may follow, which are joined otherwise.
                break;
            }
        }
        let octets = input.split_to(kept).freeze();
        input.advance(taken - kept);
        octets
    }

    /// What has been wrong with the data so far.
    pub(crate) fn faults(&self) -> Faults {
        self.faults
    }

    /// Whether the message has to be refused at its end. From then on no more octets are given, only the end.
    pub(crate) fn is_refused(&self) -> bool {
        let Faults { bare_cr, bare_lf, nul } = self.faults;
        nul || (self.policy == LineEndPolicy::Reject && (bare_cr || bare_lf))
    }

    /// A CR that the caller has taken off the input itself has turned out to stand alone. Whether a CRLF is to be given in
    /// its place.
    pub(crate) fn bare_cr(&mut self) -> bool {
        self.faults.bare_cr = true;
        !self.is_refused()
    }

    /// In place of the octet that stands alone comes a CRLF, behind which the line has *not* begun for the dot's sake.
    fn normalize(&mut self, joined: &mut Vec<u8>) -> usize {
        self.at = Position::MidLine;
        if !self.is_refused() {
            joined.extend_from_slice(b"\r\n");
        }
        1
    }

    fn piece(&self, input: &[u8]) -> Piece {
        match (self.at, input) {
            (Position::Ended, _) | (_, []) => return Piece::Undecided,
            (Position::LineStart, [b'.', b'\r', b'\n', ..]) if DOTS => return Piece::End,
            (Position::LineStart, [b'.'] | [b'.', b'\r']) if DOTS => return Piece::Undecided,
            (Position::LineStart, [b'.', ..]) if DOTS => return Piece::Dot,
            (_, [b'\n', ..]) => return Piece::BareLf,
            (_, [0, ..]) => return Piece::Nul,
            (_, [b'\r']) => return Piece::Undecided,
            (_, [b'\r', b'\n', ..]) => {}
            (_, [b'\r', ..]) => return Piece::BareCr,
            _ => {}
        }
        Self::run(input)
    }

    /// Whole lines, as many as come one behind the other without a dot in front or anything that stands alone. The first
    /// octet is none of those.
    fn run(input: &[u8]) -> Piece {
        let mut len = Self::clean_blocks(input);
        let mut rest = input.get(len..).unwrap_or_default();
        if let Some((whole, [b'\r'])) = input.get(..len).and_then(|blocks| blocks.split_last_chunk()) {
            // Half of a CRLF.
            len = whole.len();
            rest = input.get(len..).unwrap_or_default();
        }
        loop {
            let Some(at) = memchr::memchr3(b'\r', b'\n', 0, rest) else {
                return Piece::Run(input.len(), Position::MidLine);
            };
            let Some((_, [b'\r', b'\n', next @ ..])) = rest.split_at_checked(at) else {
                // Alone, or undecided: the run ends before it, and the next piece tells.
                return Piece::Run(len + at, Position::MidLine);
            };
            len += at + 2;
            rest = next;
            if rest.is_empty() || (DOTS && matches!(rest, [b'.', ..])) {
                return Piece::Run(len, Position::LineStart);
            }
        }
    }

    /// How many octets at the front certainly pass as they are: whole blocks, in which each CR has its LF and each LF its
    /// CR, even across the block's end, and neither a NUL nor a line with a dot in front begins.
    fn clean_blocks(input: &[u8]) -> usize {
        // Where much is remarkable it would be in vain to look far ahead.
        let mut len = clean_blocks::<DOTS, BLOCK>(input.get(..BLOCK + BEHIND).unwrap_or_default());
        while len > 0 {
            let ahead = input.get(len..).unwrap_or_default();
            let ahead = ahead.get(..AHEAD).unwrap_or(ahead);
            // Where there is no dot no line begins with one, and there is none in an attachment: larger blocks then.
            let no_dot = if DOTS { memchr::memchr(b'.', ahead).unwrap_or(ahead.len()) } else { ahead.len() };
            let mut clean = clean_blocks::<false, LARGE_BLOCK>(ahead.get(..no_dot).unwrap_or_default());
            clean += clean_blocks::<DOTS, BLOCK>(ahead.get(clean..).unwrap_or_default());
            len += clean;
            if clean + BEHIND < AHEAD {
                break;
            }
        }
        len
    }
}

/// How many octets at the front are whole blocks in which nothing is remarkable; dots are not looked for in all cases.
fn clean_blocks<const DOTS: bool, const N: usize>(octets: &[u8]) -> usize {
    let (Some(second), Some(third)) = (octets.get(1..), octets.get(BEHIND..)) else { return 0 };
    let ((first, _), (second, _), (third, _)) = (octets.as_chunks(), second.as_chunks(), third.as_chunks());
    let blocks = first.iter().zip(second).zip(third);
    blocks.take_while(|((first, second), third)| is_clean::<DOTS, N>(first, second, third)).count() * N
}

/// Each octet with the two behind it. Written so that all of a block is looked at, whatever is found: that is what can be
/// done to many octets at once.
#[inline]
fn is_clean<const DOTS: bool, const N: usize>(first: &[u8; N], second: &[u8; N], third: &[u8; N]) -> bool {
    let (mut faults, mut least) = (0, u8::MAX);
    for ((&first, &second), &third) in first.iter().zip(second).zip(third) {
        let dot = DOTS && third == b'.';
        faults |= u8::from((first == b'\r') != (second == b'\n')) | (u8::from(second == b'\n') & u8::from(dot));
        least = least.min(first);
    }
    faults == 0 && least != 0
}

fn make_room(joined: &mut Vec<u8>, input: &[u8]) {
    if joined.capacity() == 0 {
        joined.reserve(input.len().min(JOINED + WORTH_A_SLICE));
    }
}

/// Takes the dot off a line's start, and joins that line and those behind it that have a dot too, as far as nothing else is
/// remarkable about them. Says how many octets it has taken, the dot at least, and where they lead.
fn short_lines(input: &[u8], joined: &mut Vec<u8>) -> (usize, Position) {
    let (mut buffer, mut filled, mut at) = ([0; SHORT_LINES], 0, Position::MidLine);
    let mut rest = input.get(1..).unwrap_or_default();
    let mut line = 0;
    loop {
        rest = match (at, rest) {
            // The end perhaps, or not the whole of it yet, or no dot.
            (Position::LineStart, [b'.', b'\r', ..] | [b'.']) => break,
            (Position::LineStart, [b'.', next @ ..]) => {
                (at, line) = (Position::MidLine, 0);
                next
            }
            (Position::MidLine, [b'\r', b'\n', next @ ..]) => {
                let Some(slots) = buffer.get_mut(filled..filled + 2) else { break };
                slots.copy_from_slice(b"\r\n");
                filled += 2;
                at = Position::LineStart;
                next
            }
            (Position::MidLine, &[octet, ref next @ ..])
                if !matches!(octet, 0 | b'\r' | b'\n') && line < SHORT_LINE =>
            {
                let Some(slot) = buffer.get_mut(filled) else { break };
                *slot = octet;
                (filled, line) = (filled + 1, line + 1);
                next
            }
            _ => break,
        };
    }
    joined.extend_from_slice(buffer.get(..filled).unwrap_or_default());
    (input.len().saturating_sub(rest.len()), at)
}
