//! Attack rows M1, M13, M16, M17 and M19 with an allocator that counts: what a client can make a session hold is a sum of
//! [`Limits`], however much it sends and however large its maildrop is.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "it is a test")]

mod host;

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bytes::{Bytes, BytesMut};
use mail_wire::{AccountId, CredentialAnswer};
use peak_alloc::PeakAlloc;
use pop3_proto::{Answer, Config, Event, Limits, Maildrop, ServerSession};

#[global_allocator]
static MEMORY: PeakAlloc = PeakAlloc;

/// One thing at a time is measured: each test holds this from its first allocation on.
static ALONE: Mutex<()> = Mutex::new(());

fn alone() -> MutexGuard<'static, ()> {
    ALONE.lock().unwrap_or_else(PoisonError::into_inner)
}

/// What is read at a time, and what a message is given by: of the caller's choice, and the caller's memory.
const READ: usize = 16 * 1024;

/// So many octets of answers make the caller send them: its choice and its memory too.
const HIGH_WATER: usize = 64 * 1024;

/// What the test harness may need meanwhile, which begins and ends other tests in threads of its own.
const HARNESS: usize = 64 * 1024;

/// What a session and its buffers may hold at any moment.
///
/// - The input: what has been read and what waits in it of a line; twice while it grows.
/// - A line on its own, with what is made of it: a login's response decoded, the same as text, split into its parts.
/// - The output up to where it is sent, and behind that a part of a listing, or a piece of a message with a dot for each of
///   its lines and a CRLF for each of its line ends; with up to twice the room.
/// - Of each message of a maildrop 12 octets, and a bit for its mark; for the moment of the login twice the room.
/// - The session itself.
fn ceiling(limits: &Limits, messages: usize) -> usize {
    let line = limits.auth_line.max(limits.command_line);
    let input = 2 * (READ + line);
    let output = 2 * (HIGH_WATER + limits.listing_part.max(3 * READ));
    let maildrop = 2 * 12 * messages + messages / 8;
    input + 4 * line + output + maildrop + 8 * 1024 + HARNESS
}

/// A client that sends, and a host whose messages are all alike.
struct Connection {
    session: ServerSession,
    input: BytesMut,
    output: BytesMut,
    messages: usize,
    piece: Bytes,
    size: u64,
    removed: usize,
    last: String,
}

impl Connection {
    fn send(&mut self, octets: &[u8]) {
        for read in octets.chunks(READ) {
            self.input.reserve(READ);
            self.input.extend_from_slice(read);
            while let Some(event) = self.session.next_event(&mut self.input).unwrap() {
                let answer = match event {
                    Event::Credentials(_) if self.messages == 0 => CredentialAnswer::Rejected.into(),
                    Event::Credentials(_) => CredentialAnswer::Accepted(AccountId::new("mrose")).into(),
                    Event::Authenticated(_) => {
                        let mut maildrop = Maildrop::new(7, self.messages);
                        (1..=self.messages as u32).for_each(|key| maildrop.push(key, self.size).unwrap());
                        maildrop.into()
                    }
                    Event::Retrieve { .. } | Event::Top { .. } => {
                        self.answer(Answer::Message);
                        let mut left = self.size;
                        while self.session.wants_octets() {
                            let count = left.min(self.piece.len() as u64);
                            left -= count;
                            self.answer(Answer::Octets(self.piece.slice(..count as usize)));
                        }
                        Answer::End
                    }
                    Event::Quit { delete } => {
                        self.removed = delete.len();
                        Answer::ok()
                    }
                    event => event.default_answer(),
                };
                self.answer(answer);
            }
        }
        if !self.output.is_empty() {
            let from = self.output.len().saturating_sub(60);
            self.last = String::from_utf8_lossy(&self.output[from..]).into_owned();
            self.output.clear();
        }
    }

    fn answer(&mut self, answer: Answer) {
        self.session.answer(answer, &mut self.output).unwrap();
        if self.output.len() >= HIGH_WATER {
            self.output.clear();
        }
    }
}

fn config() -> Config {
    let mut limits = Limits::default();
    (limits.errors, limits.failed_logins) = (u32::MAX, usize::MAX);
    host::insecure().with_limits(limits)
}

/// What a conversation costs at its worst moment, beside what was there before it.
fn measure(messages: usize, line: &[u8], what: &str, talk: impl FnOnce(&mut Connection)) {
    let config = Arc::new(config());
    let piece = Bytes::from(line.repeat(READ / line.len()));
    let most = ceiling(config.limits(), messages);
    let before = MEMORY.current_usage();
    MEMORY.reset_peak_usage();
    let mut connection = Connection {
        session: ServerSession::new(config),
        input: BytesMut::new(),
        output: BytesMut::new(),
        messages,
        piece,
        size: 2 << 20,
        removed: 0,
        last: String::new(),
    };
    connection.send(b"NOOP\r\n");
    if messages > 0 {
        connection.send(b"USER mrose\r\nPASS secret\r\n");
    }
    talk(&mut connection);
    let peak = MEMORY.peak_usage().saturating_sub(before);
    assert!(peak <= most, "{what}: {peak} octets at the worst moment, {most} are the sum of the limits");
}

#[test]
fn sec_m1_a_line_without_end_costs_no_more_than_the_longest_line() {
    let _alone = alone();
    let chunk = vec![b'x'; READ];
    for start in [&b"x"[..], b"USER ", b"PASS ", b"AUTH PLAIN\r\n", b"TOP "] {
        measure(0, b"x", "a line", |connection| {
            connection.send(start);
            for _ in 0..(16 << 20) / chunk.len() {
                connection.send(&chunk);
            }
            connection.send(b"\r\n");
            assert!(connection.last.starts_with("-ERR "), "{}", connection.last);
        });
    }
}

#[test]
fn sec_m13_a_mebibyte_of_commands_costs_no_more_than_a_full_output() {
    let _alone = alone();
    for command in [&b"NOOP\r\n"[..], b"CAPA\r\n", b"\r\n", b"USER mrose\r\n", b"LIST\r\n", b"USER mrose\r\nPASS x\r\n"]
    {
        let commands = command.repeat((1 << 20) / command.len());
        measure(0, b"x", &command.escape_ascii().to_string(), |connection| connection.send(&commands));
    }
    let commands = b"LIST\r\nUIDL\r\nSTAT\r\n".repeat(1000);
    measure(1000, b"x", "listings", |connection| connection.send(&commands));
}

#[test]
fn sec_m13_a_maildrop_costs_twelve_octets_for_each_message() {
    let _alone = alone();
    let messages = config().limits().maildrop_entries;
    let marks: Vec<u8> = (1..=messages).step_by(100).flat_map(|at| format!("DELE {at}\r\n").into_bytes()).collect();
    measure(messages, b"x", "a maildrop", |connection| {
        connection.send(b"LIST\r\nUIDL\r\n");
        connection.send(&marks);
        connection.send(b"RSET\r\nDELE 1\r\nLIST\r\nQUIT\r\n");
        assert_eq!(connection.removed, 1);
    });
}

#[test]
fn sec_m16_sec_m17_logins_leave_nothing_behind() {
    let _alone = alone();
    let longest = "QUFB".repeat(config().limits().auth_line / 4 - 1);
    for mechanism in ["PLAIN", "LOGIN", "SCRAM-SHA-256"] {
        for response in [longest.clone(), "A".repeat(1 << 20), "=".repeat(100)] {
            let talk = format!("AUTH {mechanism}\r\n{response}\r\n*\r\n");
            measure(0, b"x", mechanism, |connection| connection.send(talk.as_bytes()));
        }
    }
    measure(0, b"x", "aborted logins", |connection| {
        for _ in 0..50_000 {
            connection.send(b"AUTH PLAIN\r\n*\r\nAUTH LOGIN\r\n*\r\n");
        }
    });
}

#[test]
fn sec_m19_a_message_costs_the_same_whatever_its_size_and_its_lines() {
    let _alone = alone();
    for line in [&b"x"[..], b"xxxxxxxx\r\n", b".\r\n", b".\n", b"\n", b"\r", b"\xff"] {
        measure(1, line, &line.escape_ascii().to_string(), |connection| {
            connection.send(b"RETR 1\r\nTOP 1 0\r\nTOP 1 1000000000\r\n");
            assert!(connection.last.ends_with(".\r\n"));
        });
    }
}
