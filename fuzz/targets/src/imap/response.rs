//! A frame that is a response is written again and read as the same one.

use bytes::BytesMut;
use imap_proto::grammar::Dialect;
use imap_proto::response::{Response, ResponseLimits};

/// See the module.
pub fn run(octets: &[u8]) {
    let limits = ResponseLimits::default();
    for dialect in [Dialect::ASCII, Dialect::UTF8] {
        let Ok(response) = Response::parse(octets, dialect, &limits) else { continue };
        let mut out = BytesMut::new();
        response.encode(dialect, &mut out);
        let frame = out.strip_suffix(b"\r\n").expect("a response ends");
        assert_eq!(Response::parse(frame, dialect, &limits), Ok(response), "{}", frame.escape_ascii());
    }
}
