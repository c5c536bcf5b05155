//! What a host may rely on: one answer for each event, state that moves on the answer, and loud words for mistakes
//! (attack rows C6 and C7 among them).
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests say what they expect")]

mod support;

use bytes::BytesMut;
use mail_wire::CredentialAnswer;
use proptest::prelude::*;
use smtp_proto::session::{Answer, Event, Phase, Protocol, Trust};
use smtp_proto::{Error, PeerError, Reply, UsageError};
use support::{Conversation, Host};

fn reply(text: &str) -> Reply {
    Reply::parse(format!("{text}\r\n").as_bytes()).unwrap()
}

fn conversation() -> Conversation {
    let mut conversation = Conversation::new(support::config(Protocol::Smtp), Host::new(&["<a@b>"]));
    conversation.hello();
    conversation
}

/// The next event, without its answer.
fn event(conversation: &mut Conversation, octets: &[u8]) -> Event {
    conversation.input.extend_from_slice(octets);
    conversation.session.next_event(&mut conversation.input).unwrap().unwrap()
}

fn answer(conversation: &mut Conversation, answer: impl Into<Answer>) -> Result<String, UsageError> {
    let result = conversation.session.answer(answer, &mut conversation.output);
    let said = conversation.said();
    match result {
        Ok(()) => Ok(said),
        Err(error) => {
            assert_eq!(said, "", "a mistake writes nothing");
            Err(error)
        }
    }
}

#[test]
fn the_next_event_waits_for_the_answer_to_the_last() {
    let mut conversation = conversation();
    event(&mut conversation, b"NOOP\r\nRSET\r\n");
    let next = conversation.session.next_event(&mut conversation.input);
    assert_eq!(next.unwrap_err(), Error::Usage(UsageError::AnswerOwed));
    assert_eq!(answer(&mut conversation, reply("250 2.0.0 yes")).unwrap(), "250 2.0.0 yes\r\n");
    assert_eq!(answer(&mut conversation, reply("250 2.0.0 yes")), Err(UsageError::NoAnswerOwed));
    assert!(matches!(event(&mut conversation, b""), Event::Rset));
}

#[test]
fn an_answer_that_does_not_fit_is_a_mistake_and_can_be_made_good() {
    for (octets, wrong, right) in [
        (&b"NOOP\r\n"[..], "354 go on", "250 ok"),
        (b"FOO\r\n", "250 ok", "500 what"),
        (b"MAIL FROM:<a@b>\r\n", "354 go on", "250 ok"),
        (b"RCPT TO:<a@b>\r\n", "354 go on", "250 ok"),
        (b"DATA\r\n", "250 ok", "354 go on"),
        (b"x\r\n.\r\n", "354 go on", "250 ok"),
        (b"BDAT 1\r\nx", "354 go on", "250 ok"),
    ] {
        let mut conversation = conversation();
        if octets.starts_with(b"RCPT") {
            conversation.send(b"MAIL FROM:<a@b>\r\n");
        } else if octets.starts_with(b"BDAT") {
            conversation.send(b"MAIL FROM:<a@b>\r\nRCPT TO:<a@b>\r\n");
            let begin = event(&mut conversation, octets);
            assert_eq!(answer(&mut conversation, reply("250 yes")), Err(UsageError::WrongAnswer));
            assert_eq!(answer(&mut conversation, begin.default_answer()).unwrap(), "");
            assert!(matches!(event(&mut conversation, b""), Event::Data(_)));
        } else if octets.starts_with(b"DATA") {
            conversation.send(b"MAIL FROM:<a@b>\r\nRCPT TO:<a@b>\r\n");
        } else if octets.starts_with(b"x") {
            conversation.send(b"MAIL FROM:<a@b>\r\nRCPT TO:<a@b>\r\nDATA\r\n");
            event(&mut conversation, octets);
        }
        event(&mut conversation, if octets.starts_with(b"x") || octets.starts_with(b"BDAT") { b"" } else { octets });
        assert_eq!(answer(&mut conversation, reply(wrong)), Err(UsageError::WrongAnswer));
        assert_eq!(answer(&mut conversation, CredentialAnswer::Rejected), Err(UsageError::WrongAnswer));
        assert_eq!(answer(&mut conversation, reply(right)).unwrap(), format!("{right}\r\n"));
    }
}

#[test]
fn state_moves_on_the_answer() {
    let mut conversation = conversation();
    event(&mut conversation, b"MAIL FROM:<a@b>\r\n");
    assert_eq!(conversation.session.state(), Phase::Ready);
    answer(&mut conversation, reply("450 4.2.0 later")).unwrap();
    assert_eq!(conversation.session.state(), Phase::Ready, "a refused MAIL opens nothing");
    conversation.send(b"MAIL FROM:<a@b>\r\n");
    assert_eq!(conversation.session.state(), Phase::Transaction);
    event(&mut conversation, b"EHLO d\r\n");
    answer(&mut conversation, reply("550 no")).unwrap();
    assert_eq!(conversation.session.state(), Phase::Transaction, "RFC 5321 §4.1.4: the same state");
    assert_eq!(conversation.session.hello().unwrap().name.to_string(), "client.example.net");
    conversation.send(b"RCPT TO:<a@b>\r\n");
    event(&mut conversation, b"DATA\r\n");
    answer(&mut conversation, reply("451 4.3.0 no room")).unwrap();
    assert_eq!(conversation.session.state(), Phase::Transaction);
    assert!(conversation.send(b"DATA\r\n").starts_with("354 "));
    conversation.send(b"EHLO\r\n.\r\n");
    assert_eq!(conversation.session.state(), Phase::Ready);
    conversation.send(b"MAIL FROM:<a@b>\r\nEHLO e\r\n");
    assert_eq!(conversation.session.state(), Phase::Ready, "a new EHLO drops the message");
}

#[test]
fn four_two_one_fits_every_event_and_closes() {
    for octets in [&b"NOOP\r\n"[..], b"EHLO d\r\n", b"MAIL FROM:<a@b>\r\n", b"FOO\r\n", b"QUIT\r\n", b"VRFY x\r\n"] {
        let mut conversation = conversation();
        event(&mut conversation, octets);
        answer(&mut conversation, reply("421 4.3.2 bye")).unwrap();
        assert!(conversation.session.is_closed(), "{}", octets.escape_ascii());
        assert!(conversation.session.next_event(&mut BytesMut::from("NOOP\r\n")).unwrap().is_none());
    }
}

#[test]
fn a_peer_that_was_refused_can_only_say_quit() {
    let mut host = Host::new(&[]);
    host.refuse_greeting = Some(reply("554 no service for you"));
    let mut conversation = Conversation::new(support::config(Protocol::Smtp), host);
    assert_eq!(conversation.said(), "554 no service for you\r\n");
    for octets in [&b"EHLO c\r\n"[..], b"MAIL FROM:<a@b>\r\n", b"NOOP\r\n"] {
        assert!(conversation.send(octets).starts_with("503 "));
    }
    assert!(conversation.send(b"QUIT\r\n").starts_with("221 ") && conversation.session.is_closed());
}

#[test]
fn lmtp_wants_one_reply_for_each_recipient() {
    let mut conversation = Conversation::new(support::config(Protocol::Lmtp), Host::new(&["<a@b>"]));
    conversation.hello();
    conversation.send(b"MAIL FROM:<a@b>\r\nRCPT TO:<a@b>\r\nRCPT TO:<a@b>\r\nRCPT TO:<a@b>\r\nDATA\r\n");
    let end = event(&mut conversation, b".\r\n");
    assert!(matches!(end, Event::EndOfData(end) if end.replies == 3));
    answer(&mut conversation, reply("250 2.0.0 one")).unwrap();
    assert_eq!(conversation.session.replies_owed(), 2);
    assert!(conversation.session.next_event(&mut conversation.input).is_err());
    let rest = answer(&mut conversation, Answer::ToAll(reply("452 4.2.2 full"))).unwrap();
    assert_eq!(rest, "452 4.2.2 full\r\n452 4.2.2 full\r\n");
    assert_eq!((conversation.session.replies_owed(), conversation.session.state()), (0, Phase::Ready));
}

#[test]
fn sec_c6_a_shutdown_waits_for_a_message_and_its_answer() {
    let mut conversation = conversation();
    conversation.send(b"MAIL FROM:<a@b>\r\nRCPT TO:<a@b>\r\nDATA\r\nx\r\n");
    assert!(!conversation.session.shut_down(&mut conversation.output));
    let end = event(&mut conversation, b".\r\n");
    assert!(!conversation.session.shut_down(&mut conversation.output), "between the end of data and its reply");
    answer(&mut conversation, end.default_answer()).unwrap();
    assert!(conversation.session.shut_down(&mut conversation.output));
    assert_eq!(conversation.said(), "421 4.3.2 mail.example.org shutting down\r\n");
    assert!(conversation.session.is_closed() && conversation.session.shut_down(&mut conversation.output));
}

#[test]
fn sec_c7_an_answer_that_nobody_hears_is_told_to_the_host() {
    let mut conversation = conversation();
    conversation.send(b"MAIL FROM:<a@b>\r\nRCPT TO:<a@b>\r\nDATA\r\n");
    let end = event(&mut conversation, b".\r\n");
    let Event::EndOfData(end) = end else { panic!("{end:?}") };
    assert_eq!(conversation.session.end_of_input().unwrap_err(), Error::Peer(PeerError::BeforeAnswer));
    assert_eq!(answer(&mut conversation, end.accept()), Err(UsageError::Closed));
}

#[test]
fn sec_c7_no_250_stands_before_the_hosts_answer() {
    let mut conversation = conversation();
    conversation.send(b"MAIL FROM:<a@b>\r\nRCPT TO:<a@b>\r\nDATA\r\n");
    event(&mut conversation, b"\r\n.\r\nNOOP\r\n");
    event(&mut conversation, b"");
    assert_eq!(conversation.said(), "");
}

#[test]
fn a_peer_that_goes_in_the_middle_of_something_is_told_of() {
    for (octets, expected) in [
        (&b""[..], Ok(())),
        (b"NOO", Err(PeerError::InCommand)),
        (b"MAIL FROM:<a@b>\r\n", Ok(())),
        (b"MAIL FROM:<a@b>\r\nRCPT TO:<a@b>\r\nDATA\r\nhalf a mess", Err(PeerError::InData)),
        (b"QUIT\r\n", Ok(())),
    ] {
        let mut conversation = conversation();
        conversation.send(octets);
        assert_eq!(conversation.session.end_of_input(), expected.map_err(Error::Peer));
        assert!(conversation.session.is_closed());
        assert_eq!(conversation.host.messages.len(), 0);
    }
}

#[test]
fn the_codecs_way_is_to_greet_unasked() {
    let mut session = smtp_proto::ServerSession::new(std::sync::Arc::new(support::config(Protocol::Smtp)));
    let mut output = BytesMut::new();
    session.answer(Answer::greeting(), &mut output).unwrap();
    assert_eq!(output, "220 mail.example.org ESMTP\r\n");
    let event = session.next_event(&mut BytesMut::from("NOOP\r\n")).unwrap();
    assert!(matches!(event, Some(Event::Noop(_))), "{event:?}");
}

#[test]
fn sec_i2_no_reply_of_the_session_holds_what_the_peer_sent_as_it_came() {
    let mut conversation = conversation();
    for octets in
        [&b"MAIL FROM:<a@b> \x1b[31mX\r\n"[..], b"MAIL FROM:<\xff\xfe>\r\n", b"\x1b]0;x\x07\r\n", b"HELO \x80\r\n"]
    {
        let said = conversation.send(octets);
        assert_eq!(said.lines().count(), 1);
        assert!(said.trim_end().bytes().all(|octet| (b' '..=b'~').contains(&octet)), "{said:?}");
    }
}

/// Lines of a session that goes through all states, whole or damaged.
fn lines() -> impl Strategy<Value = Vec<u8>> {
    let line = prop::sample::select(vec![
        "EHLO c\r\n",
        "HELO c\r\n",
        "MAIL FROM:<a@b>\r\n",
        "MAIL FROM:<> SIZE=5 BODY=8BITMIME\r\n",
        "RCPT TO:<a@b>\r\n",
        "RCPT TO:<x@b>\r\n",
        "DATA\r\n",
        "RSET\r\n",
        "NOOP x\r\n",
        "VRFY x\r\n",
        "AUTH PLAIN\r\n",
        "*\r\n",
        "AUTH PLAIN AHRpbQB0YW5zdGFhZnRhbnN0YWFm\r\n",
        "AUTH LOGIN dGlt\r\n",
        "dGlt\r\n",
        "hello\r\n",
        ".\r\n",
        "..\r\n",
        "\r\n",
        "FOO\r\n",
        "NOOP\n\r\n",
        "\r",
        "\n",
        "\0",
        "QUIT",
        "STARTTLS\r\n",
        ".",
        "BDAT 5\r\n",
        "BDAT 3\r\n\0\r\n",
        "BDAT 2\r\na\r",
        "BDAT 6 LAST\r\n",
        "BDAT 0 LAST\r\n",
        "BDAT 4 SOON\r\n",
        "BDAT +4\r\n",
        "MAIL FROM:<> BODY=BINARYMIME\r\n",
        "XCLIENT NAME=a ADDR=192.0.2.1\r\n",
        "XCLIENT LOGIN=tim\r\n",
        "XFORWARD SOURCE=LOCAL\r\n",
        "GET / HTTP/1.1\r\n",
    ]);
    prop::collection::vec(line, 0..40).prop_map(|lines| lines.concat().into_bytes())
}

proptest! {
    #[test]
    fn cutting_the_input_anywhere_changes_nothing(
        octets in lines(),
        cuts in prop::collection::vec(1usize..20, 1..8),
        lmtp: bool,
        reject: bool,
        trusted: bool,
    ) {
        let begin = || {
            let mut config = support::config_with_auth(if lmtp { Protocol::Lmtp } else { Protocol::Smtp });
            if reject {
                config.line_ends = mail_wire::dot::LineEndPolicy::Reject;
            }
            config.starttls = true;
            config.dialect.extensions.binary_mime = true;
            config.limits.message_size = 8;
            let mut host = Host::new(&["<a@b>"]);
            if trusted {
                host.trust = Trust::none().with_xclient().with_xforward().with_login();
            }
            let mut conversation = Conversation::new(config, host);
            conversation.hello();
            conversation
        };
        let (mut whole, mut cut) = (begin(), begin());
        let all = whole.send(&octets);
        let (mut parts, mut rest, mut sizes) = (String::new(), &octets[..], cuts.iter().cycle());
        while !rest.is_empty() {
            let (part, behind) = rest.split_at((*sizes.next().unwrap()).min(rest.len()));
            parts += &cut.send(part);
            rest = behind;
        }
        prop_assert_eq!(all, parts);
        prop_assert_eq!(&whole.host.events, &cut.host.events);
        prop_assert_eq!(&whole.host.messages, &cut.host.messages);
        prop_assert_eq!(whole.session.state(), cut.session.state());
        prop_assert_eq!(&whole.input, &cut.input);
    }
}
