//! Which octets of a message a section is (RFC 9051 §6.4.5.1).

use std::num::NonZeroU32;
use std::ops::Range;

use mail_message::{Digest, Part, PartKind};

use crate::command::{Partial, Section, SectionText};

/// What a section is made of.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Octets {
    /// These octets of the message.
    Range(Range<u64>),
    /// Of the header that stands there, some fields: [`FieldFilter`](super::FieldFilter) picks them.
    Fields(Range<u64>),
    /// There is no such part, or the part has no such thing: NIL.
    Nothing,
}

/// Finds a section.
pub fn octets_of(digest: &Digest, section: &Section) -> Octets {
    let Some((part, is_whole)) = part_of(digest, &section.part) else { return Octets::Nothing };
    // Of a part only a message has a header and a text of its own; what it has as a part is MIME.
    let message = if is_whole { Some(part) } else { part.message() };
    let with = |message: Option<Part<'_>>, octets: fn(Part<'_>) -> Octets| message.map_or(Octets::Nothing, octets);
    match &section.text {
        SectionText::Whole if is_whole => Octets::Range(0..digest.size()),
        SectionText::Whole => Octets::Range(part.body()),
        SectionText::Mime => Octets::Range(part.header()),
        SectionText::Header => with(message, |message| Octets::Range(message.header())),
        SectionText::HeaderFields(_) | SectionText::HeaderFieldsNot(_) => {
            with(message, |message| Octets::Fields(message.header()))
        }
        SectionText::Text if is_whole => Octets::Range(part.body().start..digest.size().max(part.body().start)),
        SectionText::Text => with(message, |message| Octets::Range(message.body())),
    }
}

/// The part that BINARY names: its octets and their transfer encoding. The whole message has none. `None` if there is no
/// such part.
pub fn binary_part<'d>(digest: &'d Digest, part: &[NonZeroU32]) -> Option<(Range<u64>, Option<&'d [u8]>)> {
    let (part, is_whole) = part_of(digest, part)?;
    Some(match is_whole {
        true => (0..digest.size(), None),
        // What holds parts is not decoded (RFC 2045 §6.4 lets it have no encoding that could be).
        false if part.kind() != PartKind::Leaf => (part.body(), None),
        false => (part.body(), part.encoding()),
    })
}

/// The part with that number, and whether it is the message itself.
///
/// The children of a multipart have the numbers. A message that is no multipart is its own part 1. A part that is a
/// message has the numbers of what is in it.
fn part_of<'d>(digest: &'d Digest, numbers: &[NonZeroU32]) -> Option<(Part<'d>, bool)> {
    let mut current = digest.root();
    let mut is_message = true;
    for number in numbers {
        let container = match current.kind() {
            _ if is_message => current,
            PartKind::Multipart => current,
            PartKind::Message => {
                is_message = true;
                current.message()?
            }
            _ => return None,
        };
        let at = usize::try_from(number.get()).ok()?.checked_sub(1)?;
        current = match container.kind() {
            PartKind::Multipart => container.children().nth(at)?,
            _ if is_message && at == 0 => container,
            _ => return None,
        };
        is_message = false;
    }
    Some((current, numbers.is_empty()))
}

/// The octets of a range that a partial asks for; what lies behind its end is nothing.
pub fn within(range: &Range<u64>, partial: Option<Partial>) -> Range<u64> {
    let Some(Partial { start, count }) = partial else { return range.clone() };
    let from = range.start.saturating_add(start).min(range.end);
    from..from.saturating_add(count).min(range.end)
}
