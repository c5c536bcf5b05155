//! SEARCH (RFC 9051 §6.4.4, RFC 3501 §6.4.4).

use mailstore_traits::{Keyword, SystemFlag};

use nom::Parser;
use nom::combinator::opt;
use nom::sequence::{delimited, preceded, separated_pair, terminated};

use super::CommandErrorKind;
use super::encode::Writer;
use super::parse::Context;
use crate::grammar::read::{
    Parsed, Upper, astring, atom, date, expected, list, message_set, number64, quoted, space, word, wrong,
};
use crate::grammar::{Date, MessageSet, Numbering, OctetString, SequenceSet, month_name};

/// SEARCH and UID SEARCH.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Search {
    /// What the numbers of the answer are.
    pub numbering: Numbering,
    /// What RETURN asks for; `None` without it. `RETURN ()` is `RETURN (ALL)` (RFC 4731 §3.1).
    pub returns: Option<SearchReturn>,
    /// CHARSET, as it was written.
    pub charset: Option<Box<str>>,
    /// What is looked for: all of these hold; at least one.
    pub keys: Vec<SearchKey>,
}

impl Search {
    /// All of these keys hold.
    pub fn new(numbering: Numbering, keys: Vec<SearchKey>) -> Self {
        Self { numbering, returns: None, charset: None, keys }
    }
}

/// The options of RETURN (RFC 9051 §6.4.4).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct SearchReturn {
    /// MIN
    pub min: bool,
    /// MAX
    pub max: bool,
    /// ALL
    pub all: bool,
    /// COUNT
    pub count: bool,
    /// SAVE: the result is kept for `$`.
    pub save: bool,
}

/// A `search-key` (RFC 9051 §9, RFC 3501 §9). Text is as it came, in the charset that the command names.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum SearchKey {
    /// ALL
    All,
    /// ANSWERED, DELETED, DRAFT, FLAGGED, SEEN
    Has(SystemFlag),
    /// UNANSWERED, UNDELETED, UNDRAFT, UNFLAGGED, UNSEEN
    HasNot(SystemFlag),
    /// KEYWORD
    Keyword(Keyword),
    /// UNKEYWORD
    Unkeyword(Keyword),
    /// NEW: recent and not seen (RFC 3501 §6.4.4).
    New,
    /// OLD: not recent (RFC 3501 §6.4.4).
    Old,
    /// RECENT (RFC 3501 §6.4.4).
    Recent,
    /// BCC
    Bcc(OctetString),
    /// CC
    Cc(OctetString),
    /// FROM
    From(OctetString),
    /// TO
    To(OctetString),
    /// SUBJECT
    Subject(OctetString),
    /// BODY
    Body(OctetString),
    /// TEXT
    Text(OctetString),
    /// HEADER: the field's name and the text, any if it is empty.
    Header(OctetString, OctetString),
    /// BEFORE
    Before(Date),
    /// ON
    On(Date),
    /// SINCE
    Since(Date),
    /// SENTBEFORE
    SentBefore(Date),
    /// SENTON
    SentOn(Date),
    /// SENTSINCE
    SentSince(Date),
    /// LARGER
    Larger(u64),
    /// SMALLER
    Smaller(u64),
    /// MODSEQ (RFC 7162 §3.1.5). The entry that may stand before the number is read and means nothing: all flags of a
    /// message have one modification sequence.
    ModSeq(u64),
    /// NOT
    Not(Box<SearchKey>),
    /// OR
    Or(Box<SearchKey>, Box<SearchKey>),
    /// Several in parentheses: all of them hold.
    And(Vec<SearchKey>),
    /// Sequence numbers, or `$`.
    Numbers(MessageSet),
    /// UID
    Uids(MessageSet),
}

impl SearchKey {
    /// Those with these sequence numbers.
    pub fn numbers(set: SequenceSet) -> Self {
        Self::Numbers(MessageSet::Set(set))
    }
}

impl Search {
    pub(super) fn read<'a>(input: &'a [u8], numbering: Numbering, with: Context<'_>) -> Parsed<'a, Self> {
        let returns = |input| SearchReturn::read(input, with);
        let (input, returns) = match word("RETURN")(input) {
            Ok((rest, ())) => delimited(space, returns, space).map(Some).parse(rest)?,
            Err(_) => (input, None),
        };
        let charset = delimited((word("CHARSET"), space), |input| astring(input, with.dialect), space);
        let (input, charset) = opt(charset).parse(input)?;
        // A name that is no ASCII is the name of no charset, and is told as such.
        let charset = charset.map(|charset| String::from_utf8_lossy(&charset).into_owned().into());
        let (input, keys) = keys(input, with)?;
        Ok((input, Self { numbering, returns, charset, keys }))
    }

    pub(super) fn write(&self, to: &mut Writer) {
        to.text(if self.numbering == Numbering::Uid { "UID SEARCH" } else { "SEARCH" });
        if let Some(returns) = self.returns {
            to.text(" RETURN ");
            returns.write(to);
        }
        if let Some(charset) = &self.charset {
            to.text(" CHARSET ");
            to.astring(charset.as_bytes());
        }
        let mut left: Vec<Token<'_>> = Vec::new();
        left.extend(self.keys.iter().rev().flat_map(|key| [Token::Key(key), Token::Text(" ")]));
        // What is deep is written without depth.
        while let Some(token) = left.pop() {
            match token {
                Token::Text(text) => to.text(text),
                Token::Key(SearchKey::Not(key)) => {
                    to.text("NOT ");
                    left.push(Token::Key(key));
                }
                Token::Key(SearchKey::Or(one, other)) => {
                    to.text("OR ");
                    left.extend([Token::Key(other), Token::Text(" "), Token::Key(one)]);
                }
                Token::Key(SearchKey::And(keys)) => {
                    to.text("(");
                    left.push(Token::Text(")"));
                    for (at, key) in keys.iter().enumerate().rev() {
                        left.push(Token::Key(key));
                        if at > 0 {
                            left.push(Token::Text(" "));
                        }
                    }
                }
                Token::Key(key) => key.write(to),
            }
        }
    }
}

enum Token<'a> {
    Key(&'a SearchKey),
    Text(&'static str),
}

impl SearchReturn {
    fn read<'a>(input: &'a [u8], with: Context<'_>) -> Parsed<'a, Self> {
        let (input, words) = match input {
            [b'(', b')', rest @ ..] => (rest, Vec::new()),
            _ => list(with.limits.list_items, "a return option", atom)(input)?,
        };
        let mut returns = Self::default();
        for word in words {
            let slot = match word {
                word if word.eq_ignore_ascii_case(b"MIN") => &mut returns.min,
                word if word.eq_ignore_ascii_case(b"MAX") => &mut returns.max,
                word if word.eq_ignore_ascii_case(b"ALL") => &mut returns.all,
                word if word.eq_ignore_ascii_case(b"COUNT") => &mut returns.count,
                word if word.eq_ignore_ascii_case(b"SAVE") => &mut returns.save,
                _ => return wrong(CommandErrorKind::Expected("a return option")),
            };
            *slot = true;
        }
        if returns == Self::default() {
            returns.all = true;
        }
        Ok((input, returns))
    }

    fn write(self, to: &mut Writer) {
        let words =
            [(self.min, "MIN"), (self.max, "MAX"), (self.all, "ALL"), (self.count, "COUNT"), (self.save, "SAVE")];
        to.text("(");
        to.spaced(words.into_iter().filter(|(is_set, _)| *is_set), |to, (_, word)| to.text(word));
        to.text(")");
    }
}

/// What has begun and wants more keys.
enum Open {
    Not,
    Or(Option<SearchKey>),
    And(Vec<SearchKey>),
}

/// Keys with spaces between them. What is nested is kept in a stack of our own, whose depth is bounded, and so is the
/// number of keys (attack row M7).
fn keys<'a>(input: &'a [u8], with: Context<'_>) -> Parsed<'a, Vec<SearchKey>> {
    let mut input = input;
    let mut open: Vec<Open> = Vec::new();
    let mut done = Vec::new();
    let mut count = 0usize;
    loop {
        // One key, or the beginning of one that holds others.
        let begun = match input {
            [b'(', rest @ ..] => Some((rest, Open::And(Vec::new()))),
            [b'n' | b'N', b'o' | b'O', b't' | b'T', b' ', rest @ ..] => Some((rest, Open::Not)),
            [b'o' | b'O', b'r' | b'R', b' ', rest @ ..] => Some((rest, Open::Or(None))),
            _ => None,
        };
        count = count.saturating_add(1);
        if count > with.limits.search_keys {
            return wrong(CommandErrorKind::TooMany);
        }
        if let Some((rest, begun)) = begun {
            if open.len() >= with.limits.search_depth {
                return wrong(CommandErrorKind::TooDeep);
            }
            open.push(begun);
            input = rest;
            continue;
        }
        let (rest, mut key) = SearchKey::read(input, with)?;
        input = rest;
        // It may have been the last that others waited for.
        loop {
            match open.pop() {
                None => {
                    done.push(key);
                    break;
                }
                Some(Open::Not) => key = SearchKey::Not(Box::new(key)),
                Some(Open::Or(None)) => {
                    open.push(Open::Or(Some(key)));
                    break;
                }
                Some(Open::Or(Some(first))) => key = SearchKey::Or(Box::new(first), Box::new(key)),
                Some(Open::And(mut keys)) => {
                    keys.push(key);
                    match input {
                        [b')', rest @ ..] => {
                            input = rest;
                            key = SearchKey::And(keys);
                        }
                        _ => {
                            open.push(Open::And(keys));
                            break;
                        }
                    }
                }
            }
        }
        match input {
            [b' ', rest @ ..] => input = rest,
            _ if open.is_empty() => return Ok((input, done)),
            _ => return expected("more search keys, or a closing parenthesis"),
        }
    }
}

impl SearchKey {
    /// One that holds no others.
    fn read<'a>(input: &'a [u8], with: Context<'_>) -> Parsed<'a, Self> {
        let sets = |input| message_set(input, with.limits.sequence_set_items);
        if let [b'0'..=b'9' | b'*' | b'$', ..] = input {
            return sets(input).map(|(rest, set)| (rest, Self::Numbers(set)));
        }
        let Ok((rest, name)) = atom(input) else { return expected("a search key") };
        let text = |rest: &'a [u8], key: fn(OctetString) -> Self| {
            let (rest, text) = preceded(space, |input| astring(input, with.dialect)).parse(rest)?;
            Ok((rest, key(OctetString::from(&*text))))
        };
        let day = |rest, key: fn(Date) -> Self| preceded(space, date).map(key).parse(rest);
        let octets = |rest, key: fn(u64) -> Self| preceded(space, number64).map(key).parse(rest);
        let keyword = |rest: &'a [u8], key: fn(Keyword) -> Self| {
            let (rest, keyword) = preceded(space, atom).parse(rest)?;
            match std::str::from_utf8(keyword).ok().and_then(|keyword| Keyword::new(keyword).ok()) {
                Some(keyword) => Ok((rest, key(keyword))),
                None => expected("a keyword"),
            }
        };
        let plain = match Upper::<10>::of(name).as_octets() {
            b"ALL" => Self::All,
            b"ANSWERED" => Self::Has(SystemFlag::Answered),
            b"DELETED" => Self::Has(SystemFlag::Deleted),
            b"DRAFT" => Self::Has(SystemFlag::Draft),
            b"FLAGGED" => Self::Has(SystemFlag::Flagged),
            b"SEEN" => Self::Has(SystemFlag::Seen),
            b"UNANSWERED" => Self::HasNot(SystemFlag::Answered),
            b"UNDELETED" => Self::HasNot(SystemFlag::Deleted),
            b"UNDRAFT" => Self::HasNot(SystemFlag::Draft),
            b"UNFLAGGED" => Self::HasNot(SystemFlag::Flagged),
            b"UNSEEN" => Self::HasNot(SystemFlag::Seen),
            b"NEW" => Self::New,
            b"OLD" => Self::Old,
            b"RECENT" => Self::Recent,
            b"BCC" => return text(rest, Self::Bcc),
            b"CC" => return text(rest, Self::Cc),
            b"FROM" => return text(rest, Self::From),
            b"TO" => return text(rest, Self::To),
            b"SUBJECT" => return text(rest, Self::Subject),
            b"BODY" => return text(rest, Self::Body),
            b"TEXT" => return text(rest, Self::Text),
            b"HEADER" => {
                let string = |input| astring(input, with.dialect);
                let (rest, (name, text)) = preceded(space, separated_pair(string, space, string)).parse(rest)?;
                return Ok((rest, Self::Header(OctetString::from(&*name), OctetString::from(&*text))));
            }
            b"BEFORE" => return day(rest, Self::Before),
            b"ON" => return day(rest, Self::On),
            b"SINCE" => return day(rest, Self::Since),
            b"SENTBEFORE" => return day(rest, Self::SentBefore),
            b"SENTON" => return day(rest, Self::SentOn),
            b"SENTSINCE" => return day(rest, Self::SentSince),
            b"LARGER" => return octets(rest, Self::Larger),
            b"SMALLER" => return octets(rest, Self::Smaller),
            b"KEYWORD" => return keyword(rest, Self::Keyword),
            b"UNKEYWORD" => return keyword(rest, Self::Unkeyword),
            b"UID" => return preceded(space, sets).map(Self::Uids).parse(rest),
            b"MODSEQ" => {
                let entry = (|input| quoted(input, with.dialect), space, atom);
                let (rest, _) = (space, opt(terminated(entry, space))).parse(rest)?;
                return number64(rest).map(|(rest, modseq)| (rest, Self::ModSeq(modseq)));
            }
            _ => return expected("a search key"),
        };
        Ok((rest, plain))
    }

    /// One that holds no others.
    fn write(&self, to: &mut Writer) {
        let text = |name: &str, text: &[u8], to: &mut Writer| {
            to.text(name);
            to.text(" ");
            to.astring(text);
        };
        let day = |name: &str, date: Date, to: &mut Writer| {
            to.text(name);
            to.text(&format!(" {}-{}-{:04}", date.day(), month_name(date.month()), date.year()));
        };
        let octets = |name: &str, number: u64, to: &mut Writer| {
            to.text(name);
            to.text(" ");
            to.number(number);
        };
        match self {
            Self::All => to.text("ALL"),
            Self::Has(flag) => to.text(&flag.as_str().get(1..).unwrap_or_default().to_ascii_uppercase()),
            Self::HasNot(flag) => {
                to.text("UN");
                to.text(&flag.as_str().get(1..).unwrap_or_default().to_ascii_uppercase());
            }
            Self::Keyword(keyword) => {
                to.text("KEYWORD ");
                to.text(keyword.as_str());
            }
            Self::Unkeyword(keyword) => {
                to.text("UNKEYWORD ");
                to.text(keyword.as_str());
            }
            Self::New => to.text("NEW"),
            Self::Old => to.text("OLD"),
            Self::Recent => to.text("RECENT"),
            Self::Bcc(it) => text("BCC", it, to),
            Self::Cc(it) => text("CC", it, to),
            Self::From(it) => text("FROM", it, to),
            Self::To(it) => text("TO", it, to),
            Self::Subject(it) => text("SUBJECT", it, to),
            Self::Body(it) => text("BODY", it, to),
            Self::Text(it) => text("TEXT", it, to),
            Self::Header(name, it) => {
                text("HEADER", name, to);
                to.text(" ");
                to.astring(it);
            }
            Self::Before(date) => day("BEFORE", *date, to),
            Self::On(date) => day("ON", *date, to),
            Self::Since(date) => day("SINCE", *date, to),
            Self::SentBefore(date) => day("SENTBEFORE", *date, to),
            Self::SentOn(date) => day("SENTON", *date, to),
            Self::SentSince(date) => day("SENTSINCE", *date, to),
            Self::Larger(number) => octets("LARGER", *number, to),
            Self::Smaller(number) => octets("SMALLER", *number, to),
            Self::ModSeq(modseq) => octets("MODSEQ", *modseq, to),
            Self::Numbers(set) => to.messages(set),
            Self::Uids(set) => {
                to.text("UID ");
                to.messages(set);
            }
            // Written by whoever holds the stack.
            Self::Not(_) | Self::Or(..) | Self::And(_) => {}
        }
    }
}
