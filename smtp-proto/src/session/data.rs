//! The message itself: RFC 5321 §4.1.1.4 and §4.5.2.

use bytes::{Bytes, BytesMut};
use mail_wire::dot::{Decoded, DotDecoder, Faults, LineEndPolicy};

use super::RejectionReason;

/// A message on its way in, behind DATA. It keeps none of it.
#[derive(Debug)]
pub(super) struct Body {
    decoder: DotDecoder,
    measure: Measure,
}

/// What comes of a message.
#[derive(Debug)]
pub(super) enum BodyPart {
    Octets(Bytes),
    /// Its end, or the end of a chunk of it, and why it is not to be kept, if it is not.
    End(Result<(), RejectionReason>),
}

impl Body {
    pub(super) fn new(policy: LineEndPolicy, limit: u64) -> Self {
        Self { decoder: DotDecoder::new(policy), measure: Measure::new(limit) }
    }

    pub(super) fn next(&mut self, input: &mut BytesMut) -> Option<BodyPart> {
        loop {
            let before = input.len();
            let decoded = self.decoder.next(input);
            self.measure.took(before.saturating_sub(input.len()) as u64);
            match decoded? {
                Decoded::Octets(octets) => {
                    if let Some(octets) = self.measure.cut(octets) {
                        return Some(BodyPart::Octets(octets));
                    }
                }
                Decoded::End => {
                    let (faults, is_refused) = (self.decoder.faults(), self.decoder.is_refused());
                    return Some(BodyPart::End(self.measure.verdict(faults, is_refused)));
                }
                // A kind of octets that this crate does not know cannot be passed on.
                _ => return Some(BodyPart::End(Err(RejectionReason::Nul))),
            }
        }
    }

    pub(super) fn measure(&self) -> &Measure {
        &self.measure
    }
}

/// How much of a message has come, and how much may.
#[derive(Debug)]
pub(super) struct Measure {
    /// Octets of the message so far, without stuffed dots (RFC 1870 §5), those past the limit too.
    size: u64,
    limit: u64,
    /// Octets that the peer has sent for it, whatever became of them.
    taken: u64,
}

impl Measure {
    pub(super) fn new(limit: u64) -> Self {
        Self { size: 0, limit, taken: 0 }
    }

    pub(super) fn took(&mut self, octets: u64) {
        self.taken = self.taken.saturating_add(octets);
    }

    /// Exactly the limit's octets are given, so that where the input was cut cannot be told from them.
    pub(super) fn cut(&mut self, mut octets: Bytes) -> Option<Bytes> {
        let room = self.limit.saturating_sub(self.size);
        self.size = self.size.saturating_add(octets.len() as u64);
        octets.truncate(usize::try_from(room).unwrap_or(usize::MAX));
        (!octets.is_empty()).then_some(octets)
    }

    /// Whether so many octets more are not too many.
    pub(super) fn has_room_for(&self, octets: u64) -> bool {
        self.size.checked_add(octets).is_some_and(|size| size <= self.limit)
    }

    /// Octets that the peer has sent for it, whatever became of them.
    pub(super) fn taken(&self) -> u64 {
        self.taken
    }

    pub(super) fn verdict(&self, faults: Faults, is_refused: bool) -> Result<(), RejectionReason> {
        if faults.nul {
            Err(RejectionReason::Nul)
        } else if is_refused {
            Err(RejectionReason::BareLineEnd)
        } else if self.size > self.limit {
            Err(RejectionReason::MessageTooBig)
        } else {
            Ok(())
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn exactly_the_limit_is_given_however_the_input_is_cut() {
        for (limit, fits) in [(10, false), (11, true)] {
            for cut in 1..16 {
                let (mut body, mut input) = (Body::new(LineEndPolicy::Normalize, limit), BytesMut::new());
                let (mut given, mut end) = (Vec::new(), None);
                for chunk in b"..234567\r\n\r\n.\r\n".chunks(cut) {
                    input.extend_from_slice(chunk);
                    while let Some(part) = body.next(&mut input) {
                        match part {
                            BodyPart::Octets(octets) => given.extend_from_slice(&octets),
                            BodyPart::End(verdict) => end = Some(verdict),
                        }
                    }
                }
                let whole = b".234567\r\n\r\n";
                let size = whole.len().min(usize::try_from(limit).unwrap());
                assert_eq!(given, &whole[..size]);
                assert_eq!(end.map(|end| end.is_ok()), Some(fits), "{limit} {cut}");
            }
        }
    }
}
