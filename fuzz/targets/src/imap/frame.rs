//! Commands are found in the same places wherever the octets are cut, and no more of one is held than was taken.

use bytes::BytesMut;
use imap_proto::frame::{FrameReader, Piece};

const LINE: usize = 64;
const LITERAL: u64 = 32;

fn pieces(octets: &[u8], cut: usize) -> Vec<String> {
    let (mut reader, mut input, mut found) = (FrameReader::new(), BytesMut::new(), Vec::new());
    for chunk in octets.chunks(cut) {
        input.extend_from_slice(chunk);
        while let Some(piece) = reader.next(&mut input, LINE) {
            match piece {
                Ok(Piece::Command(frame)) => found.push(frame.escape_ascii().to_string()),
                Ok(Piece::Literal(head)) if head.octets <= LITERAL && reader.literals() < 3 => {
                    found.push(format!("{head:?}"));
                    reader.take_literal(head.octets as usize);
                }
                Ok(_) => {
                    found.push(String::from("too much"));
                    reader.abandon();
                }
                Err(fault) => found.push(fault.to_string()),
            }
        }
        assert!(reader.so_far().len() <= 4 * (LINE + 2) + 3 * LITERAL as usize);
    }
    found
}

/// See the module.
pub fn run(octets: &[u8]) {
    let Some((&first, octets)) = octets.split_first() else { return };
    assert_eq!(pieces(octets, usize::from(first % 16) + 1), pieces(octets, octets.len().max(1)));
}
