//! Parameters of MAIL and RCPT: what is offered is taken, and what is not offered is not.
#![allow(clippy::unwrap_used, reason = "tests say what they expect")]

mod support;

use smtp_proto::command::{Command, Dialect, Extensions, FutureRelease, Mail, PriorityProfile, Submitter};
use smtp_proto::session::Protocol;
use support::{Conversation, Host};

#[test]
fn sec_r5_dsn_is_not_offered_and_not_taken_unless_a_host_switches_it_on() {
    for protocol in [Protocol::Smtp, Protocol::Lmtp] {
        let mut conversation = Conversation::new(support::config(protocol), Host::new(&["<a@b>"]));
        conversation.said();
        let hello = if protocol == Protocol::Lmtp { "LHLO c\r\n" } else { "EHLO c\r\n" };
        assert!(!conversation.send(hello.as_bytes()).contains("DSN"));
        assert!(conversation.send(b"MAIL FROM:<x@y> RET=FULL\r\n").starts_with("555 "));
        assert!(conversation.send(b"MAIL FROM:<x@y> ENVID=1\r\n").starts_with("555 "));
        assert!(conversation.send(b"MAIL FROM:<x@y>\r\n").starts_with("250 "));
        assert!(conversation.send(b"RCPT TO:<a@b> NOTIFY=SUCCESS\r\n").starts_with("555 "));
        assert!(conversation.send(b"RCPT TO:<a@b> ORCPT=rfc822;a@b\r\n").starts_with("555 "));
    }
}

#[test]
fn a_submitter_is_believed_of_nobody_who_has_not_logged_in() {
    let mut conversation = Conversation::new(support::config_with_auth(Protocol::Smtp), Host::new(&[]));
    conversation.hello();
    let mut mail = Mail::new("<a@b>".parse::<smtp_proto::grammar::ReversePath>().unwrap());
    assert_eq!(conversation.session.submitter(&mail), None);
    mail.submitter = Some(Submitter::Address("a@b".parse().unwrap()));
    assert_eq!(conversation.session.submitter(&mail), Some(&Submitter::Unknown));
    assert!(conversation.send(b"AUTH PLAIN AHRpbQB0YW5zdGFhZnRhbnN0YWFm\r\n").starts_with("235 "));
    assert_eq!(conversation.session.submitter(&mail), mail.submitter.as_ref());
}

#[test]
fn every_parameter_is_written_as_it_was_parsed() {
    let mut extensions = Extensions::default();
    extensions.auth = true;
    extensions.dsn = true;
    extensions.mt_priority = Some(PriorityProfile::Nsep);
    extensions.deliver_by = Some(0);
    extensions.future_release = Some(FutureRelease::new(9, "2030-01-01T00:00:00Z".parse().unwrap()));
    extensions.rrvs = true;
    let mut dialect = Dialect::default();
    dialect.extensions = extensions;
    for line in [
        "MAIL FROM:<a@b> REQUIRETLS AUTH=a+2Bb@c RET=HDRS ENVID=a+2Bb MT-PRIORITY=-3 BY=-5;NT HOLDFOR=9",
        "MAIL FROM:<a@b> AUTH=<> HOLDUNTIL=2029-01-01T00:00:00+01:30",
        "RCPT TO:<a@b> NOTIFY=FAILURE,DELAY ORCPT=rfc822;a+2Bb@c RRVS=2014-04-03T23:01:00Z;R",
        "RCPT TO:<a@b> NOTIFY=NEVER ORCPT=utf-8;\\x{E4}@c",
    ] {
        let command = Command::parse(line.as_bytes(), &dialect).expect(line);
        let mut out = bytes::BytesMut::new();
        command.encode(&mut out);
        assert_eq!(String::from_utf8_lossy(&out), format!("{line}\r\n"));
        assert!(Command::parse(line.as_bytes(), &Dialect::default()).is_err(), "off by default: {line}");
    }
}
