//! UIDs in the order of their sequence numbers, as ranges.

use mailstore_traits::{Uid, UidSet};

/// The messages that a client knows of. A UID's number is found in O(log ranges), and so is a number's UID; a dense
/// mailbox of a million messages is one range.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Numbers {
    ranges: Vec<Range>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Range {
    first: u32,
    last: u32,
    /// How many messages are in the ranges before it.
    before: u32,
}

impl Range {
    fn len(self) -> u32 {
        self.last.saturating_sub(self.first).saturating_add(1)
    }
}

impl Numbers {
    pub(super) fn new(uids: &UidSet) -> Self {
        let mut numbers = Self::default();
        numbers.push_all(uids);
        numbers
    }

    /// How many messages there are.
    pub(super) fn len(&self) -> u32 {
        self.ranges.last().map_or(0, |range| range.before.saturating_add(range.len()))
    }

    pub(super) fn last(&self) -> Option<Uid> {
        Uid::new(self.ranges.last()?.last)
    }

    /// Adds messages behind the last. Those that are not behind it are left out: UIDs rise (RFC 9051 §2.3.1.1).
    pub(super) fn push_all(&mut self, uids: &UidSet) {
        for range in uids.ranges() {
            let (first, last) = (range.start().value(), range.end().value());
            match self.ranges.last_mut() {
                Some(end) if first <= end.last.saturating_add(1) => end.last = end.last.max(last),
                _ => self.push(first, last),
            }
        }
    }

    /// The UID with that number, from 1 on.
    pub(super) fn uid(&self, number: u32) -> Option<Uid> {
        let at = number.checked_sub(1)?;
        let range = self.ranges.get(self.ranges.partition_point(|range| range.before <= at).checked_sub(1)?)?;
        let uid = range.first.checked_add(at.checked_sub(range.before)?)?;
        if uid <= range.last { Uid::new(uid) } else { None }
    }

    /// The number of that UID.
    pub(super) fn number(&self, uid: Uid) -> Option<u32> {
        let uid = uid.value();
        let range = self.ranges.get(self.ranges.partition_point(|range| range.first <= uid).checked_sub(1)?)?;
        if uid > range.last {
            return None;
        }
        range.before.checked_add(uid.checked_sub(range.first)?)?.checked_add(1)
    }

    pub(super) fn to_set(&self) -> UidSet {
        let mut set = UidSet::new();
        self.ranges.iter().for_each(|range| insert(&mut set, range.first, range.last));
        set
    }

    /// Those of them whose UIDs are between these, both included, added to a set that ends before them.
    pub(super) fn between(&self, first: u32, last: u32, into: &mut UidSet) {
        let from = self.ranges.partition_point(|range| range.last < first);
        for range in self.ranges.iter().skip(from).take_while(|range| range.first <= last) {
            insert(into, range.first.max(first), range.last.min(last));
        }
    }

    /// How many of them are between these.
    pub(super) fn count_between(&self, first: Uid, last: Uid) -> u32 {
        let (first, last) = (first.value(), last.value());
        let from = self.ranges.partition_point(|range| range.last < first);
        let within = self.ranges.iter().skip(from).take_while(|range| range.first <= last);
        within.fold(0, |sum, range| {
            let part = range.last.min(last).saturating_sub(range.first.max(first)).saturating_add(1);
            sum.saturating_add(part)
        })
    }

    /// Those with the numbers between these, which there must be.
    pub(super) fn numbered(&self, first: u32, last: u32, into: &mut UidSet) {
        let (Some(from), Some(to)) = (self.uid(first), self.uid(last)) else { return };
        self.between(from.value(), to.value(), into);
    }

    /// The numbers of those among these that there are: ranges, rising.
    pub(super) fn numbers_of(&self, uids: &UidSet) -> Vec<(u32, u32)> {
        let mut numbers: Vec<(u32, u32)> = Vec::new();
        for range in uids.ranges() {
            let mut found = UidSet::new();
            self.between(range.start().value(), range.end().value(), &mut found);
            let ends = found.first().zip(found.last());
            let Some((first, last)) = ends.and_then(|(first, last)| self.number(first).zip(self.number(last))) else {
                continue;
            };
            // What lies between two that there are is numbered without a gap.
            match numbers.last_mut() {
                Some(before) if before.1.saturating_add(1) == first => before.1 = last,
                _ => numbers.push((first, last)),
            }
        }
        numbers
    }

    /// Takes messages away, all in one pass over the ranges, and tells the numbers that they had before: ranges, rising.
    pub(super) fn remove(&mut self, uids: &UidSet) -> Vec<(u32, u32)> {
        let mut removed: Vec<(u32, u32)> = Vec::new();
        let mut kept = Self { ranges: Vec::with_capacity(self.ranges.len()) };
        let mut wanted = uids.ranges().map(|range| (range.start().value(), range.end().value())).peekable();
        for range in &self.ranges {
            // The first UID of the range that may stay; none once its end is gone.
            let mut from = Some(range.first);
            while let (Some(start), Some(&(first, last))) = (from, wanted.peek()) {
                if last < start {
                    wanted.next();
                    continue;
                }
                if first > range.last {
                    break;
                }
                let (first, end) = (first.max(start), last.min(range.last));
                if first > start {
                    kept.push(start, first.saturating_sub(1));
                }
                let number = |uid: u32| range.before.saturating_add(uid.saturating_sub(range.first)).saturating_add(1);
                match removed.last_mut() {
                    Some(before) if before.1.saturating_add(1) == number(first) => before.1 = number(end),
                    _ => removed.push((number(first), number(end))),
                }
                from = end.checked_add(1).filter(|next| *next <= range.last);
            }
            if let Some(start) = from {
                kept.push(start, range.last);
            }
        }
        *self = kept;
        removed
    }

    /// Behind the others, with a gap between.
    fn push(&mut self, first: u32, last: u32) {
        let before = self.len();
        self.ranges.push(Range { first, last, before });
    }
}

fn insert(set: &mut UidSet, first: u32, last: u32) {
    if let (Some(first), Some(last)) = (Uid::new(first), Uid::new(last)) {
        set.insert_range(first, last);
    }
}
