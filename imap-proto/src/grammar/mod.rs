//! The words that commands and responses are made of (RFC 9051 §9), read from complete slices.

pub(crate) mod class;
mod date;
mod field_names;
mod mailbox;
mod octet_string;
mod plain;
pub(crate) mod read;
mod sequence_set;
mod tag;

pub use date::Date;
pub(crate) use date::{civil, month_name, month_of};
pub use field_names::FieldNames;
pub(crate) use field_names::push as push_field_name;
pub use mailbox::{InvalidEncoding, Mailbox};
pub use mailstore_traits::utf7;
pub use octet_string::OctetString;
pub(crate) use octet_string::SHORT;
pub(crate) use plain::{are_plain, is_plain, plain_span};
pub use sequence_set::{MessageSet, Numbering, SeqBound, SequenceSet};
pub use tag::Tag;

/// What both sides have agreed to speak.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
#[non_exhaustive]
pub struct Dialect {
    /// The client has enabled IMAP4rev2 or UTF8=ACCEPT: names of mailboxes and quoted strings are UTF-8 (RFC 9051 §5.1,
    /// RFC 6855 §3). Before that names are modified UTF-7 and quoted strings have seven bits.
    pub utf8: bool,
}

impl Dialect {
    /// That of a client that has enabled nothing.
    pub const ASCII: Self = Self { utf8: false };
    /// That of a client that has enabled IMAP4rev2 or UTF8=ACCEPT.
    pub const UTF8: Self = Self { utf8: true };
}
