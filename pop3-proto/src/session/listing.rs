//! LIST and UIDL of a whole maildrop, a part at a time (RFC 1939 §5 and §7).

use std::fmt::Write as _;

use bytes::BytesMut;

use super::maildrop::{Entry, OpenMaildrop};
use crate::grammar::MessageNumber;
use crate::response::ScanListing;

/// What a listing tells of each message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum ListingKind {
    /// LIST.
    Scan,
    /// UIDL.
    UniqueId,
}

/// A listing that has begun, and how far it has come. Nothing can change the maildrop before it has ended.
#[derive(Debug, Clone, Copy)]
pub(super) struct Listing {
    pub(super) kind: ListingKind,
    position: usize,
}

impl Listing {
    pub(super) fn new(kind: ListingKind) -> Self {
        Self { kind, position: 0 }
    }

    /// Writes lines until there are so many octets of them, and what is left; `None` with the end of the listing.
    pub(super) fn write_part(mut self, maildrop: &OpenMaildrop, octets: usize, out: &mut BytesMut) -> Option<Self> {
        let enough = out.len().saturating_add(octets);
        while let Some((entry, behind)) = maildrop.next_from(self.position) {
            if out.len() >= enough {
                return Some(self);
            }
            write_line(self.kind, maildrop, entry, out);
            self.position = behind;
        }
        out.extend_from_slice(b".\r\n");
        None
    }
}

/// One message's line. It begins with a digit, so there is no dot to be stuffed.
pub(super) fn write_line(kind: ListingKind, maildrop: &OpenMaildrop, entry: Entry, out: &mut BytesMut) {
    // Writing into a buffer does not fail.
    let _ = match kind {
        ListingKind::Scan => write!(out, "{}", ScanListing::new(MessageNumber::new(entry.number), entry.size)),
        ListingKind::UniqueId => {
            let mut written = Ok(());
            maildrop.tell_id(entry, |id| written = write!(out, "{} {id}", entry.number));
            written
        }
    };
    out.extend_from_slice(b"\r\n");
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::session::Maildrop;

    fn listed(kind: ListingKind, maildrop: &OpenMaildrop, octets: usize) -> (String, usize) {
        let (mut out, mut longest) = (String::new(), 0);
        let mut left = Some(Listing::new(kind));
        while let Some(listing) = left {
            let mut part = BytesMut::new();
            left = listing.write_part(maildrop, octets, &mut part);
            longest = longest.max(part.len());
            out.push_str(std::str::from_utf8(&part).unwrap());
        }
        (out, longest)
    }

    #[test]
    fn parts_make_the_whole() {
        let mut maildrop = Maildrop::new(9, 4);
        for (key, size) in [(1, 120), (2, 0), (5, 200), (6, 1 << 40)] {
            maildrop.push(key, size).unwrap();
        }
        let mut maildrop = OpenMaildrop::new(maildrop);
        maildrop.mark(maildrop.find(MessageNumber::new(2)).unwrap());
        for octets in [0, 1, 6, 7, 20, 1000] {
            let part = octets.max(1);
            assert_eq!(listed(ListingKind::Scan, &maildrop, part).0, "1 120\r\n3 200\r\n4 1099511627776\r\n.\r\n");
            assert_eq!(listed(ListingKind::UniqueId, &maildrop, part).0, "1 9.1\r\n3 9.5\r\n4 9.6\r\n.\r\n");
        }
        assert_eq!(listed(ListingKind::Scan, &OpenMaildrop::new(Maildrop::new(9, 0)), 10).0, ".\r\n");
    }

    #[test]
    #[cfg_attr(miri, ignore = "minutes, interpreted")]
    fn sec_m13_a_listing_of_a_million_messages_never_stands_in_the_output_as_a_whole() {
        let mut maildrop = Maildrop::new(u32::MAX, 1_000_000);
        for key in 1..=1_000_000 {
            maildrop.push(key, u64::from(key)).unwrap();
        }
        let maildrop = OpenMaildrop::new(maildrop);
        for kind in [ListingKind::Scan, ListingKind::UniqueId] {
            let (out, longest) = listed(kind, &maildrop, 16 * 1024);
            assert_eq!(out.lines().count(), 1_000_001);
            assert!(longest < 17 * 1024, "{longest}");
        }
    }
}
