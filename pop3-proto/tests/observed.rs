//! What a server counts, and what it writes to its log (attack rows A13 and I6).
#![cfg(feature = "server")]
#![allow(clippy::unwrap_used, clippy::indexing_slicing, missing_docs)]

mod harness;

use std::collections::HashMap;
use std::io::Write;
use std::sync::{Arc, Mutex};

use harness::{TestStore, deliver, store};
use mail_wire::io::{Link, Shutdown};
use metrics_util::debugging::{DebugValue, DebuggingRecorder};
use pop3_proto::Server;
use tokio::io::{AsyncReadExt, AsyncWriteExt, duplex};
use tracing_subscriber::fmt::MakeWriter;

async fn filled() -> TestStore {
    let store = store();
    for text in [&b"Subject: one\r\n\r\n1\r\n"[..], b"Subject: two\r\n\r\n2\r\n"] {
        deliver(&store, text).await;
    }
    store
}

/// Everything that the server says to all of this.
async fn converse(server: &Server<TestStore, TestStore>, said: &str) -> String {
    let (mut client, theirs) = duplex(1 << 20);
    client.write_all(said.as_bytes()).await.unwrap();
    client.shutdown().await.unwrap();
    server.serve_link(Link::plain(theirs), "192.0.2.1:4711".parse().unwrap(), Shutdown::never()).await;
    let mut heard = String::new();
    client.read_to_string(&mut heard).await.unwrap();
    heard
}

// One test, for the log of a thread and the threads beside it are not as separate as they should be: the first to come past
// a line decides for all whether anybody listens to it.
#[tokio::test]
async fn sec_i6_the_log_and_the_counts_tell_what_happens_and_hold_nothing_of_a_peers_octets() {
    the_log_has_no_control_octet_of_a_peers_and_no_secret_and_every_line_says_whose_it_is().await;
    commands_replies_logins_and_messages_are_counted_by_words_of_the_servers_own().await;
}

async fn commands_replies_logins_and_messages_are_counted_by_words_of_the_servers_own() {
    let recorder = DebuggingRecorder::new();
    let snapshotter = recorder.snapshotter();
    let _guard = metrics::set_default_local_recorder(&recorder);
    let server = Server::builder("pop.example.org").allow_insecure_login(true).build(filled().await);
    let words = "CAPA\r\nUSER ada@example.org\r\nPASS wrong\r\nAUTH PLAIN\r\n*\r\nUSER ada@example.org\r\n\
                 PASS correct horse\r\nLIST\r\nRETR 1\r\nRETR 2\r\nTOP 1 0\r\nDELE 1\r\nNONSENSE\r\nMADE-UP 1\r\nQUIT\r\n";
    let heard = converse(&server, words).await;
    let recorded: HashMap<String, u64> = snapshotter
        .snapshot()
        .into_vec()
        .into_iter()
        .filter_map(|(key, _, _, value)| {
            let labels: Vec<_> = key.key().labels().map(|label| label.value().to_owned()).collect();
            let DebugValue::Counter(count) = value else { return None };
            Some((format!("{} {}", key.key().name(), labels.join(" ")), count))
        })
        .collect();
    for (name, count) in [
        ("connections_total pop3", 1),
        ("commands_total pop3 CAPA", 1),
        ("commands_total pop3 USER", 2),
        ("commands_total pop3 RETR", 2),
        ("commands_total pop3 QUIT", 1),
        ("commands_total pop3 unknown", 2),
        ("logins_total pop3 USER rejected", 1),
        ("logins_total pop3 SASL aborted", 1),
        ("logins_total pop3 USER ok", 1),
        // TOP is a look, and gives no message away.
        ("messages_total pop3 retrieved", 2),
        ("messages_total pop3 deleted", 1),
        ("replies_total pop3 continue", 1),
        ("replies_total pop3 err", heard.matches("-ERR").count() as u64),
        ("replies_total pop3 ok", heard.matches("+OK").count() as u64),
        ("octets_total pop3 in", words.len() as u64),
        ("octets_total pop3 out", heard.len() as u64),
    ] {
        assert_eq!(recorded.get(&format!("pillarbox_{name}")), Some(&count), "{name} of {recorded:#?}\n{heard}");
    }
    assert!(!recorded.keys().any(|name| name.contains("NONSENSE") || name.contains("MADE-UP")), "{recorded:#?}");
}

#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<u8>>>);

impl Write for Log {
    fn write(&mut self, octets: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(octets);
        Ok(octets.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

impl MakeWriter<'_> for Log {
    type Writer = Self;

    fn make_writer(&self) -> Self {
        self.clone()
    }
}

async fn the_log_has_no_control_octet_of_a_peers_and_no_secret_and_every_line_says_whose_it_is() {
    let log = Log::default();
    let subscriber = tracing_subscriber::fmt()
        .with_max_level(tracing::Level::TRACE)
        .with_ansi(false)
        .with_writer(log.clone())
        .finish();
    let _guard = tracing::subscriber::set_default(subscriber);
    let server = Server::builder("pop.example.org").allow_insecure_login(true).build(filled().await);
    converse(
        &server,
        "USER \x1b[2Jmallory\r\nPASS guess \x1b]0;x\x07\r\nUSER \u{202e}ada\r\nPASS sesame\r\nFOO \x1b[31m\r\n\
         AUTH PLAIN AGFkYUBleGFtcGxlLm9yZwB3cm9uZyBob3JzZQ==\r\nUSER a\tb\r\nRETR \x08\r\n\
         USER ada@example.org\r\nPASS correct horse\r\nLIST\r\nQUIT\r\n",
    )
    .await;
    let text = String::from_utf8(log.0.lock().unwrap().clone()).unwrap();
    assert!(text.contains("POP3 login failed") && text.contains("messages=2"), "{text}");
    assert!(!text.contains(|c: char| (c.is_control() && c != '\n') || c == '\u{202e}'), "{text:?}");
    for secret in ["guess", "sesame", "correct horse", "wrong horse", "AGFkYUBl"] {
        assert!(!text.contains(secret), "{secret}: {text}");
    }
    let ours: Vec<_> = text.lines().filter(|line| line.contains("pop3_proto") || line.contains("mail_wire")).collect();
    assert!(ours.len() > 5);
    let id = ours[0].split("id=").nth(1).and_then(|rest| rest.split_whitespace().next()).unwrap();
    for line in ours {
        let span = format!("connection{{protocol=\"pop3\" id={id} peer=192.0.2.1:4711}}");
        assert!(line.contains(&span), "{line}");
    }
}
