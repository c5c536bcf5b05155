//! A session as tokio-util's `Decoder` and `Encoder`: octets to events, answers to octets.
//!
//! It adds nothing to [`ServerSession`] but the two traits. A `Framed` reads before it decodes, so its host greets
//! unasked, with [`Answer::greeting`].
//!
//! ```
//! use std::sync::Arc;
//! use futures::{SinkExt, TryStreamExt};
//! use smtp_proto::{Answer, Config, Event, Protocol, ServerCodec};
//! use tokio_util::codec::Framed;
//!
//! # async fn serve<S: tokio::io::AsyncRead + tokio::io::AsyncWrite + Unpin>(socket: S) -> Result<(), Box<dyn std::error::Error>> {
//! let config = Arc::new(Config::new("mail.example.org".parse()?, Protocol::Smtp));
//! let mut framed = Framed::new(socket, ServerCodec::new(config));
//! framed.send(Answer::greeting()).await?;
//! while let Some(event) = framed.try_next().await? {
//!     match event {
//!         Event::Rcpt(rcpt) if rcpt.path.is_postmaster() => framed.send(rcpt.accept()).await?,
//!         event if event.needs_answer() => framed.send(event.default_answer()).await?,
//!         _octets => {}
//!     }
//!     if framed.codec().session().is_closed() {
//!         break;
//!     }
//! }
//! # Ok(())
//! # }
//! ```

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
///
/// Once STARTTLS has been answered with [`ready`](crate::session::StartTls::ready), no event comes: take the `Framed`
/// apart, hand its read buffer to the handshake unparsed (attack row T1), tell
/// [`session_mut`](Self::session_mut) with [`tls_started`](ServerSession::tls_started), and frame the encrypted stream.
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
    use super::*;
    use crate::error::PeerError;
    use crate::session::Protocol;

    fn codec() -> ServerCodec {
        ServerCodec::new(Arc::new(Config::new("foo.com".parse().unwrap(), Protocol::Smtp)))
    }

    #[test]
    fn the_greeting_can_be_given_before_it_is_asked_for() {
        let (mut codec, mut input, mut out) = (codec(), BytesMut::from("QUIT\r\n"), BytesMut::new());
        codec.encode(Answer::greeting(), &mut out).unwrap();
        let event = codec.decode(&mut input).unwrap().unwrap();
        codec.encode(event.default_answer(), &mut out).unwrap();
        assert_eq!(out, "220 foo.com ESMTP\r\n221 2.0.0 foo.com closing connection\r\n");
        assert!(matches!(codec.decode_eof(&mut input), Ok(None)));
    }

    #[test]
    fn the_end_of_the_input_in_a_command_is_an_error() {
        let (mut codec, mut out) = (codec(), BytesMut::new());
        codec.encode(Answer::greeting(), &mut out).unwrap();
        let end = codec.decode_eof(&mut BytesMut::from("QUI"));
        assert!(matches!(end, Err(CodecError::Session(Error::Peer(PeerError::InCommand)))));
        assert!(codec.session().is_closed());
        let late = codec.encode(Answer::greeting(), &mut out);
        assert!(matches!(late, Err(CodecError::Session(Error::Usage(UsageError::Closed)))));
    }
}
