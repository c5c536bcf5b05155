//! Whatever a peer says and whatever a host answers: where the input is cut changes nothing, a mistake of the host's is
//! told and changes nothing, and the replies are in step with what was asked. What is written can be read again.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests say what they expect")]

mod support;

use std::sync::Arc;

use bytes::BytesMut;
use mail_wire::CredentialAnswer;
use mail_wire::dot::LineEndPolicy;
use mail_wire::machine::TlsInfo;
use proptest::prelude::*;
use smtp_proto::command::{Command, Dialect};
use smtp_proto::grammar::{EnhancedStatusCode as Status, Xtext};
use smtp_proto::session::{Answer, Config, Event, Protocol, ServerSession};
use smtp_proto::{Reply, UsageError};

/// What a conversation came to.
#[derive(Debug, Default, PartialEq)]
struct Outcome {
    /// Events in order; neighbouring octets of a message joined.
    events: Vec<String>,
    output: Vec<u8>,
    /// What stays unread.
    left: Vec<u8>,
    phase: String,
}

/// A whole message as it goes over the wire, by DATA or in chunks, with all of its commands in one piece.
fn message() -> impl Strategy<Value = Vec<u8>> {
    let body = prop::collection::vec(prop::sample::select(b"xxxx..\r\r\n\n\0\xe4".to_vec()), 0..40);
    let mail = prop::sample::select(vec![
        "MAIL FROM:<a@b>\r\n",
        "MAIL FROM:<> SIZE=5 BODY=8BITMIME\r\n",
        "MAIL FROM:<a@b> BODY=BINARYMIME\r\n",
        "MAIL FROM:<j\u{fc}rgen@b> SMTPUTF8\r\n",
        "MAIL FROM:<a@b> SIZE=1000\r\n",
    ]);
    let sizes = prop::collection::vec(0usize..12, 0..4);
    (mail, 0usize..4, body, sizes, 0u8..4).prop_map(|(mail, recipients, body, sizes, way)| {
        let mut octets = [mail.as_bytes(), &b"RCPT TO:<a@b>\r\n".repeat(recipients)].concat();
        if way < 2 {
            octets.extend_from_slice(&[b"DATA\r\n", &body[..], b"\r\n.\r\n"].concat());
            return octets;
        }
        let mut rest = &body[..];
        for size in sizes {
            let (chunk, behind) = rest.split_at(size.min(rest.len()));
            octets.extend_from_slice(&[format!("BDAT {}\r\n", chunk.len()).as_bytes(), chunk].concat());
            rest = behind;
        }
        let last = if way == 2 { " LAST" } else { "" };
        octets.extend_from_slice(&[format!("BDAT {}{last}\r\n", rest.len()).as_bytes(), rest].concat());
        octets
    })
}

fn conversation() -> impl Strategy<Value = Vec<u8>> {
    let line = prop::sample::select(vec![
        "EHLO c\r\n",
        "HELO c\r\n",
        "LHLO c\r\n",
        "RSET\r\n",
        "NOOP\r\n",
        "VRFY x\r\n",
        "EXPN x\r\n",
        "HELP\r\n",
        "DATA\r\n",
        ".\r\n",
        "BDAT 3 LAST\r\nab\n",
        "BDAT 4\r\n\r\n.\r",
        "BDAT x\r\n",
        "BDAT 7 LAS\r\nNOOP\r\n ",
        "BDAT 3 LAST",
        "AUTH PLAIN\r\n",
        "AHRpbQB0YW5zdGFhZnRhbnN0YWFm\r\n",
        "*\r\n",
        "AUTH PLAIN AHRpbQB0YW5zdGFhZnRhbnN0YWFm\r\n",
        "AUTH LOGIN\r\ndGlt\r\ndGlt\r\n",
        "AUTH SCRAM-SHA-256 biwsbj10aW0scj1hYmM=\r\n",
        "RCPT TO:<x@b> X=y\r\n",
        "MAIL FROM:<a@b\r\n",
        "FOO\r\n",
        "\r\n",
        "\r",
        "\n",
        "STARTTLS\r\n",
        "QUIT\r\n",
    ]);
    let line = line.prop_map(|line| line.as_bytes().to_vec());
    let long = (480usize..700).prop_map(|length| [b"NOOP ", &vec![b'x'; length][..], b"\r\n"].concat());
    let noise = prop::collection::vec(any::<u8>(), 0..12);
    let part = prop_oneof![6 => message(), 6 => line, 1 => long, 1 => noise];
    (any::<bool>(), prop::collection::vec(part, 0..12)).prop_map(|(hello, parts)| {
        let hello: &[u8] = if hello { b"EHLO c\r\nLHLO c\r\n" } else { b"" };
        [hello, &parts.concat()].concat()
    })
}

fn config(lmtp: bool, submission: bool, reject: bool) -> Arc<Config> {
    let protocol = match (lmtp, submission) {
        (true, _) => Protocol::Lmtp,
        (_, true) => Protocol::Submission,
        _ => Protocol::Smtp,
    };
    let mut config = support::config_with_auth(protocol);
    config.line_ends = if reject { LineEndPolicy::Reject } else { LineEndPolicy::Normalize };
    config.starttls = true;
    config.dialect.extensions.chunking = true;
    config.dialect.extensions.binary_mime = true;
    config.limits.message_size = 30;
    (config.limits.recipients, config.limits.messages) = (3, 4);
    Arc::new(config)
}

fn reply(code: u16) -> Reply {
    let status = match code / 100 {
        2 => Status::success(0, 0),
        4 => Status::transient(0, 0),
        _ => Status::permanent(0, 0),
    };
    Reply::of(code, status, "said by the host")
}

/// Everything that a host could say to anything.
fn answers() -> Vec<Answer> {
    let replies = [250, 354, 451, 550, 421, 235, 220].map(reply);
    let to_all = [250, 452, 554].map(|code| Answer::ToAll(reply(code)));
    let credentials = [CredentialAnswer::Rejected, CredentialAnswer::Unavailable];
    let account = CredentialAnswer::Accepted(mail_wire::AccountId::new("tim"));
    let credentials = credentials.into_iter().chain([account]).map(Answer::Credential);
    std::iter::once(Answer::Proceed).chain(replies.map(Answer::Reply)).chain(to_all).chain(credentials).collect()
}

/// Plays octets that come in pieces to a host that says what the dice say, and what fits if that does not fit.
fn play(config: &Arc<Config>, octets: &[u8], cuts: &[usize], dice: &[u8]) -> Outcome {
    let (mut session, mut it) = (ServerSession::new(Arc::clone(config)), Outcome::default());
    let (mut input, mut output, mut rolled) = (BytesMut::new(), BytesMut::new(), 0);
    let (mut rest, mut cuts, mut in_data) = (octets, cuts.iter().cycle(), false);
    loop {
        while let Some(event) = session.next_event(&mut input).unwrap() {
            if !event.needs_answer() {
                let data = event.into_data().unwrap();
                assert!(!data.is_empty());
                if !std::mem::replace(&mut in_data, true) {
                    it.events.push(String::new());
                }
                *it.events.last_mut().unwrap() += &data.escape_ascii().to_string();
                continue;
            }
            in_data = false;
            it.events.push(format!("{event:?}"));
            while session.replies_owed() > 0 {
                let die = usize::from(dice[rolled % dice.len()]);
                rolled += 1;
                // Most are polite: else no conversation comes far.
                let answer =
                    if die < 40 { answers().swap_remove(die % answers().len()) } else { event.default_answer() };
                let answer = match &event {
                    Event::Rcpt(rcpt) if die >= 60 => rcpt.accept(),
                    Event::EndOfData(end) if die >= 60 => end.accept(),
                    Event::StartTls(start) if die >= 200 => start.ready(),
                    _ => answer,
                };
                let (before, owed, phase) = (output.len(), session.replies_owed(), session.state());
                match session.answer(answer, &mut output) {
                    Ok(()) => {}
                    Err(UsageError::WrongAnswer) => {
                        assert_eq!((output.len(), session.replies_owed(), session.state()), (before, owed, phase));
                        assert!(session.next_event(&mut input).is_err(), "it is still owed");
                        session.answer(event.default_answer(), &mut output).unwrap();
                    }
                    Err(error) => panic!("{event:?}: {error}"),
                }
                if session.is_closed() {
                    break;
                }
            }
            assert!(session.answer(reply(250), &mut output).is_err(), "no answer is owed");
        }
        let waits = config.limits.auth_line + 28;
        assert!(
            input.len() <= waits || session.is_closed() || session.state() == smtp_proto::session::Phase::Handshake
        );
        let (piece, behind) = rest.split_at((*cuts.next().unwrap()).min(rest.len()));
        if piece.is_empty() {
            break;
        }
        input.extend_from_slice(piece);
        rest = behind;
    }
    it.output = output.to_vec();
    it.left = input.to_vec();
    it.phase = format!("{:?}", session.state());
    // Whatever comes next, there is an end, and nothing behind it.
    session.tls_started(TlsInfo::new("TLSv1.3", "TLS_AES_128_GCM_SHA256"), &mut input);
    assert!(input.is_empty());
    let _ = session.end_of_input();
    assert!(session.is_closed() && session.next_event(&mut BytesMut::from("NOOP\r\n")).unwrap().is_none());
    assert_eq!(session.answer(reply(250), &mut output), Err(UsageError::Closed));
    it
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]

    #[test]
    fn cutting_the_input_anywhere_changes_nothing_whatever_the_host_says(
        octets in conversation(),
        cuts in prop::collection::vec(1usize..30, 1..8),
        dice in prop::collection::vec(any::<u8>(), 1..20),
        kind: (bool, bool, bool),
    ) {
        let config = config(kind.0, kind.1, kind.2);
        let whole = play(&config, &octets, &[octets.len().max(1)], &dice);
        prop_assert_eq!(&play(&config, &octets, &cuts, &dice), &whole);
        prop_assert_eq!(&play(&config, &octets, &[1], &dice), &whole);
        // All that was said is replies, each whole (RFC 5321 §4.2).
        let mut in_reply = None;
        for line in whole.output.split_inclusive(|&octet| octet == b'\n') {
            prop_assert!(line.ends_with(b"\r\n") && line.len() <= 512 && line[..3].iter().all(u8::is_ascii_digit));
            let code = &line[..3];
            prop_assert!(in_reply.is_none_or(|begun| begun == code), "{:?}", whole.output.escape_ascii().to_string());
            in_reply = (line[3] == b'-').then_some(code);
        }
        prop_assert_eq!(in_reply, None);
    }

    #[test]
    fn sec_m10_every_step_takes_octets_or_is_owed_by_the_octets_before(octets in conversation(), kind: (bool, bool, bool)) {
        let mut session = ServerSession::new(config(kind.0, kind.1, kind.2));
        let (mut input, mut output) = (BytesMut::from(&octets[..]), BytesMut::new());
        let (mut idle_steps, mut before) = (0, input.len());
        while let Some(event) = session.next_event(&mut input).unwrap() {
            // Behind a line there are a query, what its answer leads to, and the octets of a chunk that ends; behind the
            // connection's beginning the greeting.
            idle_steps = if input.len() < before { 0 } else { idle_steps + 1 };
            prop_assert!(idle_steps <= 3, "{:?} at {}", event, input.escape_ascii());
            before = input.len();
            while session.replies_owed() > 0 && event.needs_answer() && !session.is_closed() {
                let answer = match &event {
                    Event::Rcpt(rcpt) => rcpt.accept(),
                    event => event.default_answer(),
                };
                session.answer(answer, &mut output).unwrap();
            }
        }
    }

    #[test]
    fn a_command_that_was_read_is_written_so_that_it_reads_the_same(octets in conversation()) {
        let mut dialect = Dialect::default();
        dialect.extensions.chunking = true;
        dialect.extensions.binary_mime = true;
        for line in octets.split(|&octet| octet == b'\n') {
            let Ok(command) = Command::parse(line.trim_ascii_end(), &dialect) else { continue };
            let mut written = BytesMut::new();
            command.encode(&mut written);
            prop_assert!(written.ends_with(b"\r\n"));
            let read = Command::parse(&written[..written.len() - 2], &dialect);
            prop_assert_eq!(read, Ok(command));
        }
    }

    #[test]
    fn sec_i2_a_reply_that_was_written_reads_the_same(code in 200u16..560, texts in prop::collection::vec("\\PC{0,60}|[ -~\r\n]{0,60}", 1..5)) {
        let lines: Vec<_> = texts.iter().map(|text| smtp_proto::grammar::ReplyText::lossy(text)).collect();
        let Some(code) = smtp_proto::response::ReplyCode::new(code) else { return Ok(()) };
        let mut lines = lines.into_iter();
        let reply = lines.by_ref().fold(None, |reply: Option<Reply>, line| {
            Some(match reply {
                None => Reply::new(code, None, line),
                Some(reply) => reply.with_line(line),
            })
        }).unwrap();
        let mut written = BytesMut::new();
        reply.encode(&mut written);
        let read = Reply::parse(&written).unwrap();
        let mut again = BytesMut::new();
        read.encode(&mut again);
        prop_assert_eq!(again, written, "{:?}", reply);
        prop_assert_eq!(read.lines().len(), texts.len());
    }

    #[test]
    fn xtext_that_was_written_reads_the_same(octets in prop::collection::vec(any::<u8>(), 0..60)) {
        let text = Xtext::from_octets(octets);
        let written = text.to_string();
        prop_assert!(written.bytes().all(|octet| octet.is_ascii_graphic() && octet != b'='), "RFC 3461 §4: {}", written);
        prop_assert_eq!(written.parse::<Xtext>().unwrap(), text);
    }
}
