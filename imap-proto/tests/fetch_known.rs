//! What FETCH tells of messages, looked up by hand in the octets and in the RFCs.
#![cfg(feature = "server")]
#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::string_slice, reason = "it is a test")]

mod support;

use support::{Client, server};

/// RFC 9051 §8's own message, in its shortened form.
const PLAIN: &str = "Date: Wed, 17 Jul 1996 02:23:25 -0700 (PDT)\r\nFrom: Terry Gray <gray@cac.washington.edu>\r\n\
    Subject: IMAP4rev2 WG mtg summary and minutes\r\nTo: imap@cac.washington.edu\r\n\
    cc: minutes@CNRI.Reston.VA.US, \r\n   John Klensin <KLENSIN@MIT.EDU>\r\n\
    Message-Id: <B27397-0100000@cac.washington.ed>\r\nMIME-Version: 1.0\r\n\
    Content-Type: TEXT/PLAIN; CHARSET=US-ASCII\r\n\r\none\r\ntwo\r\n";

const NESTED: &str = "From: =?utf-8?Q?J=C3=BCrgen?= <j@x.example>\r\nSubject: outer\r\nMIME-Version: 1.0\r\n\
    Content-Type: multipart/mixed; boundary=\"b1\"\r\n\r\npreamble\r\n\
    --b1\r\nContent-Type: text/plain; charset=utf-8; format=flowed\r\nContent-Transfer-Encoding: quoted-printable\r\n\
    Content-Language: de, en\r\n\r\nGr=C3=BC=\r\n=C3=9Fe\r\n\
    --b1\r\nContent-Type: application/octet-stream; name=\"a.bin\"\r\nContent-Disposition: attachment; filename=\"a.bin\"\r\n\
    Content-Transfer-Encoding: base64\r\nContent-ID: <id@x>\r\nContent-Description: some octets\r\n\
    Content-MD5: Q2hlY2sgSW50ZWdyaXR5IQ==\r\nContent-Location: http://x/a\r\n\r\nAAEC/w==\r\n\
    --b1\r\nContent-Type: message/rfc822\r\n\r\n\
    Subject: inner\r\nFrom: Group: a@b, c@d;\r\nContent-Type: multipart/alternative; boundary=b2\r\n\r\n\
    --b2\r\n\r\nplain\r\n--b2\r\nContent-Type: text/html\r\n\r\n<p>html</p>\r\n--b2--\r\n\
    --b1--\r\nepilogue\r\n";

async fn with(message: &str) -> Client {
    let server = server();
    let mut ada = Client::ada(&server).await;
    ada.append("INBOX", "", message).await;
    ada.ask("s SELECT INBOX").await;
    ada
}

/// What one item comes to, with the message marked as read by nobody.
async fn item(ada: &mut Client, item: &str) -> String {
    let told = ada.ask(&format!("f FETCH 1 ({item})")).await;
    assert!(told.last().unwrap().starts_with("f OK"), "{item}: {told:?}");
    let told = told[0].strip_prefix("* 1 FETCH (").unwrap().strip_suffix(')').unwrap();
    told.to_owned()
}

#[tokio::test]
async fn the_rfcs_own_envelope_and_structure() {
    let mut ada = with(PLAIN).await;
    assert_eq!(
        item(&mut ada, "ENVELOPE").await,
        "ENVELOPE (\"Wed, 17 Jul 1996 02:23:25 -0700 (PDT)\" \"IMAP4rev2 WG mtg summary and minutes\" \
         ((\"Terry Gray\" NIL \"gray\" \"cac.washington.edu\")) ((\"Terry Gray\" NIL \"gray\" \"cac.washington.edu\")) \
         ((\"Terry Gray\" NIL \"gray\" \"cac.washington.edu\")) ((NIL NIL \"imap\" \"cac.washington.edu\")) \
         ((NIL NIL \"minutes\" \"CNRI.Reston.VA.US\")(\"John Klensin\" NIL \"KLENSIN\" \"MIT.EDU\")) NIL NIL \
         \"<B27397-0100000@cac.washington.ed>\")"
    );
    let lines = "(\"TEXT\" \"PLAIN\" (\"CHARSET\" \"US-ASCII\") NIL NIL \"7bit\" 10 2";
    assert_eq!(item(&mut ada, "BODY").await, format!("BODY {lines})"));
    assert_eq!(item(&mut ada, "BODYSTRUCTURE").await, format!("BODYSTRUCTURE {lines} NIL NIL NIL NIL)"));
    for (asked, told) in [
        ("BODY.PEEK[TEXT]", "BODY[TEXT] {10}|one|two|"),
        ("BODY.PEEK[1]", "BODY[1] {10}|one|two|"),
        ("BODY.PEEK[1.1]", "BODY[1.1] NIL"),
        ("BODY.PEEK[2]", "BODY[2] NIL"),
        ("BODY.PEEK[TEXT]<2.4>", "BODY[TEXT]<2> {4}|e|t"),
        ("BODY.PEEK[TEXT]<8.100>", "BODY[TEXT]<8> {2}||"),
        ("BODY.PEEK[TEXT]<99.1>", "BODY[TEXT]<99> \"\""),
        (
            "BODY.PEEK[HEADER.FIELDS (subject DATE)]",
            "BODY[HEADER.FIELDS (subject DATE)] {94}|Date: Wed, 17 Jul 1996 02:23:25 -0700 (PDT)|Subject: IMAP4rev2 WG mtg summary and minutes||",
        ),
        (
            "BODY.PEEK[HEADER.FIELDS (CC)]",
            "BODY[HEADER.FIELDS (CC)] {70}|cc: minutes@CNRI.Reston.VA.US, |   John Klensin <KLENSIN@MIT.EDU>||",
        ),
        ("BODY.PEEK[HEADER.FIELDS (X-None)]", "BODY[HEADER.FIELDS (X-None)] {2}||"),
        ("BODY.PEEK[HEADER.FIELDS (DATE)]<0.4>", "BODY[HEADER.FIELDS (DATE)]<0> {4}|Date"),
        (
            "BODY.PEEK[HEADER.FIELDS.NOT (Date From Subject To Cc Message-Id)]",
            "BODY[HEADER.FIELDS.NOT (Date From Subject To Cc Message-Id)] {65}|MIME-Version: 1.0|Content-Type: TEXT/PLAIN; CHARSET=US-ASCII||",
        ),
        ("RFC822.TEXT.PEEK", "RFC822.TEXT {10}|one|two|"),
        ("BINARY.PEEK[1]", "BINARY[1] {10}|one|two|"),
        ("BINARY.SIZE[1] BINARY.SIZE[2]", "BINARY.SIZE[1] 10 BINARY.SIZE[2] 0"),
    ] {
        assert_eq!(item(&mut ada, asked).await, told);
    }
    let size = PLAIN.len();
    let told = item(&mut ada, "RFC822.SIZE BODY.PEEK[] BODY.PEEK[HEADER]").await;
    let flat = PLAIN.replace("\r\n", "|");
    let header = &flat[..flat.find("||").unwrap() + 2];
    let header_octets = PLAIN.find("\r\n\r\n").unwrap() + 4;
    assert_eq!(told, format!("RFC822.SIZE {size} BODY[] {{{size}}}|{flat} BODY[HEADER] {{{header_octets}}}|{header}"));
    // Nothing so far has marked it.
    assert_eq!(item(&mut ada, "FLAGS").await, "FLAGS (\\Recent)");
    let told = ada.ask("g FETCH 1 RFC822.HEADER").await;
    assert_eq!(told.len(), 2, "{told:?}");
    let told = ada.ask("g FETCH 1 RFC822.TEXT").await;
    assert_eq!(told[1], "* 1 FETCH (FLAGS (\\Seen \\Recent))");
}

#[tokio::test]
async fn parts_are_numbered_as_the_rfc_numbers_them() {
    let mut ada = with(NESTED).await;
    assert_eq!(
        item(&mut ada, "BODYSTRUCTURE").await,
        "BODYSTRUCTURE ((\"text\" \"plain\" (\"charset\" \"utf-8\" \"format\" \"flowed\") NIL NIL \"quoted-printable\" 18 2 NIL NIL \
         (\"de\" \"en\") NIL)(\"application\" \"octet-stream\" (\"name\" \"a.bin\") \"<id@x>\" \"some octets\" \"base64\" 8 \
         \"Q2hlY2sgSW50ZWdyaXR5IQ==\" (\"attachment\" (\"filename\" \"a.bin\")) NIL \"http://x/a\")(\"message\" \"rfc822\" NIL NIL \
         NIL \"7bit\" 159 (NIL \"inner\" ((NIL NIL \"Group\" NIL)(NIL NIL \"a\" \"b\")(NIL NIL \"c\" \"d\")(NIL NIL NIL NIL)) \
         ((NIL NIL \"Group\" NIL)(NIL NIL \"a\" \"b\")(NIL NIL \"c\" \"d\")(NIL NIL NIL NIL)) ((NIL NIL \"Group\" NIL)(NIL NIL \"a\" \
         \"b\")(NIL NIL \"c\" \"d\")(NIL NIL NIL NIL)) NIL NIL NIL NIL NIL) ((\"text\" \"plain\" (\"charset\" \"us-ascii\") NIL NIL \
         \"7bit\" 5 1 NIL NIL NIL NIL)(\"text\" \"html\" NIL NIL NIL \"7bit\" 11 1 NIL NIL NIL NIL) \"alternative\" (\"boundary\" \
         \"b2\") NIL NIL NIL) 12 NIL NIL NIL NIL) \"mixed\" (\"boundary\" \"b1\") NIL NIL NIL)"
    );
    for (asked, told) in [
        ("BODY.PEEK[1]", "BODY[1] {18}|Gr=C3=BC=|=C3=9Fe"),
        ("BODY.PEEK[1.MIME]<0.12>", "BODY[1.MIME]<0> {12}|Content-Type"),
        ("BODY.PEEK[1.HEADER]", "BODY[1.HEADER] NIL"),
        ("BODY.PEEK[1.TEXT]", "BODY[1.TEXT] NIL"),
        ("BODY.PEEK[2]", "BODY[2] {8}|AAEC/w=="),
        ("BODY.PEEK[3.HEADER.FIELDS (SUBJECT)]", "BODY[3.HEADER.FIELDS (SUBJECT)] {18}|Subject: inner||"),
        ("BODY.PEEK[3.1]", "BODY[3.1] {5}|plain"),
        ("BODY.PEEK[3.2]", "BODY[3.2] {11}|<p>html</p>"),
        ("BODY.PEEK[3.2.MIME]", "BODY[3.2.MIME] {27}|Content-Type: text/html||"),
        ("BODY.PEEK[3.1.MIME]", "BODY[3.1.MIME] {2}||"),
        ("BODY.PEEK[3.MIME]", "BODY[3.MIME] {32}|Content-Type: message/rfc822||"),
        ("BODY.PEEK[3.3]", "BODY[3.3] NIL"),
        ("BODY.PEEK[4]", "BODY[4] NIL"),
        ("BODY.PEEK[3.TEXT]<0.4>", "BODY[3.TEXT]<0> {4}|--b2"),
        ("BODY.PEEK[TEXT]<0.8>", "BODY[TEXT]<0> {8}|preamble"),
        ("BINARY.PEEK[1]", "BINARY[1] {8}|Grüße"),
        ("BINARY.PEEK[1]<2.2>", "BINARY[1]<2> {2}|ü"),
        ("BINARY.SIZE[1]", "BINARY.SIZE[1] 7"),
        ("BINARY.SIZE[2]", "BINARY.SIZE[2] 4"),
        ("BINARY.SIZE[3.1]", "BINARY.SIZE[3.1] 5"),
    ] {
        if asked == "BINARY.PEEK[1]" {
            assert_eq!(item(&mut ada, asked).await, "BINARY[1] {7}|Grüße");
            continue;
        }
        assert_eq!(item(&mut ada, asked).await, told);
    }
    // NUL makes it a literal8.
    ada.send(b"f FETCH 1 BINARY.PEEK[2]\r\n").await;
    assert_eq!(ada.line().await, "* 1 FETCH (BINARY[2] ~{4}|\0\u{1}\u{2}\u{fffd})");
}

#[tokio::test]
async fn a_header_beyond_ascii_is_told_as_the_client_can_read_it() {
    let server = server();
    let mut ada = Client::ada(&server).await;
    ada.append("INBOX", "", "Subject: Grüße\r\n an dich\r\nFrom: Jürgen <j@x>\r\nTo: \"a\\\"b\" <c@d>\r\n\r\n").await;
    ada.talk(&[
        ("a EXAMINE INBOX", &["* *", "* *", "* *", "* *", "* *", "* *", "* *", "* *", "a OK *"]),
        ("b FETCH 1 ENVELOPE", &[
            "* 1 FETCH (ENVELOPE (NIL \"=?utf-8?B?R3LDvMOfZSBhbiBkaWNo?=\" ((\"=?utf-8?B?SsO8cmdlbg==?=\" NIL \"j\" \"x\")) *((\"a\\\"b\" NIL \"c\" \"d\")) NIL NIL NIL NIL))",
            "b OK *",
        ]),
        ("c UNSELECT", &["c OK *"]),
        ("d ENABLE IMAP4rev2", &["* ENABLED IMAP4rev2", "d OK *"]),
        ("e EXAMINE INBOX", &["* *", "* *", "* *", "* *", "* *", "* *", "* LIST () \"/\" INBOX", "e OK *"]),
        ("f FETCH 1 ENVELOPE", &["* 1 FETCH (ENVELOPE (NIL \"Grüße an dich\" ((\"Jürgen\" NIL \"j\" \"x\")) *", "f OK *"]),
    ]).await;
}

#[tokio::test]
async fn sec_m11_what_nests_or_repeats_without_end_is_told_in_part_and_well_formed() {
    use imap_proto::grammar::Dialect;
    use imap_proto::response::{Response, ResponseLimits};
    let deep: String = (0..500)
        .map(|depth| format!("Content-Type: multipart/mixed; boundary=b{depth}\r\n\r\n--b{depth}\r\n"))
        .collect();
    let chain = "Content-Type: message/rfc822\r\n\r\n".repeat(500);
    let wide = format!("Content-Type: multipart/mixed; boundary=b\r\n\r\n{}", "--b\r\n\r\nx\r\n".repeat(5000));
    let many = format!("To: {}\r\n\r\n", "a@b, ".repeat(100_000));
    let names: String = (0..5000).map(|number| format!(";\r\n a*{number}=x")).collect();
    let parameters = format!("Content-Type: text/plain{names}\r\n\r\n");
    for message in [deep, chain, wide, many, parameters] {
        let mut ada = with(&message).await;
        ada.send(b"f FETCH 1 (ENVELOPE BODY BODYSTRUCTURE BODY.PEEK[1.1.1.1.1.1.1])\r\n").await;
        let told = ada.raw_line().await;
        assert_eq!(ada.line().await, "f OK FETCH completed");
        let mut limits = ResponseLimits::default();
        limits.depth = 1000;
        let read = Response::parse(&told, Dialect::ASCII, &limits);
        assert!(matches!(read, Ok(Response::Data(_))), "{read:?}: {:.300}", told.escape_ascii().to_string());
        assert!(told.len() < 2 * 1024 * 1024);
    }
}

#[tokio::test]
async fn broken_mail_never_fails_a_fetch() {
    for message in [
        "",
        "\r\n",
        "x",
        "no header at all",
        "Subject",
        "Content-Type: multipart/mixed\r\n\r\nno boundary",
        "From: <<>>,;:@\r\n\r\n",
        "Content-Type: message/rfc822\r\nContent-Transfer-Encoding: base64\r\n\r\nU3ViamVjdDogeA==\r\n",
        "Content-Type: text/plain; charset=\"\r\n\r\n",
        "Date: \r\nSubject:\r\nFrom: \r\n\r\n",
        "Content-Transfer-Encoding: x-foo\r\n\r\nx",
    ] {
        if message.is_empty() {
            continue;
        }
        let mut ada = with(message).await;
        let told = ada.ask("f FETCH 1 (FLAGS ENVELOPE BODYSTRUCTURE BODY BODY.PEEK[1] BODY.PEEK[HEADER] BODY.PEEK[TEXT] RFC822.SIZE)").await;
        assert!(told.last().unwrap().starts_with("f OK"), "{message:?}: {told:?}");
        assert!(told[0].contains(&format!("RFC822.SIZE {}", message.len())), "{told:?}");
    }
    let mut ada = with("Content-Transfer-Encoding: x-foo\r\n\r\nx").await;
    ada.talk(&[("f FETCH 1 BINARY.PEEK[1]", &["* 1 FETCH (BINARY[1] NIL)", "f NO [UNKNOWN-CTE] *"])]).await;
}

#[tokio::test]
async fn what_has_to_be_decoded_first_and_is_long_comes_whole() {
    // Longer than what is kept: it is read twice.
    let line = "QUJDREVGR0hJSktMTU5PUFFSU1RVVldYWVphYmNkZWZnaGlqa2xtbm9wcXJzdHV2d3h5eg==";
    let encoded: String = std::iter::repeat_n(format!("{line}\r\n"), 3000).collect();
    let message = format!("Content-Transfer-Encoding: base64\r\n{}\r\n{encoded}", "X-Long: y\r\n".repeat(20_000));
    let mut ada = with(&message).await;
    let told = item(&mut ada, "BINARY.SIZE[1] BINARY.PEEK[1] BODY.PEEK[HEADER.FIELDS (X-LONG)]").await;
    let text = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz".repeat(3000);
    let fields = "X-Long: y|".repeat(20_000);
    let expected = format!(
        "BINARY.SIZE[1] {size} BINARY[1] {{{size}}}|{text} BODY[HEADER.FIELDS (X-LONG)] {{{fields_size}}}|{fields}|",
        size = text.len(),
        fields_size = fields.len() + 20_000 + 2,
    );
    assert!(told == expected, "{:.200}", told);
    let told = item(&mut ada, "BINARY.PEEK[1]<155990.100>").await;
    assert_eq!(told, "BINARY[1]<155990> {10}|qrstuvwxyz");
}
