//! A session as tokio-util's `Decoder` and `Encoder`: octets to events, answers to octets. One for every protocol.
//!
//! It adds nothing to a [`Machine`] but the two traits. A `Framed` reads before it decodes, so its host greets unasked:
//! each protocol's `Answer::greeting()` is sent first of all.
//!
//! Once TLS was agreed on, no event comes: the host takes the `Framed` apart, hands its read buffer to the handshake
//! unparsed (attack row T1), tells the session ([`Codec::session_mut`]) with [`Machine::tls_started`], and frames the
//! encrypted stream.

use std::io;

use bytes::BytesMut;
use tokio_util::codec::{Decoder, Encoder};

use crate::machine::Machine;

/// Why a framed session ended.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum CodecError<E: std::error::Error + 'static> {
    /// The connection broke.
    #[error(transparent)]
    Io(#[from] io::Error),
    /// The session cannot go on.
    #[error(transparent)]
    Session(E),
}

/// A session between tokio-util's two traits.
#[derive(Debug)]
pub struct Codec<M> {
    session: M,
}

impl<M: Machine> Codec<M> {
    /// A codec around a session.
    pub fn new(session: M) -> Self {
        Self { session }
    }

    /// The session: its state, its timers.
    pub fn session(&self) -> &M {
        &self.session
    }

    /// The session, to be told of a handshake, of a timeout, of a shutdown.
    pub fn session_mut(&mut self) -> &mut M {
        &mut self.session
    }
}

impl<M: Machine> Decoder for Codec<M> {
    type Item = M::Event;
    type Error = CodecError<M::Error>;

    fn decode(&mut self, input: &mut BytesMut) -> Result<Option<M::Event>, Self::Error> {
        self.session.next_event(input).map_err(CodecError::Session)
    }

    fn decode_eof(&mut self, input: &mut BytesMut) -> Result<Option<M::Event>, Self::Error> {
        if let Some(event) = self.decode(input)? {
            return Ok(Some(event));
        }
        self.session.end_of_input().map_err(CodecError::Session)?;
        // What is left was no whole command; tokio-util would make an error of it.
        input.clear();
        Ok(None)
    }
}

impl<M: Machine, A: Into<M::Answer>> Encoder<A> for Codec<M> {
    type Error = CodecError<M::Error>;

    fn encode(&mut self, answer: A, out: &mut BytesMut) -> Result<(), Self::Error> {
        self.session.answer(answer.into(), out).map_err(CodecError::Session)
    }
}
