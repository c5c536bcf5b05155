//! Rows of the attack catalogue on a session without a socket.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "it is a test")]

mod host;

use std::sync::Arc;

use bytes::BytesMut;
use host::{Conversation, insecure, logged_in, secure};
use imap_proto::session::SessionState;
use imap_proto::{Event, ServerSession};
use mail_wire::base64;
use mail_wire::machine::{Timer, TlsInfo};

const TOO_LARGE: &str = "a BAD [TOOBIG] Literal too large\r\n";

#[test]
fn sec_m1_a_line_without_end_is_not_kept() {
    for (mut conversation, limit) in [(Conversation::begin(insecure()), 12_288 + 64), (logged_in(), 64 * 1024)] {
        let chunk = vec![b'x'; 64 * 1024];
        for _ in 0..(1 << 26) / chunk.len() {
            assert_eq!(conversation.say(&chunk), "");
            assert!(conversation.input.len() <= limit);
        }
        assert!(conversation.input.capacity() <= 512 * 1024);
        assert_eq!(conversation.say("\r\n"), "* BAD [TOOBIG] Line too long\r\n");
        assert_eq!(conversation.say("a NOOP\r\n"), "a OK NOOP completed\r\n");
    }
}

#[test]
fn sec_m1_a_command_is_short_before_the_login_and_a_set_of_uids_long_after_it() {
    let mut conversation = Conversation::begin(insecure());
    let padded = |octets: usize| format!("a ID (\"name\" \"{}\")\r\n", "x".repeat(octets - 18));
    let told = conversation.say(padded(8 * 1024 + 3));
    assert_eq!(told, "a BAD [TOOBIG] Line too long\r\n");
    conversation = logged_in();
    conversation.say("a SELECT INBOX\r\n");
    let set: Vec<String> = (0..8000).map(|at| (1_000_000 + at * 2).to_string()).collect();
    let long = format!("a UID FETCH {} FLAGS\r\n", set.join(","));
    assert!(long.len() > 60 * 1024, "{}", long.len());
    assert_eq!(conversation.say(long), "a OK UID FETCH completed\r\n");
    let set: Vec<String> = (0..10_001).map(|at| (1 + at * 2).to_string()).collect();
    let told = conversation.say(format!("a UID FETCH {} FLAGS\r\n", set.join(",")));
    assert!(told.starts_with("a BAD "), "sec_m8: {told}");
}

#[test]
fn sec_m5_literals_are_limited_in_number_and_size_and_in_sum() {
    let mut conversation = Conversation::begin(insecure());
    for size in ["1000000", "8192", "4294967295", "4294967296", "18446744073709551616", "99999999999999999999"] {
        assert_eq!(conversation.say(format!("a LOGIN {{{size}}}\r\n")), TOO_LARGE, "{size}");
    }
    // In sum, before the login: each is small.
    let mut conversation = Conversation::begin(insecure());
    assert_eq!(conversation.say("a LOGIN {4000}\r\n"), "+ OK\r\n");
    assert_eq!(conversation.say(format!("{} {{4200}}\r\n", "x".repeat(4000))), TOO_LARGE);
    // In sum, after it.
    let mut conversation = logged_in();
    assert_eq!(conversation.say("a LIST {60000}\r\n"), "+ OK\r\n");
    assert_eq!(conversation.say(format!("{} {{60000}}\r\n", "x".repeat(60_000))), "+ OK\r\n");
    assert_eq!(conversation.say(format!("{} {{60000}}\r\n", "x".repeat(60_000))), TOO_LARGE);
    // In number.
    let mut conversation = logged_in();
    conversation.say("a SELECT INBOX\r\n");
    let mut told = conversation.say("a SEARCH SUBJECT {1}\r\n");
    let mut taken = 0;
    while told == "+ OK\r\n" {
        taken += 1;
        assert!(taken <= 100);
        told = conversation.say("x SUBJECT {1}\r\n");
    }
    assert_eq!((taken, told.as_str()), (100, TOO_LARGE));
    assert_eq!(conversation.say("b NOOP\r\n"), "b OK NOOP completed\r\n");
}

#[test]
fn sec_m5_a_hundred_thousand_literals_that_nobody_waits_for_end_the_session() {
    let mut conversation = logged_in();
    conversation.say("a SELECT INBOX\r\n");
    let flood = format!("a SEARCH{}\r\n", " SUBJECT {1+}\r\nx".repeat(100_000));
    assert_eq!(conversation.say(flood), "* BYE [TOOBIG] Literal too large\r\n");
    assert!(conversation.session.is_closed());
}

#[test]
fn sec_m6_what_comes_unasked_behind_a_refusal_is_never_a_command() {
    let refused = [
        ("a LOGIN {1000000+}\r\n", false),
        ("a LOGIN {99999999999999999999+}\r\n", false),
        ("a LIST \"\" {1000000+}\r\n", true),
        ("a APPEND INBOX {99999999999999999999+}\r\n", true),
        ("a IDLE\r\nDONE {1000000000000+}\r\n", true),
    ];
    for (head, is_logged_in) in refused {
        let whole = format!("{head}x\r\na LOGOUT\r\nb LOGIN ada secret\r\nc NOOP\r\n");
        for cut in 1..whole.len() {
            let mut conversation = if is_logged_in { logged_in() } else { Conversation::begin(insecure()) };
            let told = conversation.say(&whole[..cut]) + &conversation.say(&whole[cut..]);
            assert!(told.ends_with("* BYE [TOOBIG] Literal too large\r\n"), "{head} cut at {cut}: {told}");
            assert!(!told.contains("OK LOGOUT") && !told.contains("OK NOOP"), "{head} cut at {cut}: {told}");
            assert!(conversation.session.is_closed());
        }
    }
}

#[test]
fn sec_m6_a_message_that_was_refused_is_swallowed_to_its_last_octet() {
    let body = "x\r\na LOGOUT\r\nb NOOP\r\n";
    let size = (50 << 20) + 1;
    let mut conversation = logged_in();
    assert_eq!(conversation.say(format!("a APPEND INBOX {{{size}+}}\r\n")), TOO_LARGE);
    let mut left = size;
    while left > 0 {
        let count = left.min(body.len());
        assert_eq!(conversation.say(&body[..count]), "");
        left -= count;
        if left > 1 << 20 {
            let many = vec![b'\n'; 1 << 20];
            assert_eq!(conversation.say(&many), "");
            left -= many.len();
        }
    }
    assert_eq!(conversation.say("\r\nd NOOP\r\n"), "d OK NOOP completed\r\n");
    assert_eq!(conversation.appended, 0, "no octet of it is told");
    // Behind a command that is wrong before its message.
    let told = conversation.say(format!("e APPEND {{{}+}}\r\n{body}\r\nf NOOP\r\n", body.len()));
    assert!(told.starts_with("e BAD ") && told.ends_with("f OK NOOP completed\r\n"), "{told}");
    assert_eq!(told.lines().count(), 2, "{told}");
}

#[test]
fn sec_m7_nesting_is_an_error_and_never_a_stack() {
    let on_a_small_stack = || {
        for depth in [1, 49, 51, 1000, 10_000, 60_000] {
            for (before, open, inner, close, behind) in [
                ("SEARCH ", "(", "ALL", ")", ""),
                ("SEARCH ", "NOT ", "ALL", "", ""),
                ("SEARCH ", "OR ALL ", "ALL", "", ""),
                ("FETCH 1 ", "(", "FLAGS", ")", ""),
                ("FETCH 1 BODY[HEADER.FIELDS ", "(", "To", ")", "]"),
                ("LIST ", "(", "", ")", " \"\" *"),
                ("LIST \"\" ", "(", "*", ")", ""),
                ("STORE 1 FLAGS ", "(", "", ")", ""),
                ("STATUS INBOX ", "(", "MESSAGES", ")", ""),
                ("ID ", "(", "", ")", ""),
            ] {
                let mut conversation = logged_in();
                conversation.say("a SELECT INBOX\r\n");
                let line = [before, &open.repeat(depth), inner, &close.repeat(depth), behind].concat();
                let told = conversation.say(format!("a {line}\r\n"));
                let last = told.lines().last().unwrap();
                let expected = if depth == 1 { "a OK " } else { "a BAD " };
                let is_search = before == "SEARCH " && depth < 50;
                // What is longer than a line has no tag.
                let is_refused = last.starts_with(expected) || last == "* BAD [TOOBIG] Line too long";
                assert!(
                    if is_search { last.starts_with("a OK ") } else { is_refused },
                    "{before} {open} {depth}: {told}"
                );
                assert!(conversation.say("b NOOP\r\n").starts_with("b OK "));
            }
        }
    };
    std::thread::Builder::new().stack_size(256 * 1024).spawn(on_a_small_stack).unwrap().join().unwrap();
}

#[test]
fn sec_m16_a_response_too_long_or_malformed_ends_its_exchange_only() {
    let mut conversation = Conversation::begin(insecure());
    for (response, told) in [
        ("A".repeat(12_289), "a BAD Response too long\r\n"),
        ("A".repeat(1 << 20), "a BAD Response too long\r\n"),
        ("AGFkYQBzZWNyZXQ=A".into(), "a BAD Malformed response\r\n"),
        ("AGFkYQBzZWNyZXQ".into(), "a BAD Malformed response\r\n"),
        ("AGFkYQBzZWNyZXQ=\n".into(), "a BAD Malformed response\r\n"),
        ("*".into(), "a BAD Authentication aborted\r\n"),
    ] {
        assert_eq!(conversation.say("a AUTHENTICATE PLAIN\r\n"), "+ \r\n");
        assert_eq!(conversation.say(format!("{response}\r\n")), told, "{} octets", response.len());
    }
    assert!(conversation.input.is_empty());
    let long = conversation.say(format!("a AUTHENTICATE PLAIN {}\r\n", "A".repeat(9000)));
    assert_eq!(long, "a BAD Malformed response\r\n", "an initial response may be longer than a command");
    let told = conversation.say("a AUTHENTICATE PLAIN\r\nAGFkYQBzZWNyZXQ=\r\n");
    assert!(told.starts_with("+ \r\na OK "), "{told}");
}

#[test]
fn sec_m17_a_hundred_thousand_aborted_exchanges_leave_nothing() {
    let mut conversation = Conversation::begin(insecure());
    for _ in 0..100_000 {
        conversation.events.clear();
        assert_eq!(conversation.say("a AUTHENTICATE PLAIN\r\n*\r\n"), "+ \r\na BAD Authentication aborted\r\n");
    }
    assert!(!conversation.session.is_closed() && conversation.input.capacity() < 64 * 1024);
    assert!(conversation.say("a LOGIN ada secret\r\n").starts_with("a OK "));
}

#[test]
fn sec_m18_odd_lines_in_every_state_are_answered() {
    let odd: [&[u8]; 22] = [
        b" ",
        b"*",
        b"a",
        b"a ",
        b"+ NOOP",
        b"a LOGIN \xf0\x9f\x98 x",
        b"a LOGIN \"\" \"\"",
        b"a LOGIN \"\"@d x",
        b"a LOGIN \"ada",
        b"a AUTHENTICATE =",
        b"a AUTHENTICATE PLAIN ====",
        b"a SELECT &",
        b"a SELECT &AAA-",
        b"a SELECT \xff",
        b"a FETCH 4294967296 FLAGS",
        b"a FETCH 0 FLAGS",
        b"a FETCH 1 BODY[0]<0.0>",
        b"a SEARCH CHARSET \xff TEXT x",
        b"a UID",
        b"\xef\xbb\xbfa LOGOUT",
        b"a APPEND INBOX",
        b"a LIST (\xc3) \"\" *",
    ];
    let states: [fn() -> Conversation; 7] = [
        || Conversation::begin(insecure()),
        || {
            let mut conversation = Conversation::begin(insecure());
            conversation.say("x AUTHENTICATE PLAIN\r\n");
            conversation
        },
        || {
            let mut conversation = Conversation::begin(secure());
            conversation.say("x STARTTLS\r\n");
            conversation.handshake();
            conversation
        },
        logged_in,
        || {
            let mut conversation = logged_in();
            conversation.say("x SELECT INBOX\r\n");
            conversation
        },
        || {
            let mut conversation = logged_in();
            conversation.say("x IDLE\r\n");
            conversation
        },
        || {
            let mut conversation = logged_in();
            conversation.say("x ENABLE IMAP4rev2\r\nx APPEND INBOX {1+}\r\nx");
            conversation
        },
    ];
    for state in states {
        for line in odd {
            let mut conversation = state();
            let told = conversation.say([line, b"\r\n"].concat());
            for answer in told.lines() {
                let words: Vec<&str> = answer.splitn(3, ' ').collect();
                assert!(words[0] == "+" || matches!(words[1], "OK" | "NO" | "BAD"), "{}: {told}", line.escape_ascii());
            }
            assert!(matches!(told.lines().count(), 1 | 2), "{}: {told}", line.escape_ascii());
            assert!(!conversation.session.is_closed());
        }
    }
}

#[test]
fn sec_t1_nothing_behind_starttls_is_read_before_the_handshake() {
    for (same, next) in [("x LOGIN ada secret\r\n", ""), ("", "x NOOP\r\n"), ("x LOG", "IN ada secret\r\n"), ("x", "")]
    {
        let mut conversation = Conversation::begin(secure());
        assert_eq!(conversation.say(format!("a STARTTLS\r\n{same}")), "a OK Begin TLS negotiation now\r\n");
        assert_eq!(conversation.say(next), "");
        assert_eq!(conversation.session.state(), SessionState::Handshake);
        assert_eq!(&conversation.input[..], format!("{same}{next}").as_bytes(), "it is left for the handshake");
        conversation.handshake();
        assert!(conversation.input.is_empty(), "clear text does not survive the handshake");
        assert_eq!(conversation.say(""), "", "no answer to what was slipped in");
        assert_eq!(conversation.session.state(), SessionState::NotAuthenticated);
        assert!(conversation.say("b LOGIN ada secret\r\n").starts_with("b OK "));
    }
}

#[test]
fn sec_t1_half_a_command_before_the_handshake_is_not_completed_after_it() {
    for half in ["x LOG", "x LOGIN {3}", "x LOGIN {3+}\r\nad"] {
        let mut conversation = Conversation::begin(secure());
        conversation.say("a STARTTLS\r\n");
        conversation.say(half);
        conversation.handshake();
        let told = conversation.say("IN ada secret\r\n");
        assert_eq!(told, "IN BAD Unknown command\r\n", "{half}");
        assert!(conversation.say("b NOOP\r\n").starts_with("b OK "));
    }
}

#[test]
fn sec_t3_nothing_that_was_learned_before_the_handshake_counts_after_it() {
    let mut conversation = Conversation::begin(secure().with_insecure_login(true));
    conversation.say("a AUTHENTICATE PLAIN\r\n*\r\nb XYZZY\r\nc STARTTLS\r\n");
    conversation.handshake();
    assert!(conversation.session.tls().is_some());
    assert_eq!(conversation.session.enabled(), imap_proto::session::Enabled::default());
    let told = conversation.say("AGFkYQBzZWNyZXQ=\r\n");
    assert!(told.contains("BAD Expected a command"), "the exchange is over: {told}");
    assert_eq!(conversation.say("d SELECT INBOX\r\n"), "d BAD Log in first\r\n");
}

#[test]
fn sec_t4_starttls_is_refused_twice_and_after_a_login_and_inside_of_one() {
    let mut conversation = Conversation::begin(secure().with_insecure_login(true));
    let told = conversation.say("a AUTHENTICATE PLAIN\r\nb STARTTLS\r\n");
    assert!(told.starts_with("+ \r\na BAD Authentication aborted\r\nb OK "), "the exchange is given up first: {told}");
    let mut conversation = Conversation::begin(secure().with_insecure_login(true));
    conversation.say("a LOGIN ada secret\r\n");
    assert_eq!(conversation.say("b STARTTLS\r\n"), "b BAD Already logged in\r\n");
    let mut conversation = Conversation::begin(secure());
    conversation.say("a STARTTLS\r\n");
    conversation.handshake();
    assert_eq!(conversation.say("b STARTTLS\r\n"), "b BAD TLS is active already\r\n");
    assert!(!conversation.say("c CAPABILITY\r\n").contains("STARTTLS"));
}

#[test]
fn sec_t7_without_tls_no_login_is_taken_and_none_is_advertised() {
    let mut conversation = Conversation::begin(secure());
    let told = conversation.say("a CAPABILITY\r\n");
    assert!(told.contains(" LOGINDISABLED") && !told.contains("AUTH="), "{told}");
    for line in ["LOGIN ada secret", "AUTHENTICATE PLAIN AGFkYQBzZWNyZXQ=", "AUTHENTICATE PLAIN", "LOGIN {3+}\r\nada x"]
    {
        let told = conversation.say(format!("a {line}\r\n"));
        assert_eq!(told, "a NO [PRIVACYREQUIRED] No login without TLS\r\n", "{line}");
    }
    assert!(!conversation.has_heard("Credentials"));
}

#[test]
fn sec_t8_an_end_in_the_middle_of_a_message_is_told_and_none_of_it_is_one() {
    for (half, error) in [
        ("b APPEND INBOX {10}\r\n", true),
        ("b APPEND INBOX {10+}\r\n12345", true),
        ("b APPEND INBOX {10+}\r\n1234567890", true),
        ("b APPEND INBOX {10+}\r\n1234567890\r\n", false),
        ("b LOGIN {5", true),
        ("b NOOP", true),
        ("", false),
    ] {
        let mut conversation = logged_in();
        conversation.say(half);
        assert_eq!(conversation.session.end_of_input().is_err(), error, "{half:?}");
        assert_eq!(conversation.has_heard("AppendEnd"), half.ends_with("0\r\n"), "{half:?}");
        assert!(conversation.session.is_closed());
        assert_eq!(conversation.say("c NOOP\r\n"), "", "nothing is parsed after the end");
    }
}

#[test]
fn sec_t9_another_protocols_first_words_get_one_reply_that_echoes_none_of_them() {
    for octets in [
        &b"GET /secret HTTP/1.1\r\nHost: mail.example.org\r\n\r\n"[..],
        b"POST / HTTP/1.1\r\n\r\na LOGIN secret x\r\n",
        b"OPTIONS * HTTP/1.1\nsecret\n",
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03secret",
    ] {
        for cut in 1..octets.len() {
            let mut conversation = Conversation::begin(insecure());
            let told = conversation.say(&octets[..cut]) + &conversation.say(&octets[cut..]);
            assert_eq!(told, "* BYE This is a mail server\r\n", "{}", octets.escape_ascii());
            assert!(conversation.session.is_closed());
        }
    }
    let mut conversation = Conversation::begin(insecure());
    conversation.say("a CAPABILITY\r\n");
    assert!(conversation.say("GET / HTTP/1.1\r\n").starts_with("GET BAD "));
    assert!(!conversation.session.is_closed(), "a later line is no browser's first");
}

#[test]
fn sec_t9_the_middle_of_a_first_command_is_nobodys_first_words() {
    for first in [format!("{}GET / HTTP/1.1\r\n", "x".repeat(9000)), "a LOGIN {5+}\r\nGET / {1+}\r\nx\r\n".to_owned()] {
        for cut in [first.len(), 7, 100, 1000] {
            let mut conversation = Conversation::begin(insecure());
            let told: String = first.as_bytes().chunks(cut).map(|chunk| conversation.say(chunk)).collect();
            assert!(
                !told.contains("This is a mail server") && !conversation.session.is_closed(),
                "cut every {cut}: {told}"
            );
        }
    }
}

#[test]
fn sec_a2_known_and_unknown_users_are_told_the_same() {
    let story = |name: &str| {
        let mut conversation = Conversation::begin(insecure());
        let plain = base64::encode(format!("\0{name}\0wrong").as_bytes());
        let mut told = conversation.say(format!("a LOGIN \"{name}\" wrong\r\n"));
        told += &conversation.say(format!("a AUTHENTICATE PLAIN {plain}\r\n"));
        told += &conversation.say("a AUTHENTICATE LOGIN\r\n");
        told += &conversation.say(format!("{}\r\n", base64::encode(name.as_bytes())));
        told + &conversation.say(format!("{}\r\n", base64::encode(b"wrong")))
    };
    let known = story("ada");
    assert_eq!(known.matches("a NO [AUTHENTICATIONFAILED] Authentication failed\r\n").count(), 3);
    for unknown in ["nobody", "ada2", "ADA"] {
        assert_eq!(story(unknown), known, "{unknown:?}");
    }
    // A name that SASLprep lets nobody have.
    let told = Conversation::begin(insecure()).say("a LOGIN {3+}\r\n\u{e000} {5+}\r\nwrong\r\n");
    assert_eq!(told, "a NO [AUTHENTICATIONFAILED] Authentication failed\r\n");
}

#[test]
fn sec_a3_to_act_as_somebody_else_is_a_question_that_is_answered_with_no() {
    for message in ["bob\0ada\0secret", "ada2\0ada\0secret", "ADA\0ada\0secret"] {
        let mut conversation = Conversation::begin(insecure());
        let told = conversation.say(format!("a AUTHENTICATE PLAIN {}\r\n", base64::encode(message.as_bytes())));
        assert!(told.starts_with("a NO "), "{message:?}: {told}");
        assert_eq!(conversation.say("b SELECT INBOX\r\n"), "b BAD Log in first\r\n");
    }
    let mut conversation = Conversation::begin(insecure());
    let told = conversation.say(format!("a AUTHENTICATE PLAIN {}\r\n", base64::encode(b"ada\0ada\0secret")));
    assert!(told.starts_with("a OK "), "{told}");
}

#[test]
fn sec_a7_who_is_logged_in_stays_so_and_who_has_failed_is_nobody() {
    let mut conversation = logged_in();
    let eve = base64::encode(b"\0eve\0secret");
    for line in ["LOGIN eve secret", "AUTHENTICATE PLAIN", &format!("AUTHENTICATE PLAIN {eve}")] {
        assert_eq!(conversation.say(format!("a {line}\r\n")), "a BAD Already logged in\r\n", "{line}");
    }
    assert!(conversation.say("b SELECT INBOX\r\n").starts_with("b OK "));
    let mut conversation = Conversation::begin(insecure());
    conversation.say("a LOGIN ada wrong\r\n");
    assert_eq!(conversation.say("b SELECT INBOX\r\n"), "b BAD Log in first\r\n");
}

#[test]
fn sec_a8_no_control_character_reaches_the_host() {
    for field in ["a\0b", "a\rb", "a\nb", "a\r\nb", "a\x7fb", "a\tb", "\u{85}"] {
        let mut conversation = Conversation::begin(insecure());
        for (name, password) in [(field, "secret"), ("ada", field)] {
            let (names, passwords) = (name.len(), password.len());
            let told = conversation.say(format!("a LOGIN {{{names}+}}\r\n{name} {{{passwords}+}}\r\n{password}\r\n"));
            assert!(told.starts_with("a NO ") || told.starts_with("a BAD "), "{field:?}: {told}");
        }
        for message in [format!("\0{field}\0x"), format!("{field}\0ada\0secret"), format!("\0ada\0{field}")] {
            let told = conversation.say(format!("a AUTHENTICATE PLAIN {}\r\n", base64::encode(message.as_bytes())));
            assert!(told.starts_with("a BAD ") || told.starts_with("a NO "), "{field:?}: {told}");
        }
        assert!(!conversation.has_heard("Credentials"), "{field:?}: {:?}", conversation.events);
    }
    let mut conversation = Conversation::begin(insecure());
    conversation.say(b"a LOGIN {1+}\r\n\xff {1+}\r\n\xff\r\n");
    assert!(!conversation.has_heard("Credentials"));
}

#[test]
fn sec_a11_the_tenth_failed_login_closes() {
    let mut conversation = Conversation::begin(insecure());
    for attempt in 1..=10 {
        assert!(!conversation.session.is_closed(), "before attempt {attempt}");
        let told = conversation.say("a LOGIN ada wrong\r\n");
        assert!(told.starts_with("a NO [AUTHENTICATIONFAILED] Authentication failed\r\n"), "{told}");
    }
    assert!(conversation.session.is_closed());
    assert_eq!(conversation.say("a LOGIN ada secret\r\n"), "");
}

#[test]
fn sec_a12_what_is_pipelined_behind_a_login_waits_for_it() {
    let mut conversation = Conversation::begin(insecure());
    let told = conversation.say("a AUTHENTICATE PLAIN AGFkYQBzZWNyZXQ=\r\nb SELECT INBOX\r\nc LOGIN ada secret\r\n");
    let lines: Vec<&str> = told.lines().collect();
    assert!(lines[0].starts_with("a OK "), "{told}");
    assert_eq!(&lines[1..], ["b OK SELECT completed", "c BAD Already logged in"]);
    let mut conversation = Conversation::begin(insecure());
    let told = conversation.say("a LOGIN ada wrong\r\nb SELECT INBOX\r\n");
    assert!(told.ends_with("b BAD Log in first\r\n"), "{told}");
}

#[test]
fn sec_a13_nothing_that_can_be_shown_holds_a_secret() {
    let (mut session, mut input) = (ServerSession::new(Arc::new(insecure())), BytesMut::new());
    let (mut out, mut shown) = (BytesMut::new(), String::new());
    let coded = base64::encode(b"\0ada\0hunter2");
    for line in [
        "a LOGIN ada hunter2",
        "a LOGIN ada \"hunter2\"",
        "a LOGIN ada {7+}\r\nhunter2",
        "a LOGIN ada hunter2 hunter2",
        "a AUTHENTICATE PLAIN",
        &coded,
        &format!("a AUTHENTICATE PLAIN {coded}"),
        &format!("a AUTHENTICATE PLAIN {coded} x"),
    ] {
        input.extend_from_slice(format!("{line}\r\n").as_bytes());
        while let Some(event) = session.next_event(&mut input).unwrap() {
            shown += &format!("{event:?} {event:#?} {session:?} {session:#?}");
            session.answer(event.default_answer(), &mut out).unwrap();
        }
    }
    shown += std::str::from_utf8(&out).unwrap();
    assert!(shown.contains("Credentials"), "the secrets have passed");
    assert!(!shown.contains("hunter2") && !shown.contains(&coded), "{shown}");
    let octets: Vec<String> = b"hunter2".iter().map(u8::to_string).collect();
    assert!(!shown.contains(&octets.join(", ")), "as numbers neither");
}

#[test]
fn sec_c1_three_clocks_run() {
    let mut conversation = Conversation::begin(insecure());
    let timers = |conversation: &Conversation| {
        [Timer::Idle, Timer::Line, Timer::Login, Timer::Body].map(|timer| conversation.session.timers().get(timer))
    };
    let [idle, line, login, body] = timers(&conversation);
    assert!(idle.is_some() && login.is_some() && line.is_none() && body.is_none());
    conversation.say("a NO");
    let begun = timers(&conversation);
    assert!(begun[1].is_some());
    conversation.say("O");
    assert_eq!(timers(&conversation), begun, "an octet starts no clock anew");
    conversation.say("P\r\n");
    let [next, line, same, _] = timers(&conversation);
    assert!(next != idle && line.is_none() && same == login, "a command does, but not the login's");
    // An octet of a literal starts none either.
    conversation.say("a LOGIN {3+}\r\na");
    let begun = timers(&conversation);
    assert!(begun[1].is_some(), "a literal is within its command");
    conversation.say("d");
    assert_eq!(timers(&conversation), begun);
    conversation.say("a secret\r\n");
    let [idle, _, login, _] = timers(&conversation);
    assert!(login.is_none() && idle.unwrap().after.as_secs() >= 30 * 60, "RFC 9051 §5.4");
}

#[test]
fn sec_c2_a_message_has_a_clock_of_its_own_and_an_octet_does_not_wind_it() {
    let mut conversation = logged_in();
    conversation.say("a APPEND INBOX {100000+}\r\n");
    let begun = conversation.session.timers().get(Timer::Body);
    assert!(begun.is_some());
    conversation.say("x");
    assert_eq!(conversation.session.timers().get(Timer::Body), begun);
    conversation.say("x".repeat(20_000));
    assert_ne!(conversation.session.timers().get(Timer::Body), begun);
    let mut out = BytesMut::new();
    conversation.session.handle_timeout(Timer::Body, &mut out);
    assert_eq!(&out[..], b"* BYE Too slow\r\n");
    assert!(conversation.session.is_closed() && !conversation.has_heard("AppendEnd"));
    assert_eq!(conversation.say("b LOGOUT\r\n"), "", "never back to commands in the middle");
}

#[test]
fn sec_c5_errors_close_and_a_refusal_is_none() {
    let mut conversation = Conversation::begin(insecure());
    for error in 1..=10 {
        assert!(!conversation.session.is_closed(), "before error {error}");
        assert!(conversation.say("a XYZZY\r\n").starts_with("a BAD Unknown command\r\n"));
    }
    assert!(conversation.session.is_closed());
    let mut conversation = logged_in();
    for _ in 0..100 {
        assert!(conversation.say("a SELECT &AGEAYg-\r\n").starts_with("a NO [CANNOT] "));
        assert!(conversation.say("a NOOP\r\n").starts_with("a OK "));
    }
    for error in 1..=20 {
        assert!(!conversation.session.is_closed(), "before error {error}");
        assert!(conversation.say("a XYZZY\r\n").starts_with("a BAD Unknown command\r\n"));
    }
    assert!(conversation.session.is_closed());
}

#[test]
fn sec_c6_a_shutdown_is_said_between_commands_and_waits_for_a_message() {
    let mut out = BytesMut::new();
    let mut conversation = logged_in();
    conversation.say("a APPEND INBOX {10+}\r\n12345");
    assert!(!conversation.session.shut_down(&mut out) && out.is_empty());
    assert_eq!(conversation.say("67890\r\n"), "a OK APPEND completed\r\n");
    assert!(conversation.session.shut_down(&mut out));
    assert_eq!(&out[..], b"* BYE Shutting down\r\n");
    // Between an event and its answer.
    let mut conversation = logged_in();
    conversation.input.extend_from_slice(b"a NOOP\r\n");
    let event = conversation.session.next_event(&mut conversation.input).unwrap().unwrap();
    assert!(!conversation.session.shut_down(&mut out));
    conversation.session.answer(event.default_answer(), &mut out).unwrap();
    assert!(conversation.session.shut_down(&mut out));
    // In IDLE it is said at once.
    let mut conversation = logged_in();
    conversation.say("a IDLE\r\n");
    out.clear();
    assert!(conversation.session.shut_down(&mut out));
    assert_eq!(&out[..], b"* BYE Shutting down\r\n");
}

#[test]
fn sec_c7_no_answer_stands_before_the_hosts() {
    let (mut session, mut out) = (ServerSession::new(Arc::new(insecure())), BytesMut::new());
    let mut input = BytesMut::from("a LOGIN ada secret\r\nb APPEND INBOX {1+}\r\nx\r\nc NOOP\r\n");
    let mut before = Vec::new();
    while let Some(event) = session.next_event(&mut input).unwrap() {
        before.push(String::from_utf8(out.split().to_vec()).unwrap());
        let answer = match event {
            Event::AppendData(_) => continue,
            Event::Credentials(_) => mail_wire::CredentialAnswer::Accepted(mail_wire::AccountId::new("ada")).into(),
            Event::AppendEnd => {
                assert!(before.last().unwrap().is_empty(), "no OK before the host has the message: {before:?}");
                assert!(session.end_of_input().is_err(), "an answer that nobody hears is told to the host");
                assert!(session.answer(imap_proto::Answer::Ok, &mut out).is_err());
                return;
            }
            Event::Authenticated(_) | Event::Append(_) => imap_proto::Answer::Ok,
            event => event.default_answer(),
        };
        session.answer(answer, &mut out).unwrap();
    }
    panic!("the message never ended: {before:?}");
}

#[test]
fn sec_i2_no_answer_holds_what_the_peer_sent_as_it_came() {
    let mut conversation = logged_in();
    for line in [
        "a \"XYZZY* BYE\"",
        "a XYZZY* BYE",
        "a SELECT {8+}\r\nx\r\n* BYE",
        "a STATUS {8+}\r\nx\r\n* BYE (MESSAGES)",
        "a ID (\"x\r* BYE\" NIL)",
        "a ENABLE X\x1b[2J",
        "a SEARCH CHARSET {8+}\r\nx\r\n* BYE ALL",
    ] {
        let told = conversation.say(format!("{line}\r\n"));
        assert!(!told.contains("* BYE") && !told.contains('\x1b'), "{line:?}: {told}");
        assert!(told.lines().all(|line| line.starts_with("a ") || line.starts_with("* ")), "{told}");
        // Errors are counted, and this is about something else.
        conversation = logged_in();
    }
}

#[test]
fn sec_r7_no_version_is_told_before_the_login() {
    let config = insecure().with_id([("name".to_owned(), "Pillarbox".to_owned())]);
    let mut session = ServerSession::new(Arc::new(config.clone()));
    let (mut input, mut out) = (BytesMut::from("a CAPABILITY\r\nb ID NIL\r\nc LOGOUT\r\n"), BytesMut::new());
    while let Some(event) = session.next_event(&mut input).unwrap() {
        session.answer(event.default_answer(), &mut out).unwrap();
    }
    let told = std::str::from_utf8(&out).unwrap();
    assert!(!told.contains("illarbox") && !told.contains(env!("CARGO_PKG_VERSION")), "{told}");
    let mut conversation = Conversation::begin(config);
    conversation.say("a LOGIN ada secret\r\n");
    assert!(conversation.say("b ID NIL\r\n").contains("Pillarbox"));
}

#[test]
fn implicit_tls_greets_inside_it() {
    let mut session = ServerSession::new(Arc::new(secure()));
    let mut input = BytesMut::new();
    session.tls_started(TlsInfo::new("TLSv1.3", "x"), &mut input);
    assert!(matches!(session.next_event(&mut input), Ok(Some(Event::Connected))));
}
