//! Rights (RFC 4314): who is not the owner may do what the ACL says, and no more.

use futures::{StreamExt, TryStreamExt};

use super::Factory;
use super::tools::*;
use crate::{
    Access, Account, AclEntry, Actor, Annotation, ByteRange, ErrorKind, Flag, FlagChange, Flags, MailStore, MailboxId,
    MailboxInfo, MailboxPast, MessageDigest, MessageMeta, MetaFields, MetaFilter, Mode, Placement, Result, Rights,
    SearchKey, Snapshot, SystemFlag, Target, TargetMailbox, Uid, UidSet,
};

/// The rights of RFC 4314 §2.1 that a store has to know.
const ALL: &str = "lrswikxtea";

fn rights(letters: &str) -> Check<Rights> {
    Rights::new(letters).ok_or_else(|| Stop::failed(format_args!("{letters:?} are no rights")))
}

fn all_but(letter: char) -> String {
    ALL.chars().filter(|right| *right != letter).collect()
}

async fn allow<A: Account>(owner: &A, mailbox: &MailboxId, who: usize, letters: &str) -> Check {
    Ok(owner.set_acl(mailbox, AclEntry::new(account_id(who).as_str(), rights(letters)?)).await?)
}

/// Two mailboxes of one account that another user has a handle on.
struct Scene<A> {
    number: usize,
    owner: A,
    guest: A,
    source: MailboxId,
    target: MailboxId,
    messages: UidSet,
    first: Uid,
}

/// All that the owner sees of a scene.
#[derive(Debug, PartialEq)]
struct Picture {
    names: Vec<MailboxInfo>,
    mailboxes: Vec<(Snapshot, Vec<MessageMeta>, Vec<AclEntry>)>,
    annotations: Vec<Annotation>,
}

impl<A: Account> Scene<A> {
    /// Three messages, of which the second is marked as deleted, in the source; none in the target.
    async fn set(owner: &A, guest: &A, number: usize) -> Check<Self> {
        let source = make(owner, &format!("Source {number}")).await?;
        let target = make(owner, &format!("Target {number}")).await?;
        let uids = fill(owner, &source, 3).await?;
        let deleted: Flags = [SystemFlag::Deleted].into_iter().collect();
        store_flags(owner, &source, &uids[1].into(), FlagChange::Add(deleted), None).await?;
        let messages = uids.iter().copied().collect();
        Ok(Self { number, owner: owner.clone(), guest: guest.clone(), source, target, messages, first: uids[0] })
    }

    async fn picture(&self) -> Check<Picture> {
        let mut names = list(&self.owner).await?;
        names.sort_by(|one, other| one.name.cmp(&other.name));
        let mut mailboxes = Vec::new();
        for id in [&self.source, &self.target] {
            let snapshot = self.owner.snapshot(id, false).await?;
            mailboxes.push((snapshot, metas(&self.owner, id, &UidSet::all()).await?, self.owner.acl(id).await?));
        }
        let annotations = match self.owner.features().annotations {
            true => self.owner.annotations(Some(&self.source), &["/shared".into()]).await?,
            false => Vec::new(),
        };
        Ok(Picture { names, mailboxes, annotations })
    }
}

pub(super) async fn each_right_is_asked_for<F: Factory>(kit: &Kit<F>) -> Check {
    let store = kit.store().await?;
    let features = store.features();
    kit.need(features.acl, "acl")?;
    let owner = open(&store, 0).await?;
    ensure_kind!(as_guest(&store, 1).await.map(|_| ()), NotFound, "an account of which the user may look nothing up");
    // A way in, on which nothing else depends.
    let door = make(&owner, "Door").await?;
    allow(&owner, &door, 1, "l").await?;
    let guest = as_guest(&store, 1).await?;
    let mut number = 0;

    // With all rights but one of those that are needed, on one of the two mailboxes, it is refused and changes nothing.
    // With those that are needed and no more it works.
    macro_rules! needs {
        ($what:literal, $place:ident $needed:literal, |$scene:ident| $work:expr) => {
            for missing in $needed.chars().map(Some).chain([None]) {
                number += 1;
                let $scene = Scene::set(&owner, &guest, number).await?;
                allow(&owner, &$scene.source, 1, ALL).await?;
                allow(&owner, &$scene.target, 1, ALL).await?;
                let granted = missing.map_or(String::from($needed), all_but);
                allow(&owner, &$scene.$place, 1, &granted).await?;
                let before = $scene.picture().await?;
                let answer = $work.await.map(|_| ());
                let place = stringify!($place);
                let Some(missing) = missing else {
                    ensure!(answer.is_ok(), "{} with {granted:?} on the {place}: {answer:?}", $what);
                    continue;
                };
                let kind = if missing == 'l' { ErrorKind::NotFound } else { ErrorKind::NotPermitted };
                ensure!(
                    is_kind(&answer, kind),
                    "{} without {missing:?} on the {place}: the store answered {answer:?}, expected {kind:?}",
                    $what
                );
                ensure_eq!($scene.picture().await?, before, "after {} without {missing:?} on the {place}", $what);
            }
        };
    }

    needs!("find", source "l", |scene| guest.find(&name(&format!("Source {}", scene.number))?));
    needs!("my_rights", source "l", |scene| guest.my_rights(&scene.source));
    needs!("snapshot", source "lr", |scene| guest.snapshot(&scene.source, true));
    needs!("fetch_meta", source "lr", |scene| guest
        .fetch_meta(&scene.source, &scene.messages, MetaFields::ALL, MetaFilter::default())
        .try_collect::<Vec<_>>());
    needs!("open_body", source "lr", |scene| guest.open_body(&scene.source, scene.first, ByteRange::WHOLE));
    needs!("changes_since", source "lr", |scene| guest.changes_since(&scene.source, crate::ModSeq::MIN, 10));
    needs!("watch", source "lr", |scene| async { guest.watch(std::slice::from_ref(&scene.source)).await.map(|_| ()) });
    needs!("commit", target "li", |scene| commit(&guest, &scene.target, None));
    needs!("a replacement", source "lite", |scene| commit(&guest, &scene.source, Some(scene.first)));
    needs!("setting \\Seen", source "lrs", |scene| flag_one(&guest, &scene, SystemFlag::Seen));
    needs!("setting \\Deleted", source "lrt", |scene| flag_one(&guest, &scene, SystemFlag::Deleted));
    needs!("setting \\Flagged", source "lrw", |scene| flag_one(&guest, &scene, SystemFlag::Flagged));
    needs!("copy", source "lr", |scene| guest.copy(&scene.source, &scene.messages, &scene.target));
    needs!("copy", target "li", |scene| guest.copy(&scene.source, &scene.messages, &scene.target));
    needs!("move", source "lrte", |scene| guest.move_messages(&scene.source, &scene.messages, &scene.target));
    needs!("move", target "li", |scene| guest.move_messages(&scene.source, &scene.messages, &scene.target));
    needs!("expunge of marked messages", source "lre", |scene| guest.expunge(&scene.source, &scene.messages, true));
    needs!("expunge of any message", source "lrte", |scene| guest.expunge(&scene.source, &scene.messages, false));
    needs!("delete", target "lx", |scene| guest.delete(&scene.target));
    needs!("rename", source "lx", |scene| rename(&guest, scene.number));
    needs!("acl", source "la", |scene| guest.acl(&scene.source));
    needs!("set_acl", source "la", |scene| set_acl(&guest, &scene.source));
    if features.maildrop_lease {
        needs!("lease_maildrop", source "lrte", |scene| guest.lease_maildrop(&scene.source));
    }
    if features.quota {
        needs!("quota_roots", source "lr", |scene| guest.quota_roots(&scene.source));
    }
    if features.search_index {
        needs!("search", source "lr", |scene| guest.search(&scene.source, &SearchKey::All));
    }

    let scene = Scene::set(&owner, &guest, 0).await?;
    names_are_made_below_k_only(&scene).await?;
    what_is_not_an_error_is_left_out(&scene).await?;
    flags_are_kept_as_far_as_one_may(&scene).await?;
    let scene = Scene::set(&owner, &guest, 9_999).await?;
    an_acl_is_its_mailboxs(&store, &scene).await?;
    if features.annotations {
        annotations_need_a_look_and_one_more(&scene).await?;
    }
    let ids = [scene.source.clone(), scene.target.clone()];
    drop((scene, owner, guest));
    let store = kit.reopen(store).await?;
    let owner = open(&store, 0).await?;
    for id in ids {
        allow(&owner, &id, 2, "lr").await?;
    }
    Ok(())
}

/// The first account, in the name of another's owner.
async fn as_guest<S: MailStore>(store: &S, who: usize) -> Result<S::Account> {
    store.open(&account_id(0), &Actor::User(account_id(who))).await
}

async fn commit<A: Account>(guest: &A, mailbox: &MailboxId, replaces: Option<Uid>) -> Result<()> {
    let Ok(blob) = blob(guest, message(9)).await else {
        return Err(crate::StoreError::new(ErrorKind::Internal, "the guest cannot stage a message"));
    };
    let mut placement = Placement::new(blob, mailbox.clone());
    placement.replaces = replaces;
    guest.commit(vec![placement], Mode::AllOrNothing).await.map(|_| ())
}

async fn flag_one<A: Account>(guest: &A, scene: &Scene<A>, flag: SystemFlag) -> Result<()> {
    let change = FlagChange::Add([flag].into_iter().collect());
    guest.store_flags(&scene.source, &scene.first.into(), change, None).try_collect::<Vec<_>>().await.map(|_| ())
}

async fn rename<A: Account>(guest: &A, number: usize) -> Result<()> {
    let names = (name(&format!("Source {number}")), name(&format!("Target {number}/Moved")));
    let (Ok(from), Ok(to)) = names else { return Err(ErrorKind::Invalid.into()) };
    guest.rename(&from, &to).await
}

async fn set_acl<A: Account>(guest: &A, mailbox: &MailboxId) -> Result<()> {
    let rights = Rights::new("l").ok_or(ErrorKind::Invalid)?;
    guest.set_acl(mailbox, AclEntry::new(account_id(1).as_str(), rights)).await
}

/// RFC 4314 §4: CREATE and RENAME ask for `k` on the nearest mailbox above. Whether there is one above is told to nobody
/// who may not look it up.
async fn names_are_made_below_k_only<A: Account>(scene: &Scene<A>) -> Check {
    let Scene { owner, guest, source, target, .. } = scene;
    let before = scene.picture().await?;
    let below = name("Target 0/deep/Made")?;
    for letters in [all_but('k'), all_but('l'), String::new()] {
        allow(owner, target, 1, &letters).await?;
        let answer = guest.create(&below, None).await.map(|_| ());
        ensure!(is_kind(&answer, ErrorKind::NotPermitted), "create below a mailbox with {letters:?}: {answer:?}");
        allow(owner, source, 1, ALL).await?;
        let answer = guest.rename(&name("Source 0")?, &below).await;
        ensure!(is_kind(&answer, ErrorKind::NotPermitted), "rename to below a mailbox with {letters:?}: {answer:?}");
        allow(owner, source, 1, "").await?;
    }
    let top = guest.create(&name("Mine")?, None).await.map(|_| ());
    ensure_kind!(top, NotPermitted, "create of a name with nothing above it, by another than the owner");
    allow(owner, target, 1, "").await?;
    ensure_eq!(scene.picture().await?, before, "after names that might not be made");
    allow(owner, target, 1, "lk").await?;
    let made = guest.create(&below, None).await?.id;
    // RFC 4314 §4: a new mailbox inherits the ACL of the one above it.
    ensure_eq!(guest.my_rights(&made).await?, rights("lk")?, "rights on a mailbox made below another");
    ensure!(
        owner.my_rights(&made).await?.contains('x'),
        "the owner lacks rights on what another made below their mailbox"
    );
    owner.delete(&made).await?;
    Ok(())
}

/// LIST and STATUS leave out, and never fail for what one may not see.
async fn what_is_not_an_error_is_left_out<A: Account>(scene: &Scene<A>) -> Check {
    let Scene { owner, guest, source, target, first, .. } = scene;
    let ids = [source.clone(), target.clone()];
    allow(owner, target, 1, "lr").await?;
    let hidden = name("Source 0")?;
    for (letters, is_listed, is_told) in
        [("", false, false), (&all_but('l'), false, false), ("l", true, false), ("lr", true, true)]
    {
        allow(owner, source, 1, letters).await?;
        let listed = list(guest).await?;
        let there = listed.iter().any(|info| info.id.as_ref() == Some(source));
        ensure_eq!(there, is_listed, "whether a mailbox is listed to one with {letters:?}");
        let status = guest.status(&ids).await?;
        let expected = if is_told { 2 } else { 1 };
        ensure_eq!(status.len(), expected, "mailboxes with a status for one with {letters:?} on the first");
    }
    allow(owner, source, 1, &all_but('l')).await?;
    // A subscription is one's own, and tells nothing of what is there.
    let _ = guest.set_subscribed(&hidden, true).await;
    let told: Vec<_> = list(guest).await?.into_iter().filter(|info| info.name == hidden).collect();
    ensure!(
        told.iter().all(|info| info.id.is_none()),
        "a subscription shows the id of a mailbox that is not to be seen"
    );
    ensure!(
        list(owner).await?.iter().all(|info| info.name != hidden || !info.subscribed),
        "another's subscription is the owner's too"
    );
    // That there is a child below is not told either.
    let child = make(owner, "Target 0/Child").await?;
    allow(owner, &child, 1, &all_but('l')).await?;
    let parent = list(guest).await?.into_iter().find(|info| info.id.as_ref() == Some(target));
    ensure!(
        parent.is_some_and(|info| info.has_children != Some(true)),
        "a mailbox that may be looked up shows that it has a child that may not"
    );
    owner.delete(&child).await?;
    // A digest is the engine's, and whoever may not read has nothing to make it of. A store may ignore it.
    let before = scene.picture().await?;
    allow(owner, source, 1, &all_but('r')).await?;
    let allowed = scene.picture().await?;
    let _ = guest.put_digest(source, *first, MessageDigest::new(1, b"forged".as_slice())).await;
    ensure_eq!(scene.picture().await?, allowed, "after put_digest without 'r'");
    ensure_eq!(allowed.names, before.names, "the owner's names");
    if owner.features().restore {
        let past = MailboxPast::from(&owner.snapshot(source, false).await?);
        let restored = guest.restore(&name("Target 0/Restored")?, None, past).await.map(|_| ());
        ensure_kind!(restored, NotPermitted, "restore by another than the owner");
    }
    Ok(())
}

/// RFC 4314 §4: what one may not set is left out of a COPY, an APPEND and a STORE that has something else to do.
async fn flags_are_kept_as_far_as_one_may<A: Account>(scene: &Scene<A>) -> Check {
    let Scene { owner, guest, source, target, first, .. } = scene;
    let every = flags("\\Seen \\Deleted \\Flagged \\Draft $Label")?;
    for (right, kept) in [("", ""), ("s", "\\Seen"), ("t", "\\Deleted"), ("w", "\\Flagged \\Draft $Label")] {
        let kept = flags(kept)?;
        allow(owner, target, 1, &format!("lri{right}")).await?;
        allow(owner, source, 1, "lr").await?;
        store_flags(owner, source, &(*first).into(), FlagChange::Replace(every.clone()), None).await?;
        let copied = guest.copy(source, &(*first).into(), target).await?;
        let mut placement = Placement::new(blob(guest, message(4)).await?, target.clone());
        placement.flags = every.clone();
        let appended = commit_one(guest, placement).await?.uid;
        for uid in copied.uids.iter().map(|(_, uid)| *uid).chain([appended]) {
            let found = meta(owner, target, uid).await?.flags;
            ensure_eq!(found, kept, "the flags of a message brought with {right:?}");
        }
        let snapshot = guest.snapshot(target, false).await?;
        ensure_eq!(snapshot.new_keywords, right == "w", "whether one with {right:?} may make keywords");
        for flag in SystemFlag::ALL {
            let is_permanent = snapshot.permanent_flags.has(flag);
            let letter = match flag {
                SystemFlag::Seen => "s",
                SystemFlag::Deleted => "t",
                _ => "w",
            };
            ensure_eq!(is_permanent, right == letter, "whether {flag:?} is permanent for one with {right:?}");
        }
        if right.is_empty() {
            continue;
        }
        allow(owner, source, 1, &format!("lr{right}")).await?;
        let before = flags("\\Answered \\Deleted Old")?;
        for change in
            [FlagChange::Add(every.clone()), FlagChange::Remove(before.clone()), FlagChange::Replace(every.clone())]
        {
            store_flags(owner, source, &(*first).into(), FlagChange::Replace(before.clone()), None).await?;
            let may = |flag: &&Flag| match flag {
                Flag::System(SystemFlag::Seen) => right == "s",
                Flag::System(SystemFlag::Deleted) => right == "t",
                _ => right == "w",
            };
            let asked = change.apply(&before);
            let expected: Flags =
                before.iter().filter(|flag| !may(flag)).chain(asked.iter().filter(may)).cloned().collect();
            let answer = guest.store_flags(source, &(*first).into(), change.clone(), None).collect::<Vec<_>>().await;
            // A server should not fail if there is a flag that one may change (RFC 4314 §4).
            let names_one = match &change {
                FlagChange::Add(named) | FlagChange::Remove(named) => named.iter().any(|flag| may(&flag)),
                FlagChange::Replace(_) => true,
            };
            ensure!(!names_one || answer.iter().all(Result::is_ok), "{change:?} with {right:?}: {answer:?}");
            let found = meta(owner, source, *first).await?.flags;
            ensure_eq!(found, expected, "flags after {change:?} with {right:?}");
        }
    }
    // RFC 4314 §5.2
    for (letters, access) in [("lr", Access::ReadOnly), ("lrkxa", Access::ReadOnly), ("lri", Access::ReadWrite)] {
        allow(owner, source, 1, letters).await?;
        ensure_eq!(guest.snapshot(source, false).await?.access, access, "the access of one with {letters:?}");
    }
    Ok(())
}

/// It is read, set and removed; stays with its mailbox; ends with it; and the owner cannot be locked out.
async fn an_acl_is_its_mailboxs<S: MailStore>(store: &S, scene: &Scene<S::Account>) -> Check {
    let Scene { owner, guest, source, target, first, .. } = scene;
    let stranger = as_guest(store, 2).await.map(|_| ());
    ensure_kind!(stranger, NotFound, "an account that was shared with somebody else");
    owner.set_acl(source, AclEntry::new("anyone", rights("lr")?)).await?;
    let anybody = as_guest(store, 2).await?;
    read_message(&anybody, source, *first).await?;
    ensure_kind!(anybody.snapshot(target, false).await, NotFound, "a mailbox beside the one that anyone may read");
    allow(owner, source, 2, "s").await?;
    ensure_eq!(anybody.my_rights(source).await?, rights("lrs")?, "one's own rights and anyone's together");
    owner.set_acl(source, AclEntry::new("anyone", Rights::default())).await?;
    ensure_kind!(anybody.my_rights(source).await, NotFound, "a mailbox when the entry was removed");
    let entries = owner.acl(source).await?;
    ensure!(
        entries.iter().all(|entry| entry.identifier != "anyone"),
        "an entry without rights is still there: {entries:?}"
    );

    let mine = owner.my_rights(source).await?;
    ensure!(ALL.chars().all(|right| mine.contains(right)), "the owner has only {mine:?}");
    allow(owner, source, 1, ALL).await?;
    // Whatever becomes of this: the owner is not locked out by another.
    let _ = guest.set_acl(source, AclEntry::new(account_id(0).as_str(), Rights::default())).await;
    ensure_eq!(owner.my_rights(source).await?, mine, "the owner's rights after another took them away");
    let unknown = owner.set_acl(source, AclEntry::new(account_id(1).as_str(), rights("lrz")?)).await;
    ensure_kind!(unknown, Invalid, "a right that there is not");
    ensure_eq!(guest.my_rights(source).await?, rights(ALL)?, "rights after some that there are not were given");

    let number = scene.number;
    let entries = owner.acl(source).await?;
    owner.rename(&name(&format!("Source {number}"))?, &name("Renamed")?).await?;
    ensure_eq!(owner.acl(source).await?, entries, "the ACL after a rename");
    owner.rename(&name("Renamed")?, &name(&format!("Source {number}"))?).await?;
    let old = make(owner, "Ended").await?;
    allow(owner, &old, 1, ALL).await?;
    owner.delete(&old).await?;
    let again = make(owner, "Ended").await?;
    ensure_kind!(guest.my_rights(&again).await, NotFound, "a mailbox that has the name of one that was shared");
    // The service needs no rights, and neither does mail that comes in.
    let service = open_as_service(store, 0).await?;
    service.snapshot(&again, false).await?;
    let target = Target::inbox(account_id(0)).with_mailbox(TargetMailbox::Id(again));
    let blob = blob(owner, message(1)).await?;
    store.deliver(&blob, vec![target], Mode::AllOrNothing).await?;
    Ok(())
}

/// RFC 5464 §3.3: `l`, and any one of `r`, `s`, `w`, `i` and `p`. Private ones are the actor's own.
async fn annotations_need_a_look_and_one_more<A: Account>(scene: &Scene<A>) -> Check {
    let Scene { owner, guest, source, .. } = scene;
    let place = Some(source);
    let entries = [String::from("/private"), String::from("/shared")];
    let set = |whose: &str| vec![Annotation::new("/private/comment", Some(whose.to_owned().into()))];
    owner.set_annotations(place, vec![Annotation::new("/shared/comment", Some("ours".into()))]).await?;
    owner.set_annotations(place, set("the owner's")).await?;
    let before = owner.annotations(place, &entries).await?;
    for (letters, kind) in [(all_but('l'), ErrorKind::NotFound), ("lkxtea".into(), ErrorKind::NotPermitted)] {
        allow(owner, source, 1, &letters).await?;
        let read = guest.annotations(place, &entries).await.map(|_| ());
        let written = guest.set_annotations(place, vec![Annotation::new("/shared/comment", None)]).await;
        ensure!(is_kind(&read, kind), "annotations with {letters:?}: {read:?}, expected {kind:?}");
        ensure!(is_kind(&written, kind), "set_annotations with {letters:?}: {written:?}, expected {kind:?}");
        ensure_eq!(owner.annotations(place, &entries).await?, before, "annotations after that was refused");
    }
    for right in ["r", "s", "w", "i"] {
        allow(owner, source, 1, &format!("l{right}")).await?;
        guest.set_annotations(place, set("the guest's")).await?;
        let found = guest.annotations(place, &entries[..1]).await?;
        ensure_eq!(found, set("the guest's"), "private annotations of one with {right:?}");
        ensure_eq!(owner.annotations(place, &entries).await?, before, "the owner's, when another has set their own");
        let shared = guest.annotations(place, &entries[1..]).await?;
        ensure_eq!(shared.len(), 1, "shared annotations for one with {right:?}");
    }
    // The account's are not the mailbox's, and its shared ones nobody else's to write.
    let written = guest.set_annotations(None, vec![Annotation::new("/shared/admin", Some("x".into()))]).await;
    ensure_kind!(written, NotPermitted, "setting the account's annotations by another than the owner");
    Ok(())
}
