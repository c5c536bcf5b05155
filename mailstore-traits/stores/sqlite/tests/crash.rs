//! The contract kit's crash test bites: a store that does in two steps what is one, or answers before it is done, is found
//! out when its process is killed. (`contract.rs` has the same test of the store as it is.)
#![allow(clippy::unwrap_used, reason = "tests")]

mod common;
mod kit;

use std::future::Future;
use std::path::PathBuf;
use std::time::Duration;

use futures::{Stream, TryStreamExt};
use mailstore_traits::contract::{Declared, Factory};
use mailstore_traits::*;
use store_sqlite::{SqliteAccount, SqliteBlob, SqliteStage, SqliteStore};

/// What is wrong with a store.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Fault {
    /// A move is a copy and then an expunge.
    MovesInTwoSteps,
    /// Each of several messages is committed for itself.
    CommitsOneByOne,
    /// Each recipient has the message in a transaction of its own.
    DeliversOneByOne,
    /// The answer comes before the work is done.
    AnswersEarly,
    /// The feed tells of nothing.
    TellsNothing,
    /// A maildrop is lent by a file, which nobody removes who was killed.
    LendsByFile,
    /// A copy is made message by message.
    CopiesOneByOne,
    /// The new one is there before the old one goes.
    ReplacesInTwoSteps,
    /// Those below are renamed first, each for itself.
    RenamesOneByOne,
    /// A mailbox is emptied, and then removed.
    DeletesInTwoSteps,
    /// UIDNEXT is what follows from the messages that are there.
    ForgetsUids,
}

struct Careless {
    sqlite: kit::Sqlite,
    fault: Fault,
}

#[derive(Clone)]
struct Store {
    inner: SqliteStore,
    fault: Fault,
}

#[derive(Clone)]
struct Handle {
    inner: SqliteAccount,
    fault: Fault,
    /// Where files of an account's own may lie.
    beside: PathBuf,
}

/// Gone when it is given back.
struct LeaseFile(PathBuf);

impl Drop for LeaseFile {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.0);
    }
}

impl Factory for Careless {
    type Store = Store;

    async fn fresh(&self) -> Store {
        Store { inner: self.sqlite.fresh().await, fault: self.fault }
    }

    fn place(&self, store: &Store) -> Option<String> {
        self.sqlite.place(&store.inner)
    }

    async fn open_at(&self, place: &str) -> Option<Store> {
        if self.fault == Fault::ForgetsUids {
            let next = "UPDATE mailbox SET uid_next = \
                        coalesce((SELECT max(uid) + 1 FROM message WHERE message.mailbox = mailbox.id), 1)";
            rusqlite::Connection::open(place).unwrap().execute(next, []).unwrap();
        }
        Some(Store { inner: self.sqlite.open_at(place).await?, fault: self.fault })
    }

    fn declared(&self) -> Declared {
        let mut declared = Declared::default();
        // As many as it takes: the first that shows it ends the test.
        declared.kills = 200;
        if self.fault == Fault::LendsByFile {
            declared.unhindered_within = Duration::from_secs(3);
        }
        declared
    }

    fn block_on<T>(&self, work: impl Future<Output = T>) -> T {
        self.sqlite.block_on(work)
    }
}

/// Long enough to be killed in, now and then.
async fn dawdle() {
    tokio::time::sleep(Duration::from_millis(5)).await;
}

impl MailStore for Store {
    type Account = Handle;
    type Stage = SqliteStage;
    type Blob = SqliteBlob;

    fn features(&self) -> StoreFeatures {
        self.inner.features()
    }

    async fn open(&self, account: &AccountId, actor: &Actor) -> Result<Handle> {
        let beside = self.inner.path().with_extension(account.as_str());
        Ok(Handle { inner: self.inner.open(account, actor).await?, fault: self.fault, beside })
    }

    async fn stage(&self, hint: SizeHint) -> Result<SqliteStage> {
        MailStore::stage(&self.inner, hint).await
    }

    async fn read_blob(&self, blob: &SqliteBlob, range: ByteRange) -> Result<Body> {
        self.inner.read_blob(blob, range).await
    }

    async fn deliver(&self, blob: &SqliteBlob, targets: Vec<Target>, mode: Mode) -> Result<Vec<Result<Placed>>> {
        if self.fault != Fault::DeliversOneByOne {
            return self.inner.deliver(blob, targets, mode).await;
        }
        let mut placed = Vec::new();
        for target in targets {
            placed.extend(self.inner.deliver(blob, vec![target], mode).await?);
            dawdle().await;
        }
        Ok(placed)
    }
}

impl Account for Handle {
    type Blob = SqliteBlob;
    type Stage = SqliteStage;

    fn features(&self) -> StoreFeatures {
        self.inner.features()
    }

    fn list(&self, hint: ListHint) -> impl Stream<Item = Result<MailboxInfo>> + Send + 'static {
        self.inner.list(hint)
    }

    async fn find(&self, name: &MailboxName) -> Result<MailboxId> {
        self.inner.find(name).await
    }

    async fn status(&self, mailboxes: &[MailboxId]) -> Result<Vec<MailboxStatus>> {
        self.inner.status(mailboxes).await
    }

    async fn create(&self, name: &MailboxName, special_use: Option<SpecialUse>) -> Result<CreatedMailbox> {
        self.inner.create(name, special_use).await
    }

    async fn restore(
        &self,
        name: &MailboxName,
        special_use: Option<SpecialUse>,
        past: MailboxPast,
    ) -> Result<CreatedMailbox> {
        self.inner.restore(name, special_use, past).await
    }

    async fn delete(&self, mailbox: &MailboxId) -> Result<()> {
        if self.fault == Fault::DeletesInTwoSteps {
            self.inner.expunge(mailbox, &UidSet::all(), false).await?;
            dawdle().await;
        }
        self.inner.delete(mailbox).await
    }

    async fn rename(&self, from: &MailboxName, to: &MailboxName) -> Result<()> {
        if self.fault == Fault::RenamesOneByOne {
            let listed: Vec<MailboxInfo> = self.inner.list(ListHint::default()).try_collect().await?;
            for below in
                listed.into_iter().filter(|info| info.id.is_some() && info.name.is_below(from)).map(|info| info.name)
            {
                let moved = below.as_str().replacen(from.as_str(), to.as_str(), 1);
                let moved = MailboxName::parse(&moved).map_err(|_| ErrorKind::Invalid)?;
                self.inner.rename(&below, &moved).await?;
                dawdle().await;
            }
        }
        self.inner.rename(from, to).await
    }

    async fn set_subscribed(&self, name: &MailboxName, subscribed: bool) -> Result<()> {
        let (account, name) = (self.inner.clone(), name.clone());
        let work = async move {
            dawdle().await;
            account.set_subscribed(&name, subscribed).await
        };
        if self.fault != Fault::AnswersEarly {
            return work.await;
        }
        tokio::spawn(work);
        Ok(())
    }

    async fn snapshot(&self, mailbox: &MailboxId, claim_recent: bool) -> Result<Snapshot> {
        self.inner.snapshot(mailbox, claim_recent).await
    }

    fn fetch_meta(
        &self,
        mailbox: &MailboxId,
        uids: &UidSet,
        fields: MetaFields,
        filter: MetaFilter,
    ) -> impl Stream<Item = Result<MessageMeta>> + Send + 'static {
        self.inner.fetch_meta(mailbox, uids, fields, filter)
    }

    async fn open_body(&self, mailbox: &MailboxId, uid: Uid, range: ByteRange) -> Result<Body> {
        self.inner.open_body(mailbox, uid, range).await
    }

    async fn changes_since(&self, mailbox: &MailboxId, since: ModSeq, page: usize) -> Result<Changes> {
        if self.fault == Fault::TellsNothing {
            return Ok(Changes::none(self.inner.snapshot(mailbox, false).await?.highest_modseq));
        }
        self.inner.changes_since(mailbox, since, page).await
    }

    async fn stage(&self, hint: SizeHint) -> Result<SqliteStage> {
        Account::stage(&self.inner, hint).await
    }

    async fn commit(&self, placements: Vec<Placement<SqliteBlob>>, mode: Mode) -> Result<Vec<Result<Placed>>> {
        if self.fault == Fault::ReplacesInTwoSteps
            && let [placement] = &placements[..]
            && let Some(old) = placement.replaces
        {
            let (mailbox, mut new) = (placement.mailbox.clone(), placement.clone());
            new.replaces = None;
            let placed = self.inner.commit(vec![new], mode).await?;
            dawdle().await;
            self.inner.expunge(&mailbox, &old.into(), false).await?;
            return Ok(placed);
        }
        if self.fault != Fault::CommitsOneByOne {
            return self.inner.commit(placements, mode).await;
        }
        let mut placed = Vec::new();
        for placement in placements {
            placed.extend(self.inner.commit(vec![placement], mode).await?);
            dawdle().await;
        }
        Ok(placed)
    }

    fn store_flags(
        &self,
        mailbox: &MailboxId,
        uids: &UidSet,
        change: FlagChange,
        unchanged_since: Option<ModSeq>,
    ) -> impl Stream<Item = Result<FlagOutcome>> + Send + 'static {
        self.inner.store_flags(mailbox, uids, change, unchanged_since)
    }

    async fn copy(&self, source: &MailboxId, uids: &UidSet, destination: &MailboxId) -> Result<Transferred> {
        if self.fault != Fault::CopiesOneByOne {
            return self.inner.copy(source, uids, destination).await;
        }
        let mut copied = self.inner.copy(source, &UidSet::new(), destination).await?;
        for uid in self.inner.snapshot(source, false).await?.uids.iter().filter(|uid| uids.contains(*uid)) {
            copied.uids.extend(self.inner.copy(source, &uid.into(), destination).await?.uids);
            dawdle().await;
        }
        Ok(copied)
    }

    async fn move_messages(&self, source: &MailboxId, uids: &UidSet, destination: &MailboxId) -> Result<Transferred> {
        if self.fault != Fault::MovesInTwoSteps {
            return self.inner.move_messages(source, uids, destination).await;
        }
        let mut moved = self.inner.copy(source, uids, destination).await?;
        dawdle().await;
        moved.source_modseq = self.inner.expunge(source, uids, false).await?.1;
        Ok(moved)
    }

    async fn expunge(&self, mailbox: &MailboxId, uids: &UidSet, only_deleted: bool) -> Result<(UidSet, ModSeq)> {
        self.inner.expunge(mailbox, uids, only_deleted).await
    }

    async fn watch(&self, mailboxes: &[MailboxId]) -> Result<impl Stream<Item = MailboxId> + Send + 'static> {
        self.inner.watch(mailboxes).await
    }

    async fn lease_maildrop(&self, mailbox: &MailboxId) -> Result<MaildropLease> {
        if self.fault != Fault::LendsByFile {
            return self.inner.lease_maildrop(mailbox).await;
        }
        match std::fs::File::create_new(&self.beside) {
            Ok(_) => Ok(MaildropLease::new(LeaseFile(self.beside.clone()))),
            Err(_) => Err(ErrorKind::InUse.into()),
        }
    }
}

/// A test of its own for each, for it is started again by its name.
macro_rules! is_found_out {
    ($name:ident, $fault:ident, $word:literal) => {
        #[test]
        #[allow(clippy::print_stdout, reason = "what the kit says of a fault is worth reading")]
        fn $name() {
            let factory = Careless { sqlite: kit::Sqlite::new(false), fault: Fault::$fault };
            let report = contract::run_one_as(
                factory,
                "a_killed_process_leaves_all_or_nothing",
                concat!(module_path!(), "::", stringify!($name)),
            );
            let (_, why) = report.failed().next().expect("it was not found out");
            println!("{:?}: {why}", Fault::$fault);
            assert!(why.contains($word), "{why}");
        }
    };
}

is_found_out!(a_move_in_two_steps_is_found_out, MovesInTwoSteps, " is there by half");
is_found_out!(a_copy_in_pieces_is_found_out, CopiesOneByOne, "copy ");
is_found_out!(a_replacement_in_two_steps_is_found_out, ReplacesInTwoSteps, " in the place of ");
is_found_out!(a_rename_in_pieces_is_found_out, RenamesOneByOne, "rename ");
is_found_out!(a_delete_in_two_steps_is_found_out, DeletesInTwoSteps, "delete ");
is_found_out!(uids_that_are_forgotten_are_found_out, ForgetsUids, " can be given out again");
is_found_out!(a_commit_in_pieces_is_found_out, CommitsOneByOne, "commit ");
is_found_out!(a_delivery_in_pieces_is_found_out, DeliversOneByOne, "deliver ");
is_found_out!(an_answer_before_the_work_is_done_is_found_out, AnswersEarly, "the subscription of ");
is_found_out!(a_feed_that_tells_of_nothing_is_found_out, TellsNothing, "what a client knows of ");
is_found_out!(
    a_lease_that_outlives_its_holder_is_found_out,
    LendsByFile,
    "a maildrop's lease, which the killed process held,"
);
