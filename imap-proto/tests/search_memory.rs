//! SEARCH over a store in memory: every key, charsets and encodings, and how many bodies were opened for it.
#![cfg(feature = "server")]
#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::string_slice, reason = "it is a test")]

mod support;

use support::{Client, counting};

const MESSAGES: [(&str, &str, &str); 6] = [
    (
        "\\Seen",
        "\" 1-Feb-2020 23:30:00 -0500\"",
        "From: Ada <ada@x.example>\r\nTo: bob@y.example\r\nCc: carol@z.example\r\nSubject: Hello world\r\n\
         Date: Sat, 1 Feb 2020 23:30:00 -0500\r\nX-Tag: blue\r\n\r\nThe quick brown fox\r\n",
    ),
    (
        "\\Flagged $work",
        "\"15-Mar-2021 12:00:00 +0000\"",
        "From: =?utf-8?Q?J=C3=BCrgen?= <j@x.example>\r\nBcc: hidden@x.example\r\nSubject: =?utf-8?B?R3LDvMOfZQ==?=\r\n\
         Date: 14 Mar 2021 01:00 +0000\r\n\r\nplain\r\n",
    ),
    (
        "\\Deleted",
        "\"16-Mar-2021 12:00:00 +0000\"",
        "Subject: encoded\r\nContent-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\nContent-Type: text/plain; charset=iso-8859-1\r\n\
         Content-Transfer-Encoding: quoted-printable\r\n\r\nsoft br=\r\neak und Gr=FC=DFe\r\n--b\r\nContent-Type: text/html; \
         charset=utf-8\r\nContent-Transfer-Encoding: base64\r\n\r\nPHA+w4RyZ2VyIGltIEh0bWw8L3A+\r\n--b\r\n\
         Content-Type: message/rfc822\r\n\r\nSubject: inner secret\r\n\r\ninner text\r\n--b--\r\n",
    ),
    ("\\Answered", "\"17-Mar-2021 12:00:00 +0000\"", "Subject: no date\r\nX-Empty:\r\n\r\n"),
    (
        "\\Draft",
        "\"18-Mar-2021 12:00:00 +0000\"",
        "Subject: iso\r\nContent-Type: text/plain; charset=koi8-r\r\n\r\n\u{f0}\r\n",
    ),
    ("", "\"19-Mar-2021 12:00:00 +0000\"", "Subject: long\r\n\r\nlast\r\n"),
];

async fn ready() -> (Client, std::sync::Arc<std::sync::atomic::AtomicUsize>) {
    let (server, opened) = counting();
    let mut ada = Client::ada(&server).await;
    for (flags, date, message) in MESSAGES {
        let head = format!("p APPEND INBOX ({flags}) {date} {{{}+}}\r\n", message.chars().count());
        ada.send(head.as_bytes()).await;
        // Each char is one octet: what is above ASCII is Latin-1 here.
        let octets: Vec<u8> = message.chars().map(|char| u8::try_from(u32::from(char)).unwrap()).collect();
        ada.send(&octets).await;
        ada.send(b"\r\n").await;
        let told = ada.line().await;
        assert!(told.starts_with("p OK"), "{told}");
    }
    ada.ask("s SELECT INBOX").await;
    opened.store(0, std::sync::atomic::Ordering::SeqCst);
    (ada, opened)
}

async fn found(ada: &mut Client, keys: &str) -> String {
    let told = ada.ask(&format!("a SEARCH {keys}")).await;
    assert!(told.last().unwrap().starts_with("a OK"), "{keys}: {told:?}");
    told[0].strip_prefix("* SEARCH").unwrap().trim().to_owned()
}

#[tokio::test]
async fn each_key_finds_what_it_says() {
    let (mut ada, _) = ready().await;
    for (keys, expected) in [
        ("ALL", "1 2 3 4 5 6"),
        ("SEEN", "1"),
        ("UNSEEN", "2 3 4 5 6"),
        ("FLAGGED", "2"),
        ("UNFLAGGED", "1 3 4 5 6"),
        ("DELETED", "3"),
        ("UNDELETED", "1 2 4 5 6"),
        ("ANSWERED", "4"),
        ("UNANSWERED", "1 2 3 5 6"),
        ("DRAFT", "5"),
        ("UNDRAFT", "1 2 3 4 6"),
        ("KEYWORD $WORK", "2"),
        ("UNKEYWORD $work", "1 3 4 5 6"),
        ("KEYWORD none", ""),
        ("RECENT", "1 2 3 4 5 6"),
        ("NEW", "2 3 4 5 6"),
        ("OLD", ""),
        ("FROM ada", "1"),
        ("TO BOB@Y", "1"),
        ("CC carol", "1"),
        ("BCC hidden", "2"),
        ("SUBJECT \"hello w\"", "1"),
        ("SUBJECT \"\"", "1 2 3 4 5 6"),
        ("HEADER X-Tag BLUE", "1"),
        ("HEADER X-Tag \"\"", "1"),
        ("HEADER X-Empty \"\"", "4"),
        ("HEADER X-None \"\"", ""),
        ("HEADER Date \"\"", "1 2"),
        ("BODY \"QUICK brown\"", "1"),
        ("BODY hello", ""),
        ("BODY \"soft break\"", "3"),
        ("BODY \"inner secret\"", "3"),
        ("BODY \"inner text\"", "3"),
        ("TEXT hello", "1"),
        ("TEXT \"x-tag: blue\"", "1"),
        ("TEXT fox", "1"),
        ("BODY \"im html\"", "3"),
        // INTERNALDATE in its own zone: 1 February where it was received.
        ("ON 1-Feb-2020", "1"),
        ("ON 2-Feb-2020", ""),
        ("BEFORE 15-Mar-2021", "1"),
        ("SINCE 17-Mar-2021", "4 5 6"),
        // The Date field, as it is written.
        ("SENTON 1-Feb-2020", "1"),
        ("SENTSINCE 2-Feb-2020", "2"),
        ("SENTBEFORE 14-Mar-2021", "1"),
        ("SENTON 14-Mar-2021", "2"),
        ("LARGER 200", "3"),
        ("SMALLER 40", "4 6"),
        ("2:3", "2 3"),
        ("*", "6"),
        ("UID 4:*", "4 5 6"),
        ("UID 99", ""),
        ("1,3 SEEN", "1"),
        ("NOT SEEN", "2 3 4 5 6"),
        ("OR SEEN FLAGGED", "1 2"),
        ("NOT OR SEEN FLAGGED", "3 4 5 6"),
        ("(SEEN FLAGGED)", ""),
        ("OR (SEEN 1) (NOT (2:6 UNFLAGGED) FLAGGED)", "1 2"),
        ("NOT BODY fox UNDELETED 1:3", "2"),
    ] {
        assert_eq!(found(&mut ada, keys).await, expected, "{keys}");
    }
}

#[tokio::test]
async fn text_is_found_in_any_charset_and_encoding() {
    let (mut ada, _) = ready().await;
    for (charset, text, expected) in [
        ("UTF-8", "GRÜSSE", ""),
        ("UTF-8", "grüße", "2 3"),
        ("UTF-8", "Jürgen", "2"),
        ("UTF-8", "ärger", "3"),
        ("UTF-8", "П", "5"),
    ] {
        let keys = format!("CHARSET {charset} TEXT {{{}+}}\r\n{text}", text.len());
        assert_eq!(found(&mut ada, &keys).await, expected, "{text}");
    }
    ada.send(b"a SEARCH CHARSET ISO-8859-1 SUBJECT {5+}\r\ngr\xfc\xdfe\r\n").await;
    assert_eq!(ada.line().await, "* SEARCH 2");
    assert!(ada.line().await.starts_with("a OK"));
    ada.talk(&[
        ("b SEARCH CHARSET x-none ALL", &["b NO [BADCHARSET (US-ASCII UTF-8 ISO-8859-1)] *"]),
        ("c SEARCH 7", &["c BAD *"]),
        ("d SEARCH UID 7", &["* SEARCH", "d OK *"]),
    ])
    .await;
    ada.send(b"e SEARCH CHARSET UTF-8 SUBJECT {1+}\r\n\xff\r\n").await;
    assert!(ada.line().await.starts_with("e NO [BADCHARSET"));
}

#[tokio::test]
async fn results_are_told_as_asked_and_kept() {
    let (mut ada, _) = ready().await;
    ada.talk(&[
        ("a SEARCH RETURN () UNSEEN", &["* ESEARCH (TAG \"a\") ALL 2:6", "a OK *"]),
        (
            "b UID SEARCH RETURN (MIN MAX COUNT ALL) UNSEEN",
            &["* ESEARCH (TAG \"b\") UID MIN 2 MAX 6 ALL 2:6 COUNT 5", "b OK *"],
        ),
        ("c SEARCH RETURN (COUNT) KEYWORD none", &["* ESEARCH (TAG \"c\") COUNT 0", "c OK *"]),
        ("d SEARCH RETURN (MIN) KEYWORD none", &["* ESEARCH (TAG \"d\")", "d OK *"]),
        ("e SEARCH RETURN (SAVE) 2:4", &["e OK *"]),
        ("f FETCH $ UID", &["* 2 FETCH (UID 2)", "* 3 FETCH (UID 3)", "* 4 FETCH (UID 4)", "f OK *"]),
        ("g SEARCH NOT $", &["* SEARCH 1 5 6", "g OK *"]),
        ("h UID SEARCH RETURN (SAVE MIN COUNT) UID $ DELETED", &["* ESEARCH (TAG \"h\") UID MIN 3 COUNT 1", "h OK *"]),
        ("i SEARCH RETURN (SAVE MIN MAX) ALL", &["* ESEARCH (TAG \"i\") MIN 1 MAX 6", "i OK *"]),
        ("j SEARCH $", &["* SEARCH 1 6", "j OK *"]),
        ("k SEARCH RETURN (SAVE) CHARSET x-none ALL", &["k NO [BADCHARSET *"]),
        ("l SEARCH $", &["* SEARCH", "l OK *"]),
        ("m STORE 1 +FLAGS.SILENT (\\Flagged)", &["m OK *"]),
        ("n SEARCH RETURN (SAVE) DELETED", &["n OK *"]),
        ("o UID EXPUNGE $", &["* 3 EXPUNGE", "o OK *"]),
        ("p SEARCH RETURN (COUNT) $", &["* ESEARCH (TAG \"p\") COUNT 0", "p OK *"]),
    ])
    .await;
    ada.talk(&[("q UNSELECT", &["q OK *"]), ("r ENABLE IMAP4rev2", &["* ENABLED IMAP4rev2", "r OK *"])]).await;
    ada.ask("s SELECT INBOX").await;
    ada.talk(&[
        ("t SEARCH 1:2", &["* ESEARCH (TAG \"t\") ALL 1:2", "t OK *"]),
        ("u SEARCH SUBJECT Gr\u{fc}", &["u BAD *"]),
    ])
    .await;
}

#[tokio::test]
async fn sec_m19_bodies_are_opened_only_where_nothing_else_can_tell() {
    let (mut ada, opened) = ready().await;
    let opened = || opened.swap(0, std::sync::atomic::Ordering::SeqCst);
    for (keys, most) in [
        ("UNSEEN", 0),
        ("SINCE 1-Jan-2021 LARGER 10", 0),
        ("SUBJECT hello", 0),
        ("FROM ada NOT TO bob", 0),
        ("SENTSINCE 1-Jan-2020", 0),
        ("HEADER X-None x SEEN", 1),
        ("OR UNSEEN BODY fox", 2),
        ("BODY fox KEYWORD none", 0),
        ("1 BODY fox", 2),
        ("NOT (SEEN BODY fox)", 2),
        ("HEADER List-Id x", 0),
        ("BODY \"\"", 0),
    ] {
        found(&mut ada, keys).await;
        let opened = opened();
        assert!(opened <= most, "{keys}: {opened} were opened");
    }
    // It does count.
    found(&mut ada, "BODY nothing").await;
    assert!(opened() >= 6);
}
