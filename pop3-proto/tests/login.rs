//! Who is let in, and what nobody learns from who is not.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "it is a test")]

mod host;

use bytes::BytesMut;
use host::{Conversation, Host, insecure, mrose, secure};
use mail_wire::sasl::scram::derive;
use mail_wire::sasl::{Mechanism, SaslConfig};
use mail_wire::{AccountId, CredentialAnswer, CredentialQuery, ScramHash, ScramKeys, Secret, base64};
use pop3_proto::{Answer, Config, Event, Maildrop, ServerSession, UsageError};
use std::sync::Arc;

#[test]
fn sec_a2_known_and_unknown_users_are_told_the_same() {
    let story = |name: &str| {
        let mut conversation = Conversation::begin(insecure(), mrose());
        let mut told = conversation.say(format!("USER {name}\r\n"));
        told += &conversation.say("PASS wrong\r\n");
        let plain = base64::encode(format!("\0{name}\0wrong").as_bytes());
        told += &conversation.say(format!("AUTH PLAIN {plain}\r\n"));
        told += &conversation.say("AUTH LOGIN\r\n");
        told += &conversation.say(format!("{}\r\n", base64::encode(name.as_bytes())));
        told + &conversation.say(format!("{}\r\n", base64::encode(b"wrong")))
    };
    let known = story("mrose");
    assert_eq!(known.matches("-ERR [AUTH] authentication failed\r\n").count(), 3);
    assert!(known.starts_with("+OK send PASS\r\n"));
    for unknown in ["nobody", "mrose2", "MROSE"] {
        assert_eq!(story(unknown), known, "{unknown:?}");
    }
    // A name that SASLprep lets nobody have.
    let said = Conversation::begin(insecure(), mrose()).say("USER \u{e000}\r\nPASS wrong\r\n");
    assert_eq!(said, "+OK send PASS\r\n-ERR [AUTH] authentication failed\r\n");
}

#[test]
fn sec_a8_no_control_character_reaches_the_host() {
    for field in ["a\0b", "a\rb", "a\nb", "a\x7fb", "a\tb", "\u{85}"] {
        let mut conversation = Conversation::begin(insecure(), mrose());
        let said = conversation.say(format!("USER {field}\r\nUSER mrose\r\nPASS {field}\r\n"));
        assert!(said.starts_with("-ERR ") && !said.contains("maildrop"), "{field:?}: {said}");
        for message in [format!("\0{field}\0x"), format!("{field}\0mrose\0secret"), format!("\0mrose\0{field}")] {
            let said = conversation.say(format!("AUTH PLAIN {}\r\n", base64::encode(message.as_bytes())));
            assert!(said.starts_with("-ERR "), "{field:?}: {said}");
        }
        assert!(!conversation.host.events.iter().any(|event| event == "Credentials"), "{field:?}");
    }
    let mut conversation = Conversation::begin(insecure(), mrose());
    assert!(conversation.say(b"USER \xff\r\n").starts_with("-ERR "));
    assert_eq!(
        conversation.say(b"USER mrose\r\nPASS \xff\r\n"),
        "+OK send PASS\r\n-ERR [AUTH] authentication failed\r\n"
    );
    assert!(!conversation.host.events.iter().any(|event| event == "Credentials"));
}

#[test]
fn sec_a13_nothing_that_can_be_shown_holds_a_secret() {
    let (session, mut input) = (&mut Conversation::begin(insecure(), mrose()).session, BytesMut::new());
    let (mut out, mut shown) = (BytesMut::new(), String::new());
    let coded = base64::encode(b"\0mrose\0hunter2");
    for line in ["USER mrose", "PASS hunter2", "AUTH PLAIN", &coded, &format!("AUTH PLAIN {coded}")] {
        input.extend_from_slice(format!("{line}\r\n").as_bytes());
        while let Some(event) = session.next_event(&mut input).unwrap() {
            shown += &format!("{event:?} {event:#?} {session:?} {session:#?}");
            session.answer(event.default_answer(), &mut out).unwrap();
        }
    }
    shown += std::str::from_utf8(&out).unwrap();
    assert!(shown.contains("Credentials"), "the secrets have passed");
    assert!(!shown.contains("hunter2") && !shown.contains(&coded), "{shown}");
}

#[test]
fn sec_t7_without_tls_no_login_is_taken_and_none_is_advertised() {
    let mut conversation = Conversation::begin(secure(), mrose());
    let capabilities = conversation.say("CAPA\r\n");
    assert!(!capabilities.contains("\nUSER") && !capabilities.contains("SASL"), "{capabilities}");
    let plain = base64::encode(b"\0mrose\0secret");
    for line in ["USER mrose", "PASS secret", &format!("AUTH PLAIN {plain}"), "AUTH PLAIN", "AUTH LOGIN"] {
        assert_eq!(conversation.say(format!("{line}\r\n")), "-ERR [AUTH] no login without TLS\r\n", "{line}");
    }
    assert!(!conversation.host.events.iter().any(|event| event == "Credentials" || event == "User"));
}

#[test]
fn sec_a14_apop_is_not_there_and_not_in_the_greeting() {
    let mut session = Conversation::begin(insecure(), Host::default()).session;
    let (mut input, mut out) = (BytesMut::from("APOP mrose c4c9334bac560ecc979e58001b3e22fb\r\n"), BytesMut::new());
    assert!(matches!(session.next_event(&mut input), Ok(Some(Event::Rejected(_)))));
    let mut session = ServerSession::new(Arc::new(insecure()));
    let greeting = pop3_proto::grammar::ResponseText::new("ready <1896.697170952@dbc.mtview.ca.us>").unwrap();
    assert_eq!(session.answer(Answer::Ok(Some(greeting)), &mut out), Err(UsageError::TimestampInGreeting));
    session.answer(Answer::greeting(), &mut out).unwrap();
    assert!(!out.contains(&b'<'));
}

#[test]
fn sec_a14_apop_is_there_when_the_host_asks_for_it_and_each_greeting_has_another_timestamp() {
    let config = Arc::new(insecure().with_apop(true));
    let greeting = || {
        let (mut session, mut out) = (ServerSession::new(Arc::clone(&config)), BytesMut::new());
        session.answer(Answer::greeting(), &mut out).unwrap();
        String::from_utf8(out.to_vec()).unwrap()
    };
    let (first, second) = (greeting(), greeting());
    assert!(first.starts_with("+OK POP3 server ready <") && first.ends_with("@dewey>\r\n"), "{first}");
    assert_ne!(first, second);
    let broken = insecure().with_apop_timestamps(|| "<a\r\n+OK b>".into());
    let mut conversation = Conversation::begin(broken, mrose());
    let told = conversation.say("APOP mrose c4c9334bac560ecc979e58001b3e22fb\r\n");
    assert_eq!(told, "-ERR APOP is not offered\r\n");
    let mut session = ServerSession::new(Arc::new(insecure().with_apop_timestamps(|| "<1@a>".into())));
    let (mut out, own) = (BytesMut::new(), pop3_proto::grammar::ResponseText::new("hello").unwrap());
    session.answer(Answer::Ok(Some(own)), &mut out).unwrap();
    assert_eq!(out, "+OK hello <1@a>\r\n");
    let plain = secure().with_apop(true);
    let told = Conversation::begin(plain, mrose()).say("APOP mrose c4c9334bac560ecc979e58001b3e22fb\r\n");
    assert_eq!(told, "-ERR [AUTH] no login without TLS\r\n");
}

#[test]
fn sec_a11_the_tenth_failed_login_closes() {
    let mut conversation = Conversation::begin(insecure(), mrose());
    for attempt in 1..=10 {
        assert!(!conversation.session.is_closed(), "before attempt {attempt}");
        let said = conversation.say("USER mrose\r\nPASS wrong\r\n");
        assert_eq!(said, "+OK send PASS\r\n-ERR [AUTH] authentication failed\r\n");
    }
    assert!(conversation.session.is_closed());
    assert_eq!(conversation.say("USER mrose\r\nPASS secret\r\n"), "");
}

#[test]
fn sec_m16_a_response_too_long_or_malformed_ends_its_exchange_only() {
    let mut conversation = Conversation::begin(insecure(), mrose());
    for (response, told) in [
        ("A".repeat(12_287), "-ERR response too long\r\n"),
        ("A".repeat(1 << 20), "-ERR response too long\r\n"),
        ("AG1yb3NlAHNlY3JldA=".into(), "-ERR malformed response\r\n"),
        ("AG1yb3Nl AHNlY3JldA==".into(), "-ERR malformed response\r\n"),
        ("AG1yb3NlAHNlY3JldA==\n".into(), "-ERR malformed response\r\n"),
        ("*".into(), "-ERR authentication aborted\r\n"),
    ] {
        assert_eq!(conversation.say("AUTH PLAIN\r\n"), "+ \r\n");
        assert_eq!(conversation.say(format!("{response}\r\n")), told);
    }
    assert!(conversation.input.is_empty());
    let plain = base64::encode(b"\0mrose\0secret");
    let said = conversation.say(format!("AUTH PLAIN\r\n{plain}\r\n"));
    assert_eq!(said, "+ \r\n+OK maildrop has 2 messages (320 octets)\r\n");
}

#[test]
fn sec_m17_a_hundred_thousand_aborted_exchanges_leave_nothing() {
    let mut conversation = Conversation::begin(insecure(), mrose());
    for _ in 0..100_000 {
        conversation.host.events.clear();
        assert_eq!(conversation.say("AUTH PLAIN\r\n*\r\n"), "+ \r\n-ERR authentication aborted\r\n");
    }
    assert!(!conversation.session.is_closed() && conversation.input.capacity() < 64 * 1024);
    assert!(conversation.say("USER mrose\r\nPASS secret\r\n").ends_with("maildrop has 2 messages (320 octets)\r\n"));
}

#[test]
fn sec_a12_what_is_pipelined_behind_a_login_waits_for_it() {
    let mut conversation = Conversation::begin(insecure(), mrose());
    let plain = base64::encode(b"\0mrose\0secret");
    let said = conversation.say(format!("AUTH PLAIN {plain}\r\nSTAT\r\nUSER mrose\r\n"));
    assert_eq!(said, "+OK maildrop has 2 messages (320 octets)\r\n+OK 2 320\r\n-ERR already logged in\r\n");
    let mut conversation = Conversation::begin(insecure(), mrose());
    let said = conversation.say("USER mrose\r\nPASS wrong\r\nSTAT\r\n");
    assert_eq!(said, "+OK send PASS\r\n-ERR [AUTH] authentication failed\r\n-ERR log in first\r\n");
}

#[test]
fn scram_goes_through_with_the_example_of_rfc_7677() {
    const CLIENT_FIRST: &str = "n,,n=user,r=rOprNGfwEbeRWgbNEkqO";
    const SERVER_FIRST: &str = "r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096";
    const CLIENT_FINAL: &str = "c=biws,r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,\
                                p=dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ=";
    const SERVER_FINAL: &str = "v=6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4=";
    let sasl = SaslConfig::new(Secret::new([7; 32])).with_nonces(|| "%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0".into());
    let config =
        Config::new("dewey", Arc::new(sasl)).with_insecure_login(true).with_mechanisms([Mechanism::ScramSha256]);
    let mut session = ServerSession::new(Arc::new(config));
    let (mut input, mut out) = (BytesMut::new(), BytesMut::new());
    let mut say = |line: String| {
        input.extend_from_slice(line.as_bytes());
        while let Some(event) = session.next_event(&mut input).unwrap() {
            let answer = match &event {
                Event::Credentials(CredentialQuery::ScramKeys { user, hash }) => {
                    assert_eq!((user.as_str(), *hash), ("user", ScramHash::Sha256));
                    let salt = base64::decode(b"W22ZaJ0SNY7soEsUEjb6gQ==", 16).unwrap();
                    let keys = derive("pencil", &salt, 4096, *hash).unwrap();
                    let keys = ScramKeys::new(AccountId::new("user"), salt, 4096, vec![keys]);
                    CredentialAnswer::ScramKeys(keys).into()
                }
                Event::Authenticated(who) => {
                    assert_eq!((who.account.as_str(), who.mechanism), ("user", Some(Mechanism::ScramSha256)));
                    Maildrop::new(1, 0).into()
                }
                event => event.default_answer(),
            };
            session.answer(answer, &mut out).unwrap();
        }
        String::from_utf8(out.split().to_vec()).unwrap()
    };
    let coded = |text: &str| base64::encode(text.as_bytes());
    say(String::new());
    assert!(say("CAPA\r\n".into()).contains("\r\nSASL SCRAM-SHA-256\r\n"));
    let first = say(format!("AUTH SCRAM-SHA-256 {}\r\n", coded(CLIENT_FIRST)));
    assert_eq!(first, format!("+ {}\r\n", coded(SERVER_FIRST)));
    let last = say(format!("{}\r\n", coded(CLIENT_FINAL)));
    assert_eq!(last, format!("+ {}\r\n", coded(SERVER_FINAL)));
    // The client has checked the server's proof, and says so by saying nothing (RFC 5034 §4).
    assert_eq!(say("\r\n".into()), "+OK maildrop has 0 messages (0 octets)\r\n");
}

#[test]
fn a_host_without_a_policy_lets_nobody_in() {
    let mut session = ServerSession::new(Arc::new(insecure()));
    let (mut input, mut out) =
        (BytesMut::from("USER mrose\r\nPASS secret\r\nSTLS\r\nSTAT\r\nQUIT\r\n"), BytesMut::new());
    while let Some(event) = session.next_event(&mut input).unwrap() {
        assert!(event.needs_answer());
        session.answer(event.default_answer(), &mut out).unwrap();
    }
    assert_eq!(
        std::str::from_utf8(&out).unwrap(),
        "+OK dewey POP3 server ready\r\n+OK send PASS\r\n-ERR [SYS/TEMP] authentication is not available for now\r\n\
         -ERR STLS is not offered\r\n-ERR log in first\r\n+OK dewey POP3 server signing off\r\n"
    );
    assert!(session.is_closed());
}
