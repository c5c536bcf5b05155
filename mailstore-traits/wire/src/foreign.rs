//! Another protocol on a mail port: a browser that was made to post to it, or TLS where none was expected.
//!
//! A web page can make a browser send a mail server what reads as commands behind the lines of an HTTP request, and what
//! the server says back may run as the page's own script (ALPACA; attack row T9). So nothing is to be looked at behind a
//! first line that is plainly not for a mail server, and nothing of it said back.

/// Whether the first octets of a connection are another protocol's: a request of HTTP or of what took its form (RTSP, SIP),
/// a TLS record with a handshake in it, or SSH. It is asked before the first command and not after: a later line cannot
/// be a browser's first.
///
/// It says no where it cannot know yet; no whole line of a mail protocol is ever undecided.
pub fn is_foreign(start: &[u8]) -> bool {
    const STARTS: [&[u8]; 14] = [
        b"GET ",
        b"POST ",
        b"PUT ",
        b"HEAD ",
        b"DELETE ",
        b"OPTIONS ",
        b"CONNECT ",
        b"TRACE ",
        b"PATCH ",
        b"PRI * HTTP/2",
        b"INVITE ",
        b"DESCRIBE ",
        b"SSH-",
        // RFC 8446 §5.1: handshake, and the version that every ClientHello gives.
        b"\x16\x03",
    ];
    STARTS.iter().any(|known| start.starts_with(known))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sec_t9_requests_of_other_protocols_are_told_from_commands() {
        for start in [
            &b"GET / HTTP/1.1\r\n"[..],
            b"POST /",
            b"OPTIONS * HTTP/1.1",
            b"CONNECT mail.example:25 HTTP/1.1",
            b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
            b"\x16\x03\x01\x02\x00\x01",
            b"SSH-2.0-OpenSSH_9.9",
        ] {
            assert!(is_foreign(start), "{}", start.escape_ascii());
        }
        for start in
            [&b""[..], b"G", b"GET", b"\x16", b"EHLO get", b"get / HTTP/1.1", b"USER GET ", b"a1 GET ", b"POSTX"]
        {
            assert!(!is_foreign(start), "{}", start.escape_ascii());
        }
    }
}
