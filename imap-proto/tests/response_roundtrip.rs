//! Responses as the RFCs write them, read and written again; whatever is written is read as the same; and no octets make
//! the reader panic.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "it is a test")]

use std::num::NonZeroU32;

use bytes::BytesMut;
use imap_proto::command::{CommandErrorKind, Section, SectionText, StatusItem};
use imap_proto::grammar::{Dialect, FieldNames, Mailbox, OctetString, SeqBound, SequenceSet, Tag};
use imap_proto::response::code::RefusalCode;
use imap_proto::response::*;
use mailstore_traits::{Flag, Flags, Keyword, ModSeq, SystemFlag, Timestamp, Uid, UidSet, UidValidity};
use proptest::prelude::*;

fn read(frame: &[u8]) -> Result<Response, ResponseError> {
    Response::parse(frame, Dialect::ASCII, &ResponseLimits::default())
}

fn written(response: &Response, dialect: Dialect) -> Vec<u8> {
    let mut out = BytesMut::new();
    response.encode(dialect, &mut out);
    out.strip_suffix(b"\r\n").unwrap().to_vec()
}

#[test]
fn the_rfcs_examples_are_read_and_written() {
    for frame in [
        // RFC 9051 §7 and §8.
        "* OK IMAP4rev2 server ready",
        "* OK [ALERT] System shutdown in 10 minutes",
        "A001 OK LOGIN Completed",
        "A222 NO COPY failed: disk is full",
        "* BAD Disk crash, attempting salvage to a new disk!",
        "* PREAUTH IMAP4rev2 server logged in as Smith",
        "* BYE Autologout; idle for too long",
        "* CAPABILITY STARTTLS AUTH=GSSAPI IMAP4rev2 LOGINDISABLED XPIG-LATIN",
        "* ENABLED CONDSTORE QRESYNC",
        "* LIST (\\Noselect) \"/\" ~/Mail/foo",
        "* LIST (\\HasNoChildren) \"/\" INBOX",
        "* LIST (\\NonExistent) \"/\" foo2 (\"CHILDINFO\" (\"SUBSCRIBED\"))",
        "* LIST () \"/\" NewMailbox (\"OLDNAME\" (OldMailbox))",
        "* LIST () NIL flat",
        "* LSUB () \".\" #news.comp.mail.misc",
        "* NAMESPACE ((\"\" \"/\")) ((\"~\" \"/\")) ((\"#shared/\" \"/\") (\"#public/\" \"/\"))",
        "* NAMESPACE ((\"\" \"/\")) NIL NIL",
        "* STATUS blurdybloop (MESSAGES 231 UIDNEXT 44292)",
        "* ESEARCH (TAG \"h\") UID COUNT 5 ALL 17000:17002,17005",
        "* ESEARCH (TAG \"A282\") MIN 2 COUNT 3",
        "* ESEARCH",
        "* FLAGS (\\Answered \\Flagged \\Deleted \\Seen \\Draft)",
        "* 23 EXISTS",
        "* 5 RECENT",
        "* 44 EXPUNGE",
        "* VANISHED (EARLIER) 300:310,405,411",
        "* VANISHED 405",
        "* SEARCH 2 3 6",
        "* SEARCH",
        "* SEARCH 2 5 6 (MODSEQ 917162500)",
        "* ID NIL",
        "* ID (\"name\" \"Cyrus\" \"version\" NIL)",
        "* 23 FETCH (FLAGS (\\Seen) RFC822.SIZE 44827)",
        "* 4 FETCH (UID 8 MODSEQ (12121230860) FLAGS (\\Seen $MDNSent \\Recent))",
        "* 12 FETCH (INTERNALDATE \"17-Jul-1996 02:44:25 -0700\" BINARY.SIZE[1] 42)",
        "* 2 FETCH (BODY[HEADER.FIELDS (DATE FROM)] \"x\" BODY[1.MIME]<0> NIL BODY[] \"\")",
        "* 2 FETCH (RFC822.HEADER \"x\" RFC822.TEXT NIL RFC822 \"\")",
        "* 12 FETCH (ENVELOPE (\"Wed, 17 Jul 1996 02:23:25 -0700 (PDT)\" \"IMAP4rev2 WG mtg summary and minutes\" \
         ((\"Terry Gray\" NIL \"gray\" \"cac.washington.edu\")) ((\"Terry Gray\" NIL \"gray\" \"cac.washington.edu\")) \
         ((\"Terry Gray\" NIL \"gray\" \"cac.washington.edu\")) ((NIL NIL \"imap\" \"cac.washington.edu\")) \
         ((NIL NIL \"minutes\" \"CNRI.Reston.VA.US\")(\"John Klensin\" NIL \"KLENSIN\" \"MIT.EDU\")) NIL NIL \
         \"<B27397-0100000@cac.washington.ed>\") BODY (\"TEXT\" \"PLAIN\" (\"CHARSET\" \"US-ASCII\") NIL NIL \"7BIT\" 3028 92))",
        "* 1 FETCH (BODYSTRUCTURE ((\"TEXT\" \"PLAIN\" (\"CHARSET\" \"US-ASCII\") NIL NIL \"7BIT\" 1152 23)(\"TEXT\" \
         \"PLAIN\" (\"CHARSET\" \"US-ASCII\" \"NAME\" \"cc.diff\") \"<960723163407.20117h@cac.washington.edu>\" \
         \"Compiler diff\" \"BASE64\" 4554 73) \"MIXED\"))",
        // RFC 9051 §7.1, RFC 4315, RFC 7162, RFC 5530, RFC 6154.
        "A003 OK [APPENDUID 38505 3955] APPEND completed",
        "A003 OK [COPYUID 38505 304,319:320 3956:3958] COPY completed",
        "* OK [HIGHESTMODSEQ 715194045007] Highest",
        "* OK [PERMANENTFLAGS (\\Deleted \\Seen \\*)] Limited",
        "* OK [UIDVALIDITY 3857529045] UIDs valid",
        "* OK [UIDNEXT 4392] Predicted next UID",
        "* OK [UNSEEN 12] Message 12 is first unseen",
        "A142 OK [READ-WRITE] SELECT completed",
        "d105 OK [MODIFIED 7,9] Conditional STORE failed",
        "A003 NO [TRYCREATE] Create it first",
        "a NO [AUTHENTICATIONFAILED] Invalid credentials",
        "t1 NO [USEATTR] An \\All mailbox already exists",
        "B NO [BADCHARSET (US-ASCII UTF-8)] No",
        "* OK [X-NEW 1 2 3] something",
        "+ Ready for literal data",
        "+ ",
        "* QUOTA \"\" (STORAGE 10 512)",
    ] {
        let response = read(frame.as_bytes()).unwrap_or_else(|error| panic!("{frame}: {error}"));
        let again = String::from_utf8(written(&response, Dialect::ASCII)).unwrap();
        // Flags have one order of their own.
        if !frame.contains("\\Answered") {
            assert_eq!(again, frame.replace("\"/\") (\"#public", "\"/\")(\"#public"));
        }
        assert_eq!(read(again.as_bytes()), Ok(response), "{again}");
    }
}

#[test]
fn what_no_server_says_is_an_error() {
    for frame in [
        "",
        "*",
        "* ",
        "a",
        "a OKAY x",
        "* 1",
        "* NO\tx",
        "* VANISHED 5:*",
        "* OK [ALERT {2}\r\n\r\n] x",
        "+ a\0b",
        "+ {2}\r\n\r\n",
        "* 1 FOO",
        "* 1 FETCH",
        "* 1 FETCH (",
        "* 1 FETCH (FLAGS)",
        "* 1 FETCH (FOO 1)",
        "* 99999999999 EXISTS",
        "* LIST",
        "* LIST () \"/\"",
        "* LIST () \"//\" x",
        "* STATUS x (MESSAGES)",
        "* SEARCH a",
        "* 1 FETCH (BODY ((\"a\"))",
        "* 1 FETCH (ENVELOPE (NIL))",
        "* 1 FETCH (BODY[] {5}\r\nabc)",
        "* LIST () \"/\" &AC8-",
    ] {
        assert!(read(frame.as_bytes()).is_err(), "{frame}");
    }
}

#[test]
fn sec_m7_a_server_cannot_nest_without_end() {
    let deep = |times: usize| format!("* 1 FETCH (BODY {}{})", "(".repeat(times), ")".repeat(times));
    let small = std::thread::Builder::new().stack_size(64 * 1024);
    let thread = small.spawn(move || {
        assert!(read(deep(300).as_bytes()).is_ok());
        assert_eq!(read(deep(1_000_000).as_bytes()).map_err(|error| error.kind), Err(CommandErrorKind::TooDeep));
        let long = format!("* 1 FETCH (BODY ({}))", "1 ".repeat(1_000_001));
        assert_eq!(read(long.as_bytes()).map_err(|error| error.kind), Err(CommandErrorKind::TooMany));
    });
    thread.unwrap().join().unwrap();
}

#[test]
fn a_reader_takes_no_more_than_it_may() {
    let mut limits = ResponseLimits::default();
    limits.response = 1000;
    let mut reader = ResponseReader::new(limits);
    let mut input = BytesMut::from("* 1 EXISTS\r\n* 1 FETCH (BODY[] {3}\r\na\r\n)\r\n* 2 FETCH (BODY[] {2000}\r\n");
    let mut next = || reader.next(&mut input, Dialect::ASCII);
    assert_eq!(next(), Some(Ok(Response::Data(Data::Exists(1)))));
    assert!(matches!(next(), Some(Ok(Response::Data(Data::Fetch(1, _))))));
    assert_eq!(next(), Some(Err(ReadError::TooLarge)));
    // Nor by many small pieces, nor behind the last literal.
    for response in [format!("* X {}", "{0}\r\nxx".repeat(1000)), format!("* X {{0}}\r\n{}", "x".repeat(2000))] {
        let mut limits = ResponseLimits::default();
        limits.response = 1000;
        let (mut reader, mut input) = (ResponseReader::new(limits), BytesMut::from(format!("{response}\r\n").as_str()));
        assert_eq!(reader.next(&mut input, Dialect::ASCII), Some(Err(ReadError::TooLarge)));
    }
}

fn octets() -> impl Strategy<Value = Box<[u8]>> {
    prop::collection::vec(1u8.., 0..12).prop_map(Into::into)
}

fn words() -> impl Strategy<Value = Vec<Box<str>>> {
    prop::collection::vec("[A-Z][A-Z0-9=-]{0,6}".prop_map(|word: String| word.into_boxed_str()), 0..4)
}

fn mailbox() -> impl Strategy<Value = Mailbox> {
    prop_oneof!["[ -~]{0,10}", "[a-zé日/&]{0,6}"].prop_map(Mailbox::new)
}

fn nz() -> impl Strategy<Value = NonZeroU32> {
    any::<NonZeroU32>()
}

fn uids() -> impl Strategy<Value = UidSet> {
    prop::collection::vec(1u32.., 1..5).prop_map(|uids| uids.into_iter().filter_map(Uid::new).collect())
}

fn number64() -> impl Strategy<Value = u64> {
    0..=i64::MAX as u64
}

fn flags() -> impl Strategy<Value = Flags> {
    let flag = prop_oneof![
        prop::sample::select(SystemFlag::ALL.to_vec()).prop_map(Flag::System),
        "[a-z$][a-z0-9]{0,5}".prop_map(|word: String| Flag::Keyword(Keyword::new(word).unwrap())),
    ];
    prop::collection::vec(flag, 0..4).prop_map(|flags| flags.into_iter().collect())
}

fn status() -> impl Strategy<Value = Status> {
    let validity = || any::<NonZeroU32>().prop_map(|number| UidValidity::new(number.get()).unwrap());
    let code = prop_oneof![
        prop::sample::select(RefusalCode::ALL.to_vec()).prop_map(Code::Refusal),
        prop::sample::select(vec![
            Code::Alert,
            Code::Closed,
            Code::Parse,
            Code::ReadOnly,
            Code::ReadWrite,
            Code::TryCreate,
            Code::UidNotSticky,
            Code::NoModSeq,
            Code::NotSaved,
            Code::UnknownCte
        ]),
        words().prop_map(Code::BadCharset),
        words().prop_map(Code::Capability),
        (flags(), any::<bool>()).prop_map(|(flags, new)| Code::PermanentFlags(flags, new)),
        nz().prop_map(|uid| Code::UidNext(Uid::new(uid.get()).unwrap())),
        validity().prop_map(Code::UidValidity),
        any::<u32>().prop_map(Code::Unseen),
        (validity(), uids()).prop_map(|(validity, uids)| Code::AppendUid(validity, uids)),
        (validity(), uids(), uids()).prop_map(|(validity, from, to)| Code::CopyUid(validity, from, to)),
        (1..=i64::MAX as u64).prop_map(|modseq| Code::HighestModSeq(ModSeq::new(modseq).unwrap())),
    ];
    let kinds = vec![StatusKind::Ok, StatusKind::No, StatusKind::Bad, StatusKind::PreAuth, StatusKind::Bye];
    (prop::sample::select(kinds), prop::option::of(code), "[A-Za-z(][ -~]{0,20}")
        .prop_map(|(kind, code, text)| Status { kind, code, text: Text::lossy(&text) })
}

fn value() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Nil),
        number64().prop_map(Value::Number),
        octets().prop_map(|octets| Value::Text(octets.into()))
    ];
    leaf.prop_recursive(5, 20, 4, |inner| prop::collection::vec(inner, 0..4).prop_map(Value::List))
}

fn envelope() -> impl Strategy<Value = Envelope> {
    let text = || prop::option::of(octets().prop_map(OctetString::from));
    let list = || {
        prop::collection::vec(
            (text(), text(), text(), text()).prop_map(|(name, route, mailbox, host)| EnvelopeAddress {
                name,
                route,
                mailbox,
                host,
            }),
            0..3,
        )
    };
    ((text(), text(), text(), text()), (list(), list(), list(), list(), list(), list())).prop_map(|(texts, lists)| {
        let mut envelope = Envelope::default();
        (envelope.date, envelope.subject, envelope.in_reply_to, envelope.message_id) = texts;
        (envelope.from, envelope.sender, envelope.reply_to, envelope.to, envelope.cc, envelope.bcc) = lists;
        envelope
    })
}

fn item() -> impl Strategy<Value = FetchItem> {
    let part = || prop::collection::vec(nz(), 0..3);
    let origin = || prop::option::of(number64());
    let text = || prop::option::of(octets());
    let section = prop_oneof![
        (part(), prop::sample::select(vec![SectionText::Whole, SectionText::Header, SectionText::Text])),
        (
            part(),
            prop::collection::vec("[!-9;-~]{1,5}", 1..3)
                .prop_map(|names: Vec<String>| SectionText::HeaderFields(FieldNames::new(names).unwrap()))
        ),
    ];
    prop_oneof![
        (flags(), any::<bool>()).prop_map(|(flags, recent)| FetchItem::Flags(flags, recent)),
        nz().prop_map(|uid| FetchItem::Uid(Uid::new(uid.get()).unwrap())),
        number64().prop_map(FetchItem::ModSeq),
        (0i64..4_000_000_000, -1439i16..=1439)
            .prop_map(|(at, offset)| FetchItem::InternalDate(Timestamp::from_unix(at).with_offset_minutes(offset))),
        number64().prop_map(FetchItem::Size),
        envelope().prop_map(|envelope| FetchItem::Envelope(Box::new(envelope))),
        value().prop_map(FetchItem::BodyStructure),
        (section, origin(), text()).prop_map(|((part, text), origin, octets)| {
            FetchItem::Section(Section::new(part, text), origin, octets)
        }),
        (part(), origin(), prop::option::of(prop::collection::vec(any::<u8>(), 0..9).prop_map(Into::into)))
            .prop_map(|(part, origin, octets)| FetchItem::Binary(part, origin, octets)),
        (part(), number64()).prop_map(|(part, octets)| FetchItem::BinarySize(part, octets)),
        (prop::sample::select(vec![Rfc822::Whole, Rfc822::Header, Rfc822::Text]), text())
            .prop_map(|(which, octets)| FetchItem::Rfc822(which, octets)),
    ]
}

/// Any character that can stand between quotes.
fn delimiter() -> impl Strategy<Value = char> {
    let any = any::<char>().prop_filter("between quotes", |char| !matches!(char, '\0' | '\r' | '\n'));
    prop_oneof![prop::sample::select(vec!['/', '.', '\\', '"']), any]
}

fn data() -> impl Strategy<Value = Data> {
    let listed = || {
        (words(), prop::option::of(delimiter()), mailbox(), words(), prop::option::of(mailbox())).prop_map(
            |(attributes, delimiter, mailbox, child_info, old_name)| {
                let mut listed = Listed::new(mailbox, attributes);
                (listed.delimiter, listed.child_info, listed.old_name) = (delimiter, child_info, old_name);
                listed
            },
        )
    };
    let set = prop::collection::vec((nz(), nz()), 1..4).prop_map(|ranges| {
        let ranges = ranges.into_iter().map(|(first, last)| (SeqBound::Number(first), SeqBound::Number(last)));
        SequenceSet::new(ranges.collect()).unwrap()
    });
    let namespaces = || prop::collection::vec((mailbox(), prop::option::of(delimiter())), 0..3);
    prop_oneof![
        words().prop_map(Data::Capability),
        words().prop_map(Data::Enabled),
        words().prop_map(Data::Flags),
        any::<u32>().prop_map(Data::Exists),
        any::<u32>().prop_map(Data::Recent),
        any::<u32>().prop_map(Data::Expunge),
        (any::<bool>(), uids()).prop_map(|(earlier, uids)| Data::Vanished(earlier, uids)),
        listed().prop_map(Data::List),
        listed().prop_map(Data::Lsub),
        (mailbox(), prop::collection::vec((prop::sample::select(StatusItem::ALL.to_vec()), number64()), 0..4))
            .prop_map(|(mailbox, items)| Data::Status(mailbox, items)),
        (prop::collection::vec(1u32.., 0..4), prop::option::of(number64()))
            .prop_map(|(numbers, modseq)| Data::Search(numbers, modseq)),
        (
            prop::option::of("[a-z0-9]{1,4}"),
            any::<bool>(),
            prop::option::of(any::<u32>()),
            prop::option::of(set),
            prop::option::of(any::<u32>()),
            prop::option::of(number64())
        )
            .prop_map(|(tag, uid, min, all, count, modseq)| {
                let mut esearch = Esearch::default();
                esearch.tag = tag.map(Into::into);
                (esearch.uid, esearch.min, esearch.max, esearch.all, esearch.count, esearch.modseq) =
                    (uid, min, min, all, count, modseq);
                Data::Esearch(esearch)
            }),
        (namespaces(), namespaces(), namespaces()).prop_map(|(one, two, three)| Data::Namespace([one, two, three])),
        prop::option::of(prop::collection::vec((octets(), prop::option::of(octets())), 0..3)).prop_map(Data::Id),
        (any::<u32>(), prop::collection::vec(item(), 0..4)).prop_map(|(number, items)| Data::Fetch(number, items)),
    ]
}

fn response() -> impl Strategy<Value = Response> {
    prop_oneof![
        "[ -~]{0,20}".prop_map(|text: String| Response::Continue(text.into_bytes().into())),
        (prop::option::of("[a-z0-9]{1,5}"), status())
            .prop_map(|(tag, status)| { Response::Status(tag.map(|tag| Tag::new(&tag).unwrap()), status) }),
        data().prop_map(Response::Data),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    #[test]
    fn what_is_written_is_read(response in response(), utf8 in any::<bool>()) {
        let dialect = if utf8 { Dialect::UTF8 } else { Dialect::ASCII };
        let frame = written(&response, dialect);
        let read = Response::parse(&frame, dialect, &ResponseLimits::default());
        prop_assert_eq!(read, Ok(response), "{}", frame.escape_ascii());
    }

    #[test]
    fn a_reader_finds_the_same_wherever_the_octets_are_cut(responses in prop::collection::vec(response(), 1..4), cut in 1usize..20) {
        // A text that ends like the head of a literal is one, for every client that there is.
        prop_assume!(responses.iter().all(|response| !written(response, Dialect::ASCII).ends_with(b"}")));
        let mut sent = BytesMut::new();
        responses.iter().for_each(|response| response.encode(Dialect::ASCII, &mut sent));
        let (mut reader, mut input, mut found) = (ResponseReader::default(), BytesMut::new(), Vec::new());
        for chunk in sent.chunks(cut) {
            input.extend_from_slice(chunk);
            while let Some(response) = reader.next(&mut input, Dialect::ASCII) {
                found.push(response.unwrap());
            }
        }
        prop_assert_eq!(found, responses);
    }

    #[test]
    fn any_octets_are_a_response_or_an_error(octets in prop::collection::vec(any::<u8>(), 0..80)) {
        let _ = read(&octets);
        let _ = read(&[b"* ", &octets[..]].concat());
        let _ = read(&[b"* 1 FETCH (", &octets[..]].concat());
    }
}
