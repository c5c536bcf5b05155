//! Commands as the RFCs write them, read and written again: the one form in which this crate writes them is beside each.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "it is a test")]

use imap_proto::command::{Command, CommandErrorKind, Literals};
use imap_proto::grammar::Dialect;
use imap_proto::limits::Limits;

fn read(frame: &[u8]) -> Result<Command, CommandErrorKind> {
    Command::parse(frame, Dialect::ASCII, &Limits::default()).map_err(|error| error.kind)
}

fn written(frame: &str) -> String {
    let command = read(frame.as_bytes()).unwrap_or_else(|kind| panic!("{frame:?}: {kind}"));
    let written = command.encode(Dialect::ASCII, Literals::Synchronizing);
    let text = String::from_utf8(written.octets().to_vec()).unwrap();
    let again = read(text.trim_end_matches("\r\n").as_bytes());
    assert_eq!(again, Ok(command), "{text:?}");
    text.trim_end_matches("\r\n").to_owned()
}

#[test]
fn the_rfcs_examples_are_read_and_written() {
    for frame in [
        // RFC 9051 §6.
        "abcd CAPABILITY",
        "a002 NOOP",
        "A023 LOGOUT",
        "a002 STARTTLS",
        "A001 AUTHENTICATE GSSAPI",
        "A01 AUTHENTICATE PLAIN dGVzdAB0ZXN0AHRlc3Q=",
        "A01 AUTHENTICATE EXTERNAL =",
        "t1 ENABLE CONDSTORE",
        "a1 ENABLE CONDSTORE X-GOOD-IDEA",
        "A932 EXAMINE blurdybloop",
        "A004 CREATE owatagusiam/blurdybloop",
        "A684 DELETE foo/bar",
        "A682 RENAME blurdybloop sarasoop",
        "A002 SUBSCRIBE #news.comp.mail.mime",
        "A002 UNSUBSCRIBE #news.comp.mail.mime",
        "A002 NAMESPACE",
        "A042 STATUS blurdybloop (UIDNEXT MESSAGES)",
        "A002 IDLE",
        "FXXZ CHECK",
        "A341 CLOSE",
        "A342 UNSELECT",
        "A202 EXPUNGE",
        "A003 UID EXPUNGE 3000:3002",
        "A282 SEARCH RETURN (MIN COUNT) FLAGGED SINCE 1-Feb-1994 NOT FROM Smith",
        "A284 SEARCH TEXT \"string not in mailbox\"",
        "A301 SEARCH RETURN (SAVE) SMALLER 4096",
        "A302 FETCH $ (FLAGS)",
        "F284 SEARCH RETURN (SAVE) KEYWORD $Junk",
        "F286 UID COPY $ Junk",
        "B287 SEARCH NOT $",
        "C284 SEARCH NOT OR FROM a (TO b CC c)",
        "A003 STORE 2:4 +FLAGS (\\Deleted)",
        "A003 COPY 2:4 MEETING",
        "a UID MOVE 42:69 foo",
        "A999 UID FETCH 4827313:4828442 (FLAGS)",
        "A654 FETCH 2:4 (FLAGS BODY[HEADER.FIELDS (DATE FROM)])",
        "a FETCH 1 (BODY.PEEK[]<0.2048> BODY[1.2.MIME] BODY[4.1.HEADER] BODY[TEXT] BODY[2.HEADER.FIELDS.NOT (a b)])",
        "a FETCH 1 (BINARY.PEEK[1.3]<7.9> BINARY.SIZE[2] BINARY[])",
        // RFC 7162 §3.1.
        "a103 UID STORE 6,4,8 (UNCHANGEDSINCE 12121230045) +FLAGS.SILENT (\\Deleted)",
        "s100 UID FETCH 1:* (FLAGS) (CHANGEDSINCE 12345)",
        "a SEARCH MODSEQ 620162338 ALL",
        "A142 SELECT INBOX (CONDSTORE)",
        // RFC 2971 §3.1.
        "a042 ID NIL",
        "a023 ID (\"name\" \"sodr\" \"version\" \"19.34\" \"vendor\" NIL)",
    ] {
        assert_eq!(written(frame), frame);
    }
}

#[test]
fn other_spellings_mean_the_same() {
    for (frame, canonical) in [
        ("a login SMITH SESAME", "a LOGIN SMITH SESAME"),
        ("a LOGIN {11}\r\nFRED FOOBAR {7}\r\nfat man", "a LOGIN \"FRED FOOBAR\" \"fat man\""),
        ("a select inbox", "a SELECT INBOX"),
        ("a CREATE owatagusiam/", "a CREATE owatagusiam/"),
        (
            "A282 SEARCH FLAGGED SINCE \"01-feb-1994\" not From \"Smith\"",
            "A282 SEARCH FLAGGED SINCE 1-Feb-1994 NOT FROM Smith",
        ),
        ("A1 SEARCH CHARSET utf-8 TEXT {6}\r\nXXXXXX", "A1 SEARCH CHARSET utf-8 TEXT XXXXXX"),
        ("a SEARCH RETURN () ALL", "a SEARCH RETURN (ALL) ALL"),
        ("a SEARCH MODSEQ \"/flags/\\\\draft\" all 620162338", "a SEARCH MODSEQ 620162338"),
        ("a SEARCH ((1:3 UID *:1))", "a SEARCH ((1:3 UID *:1))"),
        ("a SEARCH RETURN (COUNT) CHARSET UTF-8 SEEN", "a SEARCH RETURN (COUNT) CHARSET UTF-8 SEEN"),
        ("a FETCH 9:3 FAST", "a FETCH 9:3 (FLAGS INTERNALDATE RFC822.SIZE)"),
        ("a FETCH * all", "a FETCH * (FLAGS INTERNALDATE RFC822.SIZE ENVELOPE)"),
        ("a FETCH 1 FULL", "a FETCH 1 (FLAGS INTERNALDATE RFC822.SIZE ENVELOPE BODY)"),
        ("a FETCH 1 RFC822.peek", "a FETCH 1 (RFC822.PEEK)"),
        ("a FETCH 1 UID (CHANGEDSINCE 0)", "a FETCH 1 (UID) (CHANGEDSINCE 0)"),
        ("a STORE 1 FLAGS \\Seen \\Foo $x", "a STORE 1 FLAGS (\\Seen $x)"),
        ("a STORE 1 -flags.silent ()", "a STORE 1 -FLAGS.SILENT ()"),
        ("a STORE 1 (unchangedsince 0) FLAGS (\\Recent)", "a STORE 1 (UNCHANGEDSINCE 0) FLAGS ()"),
        ("a LIST \"\" *", "a LIST \"\" \"*\""),
        ("a LIST INBOX %", "a LIST \"INBOX\" \"%\""),
        (
            "a LIST (SUBSCRIBED RecursiveMatch) \"\" (a% b*) RETURN (CHILDREN STATUS (MESSAGES SIZE))",
            "a LIST (SUBSCRIBED RECURSIVEMATCH) \"\" (\"a%\" \"b*\") RETURN (CHILDREN STATUS (MESSAGES SIZE))",
        ),
        ("a LIST () \"\" % RETURN ()", "a LIST () \"\" \"%\" RETURN ()"),
        ("a LSUB \"#news.\" \"comp.mail.*\"", "a LSUB \"#news.\" \"comp.mail.*\""),
        ("a LIST \"\" \"&ZeVnLIqe-*\"", "a LIST \"\" \"&ZeVnLIqe-*\""),
        ("a CREATE Sent (USE (\\sent \\Unknown))", "a CREATE Sent (USE (\\Sent))"),
        ("a ID ()", "a ID ()"),
        ("a id nil", "a ID NIL"),
        ("a uid fetch 1 modseq", "a UID FETCH 1 (MODSEQ)"),
    ] {
        assert_eq!(written(frame), canonical, "{frame}");
    }
}

#[test]
fn what_the_grammar_has_no_place_for_is_refused() {
    for frame in [
        "a LOGIN x",
        "a LOGIN x y z",
        "a LOGIN  x y",
        "a LOGIN (x) y",
        "a LOGIN \"x y",
        "a SELECT INBOX ()",
        "a SELECT INBOX (QRESYNC (1 2))",
        "a SELECT INBOX CONDSTORE",
        "a EXAMINE a b",
        "a CREATE x (USE ())",
        "a CREATE x (FOO (\\Sent))",
        "a RENAME x",
        "a STATUS x",
        "a STATUS x ()",
        "a STATUS x (FOO)",
        "a STATUS x MESSAGES",
        "a LIST",
        "a LIST \"\"",
        "a LIST \"\" ()",
        "a LIST (RECURSIVEMATCH) \"\" *",
        "a LIST (FOO) \"\" *",
        "a LIST \"\" * RETURN",
        "a LIST \"\" * RETURN (FOO)",
        "a LIST \"\" * RETURN (CHILDREN",
        "a ENABLE",
        "a ID",
        "a ID (\"a\")",
        "a ID (a b)",
        "a AUTHENTICATE",
        "a AUTHENTICATE ",
        "a FETCH",
        "a FETCH 1",
        "a FETCH 0 FLAGS",
        "a FETCH 1 ()",
        "a FETCH 1 (FLAGS",
        "a FETCH 1 (FLAGS  UID)",
        "a FETCH 1 (FLAGS FOO)",
        "a FETCH 1 BODY[",
        "a FETCH 1 BODY[0]",
        "a FETCH 1 BODY[1.]",
        "a FETCH 1 BODY[1..2]",
        "a FETCH 1 BODY[MIME]",
        "a FETCH 1 BODY[.TEXT]",
        "a FETCH 1 BODY[1TEXT]",
        "a FETCH 1 BODY[HEADER.FIELDS]",
        "a FETCH 1 BODY[HEADER.FIELDS ()]",
        "a FETCH 1 BODY[HEADER.FIELDS (\"a:\")]",
        "a FETCH 1 BODY[]<0>",
        "a FETCH 1 BODY[]<0.0>",
        "a FETCH 1 BODY[]<9223372036854775808.1>",
        "a FETCH 1 BINARY[TEXT]",
        "a FETCH 1 BINARY.SIZE[1]<0.1>",
        "a FETCH 1 ALL (VANISHED)",
        "a FETCH 1 (ALL)",
        "a FETCH 1 ENVELOPES",
        "a FETCH 1 FLAGS (CHANGEDSINCE)",
        "a STORE 1 FLAGS",
        "a STORE 1 FLAGSX (a)",
        "a STORE 1 *FLAGS (a)",
        "a STORE 1 FLAGS (\\*)",
        "a STORE 1 (UNCHANGEDSINCE) FLAGS (a)",
        "a COPY 1",
        "a COPY x y",
        "a UID",
        "a UID FETCH",
        "a UID NOOP",
        "a UID EXPUNGE",
        "a EXPUNGE 1",
        "a SEARCH",
        "a SEARCH FOO",
        "a SEARCH NOT",
        "a SEARCH OR SEEN",
        "a SEARCH (SEEN",
        "a SEARCH ()",
        "a SEARCH SEEN)",
        "a SEARCH SINCE 30-Feb-2020",
        "a SEARCH RETURN (FOO) ALL",
        "a SEARCH RETURN (ALL)",
        "a SEARCH CHARSET",
        "a SEARCH TEXT",
        "a SEARCH SEEN  ALL",
        "a SEARCH OR (SEEN)",
        "a SEARCH LARGER -1",
        "a SEARCH UID",
        "a SEARCH KEYWORD \\Seen",
        "a SEARCH HEADER x",
    ] {
        assert!(read(frame.as_bytes()).is_err(), "{frame}");
    }
}

#[test]
fn sec_m7_what_nests_has_a_depth_and_lists_have_a_length() {
    let deep =
        |open: &str, close: &str, times: usize| format!("a SEARCH {}SEEN{}", open.repeat(times), close.repeat(times));
    // A small stack: nothing here may use it.
    let small = std::thread::Builder::new().stack_size(64 * 1024);
    let thread = small.spawn(move || {
        for (open, close) in [("(", ")"), ("NOT ", ""), ("OR SEEN ", "")] {
            assert!(read(deep(open, close, 50).as_bytes()).is_ok());
            for times in [51, 1000, 1_000_000] {
                assert_eq!(read(deep(open, close, times).as_bytes()), Err(CommandErrorKind::TooDeep), "{open}");
            }
        }
        let list = |item: &str, times: usize| vec![item; times].join(" ");
        for (frame, kind) in [
            (format!("a SEARCH {}", list("SEEN", 1000)), None),
            (format!("a SEARCH {}", list("SEEN", 1001)), Some(CommandErrorKind::TooMany)),
            (format!("a FETCH 1 ({})", list("UID", 1001)), Some(CommandErrorKind::TooMany)),
            (format!("a FETCH 1 BODY[HEADER.FIELDS ({})]", list("a", 1001)), Some(CommandErrorKind::TooMany)),
            (format!("a FETCH 1 BODY[{}1]", "1.".repeat(1001)), Some(CommandErrorKind::TooDeep)),
            (format!("a STORE 1 FLAGS ({})", list("a", 1001)), Some(CommandErrorKind::TooMany)),
            (format!("a STORE 1 FLAGS {}", list("a", 1001)), Some(CommandErrorKind::TooMany)),
            (format!("a LIST \"\" ({})", list("a", 1001)), Some(CommandErrorKind::TooMany)),
            (format!("a LIST ({}) \"\" *", list("REMOTE", 1001)), Some(CommandErrorKind::TooMany)),
            (format!("a LIST \"\" {}", "((".repeat(100_000)), Some(CommandErrorKind::Expected("a pattern"))),
            (format!("a ENABLE {}", list("X", 1001)), Some(CommandErrorKind::TooMany)),
            (format!("a STATUS x ({})", list("SIZE", 1001)), Some(CommandErrorKind::TooMany)),
            (format!("a ID ({})", list("\"a\" NIL", 31)), Some(CommandErrorKind::TooMany)),
            (format!("a FETCH {} UID", ["1"; 10_001].join(",")), Some(CommandErrorKind::TooMany)),
        ] {
            assert_eq!(read(frame.as_bytes()).err(), kind, "{:.60}", frame);
        }
    });
    thread.unwrap().join().unwrap();
}

#[test]
fn sec_m9_a_pattern_is_as_long_as_a_name_at_the_most() {
    assert!(read(format!("a LIST \"\" \"{}\"", "*%".repeat(500)).as_bytes()).is_ok());
    assert_eq!(read(format!("a LIST \"\" \"{}\"", "*%".repeat(501)).as_bytes()), Err(CommandErrorKind::TooMany));
}

#[test]
fn in_the_dialect_of_utf8_names_and_quotes_have_eight_bits() {
    let frame = "a SELECT \"Entwürfe&\"".as_bytes();
    assert!(read(frame).is_err());
    let command = Command::parse(frame, Dialect::UTF8, &Limits::default()).unwrap();
    assert_eq!(&command.encode(Dialect::UTF8, Literals::Synchronizing).octets()[..], [frame, b"\r\n"].concat());
    assert_eq!(&command.encode(Dialect::ASCII, Literals::Synchronizing).octets()[..], b"a SELECT Entw&APw-rfe&-\r\n");
    assert!(Command::parse(b"a SELECT \"\xff\"", Dialect::UTF8, &Limits::default()).is_err());
}

#[test]
fn a_client_waits_where_it_said_that_it_would() {
    let command = read(b"a LOGIN {2}\r\n\r\n \"x\"").unwrap();
    let fragments = |literals| -> Vec<String> {
        command.encode(Dialect::ASCII, literals).fragments().map(|part| part.escape_ascii().to_string()).collect()
    };
    assert_eq!(fragments(Literals::Synchronizing), ["a LOGIN {2}\\r\\n", "\\r\\n x\\r\\n"]);
    assert_eq!(fragments(Literals::NonSynchronizing), ["a LOGIN {2+}\\r\\n\\r\\n x\\r\\n"]);
}
