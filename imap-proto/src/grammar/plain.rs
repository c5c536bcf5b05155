//! What may stand between quotes as it is, looked for eight octets at a time: it is most of what a server says.
//!
//! Controls but CR, LF and NUL may stand there too and nobody writes them, so that they are left to
//! [`class::QUOTED`], which has the last word.

use super::class;
use super::octet_string::{SHORT, masks};

/// Eight octets as a number, of which the one in front is the smallest part.
const fn each(octet: u8) -> u64 {
    u64::from_le_bytes([octet; 8])
}

/// Has the highest bit of each octet that is a control, a quote, a backslash or no ASCII. Bits above the lowest one may
/// be wrong: what is subtracted borrows.
#[inline]
const fn stops(word: u64) -> u64 {
    let control = word.wrapping_sub(each(b' '));
    let quote = (word ^ each(b'"')).wrapping_sub(each(1));
    let backslash = (word ^ each(b'\\')).wrapping_sub(each(1));
    (control | quote | backslash | word) & each(0x80)
}

/// How many octets at the front may stand between quotes as they are.
#[inline]
pub(crate) fn plain_span(octets: &[u8]) -> usize {
    let (words, _) = octets.as_chunks::<8>();
    let mut length = 0;
    for word in words {
        let stops = stops(u64::from_le_bytes(*word));
        if stops != 0 {
            length += stops.trailing_zeros() as usize / 8;
            break;
        }
        length += 8;
    }
    length + class::QUOTED.span(octets.get(length..).unwrap_or_default())
}

/// Whether all of them may.
#[inline]
pub(crate) fn is_plain(octets: &[u8]) -> bool {
    let stops = |word: &[u8; 8]| stops(u64::from_le_bytes(*word));
    let is_plain = match octets.last_chunk() {
        // The last eight may overlap with those before them.
        Some(last) => octets.as_chunks().0.iter().fold(stops(last), |all, word| all | stops(word)) == 0,
        None => false,
    };
    is_plain || class::QUOTED.has_all(octets)
}

static MASKS: [[u64; 3]; SHORT + 1] = masks([0, 8, SHORT - 8]);

/// Whether the first so many of those octets may; what stands behind them does not matter.
#[inline]
pub(crate) fn are_plain(slots: &[u8; SHORT], length: usize) -> bool {
    let ([first, second], Some(third), Some(masks)) =
        (slots.as_chunks::<8>().0, slots.last_chunk::<8>(), MASKS.get(length))
    else {
        return false;
    };
    let words = [first, second, third].into_iter().zip(masks);
    let found = words.fold(0, |all, (word, mask)| all | (stops(u64::from_le_bytes(*word)) & mask));
    found == 0 || slots.get(..length).is_some_and(|octets| class::QUOTED.has_all(octets))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    #[cfg_attr(miri, ignore = "minutes, interpreted")]
    fn each_octet_at_each_place_is_what_its_class_says() {
        for length in 1..=24 {
            for at in 0..length {
                for octet in 0..=u8::MAX {
                    let mut octets = vec![b'a'; length];
                    octets[at] = octet;
                    assert_eq!(plain_span(&octets), class::QUOTED.span(&octets), "{octet} at {at} of {length}");
                    assert_eq!(is_plain(&octets), class::QUOTED.has_all(&octets), "{octet} at {at} of {length}");
                    octets.truncate(SHORT);
                    let short = octets.len();
                    octets.resize(SHORT, 0);
                    let (slots, plain) = (octets.first_chunk().unwrap(), class::QUOTED.has_all(&octets[..short]));
                    assert_eq!(are_plain(slots, short), plain, "{octet} at {at} of {short}");
                }
            }
        }
    }

    proptest! {
        #[test]
        fn words_agree_with_the_class(octets in prop::collection::vec(prop::sample::select(
            b"ab !\x7f\x01\t\x1f\"#!\\[]\r\n\0\x80\xa2\xdc\xff".to_vec()), 0..40)) {
            prop_assert_eq!(plain_span(&octets), class::QUOTED.span(&octets));
            prop_assert_eq!(is_plain(&octets), class::QUOTED.has_all(&octets));
            if let Some(slots) = octets.first_chunk() {
                for length in 0..=SHORT {
                    prop_assert_eq!(are_plain(slots, length), class::QUOTED.has_all(&octets[..length]));
                }
            }
        }
    }
}
