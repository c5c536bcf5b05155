//! Whatever comes, however it is cut.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "it is a test")]

mod host;

use bytes::BytesMut;
use host::{Conversation, Host, insecure, mrose, secure};
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
