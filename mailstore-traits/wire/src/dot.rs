//! Dot-stuffing: RFC 5321 §4.5.2 for mail that comes in, RFC 1939 §3 for mail that goes out.
//!
//! Data ends with CRLF `.` CRLF, or with `.` CRLF before anything else, and with nothing that merely looks like it. That
//! is the whole defence against SMTP smuggling: if another server takes LF `.` CRLF for the end and this one does not (or
//! the other way round), a second message hides in the first (attack rows S1 to S3, S6).

use bytes::{Bytes, BytesMut};

pub use crate::line_ends::{Faults, LineEndPolicy};
use crate::stretch::{Stretch, Stretches};

/// What comes out of a [`DotDecoder`].
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Decoded {
    /// Octets of the message; never none.
    Octets(Bytes),
    /// The end of data. It comes once.
    End,
}

/// Takes the dots out of a message that comes in, and finds its end.
///
/// It keeps no octets: up to two of them (`.` CR) wait in the caller's buffer until it is known what they are. Stretches
/// of half a kilobyte and more in which nothing has to be altered are slices of the input; those between which there is but
/// a dot are moved together in its place, and shorter ones are joined by copying, so that a message of many stretches does
/// not make an event of each.
#[derive(Debug, Clone)]
pub struct DotDecoder(Stretches<true>);

impl DotDecoder {
    /// A decoder at the first octet behind the line that began the data.
    pub const fn new(policy: LineEndPolicy) -> Self {
        Self(Stretches::new(policy))
    }

    /// Takes octets off the front of `input`. `None` means: more, please; after [`Decoded::End`] it is all that comes,
    /// and what follows the end stays in `input`.
    #[allow(clippy::should_implement_trait, reason = "it needs the input")]
    pub fn next(&mut self, input: &mut BytesMut) -> Option<Decoded> {
        self.0.next(input).map(|stretch| match stretch {
            Stretch::Octets(octets) => Decoded::Octets(octets),
            Stretch::End => Decoded::End,
        })
    }

    /// What has been wrong with the data so far.
    pub fn faults(&self) -> Faults {
        self.0.faults()
    }

    /// Whether the message has to be refused at its end. From then on no more octets are given, only the end.
    pub fn is_refused(&self) -> bool {
        self.0.is_refused()
    }
}

/// Puts dots in front of lines of a message that goes out, and ends it.
///
/// A CR or LF that stands alone becomes a CRLF: no reader, however it takes line ends, finds an end of data that is not
/// ours (attack rows S5 and I3).
#[derive(Debug, Clone)]
pub struct DotEncoder {
    at: OutPosition,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum OutPosition {
    LineStart,
    MidLine,
    /// A CR has come and has not been written: what follows says what it is.
    Cr,
}

impl Default for DotEncoder {
    fn default() -> Self {
        Self::new()
    }
}

impl DotEncoder {
    /// An encoder before the first octet, which is the start of a line.
    pub const fn new() -> Self {
        Self { at: OutPosition::LineStart }
    }

    /// Writes the next octets of the message, cut anywhere.
    pub fn encode(&mut self, octets: &[u8], out: &mut BytesMut) {
        out.reserve(octets.len() + 2);
        let mut rest = octets;
        while let Some(&first) = rest.first() {
            match (self.at, first) {
                (OutPosition::Cr, b'\n') => {
                    rest = rest.get(1..).unwrap_or_default();
                    self.end_line(out);
                    continue;
                }
                (OutPosition::Cr, _) => {
                    self.end_line(out);
                    continue;
                }
                (OutPosition::LineStart, b'.') => out.extend_from_slice(b"."),
                _ => {}
            }
            let (line, behind) = rest.split_at(memchr::memchr2(b'\r', b'\n', rest).unwrap_or(rest.len()));
            out.extend_from_slice(line);
            if !line.is_empty() {
                self.at = OutPosition::MidLine;
            }
            rest = match behind {
                [b'\r', b'\n', next @ ..] | [b'\n', next @ ..] => {
                    self.end_line(out);
                    next
                }
                [_, next @ ..] => {
                    self.at = OutPosition::Cr;
                    next
                }
                [] => behind,
            };
        }
    }

    /// Completes the last line, if it has no end, and writes the `.` CRLF that ends the message.
    pub fn finish(&mut self, out: &mut BytesMut) {
        if self.at != OutPosition::LineStart {
            self.end_line(out);
        }
        out.extend_from_slice(b".\r\n");
    }

    fn end_line(&mut self, out: &mut BytesMut) {
        out.extend_from_slice(b"\r\n");
        self.at = OutPosition::LineStart;
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[derive(Debug, PartialEq, Eq)]
    struct Outcome {
        octets: Vec<u8>,
        ended: bool,
        faults: Faults,
        /// What stays behind the end.
        rest: Vec<u8>,
    }

    fn decode(policy: LineEndPolicy, chunks: &[&[u8]]) -> Outcome {
        let (mut decoder, mut input) = (DotDecoder::new(policy), BytesMut::new());
        let (mut octets, mut ended) = (Vec::new(), false);
        for chunk in chunks {
            input.extend_from_slice(chunk);
            while let Some(decoded) = decoder.next(&mut input) {
                match decoded {
                    Decoded::Octets(some) => {
                        assert!(!some.is_empty() && !ended);
                        octets.extend_from_slice(&some);
                    }
                    Decoded::End => ended = true,
                }
            }
            assert!(ended || input.len() <= 2, "at most a dot and a CR wait");
        }
        Outcome { octets, ended, faults: decoder.faults(), rest: input.to_vec() }
    }

    /// The same at every cut in two, and octet by octet.
    fn decode_every_way(policy: LineEndPolicy, octets: &[u8]) -> Outcome {
        let whole = decode(policy, &[octets]);
        for cut in 0..=octets.len() {
            assert_eq!(decode(policy, &[&octets[..cut], &octets[cut..]]), whole, "cut at {cut}");
        }
        let single: Vec<&[u8]> = octets.chunks(1).collect();
        assert_eq!(decode(policy, &single), whole, "octet by octet");
        whole
    }

    /// Straight from RFC 5321 §4.5.2 and attack row S3, one octet at a time with the whole message at hand.
    fn reference(octets: &[u8]) -> (Vec<u8>, Option<usize>) {
        let (mut message, mut at, mut line_start) = (Vec::new(), 0, true);
        while at < octets.len() {
            let rest = &octets[at..];
            if line_start && rest.starts_with(b".\r\n") {
                return (message, Some(at + 3));
            }
            if line_start && rest[0] == b'.' {
                at += 1;
                line_start = false;
                continue;
            }
            if rest.starts_with(b"\r\n") {
                message.extend_from_slice(b"\r\n");
                (at, line_start) = (at + 2, true);
                continue;
            }
            match rest[0] {
                b'\r' | b'\n' => message.extend_from_slice(b"\r\n"),
                0 => return (message, None),
                octet => message.push(octet),
            }
            (at, line_start) = (at + 1, false);
        }
        (message, None)
    }

    const ENDS: [&[u8]; 3] = [b"x\r\n.\r\n", b".\r\n", b"x\r\r\n.\r\n"];
    const LOOKALIKES: [&[u8]; 11] = [
        b"x\n.\n",
        b"x\n.\r\n",
        b"x\r\n.\n",
        b"x\r.\r",
        b"x\r.\r\n",
        b"x\r.\n",
        b"x\n.\r",
        b"x\r\n.\r",
        b"x\r\n.\r\r\n",
        b"x\r\n.\0\r\n",
        b"x\r\n\0.\r\n",
    ];

    #[test]
    #[cfg_attr(miri, ignore = "minutes, interpreted")]
    fn sec_s1_data_ends_in_exactly_one_way() {
        for policy in [LineEndPolicy::Normalize, LineEndPolicy::Reject] {
            for end in ENDS {
                let octets = [end, b"MAIL FROM:<a@b>\r\n"].concat();
                let outcome = decode_every_way(policy, &octets);
                assert!(outcome.ended, "{:?}", end.escape_ascii().to_string());
                assert_eq!(outcome.rest, b"MAIL FROM:<a@b>\r\n");
            }
            for lookalike in LOOKALIKES {
                let octets = [lookalike, b"MAIL FROM:<a@b>\r\n"].concat();
                let outcome = decode_every_way(policy, &octets);
                assert!(!outcome.ended, "{:?}", lookalike.escape_ascii().to_string());
                let octets = [&octets[..], b"\r\n.\r\nQUIT\r\n"].concat();
                let outcome = decode_every_way(policy, &octets);
                assert_eq!((outcome.ended, &outcome.rest[..]), (true, &b"QUIT\r\n"[..]), "one message in all");
            }
        }
    }

    #[test]
    #[cfg_attr(miri, ignore = "minutes, interpreted")]
    fn sec_s2_a_row_of_crs_starts_the_matching_again() {
        for count in 0..=5 {
            let crs = vec![b'\r'; count];
            let octets = [b"x", &crs[..], b"\r\n.\r\n"].concat();
            assert!(decode_every_way(LineEndPolicy::Normalize, &octets).ended, "CR x {count} CRLF . CRLF");
        }
        for count in 1..=5 {
            let crs = vec![b'\r'; count];
            let octets = [b"x\r\n.", &crs[..], b"\r\n"].concat();
            assert!(!decode_every_way(LineEndPolicy::Normalize, &octets).ended, "CRLF . CR x {count} CRLF");
        }
    }

    #[test]
    fn sec_s3_nothing_that_stands_alone_is_passed_on() {
        let octets = b"a\nb\rc\r\r\nd\n\re\n.\r\nf\r\n.\r\n";
        let outcome = decode_every_way(LineEndPolicy::Normalize, octets);
        assert_eq!(outcome.octets, b"a\r\nb\r\nc\r\n\r\nd\r\n\r\ne\r\n.\r\nf\r\n");
        assert!(outcome.ended && outcome.faults.bare_cr && outcome.faults.bare_lf && !outcome.faults.nul);

        let outcome = decode_every_way(LineEndPolicy::Reject, octets);
        assert_eq!(outcome.octets, b"a", "nothing is given once it is known");
        assert!(outcome.ended);
        let outcome = decode_every_way(LineEndPolicy::Reject, b".a\r\n\nb\r\n.c\r\n.\r\n");
        assert_eq!(outcome.octets, b"a\r\n", "nor of short lines with dots");

        for policy in [LineEndPolicy::Normalize, LineEndPolicy::Reject] {
            let outcome = decode_every_way(policy, b"a\0b\r\n.\r\n");
            assert!(outcome.ended && outcome.faults.nul);
        }
    }

    #[test]
    fn sec_s6_one_dot_is_taken_from_every_line_that_begins_with_one() {
        let outcome = decode_every_way(LineEndPolicy::Normalize, b"..\r\n.x\r\n..y\r\n...\r\nz.\r\n.\r\n");
        assert_eq!(outcome.octets, b".\r\nx\r\n.y\r\n..\r\nz.\r\n");
    }

    /// Many octets are looked at as one, so what is remarkable has to be found at each place of them, across their borders
    /// too.
    #[test]
    #[cfg_attr(miri, ignore = "minutes, interpreted")]
    fn sec_s3_what_is_wrong_is_found_wherever_in_a_long_message_it_stands() {
        // Whether a dot is near makes a difference to how octets are looked at.
        for plain in ["as plain as text can be\r\n", "as plain. And plain again\r\n"] {
            let plain = plain.repeat(20);
            (0..300).for_each(|at| find_what_is_wrong(&plain, at));
            // Behind some of them the search for dots begins again.
            let plain = plain.repeat(6);
            (2000..2100).for_each(|at| find_what_is_wrong(&plain, at));
        }
    }

    fn find_what_is_wrong(plain: &str, at: usize) {
        let remarkable = [
            "\r",
            "\n",
            "\r\r\n",
            "\n.\r\n",
            "\r.\r\n",
            "\r\n.",
            "\r\n.\r",
            "\r\n..\r\n",
            "\r\n.\r\n",
            "\0",
            ".",
            "\r\n\n",
        ];
        for remarkable in remarkable {
            let octets = [&plain[..at], remarkable, &plain[at..], ".\r\n"].concat().into_bytes();
            let (message, end) = reference(&octets);
            for cut in [0, at, at + 1, at + 2, octets.len() / 2] {
                let outcome = decode(LineEndPolicy::Normalize, &[&octets[..cut], &octets[cut..]]);
                if remarkable == "\0" {
                    // A CRLF that it stands in is no CRLF, but would have been given as one.
                    assert!(outcome.faults.nul && outcome.ended, "{at}");
                    assert!(message == outcome.octets && message.starts_with(&octets[..at]), "{at}");
                    continue;
                }
                assert_eq!(outcome.octets, message, "{remarkable:?} at {at}, cut at {cut}");
                assert_eq!((outcome.ended, outcome.rest.len()), (true, octets.len() - end.unwrap()));
            }
        }
    }

    #[test]
    fn long_stretches_are_slices_of_the_input() {
        let line = [&[b'x'; 2000][..], b"\r\n"].concat();
        let mut input = BytesMut::from(&line.repeat(4)[..]);
        let from = input.as_ptr();
        let Some(Decoded::Octets(octets)) = DotDecoder::new(LineEndPolicy::Normalize).next(&mut input) else {
            panic!("octets expected");
        };
        assert_eq!((octets.as_ptr(), octets.len()), (from, line.len() * 4));
    }

    #[test]
    fn stretches_with_a_dot_between_them_are_one_slice() {
        let line = [&[b'x'; 1000][..], b"\r\n"].concat();
        let wire = [&line[..], b".", &line, b"..", &line, b"."].concat();
        let mut input = BytesMut::from(&wire[..]);
        let from = input.as_ptr();
        let Some(Decoded::Octets(octets)) = DotDecoder::new(LineEndPolicy::Normalize).next(&mut input) else {
            panic!("octets expected");
        };
        assert_eq!(octets, [&line[..], &line, b".", &line].concat());
        assert_eq!((octets.as_ptr(), &input[..]), (from, &b"."[..]));
    }

    #[test]
    #[cfg_attr(miri, ignore = "minutes, interpreted")]
    fn a_message_of_short_stretches_is_not_an_event_for_each() {
        let mut input = BytesMut::from(&b".x\r\n\n".repeat(10_000)[..]);
        let mut decoder = DotDecoder::new(LineEndPolicy::Normalize);
        let mut events = 0;
        while decoder.next(&mut input).is_some() {
            events += 1;
        }
        assert!(events < 30, "{events} events");
    }

    #[test]
    fn sec_i3_what_goes_out_has_a_dot_before_every_dot() {
        for (message, wire) in [
            (&b""[..], &b".\r\n"[..]),
            (b".", b"..\r\n.\r\n"),
            (b".\r\n", b"..\r\n.\r\n"),
            (b"..", b"...\r\n.\r\n"),
            (b"a\n.\nb", b"a\r\n..\r\nb\r\n.\r\n"),
            (b"a\r.\rb", b"a\r\n..\r\nb\r\n.\r\n"),
            (b"a\r\n.\r\nb\r\n", b"a\r\n..\r\nb\r\n.\r\n"),
            (b"a\r", b"a\r\n.\r\n"),
            (b"a\r\r\n", b"a\r\n\r\n.\r\n"),
        ] {
            for cut in 0..=message.len() {
                let (mut encoder, mut out) = (DotEncoder::new(), BytesMut::new());
                encoder.encode(&message[..cut], &mut out);
                encoder.encode(&message[cut..], &mut out);
                encoder.finish(&mut out);
                assert_eq!(out, wire, "{:?} cut at {cut}", message.escape_ascii().to_string());
            }
        }
    }

    fn octets() -> impl Strategy<Value = Vec<u8>> {
        prop::collection::vec(prop::sample::select(b"x.\r\n".to_vec()), 0..60)
    }

    fn agrees_with_the_reference(octets: &[u8], cuts: &[usize]) -> Result<(), TestCaseError> {
        let (message, end) = reference(octets);
        let mut chunks = Vec::new();
        let (mut rest, mut sizes) = (octets, cuts.iter().cycle());
        while !rest.is_empty() {
            let (chunk, next) = rest.split_at((*sizes.next().unwrap()).min(rest.len()));
            chunks.push(chunk);
            rest = next;
        }
        let outcome = decode(LineEndPolicy::Normalize, &chunks);
        if outcome.faults.nul {
            prop_assert!(octets.contains(&0));
        } else {
            prop_assert_eq!(outcome.ended, end.is_some());
            if let Some(end) = end {
                prop_assert_eq!(&outcome.octets, &message);
                prop_assert_eq!(&outcome.rest[..], &octets[end..]);
            } else {
                // What is undecided at the end has not been given yet.
                prop_assert!(message.starts_with(&outcome.octets));
            }
        }
        Ok(())
    }

    proptest! {
        #[test]
        fn agrees_with_the_reference_where_stretches_are_long(
            pieces in prop::collection::vec((0usize..12, 0usize..3), 0..24),
            cuts in prop::collection::vec(1usize..6000, 1..8),
        ) {
            let pieces = pieces.into_iter().map(|(kind, more)| match kind {
                0..5 => [&vec![b'x'; [500, 640, 5000][more]][..], b"\r\n"].concat(),
                5..7 => b"A line. And more.\r\n".repeat(30 + more),
                7..10 => b".".repeat(1 + more),
                10 => [&b"\n"[..], b"\r", b"\r\n"][more].to_vec(),
                _ => [&b"..\r\n"[..], b".x\r\n", b"\0"][more].to_vec(),
            });
            agrees_with_the_reference(&pieces.collect::<Vec<_>>().concat(), &cuts)?;
        }

        #[test]
        fn agrees_with_the_reference_however_it_is_cut(
            octets in prop::collection::vec(prop::sample::select(b"xx..\r\r\n\n\0".to_vec()), 0..60),
            cuts in prop::collection::vec(1usize..7, 1..8),
        ) {
            agrees_with_the_reference(&octets, &cuts)?;
        }

        #[test]
        fn sec_s5_whatever_goes_out_is_one_message(message in octets(), cut in 0usize..60) {
            let (mut encoder, mut out) = (DotEncoder::new(), BytesMut::new());
            let cut = cut.min(message.len());
            encoder.encode(&message[..cut], &mut out);
            encoder.encode(&message[cut..], &mut out);
            encoder.finish(&mut out);
            let outcome = decode(LineEndPolicy::Reject, &[&out]);
            prop_assert!(outcome.ended && outcome.rest.is_empty());
            prop_assert_eq!(outcome.faults, Faults::default());
            prop_assert_eq!(memchr::memmem::find_iter(&[b"\r\n", &out[..]].concat(), b"\r\n.\r\n").count(), 1);
        }

        #[test]
        fn sec_s6_encoder_then_decoder_is_identity(lines in prop::collection::vec("[x.]{0,4}", 0..8)) {
            let message: String = lines.iter().flat_map(|line| [line, "\r\n"]).collect();
            let (mut encoder, mut out) = (DotEncoder::new(), BytesMut::new());
            encoder.encode(message.as_bytes(), &mut out);
            encoder.finish(&mut out);
            prop_assert_eq!(decode(LineEndPolicy::Normalize, &[&out]).octets, message.into_bytes());
        }
    }
}
