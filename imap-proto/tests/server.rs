//! The server over a store in memory: what each command does, and what others hear of it.
#![cfg(feature = "server")]
#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::string_slice, reason = "it is a test")]

mod support;

use support::{Client, server};

#[tokio::test]
async fn mailboxes_are_made_listed_renamed_and_deleted() {
    let server = server();
    let mut ada = Client::ada(&server).await;
    ada.talk(&[
        ("a LIST \"\" \"\"", &["* LIST (\\Noselect) \"/\" \"\"", "a OK LIST completed"]),
        (
            "b LIST \"\" *",
            &[
                "* LIST (\\HasNoChildren) \"/\" INBOX",
                "* LIST (\\HasNoChildren \\Sent) \"/\" Sent",
                "* LIST (\\HasNoChildren \\Trash) \"/\" Trash",
                "b OK LIST completed",
            ],
        ),
        ("c CREATE a/b/", &["c OK CREATE completed"]),
        ("d CREATE a/b", &["d NO [ALREADYEXISTS] *"]),
        ("e CREATE inbox", &["e NO [ALREADYEXISTS] *"]),
        ("f CREATE \"x//y\"", &["f NO [CANNOT] *"]),
        ("g CREATE &AC8-", &["g NO [CANNOT] *"]),
        ("h CREATE Entw&APw-rfe", &["h OK CREATE completed"]),
        ("i LIST \"\" E%", &["* LIST (\\HasNoChildren) \"/\" Entw&APw-rfe", "i OK *"]),
        ("j DELETE a", &["j NO [HASCHILDREN] *"]),
        ("k DELETE INBOX", &["k NO [CANNOT] *"]),
        ("l DELETE nothing", &["l NO [NONEXISTENT] *"]),
        ("m RENAME a c", &["m OK RENAME completed"]),
        (
            "n LIST (SUBSCRIBED) \"\" * RETURN (CHILDREN)",
            &[
                "* LIST (\\HasNoChildren \\Subscribed \\Sent) \"/\" Sent",
                "* LIST (\\HasNoChildren \\Subscribed \\Trash) \"/\" Trash",
                "n OK *",
            ],
        ),
        ("o SUBSCRIBE c/b", &["o OK *"]),
        ("p LSUB \"\" %", &["* LSUB () \"/\" Sent", "* LSUB () \"/\" Trash", "* LSUB (\\Noselect) \"/\" c", "p OK *"]),
        ("q UNSUBSCRIBE c/b", &["q OK *"]),
        ("r DELETE c/b", &["r OK *"]),
        (
            "s LIST \"\" (c* E*) RETURN (STATUS (MESSAGES))",
            &["* LIST () \"/\" Entw&APw-rfe", "* STATUS Entw&APw-rfe (MESSAGES 0)", "s OK *"],
        ),
        ("t NAMESPACE", &["* NAMESPACE ((\"\" \"/\")) NIL NIL", "t OK *"]),
        (
            "u STATUS INBOX (MESSAGES UIDNEXT UNSEEN SIZE DELETED RECENT HIGHESTMODSEQ)",
            &["* STATUS INBOX (MESSAGES 0 UIDNEXT 1 UNSEEN 0 SIZE 0 DELETED 0 RECENT 0 HIGHESTMODSEQ *)", "u OK *"],
        ),
        ("v STATUS nothing (MESSAGES)", &["v NO [NONEXISTENT] *"]),
        ("w SELECT nothing", &["w NO [NONEXISTENT] *"]),
    ])
    .await;
}

#[tokio::test]
async fn a_renamed_inbox_is_empty_and_its_messages_are_elsewhere() {
    let server = server();
    let mut ada = Client::ada(&server).await;
    ada.append("INBOX", "\\Seen", "Subject: x\r\n\r\n").await;
    ada.talk(&[
        ("a RENAME INBOX old", &["a OK *"]),
        ("b STATUS INBOX (MESSAGES)", &["* STATUS INBOX (MESSAGES 0)", "b OK *"]),
        ("c STATUS old (MESSAGES UNSEEN)", &["* STATUS old (MESSAGES 1 UNSEEN 0)", "c OK *"]),
    ])
    .await;
}

#[tokio::test]
async fn select_tells_what_the_mailbox_is_and_examine_changes_nothing() {
    let server = server();
    let mut ada = Client::ada(&server).await;
    ada.append("INBOX", "\\Seen", "Subject: 1\r\n\r\n").await;
    ada.append("INBOX", "$label", "Subject: 2\r\n\r\n").await;
    ada.talk(&[
        (
            "a EXAMINE INBOX",
            &[
                "* FLAGS (\\Answered \\Deleted \\Draft \\Flagged \\Seen $label)",
                "* OK [PERMANENTFLAGS ()] *",
                "* 2 EXISTS",
                "* 2 RECENT",
                "* OK [UNSEEN 2] *",
                "* OK [UIDVALIDITY *] *",
                "* OK [UIDNEXT 3] *",
                "* OK [HIGHESTMODSEQ *] *",
                "a OK [READ-ONLY] EXAMINE completed",
            ],
        ),
        ("b STORE 1 +FLAGS (\\Deleted)", &["b NO [NOPERM] *"]),
        ("c EXPUNGE", &["c NO [NOPERM] *"]),
        ("d FETCH 2 BODY[]", &["* 2 FETCH (BODY[] {14}|Subject: 2||)", "d OK *"]),
        ("e FETCH 2 FLAGS", &["* 2 FETCH (FLAGS ($label \\Recent))", "e OK *"]),
        (
            "f SELECT INBOX",
            &[
                "* OK [CLOSED] *",
                "* FLAGS *",
                "* OK [PERMANENTFLAGS (\\Answered \\Deleted \\Draft \\Flagged \\Seen $label \\*)] *",
                "* 2 EXISTS",
                "* 2 RECENT",
                "* OK [UNSEEN 2] *",
                "* OK [UIDVALIDITY *] *",
                "* OK [UIDNEXT 3] *",
                "* OK [HIGHESTMODSEQ *] *",
                "f OK [READ-WRITE] SELECT completed",
            ],
        ),
        ("g UNSELECT", &["g OK *"]),
        ("h FETCH 1 FLAGS", &["h BAD No mailbox selected"]),
    ])
    .await;
    // What SELECT has claimed is recent to nobody else.
    let mut other = Client::ada(&server).await;
    let told = other.ask("a SELECT INBOX").await;
    assert!(told.contains(&"* 0 RECENT".to_owned()), "{told:?}");
    other.talk(&[("b ENABLE IMAP4rev2", &["* ENABLED IMAP4rev2", "b OK *"])]).await;
    let told = other.ask("c SELECT INBOX").await;
    assert!(told.contains(&"* LIST () \"/\" INBOX".to_owned()) && !told.iter().any(|line| line.ends_with("RECENT")));
}

#[tokio::test]
async fn others_hear_of_it_when_they_may() {
    let server = server();
    let (mut ada, mut other) = (Client::ada(&server).await, Client::ada(&server).await);
    for _ in 0..4 {
        ada.append("INBOX", "", "Subject: x\r\n\r\n").await;
    }
    ada.ask("s SELECT INBOX").await;
    other.ask("s SELECT INBOX").await;
    other
        .talk(&[
            (
                "a STORE 2:3 +FLAGS (\\Deleted)",
                &["* 2 FETCH (FLAGS (\\Deleted))", "* 3 FETCH (FLAGS (\\Deleted))", "a OK *"],
            ),
            ("b EXPUNGE", &["* 3 EXPUNGE", "* 2 EXPUNGE", "b OK *"]),
        ])
        .await;
    other.append("INBOX", "", "Subject: new\r\n\r\n").await;
    ada.talk(&[
        // By number: no EXPUNGE yet, and what is gone is told to be so.
        ("a FETCH 1:3 UID", &["* 1 FETCH (UID 1)", "* 5 EXISTS", "* 4 RECENT", "a NO [EXPUNGEISSUED] *"]),
        (
            "c STORE 2:4 +FLAGS ($x)",
            &["* FLAGS *", "* OK [PERMANENTFLAGS *", "* 4 FETCH (FLAGS ($x \\Recent))", "c NO [EXPUNGEISSUED] *"],
        ),
    ])
    .await;
    ada.talk(&[
        ("b COPY 2 Sent", &["* 3 EXPUNGE", "* 2 EXPUNGE", "b NO [EXPUNGEISSUED] *"]),
        (
            "d UID FETCH 1:* (FLAGS)",
            &[
                "* 1 FETCH (UID 1 FLAGS (\\Recent))",
                "* 2 FETCH (UID 4 FLAGS ($x \\Recent))",
                "* 3 FETCH (UID 5 FLAGS ())",
                "d OK *",
            ],
        ),
        ("e FETCH 2 UID", &["* 2 FETCH (UID 4)", "e OK *"]),
        ("f FETCH 4 UID", &["f BAD *"]),
        ("g UID FETCH 99 FLAGS", &["g OK *"]),
    ])
    .await;
    // One's own silent change is not told; another's is.
    ada.talk(&[("h STORE 1 +FLAGS.SILENT (\\Flagged)", &["h OK *"]), ("i NOOP", &["i OK *"])]).await;
    let told = other.ask("c NOOP").await;
    assert!(told.iter().any(|line| line.contains("1 FETCH (FLAGS (\\Flagged")), "{told:?}");
}

#[tokio::test]
async fn an_idling_client_hears_at_once_and_done_may_have_commands_behind_it() {
    let server = server();
    let (mut ada, mut other) = (Client::ada(&server).await, Client::ada(&server).await);
    ada.ask("s SELECT INBOX").await;
    ada.send(b"i IDLE\r\n").await;
    assert_eq!(ada.line().await, "+ idling");
    other.append("INBOX", "", "Subject: x\r\n\r\n").await;
    assert_eq!(ada.line().await, "* 1 EXISTS");
    assert_eq!(ada.line().await, "* 0 RECENT");
    other.ask("s SELECT INBOX").await;
    other.ask("a STORE 1 +FLAGS (\\Deleted)").await;
    assert_eq!(ada.line().await, "* 1 FETCH (FLAGS (\\Deleted))");
    other.ask("b EXPUNGE").await;
    assert_eq!(ada.line().await, "* 1 EXPUNGE");
    ada.send(b"done\r\nj NOOP\r\nk NOOP\r\n").await;
    for expected in ["i OK IDLE completed", "j OK NOOP completed", "k OK NOOP completed"] {
        assert_eq!(ada.line().await, expected);
    }
}

#[tokio::test]
async fn messages_are_appended_copied_and_moved() {
    let server = server();
    let mut ada = Client::ada(&server).await;
    ada.talk(&[("a APPEND nothing {3+}\r\nx\r\n", &["a NO [TRYCREATE] *"])]).await;
    ada.send(b"b APPEND INBOX (\\Seen \\Foo) \"17-Jul-1996 02:44:25 -0700\" {14}\r\n").await;
    assert_eq!(ada.line().await, "+ Ready for the message");
    ada.send(b"Subject: a\n\nb\n\r\n").await;
    let told = ada.line().await;
    assert!(told.starts_with("b OK [APPENDUID ") && told.ends_with(" 1] APPEND completed"), "{told}");
    ada.ask("s SELECT INBOX").await;
    ada.talk(&[
        ("c FETCH 1 (INTERNALDATE RFC822.SIZE FLAGS BODY.PEEK[])", &[
            "* 1 FETCH (INTERNALDATE \"17-Jul-1996 02:44:25 -0700\" RFC822.SIZE 17 FLAGS (\\Seen \\Recent) BODY[] {17}|Subject: a||b|)",
            "c OK *",
        ]),
        ("d COPY 1 INBOX", &["* 2 EXISTS", "* 1 RECENT", "d OK [COPYUID * 1 2] COPY completed"]),
        ("e COPY 1 nothing", &["e NO [TRYCREATE] *"]),
        ("f MOVE 1:2 Trash", &["* OK [COPYUID * 1:2 1:2] *", "* 2 EXPUNGE", "* 1 EXPUNGE", "f OK MOVE completed"]),
        ("g UID MOVE 1:2 Trash", &["g OK *"]),
        ("h UID COPY 1:2 Trash", &["h OK *"]),
        ("i SELECT Trash", &[
            "* OK [CLOSED] *", "* FLAGS *", "* OK [PERMANENTFLAGS *", "* 2 EXISTS", "* 2 RECENT", "* OK [UIDVALIDITY *", "* OK [UIDNEXT *",
            "* OK [HIGHESTMODSEQ *", "i OK *",
        ]),
        ("j STORE 1:2 +FLAGS.SILENT (\\Deleted)", &["j OK *"]),
        ("k UID EXPUNGE 2", &["* 2 EXPUNGE", "k OK *"]),
    ]).await;
    ada.talk(&[
        ("l CLOSE", &["l OK CLOSE completed"]),
        ("m STATUS Trash (MESSAGES)", &["* STATUS Trash (MESSAGES 0)", "m OK *"]),
        ("n APPEND INBOX {3+}\r\na\0b", &["n NO [CANNOT] *"]),
        ("o STATUS INBOX (MESSAGES)", &["* STATUS INBOX (MESSAGES 0)", "o OK *"]),
    ])
    .await;
}

#[tokio::test]
async fn a_deleted_mailbox_is_no_longer_selected() {
    let server = server();
    let (mut ada, mut other) = (Client::ada(&server).await, Client::ada(&server).await);
    ada.ask("a CREATE box").await;
    ada.ask("b SELECT box").await;
    other.ask("b SELECT box").await;
    ada.talk(&[("c DELETE box", &["* OK [CLOSED] *", "c OK *"]), ("d FETCH 1 FLAGS", &["d BAD No mailbox selected"])])
        .await;
    other.send(b"c NOOP\r\n").await;
    assert_eq!(other.line().await, "* BYE The selected mailbox has been deleted");
    assert!(other.is_closed().await);
}

#[tokio::test]
async fn condstore_tells_where_a_client_stands() {
    let server = server();
    let (mut ada, mut other) = (Client::ada(&server).await, Client::ada(&server).await);
    for _ in 0..3 {
        ada.append("INBOX", "", "Subject: x\r\n\r\n").await;
    }
    let told = ada.ask("a SELECT INBOX (CONDSTORE)").await;
    let highest = |lines: &[String]| -> u64 {
        let line = lines.iter().find(|line| line.contains("[HIGHESTMODSEQ ")).unwrap();
        line.split("[HIGHESTMODSEQ ").nth(1).unwrap().split(']').next().unwrap().parse().unwrap()
    };
    let before = highest(&told);
    other.ask("s SELECT INBOX").await;
    other.ask("a STORE 2 +FLAGS (\\Flagged)").await;
    ada.talk(&[
        (
            &format!("b UID FETCH 1:* (FLAGS) (CHANGEDSINCE {before})"),
            &[
                "* 2 FETCH (UID 2 FLAGS (\\Flagged \\Recent) MODSEQ (*))",
                "* 2 FETCH (UID 2 FLAGS (\\Flagged \\Recent) MODSEQ (*))",
                "b OK *",
            ],
        ),
        (
            &format!("c STORE 1:3 (UNCHANGEDSINCE {before}) +FLAGS.SILENT (\\Seen)"),
            &["* 1 FETCH (MODSEQ (*))", "* 3 FETCH (MODSEQ (*))", "c OK [MODIFIED 2] *"],
        ),
        ("d UID STORE 2 (UNCHANGEDSINCE 0) FLAGS (\\Seen)", &["d OK [MODIFIED 2] *"]),
        ("e SEARCH MODSEQ 1 SEEN", &["* SEARCH 1 3 (MODSEQ *)", "e OK *"]),
        ("f UID SEARCH RETURN (MIN COUNT) MODSEQ 1", &["* ESEARCH (TAG \"f\") UID MIN 1 COUNT 3 MODSEQ *", "f OK *"]),
    ])
    .await;
    ada.ask("g STORE 1 +FLAGS.SILENT (\\Deleted)").await;
    let told = ada.ask("h EXPUNGE").await;
    assert!(highest(&told) > before && told[0] == "* 1 EXPUNGE", "{told:?}");
    let status = ada.ask("i STATUS INBOX (HIGHESTMODSEQ)").await;
    assert!(status[0].contains(&format!("HIGHESTMODSEQ {})", highest(&told))), "{status:?} {told:?}");
}

#[tokio::test]
async fn accounts_get_their_first_mailboxes_once() {
    let server = server();
    let mut ada = Client::ada(&server).await;
    ada.talk(&[("a DELETE Trash", &["a OK *"])]).await;
    let mut again = Client::ada(&server).await;
    again
        .talk(&[(
            "a LIST \"\" %",
            &["* LIST (\\HasNoChildren) \"/\" INBOX", "* LIST (\\HasNoChildren \\Sent) \"/\" Sent", "a OK *"],
        )])
        .await;
}
