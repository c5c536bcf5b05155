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
/// Short stretches are joined up to this many octets.
const JOINED: usize = 4096;

impl<const DOTS: bool> Stretches<DOTS> {
    pub(crate) const fn new(policy: LineEndPolicy) -> Self {
        Self { policy, at: Position::LineStart, faults: Faults { bare_cr: false, bare_lf: false, nul: false } }
    }

    /// Takes octets off the front of `input`. `None` means: more, please; after [`Stretch::End`] it is all that comes,
    /// and what follows the end stays in `input`.
    pub(crate) fn next(&mut self, input: &mut BytesMut) -> Option<Stretch> {
        let mut joined = BytesMut::new();
        // Octets of the input that have been dealt with. They are taken off all at once.
        let mut taken = 0;
        while joined.len() < JOINED {
            let rest = input.get(taken..).unwrap_or_default();
            match self.piece(rest) {
                Piece::Run(len, to) if self.is_refused() => {
                    taken += len;
                    self.at = to;
                }
                Piece::Run(len, to) if joined.is_empty() && (len >= WORTH_A_SLICE || len == rest.len()) => {
                    input.advance(taken);
                    self.at = to;
                    return Some(Stretch::Octets(input.split_to(len).freeze()));
                }
                Piece::Run(len, _) if len >= WORTH_A_SLICE => break,
                Piece::Run(len, to) => {
                    if joined.capacity() == 0 {
                        // All that can still be joined; the last piece may begin below the ceiling and end above it.
                        joined.reserve(rest.len().min(JOINED + WORTH_A_SLICE));
                    }
                    joined.extend_from_slice(rest.get(..len).unwrap_or_default());
                    taken += len;
                    self.at = to;
                }
                Piece::Dot => {
                    taken += 1;
                    self.at = Position::MidLine;
                }
                Piece::BareCr => {
                    self.faults.bare_cr = true;
                    taken += 1;
                    self.normalize(&mut joined);
                }
                Piece::BareLf => {
                    self.faults.bare_lf = true;
                    taken += 1;
                    self.normalize(&mut joined);
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
        (!joined.is_empty()).then(|| Stretch::Octets(joined.freeze()))
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
    fn normalize(&mut self, joined: &mut BytesMut) {
        self.at = Position::MidLine;
        if !self.is_refused() {
            joined.extend_from_slice(b"\r\n");
        }
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
        // Whole lines, as many as come one behind the other without a dot in front or anything that stands alone.
        let mut len = 0;
        let mut rest = input;
        // Blocks are for long stretches: to look at one costs what several lines do.
        let mut blocks_from = BLOCK / 4;
        loop {
            if len >= blocks_from {
                let clean = clean_blocks::<DOTS>(rest);
                len += clean;
                rest = rest.get(clean..).unwrap_or_default();
                blocks_from = len + BLOCK;
            }
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
}

/// Octets that are looked at all at once, without a branch, which compilers make a few instructions of.
const BLOCK: usize = 256;

/// How many octets at the front are lines, or the end of one and the beginning of one, with nothing to be done about them:
/// no NUL, no CR or LF that stands alone, no dot behind a line's end. It stops short of a CR.
fn clean_blocks<const DOTS: bool>(input: &[u8]) -> usize {
    let mut clean = 0;
    // Each octet with the one behind it, which may be the next block's.
    while let Some((this, next)) = input.get(clean..clean + BLOCK).zip(input.get(clean + 1..clean + BLOCK + 1)) {
        let is_dirty = this.iter().zip(next).fold(false, |dirty, (&octet, &behind)| {
            let alone = (octet == b'\r') != (behind == b'\n');
            dirty | alone | (octet == 0) | (DOTS & (octet == b'\n') & (behind == b'.'))
        });
        if is_dirty {
            break;
        }
        clean += BLOCK;
    }
    match clean.checked_sub(1).and_then(|last| input.get(last)) {
        Some(b'\r') => clean - 1,
        _ => clean,
    }
}
