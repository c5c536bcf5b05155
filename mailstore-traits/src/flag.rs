//! Flags: five of the system, and any number of keywords (RFC 9051 §2.3.2).

use std::fmt;
use std::hash::{Hash, Hasher};
use std::sync::Arc;

use crate::{ModSeq, Uid, UidSet};

/// A flag that the protocol gives a meaning. `\Recent` is none: it belongs to a session, not to a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[non_exhaustive]
pub enum SystemFlag {
    /// `\Answered`
    Answered,
    /// `\Deleted`
    Deleted,
    /// `\Draft`
    Draft,
    /// `\Flagged`
    Flagged,
    /// `\Seen`
    Seen,
}

impl SystemFlag {
    /// All of them.
    pub const ALL: [Self; 5] = [Self::Answered, Self::Deleted, Self::Draft, Self::Flagged, Self::Seen];

    /// As it is written, with the backslash.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Answered => "\\Answered",
            Self::Deleted => "\\Deleted",
            Self::Draft => "\\Draft",
            Self::Flagged => "\\Flagged",
            Self::Seen => "\\Seen",
        }
    }

    const fn bit(self) -> u8 {
        1 << self as u8
    }
}

/// Not a keyword: empty, longer than 255 octets, or with an octet that an atom may not hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("expected a keyword: 1 to 255 printable ASCII octets without space and ( ) {{ % * \" \\ ]")]
pub struct InvalidKeyword;

/// A flag of the user's making: an atom, the same in any case of letters, kept as it was first written.
#[derive(Debug, Clone)]
pub struct Keyword(Arc<str>);

impl Keyword {
    /// Takes a `flag-keyword`: an atom (RFC 9051 §9).
    ///
    /// # Errors
    /// [`InvalidKeyword`] if it is none.
    pub fn new(keyword: impl Into<Arc<str>>) -> Result<Self, InvalidKeyword> {
        let keyword = keyword.into();
        let atom = |octet: u8| octet.is_ascii_graphic() && !br#"(){%*"\]"#.contains(&octet);
        if (1..=255).contains(&keyword.len()) && keyword.bytes().all(atom) {
            Ok(Self(keyword))
        } else {
            Err(InvalidKeyword)
        }
    }

    /// As it was written.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    fn folded(&self) -> impl Iterator<Item = u8> + '_ {
        self.0.bytes().map(|octet| octet.to_ascii_lowercase())
    }
}

impl PartialEq for Keyword {
    fn eq(&self, other: &Self) -> bool {
        self.0.eq_ignore_ascii_case(&other.0)
    }
}

impl Eq for Keyword {}

impl Hash for Keyword {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.folded().for_each(|octet| octet.hash(state));
    }
}

impl PartialOrd for Keyword {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Keyword {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        self.folded().cmp(other.folded())
    }
}

/// One flag.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[non_exhaustive]
pub enum Flag {
    /// One of the system's.
    System(SystemFlag),
    /// One of the user's.
    Keyword(Keyword),
}

impl Flag {
    /// Reads a flag as it is written, `\Seen` in any case of letters or a keyword.
    ///
    /// # Errors
    /// [`InvalidKeyword`] for a backslash with an unknown name behind it, `\Recent` too, and for what is no atom.
    pub fn parse(text: &str) -> Result<Self, InvalidKeyword> {
        match SystemFlag::ALL.into_iter().find(|flag| flag.as_str().eq_ignore_ascii_case(text)) {
            Some(flag) => Ok(Self::System(flag)),
            None => Keyword::new(text).map(Self::Keyword),
        }
    }

    /// As it is written.
    pub fn as_str(&self) -> &str {
        match self {
            Self::System(flag) => flag.as_str(),
            Self::Keyword(keyword) => keyword.as_str(),
        }
    }
}

impl From<SystemFlag> for Flag {
    fn from(flag: SystemFlag) -> Self {
        Self::System(flag)
    }
}

impl From<Keyword> for Flag {
    fn from(keyword: Keyword) -> Self {
        Self::Keyword(keyword)
    }
}

impl fmt::Display for Flag {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// A small set of flags. A keyword is the same in any case of letters; the spelling that came first stays.
#[derive(Clone, Default, PartialEq, Eq, Hash)]
pub struct Flags {
    /// Those of the system, a bit each.
    system: u8,
    /// The keywords, by letter. Most messages have none.
    keywords: Vec<Flag>,
}

/// Those of the system, ready to be lent out.
static SYSTEM: [Flag; 5] = [
    Flag::System(SystemFlag::Answered),
    Flag::System(SystemFlag::Deleted),
    Flag::System(SystemFlag::Draft),
    Flag::System(SystemFlag::Flagged),
    Flag::System(SystemFlag::Seen),
];

impl Flags {
    /// None.
    pub const fn new() -> Self {
        Self { system: 0, keywords: Vec::new() }
    }

    /// Whether it is set.
    pub fn contains(&self, flag: &Flag) -> bool {
        match flag {
            Flag::System(flag) => self.has(*flag),
            Flag::Keyword(_) => self.keywords.binary_search(flag).is_ok(),
        }
    }

    /// Whether that one of the system's is set.
    pub const fn has(&self, flag: SystemFlag) -> bool {
        self.system & flag.bit() != 0
    }

    /// Sets one; says whether it was not set before.
    pub fn insert(&mut self, flag: impl Into<Flag>) -> bool {
        match flag.into() {
            Flag::System(flag) => {
                let is_new = !self.has(flag);
                self.system |= flag.bit();
                is_new
            }
            keyword @ Flag::Keyword(_) => match self.keywords.binary_search(&keyword) {
                Ok(_) => false,
                Err(at) => {
                    self.keywords.insert(at, keyword);
                    true
                }
            },
        }
    }

    /// Takes one away; says whether it was set.
    pub fn remove(&mut self, flag: &Flag) -> bool {
        match flag {
            Flag::System(flag) => {
                let was_set = self.has(*flag);
                self.system &= !flag.bit();
                was_set
            }
            Flag::Keyword(_) => match self.keywords.binary_search(flag) {
                Ok(at) => {
                    self.keywords.remove(at);
                    true
                }
                Err(_) => false,
            },
        }
    }

    /// In a fixed order: the system's first, then the keywords by letter.
    pub fn iter(&self) -> impl Iterator<Item = &Flag> {
        let is_set = |flag: &&Flag| matches!(flag, Flag::System(flag) if self.has(*flag));
        SYSTEM.iter().filter(is_set).chain(&self.keywords)
    }

    /// The keywords alone.
    pub fn keywords(&self) -> impl Iterator<Item = &Keyword> {
        self.keywords.iter().filter_map(|flag| match flag {
            Flag::Keyword(keyword) => Some(keyword),
            Flag::System(_) => None,
        })
    }

    /// How many are set.
    pub fn len(&self) -> usize {
        self.keywords.len().saturating_add(self.system.count_ones() as usize)
    }

    /// Whether none is set.
    pub const fn is_empty(&self) -> bool {
        self.system == 0 && self.keywords.is_empty()
    }
}

/// As a `flag-list` (RFC 9051 §9).
impl fmt::Debug for Flags {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("(")?;
        for (at, flag) in self.iter().enumerate() {
            f.write_str(if at > 0 { " " } else { "" })?;
            f.write_str(flag.as_str())?;
        }
        f.write_str(")")
    }
}

impl<F: Into<Flag>> FromIterator<F> for Flags {
    fn from_iter<I: IntoIterator<Item = F>>(flags: I) -> Self {
        let mut set = Self::new();
        for flag in flags {
            set.insert(flag);
        }
        set
    }
}

/// What a STORE does to a message's flags (RFC 9051 §6.4.6).
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum FlagChange {
    /// `+FLAGS`: set these too.
    Add(Flags),
    /// `-FLAGS`: take these away.
    Remove(Flags),
    /// `FLAGS`: set these and no others.
    Replace(Flags),
}

impl FlagChange {
    /// What the flags are after it. A keyword that stays keeps its first spelling.
    #[must_use]
    pub fn apply(&self, flags: &Flags) -> Flags {
        match self {
            Self::Add(added) => flags.iter().chain(added.iter()).cloned().collect(),
            Self::Remove(removed) => flags.iter().filter(|flag| !removed.contains(flag)).cloned().collect(),
            Self::Replace(set) => flags.iter().filter(|flag| set.contains(flag)).chain(set.iter()).cloned().collect(),
        }
    }
}

/// What became of the messages of a [`store_flags`](crate::Account::store_flags), told as it happens.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum FlagOutcome {
    /// This message's flags are now these. Told for a message that was not changed by it too.
    Stored {
        /// Which message.
        uid: Uid,
        /// Its modification sequence after it.
        modseq: ModSeq,
        /// All its flags after it.
        flags: Flags,
    },
    /// Told last, once: these were changed by somebody since `unchanged_since` and were left alone
    /// (MODIFIED, RFC 7162 §3.1.3). UIDs that do not exist are in neither.
    Failed(UidSet),
}

#[cfg(test)]
mod tests {
    use super::*;

    fn flags(text: &str) -> Flags {
        text.split_whitespace().map(|flag| Flag::parse(flag).unwrap()).collect()
    }

    fn spelled(flags: &Flags) -> String {
        flags.iter().map(Flag::as_str).collect::<Vec<_>>().join(" ")
    }

    #[test]
    fn a_keyword_keeps_its_first_spelling() {
        let mut set = flags("$Junk \\SEEN");
        assert!(!set.insert(Keyword::new("$JUNK").unwrap()));
        assert_eq!(spelled(&set), "\\Seen $Junk");
        assert_eq!(spelled(&FlagChange::Add(flags("$junk work")).apply(&set)), "\\Seen $Junk work");
        assert_eq!(spelled(&FlagChange::Replace(flags("$JUNK")).apply(&set)), "$Junk");
        assert_eq!(spelled(&FlagChange::Remove(flags("$jUNK")).apply(&set)), "\\Seen");
    }

    #[test]
    fn no_atom_no_keyword() {
        for bad in ["", "a b", "\\Recent", "\\Foo", "a(b", "a*", "a%", "a\"", "a]", "ä", "a\r\n", "a\0"] {
            assert_eq!(Flag::parse(bad), Err(InvalidKeyword), "{bad:?}");
        }
    }

    #[test]
    fn flags_are_shown_as_they_are_written() {
        assert_eq!(format!("{:?} {:?}", flags("$Two \\Seen $one"), Flags::new()), "(\\Seen $one $Two) ()");
    }
}
