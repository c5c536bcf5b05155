//! A search as a program: what the client has written, with numbers turned into UIDs and text into Unicode.

use mail_message::charset;
use mail_message::text::Finder;
use mailstore_traits::{Flag, SearchKey as IndexKey, SystemFlag, Timestamp, Uid, UidSet};

use crate::command::{Search, SearchKey};
use crate::grammar::{MessageSet, Numbering};

/// Why a search cannot be made.
#[derive(Debug)]
pub(super) enum CompileError<E> {
    /// The charset is not known, or the text is none in it.
    BadCharset,
    /// A set of messages cannot be resolved.
    Messages(E),
}

/// Conditions, joined in postfix order: whatever their depth was, they are evaluated by going through them once.
pub(super) struct Program {
    pub(super) steps: Vec<Step>,
}

pub(super) enum Step {
    Test(Test),
    Not,
    /// All of so many that came before.
    And(usize),
    /// One of so many that came before.
    Or(usize),
}

/// One condition.
pub(super) enum Test {
    All,
    Flag(Flag, bool),
    /// `\Recent` to this session: those UIDs.
    Recent(Option<(Uid, Uid)>),
    Uids(UidSet),
    /// Days since 1970-01-01 of INTERNALDATE, in its own zone.
    Received(Day),
    /// The same of the Date field.
    Sent(Day),
    Larger(u64),
    Smaller(u64),
    ModSeq(u64),
    /// A header field and what is looked for in it.
    Header(Box<str>, Finder, String),
    Body(Finder, String),
    Text(Finder, String),
}

#[derive(Clone, Copy)]
pub(super) enum Day {
    Before(i64),
    On(i64),
    Since(i64),
}

impl Day {
    pub(super) fn holds(self, day: i64) -> bool {
        match self {
            Self::Before(limit) => day < limit,
            Self::On(limit) => day == limit,
            Self::Since(limit) => day >= limit,
        }
    }
}

impl Program {
    /// Turns keys into steps. No call is nested, whatever the keys are.
    pub(super) fn compile<E>(
        search: &Search,
        recent: Option<(Uid, Uid)>,
        mut resolve: impl FnMut(&MessageSet, Numbering) -> Result<UidSet, E>,
    ) -> Result<Self, CompileError<E>> {
        let charset = match &search.charset {
            Some(name) => Some(charset::charset(name.as_bytes()).ok_or(CompileError::BadCharset)?),
            None => None,
        };
        let text = |octets: &[u8]| match charset {
            Some(charset) => charset
                .decode_without_bom_handling_and_without_replacement(octets)
                .map(|text| text.into_owned())
                .ok_or(CompileError::BadCharset),
            // US-ASCII without a charset, or UTF-8 in IMAP4rev2; the one is the other's beginning.
            None => std::str::from_utf8(octets).map(str::to_owned).map_err(|_| CompileError::BadCharset),
        };
        enum Todo<'k> {
            Key(&'k SearchKey),
            Step(Step),
        }
        let mut steps = Vec::new();
        let mut left = vec![Todo::Step(Step::And(search.keys.len()))];
        left.extend(search.keys.iter().rev().map(Todo::Key));
        while let Some(todo) = left.pop() {
            let key = match todo {
                Todo::Step(step) => {
                    steps.push(step);
                    continue;
                }
                Todo::Key(key) => key,
            };
            let header = |name: &str, octets: &[u8]| {
                let text = text(octets)?;
                Ok(Test::Header(name.into(), Finder::new(&text), text))
            };
            let test = match key {
                SearchKey::Not(key) => {
                    left.push(Todo::Step(Step::Not));
                    left.push(Todo::Key(key));
                    continue;
                }
                SearchKey::Or(one, other) => {
                    left.push(Todo::Step(Step::Or(2)));
                    left.extend([Todo::Key(other), Todo::Key(one)]);
                    continue;
                }
                SearchKey::And(keys) => {
                    left.push(Todo::Step(Step::And(keys.len())));
                    left.extend(keys.iter().rev().map(Todo::Key));
                    continue;
                }
                SearchKey::New => {
                    // Recent and not seen (RFC 3501 §6.4.4).
                    steps.push(Step::Test(Test::Recent(recent)));
                    steps.push(Step::Test(Test::Flag(SystemFlag::Seen.into(), false)));
                    steps.push(Step::And(2));
                    continue;
                }
                SearchKey::Old => {
                    steps.push(Step::Test(Test::Recent(recent)));
                    steps.push(Step::Not);
                    continue;
                }
                SearchKey::Recent => Test::Recent(recent),
                SearchKey::All => Test::All,
                SearchKey::Has(flag) => Test::Flag((*flag).into(), true),
                SearchKey::HasNot(flag) => Test::Flag((*flag).into(), false),
                SearchKey::Keyword(keyword) => Test::Flag(keyword.clone().into(), true),
                SearchKey::Unkeyword(keyword) => Test::Flag(keyword.clone().into(), false),
                SearchKey::Bcc(octets) => header("Bcc", octets)?,
                SearchKey::Cc(octets) => header("Cc", octets)?,
                SearchKey::From(octets) => header("From", octets)?,
                SearchKey::To(octets) => header("To", octets)?,
                SearchKey::Subject(octets) => header("Subject", octets)?,
                SearchKey::Header(name, octets) => header(&text(name)?, octets)?,
                SearchKey::Body(octets) => {
                    let text = text(octets)?;
                    Test::Body(Finder::new(&text), text)
                }
                SearchKey::Text(octets) => {
                    let text = text(octets)?;
                    Test::Text(Finder::new(&text), text)
                }
                SearchKey::Before(date) => Test::Received(Day::Before(date.days_since_epoch())),
                SearchKey::On(date) => Test::Received(Day::On(date.days_since_epoch())),
                SearchKey::Since(date) => Test::Received(Day::Since(date.days_since_epoch())),
                SearchKey::SentBefore(date) => Test::Sent(Day::Before(date.days_since_epoch())),
                SearchKey::SentOn(date) => Test::Sent(Day::On(date.days_since_epoch())),
                SearchKey::SentSince(date) => Test::Sent(Day::Since(date.days_since_epoch())),
                SearchKey::Larger(octets) => Test::Larger(*octets),
                SearchKey::Smaller(octets) => Test::Smaller(*octets),
                SearchKey::ModSeq(modseq) => Test::ModSeq(*modseq),
                SearchKey::Numbers(set) => {
                    Test::Uids(resolve(set, Numbering::Sequence).map_err(CompileError::Messages)?)
                }
                SearchKey::Uids(set) => Test::Uids(resolve(set, Numbering::Uid).map_err(CompileError::Messages)?),
            };
            steps.push(Step::Test(test));
        }
        Ok(Self { steps })
    }

    /// Those that every message that is found must pass: what stands on the first level. A store that hears of them has
    /// less to read.
    pub(super) fn demands(&self) -> Vec<&Test> {
        let Some((Step::And(_), steps)) = self.steps.split_last() else { return Vec::new() };
        // From the end: each step is the end of one operand, which is as long as it is.
        let mut demands = Vec::new();
        let mut at = steps.len();
        while let Some(last) = at.checked_sub(1) {
            if let Some(Step::Test(test)) = steps.get(last) {
                demands.push(test);
            }
            let mut wanted = 1usize;
            while wanted > 0 && at > 0 {
                at = at.saturating_sub(1);
                wanted = wanted.saturating_sub(1).saturating_add(match steps.get(at) {
                    Some(Step::Not) => 1,
                    Some(Step::And(count) | Step::Or(count)) => *count,
                    _ => 0,
                });
            }
        }
        demands
    }

    /// The same search for a store's index.
    pub(super) fn for_index(&self) -> IndexKey {
        let mut stack: Vec<IndexKey> = Vec::new();
        for step in &self.steps {
            let key = match step {
                Step::Test(test) => test.for_index(),
                Step::Not => match stack.pop() {
                    Some(key) => IndexKey::Not(Box::new(key)),
                    None => IndexKey::All,
                },
                Step::And(count) => IndexKey::And(stack.split_off(stack.len().saturating_sub(*count))),
                Step::Or(count) => IndexKey::Or(stack.split_off(stack.len().saturating_sub(*count))),
            };
            stack.push(key);
        }
        stack.pop().unwrap_or(IndexKey::All)
    }
}

impl Test {
    fn for_index(&self) -> IndexKey {
        match self {
            Self::All => IndexKey::All,
            Self::Flag(flag, true) => IndexKey::Flag(flag.clone()),
            Self::Flag(flag, false) => IndexKey::Not(Box::new(IndexKey::Flag(flag.clone()))),
            Self::Recent(range) => {
                IndexKey::Uids(range.map_or_else(UidSet::new, |(first, last)| UidSet::from_range(first, last)))
            }
            Self::Uids(uids) => IndexKey::Uids(uids.clone()),
            Self::Received(Day::Before(day)) => IndexKey::Before(*day),
            Self::Received(Day::On(day)) => IndexKey::On(*day),
            Self::Received(Day::Since(day)) => IndexKey::Since(*day),
            Self::Sent(Day::Before(day)) => IndexKey::SentBefore(*day),
            Self::Sent(Day::On(day)) => IndexKey::SentOn(*day),
            Self::Sent(Day::Since(day)) => IndexKey::SentSince(*day),
            Self::Larger(octets) => IndexKey::Larger(*octets),
            Self::Smaller(octets) => IndexKey::Smaller(*octets),
            Self::ModSeq(modseq) => mailstore_traits::ModSeq::new(*modseq).map_or(IndexKey::All, IndexKey::ModSeq),
            Self::Header(name, _, text) => IndexKey::Header(name.to_string(), text.clone()),
            Self::Body(_, text) => IndexKey::Body(text.clone()),
            Self::Text(_, text) => IndexKey::Text(text.clone()),
        }
    }
}

/// The day of a moment, in the zone in which it was told.
pub(super) fn day_of(moment: Timestamp) -> i64 {
    let local = moment.unix_seconds().saturating_add(i64::from(moment.offset_minutes()).saturating_mul(60));
    local.div_euclid(86_400)
}
