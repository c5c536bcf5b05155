//! The numbers at `--metrics`, read by curl, after mail has come and gone.
#![allow(missing_docs, clippy::indexing_slicing, clippy::print_stderr, reason = "tests")]

mod support;

use std::process::Command;

use support::{Server, program, run, text};

/// What curl gets there. `None` if there is no curl, which CI does not forgive.
fn fetch(server: &Server) -> Option<String> {
    let url = server.printed.split_whitespace().find(|word| word.starts_with("http://")).expect("told where");
    match Command::new("curl").args(["-sS", "--fail", "--max-time", "10", url]).output() {
        Ok(output) => {
            assert!(output.status.success(), "{}", text(&output.stderr));
            Some(text(&output.stdout))
        }
        Err(_) => {
            assert!(std::env::var("CI").as_deref() != Ok("true"), "curl is not installed");
            eprintln!("skipped: curl is not installed");
            None
        }
    }
}

#[test]
fn what_has_happened_is_counted_and_shown() -> std::io::Result<()> {
    let folder = tempfile::tempdir()?;
    let more = ["--metrics", "127.0.0.1:0", "--domain", "example.org", "--allow-insecure-login"];
    let server = Server::start(&folder.path().join("data"), &more);
    let password = server.password.clone().expect("a first start");

    let mut smtp = server.connect("smtp");
    smtp.reply()?;
    smtp.ask("EHLO client.example.net", "250")?;
    smtp.ask("MAIL FROM:<a@example.net>", "250")?;
    smtp.ask("RCPT TO:<me@example.org>", "250")?;
    smtp.ask("RCPT TO:<nobody@example.org>", "550")?;
    smtp.ask("DATA", "354")?;
    smtp.ask("Subject: counted\r\n\r\nhello\r\n.", "250")?;
    smtp.ask("FROBNICATE {evil=\"1\"}", "500")?;
    smtp.ask("QUIT", "221")?;
    let mut pop3 = server.connect("pop3");
    pop3.line()?;
    for (command, expected) in [
        ("USER me@example.org", "+OK"),
        ("PASS wrong", "-ERR"),
        ("USER me@example.org", "+OK"),
        (&format!("PASS {password}"), "+OK"),
        ("RETR 1", "+OK"),
    ] {
        pop3.send(format!("{command}\r\n").as_bytes())?;
        let line = pop3.line()?;
        assert!(line.starts_with(expected), "{line}");
    }
    assert!(!pop3.multiline()?.is_empty());
    let mut idle = server.connect("pop3");
    idle.line()?;

    let Some(page) = fetch(&server) else { return Ok(()) };
    for line in [
        "# TYPE pillarbox_connections_total counter",
        "# TYPE pillarbox_connections_open gauge",
        "# TYPE pillarbox_delivery_seconds histogram",
        "pillarbox_connections_total{protocol=\"smtp\"} 1",
        "pillarbox_connections_total{protocol=\"pop3\"} 2",
        "pillarbox_connections_open{protocol=\"pop3\"} 2",
        "pillarbox_commands_total{protocol=\"smtp\",command=\"MAIL\"} 1",
        "pillarbox_commands_total{protocol=\"smtp\",command=\"RCPT\"} 2",
        "pillarbox_commands_total{protocol=\"smtp\",command=\"unknown\"} 1",
        "pillarbox_commands_total{protocol=\"pop3\",command=\"RETR\"} 1",
        "pillarbox_replies_total{protocol=\"smtp\",class=\"5xx\"} 2",
        "pillarbox_replies_total{protocol=\"pop3\",class=\"err\"} 1",
        "pillarbox_messages_total{protocol=\"smtp\",result=\"delivered\"} 1",
        "pillarbox_messages_total{protocol=\"pop3\",result=\"retrieved\"} 1",
        "pillarbox_delivery_seconds_count{protocol=\"smtp\"} 1",
        "pillarbox_logins_total{protocol=\"pop3\",mechanism=\"USER\",result=\"rejected\"} 1",
        "pillarbox_logins_total{protocol=\"pop3\",mechanism=\"USER\",result=\"ok\"} 1",
    ] {
        assert!(page.lines().any(|told| told == line), "no {line} in\n{page}");
    }
    assert!(page.contains("pillarbox_delivery_seconds_bucket{protocol=\"smtp\",le=\"0.005\"}"), "{page}");
    assert!(page.contains("# HELP pillarbox_octets_total Octets of the protocol"), "{page}");
    for secret in ["FROBNICATE", "evil", "example.org", &password] {
        assert!(!page.contains(secret), "{secret} in\n{page}");
    }
    Ok(())
}

#[test]
fn a_port_that_is_taken_ends_the_start_with_a_sentence() -> std::io::Result<()> {
    let folder = tempfile::tempdir()?;
    let taken = std::net::TcpListener::bind("127.0.0.1:0")?;
    let mut command = program(&folder.path().join("data"));
    command.args(support::FREE_PORTS).args(["--metrics", &taken.local_addr()?.to_string()]);
    let output = run(command, "");
    assert_eq!(output.status.code(), Some(1));
    let told = text(&output.stderr);
    let port = taken.local_addr()?.port();
    assert!(told.contains(&format!("port {port} is in use")) && told.contains("--metrics"), "{told}");
    assert!(!text(&output.stdout).contains("ready"));
    Ok(())
}

#[test]
fn nothing_is_shown_unless_it_is_asked_for() -> std::io::Result<()> {
    let folder = tempfile::tempdir()?;
    let server = Server::start(&folder.path().join("data"), &[]);
    assert!(!server.printed.contains("http://"), "{}", server.printed);
    Ok(())
}
