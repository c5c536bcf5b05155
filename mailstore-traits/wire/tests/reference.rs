//! The decoders beside references that are written straight from the texts: naive, octet by octet, with all of the input
//! at hand. Whatever the input and however it is cut, both say the same.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests say what they expect")]

use bytes::BytesMut;
use mail_wire::dot::{Decoded, DotDecoder, DotEncoder, Faults, LineEndPolicy};
use mail_wire::line::{LineFault, LineReader};
use proptest::prelude::*;

/// What came of a message.
#[derive(Debug, Default, PartialEq, Eq)]
struct Outcome {
    message: Vec<u8>,
    faults: (bool, bool, bool),
    /// What stands behind the end of data, if that has come.
    behind: Option<Vec<u8>>,
}

/// RFC 5321 §4.5.2 on dots, §4.1.1.4 on the end, §2.3.8 on line ends; attack row S3 on what stands alone.
fn reference(octets: &[u8], policy: LineEndPolicy) -> Outcome {
    let (mut it, mut at, mut line_start) = (Outcome::default(), 0, true);
    while at < octets.len() {
        let rest = &octets[at..];
        if line_start && rest.starts_with(b".\r\n") {
            it.behind = Some(rest[3..].to_vec());
            return it;
        }
        let is_dot = line_start && rest[0] == b'.';
        line_start = rest.starts_with(b"\r\n");
        let (taken, given) = match rest[0] {
            b'.' if is_dot => (1, &b""[..]),
            b'\r' if line_start => (2, &b"\r\n"[..]),
            b'\r' => (1, {
                it.faults.0 = true;
                &b"\r\n"[..]
            }),
            b'\n' => (1, {
                it.faults.1 = true;
                &b"\r\n"[..]
            }),
            0 => (1, {
                it.faults.2 = true;
                &b""[..]
            }),
            _ => (1, &rest[..1]),
        };
        let refused = it.faults.2 || (policy == LineEndPolicy::Reject && (it.faults.0 || it.faults.1));
        it.message.extend_from_slice(if refused { b"" } else { given });
        at += taken;
    }
    it
}

fn pieces<'a>(octets: &'a [u8], cuts: &'a [usize]) -> impl Iterator<Item = &'a [u8]> {
    let (mut rest, mut cuts) = (octets, cuts.iter().cycle());
    std::iter::from_fn(move || {
        let (piece, behind) = rest.split_at((*cuts.next()?).min(rest.len()));
        rest = behind;
        (!piece.is_empty()).then_some(piece)
    })
}

fn decode(octets: &[u8], policy: LineEndPolicy, cuts: &[usize]) -> Outcome {
    let (mut decoder, mut input, mut it) = (DotDecoder::new(policy), BytesMut::new(), Outcome::default());
    let mut ended = false;
    for piece in pieces(octets, cuts) {
        input.extend_from_slice(piece);
        while let Some(decoded) = decoder.next(&mut input) {
            assert!(!ended, "the end comes once, and nothing behind it");
            match decoded {
                Decoded::Octets(octets) => it.message.extend_from_slice(&octets),
                _ => ended = true,
            }
        }
    }
    let Faults { bare_cr, bare_lf, nul, .. } = decoder.faults();
    it.faults = (bare_cr, bare_lf, nul);
    it.behind = ended.then(|| input.to_vec());
    it
}

/// Octets of which most matter, in runs short and long: long ones are given as slices and short ones joined.
fn messages() -> impl Strategy<Value = Vec<u8>> {
    let piece = prop_oneof![
        8 => prop::sample::select(vec![&b"\r\n"[..], b"\r", b"\n", b".", b"..", b"x", b"\r\n.", b"\n.\r\n", b"\r\n.\n", b"\xe4"]),
        1 => Just(&b"\0"[..]),
        1 => prop::sample::select(vec![&[b'y'; 1023][..], &[b'z'; 1024], &[b'w'; 4097]]),
    ];
    prop::collection::vec(piece, 0..40).prop_map(|pieces| pieces.concat())
}

fn policies() -> impl Strategy<Value = LineEndPolicy> {
    prop::sample::select(vec![LineEndPolicy::Normalize, LineEndPolicy::Reject])
}

/// Lines as RFC 5321 §2.3.8 has them, and no others, each with its verdict.
fn lines(octets: &[u8], limit: usize) -> Vec<Result<Vec<u8>, LineFault>> {
    let (mut lines, mut line) = (Vec::new(), Vec::new());
    for &octet in octets {
        line.push(octet);
        if line.ends_with(b"\r\n") {
            let length = line.len();
            line.truncate(length - 2);
            let fault = line.iter().find_map(|octet| match octet {
                b'\r' => Some(LineFault::BareCr),
                b'\n' => Some(LineFault::BareLf),
                0 => Some(LineFault::Nul),
                _ => None,
            });
            let line = std::mem::take(&mut line);
            lines.push(if length > limit { Err(LineFault::TooLong) } else { fault.map_or(Ok(line), Err) });
        }
    }
    lines
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1024))]

    #[test]
    fn sec_s1_sec_s3_the_decoder_agrees_with_the_reference(
        body in messages(), ends: bool, policy in policies(), cuts in prop::collection::vec(1usize..1500, 1..8), slow: bool,
    ) {
        // Behind every message stands what a smuggler would have taken for a command.
        let octets = if ends { [&body[..], b"\r\n.\r\nMAIL FROM:<a@b>\r\n.\r\n"].concat() } else { body };
        let expected = reference(&octets, policy);
        let cuts = if slow { cuts.iter().map(|cut| cut % 4 + 1).collect() } else { cuts };
        let decoded = decode(&octets, policy, &cuts);
        if expected.behind.is_some() {
            prop_assert_eq!(decoded, expected);
        } else {
            // Of a message that has not ended, one or two octets may wait for what comes next, and what they do to it.
            prop_assert_eq!(decoded.behind, None);
            prop_assert!(expected.message.starts_with(&decoded.message));
            prop_assert!(expected.message.len() - decoded.message.len() <= 2);
        }
    }

    #[test]
    fn sec_s6_what_the_encoder_writes_the_decoder_reads(
        lines in prop::collection::vec("[x.\u{e4} ]{0,5}", 0..10), cuts in prop::collection::vec(1usize..9, 1..5), policy in policies(),
    ) {
        let message: Vec<u8> = lines.iter().flat_map(|line| [line, "\r\n"]).collect::<String>().into_bytes();
        let (mut encoder, mut out) = (DotEncoder::new(), BytesMut::new());
        pieces(&message, &cuts).for_each(|piece| encoder.encode(piece, &mut out));
        encoder.finish(&mut out);
        let expected = Outcome { message, behind: Some(Vec::new()), ..Outcome::default() };
        prop_assert_eq!(reference(&out, policy), Outcome { message: expected.message.clone(), behind: Some(Vec::new()), ..Outcome::default() });
        prop_assert_eq!(decode(&out, policy, &cuts), expected);
    }

    #[test]
    fn sec_s4_the_line_reader_agrees_with_the_reference(
        octets in prop::collection::vec(prop::sample::select(b"abc\r\r\n\n\0".to_vec()), 0..120),
        limit in 2usize..14,
        cuts in prop::collection::vec(1usize..20, 1..6),
    ) {
        let (mut reader, mut input, mut found) = (LineReader::new(), BytesMut::new(), Vec::new());
        for piece in pieces(&octets, &cuts) {
            input.extend_from_slice(piece);
            while let Some(line) = reader.next_line(&mut input, limit) {
                found.push(line.map(|line| line.to_vec()));
            }
            prop_assert!(input.len() <= limit, "no more than the ceiling waits");
        }
        prop_assert_eq!(found, lines(&octets, limit));
    }
}
