//! Plays the stories of `tests/transcripts`: each line by line, an octet at a time, and pipelined as a whole.
//!
//! `S:` and `C:` are the server's and the client's lines; a CRLF belongs to each. `T:` is the handshake. `H:` sets the
//! host up: `clear` (logins without TLS), `stls`, `user NAME PASSWORD`, `message TEXT`, `message-with-id ID TEXT`, `gone
//! KEY`, `in-use`, `too-early`, `unavailable`, `quit-fails`, `utf8 off`, `utf8 refuse`, `expire DAYS`, `expire-by-user LEAST
//! OWN`, `login-interval SECONDS`, `login-interval-by-user MOST OWN`, `implementation NAME`,
//! `apop TIMESTAMP`. `D:` says which keys QUIT has removed in the end, and `E:` that the
//! session is over. `#` begins a remark.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "it is a test")]

mod host;

use std::fs;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use bytes::BytesMut;
use mail_wire::machine::TlsInfo;
use pop3_proto::{Config, Expiry, ServerSession, Utf8Support};

use host::{Host, Message};

#[derive(Default)]
struct Story {
    host: Host,
    clear: bool,
    stls: bool,
    settings: Vec<(String, String)>,
    steps: Vec<Step>,
    removed: Option<Vec<u32>>,
    ends: bool,
}

enum Step {
    Server(String),
    Client(String),
    Handshake,
}

fn unescape(text: &str) -> String {
    text.replace("\\r", "\r").replace("\\n", "\n").replace("\\0", "\0")
}

fn read(text: &str) -> Story {
    let mut story = Story::default();
    for line in text.lines() {
        let (kind, rest) = line.split_at(line.len().min(2));
        let rest = rest.strip_prefix(' ').unwrap_or(rest);
        match kind {
            "" | "# " | "#" => {}
            "S:" => story.steps.push(Step::Server(format!("{rest}\r\n"))),
            "C:" => story.steps.push(Step::Client(format!("{}\r\n", unescape(rest)))),
            "T:" => story.steps.push(Step::Handshake),
            "D:" => story.removed = Some(rest.split_whitespace().map(|key| key.parse().unwrap()).collect()),
            "E:" => story.ends = true,
            "H:" => set_up(&mut story, rest),
            _ => panic!("not a line of a transcript: {line}"),
        }
    }
    story
}

fn set_up(story: &mut Story, line: &str) {
    let (what, rest) = line.split_once(' ').unwrap_or((line, ""));
    let key = 1 + story.host.messages.len() as u32;
    let mut message = |id: Option<&str>, text: &str| {
        let octets = unescape(text).into();
        story.host.messages.push(Message { key, octets, id: id.map(str::to_owned), gone: false });
    };
    match what {
        "clear" => story.clear = true,
        "stls" => story.stls = true,
        "user" => {
            let (name, password) = rest.split_once(' ').unwrap();
            story.host.users.push((name.into(), password.into()));
        }
        "message" => message(None, rest),
        "message-with-id" => {
            let (id, text) = rest.split_once(' ').unwrap();
            message(Some(id), text);
        }
        "gone" => {
            let key: u32 = rest.parse().unwrap();
            story.host.messages.iter_mut().filter(|message| message.key == key).for_each(|message| message.gone = true);
        }
        "utf8"
        | "expire"
        | "expire-by-user"
        | "apop"
        | "login-interval"
        | "login-interval-by-user"
        | "implementation" => {
            if let Some((_, own)) = rest.split_once(' ') {
                match what {
                    "expire-by-user" => story.host.expiry = Some(expiry(own)),
                    "login-interval-by-user" => story.host.login_interval = Some(seconds(own)),
                    _ => {}
                }
            }
            story.settings.push((what.to_owned(), rest.to_owned()));
        }
        "too-early" => story.host.too_early = true,
        "in-use" => story.host.in_use = true,
        "unavailable" => story.host.unavailable = true,
        "quit-fails" => story.host.quit_fails = true,
        other => panic!("the host cannot be told {other}"),
    }
}

fn expiry(text: &str) -> Expiry {
    if text == "NEVER" { Expiry::Never } else { Expiry::Days(text.parse().unwrap()) }
}

fn seconds(text: &str) -> Duration {
    Duration::from_secs(text.parse().unwrap())
}

fn configure(story: &Story) -> Config {
    let config = Config::new("dewey", host::sasl()).with_insecure_login(story.clear).with_start_tls(story.stls);
    story.settings.iter().fold(config, |config, (what, value)| {
        let first = value.split(' ').next().unwrap();
        match (what.as_str(), first) {
            ("utf8", "off") => config.with_utf8(Utf8Support::Off),
            ("utf8", "substitute") => config.with_utf8(Utf8Support::Substitute),
            ("utf8", "refuse") => config.with_utf8(Utf8Support::Refuse),
            ("expire", days) => config.with_expire(expiry(days)),
            ("expire-by-user", least) => config.with_expire_by_user(expiry(least)),
            ("login-interval", least) => config.with_login_interval(seconds(least)),
            ("login-interval-by-user", most) => config.with_login_interval_by_user(seconds(most)),
            ("apop", timestamp) => {
                let timestamp = timestamp.to_owned();
                config.with_apop_timestamps(move || timestamp.clone())
            }
            ("implementation", _) => config.with_implementation(value),
            _ => panic!("no such setting: {what} {value}"),
        }
    })
}

#[derive(Debug, Clone, Copy)]
enum Pace {
    ByLine,
    ByOctet,
    Pipelined,
}

fn play(name: &str, story: &Story, pace: Pace) {
    let config = configure(story);
    let mut host = Host { chunk: 5, ..story.host.clone() };
    let mut session = ServerSession::new(Arc::new(config));
    let (mut input, mut output, mut expected) = (BytesMut::new(), BytesMut::new(), String::new());
    let compare = |output: &mut BytesMut, expected: &mut String| {
        assert_eq!(String::from_utf8_lossy(&output.split()), *expected, "{name}, {pace:?}");
        expected.clear();
    };
    host.drive(&mut session, &mut input, &mut output);
    for step in &story.steps {
        match (step, pace) {
            (Step::Server(line), _) => expected.push_str(line),
            (Step::Client(line), Pace::ByLine) => {
                compare(&mut output, &mut expected);
                input.extend_from_slice(line.as_bytes());
                host.drive(&mut session, &mut input, &mut output);
            }
            (Step::Client(line), Pace::ByOctet) => {
                compare(&mut output, &mut expected);
                for octet in line.bytes() {
                    input.extend_from_slice(&[octet]);
                    host.drive(&mut session, &mut input, &mut output);
                }
            }
            (Step::Client(line), Pace::Pipelined) => input.extend_from_slice(line.as_bytes()),
            (Step::Handshake, _) => {
                host.drive(&mut session, &mut input, &mut output);
                compare(&mut output, &mut expected);
                session.tls_started(TlsInfo::new("TLSv1.3", "TLS_AES_128_GCM_SHA256"), &mut input);
            }
        }
    }
    host.drive(&mut session, &mut input, &mut output);
    compare(&mut output, &mut expected);
    assert_eq!(host.removed, story.removed, "{name}, {pace:?}: what QUIT removed");
    assert_eq!(session.is_closed(), story.ends, "{name}, {pace:?}: whether it is over");
}

#[test]
fn every_story_goes_as_it_is_written_at_any_pace() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/transcripts");
    let mut names: Vec<_> = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    names.sort();
    assert!(names.len() >= 24, "the stories are there");
    for path in names {
        let story = read(&fs::read_to_string(&path).unwrap());
        let name = path.file_stem().unwrap().to_string_lossy();
        for pace in [Pace::ByLine, Pace::ByOctet, Pace::Pipelined] {
            play(&name, &story, pace);
        }
    }
}
