//! Attack rows A2, A3, A7, A8, A11 to A13, as far as SMTP has a hand in them.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests say what they expect")]

mod support;

use std::sync::Arc;

use bytes::BytesMut;
use mail_wire::{AccountId, CredentialAnswer, CredentialQuery, UserName};
use smtp_proto::Reply;
use smtp_proto::grammar::EnhancedStatusCode as Status;
use smtp_proto::session::{Event, Phase, Protocol, ServerSession};
use support::{Conversation, Host};

fn conversation() -> Conversation {
    let mut conversation = Conversation::new(support::config_with_auth(Protocol::Smtp), Host::new(&["<a@b>"]));
    conversation.hello();
    conversation
}

fn plain(authzid: &str, authcid: &str, password: &str) -> String {
    let message = format!("{authzid}\0{authcid}\0{password}");
    format!("AUTH PLAIN {}\r\n", mail_wire::base64::encode(message.as_bytes()))
}

#[test]
fn sec_a2_a_login_and_vrfy_say_the_same_of_known_and_unknown_users() {
    let said = |octets: &str| conversation().send(octets.as_bytes());
    assert_eq!(said(&plain("", "tim", "wrong")), said(&plain("", "nobody", "wrong")));
    assert!(said(&plain("", "tim", "wrong")).starts_with("535 5.7.8 "));
    assert_eq!(said("VRFY tim\r\n"), said("VRFY nobody\r\n"));
    assert!(said("VRFY a@b\r\n").starts_with("252 "));
    assert_eq!(said("EXPN tim\r\n"), said("EXPN nobody\r\n"));
}

#[test]
fn sec_a3_acting_as_somebody_else_is_a_question_of_its_own() {
    let mut conversation = conversation();
    conversation.input.extend_from_slice(plain("bob", "tim", "tanstaaftanstaaf").as_bytes());
    let event = conversation.session.next_event(&mut conversation.input).unwrap().unwrap();
    assert!(matches!(&event, Event::Credentials(CredentialQuery::Password { user, .. }) if user.as_str() == "tim"));
    let accepted = CredentialAnswer::Accepted(AccountId::new("tim"));
    conversation.session.answer(accepted, &mut conversation.output).unwrap();
    let event = conversation.session.next_event(&mut conversation.input).unwrap().unwrap();
    let Event::Credentials(CredentialQuery::Authorize { authenticated, requested }) = &event else {
        panic!("{event:?}")
    };
    assert_eq!((authenticated, requested), (&AccountId::new("tim"), &UserName::new("bob").unwrap()));
    conversation.session.answer(CredentialAnswer::Rejected, &mut conversation.output).unwrap();
    conversation.run().unwrap();
    assert_eq!(conversation.said(), "535 5.7.8 authentication credentials invalid\r\n");
    assert!(conversation.session.identity().is_none());
}

#[test]
fn sec_a7_a_login_lasts_and_there_is_no_second() {
    let mut conversation = conversation();
    assert!(conversation.send(plain("", "tim", "tanstaaftanstaaf").as_bytes()).starts_with("235 "));
    let identity = conversation.session.identity().cloned();
    assert_eq!(identity.as_ref().map(|identity| identity.account.as_str()), Some("tim"));
    assert!(conversation.send(plain("", "tim", "wrong").as_bytes()).starts_with("503 5.5.1"));
    assert!(conversation.send(b"AUTH LOGIN\r\n").starts_with("503 5.5.1"));
    conversation.send(b"RSET\r\nMAIL FROM:<a@b>\r\nEHLO d\r\n");
    assert_eq!(conversation.session.identity().cloned(), identity);
}

#[test]
fn sec_a7_a_login_that_the_host_refuses_in_the_end_is_none() {
    let mut conversation = conversation();
    conversation.input.extend_from_slice(plain("", "tim", "x").as_bytes());
    conversation.session.next_event(&mut conversation.input).unwrap();
    let accepted = CredentialAnswer::Accepted(AccountId::new("tim"));
    conversation.session.answer(accepted, &mut conversation.output).unwrap();
    let event = conversation.session.next_event(&mut conversation.input).unwrap().unwrap();
    assert!(matches!(event, Event::Authenticated(_)));
    assert!(conversation.session.identity().is_none(), "state moves on the answer");
    let refusal: smtp_proto::Reply = smtp_proto::Reply::parse(b"454 4.7.0 suspended\r\n").unwrap();
    conversation.session.answer(refusal, &mut conversation.output).unwrap();
    assert!(conversation.session.identity().is_none());
    assert!(conversation.send(plain("", "tim", "tanstaaftanstaaf").as_bytes()).ends_with("succeeded\r\n"));
}

#[test]
fn sec_a8_names_with_control_characters_never_reach_the_host() {
    for (authzid, authcid, password) in [
        ("", "t\rim", "x"),
        ("", "t\nim", "x"),
        ("", "t\u{7f}im", "x"),
        ("b\nob", "tim", "x"),
        ("", "tim", "a\0b"),
        ("", "", "x"),
    ] {
        let mut conversation = conversation();
        let said = conversation.send(plain(authzid, authcid, password).as_bytes());
        assert!(said.starts_with("501 ") || said.starts_with("535 "), "{said}");
        assert!(!conversation.host.events.iter().any(|event| event.starts_with("Credentials")), "{authcid:?}");
    }
    let mut conversation = conversation();
    let latin = mail_wire::base64::encode(b"\0t\xefm\0x");
    assert!(conversation.send(format!("AUTH PLAIN {latin}\r\n").as_bytes()).starts_with('5'));
    assert!(!conversation.host.events.iter().any(|event| event.starts_with("Credentials")));
}

#[test]
fn sec_a11_failures_are_counted_for_the_host_and_the_tenth_closes() {
    let mut conversation = conversation();
    for count in 1..=10 {
        conversation.input.extend_from_slice(plain("", "tim", "wrong").as_bytes());
        let event = conversation.session.next_event(&mut conversation.input).unwrap().unwrap();
        let Event::Credentials(_) = event else { panic!("{event:?}") };
        conversation.session.answer(CredentialAnswer::Rejected, &mut conversation.output).unwrap();
        let event = conversation.session.next_event(&mut conversation.input).unwrap().unwrap();
        let Event::AuthenticationFailed(failure) = event else { panic!("{event:?}") };
        assert_eq!((failure.rejected, failure.closes), (count, count == 10));
        conversation.session.answer(failure.default_answer(), &mut conversation.output).unwrap();
    }
    assert!(conversation.session.is_closed());
    assert!(conversation.said().ends_with("421 4.7.0 too many errors, closing connection\r\n"));
}

#[test]
fn sec_a12_auth_comes_after_ehlo_and_between_messages_and_what_is_behind_it_waits() {
    let mut conversation = Conversation::new(support::config_with_auth(Protocol::Submission), Host::new(&["<a@b>"]));
    assert!(conversation.send(b"AUTH PLAIN\r\n").ends_with("503 5.5.1 bad sequence of commands\r\n"));
    conversation.hello();
    let pipelined = plain("", "tim", "tanstaaftanstaaf") + "MAIL FROM:<a@b>\r\n";
    assert_eq!(
        conversation.send(pipelined.as_bytes()),
        "235 2.7.0 authentication succeeded\r\n250 2.1.0 sender ok\r\n"
    );
    let mut begun = Conversation::new(support::config_with_auth(Protocol::Smtp), Host::new(&["<a@b>"]));
    begun.hello();
    for octets in ["MAIL FROM:<a@b>\r\n", "RCPT TO:<a@b>\r\n"] {
        begun.send(octets.as_bytes());
        assert_eq!(
            begun.send(plain("", "tim", "tanstaaftanstaaf").as_bytes()),
            "503 5.5.1 bad sequence of commands\r\n"
        );
        assert_eq!((begun.session.state(), begun.session.identity()), (Phase::Transaction, None));
    }
    let pipelined = plain("", "tim", "wrong") + "MAIL FROM:<a@b>\r\n";
    let mut other = Conversation::new(support::config_with_auth(Protocol::Submission), Host::new(&["<a@b>"]));
    other.hello();
    assert_eq!(
        other.send(pipelined.as_bytes()),
        "535 5.7.8 authentication credentials invalid\r\n530 5.7.0 authentication required\r\n"
    );
}

#[test]
fn sec_a13_no_secret_shows_in_a_session_or_an_event() {
    let mut conversation = conversation();
    let mut shown = String::new();
    for line in [&b"AUTH LOGIN\r\n"[..], b"dGlt\r\n", b"dGFuc3RhYWZ0YW5zdGFhZg==\r\n"] {
        conversation.input.extend_from_slice(line);
        while let Some(event) = conversation.session.next_event(&mut conversation.input).unwrap() {
            shown += &format!("{event:?} {:?}", conversation.session);
            for answer in conversation.host.decide(&event) {
                shown += &format!("{answer:?}");
                conversation.session.answer(answer, &mut conversation.output).unwrap();
            }
            shown += &format!("{:?}", conversation.session);
        }
    }
    assert!(conversation.said().ends_with("235 2.7.0 authentication succeeded\r\n"));
    assert!(!shown.contains("tanstaaf") && !shown.contains("dGFuc3Rh"), "{shown}");
}

#[test]
fn sec_a11_a_host_that_refuses_in_its_own_words_is_counted_too() {
    let mut session = ServerSession::new(Arc::new(support::config_with_auth(Protocol::Submission)));
    let (mut input, mut output) = (BytesMut::new(), BytesMut::new());
    input.extend_from_slice(b"EHLO c\r\n");
    input.extend_from_slice(&b"AUTH PLAIN AGEAYg==\r\n".repeat(20));
    let mut refused = 0;
    while let Some(event) = session.next_event(&mut input).unwrap() {
        let answer = match event {
            Event::Credentials(_) => {
                refused += 1;
                Reply::of(535, Status::permanent(7, 8), "no").into()
            }
            event => event.default_answer(),
        };
        session.answer(answer, &mut output).unwrap();
    }
    assert!(session.is_closed() && refused == 10, "{refused}");
}
