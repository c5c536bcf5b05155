//! Lines and dots: what every octet of every message passes through.
#![allow(clippy::unwrap_used)]

use bytes::BytesMut;
use divan::counter::BytesCount;
use divan::{Bencher, black_box};
use mail_wire::dot::{DotDecoder, DotEncoder, LineEndPolicy};
use mail_wire::line::LineReader;

fn main() {
    divan::main();
}

const MIB: usize = 1 << 20;
/// What one read brings.
const READ: usize = 16 * 1024;

/// A mebibyte of lines of 76 octets, as base64 makes them.
fn base64_lines() -> Vec<u8> {
    [&[b'A'; 76][..], b"\r\n"].concat().into_iter().cycle().take(MIB / 78 * 78).collect()
}

/// The worst that a sender can do to a decoder that gives slices: a dot before each short line.
fn dotted_lines() -> Vec<u8> {
    b"..\r\n".repeat(MIB / 4)
}

/// Line ends that all have to be made anew.
fn bare_lines() -> Vec<u8> {
    b"0123456789abcde\n".repeat(MIB / 16)
}

fn decode(bencher: Bencher<'_, '_>, body: Vec<u8>) {
    let wire = [&body[..], b"\r\n.\r\n"].concat();
    bencher.counter(BytesCount::new(wire.len())).bench_local(|| {
        let (mut decoder, mut input) = (DotDecoder::new(LineEndPolicy::Normalize), BytesMut::new());
        for read in wire.chunks(READ) {
            input.extend_from_slice(black_box(read));
            while let Some(decoded) = decoder.next(&mut input) {
                black_box(decoded);
            }
        }
    });
}

#[divan::bench]
fn decode_base64_lines(bencher: Bencher<'_, '_>) {
    decode(bencher, base64_lines());
}

#[divan::bench]
fn decode_dotted_lines(bencher: Bencher<'_, '_>) {
    decode(bencher, dotted_lines());
}

#[divan::bench]
fn decode_bare_line_feeds(bencher: Bencher<'_, '_>) {
    decode(bencher, bare_lines());
}

/// What decoding is compared with: the same octets through the same buffer, only copied.
#[divan::bench]
fn copy_base64_lines(bencher: Bencher<'_, '_>) {
    let wire = base64_lines();
    bencher.counter(BytesCount::new(wire.len())).bench_local(|| {
        let mut input = BytesMut::new();
        for read in wire.chunks(READ) {
            input.extend_from_slice(black_box(read));
            black_box(input.split().freeze());
        }
    });
}

#[divan::bench]
fn encode_base64_lines(bencher: Bencher<'_, '_>) {
    let body = base64_lines();
    bencher.counter(BytesCount::new(body.len())).bench_local(|| {
        let (mut encoder, mut out) = (DotEncoder::new(), BytesMut::new());
        for chunk in body.chunks(READ) {
            encoder.encode(black_box(chunk), &mut out);
            black_box(out.split());
        }
        encoder.finish(&mut out);
        black_box(out);
    });
}

#[divan::bench]
fn read_lines_of_commands(bencher: Bencher<'_, '_>) {
    let wire = b"RCPT TO:<somebody@example.org>\r\n".repeat(MIB / 32);
    bencher.counter(BytesCount::new(wire.len())).bench_local(|| {
        let (mut reader, mut input) = (LineReader::new(), BytesMut::new());
        for read in wire.chunks(READ) {
            input.extend_from_slice(black_box(read));
            while let Some(line) = reader.next_line(&mut input, 512) {
                black_box(line).unwrap();
            }
        }
    });
}
