//! Attack rows A13, I6 and T7: what a server writes to its log has no secret in it, and no line end of a peer's.
#![cfg(feature = "server")]
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests say what they expect")]

mod server_support;

use std::fmt;
use std::sync::{Arc, Mutex};

use server_support::{memory, start, tls};
use smtp_proto::Server;
use tracing::field::{Field, Visit};
use tracing::span;

#[derive(Clone, Default)]
struct Capture(Arc<Mutex<Vec<String>>>);

impl Visit for Capture {
    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        self.0.lock().unwrap().push(format!("{field}={value:?}"));
    }
}

impl tracing::Subscriber for Capture {
    fn enabled(&self, metadata: &tracing::Metadata<'_>) -> bool {
        metadata.target().starts_with("smtp_proto") || metadata.target().starts_with("mail_wire")
    }

    fn new_span(&self, _: &span::Attributes<'_>) -> span::Id {
        span::Id::from_u64(1)
    }

    fn record(&self, _: &span::Id, _: &span::Record<'_>) {}
    fn record_follows_from(&self, _: &span::Id, _: &span::Id) {}
    fn enter(&self, _: &span::Id) {}
    fn exit(&self, _: &span::Id) {}

    fn event(&self, event: &tracing::Event<'_>) {
        event.record(&mut self.clone());
    }
}

#[tokio::test]
async fn sec_a13_the_log_of_a_login_has_no_secret_and_sec_i6_no_octet_that_a_peer_sent_raw() {
    let capture = Capture::default();
    tracing::subscriber::set_global_default(capture.clone()).unwrap();
    let running = start(Server::builder("mail.example.org").submission().tls(tls()).build(memory())).await;
    let mut client = running.connect().await;
    client.says("EHLO c", "250-").await;
    // "\0ada@example.org\0correct horse", in clear, with and without what is right.
    let right = "AGFkYUBleGFtcGxlLm9yZwBjb3JyZWN0IGhvcnNl";
    client.says(&format!("AUTH PLAIN {right}"), "538 ").await;
    client.says("MAIL FROM:<\x1b[31m@b>", "501 ").await;
    client.says("FOO \x1b]0;owned\x07", "500 ").await;
    client.says("STARTTLS", "220 ").await;
    let mut client = client.handshake().await;
    client.says("EHLO c", "250-").await;
    client.says(&format!("AUTH PLAIN {right}x"), "501 ").await;
    client.says("AUTH PLAIN AGFkYUBleGFtcGxlLm9yZwB3cm9uZyBob3JzZQ==", "535 ").await;
    client.says(&format!("AUTH PLAIN {right}"), "235 ").await;
    client.says("MAIL FROM:<ada@example.org> SMTPUTF8", "250 ").await;
    client.says("RCPT TO:<\u{202e}evil@example.net>", "550 ").await;
    client.says("RCPT TO:<bob@example.org>", "250 ").await;
    client.says("DATA", "354 ").await;
    client.says("private words\r\n.", "250 ").await;
    client.says("QUIT", "221 ").await;

    let log = capture.0.lock().unwrap().join("\n");
    assert!(log.contains("logged in") && log.contains("recipient refused") && log.contains("rejected"), "{log}");
    for secret in ["correct horse", "wrong horse", right, "AGFkYUBl", "private words"] {
        assert!(!log.contains(secret), "{secret}: {log}");
    }
    assert!(!log.contains(['\r', '\x1b', '\x07', '\0', '\u{202e}']), "{log:?}");
}
