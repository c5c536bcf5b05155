//! Whatever a client sends, however it is cut, a session that says yes to everything has the same conversation.

use bytes::BytesMut;
use mail_wire::sasl::{Identity, Mechanism, SaslConfig};
use mail_wire::{AccountId, CredentialAnswer, Secret};
use smtp_proto::command::{FutureRelease, PriorityProfile, Told};
use smtp_proto::session::{Answer, Config, Event, Protocol, ServerSession, Trust};
use std::sync::Arc;

/// What was said, and what was taken as messages.
fn converse(config: &Arc<Config>, trust: Trust, octets: &[u8], cut: usize) -> (BytesMut, Vec<u8>) {
    let mut session = ServerSession::new(Arc::clone(config));
    let (mut input, mut output, mut messages) = (BytesMut::new(), BytesMut::new(), Vec::new());
    for chunk in octets.chunks(cut) {
        input.extend_from_slice(chunk);
        while let Some(event) = session.next_event(&mut input).expect("every event is answered") {
            let answer = match &event {
                Event::Connected(connected) => connected.greet_trusted(trust),
                Event::Data(data) => {
                    messages.extend_from_slice(data);
                    continue;
                }
                Event::Rcpt(rcpt) => rcpt.accept(),
                Event::Xclient(xclient) if matches!(xclient.login, Some(Told::Is(_))) => {
                    xclient.accept_as(Identity::new(AccountId::new("ada"), None, Mechanism::Plain))
                }
                Event::EndOfData(end) => {
                    messages.extend_from_slice(b"<end>");
                    if end.replies > 1 { event.default_answer() } else { end.accept() }
                }
                Event::Credentials(_) => Answer::Credential(CredentialAnswer::Accepted(AccountId::new("ada"))),
                _ => event.default_answer(),
            };
            session.answer(answer, &mut output).expect("it fits");
        }
        assert!(input.len() <= 12_288 + 64 || session.is_closed());
    }
    (output, messages)
}

/// See the module.
pub fn run(octets: &[u8]) {
    let Some((&first, octets)) = octets.split_first() else { return };
    let protocol = [Protocol::Smtp, Protocol::Lmtp, Protocol::Submission][usize::from(first % 3)];
    let mut config = Config::new("mail.example.org".parse().expect("a name"), protocol);
    config.auth_needs_tls = false;
    config.mechanisms = vec![Mechanism::Plain, Mechanism::Login];
    config.sasl = Arc::new(SaslConfig::new(Secret::new([7; 32])));
    config.limits.message_size = 1000;
    if first & 4 == 0 {
        let extensions = &mut config.dialect.extensions;
        extensions.binary_mime = true;
        extensions.dsn = true;
        extensions.mt_priority = Some(PriorityProfile::Mixer);
        extensions.deliver_by = Some(0);
        extensions.future_release = "2030-01-01T00:00:00Z".parse().ok().map(|until| FutureRelease::new(3600, until));
        extensions.rrvs = true;
    }
    let config = Arc::new(config);
    let trust = if first & 8 == 0 { Trust::none() } else { Trust::none().with_xclient().with_xforward().with_login() };
    let cut = usize::from(first / 16) + 1;
    assert_eq!(converse(&config, trust, octets, cut), converse(&config, trust, octets, usize::MAX));
}
