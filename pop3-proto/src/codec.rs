//! A session as tokio-util's `Decoder` and `Encoder`: octets to events, answers to octets.
//!
//! It adds nothing to [`ServerSession`] but the two traits ([`mail_wire::codec`]). A `Framed` reads before it decodes, so its host greets
//! unasked, with [`Answer::greeting`](crate::Answer::greeting).

use crate::error::Error;
use crate::session::ServerSession;

/// A session between tokio-util's two traits.
pub type ServerCodec = mail_wire::codec::Codec<ServerSession>;

/// Why a framed session ended.
pub type CodecError = mail_wire::codec::CodecError<Error>;

#[cfg(test)]
mod tests {
    use mail_wire::sasl::SaslConfig;

    use std::sync::Arc;

    use bytes::BytesMut;
    use tokio_util::codec::{Decoder, Encoder};

    use super::*;
    use crate::error::{PeerError, UsageError};
    use crate::session::{Answer, Config};

    fn codec() -> ServerCodec {
        ServerCodec::new(ServerSession::new(Arc::new(Config::new("dewey", Arc::new(SaslConfig::from_os_random())))))
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
