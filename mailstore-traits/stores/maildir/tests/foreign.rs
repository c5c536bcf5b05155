//! Other programs work in the same Maildir: what they do is seen, and they see what is done here.
#![cfg(unix)]
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")]

mod common;

use std::fs;
use std::path::Path;
use std::time::Duration;

use common::*;
use futures::StreamExt;
use mailstore_traits::{Account, AccountId, Actor, ErrorKind, FlagChange, MailStore, UidSet};
use store_maildir::MaildirStore;

/// A root with an account that has been opened once.
async fn start() -> (tempfile::TempDir, MaildirStore) {
    let root = tempfile::tempdir().unwrap();
    let store = MaildirStore::open(root.path()).unwrap();
    account(&store).await;
    (root, store)
}

#[tokio::test]
async fn mail_that_another_program_drops_gets_uids_in_the_order_of_its_names() {
    let (root, store) = start().await;
    let (account, home) = (account(&store).await, root.path().join("ada"));
    let inbox = inbox(&account).await;
    let before = account.snapshot(&inbox, false).await.unwrap();
    fs::write(home.join("new/1700000002.b.host"), "Subject: two\n\nbare\nlines\n").unwrap();
    fs::write(home.join("new/1700000001.a.host"), "Subject: one\r\n\r\nmixed\n").unwrap();
    fs::write(home.join("new/.hidden"), "no message").unwrap();
    fs::write(home.join("cur/1700000003.c.host:2,FS"), "x").unwrap();
    assert_eq!(seen(&account, &inbox).await, [(1, String::new()), (2, String::new()), (3, "\\Flagged \\Seen".into())]);
    assert_eq!(read(&account, &inbox, uid(1)).await.unwrap(), b"Subject: one\r\n\r\nmixed\r\n");
    assert_eq!(read(&account, &inbox, uid(2)).await.unwrap(), b"Subject: two\r\n\r\nbare\r\nlines\r\n");
    for meta in metas(&account, &inbox).await {
        assert_eq!(read(&account, &inbox, meta.uid).await.unwrap().len() as u64, meta.size);
        assert!(meta.modseq > before.highest_modseq);
    }
    let changes = account.changes_since(&inbox, before.highest_modseq, 100).await.unwrap();
    assert_eq!(changes.changed.iter().map(|changed| changed.uid.value()).collect::<Vec<_>>(), [1, 2, 3]);
    // Nothing of it was touched, and a second look finds nothing new.
    assert_eq!(files(home.join("new")), [".hidden", "1700000001.a.host", "1700000002.b.host"]);
    assert_eq!(account.snapshot(&inbox, false).await.unwrap().uids.len(), 3);
}

#[tokio::test]
async fn flags_that_another_program_renames_are_changes() {
    let (root, store) = start().await;
    let (account, home) = (account(&store).await, root.path().join("ada"));
    let inbox = inbox(&account).await;
    deliver(&store, b"Subject: x\r\n\r\n").await.unwrap();
    fs::write(home.join("dovecot-keywords"), "0 $Junk\n1 Work\n").unwrap();
    let high = account.snapshot(&inbox, false).await.unwrap().highest_modseq;
    let file = only(home.join("new"));
    let base = file.file_name().unwrap().to_str().unwrap().to_owned();
    fs::rename(&file, home.join("cur").join(format!("{base}:2,Sb"))).unwrap();
    assert_eq!(seen(&account, &inbox).await, [(1, "\\Seen Work".into())]);
    let changes = account.changes_since(&inbox, high, 100).await.unwrap();
    assert_eq!(changes.changed.len(), 1);
    assert!(changes.changed[0].modseq > high);
    // And back: the octets are where the name says.
    store_flags(&account, &inbox, 1, FlagChange::Add(flags("\\Flagged $junk $New $Forwarded"))).await;
    store_flags(&account, &inbox, 1, FlagChange::Remove(flags("\\Seen"))).await;
    assert_eq!(files(home.join("cur")), [format!("{base}:2,FPabc")]);
    assert_eq!(fs::read_to_string(home.join("dovecot-keywords")).unwrap(), "0 $Junk\n1 Work\n2 $New\n");
    assert_eq!(read(&account, &inbox, uid(1)).await.unwrap(), b"Subject: x\r\n\r\n");
    // A letter may be given its meaning later.
    fs::rename(home.join(format!("cur/{base}:2,FPabc")), home.join(format!("cur/{base}:2,FPabcd"))).unwrap();
    assert_eq!(seen(&account, &inbox).await, [(1, "\\Flagged $Forwarded $junk $New Work".into())]);
    fs::write(home.join("dovecot-keywords"), "0 $Junk\n1 Work\n2 $New\n3 Late\n").unwrap();
    assert_eq!(seen(&account, &inbox).await, [(1, "\\Flagged $Forwarded $junk $New Late Work".into())]);
}

#[tokio::test]
async fn flags_that_two_programs_change_at_once_are_all_kept() {
    let (root, store) = start().await;
    let (account, home) = (account(&store).await, root.path().join("ada"));
    let inbox = inbox(&account).await;
    deliver(&store, b"Subject: x\r\n\r\n").await.unwrap();
    store_flags(&account, &inbox, 1, FlagChange::Add(flags("\\Answered \\Draft"))).await;
    let file = only(home.join("cur"));
    let base = file.file_name().unwrap().to_str().unwrap().strip_suffix(":2,DR").unwrap().to_owned();
    // The store has not looked when it changes flags itself.
    fs::rename(&file, home.join("cur").join(format!("{base}:2,RS"))).unwrap();
    store_flags(&account, &inbox, 1, FlagChange::Add(flags("\\Flagged"))).await;
    assert_eq!(files(home.join("cur")), [format!("{base}:2,FRS")]);
    assert_eq!(seen(&account, &inbox).await, [(1, "\\Answered \\Flagged \\Seen".into())]);
}

#[tokio::test]
async fn a_file_that_another_program_removes_is_expunged() {
    let (root, store) = start().await;
    let (account, home) = (account(&store).await, root.path().join("ada"));
    let inbox = inbox(&account).await;
    for number in 1..=3 {
        deliver(&store, format!("Subject: {number}\r\n\r\n").as_bytes()).await.unwrap();
    }
    let before = account.snapshot(&inbox, false).await.unwrap();
    // By what is in it: names need not sort as UIDs do.
    let is_second = |file: &String| fs::read(home.join("new").join(file)).unwrap().starts_with(b"Subject: 2");
    let second = files(home.join("new")).into_iter().find(is_second).unwrap();
    fs::remove_file(home.join("new").join(&second)).unwrap();
    // Asked for its octets first, which nobody has been told are gone.
    assert_eq!(read(&account, &inbox, uid(2)).await.unwrap_err().kind(), ErrorKind::Expunged);
    let changes = account.changes_since(&inbox, before.highest_modseq, 100).await.unwrap();
    assert_eq!(changes.vanished, [uid(2)].into_iter().collect::<UidSet>());
    assert_eq!(account.snapshot(&inbox, false).await.unwrap().uid_next, before.uid_next);
    // Its name come back is another message.
    fs::write(home.join("new").join(&second), "Subject: back\n\n").unwrap();
    assert_eq!(seen(&account, &inbox).await.iter().map(|(uid, _)| *uid).collect::<Vec<_>>(), [1, 3, 4]);
    store.close().await;
    check_consistency(root.path());
}

#[tokio::test]
async fn octets_that_another_program_changes_are_another_message() {
    let (root, store) = start().await;
    let (account, home) = (account(&store).await, root.path().join("ada"));
    let inbox = inbox(&account).await;
    fs::write(home.join("new/1.a.host,S=8,W=12"), "a\nb\nc\n\nxx").unwrap();
    // A name that lies about what is served: believed until it is read.
    fs::write(home.join("new/2.b.host,S=4,W=8"), "a\nb\n").unwrap();
    assert_eq!(seen(&account, &inbox).await.len(), 2);
    let metas_before = metas(&account, &inbox).await;
    assert_eq!(metas_before[0].size, 13, "S= is not so, and W= not believed");
    assert_eq!(metas_before[1].size, 8);
    assert_eq!(read(&account, &inbox, uid(2)).await.unwrap_err().kind(), ErrorKind::Expunged);
    assert_eq!(read(&account, &inbox, uid(3)).await.unwrap(), b"a\r\nb\r\n");
    fs::write(home.join("new/1.a.host,S=8,W=12"), "changed\n").unwrap();
    assert_eq!(read(&account, &inbox, uid(1)).await.unwrap_err().kind(), ErrorKind::Expunged);
    assert_eq!(read(&account, &inbox, uid(4)).await.unwrap(), b"changed\r\n");
    assert_eq!(seen(&account, &inbox).await.iter().map(|(uid, _)| *uid).collect::<Vec<_>>(), [3, 4]);
}

#[tokio::test]
async fn what_is_dropped_flagged_and_removed_is_signalled_while_watched() {
    let (root, store) = start().await;
    let (account, home) = (account(&store).await, root.path().join("ada"));
    let inbox = inbox(&account).await;
    let mut watch = Box::pin(account.watch(std::slice::from_ref(&inbox)).await.unwrap());
    let mut lists = Box::pin(account.watch_account().await.unwrap());
    let file = |name: &str| home.join(name);
    for step in 0..3 {
        match step {
            0 => fs::write(file("new/1.a.host"), "x").unwrap(),
            1 => fs::rename(file("new/1.a.host"), file("cur/1.a.host:2,S")).unwrap(),
            _ => fs::remove_file(file("cur/1.a.host:2,S")).unwrap(),
        }
        let told = tokio::time::timeout(Duration::from_secs(20), async {
            loop {
                assert_eq!(watch.next().await.unwrap(), inbox);
                // What the ledger has, without a look at the folders.
                let flags: Vec<_> = metas(&account, &inbox).await.iter().map(|meta| spelled(&meta.flags)).collect();
                if flags == [&[""][..], &["\\Seen"], &[]][step] {
                    return;
                }
            }
        });
        told.await.unwrap_or_else(|_| panic!("no signal of step {step}"));
    }
    for folder in [".Made/cur", ".Made/new", ".Made/tmp"] {
        fs::create_dir_all(file(folder)).unwrap();
    }
    tokio::time::timeout(Duration::from_secs(20), lists.next()).await.unwrap().unwrap();
    assert!(account.find(&name("Made")).await.is_ok());
}

#[tokio::test]
async fn folders_and_subscriptions_go_both_ways() {
    let (root, store) = start().await;
    let (account, home) = (account(&store).await, root.path().join("ada"));
    for folder in [".Work.Sub", ".Entw&APw-rfe", ".raw&amp", ".a&AC4-b"] {
        for inner in ["cur", "new", "tmp"] {
            fs::create_dir_all(home.join(folder).join(inner)).unwrap();
        }
    }
    fs::create_dir_all(home.join(".no-maildir/sub")).unwrap();
    fs::write(home.join("subscriptions"), "V\t2\n\nWork\tSub\nGone\n").unwrap();
    fs::write(home.join(".raw&amp/new/1.a.host"), "x").unwrap();
    let mut listed: Vec<_> = account
        .list(Default::default())
        .map(|info| info.map(|info| (info.name.to_string(), info.subscribed)).unwrap())
        .collect()
        .await;
    listed.sort();
    let expected =
        [("Entwürfe", false), ("Gone", true), ("INBOX", false), ("Work/Sub", true), ("a.b", false), ("raw&amp", false)];
    assert_eq!(listed, expected.map(|(name, subscribed)| (name.to_owned(), subscribed)));
    let raw = account.find(&name("raw&amp")).await.unwrap();
    assert_eq!(seen(&account, &raw).await.len(), 1);
    assert!(home.join(".raw&amp").is_dir(), "another program's folder keeps its name");
    account.create(&name("Mine/ä.b"), None).await.unwrap();
    assert!(home.join(".Mine.&AOQ-&AC4-b/cur").is_dir() && home.join(".Mine.&AOQ-&AC4-b/maildirfolder").is_file());
    account.rename(&name("Mine"), &name("Work/Ours")).await.unwrap();
    assert!(home.join(".Work.Ours.&AOQ-&AC4-b/cur").is_dir() && !home.join(".Mine.&AOQ-&AC4-b").exists());
    account.set_subscribed(&name("Gone"), false).await.unwrap();
    account.set_subscribed(&name("Work/Ours/ä.b"), true).await.unwrap();
    assert_eq!(fs::read_to_string(home.join("subscriptions")).unwrap(), "V\t2\n\nWork\tOurs\t&AOQ-&AC4-b\nWork\tSub\n");
    let id = account.find(&name("Work/Sub")).await.unwrap();
    account.delete(&id).await.unwrap();
    assert!(!home.join(".Work.Sub").exists());
    fs::remove_dir_all(home.join(".Entw&APw-rfe")).unwrap();
    assert_eq!(account.find(&name("Entwürfe")).await.unwrap_err().kind(), ErrorKind::NotFound);
    assert_eq!(account.create(&name("a.b"), None).await.unwrap_err().kind(), ErrorKind::AlreadyExists);
}

#[tokio::test]
async fn an_index_that_was_removed_is_made_anew_with_a_larger_uid_validity() {
    let root = tempfile::tempdir().unwrap();
    let store = MaildirStore::open(root.path()).unwrap();
    let account_before = account(&store).await;
    let mut before = Vec::new();
    for number in 0..30 {
        before.push(account_before.create(&name(&format!("M{number}")), None).await.unwrap().uid_validity);
    }
    let kept = account_before.find(&name("M3")).await.unwrap();
    let blob = blob(&store, b"Subject: kept\r\n\r\nbody\r\n").await;
    let mut placement = mailstore_traits::Placement::new(blob, kept.clone());
    placement.flags = flags("\\Seen $Junk");
    placement.internal_date = Some(mailstore_traits::Timestamp::from_unix(1_234_567_890));
    account_before.commit(vec![placement], mailstore_traits::Mode::AllOrNothing).await.unwrap();
    account_before.set_subscribed(&name("M3"), true).await.unwrap();
    drop(account_before);
    store.close().await;
    fs::remove_dir_all(root.path().join(".pillarbox")).unwrap();

    let store = MaildirStore::open(root.path()).unwrap();
    let account = account(&store).await;
    let highest = before.iter().max().unwrap();
    for number in 0..30 {
        let id = account.find(&name(&format!("M{number}"))).await.unwrap();
        assert!(account.snapshot(&id, false).await.unwrap().uid_validity > *highest);
    }
    let kept = account.find(&name("M3")).await.unwrap();
    assert_eq!(seen(&account, &kept).await, [(1, "\\Seen $Junk".into())]);
    assert_eq!(metas(&account, &kept).await[0].internal_date.unix_seconds(), 1_234_567_890);
    assert_eq!(read(&account, &kept, uid(1)).await.unwrap(), b"Subject: kept\r\n\r\nbody\r\n");
    let subscribed =
        account.list(Default::default()).filter(|info| std::future::ready(info.as_ref().unwrap().subscribed));
    assert_eq!(subscribed.count().await, 1);
}

/// What a look finds in an account's folder must be in it.
fn names_below(root: &Path) -> Vec<String> {
    files(root).into_iter().filter(|name| !name.starts_with(".pillarbox")).collect()
}

#[tokio::test]
async fn sec_p1_no_name_leads_out_of_the_root() {
    let outer = tempfile::tempdir().unwrap();
    let root = outer.path().join("root");
    fs::create_dir(&root).unwrap();
    let sentinel = outer.path().join("sentinel");
    for inner in ["cur", "new", "tmp"] {
        fs::create_dir_all(sentinel.join(inner)).unwrap();
    }
    fs::write(sentinel.join("new/1.secret"), "secret").unwrap();
    let store = MaildirStore::open(&root).unwrap();
    let account_names =
        ["..", ".", "../sentinel", "/etc", "a/../../sentinel", ".pillarbox", "a\0b", "~", "-rf", "%2E."];
    for hostile in account_names {
        let account = store.open(&AccountId::from(hostile), &Actor::Service).await.unwrap();
        let inbox = account.find(&name("INBOX")).await.unwrap();
        assert!(seen(&account, &inbox).await.is_empty(), "{hostile:?}");
    }
    assert_eq!(names_below(&root).len(), account_names.len());
    let account = account(&store).await;
    for hostile in [
        "..",
        ".",
        "../..",
        "../sentinel",
        "../../sentinel",
        "a/../../../sentinel",
        "....",
        ".../x",
        "new",
        "cur",
        "tmp",
        "./new",
        "x/cur",
        "~root",
        "~",
        "-rf",
        "a\\..\\b",
        "..\\..",
        "%2e%2e",
        "&AC8-",
        "&AC4ALg-",
        "\u{ff0e}\u{ff0e}",
        "\u{2024}",
        "C:",
        "CON",
        "nul",
        "*",
        "?",
        "|",
        "a:2,S",
        "$(id)",
        "`id`",
        "\u{202e}",
        "dovecot-uidlist",
        ".pillarbox",
        ".&",
        "INBOX/..",
        "inbox/.",
        " ",
        "  x",
        "x ",
        "\u{feff}",
        "\u{1f4ec}",
    ] {
        let hostile = name(hostile);
        let made = account.create(&hostile, None).await.unwrap_or_else(|error| panic!("{hostile}: {error}"));
        assert_eq!(account.find(&hostile).await.unwrap(), made.id);
        assert!(seen(&account, &made.id).await.is_empty());
        account.rename(&hostile, &name(&format!("moved/{hostile}"))).await.unwrap();
        account.delete(&made.id).await.unwrap();
    }
    let too_long = account.create(&name(&"ä".repeat(300)), None).await;
    assert_eq!(too_long.unwrap_err().kind(), ErrorKind::Invalid);
    assert_eq!(files(outer.path()), ["root", "sentinel"]);
    assert_eq!(files(sentinel.join("new")), ["1.secret"]);
    assert_eq!(names_below(&root).len(), account_names.len() + 1);
}

#[tokio::test]
async fn sec_p1_no_link_is_followed_and_no_pipe_waited_for() {
    use std::os::unix::fs::symlink;
    let outer = tempfile::tempdir().unwrap();
    let (root, sentinel) = (outer.path().join("root"), outer.path().join("sentinel"));
    for inner in ["cur", "new", "tmp"] {
        fs::create_dir_all(sentinel.join(inner)).unwrap();
    }
    fs::create_dir(&root).unwrap();
    fs::write(sentinel.join("new/1.secret"), "secret").unwrap();
    let store = MaildirStore::open(&root).unwrap();
    let account = account(&store).await;
    let (inbox, home) = (inbox(&account).await, root.join("ada"));
    symlink(sentinel.join("new/1.secret"), home.join("new/2.link")).unwrap();
    symlink("/nonexistent", home.join("cur/3.link:2,S")).unwrap();
    fs::create_dir(home.join("cur/4.folder")).unwrap();
    assert!(std::process::Command::new("mkfifo").arg(home.join("new/5.pipe")).status().unwrap().success());
    assert!(seen(&account, &inbox).await.is_empty());
    // A folder that is a link is no mailbox; one that becomes a link is gone.
    symlink(&sentinel, home.join(".Linked")).unwrap();
    assert_eq!(account.find(&name("Linked")).await.unwrap_err().kind(), ErrorKind::NotFound);
    let work = account.create(&name("Work"), None).await.unwrap().id;
    fs::remove_dir_all(home.join(".Work")).unwrap();
    symlink(&sentinel, home.join(".Work")).unwrap();
    let snapshot = account.snapshot(&work, false).await;
    assert!(snapshot.is_err() || snapshot.unwrap().uids.is_empty());
    assert_eq!(account.find(&name("Work")).await.unwrap_err().kind(), ErrorKind::NotFound);
    // A message whose file becomes a link is not read through it.
    deliver(&store, b"x").await.unwrap();
    let file = files(home.join("new")).into_iter().find(|name| name.contains("S=")).unwrap();
    fs::remove_file(home.join("new").join(&file)).unwrap();
    symlink(sentinel.join("new/1.secret"), home.join("new").join(&file)).unwrap();
    assert!(read(&account, &inbox, uid(1)).await.is_err());
    // And an account's folder that is one.
    symlink(&sentinel, root.join("bob")).unwrap();
    assert!(store.open(&AccountId::from("bob"), &Actor::Service).await.is_err());
    assert_eq!(files(sentinel.join("new")), ["1.secret"]);
    assert!(files(sentinel.join("cur")).is_empty());
}

#[tokio::test]
async fn a_maildir_that_is_not_there_is_not_an_empty_one() {
    let (root, store) = start().await;
    let account = account(&store).await;
    let inbox = inbox(&account).await;
    deliver(&store, b"Subject: x\r\n\r\n").await.unwrap();
    fs::rename(root.path().join("ada"), root.path().join("elsewhere")).unwrap();
    assert_eq!(account.snapshot(&inbox, false).await.unwrap_err().kind(), ErrorKind::Unavailable);
    fs::rename(root.path().join("elsewhere"), root.path().join("ada")).unwrap();
    assert_eq!(seen(&account, &inbox).await.len(), 1);
}
