//! Attack rows I7 and I8: every odd form of address that RFC 5321 §4.1.2 and RFC 6531 §3.3 let somebody write, and
//! those that they do not. What is taken is written in one normal form, and that form is taken again.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests say what they expect")]

use proptest::prelude::*;
use smtp_proto::grammar::{Address, ForwardPath, LocalPart, ReversePath};

/// As it came; as it is written.
const LEGAL: &[(&str, &str)] = &[
    ("<a@b>", "<a@b>"),
    ("<a@b.c>", "<a@b.c>"),
    ("<A@B.C>", "<A@B.C>"),
    ("<simple@example.com>", "<simple@example.com>"),
    ("<very.common@example.com>", "<very.common@example.com>"),
    ("<disposable.style.email.with+symbol@example.com>", "<disposable.style.email.with+symbol@example.com>"),
    ("<other.email-with-hyphen@example.com>", "<other.email-with-hyphen@example.com>"),
    ("<fully-qualified-domain@example.com>", "<fully-qualified-domain@example.com>"),
    ("<user.name+tag+sorting@example.com>", "<user.name+tag+sorting@example.com>"),
    ("<x@example.com>", "<x@example.com>"),
    ("<example-indeed@strange-example.com>", "<example-indeed@strange-example.com>"),
    ("<test/test@test.com>", "<test/test@test.com>"),
    ("<admin@mailserver1>", "<admin@mailserver1>"),
    ("<example@s.example>", "<example@s.example>"),
    ("<\" \"@example.org>", "<\" \"@example.org>"),
    ("<\"john..doe\"@example.org>", "<\"john..doe\"@example.org>"),
    ("<mailhost!username@example.org>", "<mailhost!username@example.org>"),
    ("<user%example.com@example.org>", "<user%example.com@example.org>"),
    ("<user-@example.org>", "<user-@example.org>"),
    ("<-user@example.org>", "<-user@example.org>"),
    ("<postmaster@[123.123.123.123]>", "<postmaster@[123.123.123.123]>"),
    ("<postmaster@[IPv6:2001:0db8:85a3:0000:0000:8a2e:0370:7334]>", "<postmaster@[IPv6:2001:db8:85a3::8a2e:370:7334]>"),
    ("<_test@[IPv6:2001:0db8::1]>", "<_test@[IPv6:2001:db8::1]>"),
    ("<!#$%&'*+-/=?^_`{|}~@b>", "<!#$%&'*+-/=?^_`{|}~@b>"),
    ("<1@2>", "<1@2>"),
    ("<1.2.3@4.5.6>", "<1.2.3@4.5.6>"),
    ("<a@1.2.3.4>", "<a@1.2.3.4>"),
    ("<a@b--c>", "<a@b--c>"),
    ("<a@xn--bcher-kva.example>", "<a@xn--bcher-kva.example>"),
    ("<\"\"@d>", "<\"\"@d>"),
    ("<\"a\"@b>", "<a@b>"),
    ("<\"a.b\"@c>", "<a.b@c>"),
    ("<\"\\a\"@b>", "<a@b>"),
    ("<\"\\\\\"@b>", "<\"\\\\\"@b>"),
    ("<\"\\\"\"@b>", "<\"\\\"\"@b>"),
    ("<\"\\ \"@b>", "<\" \"@b>"),
    ("<\"a b\"@c>", "<\"a b\"@c>"),
    ("<\"a\\ b\"@c>", "<\"a b\"@c>"),
    ("<\"a@b\"@c>", "<\"a@b\"@c>"),
    ("<\"a>b\"@c>", "<\"a>b\"@c>"),
    ("<\"<a>\"@c>", "<\"<a>\"@c>"),
    ("<\"a,b\"@c>", "<\"a,b\"@c>"),
    ("<\"a:b;c\"@d>", "<\"a:b;c\"@d>"),
    ("<\"(a)\"@d>", "<\"(a)\"@d>"),
    ("<\"a.\"@d>", "<\"a.\"@d>"),
    ("<\".a\"@d>", "<\".a\"@d>"),
    ("<\".\"@d>", "<\".\"@d>"),
    ("<\"> NOTIFY=NEVER\"@d>", "<\"> NOTIFY=NEVER\"@d>"),
    ("<\"[1.2.3.4]\"@d>", "<\"[1.2.3.4]\"@d>"),
    ("<\"@x:a\"@d>", "<\"@x:a\"@d>"),
    ("<Joe.\\x@b>", ""),
    ("<@x:a@b>", "<a@b>"),
    ("<@x,@y:a@b>", "<a@b>"),
    ("<@hosta.int,@jkl.org:userc@d.bar.org>", "<userc@d.bar.org>"),
    ("<@x:\"a b\"@c>", "<\"a b\"@c>"),
    ("<@x:a@[1.2.3.4]>", "<a@[1.2.3.4]>"),
    ("<@bücher.example:a@b>", "<a@b>"),
    ("<a@[0.0.0.0]>", "<a@[0.0.0.0]>"),
    ("<a@[IPv6:::]>", "<a@[IPv6:::]>"),
    ("<a@[ipv6:::1]>", "<a@[IPv6:::1]>"),
    ("<a@[IPV6:::ffff:1.2.3.4]>", "<a@[IPv6:::ffff:1.2.3.4]>"),
    ("<a@[x-new:anything]>", "<a@[x-new:anything]>"),
    ("<jürgen@b>", "<jürgen@b>"),
    ("<\"jürgen\"@b>", "<jürgen@b>"),
    ("<\"jürgen m\"@b>", "<\"jürgen m\"@b>"),
    ("<a@bücher.example>", "<a@bücher.example>"),
    ("<用户@例子.广告>", "<用户@例子.广告>"),
    ("<अजय@डाटा.भारत>", "<अजय@डाटा.भारत>"),
    ("<квіточка@пошта.укр>", "<квіточка@пошта.укр>"),
    ("<χρήστης@παράδειγμα.ελ>", "<χρήστης@παράδειγμα.ελ>"),
    ("<Dörte@Sörensen.example.com>", "<Dörte@Sörensen.example.com>"),
    ("<коля@пример.рф>", "<коля@пример.рф>"),
    ("<📨@b>", "<📨@b>"),
    ("<e\u{301}@b>", "<e\u{301}@b>"),
    ("<é@b>", "<é@b>"),
];

const ILLEGAL: &[&str] = &[
    "",
    "<",
    ">",
    "a@b",
    "<a@b",
    "a@b>",
    "<a@b>>",
    "<<a@b>",
    "<<a@b>>",
    "< a@b>",
    "<a@b >",
    "<a @b>",
    "<a@ b>",
    "<a>",
    "<@>",
    "<@b>",
    "<a@>",
    "<a@b@c>",
    "<a@@b>",
    "<a..b@c>",
    "<.a@b>",
    "<a.@b>",
    "<.@b>",
    "<a b@c>",
    "<a\tb@c>",
    "<a,b@c>",
    "<a:b@c>",
    "<a;b@c>",
    "<a(b)@c>",
    "<a@b(c)>",
    "<a<b@c>",
    "<a>b@c>",
    "<a[b]@c>",
    "<a\\b@c>",
    "<a\"b@c>",
    "<\"a@b>",
    "<a\"@b>",
    "<\"a\"b@c>",
    "<b\"a\"@c>",
    "<\"a\".b@c>",
    "<a.\"b\"@c>",
    "<\"a\"\"b\"@c>",
    "<\"a\\\"@b>",
    "<\"@b>",
    "<\"\\@b>",
    "<\"\0\"@b>",
    "<\"\u{1}\"@b>",
    "<\"\u{7f}\"@b>",
    "<\"\\\u{7f}\"@b>",
    "<\"a\tb\"@c>",
    "<\"a\r\nb\"@c>",
    "<a\r\n@b>",
    "<a@b\r\n>",
    "<a@b\0>",
    "<a@b.>",
    "<a@.b>",
    "<a@b..c>",
    "<a@-b>",
    "<a@b->",
    "<a@b.-c>",
    "<a@b_c>",
    "<a@b!c>",
    "<a@b/c>",
    "<a@b:25>",
    "<a@b,c>",
    "<a@[>",
    "<a@]>",
    "<a@[]>",
    "<a@[1.2.3]>",
    "<a@[1.2.3.4.5]>",
    "<a@[1.2.3.256]>",
    "<a@[01.2.3.4]>",
    "<a@[1.2.3.4>",
    "<a@1.2.3.4]>",
    "<a@[::1]>",
    "<a@[IPv6:]>",
    "<a@[IPv6:::1::]>",
    "<a@[IPv6:12345::]>",
    "<a@[IPv6:::1%lo]>",
    "<a@[IPv6:1.2.3.4]>",
    "<a@[IPv4:1.2.3.4.]x>",
    "<a@[x:]>",
    "<a@[:x]>",
    "<a@[x y]>",
    "<a@[1.2.3.4]b>",
    "<@:a@b>",
    "<@x,:a@b>",
    "<@x@y:a@b>",
    "<@x a@b>",
    "<@x:>",
    "<@x:@y:a@b>",
    "<x:a@b>",
    "<@[1.2.3.4]:a@b>",
    "<@x, @y:a@b>",
    "<:a@b>",
    "<,@x:a@b>",
    "<a@b\u{3002}c>",
    "<a@b\u{ff0e}c>",
    "<a@b\u{a0}c>",
    "<a\u{85}@b>",
    "<a@b\u{2028}>",
    "<postmaster >",
    "<postmasters>",
    "postmaster",
    "<>x",
    "< >",
];

#[test]
fn sec_i7_a_table_of_legal_addresses_in_their_normal_form() {
    let mut count = 0;
    for &(octets, written) in LEGAL {
        let (reverse, forward) = (octets.parse::<ReversePath>(), octets.parse::<ForwardPath>());
        if written.is_empty() {
            assert!(reverse.is_err() && forward.is_err(), "{octets}");
            continue;
        }
        let (reverse, forward) = (reverse.expect(octets), forward.expect(octets));
        assert_eq!((reverse.to_string().as_str(), forward.to_string().as_str()), (written, written), "{octets}");
        assert_eq!(written.parse::<ReversePath>().unwrap(), reverse, "the normal form is the same address");
        assert_eq!(reverse.is_ascii(), written.is_ascii());
        count += 1;
    }
    assert!(count + ILLEGAL.len() >= 150, "{count} and {}", ILLEGAL.len());
}

#[test]
fn sec_i7_a_table_of_what_is_no_address() {
    for octets in ILLEGAL {
        assert!(octets.parse::<ReversePath>().is_err() && octets.parse::<ForwardPath>().is_err(), "{octets:?}");
    }
    assert!("<>".parse::<ReversePath>().unwrap().is_null());
    assert!("<>".parse::<ForwardPath>().is_err());
    assert!("<postmaster>".parse::<ForwardPath>().unwrap().is_postmaster());
    assert!("<postmaster>".parse::<ReversePath>().is_err());
}

#[test]
fn sec_i7_lengths_end_where_they_are_said_to() {
    let label = "l".repeat(63);
    let domain = [label.as_str(), &label, &label, &label[..61]].join(".");
    assert_eq!(domain.len(), 253);
    for (local, domain, legal) in [
        ("x".repeat(64), domain.clone(), true),
        ("x".repeat(255), domain.clone(), true),
        ("x".repeat(256), domain.clone(), true),
        ("x".repeat(257), domain.clone(), false),
        ("x".into(), format!("{domain}x"), true),
        ("x".into(), format!("{domain}xx"), true),
        ("x".into(), format!("{}.{domain}", "x"), true),
        ("x".into(), format!("{}.{domain}", "xx"), false),
        ("x".into(), "l".repeat(64), false),
    ] {
        let address = format!("{local}@{domain}");
        assert_eq!(address.parse::<Address>().is_ok(), legal, "{} {}", local.len(), domain.len());
    }
}

#[test]
fn sec_i8_utf8_is_taken_in_its_shortest_form_only() {
    for octets in [
        &b"<\xc0\x80@b>"[..],
        b"<\xc0\xaf@b>",
        b"<\xe0\x80\xaf@b>",
        b"<\xf0\x80\x80\xaf@b>",
        b"<\xed\xa0\x80@b>",
        b"<\xff@b>",
        b"<\xfe@b>",
        b"<\x80@b>",
        b"<a\xc3@b>",
        b"<a@\xe4b>",
        b"<a@b\xe2\x80>",
        b"<\"\xc3\"@b>",
        b"<\xf4\x90\x80\x80@b>",
    ] {
        assert!(ReversePath::try_from(octets).is_err(), "{}", octets.escape_ascii());
        assert!(ForwardPath::try_from(octets).is_err(), "{}", octets.escape_ascii());
    }
    // Nothing is normalised: these are two names.
    assert_ne!("<é@b>".parse::<ReversePath>(), "<e\u{301}@b>".parse::<ReversePath>());
}

proptest! {
    #[test]
    fn sec_i7_any_name_can_be_written_and_read_again(name in "\\PC{0,40}|[ -~]{0,40}") {
        let part = LocalPart::from_unquoted(name.clone()).unwrap();
        let address = Address::new(part, "b".parse::<smtp_proto::grammar::Domain>().unwrap());
        let read: Address = address.to_string().parse().unwrap();
        prop_assert_eq!(read.local_part().as_str(), name);
        prop_assert_eq!(read, address);
    }

    #[test]
    fn sec_i7_no_octets_panic_and_what_is_taken_comes_back(octets in prop::collection::vec(
        prop::sample::select(b"<>@:,.\"\\ a-[]IPv6:1\xc3\xa4\x80\r\n\0".to_vec()), 0..24,
    )) {
        if let Ok(path) = ReversePath::try_from(&octets[..]) {
            prop_assert_eq!(path.to_string().parse::<ReversePath>().unwrap(), path);
        }
        if let Ok(path) = ForwardPath::try_from(&octets[..]) {
            prop_assert_eq!(path.to_string().parse::<ForwardPath>().unwrap(), path);
        }
    }
}
