//! The digest: what was found, and the way to look at it.

use std::fmt;
use std::sync::Arc;

use bytes::Bytes;

use crate::field::{self, KNOWN};
use crate::part::PartData;
use crate::{Defect, Defects, Digester, Field, Limits, Part};

/// What a message is made of, without its bodies. Cheap to clone.
///
/// Made by a [`Digester`], or from the octets that a store kept ([`from_octets`](Self::from_octets)).
#[derive(Clone, PartialEq, Eq)]
pub struct Digest {
    /// Octets of the blob.
    pub(crate) blob: u64,
    /// Octets in front of the blob.
    pub(crate) prefix: u64,
    /// Line ends of prefix and blob.
    pub(crate) line_ends: u64,
    pub(crate) unfinished_line: bool,
    pub(crate) defects: Defects,
    pub(crate) counts: [u64; KNOWN.len()],
    pub(crate) fields: Vec<FieldData>,
    pub(crate) parts: Arc<[PartData]>,
    pub(crate) preview: Option<(usize, Bytes)>,
}

/// A kept field. Its offset counts from the blob's first octet and is negative in the prefix.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct FieldData {
    pub(crate) owner: usize,
    pub(crate) name: u8,
    pub(crate) offset: i64,
    pub(crate) truncated: bool,
    pub(crate) value: Bytes,
}

/// The beginning of a message's first text, as it stands in the message.
#[derive(Debug, Clone, Copy)]
#[non_exhaustive]
pub struct Preview<'a> {
    /// The text/plain part that it is of: its charset and its transfer encoding say how to read the octets.
    pub part: Part<'a>,
    /// The first octets of its body, still encoded; cut anywhere.
    pub octets: &'a [u8],
}

impl Digest {
    /// The digest of a message that is in memory.
    pub fn of(message: &[u8]) -> Self {
        let mut digester = Digester::new(&Limits::default());
        digester.feed(message);
        digester.finish()
    }

    /// Octets of the whole message, prefix and blob (RFC822.SIZE).
    pub fn size(&self) -> u64 {
        self.prefix.saturating_add(self.blob)
    }

    /// Lines of the whole message. A last line without a line end counts as one.
    pub fn lines(&self) -> u64 {
        self.line_ends.saturating_add(self.unfinished_line.into())
    }

    /// Octets in front of the blob: what [`with_prefix`](Self::with_prefix) was given in all.
    pub fn prefix_len(&self) -> u64 {
        self.prefix
    }

    /// The message itself: the part that all others are in.
    pub fn root(&self) -> Part<'_> {
        self.part(0).expect("a digest is only made with the message itself as its first part")
    }

    /// All parts in the order in which they begin: each before what is in it.
    pub fn parts(&self) -> impl ExactSizeIterator<Item = Part<'_>> {
        self.parts.iter().enumerate().map(|(index, data)| Part { digest: self, data, index })
    }

    /// The part with that [`index`](Part::index).
    pub fn part(&self, index: usize) -> Option<Part<'_>> {
        self.parts.get(index).map(|data| Part { digest: self, data, index })
    }

    /// The kept header fields of the message itself, in order: Date, Subject, From, Sender, Reply-To, To, Cc, Bcc,
    /// In-Reply-To, Message-ID, References, List-Id, Return-Path, Delivered-To, Auto-Submitted, Precedence.
    pub fn fields(&self) -> impl Iterator<Item = Field<'_>> {
        self.fields_of(0)
    }

    /// The first kept field with that name, in any case.
    pub fn field(&self, name: &str) -> Option<Field<'_>> {
        self.fields().find(|field| field.name.eq_ignore_ascii_case(name))
    }

    /// How many fields with that name, in any case, the message's own header has, kept or not. `None` if the digest
    /// does not count that name: it does those of [`fields`](Self::fields), and Received, Resent-Date, Resent-From,
    /// Resent-To, Resent-Message-ID, MIME-Version, Content-Type, Authentication-Results, DKIM-Signature,
    /// List-Unsubscribe.
    ///
    /// Loop detection asks for `Received` (RFC 5321 §6.3); a submission server asks whether `Date` and `Message-ID`
    /// are missing (RFC 6409 §8).
    pub fn field_count(&self, name: &str) -> Option<u64> {
        let (name, _) = field::known(name.as_bytes())?;
        self.counts.get(usize::from(name)).copied()
    }

    /// The beginning of the first text/plain part that is no attachment, if there is one and
    /// [`Limits::preview_octets`] is not 0.
    pub fn preview(&self) -> Option<Preview<'_>> {
        let (index, octets) = self.preview.as_ref()?;
        Some(Preview { part: self.part(*index)?, octets })
    }

    /// What is wrong with the message or with any of its parts.
    pub fn defects(&self) -> Defects {
        self.defects
    }

    /// Whether this is wrong somewhere.
    pub fn has(&self, defect: Defect) -> bool {
        self.defects.contains(defect)
    }

    /// The digest of the same message with these octets in front of it: whole lines of trace fields, known only when
    /// the message has come to its end. Costs what the prefix costs, whatever the size of the message.
    ///
    /// Only header fields are looked for in the prefix, under the default [`Limits`], and MIME fields there change
    /// nothing. Fields that were kept stay where they are in the blob; size, lines and the message's own header grow.
    #[must_use]
    pub fn with_prefix(&self, prefix: &[u8]) -> Self {
        self.clone().prefixed(prefix)
    }

    /// The same, of a digest that is not needed without the prefix: nothing of it is copied.
    #[must_use]
    pub fn prefixed(mut self, prefix: &[u8]) -> Self {
        let mut before = Self::of(prefix);
        let shift = i64::try_from(before.blob.saturating_add(self.prefix)).unwrap_or(i64::MAX);
        // An empty blob ends where the prefix ends.
        self.unfinished_line |= before.unfinished_line && self.blob == 0 && self.prefix == 0;
        self.prefix = self.prefix.saturating_add(before.blob);
        self.line_ends = self.line_ends.saturating_add(before.line_ends);
        before.fields.retain_mut(|field| {
            field.offset = field.offset.saturating_sub(shift);
            field.owner == 0
        });
        before.fields.append(&mut self.fields);
        self.fields = before.fields;
        for (count, more) in self.counts.iter_mut().zip(before.counts) {
            *count = count.saturating_add(more);
        }
        let of_octets = |defects: Defects| defects.iter().filter(|defect| defect.is_of_octets());
        of_octets(before.defects).for_each(|defect| self.defects.insert(defect));
        let of_root = before.parts.first().map_or(Defects::NONE, |root| root.defects);
        if of_octets(of_root).next().is_some() {
            let mut parts = self.parts.to_vec();
            if let Some(root) = parts.first_mut() {
                of_octets(of_root).for_each(|defect| root.defects.insert(defect));
            }
            self.parts = parts.into();
        }
        self
    }

    /// An offset of the blob as an offset of the message.
    pub(crate) fn in_message(&self, offset: u64) -> u64 {
        offset.saturating_add(self.prefix)
    }

    pub(crate) fn fields_of(&self, owner: usize) -> impl Iterator<Item = Field<'_>> {
        self.fields.iter().filter(move |field| field.owner == owner).filter_map(|field| {
            let (name, _) = *KNOWN.get(usize::from(field.name))?;
            let offset = self.prefix.saturating_add_signed(field.offset);
            Some(Field { name, value: &field.value, offset, truncated: field.truncated })
        })
    }
}

impl fmt::Debug for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // No field's value: a log is no place for who wrote to whom.
        write!(f, "Digest({} octets, {} parts, {:?})", self.size(), self.parts.len(), self.defects)
    }
}
