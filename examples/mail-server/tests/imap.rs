//! Other people's IMAP clients against this program: Python's imaplib and imapclient, curl, neomutt, Perl's
//! Mail::IMAPClient and Mail::IMAPTalk; and what only several sessions at once can show.
//!
//! A program or module that is not installed is a test that is skipped, and said so; with `CI=true` in the environment it
//! is one that fails. The scripts are in `tests/imap`; each runs against any IMAP server.
#![allow(missing_docs, clippy::indexing_slicing, clippy::print_stderr, clippy::unwrap_used, reason = "tests")]

#[path = "../../../mailstore-traits/stores/postgres/tests/server/mod.rs"]
mod database;
mod support;

use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use support::Line;
use support::host::{Host, is_there};

/// Whether a Python or Perl module can be loaded, with an interpreter that is there.
fn has_module(interpreter: &str, probe: &[&str], name: &str) -> bool {
    if !is_there(interpreter, "--version") {
        return false;
    }
    if Command::new(interpreter).args(probe).output().is_ok_and(|output| output.status.success()) {
        return true;
    }
    assert!(std::env::var("CI").as_deref() != Ok("true"), "{name} is not installed, and CI wants every client tested");
    eprintln!("skipped: {name} is not installed");
    false
}

/// Runs a script as the first account, with the certificate to trust where it can do STARTTLS.
fn drive(host: &Host, interpreter: &str, script: &str, role: &str, starttls: bool) {
    if !is_there(interpreter, "--version") {
        return;
    }
    let mut command = Command::new(interpreter);
    command.env("PYTHONDONTWRITEBYTECODE", "1").env("PYTHONUTF8", "1");
    command.arg(Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/imap").join(script));
    command.args(["localhost", &host.server.port(role).to_string(), &host.server.user, &host.password]);
    if starttls {
        command.arg(host.server.certificate());
    }
    eprint!("{}", support::text(&host.succeeds(command, "")));
}

fn python(script: &str) {
    drive(&Host::start(&[]), "python3", script, "imap", true);
}

#[test]
fn imaplib_does_all_that_it_can() {
    python("imaplib_all.py");
}

#[test]
fn imaplib_does_all_that_it_can_on_maildirs() {
    let folder = tempfile::tempdir().expect("a folder for the test");
    let host = Host::start(&["--store", &format!("maildir:{}", folder.path().display())]);
    drive(&host, "python3", "imaplib_all.py", "imap", true);
    // What it left lies where every mail program looks for it.
    assert!(folder.path().join("me@example.org/cur").is_dir());
}

#[test]
fn imaplib_does_all_that_it_can_on_postgresql() {
    let Some(database) = database::server() else { return };
    let url = tokio::runtime::Runtime::new().expect("threads").block_on(database.database());
    drive(&Host::start(&["--store", &url]), "python3", "imaplib_all.py", "imap", true);
}

#[test]
fn imaplib_does_all_that_it_can_on_the_memory_store() {
    let folder = tempfile::tempdir().expect("a folder for the test");
    let more = ["--store", "memory:", "--domain", "example.org", "--domain", "localhost"];
    let server = support::Server::start(&folder.path().join("data"), &more);
    let password = server.password.clone().expect("a first start");
    let host = Host { folder, server, password, app_password: String::new() };
    drive(&host, "python3", "imaplib_all.py", "imap", true);
}

#[test]
fn imapclient_finds_folders_flags_searches_and_idle_as_it_expects_them() {
    if has_module("python3", &["-c", "import imapclient"], "Python's imapclient") {
        python("imapclient_all.py");
    }
}

#[test]
fn curl_reads_writes_and_searches() {
    if is_there("curl", "--version") {
        python("curl.py");
    }
}

#[test]
fn neomutt_reads_flags_copies_moves_and_deletes() {
    if is_there("neomutt", "-v") {
        python("neomutt.py");
    }
}

#[test]
fn mail_imapclient_finds_folders_flags_searches_and_idle_as_it_expects_them() {
    if has_module("perl", &["-MMail::IMAPClient", "-MIO::Socket::SSL", "-e1"], "Perl's Mail::IMAPClient with TLS") {
        drive(&Host::start(&[]), "perl", "mail_imapclient.pl", "imap", true);
    }
}

#[test]
fn mail_imaptalk_can_parse_everything() {
    if has_module("perl", &["-MMail::IMAPTalk", "-e1"], "Perl's Mail::IMAPTalk") {
        drive(&Host::start(&["--allow-insecure-login"]), "perl", "mail_imaptalk.pl", "imap", false);
    }
}

#[test]
fn two_clients_at_once_see_each_others_changes_and_keep_their_numbers() {
    python("two_clients.py");
}

#[test]
fn twenty_clients_doing_anything_always_agree_with_the_server() {
    python("random_clients.py");
}

/// Reads up to the line that begins so.
fn until(session: &mut Line, begin: &str) -> String {
    loop {
        let line = session.line().expect("more to come");
        if line.starts_with(begin) {
            return line;
        }
    }
}

#[test]
fn mail_by_smtp_is_told_to_whoever_idles_and_is_there_for_pop3() {
    let host = Host::start(&["--allow-insecure-login"]);
    let mut idler = host.server.connect("imap");
    let login = format!("a LOGIN \"{}\" \"{}\"\r\nb SELECT INBOX\r\nc IDLE\r\n", host.server.user, host.password);
    idler.send(login.as_bytes()).expect("sent");
    until(&mut idler, "+ ");

    let mut sender = host.server.connect("smtp");
    assert!(sender.reply().expect("a greeting").starts_with("220 "));
    for (command, expected) in [
        ("EHLO client.example.net", "250 "),
        ("MAIL FROM:<a@example.net>", "250 "),
        (&format!("RCPT TO:<{}>", host.server.user), "250 "),
        ("DATA", "354 "),
        ("Subject: news\r\n\r\nHere it is.\r\n.", "250 "),
    ] {
        sender.ask(command, expected).expect("taken");
    }
    let begin = Instant::now();
    assert_eq!(until(&mut idler, "* 1 EXISTS"), "* 1 EXISTS");
    assert!(begin.elapsed() < Duration::from_secs(5), "told after {:?}", begin.elapsed());
    idler.send(b"DONE\r\nd FETCH 1 (BODY.PEEK[HEADER.FIELDS (SUBJECT)] RFC822.SIZE)\r\n").expect("sent");
    until(&mut idler, "Subject: news");
    until(&mut idler, "d OK");

    // POP3 removes it while IMAP has it open.
    let mut collector = host.server.connect("pop3");
    for line in [format!("USER {}", host.server.user), format!("PASS {}", host.password), String::from("DELE 1")] {
        collector.send(format!("{line}\r\n").as_bytes()).expect("sent");
    }
    idler.send(b"e IDLE\r\n").expect("sent");
    until(&mut idler, "+ ");
    collector.send(b"QUIT\r\n").expect("sent");
    assert_eq!(until(&mut idler, "* 1 EXPUNGE"), "* 1 EXPUNGE");
    idler.send(b"done\r\nf LOGOUT\r\n").expect("sent");
    until(&mut idler, "e OK");
    until(&mut idler, "f OK");
}
