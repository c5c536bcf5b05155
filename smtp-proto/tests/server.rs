//! The whole server over loopback: a client by hand, a store behind, TLS where it is due.
#![cfg(feature = "server")]
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests say what they expect")]

mod server_support;

use std::sync::atomic::Ordering;

use mail_message::Digest;
use mailstore_traits::ErrorKind;
use server_support::{Client, Faulty, Running, in_time, inbox, memory, start, tls};
use smtp_proto::Server;
use tokio::net::TcpStream;

fn plain(user: &str, password: &str) -> String {
    format!("AUTH PLAIN {}", mail_wire::base64::encode(format!("\0{user}\0{password}").as_bytes()))
}

/// What stands behind the trace fields.
fn content(message: &[u8]) -> &[u8] {
    let mut rest = message;
    for start in [&b"Return-Path: "[..], b"Received: ", b"\t"] {
        assert!(rest.starts_with(start));
        while rest.starts_with(start) {
            let end = rest.windows(2).position(|octets| octets == b"\r\n").unwrap();
            rest = &rest[end + 2..];
        }
    }
    rest
}

async fn faulty() -> (Faulty, Running) {
    let store = Faulty::new(memory());
    let server = Server::builder("mail.example.org").build(store.clone());
    (store, start(server).await)
}

async fn eve(running: &Running) -> Client {
    let mut client = running.connect().await;
    client.says("EHLO client.example.net", "250-").await;
    client
}

#[tokio::test]
async fn a_message_comes_in_octet_for_octet_behind_its_trace_fields() {
    let store = memory();
    let running = start(Server::builder("mail.example.org").build(store.clone())).await;
    let mut client = eve(&running).await;
    let sent = b"Subject: dots\r\n\r\n..\r\n.x\r\n\xe4\xf6\xfc \xf0\x9f\x93\xa8\r\n\r\nlast\r\n";
    let stuffed = b"Subject: dots\r\n\r\n...\r\n..x\r\n\xe4\xf6\xfc \xf0\x9f\x93\xa8\r\n\r\nlast\r\n.\r\n";
    client.begin(&["ada@example.org"], stuffed).await;
    assert_eq!(client.reply().await, "250 2.0.0 message accepted\r\n");
    client.begin(&["ada@example.org"], b".\r\n").await;
    assert_eq!(client.reply().await, "250 2.0.0 message accepted\r\n", "an empty message is one too");
    client.says("QUIT", "221 2.0.0 ").await;
    assert_eq!(client.reply().await, "");

    let messages = inbox(&store, "ada@example.org").await;
    assert_eq!(messages.len(), 2);
    let (meta, octets) = &messages[0];
    assert_eq!(content(octets), sent);
    assert_eq!(content(&messages[1].1), b"");
    let text = String::from_utf8_lossy(octets);
    assert!(
        text.starts_with(
            "Return-Path: <eve@example.net>\r\nReceived: from client.example.net ([127.0.0.1])\r\n\
             \tby mail.example.org with ESMTP\r\n\tid "
        ) && text.contains("\r\n\tfor <ada@example.org>;\r\n\t"),
        "{text}"
    );
    assert_eq!(meta.size, octets.len() as u64);
    let digest = Digest::from_octets(meta.digest.as_ref().unwrap()).unwrap();
    assert_eq!(digest.size(), meta.size);
    assert_eq!(digest.field("Subject").unwrap().value, Digest::of(octets).field("Subject").unwrap().value);
    assert_eq!(digest.field_count("Received"), Some(1));
}

#[tokio::test]
async fn a_message_comes_in_chunks_and_one_that_cannot_be_kept_is_refused_at_its_first() {
    let (store, running) = faulty().await;
    let mut client = eve(&running).await;
    client.says("MAIL FROM:<eve@example.net>", "250 ").await;
    client.says("RCPT TO:<ada@example.org>", "250 ").await;
    client.send(b"BDAT 20\r\nSubject: dots\r\n\r\n..\rBDAT 4\r\n\n.\r\nBDAT 3 LAST\r\n.\r\n").await;
    assert_eq!(client.reply().await, "250 2.0.0 20 octets received\r\n");
    assert_eq!(client.reply().await, "250 2.0.0 4 octets received\r\n");
    assert_eq!(client.reply().await, "250 2.0.0 message accepted\r\n");
    let messages = inbox(&store.inner, "ada@example.org").await;
    assert_eq!(content(&messages[0].1), b"Subject: dots\r\n\r\n..\r\n.\r\n.\r\n");

    *store.faults.write.lock().unwrap() = Some(ErrorKind::OverQuota);
    client.says("MAIL FROM:<eve@example.net>", "250 ").await;
    client.says("RCPT TO:<ada@example.org>", "250 ").await;
    client.send(b"BDAT 5\r\nx\r\n\r\nBDAT 8 LAST\r\nNOOP\r\n\r\n").await;
    assert!(client.reply().await.starts_with("452 4.2.2 "));
    assert!(client.reply().await.starts_with("503 "));
    client.says("RSET", "250 ").await;
    assert_eq!(inbox(&store.inner, "ada@example.org").await.len(), 1);
}

#[tokio::test]
async fn many_messages_come_by_one_connection_and_a_large_one_in_pieces() {
    let store = memory();
    let running = start(Server::builder("mail.example.org").build(store.clone())).await;
    let mut client = eve(&running).await;
    let line = [b'x'; 998];
    let body: Vec<u8> = std::iter::repeat_n([&line[..], b"\r\n"].concat(), 4000).flatten().collect();
    for _ in 0..2 {
        client.begin(&["ada@example.org"], &[&body[..], b".\r\n"].concat()).await;
        assert!(client.reply().await.starts_with("250 "));
    }
    let messages = inbox(&store, "ada@example.org").await;
    assert!(messages.len() == 2 && messages.iter().all(|(_, octets)| content(octets) == body));
}

#[tokio::test]
async fn mail_is_submitted_by_starttls_and_login() {
    let store = memory();
    let server = Server::builder("mail.example.org").submission().tls(tls()).build(store.clone());
    let running = start(server).await;
    let mut client = running.connect().await;
    assert!(!client.say("EHLO client.example.net").await.contains("AUTH"));
    client.says(&plain("ada@example.org", "correct horse"), "538 5.7.11 ").await;
    client.says("MAIL FROM:<ada@example.org>", "530 5.7.0 ").await;
    client.says("STARTTLS", "220 2.0.0 ").await;
    let mut client = client.handshake().await;
    client.says("MAIL FROM:<ada@example.org>", "503 ").await;
    let offers = client.say("EHLO client.example.net").await;
    assert!(
        offers.contains("AUTH PLAIN LOGIN") && !offers.contains("STARTTLS") && !offers.contains("SCRAM"),
        "{offers}"
    );
    client.says(&plain("ada@example.org", "wrong"), "535 5.7.8 ").await;
    client.says("MAIL FROM:<ada@example.org>", "530 5.7.0 ").await;
    client.says(&plain("ada@example.org", "correct horse"), "235 2.7.0 ").await;
    client.says("MAIL FROM:<ada@example.org> SMTPUTF8", "250 ").await;
    client.says("RCPT TO:<someone@example.net>", "550 5.7.1 relaying denied, this server").await;
    client.says("RCPT TO:<bob@example.org>", "250 ").await;
    client.says("DATA", "354 ").await;
    client.says("Subject: hi\r\n\r\nhi\r\n.", "250 2.0.0 ").await;
    client.says("QUIT", "221 ").await;
    let messages = inbox(&store, "bob@example.org").await;
    let text = String::from_utf8_lossy(&messages[0].1).into_owned();
    assert!(text.contains("with UTF8SMTPSA\r\n\t(TLSv1.3 TLS_"), "{text}");
}

#[tokio::test]
async fn implicit_tls_comes_before_the_greeting() {
    let store = memory();
    let server = Server::builder("mail.example.org").submission().tls(tls()).implicit_tls(true).build(store.clone());
    let running = start(server).await;
    let socket = TcpStream::connect(("127.0.0.1", running.port)).await.unwrap();
    let mut client = Client::new(socket).handshake().await;
    assert!(client.reply().await.starts_with("220 mail.example.org ESMTP"));
    let offers = client.say("EHLO c").await;
    assert!(offers.contains("AUTH PLAIN") && !offers.contains("STARTTLS"), "{offers}");
    client.says(&plain("ada@example.org", "correct horse"), "235 ").await;
}

#[tokio::test]
async fn sec_t1_clear_text_behind_starttls_breaks_the_handshake_and_is_never_a_command() {
    let store = memory();
    let running = start(Server::builder("mail.example.org").tls(tls()).build(store.clone())).await;
    let mut client = eve(&running).await;
    client.send(b"STARTTLS\r\nMAIL FROM:<a@b>\r\nRCPT TO:<ada@example.org>\r\nDATA\r\nx\r\n.\r\n").await;
    assert_eq!(client.reply().await, "220 2.0.0 ready to start TLS\r\n");
    let said = client.reply().await;
    assert!(!said.starts_with("250") && !said.starts_with("5"), "no reply but perhaps an alert: {said:?}");
    assert_eq!(inbox(&store, "ada@example.org").await.len(), 0);
}

#[tokio::test]
async fn lmtp_has_a_reply_for_each_recipient() {
    let store = memory().with_quota("bob@example.org", 10);
    let running = start(Server::builder("mail.example.org").lmtp().build(store.clone())).await;
    let mut client = running.connect().await;
    client.says("EHLO c", "500 ").await;
    client.says("LHLO c", "250-").await;
    client.begin(&["ada@example.org", "bob@example.org", "ada@example.org", "team@example.org"], b"x\r\n.\r\n").await;
    assert_eq!(client.reply().await, "250 2.0.0 message accepted\r\n");
    assert_eq!(client.reply().await, "452 4.2.2 mailbox full\r\n");
    assert_eq!(client.reply().await, "250 2.0.0 message accepted\r\n");
    assert_eq!(client.reply().await, "452 4.2.2 mailbox full\r\n", "one of the two has it not");
    let messages = inbox(&store, "ada@example.org").await;
    assert_eq!(messages.len(), 1, "the same mailbox, however many recipients lead to it, has it once");
    let text = String::from_utf8_lossy(&messages[0].1).into_owned();
    assert!(text.contains("with LMTP\r\n") && !text.contains("\tfor "), "{text}");
    assert_eq!(inbox(&store, "bob@example.org").await.len(), 0);
}

#[tokio::test]
async fn by_smtp_all_have_it_or_none_and_each_once() {
    let store = memory();
    let running = start(Server::builder("mail.example.org").build(store.clone())).await;
    let mut client = eve(&running).await;
    client.begin(&["team@example.org", "ada@example.org", "Ada@EXAMPLE.org", "postmaster"], b"x\r\n.\r\n").await;
    assert!(client.reply().await.starts_with("250 "));
    assert_eq!(inbox(&store, "ada@example.org").await.len(), 1);
    assert_eq!(inbox(&store, "bob@example.org").await.len(), 1);

    let store = memory().with_quota("bob@example.org", 10);
    let running = start(Server::builder("mail.example.org").build(store.clone())).await;
    let mut client = eve(&running).await;
    client.begin(&["ada@example.org", "bob@example.org"], b"x\r\n.\r\n").await;
    assert_eq!(client.reply().await, "452 4.2.2 mailbox full\r\n");
    assert_eq!(inbox(&store, "ada@example.org").await.len(), 0);
}

#[tokio::test]
async fn sec_r1_mail_for_other_domains_is_refused_in_every_form() {
    let store = memory();
    let running = start(Server::builder("mail.example.org").build(store.clone())).await;
    for sender in ["<>", "<ada@example.org>", "<eve@example.net>", "<postmaster@example.org>"] {
        let mut client = eve(&running).await;
        client.says(&format!("MAIL FROM:{sender} SMTPUTF8"), "250 ").await;
        for (path, expected) in [
            ("<eve@example.net>", "550 5.7.1 relaying denied\r\n"),
            ("<eve%example.net@example.org>", "550 5.1.1 "),
            ("<\"eve@example.net\"@example.org>", "550 5.1.1 "),
            ("<example.net!eve@example.org>", "550 5.1.1 "),
            ("<@example.org:eve@example.net>", "550 5.7.1 "),
            ("<@example.net,@example.org:eve@example.net>", "550 5.7.1 "),
            ("<ada@[127.0.0.1]>", "550 5.7.1 "),
            ("<ada@[IPv6:::1]>", "550 5.7.1 "),
            ("<ada@example.org.>", "501 "),
            ("<eve@EXAMPLE.NET>", "550 5.7.1 "),
            ("<ada@sub.example.org>", "550 5.7.1 "),
            ("<ada@exämple.org>", "550 5.7.1 "),
            ("<ada@xn--exmple-cua.org>", "550 5.7.1 "),
            ("<ada@example.org@example.net>", "501 "),
            ("<\"ada@example.org\"@example.net>", "550 5.7.1 "),
            ("<nobody@example.org>", "550 5.1.1 "),
            ("<\"\"@example.org>", "550 5.1.1 "),
            ("<@example.net:ada@example.org>", "250 "),
            ("<ADA@Example.Org>", "250 "),
            ("<postmaster>", "250 "),
        ] {
            client.says(&format!("RCPT TO:{path}"), expected).await;
        }
    }
}

#[tokio::test]
async fn a_store_in_trouble_loses_nothing_and_says_nothing_of_itself() {
    let (store, running) = faulty().await;
    let mut client = eve(&running).await;
    let faults = &store.faults;
    client.says("MAIL FROM:<a@b>", "250 ").await;
    *faults.resolve.lock().unwrap() = Some(ErrorKind::Unavailable);
    assert_eq!(client.say("RCPT TO:<ada@example.org>").await, "451 4.3.0 local error, try again later\r\n");
    *faults.resolve.lock().unwrap() = None;
    client.says("RCPT TO:<ada@example.org>", "250 ").await;
    *faults.stage.lock().unwrap() = Some(ErrorKind::Unavailable);
    assert_eq!(client.say("DATA").await, "451 4.3.0 mail system unavailable, try again later\r\n");
    *faults.stage.lock().unwrap() = None;
    client.says("RSET", "250 ").await;

    for (place, kind, expected) in [
        (&faults.write, ErrorKind::Unavailable, "451 4.3.0 "),
        (&faults.write, ErrorKind::LimitExceeded, "452 4.3.1 "),
        (&faults.write, ErrorKind::TooBig, "552 5.3.4 "),
        (&faults.finish, ErrorKind::Unavailable, "451 4.3.0 "),
        (&faults.finish, ErrorKind::OverQuota, "452 4.2.2 "),
        (&faults.deliver, ErrorKind::Unavailable, "451 4.3.0 "),
        (&faults.deliver, ErrorKind::Internal, "451 4.3.0 "),
        (&faults.deliver, ErrorKind::NotFound, "550 5.1.1 "),
    ] {
        *place.lock().unwrap() = Some(kind);
        client.begin(&["ada@example.org"], b"x\r\ny\r\n.\r\n").await;
        let said = client.reply().await;
        assert!(said.starts_with(expected) && !said.contains("row 7"), "{kind:?}: {said}");
        *place.lock().unwrap() = None;
    }
    faults.panics.store(true, Ordering::SeqCst);
    client.begin(&["ada@example.org"], b"x\r\n.\r\n").await;
    assert!(client.reply().await.starts_with("451 4.3.0 "), "a store that panics has stored nothing");
    faults.panics.store(false, Ordering::SeqCst);
    assert_eq!(inbox(&store.inner, "ada@example.org").await.len(), 0);
    client.begin(&["ada@example.org"], b"x\r\n.\r\n").await;
    assert!(client.reply().await.starts_with("250 "), "and a later try works");
    assert_eq!(inbox(&store.inner, "ada@example.org").await.len(), 1);
}

#[tokio::test]
async fn sec_c7_there_is_no_250_before_the_store_has_answered() {
    let (store, running) = faulty().await;
    store.faults.gated.store(true, Ordering::SeqCst);
    let mut client = eve(&running).await;
    client.begin(&["ada@example.org"], b"x\r\n.\r\nNOOP\r\n").await;
    in_time(store.faults.begun.notified()).await;
    let mut reply = std::pin::pin!(client.reply());
    assert!(futures::poll!(&mut reply).is_pending());
    assert_eq!(inbox(&store.inner, "ada@example.org").await.len(), 0);
    store.faults.go.notify_one();
    assert_eq!(reply.await, "250 2.0.0 message accepted\r\n");
    assert_eq!(inbox(&store.inner, "ada@example.org").await.len(), 1);
}

#[tokio::test]
async fn a_delivery_that_has_begun_is_ended_though_the_peer_has_gone() {
    let (store, running) = faulty().await;
    store.faults.gated.store(true, Ordering::SeqCst);
    let mut client = eve(&running).await;
    client.begin(&["ada@example.org"], b"x\r\n.\r\n").await;
    in_time(store.faults.begun.notified()).await;
    drop(client);
    store.faults.go.notify_one();
    in_time(store.faults.done.notified()).await;
    assert_eq!(inbox(&store.inner, "ada@example.org").await.len(), 1);
}

#[tokio::test]
async fn a_message_that_was_not_ended_leaves_nothing() {
    let (store, running) = faulty().await;
    let mut client = eve(&running).await;
    client.begin(&["ada@example.org"], b"half a mess").await;
    drop(client);
    let mut client = eve(&running).await;
    client.begin(&["ada@example.org"], b"nul \0 here\r\n.\r\n").await;
    assert!(client.reply().await.starts_with("550 5.6.0 "));
    client.says("NOOP", "250 ").await;
    assert_eq!(inbox(&store.inner, "ada@example.org").await.len(), 0);
}

#[tokio::test]
async fn a_store_without_atomic_delivery_gets_recipients_it_can_deliver_to_together() {
    let (store, running) = faulty().await;
    store.faults.not_atomic.store(true, Ordering::SeqCst);
    let mut client = eve(&running).await;
    client.says("MAIL FROM:<a@b>", "250 ").await;
    client.says("RCPT TO:<team@example.org>", "451 4.3.5 ").await;
    client.says("RCPT TO:<ada@example.org>", "250 ").await;
    client.says("RCPT TO:<bob@example.org>", "452 4.5.3 ").await;
    client.says("RCPT TO:<ada@EXAMPLE.org>", "250 ").await;
    client.says("DATA", "354 ").await;
    client.says("x\r\n.", "250 ").await;
    client.says("MAIL FROM:<a@b>", "250 ").await;
    client.says("RCPT TO:<bob@example.org>", "250 ").await;
    client.says("DATA", "354 ").await;
    client.says("x\r\n.", "250 ").await;
    for account in ["ada@example.org", "bob@example.org"] {
        assert_eq!(inbox(&store.inner, account).await.len(), 1);
    }
}

#[tokio::test]
async fn sec_c6_a_shutdown_says_421_and_waits_for_a_delivery() {
    let (store, running) = faulty().await;
    store.faults.gated.store(true, Ordering::SeqCst);
    let (mut idle, mut busy) = (eve(&running).await, eve(&running).await);
    busy.begin(&["ada@example.org"], b"x\r\n.\r\n").await;
    in_time(store.faults.begun.notified()).await;
    running.shutdown.shut_down();
    assert_eq!(idle.reply().await, "421 4.3.2 mail.example.org shutting down\r\n");
    assert!(!running.task.is_finished());
    store.faults.go.notify_one();
    assert_eq!(busy.reply().await, "250 2.0.0 message accepted\r\n");
    assert_eq!(busy.reply().await, "421 4.3.2 mail.example.org shutting down\r\n");
    drop((idle, busy));
    in_time(running.task).await.unwrap();
    assert_eq!(inbox(&store.inner, "ada@example.org").await.len(), 1);
}

#[tokio::test]
async fn a_proxy_says_whose_connection_it_is() {
    let store = memory();
    let running = start(Server::builder("mail.example.org").proxy_protocol(true).build(store.clone())).await;
    let mut client = Client::new(TcpStream::connect(("127.0.0.1", running.port)).await.unwrap());
    client.send(b"PROXY TCP4 192.0.2.77 198.51.100.1 56324 25\r\n").await;
    assert!(client.reply().await.starts_with("220 "));
    client.says("EHLO c.example.net", "250-").await;
    client.begin(&["ada@example.org"], b"x\r\n.\r\n").await;
    assert!(client.reply().await.starts_with("250 "));
    let messages = inbox(&store, "ada@example.org").await;
    assert!(String::from_utf8_lossy(&messages[0].1).contains("from c.example.net ([192.0.2.77])"));

    let mut client = Client::new(TcpStream::connect(("127.0.0.1", running.port)).await.unwrap());
    client.send(b"EHLO c.example.net\r\n").await;
    assert_eq!(client.reply().await, "", "without a header there is not a word");
}

#[tokio::test]
async fn sec_r2_a_proxy_header_on_another_listener_is_an_unknown_command() {
    let running = start(Server::builder("mail.example.org").build(memory())).await;
    let mut client = running.connect().await;
    client.says("PROXY TCP4 192.0.2.77 198.51.100.1 56324 25", "500 ").await;
}

#[tokio::test]
async fn one_connection_too_many_is_told_so() {
    let running = start(Server::builder("mail.example.org").max_connections(1).build(memory())).await;
    let first = running.connect().await;
    let mut second = Client::new(TcpStream::connect(("127.0.0.1", running.port)).await.unwrap());
    assert_eq!(second.reply().await, "421 4.3.2 mail.example.org too many connections\r\n");
    drop(first);
}

#[tokio::test]
async fn a_pipelined_group_is_answered_in_order() {
    let store = memory();
    let running = start(Server::builder("mail.example.org").build(store.clone())).await;
    let mut client = eve(&running).await;
    client.send(b"MAIL FROM:<a@b>\r\nRCPT TO:<x@example.org>\r\nRCPT TO:<bob@example.org>\r\nDATA\r\n").await;
    for expected in ["250 2.1.0", "550 5.1.1", "250 2.1.5", "354 "] {
        assert!(client.reply().await.starts_with(expected));
    }
    client.send(b"x\r\n.\r\nQUIT\r\n").await;
    assert!(client.reply().await.starts_with("250 2.0.0"));
    assert!(client.reply().await.starts_with("221 2.0.0"));
    assert_eq!(inbox(&store, "bob@example.org").await.len(), 1);
}
