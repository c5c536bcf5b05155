//! LIST with all its options, and LSUB.

use super::StatusItem;

/// LIST (RFC 9051 §6.3.9, RFC 5258).
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct List {
    /// Which names; `None` where no selection options were given, not even `()`.
    pub select: Option<ListSelect>,
    /// What stands before each pattern, decoded to Unicode; mostly empty.
    pub reference: String,
    /// The patterns, decoded to Unicode; at least one.
    pub patterns: Vec<String>,
    /// Whether the patterns stood in parentheses.
    pub many: bool,
    /// What to tell of them; `None` without `RETURN`.
    pub returns: Option<ListReturn>,
}

impl List {
    /// The plain form.
    pub fn new(reference: impl Into<String>, pattern: impl Into<String>) -> Self {
        Self { select: None, reference: reference.into(), patterns: vec![pattern.into()], many: false, returns: None }
    }

    /// Whether it is written as RFC 5258 extends it.
    pub fn is_extended(&self) -> bool {
        self.select.is_some() || self.many || self.returns.is_some()
    }
}

/// Selection options (RFC 5258 §3.1, RFC 6154 §4).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct ListSelect {
    /// SUBSCRIBED: subscribed names only, whether they exist or not.
    pub subscribed: bool,
    /// REMOTE: those on other servers too, of which there are none.
    pub remote: bool,
    /// RECURSIVEMATCH: those with children that match, too. Only with another one.
    pub recursive_match: bool,
    /// SPECIAL-USE: those with a special use only.
    pub special_use: bool,
}

/// Return options (RFC 5258 §3.2, RFC 6154 §4, RFC 5819).
#[derive(Debug, Clone, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct ListReturn {
    /// SUBSCRIBED
    pub subscribed: bool,
    /// CHILDREN
    pub children: bool,
    /// SPECIAL-USE
    pub special_use: bool,
    /// `STATUS (...)`; empty if it was not asked for.
    pub status: Vec<StatusItem>,
}

/// LSUB (RFC 3501 §6.3.9).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Lsub {
    /// What stands before the pattern, decoded to Unicode.
    pub reference: String,
    /// The pattern, decoded to Unicode.
    pub pattern: String,
}
