//! Where words are written to.

use bytes::BytesMut;

use crate::grammar::SHORT;

/// Takes the octets of a response: a [`BytesMut`], or a [`Pen`] over one.
pub trait Out: sealed::Sealed {
    /// Appends them.
    fn octets(&mut self, octets: &[u8]);

    /// Appends one.
    fn octet(&mut self, octet: u8) {
        self.octets(&[octet]);
    }

    /// Appends them between quotes. Whether they may stand there is the caller's to know.
    fn quoted(&mut self, octets: &[u8]) {
        self.octet(b'"');
        self.octets(octets);
        self.octet(b'"');
    }
}

mod sealed {
    #[allow(unnameable_types)] // That is what seals it.
    pub trait Sealed {}
    impl Sealed for bytes::BytesMut {}
    impl Sealed for super::Pen<'_> {}
}

impl Out for BytesMut {
    #[inline]
    fn octets(&mut self, octets: &[u8]) {
        self.extend_from_slice(octets);
    }
}

/// A buffer with room made ahead. A response is hundreds of small words, and each costs a copy this way and no look at
/// the buffer's capacity.
#[derive(Debug)]
pub struct Pen<'o> {
    out: &'o mut BytesMut,
    /// Where what has been written ends; what is behind it is room.
    at: usize,
}

/// Octets of room that are made at a time: about one response.
const ROOM: usize = 1024;

impl<'o> Pen<'o> {
    /// Goes on at the end of that buffer, which has all that was written when this is dropped.
    pub fn new(out: &'o mut BytesMut) -> Self {
        let at = out.len();
        Self { out, at }
    }

    /// Octets of the buffer so far.
    pub(crate) fn len(&self) -> usize {
        self.at
    }

    /// Writes those octets of the buffer again.
    pub(crate) fn again(&mut self, range: std::ops::Range<usize>) {
        let octets = range.end.saturating_sub(range.start);
        let end = self.at.saturating_add(octets);
        if range.end <= self.at && range.start <= range.end {
            if end > self.out.len() {
                self.out.resize(end.saturating_add(ROOM), 0);
            }
            self.out.copy_within(range, self.at);
            self.at = end;
        }
    }

    /// Appends the first so many of those between quotes: all are copied, since a copy of a known length takes a few
    /// instructions, and what is too much is room again.
    #[inline]
    pub(crate) fn quoted_slots(&mut self, slots: &[u8; SHORT], length: usize) {
        let window = self.out.get_mut(self.at..).and_then(|room| room.first_chunk_mut::<{ SHORT + 2 }>());
        if let Some(window) = window
            && length <= SHORT
        {
            let [open, text @ .., _] = window;
            *open = b'"';
            *text = *slots;
            if let Some(close) = window.get_mut(length + 1) {
                *close = b'"';
            }
            self.at += length + 2;
        } else {
            self.quoted(slots.get(..length).unwrap_or_default());
        }
    }

    #[cold]
    fn make_room_and_write(&mut self, octets: &[u8]) {
        self.out.truncate(self.at);
        self.out.extend_from_slice(octets);
        self.at = self.out.len();
        self.out.resize(self.at.saturating_add(ROOM), 0);
    }
}

impl Out for Pen<'_> {
    #[inline]
    fn octets(&mut self, octets: &[u8]) {
        let room = self.out.get_mut(self.at..).and_then(|room| room.split_at_mut_checked(octets.len()));
        match room {
            Some((room, _)) => {
                room.copy_from_slice(octets);
                self.at += octets.len();
            }
            None => self.make_room_and_write(octets),
        }
    }

    #[inline]
    fn octet(&mut self, octet: u8) {
        match self.out.get_mut(self.at) {
            Some(room) => {
                *room = octet;
                self.at += 1;
            }
            None => self.make_room_and_write(&[octet]),
        }
    }

    #[inline]
    fn quoted(&mut self, octets: &[u8]) {
        let room = self.out.get_mut(self.at..).and_then(|room| room.split_at_mut_checked(octets.len() + 2));
        match room {
            Some(([open, room @ .., close], _)) => {
                *open = b'"';
                room.copy_from_slice(octets);
                *close = b'"';
                self.at += octets.len() + 2;
            }
            _ => {
                self.octet(b'"');
                self.octets(octets);
                self.octet(b'"');
            }
        }
    }
}

impl Drop for Pen<'_> {
    fn drop(&mut self) {
        self.out.truncate(self.at);
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn a_pen_writes_what_a_buffer_would(
            before in prop::collection::vec(any::<u8>(), 0..9),
            words in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..400), 0..20),
        ) {
            let (mut penned, mut plain) = (BytesMut::from(&before[..]), BytesMut::from(&before[..]));
            let mut pen = Pen::new(&mut penned);
            words.iter().for_each(|word| {
                pen.octets(word);
                plain.octets(word);
                pen.quoted(word);
                plain.quoted(word);
                if let Some(slots) = word.first_chunk::<SHORT>() {
                    let length = word.len() % (SHORT + 1);
                    pen.quoted_slots(slots, length);
                    plain.quoted(&word[..length]);
                }
            });
            drop(pen);
            prop_assert_eq!(penned, plain);
        }
    }
}
