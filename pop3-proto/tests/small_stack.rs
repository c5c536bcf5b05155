//! Commands of any shape, and a whole conversation, on a stack of 64 KiB, without optimisation too.
#![allow(clippy::unwrap_used, reason = "it is a test")]

use std::sync::Arc;

use bytes::BytesMut;
use mail_wire::Secret;
use mail_wire::sasl::SaslConfig;
use pop3_proto::session::{Config, ServerSession};

#[test]
fn sec_m10_lines_of_any_shape_are_answered() {
    let test = || {
        let config = Config::new("mail.example.org", Arc::new(SaslConfig::new(Secret::new([7; 32]))));
        let config = Arc::new(config.with_insecure_login(true));
        for line in
            ["USER a".to_owned(), "x ".repeat(100), "LIST 1".repeat(5000), "\"".repeat(200), "AUTH PLAIN ".repeat(20)]
        {
            let mut session = ServerSession::new(Arc::clone(&config));
            let (mut input, mut output) = (BytesMut::from(format!("{line}\r\nQUIT\r\n").as_bytes()), BytesMut::new());
            while let Some(event) = session.next_event(&mut input).unwrap() {
                session.answer(event.default_answer(), &mut output).unwrap();
            }
            assert!(session.is_closed() && output.starts_with(b"+OK"), "{line}");
        }
    };
    std::thread::Builder::new().stack_size(64 * 1024).spawn(test).unwrap().join().unwrap();
}
