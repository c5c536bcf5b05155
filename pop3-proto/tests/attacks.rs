//! Rows of the attack catalogue that belong to no other file.
#![cfg(feature = "server")]
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "it is a test")]

mod harness;
mod host;

use std::time::Duration;

use harness::{Client, builder, certificate, deliver, secure_builder, serve, store};
use host::{Conversation, insecure, logged_in, mrose, secure};
use mail_wire::base64;
use mailstore_traits::{Account, MailboxName};
use tokio::io::AsyncWriteExt;

#[test]
fn sec_a7_who_is_logged_in_stays_so_and_who_has_failed_is_nobody() {
    let mut conversation = logged_in();
    let eve = base64::encode(b"\0eve\0secret");
    for line in ["USER eve", "PASS secret", "AUTH PLAIN", &format!("AUTH PLAIN {eve}"), "UTF8"] {
        assert_eq!(conversation.say(format!("{line}\r\n")), "-ERR already logged in\r\n", "{line}");
    }
    assert_eq!(conversation.say("STAT\r\n"), "+OK 2 320\r\n");
    let mut conversation = Conversation::begin(insecure(), mrose());
    conversation.say("USER mrose\r\nPASS wrong\r\n");
    assert_eq!(conversation.say("STAT\r\n"), "-ERR log in first\r\n");
    assert_eq!(conversation.say("PASS secret\r\n"), "-ERR PASS comes directly behind USER\r\n");
}

#[test]
fn sec_m18_odd_lines_in_every_state_are_answered() {
    let odd: [&[u8]; 16] = [
        b"",
        b" ",
        b"USER \xf0\x9f\x98",
        b"USER \"\"@d",
        b"PASS \xff\xfe",
        b"APOP x ",
        b"APOP  0",
        b"AUTH =",
        b"AUTH PLAIN ====",
        b"LANG \xff",
        b"UTF8 \xc3",
        b"TOP 4294967296 -",
        b"LIST 99999999999999999999999",
        b"RETR \xd9\xa1",
        b"\xef\xbb\xbfQUIT",
        b"CAPA\tX",
    ];
    let greeted = || Conversation::begin(insecure(), mrose());
    let states: [fn() -> Conversation; 5] = [
        || Conversation::begin(insecure(), mrose()),
        || {
            let mut conversation = Conversation::begin(insecure(), mrose());
            conversation.say("USER mrose\r\n");
            conversation
        },
        || {
            let mut conversation = Conversation::begin(insecure(), mrose());
            conversation.say("AUTH PLAIN\r\n");
            conversation
        },
        || {
            let mut conversation = Conversation::begin(secure(), mrose());
            conversation.say("STLS\r\n");
            conversation.handshake();
            conversation
        },
        logged_in,
    ];
    for state in states {
        for line in odd {
            let mut conversation = state();
            let told = conversation.say([line, b"\r\n"].concat());
            let first = told.split(' ').next().unwrap();
            assert!(matches!(first, "-ERR" | "+OK"), "{} gave {told}", line.escape_ascii());
            assert_eq!(told.lines().count(), 1, "{told}");
        }
    }
    assert!(!greeted().session.is_closed());
}

#[tokio::test]
async fn sec_t8_an_end_without_close_notify_removes_nothing_and_half_a_command_is_none() {
    for half in ["", "QUI", "QUIT", "QUIT\r"] {
        let (tls, trust) = certificate();
        let store = store();
        deliver(&store, b"A: b\r\n\r\n").await;
        let address = serve(secure_builder(tls).build(store.clone())).await;
        let mut client = Client::connect(address).await;
        client.say("STLS").await;
        let mut client = client.handshake(&trust).await.unwrap();
        client.log_in().await;
        assert_eq!(client.say("DELE 1").await, "+OK message 1 deleted");
        client.write(half.as_bytes()).await;
        // Dropped as it is: the TCP connection ends, and TLS has not said so.
        drop(client);
        let mut next = Client::connect(address).await;
        next.say("STLS").await;
        let mut next = next.handshake(&trust).await.unwrap();
        let told = next.log_in_when_free().await;
        assert_eq!(told, "+OK maildrop has 1 message (8 octets)", "{half:?}");
        // And with close_notify it is no QUIT either.
        next.say("DELE 1").await;
        next.stream.shutdown().await.unwrap();
        assert_eq!(next.rest().await, b"");
        let account = harness::account(&store).await;
        let inbox = account.find(&MailboxName::inbox()).await.unwrap();
        assert_eq!(account.snapshot(&inbox, false).await.unwrap().uids.len(), 1);
    }
}

#[tokio::test(start_paused = true)]
async fn sec_c1_an_octet_every_ten_seconds_does_not_keep_a_line_open() {
    let mut client = Client::without_socket(builder().build(store())).await;
    let began = tokio::time::Instant::now();
    for octet in "USER ada@example.org".bytes().cycle() {
        if client.stream.write_all(&[octet]).await.is_err() {
            break;
        }
        tokio::time::sleep(Duration::from_secs(10)).await;
    }
    let lasted = began.elapsed();
    assert!(lasted >= Duration::from_secs(60) && lasted <= Duration::from_secs(80), "{lasted:?}");
}
