//! The examples of RFC 5258 §5 (the same in RFC 9051 §6.3.9.8), RFC 6154 §5 and RFC 3501 §6.3.9, and the definitions
//! themselves, applied to each name without a thought of time.

use std::collections::BTreeSet;

use bytes::BytesMut;
use mailstore_traits::{MailboxId, MailboxInfo, MailboxName, SpecialUse};
use proptest::prelude::*;

use super::*;
use crate::{
    command::{List, ListReturn, ListSelect, Lsub},
    grammar::Dialect,
    limits::Limits,
};

/// Names with `+` where they are subscribed and `!` where there is no mailbox; `\Sent` and the like behind them.
fn infos(names: &[&str]) -> Vec<MailboxInfo> {
    let info = |text: &&str| {
        let (name, special_use) = text.split_once('\\').unwrap_or((text, ""));
        let mut info = MailboxInfo::new(name.trim_start_matches(['+', '!']).parse().unwrap(), None);
        info.id = (!name.contains('!')).then(|| MailboxId::new("1").unwrap());
        info.subscribed = name.contains('+');
        info.special_use = SpecialUse::ALL.into_iter().find(|known| known.as_str().get(1..) == Some(special_use));
        info
    };
    names.iter().map(info).collect()
}

/// A LIST in short: selection options in front, patterns with spaces between them, return options.
fn command(select: Option<&str>, patterns: &str, returns: Option<&str>) -> List {
    let mut list = List::new("", patterns);
    list.many = patterns.contains(' ');
    list.patterns = patterns.split(' ').map(String::from).collect();
    list.select = select.map(|options| ListSelect {
        subscribed: options.contains("SUBSCRIBED"),
        remote: options.contains("REMOTE"),
        recursive_match: options.contains("RECURSIVEMATCH"),
        special_use: options.contains("SPECIAL-USE"),
    });
    list.returns = returns.map(|options| ListReturn {
        subscribed: options.contains("SUBSCRIBED"),
        children: options.contains("CHILDREN"),
        special_use: options.contains("SPECIAL-USE"),
        status: Vec::new(),
    });
    list
}

fn lines(listing: &Listing) -> Vec<String> {
    let mut out = BytesMut::new();
    listing.entries().for_each(|entry| entry.encode(Dialect::ASCII, &mut out));
    let lines: Vec<String> = std::str::from_utf8(&out).unwrap().lines().map(String::from).collect();
    assert_eq!(lines.len(), listing.len());
    lines
}

#[track_caller]
fn list(names: &[&str], list: &List, expected: &[&str]) {
    let listing = Listing::list(list, infos(names), false, &Limits::default());
    let expected: Vec<_> = expected.iter().map(|line| format!("* LIST {line}")).collect();
    assert_eq!(lines(&listing), expected);
}

const FRUIT: &[&str] = &[
    "+INBOX",
    "Fruit",
    "Fruit/Apple",
    "+Fruit/Banana",
    "+!Fruit/Peach",
    "Tofu",
    "+Vegetable",
    "+Vegetable/Broccoli",
    "Vegetable/Corn",
];

#[test]
fn rfc_5258_examples_1_to_6_the_hierarchy_and_what_is_subscribed() {
    let all = [
        "() \"/\" INBOX",
        "() \"/\" Fruit",
        "() \"/\" Fruit/Apple",
        "() \"/\" Fruit/Banana",
        "() \"/\" Tofu",
        "() \"/\" Vegetable",
        "() \"/\" Vegetable/Broccoli",
        "() \"/\" Vegetable/Corn",
    ];
    list(FRUIT, &command(Some(""), "*", None), &all);
    list(
        FRUIT,
        &command(Some("SUBSCRIBED"), "*", None),
        &[
            "(\\Subscribed) \"/\" INBOX",
            "(\\Subscribed) \"/\" Fruit/Banana",
            "(\\NonExistent \\Subscribed) \"/\" Fruit/Peach",
            "(\\Subscribed) \"/\" Vegetable",
            "(\\Subscribed) \"/\" Vegetable/Broccoli",
        ],
    );
    list(
        FRUIT,
        &command(Some(""), "%", Some("CHILDREN")),
        &[
            "(\\HasNoChildren) \"/\" INBOX",
            "(\\HasChildren) \"/\" Fruit",
            "(\\HasNoChildren) \"/\" Tofu",
            "(\\HasChildren) \"/\" Vegetable",
        ],
    );
    list(
        FRUIT,
        &command(Some("REMOTE"), "*", Some("SUBSCRIBED")),
        &[
            "(\\Subscribed) \"/\" INBOX",
            "() \"/\" Fruit",
            "() \"/\" Fruit/Apple",
            "(\\Subscribed) \"/\" Fruit/Banana",
            "() \"/\" Tofu",
            "(\\Subscribed) \"/\" Vegetable",
            "(\\Subscribed) \"/\" Vegetable/Broccoli",
            "() \"/\" Vegetable/Corn",
        ],
    );
}

#[test]
fn rfc_5258_example_7_several_patterns() {
    list(
        &["INBOX", "Drafts", "Sent", "Sent/March2004", "Sent/December2003", "Sent/August2004", "Other"],
        &command(None, "INBOX Drafts Sent/%", None),
        &[
            "() \"/\" INBOX",
            "() \"/\" Drafts",
            "() \"/\" Sent/August2004",
            "() \"/\" Sent/December2003",
            "() \"/\" Sent/March2004",
        ],
    );
}

#[test]
fn rfc_5258_example_8_children_and_childinfo() {
    let recursive = command(Some("SUBSCRIBED RECURSIVEMATCH"), "%", None);
    let a = ["INBOX", "Foo", "Foo/Bar", "+Foo/Baz", "Moo"];
    list(
        &a,
        &command(None, "%", Some("CHILDREN")),
        &["(\\HasNoChildren) \"/\" INBOX", "(\\HasChildren) \"/\" Foo", "(\\HasNoChildren) \"/\" Moo"],
    );
    list(&a, &command(Some("SUBSCRIBED"), "*", None), &["(\\Subscribed) \"/\" Foo/Baz"]);
    list(&a, &command(Some("SUBSCRIBED"), "%", None), &[]);
    list(&a, &recursive, &["() \"/\" Foo (\"CHILDINFO\" (\"SUBSCRIBED\"))"]);
    list(
        &["INBOX", "+Foo", "Foo/Bar", "+Foo/Baz", "Moo"],
        &recursive,
        &["(\\Subscribed) \"/\" Foo (\"CHILDINFO\" (\"SUBSCRIBED\"))"],
    );
    list(
        &["INBOX", "Foo/Bar", "+Foo/Baz", "Moo"],
        &recursive,
        &["(\\NonExistent) \"/\" Foo (\"CHILDINFO\" (\"SUBSCRIBED\"))"],
    );
    list(&["INBOX", "Foo", "Foo/Bar", "Foo/Baz", "Moo"], &recursive, &[]);
    list(
        &["INBOX", "+Foo", "Foo/Bar", "Foo/Baz", "+Moo"],
        &command(Some("SUBSCRIBED RECURSIVEMATCH"), "%", Some("CHILDREN")),
        &["(\\HasChildren \\Subscribed) \"/\" Foo", "(\\HasNoChildren \\Subscribed) \"/\" Moo"],
    );
}

#[test]
fn rfc_5258_example_9_childinfo_whether_or_not_children_match() {
    let names = [
        "INBOX",
        "foo2",
        "+foo2/bar1",
        "+foo2/bar2",
        "baz2",
        "+baz2/bar2",
        "+baz2/bar22",
        "+baz2/bar222",
        "+eps2",
        "+eps2/mamba",
        "+qux2/bar2",
    ];
    list(
        &names,
        &command(Some("RECURSIVEMATCH SUBSCRIBED"), "*2", None),
        &[
            "(\\Subscribed) \"/\" baz2/bar2",
            "(\\Subscribed) \"/\" baz2/bar22",
            "(\\Subscribed) \"/\" baz2/bar222",
            "(\\Subscribed) \"/\" eps2 (\"CHILDINFO\" (\"SUBSCRIBED\"))",
            "() \"/\" foo2 (\"CHILDINFO\" (\"SUBSCRIBED\"))",
            "(\\Subscribed) \"/\" foo2/bar2",
            "(\\Subscribed) \"/\" qux2/bar2",
        ],
    );
    // By `*` the RFC's own listing has foo2 and baz2 too, and says that "this information is redundant": its §3.5 is kept.
    list(
        &names,
        &command(Some("RECURSIVEMATCH SUBSCRIBED"), "*", None),
        &[
            "(\\Subscribed) \"/\" baz2/bar2",
            "(\\Subscribed) \"/\" baz2/bar22",
            "(\\Subscribed) \"/\" baz2/bar222",
            "(\\Subscribed) \"/\" eps2 (\"CHILDINFO\" (\"SUBSCRIBED\"))",
            "(\\Subscribed) \"/\" eps2/mamba",
            "(\\Subscribed) \"/\" foo2/bar1",
            "(\\Subscribed) \"/\" foo2/bar2",
            "(\\Subscribed) \"/\" qux2/bar2",
        ],
    );
}

#[test]
fn rfc_5258_example_10_childinfo_without_children() {
    let names = ["foo", "+!foo/bar"];
    list(&names, &command(None, "foo foo/*", None), &["() \"/\" foo"]);
    list(&names, &command(Some("SUBSCRIBED"), "foo/*", None), &["(\\NonExistent \\Subscribed) \"/\" foo/bar"]);
    list(
        &names,
        &command(Some("SUBSCRIBED RECURSIVEMATCH"), "foo", Some("CHILDREN")),
        &["(\\HasNoChildren) \"/\" foo (\"CHILDINFO\" (\"SUBSCRIBED\"))"],
    );
}

#[test]
fn rfc_5258_example_11_levels_that_are_no_mailboxes() {
    let names = ["music/rock"];
    list(&names, &command(Some("REMOTE"), "*", None), &["() \"/\" music/rock"]);
    list(&names, &command(Some(""), "%", None), &["(\\NonExistent \\HasChildren) \"/\" music"]);
    list(&names, &command(None, "% music/rock", None), &["() \"/\" music/rock"]);
}

#[test]
fn rfc_6154_example_2_special_uses() {
    let names = ["INBOX", "ToDo", "Projects", "Projects/Foo", "SentMail\\Sent", "MyDrafts\\Drafts", "a/Trash\\Trash"];
    list(
        &names,
        &command(None, "%", Some("SPECIAL-USE")),
        &[
            "() \"/\" INBOX",
            "(\\Drafts) \"/\" MyDrafts",
            "() \"/\" Projects",
            "(\\Sent) \"/\" SentMail",
            "() \"/\" ToDo",
            "(\\NonExistent \\HasChildren) \"/\" a",
        ],
    );
    list(
        &names,
        &command(Some("SPECIAL-USE"), "*", None),
        &["(\\Drafts) \"/\" MyDrafts", "(\\Sent) \"/\" SentMail", "(\\Trash) \"/\" a/Trash"],
    );
    list(
        &names,
        &command(Some("SPECIAL-USE RECURSIVEMATCH"), "%", None),
        &[
            "(\\Drafts) \"/\" MyDrafts",
            "(\\Sent) \"/\" SentMail",
            "(\\NonExistent) \"/\" a (\"CHILDINFO\" (\"SPECIAL-USE\"))",
        ],
    );
    list(&names, &command(Some("SPECIAL-USE SUBSCRIBED"), "*", None), &[]);
}

#[test]
fn the_basic_form_tells_of_children_and_uses_unasked() {
    let names = ["b/c", "a b", "a/b", "INBOX/x", "a\\Archive", "INBOX", "!b/gone", "+!sub"];
    list(
        &names,
        &command(None, "%", None),
        &[
            "(\\HasChildren) \"/\" INBOX",
            "(\\HasChildren \\Archive) \"/\" a",
            "(\\HasNoChildren) \"/\" \"a b\"",
            "(\\Noselect \\HasChildren) \"/\" b",
        ],
    );
    list(
        &names,
        &command(None, "*", None),
        &[
            "(\\HasChildren) \"/\" INBOX",
            "(\\HasNoChildren) \"/\" INBOX/x",
            "(\\HasChildren \\Archive) \"/\" a",
            "(\\HasNoChildren) \"/\" a/b",
            "(\\HasNoChildren) \"/\" \"a b\"",
            "(\\HasNoChildren) \"/\" b/c",
        ],
    );
    let rev2 = Listing::list(&command(None, "b%", None), infos(&names), true, &Limits::default());
    assert_eq!(lines(&rev2), ["* LIST (\\NonExistent \\HasChildren) \"/\" b"]);
}

#[test]
fn a_store_that_knows_of_children_is_believed() {
    let mut names = infos(&["+a", "+b"]);
    names[0].has_children = Some(true);
    names[1].has_children = Some(false);
    let listing = Listing::list(&command(None, "*", None), names, false, &Limits::default());
    assert_eq!(lines(&listing), ["* LIST (\\HasChildren) \"/\" a", "* LIST (\\HasNoChildren) \"/\" b"]);
}

#[test]
fn inbox_is_told_once_and_in_upper_case() {
    for pattern in ["inbox", "INBOX", "%", "*", "In%", "inbox INBOX %"] {
        let listing =
            Listing::list(&command(None, pattern, None), infos(&["inbox", "+!Inbox"]), false, &Limits::default());
        let names: Vec<_> = listing.entries().map(|entry| entry.name().as_str().to_owned()).collect();
        assert_eq!(names, ["INBOX"], "{pattern}");
        assert!(listing.entries().all(|entry| entry.id().is_some()));
    }
}

#[test]
fn an_empty_pattern_asks_for_the_separator_in_the_basic_form_only() {
    let root = ["(\\Noselect) \"/\" \"\""];
    list(FRUIT, &command(None, "", None), &root);
    let mut with_reference = command(None, "", None);
    with_reference.reference = String::from("Fruit/");
    list(FRUIT, &with_reference, &root);
    for extended in [command(Some(""), "", None), command(None, "", Some(""))] {
        list(FRUIT, &extended, &[]);
    }
    let mut many = command(None, " Tofu", None);
    assert_eq!(many.patterns, ["", "Tofu"]);
    list(FRUIT, &many, &["() \"/\" Tofu"]);
    many.reference = String::from("Fruit");
    list(FRUIT, &many, &[]);
    let lsub = Lsub { reference: String::new(), pattern: String::new() };
    assert_eq!(lines(&Listing::lsub(&lsub, infos(FRUIT), &Limits::default())), ["* LSUB (\\Noselect) \"/\" \"\""]);
}

#[test]
fn a_reference_stands_in_front_of_each_pattern() {
    let mut in_fruit = command(None, "%", Some(""));
    in_fruit.reference = String::from("Fruit/");
    list(FRUIT, &in_fruit, &["() \"/\" Fruit/Apple", "() \"/\" Fruit/Banana"]);
    assert_eq!(hint(&in_fruit).name_prefix.as_deref(), Some("Fruit/"));
}

#[test]
fn lsub_tells_of_parents_by_a_percent_only() {
    let lsub = |pattern: &str, names: &[&str]| {
        let lsub = Lsub { reference: String::new(), pattern: pattern.to_owned() };
        lines(&Listing::lsub(&lsub, infos(names), &Limits::default()))
    };
    // RFC 3501 §6.3.9: "%" returns foo, not foo/bar.
    for names in [&["foo", "+foo/bar"][..], &["+foo/bar"], &["+!foo/bar"]] {
        assert_eq!(lsub("%", names), ["* LSUB (\\Noselect) \"/\" foo"]);
        assert_eq!(lsub("*", names), ["* LSUB () \"/\" foo/bar"]);
        assert_eq!(lsub("foo/%", names), ["* LSUB () \"/\" foo/bar"]);
        assert!(lsub("foo", names).is_empty());
    }
    assert_eq!(lsub("%", &["+foo", "+foo/bar"]), ["* LSUB () \"/\" foo"]);
    assert_eq!(
        lsub("%", FRUIT),
        ["* LSUB () \"/\" INBOX", "* LSUB (\\Noselect) \"/\" Fruit", "* LSUB () \"/\" Vegetable"]
    );
    let news = ["+#news.comp/mail/mime", "+#news.comp/mail/misc"];
    assert_eq!(lsub("#news.comp/mail/*", &news).len(), 2);
    assert_eq!(lsub("#news.comp/%", &news), ["* LSUB (\\Noselect) \"/\" #news.comp/mail"]);
}

#[test]
fn a_hint_asks_for_no_less_than_is_needed() {
    for (select, patterns, returns, prefix, subscribed_only) in [
        (None, "*", None, None, false),
        (None, "work/%", None, Some("work/"), false),
        (None, "inb%", None, None, false),
        (None, "INBOX/%", None, None, false),
        (None, "in/%", None, Some("in/"), false),
        (None, "work/ü% work/ö%", None, Some("work/"), false),
        (Some("SUBSCRIBED"), "*", None, None, true),
        (Some("SUBSCRIBED RECURSIVEMATCH"), "*", None, None, false),
        (Some("SUBSCRIBED"), "*", Some("CHILDREN"), None, false),
        (None, "*", Some("SUBSCRIBED"), None, false),
    ] {
        let hint = hint(&command(select, patterns, returns));
        assert_eq!((hint.name_prefix.as_deref(), hint.subscribed_only), (prefix, subscribed_only), "{patterns}");
    }
    let lsub = lsub_hint(&Lsub { reference: String::from("a/"), pattern: String::from("b%") });
    assert_eq!((lsub.name_prefix.as_deref(), lsub.subscribed_only), (Some("a/b"), true));
}

#[test]
fn sec_m9_what_is_too_long_or_too_much_is_silently_ignored() {
    list(FRUIT, &command(None, &"*".repeat(1001), None), &[]);
    list(FRUIT, &command(None, &format!("Tofu {}", "*".repeat(1001)), None), &["() \"/\" Tofu"]);
    // The last one comes when the room for patterns is used up.
    let long = format!("{} Tofu", ["x".repeat(1000).as_str(); 32].join(" "));
    list(FRUIT, &command(None, &long, None), &[]);
    let many = format!("{} Tofu", ["x"; 500].join(" "));
    list(FRUIT, &command(None, &many, None), &["() \"/\" Tofu"]);
}

#[test]
fn long_and_deep_names_give_one_response_for_their_first_level() {
    let deep = |first: usize| format!("{first}{}", format!("/{}", "x".repeat(28)).repeat(31));
    let names: Vec<_> = (0..2000).map(|first| MailboxInfo::new(deep(first).parse().unwrap(), None)).collect();
    let with_ids = names.into_iter().map(|mut info| {
        info.id = Some(MailboxId::new("1").unwrap());
        info
    });
    let listing = Listing::list(&command(None, "%", None), with_ids.collect(), false, &Limits::default());
    assert_eq!(listing.len(), 2000);
}

/// What the RFCs say of one name, in so many words.
fn by_definition(list: &List, infos: &[MailboxInfo], name: &MailboxName) -> Option<(bool, bool, bool)> {
    let matching = |name: &MailboxName| {
        let patterns = list.patterns.iter().filter_map(|pattern| Pattern::new("", pattern, 1000));
        patterns.filter(|pattern| pattern.matches(name.as_str())).map(|pattern| pattern.ends_in_percent()).max()
    };
    let select = list.select.unwrap_or_default();
    let is_selected = |info: &&MailboxInfo| {
        (if select.subscribed { info.subscribed } else { info.id.is_some() })
            && (!select.special_use || info.special_use.is_some())
    };
    let percent = matching(name)?;
    let own = infos.iter().find(|info| info.name == *name);
    let below: Vec<_> = infos.iter().filter(|info| info.name.is_below(name)).filter(is_selected).collect();
    let elsewhere = below.iter().any(|info| matching(&info.name).is_none());
    let criteria = select.subscribed || select.special_use;
    let selected = own.as_ref().is_some_and(is_selected);
    let told = selected
        || if criteria {
            select.recursive_match && elsewhere
        } else if list.is_extended() {
            percent && elsewhere
        } else {
            percent && !below.is_empty()
        };
    let child_info = criteria && select.recursive_match && !below.is_empty();
    told.then_some((own.is_some_and(|info| info.id.is_some()), child_info, selected))
}

proptest! {
    #[test]
    fn a_listing_is_what_the_definitions_say_of_each_name(
        names in prop::collection::btree_map("[ab](/[ab]){0,3}", (any::<bool>(), any::<bool>(), any::<bool>()), 0..10),
        patterns in "[ab/*%]{1,4}( [ab/*%]{1,4}){0,1}",
        options in prop::sample::select(vec![
            None, Some(""), Some("SUBSCRIBED"), Some("SUBSCRIBED RECURSIVEMATCH"), Some("SPECIAL-USE"),
            Some("SPECIAL-USE RECURSIVEMATCH"), Some("SUBSCRIBED SPECIAL-USE RECURSIVEMATCH"),
        ]),
    ) {
        let mut infos: Vec<MailboxInfo> = names.iter().map(|(name, (exists, subscribed, special))| {
            let mut info = MailboxInfo::new(name.parse().unwrap(), exists.then(|| MailboxId::new("1").unwrap()));
            info.subscribed = *subscribed;
            info.special_use = (*special && *exists).then_some(SpecialUse::Junk);
            info
        }).collect();
        let list = command(options, &patterns, None);
        let mut universe: BTreeSet<MailboxName> = BTreeSet::new();
        for info in &infos {
            let mut next = Some(info.name.clone());
            while let Some(name) = next {
                next = name.parent();
                universe.insert(name);
            }
        }
        let expected: Vec<_> = universe.iter()
            .filter_map(|name| Some((name.as_str().to_owned(), by_definition(&list, &infos, name)?)))
            .map(|(name, (exists, child_info, _))| (name, exists, child_info))
            .collect();
        infos.reverse();
        let listing = Listing::list(&list, infos.clone(), true, &Limits::default());
        let told: Vec<_> = listing.entries()
            .map(|entry| {
                let exists = !entry.has(Attribute::NonExistent);
                (entry.name().as_str().to_owned(), exists, entry.child_info().is_some())
            })
            .collect();
        prop_assert_eq!(&told, &expected);

        // With less from the store, as the hint allows, the answer is the same.
        let hint = hint(&list);
        infos.retain(|info| {
            hint.name_prefix.as_ref().is_none_or(|prefix| info.name.as_str().starts_with(prefix.as_str()))
                && (!hint.subscribed_only || info.subscribed)
        });
        let hinted = Listing::list(&list, infos, true, &Limits::default());
        prop_assert_eq!(lines(&hinted), lines(&listing));
    }

    #[test]
    fn lsub_is_what_its_definition_says_of_each_name(
        names in prop::collection::btree_map("[ab](/[ab]){0,3}", (any::<bool>(), any::<bool>()), 0..10),
        pattern in "[ab/*%]{1,5}",
    ) {
        let infos: Vec<MailboxInfo> = names.iter().map(|(name, (exists, subscribed))| {
            let mut info = MailboxInfo::new(name.parse().unwrap(), exists.then(|| MailboxId::new("1").unwrap()));
            info.subscribed = *subscribed;
            info
        }).collect();
        let subscribed = infos.iter().filter(|info| info.subscribed).map(|info| info.name.as_str());
        let compiled = Pattern::new("", &pattern, 1000).unwrap();
        // A name by itself, and its parents by a percent at the end, each once and the former before the latter.
        let mut expected: BTreeSet<(&str, bool)> =
            subscribed.clone().filter(|name| compiled.matches(name)).map(|name| (name, false)).collect();
        for name in subscribed.filter(|_| pattern.ends_with('%')) {
            for parent in name.match_indices('/').filter_map(|(at, _)| name.get(..at)) {
                if compiled.matches(parent) && !expected.contains(&(parent, false)) {
                    expected.insert((parent, true));
                }
            }
        }
        let lsub = Lsub { reference: String::new(), pattern };
        let listing = Listing::lsub(&lsub, infos.clone(), &Limits::default());
        let told: Vec<_> = listing.entries()
            .map(|entry| (entry.name().as_str().to_owned(), entry.has(Attribute::NoSelect)))
            .collect();
        let expected: Vec<_> = expected.into_iter().map(|(name, is_parent)| (name.to_owned(), is_parent)).collect();
        prop_assert_eq!(told, expected);

        let hint = lsub_hint(&lsub);
        let fewer = infos.into_iter().filter(|info| {
            let prefix = hint.name_prefix.as_deref().unwrap_or_default();
            info.subscribed && info.name.as_str().starts_with(prefix)
        });
        let hinted = Listing::lsub(&lsub, fewer.collect(), &Limits::default());
        prop_assert_eq!(lines(&hinted), lines(&listing));
    }
}
