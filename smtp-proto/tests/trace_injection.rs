//! Attack row I4, from the side of the message: its first octets stand right behind our trace fields, and none of them
//! becomes a part of one.
#![cfg(feature = "server")]
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests say what they expect")]

mod server_support;

use mail_message::Digest;
use server_support::{inbox, memory, start};
use smtp_proto::server::Server;

/// Each field of a header with its folded lines.
fn fields(message: &str) -> Vec<String> {
    let header = message.split_once("\r\n\r\n").map_or(message, |(header, _)| header);
    let mut fields: Vec<String> = Vec::new();
    for line in header.split("\r\n") {
        match fields.last_mut() {
            Some(last) if line.starts_with([' ', '\t']) => *last += line,
            _ => fields.push(line.to_owned()),
        }
    }
    fields
}

#[tokio::test]
async fn sec_i4_a_message_that_begins_with_a_folded_line_does_not_go_on_with_our_received_field() {
    for first in ["\tfor <forged@example.org>; Thu, 1 Jan 1970 00:00:00 +0000", " (forged)", "\t", " "] {
        let store = memory();
        let server = start(Server::builder("mail.example.org").lmtp().build(store.clone())).await;
        let mut client = server.connect().await;
        client.says("LHLO client.example.net", "250-").await;
        client.begin(&["ada@example.org"], format!("{first}\r\nSubject: x\r\n\r\nbody\r\n.\r\n").as_bytes()).await;
        assert!(client.reply().await.starts_with("250 "), "RFC 5321 §3.3: no reason to refuse it");
        let (meta, octets) = inbox(&store, "ada@example.org").await.remove(0);
        let text = String::from_utf8(octets.clone()).unwrap();
        let received = fields(&text).into_iter().find(|field| field.starts_with("Received: ")).unwrap();
        assert!(!received.contains("forged") && received.ends_with(|c: char| c.is_ascii_digit()), "{received}");
        assert!(text.contains(&format!("\r\n{first}\r\nSubject: x\r\n")), "nothing of the message is lost: {text}");
        let digest = Digest::from_octets(&meta.digest.unwrap()).unwrap();
        assert_eq!(digest.size(), octets.len() as u64);
        let whole = Digest::of(&octets);
        assert_eq!((digest.lines(), digest.root().header()), (whole.lines(), whole.root().header()));
        assert_eq!(whole.field("Subject").unwrap().value.trim_ascii(), b"x");
    }
}
