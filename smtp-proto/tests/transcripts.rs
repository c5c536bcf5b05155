//! Plays each story of `tests/transcripts` whole, an octet at a time, and with everything pipelined; the session has to
//! say the same each time.
//!
//! | Line | Means |
//! | --- | --- |
//! | `# …` | a remark |
//! | `% key value` | how the session and its host are set up: see [`Story::set`] |
//! | `C: …` | the client's line; `\r`, `\n`, `\t`, `\\` and `\xNN` stand for what they mean elsewhere |
//! | `c: …` | the same, without CRLF at its end |
//! | `S: …` | the server's line |
//! | `T:` | the TLS handshake |
//! | `M: …` | at the end: a line of what was stored, `from path`, `to path`, or `> ` and a line of a message |
//! | `X:` | the server has closed |
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests say what they expect")]

mod support;

use mail_wire::dot::LineEndPolicy;
use mail_wire::sasl::Mechanism;
use smtp_proto::Reply;
use smtp_proto::command::{FutureRelease, PriorityProfile};
use smtp_proto::session::{Config, Phase, Protocol};
use support::{Conversation, Host};

#[derive(Clone, Copy, Debug, PartialEq)]
enum Play {
    Whole,
    OctetByOctet,
    Pipelined,
}

#[derive(Default)]
struct Story {
    lines: Vec<(char, Vec<u8>)>,
    settings: Vec<(String, String)>,
    stored: Vec<String>,
    closes: bool,
}

impl Story {
    fn read(text: &str) -> Self {
        let mut story = Self::default();
        for line in text.lines().filter(|line| !line.is_empty() && !line.starts_with('#')) {
            if let Some(setting) = line.strip_prefix("% ") {
                let (key, value) = setting.split_once(' ').unwrap_or((setting, ""));
                story.settings.push((key.to_owned(), value.to_owned()));
                continue;
            }
            let (kind, rest) = line.split_once(':').expect(line);
            let rest = rest.strip_prefix(' ').unwrap_or(rest);
            match kind {
                "C" => story.lines.push(('C', [unescape(rest), b"\r\n".to_vec()].concat())),
                "c" => story.lines.push(('C', unescape(rest))),
                "S" => story.lines.push(('S', format!("{rest}\r\n").into_bytes())),
                "T" => story.lines.push(('T', Vec::new())),
                "M" => story.stored.push(rest.to_owned()),
                "X" => story.closes = true,
                _ => panic!("{line}"),
            }
        }
        story
    }

    fn begin(&self) -> Conversation {
        let protocol = match self.value("protocol") {
            Some("lmtp") => Protocol::Lmtp,
            Some("submission") => Protocol::Submission,
            None => Protocol::Smtp,
            Some(other) => panic!("{other}"),
        };
        let (mut config, mut host) = (support::config(protocol), Host::new(&[]));
        for (key, value) in &self.settings {
            Self::set(&mut config, &mut host, key, value);
        }
        Conversation::new(config, host)
    }

    fn set(config: &mut Config, host: &mut Host, key: &str, value: &str) {
        match key {
            "protocol" => {}
            "host" => config.host_name = value.parse().unwrap(),
            "greeting" => host.greeting = Some(value.to_owned()),
            "hello" => host.hello = Some(value.to_owned()),
            "recipient" => host.recipients.push(value.to_owned()),
            "refuse-recipient" => {
                let (path, reply) = value.split_once(' ').unwrap();
                let reply = [unescape(reply), b"\r\n".to_vec()].concat();
                host.refused.push((path.to_owned(), Reply::parse(&reply).unwrap()));
            }
            "over-quota" => host.over_quota.push(value.to_owned()),
            "user" => host.users = vec![value.split_once(' ').map(|(a, b)| (a.into(), b.into())).unwrap()],
            "starttls" => config.starttls = true,
            "trust" => {
                for what in value.split(' ') {
                    host.trust = match what {
                        "xclient" => host.trust.with_xclient(),
                        "xforward" => host.trust.with_xforward(),
                        "login" => host.trust.with_login(),
                        _ => panic!("{what}"),
                    };
                }
            }
            "refuse-greeting" => {
                host.refuse_greeting = Some(Reply::parse(format!("{value}\r\n").as_bytes()).unwrap());
            }
            "refuse-data" => host.refuse_data = Some(Reply::parse(format!("{value}\r\n").as_bytes()).unwrap()),
            "binary" => config.dialect.extensions.binary_mime = true,
            "no-tls" => host.has_tls = false,
            "auth" => {
                config.mechanisms = value.split(' ').map(|name| name.parse::<Mechanism>().unwrap()).collect();
            }
            "auth-in-clear" => config.auth_needs_tls = false,
            "reject-line-ends" => config.line_ends = LineEndPolicy::Reject,
            "lenient" => {
                config.dialect.leniency.space_after_colon = true;
                config.dialect.leniency.underscore_in_hello = true;
            }
            "parameter" => config.dialect.mail_parameters.push(value.parse().unwrap()),
            "size" => config.limits.message_size = value.parse().unwrap(),
            "dsn" => config.dialect.extensions.dsn = true,
            "mt-priority" => config.dialect.extensions.mt_priority = Some(PriorityProfile::Mixer),
            "deliver-by" => config.dialect.extensions.deliver_by = Some(value.parse().unwrap()),
            "future-release" => {
                let (interval, until) = value.split_once(' ').unwrap();
                let most = FutureRelease::new(interval.parse().unwrap(), until.parse().unwrap());
                config.dialect.extensions.future_release = Some(most);
            }
            "rrvs" => config.dialect.extensions.rrvs = true,
            "recipients" => config.limits.recipients = value.parse().unwrap(),
            "refused-recipients" => config.limits.refused_recipients = value.parse().unwrap(),
            "idle-commands" => config.limits.idle_commands = value.parse().unwrap(),
            "messages" => config.limits.messages = value.parse().unwrap(),
            "plain" => {
                let extensions = &mut config.dialect.extensions;
                extensions.pipelining = false;
                extensions.eight_bit_mime = false;
                extensions.enhanced_status_codes = false;
                extensions.smtp_utf8 = false;
                extensions.size = false;
                extensions.chunking = false;
                extensions.limits = false;
            }
            _ => panic!("{key}"),
        }
    }

    fn value(&self, key: &str) -> Option<&str> {
        self.settings.iter().find(|(name, _)| name == key).map(|(_, value)| value.as_str())
    }

    fn play(&self, how: Play, file: &str) {
        let mut conversation = self.begin();
        let mut said = conversation.said();
        let mut expected = String::new();
        let mut waiting = Vec::new();
        let mut lines = self.lines.iter().peekable();
        while let Some((kind, line)) = lines.next() {
            match kind {
                'S' => expected += std::str::from_utf8(line).unwrap(),
                'C' if how == Play::Pipelined => waiting.extend_from_slice(line),
                'C' if how == Play::OctetByOctet => said += &conversation.send_slowly(line),
                'C' => said += &conversation.send(line),
                _ => {
                    said += &conversation.send(&std::mem::take(&mut waiting));
                    assert_eq!(conversation.session.state(), Phase::Handshake, "{file}, {how:?}: {said}");
                    conversation.start_tls();
                }
            }
            if how != Play::Pipelined && kind == &'S' && lines.peek().is_none_or(|(next, _)| *next == 'C') {
                // Commands that the story pipelines are answered together; here all that was sent has been.
                assert!(said.starts_with(&expected) || expected.starts_with(&said), "{file}, {how:?}:\n{said}");
            }
        }
        said += &conversation.send(&waiting);
        assert_eq!(said, expected, "{file}, {how:?}");
        assert_eq!(conversation.session.is_closed(), self.closes, "{file}, {how:?}: closed at its end?");
        let stored: Vec<_> = conversation.host.messages.iter().flat_map(told).collect();
        assert_eq!(stored, self.stored, "{file}, {how:?}: what was stored");
    }
}

/// With an escape for what could not stand in a story's line.
fn shown(line: &str) -> String {
    line.chars().map(|c| if c.is_control() { c.escape_default().to_string() } else { c.to_string() }).collect()
}

fn told((sender, recipients, octets): &(String, Vec<String>, Vec<u8>)) -> Vec<String> {
    let mut lines = vec![format!("from {sender}")];
    lines.extend(recipients.iter().map(|recipient| format!("to {recipient}")));
    let text = String::from_utf8_lossy(octets).into_owned();
    lines.extend(text.split_terminator("\r\n").map(|line| format!("> {}", shown(line)).trim_end().to_owned()));
    lines
}

fn unescape(text: &str) -> Vec<u8> {
    let mut octets = Vec::new();
    let mut rest = text.bytes();
    while let Some(octet) = rest.next() {
        octets.push(match octet {
            b'\\' => match rest.next().expect("something behind the backslash") {
                b'r' => b'\r',
                b'n' => b'\n',
                b't' => b'\t',
                b'x' => {
                    let digits = [rest.next().unwrap(), rest.next().unwrap()];
                    u8::from_str_radix(std::str::from_utf8(&digits).unwrap(), 16).unwrap()
                }
                other => other,
            },
            octet => octet,
        });
    }
    octets
}

#[test]
fn every_story_comes_out_the_same_however_it_is_told() {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/transcripts");
    let mut count = 0;
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let story = Story::read(&std::fs::read_to_string(&path).unwrap());
        let file = path.file_name().unwrap().to_string_lossy().into_owned();
        for how in [Play::Whole, Play::OctetByOctet, Play::Pipelined] {
            story.play(how, &file);
        }
        count += 1;
    }
    assert!(count >= 60, "the stories are all there");
}
