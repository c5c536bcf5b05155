//! The server over loopback, against the memory store.
#![cfg(feature = "server")]
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "it is a test")]

mod harness;

use std::sync::atomic::Ordering;
use std::time::Duration;

use bytes::Bytes;
use futures::StreamExt;
use harness::{Client, Fault, TestStore, account, builder, certificate, deliver, serve, store};
use mail_wire::io::Shutdown;
use mailstore_traits::{Account, MailboxName, MetaFields, MetaFilter, Uid, UidSet};
use pop3_proto::Limits;
use tokio::io::AsyncWriteExt;

const MESSAGE: &[u8] = b"Subject: dots\r\n\r\n.\r\n..\r\n.a line\r\n\xc3\xa9\xff 8-bit\r\n\r\nend\r\n";

async fn uids(store: &TestStore) -> String {
    let account = account(store).await;
    let inbox = account.find(&MailboxName::inbox()).await.unwrap();
    account.snapshot(&inbox, false).await.unwrap().uids.to_string()
}

#[tokio::test]
async fn what_was_delivered_is_fetched_octet_for_octet_and_removed() {
    let store = store();
    for message in [MESSAGE, b"", b".", b"no line end"] {
        deliver(&store, message).await;
    }
    let address = serve(builder().build(store.clone())).await;
    let mut client = Client::connect(address).await;
    client.log_in().await;
    assert_eq!(client.say("STAT").await, format!("+OK 4 {}", MESSAGE.len() + 1 + 11));
    assert_eq!(client.listing("LIST").await[0], format!("1 {}", MESSAGE.len()));
    assert_eq!(client.message("RETR 1").await, MESSAGE);
    assert_eq!(client.message("RETR 2").await, b"");
    assert_eq!(client.message("RETR 3").await, b".\r\n");
    assert_eq!(client.message("RETR 4").await, b"no line end\r\n");
    assert_eq!(client.message("TOP 1 1").await, b"Subject: dots\r\n\r\n.\r\n");
    assert_eq!(client.say("DELE 1").await, "+OK message 1 deleted");
    assert_eq!(client.say("DELE 3").await, "+OK message 3 deleted");
    assert_eq!(client.say("QUIT").await, "+OK mail.example.org POP3 server signing off (2 messages left)");
    assert!(client.is_at_end().await);
    assert_eq!(uids(&store).await, "2,4");
}

#[tokio::test]
async fn stls_then_login_by_each_way() {
    let (tls, trust) = certificate();
    let address = serve(harness::secure_builder(tls).build(store())).await;
    for login in [
        &["USER ada@example.org", "PASS correct horse"][..],
        &["AUTH PLAIN AGFkYUBleGFtcGxlLm9yZwBjb3JyZWN0IGhvcnNl"],
        &["AUTH PLAIN", "AGFkYUBleGFtcGxlLm9yZwBjb3JyZWN0IGhvcnNl"],
        &["AUTH LOGIN", "YWRhQGV4YW1wbGUub3Jn", "Y29ycmVjdCBob3JzZQ=="],
    ] {
        let mut client = Client::connect(address).await;
        assert!(client.listing("CAPA").await.contains(&"STLS".to_owned()));
        assert_eq!(client.say("STLS").await, "+OK Begin TLS negotiation");
        let mut client = client.handshake(&trust).await.unwrap();
        let capabilities = client.listing("CAPA").await;
        assert!(capabilities.contains(&"SASL PLAIN LOGIN".to_owned()) && !capabilities.contains(&"STLS".to_owned()));
        let (last, first) = login.split_last().unwrap();
        for line in first {
            assert!(client.say(line).await.starts_with('+'), "{line}");
        }
        assert_eq!(client.say(last).await, "+OK maildrop has 0 messages (0 octets)", "{login:?}");
        assert_eq!(client.say("QUIT").await, "+OK mail.example.org POP3 server signing off (maildrop empty)");
        assert!(client.is_at_end().await, "closed in good order");
    }
}

#[tokio::test]
async fn implicit_tls_comes_before_the_greeting() {
    let (tls, trust) = certificate();
    let address = serve(harness::secure_builder(tls).implicit_tls(true).build(store())).await;
    let mut client = Client::silent(address).await.handshake(&trust).await.unwrap();
    assert_eq!(client.line().await, "+OK mail.example.org POP3 server ready");
    assert!(!client.listing("CAPA").await.contains(&"STLS".to_owned()));
    client.log_in().await;

    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let served = builder().implicit_tls(true).build(store()).serve(listener).await;
    assert_eq!(served.map_err(|error| error.kind()), Err(std::io::ErrorKind::InvalidInput), "without a certificate");
}

#[tokio::test]
async fn sec_t1_clear_text_behind_stls_breaks_the_handshake() {
    let (tls, trust) = certificate();
    let address = serve(harness::secure_builder(tls).build(store())).await;
    let mut same_segment = Client::connect(address).await;
    same_segment.write(b"STLS\r\nUSER ada@example.org\r\nPASS correct horse\r\nSTAT\r\n").await;
    assert_eq!(same_segment.line().await, "+OK Begin TLS negotiation");
    let rest = same_segment.rest().await;
    assert!(!rest.windows(3).any(|octets| octets == b"+OK"), "no answer: {}", rest.escape_ascii());

    let mut next_segment = Client::connect(address).await;
    assert_eq!(next_segment.say("STLS").await, "+OK Begin TLS negotiation");
    next_segment.write(b"USER ada@example.org\r\n").await;
    assert!(next_segment.handshake(&trust).await.is_err());
}

#[tokio::test]
async fn sec_t7_without_tls_nobody_logs_in_and_no_log_has_the_secret() {
    let log = harness::captured_log();
    let (tls, _) = certificate();
    let address = serve(harness::secure_builder(tls).build(store())).await;
    let mut client = Client::connect(address).await;
    let capabilities = client.listing("CAPA").await;
    assert!(!capabilities.iter().any(|line| line.starts_with("SASL") || line == "USER"), "{capabilities:?}");
    let coded = "AGFkYUBleGFtcGxlLm9yZwBjb3JyZWN0IGhvcnNl";
    for line in ["USER ada@example.org", "PASS correct horse", &format!("AUTH PLAIN {coded}"), "AUTH PLAIN"] {
        assert_eq!(client.say(line).await, "-ERR [AUTH] no login without TLS");
    }
    drop(client);

    // And where it is allowed, a login that works and one that does not.
    let address = serve(builder().build(store())).await;
    let mut client = Client::connect(address).await;
    client.say("USER ada@example.org").await;
    assert_eq!(client.say("PASS incorrect horse").await, "-ERR [AUTH] authentication failed");
    assert!(client.say(&format!("AUTH PLAIN {coded}")).await.starts_with("+OK maildrop"));
    client.say("QUIT").await;
    let log = log.text();
    assert!(log.contains("POP3 login failed") && log.contains("POP3 login"), "the log was captured: {log}");
    assert!(!log.contains("correct horse") && !log.contains(coded), "{log}");
}

#[tokio::test]
async fn sec_p6_one_session_has_the_maildrop_and_another_gets_it_when_that_is_gone() {
    let store = store();
    deliver(&store, MESSAGE).await;
    let address = serve(builder().build(store.clone())).await;
    let mut first = Client::connect(address).await;
    first.log_in().await;

    let mut second = Client::connect(address).await;
    second.say("USER ada@example.org").await;
    assert_eq!(second.say("PASS correct horse").await, "-ERR [IN-USE] maildrop is in use by another session");

    // Delivery goes on, and does not show in the first session.
    deliver(&store, MESSAGE).await;
    assert_eq!(first.say("STAT").await, format!("+OK 1 {}", MESSAGE.len()));

    // Killed, without QUIT.
    drop(first);
    let told = second.log_in_when_free().await;
    assert_eq!(told, format!("+OK maildrop has 2 messages ({} octets)", 2 * MESSAGE.len()));

    // Behind a QUIT it is free at once.
    for deletes in ["NOOP", "DELE 1", "NOOP"] {
        assert!(second.say(deletes).await.starts_with("+OK"));
        assert!(second.say("QUIT").await.starts_with("+OK"));
        second = Client::connect(address).await;
        second.log_in().await;
    }
}

#[tokio::test]
async fn sec_p7_an_end_without_quit_removes_nothing() {
    let store = store();
    deliver(&store, MESSAGE).await;
    let (handle, shutdown) = Shutdown::channel();
    let (address, served) = harness::serve_until(builder().build(store.clone()), shutdown).await;
    let mut client = Client::connect(address).await;
    client.log_in().await;
    assert_eq!(client.say("DELE 1").await, "+OK message 1 deleted");
    drop(client);

    let mut client = Client::connect(address).await;
    client.log_in_when_free().await;
    assert_eq!(client.say("DELE 1").await, "+OK message 1 deleted");
    client.write(b"QUI").await;
    drop(client);

    let mut client = Client::connect(address).await;
    client.log_in_when_free().await;
    assert_eq!(client.say("DELE 1").await, "+OK message 1 deleted");
    handle.shut_down();
    assert_eq!(client.line().await, "-ERR [SYS/TEMP] shutting down");
    assert!(client.is_at_end().await);
    drop(client);
    served.await.unwrap().unwrap();
    assert_eq!(uids(&store).await, "1");
}

#[tokio::test]
async fn sec_p7_what_another_client_expunges_meanwhile_moves_no_number() {
    let store = store();
    for number in 1..=4 {
        deliver(&store, format!("Subject: {number}\r\n\r\n").as_bytes()).await;
    }
    let address = serve(builder().build(store.clone())).await;
    let mut client = Client::connect(address).await;
    client.log_in().await;
    assert_eq!(client.listing("LIST").await.len(), 4);

    let imap = account(&store).await;
    let inbox = imap.find(&MailboxName::inbox()).await.unwrap();
    let gone: UidSet = [1, 2].into_iter().filter_map(Uid::new).collect();
    imap.expunge(&inbox, &gone, false).await.unwrap();

    assert_eq!(client.say("RETR 1").await, "-ERR message has been removed");
    assert_eq!(client.say("TOP 2 0").await, "-ERR message has been removed");
    assert_eq!(client.message("RETR 3").await, b"Subject: 3\r\n\r\n");
    assert_eq!(client.say("DELE 1").await, "+OK message 1 deleted");
    assert_eq!(client.say("DELE 3").await, "+OK message 3 deleted");
    assert_eq!(client.say("QUIT").await, "+OK mail.example.org POP3 server signing off (2 messages left)");
    assert_eq!(uids(&store).await, "4");
}

#[tokio::test]
async fn sec_p8_a_unique_id_is_never_used_again() {
    let store = store();
    let address = serve(builder().build(store.clone())).await;
    let mut seen = Vec::new();
    for _ in 0..3 {
        deliver(&store, MESSAGE).await;
        let mut client = Client::connect(address).await;
        client.log_in().await;
        let first = client.listing("UIDL").await;
        client.say("QUIT").await;
        let mut client = Client::connect(address).await;
        client.log_in().await;
        assert_eq!(client.listing("UIDL").await, first, "the same in the next session");
        let id = first[0].strip_prefix("1 ").unwrap().to_owned();
        assert!(!seen.contains(&id), "{id} was another message's");
        seen.push(id);
        client.say("DELE 1").await;
        client.say("QUIT").await;
    }
}

#[tokio::test]
async fn sec_m19_a_slow_reader_of_50_mb_holds_neither_memory_nor_a_lock() {
    const SIZE: u64 = 50 << 20;
    let mut store = store();
    deliver(&store, MESSAGE).await;
    deliver(&store, MESSAGE).await;
    store.fault = Fault::Endless(SIZE);
    let address = serve(builder().build(store.clone())).await;
    let mut client = Client::connect(address).await;
    client.log_in().await;
    client.write(b"RETR 1\r\n").await;
    assert_eq!(client.line().await, format!("+OK {SIZE} octets"));
    // A client that does not read at all for a while.
    for _ in 0..10_000 {
        tokio::task::yield_now().await;
    }
    let (mut read, mut most) = (0, store.given.load(Ordering::SeqCst));
    while read < SIZE {
        read += client.some(256 * 1024).await as u64;
        most = most.max(store.given.load(Ordering::SeqCst).saturating_sub(read));
        if read < 1 << 20 {
            // The mailbox is free for others meanwhile.
            deliver(&store, MESSAGE).await;
        }
    }
    // What the two ends of a loopback socket take is the system's; all that is ours is the output's high-water mark.
    assert!(most < 16 << 20, "{most} octets had been read ahead of the client");
    // The last read may have had the end of the response in it already.
    client.write(b"QUIT\r\n").await;
    let rest = client.rest().await;
    assert!(rest.ends_with(b"(2 messages left)\r\n"), "{}", rest.escape_ascii());
}

#[tokio::test]
async fn a_store_that_fails_in_a_message_ends_the_connection_and_nothing_looks_whole() {
    for fault in [Fault::FailsInBody, Fault::ShortBody] {
        let mut store = store();
        deliver(&store, MESSAGE).await;
        store.fault = fault;
        let address = serve(builder().build(store)).await;
        let mut client = Client::connect(address).await;
        client.log_in().await;
        client.write(b"RETR 1\r\nNOOP\r\n").await;
        let rest = client.rest().await;
        assert!(!rest.ends_with(b"\r\n.\r\n") && !rest.ends_with(b"+OK\r\n"), "{}", rest.escape_ascii());
    }
    let mut store = store();
    deliver(&store, MESSAGE).await;
    store.fault = Fault::WrongSize;
    let address = serve(builder().build(store)).await;
    let mut client = Client::connect(address).await;
    client.log_in().await;
    assert_eq!(client.say("RETR 1").await, "-ERR [SYS/PERM] maildrop is damaged");
    assert_eq!(client.say("NOOP").await, "+OK");
}

#[tokio::test]
async fn sec_c7_a_quit_is_carried_out_though_the_client_has_gone() {
    let mut store = store();
    deliver(&store, MESSAGE).await;
    deliver(&store, MESSAGE).await;
    store.fault = Fault::SlowExpunge;
    let address = serve(builder().build(store.clone())).await;
    let mut client = Client::connect(address).await;
    client.log_in().await;
    client.say("DELE 1").await;
    client.write(b"QUIT\r\n").await;
    store.expunging.notified().await;
    drop(client);
    let mut second = Client::connect(address).await;
    second.say("USER ada@example.org").await;
    assert!(second.say("PASS correct horse").await.starts_with("-ERR [IN-USE]"), "held until it is done");
    store.go_on.notify_one();
    second.log_in_when_free().await;
    assert_eq!(uids(&store).await, "2");
}

#[tokio::test]
async fn a_quit_that_the_store_refuses_says_so() {
    let mut store = store();
    deliver(&store, MESSAGE).await;
    store.fault = Fault::NoExpunge;
    let address = serve(builder().build(store.clone())).await;
    let mut client = Client::connect(address).await;
    client.log_in().await;
    client.say("DELE 1").await;
    assert_eq!(client.say("QUIT").await, "-ERR [SYS/TEMP] some deleted messages not removed");
    assert!(client.is_at_end().await);
    assert_eq!(uids(&store).await, "1");
}

#[tokio::test]
async fn a_store_without_leases_is_served_only_if_it_is_said() {
    let mut store = store();
    store.fault = Fault::NoLease;
    let address = serve(builder().build(store.clone())).await;
    let mut client = Client::connect(address).await;
    client.say("USER ada@example.org").await;
    assert_eq!(client.say("PASS correct horse").await, "-ERR [SYS/PERM] maildrop cannot be held for POP3");
    let address = serve(builder().without_lease().build(store)).await;
    Client::connect(address).await.log_in().await;
}

#[tokio::test]
async fn a_maildrop_with_too_many_messages_is_refused() {
    let store = store();
    for _ in 0..3 {
        deliver(&store, b"x\r\n").await;
    }
    let mut limits = Limits::default();
    limits.maildrop_entries = 2;
    let address = serve(builder().limits(limits).build(store)).await;
    let mut client = Client::connect(address).await;
    client.say("USER ada@example.org").await;
    assert_eq!(client.say("PASS correct horse").await, "-ERR [SYS/PERM] maildrop holds too many messages");
    // The lease was let go with it.
    client.say("USER ada@example.org").await;
    assert_eq!(client.say("PASS correct horse").await, "-ERR [SYS/PERM] maildrop holds too many messages");
}

#[tokio::test]
async fn retr_marks_as_seen_only_if_it_is_said() {
    for (mark, seen) in [(false, vec![false, false]), (true, vec![false, true])] {
        let store = store();
        deliver(&store, MESSAGE).await;
        deliver(&store, MESSAGE).await;
        let address = serve(builder().mark_seen(mark).build(store.clone())).await;
        let mut client = Client::connect(address).await;
        client.log_in().await;
        client.message("TOP 1 0").await;
        client.message("RETR 2").await;
        client.say("NOOP").await;
        let account = account(&store).await;
        let inbox = account.find(&MailboxName::inbox()).await.unwrap();
        let fields = MetaFields::FIXED.with_flags();
        let metas = account.fetch_meta(&inbox, &UidSet::all(), fields, MetaFilter::default());
        let flags: Vec<_> =
            metas.map(|meta| meta.unwrap().flags.iter().any(|flag| flag.to_string() == "\\Seen")).collect().await;
        assert_eq!(flags, seen);
    }
}

#[tokio::test]
async fn a_proxy_says_who_the_client_is() {
    let log = harness::captured_log();
    let address = serve(builder().proxy_protocol(true).build(store())).await;
    let mut client = Client::silent(address).await;
    client.write(b"PROXY TCP4 192.0.2.7 198.51.100.1 4711 110\r\nUSER ada@example.org\r\nPASS wrong\r\n").await;
    assert_eq!(client.line().await, "+OK mail.example.org POP3 server ready");
    assert_eq!(client.line().await, "+OK send PASS");
    assert_eq!(client.line().await, "-ERR [AUTH] authentication failed");
    assert!(log.text().contains("192.0.2.7:4711"));

    let mut bare = Client::silent(address).await;
    bare.write(b"USER ada@example.org\r\n").await;
    assert_eq!(bare.rest().await, b"", "no header, no word");

    let address = serve(builder().build(store())).await;
    let mut client = Client::connect(address).await;
    let told = client.say("PROXY TCP4 192.0.2.7 198.51.100.1 4711 110").await;
    assert!(told.starts_with("-ERR "), "never found out by itself: {told}");
}

#[tokio::test(start_paused = true)]
async fn a_silent_client_is_closed_in_silence_after_ten_minutes() {
    let mut client = Client::without_socket(builder().build(store())).await;
    client.log_in().await;
    let before = tokio::time::Instant::now();
    assert_eq!(client.rest().await, b"");
    assert!(before.elapsed() >= Duration::from_secs(600));
}

#[tokio::test(start_paused = true)]
async fn sec_a11_guessing_takes_longer_and_longer_and_ends() {
    let mut client = Client::without_socket(builder().build(store())).await;
    let mut waited = Vec::new();
    for _ in 0..10 {
        client.say("USER ada@example.org").await;
        let before = tokio::time::Instant::now();
        assert_eq!(client.say("PASS wrong").await, "-ERR [AUTH] authentication failed");
        waited.push(before.elapsed().as_secs());
    }
    assert_eq!(waited, [0, 0, 0, 1, 2, 4, 8, 16, 16, 16]);
    assert!(client.is_at_end().await);
}

#[tokio::test]
async fn sec_c3_one_connection_too_many_is_told_so() {
    let address = serve(builder().max_connections(1).build(store())).await;
    let _first = Client::connect(address).await;
    let mut second = Client::silent(address).await;
    assert_eq!(second.rest().await, b"-ERR [SYS/TEMP] too many connections\r\n");
}

#[tokio::test]
async fn pipelined_commands_are_answered_in_order() {
    let store = store();
    deliver(&store, MESSAGE).await;
    let address = serve(builder().build(store)).await;
    let mut client = Client::connect(address).await;
    client.write(b"USER ada@example.org\r\nPASS correct horse\r\nSTAT\r\nRETR 1\r\nDELE 1\r\nSTAT\r\nQUIT\r\n").await;
    let told = client.rest().await;
    let stuffed =
        Bytes::from_static(b"Subject: dots\r\n\r\n..\r\n...\r\n..a line\r\n\xc3\xa9\xff 8-bit\r\n\r\nend\r\n");
    let size = MESSAGE.len();
    let expected = [
        format!("+OK send PASS\r\n+OK maildrop has 1 message ({size} octets)\r\n+OK 1 {size}\r\n+OK {size} octets\r\n")
            .as_bytes(),
        &stuffed,
        b".\r\n+OK message 1 deleted\r\n+OK 0 0\r\n+OK mail.example.org POP3 server signing off (maildrop empty)\r\n",
    ]
    .concat();
    assert_eq!(told.escape_ascii().to_string(), expected.escape_ascii().to_string());
    client.stream.shutdown().await.ok();
}
