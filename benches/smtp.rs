//! Whole transactions through a session, without a socket.
#![allow(clippy::unwrap_used)]

use std::sync::Arc;

use bytes::BytesMut;
use divan::counter::{BytesCount, ItemsCount};
use divan::{Bencher, black_box};
use smtp_proto::session::{Config, Event, Protocol, ServerSession};

fn main() {
    divan::main();
}

const READ: usize = 16 * 1024;
const TRANSACTIONS: usize = 50;

/// A client that pipelines as RFC 2920 §3.1 allows: `EHLO`, then so many messages of so many lines.
fn conversation(lines: usize) -> Vec<u8> {
    let body = "A line of text that says little, but is as long as lines are.\r\n".repeat(lines);
    let message = format!(
        "MAIL FROM:<ada@example.net> SIZE=1000 BODY=8BITMIME\r\nRCPT TO:<charles@example.org>\r\n\
         RCPT TO:<mary@example.org>\r\nDATA\r\n{body}.\r\n"
    );
    format!("EHLO client.example.net\r\n{}QUIT\r\n", message.repeat(TRANSACTIONS)).into_bytes()
}

fn converse(config: &Arc<Config>, wire: &[u8]) -> BytesMut {
    let mut session = ServerSession::new(Arc::clone(config));
    let (mut input, mut output) = (BytesMut::new(), BytesMut::new());
    for read in wire.chunks(READ) {
        input.extend_from_slice(read);
        while let Some(event) = session.next_event(&mut input).unwrap() {
            let answer = match &event {
                Event::Data(_) => continue,
                Event::Rcpt(rcpt) => rcpt.accept(),
                Event::EndOfData(end) => end.accept(),
                _ => event.default_answer(),
            };
            session.answer(answer, &mut output).unwrap();
        }
    }
    assert!(session.is_closed());
    output
}

#[divan::bench(args = [10, 1000])]
fn transactions_with_lines(bencher: Bencher<'_, '_>, lines: usize) {
    let config = Arc::new(Config::new("mail.example.org".parse().unwrap(), Protocol::Smtp));
    let wire = conversation(lines);
    bencher
        .counter(BytesCount::new(wire.len()))
        .counter(ItemsCount::new(TRANSACTIONS))
        .bench_local(|| converse(&config, black_box(&wire)));
}
