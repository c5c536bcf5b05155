//! The UIDs of large mailboxes, kept from one snapshot to the next.

use std::collections::VecDeque;
use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::{MailboxId, UidSet};

/// Mailboxes of fewer messages are read faster than they are looked for.
const WORTH: u64 = 1_000;

/// What the UIDs of large mailboxes were at some modification sequence, so that the next snapshot reads what has changed
/// since and not an index as long as the mailbox.
///
/// Bounded by the ranges that all sets have together (eight octets each); whoever was asked for longest ago goes first. No
/// store has to forget anything here when mail changes: [`Known::after`] notices what does not fit.
#[derive(Debug)]
pub struct UidSets {
    most: usize,
    /// The one that was asked for last is the last.
    kept: Mutex<VecDeque<(MailboxId, Known)>>,
}

/// The UIDs that a mailbox had at a modification sequence.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Known {
    /// The mailbox's UIDVALIDITY: with another one, the database is another one, too, such as an older copy.
    pub uid_validity: i64,
    /// The modification sequence of the mailbox.
    pub modseq: i64,
    /// Every UID that it has given out is below this one.
    pub uid_next: i64,
    /// The UIDs of its messages.
    pub uids: UidSet,
}

impl Known {
    /// The UIDs of now, of which there are `messages`: with those `added` that are not below
    /// [`uid_next`](Self::uid_next), and without those that `vanished` behind [`modseq`](Self::modseq). `None` if that are
    /// not as many, for a store forgets in the end what has vanished; then all are read.
    pub fn after(mut self, added: &UidSet, vanished: &UidSet, messages: u64) -> Option<UidSet> {
        self.uids.extend_from(added);
        if !vanished.is_empty() {
            self.uids = self.uids.difference(vanished);
        }
        (self.uids.len() == messages).then_some(self.uids)
    }
}

impl Default for UidSets {
    /// 500,000 ranges, which are 4 MB.
    fn default() -> Self {
        Self::new(500_000)
    }
}

impl UidSets {
    /// Sets of so many ranges together.
    pub fn new(most: usize) -> Self {
        Self { most, kept: Mutex::default() }
    }

    /// Whether a mailbox of so many messages is worth a place.
    pub fn is_worth(messages: u64) -> bool {
        messages >= WORTH
    }

    /// What is known of a mailbox with this UIDVALIDITY, unless that is of a time after `modseq`: the reader's picture of
    /// the database may be older than another's.
    pub fn get(&self, mailbox: &MailboxId, uid_validity: i64, modseq: i64) -> Option<Known> {
        let mut kept = self.lock();
        let fits = |known: &Known| known.uid_validity == uid_validity && known.modseq <= modseq;
        let at = kept.iter().position(|(id, known)| id == mailbox && fits(known))?;
        let found = kept.remove(at)?;
        let known = found.1.clone();
        kept.push_back(found);
        Some(known)
    }

    /// Keeps what is known now, unless more is known already.
    pub fn keep(&self, mailbox: &MailboxId, known: Known) {
        let mut kept = self.lock();
        if let Some(at) = kept.iter().position(|(id, _)| id == mailbox) {
            let is_newer = |(_, there): &(_, Known)| {
                there.uid_validity > known.uid_validity
                    || there.uid_validity == known.uid_validity && there.modseq > known.modseq
            };
            if kept.get(at).is_some_and(is_newer) {
                return;
            }
            kept.remove(at);
        }
        if known.uids.range_count() > self.most {
            return;
        }
        kept.push_back((mailbox.clone(), known));
        let mut ranges: usize = kept.iter().map(|(_, known)| known.uids.range_count()).sum();
        // Empty sets take room, too.
        while ranges > self.most || kept.len() > self.most {
            let Some((_, gone)) = kept.pop_front() else { break };
            ranges = ranges.saturating_sub(gone.uids.range_count());
        }
    }

    fn lock(&self) -> MutexGuard<'_, VecDeque<(MailboxId, Known)>> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Uid;

    fn set(uids: &[u32]) -> UidSet {
        uids.iter().filter_map(|&uid| Uid::new(uid)).collect()
    }

    fn id(name: &str) -> MailboxId {
        MailboxId::new(name).unwrap()
    }

    fn known(modseq: i64, uids: &[u32]) -> Known {
        Known { uid_validity: 9, modseq, uid_next: 100, uids: set(uids) }
    }

    #[test]
    fn what_came_and_went_is_applied_if_it_adds_up() {
        let before = known(7, &[1, 2, 5, 9]);
        assert_eq!(before.clone().after(&set(&[100, 101]), &set(&[2, 9]), 4), Some(set(&[1, 5, 100, 101])));
        assert_eq!(before.clone().after(&set(&[]), &set(&[]), 4), Some(set(&[1, 2, 5, 9])));
        // One has vanished of which nobody has kept a word.
        assert_eq!(before.after(&set(&[100]), &set(&[2]), 3), None);
    }

    #[test]
    fn nothing_is_known_to_a_reader_of_an_older_time() {
        let sets = UidSets::new(10);
        sets.keep(&id("a"), known(7, &[1, 3]));
        assert_eq!(sets.get(&id("a"), 9, 6), None);
        assert_eq!(sets.get(&id("a"), 9, 7), Some(known(7, &[1, 3])));
        assert_eq!(sets.get(&id("b"), 9, 7), None);
        // What a slow reader has found does not take the place of what is newer.
        sets.keep(&id("a"), known(5, &[1, 2, 3]));
        assert_eq!(sets.get(&id("a"), 9, 9), Some(known(7, &[1, 3])));
        // Another life of the same mailbox.
        assert_eq!(sets.get(&id("a"), 10, 9), None);
        sets.keep(&id("a"), Known { uid_validity: 10, ..known(2, &[4]) });
        sets.keep(&id("a"), known(8, &[1]));
        assert_eq!(sets.get(&id("a"), 10, 2).map(|known| known.uids), Some(set(&[4])));
    }

    #[test]
    fn the_ranges_are_bounded_and_the_one_not_asked_for_goes() {
        let sets = UidSets::new(5);
        sets.keep(&id("a"), known(1, &[1, 3]));
        sets.keep(&id("b"), known(1, &[1, 3]));
        assert!(sets.get(&id("a"), 9, 1).is_some());
        sets.keep(&id("c"), known(1, &[1, 3]));
        assert!(sets.get(&id("b"), 9, 1).is_none());
        assert!(sets.get(&id("a"), 9, 1).is_some() && sets.get(&id("c"), 9, 1).is_some());
        sets.keep(&id("d"), known(1, &[1, 3, 5, 7, 9, 11]));
        assert!(sets.get(&id("d"), 9, 1).is_none() && sets.get(&id("a"), 9, 1).is_some());
        for name in ["e", "f", "g", "h", "i", "j"] {
            sets.keep(&id(name), known(1, &[]));
        }
        assert_eq!(sets.lock().len(), 5);
    }
}
