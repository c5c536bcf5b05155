//! A frame that is a command is written again and read as the same one; so is the head of an APPEND.

use imap_proto::command::{AppendHead, Command, Literals};
use imap_proto::grammar::Dialect;
use imap_proto::limits::Limits;

/// See the module.
pub fn run(octets: &[u8]) {
    let limits = Limits::default();
    for dialect in [Dialect::ASCII, Dialect::UTF8] {
        if let Ok(command) = Command::parse(octets, dialect, &limits) {
            for literals in [Literals::Synchronizing, Literals::NonSynchronizing] {
                let encoded = command.encode(dialect, literals);
                let frame = encoded.octets().strip_suffix(b"\r\n").expect("a command ends");
                assert_eq!(Command::parse(frame, dialect, &limits).as_ref(), Ok(&command), "{}", frame.escape_ascii());
                assert_eq!(encoded.fragments().collect::<Vec<_>>().concat(), encoded.octets()[..]);
            }
        }
        if let Ok(Some(head)) = AppendHead::parse(octets, dialect, &limits) {
            let encoded = head.encode(dialect);
            let frame = encoded.octets().strip_suffix(b"\r\n").expect("a literal's head ends");
            assert_eq!(AppendHead::parse(frame, dialect, &limits), Ok(Some(head)), "{}", frame.escape_ascii());
        }
    }
}
