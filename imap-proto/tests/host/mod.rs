//! A host for tests: it knows users, says OK to every command, and drives a session without a socket.
#![allow(dead_code, unreachable_pub, reason = "each test takes what it needs")]
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "it is a test")]

use std::sync::Arc;

use bytes::BytesMut;
use imap_proto::session::Config;
use imap_proto::{Answer, Event, ServerSession};
use mail_wire::machine::TlsInfo;
use mail_wire::sasl::SaslConfig;
use mail_wire::{AccountId, CredentialAnswer, CredentialQuery, Secret};

/// A session and its buffers. Its host knows `ada`, whose password is `secret`.
pub struct Conversation {
    pub session: ServerSession,
    pub input: BytesMut,
    pub output: BytesMut,
    /// The names of the events, in order.
    pub events: Vec<String>,
    /// Octets of messages.
    pub appended: u64,
}

impl Conversation {
    /// Greeted, and the greeting dropped.
    pub fn begin(config: Config) -> Self {
        Self::shared(Arc::new(config))
    }

    pub fn shared(config: Arc<Config>) -> Self {
        let session = ServerSession::new(config);
        let (input, output) = (BytesMut::new(), BytesMut::new());
        let mut this = Self { session, input, output, events: Vec::new(), appended: 0 };
        this.drive();
        this.output.clear();
        this
    }

    /// Says that, and gives what is answered.
    pub fn say(&mut self, octets: impl AsRef<[u8]>) -> String {
        self.input.extend_from_slice(octets.as_ref());
        self.drive();
        String::from_utf8(self.output.split().to_vec()).unwrap()
    }

    pub fn drive(&mut self) {
        while let Some(event) = self.session.next_event(&mut self.input).unwrap() {
            let shown = format!("{event:?}");
            self.events.push(shown.split([' ', '(']).next().unwrap_or_default().to_owned());
            let answer = match event {
                Event::AppendData(octets) => {
                    self.appended += octets.len() as u64;
                    continue;
                }
                Event::StartTls | Event::Authenticated(_) | Event::Command(_) | Event::Append(_) | Event::AppendEnd => {
                    Answer::Ok
                }
                Event::Credentials(CredentialQuery::Password { user, password }) => {
                    match (user.as_str(), password.expose().as_str()) {
                        ("ada", "secret") => CredentialAnswer::Accepted(AccountId::new("ada")).into(),
                        _ => CredentialAnswer::Rejected.into(),
                    }
                }
                event => event.default_answer(),
            };
            self.session.answer(answer, &mut self.output).unwrap();
        }
    }

    pub fn handshake(&mut self) {
        self.session.tls_started(TlsInfo::new("TLSv1.3", "TLS_AES_128_GCM_SHA256"), &mut self.input);
    }

    /// Whether the host has heard of something.
    pub fn has_heard(&self, event: &str) -> bool {
        self.events.iter().any(|heard| heard == event)
    }
}

pub fn sasl() -> Arc<SaslConfig> {
    Arc::new(SaslConfig::new(Secret::new([7; 32])))
}

/// A server that takes logins in clear.
pub fn insecure() -> Config {
    Config::new("dewey", sasl()).with_insecure_login(true)
}

/// A server with STARTTLS, which takes logins behind it only.
pub fn secure() -> Config {
    Config::new("dewey", sasl()).with_start_tls(true)
}

/// Logged in as ada.
pub fn logged_in() -> Conversation {
    let mut conversation = Conversation::begin(insecure());
    assert!(conversation.say("a LOGIN ada secret\r\n").starts_with("a OK "));
    conversation
}
