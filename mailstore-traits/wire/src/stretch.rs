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
const WORTH_A_SLICE: usize = 1024;
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
        while joined.len() < JOINED {
            match self.piece(input) {
                Piece::Run(len, to) if self.is_refused() => {
                    input.advance(len);
                    self.at = to;
                }
                Piece::Run(len, to) if joined.is_empty() && (len >= WORTH_A_SLICE || len == input.len()) => {
                    self.at = to;
                    return Some(Stretch::Octets(input.split_to(len).freeze()));
                }
                Piece::Run(len, _) if len >= WORTH_A_SLICE => break,
                Piece::Run(len, to) => {
                    joined.extend_from_slice(&input.split_to(len));
                    self.at = to;
                }
                Piece::Dot => {
                    input.advance(1);
                    self.at = Position::MidLine;
                }
                Piece::BareCr => {
                    self.faults.bare_cr = true;
                    self.normalize(input, &mut joined);
                }
                Piece::BareLf => {
                    self.faults.bare_lf = true;
                    self.normalize(input, &mut joined);
                }
                Piece::Nul => {
                    self.faults.nul = true;
                    input.advance(1);
                    self.at = Position::MidLine;
                }
                Piece::End if joined.is_empty() => {
                    input.advance(3);
                    self.at = Position::Ended;
                    return Some(Stretch::End);
                }
                Piece::End | Piece::Undecided => break,
            }
        }
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
    fn normalize(&mut self, input: &mut BytesMut, joined: &mut BytesMut) {
        input.advance(1);
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
}
