//! What a store finds wrong with itself.

/// Something that is not as it has to be ([`MailStore::check`](crate::MailStore::check)).
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Finding {
    /// What is wrong and where, for an operator: "mailboxes whose counts are wrong: 3". No octets of messages.
    pub what: String,
    /// Whether it has been put right.
    pub mended: bool,
}

impl Finding {
    /// That, mended or not.
    pub fn new(what: impl Into<String>, mended: bool) -> Self {
        Self { what: what.into(), mended }
    }
}
