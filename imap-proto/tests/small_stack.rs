//! What a peer nests is no depth of calls: commands and responses are read, written and dropped on a stack of 64 KiB,
//! without optimisation too.
#![allow(clippy::unwrap_used, reason = "it is a test")]

mod host;

use bytes::BytesMut;
use host::{Conversation, insecure};
use imap_proto::command::{Command, CommandErrorKind, Literals};
use imap_proto::fetch::write_structure;
use imap_proto::grammar::{Dialect, Mailbox};
use imap_proto::limits::Limits;
use imap_proto::list::Pattern;
use imap_proto::response::{ReadError, Response, ResponseLimits, ResponseReader};
use mail_message::Digest;

fn on_a_small_stack(test: impl FnOnce() + Send + 'static) {
    std::thread::Builder::new().stack_size(64 * 1024).spawn(test).unwrap().join().unwrap();
}

#[test]
fn sec_m7_search_keys_nest_to_their_limit_and_beyond() {
    on_a_small_stack(|| {
        let limits = Limits::default();
        let deep = limits.search_depth;
        for (open, close) in [("(", ")"), ("NOT ", ""), ("OR ALL ", ""), ("OR (NOT ", ") ALL")] {
            // The last of them opens three at a time.
            let times = if open.len() > 7 { deep / 3 } else { deep };
            let nested = |times: usize| format!("a SEARCH {}ALL{}", open.repeat(times), close.repeat(times));
            let command = Command::parse(nested(times).as_bytes(), Dialect::ASCII, &limits).unwrap();
            let written = command.encode(Dialect::ASCII, Literals::Synchronizing);
            let frame = written.octets().strip_suffix(b"\r\n").unwrap();
            assert_eq!(Command::parse(frame, Dialect::ASCII, &limits), Ok(command));
            for times in [deep + 1, 10_000] {
                let error = Command::parse(nested(times).as_bytes(), Dialect::ASCII, &limits).unwrap_err();
                assert!(matches!(error.kind, CommandErrorKind::TooDeep | CommandErrorKind::TooMany), "{error}");
            }
        }
    });
}

#[test]
fn sec_m7_a_server_nests_a_structure_to_the_limit_and_beyond() {
    on_a_small_stack(|| {
        let limits = ResponseLimits::default();
        let nested = |times: usize| format!("* 1 FETCH (BODYSTRUCTURE {}NIL{})", "(".repeat(times), ")".repeat(times));
        let response = Response::parse(nested(limits.depth).as_bytes(), Dialect::ASCII, &limits).unwrap();
        let mut out = BytesMut::new();
        response.encode(Dialect::ASCII, &mut out);
        assert_eq!(out.strip_suffix(b"\r\n").unwrap(), nested(limits.depth).as_bytes());
        for times in [limits.depth + 1, 100_000] {
            assert!(Response::parse(nested(times).as_bytes(), Dialect::ASCII, &limits).is_err());
        }
        for odd in
            ["* NAMESPACE ((((((((", "* LIST (((((((((", "* 1 FETCH (BODY[1.2.3.4.5.6.7.8.9", "* ESEARCH ((((((("]
        {
            assert!(Response::parse(odd.as_bytes(), Dialect::ASCII, &limits).is_err());
        }
    });
}

#[test]
fn sec_m7_a_structure_as_deep_as_a_digest_is_written_and_read() {
    on_a_small_stack(|| {
        for depth in [10, 1000] {
            let multiparts: String = (0..depth)
                .map(|level| format!("Content-Type: multipart/mixed; boundary=b{level}\r\n\r\n--b{level}\r\n"))
                .collect();
            let messages = "Content-Type: message/rfc822\r\n\r\n".repeat(depth);
            for message in [multiparts, messages] {
                let digest = Digest::of(message.as_bytes());
                for extended in [false, true] {
                    let mut out =
                        BytesMut::from(if extended { "* 1 FETCH (BODYSTRUCTURE " } else { "* 1 FETCH (BODY " });
                    write_structure(&digest, extended, Dialect::ASCII, &mut out);
                    out.extend_from_slice(b")\r\n");
                    let (mut reader, mut input) = (ResponseReader::new(ResponseLimits::default()), out.clone());
                    let response = reader.next(&mut input, Dialect::ASCII).unwrap().unwrap();
                    let mut again = BytesMut::new();
                    response.encode(Dialect::ASCII, &mut again);
                    assert_eq!(again, out, "what this crate writes, it reads");
                }
            }
        }
    });
}

#[test]
fn sec_m7_a_reader_gives_up_where_a_server_nests_on() {
    on_a_small_stack(|| {
        let mut reader = ResponseReader::new(ResponseLimits::default());
        let mut input = BytesMut::from(format!("* 1 FETCH (BODYSTRUCTURE {}\r\n", "(".repeat(100_000)).as_bytes());
        assert!(matches!(reader.next(&mut input, Dialect::ASCII), Some(Err(ReadError::Response(_)))));
    });
}

#[test]
fn sec_m7_a_whole_conversation_fits() {
    on_a_small_stack(|| {
        let mut conversation = Conversation::begin(insecure());
        let deep = format!("c SEARCH {}ALL{}", "(".repeat(5_000), ")".repeat(5_000));
        for (line, status) in [
            ("a LOGIN {3}\r\nada {6}\r\nsecret", "a OK"),
            ("b SELECT INBOX", "b OK"),
            (deep.as_str(), "c BAD"),
            ("d UID FETCH 1:*,2:*,3:* (FLAGS BODY.PEEK[1.2.3.HEADER.FIELDS (A B C)]<0.7>)", "d OK"),
            ("e APPEND INBOX {5+}\r\nhello", "e OK"),
            ("f LOGOUT", "f OK"),
        ] {
            let told = conversation.say(format!("{line}\r\n"));
            assert!(told.contains(status), "{line}: {told}");
        }
        assert!(conversation.has_heard("AppendEnd"));
    });
}

#[test]
fn sec_m9_patterns_and_names_of_any_shape_are_read() {
    on_a_small_stack(|| {
        let pattern = Pattern::new("", &"*%".repeat(500), 1000).unwrap();
        assert!(pattern.matches(&"a/".repeat(400)));
        assert!(!Pattern::new("", &format!("{}b", "*a".repeat(400)), 1000).unwrap().matches(&"a".repeat(900)));
        let name = "&AOQ-/".repeat(10_000);
        assert!(Mailbox::decode(name.as_bytes(), Dialect::ASCII).is_ok());
    });
}
