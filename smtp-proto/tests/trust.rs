//! XCLIENT and XFORWARD (attack rows R2 and T3), and other protocols on this port (attack row T9).
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests say what they expect")]

mod support;

use bytes::BytesMut;
use mail_wire::machine::TlsInfo;
use mail_wire::{AccountId, UserName};
use smtp_proto::command::{Source, Told};
use smtp_proto::session::{Answer, Config, Event, Phase, Protocol, Trust};
use smtp_proto::{ServerSession, UsageError};
use support::{Conversation, Host};

const GREETING: &str = "220 mail.example.org ESMTP\r\n";
const STRANGER: &str = "550 5.7.0 insufficient authorization\r\n";
const SEQUENCE: &str = "503 5.5.1 bad sequence of commands\r\n";
const OK: &str = "250 2.0.0 ok\r\n";

fn everything() -> Trust {
    Trust::none().with_xclient().with_xforward().with_login()
}

fn trusting_by(config: Config, trust: Trust) -> Conversation {
    let mut host = Host::new(&["<a@b>"]);
    host.trust = trust;
    let mut conversation = Conversation::new(config, host);
    conversation.hello();
    conversation
}

fn trusting(trust: Trust) -> Conversation {
    trusting_by(support::config(Protocol::Smtp), trust)
}

#[test]
fn sec_r2_a_stranger_is_offered_neither_and_gets_550_for_both() {
    let mut conversation = trusting(Trust::none());
    let offered = conversation.send(b"EHLO c\r\n");
    assert!(!offered.contains("XCLIENT") && !offered.contains("XFORWARD"), "{offered}");
    for line in [
        "XCLIENT ADDR=127.0.0.1",
        "XCLIENT LOGIN=tim",
        "XCLIENT",
        "XCLIENT ADDR=nonsense",
        "XFORWARD ADDR=127.0.0.1",
        "XFORWARD COLOUR=red",
    ] {
        assert_eq!(conversation.send(format!("{line}\r\n").as_bytes()), STRANGER, "{line}");
        assert!(conversation.session.overridden_peer().is_none() && conversation.session.forwarded().is_none());
    }
    assert_eq!(conversation.session.hello().unwrap().name.to_string(), "c", "and nothing has changed");
}

#[test]
fn sec_r2_each_trust_is_for_itself() {
    for (trust, xclient, login, xforward) in [
        (Trust::none().with_xclient(), true, false, false),
        (Trust::none().with_xforward(), false, false, true),
        (Trust::none().with_login(), false, false, false),
        (Trust::none().with_xclient().with_login(), true, true, false),
    ] {
        let offered = trusting(trust).send(b"EHLO c\r\n");
        assert_eq!(offered.contains("XCLIENT"), xclient, "{offered}");
        assert_eq!(offered.contains(" LOGIN"), login, "{offered}");
        assert_eq!(offered.contains("XFORWARD"), xforward, "{offered}");
        for (line, taken) in [
            ("XCLIENT ADDR=192.0.2.1", xclient),
            ("XCLIENT ADDR=192.0.2.1 LOGIN=tim", login),
            ("XCLIENT LOGIN=[UNAVAILABLE]", login),
            ("XFORWARD ADDR=192.0.2.1", xforward),
        ] {
            let said = trusting(trust).send(format!("{line}\r\n").as_bytes());
            assert_eq!(said != STRANGER, taken, "{line}: {said}");
        }
    }
}

#[test]
fn sec_r2_xclient_begins_the_session_anew() {
    let mut config = support::config_with_auth(Protocol::Smtp);
    config.starttls = true;
    let mut conversation = trusting_by(config, everything());
    conversation.send(b"AUTH PLAIN AHRpbQB0YW5zdGFhZnRhbnN0YWFm\r\n");
    assert!(conversation.session.identity().is_some());
    assert_eq!(conversation.send(b"XCLIENT NAME=a.example ADDR=IPV6:2001:db8::1\r\n"), GREETING);
    assert_eq!(conversation.session.state(), Phase::Greeted);
    assert!(conversation.session.hello().is_none() && conversation.session.identity().is_none());
    assert_eq!(conversation.send(b"MAIL FROM:<a@b>\r\n"), SEQUENCE, "EHLO has to come again");
    assert_eq!(conversation.send(b"XCLIENT NAME=[TEMPUNAVAIL] PORT=25\r\n"), GREETING, "and as many more as it takes");
    assert!(conversation.send(b"EHLO again\r\n").contains("AUTH "), "nobody is logged in");
    let known = conversation.session.overridden_peer().unwrap();
    assert_eq!(known.addr, Some(Told::Is("2001:db8::1".parse().unwrap())));
    assert_eq!((known.name.clone(), known.port), (Some(Told::TemporarilyUnavailable), Some(Told::Is(25))));
    assert_eq!(known.helo, None);
}

#[test]
fn sec_r2_neither_comes_in_the_middle_of_a_message() {
    for begun in [&b"MAIL FROM:<a@b>\r\n"[..], b"MAIL FROM:<a@b>\r\nRCPT TO:<a@b>\r\nBDAT 1\r\nx"] {
        let mut conversation = trusting(everything());
        conversation.send(begun);
        let said = conversation.send(b"XCLIENT ADDR=192.0.2.1\r\nXFORWARD ADDR=192.0.2.1\r\nRSET\r\n");
        assert_eq!(said, format!("{SEQUENCE}{SEQUENCE}250 2.0.0 reset\r\n"));
        assert!(conversation.session.overridden_peer().is_none() && conversation.session.forwarded().is_none());
    }
    let mut host = Host::new(&[]);
    host.trust = everything();
    let mut conversation = Conversation::new(support::config(Protocol::Smtp), host);
    conversation.said();
    assert_eq!(conversation.send(b"XFORWARD ADDR=192.0.2.1\r\n"), SEQUENCE, "nor before EHLO, which tells of it");
    assert_eq!(conversation.send(b"XCLIENT ADDR=192.0.2.1\r\n"), GREETING);
}

#[test]
fn sec_r2_a_login_is_taken_over_only_as_the_host_says() {
    let login = || {
        let mut conversation = trusting_by(support::config_with_auth(Protocol::Submission), everything());
        assert!(conversation.send(b"MAIL FROM:<a@b>\r\n").starts_with("530 "));
        conversation
    };
    let mut conversation = login();
    assert_eq!(conversation.send(b"XCLIENT LOGIN=tim\r\n"), GREETING);
    assert!(!conversation.send(b"EHLO c\r\n").contains("AUTH "));
    let identity = conversation.session.identity().unwrap();
    assert_eq!((&identity.account, &identity.user), (&AccountId::new("tim"), &Some(UserName::new("tim").unwrap())));
    assert!(conversation.send(b"MAIL FROM:<a@b>\r\n").starts_with("250 "));
    assert_eq!(conversation.send(b"RSET\r\nAUTH PLAIN\r\n"), format!("250 2.0.0 reset\r\n{SEQUENCE}"));
    assert_eq!(conversation.send(b"XCLIENT LOGIN=[UNAVAILABLE]\r\n"), GREETING);
    conversation.send(b"EHLO c\r\n");
    assert!(conversation.session.identity().is_none(), "it ends with the next XCLIENT");

    let mut conversation = login();
    assert!(conversation.send(b"XCLIENT LOGIN=eve\r\n").starts_with("550 "));
    assert!(conversation.session.overridden_peer().is_none() && conversation.session.identity().is_none());

    // A host that says yes without saying who lets nobody in.
    let mut conversation = login();
    conversation.input.extend_from_slice(b"XCLIENT LOGIN=tim\r\n");
    let event = conversation.session.next_event(&mut conversation.input).unwrap().unwrap();
    conversation.session.answer(event.default_answer(), &mut conversation.output).unwrap();
    conversation.send(b"EHLO c\r\n");
    assert!(conversation.session.identity().is_none());
}

#[test]
fn sec_t3_tls_drops_what_a_trusted_peer_said_in_clear_and_not_the_hosts_trust() {
    let mut config = support::config(Protocol::Smtp);
    config.starttls = true;
    let mut conversation = trusting_by(config, everything());
    conversation.send(b"XCLIENT ADDR=192.0.2.1 LOGIN=tim\r\nEHLO c\r\nXFORWARD ADDR=192.0.2.2\r\n");
    assert!(conversation.session.identity().is_some());
    conversation.send(b"RSET\r\nXCLIENT PORT=1\r\nEHLO c\r\nXFORWARD ADDR=192.0.2.2\r\nSTARTTLS\r\n");
    conversation.session.tls_started(TlsInfo::new("TLSv1.3", "TLS_AES_128_GCM_SHA256"), &mut conversation.input);
    assert!(conversation.session.overridden_peer().is_none() && conversation.session.forwarded().is_none());
    assert_eq!(conversation.session.trust(), everything());
    assert!(conversation.send(b"EHLO c\r\n").contains("XCLIENT"));
    assert!(conversation.session.identity().is_none());
    assert_eq!(conversation.send(b"XCLIENT ADDR=192.0.2.1\r\n"), GREETING);
    let offered = conversation.send(b"EHLO c\r\n");
    assert!(!offered.contains("STARTTLS"), "TLS is not begun anew: {offered}");
}

#[test]
fn xforward_is_of_one_message() {
    let mut conversation = trusting(everything());
    let addr = |conversation: &Conversation| conversation.session.forwarded().and_then(|forwarded| forwarded.addr);
    let told = Some(Told::Is("192.0.2.1".parse().unwrap()));
    for end in [
        &b"MAIL FROM:<a@b>\r\nRSET\r\n"[..],
        b"EHLO d\r\n",
        b"MAIL FROM:<a@b>\r\nRCPT TO:<a@b>\r\nDATA\r\nx\r\n.\r\n",
        b"MAIL FROM:<a@b>\r\nRCPT TO:<a@b>\r\nDATA\r\n\0\r\n.\r\n",
        b"MAIL FROM:<a@b>\r\nRCPT TO:<a@b>\r\nBDAT 1 LAST\r\nx",
        b"XCLIENT PORT=1\r\nEHLO c\r\n",
    ] {
        assert_eq!(conversation.send(b"XFORWARD ADDR=192.0.2.1\r\nXFORWARD SOURCE=LOCAL\r\n"), OK.repeat(2));
        let forwarded = conversation.session.forwarded().unwrap();
        assert_eq!((forwarded.addr, forwarded.source), (told, Some(Told::Is(Source::Local))), "together");
        conversation.send(end);
        assert_eq!(addr(&conversation), None, "{}", end.escape_ascii());
    }
    conversation.send(b"XFORWARD ADDR=192.0.2.1\r\nMAIL FROM:<a@b>\r\nRCPT TO:<a@b>\r\nBDAT 1\r\nxNOOP\r\n");
    assert_eq!(addr(&conversation), told, "and lasts for all of it");
    conversation.input.extend_from_slice(b"BDAT 0 LAST\r\n");
    assert!(
        matches!(conversation.session.next_event(&mut conversation.input), Ok(Some(Event::Data(_)))),
        "a line's end"
    );
    assert!(matches!(conversation.session.next_event(&mut conversation.input), Ok(Some(Event::EndOfData(_)))));
    assert_eq!(addr(&conversation), told, "up to the answer to its end");
}

#[test]
fn answers_that_trust_fit_only_what_they_are_for() {
    let mut session = ServerSession::new(std::sync::Arc::new(support::config(Protocol::Smtp)));
    let (mut input, mut output) = (BytesMut::from("NOOP\r\n"), BytesMut::new());
    let identity = mail_wire::sasl::Identity::new(AccountId::new("tim"), None, mail_wire::sasl::Mechanism::Plain);
    session.next_event(&mut input).unwrap();
    assert_eq!(session.answer(Answer::LogIn(identity.clone()), &mut output), Err(UsageError::WrongAnswer));
    session.answer(Answer::greeting(), &mut output).unwrap();
    session.next_event(&mut input).unwrap();
    assert_eq!(session.answer(Answer::LogIn(identity), &mut output), Err(UsageError::WrongAnswer));
    assert_eq!(session.answer(Answer::GreetTrusted(everything()), &mut output), Err(UsageError::WrongAnswer));
    assert_eq!(session.trust(), Trust::none());
}

#[test]
fn sec_t9_another_protocols_first_words_get_one_reply_that_echoes_none_of_them() {
    for octets in [
        &b"GET /secret HTTP/1.1\r\nHost: mail.example.org\r\n\r\n"[..],
        b"POST / HTTP/1.1\r\n\r\nEHLO c\r\nMAIL FROM:<secret@b>\r\n",
        b"CONNECT secret:25 HTTP/1.1\r\n\r\n",
        b"OPTIONS * HTTP/1.1\nsecret\n",
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03secret",
        b"SSH-2.0-secret\r\n",
    ] {
        for cut in 1..octets.len() {
            let mut conversation = Conversation::new(support::config(Protocol::Smtp), Host::new(&["<a@b>"]));
            conversation.said();
            let said = conversation.send(&octets[..cut]) + &conversation.send(&octets[cut..]);
            assert_eq!(said, "500 5.5.1 this is a mail server, closing connection\r\n", "{}", octets.escape_ascii());
            assert!(conversation.session.is_closed());
            assert_eq!(conversation.host.events.len(), 2, "greeting and rejection");
        }
    }
}

#[test]
fn sec_t9_the_middle_of_a_first_line_is_nobodys_first_words() {
    let first = format!("{}GET / HTTP/1.1\r\n", "x".repeat(2100));
    for cut in [first.len(), 7, 100, 2100] {
        let mut conversation = Conversation::new(support::config(Protocol::Smtp), Host::new(&["<a@b>"]));
        let said: String = first.as_bytes().chunks(cut).map(|chunk| conversation.send(chunk)).collect();
        assert!(
            !said.contains("this is a mail server") && !conversation.session.is_closed(),
            "cut every {cut}: {said}"
        );
    }
}

#[test]
fn sec_t9_the_first_words_under_tls_are_first_again_and_later_ones_are_wrong_commands() {
    let mut config = support::config(Protocol::Smtp);
    config.starttls = true;
    let mut conversation = Conversation::new(config, Host::new(&["<a@b>"]));
    conversation.hello();
    assert_eq!(conversation.send(b"GET / HTTP/1.1\r\n"), "500 5.5.2 command not recognized\r\n");
    conversation.send(b"STARTTLS\r\n");
    conversation.start_tls();
    assert!(conversation.send(b"GET / HTTP/1.1\r\n").starts_with("500 5.5.1 "));
    assert!(conversation.session.is_closed());
}
