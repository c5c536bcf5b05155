//! A message that comes behind DATA is what a reading of RFC 5321 §4.5.2 makes of it, ends where it says, and what stands
//! behind its end is left, wherever the octets are cut. One that comes by BDAT is what §2.3.8 makes of its octets.

use std::sync::Arc;

use bytes::BytesMut;
use smtp_proto::session::{Config, Event, Protocol, ServerSession};

/// The whole rule: lines end with CRLF, one dot alone ends the message, a dot in front of a line is taken away, and a CR
/// or LF that stands alone ends no line but becomes a line's end. `None` if the message does not end.
fn reference(mut rest: &[u8]) -> Option<(Vec<u8>, &[u8])> {
    let mut message = Vec::new();
    loop {
        let end = rest.windows(2).position(|pair| pair == b"\r\n")?;
        let line = &rest[..end];
        rest = &rest[end + 2..];
        if line == b"." {
            return Some((message, rest));
        }
        message.extend(normalized(line.strip_prefix(b".").unwrap_or(line)));
        message.extend(b"\r\n");
    }
}

fn normalized(line: &[u8]) -> Vec<u8> {
    let ends = |octet: u8| if matches!(octet, b'\r' | b'\n') { b"\r\n".to_vec() } else { vec![octet] };
    line.iter().flat_map(|&octet| ends(octet)).collect()
}

/// The message, and what was left behind its end; `None` if it has not ended.
fn received(head: &[u8], wire: &[u8], cut: usize) -> Option<(Vec<u8>, Vec<u8>)> {
    let config = Config::new("mail.example.org".parse().expect("a name"), Protocol::Smtp);
    let mut session = ServerSession::new(Arc::new(config));
    let (mut input, mut output, mut message) = (BytesMut::from(head), BytesMut::new(), Vec::new());
    let mut chunks = wire.chunks(cut);
    loop {
        while let Some(event) = session.next_event(&mut input).expect("every event is answered") {
            match &event {
                Event::Data(octets) => {
                    assert!(!octets.is_empty(), "an event says something");
                    message.extend_from_slice(octets);
                }
                Event::EndOfData(_) | Event::Rejected(_) => {
                    chunks.for_each(|chunk| input.extend_from_slice(chunk));
                    return Some((message, input.to_vec()));
                }
                Event::Rcpt(rcpt) => session.answer(rcpt.accept(), &mut output).expect("it fits"),
                _ => session.answer(event.default_answer(), &mut output).expect("it fits"),
            }
        }
        // Behind DATA a CR, and a dot behind a CRLF, may be more than they look; between chunks there are commands.
        let most = if head.ends_with(b"DATA\r\n") { 4 } else { 512 };
        assert!(input.len() <= most, "{} wait", input.escape_ascii());
        input.extend_from_slice(chunks.next()?);
    }
}

const ENVELOPE: &str = "EHLO a.example\r\nMAIL FROM:<a@a.example>\r\nRCPT TO:<b@b.example>\r\n";

/// See the module.
pub fn run(octets: &[u8]) {
    let Some((&first, wire)) = octets.split_first() else { return };
    let cut = usize::from(first % 16) + 1;

    let by_data = received(format!("{ENVELOPE}DATA\r\n").as_bytes(), wire, cut);
    match (reference(wire), by_data) {
        (None, None) => {}
        (Some((message, rest)), Some((received, left))) => {
            assert_eq!(left, rest, "what stands behind the end");
            // Nothing is passed on of a message with a NUL once it has been seen (attack row S3).
            if wire[..wire.len() - rest.len()].contains(&0) {
                assert!(message.starts_with(&received));
            } else {
                assert_eq!(received.escape_ascii().to_string(), message.escape_ascii().to_string());
            }
        }
        (expected, found) => panic!("ends: {:?}, should: {:?}", found.is_some(), expected.is_some()),
    }

    // The same octets in two chunks.
    let border = usize::from(first) % (wire.len() + 1);
    let (one, other) = wire.split_at(border);
    let mut chunks = format!("BDAT {}\r\n", one.len()).into_bytes();
    chunks.extend_from_slice(one);
    chunks.extend(format!("BDAT {} LAST\r\n", other.len()).into_bytes());
    chunks.extend_from_slice(other);
    let (message, left) = received(ENVELOPE.as_bytes(), &chunks, cut).expect("its length says where it ends");
    // A message with a NUL is refused as soon as it is seen.
    if !wire.contains(&0) {
        assert!(left.is_empty());
        let lines: Vec<Vec<u8>> = split(wire).into_iter().map(normalized).collect();
        let mut expected = lines.join(&b"\r\n"[..]);
        // A message is lines, and the last one ends.
        if !expected.is_empty() && !expected.ends_with(b"\r\n") {
            expected.extend(b"\r\n");
        }
        assert_eq!(message.escape_ascii().to_string(), expected.escape_ascii().to_string());
    }
}

/// At every CRLF.
fn split(mut rest: &[u8]) -> Vec<&[u8]> {
    let mut lines = Vec::new();
    while let Some(end) = rest.windows(2).position(|pair| pair == b"\r\n") {
        lines.push(&rest[..end]);
        rest = &rest[end + 2..];
    }
    lines.push(rest);
    lines
}
