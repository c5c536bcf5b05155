//! Sets of messages as a client writes them: ranges that are never expanded (attack row M8).

use std::num::NonZeroU32;

/// Whether the numbers of a command are UIDs or sequence numbers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Numbering {
    /// Message sequence numbers (RFC 9051 §2.3.1.2).
    Sequence,
    /// Unique identifiers: the command stood behind `UID` (RFC 9051 §6.4.9).
    Uid,
}

/// One end of a range: a `seq-number` (RFC 9051 §9).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum SeqBound {
    /// That number.
    Number(NonZeroU32),
    /// `*`: the largest number in use.
    Star,
}

/// A `sequence-set` (RFC 9051 §9), as it was written: ranges in any order, overlapping or reversed. At least one.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct SequenceSet(Vec<(SeqBound, SeqBound)>);

impl SequenceSet {
    /// These ranges, both ends included, in either order. `None` if there are none.
    pub fn new(ranges: Vec<(SeqBound, SeqBound)>) -> Option<Self> {
        (!ranges.is_empty()).then_some(Self(ranges))
    }

    /// The ranges as they were written; a single number is a range from itself to itself.
    pub fn ranges(&self) -> &[(SeqBound, SeqBound)] {
        &self.0
    }

    /// The ranges with `*` put in place and the smaller end first. In what has no message, `*` is 0, and so are the ends
    /// that name it.
    pub fn resolved(&self, star: u32) -> impl Iterator<Item = (u32, u32)> + '_ {
        let value = move |bound: SeqBound| match bound {
            SeqBound::Number(number) => number.get(),
            SeqBound::Star => star,
        };
        self.0.iter().map(move |&(one, other)| {
            let (one, other) = (value(one), value(other));
            (one.min(other), one.max(other))
        })
    }
}

/// The messages that a command is about.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum MessageSet {
    /// Those with these numbers.
    Set(SequenceSet),
    /// `$`: what the last SEARCH with SAVE has found (RFC 9051 §6.4.4.1).
    Saved,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn number(number: u32) -> SeqBound {
        SeqBound::Number(NonZeroU32::new(number).unwrap())
    }

    #[test]
    fn sec_m8_ranges_are_put_in_order_and_never_expanded() {
        let set = SequenceSet::new(vec![
            (number(9), number(3)),
            (SeqBound::Star, number(1)),
            (number(1), number(u32::MAX)),
            (SeqBound::Star, SeqBound::Star),
        ])
        .unwrap();
        assert_eq!(set.resolved(5).collect::<Vec<_>>(), [(3, 9), (1, 5), (1, u32::MAX), (5, 5)]);
        assert_eq!(SequenceSet::new(vec![]), None);
    }
}
