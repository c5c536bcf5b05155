//! SCRAM-SHA-256 (RFC 5802, RFC 7677): the password is proved and never sent.
//!
//! ```text
//! C: n,,n=user,r=<client nonce>
//!                                  the host is asked for the user's keys
//! S: r=<client nonce><ours>,s=<salt>,i=<iterations>
//! C: c=biws,r=<both nonces>,p=<proof>
//!                                  where the client wants to be somebody else, the host is asked whether it may
//! S: v=<signature>
//! ```
//!
//! No channel binding, and so no -PLUS: `p=` is refused. A proof that is wrong ends the exchange with a failure and no
//! `e=` ("the entire server-final-message is OPTIONAL", RFC 5802 §5.1): the protocols have a reply of their own for it,
//! and nothing is told that a wrong password would not tell.
//!
//! **A user who does not exist** gets a salt derived from the name and a key that is the host's secret, the same at
//! every try; the proof is then checked against a key that nobody has. Messages, work and failure are those of a wrong
//! password (attack rows A1 and A2), as long as the host's iteration count, salt length and folding of names are told to
//! [`SaslConfig`]. Each app password beyond a user's first costs one HMAC and one hash more.

mod attributes;
mod keys;

pub use keys::{DeriveError, MAX_ITERATIONS, MIN_ITERATIONS, derive};

use mailstore_traits::{AccountId, ScramKeys, UserName};
use subtle::{Choice, ConditionallySelectable as _, ConstantTimeEq as _};
use zeroize::Zeroizing;

use self::attributes::Attributes;
pub(super) use self::attributes::is_nonce;
use self::keys::{Hash, hmac, sha256};
use super::{Failure, SaslConfig, gs2, prepare_user_name};
use crate::base64;

/// How long a client's nonce may be, lest the challenge that repeats it outgrow a line. Clients send 18 to 48 octets.
pub const MAX_CLIENT_NONCE: usize = 512;

/// The client's first message.
///
/// ```abnf
/// client-first-message      = gs2-header client-first-message-bare
/// client-first-message-bare = [reserved-mext ","] username "," nonce ["," extensions]
/// ```
pub(super) struct ClientFirst {
    pub(super) user: UserName,
    requested: Option<UserName>,
    /// What the `c=` of the client's last message must be.
    channel_binding: String,
    /// The message without its header, as received: it is hashed ("it MUST use it as received", RFC 5802 §5.1).
    bare: String,
    nonce: String,
}

/// Our first message, and what the client's last one is checked against.
pub(super) struct ServerFirst {
    pub(super) message: String,
    client: ClientFirst,
    nonce: String,
    /// `None` for a user who does not exist, whom no proof lets in.
    account: Option<AccountId>,
    keys: Vec<Keys>,
}

/// What a proof is asked for with, and checked against.
struct Credentials {
    /// `None` for a user who does not exist, whom no proof lets in.
    account: Option<AccountId>,
    salt: Vec<u8>,
    iterations: u32,
    keys: Vec<Keys>,
}

struct Keys {
    stored: Hash,
    server: Hash,
}

/// Somebody who knows a password.
pub(super) struct Proved {
    pub(super) account: AccountId,
    pub(super) user: UserName,
    pub(super) requested: Option<UserName>,
    /// Our last message, to be sent when it is known that the client may be whom it wants to be.
    pub(super) server_final: Vec<u8>,
}

impl ClientFirst {
    pub(super) fn parse(message: &[u8]) -> Result<Self, Failure> {
        let message = std::str::from_utf8(message).map_err(|_| Failure::Malformed)?;
        let (header, bare) = gs2::parse(message)?;
        let mut attributes = Attributes::of(bare);
        let name = attributes.next('n')?;
        let nonce = attributes.next('r')?;
        attributes.skip_extensions()?;
        if !is_nonce(nonce) || nonce.len() > MAX_CLIENT_NONCE {
            return Err(Failure::Malformed);
        }
        Ok(Self {
            user: prepare_user_name(&gs2::sasl_name(name)?)?,
            channel_binding: base64::encode(header.octets.as_bytes()),
            requested: header.authzid,
            bare: bare.to_owned(),
            nonce: nonce.to_owned(),
        })
    }

    /// Goes on with the keys that the host has for the user, or with a decoy where it has none.
    pub(super) fn answer(self, found: Option<ScramKeys>, config: &SaslConfig) -> Result<ServerFirst, Failure> {
        let ours = config.nonce().filter(|nonce| is_nonce(nonce)).ok_or(Failure::Unavailable)?;
        let nonce = format!("{}{ours}", self.nonce);
        // Made for those who exist too, so that time does not tell who does (attack row A2).
        let decoy = decoy(&config.fold(&self.user), config);
        let Credentials { account, salt, iterations, keys } = match found {
            Some(found) if !found.keys.is_empty() => usable(found)?,
            _ => decoy,
        };
        let message = format!("r={nonce},s={},i={iterations}", base64::encode(&salt));
        Ok(ServerFirst { message, client: self, nonce, account, keys })
    }
}

impl ServerFirst {
    /// Checks the client's last message.
    ///
    /// ```abnf
    /// client-final-message               = client-final-message-without-proof "," proof
    /// client-final-message-without-proof = channel-binding "," nonce ["," extensions]
    /// ```
    pub(super) fn prove(self, message: &[u8]) -> Result<Proved, Failure> {
        let message = std::str::from_utf8(message).map_err(|_| Failure::Malformed)?;
        let (without_proof, proof) = message.rsplit_once(",p=").ok_or(Failure::Malformed)?;
        let mut attributes = Attributes::of(without_proof);
        let channel_binding = attributes.next('c')?;
        let nonce = attributes.next('r')?;
        attributes.skip_extensions()?;
        let proof = base64::decode(proof.as_bytes(), 32).map_err(|_| Failure::Malformed)?;
        // Neither is secret. The second keeps a recorded message from being of use again (attack row A5).
        if channel_binding != self.client.channel_binding || nonce != self.nonce {
            return Err(Failure::Rejected);
        }
        let proof: Hash = Zeroizing::new(proof.try_into().map_err(|_| Failure::Rejected)?);
        let auth_message = [&self.client.bare, ",", &self.message, ",", without_proof].concat();

        // Every key is tried to the end, so that time does not tell which app password came near (attack row A4).
        let mut proved = Choice::from(0);
        let mut server_key = Hash::default();
        for keys in &self.keys {
            let mut client_key = hmac(keys.stored.as_slice(), &[auth_message.as_bytes()]);
            for (octet, mask) in client_key.iter_mut().zip(proof.iter()) {
                *octet ^= mask;
            }
            let matches = sha256(client_key.as_slice()).ct_eq(keys.stored.as_slice());
            for (octet, theirs) in server_key.iter_mut().zip(keys.server.iter()) {
                octet.conditional_assign(theirs, matches);
            }
            proved |= matches;
        }
        let signature = hmac(server_key.as_slice(), &[auth_message.as_bytes()]);
        let (Some(account), true) = (self.account, bool::from(proved)) else {
            return Err(Failure::Rejected);
        };
        Ok(Proved {
            account,
            user: self.client.user,
            requested: self.client.requested,
            server_final: format!("v={}", base64::encode(signature.as_slice())).into_bytes(),
        })
    }
}

/// A host's answer in a form that can be trusted. One that cannot is the host's mistake: nobody can log in until it is
/// put right, and it is no reason to say that a password is wrong.
fn usable(found: ScramKeys) -> Result<Credentials, Failure> {
    if found.salt.is_empty() || !(MIN_ITERATIONS..=MAX_ITERATIONS).contains(&found.iterations) {
        return Err(Failure::Unavailable);
    }
    let hash = |octets: &[u8]| octets.try_into().map(Zeroizing::new).map_err(|_| Failure::Unavailable);
    let keys = found
        .keys
        .iter()
        .map(|pair| Ok(Keys { stored: hash(pair.stored_key.expose())?, server: hash(pair.server_key.expose())? }))
        .collect::<Result<_, Failure>>()?;
    Ok(Credentials { account: Some(found.account), salt: found.salt, iterations: found.iterations, keys })
}

fn decoy(name: &str, config: &SaslConfig) -> Credentials {
    let derived = |what: &[u8]| hmac(config.decoy_key.expose(), &[what, b"\0", name.as_bytes()]);
    let salt = derived(b"salt").iter().copied().take(config.scram_salt_length).collect();
    let keys = Keys { stored: derived(b"stored key"), server: derived(b"server key") };
    Credentials { account: None, salt, iterations: config.scram_iterations, keys: vec![keys] }
}

#[cfg(test)]
mod tests {
    use mailstore_traits::{ScramHash, ScramKeyPair, Secret};

    use super::*;

    /// RFC 7677 §3.
    const CLIENT_FIRST: &[u8] = b"n,,n=user,r=rOprNGfwEbeRWgbNEkqO";
    const SERVER_FIRST: &str = "r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096";
    const CLIENT_FINAL: &[u8] = b"c=biws,r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,\
        p=dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ=";
    const SERVER_FINAL: &[u8] = b"v=6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4=";

    fn config() -> SaslConfig {
        SaslConfig::new(Secret::new([7; 32])).with_nonces(|| "%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0".into())
    }

    fn keys_of(passwords: &[&str]) -> ScramKeys {
        let salt = base64::decode(b"W22ZaJ0SNY7soEsUEjb6gQ==", 16).unwrap();
        let keys = passwords.iter().map(|password| derive(password, &salt, 4096, ScramHash::Sha256).unwrap()).collect();
        ScramKeys::new(AccountId::new("user"), salt, 4096, keys)
    }

    fn first_failure(message: &[u8]) -> Option<Failure> {
        ClientFirst::parse(message).err()
    }

    fn server_first(found: Option<ScramKeys>) -> ServerFirst {
        ClientFirst::parse(CLIENT_FIRST).and_then(|first| first.answer(found, &config())).ok().unwrap()
    }

    fn final_failure(message: &[u8]) -> Option<Failure> {
        server_first(Some(keys_of(&["pencil"]))).prove(message).err()
    }

    #[test]
    fn the_example_of_rfc_7677_section_3() {
        let server = server_first(Some(keys_of(&["pencil"])));
        assert_eq!(server.message, SERVER_FIRST);
        let proved = server.prove(CLIENT_FINAL).ok().unwrap();
        assert_eq!(proved.server_final, SERVER_FINAL);
        assert_eq!((proved.account.as_str(), proved.user.as_str()), ("user", "user"));
    }

    #[test]
    fn any_of_several_passwords_proves_and_signs() {
        for passwords in [["pencil", "x", "y"], ["x", "pencil", "y"], ["x", "y", "pencil"], ["pencil", "x", "pencil"]] {
            let proved = server_first(Some(keys_of(&passwords))).prove(CLIENT_FINAL).ok().unwrap();
            assert_eq!(proved.server_final, SERVER_FINAL, "{passwords:?}");
        }
        assert_eq!(server_first(Some(keys_of(&["x", "y"]))).prove(CLIENT_FINAL).err(), Some(Failure::Rejected));
    }

    #[test]
    fn escapes_in_names_are_undone_and_extensions_passed_over() {
        let first = ClientFirst::parse(b"y,a=b=3D=2C,n=a=2Cb=3Dc,r=x,z=what=ever,Q=1").ok().unwrap();
        assert_eq!(first.user.as_str(), "a,b=c");
        assert_eq!(first.requested.as_ref().map(UserName::as_str), Some("b=,"));
        assert_eq!(first.bare, "n=a=2Cb=3Dc,r=x,z=what=ever,Q=1");
    }

    #[test]
    fn sec_a6_mandatory_extensions_are_rejected_wherever_they_stand() {
        assert_eq!(first_failure(b"n,,m=x,n=user,r=abc"), Some(Failure::Rejected));
        assert_eq!(first_failure(b"n,,n=user,r=abc,m=x"), Some(Failure::Rejected));
        let [head, tail] = ["c=biws,", "r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,p=AAAA"];
        assert_eq!(final_failure(format!("m=x,{head}{tail}").as_bytes()), Some(Failure::Rejected));
        assert_eq!(
            final_failure(tail.replace(",p", ",m=x,p").replace("r=", "c=biws,r=").as_bytes()),
            Some(Failure::Rejected)
        );
    }

    #[test]
    fn sec_a6_channel_bindings_are_rejected_where_no_plus_is_offered() {
        assert_eq!(first_failure(b"p=tls-unique,,n=user,r=abc"), Some(Failure::Rejected));
    }

    #[test]
    fn sec_a6_the_nonce_must_be_both_nonces() {
        let whole = std::str::from_utf8(CLIENT_FINAL).unwrap();
        for other in [
            "rOprNGfwEbeRWgbNEkqO",
            "%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0",
            "rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k",
            "rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k00",
            "ROprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0",
        ] {
            let message = whole.replace("rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0", other);
            assert_eq!(final_failure(message.as_bytes()), Some(Failure::Rejected), "{other}");
        }
    }

    #[test]
    fn sec_a6_the_channel_binding_must_be_there_and_repeat_the_header() {
        let whole = std::str::from_utf8(CLIENT_FINAL).unwrap();
        assert_eq!(final_failure(whole.replace("c=biws,", "").as_bytes()), Some(Failure::Malformed));
        assert_eq!(final_failure(whole.replace("c=biws,", "c=,").as_bytes()), Some(Failure::Malformed));
        // y,, and p=tls-unique,, and n,a=admin,
        for other in ["eSws", "cD10bHMtdW5pcXVlLCw=", "bixhPWFkbWluLA==", "biws="] {
            let message = whole.replace("biws", other);
            assert_eq!(final_failure(message.as_bytes()), Some(Failure::Rejected), "{other}");
        }
    }

    #[test]
    fn messages_out_of_order_or_out_of_grammar_are_malformed() {
        let long = format!("n,,n=user,r={}", "x".repeat(MAX_CLIENT_NONCE + 1));
        for bad in [
            &b""[..],
            b"n,,",
            b"n,,n=user",
            b"n,,r=abc,n=user",
            b"n,,n=,r=abc",
            b"n,,n=user,r=",
            b"n,,n=user,r=a b",
            b"n,,n=user,r=\xc3\xa9",
            b"n,,n=user,r=abc,",
            b"n,,n=user,r=abc,zz=1",
            b"n,,n=user,r=abc,z",
            b"n,,n=user,r=abc,r=d",
            b"n,,n=a=2c,r=abc",
            b"n,,n=a=,r=abc",
            b"n,,n=a=3,r=abc",
            b"n=user,r=abc",
            b"n,,n=\xff,r=abc",
            long.as_bytes(),
        ] {
            assert_eq!(first_failure(bad), Some(Failure::Malformed), "{:?}", bad.escape_ascii().to_string());
        }
        for bad in [
            &b""[..],
            b"c=biws,r=abc",
            b"c=biws,p=AAAA",
            b"r=abc,c=biws,p=AAAA",
            b"c=biws,r=abc,p=!",
            b"c=biws,r=abc,p=A",
            b"c=biws,r=abc,p=AAAA,z=1",
            b"\xff",
            b"c=biws,r=abc,i=1,p=AAAA",
        ] {
            assert_eq!(final_failure(bad), Some(Failure::Malformed), "{:?}", bad.escape_ascii().to_string());
        }
    }

    #[test]
    fn a_proof_of_another_size_is_rejected() {
        let whole = std::str::from_utf8(CLIENT_FINAL).unwrap();
        let (head, _) = whole.rsplit_once(",p=").unwrap();
        assert_eq!(final_failure(format!("{head},p=").as_bytes()), Some(Failure::Rejected));
        assert_eq!(final_failure(format!("{head},p=AAAA").as_bytes()), Some(Failure::Rejected));
    }

    #[test]
    fn sec_a1_unknown_users_get_one_salt_at_every_try_and_never_get_in() {
        let tries: Vec<_> = (0..2).map(|_| server_first(None).message).collect();
        assert_eq!(tries[0], tries[1]);
        let shape = |message: &str| message.split(',').map(str::len).collect::<Vec<_>>();
        assert_eq!(shape(&tries[0]), shape(SERVER_FIRST));
        let other = ClientFirst::parse(b"n,,n=usera,r=rOprNGfwEbeRWgbNEkqO").ok().unwrap();
        assert_ne!(other.answer(None, &config()).ok().unwrap().message, tries[0]);
        assert_eq!(server_first(None).prove(CLIENT_FINAL).err(), Some(Failure::Rejected));
    }

    #[test]
    fn sec_a1_knowing_the_decoys_keys_is_of_no_use() {
        // A proof that fits the decoy's stored key cannot be made; but were a host to hand out keys of no account, the
        // account is what lets in, not the key.
        let mut server = server_first(Some(keys_of(&["pencil"])));
        server.account = None;
        assert_eq!(server.prove(CLIENT_FINAL).err(), Some(Failure::Rejected));
    }

    #[test]
    fn sec_a1_names_that_the_host_folds_have_one_decoy() {
        let config = config().with_name_folding(|name| name.as_str().to_lowercase());
        let salt = |name: &str| {
            let first = ClientFirst::parse(format!("n,,n={name},r=x").as_bytes()).ok().unwrap();
            first.answer(None, &config).ok().unwrap().message
        };
        assert_eq!(salt("Bob"), salt("bob"));
    }

    #[test]
    fn a_user_without_keys_is_a_user_who_does_not_exist() {
        assert_eq!(server_first(Some(keys_of(&[]))).message, server_first(None).message);
    }

    #[test]
    fn a_host_that_answers_nonsense_is_unavailable() {
        let answer =
            |found| ClientFirst::parse(CLIENT_FIRST).and_then(|first| first.answer(Some(found), &config())).err();
        let good = keys_of(&["pencil"]);
        for iterations in [0, 1, 4095, MAX_ITERATIONS + 1, u32::MAX] {
            let mut found = good.clone();
            found.iterations = iterations;
            assert_eq!(answer(found), Some(Failure::Unavailable), "{iterations}");
        }
        let mut found = good.clone();
        found.salt.clear();
        assert_eq!(answer(found), Some(Failure::Unavailable));
        let mut found = good;
        found.keys.push(ScramKeyPair::new(vec![0; 20], vec![0; 20]));
        assert_eq!(answer(found), Some(Failure::Unavailable));
    }

    #[test]
    fn a_nonce_that_would_break_the_message_is_not_used() {
        for bad in ["", "a,b", "a b", "\u{e9}"] {
            let config = SaslConfig::new(Secret::new([7; 32])).with_nonces(move || bad.into());
            let failure = ClientFirst::parse(CLIENT_FIRST).and_then(|first| first.answer(None, &config)).err();
            assert_eq!(failure, Some(Failure::Unavailable), "{bad:?}");
        }
    }
}
