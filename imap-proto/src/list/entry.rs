//! One LIST or LSUB response (RFC 9051 §7.3.1, RFC 3501 §7.2.3).

use bytes::BytesMut;
use mailstore_traits::{MailboxId, SpecialUse};

use crate::{
    grammar::{Dialect, Mailbox},
    response::write,
};

/// A `mbx-list-flag` (RFC 9051 §9) that this server has a use for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Attribute {
    /// `\NonExistent`: a name without a mailbox, for clients that know RFC 5258 or IMAP4rev2.
    NonExistent,
    /// `\Noselect`: the same for all others; and a mailbox that may be seen and not opened. In LSUB: not subscribed, but
    /// something below it is.
    NoSelect,
    /// `\HasChildren`: a mailbox is below it, at any depth.
    HasChildren,
    /// `\HasNoChildren`: none is.
    HasNoChildren,
    /// `\Subscribed`
    Subscribed,
    /// What the mailbox is for (RFC 6154 §2).
    Use(SpecialUse),
}

impl Attribute {
    /// As it is written, with the backslash.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::NonExistent => "\\NonExistent",
            Self::NoSelect => "\\Noselect",
            Self::HasChildren => "\\HasChildren",
            Self::HasNoChildren => "\\HasNoChildren",
            Self::Subscribed => "\\Subscribed",
            Self::Use(special_use) => special_use.as_str(),
        }
    }

    /// Whether the other cannot stand beside it (RFC 9051 §7.3.1).
    const fn excludes(self, other: Self) -> bool {
        matches!(
            (self, other),
            (Self::NonExistent | Self::NoSelect, Self::NonExistent | Self::NoSelect)
                | (Self::HasChildren | Self::HasNoChildren, Self::HasChildren | Self::HasNoChildren)
        )
    }
}

/// `CHILDINFO` (RFC 9051 §6.3.9.6): something below the name meets all selection options, and which those were. At least
/// one is true.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct ChildInfo {
    /// SUBSCRIBED was among them.
    pub subscribed: bool,
    /// SPECIAL-USE was among them.
    pub special_use: bool,
}

/// What a LIST or LSUB response tells of one name. The separator is always `/`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ListEntry {
    name: Mailbox,
    id: Option<MailboxId>,
    is_lsub: bool,
    attributes: Vec<Attribute>,
    child_info: Option<ChildInfo>,
    old_name: Option<Mailbox>,
}

impl ListEntry {
    /// A LIST response without attributes. The name is empty in the answer to `LIST "" ""` only.
    pub fn new(name: Mailbox) -> Self {
        Self { name, id: None, is_lsub: false, attributes: Vec::new(), child_info: None, old_name: None }
    }

    /// Makes it an LSUB response.
    #[must_use]
    pub fn into_lsub(self) -> Self {
        Self { is_lsub: true, ..self }
    }

    /// Says which mailbox it is.
    #[must_use]
    pub fn with_id(self, id: Option<MailboxId>) -> Self {
        Self { id, ..self }
    }

    /// Adds an attribute, and takes away what it contradicts. `\Noselect` adds nothing to `\NonExistent`, which implies
    /// it (RFC 9051 §6.3.9.4). STATUS that fails for a listed mailbox adds [`Attribute::NoSelect`] (RFC 9051 §6.3.9.2).
    #[must_use]
    pub fn with(mut self, attribute: Attribute) -> Self {
        let is_implied = attribute == Attribute::NoSelect && self.has(Attribute::NonExistent);
        if !is_implied && !self.has(attribute) {
            self.attributes.retain(|other| !attribute.excludes(*other));
            self.attributes.push(attribute);
        }
        self
    }

    /// Says that something below it meets the selection options. Only where the client has asked with RECURSIVEMATCH
    /// (RFC 9051 §6.3.9.6).
    #[must_use]
    pub fn with_child_info(self, child_info: ChildInfo) -> Self {
        Self { child_info: Some(child_info), ..self }
    }

    /// Says what it was called before a RENAME, or how the client has written it (RFC 9051 §6.3.9.7). Only to clients
    /// that have enabled IMAP4rev2.
    #[must_use]
    pub fn with_old_name(self, old_name: Mailbox) -> Self {
        Self { old_name: Some(old_name), ..self }
    }

    /// The name.
    pub fn name(&self) -> &Mailbox {
        &self.name
    }

    /// The mailbox, where there is one: that which STATUS is asked of (RFC 5819).
    pub fn id(&self) -> Option<&MailboxId> {
        self.id.as_ref()
    }

    /// Its attributes, none twice and none that contradict.
    pub fn attributes(&self) -> &[Attribute] {
        &self.attributes
    }

    /// Whether it has that attribute.
    pub fn has(&self, attribute: Attribute) -> bool {
        self.attributes.contains(&attribute)
    }

    /// What is below it.
    pub fn child_info(&self) -> Option<ChildInfo> {
        self.child_info
    }

    /// Writes the whole response with its CRLF.
    pub fn encode(&self, dialect: Dialect, out: &mut BytesMut) {
        out.extend_from_slice(if self.is_lsub { b"* LSUB " } else { b"* LIST " });
        write::flag_list(self.attributes.iter().map(|attribute| attribute.as_str()), out);
        out.extend_from_slice(b" \"/\" ");
        write::mailbox(&self.name, dialect, out);
        self.encode_extended(dialect, out);
        out.extend_from_slice(b"\r\n");
    }

    /// `mbox-list-extended`, where there is anything.
    fn encode_extended(&self, dialect: Dialect, out: &mut BytesMut) {
        let criteria = self.child_info.map(|info| match (info.subscribed, info.special_use) {
            (true, true) => &b"\"CHILDINFO\" (\"SUBSCRIBED\" \"SPECIAL-USE\")"[..],
            (false, true) => b"\"CHILDINFO\" (\"SPECIAL-USE\")",
            _ => b"\"CHILDINFO\" (\"SUBSCRIBED\")",
        });
        if criteria.is_none() && self.old_name.is_none() {
            return;
        }
        out.extend_from_slice(b" (");
        out.extend_from_slice(criteria.unwrap_or_default());
        if let Some(old_name) = &self.old_name {
            out.extend_from_slice(if criteria.is_some() { b" " } else { b"" });
            out.extend_from_slice(b"\"OLDNAME\" (");
            write::mailbox(old_name, dialect, out);
            out.extend_from_slice(b")");
        }
        out.extend_from_slice(b")");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(entry: &ListEntry, dialect: Dialect) -> String {
        let mut out = BytesMut::new();
        entry.encode(dialect, &mut out);
        String::from_utf8(out.to_vec()).unwrap()
    }

    #[test]
    fn a_response_is_one_line() {
        let plain = ListEntry::new(Mailbox::new("inbox"));
        assert_eq!(written(&plain, Dialect::ASCII), "* LIST () \"/\" INBOX\r\n");
        let root = ListEntry::new(Mailbox::new("")).with(Attribute::NoSelect);
        assert_eq!(written(&root, Dialect::ASCII), "* LIST (\\Noselect) \"/\" \"\"\r\n");
        let lsub = ListEntry::new(Mailbox::new("a b")).into_lsub().with(Attribute::NoSelect);
        assert_eq!(written(&lsub, Dialect::ASCII), "* LSUB (\\Noselect) \"/\" \"a b\"\r\n");
        let sent = ListEntry::new(Mailbox::new("Entwürfe"))
            .with(Attribute::HasNoChildren)
            .with(Attribute::Use(SpecialUse::Drafts));
        assert_eq!(written(&sent, Dialect::ASCII), "* LIST (\\HasNoChildren \\Drafts) \"/\" Entw&APw-rfe\r\n");
        assert_eq!(written(&sent, Dialect::UTF8), "* LIST (\\HasNoChildren \\Drafts) \"/\" \"Entwürfe\"\r\n");
    }

    #[test]
    fn extended_items_stand_in_one_pair_of_parentheses() {
        let entry = ListEntry::new(Mailbox::new("Foo"));
        for (entry, expected) in [
            (
                entry.clone().with_child_info(ChildInfo { subscribed: true, special_use: false }),
                r#"("CHILDINFO" ("SUBSCRIBED"))"#,
            ),
            (
                entry.clone().with_child_info(ChildInfo { subscribed: true, special_use: true }),
                r#"("CHILDINFO" ("SUBSCRIBED" "SPECIAL-USE"))"#,
            ),
            (entry.clone().with_old_name(Mailbox::new("OldMailbox")), r#"("OLDNAME" (OldMailbox))"#),
            (
                entry
                    .clone()
                    .with_child_info(ChildInfo { subscribed: false, special_use: true })
                    .with_old_name(Mailbox::new("a b")),
                r#"("CHILDINFO" ("SPECIAL-USE") "OLDNAME" ("a b"))"#,
            ),
        ] {
            assert_eq!(written(&entry, Dialect::ASCII), format!("* LIST () \"/\" Foo {expected}\r\n"));
        }
    }

    #[test]
    fn attributes_do_not_contradict() {
        let entry = ListEntry::new(Mailbox::new("a"))
            .with(Attribute::HasChildren)
            .with(Attribute::NonExistent)
            .with(Attribute::NoSelect)
            .with(Attribute::HasNoChildren)
            .with(Attribute::HasNoChildren);
        assert_eq!(entry.attributes(), [Attribute::NonExistent, Attribute::HasNoChildren]);
        let entry = ListEntry::new(Mailbox::new("a")).with(Attribute::NoSelect).with(Attribute::NonExistent);
        assert_eq!(entry.attributes(), [Attribute::NonExistent]);
    }

    #[test]
    fn sec_i1_a_name_of_a_careless_store_cannot_end_the_line() {
        let entry = ListEntry::new(Mailbox::new("a\r\n* BYE")).with_old_name(Mailbox::new("b\r\n* BYE"));
        assert_eq!(
            written(&entry, Dialect::UTF8),
            "* LIST () \"/\" {8}\r\na\r\n* BYE (\"OLDNAME\" ({8}\r\nb\r\n* BYE))\r\n"
        );
        let ascii = written(&entry, Dialect::ASCII);
        assert_eq!(ascii.lines().count(), 1, "{ascii}");
    }
}
