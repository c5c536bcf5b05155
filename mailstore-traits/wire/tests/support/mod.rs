//! What the SASL tests share: a host with one user, and a SCRAM client written from RFC 5802 §3 alone.

#![allow(dead_code, reason = "each test file uses what it needs")]
#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use std::sync::Arc;

use hmac::{Hmac, KeyInit, Mac};
use mail_wire::sasl::{Dialogue, DialogueStep, Failure, Identity, Mechanism, SaslConfig, scram};
use mail_wire::{AccountId, CredentialAnswer, CredentialQuery, ScramHash, ScramKeys, Secret, base64};
use sha2::{Digest, Sha256};

pub(crate) const SALT: &[u8; 16] = b"sixteen octets!!";

/// The host's whole user list: ada, with two passwords and a token, who may act as sales.
pub(crate) fn host(query: CredentialQuery) -> CredentialAnswer {
    let ada = AccountId::new("account of ada");
    match query {
        CredentialQuery::Password { user, password } if user.as_str() == "ada" && password.expose() == "pencil" => {
            CredentialAnswer::Accepted(ada)
        }
        CredentialQuery::ScramKeys { user, hash: ScramHash::Sha256 } if user.as_str() == "ada" => {
            let keys = ["pencil", "app password"]
                .map(|password| scram::derive(password, SALT, 4096, ScramHash::Sha256).unwrap());
            CredentialAnswer::ScramKeys(ScramKeys::new(ada, SALT.to_vec(), 4096, keys.into()))
        }
        CredentialQuery::Certificate { certificate, requested } if certificate.der() == b"ada's" => {
            match requested.as_ref().map(|requested| requested.as_str()) {
                None | Some("ada") => CredentialAnswer::Accepted(ada),
                Some("sales") => CredentialAnswer::Accepted(AccountId::new("account of sales")),
                Some(_) => CredentialAnswer::Rejected,
            }
        }
        CredentialQuery::Anonymous { .. } => CredentialAnswer::Accepted(AccountId::new("account of anybody")),
        CredentialQuery::Token { user, token }
            if token.expose() == "token" && user.as_ref().is_none_or(|user| user.as_str() == "ada") =>
        {
            CredentialAnswer::Accepted(ada)
        }
        CredentialQuery::Authorize { authenticated, requested }
            if authenticated == ada && requested.as_str() == "sales" =>
        {
            CredentialAnswer::Accepted(AccountId::new("account of sales"))
        }
        _ => CredentialAnswer::Rejected,
    }
}

pub(crate) fn config() -> Arc<SaslConfig> {
    Arc::new(SaslConfig::new(Secret::new([7; 32])))
}

/// Begins, and lets the host answer until the client has to speak or it is over.
pub(crate) fn begin(mechanism: Mechanism, initial: Option<&str>, config: &Arc<SaslConfig>) -> (Dialogue, DialogueStep) {
    let (mut dialogue, step) = Dialogue::begin(mechanism, initial.map(str::as_bytes), Arc::clone(config));
    let step = answered(&mut dialogue, step);
    (dialogue, step)
}

pub(crate) fn say(dialogue: &mut Dialogue, line: &str) -> DialogueStep {
    let step = dialogue.line(line.as_bytes());
    answered(dialogue, step)
}

fn answered(dialogue: &mut Dialogue, mut step: DialogueStep) -> DialogueStep {
    while let DialogueStep::Need(query) = step {
        step = dialogue.supply(host(query));
    }
    step
}

/// One message from the client and no more.
pub(crate) fn once(mechanism: Mechanism, message: &[u8]) -> DialogueStep {
    begin(mechanism, Some(&base64::encode(message)), &config()).1
}

#[track_caller]
pub(crate) fn challenge(step: DialogueStep) -> String {
    match step {
        DialogueStep::Challenge(text) => String::from_utf8(base64::decode(text.as_bytes(), 4096).unwrap()).unwrap(),
        other => panic!("no challenge: {other:?}"),
    }
}

#[track_caller]
pub(crate) fn success(step: DialogueStep) -> Identity {
    match step {
        DialogueStep::Success(identity) => identity,
        other => panic!("no success: {other:?}"),
    }
}

#[track_caller]
pub(crate) fn failure(step: DialogueStep) -> Failure {
    match step {
        DialogueStep::Failure(failure) => failure,
        other => panic!("no failure: {other:?}"),
    }
}

/// The client's last message, and the server's that answers it.
pub(crate) fn scram_proof(header: &str, bare: &str, server_first: &str, password: &str) -> (String, String) {
    let without_proof = format!("c={},r={}", base64::encode(header.as_bytes()), attribute(server_first, "r="));
    scram_sign(&without_proof, bare, server_first, password)
}

/// The same of a last message that the client has made up.
pub(crate) fn scram_sign(without_proof: &str, bare: &str, server_first: &str, password: &str) -> (String, String) {
    let salt = base64::decode(attribute(server_first, "s=").as_bytes(), 64).unwrap();
    let iterations = attribute(server_first, "i=").parse().unwrap();
    let mut salted = [0; 32];
    pbkdf2::pbkdf2_hmac::<Sha256>(password.as_bytes(), &salt, iterations, &mut salted);
    let auth_message = format!("{bare},{server_first},{without_proof}");
    let client_key = hmac(&salted, b"Client Key");
    let client_signature = hmac(&Sha256::digest(client_key), auth_message.as_bytes());
    let proof: Vec<u8> = client_key.iter().zip(client_signature).map(|(key, signature)| key ^ signature).collect();
    let server_signature = hmac(&hmac(&salted, b"Server Key"), auth_message.as_bytes());
    (format!("{without_proof},p={}", base64::encode(&proof)), format!("v={}", base64::encode(&server_signature)))
}

pub(crate) fn attribute<'a>(message: &'a str, letter: &str) -> &'a str {
    message.split(',').find_map(|part| part.strip_prefix(letter)).unwrap()
}

fn hmac(key: &[u8], message: &[u8]) -> [u8; 32] {
    let mut mac = Hmac::<Sha256>::new_from_slice(key).unwrap();
    mac.update(message);
    mac.finalize().into_bytes().into()
}
