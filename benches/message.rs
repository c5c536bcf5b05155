//! The digest of a message, made while it comes in.
#![allow(clippy::unwrap_used)]

use divan::counter::BytesCount;
use divan::{Bencher, black_box};
use mail_message::{Digest, Digester, Limits};

fn main() {
    divan::main();
}

const READ: usize = 16 * 1024;
const HEADER: &str = "From: Ada <ada@example.org>\r\nTo: Charles <charles@example.org>\r\nSubject: The engine\r\n\
    Date: Thu, 1 Jan 2026 00:00:00 +0000\r\nMessage-ID: <1@example.org>\r\nMIME-Version: 1.0\r\n";

/// A text with an attachment of a mebibyte.
fn attachment() -> Vec<u8> {
    let lines = "QUFB".repeat(19) + "\r\n";
    format!(
        "{HEADER}Content-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\n\r\nSee below.\r\n--b\r\n\
         Content-Type: image/png\r\nContent-Transfer-Encoding: base64\r\n\r\n{}--b--\r\n",
        lines.repeat((1 << 20) / lines.len())
    )
    .into_bytes()
}

/// A note with an alternative in HTML, as most mail is.
fn note() -> Vec<u8> {
    format!(
        "{HEADER}Content-Type: multipart/alternative; boundary=b\r\n\r\n--b\r\nContent-Type: text/plain\r\n\r\n{}\r\n\
         --b\r\nContent-Type: text/html\r\n\r\n<p>{}</p>\r\n--b--\r\n",
        "A line of text that says little.\r\n".repeat(20),
        "A line of text that says little.\r\n".repeat(20),
    )
    .into_bytes()
}

fn digest(bencher: Bencher<'_, '_>, message: Vec<u8>) {
    bencher.counter(BytesCount::new(message.len())).bench_local(|| {
        let mut digester = Digester::new(&Limits::default());
        for read in message.chunks(READ) {
            digester.feed(black_box(read));
        }
        black_box(digester.finish().to_octets())
    });
}

#[divan::bench]
fn digest_attachment(bencher: Bencher<'_, '_>) {
    digest(bencher, attachment());
}

#[divan::bench]
fn digest_note(bencher: Bencher<'_, '_>) {
    digest(bencher, note());
}

#[divan::bench]
fn read_stored_digest(bencher: Bencher<'_, '_>) {
    let stored = Digest::of(&note()).to_octets();
    bencher.bench_local(|| Digest::from_octets(black_box(&stored)).unwrap());
}
