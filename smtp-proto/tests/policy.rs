//! A host's policy over loopback: each decision, with the client that feels it.
#![cfg(feature = "server")]
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests say what they expect")]

mod server_support;

use std::sync::{Arc, Mutex};
use std::time::Duration;

use mail_message::Digest;
use mailstore_traits::{
    Account, AccountId, Actor, ErrorKind, Flags, MailStore, MailboxName, MetaFields, MetaFilter, SystemFlag,
};
use server_support::{Faulty, inbox, memory, start};
use smtp_proto::command::{Expn, Hello, Help, Mail, Rcpt, Vrfy};
use smtp_proto::grammar::{EnhancedStatusCode as Status, ReplyText};
use smtp_proto::server::policy::{Client, Delivery, Disposition, HeaderField, Outcome, Policy, StagedMessage, Verdict};
use smtp_proto::server::{Envelope, Server};
use smtp_proto::{Protocol, Reply};

type Decide<T> = Arc<dyn Fn() -> T + Send + Sync>;

/// Writes down what it is asked, refuses the step with that name, and does with a message what it was told.
#[derive(Clone)]
struct Scripted {
    heard: Arc<Mutex<Vec<String>>>,
    refuses: Option<&'static str>,
    disposes: Decide<Disposition>,
    /// A connection's own: each has a clone.
    messages: usize,
}

impl Scripted {
    fn new() -> Self {
        Self { heard: Arc::default(), refuses: None, disposes: Arc::new(Disposition::deliver), messages: 0 }
    }

    fn refusing(step: &'static str) -> Self {
        Self { refuses: Some(step), ..Self::new() }
    }

    fn disposing(how: impl Fn() -> Disposition + Send + Sync + 'static) -> Self {
        Self { disposes: Arc::new(how), ..Self::new() }
    }

    fn hear(&self, step: &'static str, what: impl std::fmt::Display) -> Verdict {
        self.heard.lock().unwrap().push(format!("{step} {what}"));
        match self.refuses {
            Some("panic") if step == "delivered" => panic!("a policy that panics"),
            Some(refused) if refused == step => {
                Verdict::refuse(Reply::of(450, Status::transient(7, 1), "the policy says no"))
            }
            _ => Verdict::Accept,
        }
    }

    fn heard(&self) -> Vec<String> {
        self.heard.lock().unwrap().clone()
    }
}

impl Policy for Scripted {
    async fn connected(&mut self, client: &Client<'_>) -> Verdict {
        assert!(client.hello().is_none() && client.identity().is_none() && client.tls().is_none());
        self.hear("connected", client.address())
    }

    async fn hello(&mut self, _: &Client<'_>, hello: &Hello) -> Verdict {
        self.hear("hello", &hello.name)
    }

    async fn mail(&mut self, client: &Client<'_>, mail: &Mail) -> Verdict {
        assert_eq!(client.hello().unwrap().name.to_string(), "client.example.net");
        if self.refuses == Some("never answers") {
            std::future::pending::<()>().await;
        }
        self.hear("mail", &mail.path)
    }

    async fn rcpt(&mut self, _: &Client<'_>, envelope: &Envelope, rcpt: &Rcpt) -> Verdict {
        self.hear("rcpt", format!("{} after {}", rcpt.path, envelope.recipients().len()))
    }

    async fn data(&mut self, _: &Client<'_>, envelope: &Envelope) -> Verdict {
        self.hear("data", envelope.recipients().len())
    }

    async fn message(&mut self, _: &Client<'_>, envelope: &Envelope, message: &StagedMessage<'_>) -> Disposition {
        self.messages += 1;
        let header = message.header().await.unwrap();
        let subject = header.named("subject").next().map(|entry| entry.octets().escape_ascii().to_string());
        let octets = message.octets(1000).await.unwrap();
        assert_eq!(octets.len() as u64, message.size());
        assert_eq!(message.octets(1).await.unwrap_err().kind(), ErrorKind::TooBig);
        assert_eq!(message.digest().field_count("Received"), Some(0), "nothing of ours is in front of it");
        self.hear("message", format!("{} of {}: {subject:?}", self.messages, envelope.mail().path));
        match (self.disposes)() {
            Disposition::Deliver(how) if self.refuses == Some("header") => {
                let subject = header.named("Subject").next().unwrap();
                let forged: Vec<_> = header.named("Authentication-Results").collect();
                let how = how.replacing(&subject, HeaderField::new("Subject", "[list] hello").unwrap());
                forged.iter().fold(how, |how, entry| how.without(entry)).into()
            }
            disposition => disposition,
        }
    }

    async fn delivered(&mut self, _: &Client<'_>, _: &Envelope, outcomes: &[Outcome]) {
        let codes: Vec<_> = outcomes.iter().map(|outcome| outcome.reply.code().to_string()).collect();
        self.hear("delivered", codes.join(" "));
    }

    async fn vrfy(&mut self, _: &Client<'_>, _: &Vrfy) -> Option<Reply> {
        Some(Reply::of(250, Status::success(1, 5), "Ada <ada@example.org>"))
    }

    async fn expn(&mut self, _: &Client<'_>, _: &Expn) -> Option<Reply> {
        let line = ReplyText::lossy("<bob@example.org>");
        Some(Reply::of(250, Status::success(1, 5), "<ada@example.org>").with_line(line))
    }

    async fn help(&mut self, _: &Client<'_>, _: &Help) -> Option<Reply> {
        // No answer to a question: the default stands in for it.
        Some(Reply::of(354, Status::success(0, 0), "send it"))
    }

    async fn disconnected(self, client: &Client<'_>) {
        assert_eq!(client.protocol(), Protocol::Smtp);
        self.hear("disconnected", self.messages);
    }
}

const MESSAGE: &[u8] =
    b"Subject: hello\r\nAuthentication-Results: mail.example.org; spf=pass\r\nX: y\r\n\r\nbody\r\n.\r\n";

async fn send(policy: Scripted) -> (Vec<String>, Vec<Vec<u8>>) {
    let store = memory();
    let server = Server::builder("mail.example.org").policy(policy).build(store.clone());
    let running = start(server).await;
    let mut client = running.connect().await;
    let mut said = Vec::new();
    for line in ["EHLO client.example.net", "MAIL FROM:<eve@example.net>", "RCPT TO:<ada@example.org>", "DATA"] {
        said.push(client.say(line).await.lines().last().unwrap_or_default().to_owned());
    }
    if said.last().unwrap().starts_with("354 ") {
        client.send(MESSAGE).await;
        said.push(client.reply().await.trim_end().to_owned());
    }
    client.say("QUIT").await;
    assert_eq!(client.reply().await, "");
    drop(client);
    running.shutdown.shut_down();
    running.task.await.unwrap();
    let messages = inbox(&store, "ada@example.org").await;
    (said, messages.into_iter().map(|(_, octets)| octets).collect())
}

#[tokio::test]
async fn it_is_asked_at_each_step_and_hears_the_end() {
    let store = memory();
    let policy = Scripted::new();
    let running = start(Server::builder("mail.example.org").policy(policy.clone()).build(store.clone())).await;
    let mut client = running.connect().await;
    client.says("EHLO client.example.net", "250-").await;
    for _ in 0..2 {
        client.begin(&["ada@example.org", "team@example.org"], MESSAGE).await;
        assert_eq!(client.reply().await, "250 2.0.0 message accepted\r\n");
    }
    client.says("MAIL FROM:<eve@example.net>", "250 ").await;
    client.says("RCPT TO:<nobody@example.org>", "550 5.1.1 ").await;
    client.says("RCPT TO:<ada@elsewhere.example>", "550 5.7.1 ").await;
    client.says("VRFY ada", "250 2.1.5 Ada <ada@example.org>").await;
    assert_eq!(client.say("EXPN team").await, "250-2.1.5 <ada@example.org>\r\n250 2.1.5 <bob@example.org>\r\n");
    client.says("HELP", "214 ").await;
    client.says("QUIT", "221 ").await;
    assert_eq!(client.reply().await, "");
    drop(client);
    running.shutdown.shut_down();
    running.task.await.unwrap();

    let message = |number| format!("message {number} of <eve@example.net>: Some(\"Subject: hello\\\\r\\\\n\")");
    let mail = "mail <eve@example.net>".to_owned();
    let mut one = vec![
        mail.clone(),
        "rcpt <ada@example.org> after 0".to_owned(),
        "rcpt <team@example.org> after 1".to_owned(),
        "data 2".to_owned(),
        message(1),
        "delivered 250 250".to_owned(),
    ];
    let mut expected = vec!["connected 127.0.0.1".to_owned(), "hello client.example.net".to_owned()];
    expected.extend(one.clone());
    one[4] = message(2);
    expected.extend(one);
    // Whom the directory does not know, the policy does not hear of.
    expected.extend([mail, "disconnected 2".to_owned()]);
    assert_eq!(policy.heard(), expected);
}

#[tokio::test]
async fn each_step_can_be_refused_and_then_it_has_not_happened() {
    let no = "450 4.7.1 the policy says no";
    let sequence = "503 5.5.1 bad sequence of commands";
    for (step, expected) in [
        ("hello", vec![no, sequence, sequence, sequence]),
        ("mail", vec!["250 ", no, sequence, sequence]),
        ("rcpt", vec!["250 ", "250 ", no, sequence]),
        ("data", vec!["250 ", "250 ", "250 ", no]),
    ] {
        let (said, messages) = send(Scripted::refusing(step)).await;
        assert_eq!(said.len(), expected.len(), "{step}: {said:?}");
        for (said, expected) in said.iter().zip(expected) {
            // The reply to EHLO carries no enhanced code.
            let expected = if step == "hello" && expected == no { "450 the policy says no" } else { expected };
            assert!(said.starts_with(expected), "{step}: {said}");
        }
        assert!(messages.is_empty());
    }
}

#[tokio::test]
async fn a_message_is_refused_discarded_or_marked() {
    let (said, messages) =
        send(Scripted::disposing(|| Disposition::refuse(Reply::of(554, Status::permanent(7, 1), "spam")))).await;
    assert_eq!((said[4].as_str(), messages.len()), ("554 5.7.1 spam", 0));

    let (said, messages) = send(Scripted::disposing(|| Disposition::Discard)).await;
    assert_eq!((said[4].as_str(), messages.len()), ("250 2.0.0 message accepted", 0));

    let marked = || {
        let field = |name, value| HeaderField::new(name, value).unwrap();
        Delivery::new().with_field(field("X-One", "1")).with_field(field("X-Two", "2")).into()
    };
    let (said, messages) = send(Scripted::disposing(marked)).await;
    assert_eq!(said[4], "250 2.0.0 message accepted");
    let text = String::from_utf8(messages[0].clone()).unwrap();
    assert!(text.starts_with("Return-Path: <eve@example.net>\r\nX-One: 1\r\nX-Two: 2\r\nReceived: from "), "{text}");
    assert!(
        text.ends_with(
            "\r\nSubject: hello\r\nAuthentication-Results: mail.example.org; spf=pass\r\nX: y\r\n\r\nbody\r\n"
        )
    );
}

#[tokio::test]
async fn fields_are_taken_out_and_replaced_and_the_digest_is_of_what_is_stored() {
    let store = memory();
    let policy = Scripted::refusing("header");
    let running = start(Server::builder("mail.example.org").policy(policy).build(store.clone())).await;
    let mut client = running.connect().await;
    client.says("EHLO client.example.net", "250-").await;
    client.begin(&["ada@example.org"], MESSAGE).await;
    assert_eq!(client.reply().await, "250 2.0.0 message accepted\r\n");
    let (meta, octets) = inbox(&store, "ada@example.org").await.remove(0);
    let text = String::from_utf8(octets.clone()).unwrap();
    assert!(text.ends_with("\r\nSubject: [list] hello\r\nX: y\r\n\r\nbody\r\n"), "{text}");
    assert!(!text.contains("Authentication-Results"));
    let digest = Digest::from_octets(meta.digest.as_ref().unwrap()).unwrap();
    assert_eq!(digest.size(), octets.len() as u64);
    assert_eq!(digest.root().body_octets(), 6);
    assert_eq!(digest.field("Subject").unwrap().value, Digest::of(&octets).field("Subject").unwrap().value);
}

#[tokio::test]
async fn a_quarantine_is_made_where_there_is_none() {
    let store = memory();
    let junk = MailboxName::parse("Junk").unwrap();
    let name = junk.clone();
    let seen: Flags = [SystemFlag::Seen].into_iter().collect();
    let flags = seen.clone();
    let policy =
        Scripted::disposing(move || Delivery::new().into_mailbox(name.clone()).with_flags(flags.clone()).into());
    let running = start(Server::builder("mail.example.org").policy(policy).build(store.clone())).await;
    let mut client = running.connect().await;
    client.says("EHLO client.example.net", "250-").await;
    client.begin(&["ada@example.org"], MESSAGE).await;
    assert_eq!(client.reply().await, "250 2.0.0 message accepted\r\n");
    assert!(inbox(&store, "ada@example.org").await.is_empty());
    let account = store.open(&AccountId::from("ada@example.org"), &Actor::Service).await.unwrap();
    let mailbox = account.find(&junk).await.unwrap();
    let uids = account.snapshot(&mailbox, false).await.unwrap().uids;
    let metas = account.fetch_meta(&mailbox, &uids, MetaFields::ALL, MetaFilter::default());
    let metas: Vec<_> = futures::StreamExt::collect(metas).await;
    assert_eq!(metas.len(), 1);
    let flags = &metas[0].as_ref().unwrap().flags;
    assert!(seen.iter().all(|flag| flags.contains(flag)));
}

#[tokio::test]
async fn a_policy_that_does_not_answer_makes_the_client_come_again() {
    let policy = Scripted::refusing("never answers");
    let server = Server::builder("mail.example.org").policy(policy).policy_timeout(Duration::from_millis(50));
    let running = start(server.build(memory())).await;
    let mut client = running.connect().await;
    client.says("EHLO client.example.net", "250-").await;
    client.says("MAIL FROM:<eve@example.net>", "451 4.3.0 local error").await;
    client.says("QUIT", "221 ").await;
}

#[tokio::test]
async fn sec_c7_a_policy_that_panics_on_a_delivery_does_not_make_the_client_send_it_again() {
    let (said, messages) = send(Scripted::refusing("panic")).await;
    assert_eq!((said[4].as_str(), messages.len()), ("250 2.0.0 message accepted", 1));
}

#[tokio::test]
async fn by_lmtp_it_hears_what_became_of_each_recipient() {
    let store = Faulty::new(memory());
    let policy = Scripted::new();
    let running =
        start(Server::builder("mail.example.org").lmtp().policy(Heard(policy.clone())).build(store.clone())).await;
    let mut client = running.connect().await;
    client.says("LHLO client.example.net", "250-").await;
    *store.faults.deliver.lock().unwrap() = Some(ErrorKind::OverQuota);
    client.begin(&["ada@example.org", "bob@example.org"], MESSAGE).await;
    for _ in 0..2 {
        assert_eq!(client.reply().await, "452 4.2.2 mailbox full\r\n");
    }
    assert_eq!(policy.heard(), ["delivered 452 452"]);
}

/// Hears of deliveries only.
#[derive(Clone)]
struct Heard(Scripted);

impl Policy for Heard {
    async fn delivered(&mut self, _: &Client<'_>, _: &Envelope, outcomes: &[Outcome]) {
        assert!(outcomes.iter().all(|outcome| !outcome.is_delivered()));
        let codes: Vec<_> = outcomes.iter().map(|outcome| outcome.reply.code().to_string()).collect();
        self.0.hear("delivered", codes.join(" "));
    }
}

#[tokio::test]
async fn sec_r4_a_message_that_goes_round_in_circles_is_stopped() {
    let store = memory();
    let running = start(Server::builder("mail.example.org").build(store.clone())).await;
    let mut client = running.connect().await;
    client.says("EHLO client.example.net", "250-").await;
    for (hops, expected) in [(99, "250 2.0.0 "), (100, "554 5.4.6 "), (1000, "554 5.4.6 ")] {
        let mut message = "Received: from a by b; Mon, 23 Nov 2026 00:00:00 +0000\r\n".repeat(hops);
        message.push_str("Subject: hello\r\n\r\nbody\r\n.\r\n");
        client.begin(&["ada@example.org"], message.as_bytes()).await;
        let said = client.reply().await;
        assert!(said.starts_with(expected), "{hops}: {said}");
    }
    assert_eq!(inbox(&store, "ada@example.org").await.len(), 1);
}

#[tokio::test]
async fn sec_r3_where_it_is_wanted_users_send_in_their_own_name_only() {
    let login = mail_wire::base64::encode(b"\0ada@example.org\0correct horse");
    for own in [true, false] {
        let server = Server::builder("mail.example.org").submission().allow_insecure_login(true).own_senders(own);
        let running = start(server.build(memory())).await;
        let mut client = running.connect().await;
        client.says("EHLO client.example.net", "250-").await;
        client.says(&format!("AUTH PLAIN {login}"), "235 ").await;
        let other = if own { "553 5.7.1 " } else { "250 " };
        for (sender, expected) in [
            ("bob@example.org", other),
            ("ada@elsewhere.example", other),
            ("nobody@example.org", other),
            ("ADA@example.org", "250 "),
            ("team@example.org", "250 "),
            ("", "250 "),
        ] {
            client.says(&format!("MAIL FROM:<{sender}>"), expected).await;
            client.says("RSET", "250 ").await;
        }
    }
}
