//! What a peer nests is no depth of calls: commands and responses are read, written and dropped on a stack of 64 KiB,
//! without optimisation too.
#![allow(clippy::unwrap_used, reason = "it is a test")]

use bytes::BytesMut;
use imap_proto::command::{Command, CommandErrorKind, Literals};
use imap_proto::grammar::{Dialect, Mailbox};
use imap_proto::limits::Limits;
use imap_proto::list::Pattern;
use imap_proto::response::{Response, ResponseLimits};

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
fn sec_m9_patterns_and_names_of_any_shape_are_read() {
    on_a_small_stack(|| {
        let pattern = Pattern::new("", &"*%".repeat(500), 1000).unwrap();
        assert!(pattern.matches(&"a/".repeat(400)));
        assert!(!Pattern::new("", &format!("{}b", "*a".repeat(400)), 1000).unwrap().matches(&"a".repeat(900)));
        let name = "&AOQ-/".repeat(10_000);
        assert!(Mailbox::decode(name.as_bytes(), Dialect::ASCII).is_ok());
    });
}
