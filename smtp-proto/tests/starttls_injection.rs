//! Attack rows T1, T3, T4 and T7: nothing said in clear survives TLS, and no login goes over the wire in clear.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests say what they expect")]

mod support;

use bytes::BytesMut;
use mail_wire::machine::TlsInfo;
use mail_wire::sasl::Mechanism;
use smtp_proto::session::{Event, Phase, Protocol};
use support::{Conversation, Host};

fn conversation() -> Conversation {
    let mut config = support::config(Protocol::Smtp);
    config.starttls = true;
    config.mechanisms = vec![Mechanism::Plain];
    let mut conversation = Conversation::new(config, Host::new(&["<a@b>"]));
    conversation.hello();
    conversation
}

#[test]
fn sec_t1_a_command_behind_starttls_is_never_one() {
    for injected in [&b"MAIL FROM:<a@b>\r\n"[..], b"RCPT", b"EHLO x\r\nMAIL FROM:<a@b>\r\nRCPT TO:<a@b>\r\nDATA\r\n"] {
        for same_segment in [true, false] {
            let mut conversation = conversation();
            if same_segment {
                let said = conversation.send(&[b"STARTTLS\r\n", injected].concat());
                assert_eq!(said, "220 2.0.0 ready to start TLS\r\n", "one reply and no more");
            } else {
                conversation.send(b"STARTTLS\r\n");
                assert_eq!(conversation.send(injected), "", "nothing is parsed before the handshake");
            }
            assert_eq!(conversation.input, injected, "it is there for the handshake to choke on");
            let events = conversation.host.events.len();
            conversation.start_tls();
            assert_eq!(conversation.session.clear_text_dropped(), injected.len());
            assert_eq!((conversation.said().as_str(), conversation.host.events.len()), ("", events));
            assert!(conversation.send(b" TO:<a@b>\r\n").starts_with("500 "), "half a line is not completed by TLS");
        }
    }
}

#[test]
fn sec_t1_half_a_line_that_was_read_before_is_forgotten() {
    let mut conversation = conversation();
    conversation.send(b"STARTTLS\r\nNO");
    conversation.start_tls();
    assert!(conversation.send(b"OP\r\n").starts_with("500 "));
    assert_eq!(conversation.send(b"NOOP\r\n"), "250 2.0.0 ok\r\n");
}

#[test]
fn sec_t1_while_tls_is_due_there_is_no_event() {
    let mut conversation = conversation();
    conversation.input.extend_from_slice(b"STARTTLS\r\nNOOP\r\n");
    let event = conversation.session.next_event(&mut conversation.input).unwrap().unwrap();
    let Event::StartTls(start_tls) = event else { panic!("{event:?}") };
    conversation.session.answer(start_tls.ready(), &mut conversation.output).unwrap();
    assert_eq!(conversation.session.state(), Phase::Handshake);
    for _ in 0..3 {
        assert!(conversation.session.next_event(&mut conversation.input).unwrap().is_none());
    }
    assert_eq!(conversation.input, "NOOP\r\n");
}

#[test]
fn sec_t3_nothing_learned_in_clear_is_kept() {
    let mut conversation = conversation();
    assert!(conversation.session.hello().is_some());
    conversation.send(b"STARTTLS\r\n");
    conversation.start_tls();
    assert!(conversation.session.hello().is_none());
    assert!(conversation.session.identity().is_none());
    assert!(conversation.send(b"MAIL FROM:<a@b>\r\n").starts_with("503 "));
    assert!(conversation.send(b"AUTH PLAIN AHRpbQB0YW5zdGFhZnRhbnN0YWFm\r\n").starts_with("503 "));
    conversation.hello();
    assert!(conversation.send(b"AUTH PLAIN AHRpbQB0YW5zdGFhZnRhbnN0YWFm\r\n").starts_with("235 "));
}

#[test]
fn sec_t3_a_login_in_clear_and_then_starttls_is_refused() {
    let mut config = support::config_with_auth(Protocol::Smtp);
    config.starttls = true;
    let mut conversation = Conversation::new(config, Host::new(&[]));
    conversation.hello();
    assert!(conversation.send(b"AUTH PLAIN AHRpbQB0YW5zdGFhZnRhbnN0YWFm\r\n").starts_with("235 "));
    assert!(conversation.send(b"STARTTLS\r\n").starts_with("503 "));
    assert!(conversation.session.identity().is_some());
}

#[test]
fn sec_t4_starttls_comes_once_and_between_messages() {
    let mut conversation = conversation();
    conversation.send(b"MAIL FROM:<a@b>\r\n");
    assert!(conversation.send(b"STARTTLS\r\n").starts_with("503 5.5.1"));
    conversation.send(b"RCPT TO:<a@b>\r\n");
    assert!(conversation.send(b"STARTTLS\r\n").starts_with("503 5.5.1"));
    assert!(conversation.send(b"RSET\r\nSTARTTLS\r\n").ends_with("220 2.0.0 ready to start TLS\r\n"));
    conversation.start_tls();
    let offers = conversation.send(b"EHLO c\r\n");
    assert!(!offers.contains("STARTTLS"));
    assert!(conversation.send(b"STARTTLS\r\n").starts_with("503 5.5.1"));
}

#[test]
fn sec_t4_starttls_that_is_not_offered_is_not_there() {
    let mut conversation = Conversation::new(support::config(Protocol::Smtp), Host::new(&[]));
    conversation.hello();
    assert!(conversation.send(b"STARTTLS\r\n").starts_with("502 "));
}

#[test]
fn sec_t7_no_login_is_offered_or_taken_in_clear() {
    let mut conversation = conversation();
    assert!(!conversation.send(b"EHLO c\r\n").contains("AUTH"));
    let said = conversation.send(b"AUTH PLAIN AHRpbQB0YW5zdGFhZnRhbnN0YWFm\r\n");
    assert!(said.starts_with("538 5.7.11 "), "{said}");
    assert!(conversation.session.identity().is_none());
    // Not even to a mechanism that nobody knows: what is offered here is not told.
    assert!(conversation.send(b"AUTH FOO\r\n").starts_with("538 5.7.11 "));
    let events = conversation.host.events.join("\n");
    assert!(!events.contains("AHRpbQB0"), "{events}");
    conversation.send(b"STARTTLS\r\n");
    conversation.start_tls();
    assert!(conversation.send(b"EHLO c\r\n").contains("250 AUTH PLAIN\r\n"));
}

#[test]
fn implicit_tls_begins_before_the_greeting() {
    let mut config = support::config(Protocol::Submission);
    config.starttls = true;
    config.mechanisms = vec![Mechanism::Plain];
    let mut session = smtp_proto::ServerSession::new(std::sync::Arc::new(config));
    let (mut input, mut output) = (BytesMut::new(), BytesMut::new());
    session.tls_started(TlsInfo::new("TLSv1.3", "x"), &mut input);
    let event = session.next_event(&mut input).unwrap().unwrap();
    session.answer(event.default_answer(), &mut output).unwrap();
    input.extend_from_slice(b"EHLO c\r\n");
    let event = session.next_event(&mut input).unwrap().unwrap();
    session.answer(event.default_answer(), &mut output).unwrap();
    let said = String::from_utf8(output.to_vec()).unwrap();
    assert!(said.starts_with("220 ") && said.contains("AUTH PLAIN") && !said.contains("STARTTLS"), "{said}");
}
