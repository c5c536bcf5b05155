//! Whatever comes, however it is cut.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "it is a test")]

mod host;

use std::sync::Arc;

use bytes::{Bytes, BytesMut};
use host::{Conversation, Host, insecure, mrose, secure};
use mail_wire::{AccountId, CredentialAnswer};
use pop3_proto::command::Command;
use pop3_proto::grammar::MessageNumber;
use pop3_proto::response::{DropListing, Response, ScanListing};
use pop3_proto::{Answer, Event, Maildrop, Refusal, ResponseCode, ServerSession};
use proptest::prelude::*;

/// Octets that lead far: commands in full, halves of them, and noise.
fn octets() -> impl Strategy<Value = Vec<u8>> {
    let whole = prop::sample::select(
        [
            "USER mrose\r\n",
            "PASS secret\r\n",
            "AUTH PLAIN\r\n",
            "AG1yb3NlAHNlY3JldA==\r\n",
            "AUTH LOGIN\r\n",
            "*\r\n",
            "STLS\r\n",
            "CAPA\r\n",
            "STAT\r\n",
            "LIST\r\n",
            "LIST 2\r\n",
            "UIDL\r\n",
            "UIDL 1\r\n",
            "RETR 1\r\n",
            "RETR 2\r\n",
            "TOP 1 0\r\n",
            "TOP 2 99\r\n",
            "DELE 1\r\n",
            "DELE 9\r\n",
            "RSET\r\n",
            "NOOP\r\n",
            "QUIT\r\n",
            "USER \r\n",
            "TOP 1\r\n",
            "\r\n",
            "\n",
            "RETR",
            " ",
            "\r",
        ]
        .map(|text| text.as_bytes().to_vec())
        .to_vec(),
    );
    let noise = prop::collection::vec(any::<u8>(), 0..20);
    prop::collection::vec(prop_oneof![6 => whole, 1 => noise], 0..24).prop_map(|parts| parts.concat())
}

/// All that is answered and all that happens, when it comes in pieces of that size.
fn play(octets: &[u8], cut: usize, logged_in: bool, tls: bool) -> (Vec<u8>, Vec<String>, bool) {
    let host = Host { chunk: cut, ..mrose() };
    let mut conversation = Conversation::begin(if tls { secure() } else { insecure() }, host);
    if tls {
        conversation.handshake();
    }
    let mut said = Vec::new();
    if logged_in {
        said.extend(conversation.say("USER mrose\r\nPASS secret\r\n").bytes());
    }
    for chunk in octets.chunks(cut) {
        said.extend(conversation.say(chunk).bytes());
        assert!(conversation.input.len() <= 12_288);
    }
    (said, conversation.host.events, conversation.session.is_closed())
}

proptest! {
    #[test]
    fn cutting_the_input_anywhere_changes_nothing(
        octets in octets(), cut in 1usize..40, logged_in: bool, tls: bool,
    ) {
        prop_assert_eq!(play(&octets, cut, logged_in, tls), play(&octets, octets.len().max(1), logged_in, tls));
    }

    #[test]
    fn every_command_has_one_answer_and_every_answer_is_a_response(octets in octets(), logged_in: bool) {
        let (said, ..) = play(&octets, 7, logged_in, false);
        let said = String::from_utf8(said).unwrap();
        prop_assert!(said.is_empty() || said.ends_with("\r\n"));
        let mut multi_line = false;
        for line in said.split_terminator("\r\n") {
            prop_assert!(!line.contains(['\r', '\n']));
            if multi_line {
                multi_line = line != ".";
                continue;
            }
            let known = ["+OK", "-ERR ", "+ "].iter().any(|status| line.starts_with(status));
            prop_assert!(known && line.len() <= 510, "{line}");
            multi_line = ["+OK Capability", "+OK unique-id", "+OK top"].iter().any(|start| line.starts_with(start))
                || (line.starts_with("+OK ") && line.ends_with(" octets"))
                || (line.contains(" messages (") && !line.contains("maildrop has"));
        }
        prop_assert!(!multi_line, "every listing and every message has its end");
    }

    #[test]
    fn no_octets_make_it_panic(octets in prop::collection::vec(any::<u8>(), 0..2000), cut in 1usize..64, tls: bool) {
        play(&octets, cut, tls, tls);
        let mut conversation = Conversation::begin(insecure(), mrose());
        conversation.say("AUTH LOGIN\r\n");
        for chunk in octets.chunks(cut) {
            conversation.say(chunk);
        }
        conversation.session.end_of_input().ok();
        prop_assert!(conversation.session.is_closed());
        prop_assert!(conversation.session.next_event(&mut BytesMut::new()).unwrap().is_none());
    }
}

/// Everything that a host could say to anything.
fn any_answer(die: usize) -> Answer {
    let mut maildrop = Maildrop::new(host::UID_VALIDITY, 2);
    maildrop.push(1, 5).unwrap();
    let answers = [
        Answer::ok(),
        Answer::Message,
        Answer::End,
        Answer::Octets(Bytes::from_static(b"a\r\n.\r")),
        Answer::Octets(Bytes::from_static(b"longer than any message here")),
        Refusal::lossy("no\r\n+OK forged").into(),
        CredentialAnswer::Rejected.into(),
        CredentialAnswer::Unavailable.into(),
        CredentialAnswer::Accepted(AccountId::new("mrose")).into(),
        maildrop.into(),
    ];
    let count = answers.len();
    answers.into_iter().nth(die % count).unwrap()
}

/// Asking for the next event would take one that waits for its turn.
fn owes(session: &ServerSession) -> bool {
    !format!("{session:?}").contains("owed: Nothing")
}

proptest! {
    #[test]
    fn an_answer_that_does_not_fit_is_told_so_and_changes_nothing(
        octets in octets(), cut in 1usize..40, dice in prop::collection::vec(any::<u8>(), 1..20),
    ) {
        let mut session = ServerSession::new(Arc::new(insecure()));
        let (mut input, mut out) = (BytesMut::new(), BytesMut::new());
        let mut dice = dice.into_iter().map(usize::from).cycle();
        let octets = [b"USER mrose\r\nPASS secret\r\n", &octets[..]].concat();
        for chunk in octets.chunks(cut) {
            input.extend_from_slice(chunk);
            while let Some(event) = session.next_event(&mut input).unwrap() {
                let die = dice.next().unwrap();
                let mut right = vec![match &event {
                    Event::Credentials(_) => any_answer(8),
                    Event::Authenticated(_) => any_answer(9),
                    event => event.default_answer(),
                }];
                if die % 2 == 0 && matches!(event, Event::Retrieve { .. } | Event::Top { .. }) {
                    right = vec![Answer::Message, any_answer(3), Answer::End];
                }
                for right in right {
                    if matches!(right, Answer::Octets(_)) && !session.wants_octets() {
                        continue;
                    }
                    let (before, state, shown) = (out.len(), session.state(), format!("{session:?}"));
                    match session.answer(any_answer(dice.next().unwrap()), &mut out) {
                        Ok(()) if !owes(&session) => break,
                        // It was the beginning of a message, or some of its octets.
                        Ok(()) => {}
                        Err(error) => {
                            prop_assert_eq!((out.len(), session.state()), (before, state), "{} to {:?}", error, event);
                            prop_assert_eq!(format!("{session:?}"), shown, "{} to {:?}", error, event);
                            prop_assert!(session.next_event(&mut input).is_err(), "it is still owed");
                            session.answer(right, &mut out).ok();
                        }
                    }
                }
                if owes(&session) {
                    // A message that the host leaves in its middle is cut off, and never ended as if it were whole.
                    let before = out.len();
                    session.end_of_input().unwrap_err();
                    prop_assert_eq!(out.len(), before);
                }
            }
        }
        prop_assert!(!out.windows(12).any(|said| said == b"\r\n+OK forged"));
    }

    #[test]
    fn sec_m10_every_step_takes_octets_or_is_owed_by_the_octets_before(octets in octets()) {
        let mut session = ServerSession::new(Arc::new(insecure()));
        let (mut input, mut out) = (BytesMut::from(&b"USER mrose\r\nPASS secret\r\n"[..]), BytesMut::new());
        input.extend_from_slice(&octets);
        let (mut idle_steps, mut before) = (0, input.len());
        while let Some(event) = session.next_event(&mut input).unwrap() {
            idle_steps = if input.len() < before { 0 } else { idle_steps + 1 };
            prop_assert!(idle_steps <= 3, "{:?} at {}", event, input.escape_ascii());
            before = input.len();
            let answer = match &event {
                Event::Credentials(_) => any_answer(8),
                Event::Authenticated(_) => any_answer(9),
                event => event.default_answer(),
            };
            session.answer(answer, &mut out).unwrap();
        }
    }

    #[test]
    fn what_was_written_reads_the_same(text in "[ -~]{0,80}", number in 1u32.., size: u64, octets in octets()) {
        let (mut written, mut again) = (BytesMut::new(), BytesMut::new());
        for response in [Refusal::lossy(&text).response(), Refusal::lossy(&text).with_code(ResponseCode::InUse).response()] {
            written.clear();
            response.encode(&mut written);
            let read = Response::parse(&written[..written.len() - 2]).unwrap();
            again.clear();
            read.encode(&mut again);
            prop_assert_eq!(&again, &written);
        }
        let scan = ScanListing::new(MessageNumber::new(number), size);
        prop_assert_eq!(ScanListing::parse(scan.to_string().as_bytes()), Ok(scan));
        let drop = DropListing::new(number.into(), size);
        prop_assert_eq!(DropListing::parse(drop.to_string().as_bytes()), Ok(drop));
        for line in octets.split(|&octet| octet == b'\n') {
            let Ok(command) = Command::parse(line.trim_ascii_end()) else { continue };
            written.clear();
            command.encode(&mut written);
            again.clear();
            Command::parse(&written[..written.len() - 2]).unwrap().encode(&mut again);
            prop_assert_eq!(&again, &written);
        }
    }
}
