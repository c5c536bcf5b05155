//! What the README has a visitor type, typed: the commands are read out of it, with this run's ports and password.
#![cfg(unix)]
#![allow(missing_docs, clippy::indexing_slicing, clippy::print_stderr, reason = "tests")]

mod support;

use std::io::{Read, Write};
use std::net::TcpStream;
use std::path::Path;
use std::process::Command;

use support::host::is_there;
use support::{Server, run, text};

fn readme() -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../README.md");
    std::fs::read_to_string(path).expect("the README")
}

/// The block of code behind these words.
fn block(behind: &str, fence: &str) -> String {
    let readme = readme();
    let rest = readme.split(behind).nth(1).unwrap_or_else(|| panic!("the README says: {behind}"));
    let code = rest.split(&format!("```{fence}\n")).nth(1).expect("a block of code").split("```").next();
    code.expect("its end").to_owned()
}

#[test]
fn mail_goes_in_and_out_by_the_readmes_commands() {
    let folder = tempfile::tempdir().expect("a folder for the test");
    let server = Server::start(&folder.path().join("data"), &[]);
    let password = server.password.clone().expect("a first start tells it");
    if ["bash", "curl"].iter().any(|program| !is_there(program, "--version")) {
        return;
    }
    let mut commands = block("## Try it by hand", "sh").replace("xxxx-xxxx-xxxx-xxxx-xxxx", &password);
    for (written, role) in [("2587", "submission"), ("2993", "imaps"), ("2995", "pop3s")] {
        assert!(commands.contains(written), "port {written} in {commands}");
        commands = commands.replace(&format!(":{written}"), &format!(":{}", server.port(role)));
    }
    let mut bash = Command::new("bash");
    bash.args(["-euc", &commands]).current_dir(folder.path());
    let output = run(bash, "");
    let (told, complaints) = (text(&output.stdout), text(&output.stderr));
    assert!(output.status.success() && complaints.is_empty(), "{told}{complaints}");
    let (header, body) = told.split_once("\r\n\r\n").expect("a message");
    assert!(header.contains("with ESMTPSA") && header.contains("Subject: hello"), "{told}");
    // Behind it what POP3 says: message 1, and how many octets.
    assert!(
        body.starts_with("It works.\r\n") && body.trim_end().lines().last().is_some_and(|line| line.starts_with("1 "))
    );
}

#[test]
fn the_conversation_in_the_readme_delivers_a_message() {
    let folder = tempfile::tempdir().expect("a folder for the test");
    let server = Server::start(&folder.path().join("data"), &[]);
    let typed = block("Or type it", "text");
    let mut smtp = server.connect("smtp");
    assert!(smtp.reply().expect("a greeting").starts_with("220 "));
    let mut in_message = false;
    for line in typed.lines() {
        smtp.send(format!("{line}\r\n").as_bytes()).expect("it is read");
        if !in_message || line == "." {
            let reply = smtp.reply().expect("a reply");
            assert!(reply.starts_with('2') || reply.starts_with("354"), "{line}: {reply}");
            in_message = reply.starts_with("354");
        }
    }
    let export = folder.path().join("ada.mbox");
    let mut command = support::program(&server.data);
    command.args(["export", "me", "--format", "mbox"]).arg(&export);
    assert!(run(command, "").status.success());
    let mail = std::fs::read_to_string(export).expect("it was written");
    assert!(mail.contains("\n. and this line comes out with one dot."), "{mail}");
}

/// All that a server says to these lines, the last of which ends the conversation.
fn said(server: &Server, role: &str, lines: &[&str]) -> String {
    let mut socket = TcpStream::connect(("127.0.0.1", server.port(role))).expect("it accepts");
    let mut octets = lines.join("\r\n");
    octets.push_str("\r\n");
    socket.write_all(octets.as_bytes()).expect("it reads");
    let mut all = String::new();
    socket.read_to_string(&mut all).expect("it ends");
    all
}

#[test]
fn what_the_readme_says_is_on_is_advertised() {
    let folder = tempfile::tempdir().expect("a folder for the test");
    let server = Server::start(&folder.path().join("data"), &["--allow-insecure-login"]);
    let login = format!("a LOGIN {} {}", server.user, server.password.as_deref().expect("a first start tells it"));
    let smtp = said(&server, "submission", &["EHLO c", "QUIT"]);
    let imap = said(&server, "imap", &["c CAPABILITY", &login, "d CAPABILITY", "b LOGOUT"]);
    let pop3 = said(&server, "pop3", &["CAPA", "QUIT"]);
    // Offered under TLS only; by listener; part of IMAP4rev2; no keyword, and the command itself.
    let elsewhere = ["REQUIRETLS", "PROXY", "BINARY", "an", "CAPA"];
    let readme = readme();
    for (row, told) in [("| SMTP, LMTP, submission |", smtp), ("| IMAP |", imap), ("| POP3 |", pop3)] {
        let on = readme.split(row).nth(1).expect("a row").split('|').next().expect("a cell");
        let words: Vec<_> = on.split([',', ':']).filter_map(|item| item.split_whitespace().next()).collect();
        assert!(words.len() > 8, "{words:?}");
        for word in words.into_iter().filter(|word| !elsewhere.contains(word)) {
            let advertised = told.split([' ', '-', '\r', '\n', '[', ']']).any(|name| name == word);
            assert!(advertised || told.split_whitespace().any(|name| name == word), "{row} {word}: {told}");
        }
    }
}
