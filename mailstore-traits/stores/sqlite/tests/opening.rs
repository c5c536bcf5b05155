//! Whatever is wrong with the file, opening it says in one sentence what to do; and what two processes may do at once.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")]

mod common;

use std::fs;
use std::time::Duration;

use common::*;
use futures::StreamExt;
use mailstore_traits::{Account, AccountId, Actor, ByteRange, ErrorKind, MailStore, Mode, Target};
use rusqlite::Connection;
use store_sqlite::{OpenError, SqliteStore};

fn refused(path: &std::path::Path) -> (OpenError, String) {
    let error = SqliteStore::open(path).map(|_| ()).unwrap_err();
    let text = error.to_string();
    assert!(
        text.contains(path.file_name().unwrap().to_str().unwrap())
            || text.contains(path.parent().unwrap().to_str().unwrap())
    );
    assert!(
        text.contains(": ") && !text.contains('\n') && !text.ends_with('.'),
        "one sentence that says what to do: {text}"
    );
    (error, text)
}

#[test]
fn a_missing_folder() {
    let (folder, _) = folder();
    let path = folder.path().join("no/such/mail.db");
    assert!(matches!(refused(&path).0, OpenError::MissingFolder { .. }));
}

#[test]
fn a_folder_in_the_files_place() {
    let (_folder, path) = folder();
    fs::create_dir(&path).unwrap();
    assert!(matches!(refused(&path).0, OpenError::NotAFile { .. }));
}

#[test]
fn a_file_that_is_no_database_is_left_as_it_is() {
    let (_folder, path) = folder();
    let text = "not a database, but a text that is longer than the header of one would be. ".repeat(20);
    fs::write(&path, &text).unwrap();
    assert!(matches!(refused(&path).0, OpenError::NotADatabase { .. }));
    assert_eq!(fs::read_to_string(&path).unwrap(), text);
}

#[test]
fn another_programs_database_is_left_as_it_is() {
    let (folder, path) = folder();
    Connection::open(&path).unwrap().execute_batch("CREATE TABLE places (url TEXT)").unwrap();
    let before = fs::read(&path).unwrap();
    assert!(matches!(refused(&path).0, OpenError::Foreign { .. }));
    assert_eq!(fs::read(&path).unwrap(), before);
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1, "nothing was put beside it");
}

#[test]
fn a_newer_schema_is_left_as_it_is() {
    let (_folder, path) = folder();
    drop(SqliteStore::open(&path).unwrap());
    Connection::open(&path).unwrap().pragma_update(None, "user_version", 99).unwrap();
    let (error, text) = refused(&path);
    assert!(matches!(error, OpenError::Newer { found: 99, .. }), "{text}");
}

#[test]
fn a_damaged_database() {
    let (_folder, path) = folder();
    drop(SqliteStore::open(&path).unwrap());
    let mut octets = fs::read(&path).unwrap();
    octets[100..4096].fill(0xa5);
    fs::write(&path, octets).unwrap();
    let (error, text) = refused(&path);
    assert!(matches!(error, OpenError::Damaged { .. }), "{text}");
}

#[cfg(unix)]
#[test]
fn a_file_or_folder_that_is_read_only() {
    use std::os::unix::fs::PermissionsExt;
    let (folder, path) = folder();
    drop(SqliteStore::open(&path).unwrap());
    fs::set_permissions(&path, fs::Permissions::from_mode(0o444)).unwrap();
    assert!(matches!(refused(&path).0, OpenError::ReadOnly { .. }));
    fs::set_permissions(&path, fs::Permissions::from_mode(0o644)).unwrap();
    fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o555)).unwrap();
    assert!(matches!(refused(&path).0, OpenError::ReadOnly { .. }));
    fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o755)).unwrap();
    SqliteStore::open(&path).unwrap();
}

#[cfg(unix)]
#[tokio::test]
async fn what_is_made_is_for_its_owner_alone() {
    use std::os::unix::fs::PermissionsExt;
    let (folder, path) = folder();
    let store = SqliteStore::options().inline_octets(1).open(&path).unwrap();
    deliver(&store, b"in a file").await.unwrap();
    let mut seen = Vec::new();
    let mut ahead = vec![folder.path().to_owned()];
    while let Some(next) = ahead.pop() {
        for entry in fs::read_dir(next).unwrap() {
            let entry = entry.unwrap();
            let mode = entry.metadata().unwrap().permissions().mode() & 0o777;
            seen.push(entry.path());
            assert_eq!(mode & 0o077, 0, "{}: {mode:o}", entry.path().display());
            if entry.path().is_dir() {
                ahead.push(entry.path());
            }
        }
    }
    // Database, log, shared memory, two lock files, the bodies' folder, one in it, and the body.
    assert_eq!(seen.len(), 8, "{seen:?}");
    // What an operator has chosen to share stays as it is.
    drop(store);
    fs::set_permissions(&path, fs::Permissions::from_mode(0o660)).unwrap();
    drop(SqliteStore::open(&path).unwrap());
    assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o660);
}

#[tokio::test]
async fn a_second_owner_until_the_first_has_gone() {
    let (_folder, path) = folder();
    let first = SqliteStore::open(&path).unwrap();
    assert!(matches!(refused(&path).0, OpenError::InUse { .. }));
    let handle = account(&first).await;
    drop(first);
    assert!(matches!(refused(&path).0, OpenError::InUse { .. }), "a handle keeps the store open");
    drop(handle);
    let second = SqliteStore::open(&path).unwrap();
    let clone = second.clone();
    second.close().await;
    SqliteStore::open(&path).unwrap();
    drop(clone);
}

#[test]
fn a_lock_that_another_program_holds() {
    let (_folder, path) = folder();
    drop(SqliteStore::open(&path).unwrap());
    let other = Connection::open(&path).unwrap();
    other
        .execute_batch("PRAGMA locking_mode = EXCLUSIVE; BEGIN EXCLUSIVE; UPDATE service SET commits = commits")
        .unwrap();
    let error = SqliteStore::options().busy_timeout(Duration::from_millis(50)).open(&path).unwrap_err();
    assert!(matches!(error, OpenError::Locked { .. }), "{error}");
}

#[tokio::test]
async fn a_file_of_the_first_version_opens() {
    let (_folder, path) = folder();
    // As the first release of schema 1 left it: an account, its INBOX, a message.
    let conn = Connection::open(&path).unwrap();
    conn.execute_batch(include_str!("version-1.sql")).unwrap();
    drop(conn);
    let store = SqliteStore::open(&path).unwrap();
    let account = account(&store).await;
    let inbox = inbox(&account).await;
    assert_eq!(inbox.as_str(), "m000102030405060708090a0b0c0d0e0f");
    assert_eq!(read(&account, &inbox, uid(7), ByteRange::WHOLE).await.unwrap(), b"Received: then\r\nhello");
    assert_eq!(account.snapshot(&inbox, false).await.unwrap().uids.to_string(), "7");
    let placed = deliver(&store, b"new").await.unwrap();
    assert_eq!(placed.uid, uid(8));
    drop(account);
    store.close().await;
    check_consistency(&path);
}

#[tokio::test]
async fn a_tool_works_beside_the_owner_and_is_heard_of() {
    let (_folder, path) = folder();
    let owner = SqliteStore::open(&path).unwrap();
    let tool = SqliteStore::options().shared().open(&path).unwrap();
    let here = account(&owner).await;
    let inbox = inbox(&here).await;
    let mut watch = Box::pin(here.watch(std::slice::from_ref(&inbox)).await.unwrap());
    let mut list = Box::pin(here.watch_account().await.unwrap());

    let large = octets(100_000);
    deliver(&tool, &large).await.unwrap();
    account(&tool).await.create(&name("Imported"), None).await.unwrap();
    let heard = tokio::time::timeout(Duration::from_secs(5), async { (watch.next().await, list.next().await) });
    assert_eq!(heard.await.unwrap(), (Some(inbox.clone()), Some(())));
    assert_eq!(read(&here, &inbox, uid(1), ByteRange::WHOLE).await.unwrap(), large);
    // Both write in turn: UIDs come from the file and not from the process.
    assert_eq!(deliver(&owner, b"a").await.unwrap().uid, uid(2));
    assert_eq!(deliver(&tool, b"b").await.unwrap().uid, uid(3));

    let there = account(&tool).await;
    assert!(here.lease_maildrop(&inbox).await.is_ok());
    assert_eq!(there.lease_maildrop(&inbox).await.unwrap_err().kind(), ErrorKind::Unsupported);
    assert!(owner.features().maildrop_lease && !tool.features().maildrop_lease);
    let foreign = blob(&tool, b"x").await;
    let refused = owner.deliver(&foreign, vec![Target::inbox(ada())], Mode::AllOrNothing).await;
    assert_eq!(refused.unwrap_err().kind(), ErrorKind::Invalid);
}

#[tokio::test]
async fn nothing_is_swept_while_a_tool_holds_what_is_not_placed_yet() {
    let (_folder, path) = folder();
    drop(SqliteStore::open(&path).unwrap());
    let tool = SqliteStore::options().shared().open(&path).unwrap();
    let unplaced = blob(&tool, &octets(100_000)).await;
    let owner = SqliteStore::open(&path).unwrap();
    tokio::time::sleep(Duration::from_millis(300)).await;
    assert_eq!(body_files(&path), 1);
    tool.deliver(&unplaced, vec![Target::inbox(ada())], Mode::AllOrNothing).await.unwrap();
    let account = account(&owner).await;
    assert_eq!(read(&account, &inbox(&account).await, uid(1), ByteRange::WHOLE).await.unwrap(), octets(100_000));
}

#[tokio::test]
async fn files_that_a_crash_left_are_swept_at_the_next_opening() {
    let (_folder, path) = folder();
    let store = SqliteStore::open(&path).unwrap();
    deliver(&store, &octets(100_000)).await.unwrap();
    store.close().await;
    let mut folder = path.as_os_str().to_owned();
    folder.push(".bodies");
    let orphan = std::path::Path::new(&folder).join("ab");
    fs::create_dir_all(&orphan).unwrap();
    fs::write(orphan.join("ab".repeat(16)), b"half a mess").unwrap();
    fs::write(orphan.join("README"), b"somebody else's").unwrap();
    let _store = SqliteStore::open(&path).unwrap();
    for _ in 0..200 {
        if body_files(&path) == 2 {
            assert!(orphan.join("README").exists());
            return;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    panic!("{} files", body_files(&path));
}

#[tokio::test]
async fn an_older_copy_put_back_gets_new_uid_validities() {
    let (folder, path) = folder();
    let store = SqliteStore::open(&path).unwrap();
    let place = inbox(&account(&store).await).await;
    deliver(&store, b"one").await.unwrap();
    let copy = folder.path().join("copy.db");
    Connection::open(&path).unwrap().execute("VACUUM INTO ?", [copy.to_str().unwrap()]).unwrap();
    let lost = deliver(&store, b"lost").await.unwrap();
    store.close().await;
    fs::copy(&copy, &path).unwrap();

    let store = SqliteStore::open(&path).unwrap();
    let again = account(&store).await;
    assert_eq!(inbox(&again).await, place, "ids stay");
    let snapshot = again.snapshot(&place, false).await.unwrap();
    assert!(snapshot.uid_validity > lost.uid_validity);
    let placed = deliver(&store, b"two").await.unwrap();
    assert_eq!((placed.uid, placed.uid_validity), (lost.uid, snapshot.uid_validity));
    let made = again.create(&name("New"), None).await.unwrap();
    assert!(made.uid_validity > snapshot.uid_validity);
    drop(again);
    store.close().await;

    // A plain reopening is none, and a copy of everything has to be told of.
    let store = SqliteStore::open(&path).unwrap();
    assert_eq!(account(&store).await.snapshot(&place, false).await.unwrap().uid_validity, snapshot.uid_validity);
    store.close().await;
    let store = SqliteStore::options().restored().open(&path).unwrap();
    assert!(account(&store).await.snapshot(&place, false).await.unwrap().uid_validity > made.uid_validity);
}

#[tokio::test]
async fn an_older_copy_is_found_out_also_when_it_was_a_tool_that_went_further() {
    let (folder, path) = folder();
    let store = SqliteStore::open(&path).unwrap();
    let place = inbox(&account(&store).await).await;
    store.close().await;
    let tool = SqliteStore::options().shared().open(&path).unwrap();
    let copy = folder.path().join("copy.db");
    Connection::open(&path).unwrap().execute("VACUUM INTO ?", [copy.to_str().unwrap()]).unwrap();
    let lost = deliver(&tool, b"imported, and lost").await.unwrap();
    tool.close().await;
    // Clients see it, and nothing is written meanwhile.
    let store = SqliteStore::open(&path).unwrap();
    assert_eq!(account(&store).await.snapshot(&place, false).await.unwrap().uid_validity, lost.uid_validity);
    store.close().await;
    fs::copy(&copy, &path).unwrap();

    let store = SqliteStore::open(&path).unwrap();
    assert!(account(&store).await.snapshot(&place, false).await.unwrap().uid_validity > lost.uid_validity);
}

#[cfg(unix)]
#[tokio::test]
async fn bodies_wait_for_a_database_that_is_missing() {
    let (folder, path) = folder();
    let store = SqliteStore::open(&path).unwrap();
    deliver(&store, &octets(100_000)).await.unwrap();
    store.close().await;
    // A restore that was begun with the server already up again, or a database moved away to look at it.
    let away = folder.path().join("away.db");
    fs::rename(&path, &away).unwrap();
    let store = SqliteStore::open(&path).unwrap();
    tokio::time::sleep(Duration::from_millis(300)).await;
    store.close().await;
    assert_eq!(body_files(&path), 1, "swept for a database that knows nothing of it");
    fs::rename(&away, &path).unwrap();
    let store = SqliteStore::open(&path).unwrap();
    let account = account(&store).await;
    let inbox = inbox(&account).await;
    assert_eq!(read(&account, &inbox, uid(1), ByteRange::WHOLE).await.unwrap(), octets(100_000));
}

#[tokio::test]
async fn another_users_account_is_not_there() {
    let (_folder, path) = folder();
    let store = SqliteStore::open(&path).unwrap();
    let refused = store.open(&ada(), &Actor::User(AccountId::from("bob@example.org"))).await.unwrap_err();
    assert_eq!(refused.kind(), ErrorKind::NotFound);
    let bob = AccountId::from("bob@example.org");
    let bobs = store.open(&bob, &Actor::User(bob.clone())).await.unwrap();
    let adas = inbox(&account(&store).await).await;
    assert_eq!(bobs.snapshot(&adas, false).await.unwrap_err().kind(), ErrorKind::NotFound);
    assert_eq!(bobs.watch(&[adas]).await.err().unwrap().kind(), ErrorKind::NotFound);
}
