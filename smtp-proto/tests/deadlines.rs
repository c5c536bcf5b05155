//! Slow clients of a whole server, with time that stands still (attack rows C1, C2, M13, T11).
#![cfg(feature = "server")]
#![allow(clippy::unwrap_used, missing_docs)]

use std::time::Duration;

use mail_wire::io::{Link, Shutdown};
use mailstore_traits::memory::MemoryStore;
use smtp_proto::{Limits, Server};
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader, DuplexStream, duplex};
use tokio::time::{Instant, sleep, timeout};

const TIMEOUT: &str = "421 4.4.2 mail.example.org timeout\r\n";

struct Client(BufReader<DuplexStream>);

impl Client {
    fn of<S, A, D, P>(server: Server<S, A, D, P>) -> Self
    where
        S: mailstore_traits::MailStore,
        A: mailstore_traits::Authenticator,
        D: mailstore_traits::Directory,
        P: smtp_proto::server::policy::Policy,
    {
        let (ours, theirs) = duplex(64 * 1024);
        let peer = "192.0.2.1:1".parse().unwrap();
        tokio::spawn(async move { server.serve_link(Link::plain(theirs), peer, Shutdown::never()).await });
        Self(BufReader::new(ours))
    }

    async fn smtp() -> Self {
        let mut client = Self::of(Server::builder("mail.example.org").build(store()));
        assert!(client.reply().await.starts_with("220 "));
        client
    }

    /// One that has been told to send its message.
    async fn in_data() -> Self {
        let mut client = Self::smtp().await;
        for (line, reply) in [
            ("HELO c", "250 "),
            ("MAIL FROM:<a@b.example>", "250 "),
            ("RCPT TO:<ada@example.org>", "250 "),
            ("DATA", "354 "),
        ] {
            client.send(format!("{line}\r\n").as_bytes()).await.unwrap();
            let said = client.reply().await;
            assert!(said.starts_with(reply), "{line}: {said}");
        }
        client
    }

    async fn send(&mut self, octets: &[u8]) -> std::io::Result<()> {
        self.0.get_mut().write_all(octets).await
    }

    async fn reply(&mut self) -> String {
        let mut line = String::new();
        self.0.read_line(&mut line).await.unwrap();
        line
    }

    /// Sends `octets` each time `every` has passed, until the server has had enough. How long that was, and its words.
    async fn drip(mut self, octets: &[u8], every: Duration) -> (Duration, String) {
        let before = Instant::now();
        loop {
            let mut word = String::new();
            if let Ok(read) = timeout(every, self.0.read_line(&mut word)).await {
                read.unwrap();
                return (before.elapsed(), word);
            }
            self.send(octets).await.unwrap();
        }
    }
}

fn store() -> MemoryStore {
    MemoryStore::new().with_account("ada@example.org", "correct horse")
}

fn minutes(count: u64) -> Duration {
    Duration::from_secs(60 * count)
}

#[tokio::test(start_paused = true)]
async fn sec_c1_an_octet_each_ten_seconds_is_a_minute_of_a_line_and_no_more() {
    let (took, word) = Client::smtp().await.drip(b"N", Duration::from_secs(10)).await;
    assert_eq!((word.as_str(), took.as_secs()), (TIMEOUT, 70), "the first octet came after ten seconds");
    // A line that is over its length does not stop the clock either.
    let (took, word) = Client::smtp().await.drip(&[b'N'; 4096], Duration::from_secs(10)).await;
    assert_eq!((word.as_str(), took.as_secs()), (TIMEOUT, 70));
}

#[tokio::test(start_paused = true)]
async fn sec_c1_silence_is_ended_after_five_minutes() {
    let (took, word) = Client::smtp().await.drip(b"", minutes(1)).await;
    assert_eq!((word.as_str(), took), (TIMEOUT, minutes(5)));
}

#[tokio::test(start_paused = true)]
async fn sec_c1_talk_without_a_login_is_ended_after_ten_minutes() {
    let server = Server::builder("mail.example.org").submission().allow_insecure_login(true).build(store());
    let mut client = Client::of(server);
    assert!(client.reply().await.starts_with("220 "));
    let before = Instant::now();
    let word = loop {
        client.send(b"NOOP\r\n").await.unwrap();
        let word = client.reply().await;
        if !word.starts_with("250 ") {
            break word;
        }
        if let Ok(word) = timeout(minutes(1), client.reply()).await {
            break word;
        }
    };
    assert_eq!((word.as_str(), before.elapsed()), ("421 4.4.2 mail.example.org no login in time\r\n", minutes(10)));
}

#[tokio::test(start_paused = true)]
async fn sec_c2_a_message_that_stalls_is_ended_and_did_not_happen() {
    let mut client = Client::in_data().await;
    client.send(b"Subject: stall\r\n\r\nand then").await.unwrap();
    let (took, word) = client.drip(b"", minutes(1)).await;
    assert_eq!((word.as_str(), took), (TIMEOUT, minutes(5)));
}

#[tokio::test(start_paused = true)]
async fn sec_c2_a_message_below_the_least_rate_is_ended_though_it_never_stalls() {
    // An octet a second: 600 octets in the ten minutes that are for 64 KiB.
    let (took, word) = Client::in_data().await.drip(b"x", Duration::from_secs(1)).await;
    assert_eq!((word.as_str(), took), (TIMEOUT, minutes(10)));
    // Lines change nothing, nor do lines that are stuffed.
    let (took, word) = Client::in_data().await.drip(b"..\r\n", Duration::from_secs(1)).await;
    assert_eq!((word.as_str(), took), (TIMEOUT, minutes(10)));
}

#[tokio::test(start_paused = true)]
async fn a_slow_line_that_is_above_the_least_rate_is_served() {
    let mut client = Client::in_data().await;
    let before = Instant::now();
    // 2 KiB each ten seconds: 200 octets a second, for more than an hour.
    let line = [&[b'x'; 1022][..], b"\r\n"].concat();
    for _ in 0..400 {
        client.send(&line).await.unwrap();
        client.send(&line).await.unwrap();
        sleep(Duration::from_secs(10)).await;
    }
    client.send(b".\r\n").await.unwrap();
    assert!(client.reply().await.starts_with("250 "));
    assert!(before.elapsed() > minutes(60));
}

#[tokio::test(start_paused = true)]
async fn sec_m13_a_mebibyte_of_noop_from_one_who_reads_nothing_is_not_taken_in() {
    let mut limits = Limits::default();
    limits.idle_commands = usize::MAX;
    let mut client = Client::of(Server::builder("mail.example.org").limits(limits).build(store()));
    assert!(client.reply().await.starts_with("220 "));
    let before = Instant::now();
    let flood = b"NOOP\r\n".repeat(1 << 20);
    let mut taken = 0;
    let gone = loop {
        match client.0.get_mut().write(&flood[taken..]).await {
            Ok(count) => taken += count,
            Err(_) => break before.elapsed(),
        }
    };
    assert_eq!(gone, minutes(5), "the write deadline");
    // What the pipe holds (64 KiB), a read (16 KiB), and the commands whose replies fill the output and the pipe.
    assert!(taken < 256 * 1024, "{taken} octets were taken");
    let mut rest = Vec::new();
    client.0.read_to_end(&mut rest).await.unwrap();
    assert!(rest.len() <= 64 * 1024, "{} octets of replies waited", rest.len());
}

#[tokio::test(start_paused = true)]
async fn sec_t11_half_a_handshake_is_ended_after_half_a_minute() {
    let made = rcgen::generate_simple_self_signed([String::from("localhost")]).unwrap();
    let tls =
        mail_wire::io::TlsConfig::from_pem(made.cert.pem().as_bytes(), made.signing_key.serialize_pem().as_bytes())
            .unwrap();
    for implicit in [true, false] {
        let server = Server::builder("mail.example.org").tls(tls.clone()).implicit_tls(implicit).build(store());
        let mut client = Client::of(server);
        if !implicit {
            client.reply().await;
            client.send(b"EHLO c\r\n").await.unwrap();
            while !client.reply().await.starts_with("250 ") {}
            client.send(b"STARTTLS\r\n").await.unwrap();
            assert!(client.reply().await.starts_with("220 "));
        }
        let before = Instant::now();
        client.send(b"\x16\x03\x01\x02\x00\x01").await.unwrap();
        let mut rest = Vec::new();
        client.0.read_to_end(&mut rest).await.unwrap();
        assert_eq!((rest.as_slice(), before.elapsed().as_secs()), (&b""[..], 30));
    }
}
