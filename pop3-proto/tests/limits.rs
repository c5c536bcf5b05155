//! What is too much.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "it is a test")]

mod host;

use bytes::BytesMut;
use host::{Conversation, Host, insecure, logged_in, mrose};
use mail_wire::machine::Timer;
use pop3_proto::response::Refusal;
use pop3_proto::{Answer, Event, Maildrop, UsageError};

#[test]
fn sec_m1_a_line_without_end_is_not_kept() {
    let mut conversation = Conversation::begin(insecure(), mrose());
    let chunk = vec![b'x'; 64 * 1024];
    for _ in 0..(1 << 28) / chunk.len() {
        assert_eq!(conversation.say(&chunk), "");
        assert!(conversation.input.len() <= 255);
    }
    assert!(conversation.input.capacity() <= 256 * 1024);
    assert_eq!(conversation.say("\r\n"), "-ERR line too long\r\n");
    assert_eq!(conversation.say("QUIT\r\n"), "+OK dewey POP3 server signing off\r\n");
}

#[test]
fn a_command_has_255_octets_at_the_most() {
    let mut conversation = Conversation::begin(insecure(), mrose());
    let longest = format!("USER {}\r\n", "x".repeat(255 - 7));
    assert_eq!(conversation.say(&longest), "+OK send PASS\r\n");
    assert_eq!(conversation.say(longest.replace("\r\n", "x\r\n")), "-ERR line too long\r\n");
}

#[test]
fn a_response_in_a_login_may_be_longer_than_a_command() {
    let mut conversation = Conversation::begin(insecure(), mrose());
    conversation.say("AUTH PLAIN\r\n");
    // Well-formed, and refused for what it says: PLAIN takes 255 octets of a password.
    let long = mail_wire::base64::encode(format!("\0mrose\0{}", "x".repeat(9000)).as_bytes());
    assert_eq!(conversation.say(format!("{long}\r\n")), "-ERR malformed response\r\n");
    assert_eq!(conversation.say(format!("CAPA{}\r\n", " x".repeat(200))), "-ERR line too long\r\n");
}

#[test]
fn sec_s4_only_crlf_ends_a_command() {
    let mut conversation = logged_in();
    for (line, told) in [
        ("NOOP\nDELE 1\r\n", "-ERR bare LF in a line\r\n"),
        ("NOOP\rDELE 1\r\n", "-ERR bare CR in a line\r\n"),
        ("NO\0OP\r\n", "-ERR NUL in a line\r\n"),
    ] {
        assert_eq!(conversation.say(line), told);
    }
    assert_eq!(conversation.say("DELE 1\n"), "", "it has not ended");
    assert_eq!(conversation.say("\r\nSTAT\r\n"), "-ERR bare LF in a line\r\n+OK 2 320\r\n");
}

#[test]
fn sec_c5_the_tenth_error_closes_and_a_wrong_number_is_none() {
    let mut conversation = logged_in();
    for _ in 0..100 {
        assert_eq!(conversation.say("RETR 3\r\n"), "-ERR no such message, only 2 in maildrop\r\n");
    }
    for error in 1..=10 {
        assert!(!conversation.session.is_closed(), "before error {error}");
        assert!(conversation.say("XYZZY\r\n").starts_with("-ERR "));
    }
    assert!(conversation.session.is_closed());
    assert_eq!(conversation.host.removed, None);
}

#[test]
fn sec_m13_a_listing_comes_in_parts_and_nothing_comes_between() {
    let messages = 1_000_000;
    let mut conversation = Conversation::begin(insecure(), Host::default());
    let (session, input) = (&mut conversation.session, &mut conversation.input);
    let mut out = BytesMut::new();
    input.extend_from_slice(b"USER mrose\r\nPASS secret\r\nLIST\r\nUIDL\r\nQUIT\r\n");
    let (mut lines, mut longest) = (0, 0);
    while let Some(event) = session.next_event(input).unwrap() {
        let answer = match &event {
            Event::Credentials(_) => mail_wire::CredentialAnswer::Accepted(mail_wire::AccountId::new("mrose")).into(),
            Event::Authenticated(_) => {
                let mut maildrop = Maildrop::new(7, messages);
                (1..=messages as u32).for_each(|key| maildrop.push(key, 1000).unwrap());
                maildrop.into()
            }
            event => event.default_answer(),
        };
        session.answer(answer, &mut out).unwrap();
        lines += out.iter().filter(|octet| **octet == b'\n').count();
        longest = longest.max(out.len());
        out.clear();
    }
    assert_eq!(lines, 3 + 2 * (messages + 2));
    assert!(longest < 17 * 1024, "{longest}");
}

#[test]
fn a_prompt_and_a_part_of_a_listing_have_one_answer_only() {
    let mut conversation = Conversation::begin(insecure(), mrose());
    conversation.input.extend_from_slice(b"AUTH PLAIN\r\n");
    let event = conversation.session.next_event(&mut conversation.input).unwrap().unwrap();
    assert!(matches!(event, Event::Continue));
    let mut out = BytesMut::new();
    let refused = conversation.session.answer(pop3_proto::Refusal::lossy("no"), &mut out);
    assert_eq!(refused, Err(UsageError::WrongAnswer));
    assert_eq!(conversation.session.next_event(&mut BytesMut::new()).unwrap_err(), UsageError::AnswerOwed.into());
    assert!(out.is_empty());
    conversation.session.answer(Answer::ok(), &mut out).unwrap();
    assert_eq!(&out[..], b"+ \r\n");
    assert_eq!(conversation.session.answer(Answer::ok(), &mut out), Err(UsageError::NoAnswerOwed));
}

#[test]
fn sec_c1_three_clocks_run() {
    let mut conversation = Conversation::begin(insecure(), mrose());
    let session = &conversation.session;
    let (idle, login) = (session.timers().get(Timer::Idle).unwrap(), session.timers().get(Timer::Login).unwrap());
    assert!(idle.after.as_secs() >= 600, "RFC 1939 §3");
    assert_eq!(session.timers().get(Timer::Line), None);
    conversation.say("NO");
    let line = conversation.session.timers().get(Timer::Line).unwrap();
    conversation.say("O");
    assert_eq!(conversation.session.timers().get(Timer::Line), Some(line), "an octet starts no clock anew");
    assert_eq!(conversation.session.timers().get(Timer::Idle), Some(idle));
    conversation.say("P\r\n");
    assert_eq!(conversation.session.timers().get(Timer::Line), None);
    assert_ne!(conversation.session.timers().get(Timer::Idle), Some(idle), "a command does");
    assert_eq!(conversation.session.timers().get(Timer::Login), Some(login), "but not this one's");
    conversation.say("USER mrose\r\nPASS secret\r\n");
    assert_eq!(conversation.session.timers().get(Timer::Login), None);
    let mut out = BytesMut::new();
    conversation.session.handle_timeout(Timer::Idle, &mut out);
    assert!(conversation.session.is_closed() && out.is_empty(), "in silence, RFC 1939 §3");
    assert_eq!(conversation.session.timers().iter().count(), 0);
}

#[test]
fn sec_t9_the_middle_of_a_first_line_is_nobodys_first_words() {
    let first = format!("{}GET / HTTP/1.1\r\n", "x".repeat(300));
    for cut in [first.len(), 7, 100, 300] {
        let mut conversation = Conversation::begin(insecure(), mrose());
        let said: String = first.as_bytes().chunks(cut).map(|chunk| conversation.say(chunk)).collect();
        assert!(
            !said.contains("this is a mail server") && !conversation.session.is_closed(),
            "cut every {cut}: {said}"
        );
    }
}

#[test]
fn sec_t9_another_protocols_first_words_get_one_reply_that_echoes_none_of_them() {
    for octets in [
        &b"GET /secret HTTP/1.1\r\nHost: mail.example.org\r\n\r\n"[..],
        b"POST / HTTP/1.1\r\n\r\nUSER secret\r\n",
        b"OPTIONS * HTTP/1.1\nsecret\n",
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03secret",
    ] {
        for cut in 1..octets.len() {
            let mut conversation = Conversation::begin(insecure(), mrose());
            let said = conversation.say(&octets[..cut]) + &conversation.say(&octets[cut..]);
            assert_eq!(said, "-ERR this is a mail server\r\n", "{}", octets.escape_ascii());
            assert!(conversation.session.is_closed());
        }
    }
    let mut conversation = Conversation::begin(insecure(), mrose());
    conversation.say("CAPA\r\n");
    assert!(conversation.say("GET / HTTP/1.1\r\n").starts_with("-ERR "));
    assert!(!conversation.session.is_closed(), "a later line is no browser's first");
    // Whatever the host says to it.
    let mut conversation = Conversation::begin(insecure(), mrose());
    conversation.input.extend_from_slice(b"GET / HTTP/1.1\r\n");
    let event = conversation.session.next_event(&mut conversation.input).unwrap().unwrap();
    assert!(matches!(event, Event::Rejected(_)), "{event:?}");
    conversation.session.answer(Answer::Refuse(Refusal::lossy("go on")), &mut BytesMut::new()).unwrap();
    assert!(conversation.session.is_closed());
}
