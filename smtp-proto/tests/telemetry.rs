//! What a server tells of itself: its log, in spans, and its counts. Nothing in either is a peer's to write.
#![cfg(feature = "server")]
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests say what they expect")]

mod server_support;

use std::collections::BTreeMap;
use std::io::Write;
use std::sync::{Arc, Mutex};

use metrics_util::debugging::{DebugValue, DebuggingRecorder};
use server_support::{memory, start};
use smtp_proto::server::Server;
use tracing_subscriber::fmt::MakeWriter;

#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<u8>>>);

impl Log {
    fn text(&self) -> String {
        String::from_utf8(self.0.lock().unwrap().clone()).unwrap()
    }
}

impl Write for Log {
    fn write(&mut self, octets: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().write(octets)
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

impl<'a> MakeWriter<'a> for Log {
    type Writer = Self;

    fn make_writer(&'a self) -> Self {
        self.clone()
    }
}

fn listen() -> (Log, tracing::subscriber::DefaultGuard) {
    let log = Log::default();
    let subscriber = tracing_subscriber::fmt()
        .with_max_level(tracing::Level::TRACE)
        .with_ansi(false)
        .without_time()
        .with_writer(log.clone())
        .finish();
    let guard = tracing::subscriber::set_default(subscriber);
    (log, guard)
}

/// A submission with a wrong and a right password, a message delivered, one refused, and nonsense.
async fn converse(stranger: &str) {
    let server = Server::builder("mail.example.org").submission().allow_insecure_login(true).build(memory());
    let running = start(server).await;
    let mut client = running.connect().await;
    client.says("EHLO client.example.net", "250-").await;
    for (password, expected) in [("opensesame", "535 "), ("correct horse", "235 ")] {
        let response = mail_wire::base64::encode(format!("\0ada@example.org\0{password}").as_bytes());
        client.says(&format!("AUTH PLAIN {response}"), expected).await;
    }
    client.begin(&["ada@example.org"], b"Subject: a secret\r\n\r\nof the body\r\n.\r\n").await;
    assert_eq!(client.reply().await, "250 2.0.0 message accepted\r\n");
    client.begin(&["bob@example.org"], b"bare\0nul\r\n.\r\n").await;
    assert!(client.reply().await.starts_with("550 "));
    client.says("MAIL FROM:<eve@example.net> SMTPUTF8", "250 ").await;
    client.says(&format!("RCPT TO:<{stranger}>"), "550 ").await;
    client.send(b"\x1b[31mFROBNICATE \x07\r\n").await;
    assert!(client.reply().await.starts_with("500 "));
    client.says("QUIT", "221 ").await;
    drop(client);
    running.shutdown.shut_down();
    running.task.await.unwrap();
}

// One test, for the log of a thread and the threads beside it are not as separate as they should be: the first to come
// past a line decides for all whether anybody listens to it.
#[tokio::test]
async fn sec_i6_the_log_and_the_counts_tell_what_happens_and_hold_nothing_of_a_peers_octets() {
    the_log_has_a_span_for_each_connection_and_message_and_nothing_of_a_peers_octets().await;
    what_happens_is_counted_under_words_of_our_own().await;
}

async fn the_log_has_a_span_for_each_connection_and_message_and_nothing_of_a_peers_octets() {
    let (log, guard) = listen();
    converse("\u{202e}gro@elsewhere.example").await;
    drop(guard);
    let log = log.text();
    let lines = |word: &str| log.lines().filter(|line| line.contains(word)).collect::<Vec<_>>();
    let delivered = lines("message code=250");
    assert_eq!(delivered.len(), 1, "{log}");
    let id = delivered[0].split(" id=").nth(1).unwrap().split(' ').next().unwrap();
    assert!(delivered[0].contains(&format!("connection{{protocol=\"submission\" id={id} peer=127.0.0.1:")), "{log}");
    assert!(delivered[0].contains(&format!(":transaction{{id={id}.1}}:")), "{log}");
    assert!(lines("logged in")[0].contains("account=ada@example.org"), "{log}");
    let refused = lines("recipient refused");
    assert!(refused[0].contains(&format!(":transaction{{id={id}.3}}:")), "{log}");
    for secret in ["opensesame", "correct horse", "a secret", "of the body", "AGFkYUBleGFtcGxlLm9yZw"] {
        assert!(!log.contains(secret), "{secret} in {log}");
    }
    let shown = |char: char| !(char.is_control() && char != '\n') && char != '\u{202e}';
    assert!(log.chars().all(shown), "{}", log.escape_debug());
}

async fn what_happens_is_counted_under_words_of_our_own() {
    let recorder = DebuggingRecorder::new();
    let snapshotter = recorder.snapshotter();
    let guard = metrics::set_default_local_recorder(&recorder);
    converse("nobody@example.org").await;
    drop(guard);
    let mut counted = BTreeMap::new();
    let mut histograms = BTreeMap::new();
    for (key, _, _, value) in snapshotter.snapshot().into_vec() {
        let (_, key) = key.into_parts();
        let labels: Vec<_> = key.labels().map(|label| label.value().to_owned()).collect();
        let name = format!("{} {}", key.name().trim_start_matches("pillarbox_"), labels.join(" "));
        match value {
            DebugValue::Counter(count) => drop(counted.insert(name, count)),
            DebugValue::Histogram(samples) => drop(histograms.insert(name, samples.len())),
            DebugValue::Gauge(_) => {}
        }
    }
    for (name, count) in [
        ("connections_total submission", 1),
        ("commands_total submission EHLO", 1),
        ("commands_total submission MAIL", 3),
        ("commands_total submission RCPT", 3),
        ("commands_total submission DATA", 2),
        ("commands_total submission unknown", 1),
        ("commands_total submission QUIT", 1),
        ("replies_total submission 3xx", 2),
        ("replies_total submission 5xx", 4),
        ("messages_total submission delivered", 1),
        ("messages_total submission refused", 1),
        ("logins_total submission PLAIN ok", 1),
    ] {
        assert_eq!(counted.get(name), Some(&count), "{name} in {counted:#?}");
    }
    // 220, 250 to EHLO, 235, three to MAIL, two to RCPT, 250 to the message, 221.
    assert_eq!(counted["replies_total submission 2xx"], 10, "{counted:#?}");
    let rejected: u64 = counted.iter().filter(|(name, _)| name.contains("rejected")).map(|(_, count)| count).sum();
    assert_eq!(rejected, 1, "{counted:#?}");
    assert_eq!(histograms.get("delivery_seconds submission"), Some(&1), "{histograms:#?}");
    assert!(counted.keys().all(|name| name.is_ascii() && !name.contains("FROB")));
}
