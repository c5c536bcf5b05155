//! Futures that are dropped before they are done.

use std::time::Duration;

use super::Factory;
use super::tools::*;
use crate::{
    Account, ErrorKind, FlagChange, MailStore, MailboxId, MailboxPast, Mode, Placement, QuotaResource, SizeHint, Stage,
    Target, Uid,
};

/// How often a future is polled before it is dropped, at the most. One that is not done by then is a loop.
const MOST_POLLS: usize = 500;
/// Messages in each operation.
const SOME: u64 = 3;

/// Each operation is begun and dropped at its first await, then at its second, and so on until it is done. A dropped one
/// may still complete, so either end is right, but none between.
pub(super) async fn a_dropped_future_leaves_all_or_nothing<F: Factory>(kit: &Kit<F>) -> Check {
    let store = kit.store().await?;
    let account = open(&store, 0).await?;
    // One that nothing was dropped of: what it sees is what others see.
    let other = open(&store, 0).await?;

    macro_rules! at_every_await {
        ($what:literal, |$scene:ident| $work:expr, $right:expr) => {
            for polls in 0..=MOST_POLLS {
                ensure!(polls < MOST_POLLS, "{} is not done after {MOST_POLLS} polls", $what);
                let $scene = Scene::set(&account, kit.declared().unhindered_within).await?;
                let done = drop_after(polls, $work).await;
                let finished = match done {
                    Some(answer) => {
                        answer?;
                        true
                    }
                    None => false,
                };
                let what = format!("{} dropped after {polls} polls", $what);
                let look = $scene.look(&other, &what).await?;
                let right: fn(&Look) -> (bool, bool) = $right;
                let (nothing, all) = right(&look);
                ensure!(all || (nothing && !finished), "{what} left {look:?}");
                $scene.still_works(&account, &what).await?;
                $scene.still_works(&other, &what).await?;
                if finished {
                    break;
                }
            }
        };
    }

    at_every_await!(
        "a commit of three",
        |scene| {
            let blob = blob(&account, message(7)).await?;
            account.commit(vec![Placement::new(blob, scene.destination.clone()); 3], Mode::AllOrNothing)
        },
        |look| (look.come == 0, look.come == SOME)
    );
    at_every_await!(
        "a replacement",
        |scene| {
            let placement = Placement::new(blob(&account, message(7)).await?, scene.source.clone());
            account.commit(vec![placement.replacing(scene.first)], Mode::AllOrNothing)
        },
        |look| (look.first_there && look.uid_rise == 0, !look.first_there && look.left == SOME)
    );
    at_every_await!(
        "a delivery",
        |scene| {
            let blob = blob(&account, message(7)).await?;
            let target = Target::inbox(account_id(0));
            let target = target.with_mailbox(crate::TargetMailbox::Id(scene.destination.clone()));
            let (store, targets) = (store.clone(), vec![target; 3]);
            async move { store.deliver(&blob, targets, Mode::AllOrNothing).await }
        },
        |look| (look.come == 0, look.come == SOME)
    );
    at_every_await!("a copy", |scene| account.copy(&scene.source, &scene.all, &scene.destination), |look| (
        look.come == 0,
        look.left == SOME && look.come == SOME
    ));
    at_every_await!("a move", |scene| account.move_messages(&scene.source, &scene.all, &scene.destination), |look| (
        look.left == SOME && look.come == 0,
        look.left == 0 && look.come == SOME
    ));
    at_every_await!("an expunge", |scene| account.expunge(&scene.source, &scene.all, false), |look| (
        look.left == SOME,
        look.left == 0
    ));
    at_every_await!("a rename", |scene| account.rename(&scene.from, &scene.to), |look| (
        look.old_names == 2 && look.new_names == 0 && look.in_child == Some(1),
        look.old_names == 0 && look.new_names == 2 && look.in_child == Some(1)
    ));
    at_every_await!("a delete", |scene| account.delete(&scene.child), |look| (
        look.old_names == 2 && look.in_child == Some(1),
        look.old_names == 1 && look.in_child.is_none()
    ));
    at_every_await!("a create", |scene| account.create(&scene.to, None), |look| (
        look.new_names == 0,
        look.new_names == 1
    ));
    at_every_await!(
        "a stage",
        |_scene| {
            let account = account.clone();
            async move {
                let mut stage = account.stage(SizeHint::Octets(200_000)).await?;
                for _ in 0..4 {
                    stage.write(vec![b'x'; 50_000].into()).await?;
                }
                stage.finish(None).await
            }
        },
        |look| (look.left == SOME && look.come == 0, look.left == SOME && look.come == 0)
    );
    at_every_await!("a subscription", |scene| account.set_subscribed(&scene.from, true), |look| (
        !look.subscribed,
        look.subscribed
    ));
    if store.features().restore {
        let past = MailboxPast::new(crate::UidValidity::MIN, Uid::new(9), crate::ModSeq::MIN);
        at_every_await!("a restore", |scene| account.restore(&scene.to, None, past), |look| (
            look.new_names == 0,
            look.new_names == 1
        ));
    }
    if store.features().quota {
        a_quota(kit, &store).await?;
    }
    if store.features().maildrop_lease {
        a_lease(kit, &account).await?;
    }

    // Flags are changed in full even if nobody reads the answers.
    for polls in 0..=usize::try_from(SOME).unwrap_or(3) {
        let scene = Scene::set(&account, kit.declared().unhindered_within).await?;
        let outcomes = account.store_flags(&scene.source, &scene.all, FlagChange::Add(seen()), None);
        drop_after(polls, async move {
            use futures::StreamExt;
            Box::pin(outcomes).collect::<Vec<_>>().await
        })
        .await;
        // They may still be on their way, but they come.
        within(kit.declared().unhindered_within, "a change of flags whose answers nobody reads", async {
            loop {
                let metas = metas(&account, &scene.source, &scene.all).await?;
                if metas.iter().all(|meta| meta.flags == seen()) {
                    return Ok::<_, Stop>(());
                }
                let_others_run().await;
            }
        })
        .await??;
        scene.still_works(&account, "a change of flags").await?;
    }
    Ok(())
}

/// All limits of a root are set, or none.
async fn a_quota<F: Factory>(kit: &Kit<F>, store: &F::Store) -> Check {
    let account = open_as_service(store, 0).await?;
    let inbox = inbox(&account).await?;
    let root = account.quota_roots(&inbox).await?.first().map_or(String::new(), |root| root.name.clone());
    let two = [QuotaResource::Storage, QuotaResource::Message];
    // Which resources there are is the store's to say.
    let can = account.set_quota(&root, &two.map(|resource| (resource, 70_000))).await;
    let resources = if is_kind(&can, ErrorKind::Unsupported) { &two[..1] } else { &two[..] };
    let limits = |limit: u64| resources.iter().map(|resource| (*resource, limit)).collect::<Vec<_>>();
    for polls in 0..=MOST_POLLS {
        ensure!(polls < MOST_POLLS, "a quota is not set after {MOST_POLLS} polls");
        account.set_quota(&root, &limits(70_000)).await?;
        let done = drop_after(polls, account.set_quota(&root, &limits(80_000))).await.transpose()?;
        // What was dropped may still be completed; a second look is the same.
        let told = within(kit.declared().unhindered_within, "the quota after one that was dropped", async {
            let mut before = None;
            loop {
                let roots = account.quota_roots(&inbox).await?;
                let told: Vec<u64> =
                    roots.iter().flat_map(|root| &root.resources).map(|(_, _, limit)| *limit).collect();
                if before.replace(told.clone()) == Some(told.clone()) {
                    return Ok::<_, Stop>(told);
                }
            }
        })
        .await??;
        ensure_eq!(told.len(), resources.len(), "limits that the root tells of");
        let whole = |limit: u64| told.iter().all(|told| *told == limit);
        ensure!(
            whole(80_000) || (whole(70_000) && done.is_none()),
            "a quota dropped after {polls} polls left {told:?}"
        );
        if done.is_some() {
            break;
        }
    }
    Ok(())
}

/// A maildrop is lent in the end, whatever became of the one who asked before.
async fn a_lease<F: Factory, A: Account>(kit: &Kit<F>, account: &A) -> Check {
    let inbox = inbox(account).await?;
    for polls in 0..=MOST_POLLS {
        ensure!(polls < MOST_POLLS, "a maildrop is not lent after {MOST_POLLS} polls");
        let done = match drop_after(polls, account.lease_maildrop(&inbox)).await {
            None => false,
            // One that was dropped earlier may have been carried out just now, and its lease not be given back yet.
            Some(Err(error)) if error.kind() == ErrorKind::InUse && polls > 0 => false,
            Some(answer) => answer.map(|_lease| true)?,
        };
        let limit = kit.declared().unhindered_within;
        within(limit, &format!("a lease after one that was dropped after {polls} polls"), async {
            loop {
                match account.lease_maildrop(&inbox).await {
                    Err(error) if error.kind() == ErrorKind::InUse => let_others_run().await,
                    answer => return answer.map(drop),
                }
            }
        })
        .await??;
        if done {
            break;
        }
    }
    Ok(())
}

/// Two mailboxes, with three messages in the first, and a name with a child that has one.
struct Scene {
    source: MailboxId,
    destination: MailboxId,
    child: MailboxId,
    from: crate::MailboxName,
    to: crate::MailboxName,
    all: crate::UidSet,
    first: Uid,
    uid_next: Option<Uid>,
    /// A store that cannot be used for so long after a future was dropped holds a lock.
    limit: Duration,
}

/// What is to be seen of it.
#[derive(Debug, PartialEq, Eq)]
struct Look {
    left: u64,
    come: u64,
    first_there: bool,
    /// How far UIDNEXT of the source has risen.
    uid_rise: u32,
    old_names: usize,
    new_names: usize,
    /// Messages in the child; `None` if it is not there.
    in_child: Option<u64>,
    /// The old name.
    subscribed: bool,
}

impl Scene {
    async fn set<A: Account>(account: &A, limit: Duration) -> Check<Self> {
        // Names of their own for each, made from an id that is given out once.
        let source = make_unique(account, "Source").await?;
        let destination = make_unique(account, "Destination").await?;
        let (from, to) = (name(&format!("From-{source}"))?, name(&format!("To-{source}"))?);
        account.create(&from, None).await?;
        let child = account.create(&from.child("Child").map_err(Stop::failed)?, None).await?.id;
        append(account, &child, message(9)).await?;
        let all = uids(fill(account, &source, 3).await?);
        let first = all.first().unwrap_or(Uid::MIN);
        let uid_next = account.snapshot(&source, false).await?.uid_next;
        Ok(Self { source, destination, child, from, to, all, first, uid_next, limit })
    }

    /// Looks until two looks are the same, for what was dropped may still be completed.
    async fn look<A: Account>(&self, account: &A, what: &str) -> Check<Look> {
        within(self.limit, &format!("a look at the store after {what}"), async {
            let mut before = self.look_once(account).await?;
            loop {
                let look = self.look_once(account).await?;
                if look == before {
                    return Ok(look);
                }
                before = look;
            }
        })
        .await?
    }

    async fn look_once<A: Account>(&self, account: &A) -> Check<Look> {
        let left = account.snapshot(&self.source, false).await?;
        let come = account.snapshot(&self.destination, false).await?;
        let in_child = match account.snapshot(&self.child, false).await {
            Ok(child) => Some(child.uids.len()),
            Err(error) if error.kind() == ErrorKind::NotFound => None,
            Err(error) => return Err(error.into()),
        };
        let names = list(account).await?;
        let below = |root: &crate::MailboxName| {
            names.iter().filter(|info| info.id.is_some() && (info.name == *root || info.name.is_below(root))).count()
        };
        Ok(Look {
            left: left.uids.len(),
            come: come.uids.len(),
            first_there: left.uids.contains(self.first),
            uid_rise: left.uid_next.map_or(0, Uid::value) - self.uid_next.map_or(0, Uid::value),
            old_names: below(&self.from),
            new_names: below(&self.to),
            in_child,
            subscribed: names.iter().any(|info| info.name == self.from && info.subscribed),
        })
    }

    async fn still_works<A: Account>(&self, account: &A, what: &str) -> Check {
        within(self.limit, &format!("writing after {what}"), async {
            for mailbox in [&self.source, &self.destination] {
                let since = account.snapshot(mailbox, false).await?.highest_modseq;
                let uid = append(account, mailbox, message(8)).await?.uid;
                let changes = all_changes(account, mailbox, since, 100).await?;
                ensure!(
                    changes.changed.iter().any(|changed| changed.uid == uid),
                    "the feed does not tell of {uid} after {what}"
                );
                account.expunge(mailbox, &uid.into(), false).await?;
                let found = account.open_body(mailbox, uid, crate::ByteRange::WHOLE).await;
                ensure!(is_kind(&found.map(|_| ()), ErrorKind::Expunged), "after {what} an expunged message is served");
            }
            Ok(())
        })
        .await?
    }
}

async fn make_unique<A: Account>(account: &A, stem: &str) -> Check<MailboxId> {
    let taken = list(account).await?.len();
    make(account, &format!("{stem}-{taken}")).await
}
