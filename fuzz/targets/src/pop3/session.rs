//! Whatever a client sends, however it is cut, a session over a maildrop of two messages has the same conversation.

use bytes::{Bytes, BytesMut};
use mail_wire::sasl::{Mechanism, SaslConfig};
use mail_wire::{AccountId, CredentialAnswer, Secret};
use pop3_proto::session::{Answer, Config, Event, Maildrop, ServerSession, Utf8Support};
use std::sync::Arc;

const MESSAGE: &[u8] = b"Subject: \xc3\xa4\r\n\r\n.\r\n..\r\n\xc3\xa4\r\n";

fn converse(config: &Arc<Config>, octets: &[u8], cut: usize) -> (BytesMut, Vec<u32>) {
    let mut session = ServerSession::new(Arc::clone(config));
    let (mut input, mut output, mut deleted) = (BytesMut::new(), BytesMut::new(), Vec::new());
    for chunk in octets.chunks(cut) {
        input.extend_from_slice(chunk);
        while let Some(event) = session.next_event(&mut input).expect("every event is answered") {
            let answers = match &event {
                Event::Credentials(_) => vec![CredentialAnswer::Accepted(AccountId::new("ada")).into()],
                Event::Authenticated(_) => {
                    let mut maildrop = Maildrop::new(1, 10);
                    for key in [3, 7] {
                        maildrop.push(key, MESSAGE.len() as u64).expect("room");
                    }
                    vec![Answer::Maildrop(maildrop)]
                }
                Event::Retrieve { .. } | Event::Top { .. } => {
                    vec![Answer::Message, Answer::Octets(Bytes::from_static(MESSAGE)), Answer::End]
                }
                Event::Quit { delete } => {
                    deleted.clone_from(delete);
                    vec![Answer::ok()]
                }
                _ => vec![event.default_answer()],
            };
            for answer in answers {
                session.answer(answer, &mut output).expect("it fits");
            }
        }
        assert!(input.len() <= 12_288 + 64 || session.is_closed());
    }
    (output, deleted)
}

/// See the module.
pub fn run(octets: &[u8]) {
    let Some((&first, octets)) = octets.split_first() else { return };
    let support = [Utf8Support::Off, Utf8Support::AsIs, Utf8Support::Substitute, Utf8Support::Refuse];
    let mut config = Config::new("mail.example.org", Arc::new(SaslConfig::new(Secret::new([7; 32]))))
        .with_mechanisms([Mechanism::Plain, Mechanism::Login])
        .with_insecure_login(true)
        .with_utf8(support[usize::from(first % 4)]);
    if first & 8 != 0 {
        config = config.with_apop_timestamps(|| String::from("<1@mail.example.org>"));
    }
    let config = Arc::new(config);
    assert_eq!(converse(&config, octets, usize::from(first / 16) + 1), converse(&config, octets, usize::MAX));
}
