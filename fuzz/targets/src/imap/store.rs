//! Two clients of one mailbox in the memory store say anything, garbage too: every answer can be read, numbers and UIDs
//! hold for each of them, and in the end both believe the same of the mailbox, and believe what is so.

use std::cell::RefCell;

use imap_proto::response::StatusKind;
use mailstore_traits::Flags;
use tokio::runtime::{Builder, Runtime};

use super::client::{Client, server};

thread_local! {
    static RUNTIME: RefCell<Option<Runtime>> = const { RefCell::new(None) };
}

/// Runs it on this thread's runtime, whose clock stands still until nothing else is left to do.
pub(super) fn run_to_end<T>(future: impl Future<Output = T>) -> T {
    RUNTIME.with_borrow_mut(|runtime| {
        let runtime = runtime.get_or_insert_with(|| Builder::new_current_thread().enable_time().build().unwrap());
        runtime.block_on(future)
    })
}

/// Choices out of the fuzzer's octets.
pub(super) struct Choices<'a>(pub(super) &'a [u8]);

impl Choices<'_> {
    /// A number below `sides`; 0 once there are no octets left.
    pub(super) fn roll(&mut self, sides: usize) -> usize {
        let Some((&first, rest)) = self.0.split_first() else { return 0 };
        self.0 = rest;
        usize::from(first) % sides.max(1)
    }

    pub(super) fn pick<T: Copy>(&mut self, from: &[T]) -> T {
        from[self.roll(from.len())]
    }

    pub(super) fn is_over(&self) -> bool {
        self.0.is_empty()
    }
}

const FLAGS: [&str; 6] = ["\\Seen", "\\Flagged", "\\Deleted", "\\Answered", "$one", "$TWO"];

/// More than so many commands show nothing new.
const COMMANDS: usize = 40;

/// Errors after which a server hangs up (attack row C5) are not what is looked for.
const GARBAGE: usize = 8;

fn set(choices: &mut Choices<'_>) -> String {
    let bound = |choices: &mut Choices<'_>| match choices.roll(12) {
        0 => "*".to_owned(),
        number => number.to_string(),
    };
    let one = bound(choices);
    match choices.roll(3) {
        0 => one,
        1 => format!("{one}:{}", bound(choices)),
        _ => format!("{one},{}:{}", bound(choices), bound(choices)),
    }
}

/// A command, and whether it may fail.
fn command(choices: &mut Choices<'_>) -> String {
    let uid = choices.pick(&["", "UID "]);
    let flag = choices.pick(&FLAGS);
    match choices.roll(16) {
        0 | 1 => format!("APPEND INBOX ({flag}) {{15+}}\r\nSubject: x\r\n\r\ny"),
        2 => format!("{uid}FETCH {} (UID FLAGS)", set(choices)),
        3 => format!("{uid}FETCH {} (BODY[TEXT] ENVELOPE BODYSTRUCTURE)", set(choices)),
        4 => format!("{uid}STORE {} +FLAGS ({flag})", set(choices)),
        5 => format!("{uid}STORE {} -FLAGS ({flag})", set(choices)),
        6 => format!("{uid}STORE {} FLAGS ({flag} $one)", set(choices)),
        7 => format!("{uid}STORE {} (UNCHANGEDSINCE {}) +FLAGS ({flag})", set(choices), choices.roll(40)),
        8 => "EXPUNGE".to_owned(),
        9 => format!("UID EXPUNGE {}", set(choices)),
        10 => format!("{uid}COPY {} INBOX", set(choices)),
        11 => format!("{uid}MOVE {} INBOX", set(choices)),
        12 => format!("{uid}SEARCH {} UNSEEN", set(choices)),
        13 => format!("{uid}FETCH {} (FLAGS) (CHANGEDSINCE {})", set(choices), choices.roll(40)),
        14 => "STATUS INBOX (MESSAGES UNSEEN UIDNEXT)".to_owned(),
        _ => "NOOP".to_owned(),
    }
}

/// Something that may be no command: no line end and no literal is in it, so that one answer comes.
fn garbage(choices: &mut Choices<'_>) -> Vec<u8> {
    let length = choices.roll(24);
    let octets: Vec<u8> = (0..length).map(|_| choices.roll(256) as u8).collect();
    let is_dull = |octet: &u8| matches!(octet, b'\r' | b'\n' | 0 | b'{' | b'}');
    let dull: Vec<u8> = octets.into_iter().filter(|octet| !is_dull(octet)).collect();
    [b"t FETCH 1 ", &dull[..], b"\r\n"].concat()
}

/// See the module.
pub fn run(octets: &[u8]) {
    run_to_end(async {
        let mut choices = Choices(octets);
        let server = server();
        let mut clients = [Client::connect(&server).await, Client::connect(&server).await];
        for client in &mut clients {
            client.command("SELECT INBOX").await.expect("an answer");
        }
        let mut rubbish = 0;
        for _ in 0..COMMANDS {
            if choices.is_over() {
                break;
            }
            let client = &mut clients[choices.roll(2)];
            if choices.roll(16) == 15 && rubbish < GARBAGE {
                rubbish += 1;
                client.send(&garbage(&mut choices)).await.expect("an answer");
                continue;
            }
            let command = command(&mut choices);
            let status = client.command(&command).await.expect("an answer");
            // A number that no message has is an error; everything else is understood.
            let by_number = (!command.starts_with("UID ") || command.starts_with("UID SEARCH "))
                && command.contains(|char: char| char.is_ascii_digit() || char == '*');
            assert!(status.kind != StatusKind::Bad || by_number, "{command}: {status:?}");
        }
        let mut told: Vec<Vec<(u32, Flags)>> = Vec::new();
        for client in &mut clients {
            client.command("NOOP").await.expect("an answer");
            let believed = client.messages.clone();
            client.command("UID FETCH 1:* (FLAGS)").await.expect("an answer");
            assert_eq!(client.messages.len(), believed.len(), "NOOP has told all");
            for (believed, known) in believed.iter().zip(&client.messages) {
                assert!(believed.flags.is_none() || believed.flags == known.flags, "{believed:?} is {known:?}");
            }
            let all = client.messages.iter().map(|known| (known.uid.unwrap(), known.flags.clone().unwrap()));
            told.push(all.collect());
        }
        assert_eq!(told[0], told[1], "both see one mailbox");
        let [mut one, mut other] = clients;
        one.command("LOGOUT").await;
        other.command("LOGOUT").await;
    });
}
