//! What a worker does, one thing at a time.

use std::fmt;

use super::world::{Mailbox, Message, Place, World, message, shown};
use crate::contract::tools::*;
use crate::{
    Account, Flag, FlagChange, Flags, MailStore, MailboxId, MailboxName, MailboxPast, ModSeq, Mode, Placed, Placement,
    SizeHint, Stage, Target, TargetMailbox, Uid, UidSet, UidValidity,
};

/// What can be done.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Kind {
    Commit,
    Replace,
    Deliver,
    Flags,
    Copy,
    Move,
    Expunge,
    Create,
    Restore,
    Rename,
    Delete,
    Subscribe,
}

impl Kind {
    pub(super) const ALL: [Self; 12] = [
        Self::Commit,
        Self::Replace,
        Self::Deliver,
        Self::Flags,
        Self::Copy,
        Self::Move,
        Self::Expunge,
        Self::Create,
        Self::Restore,
        Self::Rename,
        Self::Delete,
        Self::Subscribe,
    ];
}

/// One of them, with what it is done to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Operation {
    Commit { to: Place, numbers: Vec<u64>, flags: Flags },
    Replace { at: Place, old: Uid, number: u64 },
    Deliver { name: MailboxName, accounts: Vec<usize>, number: u64 },
    Flags { at: Place, uids: UidSet, change: FlagChange },
    Copy { from: Place, uids: UidSet, to: Place },
    Move { from: Place, uids: UidSet, to: Place },
    Expunge { at: Place, uids: UidSet, only_deleted: bool },
    Create { at: Place },
    Restore { at: Place, past: MailboxPast },
    Rename { from: Place, to: MailboxName },
    Delete { at: Place },
    Subscribe { at: Place, subscribed: bool },
}

/// What the store answered.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Answer {
    /// The mailboxes that were made or written to.
    pub(super) mailboxes: Vec<(MailboxId, UidValidity)>,
    /// The UIDs that were given out, changed or expunged.
    pub(super) uids: Vec<Uid>,
    /// The highest modification sequence that was told of the first mailbox.
    pub(super) modseq: Option<ModSeq>,
}

impl Operation {
    pub(super) fn kind(&self) -> Kind {
        match self {
            Self::Commit { .. } => Kind::Commit,
            Self::Replace { .. } => Kind::Replace,
            Self::Deliver { .. } => Kind::Deliver,
            Self::Flags { .. } => Kind::Flags,
            Self::Copy { .. } => Kind::Copy,
            Self::Move { .. } => Kind::Move,
            Self::Expunge { .. } => Kind::Expunge,
            Self::Create { .. } => Kind::Create,
            Self::Restore { .. } => Kind::Restore,
            Self::Rename { .. } => Kind::Rename,
            Self::Delete { .. } => Kind::Delete,
            Self::Subscribe { .. } => Kind::Subscribe,
        }
    }

    /// Has the store do it.
    pub(super) async fn perform<S: MailStore>(
        &self,
        store: &S,
        accounts: &[S::Account],
        world: &World,
    ) -> Check<Answer> {
        let account = |place: &Place| accounts.get(place.0).ok_or_else(|| Stop::failed("there is no such account"));
        let id = |place: &Place| match world.mailboxes.get(place) {
            Some(mailbox) => Ok(&mailbox.id),
            None => Err(Stop::failed(format_args!("{} is not there", shown(place)))),
        };
        let mut answer = Answer::default();
        match self {
            Self::Commit { to, numbers, flags } => {
                let mut placements = Vec::new();
                for number in numbers {
                    let blob = staged(account(to)?, *number).await?;
                    placements.push(Placement::new(blob, id(to)?.clone()).with_flags(flags.clone()));
                }
                answer.put(account(to)?.commit(placements, Mode::AllOrNothing).await?)?;
            }
            Self::Replace { at, old, number } => {
                let placement = Placement::new(staged(account(at)?, *number).await?, id(at)?.clone()).replacing(*old);
                answer.put(account(at)?.commit(vec![placement], Mode::AllOrNothing).await?)?;
            }
            Self::Deliver { name, accounts, number } => {
                let mut stage = store.stage(SizeHint::Unknown).await?;
                stage.write(message(*number).into()).await?;
                let blob = stage.finish(None).await?;
                let target = |account: &usize| {
                    Target::inbox(account_id(*account)).with_mailbox(TargetMailbox::Named(name.clone()))
                };
                answer.put(store.deliver(&blob, accounts.iter().map(target).collect(), Mode::AllOrNothing).await?)?;
            }
            Self::Flags { at, uids, change } => {
                let stored = store_flags(account(at)?, id(at)?, uids, change.clone(), None).await?;
                answer.modseq = stored.stored.iter().map(|(_, modseq, _)| *modseq).max();
                answer.uids = stored.stored.into_iter().map(|(uid, _, _)| uid).collect();
            }
            Self::Copy { from, uids, to } => {
                let copied = account(from)?.copy(id(from)?, uids, id(to)?).await?;
                answer.uids = copied.uids.into_iter().map(|(_, uid)| uid).collect();
            }
            Self::Move { from, uids, to } => {
                let moved = account(from)?.move_messages(id(from)?, uids, id(to)?).await?;
                answer.modseq = Some(moved.source_modseq);
                answer.uids = moved.uids.into_iter().map(|(_, uid)| uid).collect();
            }
            Self::Expunge { at, uids, only_deleted } => {
                let (gone, modseq) = account(at)?.expunge(id(at)?, uids, *only_deleted).await?;
                (answer.uids, answer.modseq) = (gone.iter().collect(), Some(modseq));
            }
            Self::Create { at } => {
                let made = account(at)?.create(&at.1, None).await?;
                answer.mailboxes.push((made.id, made.uid_validity));
            }
            Self::Restore { at, past } => {
                let made = account(at)?.restore(&at.1, None, *past).await?;
                answer.mailboxes.push((made.id, made.uid_validity));
            }
            Self::Rename { from, to } => account(from)?.rename(&from.1, to).await?,
            Self::Delete { at } => account(at)?.delete(id(at)?).await?,
            Self::Subscribe { at, subscribed } => account(at)?.set_subscribed(&at.1, *subscribed).await?,
        }
        Ok(answer)
    }

    /// What the store may have done without a word of it, seen in what was there before and what is there now. Whether
    /// that is what it had to do, [`apply`](Self::apply) shows.
    pub(super) fn guess(&self, before: &World, after: &World) -> Answer {
        let mut answer = Answer::default();
        let mut new_in = |place: &Place| {
            let Some(now) = after.mailboxes.get(place) else { return };
            answer.mailboxes.push((now.id.clone(), now.uid_validity));
            let old = before.mailboxes.get(place);
            let is_new = |uid: &&Uid| old.is_none_or(|old| !old.messages.contains_key(uid));
            answer.uids.extend(now.messages.keys().filter(is_new));
        };
        match self {
            Self::Commit { to, .. } | Self::Copy { to, .. } | Self::Move { to, .. } => new_in(to),
            Self::Replace { at, .. } | Self::Create { at } | Self::Restore { at, .. } => new_in(at),
            Self::Deliver { name, accounts, .. } => {
                accounts.iter().for_each(|account| new_in(&(*account, name.clone())))
            }
            // Each message for itself: some may be changed, and others not yet.
            Self::Flags { at, uids, change } => {
                if let (Some(old), Some(now)) = (before.mailboxes.get(at), after.mailboxes.get(at)) {
                    let is_changed = |uid: &Uid| match (old.messages.get(uid), now.messages.get(uid)) {
                        (Some(old), Some(now)) => change.apply(&old.flags) == now.flags,
                        _ => false,
                    };
                    answer.uids = uids.iter().filter(is_changed).collect();
                }
            }
            Self::Expunge { at, uids, only_deleted } => answer.uids = expunged(before, at, uids, *only_deleted),
            Self::Rename { .. } | Self::Delete { .. } | Self::Subscribe { .. } => {}
        }
        answer
    }

    /// Does the same to `world` as the store has to do, given its answer.
    ///
    /// # Errors
    /// The answer is none that there may be.
    pub(super) fn apply(&self, world: &mut World, answer: &Answer) -> Result<(), String> {
        match self {
            Self::Commit { to, numbers, flags } => {
                let new = numbers.iter().map(|number| Message { number: *number, flags: flags.clone() }).collect();
                add(world, to, new, &answer.uids)?;
            }
            Self::Replace { at, old, number } => {
                mailbox(world, at)?.messages.remove(old);
                add(world, at, vec![Message { number: *number, flags: Flags::new() }], &answer.uids)?;
            }
            Self::Deliver { name, accounts, number } => {
                if (answer.mailboxes.len(), answer.uids.len()) != (accounts.len(), accounts.len()) {
                    return Err(format!("it reached {} of {} recipients", answer.uids.len(), accounts.len()));
                }
                for ((account, made), uid) in accounts.iter().zip(&answer.mailboxes).zip(&answer.uids) {
                    let at = (*account, name.clone());
                    let new = || Mailbox::new(made.0.clone(), made.1);
                    world.mailboxes.entry(at.clone()).or_insert_with(new);
                    add(world, &at, vec![Message { number: *number, flags: Flags::new() }], &[*uid])?;
                }
            }
            Self::Flags { at, change, .. } => {
                let mailbox = mailbox(world, at)?;
                for uid in &answer.uids {
                    if let Some(message) = mailbox.messages.get_mut(uid) {
                        message.flags = change.apply(&message.flags);
                    }
                }
                mailbox.modseq = mailbox.modseq.max(answer.modseq);
            }
            Self::Copy { from, uids, to } | Self::Move { from, uids, to } => {
                let source = mailbox(world, from)?;
                let taken: Vec<Message> = uids.iter().filter_map(|uid| source.messages.get(&uid).cloned()).collect();
                if matches!(self, Self::Move { .. }) {
                    source.messages.retain(|uid, _| !uids.contains(*uid));
                    source.modseq = source.modseq.max(answer.modseq);
                }
                add(world, to, taken, &answer.uids)?;
            }
            Self::Expunge { at, uids, only_deleted } => {
                let due = expunged(world, at, uids, *only_deleted);
                if due != answer.uids {
                    return Err(format!("it told of {:?} as expunged, and {due:?} had to go", answer.uids));
                }
                let mailbox = mailbox(world, at)?;
                due.iter().for_each(|uid| drop(mailbox.messages.remove(uid)));
                mailbox.modseq = mailbox.modseq.max(answer.modseq);
            }
            Self::Create { at } | Self::Restore { at, .. } => {
                let Some((id, validity)) = answer.mailboxes.first() else { return Err("nothing was made".into()) };
                let mut made = Mailbox::new(id.clone(), *validity);
                if let Self::Restore { past, .. } = self {
                    if *validity != past.uid_validity {
                        return Err("it was restored with another UIDVALIDITY".into());
                    }
                    made.highest_uid = past.uid_next.map_or(0, |next| next.value().saturating_sub(1));
                    made.modseq = Some(past.highest_modseq);
                }
                world.mailboxes.insert(at.clone(), made);
            }
            Self::Rename { from, to } => {
                for (place, mailbox) in std::mem::take(&mut world.mailboxes) {
                    let renamed = match place.1.rebased(&from.1, to) {
                        _ if place.0 != from.0 => None,
                        _ if place.1 == from.1 => Some(to.clone()),
                        Some(below) => Some(below.map_err(|error| error.to_string())?),
                        None => None,
                    };
                    let place = (place.0, renamed.unwrap_or(place.1));
                    world.mailboxes.insert(place, mailbox);
                }
            }
            Self::Delete { at } => drop(world.mailboxes.remove(at)),
            Self::Subscribe { at, subscribed: true } => drop(world.subscribed.insert(at.clone())),
            Self::Subscribe { at, subscribed: false } => drop(world.subscribed.remove(at)),
        }
        Ok(())
    }
}

impl Answer {
    fn put(&mut self, placed: Vec<crate::Result<Placed>>) -> Check {
        for placed in placed {
            let placed = placed?;
            self.mailboxes.push((placed.mailbox, placed.uid_validity));
            self.uids.push(placed.uid);
        }
        Ok(())
    }
}

fn mailbox<'a>(world: &'a mut World, place: &Place) -> Result<&'a mut Mailbox, String> {
    world.mailboxes.get_mut(place).ok_or_else(|| format!("{} is not there", shown(place)))
}

fn expunged(world: &World, at: &Place, uids: &UidSet, only_deleted: bool) -> Vec<Uid> {
    let Some(mailbox) = world.mailboxes.get(at) else { return Vec::new() };
    let deleted = Flag::System(crate::SystemFlag::Deleted);
    let is_due =
        |(uid, message): &(&Uid, &Message)| uids.contains(**uid) && (!only_deleted || message.flags.contains(&deleted));
    mailbox.messages.iter().filter(is_due).map(|(uid, _)| *uid).collect()
}

/// Puts messages in under the UIDs that were told for them, which have to be new.
fn add(world: &mut World, place: &Place, new: Vec<Message>, uids: &[Uid]) -> Result<(), String> {
    let mailbox = mailbox(world, place)?;
    if new.len() != uids.len() {
        return Err(format!("{} of {} messages are in {}", uids.len(), new.len(), shown(place)));
    }
    for (message, uid) in new.into_iter().zip(uids) {
        if uid.value() <= mailbox.highest_uid {
            return Err(format!("UID {uid} in {} was given out before, or may have been", shown(place)));
        }
        mailbox.highest_uid = uid.value();
        mailbox.messages.insert(*uid, message);
    }
    Ok(())
}

async fn staged<A: Account>(account: &A, number: u64) -> Check<A::Blob> {
    blob(account, message(number)).await
}

/// For people: `move 3:5 from W2 of ada@example.org to INBOX of ada@example.org`.
impl fmt::Display for Operation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Commit { to, numbers, .. } => write!(f, "commit {numbers:?} to {}", shown(to)),
            Self::Replace { at, old, number } => write!(f, "put {number} in the place of {old} in {}", shown(at)),
            Self::Deliver { name, accounts, number } => {
                write!(f, "deliver {number} to {name} of {} accounts", accounts.len())
            }
            Self::Flags { at, uids, change } => write!(f, "{change:?} for {uids:?} in {}", shown(at)),
            Self::Copy { from, uids, to } => write!(f, "copy {uids:?} from {} to {}", shown(from), shown(to)),
            Self::Move { from, uids, to } => write!(f, "move {uids:?} from {} to {}", shown(from), shown(to)),
            Self::Expunge { at, uids, only_deleted: true } => {
                write!(f, "expunge what is deleted of {uids:?} in {}", shown(at))
            }
            Self::Expunge { at, uids, .. } => write!(f, "expunge {uids:?} in {}", shown(at)),
            Self::Create { at } => write!(f, "create {}", shown(at)),
            Self::Restore { at, .. } => write!(f, "restore {}", shown(at)),
            Self::Rename { from, to } => write!(f, "rename {} to {to}", shown(from)),
            Self::Delete { at } => write!(f, "delete {}", shown(at)),
            Self::Subscribe { at, subscribed } => {
                write!(f, "{} {}", if *subscribed { "subscribe" } else { "unsubscribe" }, shown(at))
            }
        }
    }
}
