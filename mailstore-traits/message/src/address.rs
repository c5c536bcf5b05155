//! Address lists, as ENVELOPE tells of them and SEARCH looks into them (RFC 5322 §3.4, RFC 9051 §7.5.2).
//!
//! One pass over one field, without recursion and without failure: what is no address comes out as the words it is made
//! of, for a broken header gives a poorer ENVELOPE and never a failed one.

use std::borrow::Cow;

/// What stands in an address list, in order.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum AddressItem<'a> {
    /// A mailbox.
    Mailbox(Address<'a>),
    /// A group begins; its members follow, up to [`GroupEnd`](Self::GroupEnd).
    GroupStart(Cow<'a, [u8]>),
    /// A group ends.
    GroupEnd,
}

/// One mailbox. All pieces are as they were sent, with quotes, comments and folding undone; encoded words are left.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct Address<'a> {
    /// The display name, or the comment that old programs write in its place.
    pub name: Option<Cow<'a, [u8]>>,
    /// The source route of an obsolete address, with its `@` signs (RFC 5322 §4.4).
    pub route: Option<Cow<'a, [u8]>>,
    /// What stands before the `@`; words that are no address at all stand here too.
    pub mailbox: Cow<'a, [u8]>,
    /// What stands behind it; empty if there is none.
    pub host: Cow<'a, [u8]>,
}

/// Reads the value of an address field. What it gives is no more than the field has octets (attack row M11 is met where
/// fields are cut).
pub fn addresses(field: &[u8]) -> Addresses<'_> {
    Addresses { words: Words { rest: field }, in_group: false, group_ends: false, at_end: false }
}

/// An iterator over the items of an address list.
#[derive(Debug, Clone)]
pub struct Addresses<'a> {
    words: Words<'a>,
    in_group: bool,
    /// A semicolon has been taken, and a member came before it.
    group_ends: bool,
    at_end: bool,
}

impl<'a> Iterator for Addresses<'a> {
    type Item = AddressItem<'a>;

    fn next(&mut self) -> Option<AddressItem<'a>> {
        if !self.group_ends
            && let Some(address) = self.plain()
        {
            return Some(AddressItem::Mailbox(address));
        }
        self.any()
    }
}

impl<'a> Addresses<'a> {
    /// What nearly every address is: words and `<local@host>`, or `local@host`, and then a comma or the end. Nothing is
    /// copied, and nothing is taken of what is something else.
    fn plain(&mut self) -> Option<Address<'a>> {
        let rest = self.words.rest.trim_ascii_start();
        let mut end = 0;
        loop {
            let word = word_at(rest.get(end..)?);
            if word == 0 {
                break;
            }
            end += word;
            // One space between words, and a word behind it.
            match rest.get(end..) {
                Some([b' ', next, ..]) if is_word(*next) => end += 1,
                _ => break,
            }
        }
        let (words, behind) = rest.split_at_checked(end)?;
        let (name, local, behind) = match behind {
            [b'@', behind @ ..] if !words.is_empty() && !words.contains(&b' ') => (None, words, behind),
            [b' ', b'<', behind @ ..] | [b'<', behind @ ..] => {
                let (local, behind) = behind.split_at_checked(word_at(behind))?;
                let [b'@', behind @ ..] = behind else { return None };
                ((!words.is_empty()).then_some(words), local, behind)
            }
            _ => return None,
        };
        let in_angle = rest.get(end) != Some(&b'@');
        let (host, behind) = behind.split_at_checked(word_at(behind))?;
        let behind = if in_angle { behind.strip_prefix(b">")? } else { behind };
        if local.is_empty() || host.is_empty() {
            return None;
        }
        self.words.rest = match behind.trim_ascii_start() {
            [] => b"",
            [b',', behind @ ..] => behind,
            _ => return None,
        };
        Some(Address {
            name: name.map(Cow::Borrowed),
            route: None,
            mailbox: Cow::Borrowed(local),
            host: Cow::Borrowed(host),
        })
    }

    fn any(&mut self) -> Option<AddressItem<'a>> {
        if self.at_end {
            return None;
        }
        if std::mem::take(&mut self.group_ends) {
            self.in_group = false;
            return Some(AddressItem::GroupEnd);
        }
        let mut phrase = Phrase::default();
        let mut comment = None;
        let mut begin = self.words.rest;
        loop {
            match self.words.next() {
                Some(Word::Text(text)) => phrase.push(text),
                Some(Word::Quoted(text)) => phrase.push(text),
                Some(Word::Comment(text)) => comment = Some(text),
                Some(Word::Special(b'<')) => {
                    let address = self.angle(phrase.into_name().or(comment));
                    return Some(AddressItem::Mailbox(address));
                }
                Some(Word::Special(b'@')) => {
                    let (host, behind) = self.host();
                    // `a@b <a@b>`: many programs write an address for a name without its quotes.
                    if let Some(in_angle) = self.behind_name(begin) {
                        return Some(AddressItem::Mailbox(in_angle));
                    }
                    let name = behind.or(comment);
                    return Some(AddressItem::Mailbox(Address {
                        name,
                        route: None,
                        mailbox: phrase.into_local(),
                        host,
                    }));
                }
                Some(Word::Special(b':')) if !self.in_group => {
                    self.in_group = true;
                    return Some(AddressItem::GroupStart(phrase.into_name().unwrap_or_default()));
                }
                Some(Word::Special(b';')) if self.in_group => {
                    if let Some(lone) = phrase.into_lone(comment) {
                        self.group_ends = true;
                        return Some(AddressItem::Mailbox(lone));
                    }
                    self.in_group = false;
                    return Some(AddressItem::GroupEnd);
                }
                Some(Word::Special(b',' | b';')) => {
                    if let Some(lone) = phrase.into_lone(comment.take()) {
                        return Some(AddressItem::Mailbox(lone));
                    }
                    phrase = Phrase::default();
                    begin = self.words.rest;
                }
                // It has no meaning here.
                Some(Word::Special(_)) => {}
                None => {
                    self.at_end = true;
                    if let Some(lone) = phrase.into_lone(comment) {
                        self.at_end = false;
                        self.words.rest = b"";
                        return Some(AddressItem::Mailbox(lone));
                    }
                    // A group that was not ended ends with the field.
                    return std::mem::take(&mut self.in_group).then_some(AddressItem::GroupEnd);
                }
            }
        }
    }
}

impl<'a> Addresses<'a> {
    /// What stands between `<` and `>`.
    fn angle(&mut self, name: Option<Cow<'a, [u8]>>) -> Address<'a> {
        let mut route: Vec<u8> = Vec::new();
        let mut local = Phrase::default();
        let mut host: Option<Phrase<'a>> = None;
        loop {
            match self.words.next() {
                Some(Word::Text(text) | Word::Quoted(text)) => host.as_mut().unwrap_or(&mut local).push(text),
                Some(Word::Special(b'@')) => {
                    // A second one: the first belonged to the local part.
                    if let Some(before) = host.take() {
                        local.push(Cow::Borrowed(b"@"));
                        local.push(before.into_local());
                    }
                    host = Some(Phrase::default());
                }
                // A host of a route, and the end of it.
                Some(Word::Special(end @ (b',' | b':'))) => {
                    route.extend_from_slice(&std::mem::take(&mut local).into_local());
                    if let Some(host) = host.take() {
                        route.push(b'@');
                        route.extend_from_slice(&host.into_local());
                    }
                    if end == b',' {
                        route.push(b',');
                    }
                }
                Some(Word::Special(b'>')) | None => break,
                Some(Word::Comment(_) | Word::Special(_)) => {}
            }
        }
        Address {
            name,
            route: (!route.is_empty()).then_some(Cow::Owned(route)),
            mailbox: local.into_local(),
            host: host.map(Phrase::into_local).unwrap_or_default(),
        }
    }

    /// The address between `<` and `>` if that comes next: what stands from `begin` up to it is its name then.
    fn behind_name(&mut self, begin: &'a [u8]) -> Option<Address<'a>> {
        let name = begin.get(..begin.len().checked_sub(self.words.rest.len())?)?;
        let mut ahead = self.clone();
        // A comma has ended the address before.
        if name.ends_with(b",") || !matches!(ahead.words.next(), Some(Word::Special(b'<'))) {
            return None;
        }
        let address = ahead.angle(Some(without_line_ends(name.trim_ascii())));
        self.words = ahead.words;
        (!address.mailbox.is_empty()).then_some(address)
    }

    /// What stands behind `@` up to the next separator, and a comment that is a name.
    fn host(&mut self) -> (Cow<'a, [u8]>, Option<Cow<'a, [u8]>>) {
        let mut host = Phrase::default();
        let mut comment = None;
        loop {
            let before = self.words.rest;
            match self.words.next() {
                Some(Word::Text(text)) => host.push(text),
                Some(Word::Quoted(text)) => host.push(text),
                Some(Word::Comment(text)) => comment = Some(text),
                Some(Word::Special(b',')) | None => break,
                Some(Word::Special(b';' | b'<')) => {
                    // The group's to see, or the end of what was a name.
                    self.words.rest = before;
                    break;
                }
                Some(Word::Special(_)) => {}
            }
        }
        (host.into_local(), comment)
    }
}

/// Words on their way to be a name or a local part.
#[derive(Debug, Default)]
struct Phrase<'a> {
    words: Vec<Cow<'a, [u8]>>,
}

impl<'a> Phrase<'a> {
    fn push(&mut self, word: Cow<'a, [u8]>) {
        self.words.push(word);
    }

    fn joined(mut self, between: &[u8]) -> Cow<'a, [u8]> {
        match self.words.len() {
            0 => Cow::Borrowed(b""),
            1 => self.words.pop().unwrap_or_default(),
            _ => Cow::Owned(self.words.join(between)),
        }
    }

    /// With one space between the words.
    fn into_name(self) -> Option<Cow<'a, [u8]>> {
        (!self.words.is_empty()).then(|| self.joined(b" "))
    }

    /// Without any: the RFC allows white space around the dots.
    fn into_local(self) -> Cow<'a, [u8]> {
        self.joined(b"")
    }

    /// Words without an address.
    fn into_lone(self, comment: Option<Cow<'a, [u8]>>) -> Option<Address<'a>> {
        (!self.words.is_empty()).then(|| Address {
            name: comment,
            route: None,
            mailbox: self.joined(b" "),
            host: Cow::Borrowed(b""),
        })
    }
}

#[derive(Debug)]
enum Word<'a> {
    Text(Cow<'a, [u8]>),
    Quoted(Cow<'a, [u8]>),
    Comment(Cow<'a, [u8]>),
    Special(u8),
}

/// Cuts a field into words. White space and line ends are between them.
#[derive(Debug, Clone)]
struct Words<'a> {
    rest: &'a [u8],
}

impl<'a> Words<'a> {
    fn next(&mut self) -> Option<Word<'a>> {
        self.rest = self.rest.trim_ascii_start();
        let (first, behind) = self.rest.split_first()?;
        match first {
            b'"' => {
                let (text, rest) = until(behind, b'"', None);
                self.rest = rest;
                Some(Word::Quoted(text))
            }
            b'(' => {
                let (text, rest) = until(behind, b')', Some(b'('));
                self.rest = rest;
                Some(Word::Comment(text))
            }
            b'[' => {
                // A domain literal, told with its brackets.
                let end = memchr::memchr(b']', behind).map_or(self.rest.len(), |at| at.saturating_add(2));
                let (text, rest) = self.rest.split_at_checked(end).unwrap_or((self.rest, b""));
                self.rest = rest;
                Some(Word::Text(without_line_ends(text)))
            }
            b'<' | b'>' | b'@' | b',' | b':' | b';' => {
                self.rest = behind;
                Some(Word::Special(*first))
            }
            _ => {
                // Within a word a bracket is nothing special.
                let is_end = |octet: &u8| !is_word(*octet) && *octet != b'[';
                let end = self.rest.iter().position(is_end).unwrap_or(self.rest.len());
                let (text, rest) = self.rest.split_at_checked(end.max(1)).unwrap_or((self.rest, b""));
                self.rest = rest;
                Some(Word::Text(Cow::Borrowed(text)))
            }
        }
    }
}

/// Whether a word goes on with that octet. A bracket begins a domain literal.
const fn is_word(octet: u8) -> bool {
    #[allow(clippy::indexing_slicing)] // The table has a place for every octet.
    WORD[octet as usize]
}

static WORD: [bool; 256] = {
    let mut table = [true; 256];
    let ends = b" \t\n\x0c\r\"(<>@,:;[";
    let mut at = 0;
    while at < ends.len() {
        #[allow(clippy::indexing_slicing)] // Within both.
        {
            table[ends[at] as usize] = false;
        }
        at += 1;
    }
    table
};

/// How many octets at the front are one word.
fn word_at(octets: &[u8]) -> usize {
    octets.iter().position(|&octet| !is_word(octet)).unwrap_or(octets.len())
}

/// What stands up to the closing octet, with backslashes and line ends undone. Comments nest, and that is counted.
fn until(text: &[u8], close: u8, open: Option<u8>) -> (Cow<'_, [u8]>, &[u8]) {
    let mut depth = 0usize;
    let mut escaped = false;
    let mut is_plain = true;
    let end = text.iter().position(|&octet| {
        if std::mem::take(&mut escaped) {
            return false;
        }
        match octet {
            b'\\' => {
                escaped = true;
                is_plain = false;
            }
            b'\r' | b'\n' => is_plain = false,
            octet if octet == close => match depth.checked_sub(1) {
                Some(less) => depth = less,
                None => return true,
            },
            octet if Some(octet) == open => depth = depth.saturating_add(1),
            _ => {}
        }
        false
    });
    let (inside, rest) = match end {
        Some(end) => (text.get(..end).unwrap_or_default(), text.get(end.saturating_add(1)..).unwrap_or_default()),
        None => (text, &b""[..]),
    };
    if is_plain {
        return (Cow::Borrowed(inside), rest);
    }
    let mut plain = Vec::with_capacity(inside.len());
    let mut octets = inside.iter();
    while let Some(octet) = octets.next() {
        match octet {
            b'\\' => plain.extend(octets.next()),
            b'\r' | b'\n' => {}
            octet => plain.push(*octet),
        }
    }
    (Cow::Owned(plain), rest)
}

fn without_line_ends(text: &[u8]) -> Cow<'_, [u8]> {
    match memchr::memchr2(b'\r', b'\n', text) {
        None => Cow::Borrowed(text),
        Some(_) => Cow::Owned(text.iter().copied().filter(|octet| !matches!(octet, b'\r' | b'\n')).collect()),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn told(field: &[u8]) -> Vec<String> {
        let text = |octets: &[u8]| String::from_utf8_lossy(octets).into_owned();
        addresses(field)
            .map(|item| match item {
                AddressItem::Mailbox(Address { name, route, mailbox, host }) => {
                    let optional =
                        |octets: Option<Cow<'_, [u8]>>| octets.map_or("-".to_owned(), |octets| text(&octets));
                    format!("{}|{}|{}|{}", optional(name), optional(route), text(&mailbox), text(&host))
                }
                AddressItem::GroupStart(name) => format!("{}:", text(&name)),
                AddressItem::GroupEnd => ";".to_owned(),
            })
            .collect()
    }

    #[test]
    fn the_rfcs_own_addresses() {
        for (field, expected) in [
            // RFC 5322 A.1.
            ("John Doe <jdoe@machine.example>", &["John Doe|-|jdoe|machine.example"][..]),
            (
                "\"Joe Q. Public\" <john.q.public@example.com>, Who? <one@y.test>, <boss@nil.test>, \"Giant; \\\"Big\\\" Box\" <sysservices@example.net>",
                &[
                    "Joe Q. Public|-|john.q.public|example.com",
                    "Who?|-|one|y.test",
                    "-|-|boss|nil.test",
                    "Giant; \"Big\" Box|-|sysservices|example.net",
                ],
            ),
            (
                "A Group:Ed Jones <c@a.test>,joe@where.test,John <jdoe@one.test>;",
                &["A Group:", "Ed Jones|-|c|a.test", "-|-|joe|where.test", "John|-|jdoe|one.test", ";"],
            ),
            ("Undisclosed recipients:;", &["Undisclosed recipients:", ";"]),
            // A.5, A.6.1, A.6.3.
            ("Pete(A nice \\) chap) <pete(his account)@silly.test(his host)>", &["Pete|-|pete|silly.test"]),
            (
                "A Group(Some people)\r\n     :Chris Jones <c@(Chris's host.)public.example>,\r\n  joe@example.org,\r\n John <jdoe@one.test> (my dear friend); (the end of the group)",
                &["A Group:", "Chris Jones|-|c|public.example", "-|-|joe|example.org", "John|-|jdoe|one.test", ";"],
            ),
            (
                "Mary Smith <@node.test,@x.test:mary@example.net>, , jdoe@test  . example",
                &["Mary Smith|@node.test,@x.test|mary|example.net", "-|-|jdoe|test.example"],
            ),
            ("jdoe@one.test (John Doe)", &["John Doe|-|jdoe|one.test"]),
            ("jdoe@[192.0.2.1]", &["-|-|jdoe|[192.0.2.1]"]),
            ("\"very odd@\"@example.org", &["-|-|very odd@|example.org"]),
            ("=?utf-8?Q?J=C3=BCrgen?= <j@x.example>", &["=?utf-8?Q?J=C3=BCrgen?=|-|j|x.example"]),
        ] {
            assert_eq!(told(field.as_bytes()), expected, "{field}");
        }
    }

    #[test]
    fn what_is_broken_comes_out_as_words() {
        for (field, expected) in [
            ("root", &["-|-|root|"][..]),
            ("undisclosed recipients", &["-|-|undisclosed recipients|"]),
            ("a <b", &["a|-|b|"]),
            ("a <b@c", &["a|-|b|c"]),
            ("<>", &["-|-||"]),
            ("a@b@c", &["-|-|a|bc"]),
            // An address in the place of the name, without the quotes that it needs there.
            ("mary@c.test <mary@c.test>, x@y", &["mary@c.test|-|mary|c.test", "-|-|x|y"]),
            ("Mary @\r\n Home<mary@c.test>", &["Mary @ Home|-|mary|c.test"]),
            ("g: a@b <c@d>;", &["g:", "a@b|-|c|d", ";"]),
            ("a@b <", &["-|-|a|b"]),
            ("a@b,<c@d>", &["-|-|a|b", "-|-|c|d"]),
            ("<a@b@c>", &["-|-|a@b|c"]),
            ("group: a, b", &["group:", "-|-|a|", "-|-|b|", ";"]),
            ("group: root;", &["group:", "-|-|root|", ";"]),
            ("group: root; x@y", &["group:", "-|-|root|", ";", "-|-|x|y"]),
            ("a;b", &["-|-|a|", "-|-|b|"]),
            ("\"unended <a@b>", &["-|-|unended <a@b>|"]),
            ("(unended a@b", &[]),
            ("", &[]),
            (" , ,, ", &[]),
            (">", &[]),
        ] {
            assert_eq!(told(field.as_bytes()), expected, "{field}");
        }
    }

    #[test]
    #[cfg_attr(miri, ignore = "minutes, interpreted")]
    fn sec_m11_comments_nest_without_depth() {
        let deep = format!("{}x{} a@b", "(".repeat(1_000_000), ")".repeat(1_000_000));
        assert_eq!(told(deep.as_bytes()).len(), 1);
        assert!(told("(".repeat(1_000_000).as_bytes()).is_empty());
    }

    proptest! {
        #[test]
        #[cfg_attr(miri, ignore = "minutes, interpreted")]
        fn what_is_plain_is_read_as_it_is_read_otherwise(field in "([ab.]{1,2}|[ @<>,;:\"(\\[\\])\r\n]){0,16}") {
            let mut slowly = addresses(field.as_bytes());
            let slowly: Vec<_> = std::iter::from_fn(|| slowly.any()).collect();
            prop_assert_eq!(addresses(field.as_bytes()).collect::<Vec<_>>(), slowly);
        }

        #[test]
        fn addresses_are_read_as_they_are_read_otherwise(
            items in prop::collection::vec("(g:)?(a b )?<?a[.]b@c[.]d>?( <a@b>)?;?", 0..4),
        ) {
            let field = items.join(", ");
            let mut slowly = addresses(field.as_bytes());
            let slowly: Vec<_> = std::iter::from_fn(|| slowly.any()).collect();
            prop_assert_eq!(addresses(field.as_bytes()).collect::<Vec<_>>(), slowly);
        }

        #[test]
        fn every_field_comes_to_its_end_and_groups_are_balanced(
            field in prop::collection::vec(prop::sample::select(b"a\"\\()<>@,:;[] \r\n\xff".to_vec()), 0..40)) {
            let items: Vec<_> = addresses(&field).take(200).collect();
            prop_assert!(items.len() <= field.len() + 1);
            let mut depth = 0i32;
            for item in &items {
                match item {
                    AddressItem::GroupStart(_) => depth += 1,
                    AddressItem::GroupEnd => depth -= 1,
                    AddressItem::Mailbox(_) => {}
                }
                prop_assert!((0..=1).contains(&depth));
            }
            prop_assert_eq!(depth, 0);
        }
    }
}
