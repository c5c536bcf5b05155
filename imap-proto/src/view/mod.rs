//! What a client believes of its mailbox: which number is which message, and what it has not been told yet.
//!
//! Pure: no store, no clock, no octets. The server feeds it with the store's [`Changes`] and asks what may be told
//! ([`View::tell`]); commands ask it which messages are meant ([`View::resolve`]).
//!
//! Three rules hold whatever happens (RFC 9051 §2.3.1.2, §5.2, §7.5.1):
//!
//! - Numbers change only by an EXPUNGE that was told, and EXISTS only falls by one.
//! - A client hears of its own changes by the answers to its commands and not again as news.
//! - [`View::highest_modseq`] is never ahead of what was told: whoever asks for what has changed since then misses
//!   nothing (RFC 7162 §3.1.2.1).

mod numbers;

use std::collections::BTreeMap;

use mailstore_traits::{Changes, Flags, ModSeq, Snapshot, Uid, UidSet, UidValidity};

use crate::grammar::{Numbering, SequenceSet};
use numbers::Numbers;

/// How many messages' new flags are kept until they are told; of more only the UIDs are ([`News::LookAgain`]) (attack row
/// M13).
const FLAGS_MOST: usize = 1000;

/// How many changes of one's own are remembered until the store has told of them; then it has to be asked
/// ([`View::own`]).
const OWN_MOST: usize = 10_000;

/// Something that a client has to be told.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum News {
    /// The message with that number is gone, and those behind it have a number that is one less (RFC 9051 §7.5.1).
    Expunge(u32),
    /// There are so many messages now, which is more than before (RFC 9051 §7.4.1).
    Exists(u32),
    /// A message's flags are these now.
    Flags {
        /// Its number.
        number: u32,
        /// Its UID.
        uid: Uid,
        /// Its modification sequence.
        modseq: ModSeq,
        /// All its flags.
        flags: Flags,
    },
    /// The flags of these messages have changed and were not kept: they are to be read again and told. It is told until
    /// [`View::looked_at`] says that it was done.
    LookAgain(UidSet),
}

/// A sequence number above the number of messages (RFC 9051 §9, seq-number).
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("no message has that number")]
pub struct NoSuchMessage;

/// A client's picture of a mailbox.
#[derive(Debug, Clone)]
pub struct View {
    uid_validity: UidValidity,
    known: Numbers,
    /// UIDs that are `\Recent` to this client: first and last.
    recent: Option<(Uid, Uid)>,
    /// The store has told everything up to here.
    cursor: ModSeq,
    /// The client has been told everything up to here.
    told: ModSeq,
    /// Messages that the client has not been told of. All are behind the last that it knows.
    new: UidSet,
    /// The store has more to tell: a new message that has changed since may be in a later page, with a UID below those here.
    more: bool,
    /// Messages that the client knows and that are no more.
    gone: UidSet,
    /// Numbers whose EXPUNGE is being told, the highest first: they have left `known` already.
    expunging: Vec<(u32, u32)>,
    flags: BTreeMap<Uid, (ModSeq, Flags)>,
    look_again: UidSet,
    own: BTreeMap<Uid, ModSeq>,
    /// Where the cursor was when this client's last change began: what a message had by then is nobody's new change.
    own_from: ModSeq,
}

impl View {
    /// What a client is told by SELECT.
    pub fn new(snapshot: &Snapshot) -> Self {
        Self {
            uid_validity: snapshot.uid_validity,
            known: Numbers::new(&snapshot.uids),
            recent: snapshot.first_recent.zip(snapshot.uids.last()),
            cursor: snapshot.highest_modseq,
            told: snapshot.highest_modseq,
            new: UidSet::new(),
            more: false,
            gone: UidSet::new(),
            expunging: Vec::new(),
            flags: BTreeMap::new(),
            look_again: UidSet::new(),
            own: BTreeMap::new(),
            own_from: snapshot.highest_modseq,
        }
    }

    /// UIDVALIDITY.
    pub fn uid_validity(&self) -> UidValidity {
        self.uid_validity
    }

    /// EXISTS, as the client has been told.
    pub fn exists(&self) -> u32 {
        self.known.len()
    }

    /// RECENT: those of SELECT that are still there. Messages that come while the mailbox is selected are not recent to
    /// this client but to the next that selects, so that each is so to exactly one (RFC 3501 §2.3.2).
    pub fn recent(&self) -> u32 {
        self.recent.map_or(0, |(first, last)| self.known.count_between(first, last))
    }

    /// Whether the message is `\Recent` to this client.
    pub fn is_recent(&self, uid: Uid) -> bool {
        self.recent.is_some_and(|(first, last)| (first..=last).contains(&uid))
    }

    /// From which UID to which one messages are `\Recent`.
    pub fn recent_range(&self) -> Option<(Uid, Uid)> {
        self.recent
    }

    /// The UID of the message with that number. O(log ranges).
    pub fn uid(&self, number: u32) -> Option<Uid> {
        self.known.uid(number)
    }

    /// The number of the message with that UID. O(log ranges).
    pub fn number(&self, uid: Uid) -> Option<u32> {
        self.known.number(uid)
    }

    /// All UIDs that the client knows of, those among them that are gone without its knowing.
    pub fn uids(&self) -> UidSet {
        self.known.to_set()
    }

    /// Whether the client knows the message, and it is no more.
    pub fn is_expunged(&self, uid: Uid) -> bool {
        self.gone.contains(uid)
    }

    /// Whether one of these is known to the client and no more.
    pub fn any_expunged(&self, uids: &UidSet) -> bool {
        !self.gone.is_empty() && !self.gone.intersection(uids).is_empty()
    }

    /// The numbers of those among these that the client knows: ranges, rising.
    pub fn numbers_of(&self, uids: &UidSet) -> Vec<(u32, u32)> {
        self.known.numbers_of(uids)
    }

    /// The messages that a set names, those too that are gone without the client's knowing
    /// ([`any_expunged`](Self::any_expunged)). UIDs that nobody has are passed over. `*` is the last message that the client knows
    /// of. Costs what the set and the answer have in ranges, never what they have in numbers (attack row M8).
    ///
    /// # Errors
    /// [`NoSuchMessage`] for a sequence number that is too high. In an empty mailbox every one is.
    pub fn resolve(&self, set: &SequenceSet, numbering: Numbering) -> Result<UidSet, NoSuchMessage> {
        let exists = self.exists();
        let star = match numbering {
            Numbering::Sequence => exists,
            Numbering::Uid => self.known.last().map_or(0, Uid::value),
        };
        let mut ranges: Vec<(u32, u32)> = set.resolved(star).collect();
        if numbering == Numbering::Sequence && ranges.iter().any(|&(first, last)| first == 0 || last > exists) {
            return Err(NoSuchMessage);
        }
        ranges.sort_unstable();
        let mut found = UidSet::new();
        let mut from = 1;
        for (first, last) in ranges {
            // What an earlier range has brought is not looked up again.
            let first = first.max(from);
            if first > last {
                continue;
            }
            match numbering {
                Numbering::Sequence => self.known.numbered(first, last, &mut found),
                Numbering::Uid => self.known.between(first, last, &mut found),
            }
            match last.checked_add(1) {
                Some(next) => from = next,
                None => break,
            }
        }
        Ok(found)
    }

    /// From where to ask the store for changes.
    pub fn cursor(&self) -> ModSeq {
        self.cursor
    }

    /// HIGHESTMODSEQ: everything up to it has been told.
    pub fn highest_modseq(&self) -> ModSeq {
        self.told
    }

    /// Takes what the store says has happened since [`cursor`](Self::cursor).
    pub fn feed(&mut self, changes: Changes) {
        let last = self.known.last();
        for changed in changes.changed {
            if last.is_none_or(|last| changed.uid > last) {
                self.new.insert(changed.uid);
                continue;
            }
            match self.own.get(&changed.uid) {
                // One's own, and nobody has changed it since.
                Some(own) if *own >= changed.modseq => {}
                _ => self.flags_changed(changed.uid, changed.modseq, changed.flags),
            }
        }
        self.gone(&changes.vanished);
        self.cursor = self.cursor.max(changes.up_to);
        self.more = changes.more;
        let cursor = self.cursor;
        self.own.retain(|_, modseq| *modseq > cursor);
    }

    /// This client is about to change flags: [`own`](Self::own) tells what comes of it.
    pub fn begin_own(&mut self) {
        self.own_from = self.cursor;
    }

    /// This client has changed a message's flags, and the message has that modification sequence by it. If it was
    /// `silent`, the client has not been told of the flags; what others had changed before is then told all the same.
    ///
    /// Answers whether there is room for more of them: if not, the store has to be asked for changes, and those that it
    /// tells of are forgotten.
    pub fn own(&mut self, uid: Uid, modseq: ModSeq, silent: bool) -> bool {
        if modseq > self.cursor {
            self.own.insert(uid, modseq);
        }
        match self.flags.get(&uid) {
            // Somebody else's, of which nobody has heard: the flags are told as they are now, both changes in them. One
            // that is as old as the message is somebody else's too, if it was there before: this client changed nothing.
            Some((queued, _)) if silent && (*queued < modseq || modseq <= self.own_from) => {
                self.flags.remove(&uid);
                self.look_again.insert(uid);
            }
            Some((queued, _)) if *queued <= modseq => {
                self.flags.remove(&uid);
            }
            _ => {}
        }
        if !silent {
            self.look_again.remove(uid);
        }
        self.own.len() < OWN_MOST
    }

    /// These are no more, by this client's doing or by what was found out.
    pub fn gone(&mut self, uids: &UidSet) {
        if uids.is_empty() {
            return;
        }
        self.new = self.new.difference(uids);
        for range in uids.ranges() {
            self.known.between(range.start().value(), range.end().value(), &mut self.gone);
        }
        self.look_again = self.look_again.difference(uids);
        self.flags.retain(|uid, _| !uids.contains(*uid));
        self.own.retain(|uid, _| !uids.contains(*uid));
    }

    /// The store no longer knows what has changed: this is what there is. Whatever differs becomes news, and all flags
    /// have to be read again.
    pub fn snapshot_again(&mut self, snapshot: &Snapshot) {
        let known = self.known.to_set();
        self.gone(&known.difference(&snapshot.uids));
        self.new = match self.known.last().map(Uid::next) {
            None => snapshot.uids.clone(),
            Some(Some(next)) => snapshot.uids.intersection(&UidSet::from_range(next, Uid::MAX)),
            Some(None) => UidSet::new(),
        };
        self.flags.clear();
        self.own.clear();
        self.look_again = known.intersection(&snapshot.uids);
        self.cursor = snapshot.highest_modseq;
        self.more = false;
    }

    /// The flags of these messages have been read and told ([`News::LookAgain`]).
    pub fn looked_at(&mut self, uids: &UidSet) {
        self.look_again = self.look_again.difference(uids);
    }

    /// The next thing that the client has to be told, if it may be; to be called until there is none. Without
    /// `may_expunge` EXPUNGE waits: numbers do not change (RFC 9051 §7.5.1). Once the first EXPUNGE has been given, all
    /// that belong to it have to be told before anything else is: the numbers are those behind them.
    pub fn tell(&mut self, may_expunge: bool) -> Option<News> {
        if let Some(number) = self.next_expunge() {
            return Some(News::Expunge(number));
        }
        if may_expunge && !self.gone.is_empty() {
            let gone = std::mem::take(&mut self.gone);
            self.expunging = self.known.remove(&gone);
            if let Some(number) = self.next_expunge() {
                return Some(News::Expunge(number));
            }
        }
        // UIDs rise with numbers: whoever tells of one too early can never tell of one below it.
        if !self.new.is_empty() && !self.more {
            let new = std::mem::take(&mut self.new);
            self.known.push_all(&new);
            return Some(News::Exists(self.exists()));
        }
        while let Some((uid, (modseq, flags))) = self.flags.pop_first() {
            if let Some(number) = self.number(uid) {
                return Some(News::Flags { number, uid, modseq, flags });
            }
        }
        if !self.look_again.is_empty() {
            return Some(News::LookAgain(self.look_again.clone()));
        }
        if self.gone.is_empty() && self.new.is_empty() {
            self.told = self.cursor;
        }
        None
    }

    /// The highest number goes first: so each is what it was, and a client has the least to move.
    fn next_expunge(&mut self) -> Option<u32> {
        let (first, last) = self.expunging.last_mut()?;
        let number = *last;
        if first == last {
            self.expunging.pop();
        } else {
            *last = last.saturating_sub(1);
        }
        Some(number)
    }

    fn flags_changed(&mut self, uid: Uid, modseq: ModSeq, flags: Flags) {
        if self.known.number(uid).is_none() || self.gone.contains(uid) || self.look_again.contains(uid) {
            return;
        }
        if self.flags.len() < FLAGS_MOST || self.flags.contains_key(&uid) {
            self.flags.insert(uid, (modseq, flags));
        } else {
            self.look_again.insert(uid);
        }
    }
}

#[cfg(test)]
mod tests;
