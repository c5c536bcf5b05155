//! What somebody puts behind STLS before the handshake, and what was said before it, counts for nothing.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "it is a test")]

mod host;

use host::{Conversation, mrose, secure};
use pop3_proto::SessionState;

#[test]
fn sec_t1_nothing_behind_stls_is_read_before_the_handshake() {
    for (same, next) in [("USER evil\r\nPASS x\r\n", ""), ("", "USER evil\r\n"), ("USER ev", "il\r\n"), ("US", "")] {
        let mut conversation = Conversation::begin(secure(), mrose());
        assert_eq!(conversation.say(format!("STLS\r\n{same}")), "+OK Begin TLS negotiation\r\n");
        assert_eq!(conversation.say(next), "");
        assert_eq!(conversation.session.state(), SessionState::Handshake);
        assert_eq!(&conversation.input[..], format!("{same}{next}").as_bytes(), "it is left for the handshake");
        conversation.handshake();
        assert!(conversation.input.is_empty(), "clear text does not survive the handshake");
        assert_eq!(conversation.say(""), "", "no answer to what was slipped in");
        assert_eq!(conversation.say("PASS secret\r\n"), "-ERR PASS comes directly behind USER\r\n");
        let said = conversation.say("USER mrose\r\nPASS secret\r\n");
        assert_eq!(said, "+OK send PASS\r\n+OK maildrop has 2 messages (320 octets)\r\n");
    }
}

#[test]
fn sec_t1_half_a_line_before_the_handshake_is_not_completed_after_it() {
    let mut conversation = Conversation::begin(secure(), mrose());
    conversation.say("STLS\r\n");
    conversation.say("USER ev");
    conversation.handshake();
    assert_eq!(conversation.say("il\r\n"), "-ERR expected a command at octet 0\r\n");
}

#[test]
fn sec_t3_nothing_that_was_said_before_the_handshake_counts_after_it() {
    let config = secure().with_insecure_login(true);
    let mut conversation = Conversation::begin(config, mrose());
    assert_eq!(conversation.say("USER mrose\r\nSTLS\r\n"), "+OK send PASS\r\n+OK Begin TLS negotiation\r\n");
    conversation.handshake();
    assert_eq!(conversation.session.state(), SessionState::Authorization);
    assert_eq!(conversation.say("PASS secret\r\n"), "-ERR PASS comes directly behind USER\r\n");
    assert!(conversation.session.tls().is_some());
}

#[test]
fn sec_t4_stls_is_refused_twice_and_after_login() {
    let mut conversation = Conversation::begin(secure().with_insecure_login(true), mrose());
    conversation.say("USER mrose\r\nPASS secret\r\n");
    assert_eq!(conversation.say("STLS\r\n"), "-ERR already logged in\r\n");
    let mut conversation = Conversation::begin(secure(), mrose());
    conversation.say("STLS\r\n");
    conversation.handshake();
    assert_eq!(conversation.say("STLS\r\n"), "-ERR command not permitted when TLS active\r\n");
    assert!(!conversation.say("CAPA\r\n").contains("STLS"));
}

#[test]
fn implicit_tls_greets_inside_it() {
    let mut session = pop3_proto::ServerSession::new(std::sync::Arc::new(secure()));
    let mut input = bytes::BytesMut::new();
    session.tls_started(mail_wire::machine::TlsInfo::new("TLSv1.3", "x"), &mut input);
    assert!(matches!(session.next_event(&mut input), Ok(Some(pop3_proto::Event::Connected))));
}
