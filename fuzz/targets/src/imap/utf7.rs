//! What is taken as a name is written with the same octets: no name has two spellings. And any text comes back.

use imap_proto::grammar::{Dialect, Mailbox};

/// See the module.
pub fn run(octets: &[u8]) {
    for dialect in [Dialect::ASCII, Dialect::UTF8] {
        if let Ok(mailbox) = Mailbox::decode(octets, dialect) {
            // INBOX is the one name with many: it has no case.
            assert!(mailbox.encoded(dialect) == octets || octets.eq_ignore_ascii_case(b"INBOX"));
        }
    }
    if let Ok(text) = std::str::from_utf8(octets) {
        let mailbox = Mailbox::new(text);
        let encoded = mailbox.encoded(Dialect::ASCII);
        assert!(encoded.iter().all(|octet| (b' '..=b'~').contains(octet)));
        assert_eq!(Mailbox::decode(&encoded, Dialect::ASCII), Ok(mailbox));
    }
}
