//! `check`: a disk that has lost something is found out, and what is left is served on.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::print_stderr, reason = "it is a test")]

mod support;

use support::host::Host;
use support::{program, run, text};

#[test]
fn what_a_disk_has_lost_is_told_and_mended_and_the_rest_is_all_there() {
    let mut host = Host::start(&["--allow-insecure-login"]);
    let data = host.server.data.clone();
    let command = |words: &[&str]| {
        let mut command = program(&data);
        command.args(words);
        let output = run(command, "");
        (output.status.code(), text(&output.stdout), text(&output.stderr))
    };
    let large = host.file("large.eml", &[&b"Subject: large\r\n\r\n"[..], &b"line\r\n".repeat(50_000)].concat());
    let small = host.file("small.eml", b"Subject: small\r\n\r\nhello\r\n");
    let (large, small) = (large.display().to_string(), small.display().to_string());
    assert_eq!(command(&["import", "me", &small, &large, &small]).0, Some(0));
    let all_is_well = (Some(0), "3 messages read; all is as it has to be\n".to_owned(), String::new());
    assert_eq!(command(&["check"]), all_is_well, "while it runs");
    assert_eq!(command(&["check", "--repair"]), all_is_well);
    host.server.kill();

    // The body of the large one lies in a file of its own; half of it goes. And a count is wrong.
    let bodies = data.join("mail.sqlite.bodies");
    let folder = std::fs::read_dir(&bodies).unwrap().map(|entry| entry.unwrap().path());
    let files: Vec<_> =
        folder.flat_map(|folder| std::fs::read_dir(folder).unwrap()).map(|file| file.unwrap()).collect();
    assert_eq!(files.len(), 1);
    std::fs::File::options().write(true).open(files[0].path()).unwrap().set_len(1000).unwrap();
    let database = rusqlite::Connection::open(data.join("mail.sqlite")).unwrap();
    database.execute("UPDATE mailbox SET unseen = 77 WHERE name = 'INBOX'", ()).unwrap();
    drop(database);

    let (code, out, wrong) = command(&["check"]);
    assert_eq!((code, out.as_str()), (Some(1), ""), "{wrong}");
    let lines: Vec<_> = wrong.lines().collect();
    assert_eq!(lines[0], "wrong: mailboxes whose counts are wrong: 1");
    assert!(lines[1].starts_with("wrong: me@example.org's INBOX, UID 2: it cannot be read ("), "{wrong}");
    assert!(lines.last().unwrap().contains("check --repair mends"), "{wrong}");
    let (code, out, mended) = command(&["check", "--repair"]);
    assert_eq!((code, out.contains("has been put right")), (Some(0), true), "{mended}");
    assert!(mended.contains("UID 2") && mended.contains("has been taken out"), "{mended}");
    let (code, out, wrong) = command(&["check", "me"]);
    assert_eq!((code, out.as_str(), wrong.as_str()), (Some(0), "2 messages read; all is as it has to be\n", ""));
    assert_eq!(host.exported().len(), 2);
}
