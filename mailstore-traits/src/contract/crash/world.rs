//! What is in a store, as far as clients are told of it, and what it must be after each operation.

use std::collections::{BTreeMap, BTreeSet};

use crate::contract::ACCOUNTS;
use crate::contract::tools::*;
use crate::{Account, Flags, MailStore, MailboxId, MailboxName, ModSeq, Uid, UidSet, UidValidity};

/// How many processes' worth of work goes on at once in the one that is killed: one for each account.
pub(super) const WORKERS: usize = ACCOUNTS.len();

/// A mailbox by the number of its account and its name.
pub(super) type Place = (usize, MailboxName);

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Message {
    /// Which of all messages it is; its octets follow from that.
    pub(super) number: u64,
    pub(super) flags: Flags,
}

#[derive(Debug, Clone)]
pub(super) struct Mailbox {
    pub(super) id: MailboxId,
    pub(super) uid_validity: UidValidity,
    pub(super) messages: BTreeMap<Uid, Message>,
    /// The highest UID that was told of, or that UIDNEXT excludes.
    pub(super) highest_uid: u32,
    /// The highest modification sequence that was told.
    pub(super) modseq: Option<ModSeq>,
}

impl Mailbox {
    pub(super) fn new(id: MailboxId, uid_validity: UidValidity) -> Self {
        Self { id, uid_validity, messages: BTreeMap::new(), highest_uid: 0, modseq: None }
    }

    pub(super) fn uids(&self) -> UidSet {
        uids(self.messages.keys().copied())
    }
}

/// Mailboxes and subscriptions: of all accounts, or of those that one worker alone writes to.
#[derive(Debug, Clone, Default)]
pub(super) struct World {
    pub(super) mailboxes: BTreeMap<Place, Mailbox>,
    pub(super) subscribed: BTreeSet<Place>,
}

impl World {
    /// All that is there; each message is read and is one of ours, whole.
    pub(super) async fn read<S: MailStore>(store: &S) -> Check<Self> {
        let mut world = Self::default();
        for number in 0..WORKERS {
            let account = open(store, number).await?;
            for info in list(&account).await? {
                if info.subscribed {
                    world.subscribed.insert((number, info.name.clone()));
                }
                let Some(id) = info.id else { continue };
                world.mailboxes.insert((number, info.name), read_mailbox(&account, id).await?);
            }
        }
        Ok(world)
    }

    /// What that worker writes to: its own account, without what others deliver there, and what it delivers to others.
    pub(super) fn of_worker(&self, worker: usize) -> Self {
        let mut slice = self.clone();
        let is_own = |(account, name): &Place| match addressed(name) {
            Some(from) => from == worker,
            None => *account == worker,
        };
        slice.mailboxes.retain(|place, _| is_own(place));
        slice.subscribed.retain(is_own);
        slice
    }

    /// What is in `found` and is not here, or the other way round, in words; nothing if they are the same.
    pub(super) fn difference(&self, found: &Self) -> Vec<String> {
        let mut told = Vec::new();
        let places: BTreeSet<_> = self.mailboxes.keys().chain(found.mailboxes.keys()).collect();
        for place in places {
            let name = shown(place);
            match (self.mailboxes.get(place), found.mailboxes.get(place)) {
                (Some(_), None) => told.push(format!("{name} has gone")),
                (None, Some(there)) => told.push(format!("{name} is there, with {} messages", there.messages.len())),
                (Some(expected), Some(there)) => {
                    if (&expected.id, expected.uid_validity) != (&there.id, there.uid_validity) {
                        told.push(format!("{name} is another mailbox, or has another UIDVALIDITY"));
                    }
                    let both: BTreeSet<_> = expected.messages.keys().chain(there.messages.keys()).collect();
                    for uid in both {
                        match (expected.messages.get(uid), there.messages.get(uid)) {
                            (Some(one), Some(other)) if one == other => {}
                            (Some(one), Some(other)) => told.push(format!(
                                "{uid} in {name} is message {} with {:?}, and was message {} with {:?}",
                                other.number, other.flags, one.number, one.flags
                            )),
                            (Some(one), None) => {
                                told.push(format!("{uid} in {name}, message {}, has gone", one.number))
                            }
                            (None, Some(other)) => {
                                told.push(format!("{uid} in {name}, message {}, is there", other.number))
                            }
                            (None, None) => {}
                        }
                    }
                    if there.highest_uid < expected.highest_uid {
                        told.push(format!("UID {} of {name} can be given out again", expected.highest_uid));
                    }
                    if there.modseq < expected.modseq {
                        told.push(format!(
                            "the modification sequence of {name} fell from {:?} to {:?}",
                            expected.modseq, there.modseq
                        ));
                    }
                }
                (None, None) => {}
            }
        }
        for place in self.subscribed.symmetric_difference(&found.subscribed) {
            told.push(format!("the subscription of {} changed", shown(place)));
        }
        told
    }
}

/// A mailbox that a worker delivers to, in every account.
pub(super) fn post_of(worker: usize, turn: u64) -> Check<MailboxName> {
    name(&format!("Post from {worker} {}", turn % 3))
}

/// Which worker delivers to a mailbox of that name.
fn addressed(name: &MailboxName) -> Option<usize> {
    name.to_string().strip_prefix("Post from ")?.split(' ').next()?.parse().ok()
}

pub(super) fn shown((account, name): &Place) -> String {
    format!("{name} of {}", ACCOUNTS.get(*account).copied().unwrap_or("nobody"))
}

async fn read_mailbox<A: Account>(account: &A, id: MailboxId) -> Check<Mailbox> {
    let snapshot = account.snapshot(&id, false).await?;
    let mut mailbox = Mailbox::new(id, snapshot.uid_validity);
    for meta in metas(account, &mailbox.id, &UidSet::all()).await? {
        let octets = read_message(account, &mailbox.id, meta.uid).await?;
        ensure_eq!(octets.len() as u64, meta.size, "octets of {}, against its size", meta.uid);
        let Some(number) = number_of(&octets).filter(|number| message(*number) == octets) else {
            return Err(Stop::failed(format_args!("{} is not a message that was put there, or not whole", meta.uid)));
        };
        mailbox.messages.insert(meta.uid, Message { number, flags: meta.flags });
    }
    ensure_eq!(snapshot.uids, mailbox.uids(), "the snapshot's messages, against those that can be read");
    let status = account.status(std::slice::from_ref(&mailbox.id)).await?;
    let counted = status.first().map(|status| status.messages);
    ensure_eq!(counted, Some(mailbox.messages.len() as u64), "the count of messages, against those that can be read");
    mailbox.highest_uid = snapshot.uid_next.map_or(u32::MAX, |next| next.value().saturating_sub(1));
    mailbox.modseq = Some(snapshot.highest_modseq);
    Ok(mailbox)
}

/// The octets of a message, which say of themselves what they must be. Each seventh is too large for most buffers.
pub(super) fn message(number: u64) -> Vec<u8> {
    let size =
        if number.is_multiple_of(7) { 70_000 + number as usize % 5 * 40_000 } else { 200 + number as usize % 300 };
    let mut octets = format!("Subject: {number}\r\n\r\n").into_bytes();
    let line = format!("a line of message {number}, of which there are many\r\n");
    let body = line.repeat(size / line.len() + 1);
    octets.extend_from_slice(body.as_bytes());
    octets
}

fn number_of(octets: &[u8]) -> Option<u64> {
    let head = octets.get(..octets.len().min(60))?;
    std::str::from_utf8(head).ok()?.lines().next()?.strip_prefix("Subject: ")?.parse().ok()
}
