//! A message in chunks: RFC 3030 §2, and §3 for octets that are not text.
//!
//! The size of a chunk is known before its first octet, and so many octets belong to it whatever becomes of the command:
//! octets of a message are never looked at as commands (attack row S8). A refusal goes out when they have been swallowed,
//! for RFC 3030 §2 wants that the server "MUST accept and discard the associated message data before sending the
//! appropriate 5XX or 4XX code". Where not even the size can be read nobody knows where the next command begins, and the
//! refusal is the session's last word.

use bytes::{Buf, BytesMut};
use mail_wire::dot::{Faults, LineEndPolicy};
use mail_wire::line_ends::LineEnds;

use super::data::{BodyPart, Measure};
use super::owed::Owed;
use super::state::State;
use super::{DataBegin, Event, Protocol, Rejection, RejectionReason, ServerSession};
use crate::command::Bdat;

/// A message on its way in, by BDAT. It keeps none of it.
#[derive(Debug)]
pub(super) struct ChunkedBody {
    /// `None` for BINARYMIME, where every octet is content.
    line_ends: Option<LineEnds>,
    measure: Measure,
}

/// The chunk that comes.
#[derive(Debug, Clone, Copy)]
pub(super) struct Chunk {
    /// How many octets it has.
    pub(super) size: u64,
    /// How many of them have not come yet.
    left: u64,
    /// Whether it is the message's last.
    pub(super) last: bool,
}

impl Chunk {
    fn new(bdat: Bdat) -> Self {
        Self { size: bdat.size, left: bdat.size, last: bdat.last }
    }
}

impl ChunkedBody {
    pub(super) fn new(policy: LineEndPolicy, binary: bool, limit: u64) -> Self {
        Self { line_ends: (!binary).then(|| LineEnds::new(policy)), measure: Measure::new(limit) }
    }

    pub(super) fn next(&mut self, chunk: &mut Chunk, input: &mut BytesMut) -> Option<BodyPart> {
        loop {
            let before = chunk.left;
            let octets = match &mut self.line_ends {
                Some(line_ends) => line_ends.next(input, &mut chunk.left),
                None => {
                    let most = usize::try_from(chunk.left).unwrap_or(usize::MAX).min(input.len());
                    chunk.left = chunk.left.saturating_sub(most as u64);
                    (most > 0).then(|| input.split_to(most).freeze())
                }
            };
            self.measure.took(before.saturating_sub(chunk.left));
            let octets = match octets {
                Some(octets) => octets,
                None if chunk.left > 0 => return None,
                None => match self.line_ends.as_mut().filter(|_| chunk.last).and_then(LineEnds::finish) {
                    Some(octets) => octets,
                    None => return Some(BodyPart::End(self.verdict())),
                },
            };
            if let Some(octets) = self.measure.cut(octets) {
                return Some(BodyPart::Octets(octets));
            }
        }
    }

    pub(super) fn measure(&self) -> &Measure {
        &self.measure
    }

    fn verdict(&self) -> Result<(), RejectionReason> {
        let faults = self.line_ends.as_ref().map_or_else(Faults::default, LineEnds::faults);
        self.measure.verdict(faults, self.line_ends.as_ref().is_some_and(LineEnds::is_refused))
    }
}

/// A chunk that is not wanted. None of it is kept.
#[derive(Debug)]
pub(super) struct Discarding {
    /// Where the session goes on. Never another of these.
    pub(super) then: State,
    /// What is said when all of it has come.
    pub(super) rejection: Rejection,
    /// How often: once, but for LMTP's last chunk.
    pub(super) replies: usize,
    left: u64,
    measure: Measure,
}

impl Discarding {
    /// Whether all of it has come.
    pub(super) fn swallow(&mut self, input: &mut BytesMut) -> bool {
        let most = usize::try_from(self.left).unwrap_or(usize::MAX).min(input.len());
        input.advance(most);
        self.left = self.left.saturating_sub(most as u64);
        self.measure.took(most as u64);
        self.left == 0
    }

    pub(super) fn measure(&self) -> &Measure {
        &self.measure
    }
}

impl ServerSession {
    /// BDAT. An event comes of it at once only where the host is asked; otherwise the chunk's octets come first, and the
    /// state says what becomes of them.
    pub(super) fn begin_chunk(&mut self, bdat: Bdat) -> Option<(Event, Owed)> {
        match self.judge_bdat(bdat) {
            Err(reason) => self.refuse_chunk(bdat, reason),
            Ok(()) if matches!(self.state, State::Transaction(..)) => {
                Some((Event::DataBegin(DataBegin::by_bdat()), Owed::Chunk(bdat)))
            }
            Ok(()) => {
                self.state.chunk_begun(Chunk::new(bdat));
                None
            }
        }
    }

    /// The host takes the message that begins with this chunk.
    pub(super) fn accept_chunks(&mut self, bdat: Bdat) {
        self.state.chunking_begun(self.config.line_ends, self.config.limits.message_size);
        self.state.chunk_begun(Chunk::new(bdat));
    }

    /// Its octets are swallowed, and then the refusal is said: see the module.
    pub(super) fn refuse_chunk(&mut self, bdat: Bdat, reason: RejectionReason) -> Option<(Event, Owed)> {
        let rejection = Rejection::of_chunk(reason, self.state.is_in_message());
        let replies = match self.state.recipients() {
            // RFC 2033 §4.3: a reply for each recipient, and none if there was none.
            Some(recipients) if bdat.last && self.config.protocol == Protocol::Lmtp => recipients,
            _ => 1,
        };
        let (event, owed) = self.reject(rejection);
        match event {
            Event::Rejected(rejection) if !rejection.closes() => {
                let then = self.state.after_failed_chunk(bdat.last);
                let (left, measure) = (bdat.size, Measure::new(0));
                self.state.discarding_begun(Discarding { then, rejection, replies, left, measure });
                None
            }
            // The connection is closed: no octet of the chunk is looked at.
            event => Some((event, owed)),
        }
    }

    fn judge_bdat(&self, bdat: Bdat) -> Result<(), RejectionReason> {
        let has_room = match &self.state {
            _ if !self.config.dialect.extensions.chunking => return Err(RejectionReason::NotImplemented),
            State::Transaction(_, transaction) if transaction.recipients > 0 => {
                Measure::new(self.config.limits.message_size).has_room_for(bdat.size)
            }
            State::Chunking(_, _, Some(body)) => body.measure.has_room_for(bdat.size),
            _ => return Err(RejectionReason::Sequence),
        };
        if has_room { Ok(()) } else { Err(RejectionReason::MessageTooBig) }
    }
}
