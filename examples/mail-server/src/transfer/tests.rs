//! What goes out comes back: every format, through a store.

use std::path::Path;

use bytes::Bytes;
use futures::TryStreamExt;
use mailstore_traits::memory::MemoryStore;
use mailstore_traits::{
    Account, AccountId, Actor, ByteRange, Flag, FlagChange, Flags, ListHint, MailStore, MailboxName, MailboxPast,
    MetaFields, MetaFilter, Mode, Placement, SizeHint, SpecialUse, Stage, Timestamp, Uid, UidSet,
};

use super::{export, import, migrate};
use crate::cli::{ExportArgs, Format, ImportArgs};

fn ada() -> AccountId {
    AccountId::new("ada@example.org")
}

async fn put(store: &MemoryStore, mailbox: &str, text: &str, flags: &str, seconds: i64) {
    let account = store.open(&ada(), &Actor::Service).await.unwrap();
    let name = MailboxName::parse(mailbox).unwrap();
    let id = match account.find(&name).await {
        Ok(id) => id,
        Err(_) => account.create(&name, None).await.unwrap().id,
    };
    let mut stage = account.stage(SizeHint::Unknown).await.unwrap();
    stage.write(Bytes::copy_from_slice(text.as_bytes())).await.unwrap();
    let flags: Flags = flags.split_whitespace().map(|flag| Flag::parse(flag).unwrap()).collect();
    let placement = Placement::new(stage.finish(None).await.unwrap(), id)
        .with_flags(flags)
        .with_internal_date(Timestamp::from_unix(seconds));
    account.commit(vec![placement], Mode::PerTarget).await.unwrap().pop().unwrap().unwrap();
}

/// Everything an account has, a line for each message.
async fn all(store: &MemoryStore) -> Vec<String> {
    let account = store.open(&ada(), &Actor::Service).await.unwrap();
    let mut all = Vec::new();
    for info in account.list(ListHint::default()).try_collect::<Vec<_>>().await.unwrap() {
        let Some(id) = info.id else { continue };
        let metas = account.fetch_meta(&id, &UidSet::all(), MetaFields::ALL, MetaFilter::default());
        for meta in metas.try_collect::<Vec<_>>().await.unwrap() {
            let body = account.open_body(&id, meta.uid, ByteRange::WHOLE).await.unwrap();
            let octets: Vec<u8> = body.try_collect::<Vec<_>>().await.unwrap().concat();
            assert_eq!(octets.len() as u64, meta.size);
            let flags: Vec<_> = meta.flags.iter().map(Flag::as_str).collect();
            let mailbox = info.name.as_str();
            let text = octets.escape_ascii().to_string().replace(&"x".repeat(1000), "*");
            all.push(format!("{mailbox} {} [{}] {text}", meta.internal_date.unix_seconds(), flags.join(" ")));
        }
    }
    all.sort();
    all
}

async fn filled() -> MemoryStore {
    let store = MemoryStore::new();
    let date = "Received: by x; Thu, 01 Jan 1970 00:01:40 +0000\r\n";
    let tricky = format!("{date}A: b\r\n\r\nFrom here\r\n>From there\r\n.\r\n..\r\n\r\n");
    put(&store, "INBOX", &tricky, "\\Seen \\Flagged", 100).await;
    put(&store, "INBOX", &format!("{date}Subject: =?utf-8?q?x?=\r\n\r\n\u{e4}\u{4e2d}\r\n"), "\\Answered $Junk", 100)
        .await;
    put(&store, "INBOX", &format!("{date}\r\n"), "", 100).await;
    let long = "x".repeat(300_000);
    put(&store, "Archive/a.b", &format!("{date}\r\n{long}\r\n"), "\\Draft \\Deleted", 100).await;
    store
}

fn import_args(path: &Path, format: Option<Format>) -> ImportArgs {
    ImportArgs { name: String::new(), paths: vec![path.to_owned()], format, mailbox: String::from("INBOX") }
}

async fn round_trip(format: Format) -> (Vec<String>, Vec<String>) {
    let folder = tempfile::tempdir().unwrap();
    let to = folder.path().join("out");
    let from = filled().await;
    let args = ExportArgs { name: String::new(), to: to.clone(), format, mailbox: None };
    export(&from, &ada(), &args).await.unwrap();
    let again = export(&from, &ada(), &args).await.unwrap_err().to_string();
    assert!(again.contains("is there already"), "{again}");
    let store = MemoryStore::new();
    // The format is found out.
    import(&store, &ada(), &import_args(&to, None)).await.unwrap();
    (all(&from).await, all(&store).await)
}

#[tokio::test]
async fn an_empty_file_holds_no_message() {
    let folder = tempfile::tempdir().unwrap();
    let spool = folder.path().join("spool");
    std::fs::write(&spool, "").unwrap();
    let store = MemoryStore::new();
    import(&store, &ada(), &import_args(&spool, None)).await.unwrap();
    assert_eq!(all(&store).await, Vec::<String>::new());
}

#[tokio::test]
async fn a_maildir_keeps_everything() {
    let (before, after) = round_trip(Format::Maildir).await;
    assert_eq!(before, after);
}

#[tokio::test]
async fn an_mbox_keeps_everything_but_the_mailboxes() {
    let (before, after) = round_trip(Format::Mbox).await;
    let mut before: Vec<_> = before.iter().map(|one| one.replace("Archive/a.b", "INBOX")).collect();
    before.sort();
    assert_eq!(before, after);
}

#[tokio::test]
async fn eml_files_keep_everything_but_the_flags() {
    let (before, after) = round_trip(Format::Eml).await;
    let without_flags = |one: &String| {
        let (head, rest) = one.split_once('[').unwrap();
        format!("{head}[]{}", rest.split_once(']').unwrap().1)
    };
    let mut before: Vec<_> = before.iter().map(without_flags).collect();
    before.sort();
    assert_eq!(before, after);
}

#[tokio::test]
async fn a_bad_message_does_not_stop_the_others() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::create_dir_all(folder.path().join("cur")).unwrap();
    std::fs::create_dir_all(folder.path().join("new")).unwrap();
    std::fs::write(folder.path().join("cur/1.a:2,S"), "A: b\n\nbare\rends\n").unwrap();
    std::fs::write(folder.path().join("cur/3.c:2,"), "A: d\n").unwrap();
    let gone = folder.path().join("cur/2.b:2,");
    #[cfg(unix)]
    std::os::unix::fs::symlink("/nowhere/at/all", &gone).unwrap();
    // A link that leads nowhere is no file; one that leads to what cannot be read is a bad message.
    std::fs::remove_file(&gone).unwrap();
    #[cfg(unix)]
    std::os::unix::fs::symlink("/proc/self/mem", &gone).unwrap();
    let store = MemoryStore::new();
    let told = import(&store, &ada(), &import_args(folder.path(), None)).await;
    let taken: Vec<_> = all(&store).await.iter().map(|one| one.rsplit("] ").next().unwrap().to_owned()).collect();
    assert_eq!(taken, ["A: b\\r\\n\\r\\nbare\\r\\nends\\r\\n", "A: d\\r\\n"]);
    #[cfg(target_os = "linux")]
    assert!(told.unwrap_err().to_string().starts_with("1 message could not be imported"));
}

#[tokio::test]
async fn what_is_not_there_is_told_before_anything_is_done() {
    let store = MemoryStore::new();
    let told = import(&store, &ada(), &import_args(Path::new("/nowhere"), None)).await.unwrap_err().to_string();
    assert!(told.contains("/nowhere: it does not exist"), "{told}");
    let folder = tempfile::tempdir().unwrap();
    for (format, expected) in [(Format::Maildir, "no Maildir"), (Format::Mbox, "is a folder")] {
        let told = import(&store, &ada(), &import_args(folder.path(), Some(format))).await.unwrap_err().to_string();
        assert!(told.contains(expected), "{told}");
    }
    let args = ExportArgs {
        name: String::new(),
        to: folder.path().join("x"),
        format: Format::Mbox,
        mailbox: Some(String::from("Nope")),
    };
    assert!(export(&store, &ada(), &args).await.unwrap_err().to_string().contains("no mailbox `Nope`"));
}

/// What an IMAP client keeps of an account, with the octets behind it.
async fn kept<S: MailStore>(store: &S) -> Vec<String> {
    let account = store.open(&ada(), &Actor::Service).await.unwrap();
    let mut kept = Vec::new();
    for info in account.list(ListHint::default()).try_collect::<Vec<_>>().await.unwrap() {
        let name = info.name.as_str();
        kept.push(format!("{name} {:?} subscribed: {}", info.special_use, info.subscribed));
        let Some(id) = info.id else { continue };
        let snapshot = account.snapshot(&id, false).await.unwrap();
        kept.push(format!("{name} {} {:?}", snapshot.uid_validity, snapshot.uid_next));
        let metas = account.fetch_meta(&id, &UidSet::all(), MetaFields::ALL, MetaFilter::default());
        for meta in metas.try_collect::<Vec<_>>().await.unwrap() {
            let body = account.open_body(&id, meta.uid, ByteRange::WHOLE).await.unwrap();
            let octets: Vec<u8> = body.try_collect::<Vec<_>>().await.unwrap().concat();
            let digest = mail_message::Digest::from_octets(&meta.digest.unwrap()).unwrap();
            assert_eq!((octets.len() as u64, digest.size()), (meta.size, meta.size));
            let flags: Vec<_> = meta.flags.iter().map(Flag::as_str).collect();
            let (uid, date, uidl) = (meta.uid, meta.internal_date, meta.uidl);
            kept.push(format!("{name} {uid} {date:?} {uidl:?} {} {}", flags.join(" "), octets.escape_ascii()));
        }
    }
    kept.sort();
    kept
}

/// A store with mailboxes that have a past: gaps, keywords, a prefix in front of a message, subscriptions.
async fn lived_in() -> MemoryStore {
    let store = MemoryStore::new();
    let account = store.open(&ada(), &Actor::Service).await.unwrap();
    for (mailbox, number) in [("INBOX", 5), ("Archive/2020", 300), ("Sent", 1)] {
        for number in 0..number {
            let flags = if number % 2 == 0 { "\\Seen $Label1" } else { "" };
            put(&store, mailbox, &format!("A: {number}\r\n\r\n{mailbox}\r\n"), flags, 1_000_000 + number).await;
        }
    }
    account.create(&MailboxName::parse("Bin").unwrap(), Some(SpecialUse::Trash)).await.unwrap();
    for name in ["Sent", "Never was"] {
        account.set_subscribed(&MailboxName::parse(name).unwrap(), true).await.unwrap();
    }
    let inbox = account.find(&MailboxName::inbox()).await.unwrap();
    let mut stage = account.stage(SizeHint::Unknown).await.unwrap();
    stage.write(Bytes::from_static(b"Subject: x\r\n\r\ny\r\n")).await.unwrap();
    let placement = Placement::new(stage.finish(None).await.unwrap(), inbox.clone())
        .with_prefix(Bytes::from_static(b"Received: here\r\n"), None)
        .with_uidl("from-elsewhere");
    account.commit(vec![placement], Mode::PerTarget).await.unwrap();
    // The newest has gone: its UID must not come back.
    put(&store, "INBOX", "gone", "", 1).await;
    for uid in [2, 7] {
        account.expunge(&inbox, &Uid::new(uid).unwrap().into(), false).await.unwrap();
    }
    store
}

/// Message for message as it is kept, but for digests, which a store without them gets.
async fn same_mail<S: MailStore, D: MailStore>(from: &S, to: &D) {
    let again = MemoryStore::new();
    migrate(from, &again, &[ada()]).await.unwrap();
    assert_eq!(kept(to).await, kept(&again).await);
}

#[tokio::test]
async fn a_store_that_is_copied_is_the_same_to_mail_programs() {
    let folder = tempfile::tempdir().unwrap();
    let from = lived_in().await;
    let database = store_sqlite::Options::default().open(folder.path().join("mail.sqlite")).unwrap();
    migrate(&from, &database, &[ada()]).await.unwrap();
    same_mail(&from, &database).await;
    let back = MemoryStore::new();
    migrate(&database, &back, &[ada()]).await.unwrap();
    let kept = kept(&back).await;
    same_mail(&from, &back).await;
    assert!(kept.iter().any(|line| line.contains("Received: here\\r\\nSubject: x")), "{kept:#?}");
    assert!(kept.iter().any(|line| line.contains("from-elsewhere")));
    assert!(kept.iter().any(|line| line.starts_with("INBOX") && line.ends_with("Some(Uid(8))")), "{kept:#?}");
    assert!(kept.contains(&String::from("Never was None subscribed: true")), "{kept:#?}");
    assert!(kept.contains(&String::from("Bin Some(Trash) subscribed: false")), "{kept:#?}");
    assert_eq!(kept.iter().filter(|line| line.contains("$Label1")).count(), 154);
}

#[tokio::test]
async fn another_run_takes_what_has_changed_since() {
    let (from, to) = (lived_in().await, MemoryStore::new());
    migrate(&from, &to, &[ada()]).await.unwrap();
    let account = from.open(&ada(), &Actor::Service).await.unwrap();
    let archive = account.find(&MailboxName::parse("Archive/2020").unwrap()).await.unwrap();
    let flagged: Flags = [Flag::parse("\\Flagged").unwrap()].into_iter().collect();
    let uids = UidSet::from_range(Uid::new(10).unwrap(), Uid::new(20).unwrap());
    account.store_flags(&archive, &uids, FlagChange::Add(flagged), None).try_collect::<Vec<_>>().await.unwrap();
    let gone = UidSet::from_range(Uid::new(15).unwrap(), Uid::new(40).unwrap());
    account.expunge(&archive, &gone, false).await.unwrap();
    put(&from, "Archive/2020", "new", "\\Draft", 9).await;
    put(&from, "Later", "newer", "", 9).await;
    account.set_subscribed(&MailboxName::parse("Sent").unwrap(), false).await.unwrap();
    migrate(&from, &to, &[ada()]).await.unwrap();
    same_mail(&from, &to).await;
}

#[tokio::test]
async fn what_was_interrupted_goes_on() {
    let (from, to) = (lived_in().await, MemoryStore::new());
    // As a run leaves it that was killed in the middle of a mailbox.
    let account = from.open(&ada(), &Actor::Service).await.unwrap();
    let there = to.open(&ada(), &Actor::Service).await.unwrap();
    let name = MailboxName::parse("Archive/2020").unwrap();
    let archive = account.find(&name).await.unwrap();
    let past = MailboxPast::from(&account.snapshot(&archive, false).await.unwrap());
    let half = there.restore(&name, None, past.unfinished()).await.unwrap().id;
    for uid in 1..=120 {
        let mut stage = there.stage(SizeHint::Unknown).await.unwrap();
        stage.write(Bytes::from(format!("A: {}\r\n\r\nArchive/2020\r\n", uid - 1))).await.unwrap();
        let date = Timestamp::from_unix(1_000_000 + i64::from(uid) - 1);
        let placement = Placement::new(stage.finish(None).await.unwrap(), half.clone())
            .with_internal_date(date)
            .with_uid(Uid::new(uid).unwrap());
        there.commit(vec![placement], Mode::AllOrNothing).await.unwrap();
    }
    migrate(&from, &to, &[ada()]).await.unwrap();
    let status = there.status(std::slice::from_ref(&half)).await.unwrap();
    assert_eq!((status[0].messages, status[0].uid_next), (300, Uid::new(301)));
    let snapshots = (account.snapshot(&archive, false).await.unwrap(), there.snapshot(&half, false).await.unwrap());
    assert_eq!((snapshots.0.uids, snapshots.0.keywords), (snapshots.1.uids, snapshots.1.keywords));
}

#[tokio::test]
async fn mail_of_its_own_is_not_overwritten() {
    let (from, to) = (lived_in().await, MemoryStore::new());
    put(&to, "INBOX", "mine", "", 1).await;
    let refused = migrate(&from, &to, &[ada()]).await.unwrap_err().to_string();
    assert!(refused.contains("another `INBOX`") && refused.contains("store that is empty"), "{refused}");
    let inbox: Vec<_> = all(&to).await.into_iter().filter(|line| line.starts_with("INBOX")).collect();
    assert_eq!(inbox, ["INBOX 1 [] mine"]);
}
