//! SCRAM's arithmetic (RFC 5802 §3) with SHA-1 and with SHA-256 (RFC 7677).

use hmac::{Hmac, KeyInit, Mac};
use mailstore_traits::{ScramHash, ScramKeyPair};
use sha1::Sha1;
use sha2::{Digest as _, Sha256};
use zeroize::Zeroizing;

use super::super::{Unpreparable, prepare_password};

/// The least iteration count that is let through (RFC 7677 §4: "SHOULD be at least 4096").
pub const MIN_ITERATIONS: u32 = 4096;

/// The greatest: clients hash as often as they are told, and most refuse far less.
pub const MAX_ITERATIONS: u32 = 10_000_000;

/// One hash, or one key of that size. Wiped when dropped.
pub(super) type Hash = Zeroizing<Vec<u8>>;

/// Keys that cannot be made.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum DeriveError {
    /// The password cannot be prepared, and nobody could log in with it.
    #[error("password: {0}")]
    Password(#[from] Unpreparable),
    /// There is no salt.
    #[error("expected a salt of at least one octet")]
    Salt,
    /// The count is outside [`MIN_ITERATIONS`] to [`MAX_ITERATIONS`].
    #[error("expected 4096 to 10000000 iterations")]
    Iterations,
    /// The hash is one that is not carried out here.
    #[error("expected SCRAM-SHA-1 or SCRAM-SHA-256")]
    Hash,
}

/// What a server keeps of a password, for a host to keep beside its own hash of it: from these keys the password can be
/// checked, and with them alone nobody can log in. The password is prepared first, as in an exchange.
///
/// Slow by design: `iterations` times two hashes. Call it on a thread that may block.
///
/// ```
/// use mail_wire::ScramHash;
/// use mail_wire::sasl::scram::derive;
/// let keys = derive("pencil", b"sixteen octets!!", 4096, ScramHash::Sha256).unwrap();
/// assert_eq!(keys.stored_key.expose().len(), 32);
/// ```
///
/// # Errors
/// [`DeriveError`].
pub fn derive(password: &str, salt: &[u8], iterations: u32, hash: ScramHash) -> Result<ScramKeyPair, DeriveError> {
    if !matches!(hash, ScramHash::Sha1 | ScramHash::Sha256) {
        return Err(DeriveError::Hash);
    }
    if salt.is_empty() {
        return Err(DeriveError::Salt);
    }
    if !(MIN_ITERATIONS..=MAX_ITERATIONS).contains(&iterations) {
        return Err(DeriveError::Iterations);
    }
    let password = prepare_password(password)?;
    let mut salted = Hash::new(vec![0; size(hash)]);
    match hash {
        ScramHash::Sha1 => pbkdf2::pbkdf2_hmac::<Sha1>(password.expose().as_bytes(), salt, iterations, &mut salted),
        _ => pbkdf2::pbkdf2_hmac::<Sha256>(password.expose().as_bytes(), salt, iterations, &mut salted),
    }
    let client_key = hmac(hash, &salted, &[b"Client Key"]);
    let server_key = hmac(hash, &salted, &[b"Server Key"]);
    Ok(ScramKeyPair::new(digest(hash, &client_key).to_vec(), server_key.to_vec()))
}

/// How many octets a hash has. Hashes that are not known here are asked for by no mechanism.
pub(super) const fn size(hash: ScramHash) -> usize {
    match hash {
        ScramHash::Sha1 => 20,
        _ => 32,
    }
}

pub(super) fn hmac(hash: ScramHash, key: &[u8], parts: &[&[u8]]) -> Hash {
    fn mac<M: Mac + KeyInit>(key: &[u8], parts: &[&[u8]]) -> Hash {
        let mut mac = <M as KeyInit>::new_from_slice(key).expect("HMAC takes keys of any length (RFC 2104 §2)");
        for part in parts {
            mac.update(part);
        }
        Zeroizing::new(mac.finalize().into_bytes().to_vec())
    }
    match hash {
        ScramHash::Sha1 => mac::<Hmac<Sha1>>(key, parts),
        _ => mac::<Hmac<Sha256>>(key, parts),
    }
}

pub(super) fn digest(hash: ScramHash, octets: &[u8]) -> Hash {
    Zeroizing::new(match hash {
        ScramHash::Sha1 => Sha1::digest(octets).to_vec(),
        _ => Sha256::digest(octets).to_vec(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_cannot_be_derived_says_why() {
        let derive = |password, salt: &[u8], iterations, hash| derive(password, salt, iterations, hash).err();
        assert_eq!(derive("a", b"s", 4096, ScramHash::Sha1), None);
        assert_eq!(derive("a", b"", 4096, ScramHash::Sha256), Some(DeriveError::Salt));
        assert_eq!(derive("a", b"s", 4095, ScramHash::Sha256), Some(DeriveError::Iterations));
        assert_eq!(derive("a", b"s", 10_000_001, ScramHash::Sha256), Some(DeriveError::Iterations));
        assert_eq!(derive("a\0", b"s", 4096, ScramHash::Sha256), Some(DeriveError::Password(Unpreparable::Control)));
    }

    #[test]
    fn passwords_that_look_the_same_have_the_same_keys() {
        let one = derive("I\u{ad}X", b"salt", 4096, ScramHash::Sha256).unwrap();
        let other = derive("\u{2168}", b"salt", 4096, ScramHash::Sha256).unwrap();
        assert_eq!(one.stored_key.expose(), other.stored_key.expose());
        assert_eq!(one.server_key.expose(), other.server_key.expose());
    }
}
