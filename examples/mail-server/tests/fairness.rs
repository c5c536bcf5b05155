//! A thousand connections that say nothing, or half of something, and a real client among them (attack rows C1, C3).
#![cfg(target_os = "linux")]
#![allow(missing_docs, clippy::indexing_slicing, clippy::print_stderr, reason = "tests")]

mod support;

use std::io::{Read, Write};
use std::net::TcpStream;
use std::process::Command;
use std::time::{Duration, Instant};

use support::{Line, Server, run, text};

const IDLE: usize = 1000;

/// The script that a real client is: sends by SMTP, fetches by POP3, with Python's own libraries.
const ROUND_TRIP: &str = r#"
import poplib, smtplib, sys
smtp_port, pop3_port, user, password, word = int(sys.argv[1]), int(sys.argv[2]), sys.argv[3], sys.argv[4], sys.argv[5]
with smtplib.SMTP("127.0.0.1", smtp_port, timeout=120) as smtp:
    smtp.sendmail("a@example.net", [user], "Subject: %s\r\n\r\nhello\r\n" % word)
pop3 = poplib.POP3("127.0.0.1", pop3_port, timeout=120)
pop3.user(user)
pop3.pass_(password)
lines = pop3.retr(pop3.stat()[0])[1]
assert ("Subject: %s" % word).encode() in lines, lines
pop3.quit()
"#;

/// The same by hand, where there is no Python.
fn round_trip_by_hand(server: &Server, password: &str, word: &str) -> std::io::Result<()> {
    let mut smtp = server.connect("smtp");
    smtp.reply()?;
    smtp.ask("HELO c", "250")?;
    smtp.ask("MAIL FROM:<a@example.net>", "250")?;
    smtp.ask(&format!("RCPT TO:<{}>", server.user), "250")?;
    smtp.ask("DATA", "354")?;
    smtp.ask(&format!("Subject: {word}\r\n\r\nhello\r\n."), "250")?;
    let mut pop3 = server.connect("pop3");
    pop3.line()?;
    let mut say = |command: &str| {
        pop3.send(format!("{command}\r\n").as_bytes())?;
        pop3.line()
    };
    say(&format!("USER {}", server.user))?;
    assert!(say(&format!("PASS {password}"))?.starts_with("+OK"));
    let stat = say("STAT")?;
    let last = stat.split(' ').nth(1).expect("a count").to_owned();
    assert!(say(&format!("RETR {last}"))?.starts_with("+OK"));
    assert!(text(&pop3.multiline()?).contains(&format!("Subject: {word}")));
    Ok(())
}

fn round_trip(server: &Server, password: &str, word: &str) -> std::io::Result<()> {
    round_trip_by_hand(server, password, word)?;
    let mut python = Command::new("python3");
    python.args(["-c", ROUND_TRIP]);
    python.args([server.port("smtp").to_string(), server.port("pop3").to_string()]);
    python.args([server.user.as_str(), password, word]);
    if Command::new("python3").arg("--version").output().is_err() {
        assert!(std::env::var("CI").as_deref() != Ok("true"), "python3 is not installed");
        eprintln!("skipped: python3 is not installed");
        return Ok(());
    }
    let output = run(python, "");
    assert!(output.status.success(), "{word}: {}{}", text(&output.stdout), text(&output.stderr));
    Ok(())
}

/// Connections across the ports, each stuck in a place of its own.
fn idlers(server: &Server) -> std::io::Result<Vec<TcpStream>> {
    let says: [(&str, &[u8]); 10] = [
        ("smtp", b""),
        ("smtp", b"EHLO half-a-li"),
        ("smtp", b"EHLO c\r\nMAIL FROM:<a@example.net>\r\nRCPT TO:<me@example.org>\r\nDATA\r\nSubject: stuck"),
        ("smtp", b"EHLO c\r\nSTARTTLS\r\n\x16\x03\x01\x02\x00\x01\x00"),
        ("submission", b"EHLO c\r\n"),
        ("submissions", b""),
        ("submissions", b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03"),
        ("pop3", b"USER"),
        ("pop3", b"USER me@example.org\r\n"),
        ("pop3s", b"\x16\x03\x01"),
    ];
    let mut sockets = Vec::new();
    for (role, octets) in says.into_iter().cycle().take(IDLE) {
        let mut socket = TcpStream::connect(("127.0.0.1", server.port(role)))?;
        if !role.ends_with('s') {
            // Who talks before the greeting is refused, and is not what is wanted here.
            let mut greeting = [0; 512];
            assert!(socket.read(&mut greeting)? > 0);
        }
        socket.write_all(octets)?;
        sockets.push(socket);
    }
    Ok(sockets)
}

fn start(folder: &std::path::Path, more: &[&str]) -> (Server, String) {
    let more = [&["--domain", "example.org", "--allow-insecure-login", "--log", "error"], more].concat();
    let server = Server::start(&folder.join("data"), &more);
    let password = server.password.clone().expect("a first start");
    (server, password)
}

#[test]
fn sec_c1_a_thousand_idle_and_half_open_connections_leave_a_real_client_served() -> std::io::Result<()> {
    let folder = tempfile::tempdir()?;
    let (server, password) = start(folder.path(), &[]);
    round_trip(&server, &password, "before")?;
    let idlers = idlers(&server)?;
    round_trip(&server, &password, "among")?;
    drop(idlers);
    round_trip(&server, &password, "after")
}

#[test]
fn sec_c3_beyond_the_cap_one_is_told_so_and_when_the_others_have_gone_all_is_well() -> std::io::Result<()> {
    let folder = tempfile::tempdir()?;
    let (server, password) = start(folder.path(), &["--max-connections", "50"]);
    let port = |role| server.port(role);
    let fill = |role| -> std::io::Result<Vec<Line>> {
        (0..50)
            .map(|_| {
                let mut line = Line::try_connect(port(role))?;
                line.line()?;
                Ok(line)
            })
            .collect()
    };
    let (smtp, pop3) = (fill("smtp")?, fill("pop3")?);
    let told = server.connect("smtp").line()?;
    assert!(told.starts_with("421 4.3.2 "), "{told}");
    let told = server.connect("pop3").line()?;
    assert!(told.starts_with("-ERR [SYS/TEMP] "), "{told}");
    // The ports do not take from each other.
    assert!(server.connect("submission").reply()?.starts_with("220 "));
    // Under implicit TLS there is nothing to be said in clear.
    let mut quiet = (0..50).map(|_| TcpStream::connect(("127.0.0.1", port("pop3s")))).collect::<Result<Vec<_>, _>>()?;
    let mut one_more = TcpStream::connect(("127.0.0.1", port("pop3s")))?;
    one_more.set_read_timeout(Some(Duration::from_secs(60)))?;
    assert!(matches!(one_more.read(&mut [0; 16]), Ok(0) | Err(_)));
    quiet.clear();
    drop((smtp, pop3));
    let begin = Instant::now();
    loop {
        match round_trip_by_hand(&server, &password, "after") {
            Ok(()) => break,
            // The server is still noticing that they have gone.
            Err(error) if begin.elapsed() < Duration::from_secs(60) => eprintln!("not yet: {error}"),
            Err(error) => return Err(error),
        }
    }
    round_trip(&server, &password, "later")
}

#[test]
fn a_low_limit_of_open_files_is_raised_as_far_as_it_may_be() -> std::io::Result<()> {
    let folder = tempfile::tempdir()?;
    let data = folder.path().join("data");
    let program = env!("CARGO_BIN_EXE_pillarbox-mail-server");
    let mut command = Command::new("sh");
    command
        .args(["-c", "ulimit -Sn 256; exec \"$0\" \"$@\"", program])
        .env_remove("PILLARBOX_DATA")
        .env("NO_COLOR", "1");
    command.arg("--data").arg(&data).args(support::FREE_PORTS);
    command.args(["--domain", "example.org", "--allow-insecure-login", "--log", "error", "--max-connections", "600"]);
    let server = Server::spawn(command, &data);
    let limits = std::fs::read_to_string(format!("/proc/{}/limits", server.child.id()))?;
    let line = limits.lines().find(|line| line.starts_with("Max open files")).expect("Linux");
    let mut numbers = line.split_whitespace().filter_map(|word| word.parse::<u64>().ok());
    let (soft, hard) = (numbers.next().expect("a limit"), numbers.next().unwrap_or(u64::MAX));
    assert!(soft >= hard.min(6 * 600), "{line}");
    let idle: Vec<_> = (0..500).map(|_| server.connect("smtp")).collect();
    round_trip_by_hand(&server, server.password.as_deref().expect("a first start"), "among")?;
    drop(idle);
    Ok(())
}
