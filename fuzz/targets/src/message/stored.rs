//! A stored digest that somebody has tampered with is refused or read; it never panics, and what is read is sound.

use mail_message::{DIGEST_VERSION, Digest};
use mailstore_traits::MessageDigest;

/// See the module.
pub fn run(octets: &[u8]) {
    let stored = MessageDigest::new(DIGEST_VERSION, octets.to_vec());
    if let Ok(digest) = Digest::from_octets(&stored) {
        assert_eq!(digest.to_octets(), stored);
        let _ = digest.with_prefix(b"Received: from a by b; Thu, 1 Jan 1970 00:00:00 +0000\r\n").parts().count();
    }
}
