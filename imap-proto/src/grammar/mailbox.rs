//! Names of mailboxes as a client means them.

/// The name of a mailbox, decoded to Unicode, with `/` between its segments.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Mailbox(String);

impl Mailbox {
    /// The decoded name.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}
