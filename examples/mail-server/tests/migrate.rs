//! A store that is copied into another while the server runs and once more when it has stopped: Python's imaplib and
//! poplib see the same mail before and after, UID for UID.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::print_stderr, reason = "it is a test")]

#[path = "../../../mailstore-traits/stores/postgres/tests/server/mod.rs"]
mod database;
mod support;

use std::path::Path;
use std::process::Command;

use support::host::{Host, is_there};
use support::{Server, program, run, text};

const DOMAINS: [&str; 4] = ["--domain", "example.org", "--domain", "localhost"];

fn python(host: &Host, script: &str) -> String {
    let mut command = Command::new("python3");
    command.env("PYTHONDONTWRITEBYTECODE", "1").env("PYTHONUTF8", "1");
    command.arg(Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/imap").join(script));
    command.args(["localhost", &host.server.port("imap").to_string(), &host.server.user, &host.password]);
    command.arg(host.server.certificate());
    text(&host.succeeds(command, ""))
}

/// Messages, flags and folders, and a message that was removed; by a client that was not written here.
fn live_in(host: &Host, round: u32) {
    let mut imap = host.server.connect("imap");
    let login = format!("a LOGIN {} {}", host.server.user, host.password);
    let mut say = |command: &str| {
        imap.send(command.as_bytes()).unwrap();
        imap.send(b"\r\n").unwrap();
        let tag = command.split(' ').next().unwrap().to_owned();
        loop {
            let line = imap.line().unwrap();
            if line.starts_with('+') || line.starts_with(&tag) {
                assert!(line.starts_with('+') || line.starts_with(&format!("{tag} OK")), "{command}: {line}");
                return;
            }
        }
    };
    say(&login);
    say(&format!("b CREATE Archive/{round}"));
    say(&format!("c SUBSCRIBE Archive/{round}"));
    for number in 0..20 {
        let message = format!("Subject: {round} {number}\r\n\r\nHello\r\n");
        let mailbox = if number % 3 == 0 { format!("Archive/{round}") } else { "INBOX".to_owned() };
        let octets = message.len();
        say(&format!(
            "d APPEND {mailbox} (\\Seen $Round{round}) \"01-Feb-2020 03:04:05 +0{round}00\" {{{octets}+}}\r\n{message}"
        ));
    }
    say("e SELECT INBOX");
    say(&format!("f STORE {round}:5 +FLAGS (\\Flagged)"));
    say(&format!("g STORE {},* +FLAGS (\\Deleted)", round + 1));
    say("h EXPUNGE");
    say("i LOGOUT");
}

#[test]
fn mail_programs_see_the_same_mail_in_the_database_that_it_was_copied_into() {
    moves_to(|folder| format!("sqlite:{}", folder.join("new.sqlite").display()));
}

#[test]
fn mail_programs_see_the_same_mail_in_the_maildirs_that_it_was_copied_into() {
    moves_to(|folder| format!("maildir:{}", folder.join("maildirs").display()));
}

#[test]
fn mail_programs_see_the_same_mail_in_the_postgresql_that_it_was_copied_into() {
    let Some(database) = database::durable_server() else { return };
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let url = runtime.block_on(database.database());
    // Who may log in is in the database, too: the account is made there first.
    let folder = tempfile::tempdir().unwrap();
    let server = Server::start(folder.path(), &[&DOMAINS[..], &["--store", &url]].concat());
    let password = server.password.clone().unwrap();
    drop(server);
    moves_and_logs_in(|_| url, Some(&password));
}

fn moves_to(to: impl FnOnce(&Path) -> String) {
    moves_and_logs_in(to, None);
}

/// With the password that the account has there, if it is another one.
fn moves_and_logs_in(to: impl FnOnce(&Path) -> String, password: Option<&String>) {
    if !is_there("python3", "--version") {
        return;
    }
    let mut host = Host::start(&["--allow-insecure-login"]);
    let data = host.server.data.clone();
    let to = to(host.folder.path());
    let migrate = || {
        let mut command = program(&data);
        command.args(["migrate", "--to", &to]);
        run(command, "")
    };
    live_in(&host, 1);
    let first = migrate();
    assert!(first.status.success(), "{}", text(&first.stderr));
    assert!(text(&first.stdout).starts_with("copied 18 messages of 1 account"), "{}", text(&first.stdout));
    live_in(&host, 2);
    let before = python(&host, "state.py");
    assert!(before.contains("$Round1") && before.contains("Archive/2"), "{before}");
    host.server.kill();
    let second = migrate();
    let told = "copied 19 messages of 1 account\n  \
                17 messages had been copied before; flags of 1 changed since, 1 went since\n";
    assert_eq!((text(&second.stdout).as_str(), text(&second.stderr).as_str()), (told, ""));

    host.server = Server::start(&data, &[&DOMAINS[..], &["--allow-insecure-login", "--store", &to]].concat());
    if let Some(password) = password {
        host.password.clone_from(password);
    }
    assert_eq!(python(&host, "state.py"), before);
    // A third run finds nothing to do, for commands are about the store that the server has now.
    let same = migrate();
    assert!(text(&same.stderr).contains("the same store"), "{}", text(&same.stderr));
}
