//! A host for tests: users and messages in memory, and a session driven without a socket.
#![allow(dead_code, unreachable_pub, reason = "each test takes what it needs")]
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "it is a test")]

use std::sync::Arc;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use mail_wire::machine::TlsInfo;
use mail_wire::sasl::{SaslConfig, apop};
use mail_wire::{AccountId, CredentialAnswer, CredentialQuery, Secret};
use pop3_proto::grammar::UniqueId;
use pop3_proto::{Answer, Config, Event, Expiry, Limits, Maildrop, RawHeader, Refusal, ResponseCode, ServerSession};

/// What a host knows, and what has happened to it.
#[derive(Default, Clone)]
pub struct Host {
    pub users: Vec<(String, String)>,
    pub messages: Vec<Message>,
    pub in_use: bool,
    /// Somebody has logged in too lately.
    pub too_early: bool,
    pub expiry: Option<Expiry>,
    pub login_interval: Option<Duration>,
    pub unavailable: bool,
    pub quit_fails: bool,
    /// Keys that QUIT removed.
    pub removed: Option<Vec<u32>>,
    /// The names of the events, in order.
    pub events: Vec<String>,
    /// How many octets a message is given at a time.
    pub chunk: usize,
}

#[derive(Clone)]
pub struct Message {
    pub key: u32,
    pub octets: Bytes,
    pub id: Option<String>,
    /// Removed by somebody else since the login.
    pub gone: bool,
}

pub const UID_VALIDITY: u32 = 1_700_000_000;

impl Host {
    pub fn with_user(mut self, name: &str, password: &str) -> Self {
        self.users.push((name.to_owned(), password.to_owned()));
        self
    }

    pub fn with_message(mut self, octets: impl Into<Bytes>) -> Self {
        let key = 1 + self.messages.len() as u32;
        self.messages.push(Message { key, octets: octets.into(), id: None, gone: false });
        self
    }

    fn check(&self, query: &CredentialQuery) -> CredentialAnswer {
        let known =
            |name: &str, password: &str| self.users.iter().any(|(user, secret)| user == name && secret == password);
        match query {
            _ if self.unavailable => CredentialAnswer::Unavailable,
            CredentialQuery::Apop { user, timestamp, digest } => {
                let secret = self.users.iter().find(|(name, _)| name == user.as_str());
                let right =
                    |(_, secret): &(String, String)| apop::matches(&Secret::new(secret.clone()), timestamp, digest);
                if secret.is_some_and(right) {
                    CredentialAnswer::Accepted(AccountId::new(user.as_str()))
                } else {
                    CredentialAnswer::Rejected
                }
            }
            CredentialQuery::Password { user, password } if known(user.as_str(), password.expose()) => {
                CredentialAnswer::Accepted(AccountId::new(user.as_str()))
            }
            _ => CredentialAnswer::Rejected,
        }
    }

    fn maildrop(&self, limits: &Limits) -> Maildrop {
        let mut maildrop = Maildrop::new(UID_VALIDITY, limits.maildrop_entries);
        for Message { key, octets, id, .. } in &self.messages {
            let size = octets.len() as u64;
            match id {
                Some(id) => maildrop.push_with_id(*key, size, UniqueId::new(id.as_str()).unwrap()).unwrap(),
                None => maildrop.push(*key, size).unwrap(),
            }
        }
        if let Some(expiry) = self.expiry {
            maildrop = maildrop.with_expiry(expiry);
        }
        match self.login_interval {
            Some(interval) => maildrop.with_login_interval(interval),
            None => maildrop,
        }
    }

    /// Answers an event, as a careful host would.
    pub fn answer(&mut self, session: &mut ServerSession, event: Event, out: &mut BytesMut) {
        let shown = format!("{event:?}");
        self.events.push(shown.split([' ', '(']).next().unwrap_or_default().to_owned());
        let answer = match &event {
            Event::StartTls => Answer::ok(),
            Event::Credentials(query) => self.check(query).into(),
            Event::Authenticated(_) if self.in_use => {
                Refusal::lossy("Do you have another POP session running?").with_code(ResponseCode::InUse).into()
            }
            Event::Authenticated(_) if self.too_early => Refusal::lossy("minimum time between mail checks not reached")
                .with_code(ResponseCode::LoginDelay)
                .into(),
            Event::Authenticated(_) => self.maildrop(session.config().limits()).into(),
            Event::Retrieve { key, .. } | Event::Top { key, .. } => {
                let message = self.messages.iter().find(|message| message.key == *key && !message.gone);
                let Some(octets) = message.map(|message| message.octets.clone()) else {
                    return session.answer(Refusal::lossy("message has been removed"), out).unwrap();
                };
                if session.must_refuse_raw_header() && RawHeader::new().look(&octets) == Some(true) {
                    let refusal = Refusal::lossy("message needs UTF8 mode").with_code(ResponseCode::Utf8);
                    return session.answer(refusal, out).unwrap();
                }
                return give(session, octets, self.chunk.max(1), out);
            }
            Event::Quit { delete } => {
                if self.quit_fails {
                    event.default_answer()
                } else {
                    self.removed = Some(delete.clone());
                    self.messages.retain(|message| !delete.contains(&message.key));
                    Answer::ok()
                }
            }
            event => event.default_answer(),
        };
        session.answer(answer, out).unwrap();
    }

    /// Takes what the input holds.
    pub fn drive(&mut self, session: &mut ServerSession, input: &mut BytesMut, out: &mut BytesMut) {
        while let Some(event) = session.next_event(input).unwrap() {
            self.answer(session, event, out);
        }
    }
}

fn give(session: &mut ServerSession, mut octets: Bytes, chunk: usize, out: &mut BytesMut) {
    session.answer(Answer::Message, out).unwrap();
    while session.wants_octets() {
        session.answer(octets.split_to(chunk.min(octets.len())), out).unwrap();
    }
    session.answer(Answer::End, out).unwrap();
}

/// A session, its host and its buffers.
pub struct Conversation {
    pub session: ServerSession,
    pub host: Host,
    pub input: BytesMut,
    pub output: BytesMut,
}

impl Conversation {
    /// Greeted, and the greeting dropped.
    pub fn begin(config: Config, host: Host) -> Self {
        let session = ServerSession::new(Arc::new(config));
        let mut this = Self { session, host, input: BytesMut::new(), output: BytesMut::new() };
        this.host.drive(&mut this.session, &mut this.input, &mut this.output);
        this.output.clear();
        this
    }

    /// Says that, and gives what is answered.
    pub fn say(&mut self, octets: impl AsRef<[u8]>) -> String {
        self.input.extend_from_slice(octets.as_ref());
        self.host.drive(&mut self.session, &mut self.input, &mut self.output);
        String::from_utf8(self.output.split().to_vec()).unwrap()
    }

    pub fn handshake(&mut self) {
        self.session.tls_started(TlsInfo::new("TLSv1.3", "TLS_AES_128_GCM_SHA256"), &mut self.input);
    }
}

pub fn sasl() -> Arc<SaslConfig> {
    Arc::new(SaslConfig::new(Secret::new([7; 32])))
}

/// A server that takes logins in clear.
pub fn insecure() -> Config {
    Config::new("dewey", sasl()).with_insecure_login(true)
}

/// A server with STLS, which takes logins behind it only.
pub fn secure() -> Config {
    Config::new("dewey", sasl()).with_start_tls(true)
}

/// The maildrop of RFC 1939 §10: two messages, of 120 and of 200 octets.
pub fn mrose() -> Host {
    let first = format!("Subject: first\r\n\r\n{}\r\n", "a".repeat(100));
    let second = format!("Subject: second\r\n\r\n{}\r\n", "b".repeat(179));
    assert_eq!((first.len(), second.len()), (120, 200));
    Host::default().with_user("mrose", "secret").with_message(first).with_message(second)
}

/// Logged in as mrose.
pub fn logged_in() -> Conversation {
    let mut conversation = Conversation::begin(insecure(), mrose());
    conversation.say("USER mrose\r\n");
    assert_eq!(conversation.say("PASS secret\r\n"), "+OK maildrop has 2 messages (320 octets)\r\n");
    conversation
}
