//! Whatever command is written is read as the same one, and no octets make the parser panic.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "it is a test")]

use std::num::NonZeroU32;

use imap_proto::command::*;
use imap_proto::grammar::*;
use imap_proto::limits::Limits;
use mailstore_traits::{Flag, FlagChange, Flags, Keyword, SpecialUse, SystemFlag, Timestamp};
use proptest::prelude::*;

fn nz() -> impl Strategy<Value = NonZeroU32> {
    any::<NonZeroU32>()
}

fn bound() -> impl Strategy<Value = SeqBound> {
    prop_oneof![nz().prop_map(SeqBound::Number), Just(SeqBound::Star)]
}

fn set() -> impl Strategy<Value = MessageSet> {
    let ranges = prop::collection::vec((bound(), bound()), 1..5);
    prop_oneof![
        9 => ranges.prop_map(|ranges| MessageSet::Set(SequenceSet::new(ranges).expect("a keyword"))),
        1 => Just(MessageSet::Saved),
    ]
}

fn octets() -> impl Strategy<Value = OctetString> {
    prop::collection::vec(1u8.., 0..30).prop_map(Into::into)
}

fn name() -> impl Strategy<Value = Mailbox> {
    prop_oneof!["[ -~]{0,12}", "[a-zé&日/😀]{0,8}", Just("INBOX".to_owned())].prop_map(Mailbox::new)
}

fn flags() -> impl Strategy<Value = Flags> {
    let flag = prop_oneof![
        prop::sample::select(SystemFlag::ALL.to_vec()).prop_map(Flag::System),
        "[a-z$][a-z0-9$]{0,5}".prop_map(|word: String| Flag::Keyword(Keyword::new(word).expect("a keyword"))),
    ];
    prop::collection::vec(flag, 0..4).prop_map(|flags| flags.into_iter().collect())
}

fn number64() -> impl Strategy<Value = u64> {
    0..=i64::MAX as u64
}

fn date() -> impl Strategy<Value = Date> {
    (0u16..=9999, 1u8..=12, 1u8..=28).prop_map(|(year, month, day)| Date::new(year, month, day).unwrap())
}

fn key() -> impl Strategy<Value = SearchKey> {
    let flag = || prop::sample::select(SystemFlag::ALL.to_vec());
    let leaf = prop_oneof![
        prop::sample::select(vec![SearchKey::All, SearchKey::New, SearchKey::Old, SearchKey::Recent]),
        flag().prop_map(SearchKey::Has),
        flag().prop_map(SearchKey::HasNot),
        "[a-z]{1,5}".prop_map(|word: String| SearchKey::Keyword(Keyword::new(word).expect("a keyword"))),
        "[a-z]{1,5}".prop_map(|word: String| SearchKey::Unkeyword(Keyword::new(word).expect("a keyword"))),
        octets().prop_map(SearchKey::Bcc),
        octets().prop_map(SearchKey::Cc),
        octets().prop_map(SearchKey::From),
        octets().prop_map(SearchKey::To),
        octets().prop_map(SearchKey::Subject),
        octets().prop_map(SearchKey::Body),
        octets().prop_map(SearchKey::Text),
        (octets(), octets()).prop_map(|(name, text)| SearchKey::Header(name, text)),
        date().prop_map(SearchKey::Before),
        date().prop_map(SearchKey::On),
        date().prop_map(SearchKey::Since),
        date().prop_map(SearchKey::SentBefore),
        date().prop_map(SearchKey::SentOn),
        date().prop_map(SearchKey::SentSince),
        number64().prop_map(SearchKey::Larger),
        number64().prop_map(SearchKey::Smaller),
        number64().prop_map(SearchKey::ModSeq),
        set().prop_map(SearchKey::Numbers),
        set().prop_map(SearchKey::Uids),
    ];
    leaf.prop_recursive(4, 12, 3, |inner| {
        prop_oneof![
            inner.clone().prop_map(|key| SearchKey::Not(Box::new(key))),
            (inner.clone(), inner.clone()).prop_map(|(one, other)| SearchKey::Or(Box::new(one), Box::new(other))),
            prop::collection::vec(inner, 1..4).prop_map(SearchKey::And),
        ]
    })
}

fn attribute() -> impl Strategy<Value = FetchAttribute> {
    let part = || prop::collection::vec(nz(), 0..4);
    let partial =
        || prop::option::of((number64(), 1..=i64::MAX as u64).prop_map(|(start, count)| Partial { start, count }));
    let names =
        || prop::collection::vec("[!-9;-~]{1,6}", 1..4).prop_map(|names: Vec<String>| FieldNames::new(names).unwrap());
    let text = prop_oneof![
        Just(SectionText::Whole),
        Just(SectionText::Header),
        Just(SectionText::Text),
        Just(SectionText::Mime),
        names().prop_map(SectionText::HeaderFields),
        names().prop_map(SectionText::HeaderFieldsNot),
    ];
    let section =
        (part(), text).prop_filter("MIME is a part's", |(part, text)| !part.is_empty() || *text != SectionText::Mime);
    prop_oneof![
        prop::sample::select(vec![
            FetchAttribute::Envelope,
            FetchAttribute::Flags,
            FetchAttribute::InternalDate,
            FetchAttribute::Rfc822Header,
            FetchAttribute::Rfc822Size,
            FetchAttribute::Body,
            FetchAttribute::BodyStructure,
            FetchAttribute::Uid,
            FetchAttribute::ModSeq,
            FetchAttribute::Rfc822 { peek: true },
            FetchAttribute::Rfc822Text { peek: false },
        ]),
        (any::<bool>(), section, partial()).prop_map(|(peek, (part, text), partial)| FetchAttribute::Section {
            peek,
            section: Section::new(part, text),
            partial,
        }),
        (any::<bool>(), part(), partial()).prop_map(|(peek, part, partial)| FetchAttribute::Binary {
            peek,
            part,
            partial
        }),
        part().prop_map(|part| FetchAttribute::BinarySize { part }),
    ]
}

fn numbering() -> impl Strategy<Value = Numbering> {
    prop::sample::select(vec![Numbering::Sequence, Numbering::Uid])
}

fn items() -> impl Strategy<Value = Vec<StatusItem>> {
    prop::collection::vec(prop::sample::select(StatusItem::ALL.to_vec()), 1..4)
}

fn body() -> impl Strategy<Value = CommandBody> {
    let transfer = || {
        (numbering(), set(), name()).prop_map(|(numbering, messages, mailbox)| Transfer {
            numbering,
            messages,
            mailbox,
        })
    };
    let pattern = || "[a-zé*%&/ ]{0,8}";
    let secret = || octets().prop_map(|octets| mail_wire::Secret::new(octets.to_vec()));
    prop_oneof![
        prop::sample::select(vec![
            CommandBody::Capability,
            CommandBody::Noop,
            CommandBody::Logout,
            CommandBody::StartTls,
            CommandBody::Namespace,
            CommandBody::Idle,
            CommandBody::Check,
            CommandBody::Close,
            CommandBody::Unselect,
            CommandBody::Expunge(None),
            CommandBody::Id(None),
        ]),
        set().prop_map(|set| CommandBody::Expunge(Some(set))),
        name().prop_map(CommandBody::Delete),
        name().prop_map(CommandBody::Subscribe),
        name().prop_map(CommandBody::Unsubscribe),
        (name(), name()).prop_map(|(from, to)| CommandBody::Rename(Rename { from, to })),
        (octets(), secret()).prop_map(|(user, password)| CommandBody::Login(Login::new(user, password))),
        ("[A-Z0-9-]{1,9}", prop::option::of("[A-Za-z0-9+/=]{1,20}")).prop_map(
            |(name, initial): (String, Option<String>)| {
                let initial = initial.map(|initial| mail_wire::Secret::new(initial.into_bytes()));
                CommandBody::Authenticate(Authenticate::new(name, initial))
            }
        ),
        prop::collection::vec("[A-Z0-9=-]{1,9}".prop_map(|word: String| word.into_boxed_str()), 1..4)
            .prop_map(CommandBody::Enable),
        prop::collection::vec(
            (
                octets().prop_map(|octets| Box::from(&*octets)),
                prop::option::of(octets().prop_map(|octets| Box::from(&*octets)))
            ),
            0..4
        )
        .prop_map(|fields| CommandBody::Id(Some(fields))),
        (name(), any::<bool>(), any::<bool>()).prop_map(|(mailbox, read_only, condstore)| {
            let mut select = Select::new(mailbox);
            (select.read_only, select.condstore) = (read_only, condstore);
            CommandBody::Select(select)
        }),
        (name(), prop::collection::vec(prop::sample::select(SpecialUse::ALL.to_vec()), 0..3)).prop_map(
            |(mailbox, uses)| {
                let mut create = Create::new(mailbox);
                create.special_uses = uses;
                CommandBody::Create(create)
            }
        ),
        (name(), items()).prop_map(|(mailbox, items)| CommandBody::Status(Status { mailbox, items })),
        (pattern(), pattern()).prop_map(|(reference, pattern)| CommandBody::Lsub(Lsub { reference, pattern })),
        (
            pattern(),
            prop::collection::vec(pattern(), 1..3),
            prop::option::of((any::<[bool; 3]>(), prop::option::of(items()))),
            prop::option::of(any::<[bool; 3]>())
        )
            .prop_map(|(reference, patterns, returns, select)| {
                let mut list = List::new(reference, "");
                list.many = patterns.len() > 1;
                list.patterns = patterns;
                list.returns = returns.map(|([subscribed, children, special_use], status)| {
                    let mut returns = ListReturn::default();
                    (returns.subscribed, returns.children, returns.special_use) = (subscribed, children, special_use);
                    returns.status = status.unwrap_or_default();
                    returns
                });
                list.select = select.map(|[subscribed, remote, special_use]| {
                    let mut select = ListSelect::default();
                    (select.subscribed, select.remote, select.special_use) = (subscribed, remote, special_use);
                    select.recursive_match = subscribed;
                    select
                });
                CommandBody::List(list)
            }),
        (
            numbering(),
            prop::option::of(any::<[bool; 4]>()),
            prop::option::of("[A-Z0-9-]{1,8}"),
            prop::collection::vec(key(), 1..4)
        )
            .prop_map(|(numbering, returns, charset, keys)| {
                let mut search = Search::new(numbering, keys);
                search.charset = charset.filter(|name| name != "NIL").map(Into::into);
                search.returns = returns.map(|[min, max, count, save]| {
                    let mut returns = SearchReturn::default();
                    (returns.min, returns.max, returns.count, returns.save) = (min, max, count, save);
                    returns.all = !(min || max || count || save);
                    returns
                });
                CommandBody::Search(search)
            }),
        (numbering(), set(), prop::collection::vec(attribute(), 1..4), prop::option::of(number64())).prop_map(
            |(numbering, messages, attributes, changed_since)| {
                let mut fetch = Fetch::new(numbering, messages, attributes);
                fetch.changed_since = changed_since;
                CommandBody::Fetch(fetch)
            }
        ),
        (numbering(), set(), flags(), 0..3, any::<bool>(), prop::option::of(number64())).prop_map(
            |(numbering, messages, flags, how, silent, unchanged_since)| {
                let change = match how {
                    0 => FlagChange::Add(flags),
                    1 => FlagChange::Remove(flags),
                    _ => FlagChange::Replace(flags),
                };
                let mut store = Store::new(numbering, messages, change);
                (store.silent, store.unchanged_since) = (silent, unchanged_since);
                CommandBody::Store(store)
            }
        ),
        transfer().prop_map(CommandBody::Copy),
        transfer().prop_map(CommandBody::Move),
    ]
}

fn dialect() -> impl Strategy<Value = Dialect> {
    prop::sample::select(vec![Dialect::ASCII, Dialect::UTF8])
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    #[test]
    fn what_is_written_is_read(body in body(), dialect in dialect(), waits in any::<bool>()) {
        let command = Command { tag: Tag::new("a1").unwrap(), body };
        let literals = if waits { Literals::Synchronizing } else { Literals::NonSynchronizing };
        let encoded = command.encode(dialect, literals);
        let frame = encoded.octets().strip_suffix(b"\r\n").unwrap();
        let read = Command::parse(frame, dialect, &Limits::default());
        prop_assert_eq!(read, Ok(command), "{}", frame.escape_ascii());
        prop_assert_eq!(encoded.fragments().collect::<Vec<_>>().concat(), &encoded.octets()[..]);
    }

    #[test]
    fn an_append_that_is_written_is_read(mailbox in name(), flags in flags(), octets in any::<u64>(), waits in any::<bool>(),
        date in prop::option::of((0i64..4_000_000_000, -1439i16..=1439)), dialect in dialect()) {
        let literal = imap_proto::frame::LiteralHead { octets, waits };
        let mut head = AppendHead::new(Tag::new("a1").unwrap(), mailbox, literal);
        head.flags = flags;
        head.date = date.map(|(seconds, offset)| Timestamp::from_unix(seconds).with_offset_minutes(offset));
        let encoded = head.encode(dialect);
        let frame = encoded.octets().strip_suffix(b"\r\n").unwrap();
        prop_assert_eq!(AppendHead::parse(frame, dialect, &Limits::default()), Ok(Some(head)), "{}", frame.escape_ascii());
    }

    #[test]
    fn sec_m10_any_octets_are_a_command_or_an_error(octets in prop::collection::vec(any::<u8>(), 0..60), dialect in dialect()) {
        let _ = Command::parse(&octets, dialect, &Limits::default());
        let _ = AppendHead::parse(&octets, dialect, &Limits::default());
    }

    #[test]
    fn a_command_with_a_few_octets_changed_is_a_command_or_an_error(
        body in body(), changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..4)) {
        let command = Command { tag: Tag::new("a1").unwrap(), body };
        let mut frame = command.encode(Dialect::ASCII, Literals::Synchronizing).octets().to_vec();
        for (at, octet) in changes {
            let at = at.index(frame.len());
            frame[at] = octet;
        }
        if let Ok(read) = Command::parse(&frame, Dialect::ASCII, &Limits::default()) {
            let again = read.encode(Dialect::ASCII, Literals::Synchronizing);
            prop_assert_eq!(Command::parse(again.octets().strip_suffix(b"\r\n").unwrap(), Dialect::ASCII, &Limits::default()), Ok(read));
        }
    }
}
