//! Messages are removed at QUIT, and what is short never looks whole.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "it is a test")]

mod host;

use bytes::{Bytes, BytesMut};
use host::{Conversation, insecure, logged_in, mrose};
use mail_wire::machine::Timer;
use pop3_proto::{Answer, Error, Event, PeerError, SessionState, UsageError};

#[test]
fn sec_p7_only_quit_removes_messages() {
    type End = fn(&mut Conversation);
    let ends: [(&str, End); 4] = [
        ("the client goes", |it| it.session.end_of_input().unwrap()),
        ("the client is silent", |it| it.session.handle_timeout(Timer::Idle, &mut BytesMut::new())),
        ("the server goes down", |it| assert!(it.session.shut_down(&mut BytesMut::new()))),
        ("the client makes too many errors", |it| assert!(it.say("X\r\n".repeat(10)).starts_with("-ERR"))),
    ];
    for (name, end) in ends {
        let mut conversation = logged_in();
        assert_eq!(conversation.say("DELE 1\r\n"), "+OK message 1 deleted\r\n");
        end(&mut conversation);
        assert!(conversation.session.is_closed(), "{name}");
        assert_eq!(conversation.say("QUIT\r\n"), "", "{name}");
        assert_eq!(conversation.host.removed, None, "{name}");
    }
    let mut conversation = logged_in();
    conversation.say("DELE 1\r\nRSET\r\nDELE 2\r\nQUIT\r\n");
    assert_eq!(conversation.host.removed, Some(vec![2]));
}

#[test]
fn sec_p7_a_message_that_is_gone_keeps_its_number() {
    let mut conversation = logged_in();
    conversation.host.messages[0].gone = true;
    assert_eq!(conversation.say("RETR 1\r\n"), "-ERR message has been removed\r\n");
    assert_eq!(conversation.say("LIST\r\n"), "+OK 2 messages (320 octets)\r\n1 120\r\n2 200\r\n.\r\n");
    conversation.say("DELE 2\r\nQUIT\r\n");
    assert_eq!(conversation.host.removed, Some(vec![2]), "the second message is the second one still");
}

#[test]
fn sec_c7_quit_is_answered_when_the_host_has_removed_them_and_not_before() {
    let mut conversation = logged_in();
    conversation.say("DELE 1\r\n");
    let Conversation { session, input, .. } = &mut conversation;
    let mut out = BytesMut::new();
    input.extend_from_slice(b"QUIT\r\nSTAT\r\n");
    let event = session.next_event(input).unwrap().unwrap();
    assert!(matches!(&event, Event::Quit { delete } if delete == &[1]));
    assert_eq!(session.state(), SessionState::Update);
    assert!(!session.shut_down(&mut out), "not in the middle of it");
    assert_eq!(session.next_event(input).unwrap_err(), UsageError::AnswerOwed.into());
    assert!(out.is_empty());
    assert_eq!(session.end_of_input(), Err(Error::Peer(PeerError::BeforeAnswer)), "the host hears of it");
    assert_eq!(session.answer(Answer::ok(), &mut out), Err(UsageError::Closed));
}

#[test]
fn a_message_has_the_octets_that_its_listing_says_and_no_others() {
    let mut conversation = logged_in();
    let Conversation { session, input, .. } = &mut conversation;
    let mut out = BytesMut::new();
    input.extend_from_slice(b"RETR 1\r\nNOOP\r\n");
    assert!(matches!(session.next_event(input).unwrap(), Some(Event::Retrieve { number: 1, key: 1, size: 120 })));
    for wrong in [Answer::ok(), Answer::End, Bytes::from("x").into()] {
        assert_eq!(session.answer(wrong, &mut out), Err(UsageError::WrongAnswer));
    }
    session.answer(Answer::Message, &mut out).unwrap();
    assert!(session.wants_octets());
    assert_eq!(session.answer(Bytes::from(vec![b'x'; 121]), &mut out), Err(UsageError::TooManyOctets));
    session.answer(Bytes::from(vec![b'x'; 119]), &mut out).unwrap();
    assert_eq!(session.answer(Answer::End, &mut out), Err(UsageError::TooFewOctets));
    assert_eq!(session.answer(Answer::ok(), &mut out), Err(UsageError::WrongAnswer));
    assert!(!session.shut_down(&mut out), "not in the middle of a message");
    session.answer(Bytes::from("x"), &mut out).unwrap();
    assert!(!session.wants_octets());
    session.answer(Answer::End, &mut out).unwrap();
    assert_eq!(&out[..], format!("+OK 120 octets\r\n{}\r\n.\r\n", "x".repeat(120)).as_bytes());
    assert!(matches!(session.next_event(input).unwrap(), Some(Event::Noop)));
}

#[test]
fn top_says_when_it_has_had_enough() {
    let mut conversation = logged_in();
    let Conversation { session, input, .. } = &mut conversation;
    let mut out = BytesMut::new();
    input.extend_from_slice(b"TOP 1 0\r\n");
    assert!(matches!(session.next_event(input).unwrap(), Some(Event::Top { number: 1, lines: 0, .. })));
    session.answer(Answer::Message, &mut out).unwrap();
    session.answer(Bytes::from("Subject: x\r\n"), &mut out).unwrap();
    assert_eq!(session.answer(Answer::End, &mut out), Err(UsageError::TooFewOctets));
    session.answer(Bytes::from("\r\nthe body"), &mut out).unwrap();
    assert!(!session.wants_octets());
    session.answer(Bytes::from(" is not wanted"), &mut out).unwrap();
    session.answer(Answer::End, &mut out).unwrap();
    assert_eq!(&out[..], b"+OK top of message follows\r\nSubject: x\r\n\r\n.\r\n");
}

#[test]
fn sec_c6_a_shutdown_is_said_between_commands() {
    let mut conversation = logged_in();
    let mut out = BytesMut::new();
    assert!(conversation.session.shut_down(&mut out));
    assert_eq!(&out[..], b"-ERR [SYS/TEMP] shutting down\r\n");
    assert!(conversation.session.shut_down(&mut out), "said once");
    assert_eq!(out.len(), 31);
    let mut conversation = Conversation::begin(insecure().with_start_tls(true), mrose());
    conversation.say("STLS\r\n");
    let mut out = BytesMut::new();
    assert!(conversation.session.shut_down(&mut out) && out.is_empty(), "no clear text before a handshake");
}

#[test]
fn the_end_of_the_input_says_what_it_interrupts() {
    let end = |said: &str| {
        let mut conversation = Conversation::begin(insecure(), mrose());
        conversation.say(said);
        conversation.session.end_of_input()
    };
    assert_eq!(end(""), Ok(()));
    assert_eq!(end("USER mrose\r\n"), Ok(()));
    assert_eq!(end("USER mro"), Err(Error::Peer(PeerError::InCommand)));
    assert_eq!(end("AUTH PLAIN\r\n"), Err(Error::Peer(PeerError::InAuth)));
}
