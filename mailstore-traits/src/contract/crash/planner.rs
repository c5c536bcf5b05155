//! What is done next.

use super::operation::{Kind, Operation};
use super::world::{Place, WORKERS, World, post_of};
use crate::contract::tools::*;
use crate::{FlagChange, MailboxName, MailboxPast, ModSeq, StoreFeatures, Uid, UidSet, UidValidity};

/// Flags that come and go.
const FLAGS: [&str; 5] = ["\\Seen", "\\Deleted", "\\Flagged \\Seen", "$one", "$two \\Answered"];
/// With more messages than this to look after, a worker expunges.
const MANY: usize = 40;

/// Decides what is done next. What is decided follows from the seed and from what is there, so that the one who looks on
/// can tell what a process was about that did not live to say it.
pub(super) struct Planner {
    worker: usize,
    dice: Dice,
    /// What is done most.
    favourite: Kind,
    features: StoreFeatures,
    /// For names and messages that were never there before.
    next: u64,
}

impl Planner {
    pub(super) fn new(worker: usize, round: u64, features: StoreFeatures) -> Self {
        let turn = round.wrapping_mul(WORKERS as u64).wrapping_add(worker as u64);
        let favourite = Kind::ALL.get((turn % Kind::ALL.len() as u64) as usize).copied().unwrap_or(Kind::Move);
        let next = round.wrapping_mul(1_000_000).wrapping_add(worker as u64 * 100_000);
        Self { worker, dice: Dice::new(turn), favourite, features, next }
    }

    fn fresh(&mut self) -> u64 {
        self.next = self.next.wrapping_add(1);
        self.next
    }

    pub(super) fn next(&mut self, world: &World) -> Check<Operation> {
        let messages: usize = world.mailboxes.values().map(|mailbox| mailbox.messages.len()).sum();
        let kind = match self.dice.roll(2) {
            _ if messages > MANY => Kind::Expunge,
            0 => self.favourite,
            _ => self.dice.pick(&Kind::ALL).copied().unwrap_or(Kind::Commit),
        };
        match self.plan(kind, world)? {
            Some(operation) => Ok(operation),
            // What it needs is not there. INBOX is.
            None => {
                let numbers = (0..=self.dice.roll(3)).map(|_| self.fresh()).collect();
                let flags = flags(self.dice.pick(&FLAGS).copied().unwrap_or_default())?;
                Ok(Operation::Commit { to: (self.worker, MailboxName::inbox()), numbers, flags })
            }
        }
    }

    fn plan(&mut self, kind: Kind, world: &World) -> Check<Option<Operation>> {
        let places: Vec<&Place> = world.mailboxes.keys().collect();
        let filled: Vec<&Place> = world
            .mailboxes
            .iter()
            .filter(|(_, mailbox)| !mailbox.messages.is_empty())
            .map(|(place, _)| place)
            .collect();
        let own = |place: &&&Place| place.0 == self.worker && place.1.to_string().starts_with('W');
        let made: Vec<&Place> = places.iter().filter(own).copied().collect();
        let some_flags = flags(self.dice.pick(&FLAGS).copied().unwrap_or_default())?;
        let from = self.dice.pick(&filled).map(|place| (*place).clone());
        let uids = |planner: &mut Self, at: &Place| match world.mailboxes.get(at) {
            Some(mailbox) => planner.dice.some(&mailbox.uids()),
            None => UidSet::new(),
        };
        Ok(match kind {
            Kind::Commit => None,
            Kind::Replace => from.and_then(|at| {
                let old = uids(self, &at).first()?;
                Some(Operation::Replace { at, old, number: self.fresh() })
            }),
            Kind::Deliver => {
                let all = self.features.atomic_delivery;
                let accounts = if all { (0..WORKERS).collect() } else { vec![self.worker] };
                let number = self.fresh();
                Some(Operation::Deliver { name: post_of(self.worker, number)?, accounts, number })
            }
            Kind::Flags => from.map(|at| {
                let uids = uids(self, &at);
                let change = match self.dice.roll(3) {
                    0 => FlagChange::Add(some_flags),
                    1 => FlagChange::Remove(some_flags),
                    _ => FlagChange::Replace(some_flags),
                };
                Operation::Flags { at, uids, change }
            }),
            Kind::Copy | Kind::Move => from.and_then(|from| {
                let uids = uids(self, &from);
                let same: Vec<&Place> =
                    places.iter().filter(|place| place.0 == from.0 && ***place != from).copied().collect();
                let to = (*self.dice.pick(&same)?).clone();
                Some(if kind == Kind::Copy {
                    Operation::Copy { from, uids, to }
                } else {
                    Operation::Move { from, uids, to }
                })
            }),
            Kind::Expunge => from.map(|at| {
                let (uids, only_deleted) = (uids(self, &at), self.dice.roll(4) == 0);
                Operation::Expunge { at, uids, only_deleted }
            }),
            Kind::Create | Kind::Restore if made.len() > 6 => self.plan(Kind::Delete, world)?,
            Kind::Create => {
                let number = self.fresh();
                let parents: Vec<_> = made.iter().filter(|place| place.1.parent().is_none()).collect();
                let new = match self.dice.pick(&parents) {
                    Some(parent) if self.dice.roll(2) == 0 => format!("{}/A{number}", parent.1),
                    _ => format!("W{number}"),
                };
                Some(Operation::Create { at: (self.worker, name(&new)?) })
            }
            Kind::Restore if !self.features.restore => None,
            Kind::Restore => {
                let number = self.fresh();
                let validity = UidValidity::new(1_000 + number as u32).unwrap_or(UidValidity::MIN);
                let past = MailboxPast::new(validity, Uid::new(50), ModSeq::new(700).unwrap_or(ModSeq::MIN));
                Some(Operation::Restore { at: (self.worker, name(&format!("W{number}"))?), past })
            }
            Kind::Rename => {
                let to = name(&format!("W{}", self.fresh()))?;
                let tops: Vec<_> = made.iter().filter(|place| place.1.parent().is_none()).collect();
                self.dice.pick(&tops).map(|from| Operation::Rename { from: (**from).clone(), to })
            }
            Kind::Delete => {
                let leaves: Vec<_> = places
                    .iter()
                    .filter(|place| !place.1.is_inbox())
                    .filter(|place| !places.iter().any(|other| other.0 == place.0 && other.1.is_below(&place.1)))
                    .collect();
                self.dice.pick(&leaves).map(|at| Operation::Delete { at: (**at).clone() })
            }
            Kind::Subscribe => {
                let own: Vec<_> = places.iter().filter(|place| place.0 == self.worker).collect();
                self.dice.pick(&own).map(|at| {
                    let at = (**at).clone();
                    let subscribed = !world.subscribed.contains(&at);
                    Operation::Subscribe { at, subscribed }
                })
            }
        })
    }
}
