//! Reports of delivery (RFC 3461), and peers that speak for others, through the whole server.
#![cfg(feature = "server")]
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests say what they expect")]

mod server_support;

use mail_message::Digest;
use mail_wire::base64;
use mailstore_traits::ErrorKind;
use server_support::{Client, Faulty, Running, inbox, memory, start};
use smtp_proto::server::Server;
use smtp_proto::session::Trust;
use tokio::net::TcpStream;

async fn ada(running: &Running) -> Client {
    let mut client = running.connect().await;
    let offers = client.say("EHLO client.example.net").await;
    assert!(offers.contains("250-DSN\r\n"), "{offers}");
    let login = base64::encode(b"\0ada@example.org\0correct horse");
    client.says(&format!("AUTH PLAIN {login}"), "235 ").await;
    client
}

#[tokio::test]
async fn a_sender_who_asks_for_it_hears_who_has_the_message() {
    let store = memory();
    let server =
        Server::builder("mail.example.org").submission().allow_insecure_login(true).own_senders(true).dsn(true);
    let running = start(server.build(store.clone())).await;
    let mut client = ada(&running).await;
    client.says("MAIL FROM:<ada@example.org> RET=FULL ENVID=QQ314159", "250 ").await;
    client.says("RCPT TO:<bob@example.org> NOTIFY=SUCCESS,FAILURE ORCPT=rfc822;Bob@Example.ORG", "250 ").await;
    client.says("RCPT TO:<team@example.org> NOTIFY=FAILURE", "250 ").await;
    client.says("DATA", "354 ").await;
    client.send(b"Subject: hello\r\n\r\nthe body stays here\r\n.\r\n").await;
    assert_eq!(client.reply().await, "250 2.0.0 message accepted\r\n");
    // One copy to the team, of which she is, and the report.
    let messages = inbox(&store, "ada@example.org").await;
    assert_eq!(messages.len(), 2);
    let (meta, octets) = &messages[1];
    let text = String::from_utf8(octets.clone()).unwrap();
    assert!(
        text.starts_with("Return-Path: <>\r\nFrom: Mail delivery system <postmaster@mail.example.org>\r\n"),
        "{text}"
    );
    assert!(text.contains("\r\nOriginal-Envelope-Id: QQ314159\r\n"), "{text}");
    assert!(
        text.contains(
            "\r\n\r\nOriginal-Recipient: rfc822; Bob@Example.ORG\r\nFinal-Recipient: rfc822; bob@example.org\r\n\
             Action: delivered\r\nStatus: 2.0.0\r\n\r\n--"
        ),
        "{text}"
    );
    assert!(text.contains("\r\n\r\nSubject: hello\r\n") && !text.contains("the body stays here"), "{text}");
    assert!(!text.contains("team@example.org"), "who asked for no report is in none");
    let digest = Digest::from_octets(meta.digest.as_ref().unwrap()).unwrap();
    assert_eq!((digest.size(), digest.root().children().count()), (octets.len() as u64, 3));

    // Of a report, and of what nobody asked for, there is none.
    for mail in ["MAIL FROM:<>", "MAIL FROM:<ada@example.org>"] {
        client.says(mail, "250 ").await;
        let notify = if mail.ends_with("<>") { " NOTIFY=SUCCESS" } else { "" };
        client.says(&format!("RCPT TO:<bob@example.org>{notify}"), "250 ").await;
        client.says("DATA", "354 ").await;
        client.send(b"x\r\n.\r\n").await;
        assert!(client.reply().await.starts_with("250 "));
    }
    assert_eq!(inbox(&store, "ada@example.org").await.len(), 2);
    assert_eq!(inbox(&store, "bob@example.org").await.len(), 3);
}

#[tokio::test]
async fn a_message_that_was_not_delivered_is_not_reported_as_if_it_were() {
    let store = Faulty::new(memory());
    let server = Server::builder("mail.example.org").submission().allow_insecure_login(true).dsn(true);
    let running = start(server.build(store.clone())).await;
    let mut client = ada(&running).await;
    *store.faults.deliver.lock().unwrap() = Some(ErrorKind::OverQuota);
    client.says("MAIL FROM:<ada@example.org>", "250 ").await;
    client.says("RCPT TO:<bob@example.org> NOTIFY=SUCCESS", "250 ").await;
    client.says("DATA", "354 ").await;
    client.send(b"x\r\n.\r\n").await;
    assert!(client.reply().await.starts_with("452 "));
    assert!(inbox(&store.inner, "ada@example.org").await.is_empty());
}

#[tokio::test]
async fn sec_r2_who_is_trusted_speaks_for_others_and_nobody_else_does() {
    let store = memory();
    let trust = |address: std::net::IpAddr| match address.is_loopback() {
        true => Trust::none().with_xclient().with_xforward().with_login(),
        false => Trust::none(),
    };
    let running = start(Server::builder("mail.example.org").trust(trust).build(store.clone())).await;
    let mut client = running.connect().await;
    let offers = client.say("EHLO filter.example.org").await;
    assert!(offers.contains("XCLIENT ") && offers.contains("XFORWARD "), "{offers}");
    assert!(!offers.contains("LOGIN"), "a name without a password logs nobody in: {offers}");
    client.says("XCLIENT LOGIN=ada@example.org", "550 ").await;
    client.says("MAIL FROM:<eve@example.net>", "250 ").await;
    client.says("XCLIENT ADDR=192.0.2.77", "503 ").await;
    client.says("RSET", "250 ").await;
    client.says("XFORWARD ADDR=198.51.100.5 HELO=far.example", "250 ").await;
    client.says("XCLIENT ADDR=192.0.2.77 HELO=other.example", "220 ").await;
    client.says("MAIL FROM:<eve@example.net>", "503 ").await;
    client.says("EHLO client.example.net", "250-").await;
    client.begin(&["ada@example.org"], b"x\r\n.\r\n").await;
    assert!(client.reply().await.starts_with("250 "));
    let octets = &inbox(&store, "ada@example.org").await[0].1;
    let text = String::from_utf8_lossy(octets);
    assert!(text.contains("\r\nReceived: from client.example.net ([192.0.2.77])\r\n"), "{text}");

    // Behind a proxy it is the client's address that counts.
    let server = Server::builder("mail.example.org").trust(trust).proxy_protocol(true);
    let running = start(server.build(memory())).await;
    let mut client = Client::new(TcpStream::connect(("127.0.0.1", running.port)).await.unwrap());
    client.send(b"PROXY TCP4 192.0.2.77 198.51.100.1 56324 25\r\n").await;
    assert!(client.reply().await.starts_with("220 "));
    let offers = client.say("EHLO c.example.net").await;
    assert!(!offers.contains("XCLIENT") && !offers.contains("XFORWARD"), "{offers}");
    client.says("XCLIENT ADDR=127.0.0.1", "550 5.7.0 ").await;
}
