//! What FETCH tells of a message, out of its digest: ENVELOPE, BODY, BODYSTRUCTURE, and which octets a section is.
//!
//! Pure: nothing here reads a message. A section is a range of it ([`Octets`]); of a header's fields some are picked as
//! the header goes by ([`FieldFilter`]).

mod envelope;
mod fields;
mod section;
mod structure;

pub use envelope::write_envelope;
pub use fields::FieldFilter;
pub use section::{Octets, binary_part, octets_of, within};
pub use structure::write_structure;

use crate::grammar::{Dialect, class};
use crate::response::write::{self, Out, Pen};

/// Text of a header for a client: as it is where it may be, encoded words in place of octets beyond ASCII where it may
/// not (RFC 9051 §7.5.2). Line ends and NUL are taken out.
fn header_text(text: &[u8], dialect: Dialect, out: &mut Pen<'_>) {
    let text = text.trim_ascii();
    if text.len() <= write::QUOTED_MOST && class::QUOTED.has_all(text) {
        return out.quoted(text);
    }
    let is_clean = |octet: &u8| !matches!(octet, b'\r' | b'\n' | 0);
    let unfolded: std::borrow::Cow<'_, [u8]> = match text.iter().all(is_clean) {
        true => text.into(),
        false => text.iter().copied().filter(is_clean).collect::<Vec<_>>().into(),
    };
    if unfolded.is_ascii() || (dialect.utf8 && std::str::from_utf8(&unfolded).is_ok()) {
        write::string(&unfolded, dialect, out);
    } else {
        write::string(&mail_message::words::encode(&unfolded), dialect, out);
    }
}
