//! Whatever a client sends, however it is cut, a session has the same conversation, and what it says can be read.

use bytes::BytesMut;
use imap_proto::grammar::Dialect;
use imap_proto::response::{ResponseLimits, ResponseReader};
use imap_proto::session::{Answer, Config, Event, ServerSession};
use mail_wire::sasl::{Mechanism, SaslConfig};
use mail_wire::{AccountId, CredentialAnswer, Secret};
use std::sync::Arc;

fn converse(config: &Arc<Config>, octets: &[u8], cut: usize) -> (BytesMut, Vec<u8>) {
    let mut session = ServerSession::new(Arc::clone(config));
    let (mut input, mut output, mut appended) = (BytesMut::new(), BytesMut::new(), Vec::new());
    for chunk in octets.chunks(cut) {
        input.extend_from_slice(chunk);
        while let Some(event) = session.next_event(&mut input).expect("every event is answered") {
            let answer = match event {
                Event::Credentials(_) => CredentialAnswer::Accepted(AccountId::new("ada")).into(),
                Event::Authenticated(_) | Event::Command(_) | Event::Append(_) | Event::AppendEnd => Answer::Ok,
                Event::AppendData(octets) => {
                    appended.extend_from_slice(&octets);
                    continue;
                }
                event => event.default_answer(),
            };
            session.answer(answer, &mut output).expect("it fits");
        }
        assert!(input.len() <= 64 * 1024 || session.is_closed());
    }
    (output, appended)
}

/// See the module.
pub fn run(octets: &[u8]) {
    let Some((&first, octets)) = octets.split_first() else { return };
    let config = Config::new("mail.example.org", Arc::new(SaslConfig::new(Secret::new([7; 32]))))
        .with_mechanisms([Mechanism::Plain, Mechanism::Login])
        .with_insecure_login(first & 1 == 0);
    let config = Arc::new(config);
    let (output, appended) = converse(&config, octets, usize::MAX);
    assert_eq!(converse(&config, octets, usize::from(first / 16) + 1), (output.clone(), appended));
    // Our own reader of the other side understands every word.
    let (mut reader, mut left) = (ResponseReader::new(ResponseLimits::default()), output);
    while let Some(response) = reader.next(&mut left, Dialect::UTF8) {
        response.expect("a response");
    }
    assert!(left.is_empty());
}
