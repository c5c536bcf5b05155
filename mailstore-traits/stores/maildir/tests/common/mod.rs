//! What the tests of a store have in common.
#![allow(dead_code, unused_imports, reason = "each test file uses a part of it")]
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "only tests use it")]

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

/// Looks at the index and the folders behind the store's back: each message has its file and each file its message, and
/// nothing is left to be done. The store is closed, or was killed and opened once more.
pub(crate) fn check_consistency(root: &Path) {
    let conn = rusqlite::Connection::open(root.join(".pillarbox/index.db")).unwrap();
    let word: String = conn.query_row("PRAGMA integrity_check", [], |row| row.get(0)).unwrap();
    assert_eq!(word, "ok");
    for table in ["todo", "gone", "todo_folder", "todo_subscriptions"] {
        let left: i64 = conn.query_row(&format!("SELECT count(*) FROM {table}"), [], |row| row.get(0)).unwrap();
        assert_eq!(left, 0, "steps left in {table}");
    }
    let mut statement = conn
        .prepare(
            "SELECT a.name, d.dir, f.place, f.base, f.info, f.octets FROM message m JOIN file f ON f.message = m.id \
             JOIN mailbox b ON b.id = m.mailbox JOIN account a ON a.id = b.account JOIN folder d ON d.mailbox = b.id",
        )
        .unwrap();
    let text = |row: &rusqlite::Row<'_>, at| String::from_utf8(row.get::<_, Vec<u8>>(at).unwrap()).unwrap();
    let files: BTreeSet<PathBuf> = statement
        .query_map([], |row| {
            let place = ["", "new", "cur", ""][row.get::<_, u32>(2)? as usize];
            let path =
                root.join(row.get::<_, String>(0)?).join(text(row, 1)).join(place).join(text(row, 3) + &text(row, 4));
            let found = std::fs::metadata(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
            assert_eq!(found.len(), u64::from(row.get::<_, u32>(5)?), "{}", path.display());
            Ok(path)
        })
        .unwrap()
        .map(Result::unwrap)
        .collect();
    let messages: u32 = conn
        .query_row(
            "SELECT count(*) FROM message m JOIN mailbox b ON b.id = m.mailbox WHERE b.account IS NOT NULL",
            [],
            |row| row.get(0),
        )
        .unwrap();
    assert_eq!(messages as usize, files.len(), "each message has a file of its own");
    let mut there = BTreeSet::new();
    let accounts: Vec<String> = conn
        .prepare("SELECT name FROM account")
        .unwrap()
        .query_map([], |row| row.get(0))
        .unwrap()
        .map(Result::unwrap)
        .collect();
    for account in accounts {
        let home = root.join(account);
        let folders = std::fs::read_dir(&home).unwrap().map(|entry| entry.unwrap().path());
        for folder in folders.filter(|path| path.join("cur").is_dir()).chain([home.clone()]) {
            for place in ["new", "cur"] {
                there.extend(std::fs::read_dir(folder.join(place)).unwrap().map(|entry| entry.unwrap().path()));
            }
            assert_eq!(std::fs::read_dir(folder.join("tmp")).unwrap().count(), 0);
        }
    }
    assert_eq!(there, files, "each file has a message");
    assert_eq!(std::fs::read_dir(root.join(".pillarbox/new")).unwrap().count(), 0, "nothing was left behind");
}

pub(crate) use helpers::*;

mod helpers {
    use std::path::{Path, PathBuf};

    use bytes::Bytes;
    use futures::{StreamExt, TryStreamExt};
    use mailstore_traits::{
        Account, AccountId, Actor, ByteRange, Flag, FlagChange, FlagOutcome, Flags, MailStore, MailboxId, MailboxName,
        MessageMeta, MetaFields, MetaFilter, Mode, Placed, Result, SizeHint, Stage, Target, Uid, UidSet,
    };
    use store_maildir::{MaildirAccount, MaildirBlob, MaildirStore};

    pub(crate) fn ada() -> AccountId {
        AccountId::from("ada")
    }

    pub(crate) async fn account(store: &MaildirStore) -> MaildirAccount {
        store.open(&ada(), &Actor::Service).await.unwrap()
    }

    pub(crate) async fn inbox(account: &MaildirAccount) -> MailboxId {
        account.find(&MailboxName::inbox()).await.unwrap()
    }

    pub(crate) fn name(name: &str) -> MailboxName {
        MailboxName::parse(name).unwrap()
    }

    pub(crate) fn uid(uid: u32) -> Uid {
        Uid::new(uid).unwrap()
    }

    pub(crate) fn flags(text: &str) -> Flags {
        text.split_whitespace().map(|flag| Flag::parse(flag).unwrap()).collect()
    }

    pub(crate) fn spelled(flags: &Flags) -> String {
        flags.iter().map(Flag::as_str).collect::<Vec<_>>().join(" ")
    }

    pub(crate) async fn blob(store: &MaildirStore, octets: &[u8]) -> MaildirBlob {
        let mut stage = store.stage(SizeHint::Unknown).await.unwrap();
        for chunk in octets.chunks(10_000) {
            stage.write(Bytes::copy_from_slice(chunk)).await.unwrap();
        }
        stage.finish(None).await.unwrap()
    }

    pub(crate) async fn deliver(store: &MaildirStore, octets: &[u8]) -> Result<Placed> {
        let blob = blob(store, octets).await;
        Ok(store.deliver(&blob, vec![Target::inbox(ada())], Mode::AllOrNothing).await?.remove(0).unwrap())
    }

    pub(crate) async fn read(account: &MaildirAccount, mailbox: &MailboxId, uid: Uid) -> Result<Vec<u8>> {
        let body = account.open_body(mailbox, uid, ByteRange::WHOLE).await?;
        let len = body.len();
        let chunks: Vec<Bytes> = body.try_collect().await?;
        let octets = chunks.concat();
        assert_eq!(octets.len() as u64, len);
        Ok(octets)
    }

    pub(crate) async fn metas(account: &MaildirAccount, mailbox: &MailboxId) -> Vec<MessageMeta> {
        account.fetch_meta(mailbox, &UidSet::all(), MetaFields::ALL, MetaFilter::default()).try_collect().await.unwrap()
    }

    /// UIDs and flags of a mailbox as somebody who selects it sees them.
    pub(crate) async fn seen(account: &MaildirAccount, mailbox: &MailboxId) -> Vec<(u32, String)> {
        let uids = account.snapshot(mailbox, false).await.unwrap().uids;
        let metas = metas(account, mailbox).await;
        assert_eq!(metas.len() as u64, uids.len());
        metas.iter().map(|meta| (meta.uid.value(), spelled(&meta.flags))).collect()
    }

    pub(crate) async fn store_flags(
        account: &MaildirAccount,
        mailbox: &MailboxId,
        uid: u32,
        change: FlagChange,
    ) -> Vec<FlagOutcome> {
        let uids: UidSet = [Uid::new(uid).unwrap()].into_iter().collect();
        account.store_flags(mailbox, &uids, change, None).map(Result::unwrap).collect().await
    }

    /// The names of the files in a folder.
    pub(crate) fn files(folder: impl AsRef<Path>) -> Vec<String> {
        let mut names: Vec<String> =
            std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
        names.sort();
        names
    }

    /// The one file in a folder.
    pub(crate) fn only(folder: PathBuf) -> PathBuf {
        let names = files(&folder);
        assert_eq!(names.len(), 1, "{names:?} in {}", folder.display());
        folder.join(&names[0])
    }
}
