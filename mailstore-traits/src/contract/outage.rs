//! A backend that fails: a full disk, a database that is down.

use std::collections::BTreeMap;

use futures::TryStreamExt;
use futures::future::join_all;

use super::Factory;
use super::tools::*;
use crate::{
    Account, Annotation, ByteRange, ErrorKind, FlagChange, MailStore, MailboxId, MailboxInfo, MailboxPast, MessageMeta,
    MetaFields, MetaFilter, ModSeq, Mode, Placement, Result, SizeHint, Snapshot, Stage, StoreError, SystemFlag, Target,
    TargetMailbox, Uid, UidSet, UidValidity,
};

/// Every method that writes, and the forms of it that are written each in its own way.
const WRITES: [&str; 14] = [
    "commit",
    "a commit of large messages",
    "a replacement",
    "deliver",
    "store_flags",
    "copy",
    "move",
    "expunge",
    "create",
    "delete",
    "rename",
    "set_subscribed",
    "restore",
    "set_annotations",
];

/// Those that only read.
const READS: [&str; 8] = ["open", "find", "list", "status", "snapshot", "fetch_meta", "open_body", "changes_since"];

/// What one of the writing methods works on, and nothing else does.
struct Scene<A: Account> {
    what: &'static str,
    source: MailboxId,
    target: MailboxId,
    messages: UidSet,
    first: Uid,
    small: A::Blob,
    large: A::Blob,
}

/// A mailbox, its messages and their octets.
type Mailbox = (Snapshot, Vec<MessageMeta>, Vec<Vec<u8>>);

/// All that can be seen of a scene.
#[derive(Debug, PartialEq)]
struct Picture {
    names: Vec<MailboxInfo>,
    mailboxes: BTreeMap<MailboxId, Mailbox>,
    annotations: Vec<Annotation>,
}

impl<A: Account> Scene<A> {
    async fn set(account: &A, what: &'static str) -> Check<Self> {
        let source = make(account, &format!("{what}/source")).await?;
        make(account, &format!("{what}/source/child")).await?;
        let target = make(account, &format!("{what}/target")).await?;
        let uids = fill(account, &source, 3).await?;
        let large = blob(account, vec![b'x'; 300_000]).await?;
        let small = blob(account, message(7)).await?;
        let (messages, first) = (uids.iter().copied().collect(), uids[0]);
        Ok(Self { what, source, target, messages, first, small, large })
    }

    fn name(&self, leaf: &str) -> Result<crate::MailboxName> {
        crate::MailboxName::parse(&format!("{}/{leaf}", self.what)).map_err(|_| ErrorKind::Invalid.into())
    }

    /// Does what the scene is for.
    async fn perform<S: MailStore<Account = A, Blob = A::Blob>>(&self, store: &S, account: &A) -> Result<()> {
        let place = |blob: &A::Blob| Placement::new(blob.clone(), self.target.clone());
        match self.what {
            "commit" => account.commit(vec![place(&self.small); 3], Mode::AllOrNothing).await.map(|_| ()),
            "a commit of large messages" => {
                account.commit(vec![place(&self.large); 2], Mode::AllOrNothing).await.map(|_| ())
            }
            "a replacement" => {
                let placement = Placement::new(self.small.clone(), self.source.clone()).replacing(self.first);
                account.commit(vec![placement], Mode::AllOrNothing).await.map(|_| ())
            }
            "deliver" => {
                let target = Target::inbox(account_id(0)).with_mailbox(TargetMailbox::Id(self.target.clone()));
                let told = store.deliver(&self.small, vec![target; 2], Mode::PerTarget).await?;
                // Each for itself, and none of them without the backend.
                told.into_iter().find(Result::is_err).map_or(Ok(()), |failed| failed.map(|_| ()))
            }
            "store_flags" => {
                let change = FlagChange::Add([SystemFlag::Flagged].into_iter().collect());
                let outcomes = account.store_flags(&self.source, &self.messages, change, None);
                outcomes.try_collect::<Vec<_>>().await.map(|_| ())
            }
            "copy" => account.copy(&self.source, &self.messages, &self.target).await.map(|_| ()),
            "move" => account.move_messages(&self.source, &self.messages, &self.target).await.map(|_| ()),
            "expunge" => account.expunge(&self.source, &self.messages, false).await.map(|_| ()),
            "create" => account.create(&self.name("made")?, None).await.map(|_| ()),
            "delete" => account.delete(&self.source).await,
            "rename" => account.rename(&self.name("source")?, &self.name("renamed")?).await,
            "set_subscribed" => account.set_subscribed(&self.name("source")?, true).await,
            "restore" => {
                let past = MailboxPast::new(UidValidity::MIN, Some(Uid::MIN), ModSeq::MIN);
                account.restore(&self.name("restored")?, None, past).await.map(|_| ())
            }
            _ => {
                let values = ["/private/comment", "/shared/comment"];
                let values = values.map(|entry| Annotation::new(entry, Some("x".into()))).to_vec();
                account.set_annotations(Some(&self.source), values).await
            }
        }
    }

    async fn picture(&self, account: &A) -> Check<Picture> {
        let prefix = format!("{}/", self.what);
        let mut names = list(account).await?;
        names.retain(|info| info.name.as_str().starts_with(&prefix));
        names.sort_by(|one, other| one.name.cmp(&other.name));
        let mut mailboxes = BTreeMap::new();
        for id in names.iter().filter_map(|info| info.id.as_ref()) {
            let snapshot = account.snapshot(id, false).await?;
            let metas = metas(account, id, &UidSet::all()).await?;
            let mut bodies = Vec::new();
            for meta in &metas {
                bodies.push(read_message(account, id, meta.uid).await?);
            }
            mailboxes.insert(id.clone(), (snapshot, metas, bodies));
        }
        let is_there = mailboxes.contains_key(&self.source);
        let annotations = match account.features().annotations && is_there {
            true => account.annotations(Some(&self.source), &["/private".into(), "/shared".into()]).await?,
            false => Vec::new(),
        };
        Ok(Picture { names, mailboxes, annotations })
    }
}

async fn read_in_some_way<S: MailStore>(store: &S, account: &S::Account, inbox: &MailboxId, what: &str) -> Result<()> {
    match what {
        "open" => store.open(&account_id(0), &crate::Actor::User(account_id(0))).await.map(|_| ()),
        "find" => account.find(&crate::MailboxName::inbox()).await.map(|_| ()),
        "list" => account.list(crate::ListHint::default()).try_collect::<Vec<_>>().await.map(|_| ()),
        "status" => account.status(std::slice::from_ref(inbox)).await.map(|_| ()),
        "snapshot" => account.snapshot(inbox, false).await.map(|_| ()),
        "fetch_meta" => {
            let found = account.fetch_meta(inbox, &UidSet::all(), MetaFields::ALL, MetaFilter::default());
            found.try_collect::<Vec<_>>().await.map(|_| ())
        }
        "open_body" => {
            let body = account.open_body(inbox, Uid::MIN, ByteRange::WHOLE).await?;
            body.try_collect::<Vec<_>>().await.map(|_| ())
        }
        _ => account.changes_since(inbox, ModSeq::MIN, 10).await.map(|_| ()),
    }
}

async fn stage_large<A: Account>(account: &A) -> Result<A::Blob> {
    let mut stage = account.stage(SizeHint::Octets(300_000)).await?;
    for _ in 0..3 {
        stage.write(vec![b'y'; 100_000].into()).await?;
    }
    stage.finish(None).await
}

/// Whether it is the answer of a backend that is not there: worth another try.
fn is_outage(error: &StoreError) -> bool {
    error.kind() == ErrorKind::Unavailable && error.is_retryable()
}

pub(super) async fn what_fails_is_unavailable_and_works_later<F: Factory>(kit: &Kit<F>) -> Check {
    let store = kit.store().await?;
    let features = store.features();
    let account = open(&store, 0).await?;
    let inbox = inbox(&account).await?;
    append(&account, &inbox, message(1)).await?;
    let mut scenes = Vec::new();
    for what in WRITES {
        if (what == "restore" && !features.restore) || (what == "set_annotations" && !features.annotations) {
            continue;
        }
        scenes.push(Scene::set(&account, what).await?);
    }
    let mut before = Vec::new();
    for scene in &scenes {
        before.push(scene.picture(&account).await?);
    }

    kit.break_down(&store).await?;
    // All at once: a store may wait a while for its backend, and need not do so for each.
    let writes = join_all(scenes.iter().map(|scene| scene.perform(&store, &account)));
    let reads = join_all(READS.iter().map(|what| read_in_some_way(&store, &account, &inbox, what)));
    let (writes, reads, staged) = futures::join!(writes, reads, stage_large(&account));
    kit.mend(&store).await;

    ensure!(writes.iter().any(Result::is_err), "the backend was broken down, and every write was done");
    for (what, answer) in READS.iter().zip(&reads) {
        let is_right = answer.as_ref().err().is_none_or(is_outage);
        ensure!(is_right, "{what} without a backend answered {answer:?}, expected Unavailable");
    }
    let staged = match staged {
        Ok(blob) => blob,
        Err(error) if is_outage(&error) => stage_large(&account).await?,
        Err(error) => return Err(Stop::failed(format_args!("a stage without a backend answered {error}"))),
    };
    let placed = commit_one(&account, Placement::new(staged, inbox.clone())).await?;
    ensure_eq!(read_message(&account, &inbox, placed.uid).await?.len(), 300_000, "octets of what was staged meanwhile");

    for ((scene, before), answer) in scenes.iter().zip(before).zip(writes) {
        let what = scene.what;
        let after = scene.picture(&account).await?;
        match answer {
            Ok(()) => ensure!(after != before, "{what} without a backend was said to be done, and was not"),
            Err(error) => {
                ensure!(is_outage(&error), "{what} without a backend answered {error:?}, expected Unavailable");
                ensure_eq!(after, before, "after {what} without a backend");
                if let Err(error) = scene.perform(&store, &account).await {
                    return Err(Stop::failed(format_args!("{what} when the backend was back: {error}")));
                }
                ensure!(scene.picture(&account).await? != before, "{what} was said to be done, and was not");
            }
        }
    }
    for what in READS {
        read_in_some_way(&store, &account, &inbox, what).await?;
    }
    // Nothing is left over from what failed.
    drop((scenes, account));
    let store = kit.reopen(store).await?;
    ensure_eq!(store.check(false).await?, vec![], "what the store finds wrong with itself afterwards");
    Ok(())
}
