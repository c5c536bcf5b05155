//! Every ceiling of the digester: what a message can make it hold.

/// The deepest tree that a digest can hold, whatever [`Limits::depth`] asks for. Who walks a digest by recursion, as
/// BODYSTRUCTURE invites to, recurses no deeper than this.
pub const MAX_DEPTH: usize = 256;

/// What the digester keeps at the most. Where a ceiling is met the digest gets poorer and says so
/// ([`Defect`](crate::Defect)); its structure stays well formed, and the message is never refused.
///
/// All of these answer attack row M11 (nesting, part count, addresses, parameters).
///
/// ```
/// let mut limits = mail_message::Limits::default();
/// limits.depth = 20;
/// assert!(limits.octets() < 2 * 1024 * 1024);
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Limits {
    /// How deep parts nest, the message itself being 1. Held between 1 and [`MAX_DEPTH`].
    pub depth: usize,
    /// How many parts are told of, the message itself being one. Held between 1 and 1,048,576.
    pub parts: usize,
    /// How many octets of one header field are looked at. The RFC limits a line (998 octets, RFC 5322 §2.1.1), never a
    /// field. A name that has no colon within them ends the header, as any line does that is no field.
    pub field_octets: usize,
    /// How many header fields are kept in all, those of embedded messages included.
    pub fields: usize,
    /// How many octets the kept header fields may have in all.
    pub fields_octets: usize,
    /// How many parameters of one Content-Type or Content-Disposition field are kept (RFC 2045 §5.1 sets no limit, and
    /// RFC 2231 §3 makes one value of many).
    pub parameters: usize,
    /// How many octets one parameter value, or one Content-ID, Content-Description and so on, may have.
    pub parameter_octets: usize,
    /// How many octets the types, parameters, ids and descriptions of all parts may have together.
    pub parts_octets: usize,
    /// The longest boundary that is looked for: 200. RFC 2046 §5.1.1 allows 70, and real mail has longer ones: a structure
    /// that every reader shows is better found. A multipart with one that is longer still is told of as if
    /// it had none. Held to 998, a line.
    pub boundary_octets: usize,
    /// How many octets of the first text/plain part are kept, as they stand in the message (PREVIEW, RFC 8970 §3.3,
    /// wants 200 characters, and transfer encodings take more). 0 for no preview.
    pub preview_octets: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            depth: 100,
            parts: 1000,
            field_octets: 64 * 1024,
            fields: 512,
            fields_octets: 256 * 1024,
            parameters: 64,
            parameter_octets: 2048,
            parts_octets: 256 * 1024,
            boundary_octets: 200,
            preview_octets: 1024,
        }
    }
}

impl Limits {
    /// What [`Digester::buffered`](crate::Digester::buffered) never exceeds: the octets of a message that are held
    /// while it goes by. Besides, each part and each kept field has a record of fixed size, less than 512 octets.
    pub fn octets(&self) -> usize {
        let limits = self.held();
        limits
            .held_octets()
            .saturating_add(limits.fields_octets)
            .saturating_add(limits.parts_octets)
            .saturating_add(limits.depth.saturating_mul(limits.boundary_octets))
            .saturating_add(limits.preview_octets)
            // A type and a subtype of 127 octets each (RFC 6838 §4.2).
            .saturating_add(limits.parts.saturating_mul(254))
    }

    /// These limits, within what the digest's form can hold.
    pub(crate) fn held(&self) -> Self {
        let mut held = self.clone();
        held.depth = held.depth.clamp(1, MAX_DEPTH);
        held.parts = held.parts.clamp(1, 1 << 20);
        held.boundary_octets = held.boundary_octets.min(998);
        held
    }

    /// The longest delimiter line without padding: two hyphens, the boundary, two hyphens, CRLF (RFC 2046 §5.1.1).
    pub(crate) fn delimiter_octets(&self) -> usize {
        self.boundary_octets.saturating_add(6)
    }

    /// The buffer in which a header field, or what may be a delimiter line, is put together.
    pub(crate) fn held_octets(&self) -> usize {
        self.field_octets.max(self.delimiter_octets())
    }
}
