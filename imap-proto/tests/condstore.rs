//! Modification sequences: conditional STORE, CHANGEDSINCE, and where a client stands (RFC 7162).
#![cfg(feature = "server")]
#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::string_slice, reason = "it is a test")]

mod support;

use imap_proto::Server;
use mailstore_traits::memory::MemoryStore;
use support::{Client, server};

/// Two clients with the same mailbox of that many messages; the first knows of modification sequences.
async fn two(messages: usize) -> (Server<MemoryStore, MemoryStore>, Client, Client, u64) {
    let server = server();
    let (mut ada, mut other) = (Client::ada(&server).await, Client::ada(&server).await);
    for _ in 0..messages {
        ada.append("INBOX", "", "Subject: x\r\n\r\n").await;
    }
    let told = ada.ask("s SELECT INBOX (CONDSTORE)").await;
    other.ask("s EXAMINE INBOX").await;
    other.ask("s SELECT INBOX").await;
    let highest = highest(&told);
    (server, ada, other, highest)
}

fn number_behind(lines: &[String], mark: &str) -> u64 {
    let line = lines.iter().find(|line| line.contains(mark)).unwrap_or_else(|| panic!("{mark} in {lines:?}"));
    let digits = line.split(mark).nth(1).unwrap();
    digits[..digits.find(|char: char| !char.is_ascii_digit()).unwrap_or(digits.len())].parse().unwrap()
}

fn highest(lines: &[String]) -> u64 {
    number_behind(lines, "[HIGHESTMODSEQ ")
}

fn modseq(lines: &[String], number: u32) -> u64 {
    let of: Vec<String> = lines.iter().filter(|line| line.starts_with(&format!("* {number} FETCH"))).cloned().collect();
    number_behind(&of, "MODSEQ (")
}

#[tokio::test]
async fn a_conditional_store_leaves_alone_what_has_changed_since() {
    let (_, mut ada, mut other, before) = two(5).await;
    other.ask("a STORE 2,4 +FLAGS (\\Flagged)").await;
    let told = ada.ask(&format!("a STORE 1:5 (UNCHANGEDSINCE {before}) +FLAGS (\\Seen)")).await;
    assert_eq!(told.last().unwrap(), "a OK [MODIFIED 2,4] Conditional STORE failed");
    for number in [1, 3, 5] {
        assert!(
            told.iter().any(|line| line.starts_with(&format!("* {number} FETCH (FLAGS (\\Seen \\Recent) MODSEQ ("))),
            "{told:?}"
        );
        assert!(modseq(&told, number) > before);
    }
    // The client hears what the others have become (RFC 7162 §3.1.3: SHOULD).
    for number in [2, 4] {
        assert!(
            told.iter().any(|line| line.starts_with(&format!("* {number} FETCH (")) && line.contains("\\Flagged")),
            "{told:?}"
        );
    }
    // By UID, and UIDs that there are not are not modified.
    let told = ada.ask(&format!("b UID STORE 2:4,99 (UNCHANGEDSINCE {before}) +FLAGS.SILENT (\\Draft)")).await;
    assert_eq!(told.last().unwrap(), "b OK [MODIFIED 2:4] Conditional STORE failed");
    let now = modseq(&ada.ask("c FETCH 3 (MODSEQ)").await, 3);
    let told = ada.ask(&format!("d UID STORE 3 (UNCHANGEDSINCE {now}) +FLAGS.SILENT (\\Draft)")).await;
    assert!(told[0].starts_with("* 3 FETCH (UID 3 MODSEQ (") && told.len() == 2, "{told:?}");
    assert!(modseq(&told, 3) > now);
    ada.talk(&[("e NOOP", &["e OK *"])]).await;
}

#[tokio::test]
async fn what_the_server_said_last_is_what_the_next_condition_may_name() {
    let (_, mut ada, _, _) = two(3).await;
    for round in 0..5 {
        let flag = if round % 2 == 0 { "+FLAGS.SILENT" } else { "-FLAGS.SILENT" };
        let now = modseq(&ada.ask("a FETCH 2 MODSEQ").await, 2);
        let told = ada.ask(&format!("b STORE 2 (UNCHANGEDSINCE {now}) {flag} (\\Flagged)")).await;
        assert_eq!(told.last().unwrap(), "b OK STORE completed", "{told:?}");
        let then = modseq(&told, 2);
        assert_eq!(modseq(&ada.ask("c FETCH 2 MODSEQ").await, 2), then);
    }
}

#[tokio::test]
async fn a_silent_store_hides_nothing_that_somebody_else_has_done() {
    let (_, mut ada, mut other, _) = two(3).await;
    other.ask("a STORE 2 +FLAGS (\\Flagged)").await;
    let told = ada.ask("a STORE 1:3 +FLAGS.SILENT (\\Seen)").await;
    assert!(told.iter().any(|line| line.starts_with("* 2 FETCH (") && line.contains("FLAGS (\\Flagged")), "{told:?}");
    assert!(!told.iter().any(|line| line.starts_with("* 1 FETCH (FLAGS")), "{told:?}");
    other
        .talk(&[(
            "b NOOP",
            &[
                "* 1 FETCH (FLAGS (\\Seen))",
                "* 2 FETCH (FLAGS (\\Flagged \\Seen))",
                "* 3 FETCH (FLAGS (\\Seen))",
                "b OK *",
            ],
        )])
        .await;
    // One that knows nothing of modification sequences hears nothing of its own silent change, and all of another's.
    other.talk(&[("c STORE 1 -FLAGS.SILENT (\\Seen)", &["c OK *"]), ("d NOOP", &["d OK *"])]).await;
    ada.ask("b STORE 3 +FLAGS (\\Answered)").await;
    other
        .talk(&[
            ("e STORE 3 +FLAGS.SILENT (\\Deleted)", &["* 3 FETCH (FLAGS (\\Answered \\Deleted \\Seen))", "e OK *"]),
            ("f NOOP", &["f OK *"]),
        ])
        .await;
}

#[tokio::test]
async fn changedsince_tells_of_what_has_changed_and_of_nothing_else() {
    let (_, mut ada, mut other, before) = two(4).await;
    ada.talk(&[(&format!("a FETCH 1:* (FLAGS) (CHANGEDSINCE {before})"), &["a OK *"])]).await;
    other.ask("a STORE 3 +FLAGS (\\Flagged)").await;
    ada.ask("n NOOP").await;
    let told = ada.ask(&format!("b FETCH 1:* (FLAGS) (CHANGEDSINCE {before})")).await;
    assert!(told.len() == 2 && told[0].starts_with("* 3 FETCH (FLAGS (\\Flagged \\Recent) MODSEQ ("), "{told:?}");
    let now = modseq(&told, 3);
    ada.talk(&[
        (&format!("c UID FETCH 1:* UID (CHANGEDSINCE {now})"), &["c OK *"]),
        (&format!("d UID FETCH 1:* UID (CHANGEDSINCE {})", now - 1), &["* 3 FETCH (UID 3 MODSEQ (*))", "d OK *"]),
        ("e FETCH 3 (UID) (CHANGEDSINCE 0)", &["* 3 FETCH (UID 3 MODSEQ (*))", "e OK *"]),
        (&format!("f FETCH 1:2 FLAGS (CHANGEDSINCE {before})"), &["f OK *"]),
        (&format!("g SEARCH MODSEQ {now}"), &[&format!("* SEARCH 3 (MODSEQ {now})"), "g OK *"]),
        (&format!("h SEARCH MODSEQ {}", now + 1), &["* SEARCH", "h OK *"]),
        ("i FETCH 1 FLAGS (CHANGEDSINCE 9223372036854775807)", &["i OK *"]),
    ])
    .await;
}

#[tokio::test]
async fn whatever_shows_that_a_client_knows_of_it_enables_it() {
    for command in [
        "a STATUS INBOX (HIGHESTMODSEQ)",
        "a FETCH 1 MODSEQ",
        "a FETCH 1 FLAGS (CHANGEDSINCE 1)",
        "a SEARCH MODSEQ 1",
        "a STORE 1 (UNCHANGEDSINCE 0) +FLAGS (\\Seen)",
        "a ENABLE CONDSTORE",
    ] {
        let server = server();
        let mut ada = Client::ada(&server).await;
        ada.append("INBOX", "", "Subject: x\r\n\r\n").await;
        ada.ask("s SELECT INBOX").await;
        ada.talk(&[("b STORE 1 +FLAGS (\\Flagged)", &["* 1 FETCH (FLAGS (\\Flagged \\Recent))", "b OK *"])]).await;
        let told = ada.ask(command).await;
        assert!(told.last().unwrap().starts_with("a OK"), "{command}: {told:?}");
        let told = ada.ask("c STORE 1 -FLAGS (\\Flagged)").await;
        assert!(told[0].contains(" MODSEQ ("), "{command}: {told:?}");
    }
}

#[tokio::test]
async fn where_a_client_stands_is_never_ahead_of_what_it_was_told() {
    let (_, mut ada, mut other, before) = two(5).await;
    other.ask("a STORE 1:2 +FLAGS (\\Deleted)").await;
    other.ask("b EXPUNGE").await;
    // FETCH may not tell of it; STATUS of the selected mailbox and UID commands come after.
    ada.ask("a FETCH 5 FLAGS").await;
    ada.ask("b STORE 5 +FLAGS.SILENT (\\Deleted)").await;
    let told = ada.ask("c EXPUNGE").await;
    let gone: Vec<&String> = told.iter().filter(|line| line.ends_with(" EXPUNGE")).collect();
    assert_eq!(gone.len(), 3, "{told:?}");
    let now = highest(&told);
    assert!(now > before);
    let told = ada.ask("d STATUS INBOX (HIGHESTMODSEQ MESSAGES)").await;
    assert!(told[0].contains("MESSAGES 2"), "{told:?}");
    assert_eq!(number_behind(&told, "HIGHESTMODSEQ "), now);
    // Nothing that was told is told again to who asks from there.
    ada.talk(&[(&format!("e UID FETCH 1:* FLAGS (CHANGEDSINCE {now})"), &["e OK *"]), ("f NOOP", &["f OK *"])]).await;
    let told = ada.ask("g SELECT INBOX").await;
    assert_eq!(highest(&told), now);
}

#[tokio::test]
async fn a_conditional_store_by_number_passes_over_what_has_gone() {
    let (_, mut ada, mut other, _) = two(3).await;
    let now = modseq(&ada.ask("a FETCH 3 MODSEQ").await, 3);
    other.ask("a STORE 1 +FLAGS (\\Deleted)").await;
    other.ask("b EXPUNGE").await;
    let told = ada.ask(&format!("b STORE 1:3 (UNCHANGEDSINCE {now}) +FLAGS.SILENT (\\Seen)")).await;
    assert!(told.iter().any(|line| line.starts_with("* 2 FETCH (MODSEQ")), "{told:?}");
    assert!(told.iter().any(|line| line.starts_with("* 3 FETCH (MODSEQ")), "{told:?}");
    assert!(!told.iter().any(|line| line.contains("EXPUNGE") && line.starts_with('*')), "{told:?}");
    let told = ada.ask("c NOOP").await;
    assert_eq!(told[0], "* 1 EXPUNGE", "{told:?}");
    ada.talk(&[("d SEARCH SEEN", &["* SEARCH 1 2", "d OK *"])]).await;
}
