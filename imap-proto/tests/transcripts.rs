//! Plays the stories of `tests/transcripts`: each line by line, an octet at a time, and pipelined as a whole. Those in
//! `session` against a [`ServerSession`] whose host says OK to every command, those in `server` against a whole server
//! over a store in memory.
//!
//! `S:` and `C:` are the server's and the client's lines; a CRLF belongs to each. In a client's line `\0`, `\r`, `\n` and
//! `\xNN` stand for those octets, in a server's line `<*>` for anything. `T:` is the handshake, in `session` only. `c:` and
//! `s:` are another client's of the same server; stories with one are not played pipelined, since nothing says then who
//! comes first. `E:` says that the session is over; a story of a whole server always ends so.
//!
//! `H:` sets the host up: `clear` (logins without TLS), `starttls`, `user NAME PASSWORD`, `id NAME VALUE`, `small` (an
//! APPEND of 100 octets at the most, a refused one of 200). `#` begins a remark.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "it is a test")]
#![cfg_attr(not(feature = "server"), allow(dead_code, reason = "half of the stories are a server's"))]

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use bytes::BytesMut;
use imap_proto::limits::Limits;
use imap_proto::session::Config;
use imap_proto::{Answer, Event, ServerSession};
use mail_wire::machine::TlsInfo;
use mail_wire::sasl::SaslConfig;
use mail_wire::{AccountId, CredentialAnswer, CredentialQuery, Secret};

#[derive(Default)]
struct Story {
    name: String,
    setup: Vec<(String, String)>,
    steps: Vec<Step>,
    ends: bool,
}

#[derive(Debug)]
enum Step {
    Server(usize, String),
    Client(usize, Vec<u8>),
    Handshake,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Pace {
    ByLine,
    ByOctet,
    Pipelined,
}

fn unescape(text: &str) -> Vec<u8> {
    let (mut octets, mut rest) = (Vec::new(), text.as_bytes());
    while let Some((&octet, behind)) = rest.split_first() {
        let (octet, len) = match (octet, behind.first()) {
            (b'\\', Some(b'0')) => (0, 2),
            (b'\\', Some(b'r')) => (b'\r', 2),
            (b'\\', Some(b'n')) => (b'\n', 2),
            (b'\\', Some(b'x')) => (u8::from_str_radix(&String::from_utf8_lossy(&behind[1..3]), 16).unwrap(), 4),
            _ => (octet, 1),
        };
        octets.push(octet);
        rest = &rest[len..];
    }
    octets
}

fn read(path: &Path) -> Story {
    let name = path.file_stem().unwrap().to_string_lossy().into_owned();
    let mut story = Story { name, ..Story::default() };
    for line in fs::read_to_string(path).unwrap().lines() {
        let (kind, rest) = line.split_at(line.len().min(2));
        let rest = rest.strip_prefix(' ').unwrap_or(rest);
        let sent = || [unescape(rest), b"\r\n".to_vec()].concat();
        match kind {
            "" | "# " | "#" => {}
            "S:" => story.steps.push(Step::Server(0, rest.to_owned())),
            "C:" => story.steps.push(Step::Client(0, sent())),
            "s:" => story.steps.push(Step::Server(1, rest.to_owned())),
            "c:" => story.steps.push(Step::Client(1, sent())),
            "T:" => story.steps.push(Step::Handshake),
            "E:" => story.ends = true,
            "H:" => {
                let (what, rest) = rest.split_once(' ').unwrap_or((rest, ""));
                story.setup.push((what.to_owned(), rest.to_owned()));
            }
            _ => panic!("not a line of a transcript: {line}"),
        }
    }
    story
}

fn stories(folder: &str, least: usize) -> Vec<Story> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/transcripts").join(folder);
    let mut paths: Vec<PathBuf> = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    paths.sort();
    assert!(paths.len() >= least, "the stories are there");
    paths.iter().map(|path| read(path)).collect()
}

impl Story {
    fn limits(&self) -> Limits {
        let mut limits = Limits::default();
        if self.setup.iter().any(|(what, _)| what == "small") {
            (limits.append, limits.discard) = (100, 200);
        }
        limits
    }

    fn users(&self) -> impl Iterator<Item = (&str, &str)> {
        self.setup.iter().filter(|(what, _)| what == "user").map(|(_, user)| user.split_once(' ').unwrap())
    }

    fn has_other_client(&self) -> bool {
        self.steps.iter().any(|step| matches!(step, Step::Client(1, _)))
    }
}

/// Whether a line is the one that is expected, where `<*>` is anything.
fn matches(expected: &str, line: &str) -> bool {
    let mut parts = expected.split("<*>");
    let first = parts.next().unwrap_or_default();
    let Some(mut rest) = line.strip_prefix(first) else { return false };
    let mut parts = parts.peekable();
    while let Some(part) = parts.next() {
        let at = if parts.peek().is_none() {
            rest.ends_with(part).then(|| rest.len() - part.len())
        } else {
            rest.find(part)
        };
        let Some(at) = at else { return false };
        rest = &rest[at + part.len()..];
    }
    rest.is_empty()
}

fn compare(story: &Story, pace: Pace, expected: &mut Vec<String>, told: &str) {
    let told: Vec<&str> = told.split_terminator("\r\n").collect();
    let same =
        told.len() == expected.len() && told.iter().zip(expected.iter()).all(|(line, wanted)| matches(wanted, line));
    assert!(same, "{}, {pace:?}\nexpected:\n{}\ntold:\n{}", story.name, expected.join("\n"), told.join("\n"));
    expected.clear();
}

fn config(story: &Story) -> Config {
    let sasl = Arc::new(SaslConfig::new(Secret::new([7; 32])));
    let config = Config::new("dewey", sasl).with_limits(story.limits());
    story.setup.iter().fold(config, |config, (what, value)| match what.as_str() {
        "clear" => config.with_insecure_login(true),
        "starttls" => config.with_start_tls(true),
        "id" => {
            let (name, value) = value.split_once(' ').unwrap();
            config.with_id([(name.to_owned(), value.to_owned())])
        }
        "user" | "small" => config,
        what => panic!("the host cannot be told {what}"),
    })
}

fn drive(story: &Story, session: &mut ServerSession, input: &mut BytesMut, output: &mut BytesMut) {
    while let Some(event) = session.next_event(input).unwrap() {
        let answer = match &event {
            Event::AppendData(_) => continue,
            Event::StartTls | Event::Authenticated(_) | Event::Command(_) | Event::Append(_) | Event::AppendEnd => {
                Answer::Ok
            }
            Event::Credentials(CredentialQuery::Password { user, password }) => {
                let right = story.users().any(|known| known == (user.as_str(), password.expose()));
                let account = AccountId::new(user.as_str());
                if right { CredentialAnswer::Accepted(account).into() } else { CredentialAnswer::Rejected.into() }
            }
            event => event.default_answer(),
        };
        session.answer(answer, output).unwrap();
    }
}

fn play(story: &Story, pace: Pace) {
    let mut session = ServerSession::new(Arc::new(config(story)));
    let (mut input, mut output, mut expected) = (BytesMut::new(), BytesMut::new(), Vec::new());
    let check = |output: &mut BytesMut, expected: &mut Vec<String>| {
        compare(story, pace, expected, std::str::from_utf8(&output.split()).unwrap());
    };
    drive(story, &mut session, &mut input, &mut output);
    for step in &story.steps {
        match step {
            Step::Server(_, line) => expected.push(line.clone()),
            Step::Client(_, octets) if pace == Pace::Pipelined => input.extend_from_slice(octets),
            Step::Client(_, octets) => {
                check(&mut output, &mut expected);
                for piece in octets.chunks(if pace == Pace::ByOctet { 1 } else { usize::MAX }) {
                    input.extend_from_slice(piece);
                    drive(story, &mut session, &mut input, &mut output);
                }
            }
            Step::Handshake => {
                drive(story, &mut session, &mut input, &mut output);
                check(&mut output, &mut expected);
                session.tls_started(TlsInfo::new("TLSv1.3", "TLS_AES_128_GCM_SHA256"), &mut input);
            }
        }
    }
    drive(story, &mut session, &mut input, &mut output);
    check(&mut output, &mut expected);
    assert_eq!(session.is_closed(), story.ends, "{}, {pace:?}: whether it is over", story.name);
}

#[test]
fn every_story_of_a_session_goes_as_it_is_written_at_any_pace() {
    for story in stories("session", 8) {
        for pace in [Pace::ByLine, Pace::ByOctet, Pace::Pipelined] {
            play(&story, pace);
        }
    }
}

#[test]
fn what_is_written_as_anything_is_anything() {
    for (expected, line, same) in [
        ("a", "a", true),
        ("a", "ab", false),
        ("a<*>", "a", true),
        ("a<*>c", "abc", true),
        ("a<*>c", "abcd", false),
        ("<*>b<*>d", "abcd", true),
        ("aa<*>a", "aa", false),
    ] {
        assert_eq!(matches(expected, line), same, "{expected} {line}");
    }
}

#[cfg(feature = "server")]
mod server {
    use std::time::Duration;

    use imap_proto::Server;
    use mail_wire::io::{Link, Shutdown};
    use mailstore_traits::memory::MemoryStore;
    use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader, DuplexStream, duplex};

    use super::{Pace, Step, Story, compare, stories};

    type Client = BufReader<DuplexStream>;

    fn connect(server: &Server<MemoryStore, MemoryStore>) -> Client {
        let (ours, theirs) = duplex(1 << 20);
        let (server, peer) = (server.clone(), "192.0.2.1:1".parse().unwrap());
        tokio::spawn(async move { server.serve_link(Link::plain(theirs), peer, Shutdown::never()).await });
        BufReader::new(ours)
    }

    async fn line(story: &Story, pace: Pace, client: &mut Client, expected: &str) {
        let mut line = Vec::new();
        let read = tokio::time::timeout(Duration::from_secs(20), client.read_until(b'\n', &mut line)).await;
        assert!(read.is_ok(), "{}, {pace:?}: nothing came, and {expected} was expected", story.name);
        let line = String::from_utf8_lossy(&line);
        compare(story, pace, &mut vec![expected.to_owned()], &line);
    }

    async fn play(story: &Story, pace: Pace) {
        let store =
            story.users().fold(MemoryStore::new(), |store, (name, password)| store.with_account(name, password));
        let clear = story.setup.iter().any(|(what, _)| what == "clear");
        let server = Server::builder("dewey").allow_insecure_login(clear).limits(story.limits()).build(store);
        let mut clients = vec![connect(&server)];
        if story.has_other_client() {
            clients.push(connect(&server));
        }
        if pace == Pace::Pipelined {
            for step in &story.steps {
                if let Step::Client(_, octets) = step {
                    clients[0].get_mut().write_all(octets).await.unwrap();
                }
            }
        }
        for step in &story.steps {
            match step {
                Step::Server(who, expected) => line(story, pace, &mut clients[*who], expected).await,
                Step::Client(..) if pace == Pace::Pipelined => {}
                Step::Client(who, octets) => {
                    for piece in octets.chunks(if pace == Pace::ByOctet { 1 } else { usize::MAX }) {
                        clients[*who].get_mut().write_all(piece).await.unwrap();
                    }
                }
                Step::Handshake => panic!("{}: a handshake has its place in a session", story.name),
            }
        }
        assert!(story.ends, "{} does not end", story.name);
        for client in &mut clients {
            let mut rest = String::new();
            client.read_to_string(&mut rest).await.unwrap();
            assert_eq!(rest, "", "{}, {pace:?}: more than was expected", story.name);
        }
    }

    #[tokio::test]
    async fn every_story_of_a_server_goes_as_it_is_written_at_any_pace() {
        for story in stories("server", 8) {
            for pace in [Pace::ByLine, Pace::ByOctet, Pace::Pipelined] {
                if pace != Pace::Pipelined || !story.has_other_client() {
                    play(&story, pace).await;
                }
            }
        }
    }
}
