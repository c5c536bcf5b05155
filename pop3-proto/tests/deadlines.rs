//! Slow clients of a whole server, with time that stands still (attack rows C1, M13, T11).
#![cfg(feature = "server")]
#![allow(clippy::unwrap_used, missing_docs)]

use std::time::Duration;

use mail_wire::io::{Link, Shutdown};
use mailstore_traits::memory::MemoryStore;
use pop3_proto::Server;
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader, DuplexStream, duplex};
use tokio::time::{Instant, sleep};

fn store() -> MemoryStore {
    MemoryStore::new().with_account("ada@example.org", "correct horse")
}

fn server() -> Server<MemoryStore, MemoryStore> {
    Server::builder("pop.example.org").allow_insecure_login(true).build(store())
}

fn connect(server: &Server<MemoryStore, MemoryStore>) -> BufReader<DuplexStream> {
    let (ours, theirs) = duplex(64 * 1024);
    let (server, peer) = (server.clone(), "192.0.2.1:1".parse().unwrap());
    tokio::spawn(async move { server.serve_link(Link::plain(theirs), peer, Shutdown::never()).await });
    BufReader::new(ours)
}

async fn line(client: &mut BufReader<DuplexStream>) -> String {
    let mut line = String::new();
    client.read_line(&mut line).await.unwrap();
    line
}

async fn say(client: &mut BufReader<DuplexStream>, command: &str) -> String {
    client.get_mut().write_all(format!("{command}\r\n").as_bytes()).await.unwrap();
    line(client).await
}

/// Sends `octets` each time `every` has passed, until the server closes. How long that was.
async fn drip(mut client: BufReader<DuplexStream>, octets: &[u8], every: Duration) -> Duration {
    let (begun, mut rest) = (Instant::now(), Vec::new());
    while tokio::time::timeout(every, client.read_to_end(&mut rest)).await.is_err() {
        client.get_mut().write_all(octets).await.unwrap();
    }
    begun.elapsed()
}

#[tokio::test(start_paused = true)]
async fn sec_c1_an_octet_each_ten_seconds_is_a_minute_of_a_line_and_no_more() {
    let mut client = connect(&server());
    assert!(line(&mut client).await.starts_with("+OK"));
    assert_eq!(drip(client, b"N", Duration::from_secs(10)).await.as_secs(), 70, "the first came after ten seconds");
}

#[tokio::test(start_paused = true)]
async fn sec_c1_silence_and_talk_without_a_login_are_ended_after_ten_minutes() {
    let mut client = connect(&server());
    line(&mut client).await;
    assert_eq!(drip(client, b"", Duration::from_secs(30)).await.as_secs(), 600);
    let mut client = connect(&server());
    line(&mut client).await;
    assert_eq!(drip(client, b"CAPA\r\n", Duration::from_secs(30)).await.as_secs(), 600);
}

#[tokio::test(start_paused = true)]
async fn sec_c1_who_has_logged_in_stays_for_as_long_as_there_is_talk_and_then_lets_the_maildrop_go() {
    let server = server();
    let mut client = connect(&server);
    line(&mut client).await;
    assert!(say(&mut client, "USER ada@example.org").await.starts_with("+OK"));
    assert!(say(&mut client, "PASS correct horse").await.starts_with("+OK"));
    for _ in 0..10 {
        sleep(Duration::from_secs(500)).await;
        assert!(say(&mut client, "NOOP").await.starts_with("+OK"));
    }
    assert_eq!(drip(client, b"", Duration::from_secs(60)).await.as_secs(), 600);
    let mut next = connect(&server);
    line(&mut next).await;
    say(&mut next, "USER ada@example.org").await;
    assert!(say(&mut next, "PASS correct horse").await.starts_with("+OK"));
}

#[tokio::test(start_paused = true)]
async fn sec_m13_a_mebibyte_of_noop_from_one_who_reads_nothing_is_not_taken_in() {
    let mut client = connect(&server());
    line(&mut client).await;
    say(&mut client, "USER ada@example.org").await;
    say(&mut client, "PASS correct horse").await;
    let (begun, flood, mut taken) = (Instant::now(), b"NOOP\r\n".repeat(1 << 20), 0);
    while let Ok(count) = client.get_mut().write(&flood[taken..]).await {
        taken += count;
    }
    assert_eq!(begun.elapsed().as_secs(), 300, "the write deadline");
    assert!(taken < 512 * 1024, "{taken} octets were taken");
}

#[tokio::test(start_paused = true)]
async fn sec_t11_half_a_handshake_is_ended_after_half_a_minute() {
    let made = rcgen::generate_simple_self_signed([String::from("localhost")]).unwrap();
    let (cert, key) = (made.cert.pem(), made.signing_key.serialize_pem());
    let tls = mail_wire::io::TlsConfig::from_pem(cert.as_bytes(), key.as_bytes()).unwrap();
    for implicit in [true, false] {
        let server = Server::builder("pop.example.org").tls(tls.clone()).implicit_tls(implicit).build(store());
        let mut client = connect(&server);
        if !implicit {
            line(&mut client).await;
            assert!(say(&mut client, "STLS").await.starts_with("+OK"));
        }
        let begun = Instant::now();
        client.get_mut().write_all(b"\x16\x03\x01\x02\x00\x01").await.unwrap();
        let mut rest = Vec::new();
        client.read_to_end(&mut rest).await.unwrap();
        assert_eq!((rest.len(), begun.elapsed().as_secs()), (0, 30));
    }
}
