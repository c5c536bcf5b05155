//! A client that has said all that it has to say, and closes its half of the connection, is still answered; one that goes
//! in the middle of a message has sent none (attack rows C7 and T8).
#![cfg(feature = "server")]
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests say what they expect")]

mod server_support;

use server_support::{in_time, inbox, memory, start};
use smtp_proto::server::Server;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

const MESSAGE: &str = "LHLO c\r\nMAIL FROM:<a@b>\r\nRCPT TO:<ada@example.org>\r\nRCPT TO:<bob@example.org>\r\nDATA\r\n\
    Subject: x\r\n\r\nwhole\r\n.\r\n";

/// What is said to a client that sends this in one piece and then nothing more, and how many messages each of two has.
async fn said_to(octets: &str) -> (String, [usize; 2]) {
    let store = memory();
    let running = start(Server::builder("mail.example.org").lmtp().build(store.clone())).await;
    let mut stream = TcpStream::connect(("127.0.0.1", running.port)).await.unwrap();
    stream.write_all(octets.as_bytes()).await.unwrap();
    stream.shutdown().await.unwrap();
    let mut said = String::new();
    in_time(stream.read_to_string(&mut said)).await.unwrap();
    let count = [inbox(&store, "ada@example.org").await.len(), inbox(&store, "bob@example.org").await.len()];
    (said, count)
}

#[tokio::test]
async fn sec_c7_who_closes_the_own_half_of_a_connection_hears_every_answer() {
    for end in ["", "QUIT\r\n", "NOO"] {
        let (said, count) = said_to(&format!("{MESSAGE}{end}")).await;
        assert_eq!(said.matches("\r\n250 2.0.0 message accepted").count(), 2, "{said}");
        assert_eq!(said.ends_with("221 2.0.0 mail.example.org closing connection\r\n"), end == "QUIT\r\n", "{said}");
        assert_eq!(count, [1, 1]);
    }
}

#[tokio::test]
async fn sec_t8_a_message_whose_end_has_not_come_did_not_happen() {
    let end = MESSAGE.len() - ".\r\n".len();
    for end in [end - 5, end, end + 1, end + 2] {
        let (said, count) = said_to(&MESSAGE[..end]).await;
        assert!(said.lines().last().unwrap().starts_with("354 "), "{said}");
        assert_eq!(count, [0, 0]);
    }
    let (said, count) = said_to(&MESSAGE.replace("DATA\r\n", "BDAT 100 LAST\r\n")).await;
    assert!(said.ends_with("250 2.1.5 recipient ok\r\n"), "{said}");
    assert_eq!(count, [0, 0]);
}
