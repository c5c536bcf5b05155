//! Attack rows S1 to S4 and S6: a message ends in exactly one way, and nothing in it becomes a command.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests say what they expect")]

mod support;

use mail_wire::dot::LineEndPolicy;
use proptest::prelude::*;
use smtp_proto::session::{Phase, Protocol};
use support::{Conversation, Host};

const SMUGGLED: &[u8] = b"MAIL FROM:<admin@b>\r\nRCPT TO:<a@b>\r\nDATA\r\nspoofed\r\n.\r\n";

fn conversation(policy: LineEndPolicy) -> Conversation {
    let mut config = support::config(Protocol::Smtp);
    config.line_ends = policy;
    let mut conversation = Conversation::new(config, Host::new(&["<a@b>"]));
    conversation.begin_data("<a@b>");
    conversation
}

/// What was said and what was stored, for each way of cutting the octets.
fn every_way(policy: LineEndPolicy, octets: &[u8]) -> (String, Vec<Vec<u8>>) {
    let outcome = |cuts: &[&[u8]]| {
        let mut conversation = conversation(policy);
        let said: String = cuts.iter().map(|cut| conversation.send(cut)).collect();
        (said, conversation.host.messages.into_iter().map(|(_, _, octets)| octets).collect::<Vec<_>>())
    };
    let whole = outcome(&[octets]);
    for cut in 0..=octets.len() {
        assert_eq!(outcome(&[&octets[..cut], &octets[cut..]]), whole, "cut at {cut}");
    }
    assert_eq!(outcome(&octets.chunks(1).collect::<Vec<_>>()), whole, "octet by octet");
    whole
}

#[test]
fn sec_s1_only_the_end_of_data_ends_data() {
    for end in [&b"x\r\n.\r\n"[..], b".\r\n", b"x\r\r\n.\r\n"] {
        let (said, stored) = every_way(LineEndPolicy::Normalize, &[end, SMUGGLED].concat());
        assert_eq!(stored.len(), 2, "{}: what follows a true end is the next message", end.escape_ascii());
        assert_eq!(said.matches("250 2.0.0 message accepted").count(), 2);
    }
    for lookalike in [
        &b"x\n.\n"[..],
        b"x\n.\r\n",
        b"x\r\n.\n",
        b"x\r.\r",
        b"x\r.\r\n",
        b"x\r.\n",
        b"x\n.\r",
        b"x\r\n.\r",
        b"x\r\n.\r\r\n",
        b"x\r\n.\0\r\n",
        b"x\r\n\0.\r\n",
    ] {
        for policy in [LineEndPolicy::Normalize, LineEndPolicy::Reject] {
            let octets = [lookalike, SMUGGLED, b"QUIT\r\n"].concat();
            let (said, stored) = every_way(policy, &octets);
            let name = lookalike.escape_ascii();
            let refused = policy == LineEndPolicy::Reject || lookalike.contains(&0);
            assert_eq!(stored.len(), usize::from(!refused), "{name}: one message and no second");
            assert!(said.ends_with("221 2.0.0 mail.example.org closing connection\r\n"), "{name}: in step after it");
            assert_eq!(said.lines().count(), 2, "{name}: one reply for the message, one for QUIT: {said}");
        }
    }
}

#[test]
fn sec_s2_a_row_of_crs_starts_the_matching_again() {
    for count in 0..=5 {
        let crs = vec![b'\r'; count];
        let (_, stored) = every_way(LineEndPolicy::Normalize, &[b"x", &crs[..], b"\r\n.\r\n"].concat());
        assert_eq!(stored.len(), 1, "CR x {count} CRLF . CRLF");
    }
    for count in 1..=5 {
        let crs = vec![b'\r'; count];
        let (_, stored) = every_way(LineEndPolicy::Normalize, &[b"x\r\n.", &crs[..], b"\r\n"].concat());
        assert_eq!(stored.len(), 0, "CRLF . CR x {count} CRLF");
    }
}

#[test]
fn sec_s3_what_stands_alone_is_made_a_line_end_or_refused_and_a_nul_always_is() {
    let body = b"a\nb\rc\r\n.\r\n";
    let (said, stored) = every_way(LineEndPolicy::Normalize, body);
    assert_eq!((said.as_str(), &stored[..]), ("250 2.0.0 message accepted\r\n", &[b"a\r\nb\r\nc\r\n".to_vec()][..]));
    let (said, stored) = every_way(LineEndPolicy::Reject, body);
    assert_eq!((said.as_str(), stored.len()), ("550 5.6.0 message has a bare CR or LF\r\n", 0));
    for policy in [LineEndPolicy::Normalize, LineEndPolicy::Reject] {
        let (said, stored) = every_way(policy, b"a\0b\r\n.\r\n");
        assert_eq!((said.as_str(), stored.len()), ("550 5.6.0 message has a NUL\r\n", 0));
    }
}

#[test]
fn sec_s3_a_refused_message_leaves_the_conversation_in_step() {
    let mut conversation = conversation(LineEndPolicy::Reject);
    let said = conversation.send(b"a\nb\r\n.\r\nMAIL FROM:<c@d>\r\nRCPT TO:<a@b>\r\nDATA\r\nok\r\n.\r\n");
    assert!(said.ends_with("250 2.0.0 message accepted\r\n"), "{said}");
    assert_eq!(conversation.host.messages.len(), 1);
    assert_eq!(conversation.host.messages[0].0, "<c@d>");
}

#[test]
fn sec_s4_commands_end_with_crlf_and_hold_no_line_ends() {
    for (octets, text) in [
        (&b"NOOP\nRSET\r\n"[..], "bare LF, lines end with CRLF"),
        (b"EHLO a\0b\r\n", "illegal octet in a command"),
        (b"NOOP\rRSET\r\n", "illegal octet in a command"),
        (b"NOOP\r\r\n", "illegal octet in a command"),
    ] {
        for slowly in [false, true] {
            let mut conversation = Conversation::new(support::config(Protocol::Smtp), Host::new(&[]));
            conversation.said();
            let said = if slowly { conversation.send_slowly(octets) } else { conversation.send(octets) };
            assert_eq!(said, format!("500 5.5.2 {text}\r\n"));
            assert_eq!(conversation.host.events.len(), 2, "greeting and rejection: {:?}", conversation.host.events);
        }
    }
    // It counts as an error: the tenth closes.
    let mut conversation = Conversation::new(support::config(Protocol::Smtp), Host::new(&[]));
    let said = conversation.send(&b"NOOP\n\r\n".repeat(10));
    assert!(said.ends_with("421 4.7.0 too many errors, closing connection\r\n"));
    assert_eq!(conversation.session.state(), Phase::Closed);
}

proptest! {
    #[test]
    fn sec_s6_one_dot_goes_from_the_start_of_every_line(lines in prop::collection::vec("[x.]{0,4}", 0..8)) {
        let sent: String = lines.iter().map(|line| format!("{}{line}\r\n", if line.starts_with('.') { "." } else { "" }))
            .collect();
        let message: String = lines.iter().map(|line| format!("{line}\r\n")).collect();
        let mut conversation = conversation(LineEndPolicy::Normalize);
        conversation.send(format!("{sent}.\r\n").as_bytes());
        prop_assert_eq!(&conversation.host.messages[0].2, message.as_bytes());
    }
}

#[test]
fn sec_s6_a_dot_before_anything_else_goes_too() {
    let mut conversation = conversation(LineEndPolicy::Normalize);
    conversation.send(b".x\r\n..\r\n...\r\n.\r\n");
    assert_eq!(conversation.host.messages[0].2, b"x\r\n.\r\n..\r\n");
}
