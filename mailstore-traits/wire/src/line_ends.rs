//! Line ends of a message that comes in chunks of a known length, where dots mean nothing (RFC 3030 §2): RFC 5321 §2.3.8
//! holds in them as it does behind DATA, across the chunks' borders.
//!
//! What the next server makes of a bare CR or LF does not depend on how the message came here. A message that was let
//! through as it is because it came in chunks would smuggle at the next hop all the same (attack row S3).

use bytes::{Buf, Bytes, BytesMut};

use crate::stretch::{Stretch, Stretches};

/// What to do with a CR or LF that stands alone in the data, which RFC 5321 §2.3.8 forbids.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
#[non_exhaustive]
pub enum LineEndPolicy {
    /// Make a CRLF of it, and do not let it take part in the end of data: legitimate mail is not lost, and what is
    /// passed on means the same to everybody.
    #[default]
    Normalize,
    /// Read to the end of the data, and refuse the message.
    Reject,
}

/// What was wrong with a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
#[non_exhaustive]
pub struct Faults {
    /// A CR stood without an LF behind it.
    pub bare_cr: bool,
    /// An LF stood without a CR before it.
    pub bare_lf: bool,
    /// There was a NUL, which no policy lets pass (RFC 5321 §4.5.2 knows only text; attack row S3).
    pub nul: bool,
}

/// Makes a CRLF of every line end of a message that comes in chunks.
///
/// It keeps nothing of the message but the CR that was the last octet of a chunk, of which the next chunk says what it is.
#[derive(Debug, Clone)]
pub struct LineEnds {
    stretches: Stretches<false>,
    /// A chunk ended with a CR, which has been taken and not been given.
    cr: bool,
    /// What has been given last was no line's end.
    in_line: bool,
}

impl LineEnds {
    /// At a message's first octet.
    pub const fn new(policy: LineEndPolicy) -> Self {
        Self { stretches: Stretches::new(policy), cr: false, in_line: false }
    }

    /// Takes octets of the chunk off the front of `input` and gives octets of the message, never none. `left` is how many
    /// octets of the chunk have still to be taken, and falls with them.
    ///
    /// `None` means: more octets, please; or, with none left, that the chunk is over.
    #[allow(clippy::should_implement_trait, reason = "it needs the input")]
    pub fn next(&mut self, input: &mut BytesMut, left: &mut u64) -> Option<Bytes> {
        let most = usize::try_from(*left).unwrap_or(usize::MAX).min(input.len());
        let first = input.first().copied().filter(|_| most > 0)?;
        if std::mem::take(&mut self.cr) {
            let is_line_end = first == b'\n';
            if is_line_end {
                input.advance(1);
                *left = left.saturating_sub(1);
            }
            if if is_line_end { !self.is_refused() } else { self.stretches.bare_cr() } {
                self.in_line = false;
                return Some(Bytes::from_static(b"\r\n"));
            }
            return self.next(input, left);
        }
        let behind = input.split_off(most);
        let stretch = self.stretches.next(input);
        if stretch.is_none() && most as u64 == *left && input.as_ref() == b"\r" {
            input.clear();
            self.cr = true;
        }
        *left = left.saturating_sub(most.saturating_sub(input.len()) as u64);
        // They were one piece of memory before, so nothing is copied.
        input.unsplit(behind);
        match stretch {
            Some(Stretch::Octets(octets)) => {
                // A CRLF is given whole, or what stood for it.
                self.in_line = !octets.ends_with(b"\n");
                Some(octets)
            }
            Some(Stretch::End) | None => None,
        }
    }

    /// The message is over: what is still to be given of it, until there is no more. A last line without an end gets one,
    /// as it would have behind DATA: text is whole lines (RFC 5321 §2.3.8), and what hands it out later, POP3 for one, could
    /// not tell its size otherwise.
    pub fn finish(&mut self) -> Option<Bytes> {
        let in_line = std::mem::take(&mut self.in_line);
        let end = self.finish_unended();
        // A CR at the very end may be what it is refused for.
        end.or_else(|| (in_line && !self.is_refused()).then(|| Bytes::from_static(b"\r\n")))
    }

    /// As [`finish`](Self::finish), but a last line without an end stays without: a client of IMAP may fetch what it has
    /// appended, and count.
    pub fn finish_unended(&mut self) -> Option<Bytes> {
        self.in_line = false;
        let ends_with_cr = std::mem::take(&mut self.cr) && self.stretches.bare_cr();
        ends_with_cr.then(|| Bytes::from_static(b"\r\n"))
    }

    /// What has been wrong with the message so far.
    pub fn faults(&self) -> Faults {
        self.stretches.faults()
    }

    /// Whether the message has to be refused. From then on no more octets are given.
    pub fn is_refused(&self) -> bool {
        self.stretches.is_refused()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::dot::{Decoded, DotDecoder};

    /// Chunks, one behind the other, that come in reads of that many octets, with a command between each two.
    fn take(policy: LineEndPolicy, chunks: &[&[u8]], read: usize) -> (Vec<u8>, Faults) {
        let (mut line_ends, mut message) = (LineEnds::new(policy), Vec::new());
        for chunk in chunks {
            let (mut input, mut left) = (BytesMut::new(), chunk.len() as u64);
            for octets in [*chunk, b"NEXT\r\n"].concat().chunks(read) {
                input.extend_from_slice(octets);
                while let Some(octets) = line_ends.next(&mut input, &mut left) {
                    assert!(!octets.is_empty());
                    message.extend_from_slice(&octets);
                }
                assert!(left == 0 || input.len() <= 1, "at most a CR waits");
            }
            assert_eq!((left, &input[..]), (0, &b"NEXT\r\n"[..]), "exactly the chunk is taken");
        }
        message.extend(line_ends.finish().unwrap_or_default());
        assert_eq!(line_ends.finish(), None, "there is no more");
        (message, line_ends.faults())
    }

    #[test]
    fn sec_s3_a_line_end_may_lie_across_two_chunks_and_a_bare_one_may_not_hide_there() {
        for (chunks, message, bare) in [
            (&[&b"a\r"[..], b"\nb"][..], &b"a\r\nb\r\n"[..], (false, false)),
            (&[b"a\r", b"", b"\nb"], b"a\r\nb\r\n", (false, false)),
            (&[b"a\r", b"b"], b"a\r\nb\r\n", (true, false)),
            (&[b"a\r", b"\r", b"\n"], b"a\r\n\r\n", (true, false)),
            (&[b"a\r", b"\r\n"], b"a\r\n\r\n", (true, false)),
            (&[b"a", b"\nb"], b"a\r\nb\r\n", (false, true)),
            (&[b"a\r\n", b"\nb"], b"a\r\n\r\nb\r\n", (false, true)),
            (&[b"a\r", b""], b"a\r\n", (true, false)),
            (&[b".\r\n", b".\r\n..\r\n"], b".\r\n.\r\n..\r\n", (false, false)),
            (&[b""], b"", (false, false)),
        ] {
            for read in [1, 2, 3, 100] {
                let (given, faults) = take(LineEndPolicy::Normalize, chunks, read);
                assert_eq!(given, message, "{chunks:?} by {read}");
                assert_eq!((faults.bare_cr, faults.bare_lf), bare, "{chunks:?} by {read}");
            }
        }
    }

    #[test]
    #[cfg_attr(miri, ignore = "minutes, interpreted")]
    fn sec_s3_a_bare_line_end_is_found_wherever_in_a_long_chunk_it_stands() {
        let plain = "as plain as text can be\r\n".repeat(20).into_bytes();
        for at in 0..300 {
            for remarkable in [&b"\r"[..], b"\n", b"\r\r\n", b"\n\n", b".", b"\r\n.\r\n", b"\0"] {
                let chunk = [&plain[..at], remarkable, &plain[at..]].concat();
                let (mut message, mut bare) = (Vec::new(), (false, false));
                let mut rest = &chunk[..];
                while let [first, next @ ..] = rest {
                    rest = match (first, next) {
                        (b'\r', [b'\n', next @ ..]) => next,
                        (b'\r', _) => {
                            bare.0 = true;
                            next
                        }
                        (b'\n', _) => {
                            bare.1 = true;
                            next
                        }
                        _ => {
                            message.push(*first);
                            rest = next;
                            continue;
                        }
                    };
                    message.extend_from_slice(b"\r\n");
                }
                let (given, faults) = take(LineEndPolicy::Normalize, &[&chunk], chunk.len() + 6);
                if remarkable == b"\0" {
                    // A CRLF that it stands in is no CRLF, but would have been given as one.
                    assert!(faults.nul && given.starts_with(&plain[..at]) && given.len() <= at + 1, "{at}");
                    continue;
                }
                assert_eq!(given, message, "{} at {at}", remarkable.escape_ascii());
                assert_eq!((faults.bare_cr, faults.bare_lf), bare, "{} at {at}", remarkable.escape_ascii());
            }
        }
    }

    #[test]
    #[cfg_attr(miri, ignore = "minutes, interpreted")]
    fn long_chunks_are_slices_of_the_input() {
        let chunk = [&[b'x'; 2000][..], b"\r\n"].concat().repeat(4);
        let mut input = BytesMut::from(&[&chunk[..], b"BDAT 0 LAST\r\n"].concat()[..]);
        let (from, mut left) = (input.as_ptr(), chunk.len() as u64);
        let octets = LineEnds::new(LineEndPolicy::Normalize).next(&mut input, &mut left).unwrap();
        assert_eq!((octets.as_ptr(), octets.len(), left), (from, chunk.len(), 0));
        assert_eq!(input.as_ptr(), from.wrapping_add(chunk.len()), "and what follows has not been moved");
    }

    #[test]
    fn a_cr_at_the_very_end_is_a_line_end_or_the_reason_to_refuse() {
        for (message, policy, given) in [
            (&b"\r"[..], LineEndPolicy::Normalize, &b"\r\n"[..]),
            (b"x\r", LineEndPolicy::Normalize, b"x\r\n"),
            (b"x\r", LineEndPolicy::Reject, b"x"),
            (b"x", LineEndPolicy::Reject, b"x\r\n"),
        ] {
            assert_eq!(take(policy, &[message], 1).0, given, "{}", message.escape_ascii());
        }
        let mut line_ends = LineEnds::new(LineEndPolicy::Normalize);
        let (mut input, mut left) = (BytesMut::from("x"), 1);
        assert_eq!(line_ends.next(&mut input, &mut left).as_deref(), Some(&b"x"[..]));
        assert_eq!(line_ends.finish_unended(), None);
    }

    proptest! {
        #[test]
        fn chunks_give_what_data_gives(
            message in prop::collection::vec(prop::sample::select(b"xx..\r\r\n\n\0".to_vec()), 0..60),
            cuts in prop::collection::vec(0usize..7, 1..8),
            read in 1usize..9,
            reject: bool,
        ) {
            let policy = if reject { LineEndPolicy::Reject } else { LineEndPolicy::Normalize };
            // A message that has its dots and the end of its last line, and is not to have its line ends made good on
            // its way out.
            let mut wire = Vec::new();
            let mut line_start = true;
            for (at, &octet) in message.iter().enumerate() {
                if line_start && octet == b'.' {
                    wire.push(b'.');
                }
                line_start = message[..=at].ends_with(b"\r\n");
                wire.push(octet);
            }
            let complete = message.is_empty() || message.ends_with(b"\r\n");
            wire.extend_from_slice(if complete { b".\r\n" } else { b"\r\n.\r\n" });
            let (mut decoder, mut input, mut by_data) = (DotDecoder::new(policy), BytesMut::from(&wire[..]), Vec::new());
            while let Some(Decoded::Octets(octets)) = decoder.next(&mut input) {
                by_data.extend_from_slice(&octets);
            }

            let message = if complete { message } else { [&message[..], b"\r\n"].concat() };
            let (mut chunks, mut rest, mut sizes) = (Vec::new(), &message[..], cuts.iter().cycle());
            while !rest.is_empty() && cuts.iter().any(|&cut| cut > 0) {
                let (chunk, next) = rest.split_at((*sizes.next().unwrap()).min(rest.len()));
                chunks.push(chunk);
                rest = next;
            }
            chunks.push(rest);
            let (by_chunks, faults) = take(policy, &chunks, read);
            prop_assert_eq!(by_chunks, by_data);
            prop_assert_eq!(faults, decoder.faults());
        }
    }
}
