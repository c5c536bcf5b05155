//! Whole responses out of a server's octets, under ceilings.

use bytes::BytesMut;
use mail_wire::line::LineFault;

use super::{Response, ResponseError};
use crate::frame::{FrameReader, Piece};
use crate::grammar::Dialect;

/// What a client takes at the most from a server.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct ResponseLimits {
    /// Octets of a line: 1 MiB. A SEARCH that finds much is long.
    pub line: usize,
    /// Octets of a response, literals included: 64 MiB.
    pub response: usize,
    /// Items in a list, and ranges in a set: 1,000,000.
    pub items: usize,
    /// Depth of a body structure: 300.
    pub depth: usize,
}

impl Default for ResponseLimits {
    fn default() -> Self {
        Self { line: 1024 * 1024, response: 64 * 1024 * 1024, items: 1_000_000, depth: 300 }
    }
}

/// Why no response can be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ReadError {
    /// A line is none, or too long.
    #[error(transparent)]
    Line(#[from] LineFault),
    /// It is larger than [`ResponseLimits::response`].
    #[error("response too large")]
    TooLarge,
    /// It is no response.
    #[error(transparent)]
    Response(#[from] ResponseError),
}

/// Finds responses in what a server sends. After an error nothing more can be read from it.
#[derive(Debug, Default)]
pub struct ResponseReader {
    frames: FrameReader,
    limits: ResponseLimits,
}

impl ResponseReader {
    /// A reader with these limits.
    pub fn new(limits: ResponseLimits) -> Self {
        Self { frames: FrameReader::new(), limits }
    }

    /// Takes the next response off the front of `input`. `None` means: more octets, please.
    ///
    /// # Errors
    /// [`ReadError`] says why it is none.
    pub fn next(&mut self, input: &mut BytesMut, dialect: Dialect) -> Option<Result<Response, ReadError>> {
        loop {
            let piece = self.frames.next(input, self.limits.line)?;
            let held = match &piece {
                Ok(Piece::Command(frame)) => frame.len(),
                _ => self.frames.so_far().len(),
            };
            if held > self.limits.response {
                self.frames.abandon();
                return Some(Err(ReadError::TooLarge));
            }
            match piece {
                Ok(Piece::Command(frame)) => {
                    return Some(Response::parse(&frame, dialect, &self.limits).map_err(ReadError::from));
                }
                Ok(Piece::Literal(head)) => {
                    let room = self.limits.response.saturating_sub(self.frames.so_far().len());
                    match usize::try_from(head.octets) {
                        Ok(octets) if octets <= room => self.frames.take_literal(octets),
                        _ => {
                            self.frames.abandon();
                            return Some(Err(ReadError::TooLarge));
                        }
                    }
                }
                Err(fault) => return Some(Err(fault.into())),
            }
        }
    }
}
