//! What has happened in a mailbox.

use crate::{Flags, ModSeq, Uid, UidSet};

/// A message that is new or whose flags are.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Changed {
    /// Which message.
    pub uid: Uid,
    /// Its modification sequence.
    pub modseq: ModSeq,
    /// All its flags.
    pub flags: Flags,
}

impl Changed {
    /// That message as it is.
    pub fn new(uid: Uid, modseq: ModSeq, flags: Flags) -> Self {
        Self { uid, modseq, flags }
    }
}

/// A page of what has happened since a modification sequence, whole up to [`up_to`](Self::up_to).
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Changes {
    /// Messages that exist and are new or changed, by rising modification sequence. A message that changed again since
    /// stands once, under its last.
    pub changed: Vec<Changed>,
    /// UIDs that were there, or came and went in between, and are gone.
    pub vanished: UidSet,
    /// All up to and including this one has been told: ask from here the next time. With no changes it is the one asked
    /// from, or higher.
    pub up_to: ModSeq,
    /// Whether there is more behind `up_to`.
    pub more: bool,
}

impl Changes {
    /// Nothing has happened up to there.
    pub fn none(up_to: ModSeq) -> Self {
        Self { changed: Vec::new(), vanished: UidSet::new(), up_to, more: false }
    }
}
