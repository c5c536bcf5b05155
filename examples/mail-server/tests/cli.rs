//! The program at the terminal: what it prints, what it ends with, and what it says when it cannot.
#![cfg(unix)]
#![allow(missing_docs, clippy::indexing_slicing, clippy::print_stdout, clippy::print_stderr, reason = "tests")]

mod support;

use std::net::TcpListener;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::time::Duration;

use support::{FREE_PORTS, Server, program, run, text};
use tempfile::TempDir;

fn folder() -> TempDir {
    tempfile::tempdir().expect("a folder for the test")
}

/// Runs it, wants it to fail so, and with one sentence that has these words in it.
fn fails(data: &Path, arguments: &[&str], code: i32, words: &[&str]) {
    let mut command = program(data);
    command.args(arguments);
    let output = run(command, "");
    let told = text(&output.stderr);
    assert_eq!(output.status.code(), Some(code), "{arguments:?}: {told}");
    for word in words {
        assert!(told.contains(word), "{arguments:?}: no `{word}` in: {told}");
    }
    for trace in ["panicked", "RUST_BACKTRACE", "stack backtrace", "Error {"] {
        assert!(!told.contains(trace), "{told}");
    }
    let sentences = told.lines().filter(|line| line.starts_with("pillarbox-mail-server: ")).count();
    assert!(sentences == 1 || told.starts_with("error: "), "one sentence: {told}");
}

fn done(data: &Path, arguments: &[&str], input: &str) -> String {
    let mut command = program(data);
    command.args(arguments);
    let output = run(command, input);
    assert!(output.status.success(), "{arguments:?}: {}", text(&output.stderr));
    text(&output.stdout)
}

#[test]
fn the_first_start_makes_everything_and_tells_the_password_once() {
    let above = folder();
    let data = above.path().join("data");
    let mut first = Server::start(&data, &["--domain", "example.org"]);
    assert_eq!(first.user, "me@example.org");
    assert!(first.password.as_deref().is_some_and(|password| password.len() > 20), "{}", first.printed);
    assert_eq!(first.ports.len(), 8, "{}", first.printed);
    for (name, mode) in [("", 0o700), ("accounts.sqlite", 0o600), ("tls-key.pem", 0o600)] {
        let found = data.join(name).metadata().expect(name).permissions().mode() & 0o777;
        assert_eq!(found, mode, "{name}");
    }
    assert!(data.join("mail.sqlite").exists());
    first.signal("TERM");
    assert_eq!(first.wait(Duration::from_secs(20)), Some(0));

    let second = Server::start(&data, &["--domain", "example.org"]);
    assert!(second.printed.contains("`account passwd` sets a new one"), "{}", second.printed);
    assert_eq!((second.user.as_str(), second.password.as_deref()), ("me@example.org", None), "{}", second.printed);
    assert!(!second.printed.contains(&first.password.clone().expect("told")));
}

#[test]
fn sigint_ends_it_too() {
    let above = folder();
    let mut server = Server::start(&above.path().join("data"), &["--store", "memory:"]);
    server.signal("INT");
    assert_eq!(server.wait(Duration::from_secs(20)), Some(0));
}

#[test]
fn one_server_for_each_folder() {
    let above = folder();
    let data = above.path().join("data");
    let _server = Server::start(&data, &[]);
    fails(&data, &FREE_PORTS, 1, &["another server is running", "stop that one first"]);
}

#[test]
fn accounts_are_managed_while_the_server_runs() {
    let above = folder();
    let data = above.path().join("data");
    let _server = Server::start(&data, &["--domain", "example.org"]);
    assert_eq!(
        done(&data, &["account", "add", "ada", "--password-stdin"], "correct horse\n"),
        "added ada@example.org\n"
    );
    fails(&data, &["account", "add", "ada", "--password-stdin"], 1, &["ada@example.org already", "account passwd"]);
    fails(&data, &["account", "passwd", "bob", "--password-stdin"], 1, &["no account bob@example.org", "account list"]);
    fails(&data, &["account", "add", "bob", "--password-stdin"], 1, &["the password is empty"]);
    fails(&data, &["account", "add", "bob"], 2, &["--password-stdin"]);
    fails(&data, &["account", "add", "b o b", "--password-stdin"], 2, &["no name for an account"]);
    fails(&data, &["account", "add", "bob", "--password", "x"], 2, &["--password"]);
    let listed = done(&data, &["account", "list"], "");
    assert!(listed.contains("me@example.org") && listed.contains("ada@example.org"), "{listed}");

    let password = done(&data, &["account", "app-password", "add", "ada", "old phone"], "");
    assert_eq!(password.trim().len(), 24);
    assert!(done(&data, &["account", "app-password", "list", "ada"], "").contains("old phone"));
    fails(&data, &["account", "app-password", "remove", "ada", "new phone"], 1, &["no app password of that label"]);
    done(&data, &["account", "app-password", "remove", "ada", "old phone"], "");

    done(&data, &["alias", "add", "info", "ada", "me"], "");
    assert!(done(&data, &["alias", "list"], "").contains("info@example.org"));
    fails(&data, &["alias", "add", "info", "nobody"], 1, &["nobody@example.org", "account add"]);
    fails(&data, &["account", "add", "info", "--password-stdin"], 1, &["is an alias"]);
    done(&data, &["alias", "remove", "info"], "");
    fails(&data, &["alias", "remove", "info"], 1, &["no alias info@example.org"]);
    done(&data, &["account", "remove", "ada"], "");
    fails(&data, &["account", "remove", "ada"], 1, &["no account ada@example.org"]);
    // The mail was kept, and can still be removed; then there is nothing left of the name.
    done(&data, &["account", "remove", "ada", "--delete-mail"], "");
    fails(&data, &["account", "remove", "ada", "--delete-mail"], 1, &["no account ada@example.org"]);
}

#[test]
fn an_account_made_before_the_first_start_is_the_first() {
    let above = folder();
    let data = above.path().join("data");
    done(&data, &["account", "add", "ada@example.org", "--password-stdin"], "correct horse\n");
    let server = Server::start(&data, &["--domain", "example.org"]);
    assert_eq!((server.user.as_str(), server.password.as_deref()), ("ada@example.org", None));
}

#[test]
fn commands_without_a_folder_make_none() {
    let above = folder();
    let data = above.path().join("nothing");
    for arguments in [
        &["account", "list"][..],
        &["alias", "list"],
        &["import", "ada", "x"],
        &["export", "ada", "x", "--format", "eml"],
    ] {
        fails(&data, arguments, 1, &["there is no data folder", "start the server once"]);
    }
    assert!(!data.exists());
}

#[test]
fn a_port_in_use_is_named_with_its_flag() {
    let above = folder();
    let taken = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let address = taken.local_addr().expect("bound").to_string();
    let port = format!("port {} is in use", taken.local_addr().expect("bound").port());
    let mut arguments = FREE_PORTS.to_vec();
    arguments.extend(["--pop3", &address]);
    // The last one wins nothing: a flag is given once.
    fails(&above.path().join("a"), &arguments, 2, &["--pop3"]);
    let arguments: Vec<&str> = FREE_PORTS[..12].iter().copied().chain(["--pop3s", "off", "--pop3", &address]).collect();
    fails(&above.path().join("b"), &arguments, 1, &[&port, "--pop3", "stop that one"]);
}

/// The program as a user who is not root, whoever runs the test.
fn as_nobody(data: &Path) -> Option<std::process::Command> {
    let root = std::fs::metadata("/proc/self").is_ok_and(|data| std::os::unix::fs::MetadataExt::uid(&data) == 0);
    if !root {
        return Some(program(data));
    }
    let binary = env!("CARGO_BIN_EXE_pillarbox-mail-server");
    let mut command = std::process::Command::new("setpriv");
    command.args(["--reuid", "65534", "--clear-groups", "--", binary, "--data"]).arg(data);
    let mut probe = std::process::Command::new("setpriv");
    probe.args(["--reuid", "65534", "--clear-groups", "--", binary, "--version"]);
    probe.output().is_ok_and(|output| output.status.success()).then_some(command)
}

#[test]
fn what_needs_a_right_that_is_missing_is_explained() {
    let above = folder();
    std::fs::set_permissions(above.path(), std::fs::Permissions::from_mode(0o777)).expect("set");
    let data = above.path().join("data");
    let Some(mut command) = as_nobody(&data) else {
        eprintln!("skipped: this test runs as root, and there is no setpriv to become somebody else");
        return;
    };
    let everybody = std::fs::read_to_string("/proc/sys/net/ipv4/ip_unprivileged_port_start");
    if everybody.is_ok_and(|port| port.trim().parse::<u16>().is_ok_and(|port| port <= 999)) {
        eprintln!("skipped: this system lets every user open ports below 1024");
    } else {
        command.args(["--smtp", "127.0.0.1:999"]);
        let output = run(command, "");
        let told = text(&output.stderr);
        assert_eq!(output.status.code(), Some(1), "{told}");
        assert!(told.contains("port 999 may not be opened") && told.contains("CAP_NET_BIND_SERVICE"), "{told}");
    }
    let closed = above.path().join("closed");
    std::fs::create_dir(&closed).expect("made");
    std::fs::set_permissions(&closed, std::fs::Permissions::from_mode(0o000)).expect("set");
    let output = run(as_nobody(&closed).expect("as above"), "");
    let told = text(&output.stderr);
    assert_eq!(output.status.code(), Some(1), "{told}");
    assert!(told.contains("permission denied; run as its owner"), "{told}");
    std::fs::set_permissions(&closed, std::fs::Permissions::from_mode(0o555)).expect("set");
    let told = text(&run(as_nobody(&closed).expect("as above"), "").stderr);
    assert!(told.contains("permission denied"), "{told}");
    std::fs::set_permissions(&closed, std::fs::Permissions::from_mode(0o700)).expect("set");
}

#[test]
fn an_address_that_is_not_here_is_explained() {
    fails(folder().path(), &["--smtp", "192.0.2.1:2525"], 1, &["no address 192.0.2.1", "--smtp"]);
}

#[test]
fn a_database_that_does_not_answer_is_told_without_its_password() {
    let data = folder();
    for command in [&["account", "list"][..], &["check"], &[]] {
        let arguments = [&["--store", "postgres://u:hunter2@127.0.0.1:1/x"], command].concat();
        fails(data.path(), &arguments, 1, &["the database cannot be reached", "see that it runs"]);
        let mut command = program(data.path());
        command.args(&arguments);
        assert!(!text(&run(command, "").stderr).contains("hunter2"));
    }
}

#[test]
fn flags_that_make_no_sense_are_usage_errors() {
    let above = folder();
    let data = above.path();
    for (arguments, words) in [
        (&["--smpt", "off"][..], &["--smpt", "--smtp"][..]),
        (&["--smtp", "25"], &["`25` is no listener", "ADDRESS:PORT"]),
        (&["--store", "mysql://x"], &["no store", "sqlite:PATH"]),
        (&["--store", "postgres:u:p@x"], &["postgres://USER@HOST/DATABASE"]),
        (&["--max-message-size", "big"], &["`big` is no size"]),
        (&["--max-message-size", "1k"], &["too small"]),
        (&["--domain", "a b"], &["no domain name"]),
        (&["--tls-cert", "x"], &["--tls-key"]),
        (&["--log", "=="], &["no filter"]),
        (&["--smtp", "127.0.0.1:2525", "--lmtp", "127.0.0.1:2525"], &["--smtp and --lmtp are both"]),
        (&["--catch-all", "a b"], &["--catch-all"]),
        (&["--smtp", "off", "account", "list"], &["do not go with a command"]),
        (&["acount", "list"], &["account"]),
    ] {
        fails(data, arguments, 2, words);
    }
}

#[test]
fn a_typo_in_the_configuration_names_file_line_and_key() {
    let above = folder();
    let file = above.path().join("server.toml");
    let path = file.to_str().expect("a name");
    for (content, words) in [
        (
            "domain = \"example.org\"\nsubmision = \"off\"\n",
            &["server.toml, line 2", "`submision`", "`submission`"][..],
        ),
        ("pop3 = \"of\"\n", &["line 1", "`of` is no listener"]),
        ("domain = [\"example.org\"\n", &["line"]),
    ] {
        std::fs::write(&file, content).expect("written");
        fails(above.path(), &["--config", path], 2, words);
    }
    fails(above.path(), &["--config", "/nowhere/x.toml"], 2, &["/nowhere/x.toml", "it does not exist"]);
}

#[test]
fn the_command_line_wins_over_the_configuration() {
    let above = folder();
    let file = above.path().join("server.toml");
    let content =
        "data = \"kept-here\"\ndomain = [\"example.org\"]\npop3 = \"not used\"\n".replace("not used", "127.0.0.1:1");
    std::fs::write(&file, content).expect("written");
    let mut command = std::process::Command::new(env!("CARGO_BIN_EXE_pillarbox-mail-server"));
    command.env_remove("PILLARBOX_DATA").args(FREE_PORTS).arg("--config").arg(&file);
    let server = Server::spawn(command, &above.path().join("kept-here"));
    assert_eq!(server.user, "me@example.org");
    assert_ne!(server.port("pop3"), 1);
    assert!(server.data.join("mail.sqlite").exists(), "relative to the file's folder");
}

#[test]
fn bad_certificates_are_explained() {
    let above = folder();
    let data = above.path().join("data");
    drop(Server::start(&data, &["--store", "memory:"]));
    let (cert, key) = (data.join("tls-cert.pem"), data.join("tls-key.pem"));
    let other = above.path().join("other");
    drop(Server::start(&other, &["--store", "memory:"]));
    let junk = above.path().join("junk");
    std::fs::write(&junk, "junk").expect("written");
    let other_key = other.join("tls-key.pem");
    let nothing = above.path().join("nothing");
    for (cert, key, words) in [
        (&cert, &other_key, &["does not belong to the certificate"][..]),
        (&junk, &key, &["holds no certificate"]),
        (&cert, &junk, &["holds no private key"]),
        (&nothing, &key, &["--tls-cert", "it does not exist"]),
    ] {
        let (cert, key) = (cert.to_str().expect("a name"), key.to_str().expect("a name"));
        fails(&data, &["--tls-cert", cert, "--tls-key", key], 1, words);
    }
}

#[test]
fn folders_and_databases_that_are_not_ours_are_left_alone() {
    let above = folder();
    let file = above.path().join("file");
    std::fs::write(&file, "x").expect("written");
    fails(&file, &FREE_PORTS, 1, &["it is not a folder", "--data"]);
    fails(&file.join("below"), &FREE_PORTS, 1, &["--data"]);

    for name in ["accounts.sqlite", "mail.sqlite"] {
        let data = above.path().join(name.replace(".sqlite", ""));
        drop(Server::start(&data, &[]));
        std::fs::write(data.join(name), "no database at all".repeat(200)).expect("written");
        for side in ["-wal", "-shm"] {
            let _ = std::fs::remove_file(data.join(format!("{name}{side}")));
        }
        fails(&data, &FREE_PORTS, 1, &[name]);
        assert!(std::fs::read(data.join(name)).expect("there").starts_with(b"no database"), "left as it was");
    }

    let data = above.path().join("newer");
    drop(Server::start(&data, &["--store", "memory:"]));
    let newer = rusqlite::Connection::open(data.join("accounts.sqlite")).expect("opened");
    newer.pragma_update(None, "user_version", 1000).expect("written");
    drop(newer);
    fails(&data, &FREE_PORTS, 1, &["accounts.sqlite", "newer version"]);
}

#[test]
fn help_teaches_with_examples() {
    let above = folder();
    for (arguments, words) in [
        (&["--help"][..], &["Examples:", "--standard-ports", "--imap", "account add", "--config", "SIGTERM"][..]),
        (&["account", "--help"], &["Examples:", "app-password", "--password-stdin"]),
        (&["import", "--help"], &["mbox", "maildir", "eml", "Examples:"]),
        (&["export", "--help"], &["Examples:"]),
    ] {
        let help = done(above.path(), arguments, "");
        for word in words {
            assert!(help.contains(word), "{arguments:?}: no {word} in {help}");
        }
        assert!(help.lines().all(|line| line.chars().count() <= 120), "{help}");
    }
}

#[test]
fn mail_is_imported_and_exported_beside_a_running_server() {
    let above = folder();
    let data = above.path().join("data");
    let _server = Server::start(&data, &["--domain", "example.org"]);
    let mbox = above.path().join("in.mbox");
    let content = "From a Thu Jan  1 00:00:01 1970\nSubject: one\n\n>From here\n\nFrom b Thu Jan  1 00:00:02 1970\n\
        Status: RO\nSubject: two\n\n.\n\n";
    std::fs::write(&mbox, content).expect("written");
    let path = mbox.to_str().expect("a name");
    let told = done(&data, &["import", "me", path], "");
    assert!(told.contains("imported 2 messages into me@example.org"), "{told}");
    let out = above.path().join("out");
    let told = done(&data, &["export", "me", out.to_str().expect("a name"), "--format", "eml"], "");
    assert!(told.contains("exported 2 messages"), "{told}");
    let first = std::fs::read_to_string(out.join("000001.eml")).expect("there");
    assert_eq!(first, "Subject: one\r\n\r\nFrom here\r\n");
    fails(&data, &["export", "me", out.to_str().expect("a name"), "--format", "eml"], 1, &["is there already"]);
    fails(&data, &["import", "nobody", path], 1, &["no account nobody@example.org"]);
    fails(&data, &["import", "me", "/nowhere"], 1, &["/nowhere: it does not exist"]);
    fails(&data, &["import", "me", path, "--store", "memory:"], 2, &["memory:"]);
}
