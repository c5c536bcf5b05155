//! A host for tests: knows some recipients and users, keeps the messages it has taken, and writes down what happened.
#![allow(dead_code, unreachable_pub, reason = "each test uses a part of it")]

use std::collections::VecDeque;
use std::sync::Arc;

use bytes::BytesMut;
use mail_wire::machine::TlsInfo;
use mail_wire::sasl::{Identity, Mechanism, SaslConfig, scram};
use mail_wire::{AccountId, CredentialAnswer, CredentialQuery, ScramHash, ScramKeys, Secret};
use smtp_proto::command::Told;
use smtp_proto::grammar::EnhancedStatusCode as Status;
use smtp_proto::session::{Answer, Config, EndOfData, Event, Protocol, ServerSession, Trust};
use smtp_proto::{Error, Reply};

/// The salt and the nonce of RFC 7677 §3.
pub const SALT: &[u8] =
    &[0x5b, 0x6d, 0x99, 0x68, 0x9d, 0x12, 0x35, 0x8e, 0xec, 0xa0, 0x4b, 0x14, 0x12, 0x36, 0xfa, 0x81];
pub const NONCE: &str = "%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0";

pub fn config(protocol: Protocol) -> Config {
    let mut config = Config::new("mail.example.org".parse().unwrap(), protocol);
    config.sasl = Arc::new(SaslConfig::new(Secret::new([7; 32])).with_nonces(|| NONCE.to_owned()));
    config
}

/// A configuration where PLAIN and LOGIN work without TLS.
pub fn config_with_auth(protocol: Protocol) -> Config {
    let mut config = config(protocol);
    config.mechanisms = vec![Mechanism::ScramSha256, Mechanism::Plain, Mechanism::Login];
    config.auth_needs_tls = false;
    config
}

#[derive(Debug, Default, Clone)]
pub struct Host {
    pub recipients: Vec<String>,
    /// Taken at RCPT, refused at the end of the message.
    pub over_quota: Vec<String>,
    /// Refused at RCPT, each with a reply of its own.
    pub refused: Vec<(String, Reply)>,
    pub users: Vec<(String, String)>,
    pub has_tls: bool,
    pub greeting: Option<String>,
    pub hello: Option<String>,
    pub refuse_greeting: Option<Reply>,
    /// What the peer may say of others.
    pub trust: Trust,
    /// What the wish to send a message is refused with.
    pub refuse_data: Option<Reply>,
    /// The chunk, counted from 1, that is refused, and what with.
    pub refuse_chunk: Option<(usize, Reply)>,
    chunks: usize,
    /// What happened, but for octets of messages.
    pub events: Vec<String>,
    /// Messages that were taken: sender, recipients, octets.
    pub messages: Vec<(String, Vec<String>, Vec<u8>)>,
    current: (String, Vec<String>, Vec<u8>),
}

impl Host {
    pub fn new(recipients: &[&str]) -> Self {
        let recipients = recipients.iter().map(|&recipient| recipient.to_owned()).collect();
        Self { recipients, has_tls: true, users: vec![("tim".into(), "tanstaaftanstaaf".into())], ..Self::default() }
    }

    pub fn decide(&mut self, event: &Event) -> VecDeque<Answer> {
        let mut answers = VecDeque::new();
        answers.push_back(match event {
            Event::Connected(connected) => match (&self.refuse_greeting, &self.greeting) {
                (Some(reply), _) => connected.refuse(reply.clone()),
                (None, Some(text)) => Reply::of(220, Status::success(0, 0), text).into(),
                (None, None) if self.trust != Trust::none() => connected.greet_trusted(self.trust),
                (None, None) => connected.greet(),
            },
            Event::Hello(hello) => match &self.hello {
                Some(text) => Reply::of(250, Status::success(0, 0), text).into(),
                None => hello.accept(),
            },
            Event::StartTls(start_tls) if self.has_tls => start_tls.ready(),
            Event::Mail(mail) => {
                self.current = (mail.path.to_string(), Vec::new(), Vec::new());
                mail.accept()
            }
            Event::Rcpt(rcpt) => {
                let path = rcpt.path.to_string();
                if let Some((_, reply)) = self.refused.iter().find(|(refused, _)| *refused == path) {
                    rcpt.refuse(reply.clone())
                } else if self.recipients.contains(&path) || self.over_quota.contains(&path) {
                    self.current.1.push(path);
                    rcpt.accept()
                } else {
                    rcpt.refuse(Reply::of(550, Status::permanent(1, 1), "no such user here"))
                }
            }
            Event::DataBegin(begin) if self.refuse_data.is_some() => begin.refuse(self.refuse_data.clone().unwrap()),
            Event::DataBegin(begin) => {
                self.chunks = 0;
                begin.accept()
            }
            Event::EndOfChunk(end) => {
                self.chunks += 1;
                match &self.refuse_chunk {
                    Some((number, reply)) if *number == self.chunks => end.refuse(reply.clone()),
                    _ => end.accept(),
                }
            }
            Event::EndOfData(end) => return self.deliver(*end),
            Event::Xclient(xclient) => match &xclient.login {
                Some(Told::Is(login)) if self.users.iter().any(|(user, _)| user == login.as_str()) => {
                    let account = AccountId::new(login.as_str());
                    xclient.accept_as(Identity::new(account, Some(login.clone()), Mechanism::Plain))
                }
                Some(Told::Is(_)) => xclient.refuse(Reply::of(550, Status::permanent(7, 0), "no such login")),
                _ => xclient.accept(),
            },
            Event::Credentials(query) => self.check(query).into(),
            event => event.default_answer(),
        });
        answers
    }

    fn deliver(&mut self, end: EndOfData) -> VecDeque<Answer> {
        let full = Reply::of(452, Status::transient(2, 2), "over quota");
        let (sender, recipients, octets) = std::mem::take(&mut self.current);
        let answer = |recipient: &String| {
            if self.over_quota.contains(recipient) { end.refuse(full.clone()) } else { end.accept() }
        };
        let answers: VecDeque<_> = if end.replies == recipients.len() {
            recipients.iter().map(answer).collect()
        } else {
            std::iter::once(end.accept()).collect()
        };
        self.messages.push((sender, recipients, octets));
        answers
    }

    fn check(&self, query: &CredentialQuery) -> CredentialAnswer {
        let known = |name: &str| self.users.iter().find(|(user, _)| user == name);
        match query {
            CredentialQuery::Password { user, password } => match known(user.as_str()) {
                Some((user, word)) if word == password.expose() => {
                    CredentialAnswer::Accepted(AccountId::new(user.as_str()))
                }
                _ => CredentialAnswer::Rejected,
            },
            CredentialQuery::ScramKeys { user, .. } => match known(user.as_str()) {
                Some((user, word)) => {
                    let keys = scram::derive(word, SALT, 4096, ScramHash::Sha256).unwrap();
                    let account = AccountId::new(user.as_str());
                    CredentialAnswer::ScramKeys(ScramKeys::new(account, SALT.to_vec(), 4096, vec![keys]))
                }
                None => CredentialAnswer::Rejected,
            },
            _ => CredentialAnswer::Rejected,
        }
    }
}

/// A session with its host and its buffers.
pub struct Conversation {
    pub session: ServerSession,
    pub host: Host,
    pub input: BytesMut,
    pub output: BytesMut,
    /// The most octets that ever waited in the input once the session had looked at it.
    pub most_waiting: usize,
}

impl Conversation {
    pub fn new(config: Config, host: Host) -> Self {
        let session = ServerSession::new(Arc::new(config));
        let mut conversation = Self { session, host, input: BytesMut::new(), output: BytesMut::new(), most_waiting: 0 };
        conversation.run().unwrap();
        conversation
    }

    /// Everything that can happen with what has been read.
    pub fn run(&mut self) -> Result<(), Error> {
        while let Some(event) = self.session.next_event(&mut self.input)? {
            if !event.needs_answer() {
                self.host.current.2.extend_from_slice(&event.into_data().unwrap());
                continue;
            }
            self.host.events.push(name(&event));
            for answer in self.host.decide(&event) {
                self.session.answer(answer, &mut self.output)?;
            }
            assert_eq!(self.session.replies_owed(), 0, "{event:?}");
        }
        self.most_waiting = self.most_waiting.max(self.input.len());
        Ok(())
    }

    /// Sends octets and gives what was said to them.
    pub fn send(&mut self, octets: &[u8]) -> String {
        self.input.extend_from_slice(octets);
        self.run().unwrap();
        self.said()
    }

    /// Sends octets one at a time.
    pub fn send_slowly(&mut self, octets: &[u8]) -> String {
        for octet in octets {
            self.input.extend_from_slice(&[*octet]);
            self.run().unwrap();
        }
        self.said()
    }

    pub fn said(&mut self) -> String {
        String::from_utf8(self.output.split().to_vec()).expect("replies are ASCII")
    }

    pub fn start_tls(&mut self) {
        self.session.tls_started(TlsInfo::new("TLSv1.3", "TLS_AES_128_GCM_SHA256"), &mut self.input);
        self.run().unwrap();
    }

    pub fn hello(&mut self) {
        self.said();
        let hello = if self.session.config().protocol == Protocol::Lmtp { "LHLO" } else { "EHLO" };
        assert!(self.send(format!("{hello} client.example.net\r\n").as_bytes()).starts_with("250"));
    }

    /// Up to where the message's octets come, for one recipient.
    pub fn begin_data(&mut self, recipient: &str) {
        self.hello();
        let said = self.send(format!("MAIL FROM:<a@b>\r\nRCPT TO:{recipient}\r\nDATA\r\n").as_bytes());
        assert!(said.ends_with("\r\n") && said.contains("\r\n354 "), "{said}");
    }
}

fn name(event: &Event) -> String {
    match event {
        Event::Rejected(rejection) => format!("Rejected {rejection}"),
        event => format!("{event:?}").split(['(', ' ', '{']).next().unwrap_or_default().to_owned(),
    }
}
