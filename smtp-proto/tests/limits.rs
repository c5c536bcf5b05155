//! Attack rows M1 to M4, M16 to M18 and C5: what a peer can make a session hold, count and answer.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests say what they expect")]

mod support;

use std::sync::Arc;

use bytes::BytesMut;
use mail_wire::machine::Timer;
use smtp_proto::Reply;
use smtp_proto::grammar::EnhancedStatusCode as Status;
use smtp_proto::session::{Event, Phase, Protocol, ServerSession, Trust};
use support::{Conversation, Host};

#[test]
fn sec_m1_a_line_without_end_is_not_kept() {
    for start in [&b""[..], b"NOOP ", b"AUTH PLAIN ", b"auth "] {
        let mut conversation = Conversation::new(support::config_with_auth(Protocol::Smtp), Host::new(&[]));
        conversation.hello();
        conversation.send(start);
        let chunk = vec![b'x'; 16 * 1024];
        for _ in 0..(1 << 30) / chunk.len() {
            assert_eq!(conversation.send(&chunk), "");
            assert!(conversation.input.capacity() <= 64 * 1024);
        }
        assert!(conversation.most_waiting <= 12_288 + 28, "{}", conversation.most_waiting);
        assert_eq!(conversation.send(b"\r\nNOOP\r\n"), "500 5.5.2 line too long\r\n250 2.0.0 ok\r\n");
    }
}

#[test]
fn sec_m1_the_ceiling_of_a_command_is_512_octets_and_what_the_extensions_add() {
    let noop = |octets: usize| format!("NOOP {}\r\n", "x".repeat(octets - 7)).into_bytes();
    for (plain, limit) in [(true, 512), (false, 512 + 26 + 17 + 10 + 11)] {
        let mut config = support::config(Protocol::Smtp);
        if plain {
            config.dialect.extensions.size = false;
            config.dialect.extensions.eight_bit_mime = false;
            config.dialect.extensions.smtp_utf8 = false;
            config.dialect.extensions.require_tls = false;
        }
        let mut conversation = Conversation::new(config, Host::new(&[]));
        conversation.said();
        assert!(conversation.send(&noop(limit)).starts_with("250 "));
        assert!(conversation.send(&noop(limit + 1)).starts_with("500 "));
        assert!(conversation.send_slowly(&noop(limit)).starts_with("250 "));
        assert!(conversation.send_slowly(&noop(limit + 1)).starts_with("500 "));
    }
}

#[test]
fn sec_m2_one_line_of_a_gibibyte_is_refused_at_its_end_with_flat_memory() {
    let mut config = support::config(Protocol::Smtp);
    config.limits.message_size = 1024 * 1024;
    let mut conversation = Conversation::new(config, Host::new(&["<a@b>"]));
    conversation.begin_data("<a@b>");
    let chunk = vec![b'x'; 64 * 1024];
    for _ in 0..(1 << 30) / chunk.len() {
        assert_eq!(conversation.send(&chunk), "");
    }
    assert!(conversation.most_waiting <= 2);
    assert_eq!(conversation.send(b"\r\n.\r\nNOOP\r\n"), "552 5.3.4 message too big\r\n250 2.0.0 ok\r\n");
    assert_eq!(conversation.host.messages.len(), 0);
    assert!(conversation.host.events.iter().any(|event| event.contains("552")), "the host hears that it is gone");
}

#[test]
fn sec_m2_a_message_of_exactly_the_limit_passes() {
    for (size, passes) in [(1000, true), (1001, false)] {
        let mut config = support::config(Protocol::Smtp);
        config.limits.message_size = 1000;
        let mut conversation = Conversation::new(config, Host::new(&["<a@b>"]));
        conversation.begin_data("<a@b>");
        let body = format!("{}\r\n.\r\n", "x".repeat(size - 2));
        let said = conversation.send_slowly(body.as_bytes());
        assert_eq!(said.starts_with("250 "), passes, "{size}: {said}");
    }
}

#[test]
fn sec_m3_recipients_of_a_message_are_limited_by_default() {
    let mut conversation = Conversation::new(support::config(Protocol::Smtp), Host::new(&["<a@b>"]));
    conversation.hello();
    conversation.send(b"MAIL FROM:<a@b>\r\n");
    for _ in 0..1000 {
        assert!(conversation.send(b"RCPT TO:<a@b>\r\n").starts_with("250 "));
    }
    assert_eq!(conversation.send(b"RCPT TO:<a@b>\r\n"), "452 4.5.3 too many recipients\r\n");
    assert!(
        conversation.send(b"DATA\r\nx\r\n.\r\n").ends_with("250 2.0.0 message accepted\r\n"),
        "RFC 5321 §4.5.3.1.10"
    );
}

#[test]
fn sec_m3_messages_of_a_stranger_are_limited_by_default_and_others_are_not() {
    let message = b"MAIL FROM:<a@b>\r\nRCPT TO:<a@b>\r\nDATA\r\nx\r\n.\r\n";
    let mut conversation = Conversation::new(support::config(Protocol::Smtp), Host::new(&["<a@b>"]));
    conversation.hello();
    for _ in 0..100 {
        assert!(conversation.send(message).ends_with("accepted\r\n"));
    }
    assert!(conversation.send(b"MAIL FROM:<a@b>\r\n").starts_with("421 4.7.0 "));
    assert!(conversation.session.is_closed());

    for protocol in [Protocol::Lmtp, Protocol::Submission] {
        let mut conversation = Conversation::new(support::config_with_auth(protocol), Host::new(&["<a@b>"]));
        conversation.hello();
        conversation.send(b"AUTH PLAIN AHRpbQB0YW5zdGFhZnRhbnN0YWFm\r\n");
        for _ in 0..150 {
            assert!(conversation.send(message).ends_with("accepted\r\n"));
        }
    }
}

#[test]
fn sec_m3_a_message_larger_than_25_mib_is_refused_by_default() {
    let mut conversation = Conversation::new(support::config(Protocol::Smtp), Host::new(&["<a@b>"]));
    conversation.hello();
    let said = conversation.send(b"MAIL FROM:<a@b> SIZE=26214401\r\nMAIL FROM:<a@b> SIZE=26214400\r\n");
    assert_eq!(said, "552 5.3.4 message too big\r\n250 2.1.0 sender ok\r\n");
}

#[test]
fn sec_m4_a_size_that_lies_is_found_out() {
    let mut config = support::config(Protocol::Smtp);
    config.limits.message_size = 100;
    let mut conversation = Conversation::new(config, Host::new(&["<a@b>"]));
    conversation.hello();
    for size in ["18446744073709551616", "-1", "99999999999999999999", "+5", "0x5", ""] {
        let said = conversation.send(format!("MAIL FROM:<a@b> SIZE={size}\r\n").as_bytes());
        assert!(said.starts_with("501 5.5.4 "), "{size}: {said}");
    }
    assert!(conversation.send(b"MAIL FROM:<a@b> SIZE=18446744073709551615\r\n").starts_with("552 5.3.4 "));
    conversation.send(b"MAIL FROM:<a@b> SIZE=1\r\nRCPT TO:<a@b>\r\nDATA\r\n");
    let said = conversation.send(format!("{}\r\n.\r\n", "x".repeat(200)).as_bytes());
    assert!(said.starts_with("552 5.3.4 "), "{said}");
}

#[test]
fn sec_m16_a_response_that_is_huge_or_no_base64_ends_its_exchange_and_nothing_else() {
    let conversation = || {
        let mut conversation = Conversation::new(support::config_with_auth(Protocol::Smtp), Host::new(&[]));
        conversation.hello();
        conversation
    };
    let (mut one, mut other) = (conversation(), conversation());
    assert_eq!(other.send(b"AUTH PLAIN\r\n"), "334 \r\n");
    one.send(b"AUTH PLAIN\r\n");
    let said = one.send(&[&vec![b'A'; 1024 * 1024][..], b"\r\n"].concat());
    assert!(said.starts_with("500 5.5.6 "), "{said}");
    for bad in ["AHRpbQB0YW5zdGFhZnRhbnN0YWFm=", "AHRpbQ=", "A", " AHRpbQB0YW5zdGFhZnRhbnN0YWFm", "AHRp bQ==", "ä", ""]
    {
        one.send(b"AUTH PLAIN\r\n");
        let said = one.send(format!("{bad}\r\n").as_bytes());
        assert!(said.starts_with("501 "), "{bad}: {said}");
    }
    let huge = format!("AUTH PLAIN {}\r\n", "A".repeat(1024 * 1024));
    assert!(one.send(huge.as_bytes()).starts_with("500 "));
    assert!(one.most_waiting <= 12_288 + 28);
    assert!(other.send(b"AHRpbQB0YW5zdGFhZnRhbnN0YWFm\r\n").starts_with("235 "), "the other session is untouched");
}

#[test]
fn sec_m16_a_response_of_the_whole_length_is_taken() {
    let mut conversation = Conversation::new(support::config_with_auth(Protocol::Smtp), Host::new(&[]));
    conversation.hello();
    // Well-formed base64 of 12,288 octets, too long for any name: refused by what is in it and not by its length.
    let response = "QUFB".repeat(3072);
    for octets in [format!("AUTH PLAIN {response}\r\n"), format!("AUTH PLAIN\r\n{response}\r\n")] {
        let said = conversation.send_slowly(octets.as_bytes());
        assert!(said.ends_with("501 5.5.2 cannot decode response\r\n"), "{said}");
    }
    let said = conversation.send(format!("AUTH PLAIN {response}QUFB\r\n").as_bytes());
    assert!(said.starts_with("500 "), "{said}");
}

#[test]
fn sec_m17_a_hundred_thousand_aborted_logins_leave_nothing_behind() {
    let mut config = support::config_with_auth(Protocol::Smtp);
    config.limits.errors = usize::MAX;
    let mut conversation = Conversation::new(config, Host::new(&[]));
    conversation.hello();
    let size = format!("{:?}", conversation.session).len();
    for _ in 0..100_000 {
        assert_eq!(conversation.send(b"AUTH PLAIN\r\n*\r\n"), "334 \r\n501 5.7.0 authentication aborted\r\n");
        conversation.host.events.clear();
    }
    assert_eq!(conversation.session.state(), Phase::Ready);
    assert!(format!("{:?}", conversation.session).len() <= size + 32, "nothing but counts has grown");
}

#[test]
fn sec_m17_aborted_logins_are_errors_and_the_tenth_closes() {
    let mut conversation = Conversation::new(support::config_with_auth(Protocol::Smtp), Host::new(&[]));
    conversation.hello();
    let said = conversation.send(&b"AUTH PLAIN\r\n*\r\n".repeat(11));
    assert!(said.ends_with("421 4.7.0 too many errors, closing connection\r\n") && conversation.session.is_closed());
}

/// Puts a session into each of its states.
fn every_state() -> Vec<Conversation> {
    let mut conversations = Vec::new();
    for octets in [
        &b""[..],
        b"EHLO c\r\n",
        b"HELO c\r\n",
        b"EHLO c\r\nMAIL FROM:<a@b>\r\n",
        b"EHLO c\r\nMAIL FROM:<a@b> SMTPUTF8\r\n",
        b"EHLO c\r\nMAIL FROM:<a@b>\r\nRCPT TO:<a@b>\r\n",
        b"EHLO c\r\nMAIL FROM:<a@b>\r\nRCPT TO:<a@b>\r\nDATA\r\n",
        b"EHLO c\r\nMAIL FROM:<a@b>\r\nRCPT TO:<a@b>\r\nBDAT 1\r\n\r",
        b"EHLO c\r\nMAIL FROM:<a@b>\r\nRCPT TO:<a@b>\r\nBDAT 100\r\n",
        b"EHLO c\r\nMAIL FROM:<a@b>\r\nRCPT TO:<a@b>\r\nBDAT 100 LAST\r\nx",
        b"EHLO c\r\nMAIL FROM:<a@b>\r\nRCPT TO:<a@b>\r\nBDAT 1\r\n\0",
        b"EHLO c\r\nBDAT 100\r\n",
        b"EHLO c\r\nXCLIENT LOGIN=tim\r\n",
        b"EHLO c\r\nXFORWARD ADDR=192.0.2.1\r\n",
        b"EHLO c\r\nAUTH PLAIN\r\n",
        b"EHLO c\r\nAUTH LOGIN\r\ndGlt\r\n",
        b"EHLO c\r\nAUTH SCRAM-SHA-256\r\n",
        b"EHLO c\r\nSTARTTLS\r\n",
        b"QUIT\r\n",
    ] {
        for protocol in [Protocol::Smtp, Protocol::Lmtp] {
            let mut config = support::config_with_auth(protocol);
            config.starttls = true;
            config.limits.errors = usize::MAX;
            config.limits.unknown_commands = usize::MAX;
            let mut host = Host::new(&["<a@b>"]);
            host.trust = Trust::none().with_xclient().with_xforward().with_login();
            let mut conversation = Conversation::new(config, host);
            let octets = String::from_utf8_lossy(octets);
            let octets = if protocol == Protocol::Lmtp { octets.replace("EHLO", "LHLO") } else { octets.into_owned() };
            conversation.send(octets.as_bytes());
            conversations.push(conversation);
        }
    }
    conversations
}

#[test]
fn sec_m18_odd_addresses_panic_in_no_state() {
    let odd = [
        &b"RCPT TO:<\"\"@d>\r\n"[..],
        b"RCPT TO:<\"\\\"@d>\r\n",
        b"RCPT TO:<\xe2\x82@d>\r\n",
        b"RCPT TO:<a@\xc3>\r\n",
        b"RCPT TO:<\"\xf0\x9f\"@d>\r\n",
        b"MAIL FROM:<@:@>\r\n",
        b"MAIL FROM:<@a,@b,@c:d@[IPv6:]>\r\n",
        b"MAIL FROM:<a@[\xff]>\r\n",
        b"AUTH \r\n",
        b"AUTH PLAIN =\r\n",
        b"AUTH PLAIN\r\n*\r\n",
        b"*\r\n",
        b"\r\n",
        b".\r\n",
        b"\xff\xfe\r\n",
    ];
    for octets in odd {
        for mut conversation in every_state() {
            conversation.send_slowly(octets);
            conversation.send(octets);
        }
    }
}

#[test]
fn sec_m18_an_empty_local_part_is_an_address_like_another() {
    let mut conversation = Conversation::new(support::config(Protocol::Smtp), Host::new(&["<a@b>"]));
    conversation.hello();
    conversation.send(b"MAIL FROM:<a@b>\r\n");
    assert_eq!(conversation.send(b"RCPT TO:<\"\"@d>\r\n"), "550 5.1.1 no such user here\r\n");
}

proptest::proptest! {
    #[test]
    fn sec_m18_random_octets_panic_in_no_state(octets in proptest::collection::vec(proptest::prelude::any::<u8>(), 0..80)) {
        for mut conversation in every_state() {
            conversation.send(&octets);
            conversation.send(b"\r\n");
            conversation.send_slowly(&octets);
        }
    }
}

#[test]
fn sec_c5_refused_recipients_have_a_limit_of_their_own() {
    let mut conversation = Conversation::new(support::config(Protocol::Smtp), Host::new(&["<a@b>"]));
    conversation.hello();
    conversation.send(b"MAIL FROM:<a@b>\r\n");
    for _ in 0..100 {
        assert!(conversation.send(b"RCPT TO:<x@b>\r\n").starts_with("550 "));
    }
    assert!(conversation.send(b"RCPT TO:<x@b>\r\n").starts_with("421 4.7.0 "));
    assert!(conversation.session.is_closed());
}

#[test]
fn sec_c5_a_recipient_that_may_come_again_is_nobodys_guess() {
    let mut session = ServerSession::new(Arc::new(support::config(Protocol::Smtp)));
    let (mut input, mut output) = (BytesMut::new(), BytesMut::new());
    input.extend_from_slice(b"EHLO c\r\nMAIL FROM:<a@b>\r\n");
    input.extend_from_slice(&b"RCPT TO:<a@b>\r\n".repeat(200));
    while let Some(event) = session.next_event(&mut input).unwrap() {
        let greylisted = Reply::of(450, Status::transient(7, 1), "come again");
        let answer = if let Event::Rcpt(rcpt) = &event { rcpt.refuse(greylisted) } else { event.default_answer() };
        session.answer(answer, &mut output).unwrap();
    }
    assert!(!session.is_closed());
}

#[test]
fn sec_c1_commands_that_bring_no_message_do_not_hold_a_connection_for_ever() {
    for command in ["NOOP", "RSET", "HELP", "VRFY a", "EXPN a", "EHLO c"] {
        let mut conversation = Conversation::new(support::config(Protocol::Smtp), Host::new(&["<a@b>"]));
        conversation.hello();
        for number in 2..=100 {
            let said = conversation.send(format!("{command}\r\n").as_bytes());
            assert!(!said.starts_with("421 "), "{command} {number}: {said}");
        }
        assert!(conversation.send(format!("{command}\r\n").as_bytes()).starts_with("421 4.7.0 "), "{command}");
        assert!(conversation.session.is_closed());
    }
    for protocol in [Protocol::Smtp, Protocol::Lmtp] {
        let mut conversation = Conversation::new(support::config(protocol), Host::new(&["<a@b>"]));
        conversation.send(if protocol == Protocol::Lmtp { b"LHLO c\r\n" } else { b"EHLO c\r\n" });
        for _ in 0..4 {
            conversation.send(&b"NOOP\r\n".repeat(50));
            let said = conversation.send(b"RSET\r\nMAIL FROM:<a@b>\r\nRCPT TO:<a@b>\r\nDATA\r\nx\r\n.\r\n");
            assert!(said.ends_with("250 2.0.0 message accepted\r\n"), "{said}");
        }
    }
}

#[test]
fn what_is_pipelined_behind_a_refusal_is_no_error_of_the_peers() {
    let mut conversation = Conversation::new(support::config(Protocol::Smtp), Host::new(&["<a@b>"]));
    conversation.hello();
    for _ in 0..10 {
        conversation.send(b"MAIL FROM:<a@b> SIZE=99999999\r\nRCPT TO:<a@b>\r\nRCPT TO:<a@b>\r\nDATA\r\n");
        conversation.send(b"MAIL FROM:<a@b>\r\nRCPT TO:<x@b>\r\nDATA\r\nRSET\r\n");
    }
    assert!(!conversation.session.is_closed());
    for _ in 0..9 {
        assert!(conversation.send(b"DATA\r\n").starts_with("503 "));
    }
    assert!(conversation.send(b"DATA\r\n").starts_with("421 "));
}

#[test]
fn timers_run_while_the_peer_is_waited_for_and_a_timeout_says_421() {
    let mut conversation = Conversation::new(support::config(Protocol::Submission), Host::new(&["<a@b>"]));
    let timers = |conversation: &Conversation| -> Vec<Timer> {
        conversation.session.timers().iter().map(|running| running.timer).collect()
    };
    assert_eq!(timers(&conversation), [Timer::Idle, Timer::Login]);
    let before = conversation.session.timers();
    conversation.send(b"NO");
    assert_eq!(timers(&conversation), [Timer::Idle, Timer::Line, Timer::Login]);
    conversation.send(b"O");
    assert_eq!(conversation.session.timers().get(Timer::Idle), before.get(Timer::Idle), "an octet restarts no clock");
    conversation.send(b"P\r\n");
    assert_eq!(timers(&conversation), [Timer::Idle, Timer::Login]);
    assert_ne!(conversation.session.timers().get(Timer::Idle), before.get(Timer::Idle));
    conversation.said();
    conversation.session.handle_timeout(Timer::Idle, &mut conversation.output);
    assert_eq!(conversation.said(), "421 4.4.2 mail.example.org timeout\r\n");
    assert!(conversation.session.is_closed());
    assert_eq!(timers(&conversation), []);

    let mut conversation = Conversation::new(support::config(Protocol::Smtp), Host::new(&["<a@b>"]));
    conversation.begin_data("<a@b>");
    assert_eq!(timers(&conversation), [Timer::Idle, Timer::Body]);
    let body = conversation.session.timers().get(Timer::Body);
    conversation.send(b"slowly");
    assert_eq!(conversation.session.timers().get(Timer::Body), body);
    conversation.send(&[b'x'; 64 * 1024]);
    assert_ne!(conversation.session.timers().get(Timer::Body), body);
    conversation.session.handle_timeout(Timer::Body, &mut conversation.output);
    assert_eq!(conversation.send(b"\r\n.\r\nMAIL FROM:<a@b>\r\n"), "421 4.4.2 mail.example.org timeout\r\n");
}
