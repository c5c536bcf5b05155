//! From octets to responses: what a client reads.
//!
//! A response is framed first, by [`ResponseReader`](super::ResponseReader), and read in one piece, as commands are. Nothing here calls itself.

use mailstore_traits::{ModSeq, Uid, UidSet, UidValidity};
use nom::Parser;
use nom::combinator::{map_opt, opt};
use nom::sequence::{delimited, preceded, separated_pair, terminated};

use super::code::RefusalCode;
use super::data::{Data, Esearch, Listed, Response, Value};
use super::parse_fetch::fetch_item;
use super::{Code, ResponseLimits, Status, StatusKind, Text};
use crate::command::{CommandErrorKind, IdField, StatusItem};
use crate::grammar::read::{
    Fault, Parsed, Upper, astring, atom, boxed, close, expected, flag, mailbox, named, nstring, number64, nz_number,
    octet_string, open, quoted, sequence_set, some, space, string, word, wrong,
};
use crate::grammar::{Dialect, SeqBound, SequenceSet, Tag, class};
use crate::stack::Stack;

/// Why octets are no response.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("{kind}")]
#[non_exhaustive]
pub struct ResponseError {
    /// What is wrong.
    pub kind: CommandErrorKind,
}

#[derive(Clone, Copy)]
pub(super) struct Context<'l> {
    pub(super) dialect: Dialect,
    pub(super) limits: &'l ResponseLimits,
}

impl Response {
    /// Reads a whole response: its line, its literals where they stand, without the last CRLF.
    ///
    /// # Errors
    /// [`ResponseError`] says what was expected.
    pub fn parse(frame: &[u8], dialect: Dialect, limits: &ResponseLimits) -> Result<Self, ResponseError> {
        let with = Context { dialect, limits };
        match response(frame, with) {
            Ok((b"", response)) => Ok(response),
            Ok(_) => Err(ResponseError { kind: CommandErrorKind::Trailing }),
            Err(nom::Err::Error(Fault(kind)) | nom::Err::Failure(Fault(kind))) => Err(ResponseError { kind }),
            Err(nom::Err::Incomplete(_)) => Err(ResponseError { kind: CommandErrorKind::Expected("more") }),
        }
    }
}

fn response<'a>(input: &'a [u8], with: Context<'_>) -> Parsed<'a, Response> {
    match input {
        // Some servers leave the space out.
        [b'+'] => return Ok((b"", Response::Continue(Box::default()))),
        // One line of text, and no line has these in it.
        [b'+', b' ', rest @ ..] if memchr::memchr3(b'\r', b'\n', 0, rest).is_some() => {
            return wrong(CommandErrorKind::Expected("one line of text"));
        }
        [b'+', b' ', rest @ ..] => return Ok((b"", Response::Continue(rest.into()))),
        _ => {}
    }
    if let [b'*', b' ', rest @ ..] = input {
        if let [b'0'..=b'9', ..] = rest {
            return numbered(rest, with).map(|(rest, data)| (rest, Response::Data(data)));
        }
        match status(rest, with) {
            Ok((rest, status)) => return Ok((rest, Response::Status(None, status))),
            Err(failure @ nom::Err::Failure(_)) => return Err(failure),
            Err(_) => {}
        }
        return data(rest, with).map(|(rest, data)| (rest, Response::Data(data)));
    }
    let end = memchr::memchr(b' ', input).unwrap_or(input.len());
    let (tag, rest) = input.split_at(end);
    let Some(tag) = std::str::from_utf8(tag).ok().and_then(Tag::new) else { return wrong(CommandErrorKind::NoTag) };
    let (rest, ()) = space(rest)?;
    let (rest, status) = status(rest, with)?;
    Ok((rest, Response::Status(Some(tag), status)))
}

fn status<'a>(input: &'a [u8], with: Context<'_>) -> Parsed<'a, Status> {
    let kinds = [StatusKind::Ok, StatusKind::No, StatusKind::Bad, StatusKind::PreAuth, StatusKind::Bye];
    let found = kinds.into_iter().find_map(|kind| {
        let (rest, ()) = word(kind.as_str())(input).ok()?;
        matches!(rest, [] | [b' ', ..]).then_some((kind, rest))
    });
    let Some((kind, rest)) = found else { return expected("OK, NO, BAD, PREAUTH or BYE") };
    let rest = rest.strip_prefix(b" ").unwrap_or(rest);
    let (rest, code) = match rest {
        [b'[', ..] => {
            let end = memchr::memchr(b']', rest).unwrap_or(rest.len());
            let inside = rest.get(1..end).unwrap_or_default();
            // A literal's octets: no code has any, and nobody is to write them again (attack row I1).
            if memchr::memchr3(0, b'\r', b'\n', inside).is_some() {
                return wrong(CommandErrorKind::Expected("a response code"));
            }
            let behind = rest.get(end.saturating_add(1)..).unwrap_or_default();
            (behind.strip_prefix(b" ").unwrap_or(behind), Some(code(inside, with)))
        }
        _ => (rest, None),
    };
    let text = Text::lossy(&String::from_utf8_lossy(rest));
    Ok((b"", Status { kind, code, text }))
}

/// What stands in brackets. What is not known, or not well formed, is told as it stands there.
fn code(inside: &[u8], with: Context<'_>) -> Code {
    let end = memchr::memchr(b' ', inside).unwrap_or(inside.len());
    let (name, rest) = inside.split_at(end);
    let rest = rest.strip_prefix(b" ").unwrap_or(rest);
    let upper = Upper::<20>::of(name);
    let text = |octets: &[u8]| Box::from(String::from_utf8_lossy(octets).as_ref());
    let words =
        |octets: &[u8]| octets.split(|&octet| octet == b' ').filter(|word| !word.is_empty()).map(text).collect();
    let number = || number64(rest).ok().and_then(|(rest, number)| rest.is_empty().then_some(number));
    let number32 = || number().and_then(|number| u32::try_from(number).ok());
    let known = match upper.as_octets() {
        b"ALERT" => Some(Code::Alert),
        b"BADCHARSET" => {
            let inside = rest.strip_prefix(b"(").and_then(|rest| rest.strip_suffix(b")")).unwrap_or(rest);
            Some(Code::BadCharset(words(inside)))
        }
        b"CAPABILITY" => Some(Code::Capability(words(rest))),
        b"CLOSED" => Some(Code::Closed),
        b"PARSE" => Some(Code::Parse),
        b"PERMANENTFLAGS" => rest.strip_prefix(b"(").and_then(|rest| rest.strip_suffix(b")")).map(|inside| {
            let flags: Vec<&[u8]> = inside.split(|&octet| octet == b' ').collect();
            let known = flags.iter().filter_map(|text| match flag(text) {
                Ok((b"", flag)) => flag,
                _ => None,
            });
            Code::PermanentFlags(known.collect(), flags.contains(&&b"\\*"[..]))
        }),
        b"READ-ONLY" => Some(Code::ReadOnly),
        b"READ-WRITE" => Some(Code::ReadWrite),
        b"TRYCREATE" => Some(Code::TryCreate),
        b"UIDNOTSTICKY" => Some(Code::UidNotSticky),
        b"NOMODSEQ" => Some(Code::NoModSeq),
        b"NOTSAVED" => Some(Code::NotSaved),
        b"UNKNOWN-CTE" => Some(Code::UnknownCte),
        b"UIDNEXT" => number32().and_then(Uid::new).map(Code::UidNext),
        b"UIDVALIDITY" => number32().and_then(UidValidity::new).map(Code::UidValidity),
        b"UNSEEN" => number32().map(Code::Unseen),
        b"HIGHESTMODSEQ" => number().and_then(ModSeq::new).map(Code::HighestModSeq),
        b"APPENDUID" => {
            uid_validity_and_sets::<1>(rest, with).map(|(validity, [uids])| Code::AppendUid(validity, uids))
        }
        b"COPYUID" => {
            uid_validity_and_sets::<2>(rest, with).map(|(validity, [from, to])| Code::CopyUid(validity, from, to))
        }
        b"MODIFIED" => match sequence_set(rest, with.limits.items) {
            Ok((b"", set)) if !has_star(&set) => Some(Code::Modified(set.resolved(0).collect())),
            _ => None,
        },
        upper => RefusalCode::ALL.into_iter().find(|code| code.as_str().as_bytes() == upper).map(Code::Refusal),
    };
    known.unwrap_or_else(|| Code::Other(text(name), (!rest.is_empty()).then(|| text(rest))))
}

fn uid_validity_and_sets<const N: usize>(input: &[u8], with: Context<'_>) -> Option<(UidValidity, [UidSet; N])> {
    let mut words = input.split(|&octet| octet == b' ');
    let (rest, validity) = nz_number(words.next()?).ok()?;
    let validity = UidValidity::new(validity.get()).filter(|_| rest.is_empty())?;
    let mut sets = Vec::with_capacity(N);
    for word in words {
        match sequence_set(word, with.limits.items) {
            Ok((b"", set)) if !has_star(&set) => sets.push(uid_set(set.resolved(0))),
            _ => return None,
        }
    }
    Some((validity, sets.try_into().ok()?))
}

/// `*` has no place in what a server tells (RFC 9051 §9, uid-set).
fn has_star(set: &SequenceSet) -> bool {
    set.ranges().iter().any(|&(first, last)| first == SeqBound::Star || last == SeqBound::Star)
}

fn uid_set(ranges: impl Iterator<Item = (u32, u32)>) -> UidSet {
    let mut uids = UidSet::new();
    for (first, last) in ranges {
        if let (Some(first), Some(last)) = (Uid::new(first), Uid::new(last)) {
            uids.insert_range(first, last);
        }
    }
    uids
}

fn data<'a>(input: &'a [u8], with: Context<'_>) -> Parsed<'a, Data> {
    let (rest, name) = atom(input)?;
    if !matches!(rest, [] | [b' ', ..]) {
        return expected("a space");
    }
    let words = |rest: &'a [u8]| -> Vec<Box<str>> {
        let words = rest.split(|&octet| octet == b' ').filter(|word| !word.is_empty());
        words.map(|word| Box::from(String::from_utf8_lossy(word).as_ref())).collect()
    };
    let behind = rest.strip_prefix(b" ").unwrap_or(rest);
    match Upper::<10>::of(name).as_octets() {
        b"CAPABILITY" => Ok((b"", Data::Capability(words(behind)))),
        b"ENABLED" => Ok((b"", Data::Enabled(words(behind)))),
        b"FLAGS" => {
            let (rest, flags) = words_in_parentheses(behind, with)?;
            Ok((rest, Data::Flags(flags)))
        }
        b"VANISHED" => {
            let (rest, earlier) = opt(word("(EARLIER) ")).parse(behind)?;
            let (rest, set) = sequence_set(rest, with.limits.items)?;
            if has_star(&set) {
                return expected("UIDs");
            }
            Ok((rest, Data::Vanished(earlier.is_some(), uid_set(set.resolved(0)))))
        }
        b"LIST" => listed(behind, with).map(|(rest, listed)| (rest, Data::List(listed))),
        b"LSUB" => listed(behind, with).map(|(rest, listed)| (rest, Data::Lsub(listed))),
        b"STATUS" => {
            let name = |input| mailbox(input, with.dialect);
            let (rest, mailbox) = terminated(name, space).parse(behind)?;
            let (mut rest, ()) = open(rest)?;
            let mut items = Vec::new();
            while !matches!(rest, [b')', ..]) {
                let (behind, (word, value)) = separated_pair(atom, space, number64).parse(rest)?;
                if items.len() >= with.limits.items {
                    return wrong(CommandErrorKind::TooMany);
                }
                // Those of extensions that are not known are passed over.
                items.extend(
                    StatusItem::ALL
                        .into_iter()
                        .find(|item| item.as_str().as_bytes().eq_ignore_ascii_case(word))
                        .map(|item| (item, value)),
                );
                rest = behind.strip_prefix(b" ").unwrap_or(behind);
            }
            let (rest, ()) = close(rest)?;
            Ok((rest, Data::Status(mailbox, items)))
        }
        b"SEARCH" => search(behind, with),
        b"ESEARCH" => esearch(rest, with),
        b"NAMESPACE" => {
            let (rest, personal) = namespaces(behind, with)?;
            let (rest, other) = preceded(space, |input| namespaces(input, with)).parse(rest)?;
            let (rest, shared) = preceded(space, |input| namespaces(input, with)).parse(rest)?;
            Ok((rest, Data::Namespace([personal, other, shared])))
        }
        b"ID" => id(behind, with),
        _ => Ok((b"", Data::Other(boxed(name), behind.into()))),
    }
}

fn words_in_parentheses<'a>(input: &'a [u8], with: Context<'_>) -> Parsed<'a, Vec<Box<str>>> {
    let mut words = Vec::new();
    let (input, ()) = each_word(input, with, |word| words.push(boxed(word)))?;
    Ok((input, words))
}

/// Words in parentheses, flags with their backslash among them.
pub(super) fn each_word<'a>(input: &'a [u8], with: Context<'_>, mut take: impl FnMut(&'a [u8])) -> Parsed<'a, ()> {
    let (mut input, ()) = open(input)?;
    let mut count = 0usize;
    while !matches!(input, [b')', ..]) {
        if count >= with.limits.items {
            return wrong(CommandErrorKind::TooMany);
        }
        count = count.saturating_add(1);
        let (word, rest) = class::WORD.split(input);
        if word.is_empty() {
            return expected("a flag");
        }
        take(word);
        input = rest.strip_prefix(b" ").unwrap_or(rest);
    }
    close(input)
}

fn delimiter<'a>(input: &'a [u8]) -> Parsed<'a, Option<char>> {
    if let Ok((rest, ())) = word("NIL")(input) {
        return Ok((rest, None));
    }
    let (rest, text) = quoted(input, Dialect::UTF8)?;
    let mut chars = std::str::from_utf8(&text).unwrap_or_default().chars();
    match (chars.next(), chars.next()) {
        (Some(char), None) => Ok((rest, Some(char))),
        _ => expected("one character between quotes"),
    }
}

fn listed<'a>(input: &'a [u8], with: Context<'_>) -> Parsed<'a, Listed> {
    let (input, attributes) = terminated(|input| words_in_parentheses(input, with), space).parse(input)?;
    let (input, delimiter) = terminated(delimiter, space).parse(input)?;
    let (input, name) = mailbox(input, with.dialect)?;
    let mut listed = Listed::new(name, attributes);
    listed.delimiter = delimiter;
    let [b' ', rest @ ..] = input else { return Ok((input, listed)) };
    let (mut input, ()) = open(rest)?;
    let mut count = 0usize;
    while !matches!(input, [b')', ..]) {
        count = count.saturating_add(1);
        if count > with.limits.items {
            return wrong(CommandErrorKind::TooMany);
        }
        let (rest, item) = terminated(|input| astring(input, with.dialect), space).parse(input)?;
        if item.eq_ignore_ascii_case(b"CHILDINFO") {
            let (mut rest, ()) = open(rest)?;
            while !matches!(rest, [b')', ..]) {
                let (behind, option) = astring(rest, with.dialect)?;
                if listed.child_info.len() >= with.limits.items {
                    return wrong(CommandErrorKind::TooMany);
                }
                listed.child_info.push(String::from_utf8_lossy(&option).into_owned().into());
                rest = behind.strip_prefix(b" ").unwrap_or(behind);
            }
            input = close(rest)?.0;
        } else if item.eq_ignore_ascii_case(b"OLDNAME") {
            let name = |input| mailbox(input, with.dialect);
            let (rest, old_name) = delimited(open, name, close).parse(rest)?;
            listed.old_name = Some(old_name);
            input = rest;
        } else {
            input = value(rest, with)?.0;
        }
        input = input.strip_prefix(b" ").unwrap_or(input);
    }
    let (input, ()) = close(input)?;
    Ok((input, listed))
}

fn search<'a>(input: &'a [u8], with: Context<'_>) -> Parsed<'a, Data> {
    let (mut input, mut numbers, mut modseq) = (input, Vec::new(), None);
    while let Some(first) = input.first() {
        if *first == b'(' {
            let (rest, found) = delimited((open, word("MODSEQ"), space), number64, close).parse(input)?;
            modseq = Some(found);
            input = rest;
            break;
        }
        if numbers.len() >= with.limits.items {
            return wrong(CommandErrorKind::TooMany);
        }
        let (rest, number) = nz_number(input)?;
        numbers.push(number.get());
        input = rest.strip_prefix(b" ").unwrap_or(rest);
    }
    Ok((input, Data::Search(numbers, modseq)))
}

fn number32(input: &[u8]) -> Parsed<'_, u32> {
    named("a number of 32 bits", map_opt(number64, |number| u32::try_from(number).ok())).parse(input)
}

fn esearch<'a>(input: &'a [u8], with: Context<'_>) -> Parsed<'a, Data> {
    let mut esearch = Esearch::default();
    let tag = delimited((space, open, word("TAG"), space), |input| astring(input, with.dialect), close);
    let (mut input, tag) = opt(tag).parse(input)?;
    esearch.tag = tag.map(|tag| String::from_utf8_lossy(&tag).into_owned().into());
    if let Ok((rest, ())) = word(" UID")(input) {
        esearch.uid = true;
        input = rest;
    }
    while let [b' ', rest @ ..] = input {
        let (rest, name) = terminated(atom, space).parse(rest)?;
        input = match Upper::<6>::of(name).as_octets() {
            b"MIN" => number32(rest).map(|(rest, number)| (rest, esearch.min = Some(number)))?.0,
            b"MAX" => number32(rest).map(|(rest, number)| (rest, esearch.max = Some(number)))?.0,
            b"COUNT" => number32(rest).map(|(rest, number)| (rest, esearch.count = Some(number)))?.0,
            b"MODSEQ" => number64(rest).map(|(rest, number)| (rest, esearch.modseq = Some(number)))?.0,
            b"ALL" => sequence_set(rest, with.limits.items).map(|(rest, set)| (rest, esearch.all = Some(set)))?.0,
            // Of an extension that is not known.
            _ => value(rest, with)?.0,
        };
    }
    Ok((input, Data::Esearch(esearch)))
}

type Namespaces = Vec<(crate::grammar::Mailbox, Option<char>)>;

fn namespaces<'a>(input: &'a [u8], with: Context<'_>) -> Parsed<'a, Namespaces> {
    if let Ok((rest, ())) = word("NIL")(input) {
        return Ok((rest, Vec::new()));
    }
    let (mut input, ()) = open(input)?;
    let mut all = Vec::new();
    while let [b'(', rest @ ..] = input {
        if all.len() >= with.limits.items {
            return wrong(CommandErrorKind::TooMany);
        }
        let name = |input| mailbox(input, with.dialect);
        let (mut rest, pair) = separated_pair(name, space, delimiter).parse(rest)?;
        // Extensions of a namespace are passed over.
        while let [b' ', behind @ ..] = rest {
            rest = value(behind, with)?.0;
        }
        all.push(pair);
        let (rest, ()) = close(rest)?;
        // The RFCs' own examples have a space between them, and their grammar has none.
        input = rest.strip_prefix(b" ").unwrap_or(rest);
    }
    let (input, ()) = close(input)?;
    Ok((input, all))
}

fn id<'a>(input: &'a [u8], with: Context<'_>) -> Parsed<'a, Data> {
    if let Ok((rest, ())) = word("NIL")(input) {
        return Ok((rest, Data::Id(None)));
    }
    let (mut input, ()) = open(input)?;
    let mut fields: Vec<IdField> = Vec::new();
    while !matches!(input, [b')', ..]) {
        if fields.len() >= with.limits.items {
            return wrong(CommandErrorKind::TooMany);
        }
        let (rest, name) = terminated(|input| string(input, with.dialect), space).parse(input)?;
        let (rest, text) = nstring(rest, with.dialect)?;
        fields.push((Box::from(&*name), text.map(|text| Box::from(&*text))));
        input = rest.strip_prefix(b" ").unwrap_or(rest);
    }
    let (input, ()) = close(input)?;
    Ok((input, Data::Id(Some(fields))))
}

fn numbered<'a>(input: &'a [u8], with: Context<'_>) -> Parsed<'a, Data> {
    let (rest, number) = terminated(number32, space).parse(input)?;
    let (rest, name) = atom(rest)?;
    match Upper::<7>::of(name).as_octets() {
        b"EXISTS" => Ok((rest, Data::Exists(number))),
        b"RECENT" => Ok((rest, Data::Recent(number))),
        b"EXPUNGE" => Ok((rest, Data::Expunge(number))),
        b"FETCH" => {
            let (mut input, ()) = (space, open).parse(rest).map(|(rest, _)| (rest, ()))?;
            let mut items = Vec::with_capacity(6);
            while !matches!(input, [b')', ..]) {
                if items.len() >= with.limits.items {
                    return wrong(CommandErrorKind::TooMany);
                }
                let (rest, item) = fetch_item(input, with)?;
                items.push(item);
                input = rest.strip_prefix(b" ").unwrap_or(rest);
            }
            let (input, ()) = close(input)?;
            Ok((input, Data::Fetch(number, items)))
        }
        _ => expected("EXISTS, RECENT, EXPUNGE or FETCH"),
    }
}

/// A value, whatever it is: lists in a stack of our own, with a ceiling.
pub(super) fn value<'a>(input: &'a [u8], with: Context<'_>) -> Parsed<'a, Value> {
    let mut input = input;
    // What the open lists hold so far, one list behind the other, and where each of them begins: a list's memory is made
    // when its length is known.
    let mut values: Vec<Value> = Vec::with_capacity(32);
    let mut begins: Stack<usize, 8> = Stack::new();
    let mut left = with.limits.items;
    loop {
        let Some(fewer) = left.checked_sub(1) else { return wrong(CommandErrorKind::TooMany) };
        left = fewer;
        match input {
            [b'(', rest @ ..] => {
                if begins.len() >= with.limits.depth {
                    return wrong(CommandErrorKind::TooDeep);
                }
                begins.push(values.len());
                input = rest;
                if !matches!(input, [b')', ..]) {
                    continue;
                }
            }
            [b'"' | b'{', ..] => {
                let (rest, text) = octet_string(input, with.dialect)?;
                input = rest;
                values.push(Value::Text(text));
            }
            [b'N' | b'n', b'I' | b'i', b'L' | b'l', rest @ ..]
                if !rest.first().is_some_and(|&octet| class::ASTRING.has(octet)) =>
            {
                input = rest;
                values.push(Value::Nil);
            }
            _ => {
                let (rest, word) = some(&class::ASTRING, "a value")(input)?;
                input = rest;
                values.push(match number64(word) {
                    Ok((b"", number)) => Value::Number(number),
                    _ => Value::Text(word.into()),
                });
            }
        }
        // Lists that end here.
        while let [b')', rest @ ..] = input
            && let Some(begin) = begins.pop()
        {
            input = rest;
            let list = values.split_off(begin.min(values.len()));
            values.push(Value::List(list));
        }
        input = match input {
            _ if begins.is_empty() => {
                return values.pop().map_or_else(|| expected("a value"), |value| Ok((input, value)));
            }
            [b' ', rest @ ..] => rest,
            // The children of a multipart have nothing between them.
            [b'(', ..] => input,
            _ => return expected("more values, or a closing parenthesis"),
        };
    }
}
