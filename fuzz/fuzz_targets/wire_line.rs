//! Lines come out the same however the octets are cut, and no more than the ceiling ever waits.
#![no_main]

use bytes::BytesMut;
use libfuzzer_sys::fuzz_target;
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

fuzz_target!(|octets: &[u8]| {
    let cut = octets.first().map_or(1, |&first| usize::from(first % 16) + 1);
    assert_eq!(lines(octets, cut), lines(octets, usize::MAX));
});
