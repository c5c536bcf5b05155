//! Other people's programs against this one: Python's smtplib and poplib, curl, swaks, msmtp.
//!
//! A program that is not installed is a test that is skipped, and said so; with `CI=true` in the environment it is one
//! that fails.
#![allow(missing_docs, clippy::indexing_slicing, clippy::print_stdout, clippy::print_stderr, reason = "tests")]

mod support;

use std::process::Command;

use support::host::{Host, is_there};
use support::{Server, program, run, text};

/// Whether a message is what was sent, behind trace fields.
fn is_what_was_sent(message: &[u8], sent: &[u8]) -> bool {
    message.starts_with(b"Return-Path:") && message.ends_with(sent) && message.len() > sent.len()
}

#[test]
fn python_sends_every_kind_of_content_every_way() {
    Host::start(&[]).python("roundtrip.py");
}

#[test]
fn python_sends_every_kind_of_content_to_the_memory_store() {
    let folder = tempfile::tempdir().expect("a folder for the test");
    let server = Server::start(&folder.path().join("data"), &["--store", "memory:", "--domain", "example.org"]);
    let password = server.password.clone().expect("a first start");
    Host { folder, server, password, app_password: String::new() }.python("roundtrip.py");
}

#[test]
fn python_sends_a_message_as_large_as_is_taken() {
    Host::start(&[]).python("large.py");
}

#[test]
fn python_opens_fifty_sessions_at_once() {
    Host::start(&[]).python("parallel.py");
}

#[test]
fn python_logs_in_by_every_mechanism() {
    Host::start(&[]).python("login.py");
}

#[test]
fn python_writes_to_an_address_in_letters_of_its_own() {
    let host = Host::start(&["--domain", "müller.example"]);
    let mut command = program(&host.server.data);
    command.args(["account", "add", "Jürgen@müller.example", "--password-stdin"]);
    host.succeeds(command, "Passwörter sind länger\n");
    host.python("utf8.py");
}

#[test]
fn sec_r1_python_finds_no_relay() {
    Host::start(&[]).python("relay.py");
}

#[test]
fn curl_sends_and_fetches() {
    if !is_there("curl", "--version") {
        return;
    }
    let host = Host::start(&[]);
    let mail = "Subject: by curl\r\n\r\n.\r\n..dots\r\n.end\r\n";
    let file = host.file("mail.eml", mail.as_bytes());
    let curl = |url: String, more: &[&str]| {
        let mut command = Command::new("curl");
        command.args(["--silent", "--show-error", "--cacert"]).arg(host.server.certificate());
        command.args(["--user", &format!("{}:{}", host.server.user, host.password), &url]).args(more);
        command
    };
    let port = |role: &str| host.server.port(role);
    let file = file.to_str().expect("a name");
    let mut sent = 0;
    for mechanism in ["AUTH=PLAIN", "AUTH=LOGIN"] {
        let sending = [
            "--mail-from",
            "a@example.net",
            "--mail-rcpt",
            "me@example.org",
            "--upload-file",
            file,
            "--login-options",
            mechanism,
        ];
        let submission = format!("smtp://127.0.0.1:{}/client.example.net", port("submission"));
        host.succeeds(curl(submission, &[&sending[..], &["--ssl-reqd"]].concat()), "");
        host.succeeds(curl(format!("smtps://127.0.0.1:{}/client.example.net", port("submissions")), &sending), "");
        sent += 2;
    }
    let listed = text(&host.succeeds(curl(format!("pop3s://127.0.0.1:{}/", port("pop3s")), &[]), ""));
    assert_eq!(listed.lines().filter(|line| !line.trim().is_empty()).count(), sent, "{listed}");
    for (url, options) in [
        (format!("pop3s://127.0.0.1:{}/1", port("pop3s")), &["--login-options", "AUTH=PLAIN"][..]),
        (format!("pop3s://127.0.0.1:{}/2", port("pop3s")), &["--login-options", "AUTH=LOGIN", "--sasl-ir"]),
        (format!("pop3://127.0.0.1:{}/3", port("pop3")), &["--ssl-reqd"]),
        (format!("pop3://127.0.0.1:{}/4", port("pop3")), &["--ssl-reqd", "--login-options", "AUTH=LOGIN"]),
    ] {
        let message = host.succeeds(curl(url, options), "");
        assert!(is_what_was_sent(&message, mail.as_bytes()), "{}", text(&message));
    }
    // Without TLS nothing is sent, and no password either.
    let clear = curl(format!("pop3://127.0.0.1:{}/1", port("pop3")), &[]);
    assert!(!run(clear, "").status.success());
}

#[test]
fn swaks_sends() {
    if !is_there("swaks", "--version") {
        return;
    }
    let host = Host::start(&[]);
    let mail = "Subject: by swaks\r\n\r\n.\r\n..dots\r\nGr\u{fc}\u{df}e\r\n";
    // swaks puts a line end of its own behind what it is given.
    let file = host.file("mail.eml", mail.trim_end().as_bytes());
    let data = format!("@{}", file.display());
    let swaks = |role: &str, more: &[&str]| {
        let mut command = Command::new("swaks");
        command.args(["--server", "127.0.0.1", "--port", &host.server.port(role).to_string()]);
        command.args(["--from", "a@example.net", "--to", "me@example.org", "--ehlo", "client.example.net"]);
        command.args(["--data", &data]).args(more);
        command
    };
    let login = |mechanism: &str| {
        let words = ["--auth", mechanism, "--auth-user", "me@example.org", "--auth-password", &host.password];
        words.map(str::to_owned).to_vec()
    };
    let with = |login: &[String], more: &[&str]| -> Vec<String> {
        login.iter().cloned().chain(more.iter().map(|word| (*word).to_owned())).collect()
    };
    let mut sent = 0;
    for (role, words) in [
        ("smtp", with(&[], &[])),
        ("smtp", with(&[], &["--tls"])),
        ("lmtp", with(&[], &["--protocol", "LMTP"])),
        ("submission", with(&login("PLAIN"), &["--tls"])),
        ("submission", with(&login("LOGIN"), &["--tls", "--pipeline"])),
        ("submissions", with(&login("PLAIN"), &["--tls-on-connect"])),
        ("submissions", with(&login("LOGIN"), &["--tls-on-connect"])),
    ] {
        let words: Vec<&str> = words.iter().map(String::as_str).collect();
        host.succeeds(swaks(role, &words), "");
        sent += 1;
    }
    let messages = host.exported();
    assert_eq!(messages.len(), sent);
    for message in messages {
        assert!(is_what_was_sent(&message, mail.as_bytes()), "{}", text(&message));
    }
    // A wrong password, and a login in the clear: swaks ends with 28 when authentication fails.
    let wrong = ["--auth", "PLAIN", "--auth-user", "me@example.org", "--auth-password", "wrong", "--tls-on-connect"];
    assert_eq!(run(swaks("submissions", &wrong), "").status.code(), Some(28));
    let clear = ["--auth", "PLAIN", "--auth-user", "me@example.org", "--auth-password", &host.password];
    assert_eq!(run(swaks("submission", &clear), "").status.code(), Some(28));
}

#[test]
fn msmtp_sends_by_every_mechanism_it_shares() {
    if !is_there("msmtp", "--version") {
        return;
    }
    let host = Host::start(&[]);
    let mail = "From: a@example.net\nTo: me@example.org\nSubject: by msmtp\n\n.\n..dots\n.end\n";
    let mut sent = 0;
    for mechanism in ["plain", "login", "scram-sha-256"] {
        for (role, starttls) in [("submission", "on"), ("submissions", "off")] {
            let mut command = Command::new("msmtp");
            command.args(["--file=/dev/null", "--host=127.0.0.1", "--tls=on", "--from=a@example.net"]);
            command.arg(format!("--port={}", host.server.port(role))).arg(format!("--tls-starttls={starttls}"));
            command.arg(format!("--auth={mechanism}")).arg(format!("--user={}", host.server.user));
            command.arg(format!("--passwordeval=echo {}", host.password));
            command.arg(format!("--tls-trust-file={}", host.server.certificate().display())).arg("me@example.org");
            host.succeeds(command, mail);
            sent += 1;
        }
    }
    let messages = host.exported();
    assert_eq!(messages.len(), sent);
    for message in messages {
        assert!(text(&message).ends_with("Subject: by msmtp\r\n\r\n.\r\n..dots\r\n.end\r\n"), "{}", text(&message));
    }
}

#[test]
fn openssl_sees_the_certificate_and_both_kinds_of_tls() {
    if !is_there("openssl", "version") {
        return;
    }
    let host = Host::start(&[]);
    for (role, starttls) in [
        ("smtp", Some("smtp")),
        ("submission", Some("smtp")),
        ("submissions", None),
        ("lmtp", Some("lmtp")),
        ("imap", Some("imap")),
        ("imaps", None),
        ("pop3", Some("pop3")),
        ("pop3s", None),
    ] {
        let mut command = Command::new("openssl");
        command.args([
            "s_client",
            "-connect",
            &format!("127.0.0.1:{}", host.server.port(role)),
            "-verify_return_error",
        ]);
        command.arg("-CAfile").arg(host.server.certificate()).args(["-verify_hostname", "example.org"]);
        if let Some(protocol) = starttls {
            command.args(["-starttls", protocol]);
        }
        let told = text(&host.succeeds(command, "QUIT\r\n"));
        assert!(told.contains("Verify return code: 0 (ok)"), "{role}: {told}");
    }
}

/// Whether a process listens on a port of the loopback. To try it would not tell: the system may have given the port to
/// another server meanwhile, one that a test beside this one has started.
fn listens(process: u32, port: u16) -> bool {
    let end = format!(":{port:04X}");
    let table = std::fs::read_to_string("/proc/net/tcp").expect("the system's connections");
    let listening = table.lines().map(|line| line.split_whitespace().collect::<Vec<_>>()).filter(|words| {
        // Local address, and the state LISTEN.
        words.get(1).is_some_and(|local| local.ends_with(&end)) && words.get(3) == Some(&"0A")
    });
    let sockets: Vec<String> = listening.filter_map(|words| Some(format!("socket:[{}]", words.get(9)?))).collect();
    let Ok(open) = std::fs::read_dir(format!("/proc/{process}/fd")) else { return false };
    open.flatten()
        .filter_map(|file| std::fs::read_link(file.path()).ok())
        .any(|link| sockets.iter().any(|socket| link.as_os_str() == socket.as_str()))
}

#[test]
fn a_signal_lets_what_is_under_way_finish() {
    let mut host = Host::start(&[]);
    let mut idle = host.server.connect("smtp");
    assert!(idle.reply().expect("a greeting").starts_with("220"));
    let mut idle_pop = host.server.connect("pop3");
    assert!(idle_pop.line().expect("a greeting").starts_with("+OK"));
    let mut busy = host.server.connect("smtp");
    busy.reply().expect("a greeting");
    busy.ask("EHLO client.example.net", "250").expect("taken");
    busy.ask("MAIL FROM:<a@example.net>", "250").expect("taken");
    busy.ask("RCPT TO:<me@example.org>", "250").expect("taken");
    busy.ask("DATA", "354").expect("taken");
    busy.send(b"Subject: half\r\n").expect("sent");
    assert!(listens(host.server.child.id(), host.server.port("smtp")));
    host.server.signal("TERM");
    assert!(idle.reply().expect("a parting word").starts_with("421"));
    assert!(idle_pop.line().expect("a parting word").starts_with("-ERR"));
    // Nobody new gets in, and the one in the middle of a message is heard out.
    let begin = std::time::Instant::now();
    while listens(host.server.child.id(), host.server.port("smtp")) {
        assert!(begin.elapsed() < std::time::Duration::from_secs(10), "the listener is closed");
        std::thread::sleep(std::time::Duration::from_millis(10));
    }
    busy.send(b"\r\nwhole\r\n.\r\n").expect("sent");
    assert!(busy.reply().expect("an answer").starts_with("250"));
    assert!(busy.reply().expect("a parting word").starts_with("421"));
    assert_eq!(host.server.wait(std::time::Duration::from_secs(20)), Some(0));
    let messages = host.exported();
    assert_eq!(messages.len(), 1);
    assert!(messages[0].ends_with(b"Subject: half\r\n\r\nwhole\r\n"));
}

#[test]
fn a_second_signal_ends_it_at_once() {
    let mut host = Host::start(&[]);
    let mut busy = host.server.connect("smtp");
    busy.reply().expect("a greeting");
    busy.ask("EHLO client.example.net", "250").expect("taken");
    busy.ask("MAIL FROM:<a@example.net>", "250").expect("taken");
    busy.ask("RCPT TO:<me@example.org>", "250").expect("taken");
    busy.ask("DATA", "354").expect("taken");
    host.server.signal("INT");
    // It waits for the message; the second word does not.
    std::thread::sleep(std::time::Duration::from_millis(500));
    assert!(host.server.child.try_wait().expect("it can be waited for").is_none(), "it waits");
    host.server.signal("INT");
    assert_eq!(host.server.wait(std::time::Duration::from_secs(5)), Some(1));
    assert!(host.exported().is_empty());
}

#[test]
fn sec_t7_a_login_in_the_clear_is_taken_only_where_it_was_allowed() {
    let host = Host::start(&[]);
    let mut line = host.server.connect("submission");
    line.reply().expect("a greeting");
    line.ask("EHLO client.example.net", "250").expect("taken");
    line.ask("AUTH PLAIN AG1lAHg=", "5").expect("refused");
    drop(host);

    let host = Host::start(&["--allow-insecure-login"]);
    let mut line = host.server.connect("pop3");
    line.line().expect("a greeting");
    line.ask("USER me", "+OK").expect("taken");
    line.ask(&format!("PASS {}", host.password), "+OK").expect("taken");
}

#[test]
fn an_account_that_is_added_or_removed_counts_at_once() {
    let host = Host::start(&["--allow-insecure-login"]);
    let account = |arguments: &[&str], input: &str| {
        let mut command = program(&host.server.data);
        command.args(arguments);
        host.succeeds(command, input);
    };
    let rcpt = |expected: &str| {
        let mut line = host.server.connect("smtp");
        line.reply().expect("a greeting");
        line.ask("EHLO client.example.net", "250").expect("taken");
        line.ask("MAIL FROM:<>", "250").expect("taken");
        line.ask("RCPT TO:<Ada@example.org>", expected).expect("as expected");
    };
    rcpt("550");
    account(&["account", "add", "ada@example.org", "--password-stdin"], "correct horse\n");
    rcpt("250");
    let mut line = host.server.connect("pop3");
    line.line().expect("a greeting");
    line.ask("USER ada@example.org", "+OK").expect("taken");
    line.ask("PASS correct horse", "+OK").expect("taken");
    line.ask("QUIT", "+OK").expect("taken");
    account(&["account", "remove", "ada@example.org"], "");
    rcpt("550");
}
