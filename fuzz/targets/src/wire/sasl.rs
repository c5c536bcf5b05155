//! Whatever a client says to whatever mechanism, an exchange asks only what it may and stays ended once it has.

use mail_wire::machine::{TlsExporter, TlsInfo};
use mail_wire::sasl::{Channel, Dialogue, DialogueStep, Mechanism, SaslConfig};
use mail_wire::{AccountId, ClientCertificate, CredentialAnswer, CredentialQuery, Secret};
use std::sync::Arc;

/// See the module.
pub fn run(octets: &[u8]) {
    let Some((&first, lines)) = octets.split_first() else { return };
    let mechanism = Mechanism::ALL[usize::from(first) % Mechanism::ALL.len()];
    let config = Arc::new(SaslConfig::new(Secret::new([7; 32])));
    let mut lines = lines.split(|&octet| octet == b'\n');
    let initial = if first >= 128 { lines.next() } else { None };
    let tls = TlsInfo::new("TLSv1.3", "TLS_AES_128_GCM_SHA256")
        .with_exporter((first & 32 != 0).then(|| TlsExporter::new([7; 32])))
        .with_client_certificate((first & 64 != 0).then(|| ClientCertificate::from_der([7; 7])));
    let channel = Channel::new(Some(&tls), &Mechanism::ALL);
    let (mut dialogue, mut step) = Dialogue::begin_on(channel, mechanism, initial, config);
    let mut asked = false;
    loop {
        step = match step {
            DialogueStep::Challenge(_) => match lines.next() {
                Some(line) => dialogue.line(line),
                None => return,
            },
            DialogueStep::Need(query) => {
                asked = true;
                dialogue.supply(match query {
                    CredentialQuery::Password { .. }
                    | CredentialQuery::Token { .. }
                    | CredentialQuery::Certificate { .. }
                    | CredentialQuery::CramMd5 { .. }
                    | CredentialQuery::Anonymous { .. } => CredentialAnswer::Accepted(AccountId::new("ada")),
                    _ => CredentialAnswer::Rejected,
                })
            }
            DialogueStep::Success(_) => {
                assert!(asked, "nobody is let in unasked");
                return;
            }
            _ => {
                assert!(matches!(dialogue.line(b""), DialogueStep::Failure(_)));
                return;
            }
        };
    }
}
