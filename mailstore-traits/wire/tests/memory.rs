//! Attack rows M1, M2, M15 and M16 with an allocator that counts: no decoder keeps what it is given.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests say what they expect")]

use std::sync::{Mutex, MutexGuard, PoisonError};

use bytes::BytesMut;
use mail_wire::dot::{Decoded, DotDecoder, LineEndPolicy};
use mail_wire::line::LineReader;
use mail_wire::line_ends::LineEnds;
use mail_wire::proxy::{MAX_V1, MAX_V2_BODY, ProxyReader};
use peak_alloc::PeakAlloc;

#[global_allocator]
static MEMORY: PeakAlloc = PeakAlloc;

/// One thing at a time is measured: each test holds this from its first allocation on.
static ALONE: Mutex<()> = Mutex::new(());

fn alone() -> MutexGuard<'static, ()> {
    ALONE.lock().unwrap_or_else(PoisonError::into_inner)
}

/// What is read at a time: the caller's choice, and the caller's memory.
const READ: usize = 16 * 1024;

/// What the test harness may need meanwhile, which begins and ends other tests in threads of its own.
const HARNESS: usize = 64 * 1024;

/// Gives 4 MiB of these octets, forty times what may be held, read by read, and says what that cost at the worst moment.
fn cost(octets: &[u8], mut take: impl FnMut(&mut BytesMut)) -> usize {
    let chunk = octets.repeat(READ / octets.len());
    let before = MEMORY.current_usage();
    MEMORY.reset_peak_usage();
    let mut input = BytesMut::new();
    for _ in 0..(4 << 20) / chunk.len() {
        input.reserve(READ);
        input.extend_from_slice(&chunk);
        take(&mut input);
    }
    MEMORY.peak_usage().saturating_sub(before)
}

#[test]
fn sec_m1_a_line_costs_its_ceiling_and_a_read() {
    let _alone = alone();
    for limit in [2, 512, 12_288] {
        for octets in [&b"x"[..], b"x\r", b"xx\n", b"abcdefgh\r\n"] {
            let mut reader = LineReader::new();
            // A buffer that is full grows to twice its size, and the old one is there while it is copied.
            let most = 3 * (READ + limit) + HARNESS;
            let cost = cost(octets, |input| while reader.next_line(input, limit).is_some() {});
            assert!(cost <= most, "{} under {limit}: {cost} of {most}", octets.escape_ascii());
        }
    }
}

#[test]
fn sec_m2_a_message_costs_a_read_and_what_is_given() {
    let _alone = alone();
    // The read, twice while it grows, and what is given at a time: a slice of it, or short stretches joined.
    let most = 3 * READ + HARNESS;
    for octets in [&b"x"[..], b"xx\r\n", b"..\r\n", b".\n", b"\r", b"\n", b"\0"] {
        for policy in [LineEndPolicy::Normalize, LineEndPolicy::Reject] {
            let mut decoder = DotDecoder::new(policy);
            let by_data = cost(octets, |input| while let Some(Decoded::Octets(_)) = decoder.next(input) {});
            let (mut line_ends, mut left) = (LineEnds::new(policy), u64::MAX);
            let by_chunks = cost(octets, |input| while line_ends.next(input, &mut left).is_some() {});
            assert!(by_data.max(by_chunks) <= most, "{}: {by_data}, {by_chunks} of {most}", octets.escape_ascii());
        }
    }
}

#[test]
fn sec_m15_a_header_of_a_proxy_is_given_up_before_it_costs_more_than_its_ceiling() {
    let _alone = alone();
    for octets in [
        &b"PROXY TCP4 "[..],
        b"PROXY UNKNOWN",
        b"\r\n\r\n\0\r\nQUIT\n\x21\x11\xff\xff",
        b"\r\n\r\n\0\r\nQUIT\n\x21\x11\x04\x00",
    ] {
        let mut reader = ProxyReader::new();
        let (mut input, mut fed) = (BytesMut::from(octets), octets.len());
        while reader.next(&mut input).is_ok_and(|header| header.is_none()) {
            input.extend_from_slice(b"x");
            fed += 1;
            assert!(fed <= MAX_V1.max(16 + MAX_V2_BODY) + 1, "{}", octets.escape_ascii());
        }
    }
}
