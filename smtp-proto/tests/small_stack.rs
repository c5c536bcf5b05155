//! Commands and replies of any length are read and written on a stack of 64 KiB, without optimisation too.
#![allow(clippy::unwrap_used, reason = "it is a test")]

use std::sync::Arc;

use bytes::BytesMut;
use smtp_proto::command::{Command, Dialect};
use smtp_proto::grammar::Keyword;
use smtp_proto::response::Reply;
use smtp_proto::session::{Config, Event, Protocol, ServerSession};

fn on_a_small_stack(test: impl FnOnce() + Send + 'static) {
    std::thread::Builder::new().stack_size(64 * 1024).spawn(test).unwrap().join().unwrap();
}

#[test]
fn sec_m10_lines_of_any_shape_are_read() {
    on_a_small_stack(|| {
        let mut dialect = Dialect::default();
        dialect.extensions.dsn = true;
        dialect.extensions.auth = true;
        dialect.mail_parameters.extend((0..100).map(|number| format!("A{number}").parse::<Keyword>().unwrap()));
        let parameters = |count: usize| (0..count).map(|number| format!(" A{number}=1")).collect::<String>();
        let domain = |labels: usize| format!("{}b", "a.".repeat(labels));
        let many = 20_000;
        // What the grammar has no ceiling for is taken, however much of it there is: the line's length is the ceiling.
        for (line, is_legal) in [
            (format!("MAIL FROM:<@x{}:a@b>", ",@x".repeat(many)), true),
            (format!("MAIL FROM:<{}@b>", "a.".repeat(127) + "a"), true),
            (format!("MAIL FROM:<{}@b>", "a.".repeat(many) + "a"), false),
            (format!("MAIL FROM:<a@{}>", domain(127)), true),
            (format!("MAIL FROM:<a@{}>", domain(many)), false),
            (format!("MAIL FROM:<\"{}\"@b>", "\\a".repeat(256)), true),
            (format!("MAIL FROM:<\"{}\"@b>", "\\a".repeat(many)), false),
            (format!("MAIL FROM:<a@b>{}", parameters(32)), true),
            (format!("MAIL FROM:<a@b>{}", parameters(100)), false),
            (format!("MAIL FROM:<a@b>{}", " A1=1".repeat(many)), false),
            (format!("RCPT TO:<a@b> ORCPT=rfc822;{}", "+41".repeat(164)), true),
            (format!("RCPT TO:<a@b> ORCPT=rfc822;{}", "+41".repeat(many)), false),
            (format!("RCPT TO:{}", "<".repeat(many)), false),
            (format!("EHLO [{}]", "[".repeat(many)), false),
            (format!("EHLO {}", domain(127)), true),
            (format!("AUTH PLAIN {}", "A".repeat(many)), true),
            (format!("NOOP {}", "x ".repeat(many) + "y"), true),
        ] {
            let parsed = Command::parse(line.as_bytes(), &dialect);
            assert_eq!(parsed.is_ok(), is_legal, "{}…: {parsed:?}", &line[..30]);
            if let Ok(command) = parsed {
                let mut out = BytesMut::new();
                command.encode(&mut out);
                assert_eq!(Command::parse(out.strip_suffix(b"\r\n").unwrap(), &dialect), Ok(command));
            }
        }
        let reply = format!("{}250 2.0.0 end\r\n", "250-2.0.0 line\r\n".repeat(many));
        assert_eq!(Reply::parse(reply.as_bytes()).unwrap().lines().len(), many + 1);
    });
}

#[test]
fn a_whole_conversation_fits() {
    on_a_small_stack(|| {
        let config = Config::new("mail.example.org".parse().unwrap(), Protocol::Smtp);
        let mut session = ServerSession::new(Arc::new(config));
        let wire = "EHLO a\r\nMAIL FROM:<a@b>\r\nRCPT TO:<c@d>\r\nDATA\r\nhello\r\n..\r\n.\r\nQUIT\r\n";
        let (mut input, mut output) = (BytesMut::from(wire), BytesMut::new());
        while let Some(event) = session.next_event(&mut input).unwrap() {
            let answer = match &event {
                Event::Data(_) => continue,
                Event::Rcpt(rcpt) => rcpt.accept(),
                Event::EndOfData(end) => end.accept(),
                _ => event.default_answer(),
            };
            session.answer(answer, &mut output).unwrap();
        }
        assert!(session.is_closed());
    });
}
