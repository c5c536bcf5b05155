//! Dovecot and mutt work in the Maildir that the store serves, and each sees what the other has done.
//!
//! Without these programs the tests are left out and say so; with `CI=true` they fail.
#![cfg(unix)]
#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::print_stderr, reason = "tests")]

mod common;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use common::*;
use futures::StreamExt;
use mailstore_traits::{Account, FlagChange, UidSet};
use store_maildir::MaildirStore;

/// Whether a program is there.
fn have(program: &str) -> bool {
    let found = std::env::var_os("PATH")
        .is_some_and(|path| std::env::split_paths(&path).any(|folder| folder.join(program).is_file()));
    if !found {
        assert!(std::env::var_os("CI").is_none(), "{program} is not installed, and CI has it");
        eprintln!("SKIPPED: {program} is not installed");
    }
    found
}

/// Whom Dovecot works as where the tests are run by the superuser, whom it refuses.
const NOBODY: u32 = 65_534;

/// Dovecot's administration program on one account, without a server.
struct Dovecot {
    folder: tempfile::TempDir,
    home: PathBuf,
}

impl Dovecot {
    fn new(root: &Path, home: &Path) -> Self {
        use std::os::unix::fs::MetadataExt;
        let folder = tempfile::tempdir().unwrap();
        let owner = fs::metadata(home).unwrap();
        let (user, group) = if owner.uid() == 0 { (NOBODY, NOBODY) } else { (owner.uid(), owner.gid()) };
        let inside = |name: &str| folder.path().join(name).display().to_string();
        fs::write(
            folder.path().join("conf"),
            format!(
                "base_dir = {}\nstate_dir = {}\nlog_path = {}\nmail_location = maildir:~/\nmail_uid = {user}\n\
                 mail_gid = {group}\nfirst_valid_uid = 0\nfirst_valid_gid = 0\nssl = no\n\
                 namespace inbox {{\n  inbox = yes\n  separator = /\n}}\n",
                inside("run"),
                inside("state"),
                inside("log")
            ),
        )
        .unwrap();
        if user == NOBODY {
            for path in [folder.path(), root] {
                use std::os::unix::fs::PermissionsExt;
                fs::set_permissions(path, fs::Permissions::from_mode(0o755)).unwrap();
            }
        }
        Self { folder, home: home.to_owned() }
    }

    fn start(&self, arguments: &[&str]) -> Command {
        use std::os::unix::fs::MetadataExt;
        if fs::metadata(self.home.parent().unwrap()).unwrap().uid() == 0 {
            // What the superuser's store makes is the superuser's.
            let owner = format!("{NOBODY}:{NOBODY}");
            assert!(Command::new("chown").args(["-R", &owner]).arg(&self.home).status().unwrap().success());
        }
        let mut command = Command::new("doveadm");
        command.arg("-c").arg(self.folder.path().join("conf")).args(arguments);
        command.env("HOME", &self.home).env("USER", "ada").stdin(Stdio::null());
        command
    }

    fn run(&self, arguments: &[&str]) -> String {
        let output = self.start(arguments).output().unwrap();
        let errors = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "doveadm {arguments:?}: {errors}");
        String::from_utf8(output.stdout).unwrap()
    }

    fn save(&self, mailbox: &str, message: &[u8]) {
        let file = self.folder.path().join("message");
        fs::write(&file, message).unwrap();
        let mut command = self.start(&["save", "-m", mailbox]);
        assert!(command.stdin(fs::File::open(file).unwrap()).status().unwrap().success());
    }

    /// The values of a field, of all messages of a mailbox.
    fn fetch(&self, field: &str, mailbox: &str) -> Vec<String> {
        let told = self.run(&["-f", "tab", "fetch", field, "mailbox", mailbox, "all"]);
        told.lines().skip(1).map(|line| line.trim_end().to_owned()).collect()
    }

    fn flags(&self, mailbox: &str) -> Vec<Vec<String>> {
        let sorted = |line: String| {
            let mut flags: Vec<String> =
                line.split(' ').filter(|flag| !flag.is_empty() && *flag != "\\Recent").map(str::to_owned).collect();
            flags.sort();
            flags
        };
        self.fetch("flags", mailbox).into_iter().map(sorted).collect()
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn dovecot_and_the_store_see_each_others_changes() {
    if !have("doveadm") {
        return;
    }
    let root = tempfile::tempdir().unwrap();
    let store = MaildirStore::open(root.path()).unwrap();
    let account = account(&store).await;
    let inbox = inbox(&account).await;
    let dovecot = Dovecot::new(root.path(), &root.path().join("ada"));

    // Mail in both directions: as many octets there as here, and the same.
    let ours = b"Subject: ours\r\n\r\nFrom the store.\r\n.\r\n";
    deliver(&store, ours).await.unwrap();
    assert_eq!(dovecot.fetch("hdr.subject", "INBOX"), ["ours"]);
    assert_eq!(dovecot.fetch("size.virtual", "INBOX"), [ours.len().to_string()]);
    dovecot.save("INBOX", b"Subject: theirs\n\nFrom Dovecot.\n");
    assert_eq!(seen(&account, &inbox).await.len(), 2);
    assert_eq!(read(&account, &inbox, uid(2)).await.unwrap(), b"Subject: theirs\r\n\r\nFrom Dovecot.\r\n");
    let sizes: Vec<String> = metas(&account, &inbox).await.iter().map(|meta| meta.size.to_string()).collect();
    assert_eq!(dovecot.fetch("size.virtual", "INBOX"), sizes);

    // Flags and keywords.
    dovecot.run(&["flags", "add", "\\Seen $Junk", "mailbox", "INBOX", "subject", "ours"]);
    assert_eq!(seen(&account, &inbox).await, [(1, "\\Seen $Junk".into()), (2, String::new())]);
    store_flags(&account, &inbox, 2, FlagChange::Add(flags("\\Flagged \\Answered $Junk Work"))).await;
    store_flags(&account, &inbox, 1, FlagChange::Remove(flags("\\Seen"))).await;
    assert_eq!(dovecot.flags("INBOX"), [vec!["$Junk"], vec!["$Junk", "Work", "\\Answered", "\\Flagged"]]);
    dovecot.run(&["flags", "remove", "$Junk \\Flagged", "mailbox", "INBOX", "all"]);
    assert_eq!(seen(&account, &inbox).await, [(1, String::new()), (2, "\\Answered Work".into())]);

    // Mailboxes, subscriptions, copies and moves.
    dovecot.run(&["mailbox", "create", "-s", "Work/Entwürfe"]);
    account.create(&name("Ours/Sub"), None).await.unwrap();
    account.set_subscribed(&name("Ours/Sub"), true).await.unwrap();
    let mut listed: Vec<String> = dovecot.run(&["mailbox", "list"]).lines().map(str::to_owned).collect();
    listed.sort();
    for wanted in ["INBOX", "Ours/Sub", "Work/Entwürfe"] {
        assert!(listed.iter().any(|name| name == wanted), "{listed:?}");
    }
    let mut subscribed: Vec<String> = dovecot.run(&["mailbox", "list", "-s"]).lines().map(str::to_owned).collect();
    subscribed.sort();
    for wanted in ["Ours/Sub", "Work/Entwürfe"] {
        assert!(subscribed.iter().any(|name| name == wanted), "{subscribed:?}");
    }
    let theirs = account.find(&name("Work/Entwürfe")).await.unwrap();
    let sub = account.find(&name("Ours/Sub")).await.unwrap();
    dovecot.run(&["move", "Ours/Sub", "mailbox", "INBOX", "subject", "theirs"]);
    assert_eq!(seen(&account, &inbox).await, [(1, String::new())]);
    assert_eq!(seen(&account, &sub).await, [(1, "\\Answered Work".into())]);
    let first: UidSet = [uid(1)].into_iter().collect();
    account.copy(&inbox, &first, &theirs).await.unwrap();
    account.move_messages(&sub, &first, &theirs).await.unwrap();
    assert_eq!(dovecot.fetch("hdr.subject", "Work/Entwürfe").len(), 2);
    assert!(dovecot.fetch("hdr.subject", "Ours/Sub").is_empty());
    assert!(dovecot.flags("Work/Entwürfe").contains(&vec!["Work".to_owned(), "\\Answered".to_owned()]));

    // What is removed here is gone there, and the other way.
    dovecot.run(&["expunge", "mailbox", "Work/Entwürfe", "subject", "theirs"]);
    assert_eq!(seen(&account, &theirs).await.len(), 1);
    account.expunge(&inbox, &UidSet::all(), false).await.unwrap();
    assert!(dovecot.fetch("uid", "INBOX").is_empty());
    account.rename(&name("Work"), &name("Later")).await.unwrap();
    assert_eq!(dovecot.fetch("hdr.subject", "Later/Entwürfe"), ["ours"]);

    // Who watches hears of Dovecot's delivery.
    let mut watch = Box::pin(account.watch(std::slice::from_ref(&inbox)).await.unwrap());
    dovecot.save("INBOX", b"Subject: news\n\n");
    tokio::time::timeout(Duration::from_secs(20), async {
        while metas(&account, &inbox).await.is_empty() {
            watch.next().await.unwrap();
        }
    })
    .await
    .expect("a signal of Dovecot's delivery");
}

#[tokio::test(flavor = "multi_thread")]
async fn mutt_and_the_store_see_each_others_changes() {
    if !have("mutt") || !have("script") {
        return;
    }
    let root = tempfile::tempdir().unwrap();
    let store = MaildirStore::open(root.path()).unwrap();
    let account = account(&store).await;
    let inbox = inbox(&account).await;
    for subject in ["one", "two", "three"] {
        deliver(&store, format!("From: ada@example.org\r\nSubject: {subject}\r\n\r\nText.\r\n").as_bytes())
            .await
            .unwrap();
    }
    store_flags(&account, &inbox, 3, FlagChange::Add(flags("\\Seen \\Answered"))).await;
    let mutt = |keys: &str| {
        let rc = root.path().join("muttrc");
        let home = root.path().join("ada");
        fs::write(
            &rc,
            format!("set mbox_type=Maildir folder={0} spoolfile={0} quit=yes delete=yes\nset sort=date-received header_cache=\"\"\npush \"{keys}\"\n", home.display()),
        )
        .unwrap();
        let command = format!("mutt -n -F {} -f {}", rc.display(), home.display());
        let status = Command::new("timeout")
            .args(["60", "script", "-qec", &command, "/dev/null"])
            .env("TERM", "vt100")
            .env("HOME", root.path())
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .status()
            .unwrap();
        assert!(status.success(), "mutt ended with {status}");
    };
    // It finds the messages by their headers, and that the third has been answered.
    mutt(
        "<tag-pattern>~s one<enter><tag-prefix><flag-message><untag-pattern>~A<enter>\
          <delete-pattern>~Q ~s three<enter><sync-mailbox><exit>",
    );
    let found = seen(&account, &inbox).await;
    assert_eq!(found.iter().map(|(uid, _)| *uid).collect::<Vec<_>>(), [1, 2], "{found:?}");
    assert!(found[0].1.contains("\\Flagged"), "{found:?}");
    assert_eq!(
        read(&account, &inbox, uid(1)).await.unwrap(),
        b"From: ada@example.org\r\nSubject: one\r\n\r\nText.\r\n"
    );
}
