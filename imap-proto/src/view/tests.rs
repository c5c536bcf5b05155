use std::num::NonZeroU32;

use mailstore_traits::Changed;

use super::*;
use crate::grammar::SeqBound;

fn uid(uid: u32) -> Uid {
    Uid::new(uid).unwrap()
}

fn modseq(modseq: u64) -> ModSeq {
    ModSeq::new(modseq).unwrap()
}

fn uids(uids: impl IntoIterator<Item = u32>) -> UidSet {
    uids.into_iter().map(uid).collect()
}

fn view(set: UidSet) -> View {
    let mut snapshot = Snapshot::empty(UidValidity::MIN, modseq(10));
    snapshot.uids = set;
    View::new(&snapshot)
}

fn changes(changed: &[(u32, u64)], vanished: &[u32], up_to: u64) -> Changes {
    let mut changes = Changes::none(modseq(up_to));
    changes.changed = changed.iter().map(|&(one, seq)| Changed::new(uid(one), modseq(seq), Flags::new())).collect();
    changes.vanished = uids(vanished.iter().copied());
    changes
}

fn told(view: &mut View, may_expunge: bool) -> Vec<String> {
    let next = |view: &mut View| {
        let news = view.tell(may_expunge)?;
        if let News::LookAgain(uids) = &news {
            view.looked_at(uids);
        }
        Some(news)
    };
    std::iter::from_fn(|| next(view))
        .map(|news| match news {
            News::Expunge(number) => format!("{number} EXPUNGE"),
            News::Exists(number) => format!("{number} EXISTS"),
            News::Flags { number, uid, modseq, .. } => format!("{number} FETCH {uid} {modseq}"),
            News::LookAgain(uids) => format!("look at {uids}"),
        })
        .collect()
}

fn set(ranges: &[(u32, u32)]) -> SequenceSet {
    let bound = |number: u32| NonZeroU32::new(number).map_or(SeqBound::Star, SeqBound::Number);
    SequenceSet::new(ranges.iter().map(|&(first, last)| (bound(first), bound(last))).collect()).unwrap()
}

#[test]
fn numbers_and_uids_are_each_others() {
    let view = view(uids([2, 3, 4, 9, 20, 21]));
    assert_eq!(view.exists(), 6);
    let pairs = [(1, 2), (2, 3), (3, 4), (4, 9), (5, 20), (6, 21)];
    for (number, one) in pairs {
        assert_eq!((view.uid(number), view.number(uid(one))), (Some(uid(one)), Some(number)));
    }
    for none in [0, 7, u32::MAX] {
        assert_eq!(view.uid(none), None);
    }
    for none in [1, 5, 10, 22, u32::MAX] {
        assert_eq!(view.number(uid(none)), None);
    }
}

#[test]
fn a_dense_mailbox_of_a_million_is_one_range() {
    let view = view(UidSet::from_range(uid(1), uid(1_000_000)));
    assert_eq!(
        (view.exists(), view.number(uid(777_777)), view.uid(1_000_000)),
        (1_000_000, Some(777_777), Some(uid(1_000_000)))
    );
    assert_eq!(format!("{:?}", view.known).matches("Range {").count(), 1);
}

#[test]
fn sec_m8_sets_are_resolved_without_being_counted_out() {
    let view = view(uids([2, 3, 4, 9, 20, 21]));
    for (ranges, by_uid, by_number) in [
        (&[(1, u32::MAX)][..], "2:4,9,20:21", None),
        (&[(0, 1)], "2:4,9,20:21", Some("2:4,9,20:21")),
        (&[(0, 0)], "21", Some("21")),
        // `559:*` is the last message, even if all are below.
        (&[(559, 0)], "21", None),
        (&[(5, 8)], "", None),
        (&[(4, 2), (3, 9), (3, 3)], "2:4,9", None),
        (&[(6, 6), (1, 2)], "2", Some("2:3,21")),
        (&[(7, 7)], "", None),
    ] {
        let found = |numbering| view.resolve(&set(ranges), numbering).ok().map(|uids| uids.to_string());
        assert_eq!(found(Numbering::Uid).as_deref(), Some(by_uid), "{ranges:?}");
        assert_eq!(found(Numbering::Sequence).as_deref(), by_number, "{ranges:?}");
    }
    let empty = super::View::new(&Snapshot::empty(UidValidity::MIN, modseq(1)));
    assert_eq!(empty.resolve(&set(&[(0, 0)]), Numbering::Uid), Ok(UidSet::new()));
    assert_eq!(empty.resolve(&set(&[(0, 0)]), Numbering::Sequence), Err(NoSuchMessage));
    // Ten thousand ranges that overlap cost what ten thousand cost.
    let many: Vec<_> = (0..10_000).map(|_| (1, u32::MAX)).collect();
    assert_eq!(view.resolve(&set(&many), Numbering::Uid).unwrap().len(), 6);
}

#[test]
fn an_expunge_waits_until_it_may_be_told_and_numbers_stay_until_then() {
    let mut view = view(uids(1..=10));
    view.feed(changes(&[(4, 12), (11, 13)], &[2, 3, 7], 14));
    assert_eq!(told(&mut view, false), ["11 EXISTS", "4 FETCH 4 12"]);
    assert_eq!((view.exists(), view.number(uid(4)), view.is_expunged(uid(3))), (11, Some(4), true));
    assert!(view.any_expunged(&uids([3])) && !view.any_expunged(&uids([4])));
    // Not everything up to 14 has been told.
    assert_eq!(view.highest_modseq(), modseq(10));
    assert_eq!(told(&mut view, true), ["7 EXPUNGE", "3 EXPUNGE", "2 EXPUNGE"]);
    assert_eq!((view.exists(), view.number(uid(4)), view.is_expunged(uid(3))), (8, Some(2), false));
    assert_eq!(view.highest_modseq(), modseq(14));
    assert_eq!(told(&mut view, true), Vec::<String>::new());
}

#[test]
fn what_came_and_went_was_never_there() {
    let mut view = view(uids([1]));
    view.feed(changes(&[(2, 11), (3, 12)], &[], 12));
    view.feed(changes(&[], &[2, 4], 13));
    assert_eq!(told(&mut view, true), ["2 EXISTS"]);
    assert_eq!(view.uid(2), Some(uid(3)));
}

#[test]
fn ones_own_changes_are_not_told_again_unless_somebody_has_changed_them_since() {
    let mut view = view(uids(1..=3));
    assert!(view.own(uid(1), modseq(11), true) && view.own(uid(2), modseq(12), true));
    view.feed(changes(&[(1, 11), (2, 15), (3, 13)], &[], 15));
    assert_eq!(told(&mut view, true), ["2 FETCH 2 15", "3 FETCH 3 13"]);
    assert!(view.own.is_empty());
    // One that was fed first and told by the command's own answer.
    view.feed(changes(&[(1, 16)], &[], 16));
    view.own(uid(1), modseq(17), false);
    assert_eq!(told(&mut view, true), Vec::<String>::new());
}

#[test]
fn a_silent_change_hides_nobody_elses() {
    let mut view = view(uids(1..=2));
    // Somebody has changed 1; before it is told this client changes it without wanting to hear.
    view.feed(changes(&[(1, 11)], &[], 11));
    view.own(uid(1), modseq(12), true);
    view.feed(changes(&[(1, 12)], &[], 12));
    assert_eq!(view.tell(true), Some(News::LookAgain(uids([1]))));
    // It stays until it was done, and HIGHESTMODSEQ with it.
    assert_eq!((view.tell(true), view.highest_modseq()), (Some(News::LookAgain(uids([1]))), modseq(10)));
    view.looked_at(&uids([1]));
    assert_eq!((view.tell(true), view.highest_modseq()), (None, modseq(12)));
    // Somebody has changed 2, and this client's own silent change comes to nothing: the other is still to be told.
    view.feed(changes(&[(2, 13)], &[], 13));
    view.begin_own();
    view.own(uid(2), modseq(13), true);
    assert_eq!(view.tell(true), Some(News::LookAgain(uids([2]))));
    view.looked_at(&uids([2]));
    view.begin_own();
    // The store was ahead of its own answer: the change that comes back is this client's.
    view.feed(changes(&[(2, 14)], &[], 14));
    view.own(uid(2), modseq(14), true);
    assert_eq!(view.tell(true), None);
}

#[test]
fn uids_are_told_as_numbers_in_ranges() {
    let view = view(uids([2, 3, 4, 9, 20, 21]));
    assert_eq!(view.numbers_of(&uids([1, 3, 4, 9, 10, 21])), [(2, 4), (6, 6)]);
    assert_eq!(view.numbers_of(&UidSet::all()), [(1, 6)]);
}

#[test]
fn sec_m13_a_flood_of_changes_is_kept_as_a_set() {
    let mut view = view(UidSet::from_range(uid(1), uid(100_000)));
    let flood: Vec<(u32, u64)> = (1..=100_000).map(|one| (one, u64::from(one) + 10)).collect();
    view.feed(changes(&flood, &[], 100_010));
    assert_eq!(view.flags.len(), FLAGS_MOST);
    let news = told(&mut view, true);
    assert_eq!(news.len(), FLAGS_MOST + 1);
    assert_eq!(news.last().unwrap(), "look at 1001:100000");
    // And one's own.
    let full = (1..=100_000).position(|one| !view.own(uid(one), modseq(200_000), false));
    assert_eq!(full, Some(OWN_MOST - 1));
}

#[test]
fn after_a_gap_in_what_the_store_knows_everything_that_differs_is_told() {
    let mut view = view(uids(1..=5));
    view.feed(changes(&[(2, 12)], &[], 12));
    let mut snapshot = Snapshot::empty(UidValidity::MIN, modseq(99));
    snapshot.uids = uids([1, 3, 5, 8]);
    view.snapshot_again(&snapshot);
    assert_eq!(told(&mut view, true), ["4 EXPUNGE", "2 EXPUNGE", "4 EXISTS", "look at 1,3,5"]);
    assert_eq!((view.cursor(), view.highest_modseq()), (modseq(99), modseq(99)));
}

#[test]
fn recent_is_what_select_has_claimed_and_is_still_there() {
    let mut snapshot = Snapshot::empty(UidValidity::MIN, modseq(10));
    snapshot.uids = uids(1..=5);
    snapshot.first_recent = Some(uid(4));
    let mut view = View::new(&snapshot);
    assert_eq!((view.recent(), view.is_recent(uid(3)), view.is_recent(uid(4))), (2, false, true));
    view.feed(changes(&[(6, 11)], &[4], 12));
    told(&mut view, true);
    assert_eq!((view.recent(), view.is_recent(uid(6))), (1, false));
}

#[test]
fn the_last_uids_that_there_can_be_are_numbered_too() {
    let mut view = view(UidSet::from_range(uid(u32::MAX - 2), Uid::MAX));
    assert_eq!(view.number(Uid::MAX), Some(3));
    view.gone(&uids([u32::MAX]));
    assert_eq!(told(&mut view, true), ["3 EXPUNGE"]);
    assert_eq!((view.exists(), view.number(Uid::MAX), view.uid(2)), (2, None, Some(uid(u32::MAX - 1))));
}

#[test]
fn new_messages_wait_for_the_last_page_because_one_with_a_lower_uid_may_be_in_it() {
    let mut view = view(uids(1..=2));
    // 3 came with 4 and has changed since; the store fails before it is told of.
    let mut first = changes(&[(4, 11)], &[], 11);
    first.more = true;
    view.feed(first);
    assert_eq!((told(&mut view, true), view.highest_modseq()), (vec![], modseq(10)));
    view.feed(changes(&[(3, 12)], &[], 12));
    assert_eq!((told(&mut view, true), view.highest_modseq()), (vec!["4 EXISTS".to_owned()], modseq(12)));
    assert_eq!((view.uid(3), view.uid(4)), (Some(uid(3)), Some(uid(4))));
}
