//! Messages in chunks: RFC 3030, RFC 2033 §4.3, and attack rows S3, S7, S8, S9 and T8.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests say what they expect")]

mod support;

use mail_wire::dot::LineEndPolicy;
use mail_wire::machine::Timer;
use proptest::prelude::*;
use smtp_proto::session::{Config, Event, Phase, Protocol};
use smtp_proto::{Error, PeerError, Reply};
use support::{Conversation, Host};

const ENVELOPE: &[u8] = b"MAIL FROM:<a@b>\r\nRCPT TO:<a@b>\r\n";
const SEQUENCE: &str = "503 5.5.1 bad sequence of commands\r\n";
const ACCEPTED: &str = "250 2.0.0 message accepted\r\n";

fn reply(text: &str) -> Reply {
    Reply::parse(format!("{text}\r\n").as_bytes()).unwrap()
}

fn conversation_of(config: Config) -> Conversation {
    let mut conversation = Conversation::new(config, Host::new(&["<a@b>", "<c@d>"]));
    conversation.hello();
    conversation
}

fn conversation() -> Conversation {
    conversation_of(support::config(Protocol::Smtp))
}

/// With a message begun.
fn begun() -> Conversation {
    let mut conversation = conversation();
    conversation.send(ENVELOPE);
    conversation
}

fn binary() -> Config {
    let mut config = support::config(Protocol::Smtp);
    config.dialect.extensions.binary_mime = true;
    config
}

/// What was said to octets that come whole, and that it is the same for each way of cutting them.
fn every_way(begin: impl Fn() -> Conversation, octets: &[u8]) -> (String, Conversation) {
    let mut whole = begin();
    let said = whole.send(octets);
    let mut slow = begin();
    assert_eq!(slow.send_slowly(octets), said, "octet by octet");
    assert_eq!(slow.host.messages, whole.host.messages);
    for cut in 0..=octets.len() {
        let mut conversation = begin();
        let parts = conversation.send(&octets[..cut]) + &conversation.send(&octets[cut..]);
        assert_eq!(parts, said, "cut at {cut}");
        assert_eq!(conversation.host.events, whole.host.events, "cut at {cut}");
        assert_eq!(conversation.host.messages, whole.host.messages, "cut at {cut}");
    }
    (said, whole)
}

fn message(conversation: &Conversation) -> &[u8] {
    &conversation.host.messages[0].2
}

#[test]
fn sec_s7_dots_mean_nothing_in_a_chunk() {
    let octets = b"BDAT 20\r\n.x\r\n..\r\n.\r\nDATA\r\n.\r\nBDAT 5 LAST\r\n\r\n.\r\nQUIT\r\n";
    let (said, conversation) = every_way(begun, octets);
    let bye = "221 2.0.0 mail.example.org closing connection\r\n";
    assert_eq!(said, format!("250 2.0.0 20 octets received\r\n{ACCEPTED}{bye}"));
    assert_eq!(message(&conversation), b".x\r\n..\r\n.\r\nDATA\r\n.\r\n\r\n.\r\n");
}

#[test]
fn sec_s7_an_empty_last_chunk_ends_a_message_and_may_be_all_of_it() {
    let (said, conversation) = every_way(begun, b"BDAT 3\r\na\r\nBDAT 0\r\nBDAT 0 LAST\r\n");
    assert_eq!(said, format!("250 2.0.0 3 octets received\r\n250 2.0.0 0 octets received\r\n{ACCEPTED}"));
    assert_eq!(message(&conversation), b"a\r\n");
    let (said, conversation) = every_way(begun, b"BDAT 0 LAST\r\n");
    assert_eq!((said.as_str(), message(&conversation)), (ACCEPTED, &b""[..]));
}

#[test]
fn sec_s7_bdat_and_data_do_not_mix_in_a_transaction() {
    let (said, conversation) =
        every_way(begun, b"BDAT 3\r\na\r\nDATA\r\nMAIL FROM:<x@y>\r\nRCPT TO:<c@d>\r\nBDAT 0 LAST\r\n");
    assert_eq!(said, format!("250 2.0.0 3 octets received\r\n{SEQUENCE}{SEQUENCE}{SEQUENCE}{ACCEPTED}"));
    assert_eq!(conversation.host.messages, [("<a@b>".into(), vec!["<a@b>".into()], b"a\r\n".to_vec())]);
    let next = [ENVELOPE, b"DATA\r\nx\r\n.\r\n"].concat();
    let mut conversation = conversation;
    assert!(conversation.send(&next).ends_with(ACCEPTED), "the next message comes as it likes");
}

#[test]
fn sec_s7_rset_and_ehlo_drop_all_chunks() {
    for drop in [&b"RSET\r\n"[..], b"EHLO c\r\n"] {
        let octets =
            [&b"BDAT 3\r\na\r\n"[..], drop, b"BDAT 3 LAST\r\nb\r\n", ENVELOPE, b"BDAT 3 LAST\r\nc\r\n"].concat();
        let (said, conversation) = every_way(begun, &octets);
        assert!(said.contains(SEQUENCE) && said.ends_with(ACCEPTED), "{said}");
        assert_eq!(conversation.host.messages.len(), 1);
        assert_eq!(message(&conversation), b"c\r\n");
    }
}

#[test]
fn sec_s7_a_chunk_that_failed_leaves_no_message_with_a_hole() {
    for (failing, said_to_it) in [
        (&b"BDAT 3 FIRST\r\nx\r\n"[..], "501 5.5.4 syntax: expected the end of the command at octet 6\r\n"),
        (b"BDAT 3\r\n\0\r\n", "550 5.6.0 message has a NUL\r\n"),
    ] {
        let octets =
            [&b"BDAT 3\r\na\r\n"[..], failing, b"BDAT 3\r\nb\r\nNOOP\r\nBDAT 6 LAST\r\nQUIT\r\nNOOP\r\n"].concat();
        let (said, conversation) = every_way(begun, &octets);
        let ok = "250 2.0.0 ok\r\n";
        assert_eq!(said, format!("250 2.0.0 3 octets received\r\n{said_to_it}{SEQUENCE}{ok}{SEQUENCE}{ok}"));
        assert_eq!(conversation.host.messages.len(), 0);
        assert_eq!(conversation.session.state(), Phase::Ready, "the last chunk has ended it");
    }
    // The same for the first of them.
    let (said, conversation) = every_way(begun, b"BDAT 2 X\r\na\nBDAT 2 LAST\r\nb\nBDAT 2 LAST\r\nc\n");
    assert!(said.starts_with("501 ") && said.ends_with(&SEQUENCE.repeat(2)), "{said}");
    assert_eq!(conversation.host.messages.len(), 0);
}

#[test]
fn sec_s7_recipients_that_come_behind_a_refused_chunk_get_no_half_of_a_message() {
    let octets = b"MAIL FROM:<a@b>\r\nRCPT TO:<x@b>\r\nBDAT 3\r\na\r\nRCPT TO:<a@b>\r\nBDAT 3 LAST\r\nb\r\n";
    let (said, conversation) = every_way(conversation, octets);
    assert!(said.ends_with(&SEQUENCE.repeat(3)), "{said}");
    assert_eq!(conversation.host.messages.len(), 0);
}

#[test]
fn sec_s7_a_size_that_cannot_be_read_is_the_sessions_end() {
    for size in ["18446744073709551616", "-1", "+5", "0x5", "", "x", "5x", " 5", "5\tLAST"] {
        let octets = [format!("BDAT {size}\r\n").as_bytes(), b"RSET\r\n", ENVELOPE, b"DATA\r\n"].concat();
        let (said, conversation) = every_way(begun, &octets);
        assert!(said.starts_with("501 5.5.4 syntax: expected a chunk's size in octets at octet "), "{size}: {said}");
        assert_eq!(said.lines().count(), 1, "{size}: {said}");
        assert!(conversation.session.is_closed(), "{size}");
    }
    for line in [&b"BDAT 5\n LAST"[..], b"BDAT 5 \0", b"bdat\t5", &[b"BDAT 5 LAST", &[b' '; 2000][..]].concat()] {
        let (said, conversation) = every_way(begun, &[line, b"\r\nRSET\r\n"].concat());
        assert!(said.starts_with("50") && said.lines().count() == 1, "{}: {said}", line.escape_ascii());
        assert!(conversation.session.is_closed(), "{}", line.escape_ascii());
    }
}

#[test]
fn sec_s8_octets_behind_a_refused_bdat_are_never_commands() {
    let body = b"MAIL FROM:<admin@b>\r\nRCPT TO:<a@b>\r\nDATA\r\nspoofed\r\n.\r\n";
    let submission = || conversation_of(support::config_with_auth(Protocol::Submission));
    let switched_off = || {
        let mut config = support::config(Protocol::Smtp);
        config.dialect.extensions.chunking = false;
        let mut conversation = conversation_of(config);
        conversation.send(ENVELOPE);
        conversation
    };
    let not_greeted = || {
        let mut conversation = Conversation::new(support::config(Protocol::Smtp), Host::new(&["<a@b>"]));
        conversation.said();
        conversation
    };
    let turned_away = || {
        let mut host = Host::new(&["<a@b>"]);
        host.refuse_greeting = Some(reply("554 no"));
        let mut conversation = Conversation::new(support::config(Protocol::Smtp), host);
        conversation.said();
        conversation
    };
    let no_recipients = || {
        let mut conversation = conversation();
        conversation.send(b"MAIL FROM:<a@b>\r\nRCPT TO:<x@b>\r\n");
        conversation
    };
    let small = || {
        let mut config = support::config(Protocol::Smtp);
        config.limits.message_size = 20;
        let mut conversation = conversation_of(config);
        conversation.send(ENVELOPE);
        conversation
    };
    let refusing = || {
        let mut conversation = begun();
        conversation.host.refuse_data = Some(reply("451 4.3.0 no room"));
        conversation
    };
    let ways: [(&str, &dyn Fn() -> Conversation, &str); 8] = [
        ("not greeted", &not_greeted, SEQUENCE),
        ("turned away", &turned_away, SEQUENCE),
        ("no transaction", &conversation, SEQUENCE),
        ("no login", &submission, SEQUENCE),
        ("no recipients", &no_recipients, SEQUENCE),
        ("switched off", &switched_off, "502 5.5.1 command not implemented\r\n"),
        ("too big", &small, "552 5.3.4 message too big\r\n"),
        ("no room", &refusing, "451 4.3.0 no room\r\n"),
    ];
    for (name, begin, expected) in ways {
        for marker in ["", " LAST"] {
            let command = format!("BDAT {}{marker}\r\n", body.len());
            let (said, conversation) = every_way(begin, &[command.as_bytes(), body].concat());
            assert_eq!(said, expected, "{name}{marker}");
            assert_eq!(conversation.host.messages.len(), 0, "{name}");
            assert!(!conversation.host.events.iter().any(|event| event == "Data"), "{name}");
            assert!(!conversation.session.is_closed(), "{name}");
        }
        // A line that is wrong behind its size swallows as much, and is told of whatever else is wrong.
        let command = format!("BDAT {} SOON\r\n", body.len());
        let (said, conversation) = every_way(begin, &[command.as_bytes(), body].concat());
        assert!(said.starts_with("50") && said.lines().count() == 1, "{name}: {said}");
        assert_eq!(conversation.host.messages.len(), 0, "{name}");
    }
}

#[test]
fn sec_s8_the_refusal_waits_for_the_octets_and_none_of_them_is_kept() {
    let mut conversation = conversation();
    assert_eq!(conversation.send(b"BDAT 1073741824\r\n"), "");
    assert_eq!(conversation.session.state(), Phase::Discarding);
    let chunk = b"RSET\r\nMAIL FROM:<a@b>\r\n".repeat(3000);
    let mut left = 1 << 30;
    while left > chunk.len() {
        assert_eq!(conversation.send(&chunk), "");
        left -= chunk.len();
    }
    assert_eq!(conversation.most_waiting, 0);
    assert!(conversation.input.capacity() <= 256 * 1024);
    assert_eq!(conversation.send(&chunk[..left - 1]), "");
    assert_eq!(conversation.send(b"xNOOP\r\n"), format!("{SEQUENCE}250 2.0.0 ok\r\n"));
}

#[test]
fn sec_s8_too_many_errors_close_before_the_octets() {
    let mut conversation = conversation();
    let said = conversation.send(&b"BDAT 2 LAST\r\nx\n".repeat(9));
    assert_eq!(said, SEQUENCE.repeat(9));
    assert_eq!(conversation.send(b"BDAT 1000 LAST\r\n"), "421 4.7.0 too many errors, closing connection\r\n");
    assert_eq!(conversation.send(b"NOOP\r\n"), "");
}

#[test]
fn sec_s9_a_stall_in_the_middle_of_a_body_closes_and_what_follows_is_no_command() {
    for begin in
        [&b"DATA\r\nhalf"[..], b"BDAT 100\r\nhalf", b"BDAT 100 LAST\r\nhalf", b"BDAT 4\r\nhalfBDAT 100 LAST\r\n"]
    {
        for timer in [Timer::Idle, Timer::Body] {
            let mut conversation = begun();
            conversation.send(begin);
            assert!(conversation.session.timers().get(timer).is_some(), "{}", begin.escape_ascii());
            conversation.session.handle_timeout(timer, &mut conversation.output);
            let said = conversation.send(b"\r\n.\r\nMAIL FROM:<a@b>\r\n");
            assert_eq!(said, "421 4.4.2 mail.example.org timeout\r\n");
            assert!(conversation.session.is_closed());
            assert_eq!(conversation.host.messages.len(), 0);
            assert!(!conversation.host.events[conversation.host.events.len() - 1].contains("Mail"));
        }
    }
    let mut conversation = conversation();
    conversation.send(b"BDAT 100\r\nhalf");
    conversation.session.handle_timeout(Timer::Body, &mut conversation.output);
    assert_eq!(conversation.send(b"NOOP\r\n"), "421 4.4.2 mail.example.org timeout\r\n", "a refused one too");
}

#[test]
fn sec_s9_a_limit_in_the_middle_of_a_body_is_told_at_its_end_and_never_lets_a_command_in() {
    let begin = || {
        let mut config = support::config(Protocol::Smtp);
        config.limits.message_size = 8;
        let mut conversation = conversation_of(config);
        conversation.send(ENVELOPE);
        conversation
    };
    for octets in [
        &b"DATA\r\n12345678\r\nMAIL FROM:<x@y>\r\n.\r\n"[..],
        b"BDAT 17 LAST\r\nMAIL FROM:<x@y>\r\n",
        // Each of its bare LFs is two octets of the message.
        b"BDAT 8 LAST\r\n1\n2\n3\n4\n",
    ] {
        let (said, conversation) = every_way(begin, octets);
        let said = said.replace("354 start mail input; end with <CRLF>.<CRLF>\r\n", "");
        assert_eq!(said, "552 5.3.4 message too big\r\n", "{}", octets.escape_ascii());
        assert_eq!((conversation.host.messages.len(), conversation.session.state()), (0, Phase::Ready));
    }
    let (said, conversation) = every_way(begin, b"BDAT 4\r\n12\r\nBDAT 4 LAST\r\n34\r\n");
    assert_eq!(said, format!("250 2.0.0 4 octets received\r\n{ACCEPTED}"), "exactly the limit");
    assert_eq!(message(&conversation), b"12\r\n34\r\n");
    let (said, _) = every_way(begin, b"BDAT 4\r\n12\r\nBDAT 5 LAST\r\n345\r\n");
    assert_eq!(said, "250 2.0.0 4 octets received\r\n552 5.3.4 message too big\r\n", "over all chunks");
    let (said, _) = every_way(begin, b"BDAT 4\r\n12\r\nBDAT 18446744073709551615 LAST\r\n345\r\n");
    assert_eq!(said, "250 2.0.0 4 octets received\r\n", "no sum overflows, and nothing is a command again");
}

#[test]
fn sec_t8_an_end_of_input_in_the_middle_of_a_chunk_delivers_nothing() {
    for octets in [&b"BDAT 100 LAST\r\nhalf"[..], b"BDAT 4\r\nhalf", b"BDAT 100 LAST\r\n", b"BDAT 4\r\nhalfBDAT 9 LA"] {
        let mut conversation = begun();
        conversation.send(octets);
        assert_eq!(conversation.session.end_of_input(), Err(Error::Peer(PeerError::InData)));
        assert_eq!(conversation.host.messages.len(), 0);
        conversation.input.extend_from_slice(b"RSET\r\nMAIL FROM:<a@b>\r\n");
        assert!(conversation.session.next_event(&mut conversation.input).unwrap().is_none(), "nothing after the close");
    }
    let mut conversation = conversation();
    conversation.send(b"BDAT 100 LAST\r\nhalf");
    assert_eq!(conversation.session.end_of_input(), Err(Error::Peer(PeerError::InData)));
}

#[test]
fn sec_s3_line_ends_in_chunks_follow_the_rules_of_data() {
    let octets = b"BDAT 4\r\na\nb\rBDAT 5\r\n\nc\r\r\nBDAT 3 LAST\r\n\nd\r";
    let (said, conversation) = every_way(begun, octets);
    let received = |count: usize| format!("250 2.0.0 {count} octets received\r\n");
    assert_eq!(said, format!("{}{}{ACCEPTED}", received(4), received(5)));
    assert_eq!(message(&conversation), b"a\r\nb\r\nc\r\n\r\n\r\nd\r\n");

    let strict = || {
        let mut config = support::config(Protocol::Smtp);
        config.line_ends = LineEndPolicy::Reject;
        let mut conversation = conversation_of(config);
        conversation.send(ENVELOPE);
        conversation
    };
    let (said, conversation) = every_way(strict, b"BDAT 2\r\na\rBDAT 2 LAST\r\n\nb");
    assert_eq!(said, format!("{}{ACCEPTED}", received(2)), "a line end may lie across two chunks");
    assert_eq!(message(&conversation), b"a\r\nb\r\n", "and the last line has one, though none came");
    let refused = "550 5.6.0 message has a bare CR or LF\r\n";
    for (octets, expected) in [
        (&b"BDAT 2\r\na\rBDAT 1 LAST\r\nb"[..], format!("{}{refused}", received(2))),
        (b"BDAT 2\r\na\rBDAT 0 LAST\r\n", format!("{}{refused}", received(2))),
        (b"BDAT 2 LAST\r\na\n", refused.to_owned()),
        (b"BDAT 2\r\na\nBDAT 2 LAST\r\n\r\n", format!("{refused}{SEQUENCE}")),
    ] {
        let (said, conversation) = every_way(strict, octets);
        assert_eq!((said, conversation.host.messages.len()), (expected, 0), "{}", octets.escape_ascii());
    }
    let (said, _) = every_way(begun, b"BDAT 2 LAST\r\na\0");
    assert_eq!(said, "550 5.6.0 message has a NUL\r\n");
}

#[test]
fn binary_octets_pass_as_they_are_and_by_bdat_only() {
    let begin = || {
        let mut conversation = conversation_of(binary());
        conversation.send(b"MAIL FROM:<a@b> BODY=BINARYMIME\r\nRCPT TO:<a@b>\r\n");
        conversation
    };
    let octets = b"DATA\r\nBDAT 8\r\na\0\n\r.\r\n\xffBDAT 2 LAST\r\n\n\r";
    let (said, conversation) = every_way(begin, octets);
    assert_eq!(said, format!("{SEQUENCE}250 2.0.0 8 octets received\r\n{ACCEPTED}"));
    assert_eq!(message(&conversation), b"a\0\n\r.\r\n\xff\n\r");
    // The next message is text again.
    let mut conversation = conversation;
    conversation.send(&[ENVELOPE, b"BDAT 2 LAST\r\na\n"].concat());
    assert_eq!(conversation.host.messages[1].2, b"a\r\n");
}

#[test]
fn binary_mime_is_offered_only_where_it_was_switched_on_and_has_what_it_needs() {
    let offers = |config: Config| {
        let mut conversation = Conversation::new(config, Host::new(&["<a@b>"]));
        conversation.said();
        let said = conversation.send(b"EHLO c\r\n");
        let taken = conversation.send(b"MAIL FROM:<a@b> BODY=BINARYMIME\r\n").starts_with("250 ");
        assert_eq!(said.contains("BINARYMIME"), taken, "{said}");
        (said.contains("CHUNKING"), taken)
    };
    assert_eq!(offers(support::config(Protocol::Smtp)), (true, false));
    assert_eq!(offers(binary()), (true, true));
    let mut config = binary();
    config.dialect.extensions.chunking = false;
    assert_eq!(offers(config), (false, false));
    let mut config = binary();
    config.dialect.extensions.eight_bit_mime = false;
    assert_eq!(offers(config), (true, false));
}

#[test]
fn lmtp_replies_to_the_last_chunk_once_for_each_recipient() {
    let lmtp = || {
        let mut conversation = conversation_of(support::config(Protocol::Lmtp));
        conversation.host.over_quota = vec!["<c@d>".into()];
        conversation.send(b"MAIL FROM:<a@b>\r\nRCPT TO:<a@b>\r\nRCPT TO:<c@d>\r\n");
        conversation
    };
    let (said, _) = every_way(lmtp, b"BDAT 3\r\na\r\nBDAT 0 LAST\r\n");
    assert_eq!(said, format!("250 2.0.0 3 octets received\r\n{ACCEPTED}452 4.2.2 over quota\r\n"));
    let nul = "550 5.6.0 message has a NUL\r\n";
    let (said, _) = every_way(lmtp, b"BDAT 1 LAST\r\n\0NOOP\r\n");
    assert_eq!(said, format!("{nul}{nul}250 2.0.0 ok\r\n"), "a refusal too");
    let (said, _) = every_way(lmtp, b"BDAT 1\r\n\0BDAT 1\r\nxBDAT 1 LAST\r\nxNOOP\r\n");
    assert_eq!(said, format!("{nul}{SEQUENCE}{SEQUENCE}{SEQUENCE}250 2.0.0 ok\r\n"), "one for each chunk before it");
    let none = || {
        let mut conversation = conversation_of(support::config(Protocol::Lmtp));
        conversation.send(b"MAIL FROM:<a@b>\r\nRCPT TO:<x@b>\r\n");
        conversation
    };
    let (said, conversation) = every_way(none, b"BDAT 6 LAST\r\nRSET\r\nNOOP\r\n");
    assert_eq!(said, "250 2.0.0 ok\r\n", "RFC 2033 §4.3: zero replies");
    assert_eq!(conversation.session.state(), Phase::Ready);
    let mut conversation = none();
    conversation.send(b"RSET\r\n");
    assert_eq!(conversation.send(b"BDAT 0 LAST\r\n"), SEQUENCE, "but there is no message that it could be of");
}

#[test]
fn a_host_may_refuse_a_message_at_its_beginning_or_at_a_chunk() {
    let refusing = || {
        let mut conversation = begun();
        conversation.host.refuse_data = Some(reply("452 4.3.1 no room"));
        conversation
    };
    let (said, conversation) = every_way(refusing, b"BDAT 3\r\na\r\nBDAT 3 LAST\r\nb\r\n");
    assert_eq!(said, format!("452 4.3.1 no room\r\n{SEQUENCE}"));
    assert!(conversation.host.events.iter().any(|event| event.starts_with("Rejected") && event.contains("452")));
    let at_chunk = || {
        let mut conversation = begun();
        conversation.host.refuse_chunk = Some((2, reply("452 4.3.1 no more room")));
        conversation
    };
    let (said, conversation) = every_way(at_chunk, b"BDAT 1\r\naBDAT 1\r\nbBDAT 1\r\ncBDAT 1 LAST\r\nd");
    assert_eq!(said, format!("250 2.0.0 1 octets received\r\n452 4.3.1 no more room\r\n{SEQUENCE}{SEQUENCE}"));
    assert_eq!(conversation.host.messages.len(), 0);
    let closing = || {
        let mut conversation = begun();
        conversation.host.refuse_data = Some(reply("421 4.3.2 going down"));
        conversation
    };
    let (said, conversation) = every_way(closing, b"BDAT 6 LAST\r\nRSET\r\n");
    assert_eq!(said, "421 4.3.2 going down\r\n");
    assert!(conversation.session.is_closed());
}

#[test]
fn the_host_is_told_that_a_message_comes_in_chunks() {
    for (octets, is_chunked) in [(&b"BDAT 1 LAST\r\nx"[..], true), (b"DATA\r\n", false)] {
        let mut conversation = begun();
        conversation.input.extend_from_slice(octets);
        let event = conversation.session.next_event(&mut conversation.input).unwrap().unwrap();
        assert!(matches!(event, Event::DataBegin(begin) if begin.is_chunked == is_chunked), "{event:?}");
        conversation.session.answer(event.default_answer(), &mut conversation.output).unwrap();
        assert_eq!(conversation.said().is_empty(), is_chunked, "yes to BDAT is said by nothing");
    }
}

#[test]
fn sec_c6_a_shutdown_waits_for_a_chunk_and_not_for_the_next() {
    let mut conversation = begun();
    conversation.send(b"BDAT 4\r\nha");
    assert!(!conversation.session.shut_down(&mut conversation.output));
    conversation.send(b"lf");
    assert!(conversation.session.shut_down(&mut conversation.output));
    assert!(conversation.said().starts_with("421 4.3.2 "));
    let mut conversation = self::conversation();
    conversation.send(b"BDAT 4\r\nha");
    assert!(!conversation.session.shut_down(&mut conversation.output), "nor is a refused one left in its middle");
}

#[test]
fn sec_c2_the_body_timer_runs_over_all_chunks_and_begins_anew_with_each_block() {
    let mut conversation = begun();
    conversation.send(b"BDAT 65535\r\n");
    let body = |conversation: &Conversation| conversation.session.timers().get(Timer::Body);
    let first = body(&conversation).unwrap();
    conversation.send(&[b'x'; 65535]);
    assert_eq!(body(&conversation), Some(first), "between two chunks too");
    conversation.send(b"BDAT 65536\r\n");
    assert_eq!(body(&conversation), Some(first));
    conversation.send(b"x");
    assert_ne!(body(&conversation), Some(first));
    conversation.send(&[b'x'; 65535]);
    conversation.send(b"RSET\r\n");
    assert_eq!(body(&conversation), None);
    conversation.send(ENVELOPE);
    conversation.send(b"BDAT 10\r\n");
    assert_ne!(body(&conversation), Some(first), "the next message has its own");
    // What is swallowed is waited for no longer.
    let mut conversation = self::conversation();
    conversation.send(b"BDAT 1000000\r\n");
    let (idle, first) = (conversation.session.timers().get(Timer::Idle), body(&conversation).unwrap());
    conversation.send(b"x");
    assert_ne!(conversation.session.timers().get(Timer::Idle), idle, "a peer that sends is not idle");
    assert_eq!(body(&conversation), Some(first));
    conversation.send(&[b'x'; 65536]);
    assert_ne!(body(&conversation), Some(first));
}

proptest! {
    #[test]
    fn chunks_give_what_data_gives_however_message_and_input_are_cut(
        body in prop::collection::vec(prop::sample::select(b"xx..\r\r\n\n\0".to_vec()), 0..50),
        sizes in prop::collection::vec(0usize..9, 0..6),
        reads in prop::collection::vec(1usize..20, 1..6),
        reject: bool,
    ) {
        let begin = || {
            let mut config = support::config(Protocol::Smtp);
            config.line_ends = if reject { LineEndPolicy::Reject } else { LineEndPolicy::Normalize };
            let mut conversation = conversation_of(config);
            conversation.send(ENVELOPE);
            conversation
        };
        // DATA cannot say that the last line has no end, and a CR before it would not be alone.
        let body = [&body[..], b"\r\n"].concat();
        let (mut stuffed, mut line_start) = (Vec::new(), true);
        for (at, &octet) in body.iter().enumerate() {
            if line_start && octet == b'.' {
                stuffed.push(b'.');
            }
            line_start = body[..=at].ends_with(b"\r\n");
            stuffed.push(octet);
        }
        let mut by_data = begin();
        by_data.send(&[b"DATA\r\n", &stuffed[..], b".\r\n"].concat());

        let (mut wire, mut rest) = (Vec::new(), &body[..]);
        for size in sizes {
            let (chunk, behind) = rest.split_at(size.min(rest.len()));
            wire.extend_from_slice(&[format!("BDAT {}\r\n", chunk.len()).as_bytes(), chunk].concat());
            rest = behind;
        }
        wire.extend_from_slice(&[format!("BDAT {} LAST\r\n", rest.len()).as_bytes(), rest, b"NOOP\r\n"].concat());
        let mut whole = begin();
        let said = whole.send(&wire);
        prop_assert!(said.ends_with("250 2.0.0 ok\r\n"), "in step: {}", said);
        prop_assert_eq!(&whole.host.messages, &by_data.host.messages);

        let (mut cut, mut parts, mut rest, mut reads) = (begin(), String::new(), &wire[..], reads.iter().cycle());
        while !rest.is_empty() {
            let (part, behind) = rest.split_at((*reads.next().unwrap()).min(rest.len()));
            parts += &cut.send(part);
            rest = behind;
        }
        prop_assert_eq!(parts, said);
        prop_assert_eq!(&cut.host.messages, &whole.host.messages);
        prop_assert_eq!(&cut.host.events, &whole.host.events);
        prop_assert!(cut.most_waiting <= 600);
    }
}
