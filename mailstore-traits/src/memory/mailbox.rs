//! One mailbox in memory: its messages, and what has happened in it.

use std::collections::{BTreeMap, VecDeque};

use bytes::Bytes;
use futures::stream;

use super::annotations::Annotations;
use super::rights::{Acl, may_change};
use super::signal::Watchers;
use crate::{
    Access, Body, ByteRange, Changed, Changes, EmailId, ErrorKind, FlagChange, FlagOutcome, Flags, Keyword, MailboxId,
    MailboxName, MailboxPast, MailboxStatus, MessageDigest, MessageMeta, MetaFields, MetaFilter, ModSeq, Result,
    Rights, Snapshot, SpecialUse, StoreError, SystemFlag, Timestamp, Uid, UidSet, UidValidity,
};

/// As much of a body as is handed out at once.
const CHUNK_OCTETS: usize = 64 * 1024;

#[derive(Clone)]
pub(super) struct Message {
    pub(super) modseq: ModSeq,
    pub(super) flags: Flags,
    pub(super) internal_date: Timestamp,
    pub(super) save_date: Timestamp,
    pub(super) email_id: EmailId,
    pub(super) prefix: Bytes,
    pub(super) octets: Bytes,
    pub(super) digest: Option<MessageDigest>,
    pub(super) uidl: Option<String>,
}

impl Message {
    pub(super) fn size(&self) -> u64 {
        (self.prefix.len() as u64).saturating_add(self.octets.len() as u64)
    }

    /// The body holds the octets themselves, so an expunge does not cut it short.
    pub(super) fn body(&self, range: ByteRange) -> Body {
        body(&self.prefix, &self.octets, range)
    }

    fn meta(&self, uid: Uid, fields: MetaFields) -> MessageMeta {
        let mut meta = MessageMeta::new(uid, self.modseq, self.size(), self.internal_date, self.email_id.clone());
        meta.save_date = Some(self.save_date);
        if fields.flags {
            meta.flags = self.flags.clone();
        }
        if fields.digest {
            meta.digest = self.digest.clone();
        }
        if fields.uidl {
            meta.uidl = self.uidl.clone();
        }
        meta
    }

    fn matches(&self, filter: &MetaFilter) -> bool {
        filter.changed_since.is_none_or(|since| self.modseq > since)
            && filter.with.iter().all(|flag| self.flags.contains(flag))
            && !filter.without.iter().any(|flag| self.flags.contains(flag))
    }
}

/// A range of two pieces of memory, one behind the other, in chunks that share it.
pub(super) fn body(prefix: &Bytes, octets: &Bytes, range: ByteRange) -> Body {
    let front = prefix.len() as u64;
    let wanted = range.within(front.saturating_add(octets.len() as u64));
    let pieces = [
        cut(prefix, wanted.start, wanted.end),
        cut(octets, wanted.start.saturating_sub(front), wanted.end.saturating_sub(front)),
    ];
    let chunks = pieces.into_iter().flat_map(|mut piece| {
        std::iter::from_fn(move || (!piece.is_empty()).then(|| piece.split_to(piece.len().min(CHUNK_OCTETS))))
    });
    Body::new(wanted.end.saturating_sub(wanted.start), stream::iter(chunks.map(Ok)))
}

fn cut(octets: &Bytes, start: u64, end: u64) -> Bytes {
    let within = |at: u64| usize::try_from(at).unwrap_or(usize::MAX).min(octets.len());
    octets.slice(within(start)..within(end).max(within(start)))
}

pub(super) struct Mailbox {
    pub(super) name: MailboxName,
    pub(super) special_use: Option<SpecialUse>,
    pub(super) uid_validity: UidValidity,
    uid_next: Option<Uid>,
    pub(super) highest: ModSeq,
    recent_from: Option<Uid>,
    pub(super) messages: BTreeMap<Uid, Message>,
    /// What has gone, by rising modification sequence.
    vanished: VecDeque<(ModSeq, UidSet)>,
    /// How many entries of `vanished` are kept.
    horizon: usize,
    /// Changes since this one or a later one are known exactly.
    exact_since: ModSeq,
    pub(super) watchers: Watchers<MailboxId>,
    pub(super) leased: bool,
    pub(super) annotations: Annotations,
    pub(super) acl: Acl,
}

impl Mailbox {
    pub(super) fn new(
        name: MailboxName,
        special_use: Option<SpecialUse>,
        uid_validity: UidValidity,
        horizon: usize,
    ) -> Self {
        Self {
            name,
            special_use,
            uid_validity,
            uid_next: Some(Uid::MIN),
            // The first message gets the second one, so that somebody who saw the mailbox empty can ask what came since.
            highest: ModSeq::MIN,
            recent_from: Some(Uid::MIN),
            messages: BTreeMap::new(),
            vanished: VecDeque::new(),
            horizon,
            exact_since: ModSeq::MIN,
            watchers: Watchers::new(),
            leased: false,
            annotations: Annotations::default(),
            acl: Acl::default(),
        }
    }

    /// The modification sequence of a change that is being made. It stays at its end after 2⁶³ changes.
    pub(super) fn next_modseq(&mut self) -> ModSeq {
        self.highest = self.highest.next().unwrap_or(self.highest);
        self.highest
    }

    /// Goes on where a mailbox of another store ended.
    pub(super) fn go_on_from(&mut self, past: MailboxPast) {
        self.uid_validity = past.uid_validity;
        // No next UID is above all of them.
        if let (Some(next), Some(next_then)) = (self.uid_next, past.uid_next) {
            self.uid_next = Some(next.max(next_then));
        } else {
            self.uid_next = None;
        }
        // Nothing of it is new to its owner.
        self.recent_from = self.uid_next;
        self.highest = self.highest.max(past.highest_modseq);
        self.exact_since = self.exact_since.max(past.highest_modseq);
    }

    /// Whether no message has ever been in it.
    pub(super) fn is_unused(&self) -> bool {
        self.uid_next == Some(Uid::MIN)
    }

    #[cfg(test)]
    pub(super) fn skip_to(&mut self, uid: Uid) {
        self.uid_next = Some(uid);
    }

    /// Whether there are UIDs for so many messages more.
    pub(super) fn has_room_for(&self, messages: u64) -> bool {
        let left = self.uid_next.map_or(0, |next| u64::from(Uid::MAX.value() - next.value()) + 1);
        messages <= left
    }

    /// Adds a message under the next UID, or under a later one.
    pub(super) fn add(&mut self, message: Message, wanted: Option<Uid>) -> Result<Uid> {
        let uid = Self::uid_from(self.uid_next, wanted)?;
        self.uid_next = uid.next();
        self.messages.insert(uid, message);
        Ok(uid)
    }

    /// The UID that a message gets where `next` is the next one.
    pub(super) fn uid_from(next: Option<Uid>, wanted: Option<Uid>) -> Result<Uid> {
        match (next, wanted) {
            (Some(next), None) => Ok(next),
            (Some(next), Some(wanted)) if wanted >= next => Ok(wanted),
            (_, Some(_)) => Err(StoreError::new(ErrorKind::Invalid, "that UID may have been given out")),
            (None, None) => Err(ErrorKind::LimitExceeded.into()),
        }
    }

    /// The next UID; `None` when there is none.
    pub(super) fn uid_next(&self) -> Option<Uid> {
        self.uid_next
    }

    /// Takes messages out, in a change that has that modification sequence.
    pub(super) fn take(&mut self, uids: &UidSet, modseq: ModSeq) {
        self.messages.retain(|uid, _| !uids.contains(*uid));
        match self.vanished.back_mut() {
            Some((last, gone)) if *last == modseq => gone.extend_from(uids),
            _ => self.vanished.push_back((modseq, uids.clone())),
        }
        while self.vanished.len() > self.horizon {
            if let Some((forgotten, _)) = self.vanished.pop_front() {
                self.exact_since = forgotten;
            }
        }
    }

    /// Removes messages for good and tells which.
    pub(super) fn expunge(&mut self, uids: &UidSet, only_deleted: bool) -> UidSet {
        let goes = |message: &Message| !only_deleted || message.flags.has(SystemFlag::Deleted);
        let gone: UidSet = self.present(uids).filter(|(_, message)| goes(message)).map(|(uid, _)| uid).collect();
        if !gone.is_empty() {
            let modseq = self.next_modseq();
            self.take(&gone, modseq);
        }
        gone
    }

    /// The messages of a set that are there, by rising UID, without walking through UIDs that are not.
    pub(super) fn present<'a>(&'a self, uids: &'a UidSet) -> impl Iterator<Item = (Uid, &'a Message)> + 'a {
        uids.ranges().flat_map(|range| self.messages.range(range)).map(|(uid, message)| (*uid, message))
    }

    pub(super) fn octets(&self) -> u64 {
        self.messages.values().map(Message::size).sum()
    }

    pub(super) fn store_flags(
        &mut self,
        uids: &UidSet,
        change: &FlagChange,
        unchanged_since: Option<ModSeq>,
        may: &Rights,
    ) -> Vec<FlagOutcome> {
        let mut outcomes = Vec::new();
        let mut failed = UidSet::new();
        let mut stamp = None;
        let present: Vec<Uid> = self.present(uids).map(|(uid, _)| uid).collect();
        for uid in present {
            let Some(message) = self.messages.get(&uid) else { continue };
            if unchanged_since.is_some_and(|since| message.modseq > since) {
                failed.insert(uid);
                continue;
            }
            // Of the flags that the actor may not change each message keeps what it has (RFC 4314 §4).
            let kept = message.flags.iter().filter(|flag| !may_change(may, flag));
            let changed = change.apply(&message.flags);
            let flags = kept.chain(changed.iter().filter(|flag| may_change(may, flag))).cloned().collect();
            let modseq =
                if flags == message.flags { message.modseq } else { *stamp.get_or_insert_with(|| self.next_modseq()) };
            if let Some(message) = self.messages.get_mut(&uid) {
                message.flags.clone_from(&flags);
                message.modseq = modseq;
            }
            outcomes.push(FlagOutcome::Stored { uid, modseq, flags });
        }
        if !failed.is_empty() {
            outcomes.push(FlagOutcome::Failed(failed));
        }
        outcomes
    }

    pub(super) fn changes_since(&self, since: ModSeq, page: usize) -> Result<Changes> {
        // One from the future was given out by another life of this mailbox: what came since nobody knows.
        if since < self.exact_since || since > self.highest {
            return Err(ErrorKind::ModSeqTooOld.into());
        }
        let mut by_modseq: BTreeMap<ModSeq, (Vec<Changed>, UidSet)> = BTreeMap::new();
        for (uid, message) in self.messages.iter().filter(|(_, message)| message.modseq > since) {
            let changed = Changed::new(*uid, message.modseq, message.flags.clone());
            by_modseq.entry(message.modseq).or_default().0.push(changed);
        }
        for (modseq, gone) in self.vanished.iter().filter(|(modseq, _)| *modseq > since) {
            by_modseq.entry(*modseq).or_default().1.extend_from(gone);
        }
        let mut changes = Changes::none(since);
        let mut told = 0_u64;
        for (modseq, (changed, vanished)) in by_modseq {
            if told >= page.max(1) as u64 {
                changes.more = true;
                return Ok(changes);
            }
            told = told.saturating_add(changed.len() as u64).saturating_add(vanished.len());
            changes.changed.extend(changed);
            changes.vanished.extend_from(&vanished);
            changes.up_to = modseq;
        }
        changes.up_to = self.highest;
        Ok(changes)
    }

    pub(super) fn snapshot(&mut self, claim_recent: bool) -> Snapshot {
        let first_recent = self.recent().next();
        if claim_recent {
            self.recent_from = self.uid_next;
        }
        let keywords: std::collections::BTreeSet<Keyword> =
            self.messages.values().flat_map(|message| message.flags.keywords().cloned()).collect();
        let mut snapshot = Snapshot::empty(self.uid_validity, self.highest);
        snapshot.uid_next = self.uid_next;
        snapshot.uids = self.messages.keys().copied().collect();
        snapshot.keywords = keywords.into_iter().collect();
        snapshot.access = Access::ReadWrite;
        snapshot.first_unseen = self.without(SystemFlag::Seen).next();
        snapshot.first_recent = first_recent;
        snapshot
    }

    pub(super) fn status(&self, id: MailboxId) -> MailboxStatus {
        let count = |messages: usize| messages as u64;
        let mut status = MailboxStatus::empty(id, self.uid_validity, self.highest);
        status.messages = count(self.messages.len());
        status.unseen = count(self.without(SystemFlag::Seen).count());
        status.deleted = count(self.messages.len() - self.without(SystemFlag::Deleted).count());
        status.recent = count(self.recent().count());
        status.size = self.octets();
        status.uid_next = self.uid_next;
        status
    }

    /// The first so many messages of a set that pass the filter, and, if there may be more, the UID to go on from.
    pub(super) fn meta(
        &self,
        uids: &UidSet,
        fields: MetaFields,
        filter: &MetaFilter,
        at_most: usize,
    ) -> (Vec<MessageMeta>, Option<Uid>) {
        let mut found = Vec::new();
        for (uid, message) in self.present(uids).filter(|(_, message)| message.matches(filter)) {
            if found.len() == at_most {
                return (found, Some(uid));
            }
            found.push(message.meta(uid, fields));
        }
        (found, None)
    }

    fn recent(&self) -> impl Iterator<Item = Uid> + '_ {
        self.recent_from.into_iter().flat_map(|from| self.messages.range(from..)).map(|(uid, _)| *uid)
    }

    fn without(&self, flag: SystemFlag) -> impl Iterator<Item = Uid> + '_ {
        self.messages.iter().filter(move |(_, message)| !message.flags.has(flag)).map(|(uid, _)| *uid)
    }
}
