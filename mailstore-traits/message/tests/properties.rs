//! What holds whatever is fed: cutting changes nothing, parts nest, octets of a store are read or refused.
#![allow(clippy::unwrap_used, clippy::indexing_slicing)]

mod common;

use common::{check, digest_in_pieces};
use mail_message::{DIGEST_VERSION, Defect, Digest, Digester, Limits};
use mailstore_traits::MessageDigest;
use proptest::collection::vec;
use proptest::prelude::*;

/// Octets that look like mail now and then: lines that matter, in any order, with any line ends.
fn mail() -> impl Strategy<Value = Vec<u8>> {
    let piece = prop_oneof![
        6 => proptest::sample::select(vec![
            "Content-Type: multipart/mixed; boundary=b",
            "Content-Type: multipart/digest; boundary=bb",
            "Content-Type: multipart/x; boundary=\"b b \"",
            "Content-Type: multipart/x; boundary*0=b; boundary*1=--",
            "Content-Type: message/rfc822",
            "Content-Type: text/plain; charset=utf-8",
            "Content-Type: junk",
            "Content-Transfer-Encoding: base64",
            "Content-Disposition: attachment; filename=x",
            "Subject: hello",
            "To: a@example.org,",
            " folded <b@example.org>",
            "Received: from x",
            "From the beginning",
            "--b", "--b--", "--bb", "--bb--", "--b b", "--b b--", "--b----", "--b   \t", "--", "-", "",
            "", "", "", "words", "\u{e4}", "\0", "\r", ":", "x\r\ry",
        ]).prop_map(|text| text.as_bytes().to_vec()),
        1 => vec(any::<u8>(), 0..100),
        1 => (1_usize..200).prop_map(|len| vec![b' '; len]),
    ];
    let end = proptest::sample::select(vec!["\r\n", "\r\n", "\r\n", "\r\n", "\n", "\r\n\r\n", "\r", ""]);
    vec((piece, end), 0..60).prop_map(|lines| {
        lines.into_iter().flat_map(|(line, end)| line.into_iter().chain(end.bytes())).collect::<Vec<u8>>()
    })
}

/// A body of many lines in which there is nothing to find, with here and there a line in which there is. Octets that
/// come in pieces of less than 448 are looked at line by line, others in blocks.
fn long_body() -> impl Strategy<Value = Vec<u8>> {
    let calm = (1_usize..30, 0_usize..90).prop_map(|(lines, octets)| ("x".repeat(octets) + "\r\n").repeat(lines));
    let odd = proptest::sample::select(vec![
        "--b\r\n",
        "--b\r\n\r\n",
        "--b--\r\n",
        "--b\n",
        "-\r\n",
        "\n",
        "x\n",
        "\r\n",
        "\r",
        "x\ry\r\n",
        "\r\r\n",
        "\u{e4}",
        "\0",
        "words",
        "--",
        "--b\r\nContent-Type: text/html\r\n\r\n",
    ]);
    let long = (990_usize..1005).prop_map(|octets| "y".repeat(octets) + "\r\n");
    let piece = prop_oneof![6 => calm, 3 => odd.prop_map(str::to_owned), 1 => long];
    vec(piece, 0..20).prop_map(|body| {
        format!("Subject: x\r\nContent-Type: multipart/mixed; boundary=b\r\n\r\n{}", body.concat()).into_bytes()
    })
}

fn limits() -> impl Strategy<Value = Limits> {
    (1_usize..6, 1_usize..9, 0_usize..80, 0_usize..4, 0_usize..80, 0_usize..3, 0_usize..9).prop_map(
        |(depth, parts, field_octets, fields, octets, parameters, preview)| {
            let mut limits = Limits::default();
            limits.depth = depth;
            limits.parts = parts;
            limits.field_octets = field_octets;
            limits.fields = fields;
            limits.fields_octets = octets;
            limits.parts_octets = octets;
            limits.parameter_octets = octets;
            limits.parameters = parameters;
            limits.boundary_octets = preview;
            limits.preview_octets = preview;
            limits
        },
    )
}

fn whole(message: &[u8], limits: &Limits) -> Digest {
    digest_in_pieces(message, limits, message.len().max(1))
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn cutting_the_octets_anywhere_changes_nothing(message in mail(), cuts in vec(1_usize..40, 1..9)) {
        let expected = Digest::of(&message);
        check(&expected, message.len() as u64);
        let mut digester = Digester::new(&Limits::default());
        let mut rest = &message[..];
        for size in cuts.into_iter().cycle() {
            let (piece, behind) = rest.split_at(size.min(rest.len()));
            digester.feed(piece);
            rest = behind;
            if rest.is_empty() {
                break;
            }
        }
        prop_assert_eq!(digester.finish(), expected);
    }

    #[test]
    fn lines_looked_at_in_blocks_are_as_those_looked_at_one_by_one(
        message in long_body(), few in 1_usize..200, many in 449_usize..1500,
    ) {
        let expected = digest_in_pieces(&message, &Limits::default(), few);
        check(&expected, message.len() as u64);
        prop_assert_eq!(expected.lines(), message.split_inclusive(|octet| *octet == b'\n').count() as u64);
        prop_assert_eq!(expected.has(Defect::EightBit), !message.is_ascii());
        prop_assert_eq!(expected.has(Defect::Nul), message.contains(&0));
        let long = message.split_inclusive(|octet| *octet == b'\n').any(|line| {
            let text = line.strip_suffix(b"\n").map_or(line, |text| text.strip_suffix(b"\r").unwrap_or(text));
            text.len() > 998
        });
        prop_assert_eq!(expected.has(Defect::LongLine), long);
        prop_assert_eq!(&digest_in_pieces(&message, &Limits::default(), many), &expected);
        prop_assert_eq!(Digest::of(&message), expected);
    }

    #[test]
    fn small_limits_are_kept_and_leave_the_structure_sound(message in mail(), limits in limits(), size in 1_usize..30) {
        let digest = whole(&message, &limits);
        check(&digest, message.len() as u64);
        prop_assert!(digest.parts().len() <= limits.parts);
        prop_assert!(digest.parts().map(|part| part.fields().count()).sum::<usize>() <= limits.fields);
        prop_assert_eq!(digest_in_pieces(&message, &limits, size), digest);
    }

    #[test]
    fn a_prefix_makes_the_digest_that_the_whole_has(
        message in mail().prop_filter("its first line goes on with no field", |message| {
            !matches!(message.first(), Some(b' ' | b'\t'))
        }),
        prefix in vec(proptest::sample::select(vec![
            "Received: from x\r\n by y\r\n", "Return-Path: <a@example.org>\r\n", "Delivered-To: b\r\n", "X: y\r\n", "To: \u{e4}\r\n",
        ]), 0..4),
    ) {
        let prefix = prefix.concat().into_bytes();
        let digest = Digest::of(&message).with_prefix(&prefix);
        let whole = Digest::of(&[&prefix[..], &message].concat());
        check(&digest, whole.size());
        prop_assert_eq!(digest.lines(), whole.lines());
        prop_assert_eq!(digest.defects(), whole.defects());
        prop_assert_eq!(digest.field_count("Received"), whole.field_count("Received"));
        prop_assert_eq!(digest.parts().len(), whole.parts().len());
        for (part, expected) in digest.parts().zip(whole.parts()) {
            prop_assert_eq!(format!("{part:?}"), format!("{expected:?}"));
            prop_assert_eq!(part.body_lines(), expected.body_lines());
            prop_assert!(part.fields().eq(expected.fields()));
        }
    }

    #[test]
    fn random_octets_are_a_digest_or_an_error(octets in vec(any::<u8>(), 0..300)) {
        let _ = Digest::from_octets(&MessageDigest::new(DIGEST_VERSION, octets));
    }

    #[test]
    fn spoilt_octets_are_a_sound_digest_or_an_error(
        message in mail(),
        spoilt in vec((any::<prop::sample::Index>(), any::<u8>()), 1..4),
        cut in proptest::option::weighted(0.2, any::<prop::sample::Index>()),
    ) {
        let mut octets = Digest::of(&message).to_octets().octets.to_vec();
        for (index, octet) in spoilt {
            let index = index.index(octets.len());
            octets[index] = octet;
        }
        if let Some(cut) = cut {
            octets.truncate(cut.index(octets.len()));
        }
        let octets = MessageDigest::new(DIGEST_VERSION, octets);
        if let Ok(digest) = Digest::from_octets(&octets) {
            prop_assert_eq!(digest.to_octets(), octets);
            // Everything that can be asked of it has an answer.
            for part in digest.parts() {
                prop_assert!(part.body().end >= part.body().start);
                let _ = (part.children().count(), part.fields().count(), part.message().is_some());
                let _ = (part.charset(), format!("{part:?}"));
            }
            let _ = (digest.size(), digest.lines(), digest.preview().is_some(), digest.with_prefix(b"A: b\r\n"));
        }
    }
}
