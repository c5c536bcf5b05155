//! Where a digester puts the octets that the digest keeps: many short values beside each other, not each on its own.

use bytes::{Bytes, BytesMut};

/// What most messages keep, and so is asked for at once. A digest holds no more than this besides what it keeps.
const BLOCK: usize = 1024;

/// Takes values and gives them back as slices of blocks.
#[derive(Default)]
pub(crate) struct Kept {
    block: BytesMut,
}

impl Kept {
    /// Keeps a value.
    pub(crate) fn keep(&mut self, value: &[u8]) -> Bytes {
        if value.is_empty() {
            return Bytes::new();
        }
        let room = self.block.capacity();
        if value.len() > room {
            // A long one stands alone, and leaves the room to others.
            if value.len() > BLOCK / 4 {
                return Bytes::copy_from_slice(value);
            }
            self.block = BytesMut::with_capacity(BLOCK);
        }
        self.block.extend_from_slice(value);
        self.block.split().freeze()
    }

    /// Keeps a word of the kind that nearly every message has, and that is nowhere copied then.
    pub(crate) fn keep_word(&mut self, word: &[u8]) -> Bytes {
        usual(word).map_or_else(|| self.keep(word), Bytes::from_static)
    }
}

/// Types, parameters and their values as programs write them. What is spelled differently is kept as it was sent.
fn usual(word: &[u8]) -> Option<&'static [u8]> {
    const USUAL: [&[u8]; 32] = [
        b"text",
        b"plain",
        b"html",
        b"multipart",
        b"alternative",
        b"mixed",
        b"related",
        b"report",
        b"signed",
        b"message",
        b"rfc822",
        b"application",
        b"octet-stream",
        b"pdf",
        b"image",
        b"png",
        b"jpeg",
        b"boundary",
        b"charset",
        b"utf-8",
        b"UTF-8",
        b"us-ascii",
        b"iso-8859-1",
        b"format",
        b"flowed",
        b"name",
        b"filename",
        b"7bit",
        b"8bit",
        b"base64",
        b"quoted-printable",
        b"attachment",
    ];
    /// For each length the words that have it, a bit for each.
    const BY_LENGTH: [u32; 17] = {
        let mut lengths = [0; 17];
        let mut index = 0;
        while index < USUAL.len() {
            #[allow(
                clippy::indexing_slicing,
                reason = "evaluated by the compiler, which refuses what is out of bounds"
            )]
            {
                lengths[USUAL[index].len()] |= 1 << index;
            }
            index += 1;
        }
        lengths
    };
    let mut left = *BY_LENGTH.get(word.len())?;
    while left != 0 {
        let usual = USUAL.get(left.trailing_zeros() as usize)?;
        if usual.first() == word.first() && *usual == word {
            return Some(usual);
        }
        left &= left.wrapping_sub(1);
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_come_back_as_they_were_wherever_they_are_put() {
        let mut kept = Kept::default();
        let values: Vec<Vec<u8>> = (0..200_u8).map(|number| vec![number; usize::from(number) * 7]).collect();
        let given: Vec<Bytes> = values.iter().map(|value| kept.keep(value)).collect();
        for (value, given) in values.iter().zip(&given) {
            assert_eq!(value, given);
        }
    }

    #[test]
    fn short_values_share_a_block_and_long_ones_stand_alone() {
        let mut kept = Kept::default();
        let (first, second) = (kept.keep(b"first"), kept.keep(b"second"));
        assert_eq!(second.as_ptr(), first.as_ptr().wrapping_add(first.len()));
        kept.keep(&[b'x'; 4 * BLOCK]);
        assert_eq!(kept.keep(b"third").as_ptr(), second.as_ptr().wrapping_add(second.len()));
    }

    #[test]
    fn usual_words_are_kept_in_their_own_spelling() {
        for word in [&b"text"[..], b"TEXT", b"utf-8", b"UTF-8", b"Utf-8", b"quoted-printable", b"pdf", b"ps", b""] {
            assert_eq!(Kept::default().keep_word(word), word);
        }
        assert!(usual(b"Text").is_none() && usual(b"a word that is longer").is_none());
    }
}
