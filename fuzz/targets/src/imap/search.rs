//! SEARCH finds what a plain reading of RFC 9051 §6.4.4 finds in a few messages. SORT and THREAD are not spoken, so there
//! is nothing of them to be searched for here.

use std::cell::RefCell;

use super::client::{Client, server};
use super::store::{Choices, run_to_end};

/// A message as the search must see it.
struct Message {
    flags: &'static [&'static str],
    /// The day of its INTERNALDATE, and of its Date.
    days: (u32, u32),
    fields: &'static [(&'static str, &'static str)],
    body: &'static str,
}

const MESSAGES: [Message; 5] = [
    Message {
        flags: &["\\Seen"],
        days: (3, 1),
        fields: &[("From", "Ada <ada@example.org>"), ("To", "charles@example.net"), ("Subject", "The engine")],
        body: "The loom weaves leaves.\r\n",
    },
    Message {
        flags: &["\\Seen", "\\Flagged", "$work"],
        days: (4, 4),
        fields: &[("From", "Charles <charles@example.net>"), ("To", "ada@example.org"), ("Subject", "Re: The engine")],
        body: "Engines and looms.\r\n",
    },
    Message {
        flags: &["\\Answered"],
        days: (5, 2),
        fields: &[("From", "mary@example.com"), ("Cc", "Ada <ada@example.org>"), ("Subject", "Tea")],
        body: "At five, by the loom?\r\n",
    },
    Message { flags: &["\\Deleted", "\\Draft"], days: (6, 6), fields: &[("X-Tag", "ENGINE ada")], body: "" },
    Message {
        flags: &["$Work"],
        days: (7, 3),
        fields: &[("From", "ada@example.org"), ("Bcc", "mary@example.com"), ("Subject", "")],
        body: "Charles,\r\n\r\nit works.\r\n",
    },
];

impl Message {
    fn text(&self) -> String {
        let fields = self.fields.iter().map(|(name, value)| format!("{name}: {value}\r\n"));
        format!("{}Date: {} Jul 2026 23:30:00 +0000\r\n\r\n{}", fields.collect::<String>(), self.days.1, self.body)
    }

    fn has(&self, flag: &str) -> bool {
        self.flags.iter().any(|set| set.eq_ignore_ascii_case(flag))
    }

    fn field_has(&self, name: &str, text: &str) -> bool {
        let date = format!("{} Jul 2026 23:30:00 +0000", self.days.1);
        let fields = self.fields.iter().copied().chain([("Date", date.as_str())]);
        fields.filter(|(field, _)| field.eq_ignore_ascii_case(name)).any(|(_, value)| contains(value, text))
    }
}

fn contains(text: &str, part: &str) -> bool {
    text.to_ascii_lowercase().contains(&part.to_ascii_lowercase())
}

/// What a message is found by.
enum Key {
    Flag(&'static str, bool),
    /// Of the day, by INTERNALDATE or by Date; how it is compared.
    Day(bool, std::cmp::Ordering, u32),
    /// SINCE and SENTSINCE.
    Since(bool, u32),
    Larger(usize),
    Smaller(usize),
    Field(&'static str, &'static str),
    Body(&'static str),
    Text(&'static str),
    Numbers(u32, u32),
    All,
    Not(Box<Key>),
    Or(Box<Key>, Box<Key>),
    And(Vec<Key>),
}

const WORDS: [&str; 9] = ["ada", "CHARLES", "engine", "Loom", "example.", "Re: ", "xyzzy", "works.", "@example.org"];
const HEADERS: [&str; 8] = ["From", "To", "Cc", "Bcc", "Subject", "X-Tag", "Date", "X-None"];
const KEYWORDS: [&str; 7] = ["\\Seen", "\\Flagged", "\\Answered", "\\Deleted", "\\Draft", "$WORK", "$none"];

impl Key {
    fn choose(choices: &mut Choices<'_>, depth: usize) -> Self {
        use std::cmp::Ordering::{Equal, Less};
        let inner = |choices: &mut Choices<'_>| Box::new(Self::choose(choices, depth + 1));
        match choices.roll(if depth < 5 { 15 } else { 12 }) {
            0 => Self::All,
            1 | 2 => Self::Flag(choices.pick(&KEYWORDS), choices.roll(2) == 0),
            3 => Self::Day(choices.roll(2) == 0, Less, 1 + choices.roll(9) as u32),
            4 => Self::Day(choices.roll(2) == 0, Equal, 1 + choices.roll(9) as u32),
            5 => Self::Since(choices.roll(2) == 0, 1 + choices.roll(9) as u32),
            6 => Self::Larger(choices.roll(256)),
            7 => Self::Smaller(choices.roll(256)),
            8 => Self::Field(choices.pick(&HEADERS), choices.pick(&WORDS)),
            9 => Self::Body(choices.pick(&WORDS)),
            10 => Self::Text(choices.pick(&WORDS)),
            11 => Self::Numbers(1 + choices.roll(5) as u32, 1 + choices.roll(5) as u32),
            12 => Self::Not(inner(choices)),
            13 => Self::Or(inner(choices), inner(choices)),
            _ => Self::And((0..=choices.roll(3)).map(|_| Self::choose(choices, depth + 1)).collect()),
        }
    }

    fn write(&self, by_uid: bool) -> String {
        match self {
            Self::All => "ALL".to_owned(),
            Self::Flag(flag, is_set) => match (flag.strip_prefix('\\'), is_set) {
                (Some(system), true) => system.to_uppercase(),
                (Some(system), false) => format!("UN{}", system.to_uppercase()),
                (None, true) => format!("KEYWORD {flag}"),
                (None, false) => format!("UNKEYWORD {flag}"),
            },
            Self::Day(is_sent, how, day) => {
                let name = if how.is_lt() { "BEFORE" } else { "ON" };
                format!("{}{name} {day}-Jul-2026", if *is_sent { "SENT" } else { "" })
            }
            Self::Since(is_sent, day) => format!("{}SINCE {day}-Jul-2026", if *is_sent { "SENT" } else { "" }),
            Self::Larger(octets) => format!("LARGER {octets}"),
            Self::Smaller(octets) => format!("SMALLER {octets}"),
            Self::Field(name @ ("From" | "To" | "Cc" | "Bcc" | "Subject"), text) => {
                format!("{} \"{text}\"", name.to_uppercase())
            }
            Self::Field(name, text) => format!("HEADER {name} \"{text}\""),
            Self::Body(text) => format!("BODY \"{text}\""),
            Self::Text(text) => format!("TEXT \"{text}\""),
            Self::Numbers(one, other) if by_uid => format!("UID {one}:{other}"),
            Self::Numbers(one, other) => format!("{one}:{other}"),
            Self::Not(key) => format!("NOT {}", key.write(by_uid)),
            Self::Or(one, other) => format!("OR {} {}", one.write(by_uid), other.write(by_uid)),
            Self::And(keys) => {
                let keys: Vec<String> = keys.iter().map(|key| key.write(by_uid)).collect();
                format!("({})", keys.join(" "))
            }
        }
    }

    fn finds(&self, number: u32, message: &Message) -> bool {
        let day = |is_sent: bool| if is_sent { message.days.1 } else { message.days.0 };
        match self {
            Self::All => true,
            Self::Flag(flag, is_set) => message.has(flag) == *is_set,
            Self::Day(is_sent, how, than) => day(*is_sent).cmp(than) == *how,
            Self::Since(is_sent, than) => day(*is_sent) >= *than,
            Self::Larger(octets) => message.text().len() > *octets,
            Self::Smaller(octets) => message.text().len() < *octets,
            Self::Field(name, text) => message.field_has(name, text),
            Self::Body(text) => contains(message.body, text),
            Self::Text(text) => contains(&message.text(), text),
            Self::Numbers(one, other) => (*one.min(other)..=*one.max(other)).contains(&number),
            Self::Not(key) => !key.finds(number, message),
            Self::Or(one, other) => one.finds(number, message) || other.finds(number, message),
            Self::And(keys) => keys.iter().all(|key| key.finds(number, message)),
        }
    }
}

thread_local! {
    /// A client of a mailbox that has all of them. A SEARCH changes nothing, so that it serves every run.
    static CLIENT: RefCell<Option<Client>> = const { RefCell::new(None) };
}

async fn client() -> Client {
    let mut client = Client::connect(&server()).await;
    for message in &MESSAGES {
        let (flags, text) = (message.flags.join(" "), message.text());
        // Late in the day, and the next one already elsewhere: the day is that of the message's own zone.
        let date = format!("\" {}-Jul-2026 23:30:00 -0500\"", message.days.0);
        client.command(&format!("APPEND INBOX ({flags}) {date} {{{}+}}\r\n{text}", text.len())).await.unwrap();
    }
    client.command("SELECT INBOX").await.unwrap();
    assert_eq!(client.messages.len(), MESSAGES.len());
    client
}

/// See the module.
pub fn run(octets: &[u8]) {
    let mut choices = Choices(octets);
    let uid = choices.roll(2) == 0;
    let keys: Vec<Key> = (0..=choices.roll(3)).map(|_| Key::choose(&mut choices, 0)).collect();
    let written: Vec<String> = keys.iter().map(|key| key.write(choices.roll(2) == 0)).collect();
    let command = format!("{}SEARCH {}", if uid { "UID " } else { "" }, written.join(" "));
    let all = (1..).zip(&MESSAGES);
    let expected: Vec<u32> = all
        .filter(|(number, message)| keys.iter().all(|key| key.finds(*number, message)))
        .map(|(number, _)| number)
        .collect();
    run_to_end(async {
        let mut client = match CLIENT.take() {
            Some(client) => client,
            None => client().await,
        };
        client.found.clear();
        let status = client.command(&command).await.expect("an answer");
        assert_eq!((status.kind, &client.found), (imap_proto::response::StatusKind::Ok, &expected), "{command}");
        CLIENT.set(Some(client));
    });
}
