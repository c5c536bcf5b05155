//! A session as tokio-util's `Decoder` and `Encoder`: octets to events, answers to octets.
//!
//! It adds nothing to [`ServerSession`] but the two traits. A `Framed` reads before it decodes, so its host greets
//! unasked, with [`Answer::greeting`].

use std::io;
use std::sync::Arc;

use bytes::BytesMut;
use tokio_util::codec::{Decoder, Encoder};

use crate::error::{Error, UsageError};
use crate::session::{Answer, Config, Event, ServerSession};

/// Why a framed session ended.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum CodecError {
    /// The connection broke.
    #[error(transparent)]
    Io(#[from] io::Error),
    /// The session cannot go on.
    #[error(transparent)]
    Session(#[from] Error),
}

impl From<UsageError> for CodecError {
    fn from(error: UsageError) -> Self {
        Self::Session(error.into())
    }
}

/// A session between tokio-util's two traits.
#[derive(Debug)]
pub struct ServerCodec {
    session: ServerSession,
}

impl ServerCodec {
    /// A codec around a new session.
    pub fn new(config: Arc<Config>) -> Self {
        Self { session: ServerSession::new(config) }
    }

    /// The session: its state, its timers.
    pub fn session(&self) -> &ServerSession {
        &self.session
    }

    /// The session, to be told of a handshake, of a timeout, of a shutdown.
    pub fn session_mut(&mut self) -> &mut ServerSession {
        &mut self.session
    }
}

impl Decoder for ServerCodec {
    type Item = Event;
    type Error = CodecError;

    fn decode(&mut self, input: &mut BytesMut) -> Result<Option<Event>, CodecError> {
        Ok(self.session.next_event(input)?)
    }

    fn decode_eof(&mut self, input: &mut BytesMut) -> Result<Option<Event>, CodecError> {
        if let Some(event) = self.session.next_event(input)? {
            return Ok(Some(event));
        }
        self.session.end_of_input()?;
        // What is left was no whole command; tokio-util would make an error of it.
        input.clear();
        Ok(None)
    }
}

impl<A: Into<Answer>> Encoder<A> for ServerCodec {
    type Error = CodecError;

    fn encode(&mut self, answer: A, out: &mut BytesMut) -> Result<(), CodecError> {
        Ok(self.session.answer(answer, out)?)
    }
}

#[cfg(test)]
mod tests {
    use mail_wire::sasl::SaslConfig;

    use super::*;
    use crate::error::PeerError;

    fn codec() -> ServerCodec {
        ServerCodec::new(Arc::new(Config::new("dewey", Arc::new(SaslConfig::from_os_random()))))
    }

    #[test]
    fn the_greeting_can_be_given_before_it_is_asked_for() {
        let (mut codec, mut input, mut out) = (codec(), BytesMut::from("QUIT\r\n"), BytesMut::new());
        codec.encode(Answer::greeting(), &mut out).unwrap();
        let event = codec.decode(&mut input).unwrap().unwrap();
        codec.encode(event.default_answer(), &mut out).unwrap();
        assert_eq!(out, "+OK dewey POP3 server ready\r\n+OK dewey POP3 server signing off\r\n");
        assert!(matches!(codec.decode_eof(&mut input), Ok(None)));
    }

    #[test]
    fn the_end_of_the_input_in_a_command_is_an_error() {
        let (mut codec, mut out) = (codec(), BytesMut::new());
        codec.encode(Answer::greeting(), &mut out).unwrap();
        let end = codec.decode_eof(&mut BytesMut::from("QUI"));
        assert!(matches!(end, Err(CodecError::Session(Error::Peer(PeerError::InCommand)))));
        assert!(codec.session().is_closed());
        let late = codec.encode(Answer::ok(), &mut out);
        assert!(matches!(late, Err(CodecError::Session(Error::Usage(UsageError::Closed)))));
    }
}
