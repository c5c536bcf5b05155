//! What the tests of this crate share: a digest drawn as lines, and what must hold for every digest.
#![allow(dead_code, clippy::unwrap_used, clippy::indexing_slicing)]

use mail_message::{Digest, Digester, Limits, MAX_DEPTH, PartKind};

/// Fed in pieces of that size.
pub(crate) fn digest_in_pieces(message: &[u8], limits: &Limits, size: usize) -> Digest {
    let mut digester = Digester::new(limits);
    for piece in message.chunks(size) {
        digester.feed(piece);
        assert!(digester.buffered() <= limits.octets(), "{} octets held", digester.buffered());
    }
    digester.finish()
}

/// A line for each part: depth as indentation, type, lines, and the body as text (leaves only).
pub(crate) fn tree(message: &[u8]) -> Vec<String> {
    let digest = Digest::of(message);
    check(&digest, message.len() as u64);
    for size in [1, 2, 3, 7] {
        assert_eq!(digest_in_pieces(message, &Limits::default(), size), digest, "in pieces of {size}");
    }
    let line = |part: mail_message::Part<'_>| {
        let depth = std::iter::successors(part.parent(), |part| part.parent()).count();
        let (media, sub) = (part.media_type().escape_ascii(), part.subtype().escape_ascii());
        let body = part.body();
        let body = &message[usize::try_from(body.start).unwrap()..usize::try_from(body.end).unwrap()];
        let body = match part.kind() {
            PartKind::Leaf => format!(" {} {:?}", part.body_lines(), String::from_utf8_lossy(body)),
            _ => format!(" {}", part.body_lines()),
        };
        format!("{}{media}/{sub}{body}", " ".repeat(depth))
    };
    digest.parts().map(line).collect()
}

/// What holds for every digest of a message of that size.
pub(crate) fn check(digest: &Digest, size: u64) {
    assert_eq!(digest.size(), size);
    assert_eq!(digest.root().body().end, size);
    assert_eq!(digest.root().header().start, 0);
    let mut seen = 0;
    for part in digest.parts() {
        assert_eq!(part.index(), seen);
        seen += 1;
        let (header, body) = (part.header(), part.body());
        assert!(header.start <= header.end && header.end == body.start && body.start <= body.end, "{part:?}");
        assert_eq!(body.end - body.start, part.body_octets());
        assert!(part.body_lines() <= part.body_octets() && part.body_lines() <= digest.lines(), "{part:?}");
        assert!(!part.media_type().is_empty() && !part.subtype().is_empty());
        let mut from = body.start;
        let children: Vec<_> = part.children().collect();
        for child in &children {
            assert_eq!(child.parent().unwrap().index(), part.index());
            assert!(from <= child.header().start && child.body().end <= body.end, "{child:?} in {part:?}");
            from = child.body().end;
        }
        match part.kind() {
            PartKind::Leaf => assert!(children.is_empty()),
            PartKind::Multipart => {
                assert!(!children.is_empty() && part.media_type().eq_ignore_ascii_case(b"multipart"))
            }
            PartKind::Message => {
                assert_eq!(children.len(), 1);
                let message = part.message().unwrap();
                assert_eq!(message.header().start..message.body().end, body);
            }
            kind => panic!("{kind:?}"),
        }
        for field in part.fields() {
            assert!(header.contains(&field.offset), "{field:?} in {part:?}");
        }
    }
    assert_eq!(seen, digest.parts().len());
    let deepest = digest.parts().map(|part| std::iter::successors(Some(part), |part| part.parent()).count()).max();
    assert!(deepest.unwrap() <= MAX_DEPTH);
    if let Some(preview) = digest.preview() {
        assert!(preview.octets.len() as u64 <= preview.part.body_octets());
    }
    assert_eq!(Digest::from_octets(&digest.to_octets()).as_ref(), Ok(digest));
}
