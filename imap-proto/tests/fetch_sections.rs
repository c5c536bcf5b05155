//! FETCH section by section over a store in memory: numbers of parts, partials, encodings, odd envelopes, `\Seen`.
#![cfg(feature = "server")]
#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::string_slice, reason = "it is a test")]

mod support;

use support::{Client, server};

/// The message of RFC 9051 §6.4.5.1's picture of part numbers: each body says its own number.
fn numbered() -> String {
    [
        "From: a@x.example",
        "Subject: outer",
        "MIME-Version: 1.0",
        "Content-Type: multipart/mixed; boundary=A",
        "",
        "preamble",
        "--A",
        "",
        "body 1",
        "--A",
        "Content-Type: application/octet-stream",
        "Content-Transfer-Encoding: base64",
        "",
        "AGJvZHk=",
        "--A",
        "Content-Type: message/rfc822",
        "X-Part: 3",
        "",
        "From: b@x.example",
        "Subject: inner 3",
        "Content-Type: multipart/mixed; boundary=B",
        "",
        "--B",
        "Content-Type: text/plain",
        "",
        "body 3.1",
        "--B",
        "Content-Type: application/octet-stream",
        "",
        "body 3.2",
        "--B--",
        "--A",
        "Content-Type: multipart/mixed; boundary=C",
        "",
        "--C",
        "Content-Type: image/gif",
        "Content-ID: <gif>",
        "",
        "body 4.1",
        "--C",
        "Content-Type: message/rfc822",
        "",
        "Subject: inner 4.2",
        "To: c@x.example",
        "Content-Type: multipart/mixed; boundary=D",
        "",
        "--D",
        "",
        "body 4.2.1",
        "--D",
        "Content-Type: multipart/alternative; boundary=E",
        "",
        "--E",
        "Content-Type: text/plain",
        "",
        "body 4.2.2.1",
        "--E",
        "Content-Type: text/richtext",
        "",
        "body 4.2.2.2",
        "--E--",
        "--D--",
        "--C--",
        "--A--",
        "",
    ]
    .join("\r\n")
}

/// A client that has selected a mailbox with those messages.
async fn with(messages: &[&str]) -> Client {
    let mut ada = Client::ada(&server()).await;
    for message in messages {
        ada.append("INBOX", "\\Seen", message).await;
    }
    ada.ask("s SELECT INBOX").await;
    ada
}

/// What is told of one item of message 1.
async fn item(client: &mut Client, item: &str) -> String {
    let lines = client.ask(&format!("f FETCH 1 ({item})")).await;
    assert_eq!(lines.len(), 2, "{item}: {lines:?}");
    assert!(lines[1].starts_with("f OK "), "{item}: {lines:?}");
    let told = lines[0].strip_prefix("* 1 FETCH (").and_then(|told| told.strip_suffix(')')).unwrap();
    told.to_owned()
}

/// The string that an item is told to be, whatever form it has.
async fn octets(client: &mut Client, asked: &str) -> String {
    let told = item(client, asked).await;
    let told = told.split_once("] ").or_else(|| told.split_once("> ")).or_else(|| told.split_once(' ')).unwrap().1;
    match told.strip_prefix('"').and_then(|told| told.strip_suffix('"')) {
        Some(quoted) => quoted.to_owned(),
        None => match told.split_once("}|") {
            Some((_, literal)) => literal.to_owned(),
            None => told.to_owned(),
        },
    }
}

#[tokio::test]
async fn every_part_has_the_number_that_the_rfc_gives_it() {
    let mut client = with(&[&numbered()]).await;
    for (section, expected) in [
        ("1", "body 1"),
        ("2", "AGJvZHk="),
        ("3.1", "body 3.1"),
        ("3.2", "body 3.2"),
        ("4.1", "body 4.1"),
        ("4.2.1", "body 4.2.1"),
        ("4.2.2.1", "body 4.2.2.1"),
        ("4.2.2.2", "body 4.2.2.2"),
        ("1.MIME", "|"),
        ("2.MIME", "Content-Type: application/octet-stream|Content-Transfer-Encoding: base64||"),
        ("3.MIME", "Content-Type: message/rfc822|X-Part: 3||"),
        ("4.1.MIME", "Content-Type: image/gif|Content-ID: <gif>||"),
        ("3.HEADER", "From: b@x.example|Subject: inner 3|Content-Type: multipart/mixed; boundary=B||"),
        ("4.2.HEADER", "Subject: inner 4.2|To: c@x.example|Content-Type: multipart/mixed; boundary=D||"),
        ("4.2.HEADER.FIELDS (TO)", "To: c@x.example||"),
        ("4.2.HEADER.FIELDS.NOT (\"Content-Type\" To)", "Subject: inner 4.2||"),
        ("3.TEXT", "--B|Content-Type: text/plain||body 3.1|--B|Content-Type: application/octet-stream||body 3.2|--B--"),
        ("4.2.2.MIME", "Content-Type: multipart/alternative; boundary=E||"),
        ("HEADER.FIELDS (subject)", "Subject: outer||"),
        ("HEADER.FIELDS (X-None)", "|"),
        ("HEADER", "From: a@x.example|Subject: outer|MIME-Version: 1.0|Content-Type: multipart/mixed; boundary=A||"),
        // There is no such part, or it has no such thing.
        ("5", "NIL"),
        ("1.1", "NIL"),
        ("1.HEADER", "NIL"),
        ("1.TEXT", "NIL"),
        ("4.HEADER", "NIL"),
        ("4.2.3", "NIL"),
        ("3.1.1", "NIL"),
        ("4294967295", "NIL"),
    ] {
        assert_eq!(octets(&mut client, &format!("BODY.PEEK[{section}]")).await, expected, "{section}");
    }
    // A message in a part is the part: its header and its text.
    let (whole, header, text) = (
        octets(&mut client, "BODY.PEEK[4.2]").await,
        octets(&mut client, "BODY.PEEK[4.2.HEADER]").await,
        octets(&mut client, "BODY.PEEK[4.2.TEXT]").await,
    );
    assert_eq!(whole, header + &text);
    let whole = numbered().replace("\r\n", "|");
    let (header, text) = (octets(&mut client, "RFC822.HEADER").await, octets(&mut client, "RFC822.TEXT").await);
    assert_eq!(whole, header.clone() + &text);
    assert_eq!(octets(&mut client, "BODY[]").await, whole);
    assert_eq!(octets(&mut client, "RFC822").await, whole);
    assert_eq!(octets(&mut client, "BODY.PEEK[TEXT]").await, text);
    assert_eq!(item(&mut client, "RFC822.SIZE").await, format!("RFC822.SIZE {}", numbered().len()));
}

#[tokio::test]
async fn a_structure_is_told_with_and_without_extension_data() {
    let mut client = with(&[&numbered()]).await;
    let envelope_3 = "(NIL \"inner 3\" ((NIL NIL \"b\" \"x.example\")) ((NIL NIL \"b\" \"x.example\")) ((NIL NIL \"b\" \"x.example\")) NIL NIL NIL NIL NIL)";
    let envelope_4 = "(NIL \"inner 4.2\" NIL NIL NIL ((NIL NIL \"c\" \"x.example\")) NIL NIL NIL NIL)";
    let told = item(&mut client, "BODY").await;
    let text = "(\"text\" \"plain\" (\"charset\" \"us-ascii\") NIL NIL \"7bit\"";
    let expected = format!(
        "BODY ({text} 6 1)(\"application\" \"octet-stream\" NIL NIL NIL \"base64\" 8)\
         (\"message\" \"rfc822\" NIL NIL NIL \"7bit\" 187 {envelope_3} \
         ((\"text\" \"plain\" NIL NIL NIL \"7bit\" 8 1)(\"application\" \"octet-stream\" NIL NIL NIL \"7bit\" 8) \"mixed\") 13)\
         ((\"image\" \"gif\" NIL \"<gif>\" NIL \"7bit\" 8)(\"message\" \"rfc822\" NIL NIL NIL \"7bit\" 266 {envelope_4} \
         ({text} 10 1)((\"text\" \"plain\" NIL NIL NIL \"7bit\" 12 1)(\"text\" \"richtext\" NIL NIL NIL \"7bit\" 12 1) \"alternative\") \"mixed\") 20) \"mixed\") \"mixed\")"
    );

    assert_eq!(told, expected);
    let told = item(&mut client, "BODYSTRUCTURE").await;
    assert!(told.ends_with(" \"mixed\" (\"boundary\" \"A\") NIL NIL NIL)"), "{told}");
    assert!(told.contains("(\"image\" \"gif\" NIL \"<gif>\" NIL \"7bit\" 8 NIL NIL NIL NIL)"), "{told}");
}

#[tokio::test]
async fn an_attachment_is_told_with_all_that_it_says_of_itself() {
    let message = [
        "Content-Type: application/pdf; name=\"a \\\"b\\\".pdf\"",
        "Content-Transfer-Encoding: BASE64",
        "Content-ID: <id@x>",
        "Content-Description: a",
        "  drawing",
        "Content-MD5: Q2hlY2sgSW50ZWdyaXR5IQ==",
        "Content-Disposition: attachment; filename=a.pdf; size=3",
        "Content-Language: en, de",
        "Content-Location: http://x.example/a",
        "",
        "AAAA",
    ]
    .join("\r\n");
    let mut client = with(&[&message]).await;
    assert_eq!(
        item(&mut client, "BODYSTRUCTURE").await,
        "BODYSTRUCTURE (\"application\" \"pdf\" (\"name\" \"a \\\"b\\\".pdf\") \"<id@x>\" \"a  drawing\" \"BASE64\" 4 \
         \"Q2hlY2sgSW50ZWdyaXR5IQ==\" (\"attachment\" (\"filename\" \"a.pdf\" \"size\" \"3\")) (\"en\" \"de\") \
         \"http://x.example/a\")"
    );
    // A message that is no multipart is its own part 1.
    assert_eq!(octets(&mut client, "BODY.PEEK[1]").await, "AAAA");
    assert_eq!(item(&mut client, "BINARY.PEEK[1]").await, "BINARY[1] ~{3}|\0\0\0");
    assert_eq!(item(&mut client, "BINARY.PEEK[1]<1.1>").await, "BINARY[1]<1> ~{1}|\0");
}

#[tokio::test]
async fn partials_are_cut_to_what_there_is() {
    let mut client = with(&["Subject: x\r\n\r\n0123456789"]).await;
    for (asked, told) in [
        ("BODY.PEEK[TEXT]<0.4>", "BODY[TEXT]<0> {4}|0123"),
        ("BODY.PEEK[TEXT]<8.100>", "BODY[TEXT]<8> {2}|89"),
        ("BODY.PEEK[TEXT]<10.1>", "BODY[TEXT]<10> \"\""),
        ("BODY.PEEK[TEXT]<4294967295.4294967295>", "BODY[TEXT]<4294967295> \"\""),
        ("BODY.PEEK[1]<3.2>", "BODY[1]<3> {2}|34"),
        ("BODY.PEEK[]<12.3>", "BODY[]<12> {3}||0"),
        ("BODY.PEEK[HEADER.FIELDS (Subject)]<9.3>", "BODY[HEADER.FIELDS (Subject)]<9> {3}|x|"),
        ("BODY.PEEK[HEADER]<0.7>", "BODY[HEADER]<0> {7}|Subject"),
        ("BINARY.PEEK[1]<2.3>", "BINARY[1]<2> {3}|234"),
        ("BINARY.SIZE[1]", "BINARY.SIZE[1] 10"),
        ("BINARY.SIZE[]", "BINARY.SIZE[] 24"),
    ] {
        // The first CR of a CR LF that is cut is shown as it is.
        assert_eq!(item(&mut client, asked).await.replace('\r', ""), told.replace('\r', ""), "{asked}");
    }
}

#[tokio::test]
async fn transfer_encodings_are_undone_and_counted() {
    let quoted = "Content-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: Quoted-Printable\r\n\r\nGr=C3=BC=\r\n=C3=9Fe  \r\n=3D\r\n";
    let mut client = with(&[quoted]).await;
    assert_eq!(item(&mut client, "BINARY.SIZE[1]").await, "BINARY.SIZE[1] 12");
    assert_eq!(item(&mut client, "BINARY.PEEK[1]").await, "BINARY[1] {12}|Grüße|=|");
    let unknown = "Content-Type: text/plain\r\nContent-Transfer-Encoding: x-uuencode\r\n\r\nbegin\r\n";
    let mut client = with(&[unknown]).await;
    let told = client.ask("a FETCH 1 BINARY[1]").await;
    assert!(told[1].starts_with("a NO [UNKNOWN-CTE] "), "{told:?}");
    let large = format!(
        "Content-Type: image/gif\r\nContent-Transfer-Encoding: base64\r\n\r\n{}",
        "QUJD"
            .repeat(100_000)
            .as_bytes()
            .chunks(76)
            .map(|line| format!("{}\r\n", std::str::from_utf8(line).unwrap()))
            .collect::<String>()
    );
    let mut client = with(&[&large]).await;
    assert_eq!(item(&mut client, "BINARY.SIZE[1]").await, "BINARY.SIZE[1] 300000");
    assert_eq!(item(&mut client, "BINARY.PEEK[1]<299998.10>").await, "BINARY[1]<299998> {2}|BC");
    assert_eq!(octets(&mut client, "BINARY.PEEK[1]").await, "ABC".repeat(100_000));
}

#[tokio::test]
async fn envelopes_are_those_of_the_rfc() {
    // RFC 9051 §8.
    let message = [
        "Date: Wed, 17 Jul 1996 02:23:25 -0700 (PDT)",
        "From: Terry Gray <gray@cac.washington.edu>",
        "Subject: IMAP4rev2 WG mtg summary and minutes",
        "To: imap@cac.washington.edu",
        "cc: minutes@CNRI.Reston.VA.US, John Klensin <KLENSIN@MIT.EDU>",
        "Message-Id: <B27397-0100000@cac.washington.edu>",
        "MIME-Version: 1.0",
        "Content-Type: TEXT/PLAIN; CHARSET=US-ASCII",
        "",
        "",
    ]
    .join("\r\n");
    let mut client = with(&[&message]).await;
    let terry = "((\"Terry Gray\" NIL \"gray\" \"cac.washington.edu\"))";
    assert_eq!(
        item(&mut client, "ENVELOPE").await,
        format!(
            "ENVELOPE (\"Wed, 17 Jul 1996 02:23:25 -0700 (PDT)\" \"IMAP4rev2 WG mtg summary and minutes\" \
             {terry} {terry} {terry} ((NIL NIL \"imap\" \"cac.washington.edu\")) \
             ((NIL NIL \"minutes\" \"CNRI.Reston.VA.US\")(\"John Klensin\" NIL \"KLENSIN\" \"MIT.EDU\")) NIL NIL \
             \"<B27397-0100000@cac.washington.edu>\")"
        )
    );
    assert_eq!(
        item(&mut client, "BODY").await,
        "BODY (\"TEXT\" \"PLAIN\" (\"CHARSET\" \"US-ASCII\") NIL NIL \"7bit\" 0 0)"
    );
}

#[tokio::test]
async fn odd_envelopes_are_told_all_the_same() {
    for (field, told) in [
        (
            "To: A Group:Ed Jones <c@a.test>,joe@where.test;",
            "((NIL NIL \"A Group\" NIL)(\"Ed Jones\" NIL \"c\" \"a.test\")(NIL NIL \"joe\" \"where.test\")(NIL NIL NIL NIL))",
        ),
        ("To: undisclosed-recipients:;", "((NIL NIL \"undisclosed-recipients\" NIL)(NIL NIL NIL NIL))"),
        ("To: Mary <@a.test,@b.test:mary@c.test>", "((\"Mary\" \"@a.test,@b.test\" \"mary\" \"c.test\"))"),
        ("To: \"a \\\"b\\\"\" <x@y>", "((\"a \\\"b\\\"\" NIL \"x\" \"y\"))"),
        ("To: =?utf-8?Q?J=C3=BCrgen?= <j@x>", "((\"=?utf-8?Q?J=C3=BCrgen?=\" NIL \"j\" \"x\"))"),
        ("To: Jürgen <j@x>", "((\"=?utf-8?B?SsO8cmdlbg==?=\" NIL \"j\" \"x\"))"),
        ("To:", "NIL"),
        ("To: root", "((NIL NIL \"root\" \"\"))"),
    ] {
        let mut client = with(&[&format!("{field}\r\n\r\n")]).await;
        let told = format!("ENVELOPE (NIL NIL NIL NIL NIL {told} NIL NIL NIL NIL)");
        assert_eq!(item(&mut client, "ENVELOPE").await, told, "{field}");
    }
}

#[tokio::test]
async fn an_empty_message_and_one_without_a_body_are_told() {
    for message in ["Subject: x", "Subject: x\r\n", "Subject: x\r\n\r\n", "\r\n", "\r\n\r\nbody", "no header at all"] {
        let mut client = with(&[message]).await;
        let lines = client.ask("a FETCH 1 (ENVELOPE BODY BODYSTRUCTURE RFC822.SIZE BODY[HEADER] BODY[TEXT] BODY[1] BODY[1.MIME] BODY[] BINARY[1] BINARY.SIZE[1] RFC822.HEADER)").await;
        assert!(lines.len() == 2 && lines[1].starts_with("a OK"), "{message:?}: {lines:?}");
        let header = octets(&mut client, "BODY.PEEK[HEADER]").await;
        let text = octets(&mut client, "BODY.PEEK[TEXT]").await;
        assert_eq!(header + &text, message.replace("\r\n", "|"), "{message:?}");
    }
}

#[tokio::test]
async fn showing_a_message_marks_it_as_seen_and_peeking_does_not() {
    for (items, seen) in [
        ("BODY[]", true),
        ("BODY[HEADER.FIELDS (X)]", true),
        ("RFC822", true),
        ("RFC822.TEXT", true),
        ("BINARY[1]", true),
        ("BODY.PEEK[]", false),
        ("RFC822.HEADER", false),
        ("BINARY.PEEK[1]", false),
        ("BINARY.SIZE[1]", false),
        ("(ENVELOPE BODY BODYSTRUCTURE)", false),
    ] {
        let mut ada = Client::ada(&server()).await;
        ada.append("INBOX", "", "Subject: x\r\n\r\nx").await;
        ada.ask("s SELECT INBOX").await;
        let told = ada.ask(&format!("a FETCH 1 {items}")).await;
        assert_eq!(told.iter().any(|line| line.contains("FLAGS (\\Seen")), seen, "{items}: {told:?}");
        let told = ada.ask("b SEARCH SEEN").await;
        assert_eq!(told[0] == "* SEARCH 1", seen, "{items}: {told:?}");
        ada.ask("c EXAMINE INBOX").await;
    }
}
