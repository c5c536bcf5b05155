//! Sets of UIDs as ranges: a dense mailbox of a million messages is one range.

use std::fmt;
use std::ops::RangeInclusive;

use crate::Uid;

/// How many ranges `Debug` tells.
const SHOWN: usize = 60;

/// A set of UIDs, kept as sorted ranges that neither touch nor overlap.
///
/// It never holds `*`: the engines resolve that before a store is asked.
#[derive(Clone, Default, PartialEq, Eq, Hash)]
pub struct UidSet {
    /// First and last of each range: sorted, disjoint, with a gap between neighbours.
    ranges: Vec<(u32, u32)>,
}

impl UidSet {
    /// The empty set.
    pub const fn new() -> Self {
        Self { ranges: Vec::new() }
    }

    /// All UIDs from `first` to `last`; empty if `last` is smaller.
    pub fn from_range(first: Uid, last: Uid) -> Self {
        let mut set = Self::new();
        set.insert_range(first, last);
        set
    }

    /// All UIDs that there can be.
    pub fn all() -> Self {
        Self::from_range(Uid::MIN, Uid::MAX)
    }

    /// Adds one.
    pub fn insert(&mut self, uid: Uid) {
        self.insert_range(uid, uid);
    }

    /// Adds all from `first` to `last`; nothing if `last` is smaller. O(1) at the upper end, which is where stores add.
    pub fn insert_range(&mut self, first: Uid, last: Uid) {
        let (mut first, mut last) = (first.value(), last.value());
        if last < first {
            return;
        }
        // The first range that touches or follows, and the first behind all that touch.
        let from = self.ranges.partition_point(|&(_, end)| end.saturating_add(1) < first);
        let to =
            from + self.ranges.iter().skip(from).take_while(|&&(start, _)| start <= last.saturating_add(1)).count();
        if let (Some(low), Some(high)) = (self.ranges.get(from), to.checked_sub(1).and_then(|at| self.ranges.get(at)))
            && from < to
        {
            first = first.min(low.0);
            last = last.max(high.1);
        }
        self.ranges.splice(from..to, [(first, last)]);
    }

    /// Whether it holds that one. O(log ranges).
    pub fn contains(&self, uid: Uid) -> bool {
        let at = self.ranges.partition_point(|&(_, end)| end < uid.value());
        self.ranges.get(at).is_some_and(|&(start, _)| start <= uid.value())
    }

    /// Takes one out.
    pub fn remove(&mut self, uid: Uid) {
        let at = self.ranges.partition_point(|&(_, end)| end < uid.value());
        let Some(&(start, end)) = self.ranges.get(at) else { return };
        let uid = uid.value();
        if uid < start {
            return;
        }
        let left = (start < uid).then(|| (start, uid.saturating_sub(1)));
        let right = (uid < end).then(|| (uid.saturating_add(1), end));
        self.ranges.splice(at..=at, left.into_iter().chain(right));
    }

    /// What both hold. O(ranges of both).
    #[must_use]
    pub fn intersection(&self, other: &Self) -> Self {
        let mut both = Vec::new();
        let (mut mine, mut theirs) = (self.ranges.iter().peekable(), other.ranges.iter().peekable());
        while let (Some(&&a), Some(&&b)) = (mine.peek(), theirs.peek()) {
            let (start, end) = (a.0.max(b.0), a.1.min(b.1));
            if start <= end {
                both.push((start, end));
            }
            if a.1 <= b.1 {
                mine.next();
            } else {
                theirs.next();
            }
        }
        Self { ranges: both }
    }

    /// What this one holds and the other does not. O(ranges of both).
    #[must_use]
    pub fn difference(&self, other: &Self) -> Self {
        let mut left = Vec::new();
        let mut cuts = other.ranges.iter().peekable();
        for &(start, end) in &self.ranges {
            let mut start = Some(start);
            while let (Some(from), Some(&&(cut_start, cut_end))) = (start, cuts.peek()) {
                if cut_start > end {
                    break;
                }
                if cut_start > from {
                    left.push((from, cut_start.saturating_sub(1)));
                }
                if cut_end >= from {
                    start = cut_end.checked_add(1).filter(|&next| next <= end);
                }
                if cut_end > end {
                    break;
                }
                cuts.next();
            }
            if let Some(from) = start {
                left.push((from, end));
            }
        }
        Self { ranges: left }
    }

    /// Adds all of the other's.
    pub fn extend_from(&mut self, other: &Self) {
        for range in other.ranges() {
            self.insert_range(*range.start(), *range.end());
        }
    }

    /// How many it holds.
    pub fn len(&self) -> u64 {
        self.ranges.iter().map(|&(start, end)| u64::from(end - start) + 1).sum()
    }

    /// How many ranges it is of, which is what it costs: eight octets each.
    pub fn range_count(&self) -> usize {
        self.ranges.len()
    }

    /// Whether it holds none.
    pub fn is_empty(&self) -> bool {
        self.ranges.is_empty()
    }

    /// The smallest.
    pub fn first(&self) -> Option<Uid> {
        self.ranges.first().and_then(|&(start, _)| Uid::new(start))
    }

    /// The largest.
    pub fn last(&self) -> Option<Uid> {
        self.ranges.last().and_then(|&(_, end)| Uid::new(end))
    }

    /// Its ranges, rising, as few as there can be.
    pub fn ranges(&self) -> impl DoubleEndedIterator<Item = RangeInclusive<Uid>> + '_ {
        self.ranges.iter().filter_map(|&(start, end)| Some(Uid::new(start)?..=Uid::new(end)?))
    }

    /// Its members, rising. Ask [`len`](Self::len) first: `1:*` has four thousand million.
    pub fn iter(&self) -> impl Iterator<Item = Uid> + '_ {
        self.ranges.iter().flat_map(|&(start, end)| start..=end).filter_map(Uid::new)
    }
}

impl FromIterator<Uid> for UidSet {
    fn from_iter<I: IntoIterator<Item = Uid>>(uids: I) -> Self {
        let mut set = Self::new();
        for uid in uids {
            set.insert(uid);
        }
        set
    }
}

impl From<Uid> for UidSet {
    fn from(uid: Uid) -> Self {
        Self::from_range(uid, uid)
    }
}

/// As RFC 9051 writes a `sequence-set`: `1:3,7`.
/// As a `sequence-set` (RFC 9051 §9), whole.
impl fmt::Display for UidSet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write_ranges(&self.ranges, f)
    }
}

/// As a `sequence-set`, and of a long one its beginning: a log is no place for half a million ranges.
impl fmt::Debug for UidSet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let shown = self.ranges.get(..SHOWN).unwrap_or(&self.ranges);
        f.write_str("{")?;
        write_ranges(shown, f)?;
        match self.ranges.len().saturating_sub(shown.len()) {
            0 => f.write_str("}"),
            left => write!(f, " and {left} more ranges}}"),
        }
    }
}

fn write_ranges(ranges: &[(u32, u32)], f: &mut fmt::Formatter<'_>) -> fmt::Result {
    for (at, (start, end)) in ranges.iter().enumerate() {
        if at > 0 {
            f.write_str(",")?;
        }
        if start == end { write!(f, "{start}")? } else { write!(f, "{start}:{end}")? }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use proptest::prelude::*;

    use super::*;

    fn set(members: &BTreeSet<u32>) -> UidSet {
        members.iter().map(|&uid| Uid::new(uid).unwrap()).collect()
    }

    fn members(set: &UidSet) -> BTreeSet<u32> {
        set.iter().map(Uid::value).collect()
    }

    #[test]
    fn ranges_join_when_they_touch() {
        let mut set = UidSet::new();
        for uid in [5, 1, 3, 2, 4, 9] {
            set.insert(Uid::new(uid).unwrap());
        }
        assert_eq!(set.to_string(), "1:5,9");
        set.remove(Uid::new(3).unwrap());
        assert_eq!(set.to_string(), "1:2,4:5,9");
        assert_eq!(set.len(), 5);
    }

    #[test]
    fn the_whole_space_is_one_range() {
        let all = UidSet::all();
        assert_eq!(all.len(), u64::from(u32::MAX));
        assert_eq!(all.to_string(), "1:4294967295");
        assert!(all.difference(&all).is_empty());
        let mut rest = all.clone();
        rest.remove(Uid::MAX);
        assert_eq!(rest.last().map(Uid::value), Some(u32::MAX - 1));
        rest.insert(Uid::MAX);
        assert_eq!(rest, all);
    }

    proptest! {
        #[test]
        fn agrees_with_a_plain_set(
            a in prop::collection::btree_set(1u32..60, 0..40),
            b in prop::collection::btree_set(1u32..60, 0..40),
            ranges in prop::collection::vec((1u32..60, 0u32..9), 0..6),
            out in prop::collection::vec(1u32..60, 0..20),
        ) {
            prop_assert_eq!(members(&set(&a)), a.clone());
            prop_assert_eq!(members(&set(&a).intersection(&set(&b))), a.intersection(&b).copied().collect());
            prop_assert_eq!(members(&set(&a).difference(&set(&b))), a.difference(&b).copied().collect());
            let mut joined = set(&a);
            joined.extend_from(&set(&b));
            prop_assert_eq!(members(&joined), a.union(&b).copied().collect());

            let (mut ours, mut plain) = (set(&a), a);
            for (start, more) in ranges {
                ours.insert_range(Uid::new(start).unwrap(), Uid::new(start + more).unwrap());
                plain.extend(start..=start + more);
            }
            for uid in out {
                ours.remove(Uid::new(uid).unwrap());
                plain.remove(&uid);
            }
            prop_assert_eq!(members(&ours), plain.clone());
            prop_assert_eq!(ours.len(), plain.len() as u64);
            for uid in 1..70 {
                prop_assert_eq!(ours.contains(Uid::new(uid).unwrap()), plain.contains(&uid));
            }
            // Canonical: the same members always make the same ranges.
            prop_assert_eq!(set(&plain), ours);
        }
    }

    #[test]
    fn a_long_set_is_shown_by_its_beginning() {
        let some: UidSet = [1, 2, 3, 7].into_iter().filter_map(Uid::new).collect();
        assert_eq!(format!("{some:?} {some}"), "{1:3,7} 1:3,7");
        let many: UidSet = (1..1_000).step_by(2).filter_map(Uid::new).collect();
        let shown = format!("{many:?}");
        assert!(shown.starts_with("{1,3,5") && shown.ends_with(",119 and 440 more ranges}"), "{shown}");
        assert_eq!(many.to_string().split(',').count(), 500);
    }
}
