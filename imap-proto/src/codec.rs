//! A session as tokio-util's `Decoder` and `Encoder`: octets to events, answers to octets.
//!
//! It adds nothing to [`ServerSession`] but the two traits ([`mail_wire::codec`]). A `Framed` reads before it decodes, so
//! its host greets unasked, with [`Answer::greeting`](crate::Answer::greeting).
//!
//! ```
//! use std::sync::Arc;
//! use futures::{SinkExt, TryStreamExt};
//! use imap_proto::session::Config;
//! use imap_proto::{Answer, ServerCodec, ServerSession};
//! use mail_wire::sasl::SaslConfig;
//! use tokio_util::codec::Framed;
//!
//! # async fn serve<S: tokio::io::AsyncRead + tokio::io::AsyncWrite + Unpin>(socket: S) -> Result<(), Box<dyn std::error::Error>> {
//! let config = Arc::new(Config::new("mail.example.org", Arc::new(SaslConfig::from_os_random())));
//! let mut framed = Framed::new(socket, ServerCodec::new(ServerSession::new(config)));
//! framed.send(Answer::greeting()).await?;
//! while let Some(event) = framed.try_next().await? {
//!     if event.needs_answer() {
//!         framed.send(event.default_answer()).await?;
//!     }
//!     if framed.codec().session().is_closed() {
//!         break;
//!     }
//! }
//! # Ok(())
//! # }
//! ```

use crate::error::Error;
use crate::session::ServerSession;

/// A session between tokio-util's two traits.
pub type ServerCodec = mail_wire::codec::Codec<ServerSession>;

/// Why a framed session ended.
pub type CodecError = mail_wire::codec::CodecError<Error>;

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use bytes::BytesMut;
    use mail_wire::sasl::SaslConfig;
    use tokio_util::codec::{Decoder, Encoder};

    use super::*;
    use crate::error::{PeerError, UsageError};
    use crate::session::{Answer, Config};

    fn codec() -> ServerCodec {
        let config = Config::new("dewey", Arc::new(SaslConfig::from_os_random()));
        ServerCodec::new(ServerSession::new(Arc::new(config)))
    }

    #[test]
    fn the_greeting_can_be_given_before_it_is_asked_for() {
        let (mut codec, mut input, mut out) = (codec(), BytesMut::from("a LOGOUT\r\n"), BytesMut::new());
        codec.encode(Answer::greeting(), &mut out).unwrap();
        assert!(out.starts_with(b"* OK [CAPABILITY ") && out.ends_with(b"] dewey ready\r\n"));
        out.clear();
        let event = codec.decode(&mut input).unwrap().unwrap();
        codec.encode(event.default_answer(), &mut out).unwrap();
        assert_eq!(out, "* BYE dewey logging out\r\na OK LOGOUT completed\r\n");
        assert!(matches!(codec.decode_eof(&mut input), Ok(None)));
    }

    #[test]
    fn the_end_of_the_input_in_a_command_is_an_error() {
        let (mut codec, mut out) = (codec(), BytesMut::new());
        codec.encode(Answer::greeting(), &mut out).unwrap();
        let end = codec.decode_eof(&mut BytesMut::from("a NOO"));
        assert!(matches!(end, Err(CodecError::Session(Error::Peer(PeerError::InCommand)))));
        assert!(codec.session().is_closed());
        let late = codec.encode(Answer::Ok, &mut out);
        assert!(matches!(late, Err(CodecError::Session(Error::Usage(UsageError::Closed)))));
    }
}
