//! Attack rows M1, M2, M3, M13, M16 and M17 with an allocator that counts: what a peer can make a session hold is a sum
//! of [`Limits`], however much it sends.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests say what they expect")]

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bytes::BytesMut;
use mail_wire::CredentialAnswer;
use mail_wire::sasl::Mechanism;
use peak_alloc::PeakAlloc;
use smtp_proto::session::{Config, Event, Protocol, ServerSession};
use smtp_proto::{Limits, Reply};

#[global_allocator]
static MEMORY: PeakAlloc = PeakAlloc;

/// One thing at a time is measured: each test holds this from its first allocation on.
static ALONE: Mutex<()> = Mutex::new(());

fn alone() -> MutexGuard<'static, ()> {
    ALONE.lock().unwrap_or_else(PoisonError::into_inner)
}

/// What is read at a time: of the caller's choice, and the caller's memory.
const READ: usize = 16 * 1024;

/// So many octets of answers make the caller send them: its choice and its memory too.
const HIGH_WATER: usize = 64 * 1024;

/// What the test harness may need meanwhile, which begins and ends other tests in threads of its own.
const HARNESS: usize = 64 * 1024;

/// What a session and its buffers may hold at any moment.
///
/// - The input: what has been read, and what waits in it of a line, which is no more than the longest line; a buffer that
///   grows is there twice while it is copied.
/// - That line on its own, with what is made of it: a login's response decoded, the same as text, split into its parts.
/// - The output, up to where it is sent, and one reply more; a buffer that grows has up to twice the room.
/// - The session itself.
fn ceiling(limits: &Limits) -> usize {
    let line = limits.auth_line.max(limits.command_line);
    let input = 2 * (READ + line);
    let parsed = 4 * line;
    let output = 2 * (HIGH_WATER + 1024);
    input + parsed + output + 8 * 1024 + HARNESS
}

/// Somebody who sends, and a server that takes every recipient, knows no password, and keeps nothing.
struct Connection {
    session: ServerSession,
    input: BytesMut,
    output: BytesMut,
    /// The end of what was answered last.
    last: String,
    /// Octets of messages that were given.
    octets: u64,
}

impl Connection {
    fn new(config: Config) -> Self {
        let session = ServerSession::new(Arc::new(config));
        let mut it = Self { session, input: BytesMut::new(), output: BytesMut::new(), last: String::new(), octets: 0 };
        it.send(b"");
        it
    }

    fn send(&mut self, octets: &[u8]) {
        for read in octets.chunks(READ).chain(octets.is_empty().then_some(octets)) {
            self.input.reserve(READ);
            self.input.extend_from_slice(read);
            while let Some(event) = self.session.next_event(&mut self.input).unwrap() {
                let answer = match &event {
                    Event::Data(octets) => {
                        self.octets += octets.len() as u64;
                        continue;
                    }
                    Event::Rcpt(rcpt) => rcpt.accept(),
                    Event::Credentials(_) => CredentialAnswer::Rejected.into(),
                    event => event.default_answer(),
                };
                self.session.answer(answer, &mut self.output).unwrap();
                if self.output.len() >= HIGH_WATER {
                    self.output.clear();
                }
            }
        }
        if !self.output.is_empty() {
            let from = self.output.len().saturating_sub(100);
            self.last = String::from_utf8_lossy(&self.output[from..]).into_owned();
            self.output.clear();
        }
    }
}

fn config() -> Config {
    let mut config = Config::new("mail.example.org".parse().unwrap(), Protocol::Smtp);
    config.mechanisms = vec![Mechanism::ScramSha256, Mechanism::Plain, Mechanism::Login];
    config.auth_needs_tls = false;
    config.dialect.extensions.chunking = true;
    config.dialect.extensions.binary_mime = true;
    config
}

/// What a conversation costs at its worst moment, beside what was there before it, and what it leaves behind at its end.
fn measure(config: Config, what: &str, talk: impl FnOnce(&mut Connection)) {
    let most = ceiling(&config.limits);
    let before = MEMORY.current_usage();
    MEMORY.reset_peak_usage();
    let mut connection = Connection::new(config);
    connection.send(b"EHLO client.example.net\r\n");
    talk(&mut connection);
    let peak = MEMORY.peak_usage().saturating_sub(before);
    assert!(peak <= most, "{what}: {peak} octets at the worst moment, {most} are the sum of the limits");
    // What the answers were sent from does not count any more: the session is all that is left.
    connection.output = BytesMut::new();
    connection.input = BytesMut::new();
    let left = MEMORY.current_usage().saturating_sub(before);
    assert!(left <= 8 * 1024 + HARNESS, "{what}: the session keeps {left} octets");
}

#[test]
fn sec_m1_a_line_without_end_costs_no_more_than_the_longest_line() {
    let _alone = alone();
    let chunk = vec![b'x'; READ];
    for start in [&b""[..], b"NOOP ", b"MAIL FROM:<", b"AUTH PLAIN ", b"AUTH PLAIN\r\n", b"BDAT "] {
        measure(config(), "a line", |connection| {
            connection.send(start);
            for _ in 0..(16 << 20) / chunk.len() {
                connection.send(&chunk);
            }
            connection.send(b"\r\n");
            assert!(connection.last.starts_with('5') || connection.last.contains("\r\n5"), "{}", connection.last);
        });
    }
}

#[test]
fn sec_m1_a_hundred_thousand_octets_of_parameters_cost_no_more_than_a_line() {
    let _alone = alone();
    for parameter in [" A", " A=B", " SIZE=1", " BODY=8BITMIME", " X=", "  ", " =", " \u{e4}"] {
        let line = format!("MAIL FROM:<a@b>{}\r\n", parameter.repeat(100_000 / parameter.len()));
        measure(config(), parameter, |connection| {
            connection.send(line.as_bytes());
            assert!(connection.last.starts_with("500 "), "{}", connection.last);
        });
    }
}

#[test]
fn sec_m2_a_message_costs_the_same_whatever_its_size_and_its_lines() {
    let _alone = alone();
    for line in [&b"x"[..], b"xxxxxxxx\r\n", b"..\r\n", b".\n", b"\r", b"\r\n", b"\0"] {
        let mut config = config();
        if line.len() < 10 {
            config.limits.message_size = 4 << 20;
        }
        let size = usize::try_from(config.limits.message_size).unwrap();
        let chunk = line.repeat(READ / line.len());
        measure(config, &line.escape_ascii().to_string(), |connection| {
            connection.send(b"MAIL FROM:<a@b>\r\nRCPT TO:<a@b>\r\nDATA\r\n");
            for _ in 0..=size / chunk.len() {
                connection.send(&chunk);
            }
            connection.send(b"\r\n.\r\nNOOP\r\n");
            assert!(connection.octets <= connection.session.config().limits.message_size);
            assert!(connection.last.ends_with("250 2.0.0 ok\r\n"), "{}", connection.last);
        });
    }
}

#[test]
fn sec_s8_a_chunk_costs_the_same_whatever_its_size_and_whether_it_is_wanted() {
    let _alone = alone();
    let chunk = b"xx\r\n..\r\r\n\n".repeat(READ / 10);
    for (begin, refused) in [(&b"MAIL FROM:<a@b>\r\nRCPT TO:<a@b>\r\n"[..], false), (b"", true)] {
        measure(config(), "a chunk", |connection| {
            connection.send(begin);
            let count = 1024;
            connection.send(format!("BDAT {} LAST\r\n", chunk.len() * count).as_bytes());
            for _ in 0..count {
                connection.send(&chunk);
            }
            assert_eq!(connection.last.starts_with("503 "), refused, "{}", connection.last);
        });
    }
}

#[test]
fn sec_m3_recipients_are_counted_and_not_kept() {
    let _alone = alone();
    let label = "l".repeat(60);
    let rcpt = format!("RCPT TO:<{}@{label}.{label}.{label}>\r\n", "x".repeat(200));
    let many = config().limits.recipients;
    measure(config(), "recipients", |connection| {
        connection.send(b"MAIL FROM:<a@b>\r\n");
        for _ in 0..many {
            connection.send(rcpt.as_bytes());
            assert!(connection.last.starts_with("250 "), "{}", connection.last);
        }
        connection.send(rcpt.as_bytes());
        assert!(connection.last.starts_with("452 4.5.3 "), "{}", connection.last);
    });
}

#[test]
fn sec_m13_a_mebibyte_of_commands_costs_no_more_than_a_full_output() {
    let _alone = alone();
    for command in [&b"NOOP\r\n"[..], b"EHLO c\r\n", b"RSET\r\n", b"VRFY x\r\n", b"\r\n"] {
        let mut config = config();
        (config.limits.errors, config.limits.unknown_commands) = (usize::MAX, usize::MAX);
        config.limits.idle_commands = usize::MAX;
        let commands = command.repeat((1 << 20) / command.len());
        measure(config, &command.escape_ascii().to_string(), |connection| connection.send(&commands));
    }
}

#[test]
fn sec_m16_responses_of_a_login_cost_no_more_than_a_line() {
    let _alone = alone();
    let mut config = config();
    (config.limits.errors, config.limits.failed_logins) = (usize::MAX, usize::MAX);
    let longest = "QUFB".repeat(config.limits.auth_line / 4);
    for mechanism in ["PLAIN", "LOGIN", "SCRAM-SHA-256"] {
        for response in [longest.clone(), "A".repeat(1 << 20), "=".repeat(100)] {
            let talk = format!("AUTH {mechanism}\r\n{response}\r\nAUTH {mechanism} {response}\r\n*\r\n");
            measure(config.clone(), mechanism, |connection| connection.send(talk.as_bytes()));
        }
    }
}

#[test]
fn sec_m17_a_hundred_thousand_aborted_logins_leave_nothing_behind() {
    let _alone = alone();
    let mut config = config();
    (config.limits.errors, config.limits.failed_logins) = (usize::MAX, usize::MAX);
    measure(config, "aborted logins", |connection| {
        for _ in 0..100_000 / 3 {
            connection
                .send(b"AUTH PLAIN\r\n*\r\nAUTH LOGIN dGlt\r\n*\r\nAUTH SCRAM-SHA-256 biwsbj11c2VyLHI9YWJj\r\n*\r\n");
        }
        assert_eq!(connection.last.matches("501 ").count(), 1, "{}", connection.last);
    });
}

#[test]
fn sec_m18_sessions_that_are_dropped_anywhere_leave_nothing_behind() {
    let _alone = alone();
    let talk =
        b"EHLO c\r\nAUTH SCRAM-SHA-256 biwsbj11c2VyLHI9YWJj\r\n*\r\nMAIL FROM:<a@b>\r\nRCPT TO:<a@b>\r\nBDAT 3\r\nabc\
        BDAT 2 LAST\r\nxyBDAT 4\r\nwxyzMAIL FROM:<a@b>\r\nRCPT TO:<a@b>\r\nDATA\r\nx\r\n.\r\nQUIT\r\n";
    let shared = Arc::new(config());
    let before = MEMORY.current_usage();
    for end in (0..=talk.len()).cycle().take(10_000) {
        let (mut input, mut output) = (BytesMut::from(&talk[..end]), BytesMut::new());
        let mut session = ServerSession::new(Arc::clone(&shared));
        while let Some(event) = session.next_event(&mut input).unwrap() {
            let answer = match &event {
                Event::Rcpt(rcpt) => rcpt.accept(),
                Event::EndOfData(end) => end.refuse(Reply::parse(b"451 4.3.0 later\r\n").unwrap()),
                event => event.default_answer(),
            };
            if event.needs_answer() {
                session.answer(answer, &mut output).unwrap();
            }
        }
    }
    let left = MEMORY.current_usage().saturating_sub(before);
    assert!(left <= HARNESS, "{left} octets are left of 10,000 sessions");
}
