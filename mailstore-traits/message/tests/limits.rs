//! Attack row M11: messages made to be dear. What is held stays within the limits, and what is told stays well formed.
#![allow(clippy::unwrap_used, clippy::indexing_slicing)]

mod common;

use common::{check, digest_in_pieces};
use mail_message::{Defect, Digest, Digester, Limits};

fn digest(message: &[u8]) -> Digest {
    let digest = digest_in_pieces(message, &Limits::default(), 4096);
    check(&digest, message.len() as u64);
    let limits = Limits::default();
    assert!(digest.parts().len() <= limits.parts);
    assert!(depth(&digest) <= limits.depth);
    assert!(digest.to_octets().octets.len() <= 2 * limits.octets());
    digest
}

fn depth(digest: &Digest) -> usize {
    let depth = |part| std::iter::successors(Some(part), |part: &mail_message::Part<'_>| part.parent()).count();
    digest.parts().map(depth).max().unwrap()
}

#[test]
fn sec_m11_ten_thousand_nested_multiparts() {
    let mut message = String::new();
    for level in 0..10_000 {
        message += &format!("Content-Type: multipart/mixed; boundary=b{level}\r\n\r\n--b{level}\r\n");
    }
    message += "\r\ntext\r\n";
    let digest = digest(message.as_bytes());
    assert_eq!(depth(&digest), Limits::default().depth);
    assert!(digest.has(Defect::TooDeep));
    let deepest = digest.parts().last().unwrap();
    assert!(deepest.has(Defect::TooDeep) && deepest.is("multipart", "mixed"));
}

#[test]
fn sec_m11_a_hundred_thousand_parts() {
    let parts = "--b\r\n\r\nx\r\n".repeat(100_000);
    let message = format!("Content-Type: multipart/mixed; boundary=b\r\n\r\n{parts}--b--\r\n");
    let digest = digest(message.as_bytes());
    assert_eq!(digest.parts().len(), Limits::default().parts);
    assert!(digest.root().has(Defect::TooManyParts));
    assert!(!digest.root().has(Defect::NoEndBoundary));
    assert!(digest.parts().skip(1).all(|part| part.body_octets() == 1));
}

#[test]
fn sec_m11_parts_past_the_limit_still_end_where_an_outer_one_goes_on() {
    let mut limits = Limits::default();
    limits.parts = 3;
    let message = "Content-Type: multipart/a; boundary=a\n\n--a\nContent-Type: multipart/b; boundary=b\n\n\
                   --b\n\n1\n--b\n\n2\n--b--\n--a\n\n3\n--a--\n";
    let digest = digest_in_pieces(message.as_bytes(), &limits, 5);
    check(&digest, message.len() as u64);
    assert_eq!(digest.parts().len(), 3);
    let inner = digest.part(1).unwrap();
    assert!(message[usize::try_from(inner.body().end).unwrap()..].starts_with("\n--a\n\n3"));
    assert!(inner.has(Defect::TooManyParts) && digest.root().has(Defect::TooManyParts));
    assert!(!digest.has(Defect::NoEndBoundary));
}

#[test]
fn sec_m11_a_hundred_thousand_addresses() {
    let addresses = "someone <someone@example.org>,\r\n ".repeat(100_000);
    let message = format!("To: {addresses}last@example.org\r\nSubject: x\r\n\r\n");
    let digest = digest(message.as_bytes());
    let to = digest.field("To").unwrap();
    assert!(to.truncated);
    assert_eq!(to.offset, 0);
    assert!(to.value.len() <= Limits::default().field_octets);
    assert!(to.value.starts_with(b" someone <someone@example.org>,\r\n someone"));
    assert!(digest.has(Defect::HeaderTruncated));
    assert_eq!(digest.field("Subject").unwrap().value, b" x");
}

#[test]
fn sec_m11_a_hundred_thousand_fields() {
    let message = "To: a@example.org\r\n".repeat(100_000);
    let digest = digest(message.as_bytes());
    assert_eq!(digest.fields().count(), Limits::default().fields);
    assert_eq!(digest.field_count("To"), Some(100_000));
    assert!(digest.has(Defect::TooManyFields));
}

#[test]
fn sec_m11_large_fields_share_one_ceiling() {
    let limits = Limits::default();
    let message = format!("To: {}\r\n", "a".repeat(60_000)).repeat(20);
    let digest = digest(message.as_bytes());
    assert_eq!(digest.fields().map(|field| field.value.len()).sum::<usize>(), limits.fields_octets);
    assert!(digest.fields().last().unwrap().truncated);
    assert_eq!(digest.field_count("To"), Some(20));
}

#[test]
fn sec_m11_ten_thousand_pieces_of_a_parameter() {
    let pieces: String = (0..10_000).map(|number| format!(";\r\n name*{number}=x")).collect();
    let message = format!("Content-Type: text/plain; charset=utf-8{pieces}\r\n\r\n");
    let digest = digest(message.as_bytes());
    let root = digest.root();
    assert_eq!(root.parameters().len(), Limits::default().parameters);
    assert_eq!(root.charset().unwrap().octets, &b"utf-8"[..]);
    assert_eq!(root.parameters().value("name").unwrap().octets.len(), Limits::default().parameters - 1);
    assert!(root.has(Defect::TooManyParameters));
}

#[test]
fn sec_m11_large_parameters_of_many_parts_share_one_ceiling() {
    let value = "v".repeat(5000);
    let part = format!("--b\r\nContent-Type: text/x; name={value}\r\nContent-ID: {value}\r\n\r\nx\r\n");
    let message = format!("Content-Type: multipart/mixed; boundary=b\r\n\r\n{}--b--\r\n", part.repeat(500));
    let digest = digest(message.as_bytes());
    assert_eq!(digest.parts().len(), 501);
    let octets = |part: mail_message::Part<'_>| {
        let parameters = part.parameters().iter().map(|(name, value)| name.len() + value.len()).sum::<usize>();
        parameters + part.id().map_or(0, <[u8]>::len)
    };
    assert!(digest.parts().map(octets).sum::<usize>() <= Limits::default().parts_octets);
    assert!(digest.parts().all(|part| part.is("text", "x") || part.index() == 0));
    assert!(digest.has(Defect::HeaderTruncated));
}

#[test]
fn sec_m11_parameters_with_endless_comments_are_read_once() {
    // Read anew from each semicolon, these would cost the square of their length.
    for junk in [";a(", ";a (b", ";(", ";a=(", ";a=\"\\", ";a=b (", "()", "(;"] {
        let part = format!("--b\r\nContent-Type: text/x{}\r\n\r\nx\r\n", junk.repeat(60_000 / junk.len()));
        let message = format!("Content-Type: multipart/mixed; boundary=b\r\n\r\n{}--b--\r\n", part.repeat(10));
        assert_eq!(digest(message.as_bytes()).parts().len(), 11, "{junk:?}");
    }
}

#[test]
fn sec_m11_a_chain_of_embedded_messages() {
    let message = "Content-Type: message/rfc822\r\nSubject: x\r\n\r\n".repeat(10_000);
    let digest = digest(message.as_bytes());
    assert_eq!(depth(&digest), Limits::default().depth);
    let deepest = digest.parts().last().unwrap();
    assert!(deepest.has(Defect::TooDeep) && deepest.is("message", "rfc822"));
    assert_eq!(deepest.fields().count(), 1);
}

#[test]
fn sec_m11_lines_that_may_be_delimiters_of_a_hundred_boundaries() {
    let mut message = String::new();
    for level in 0..99 {
        message += &format!("Content-Type: multipart/mixed; boundary=b{level}\r\n\r\n--b{level}\r\n");
    }
    message += "\r\n";
    message += &"--x\r\n".repeat(50_000);
    assert_eq!(digest(message.as_bytes()).parts().len(), 100);
}

#[test]
fn sec_m11_one_line_without_an_end_is_not_held() {
    let limits = Limits::default();
    let chunk = vec![b'x'; 1 << 20];
    for begin in ["Subject: ", "--", "Subject: x\r\n\r\n", "Subject: x\r\n\r\n--", "X", "\r\n "] {
        let mut digester = Digester::new(&limits);
        digester.feed(begin.as_bytes());
        for _ in 0..64 {
            digester.feed(&chunk);
            assert!(digester.buffered() <= limits.held_octets_and_preview(), "{begin:?}: {}", digester.buffered());
        }
        let digest = digester.finish();
        check(&digest, (begin.len() + 64 * chunk.len()) as u64);
        assert!(digest.has(Defect::LongLine));
    }
}

trait Held {
    fn held_octets_and_preview(&self) -> usize;
}

impl Held for Limits {
    fn held_octets_and_preview(&self) -> usize {
        self.field_octets + self.preview_octets + 64
    }
}
