//! Commands and replies of any length are read and written on a stack of 64 KiB, without optimisation too.
#![allow(clippy::unwrap_used, reason = "it is a test")]

use std::sync::Arc;

use bytes::BytesMut;
use smtp_proto::command::{Command, Dialect};
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
        let many = 20_000;
        for line in [
            format!("MAIL FROM:<{}a@b>", "@x,".repeat(many)),
            format!("MAIL FROM:<{}@b>", "a.".repeat(many)),
            format!("MAIL FROM:<a@{}b>", "a.".repeat(many)),
            format!("MAIL FROM:<\"{}\"@b>", "\\a".repeat(many)),
            format!("MAIL FROM:<a@b>{}", " A=1".repeat(many)),
            format!("RCPT TO:<a@b> ORCPT=rfc822;{}", "+41".repeat(many)),
            format!("RCPT TO:{}", "<".repeat(many)),
            format!("EHLO [{}]", "[".repeat(many)),
            format!("AUTH PLAIN {}", "A".repeat(many)),
        ] {
            if let Ok(command) = Command::parse(line.as_bytes(), &dialect) {
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
