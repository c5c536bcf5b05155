//! Messages whose structure is known, most of them after the RFCs' examples.

#![allow(clippy::unwrap_used, clippy::indexing_slicing)]

mod common;

use common::{check, tree};
use mail_message::{Defect, Digest, PartKind};

#[track_caller]
fn expect(message: &str, expected: &[&str]) {
    // As it travels, and as files have it.
    let crlf = message.replace('\n', "\r\n");
    let expected: Vec<String> = expected.iter().map(|line| line.to_string()).collect();
    assert_eq!(tree(message.as_bytes()), expected, "with LF");
    let with_crs: Vec<String> = expected.iter().map(|line| line.replace("\\n", "\\r\\n")).collect();
    assert_eq!(tree(crlf.as_bytes()), with_crs, "with CRLF");
    assert!(!Digest::of(crlf.as_bytes()).has(Defect::BareLf));
    assert!(!Digest::of(crlf.as_bytes()).has(Defect::BareCr));
}

#[test]
fn the_example_of_rfc_2046_5_1_1() {
    expect(
        "From: Nathaniel Borenstein <nsb@bellcore.com>\n\
         To: Ned Freed <ned@innosoft.com>\n\
         Date: Sun, 21 Mar 1993 23:56:48 -0800 (PST)\n\
         Subject: Sample message\n\
         MIME-Version: 1.0\n\
         Content-type: multipart/mixed; boundary=\"simple boundary\"\n\
         \n\
         This is the preamble.  It is to be ignored, though it\n\
         is a handy place for composition agents to include an\n\
         explanatory note to non-MIME conformant readers.\n\
         \n\
         --simple boundary\n\
         \n\
         This is implicitly typed plain US-ASCII text.\n\
         It does NOT end with a linebreak.\n\
         --simple boundary\n\
         Content-type: text/plain; charset=us-ascii\n\
         \n\
         This is explicitly typed plain US-ASCII text.\n\
         It DOES end with a linebreak.\n\
         \n\
         --simple boundary--\n\
         \n\
         This is the epilogue.  It is also to be ignored.\n",
        &[
            "multipart/mixed 17",
            " text/plain 2 \"This is implicitly typed plain US-ASCII text.\\nIt does NOT end with a linebreak.\"",
            " text/plain 2 \"This is explicitly typed plain US-ASCII text.\\nIt DOES end with a linebreak.\\n\"",
        ],
    );
}

#[test]
fn the_complex_example_of_rfc_2049_appendix_a() {
    expect(
        "MIME-Version: 1.0\n\
         From: Nathaniel Borenstein <nsb@nsb.fv.com>\n\
         Subject: A multipart example\n\
         Content-Type: multipart/mixed;\n \
              boundary=unique-boundary-1\n\
         \n\
         This is the preamble area of a multipart message.\n\
         \n\
         --unique-boundary-1\n\
         \n\
         ... Some text appears here ...\n\
         --unique-boundary-1\n\
         Content-type: text/plain; charset=US-ASCII\n\
         \n\
         This could have been part of the previous part.\n\
         --unique-boundary-1\n\
         Content-Type: multipart/parallel; boundary=unique-boundary-2\n\
         \n\
         --unique-boundary-2\n\
         Content-Type: audio/basic\n\
         Content-Transfer-Encoding: base64\n\
         \n\
         QUJD\n\
         --unique-boundary-2\n\
         Content-Type: image/jpeg\n\
         Content-Transfer-Encoding: base64\n\
         \n\
         REVG\n\
         --unique-boundary-2--\n\
         \n\
         --unique-boundary-1\n\
         Content-type: text/enriched\n\
         \n\
         This is <bold>enriched.</bold>\n\
         --unique-boundary-1\n\
         Content-Type: message/rfc822\n\
         \n\
         From: (mailbox in US-ASCII)\n\
         To: (address in US-ASCII)\n\
         Subject: (subject in US-ASCII)\n\
         Content-Type: Text/plain; charset=ISO-8859-1\n\
         Content-Transfer-Encoding: Quoted-printable\n\
         \n\
         ... Additional text in ISO-8859-1 goes here ...\n\
         --unique-boundary-1--\n",
        &[
            "multipart/mixed 39",
            " text/plain 1 \"... Some text appears here ...\"",
            " text/plain 1 \"This could have been part of the previous part.\"",
            " multipart/parallel 11",
            "  audio/basic 1 \"QUJD\"",
            "  image/jpeg 1 \"REVG\"",
            " text/enriched 1 \"This is <bold>enriched.</bold>\"",
            " message/rfc822 7",
            "  Text/plain 1 \"... Additional text in ISO-8859-1 goes here ...\"",
        ],
    );
}

#[test]
fn a_multipart_digest_holds_messages_unless_told_otherwise() {
    // RFC 2046 §5.1.5.
    expect(
        "Content-Type: multipart/digest; boundary=b\n\n--b\n\nSubject: one\n\n1\n--b\nContent-Type: text/x\n\n2\n--b--\n",
        &["multipart/digest 10", " message/rfc822 3", "  text/plain 1 \"1\"", " text/x 1 \"2\""],
    );
}

#[test]
fn a_message_in_a_message_in_a_message() {
    let inner =
        "Content-Type: message/rfc822\nSubject: a\n\nContent-Type: message/global\nSubject: b\n\nSubject: c\n\nend\n";
    expect(inner, &["message/rfc822 6", " message/global 3", "  text/plain 1 \"end\\n\""]);
    let digest = Digest::of(inner.as_bytes());
    let subjects: Vec<_> = digest.parts().map(|part| part.fields().next().unwrap().value.to_vec()).collect();
    assert_eq!(subjects, [b" a", b" b", b" c"]);
}

#[test]
fn an_encoded_message_is_a_leaf() {
    expect(
        "Content-Type: message/rfc822\nContent-Transfer-Encoding: BASE64\n\nU3ViamVjdDogYQo=\n",
        &["message/rfc822 1 \"U3ViamVjdDogYQo=\\n\""],
    );
}

#[test]
fn an_outer_delimiter_ends_inner_parts() {
    // RFC 2046 §5.1.2: the inner multipart lost its end.
    let message = "Content-Type: multipart/a; boundary=out\n\n--out\nContent-Type: multipart/b; boundary=in\n\n\
                   --in\n\n1\n--out\n\n2\n--in\n--out--\n";
    expect(message, &["multipart/a 11", " multipart/b 3", "  text/plain 1 \"1\"", " text/plain 2 \"2\\n--in\""]);
    let digest = Digest::of(message.as_bytes());
    assert!(digest.part(1).unwrap().has(Defect::NoEndBoundary));
    assert!(!digest.root().has(Defect::NoEndBoundary));
}

#[test]
fn a_boundary_that_begins_with_another_is_told_apart() {
    expect(
        "Content-Type: multipart/a; boundary=b\n\n--b\nContent-Type: multipart/b; boundary=b2\n\n--b2\n\n1\n--b2--\n--b\n\n2\n--b--\n",
        &["multipart/a 11", " multipart/b 4", "  text/plain 1 \"1\"", " text/plain 1 \"2\""],
    );
    // And one that ends in hyphens, which an inner close delimiter looks like.
    expect(
        "Content-Type: multipart/a; boundary=b--\n\n--b--\nContent-Type: multipart/b; boundary=b\n\n--b\n\n1\n--b--\n--b----\n",
        &["multipart/a 8", " multipart/b 4", "  text/plain 1 \"1\""],
    );
}

#[test]
fn the_same_boundary_inside_and_outside() {
    expect(
        "Content-Type: multipart/a; boundary=b\n\n--b\nContent-Type: multipart/b; boundary=b\n\n--b\n\n1\n--b--\n--b\n\n2\n--b--\n",
        &["multipart/a 11", " multipart/b 4", "  text/plain 1 \"1\"", " text/plain 1 \"2\""],
    );
}

#[test]
fn delimiters_may_be_padded_and_nothing_else() {
    let padding = " \t".repeat(300);
    let message =
        format!("Content-Type: multipart/a; boundary=\"b \"\n\n--b{padding}\n\n1\n--b x\n--b-- {padding}\nend");
    expect(&message, &["multipart/a 6", " text/plain 2 \"1\\n--b x\""]);
}

#[test]
fn without_an_end_boundary_the_last_part_goes_on() {
    let message = "Content-Type: multipart/a; boundary=b\n\n--b\n\n1\n";
    expect(message, &["multipart/a 3", " text/plain 1 \"1\\n\""]);
    assert!(Digest::of(message.as_bytes()).has(Defect::NoEndBoundary));
}

#[test]
fn an_end_boundary_needs_no_line_end() {
    expect("Content-Type: multipart/a; boundary=b\n\n--b\n\n1\n--b--", &["multipart/a 4", " text/plain 1 \"1\""]);
}

#[test]
fn parts_may_be_empty_in_every_way() {
    expect(
        "Content-Type: multipart/a; boundary=b\n\n--b\n--b\n\n--b\n\n\n--b\nContent-Type: text/x\n--b\nContent-Type: text/y\n\n--b--\n",
        &[
            "multipart/a 12",
            " text/plain 0 \"\"",
            " text/plain 0 \"\"",
            " text/plain 0 \"\"",
            " text/x 0 \"\"",
            " text/y 0 \"\"",
        ],
    );
}

#[test]
fn a_multipart_without_parts_is_a_leaf() {
    for (message, defect) in [
        ("Content-Type: multipart/a; boundary=b\n\nno delimiter\n", Defect::NoParts),
        ("Content-Type: multipart/a\n\n--b\n\n1\n--b--\n", Defect::NoBoundary),
        ("Content-Type: multipart/a; boundary=\"\"\n\n--\n\n1\n----\n", Defect::NoBoundary),
    ] {
        let digest = Digest::of(message.as_bytes());
        check(&digest, message.len() as u64);
        assert_eq!(digest.parts().len(), 1);
        assert_eq!(digest.root().kind(), PartKind::Leaf);
        assert!(digest.root().has(defect), "{message:?}");
    }
    let long = format!("Content-Type: multipart/a; boundary={0}\n\n--{0}\n\n1\n--{0}--\n", "b".repeat(201));
    assert!(Digest::of(long.as_bytes()).root().has(Defect::NoBoundary));
    let longest = long.replace(&"b".repeat(201), &"b".repeat(200));
    assert_eq!(Digest::of(longest.as_bytes()).parts().len(), 2);
}

#[test]
fn small_messages() {
    expect("", &["text/plain 0 \"\""]);
    expect("\n", &["text/plain 0 \"\""]);
    expect("Subject: only a header", &["text/plain 0 \"\""]);
    expect("Subject: only a header\n", &["text/plain 0 \"\""]);
    expect("Subject: empty body\n\n", &["text/plain 0 \"\""]);
    expect("\nno header\n", &["text/plain 1 \"no header\\n\""]);
    expect("no header at all\nSubject: x\n", &["text/plain 2 \"no header at all\\nSubject: x\\n\""]);
    expect("Subject: x\nbody without an empty line\n", &["text/plain 1 \"body without an empty line\\n\""]);
    expect("Content-Type: message/rfc822\n\n", &["message/rfc822 0", " text/plain 0 \"\""]);
    expect("Content-Type: message/rfc822", &["message/rfc822 0", " text/plain 0 \"\""]);
    expect("Content-Type: nonsense\n\nx", &["text/plain 1 \"x\""]);
}

#[test]
fn a_missing_empty_line_still_finds_the_first_delimiter() {
    expect("Content-Type: multipart/a; boundary=b\n--b\n\n1\n--b--\n", &["multipart/a 4", " text/plain 1 \"1\""]);
    expect("Content-Type: message/rfc822\nno field\n", &["message/rfc822 1", " text/plain 1 \"no field\\n\""]);
}

#[test]
fn the_boundary_may_come_in_pieces() {
    // RFC 2231 §3.
    expect(
        "Content-Type: multipart/a; boundary*1=cd; boundary*0=\"ab\"\n\n--abcd\n\n1\n--abcd--\n",
        &["multipart/a 4", " text/plain 1 \"1\""],
    );
}

#[test]
fn a_line_of_an_mbox_is_passed_over() {
    let message = "From ada Mon Jan  1 00:00:00 2024\nSubject: x\n\ny\n";
    expect(message, &["text/plain 1 \"y\\n\""]);
    assert!(Digest::of(message.as_bytes()).has(Defect::MboxFrom));
    assert_eq!(Digest::of(message.as_bytes()).field("Subject").unwrap().value, b" x");
}

#[test]
fn the_fields_of_mime_are_kept_as_sent() {
    let message = b"Content-Type: Text/HTML; charset=UTF-8 (x); name*0=a; name*1*=%62\r\n\
        Content-Transfer-Encoding: 8BIT\r\n\
        Content-ID: <id@example.org>\r\n\
        Content-Description: two\r\n  lines\r\n\
        Content-MD5: Q2hlY2sgSW50ZWdyaXR5IQ==\r\n\
        Content-Disposition: Attachment; filename=\"a \\\"b\\\".txt\"\r\n\
        Content-Language: en, de\r\n\
        Content-Location: http://example.org/\r\n\
        Content-ID: <another@example.org>\r\n\
        \r\nx";
    let digest = Digest::of(message);
    check(&digest, message.len() as u64);
    let root = digest.root();
    assert_eq!((root.media_type(), root.subtype()), (&b"Text"[..], &b"HTML"[..]));
    assert!(root.is("text", "html") && root.has_content_type());
    assert_eq!(root.charset().unwrap().octets, &b"UTF-8"[..]);
    assert_eq!(root.parameters().value("name").unwrap().octets, &b"ab"[..]);
    assert_eq!(root.parameters().iter().nth(2), Some((&b"name*1*"[..], &b"%62"[..])));
    assert_eq!(root.encoding(), Some(&b"8BIT"[..]));
    assert_eq!(root.id(), Some(&b"<id@example.org>"[..]));
    assert_eq!(root.description(), Some(&b"two  lines"[..]));
    assert_eq!(root.md5(), Some(&b"Q2hlY2sgSW50ZWdyaXR5IQ=="[..]));
    assert_eq!(root.disposition(), Some(&b"Attachment"[..]));
    assert_eq!(root.disposition_parameters().value("filename").unwrap().octets, &b"a \"b\".txt"[..]);
    assert_eq!(root.language(), Some(&b"en, de"[..]));
    assert_eq!(root.location(), Some(&b"http://example.org/"[..]));
    assert_eq!(root.defects().iter().collect::<Vec<_>>(), [Defect::DuplicateField]);
}

#[test]
fn fields_are_kept_raw_in_order_and_others_are_counted() {
    let message = b"Received: one\r\nReceived: two\r\n\ttwo\r\nDATE: today\r\nTo: a,\r\n b\r\nX-Other: x\r\nto: c\r\n\r\nDate: no\r\n";
    let digest = Digest::of(message);
    let fields: Vec<_> = digest.fields().map(|field| (field.name, field.value, field.offset)).collect();
    assert_eq!(
        fields,
        [("Date", &b" today"[..], 36), ("To", b" a,\r\n b", 49), ("To", b" c", 73)],
        "{}",
        message.escape_ascii()
    );
    assert_eq!(digest.field_count("received"), Some(2));
    assert_eq!(digest.field_count("Date"), Some(1));
    assert_eq!(digest.field_count("To"), Some(2));
    assert_eq!(digest.field_count("Message-ID"), Some(0));
    assert_eq!(digest.field_count("X-Other"), None);
}

#[test]
fn the_preview_is_of_the_first_text_that_is_no_attachment() {
    let message = b"Content-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\nContent-Disposition: attachment\r\n\r\nno\r\n\
        --b\r\nContent-Type: text/html\r\n\r\n<no>\r\n\
        --b\r\nContent-Type: text/plain; charset=x\r\nContent-Transfer-Encoding: 8bit\r\n\r\nyes\r\n-\r\n--\r\n--b\r\n\r\nno\r\n--b--\r\n";
    let digest = Digest::of(message);
    check(&digest, message.len() as u64);
    let preview = digest.preview().unwrap();
    assert_eq!(preview.octets, b"yes\r\n-\r\n--");
    assert_eq!(preview.part.index(), 3);
    assert_eq!(preview.part.encoding(), Some(&b"8bit"[..]));
    assert_eq!(Digest::of(b"no empty line\r\nx").preview().unwrap().octets, b"no empty line\r\nx");
    assert!(Digest::of(b"Content-Type: text/html\r\n\r\nx").preview().is_none());
}

#[test]
fn octets_that_mail_should_not_have_are_told_of() {
    let rows: [(&[u8], &[Defect]); 8] = [
        (b"A: b\r\n\r\nc\r\n", &[]),
        (b"A: b\r\n\r\nc\rd\r\n", &[Defect::BareCr]),
        (b"A: b\r\n\r\nc\r", &[Defect::BareCr]),
        (b"A: b\r\n\r\nc\nd", &[Defect::BareLf]),
        (b"A: b\r\n\r\nc\nd\re", &[Defect::BareCr, Defect::BareLf]),
        (b"A: b\r\n\r\n\0", &[Defect::Nul]),
        (b"A: b\r\n\r\n\xff", &[Defect::EightBit]),
        (b"A: \xc3\xa4\r\n\r\n", &[Defect::EightBitHeader, Defect::EightBit]),
    ];
    for (message, expected) in rows {
        assert_eq!(Digest::of(message).defects().iter().collect::<Vec<_>>(), expected, "{}", message.escape_ascii());
    }
    let long = [b"A: b\r\n\r\n".as_slice(), &[b'x'; 998], b"\r\n"].concat();
    assert!(!Digest::of(&long).has(Defect::LongLine));
    let long = [b"A: b\r\n\r\n".as_slice(), &[b'x'; 999], b"\r\n"].concat();
    assert!(Digest::of(&long).has(Defect::LongLine));
}

#[test]
fn a_prefix_moves_everything_and_adds_its_fields() {
    let blob = b"Date: d\r\nContent-Type: multipart/a; boundary=b\r\n\r\n--b\r\n\r\n1\r\n--b--\r\n";
    let (first, second) = (&b"Received: r\r\n"[..], &b"Return-Path: <p@example.org>\r\nContent-Type: text/x\r\n"[..]);
    let digest = Digest::of(blob).with_prefix(first).with_prefix(second);
    let whole = [second, first, blob].concat();
    check(&digest, whole.len() as u64);
    assert_eq!(digest.prefix_len(), (first.len() + second.len()) as u64);
    assert_eq!(digest.lines(), 10);
    assert_eq!(digest.field_count("Received"), Some(1));
    let at = |name: &str| {
        let field = digest.field(name).unwrap();
        whole[usize::try_from(field.offset).unwrap()..].to_vec()
    };
    assert!(at("Return-Path").starts_with(b"Return-Path: <p@"));
    assert!(at("Date").starts_with(b"Date: d"));
    let leaf = digest.part(1).unwrap().body();
    assert_eq!(&whole[usize::try_from(leaf.start).unwrap()..usize::try_from(leaf.end).unwrap()], b"1");
    assert!(digest.root().is("multipart", "a"));
    assert_eq!(digest.root().header().start, 0);
}
