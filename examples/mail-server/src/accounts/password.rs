//! Passwords: how they are hashed, how they are checked, how they are made up.
//!
//! What is kept of a password is its argon2id hash (RFC 9106) and, beside it, its SCRAM-SHA-256 keys (RFC 7677), because
//! SCRAM proves a password without showing it and so cannot be checked against argon2.

use argon2::{Algorithm, Argon2, Params, Version};
use mail_wire::sasl::{Unpreparable, prepare_password, scram};
use mail_wire::{ScramHash, ScramKeyPair, Secret};
use subtle::ConstantTimeEq;

/// Octets of a hash.
pub(super) const HASH_LEN: usize = 32;
/// Octets of a salt (RFC 9106 §3.1 wants 16).
pub(crate) const SALT_LEN: usize = 16;
/// How often SCRAM hashes: many times the 4096 of RFC 7677 §4, for the keys lie in the same file as the argon2 hashes and
/// should not be much the weaker of both; few enough for a telephone to do at every login.
pub(crate) const SCRAM_ITERATIONS: u32 = 50_000;
/// The most octets of a password: what fits a line of POP3 (RFC 2449 §4: 255) beside the command.
const MAX_PASSWORD: usize = 200;

/// Why a password is not taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(crate) enum BadPassword {
    #[error("the password is empty; give one of at least one character")]
    Empty,
    #[error("the password is longer than {MAX_PASSWORD} octets, which POP3 has no room for; give a shorter one")]
    TooLong,
    #[error("the password has a control character in it, which no mail program can send; give one without")]
    Control,
    #[error("the password has a character that no mail program can be trusted to send (RFC 4013); give one without")]
    Unusable,
}

/// How an account's passwords are hashed: the salts and the costs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Recipe {
    pub(super) argon_salt: Vec<u8>,
    /// KiB.
    pub(super) argon_memory: u32,
    pub(super) argon_passes: u32,
    pub(super) argon_lanes: u32,
    pub(super) scram_salt: Vec<u8>,
    pub(super) scram_iterations: u32,
}

/// What is kept of one password.
#[derive(Debug, Clone)]
pub(super) struct Kept {
    pub(super) argon_hash: Vec<u8>,
    pub(super) scram: ScramKeyPair,
}

impl Recipe {
    /// New salts, and argon2id with 19 MiB, two passes and one lane: the least memory that OWASP recommends, so that a
    /// small machine can check several logins at once.
    pub(super) fn new() -> Self {
        Self {
            argon_salt: random::<SALT_LEN>().to_vec(),
            argon_memory: 19 * 1024,
            argon_passes: 2,
            argon_lanes: 1,
            scram_salt: random::<SALT_LEN>().to_vec(),
            scram_iterations: SCRAM_ITERATIONS,
        }
    }

    /// What to keep of a password.
    pub(super) fn keep(&self, password: &Secret<String>) -> Result<Kept, BadPassword> {
        if password.expose().len() > MAX_PASSWORD {
            return Err(BadPassword::TooLong);
        }
        let text = prepare_password(password.expose()).map_err(|why| match why {
            Unpreparable::Empty => BadPassword::Empty,
            Unpreparable::TooLong => BadPassword::TooLong,
            Unpreparable::Control => BadPassword::Control,
            _ => BadPassword::Unusable,
        })?;
        let scram = scram::derive(text.expose(), &self.scram_salt, self.scram_iterations, ScramHash::Sha256)
            .map_err(|_| BadPassword::Unusable)?;
        let argon_hash = self.hash(password).ok_or(BadPassword::Unusable)?;
        Ok(Kept { argon_hash: argon_hash.expose().to_vec(), scram })
    }

    /// The argon2id hash. Takes tens of milliseconds and `argon_memory`; `None` if the costs make no sense.
    pub(super) fn hash(&self, password: &Secret<String>) -> Option<Secret<Vec<u8>>> {
        // Prepared a second time where a mechanism has done it already, which changes nothing; POP3's PASS has not.
        let text = prepare_password(password.expose()).unwrap_or_default();
        let params = Params::new(self.argon_memory, self.argon_passes, self.argon_lanes, Some(HASH_LEN)).ok()?;
        let mut hash = vec![0; HASH_LEN];
        Argon2::new(Algorithm::Argon2id, Version::V0x13, params)
            .hash_password_into(text.expose().as_bytes(), &self.argon_salt, &mut hash)
            .ok()?;
        Some(Secret::new(hash))
    }
}

/// Which of the kept hashes it is. Looks at all of them, and at all of each (attack row A4).
pub(super) fn find(hash: &[u8], kept: &[Vec<u8>]) -> Option<usize> {
    let mut found = None;
    for (at, candidate) in kept.iter().enumerate() {
        if bool::from(candidate.as_slice().ct_eq(hash)) {
            found = Some(at);
        }
    }
    found
}

/// Makes up a password: five groups of four letters and digits, 100 bits, easy to type and hard to misread.
pub(crate) fn generate() -> Secret<String> {
    // Crockford's alphabet: 32 signs without i, l, o and u. A multiple of 32 makes each as likely as the next.
    const SIGNS: &[u8; 32] = b"0123456789abcdefghjkmnpqrstvwxyz";
    let mut text = String::with_capacity(24);
    for (at, octet) in random::<20>().into_iter().enumerate() {
        if at > 0 && at % 4 == 0 {
            text.push('-');
        }
        text.extend(SIGNS.get(usize::from(octet % 32)).map(|&sign| char::from(sign)));
    }
    Secret::new(text)
}

/// Octets nobody can guess.
pub(crate) fn random<const N: usize>() -> [u8; N] {
    let mut octets = [0; N];
    getrandom::fill(&mut octets).expect("the system gives random octets");
    octets
}

#[cfg(test)]
mod tests {
    use super::*;

    fn secret(text: &str) -> Secret<String> {
        Secret::new(text.to_owned())
    }

    #[test]
    fn a_password_is_found_by_its_hash_and_no_other_is() {
        let recipe = Recipe::new();
        let kept = [recipe.keep(&secret("one")).unwrap().argon_hash, recipe.keep(&secret("two")).unwrap().argon_hash];
        let ask = |text: &str| find(recipe.hash(&secret(text)).unwrap().expose(), &kept);
        assert_eq!((ask("one"), ask("two"), ask("three"), ask("")), (Some(0), Some(1), None, None));
    }

    #[test]
    fn the_same_password_is_kept_differently_for_two_accounts() {
        let keep = || Recipe::new().keep(&secret("same")).unwrap();
        assert_ne!(keep().argon_hash, keep().argon_hash);
    }

    #[test]
    fn passwords_that_no_client_could_send_are_refused() {
        let keep = |text: &str| Recipe::new().keep(&secret(text)).map(drop);
        assert_eq!(keep(""), Err(BadPassword::Empty));
        assert_eq!(keep("a\0b"), Err(BadPassword::Control));
        assert_eq!(keep(&"x".repeat(201)), Err(BadPassword::TooLong));
        assert_eq!(keep(&"x".repeat(200)), Ok(()));
        assert_eq!(keep("pässwörd with spaces"), Ok(()));
    }

    #[test]
    fn a_password_typed_on_another_keyboard_is_the_same() {
        let recipe = Recipe::new();
        let kept = [recipe.keep(&secret("Zo\u{eb}")).unwrap().argon_hash];
        assert_eq!(find(recipe.hash(&secret("Zoe\u{308}")).unwrap().expose(), &kept), Some(0));
        assert_eq!(find(recipe.hash(&secret("Zoe")).unwrap().expose(), &kept), None);
    }

    #[test]
    fn made_up_passwords_are_long_and_differ() {
        let (a, b) = (generate(), generate());
        assert_eq!(a.expose().len(), 24);
        assert_ne!(a.expose(), b.expose());
        assert!(a.expose().chars().all(|c| c == '-' || c.is_ascii_alphanumeric()));
    }
}
