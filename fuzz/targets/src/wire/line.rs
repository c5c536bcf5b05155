//! Lines are those that a plain reading finds, however the octets are cut, and no more than the ceiling ever waits.

use bytes::BytesMut;
use mail_wire::line::{LineFault, LineReader};

const LIMIT: usize = 64;

fn lines(octets: &[u8], cut: usize) -> Vec<Result<BytesMut, LineFault>> {
    let (mut reader, mut input, mut lines) = (LineReader::new(), BytesMut::new(), Vec::new());
    for chunk in octets.chunks(cut) {
        input.extend_from_slice(chunk);
        while let Some(line) = reader.next_line(&mut input, LIMIT) {
            lines.push(line);
        }
        assert!(input.len() <= LIMIT);
    }
    lines
}

/// Lines end with CRLF and with nothing else; one that is too long, or has a CR, LF or NUL in it, is none.
fn reference(mut rest: &[u8]) -> Vec<Result<BytesMut, LineFault>> {
    let mut lines = Vec::new();
    while let Some(end) = rest.windows(2).position(|pair| pair == b"\r\n") {
        let line = &rest[..end];
        lines.push(match line.iter().find(|octet| matches!(octet, b'\r' | b'\n' | 0)) {
            _ if end + 2 > LIMIT => Err(LineFault::TooLong),
            Some(b'\r') => Err(LineFault::BareCr),
            Some(b'\n') => Err(LineFault::BareLf),
            Some(_) => Err(LineFault::Nul),
            None => Ok(BytesMut::from(line)),
        });
        rest = &rest[end + 2..];
    }
    lines
}

/// See the module.
pub fn run(octets: &[u8]) {
    let cut = octets.first().map_or(1, |&first| usize::from(first % 16) + 1);
    let expected = reference(octets);
    assert_eq!(lines(octets, cut), expected);
    assert_eq!(lines(octets, usize::MAX), expected);
}
