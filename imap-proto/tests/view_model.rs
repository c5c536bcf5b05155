//! Several clients of one simulated store: whatever happens in whatever order, each believes what is true of its mailbox.

#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    clippy::cast_possible_truncation,
    reason = "it is a test"
)]

use std::collections::BTreeMap;

use imap_proto::view::{News, View};
use mailstore_traits::{Changed, Changes, FlagChange, Flags, ModSeq, Snapshot, SystemFlag, Uid, UidValidity};
use proptest::prelude::*;

const SESSIONS: usize = 3;
/// The author of what no session has done.
const OUTSIDE: usize = SESSIONS;

fn uid(value: u32) -> Uid {
    Uid::new(value).unwrap()
}

fn modseq(value: u64) -> ModSeq {
    ModSeq::new(value).unwrap()
}

#[derive(Default)]
struct Store {
    messages: BTreeMap<u32, (u64, Flags)>,
    vanished: Vec<(u64, u32)>,
    /// Every effective change of flags: modseq, UID, author.
    changes: Vec<(u64, u32, usize)>,
    highest: u64,
    last_uid: u32,
    /// What vanished up to here is forgotten.
    horizon: u64,
}

impl Store {
    fn append(&mut self, count: u32) {
        self.highest += 1;
        for _ in 0..count {
            self.last_uid += 1;
            self.messages.insert(self.last_uid, (self.highest, Flags::new()));
        }
    }

    fn picked(&self, mask: u16) -> Vec<u32> {
        pick(self.messages.keys().copied(), mask)
    }

    fn expunge(&mut self, uids: &[u32]) {
        self.highest += 1;
        for one in uids {
            if self.messages.remove(one).is_some() {
                self.vanished.push((self.highest, *one));
            }
        }
    }

    /// Nothing is bumped by what changes nothing. All that is changed gets one modseq.
    fn change(&mut self, uids: &[u32], change: &FlagChange, author: usize) {
        let next = self.highest + 1;
        for one in uids {
            let Some((at, flags)) = self.messages.get_mut(one) else { continue };
            let new = change.apply(flags);
            if new != *flags {
                (*at, *flags) = (next, new);
                self.highest = next;
                self.changes.push((next, *one, author));
            }
        }
    }

    /// `None` for ModSeqTooOld. No page ends inside a modseq.
    fn changes_since(&self, since: u64, page: usize) -> Option<Changes> {
        if since < self.horizon {
            return None;
        }
        let changed = self.messages.iter().map(|(one, (at, _))| (*at, *one, false));
        let vanished = self.vanished.iter().map(|(at, one)| (*at, *one, true));
        let mut events: Vec<_> = changed.chain(vanished).filter(|(at, ..)| *at > since).collect();
        events.sort_unstable();
        let end = events.get(page - 1).map_or(self.highest, |(at, ..)| *at);
        let mut changes = Changes::none(modseq(end));
        changes.more = events.iter().any(|(at, ..)| *at > end);
        if !changes.more {
            changes.up_to = modseq(self.highest);
        }
        for (at, one, gone) in events.into_iter().filter(|(at, ..)| *at <= end) {
            if gone {
                changes.vanished.insert(uid(one));
            } else {
                changes.changed.push(Changed::new(uid(one), modseq(at), self.messages[&one].1.clone()));
            }
        }
        Some(changes)
    }

    fn snapshot(&self) -> Snapshot {
        let mut snapshot = Snapshot::empty(UidValidity::MIN, modseq(self.highest));
        snapshot.uids = self.messages.keys().map(|one| uid(*one)).collect();
        snapshot
    }
}

fn pick(uids: impl Iterator<Item = u32>, mask: u16) -> Vec<u32> {
    uids.enumerate().filter(|(at, _)| mask >> (at % 16) & 1 == 1).map(|(_, one)| one).collect()
}

struct Message {
    uid: u32,
    /// `None` until it has been fetched or told.
    flags: Option<Flags>,
    /// The modseq of the flags that were last heard, not of one's own silent changes.
    heard: u64,
}

/// A client and what the server keeps of it.
struct Session {
    me: usize,
    view: View,
    client: Vec<Message>,
    /// A snapshot was taken again: all flags may be told.
    gap: bool,
}

impl Session {
    fn select(me: usize, store: &Store) -> Self {
        let message =
            |(one, (at, flags)): (&u32, &(u64, Flags))| Message { uid: *one, flags: Some(flags.clone()), heard: *at };
        let client = store.messages.iter().map(message).collect();
        Self { me, view: View::new(&store.snapshot()), client, gap: false }
    }

    fn pull(&mut self, store: &Store, page: usize, pages: usize) {
        for _ in 0..pages {
            match store.changes_since(self.view.cursor().value(), page) {
                Some(changes) => {
                    let more = changes.more;
                    self.view.feed(changes);
                    if !more {
                        return;
                    }
                }
                None => {
                    self.view.snapshot_again(&store.snapshot());
                    self.gap = true;
                    return;
                }
            }
        }
    }

    fn hear(&mut self, number: u32, one: u32, at: u64, flags: &Flags) {
        let message = &mut self.client[number as usize - 1];
        assert_eq!(message.uid, one, "a number means another message");
        message.flags = Some(flags.clone());
        message.heard = at;
    }

    /// Whether all was told: not if flags cannot be read.
    fn tell(&mut self, store: &Store, may_expunge: bool, readable: bool) -> bool {
        while let Some(news) = self.view.tell(may_expunge) {
            match news {
                News::Expunge(number) => {
                    assert!(may_expunge, "an EXPUNGE that may not be");
                    assert!((1..=self.client.len()).contains(&(number as usize)));
                    let gone = self.client.remove(number as usize - 1);
                    assert!(!store.messages.contains_key(&gone.uid), "an EXPUNGE of what is there");
                }
                News::Exists(exists) => {
                    assert!(exists as usize > self.client.len(), "EXISTS does not grow");
                    for number in self.client.len() as u32 + 1..=exists {
                        let uid = self.view.uid(number).unwrap().value();
                        self.client.push(Message { uid, flags: None, heard: 0 });
                    }
                }
                News::Flags { number, uid, modseq, flags } => {
                    let own = (modseq.value(), uid.value(), self.me);
                    assert!(!store.changes.contains(&own), "an echo of one's own change");
                    self.hear(number, uid.value(), modseq.value(), &flags);
                }
                News::LookAgain(uids) => {
                    let told = self.view.highest_modseq().value();
                    for one in uids.iter().map(Uid::value) {
                        let others = |&(at, of, by): &(u64, u32, usize)| at > told && of == one && by != self.me;
                        assert!(self.gap || store.changes.iter().any(others), "an echo of one's own change");
                    }
                    if !readable {
                        return false;
                    }
                    for one in uids.iter() {
                        if let (Some((at, flags)), Some(number)) =
                            (store.messages.get(&one.value()), self.view.number(one))
                        {
                            self.hear(number, one.value(), *at, flags);
                        }
                    }
                    self.view.looked_at(&uids);
                }
                _ => unreachable!(),
            }
        }
        if may_expunge {
            self.gap = false;
        }
        true
    }

    fn fetch(&mut self, store: &Store) {
        for message in &mut self.client {
            if let Some((at, flags)) = store.messages.get(&message.uid) {
                (message.flags, message.heard) = (Some(flags.clone()), *at);
            }
        }
    }

    /// One pass over messages; gives those that others have changed since. Others may come between two messages.
    fn change(
        &mut self,
        store: &mut Store,
        uids: &[u32],
        change: &FlagChange,
        (since, silent): (Option<u64>, bool),
        others: Option<&(u16, FlagChange)>,
    ) -> Vec<u32> {
        self.view.begin_own();
        let mut failed = Vec::new();
        for (at, one) in uids.iter().enumerate() {
            if let (1, Some((mask, other))) = (at, others) {
                store.change(&store.picked(*mask), other, OUTSIDE);
            }
            let Some((was, _)) = store.messages.get(one) else { continue };
            if since.is_some_and(|since| *was > since) {
                failed.push(*one);
                continue;
            }
            store.change(&[*one], change, self.me);
            let (now, flags) = store.messages[one].clone();
            self.view.own(uid(*one), modseq(now), silent);
            let number = self.view.number(uid(*one)).unwrap();
            if silent {
                let message = &mut self.client[number as usize - 1];
                message.flags = message.flags.as_ref().map(|flags| change.apply(flags));
            } else {
                self.hear(number, *one, now, &flags);
            }
        }
        failed
    }

    /// As the server does it.
    fn change_silently(&mut self, store: &mut Store, mask: u16, change: &FlagChange, between: &Between) {
        let mut left = pick(self.client.iter().map(|message| message.uid), mask);
        for round in 0..3 {
            if between.readable {
                self.pull(store, between.page, usize::MAX);
            }
            if let Some((mask, other)) = between.others.get(round) {
                store.change(&store.picked(*mask), other, OUTSIDE);
            }
            let since = self.view.cursor().value();
            left = self.change(store, &left, change, (Some(since), true), between.others.last());
        }
        self.change(store, &left, change, (None, false), between.others.last());
    }

    fn check(&self, store: &Store) {
        assert_eq!(self.view.exists() as usize, self.client.len());
        for (number, message) in (1..).zip(&self.client) {
            assert_eq!(self.view.uid(number), Some(uid(message.uid)));
            assert_eq!(self.view.number(uid(message.uid)), Some(number));
        }
        let told = self.view.highest_modseq().value();
        for (one, (at, flags)) in store.messages.iter().filter(|(_, (at, _))| *at <= told) {
            let message = self.client.iter().find(|message| message.uid == *one);
            let message = message.unwrap_or_else(|| panic!("{one} of {at} is not known at {told}"));
            if let Some(believed) = &message.flags {
                assert_eq!(believed, flags, "{one} of {at} at {told}");
                let others = |&&(_, of, by): &&(u64, u32, usize)| of == *one && by != self.me;
                let last = store.changes.iter().filter(others).map(|(at, ..)| *at).max().unwrap_or(0);
                assert!(message.heard >= last, "another's change of {one} was swallowed");
            }
        }
        for (at, one) in store.vanished.iter().filter(|(at, _)| *at <= told) {
            assert!(self.client.iter().all(|message| message.uid != *one), "{one} vanished at {at}, told is {told}");
        }
    }

    fn sync(&mut self, store: &Store, page: usize) {
        self.pull(store, page, usize::MAX);
        assert!(self.tell(store, true, true));
        assert_eq!(self.view.highest_modseq(), modseq(store.highest));
        assert!(self.client.iter().map(|message| &message.uid).eq(store.messages.keys()));
        self.check(store);
    }
}

#[derive(Debug, Clone)]
struct Between {
    readable: bool,
    page: usize,
    others: Vec<(u16, FlagChange)>,
}

#[derive(Debug, Clone)]
enum Op {
    Append(u32),
    Expunge(u16),
    Outside(u16, FlagChange),
    Loud(usize, u16, FlagChange, Vec<(u16, FlagChange)>),
    Silent(usize, u16, FlagChange, Between),
    Feed(usize, usize, usize),
    Tell(usize, bool, bool),
    Fetch(usize),
    Sync(usize, usize),
    Forget,
}

fn change() -> impl Strategy<Value = FlagChange> {
    let flags = prop::collection::vec(prop::sample::select(SystemFlag::ALL[..3].to_vec()), 0..3);
    (0..3, flags).prop_map(|(kind, flags)| {
        let flags: Flags = flags.into_iter().collect();
        match kind {
            0 => FlagChange::Add(flags),
            1 => FlagChange::Remove(flags),
            _ => FlagChange::Replace(flags),
        }
    })
}

fn op() -> impl Strategy<Value = Op> {
    let who = || 0..SESSIONS;
    let others = || prop::collection::vec((any::<u16>(), change()), 0..4);
    let between = (prop::bool::weighted(0.8), 1usize..6, others());
    let between = between.prop_map(|(readable, page, others)| Between { readable, page, others });
    prop_oneof![
        2 => (1u32..4).prop_map(Op::Append),
        2 => (any::<u16>(), any::<u16>()).prop_map(|(one, other)| Op::Expunge(one & other)),
        3 => (any::<u16>(), change()).prop_map(|(mask, change)| Op::Outside(mask, change)),
        3 => (who(), any::<u16>(), change(), others()).prop_map(|(a, b, c, d)| Op::Loud(a, b, c, d)),
        4 => (who(), any::<u16>(), change(), between).prop_map(|(a, b, c, d)| Op::Silent(a, b, c, d)),
        4 => (who(), 1usize..6, 1usize..4).prop_map(|(a, b, c)| Op::Feed(a, b, c)),
        4 => (who(), any::<bool>(), any::<bool>()).prop_map(|(a, b, c)| Op::Tell(a, b, c)),
        1 => who().prop_map(Op::Fetch),
        1 => (who(), 1usize..6).prop_map(|(a, b)| Op::Sync(a, b)),
        1 => Just(Op::Forget),
    ]
}

fn run(ops: Vec<Op>) {
    let mut store = Store::default();
    store.append(5);
    let mut sessions: Vec<_> = (0..SESSIONS).map(|me| Session::select(me, &store)).collect();
    for op in ops {
        match op {
            Op::Append(count) => store.append(count),
            Op::Expunge(mask) => store.expunge(&store.picked(mask)),
            Op::Outside(mask, change) => store.change(&store.picked(mask), &change, OUTSIDE),
            Op::Loud(who, mask, change, others) => {
                let uids = pick(sessions[who].client.iter().map(|message| message.uid), mask);
                sessions[who].change(&mut store, &uids, &change, (None, false), others.last());
            }
            Op::Silent(who, mask, change, between) => {
                sessions[who].change_silently(&mut store, mask, &change, &between);
            }
            Op::Feed(who, page, pages) => sessions[who].pull(&store, page, pages),
            Op::Tell(who, may_expunge, readable) => {
                sessions[who].tell(&store, may_expunge, readable);
            }
            Op::Fetch(who) => sessions[who].fetch(&store),
            Op::Sync(who, page) => sessions[who].sync(&store, page),
            Op::Forget => store.horizon = store.highest,
        }
        sessions.iter().for_each(|session| session.check(&store));
    }
    sessions.iter_mut().for_each(|session| session.sync(&store, 3));
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn whatever_happens_a_client_believes_what_is_true(ops in prop::collection::vec(op(), 1..40)) {
        run(ops);
    }
}
