//! SEARCH key by key over a store in memory: texts in every charset and encoding, what is told of it, and `$`.
#![cfg(feature = "server")]
#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::string_slice, reason = "it is a test")]

mod support;

use support::{Client, server};

const MESSAGES: [(&str, &str); 6] = [
    (
        "\\Seen \\Flagged",
        "Date: Mon, 1 Jan 2024 23:30:00 -0800\r\nFrom: Ada <ada@x.example>\r\nTo: bob@y.example\r\n\
         Subject: =?ISO-8859-1?Q?Gr=FC=DFe?= =?utf-8?B?IGF1cw==?= Berlin\r\nX-Tag: one\r\n\r\nplain body\r\n",
    ),
    (
        "\\Answered \\Draft $work",
        "Date: 2 Jan 2024 00:10:00 +0000\r\nFrom: bob@y.example\r\nCc: Carol <carol@z.example>\r\n\
         Bcc: dave@z.example\r\nSubject: folded\r\n subject\r\nContent-Type: text/plain; charset=koi8-r\r\n\
         Content-Transfer-Encoding: base64\r\n\r\n8NLJ18XU\r\n",
    ),
    (
        "\\Deleted",
        "From: eve@z.example\r\nSubject: no date\r\nContent-Type: text/plain; charset=iso-8859-1\r\n\
         Content-Transfer-Encoding: quoted-printable\r\n\r\nsoft=\r\nbroken Stra=DFe\r\n",
    ),
    (
        "",
        "Date: Wed, 3 Jan 2024 10:00:00 +0100\r\nSubject: parts\r\nContent-Type: multipart/mixed; boundary=B\r\n\r\n\
         preamble\r\n--B\r\nContent-Type: text/html\r\n\r\n<b>needle in html</b>\r\n--B\r\n\
         Content-Type: application/pdf; name=\"attached.pdf\"\r\nContent-Transfer-Encoding: base64\r\n\r\nbmVlZGxl\r\n--B\r\n\
         Content-Type: message/rfc822\r\n\r\nSubject: inner subject\r\n\r\ninner body\r\n--B--\r\n",
    ),
    ("$work", "Subject: 日本\r\nContent-Type: text/plain; charset=iso-2022-jp\r\n\r\n\x1b$B9a9A\x1b(B\r\n"),
    ("", "Subject:\r\nX-Tag: two\r\n\r\n"),
];

async fn ada() -> Client {
    let mut ada = Client::ada(&server()).await;
    for (at, (flags, message)) in MESSAGES.iter().enumerate() {
        let head = format!(
            "p APPEND INBOX ({flags}) \"0{}-Jan-2024 12:00:00 +0000\" {{{}+}}\r\n{message}",
            at + 1,
            message.len()
        );
        assert!(ada.ask(&head).await[0].starts_with("p OK"));
    }
    ada.ask("s SELECT INBOX").await;
    ada
}

async fn finds(ada: &mut Client, keys: &str) -> String {
    let told = ada.ask(&format!("a SEARCH {keys}")).await;
    assert_eq!(told.last().unwrap(), "a OK SEARCH completed", "{keys}: {told:?}");
    told[0].strip_prefix("* SEARCH").unwrap_or_else(|| panic!("{keys}: {told:?}")).trim().to_owned()
}

#[tokio::test]
async fn every_key_finds_what_it_names() {
    let mut ada = ada().await;
    for (keys, found) in [
        ("ALL", "1 2 3 4 5 6"),
        ("2:3,5", "2 3 5"),
        ("*", "6"),
        ("UID 4:*", "4 5 6"),
        ("UID 100:*", "6"),
        ("UID 100", ""),
        ("ANSWERED", "2"),
        ("UNANSWERED", "1 3 4 5 6"),
        ("DELETED", "3"),
        ("UNDELETED", "1 2 4 5 6"),
        ("DRAFT", "2"),
        ("UNDRAFT", "1 3 4 5 6"),
        ("FLAGGED", "1"),
        ("UNFLAGGED", "2 3 4 5 6"),
        ("SEEN", "1"),
        ("UNSEEN", "2 3 4 5 6"),
        ("KEYWORD $WORK", "2 5"),
        ("UNKEYWORD $work", "1 3 4 6"),
        ("KEYWORD nobody", ""),
        ("RECENT", "1 2 3 4 5 6"),
        ("NEW", "2 3 4 5 6"),
        ("OLD", ""),
        ("FROM ada", "1"),
        ("FROM \"Ada <ADA@\"", "1"),
        ("TO bob", "1"),
        ("CC carol", "2"),
        ("BCC dave", "2"),
        ("FROM \"\"", "1 2 3"),
        ("SUBJECT \"folded subject\"", "2"),
        ("SUBJECT \"\"", "1 2 3 4 5 6"),
        ("HEADER X-Tag \"\"", "1 6"),
        ("HEADER x-tag TWO", "6"),
        ("HEADER Content-Type koi8", "2"),
        ("HEADER X-None \"\"", ""),
        ("BODY \"plain body\"", "1"),
        ("BODY berlin", ""),
        ("BODY \"\"", "1 2 3 4 5 6"),
        ("TEXT berlin", "1"),
        ("TEXT \"x-tag: one\"", "1"),
        ("BODY softbroken", "3"),
        ("BODY needle", "4"),
        ("BODY \"inner body\"", "4"),
        ("TEXT \"inner subject\"", "4"),
        // RFC 9051 §6.4.4: the fields of MIME headers are text too.
        ("TEXT attached.pdf", "4"),
        ("BODY attached.pdf", ""),
        ("TEXT text/html", "4"),
        ("TEXT bmVlZGxl", ""),
        ("BEFORE 3-Jan-2024", "1 2"),
        ("ON 3-Jan-2024", "3"),
        ("SINCE 5-Jan-2024", "5 6"),
        ("SENTBEFORE 2-Jan-2024", "1"),
        ("SENTON 2-Jan-2024", "2"),
        ("SENTSINCE 2-Jan-2024", "2 4"),
        ("NOT SENTSINCE 1-Jan-1990", "3 5 6"),
        ("SMALLER 60", "6"),
        ("LARGER 100000", ""),
        ("NOT (OR SEEN DELETED)", "2 4 5 6"),
        ("OR (SEEN FLAGGED) (OR DELETED KEYWORD $work)", "1 2 3 5"),
        ("NOT NOT SEEN", "1"),
        ("OR BODY needle SEEN", "1 4"),
        ("NOT BODY needle", "1 2 3 5 6"),
        ("(UNSEEN) 2:4 NOT DELETED", "2 4"),
    ] {
        assert_eq!(finds(&mut ada, keys).await, found, "{keys}");
    }
}

#[tokio::test]
async fn text_is_found_in_any_charset_and_case() {
    let mut ada = ada().await;
    for (charset, key, text, found) in [
        ("UTF-8", "SUBJECT", "GRÜßE AUS".as_bytes(), "1"),
        ("ISO-8859-1", "SUBJECT", b"gr\xfc\xdfe aus berlin", "1"),
        ("utf-8", "BODY", "приВЕТ".as_bytes(), "2"),
        ("KOI8-R", "BODY", b"\xf0\xd2\xc9\xd7\xc5\xd4", "2"),
        ("UTF-8", "TEXT", "straße".as_bytes(), "3"),
        ("UTF-8", "SUBJECT", "日本".as_bytes(), "5"),
        ("UTF-8", "BODY", "香港".as_bytes(), "5"),
        ("US-ASCII", "BODY", b"SOFTBROKEN", "3"),
        ("UTF-8", "FROM", b"ada", "1"),
    ] {
        let mut command = format!("a SEARCH CHARSET {charset} {key} {{{}+}}\r\n", text.len()).into_bytes();
        command.extend_from_slice(text);
        command.extend_from_slice(b"\r\n");
        ada.send(&command).await;
        let told = ada.line().await;
        assert_eq!(told.strip_prefix("* SEARCH").map(str::trim), Some(found), "{charset} {key}: {told}");
        assert_eq!(ada.line().await, "a OK SEARCH completed");
    }
    ada.talk(&[
        ("b SEARCH CHARSET x-none ALL", &["b NO [BADCHARSET (*)] *"]),
        ("c SEARCH CHARSET \"UTF-8\" ALL", &["* SEARCH 1 2 3 4 5 6", "c OK *"]),
        ("d SEARCH 7", &["d BAD *"]),
        ("e SEARCH", &["e BAD *"]),
        ("f SEARCH 1:* NOT", &["f BAD *"]),
    ])
    .await;
    ada.send(b"g SEARCH CHARSET UTF-8 SUBJECT {1+}\r\n\xff\r\n").await;
    assert!(ada.line().await.starts_with("g NO [BADCHARSET"));
}

#[tokio::test]
async fn results_are_told_as_they_were_asked_for() {
    let mut ada = ada().await;
    ada.talk(&[
        (
            "a SEARCH RETURN (MIN MAX COUNT ALL) UNSEEN",
            &["* ESEARCH (TAG \"a\") MIN 2 MAX 6 ALL 2:6 COUNT 5", "a OK *"],
        ),
        ("b SEARCH RETURN () 1,3", &["* ESEARCH (TAG \"b\") ALL 1,3", "b OK *"]),
        ("c UID SEARCH RETURN (COUNT) KEYWORD none", &["* ESEARCH (TAG \"c\") UID COUNT 0", "c OK *"]),
        ("d SEARCH RETURN (MIN ALL) KEYWORD none", &["* ESEARCH (TAG \"d\")", "d OK *"]),
        ("e SEARCH KEYWORD none", &["* SEARCH", "e OK *"]),
        ("f SEARCH KEYWORD none MODSEQ 1", &["* SEARCH", "f OK *"]),
        ("g SEARCH RETURN (MIN) MODSEQ 1 2:3", &["* ESEARCH (TAG \"g\") MIN 2 MODSEQ *", "g OK *"]),
        ("h SEARCH MODSEQ \"/flags/\\\\seen\" all 1 2", &["* SEARCH 2 (MODSEQ *)", "h OK *"]),
        ("i ENABLE IMAP4rev2", &["* ENABLED IMAP4rev2", "i OK *"]),
        ("j SEARCH UNSEEN", &["* ESEARCH (TAG \"j\") ALL 2:6", "j OK *"]),
        ("k UID SEARCH KEYWORD none", &["* ESEARCH (TAG \"k\") UID", "k OK *"]),
    ])
    .await;
}

#[tokio::test]
async fn what_was_saved_is_there_for_the_next_command() {
    let server = server();
    let mut ada = Client::ada(&server).await;
    for _ in 0..5 {
        ada.append("INBOX", "", "Subject: x\r\n\r\n").await;
    }
    ada.ask("s SELECT INBOX").await;
    ada.talk(&[
        // Nothing has been saved yet.
        ("a SEARCH $", &["* SEARCH", "a OK *"]),
        ("b SEARCH RETURN (SAVE) 2:4", &["b OK *"]),
        ("c FETCH $ UID", &["* 2 FETCH (UID 2)", "* 3 FETCH (UID 3)", "* 4 FETCH (UID 4)", "c OK *"]),
        ("d UID SEARCH UID $", &["* SEARCH 2 3 4", "d OK *"]),
        ("e SEARCH RETURN (SAVE MIN) $", &["* ESEARCH (TAG \"e\") MIN 2", "e OK *"]),
        ("f SEARCH $", &["* SEARCH 2", "f OK *"]),
        ("g SEARCH RETURN (SAVE MIN MAX) 1:4", &["* ESEARCH (TAG \"g\") MIN 1 MAX 4", "g OK *"]),
        ("h SEARCH $", &["* SEARCH 1 4", "h OK *"]),
        ("i SEARCH RETURN (SAVE MIN COUNT) 2:4", &["* ESEARCH (TAG \"i\") MIN 2 COUNT 3", "i OK *"]),
        ("j SEARCH NOT $", &["* SEARCH 1 5", "j OK *"]),
        // BAD leaves it, NO makes it empty (RFC 5182 §2.1).
        ("k SEARCH RETURN (SAVE) 99", &["k BAD *"]),
        ("l SEARCH $", &["* SEARCH 2 3 4", "l OK *"]),
        ("m STORE 3 +FLAGS.SILENT (\\Deleted)", &["m OK *"]),
        ("n EXPUNGE", &["* 3 EXPUNGE", "n OK *"]),
        ("o UID SEARCH $", &["* SEARCH 2 4", "o OK *"]),
        ("p STORE $ +FLAGS.SILENT (\\Flagged)", &["p OK *"]),
        ("q SEARCH FLAGGED", &["* SEARCH 2 3", "q OK *"]),
        ("r SEARCH RETURN (SAVE) CHARSET x-none ALL", &["r NO *"]),
        ("t SEARCH $", &["* SEARCH", "t OK *"]),
        ("u SEARCH RETURN (SAVE) ALL", &["u OK *"]),
    ])
    .await;
    // Another mailbox, another $.
    ada.ask("v SELECT INBOX").await;
    ada.talk(&[("w SEARCH $", &["* SEARCH", "w OK *"]), ("x COPY $ Sent", &["x OK *"])]).await;
}
