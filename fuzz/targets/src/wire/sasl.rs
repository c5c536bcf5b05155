//! Whatever a client says to whatever mechanism, an exchange asks only what it may and stays ended once it has.

use mail_wire::base64;
use mail_wire::machine::{TlsExporter, TlsInfo};
use mail_wire::sasl::{Channel, Dialogue, DialogueStep, Mechanism, SaslConfig};
use mail_wire::{AccountId, ClientCertificate, CredentialAnswer, CredentialQuery, Secret};
use std::sync::Arc;

/// See the module.
pub fn run(octets: &[u8]) {
    let told = play(octets);
    assert_eq!(play(octets), told, "the same words have the same answers");
}

/// One exchange; what it wanted, step by step.
fn play(octets: &[u8]) -> Vec<String> {
    let mut told = Vec::new();
    let Some((&first, lines)) = octets.split_first() else { return told };
    let mechanism = Mechanism::ALL[usize::from(first) % Mechanism::ALL.len()];
    let config =
        Arc::new(SaslConfig::new(Secret::new([7; 32])).with_nonces(|| "a nonce that is no secret".replace(' ', "-")));
    let mut lines = lines.split(|&octet| octet == b'\n');
    let initial = if first >= 128 { lines.next() } else { None };
    let tls = TlsInfo::new("TLSv1.3", "TLS_AES_128_GCM_SHA256")
        .with_exporter((first & 32 != 0).then(|| TlsExporter::new([7; 32])))
        .with_client_certificate((first & 64 != 0).then(|| ClientCertificate::from_der([7; 7])));
    let channel = Channel::new(Some(&tls), &Mechanism::ALL);
    let (mut dialogue, mut step) = Dialogue::begin_on(channel, mechanism, initial, config);
    let mut asked = false;
    loop {
        // Its `Debug` shows no secret, and a challenge of CRAM-MD5 and the like has the moment in it.
        told.push(match &step {
            DialogueStep::Challenge(_) => "challenge".to_owned(),
            step => format!("{step:?}"),
        });
        step = match step {
            DialogueStep::Challenge(challenge) => {
                let decoded = base64::decode(challenge.as_bytes(), challenge.len());
                assert!(decoded.is_ok(), "a challenge is base64, which is one line");
                match lines.next() {
                    Some(line) => dialogue.line(line),
                    None => return told,
                }
            }
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
            DialogueStep::Success(identity) => {
                assert!(asked, "nobody is let in unasked");
                assert_eq!(identity.account.as_str(), "ada", "and nobody but whom the host named");
                return told;
            }
            _ => {
                // For good: whatever comes then, and however often.
                for line in lines.by_ref().take(3).chain([&b""[..], b"*"]) {
                    assert!(
                        matches!(dialogue.line(line), DialogueStep::Failure(_)),
                        "an exchange that has ended stays so"
                    );
                }
                return told;
            }
        };
    }
}
