//! Which names are told, and what of them.
//!
//! Names are put into the order of a tree, levels of hierarchy that are no mailboxes between them, and gone through once
//! from the leaves to the root, so that each knows what is below it. Nothing is copied: a level is a piece of a name
//! below it. The work is that of sorting, and of trying each name once.

use std::cmp::Ordering;

use mailstore_traits::{ListHint, MailboxInfo};

use super::{Attribute, ChildInfo, ListEntry, Pattern};
use crate::{
    command::{List, ListReturn, ListSelect, Lsub},
    grammar::Mailbox,
    limits::Limits,
};

/// So many words of compiled patterns are tried on each octet of each name; patterns of one LIST beyond that are not
/// taken, which a client is to bear (RFC 9051 §6.3.9). Enough for 512 patterns of 63 octets, which nobody sends (attack
/// rows M9, M19).
const WORDS_MOST: usize = 512;

/// The answer to a LIST or LSUB: names in the order of a tree, INBOX first, none twice.
#[derive(Debug)]
pub struct Listing {
    infos: Vec<MailboxInfo>,
    found: Vec<Node>,
    telling: Telling,
    /// `LIST "" ""`.
    root: bool,
}

impl Listing {
    /// Answers a LIST.
    ///
    /// `infos` are all names of the account that [`hint`] asks for, in any order. `rev2`: the client has enabled
    /// IMAP4rev2. RECURSIVEMATCH without another selection option, which is BAD (RFC 5258 §3.1), is not looked at.
    pub fn list(list: &List, infos: Vec<MailboxInfo>, rev2: bool, limits: &Limits) -> Self {
        let is_extended = list.is_extended();
        let select = list.select.unwrap_or_default();
        let asked = list.returns.clone().unwrap_or_default();
        let telling = Telling {
            is_lsub: false,
            // One or the other, never both (RFC 9051 §9, mbx-list-sflag).
            missing: if is_extended || rev2 { Attribute::NonExistent } else { Attribute::NoSelect },
            // RFC 3348 has them in every LIST, RFC 5258 where they are asked for.
            children: !is_extended || asked.children,
            subscribed: select.subscribed || asked.subscribed,
            child_info: (select.recursive_match && has_criteria(select))
                .then_some(ChildInfo { subscribed: select.subscribed, special_use: select.special_use }),
        };
        if !is_extended && list.patterns.iter().all(String::is_empty) {
            return Self::root(telling);
        }
        let patterns = compile(&list.reference, &list.patterns, limits);
        let rules = Rules {
            subscribed: select.subscribed,
            special_use: select.special_use,
            besides: if telling.child_info.is_some() {
                Besides::ChildInfo
            } else if has_criteria(select) {
                Besides::Nothing
            } else if is_extended {
                Besides::LevelsNeeded
            } else {
                Besides::Levels
            },
        };
        Self::new(infos, &patterns, rules, telling)
    }

    /// Answers an LSUB. `infos` are all names of the account that [`lsub_hint`] asks for, in any order.
    pub fn lsub(lsub: &Lsub, infos: Vec<MailboxInfo>, limits: &Limits) -> Self {
        let telling = Telling {
            is_lsub: true,
            missing: Attribute::NoSelect,
            children: false,
            subscribed: false,
            child_info: None,
        };
        if lsub.pattern.is_empty() {
            return Self::root(telling);
        }
        let patterns = compile(&lsub.reference, std::slice::from_ref(&lsub.pattern), limits);
        Self::new(infos, &patterns, Rules { subscribed: true, special_use: false, besides: Besides::Levels }, telling)
    }

    /// How many responses there are.
    pub fn len(&self) -> usize {
        if self.root { 1 } else { self.found.len() }
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The responses, made one at a time: a long listing need not be in memory as a whole (attack row M19).
    pub fn entries(&self) -> impl Iterator<Item = ListEntry> + '_ {
        let root = self.root.then(|| self.telling.name(Mailbox::new("")).with(Attribute::NoSelect));
        root.into_iter().chain(self.found.iter().filter_map(|node| self.entry(node)))
    }

    /// "The value returned as the root MAY be the empty string if the reference is non-rooted" (RFC 9051 §6.3.9), and no
    /// name here is rooted.
    fn root(telling: Telling) -> Self {
        Self { infos: Vec::new(), found: Vec::new(), telling, root: true }
    }

    fn new(mut infos: Vec<MailboxInfo>, patterns: &[Pattern], rules: Rules, telling: Telling) -> Self {
        infos.sort_by(|one, other| tree_order(one.name.as_str(), other.name.as_str()));
        infos.dedup_by(|again, first| {
            let is_again = again.name == first.name;
            if is_again {
                first.id = first.id.take().or(again.id.take());
                first.special_use = first.special_use.or(again.special_use);
                first.subscribed |= again.subscribed;
            }
            is_again
        });
        let mut found = tree(&infos, patterns, rules.besides);
        for at in (0..found.len()).rev() {
            let (above, below) = found.split_at_mut(at);
            let Some(node) = below.first_mut() else { continue };
            node.judge(&infos, patterns, rules);
            if let Some(parent) = node.parent.and_then(|parent| above.get_mut(parent)) {
                parent.exists_below |= node.exists | node.exists_below;
                parent.selected_below |= node.selected | node.selected_below;
                parent.selected_elsewhere |= (node.selected & !node.matches) | node.selected_elsewhere;
            }
        }
        found.retain(|node| node.is_told(rules));
        Self { infos, found, telling, root: false }
    }

    fn entry(&self, node: &Node) -> Option<ListEntry> {
        let info = self.infos.get(node.info)?;
        let telling = &self.telling;
        let mut entry = telling.name(Mailbox::new(info.name.as_str().get(..node.octets)?));
        if telling.is_lsub {
            // "A "%" wildcard to LSUB must return foo, not foo/bar, and it MUST be flagged with the \Noselect attribute"
            // (RFC 3501 §6.3.9). There it says nothing of the mailbox, so no other name has it.
            return Some(if node.selected { entry } else { entry.with(Attribute::NoSelect) });
        }
        if !node.exists {
            entry = entry.with(telling.missing);
        }
        // A level is told for what is below it: "\NonExistent \HasChildren" (RFC 9051 §6.3.9.6).
        let is_level = !node.selected && !node.exists && telling.child_info.is_none();
        if telling.children || is_level {
            let own = node.is_own.then_some(info.has_children).flatten();
            let has_children = node.exists_below || own == Some(true);
            entry = entry.with(if has_children { Attribute::HasChildren } else { Attribute::HasNoChildren });
        }
        if node.is_own {
            entry = entry.with_id(info.id.clone());
            if telling.subscribed && info.subscribed {
                entry = entry.with(Attribute::Subscribed);
            }
            if let Some(special_use) = info.special_use {
                entry = entry.with(Attribute::Use(special_use));
            }
        }
        match telling.child_info {
            Some(child_info) if node.selected_below => Some(entry.with_child_info(child_info)),
            _ => Some(entry),
        }
    }
}

/// What to ask the store of for a LIST: no less than [`Listing::list`] needs.
pub fn hint(list: &List) -> ListHint {
    let select = list.select.unwrap_or_default();
    let children = list.returns.as_ref().is_some_and(|ListReturn { children, .. }| *children);
    let mut hint = ListHint::default();
    hint.name_prefix = common_prefix(&list.reference, &list.patterns);
    // Names that are not subscribed are children too, and have a CHILDINFO too.
    hint.subscribed_only = select.subscribed && !select.recursive_match && !children;
    hint
}

/// What to ask the store of for an LSUB: no less than [`Listing::lsub`] needs.
pub fn lsub_hint(lsub: &Lsub) -> ListHint {
    let mut hint = ListHint::default();
    hint.name_prefix = common_prefix(&lsub.reference, std::slice::from_ref(&lsub.pattern));
    hint.subscribed_only = true;
    hint
}

/// What all that fits begins with, and all below it. `None` where that is nothing, or could be INBOX in another case.
fn common_prefix(reference: &str, patterns: &[String]) -> Option<String> {
    let literal = |pattern: &String| {
        let mut prefix = reference.to_owned();
        prefix.push_str(pattern.split(['*', '%']).next().unwrap_or_default());
        prefix
    };
    let common = patterns.iter().filter(|pattern| !pattern.is_empty()).map(literal).reduce(|one, other| {
        one.chars().zip(other.chars()).take_while(|(one, other)| one == other).map(|(char, _)| char).collect()
    })?;
    let could_be_inbox = common.bytes().zip(b"INBOX").all(|(octet, inbox)| octet.eq_ignore_ascii_case(inbox));
    (!could_be_inbox).then_some(common)
}

fn has_criteria(select: ListSelect) -> bool {
    select.subscribed || select.special_use
}

/// The patterns that can match. Empty ones, which are special in the basic syntax only, are ignored (RFC 9051 §6.3.9).
fn compile(reference: &str, patterns: &[String], limits: &Limits) -> Vec<Pattern> {
    let mut words = 0;
    let patterns = patterns.iter().filter(|pattern| !pattern.is_empty());
    let compiled = patterns.filter_map(|pattern| Pattern::new(reference, pattern, limits.pattern));
    compiled
        .take_while(|pattern| {
            words += pattern.words();
            words <= WORDS_MOST
        })
        .collect()
}

/// What is told besides the names that match and are selected.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Besides {
    /// Nothing: "the list MUST include exactly those mailbox names" (RFC 9051 §6.3.9.1).
    Nothing,
    /// Levels above selected names, by a pattern that ends in `%` (RFC 3501 §6.3.8, §6.3.9).
    Levels,
    /// The same, but only where something below is not told itself (RFC 5258 §5, example 11).
    LevelsNeeded,
    /// Names above selected ones that are not told themselves (RFC 5258 §3.3, rule 2B; §3.5: "servers SHOULD suppress
    /// redundant CHILDINFO responses").
    ChildInfo,
}

#[derive(Debug, Clone, Copy)]
struct Rules {
    /// Only subscribed names, whether they exist or not. Without it only those that exist.
    subscribed: bool,
    /// Only names with a special use.
    special_use: bool,
    besides: Besides,
}

/// What is said of a name.
#[derive(Debug)]
struct Telling {
    is_lsub: bool,
    /// How a name without a mailbox is marked.
    missing: Attribute,
    children: bool,
    subscribed: bool,
    /// The selection options, where RECURSIVEMATCH was among them.
    child_info: Option<ChildInfo>,
}

impl Telling {
    fn name(&self, name: Mailbox) -> ListEntry {
        if self.is_lsub { ListEntry::new(name).into_lsub() } else { ListEntry::new(name) }
    }
}

/// A name: the first octets of that of an info.
#[derive(Debug, Default)]
struct Node {
    info: usize,
    octets: usize,
    /// The nearest one above it that is in the tree.
    parent: Option<usize>,
    /// It is the info's whole name.
    is_own: bool,
    exists: bool,
    matches: bool,
    /// By a pattern that ends in `%`.
    matches_as_level: bool,
    selected: bool,
    exists_below: bool,
    selected_below: bool,
    /// Something selected is below that matches no pattern.
    selected_elsewhere: bool,
}

impl Node {
    fn judge(&mut self, infos: &[MailboxInfo], patterns: &[Pattern], rules: Rules) {
        let Some(info) = infos.get(self.info) else { return };
        let Some(name) = info.name.as_str().get(..self.octets) else { return };
        if self.is_own {
            self.exists = info.id.is_some();
            self.selected = if rules.subscribed { info.subscribed } else { self.exists };
            self.selected &= !rules.special_use || info.special_use.is_some();
        }
        let levels = matches!(rules.besides, Besides::Levels | Besides::LevelsNeeded);
        for pattern in patterns {
            if pattern.matches(name) {
                self.matches = true;
                self.matches_as_level |= pattern.ends_in_percent();
                if self.selected || !levels || self.matches_as_level {
                    break;
                }
            }
        }
    }

    fn is_told(&self, rules: Rules) -> bool {
        self.matches
            && (self.selected
                || match rules.besides {
                    Besides::Nothing => false,
                    Besides::Levels => self.matches_as_level && self.selected_below,
                    Besides::LevelsNeeded => self.matches_as_level && self.selected_elsewhere,
                    Besides::ChildInfo => self.selected_elsewhere,
                })
    }
}

/// All names with those above them first. Levels that are no names are among them where they could be told.
fn tree(infos: &[MailboxInfo], patterns: &[Pattern], besides: Besides) -> Vec<Node> {
    let levels = match besides {
        Besides::Nothing => false,
        Besides::Levels | Besides::LevelsNeeded => patterns.iter().any(Pattern::ends_in_percent),
        Besides::ChildInfo => true,
    };
    let mut nodes: Vec<Node> = Vec::with_capacity(infos.len());
    // From the root to the name before: each is above the next. At most `MailboxName::MAX_DEPTH`.
    let mut above: Vec<(&str, usize)> = Vec::new();
    for (info, name) in infos.iter().map(|info| info.name.as_str()).enumerate() {
        while above.last().is_some_and(|(last, _)| !is_below(name, last)) {
            above.pop();
        }
        let known = above.last().map_or(0, |(last, _)| last.len());
        let separators = name.match_indices('/').map(|(at, _)| at).filter(|at| levels && *at > known);
        for octets in separators.chain([name.len()]) {
            let parent = above.last().map(|(_, node)| *node);
            let Some(piece) = name.get(..octets) else { continue };
            above.push((piece, nodes.len()));
            nodes.push(Node { info, octets, parent, is_own: octets == name.len(), ..Node::default() });
        }
    }
    nodes
}

fn is_below(name: &str, above: &str) -> bool {
    name.strip_prefix(above).is_some_and(|rest| rest.starts_with('/'))
}

/// INBOX and what is below it first, and what is below a name right behind it: no octet of a name is before the
/// separator.
fn tree_order(one: &str, other: &str) -> Ordering {
    let is_elsewhere = |name: &str| name.split('/').next() != Some("INBOX");
    let octets = |octet: u8| if octet == b'/' { 0 } else { octet };
    (is_elsewhere(one).cmp(&is_elsewhere(other))).then_with(|| one.bytes().map(octets).cmp(other.bytes().map(octets)))
}
