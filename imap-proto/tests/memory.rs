//! Attack rows M1, M5, M6, M8, M13, M16, M17 and M19 with an allocator that counts: what a client can make a session hold is a
//! sum of [`Limits`], however much it sends; what a server holds of an answer does not depend on the answer's size.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "it is a test")]

#[cfg(feature = "server")]
mod harness;
mod host;

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bytes::BytesMut;
use host::{Conversation, insecure};
use imap_proto::grammar::Dialect;
use imap_proto::limits::Limits;
use imap_proto::response::{Response, ResponseLimits};
use imap_proto::session::Config;
use peak_alloc::PeakAlloc;

#[global_allocator]
static MEMORY: PeakAlloc = PeakAlloc;

/// One thing at a time is measured: each test holds this from its first allocation on.
static ALONE: Mutex<()> = Mutex::new(());

fn alone() -> MutexGuard<'static, ()> {
    ALONE.lock().unwrap_or_else(PoisonError::into_inner)
}

/// What is read at a time: of the caller's choice, and the caller's memory.
const READ: usize = 16 * 1024;

/// What the test harness may need meanwhile, which begins and ends other tests in threads of its own.
const HARNESS: usize = 64 * 1024;

/// What a session and its buffers may hold at any moment, in multiples of what a command may have.
///
/// - The input: what has been read and what waits in it of a line; twice while it grows.
/// - The command as far as it has come; twice while it grows.
/// - What is made of it: as much again, and of a list's items some words each.
/// - The answers to one read.
fn ceiling(limits: &Limits, logged_in: bool) -> usize {
    let (line, command) = match logged_in {
        true => (limits.line, limits.command),
        false => (limits.auth_line, limits.auth_line),
    };
    2 * (READ + line) + 4 * command + limits.list_items.max(limits.sequence_set_items) * 24 + 8 * READ + HARNESS
}

fn config() -> Config {
    let mut limits = Limits::default();
    (limits.errors, limits.errors_before_login, limits.failed_logins) = (u32::MAX, u32::MAX, usize::MAX);
    insecure().with_limits(limits)
}

/// Sends, and drops what is answered. How the last answers end.
fn send(conversation: &mut Conversation, octets: &[u8]) -> String {
    let mut last = String::new();
    for read in octets.chunks(READ) {
        let told = conversation.say(read);
        conversation.events = Vec::new();
        if !told.is_empty() {
            last = told[told.len().saturating_sub(60)..].to_owned();
        }
    }
    last
}

/// What a conversation costs at its worst moment, beside what was there before it.
fn measure(logged_in: bool, what: &str, talk: impl FnOnce(&mut Conversation)) {
    let config = Arc::new(config());
    let most = ceiling(config.limits(), logged_in);
    let before = MEMORY.current_usage();
    MEMORY.reset_peak_usage();
    let mut conversation = Conversation::shared(config);
    if logged_in {
        conversation.say("a LOGIN ada secret\r\na SELECT INBOX\r\n");
    }
    talk(&mut conversation);
    let peak = MEMORY.peak_usage().saturating_sub(before);
    assert!(peak <= most, "{what}: {peak} octets at the worst moment, {most} are the sum of the limits");
}

#[test]
fn sec_m1_a_line_without_end_costs_no_more_than_the_longest_line() {
    let _alone = alone();
    let chunk = vec![b'x'; READ];
    for (logged_in, start) in [
        (false, "x"),
        (false, "a LOGIN "),
        (false, "a LOGIN {3+}\r\nada "),
        (false, "a AUTHENTICATE PLAIN\r\n"),
        (false, "a AUTHENTICATE PLAIN "),
        (true, "a UID FETCH "),
        (true, "a SEARCH SUBJECT {3+}\r\nxxx "),
        (true, "a IDLE\r\n"),
        (true, "a APPEND INBOX {3+}\r\nxxx"),
    ] {
        measure(logged_in, start, |conversation| {
            send(conversation, start.as_bytes());
            for _ in 0..(16 << 20) / chunk.len() {
                send(conversation, &chunk);
            }
            let last = send(conversation, b"\r\n");
            assert!(last.contains("BAD "), "{last}");
        });
    }
}

#[test]
fn sec_m5_sec_m6_literals_cost_no_more_than_a_command() {
    let _alone = alone();
    let many = " SUBJECT {1+}\r\nx".repeat(99);
    measure(true, "small literals", |conversation| {
        let last = send(conversation, format!("a SEARCH{many}\r\n").as_bytes());
        assert!(last.ends_with("a OK SEARCH completed\r\n"), "{last}");
        for _ in 0..1000 {
            assert!(send(conversation, format!("a XYZZY{many}\r\n").as_bytes()).contains("BAD"));
        }
    });
    measure(true, "literals that are refused", |conversation| {
        for _ in 0..10_000 {
            assert!(send(conversation, b"a LIST \"\" {4294967295}\r\n").contains("TOOBIG"));
        }
    });
    measure(true, "a message that is refused", |conversation| {
        let chunk = vec![b'x'; READ];
        assert!(send(conversation, b"a APPEND INBOX {60000000+}\r\n").contains("TOOBIG"));
        for _ in 0..60_000_000 / READ {
            assert_eq!(send(conversation, &chunk), "");
        }
    });
    measure(true, "a message that is taken", |conversation| {
        let chunk = vec![b'x'; READ];
        send(conversation, b"a APPEND INBOX {50000000+}\r\n");
        for _ in 0..50_000_000 / READ {
            send(conversation, &chunk);
        }
        assert!(conversation.appended > 49_000_000);
    });
}

#[test]
fn sec_m8_a_set_costs_what_its_ranges_cost() {
    let _alone = alone();
    let set = |count: usize| (0..count).map(|at| (1 + at * 2).to_string()).collect::<Vec<_>>().join(",");
    for set in ["1:4294967295".to_owned(), "*:1,1:*".to_owned(), set(10_000), "1:4294967295,".repeat(4000) + "1"] {
        let line = format!("a UID FETCH {set} FLAGS\r\n");
        measure(true, "a set", |conversation| {
            for _ in 0..10 {
                let last = send(conversation, line.as_bytes());
                assert!(last.ends_with("a OK UID FETCH completed\r\n"), "{last}");
            }
        });
    }
}

#[test]
fn sec_m13_a_mebibyte_of_commands_costs_no_more_than_a_full_output() {
    let _alone = alone();
    for command in ["a NOOP\r\n", "\r\n", "a CAPABILITY\r\n", "XYZZY\r\n", "a LOGIN {1000000}\r\n", "a LOGIN ada x\r\n"]
    {
        let commands = command.repeat((1 << 20) / command.len());
        measure(false, &command.escape_debug().to_string(), |conversation| {
            send(conversation, commands.as_bytes());
        });
    }
    for command in ["a IDLE\r\nDONE\r\n", "a ENABLE CONDSTORE\r\n", "a ID (\"a\" \"b\")\r\n", "a APPEND x {0+}\r\n\r\n"]
    {
        let commands = command.repeat((1 << 20) / command.len());
        measure(true, &command.escape_debug().to_string(), |conversation| {
            send(conversation, commands.as_bytes());
        });
    }
}

#[test]
fn a_response_is_written_without_an_allocation() {
    let _alone = alone();
    let line = b"* 4231 FETCH (UID 58231 FLAGS (\\Seen $Forwarded) INTERNALDATE \"17-Jul-2026 02:44:25 +0200\" RFC822.SIZE \
        44827 ENVELOPE (\"Fri, 17 Jul 2026 02:44:25 +0200\" \"The \\\"engine\\\"\" ((\"Ada Lovelace\" NIL \"ada\" \"example.org\")) \
        NIL NIL NIL NIL NIL NIL \"<20260717.4231@example.org>\") BODYSTRUCTURE ((\"text\" \"plain\" (\"charset\" \"utf-8\") NIL \
        NIL \"7bit\" 9 1 NIL NIL NIL NIL)(\"image\" \"png\" NIL NIL NIL \"base64\" 5 NIL NIL NIL NIL) \"mixed\" NIL NIL NIL NIL))";
    let response = Response::parse(line, Dialect::ASCII, &ResponseLimits::default()).unwrap();
    let mut out = BytesMut::with_capacity(16 * 1024);
    // The harness may need memory meanwhile, for other tests' threads. It does not always.
    let is_clean = |_| {
        out.clear();
        let before = MEMORY.current_usage();
        MEMORY.reset_peak_usage();
        response.encode(Dialect::ASCII, &mut out);
        MEMORY.peak_usage() == before
    };
    assert!((0..1000).any(is_clean), "each time it has asked for memory");
    assert_eq!(out.len(), line.len() + 2);
}

#[test]
fn sec_m16_sec_m17_logins_leave_nothing_behind() {
    let _alone = alone();
    let longest = "QUFB".repeat(config().limits().auth_line / 4 - 1);
    for mechanism in ["PLAIN", "LOGIN", "SCRAM-SHA-256"] {
        for response in [longest.clone(), "A".repeat(1 << 20), "=".repeat(100)] {
            let talk = format!("a AUTHENTICATE {mechanism}\r\n{response}\r\n*\r\n");
            measure(false, mechanism, |conversation| {
                send(conversation, talk.as_bytes());
            });
        }
    }
    measure(false, "aborted logins", |conversation| {
        for _ in 0..50_000 {
            send(conversation, b"a AUTHENTICATE PLAIN\r\n*\r\na AUTHENTICATE LOGIN\r\n*\r\n");
        }
    });
}

#[cfg(feature = "server")]
mod server {
    use super::harness::{Client, server};
    use super::{MEMORY, alone};

    /// What a connection may hold of its answers: buffers of the pipe between, the output up to its high-water mark, and a
    /// piece of a message; some of it twice while it grows.
    const CONNECTION: usize = 2 << 20;

    fn message(octets: usize, line: &str) -> String {
        format!("Subject: large\r\n\r\n{}", line.repeat(octets / line.len()))
    }

    #[test]
    fn sec_m19_a_slow_reader_of_every_message_costs_a_piece_of_one() {
        let _alone = alone();
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let server = server();
            let mut client = Client::logged_in(&server).await;
            for _ in 0..4 {
                let told = client.append(message(8 << 20, "0123456789abcde\r\n")).await;
                assert!(told.starts_with("t OK "), "{told}");
            }
            client.say("SELECT INBOX").await;
            for command in
                ["FETCH 1:* BODY.PEEK[]", "FETCH 1:* BODY.PEEK[TEXT]", "FETCH 1:* (BODY.PEEK[1] BINARY.PEEK[1])"]
            {
                let before = MEMORY.current_usage();
                MEMORY.reset_peak_usage();
                client.write(format!("t {command}\r\n").repeat(20)).await;
                // A client that does not read at all for a while.
                for _ in 0..10_000 {
                    tokio::task::yield_now().await;
                }
                let mut read = 0;
                while read < 32 << 20 {
                    read += client.some(256 * 1024).await;
                }
                let peak = MEMORY.peak_usage().saturating_sub(before);
                assert!(peak < CONNECTION, "{command}: {peak} octets at the worst moment");
                client = Client::logged_in(&server).await;
                client.say("SELECT INBOX").await;
            }
        });
    }

    #[test]
    fn sec_m19_a_search_in_large_bodies_costs_a_piece_of_one() {
        let _alone = alone();
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let mut client = Client::logged_in(&server()).await;
            client.append(message(8 << 20, "x")).await;
            client.append(message(8 << 20, "0123456789abcde\r\n")).await;
            client.say("SELECT INBOX").await;
            let before = MEMORY.current_usage();
            MEMORY.reset_peak_usage();
            assert!(client.say("SEARCH TEXT nowhere").await.starts_with("* SEARCH\n"));
            assert!(client.say("SEARCH NOT BODY \"f 0\"").await.starts_with("* SEARCH 1 2\n"));
            let peak = MEMORY.peak_usage().saturating_sub(before);
            assert!(peak < CONNECTION, "{peak} octets at the worst moment");
        });
    }
}
