//! The message itself: RFC 5321 §4.1.1.4 and §4.5.2.

use bytes::{Bytes, BytesMut};
use mail_wire::dot::{Decoded, DotDecoder, LineEndPolicy};

use super::RejectionReason;

/// A message on its way in. It keeps none of it.
#[derive(Debug)]
pub(super) struct Body {
    decoder: DotDecoder,
    /// Octets so far, without stuffed dots (RFC 1870 §5), those past the limit too.
    size: u64,
    limit: u64,
}

/// What comes of a message.
#[derive(Debug)]
pub(super) enum BodyPart {
    Octets(Bytes),
    /// Its end, and why it is not to be kept, if it is not.
    End(Result<(), RejectionReason>),
}

impl Body {
    pub(super) fn new(policy: LineEndPolicy, limit: u64) -> Self {
        Self { decoder: DotDecoder::new(policy), size: 0, limit }
    }

    pub(super) fn next(&mut self, input: &mut BytesMut) -> Option<BodyPart> {
        loop {
            match self.decoder.next(input)? {
                Decoded::Octets(mut octets) => {
                    // Exactly the limit's octets are given, so that where the input was cut cannot be told from them.
                    let room = self.limit.saturating_sub(self.size);
                    self.size = self.size.saturating_add(octets.len() as u64);
                    octets.truncate(usize::try_from(room).unwrap_or(usize::MAX));
                    if !octets.is_empty() {
                        return Some(BodyPart::Octets(octets));
                    }
                }
                Decoded::End => return Some(BodyPart::End(self.verdict())),
                // A kind of octets that this crate does not know cannot be passed on.
                _ => return Some(BodyPart::End(Err(RejectionReason::Nul))),
            }
        }
    }

    /// How often the peer has sent another [`BODY_BLOCK`](super::Timeouts::BODY_BLOCK) octets.
    pub(super) fn blocks(&self) -> u64 {
        self.size / super::Timeouts::BODY_BLOCK
    }

    fn verdict(&self) -> Result<(), RejectionReason> {
        if self.decoder.faults().nul {
            Err(RejectionReason::Nul)
        } else if self.decoder.is_refused() {
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
