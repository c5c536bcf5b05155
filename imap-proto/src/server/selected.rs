//! The mailbox that a session has selected.

use std::collections::BTreeSet;

use bytes::BytesMut;
use futures::stream::BoxStream;
use mailstore_traits::{Access, Changed, Flag, Flags, Keyword, MailboxId, Snapshot, UidSet};

use crate::response::{Code, write};
use crate::session::Enabled;
use crate::view::View;

/// What is told of a message whose flags have changed.
#[derive(Debug, Clone, Copy)]
pub(super) struct Telling {
    pub(super) with_uid: bool,
    /// The flags themselves: a silent STORE is told the modification sequence alone.
    pub(super) with_flags: bool,
    pub(super) with_modseq: bool,
    /// `\Recent` among the flags, which IMAP4rev2 does not know.
    pub(super) with_recent: bool,
}

impl Telling {
    /// What a client is told that has enabled that; with the UID where it is asked for, and in IMAP4rev2 (RFC 9051 §7.5.2).
    pub(super) fn to(enabled: Enabled, by_uid: bool) -> Self {
        Self {
            with_uid: by_uid || enabled.rev2,
            with_flags: true,
            with_modseq: enabled.condstore,
            with_recent: !enabled.rev2,
        }
    }
}

/// What the server keeps of it: kilobytes, whatever its size.
pub(super) struct Selected {
    pub(super) id: MailboxId,
    /// What the client believes.
    pub(super) view: View,
    /// By EXAMINE, or because the store says so.
    pub(super) read_only: bool,
    permanent: Flags,
    new_keywords: bool,
    /// Those that FLAGS has told.
    keywords: BTreeSet<Keyword>,
    /// Hears of changes.
    pub(super) watch: BoxStream<'static, MailboxId>,
    /// Something may have changed since the view was fed.
    pub(super) dirty: bool,
    /// `$` (RFC 9051 §6.4.4.1).
    pub(super) saved: UidSet,
}

impl Selected {
    pub(super) fn new(id: MailboxId, snapshot: &Snapshot, examine: bool, watch: BoxStream<'static, MailboxId>) -> Self {
        Self {
            id,
            view: View::new(snapshot),
            read_only: examine || snapshot.access != Access::ReadWrite,
            permanent: snapshot.permanent_flags.clone(),
            new_keywords: snapshot.new_keywords,
            keywords: snapshot.keywords.iter().cloned().collect(),
            watch,
            dirty: false,
            saved: UidSet::new(),
        }
    }

    /// `* FLAGS` and `* OK [PERMANENTFLAGS]`: the flags that there are, and those that may be changed for good.
    pub(super) fn write_flags(&self, out: &mut BytesMut) {
        let system = mailstore_traits::SystemFlag::ALL.iter().map(|flag| flag.as_str());
        out.extend_from_slice(b"* FLAGS ");
        write::flag_list(system.chain(self.keywords.iter().map(Keyword::as_str)), out);
        out.extend_from_slice(b"\r\n");
        let mut permanent = Flags::new();
        if !self.read_only {
            permanent = self.permanent.clone();
            for keyword in &self.keywords {
                if self.new_keywords || !permanent.is_empty() {
                    permanent.insert(Flag::Keyword(keyword.clone()));
                }
            }
        }
        let words = if permanent.is_empty() { "No permanent flags permitted" } else { "Flags permitted" };
        let code = Code::PermanentFlags(permanent, self.new_keywords && !self.read_only);
        super::connection::ok(words).with_code(code).encode(None, out);
    }

    /// `* FETCH` with a message's flags.
    pub(super) fn write_changed(
        &mut self,
        number: u32,
        Changed { uid, modseq, flags, .. }: &Changed,
        telling: Telling,
        out: &mut BytesMut,
    ) {
        if telling.with_flags {
            self.meet(flags, out);
        }
        out.extend_from_slice(b"* ");
        write::number(u64::from(number), out);
        let mut between: &[u8] = b" FETCH (";
        if telling.with_uid {
            out.extend_from_slice(between);
            out.extend_from_slice(b"UID ");
            write::number(u64::from(uid.value()), out);
            between = b" ";
        }
        if telling.with_flags {
            out.extend_from_slice(between);
            out.extend_from_slice(b"FLAGS ");
            write::flags(flags, telling.with_recent && self.view.is_recent(*uid), out);
            between = b" ";
        }
        if telling.with_modseq {
            out.extend_from_slice(between);
            out.extend_from_slice(b"MODSEQ (");
            write::number(modseq.value(), out);
            out.extend_from_slice(b")");
        }
        out.extend_from_slice(b")\r\n");
    }

    /// Tells of keywords that the client has not heard of, before it meets them (RFC 9051 §7.3.6).
    pub(super) fn meet(&mut self, flags: &Flags, out: &mut BytesMut) {
        let before = self.keywords.len();
        for keyword in flags.keywords() {
            // Most are known: nothing is cloned for them.
            if !self.keywords.contains(keyword) && self.keywords.len() < KEYWORDS_MOST {
                self.keywords.insert(keyword.clone());
            }
        }
        if self.keywords.len() > before {
            self.write_flags(out);
        }
    }
}

/// How many keywords a session remembers to have told. A mailbox with more than this has no use for the list (attack row
/// M2).
const KEYWORDS_MOST: usize = 1000;
