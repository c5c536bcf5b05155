//! What the README has a visitor type, typed: the commands are read out of it, with this run's ports and password.
#![cfg(unix)]
#![allow(missing_docs, clippy::indexing_slicing, clippy::print_stderr, reason = "tests")]

mod support;

use std::path::Path;
use std::process::Command;

use support::host::is_there;
use support::{Server, run, text};

/// The block of code behind these words.
fn block(behind: &str, fence: &str) -> String {
    let readme = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../README.md");
    let readme = std::fs::read_to_string(readme).expect("the README");
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
