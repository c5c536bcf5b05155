//! SMTP's commands and bodies, ours beside smtp-proto's, and whole transactions through a session.

use std::sync::Arc;

use bytes::BytesMut;
use divan::counter::{BytesCount, ItemsCount};
use divan::{Bencher, black_box};
use pillarbox_benches::work::smtp;
use smtp_proto::session::{Config, Event, Protocol, ServerSession};

fn main() {
    divan::main();
}

fn read(bencher: Bencher<'_, '_>, session: &[&str], read: fn(&[u8]) -> usize) {
    let wire = smtp::sessions(session);
    bencher.counter(ItemsCount::new(session.len() * smtp::SESSIONS)).bench_local(|| read(black_box(&wire)));
}

#[divan::bench_group]
mod commands {
    use super::*;

    #[divan::bench]
    fn pillarbox(bencher: Bencher<'_, '_>) {
        read(bencher, &smtp::BASIC, smtp::read_commands);
    }

    #[divan::bench]
    fn smtp_proto(bencher: Bencher<'_, '_>) {
        read(bencher, &smtp::BASIC, smtp::read_commands_smtp_proto);
    }
}

#[divan::bench_group]
mod commands_with_parameters {
    use super::*;

    #[divan::bench]
    fn pillarbox(bencher: Bencher<'_, '_>) {
        read(bencher, &smtp::WITH_PARAMETERS, smtp::read_commands);
    }

    #[divan::bench]
    fn smtp_proto(bencher: Bencher<'_, '_>) {
        read(bencher, &smtp::WITH_PARAMETERS, smtp::read_commands_smtp_proto);
    }
}

/// Ten megabytes behind DATA, which have been read already: ours gives slices of them, smtp-proto copies. Everybody has a
/// fresh copy of the octets, made outside of the time as it is freed outside of it.
fn body<O>(bencher: Bencher<'_, '_>, body: Vec<u8>, mut read: impl FnMut(&mut BytesMut) -> O) {
    bencher
        .counter(BytesCount::new(body.len()))
        .with_inputs(|| BytesMut::from(&body[..]))
        .bench_local_refs(|wire| read(black_box(wire)));
}

macro_rules! bodies {
    ($($name:ident: $body:ident;)*) => {$(
        #[divan::bench_group(sample_count = 50)]
        mod $name {
            use super::*;

            #[divan::bench]
            fn pillarbox(bencher: Bencher<'_, '_>) {
                let (wire, mut out) = (smtp::$body(), Vec::new());
                let octets = smtp::decode_octet_by_octet(&wire, &mut out);
                assert_eq!(smtp::decoded(BytesMut::from(&wire[..])), out, "the octets of who goes one by one");
                assert_eq!(smtp::decode_smtp_proto(&wire, &mut out), octets);
                body(bencher, wire, smtp::decode);
            }

            #[divan::bench]
            fn smtp_proto(bencher: Bencher<'_, '_>) {
                let mut out = Vec::with_capacity(smtp::BODY + 16);
                body(bencher, smtp::$body(), |wire| smtp::decode_smtp_proto(wire, &mut out));
            }

            #[divan::bench]
            fn bare_scan(bencher: Bencher<'_, '_>) {
                body(bencher, smtp::$body(), |wire| smtp::scan(wire));
            }

            #[divan::bench]
            fn octet_by_octet(bencher: Bencher<'_, '_>) {
                let mut out = Vec::with_capacity(smtp::BODY + 16);
                body(bencher, smtp::$body(), |wire| smtp::decode_octet_by_octet(wire, &mut out));
            }
        }
    )*};
}

bodies! {
    data_base64: base64_body;
    data_dotted_text: dotted_body;
    data_all_dots: dots_body;
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
        while let Some(event) = session.next_event(&mut input).expect("every event is answered") {
            let answer = match &event {
                Event::Data(_) => continue,
                Event::Rcpt(rcpt) => rcpt.accept(),
                Event::EndOfData(end) => end.accept(),
                _ => event.default_answer(),
            };
            session.answer(answer, &mut output).expect("it fits");
        }
    }
    assert!(session.is_closed());
    output
}

#[divan::bench(args = [10, 1000])]
fn transactions_with_lines(bencher: Bencher<'_, '_>, lines: usize) {
    let config = Arc::new(Config::new("mail.example.org".parse().expect("a name"), Protocol::Smtp));
    let wire = conversation(lines);
    bencher
        .counter(BytesCount::new(wire.len()))
        .counter(ItemsCount::new(TRANSACTIONS))
        .bench_local(|| converse(&config, black_box(&wire)));
}
