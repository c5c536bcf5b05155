//! What exchanges are given: ceilings, the decoy key, and where nonces come from.

use std::fmt;

use mailstore_traits::{Secret, UserName};

use crate::base64;

/// How random a nonce of ours is (attack row A5): 18 octets, which are 24 characters on the wire.
const NONCE_OCTETS: usize = 18;

/// What the exchanges of one server have in common. Made once, shared in an `Arc`.
pub struct SaslConfig {
    /// How many octets one response may have, in base64 and without its CRLF (RFC 4954 §4: 12,288; attack row M16).
    pub max_response: usize,
    /// What unknown users' salts are derived from.
    pub(super) decoy_key: Secret<[u8; 32]>,
    /// What unknown users are told.
    pub(super) scram_iterations: u32,
    /// How long unknown users' salts are.
    pub(super) scram_salt_length: usize,
    /// What stands behind the `@` of a challenge.
    pub(super) challenge_host: String,
    nonces: Nonces,
    folding: Folding,
}

type Nonces = Box<dyn Fn() -> Option<String> + Send + Sync>;
type Folding = Box<dyn Fn(&UserName) -> String + Send + Sync>;

impl SaslConfig {
    /// The defaults, with a key of the host's own.
    ///
    /// SCRAM tells the user's salt before it asks for a proof. For a user who does not exist, one is derived from this
    /// key and the name (attack row A1): the same at every try, and so the same on every server and after every restart
    /// for as long as the key is. Keep it with the passwords, and as long as them.
    pub fn new(decoy_key: Secret<[u8; 32]>) -> Self {
        Self {
            max_response: 12_288,
            decoy_key,
            scram_iterations: 4096,
            scram_salt_length: 16,
            challenge_host: String::from("localhost"),
            nonces: Box::new(random_nonce),
            folding: Box::new(|name| name.as_str().to_owned()),
        }
    }

    /// The defaults, with a key that lasts as long as the process. Good where SCRAM is not offered, and for tests;
    /// elsewhere salts that change with a restart tell who does not exist.
    ///
    /// # Panics
    /// If the operating system has no randomness to give.
    pub fn from_os_random() -> Self {
        let mut key = [0; 32];
        getrandom::fill(&mut key).expect("the operating system gives randomness");
        Self::new(Secret::new(key))
    }

    /// The iteration count that unknown users are told. It must be the count of the host's own users, or it tells the
    /// two apart. 4,096 if not set, the least that RFC 7677 §4 recommends.
    #[must_use]
    pub fn with_scram_iterations(mut self, iterations: u32) -> Self {
        self.scram_iterations = iterations;
        self
    }

    /// The length in octets of unknown users' salts, 1 to 32; other numbers are brought into that range. It must be
    /// the length of the host's own. 16 if not set.
    #[must_use]
    pub fn with_scram_salt_length(mut self, octets: usize) -> Self {
        self.scram_salt_length = octets.clamp(1, 32);
        self
    }

    /// How the host folds a name before it looks it up, if it does. Where `Ada` and `ada` are one user with one salt,
    /// an unknown `Bob` and `bob` must have one salt too, or the difference tells who exists (attack row A1).
    #[must_use]
    pub fn with_name_folding(mut self, folding: impl Fn(&UserName) -> String + Send + Sync + 'static) -> Self {
        self.folding = Box::new(folding);
        self
    }

    /// The name of the server in the challenges of CRAM-MD5: "the fully-qualified primary host name of the server" (RFC 2195
    /// §2). `localhost` if not set. What a message id cannot have becomes `?`.
    #[must_use]
    pub fn with_challenge_host(mut self, name: &str) -> Self {
        let allowed = |c: char| c.is_ascii_graphic() && !matches!(c, '<' | '>' | '@');
        self.challenge_host = name.chars().take(255).map(|c| if allowed(c) { c } else { '?' }).collect();
        self
    }

    /// Nonces from elsewhere than the operating system, for tests. Each must be new, unguessable, and made of printable
    /// ASCII without a comma (RFC 5802 §7); an exchange fails where it is not.
    #[must_use]
    pub fn with_nonces(mut self, nonces: impl Fn() -> String + Send + Sync + 'static) -> Self {
        self.nonces = Box::new(move || Some(nonces()));
        self
    }

    /// The ceiling on one response, in octets of base64.
    #[must_use]
    pub fn with_max_response(mut self, octets: usize) -> Self {
        self.max_response = octets;
        self
    }

    /// A new nonce; `None` if the operating system has no randomness to give.
    pub(super) fn nonce(&self) -> Option<String> {
        (self.nonces)()
    }

    /// The name as the host would look it up.
    pub(super) fn fold(&self, name: &UserName) -> String {
        (self.folding)(name)
    }
}

impl fmt::Debug for SaslConfig {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SaslConfig")
            .field("max_response", &self.max_response)
            .field("scram_iterations", &self.scram_iterations)
            .field("scram_salt_length", &self.scram_salt_length)
            .finish_non_exhaustive()
    }
}

fn random_nonce() -> Option<String> {
    let mut octets = [0; NONCE_OCTETS];
    getrandom::fill(&mut octets).ok()?;
    Some(base64::encode(&octets))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sec_a5_nonces_of_the_operating_system_do_not_repeat() {
        let config = SaslConfig::from_os_random();
        let nonces: std::collections::HashSet<_> = (0..1000).map(|_| config.nonce().unwrap()).collect();
        assert_eq!(nonces.len(), 1000);
        assert!(nonces.iter().all(|nonce| nonce.len() == 24 && !nonce.contains(',')));
    }

    #[test]
    fn sec_a13_debug_does_not_show_the_decoy_key() {
        let shown = format!("{:?}", SaslConfig::new(Secret::new([0x5a; 32])));
        assert!(!shown.contains("90") && !shown.to_lowercase().contains("5a"), "{shown}");
    }
}
