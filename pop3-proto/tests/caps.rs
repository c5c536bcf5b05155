//! One address has no more connections than its share, behind a proxy too (attack row C3).
#![cfg(feature = "server")]
#![allow(clippy::unwrap_used, missing_docs)]

use mailstore_traits::memory::MemoryStore;
use pop3_proto::Server;
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::net::{TcpListener, TcpStream};

#[tokio::test]
async fn sec_c3_one_connection_more_than_an_address_may_have_is_told_so() {
    let store = MemoryStore::new().with_account("ada@example.org", "correct horse");
    let server = Server::builder("mail.example.org").proxy_protocol(true).max_connections_per_address(2).build(store);
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let at = listener.local_addr().unwrap();
    tokio::spawn(async move { server.serve(listener).await });
    let mut held = Vec::new();
    for (address, expected) in [
        ("192.0.2.1", "+OK"),
        ("192.0.2.1", "+OK"),
        ("192.0.2.1", "-ERR [SYS/TEMP] too many connections from your address\r\n"),
        ("192.0.2.2", "+OK"),
    ] {
        let mut client = BufReader::new(TcpStream::connect(at).await.unwrap());
        let header = format!("PROXY TCP4 {address} 198.51.100.1 1 25\r\n");
        client.get_mut().write_all(header.as_bytes()).await.unwrap();
        let mut line = String::new();
        client.read_line(&mut line).await.unwrap();
        assert!(line.starts_with(expected), "{address}: {line}");
        held.push(client);
    }
}
