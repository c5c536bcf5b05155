//! A maildrop: message numbers, sizes, unique-ids and deletion marks (RFC 1939 §4 to §7).
//!
//! A million messages are a normal maildrop: twelve octets for each, and a bit for the mark once one is set. The unique-id
//! that most stores have, made of UIDVALIDITY and UID, is made when it is told.

use std::time::Duration;

use crate::error::Rejection;
use crate::grammar::{MessageNumber, UniqueId};
use crate::response::{DropListing, Expiry};

/// More messages than [`Limits::maildrop_entries`](crate::Limits::maildrop_entries).
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("more messages than a maildrop may have")]
pub struct MaildropFull;

/// The messages that a session is about, in the order of their numbers: what the host answers a login with.
#[derive(Debug, Clone)]
pub struct Maildrop {
    uid_validity: u32,
    most: usize,
    keys: Vec<u32>,
    sizes: Vec<u64>,
    octets: u64,
    /// Those unique-ids that are not made of UIDVALIDITY and key, with their positions, rising.
    ids: Vec<(usize, UniqueId)>,
    promises: Promises,
}

/// What a user has been promised, where it is not the same for all.
#[derive(Debug, Clone, Default)]
pub(super) struct Promises {
    pub(super) expiry: Option<Expiry>,
    pub(super) login_interval: Option<Duration>,
}

impl Maildrop {
    /// A maildrop without messages, which may have at most so many.
    ///
    /// `uid_validity` is the numbering that the keys belong to. A message's unique-id is made of both (`1700000000.17`),
    /// so together they must never be used for another message again (attack row P8).
    pub fn new(uid_validity: u32, most: usize) -> Self {
        Self {
            uid_validity,
            most,
            keys: Vec::new(),
            sizes: Vec::new(),
            octets: 0,
            ids: Vec::new(),
            promises: Promises::default(),
        }
    }

    /// Adds a message: the host's key for it (its UID), and how many octets it has with CRLF line ends.
    ///
    /// # Errors
    /// [`MaildropFull`]
    pub fn push(&mut self, key: u32, size: u64) -> Result<(), MaildropFull> {
        if self.keys.len() >= self.most {
            return Err(MaildropFull);
        }
        self.keys.push(key);
        self.sizes.push(size);
        self.octets = self.octets.saturating_add(size);
        Ok(())
    }

    /// Adds a message whose unique-id is the host's own, for one that comes from another server.
    ///
    /// # Errors
    /// [`MaildropFull`]
    pub fn push_with_id(&mut self, key: u32, size: u64, id: UniqueId) -> Result<(), MaildropFull> {
        self.push(key, size)?;
        self.ids.push((self.keys.len().saturating_sub(1), id));
        Ok(())
    }

    /// How long this user's messages stay; CAPA tells it after the login in place of
    /// [`Config::with_expire_by_user`](crate::Config::with_expire_by_user)'s figure.
    #[must_use]
    pub fn with_expiry(mut self, expiry: Expiry) -> Self {
        self.promises.expiry = Some(expiry);
        self
    }

    /// How long after a login this user's next one is refused; CAPA tells it after the login in place of
    /// [`Config::with_login_interval_by_user`](crate::Config::with_login_interval_by_user)'s figure.
    #[must_use]
    pub fn with_login_interval(mut self, interval: Duration) -> Self {
        self.promises.login_interval = Some(interval);
        self
    }

    /// How many messages there are.
    pub fn len(&self) -> usize {
        self.keys.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.keys.is_empty()
    }

    /// The octets of all messages.
    pub fn octets(&self) -> u64 {
        self.octets
    }
}

/// A message, as the session sees it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Entry {
    /// Its number, from 1 on.
    pub(super) number: u32,
    pub(super) key: u32,
    pub(super) size: u64,
}

/// A maildrop in a session: with marks.
#[derive(Debug)]
pub(super) struct OpenMaildrop {
    messages: Maildrop,
    /// A bit for each message; none before the first mark.
    marks: Vec<u64>,
    marked: usize,
    marked_octets: u64,
}

impl OpenMaildrop {
    /// Nothing is marked at the start (RFC 1939 §4).
    pub(super) fn new(mut messages: Maildrop) -> Self {
        // It grows no more, and a session may last for hours.
        messages.keys.shrink_to_fit();
        messages.sizes.shrink_to_fit();
        messages.ids.shrink_to_fit();
        Self { messages, marks: Vec::new(), marked: 0, marked_octets: 0 }
    }

    pub(super) fn promises(&self) -> &Promises {
        &self.messages.promises
    }

    /// The message of that number, if it is there and not marked.
    pub(super) fn find(&self, number: MessageNumber) -> Result<Entry, Rejection> {
        let count = self.messages.len();
        let position = usize::try_from(number.value()).ok().and_then(|number| number.checked_sub(1));
        let entry = position.and_then(|at| self.at(at)).ok_or(Rejection::NoSuchMessage { count })?;
        if self.is_marked(entry) { Err(Rejection::AlreadyDeleted { number: entry.number }) } else { Ok(entry) }
    }

    /// The first message at that position or behind it that is not marked, and the position behind that.
    pub(super) fn next_from(&self, mut position: usize) -> Option<(Entry, usize)> {
        loop {
            let entry = self.at(position)?;
            position = position.saturating_add(1);
            if !self.is_marked(entry) {
                return Some((entry, position));
            }
        }
    }

    /// The unique-id of a message, handed to `tell`.
    pub(super) fn tell_id(&self, entry: Entry, tell: impl FnOnce(&dyn std::fmt::Display)) {
        let position = position(entry);
        match self.messages.ids.binary_search_by_key(&position, |(at, _)| *at) {
            Ok(found) => {
                if let Some((_, id)) = self.messages.ids.get(found) {
                    tell(id);
                }
            }
            Err(_) => tell(&format_args!("{}.{}", self.messages.uid_validity, entry.key)),
        }
    }

    /// Marks a message as deleted. Nothing is removed by that.
    pub(super) fn mark(&mut self, entry: Entry) {
        if self.marks.is_empty() {
            self.marks = vec![0; self.messages.len().div_ceil(64)];
        }
        let (word, bit) = place(entry);
        if let Some(word) = self.marks.get_mut(word)
            && *word & bit == 0
        {
            *word |= bit;
            self.marked = self.marked.saturating_add(1);
            self.marked_octets = self.marked_octets.saturating_add(entry.size);
        }
    }

    /// Takes all marks away.
    pub(super) fn unmark_all(&mut self) {
        self.marks = Vec::new();
        self.marked = 0;
        self.marked_octets = 0;
    }

    /// The messages that are not marked, counted. Costs nothing, as STAT may come in a loop.
    pub(super) fn listing(&self) -> DropListing {
        let messages = self.messages.len().saturating_sub(self.marked);
        DropListing::new(messages as u64, self.messages.octets.saturating_sub(self.marked_octets))
    }

    /// All messages, marked or not, counted.
    pub(super) fn unmarked_listing(&self) -> DropListing {
        DropListing::new(self.messages.len() as u64, self.messages.octets)
    }

    /// The keys of the messages that are marked, in the order of their numbers.
    pub(super) fn marked_keys(&self) -> Vec<u32> {
        let mut keys = Vec::with_capacity(self.marked);
        for (at, &word) in self.marks.iter().enumerate() {
            let mut left = word;
            while left != 0 {
                let position = at.saturating_mul(64).saturating_add(left.trailing_zeros() as usize);
                keys.extend(self.messages.keys.get(position));
                left &= left.wrapping_sub(1);
            }
        }
        keys
    }

    fn at(&self, position: usize) -> Option<Entry> {
        let number = u32::try_from(position).ok()?.checked_add(1)?;
        Some(Entry { number, key: *self.messages.keys.get(position)?, size: *self.messages.sizes.get(position)? })
    }

    fn is_marked(&self, entry: Entry) -> bool {
        let (word, bit) = place(entry);
        self.marks.get(word).is_some_and(|word| word & bit != 0)
    }
}

fn position(entry: Entry) -> usize {
    entry.number.saturating_sub(1) as usize
}

/// Which word of the marks a message's bit is in, and the bit.
fn place(entry: Entry) -> (usize, u64) {
    let position = position(entry);
    (position / 64, 1 << (position % 64))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use proptest::prelude::*;

    use super::*;

    fn drop_of(sizes: &[u64]) -> OpenMaildrop {
        let mut maildrop = Maildrop::new(7, sizes.len());
        for (key, &size) in (100..).zip(sizes) {
            maildrop.push(key, size).unwrap();
        }
        OpenMaildrop::new(maildrop)
    }

    fn id(maildrop: &OpenMaildrop, number: u32) -> String {
        let mut told = String::new();
        maildrop.tell_id(maildrop.find(MessageNumber::new(number)).unwrap(), |id| told = id.to_string());
        told
    }

    #[test]
    fn a_maildrop_has_no_more_messages_than_it_may() {
        let mut maildrop = Maildrop::new(1, 2);
        assert_eq!((maildrop.push(1, 1), maildrop.push(2, 1)), (Ok(()), Ok(())));
        assert_eq!(maildrop.push(3, 1), Err(MaildropFull));
        assert_eq!(maildrop.push_with_id(3, 1, UniqueId::new("x").unwrap()), Err(MaildropFull));
        assert_eq!((maildrop.len(), maildrop.octets()), (2, 2));
    }

    #[test]
    fn a_unique_id_is_the_hosts_or_made_of_uidvalidity_and_key() {
        let mut maildrop = Maildrop::new(u32::MAX, 3);
        maildrop.push(1, 1).unwrap();
        maildrop.push_with_id(2, 1, UniqueId::new("from-elsewhere").unwrap()).unwrap();
        maildrop.push(u32::MAX, 1).unwrap();
        let maildrop = OpenMaildrop::new(maildrop);
        assert_eq!(id(&maildrop, 1), "4294967295.1");
        assert_eq!(id(&maildrop, 2), "from-elsewhere");
        assert_eq!(id(&maildrop, 3), "4294967295.4294967295");
        assert!(UniqueId::new(id(&maildrop, 3)).is_ok());
    }

    #[test]
    fn a_number_without_a_message_is_rejected() {
        let mut maildrop = drop_of(&[120, 200]);
        for number in [0, 3, u32::MAX] {
            assert_eq!(maildrop.find(MessageNumber::new(number)), Err(Rejection::NoSuchMessage { count: 2 }));
        }
        maildrop.mark(maildrop.find(MessageNumber::new(1)).unwrap());
        assert_eq!(maildrop.find(MessageNumber::new(1)), Err(Rejection::AlreadyDeleted { number: 1 }));
        assert_eq!(maildrop.find(MessageNumber::new(2)).map(|entry| entry.key), Ok(101), "numbers do not move up");
    }

    proptest! {
        #[test]
        fn marks_agree_with_a_plain_set(
            sizes in prop::collection::vec(0u64..1000, 0..200),
            marked in prop::collection::vec(0usize..200, 0..60),
        ) {
            let mut maildrop = drop_of(&sizes);
            let mut plain = BTreeSet::new();
            for position in marked.into_iter().filter(|position| *position < sizes.len()) {
                if let Ok(entry) = maildrop.find(MessageNumber::new(position as u32 + 1)) {
                    maildrop.mark(entry);
                    prop_assert!(plain.insert(position));
                }
            }
            let keys: Vec<_> = plain.iter().map(|position| *position as u32 + 100).collect();
            prop_assert_eq!(maildrop.marked_keys(), keys);
            let left = sizes.iter().enumerate().filter(|(at, _)| !plain.contains(at)).map(|(_, size)| *size);
            let expected = DropListing::new((sizes.len() - plain.len()) as u64, left.sum());
            prop_assert_eq!(maildrop.listing(), expected);
            let (mut at, mut listed) = (0, 0);
            while let Some((_, behind)) = maildrop.next_from(at) {
                (at, listed) = (behind, listed + 1);
            }
            prop_assert_eq!(listed, expected.messages);
            maildrop.unmark_all();
            prop_assert_eq!(maildrop.listing(), DropListing::new(sizes.len() as u64, sizes.iter().sum()));
        }
    }
}
