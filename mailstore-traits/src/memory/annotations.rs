//! The annotations of one mailbox or one account (RFC 5464).

use std::collections::BTreeMap;

use bytes::Bytes;

use crate::{AccountId, Annotation, ErrorKind, Result};

/// A longer value is refused with [`ErrorKind::TooBig`].
const MAX_VALUE_OCTETS: usize = 64 * 1024;
/// More are refused with [`ErrorKind::LimitExceeded`]. Counted for each user's private ones and for the shared ones by
/// themselves, or whoever may look at a mailbox could fill it up for its owner.
const MAX_ENTRIES: usize = 1_000;

/// The values, by whose they are (`None`: everybody's) and by the name of their entry.
#[derive(Clone, Default)]
pub(super) struct Annotations(BTreeMap<(Option<AccountId>, String), Bytes>);

impl Annotations {
    /// Those that `who` sees and that are, or lie below, one of these.
    pub(super) fn get(&self, who: &AccountId, asked: &[String]) -> Vec<Annotation> {
        let asked: Vec<String> = asked.iter().map(|entry| entry.trim_end_matches('/').to_ascii_lowercase()).collect();
        let is_asked = |entry: &str| {
            let below = |asked: &String| {
                entry.strip_prefix(asked.as_str()).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
            };
            asked.iter().any(below)
        };
        self.0
            .iter()
            .filter(|((whose, entry), _)| whose.as_ref().is_none_or(|whose| whose == who) && is_asked(entry))
            .map(|((_, entry), value)| Annotation::new(entry.clone(), Some(value.clone())))
            .collect()
    }

    /// Sets and removes them as `who`, all or none.
    pub(super) fn set(&mut self, who: &AccountId, annotations: Vec<Annotation>) -> Result<()> {
        let mut changed = self.clone();
        for annotation in annotations {
            let entry = Annotation::entry_name(&annotation.entry).ok_or(ErrorKind::Invalid)?;
            let whose = annotation.is_private().then(|| who.clone());
            match annotation.value {
                Some(value) if value.len() > MAX_VALUE_OCTETS => return Err(ErrorKind::TooBig.into()),
                // Copied: a slice of a read buffer would keep the whole buffer.
                Some(value) => changed.0.insert((whose, entry), Bytes::copy_from_slice(&value)),
                None => changed.0.remove(&(whose, entry)),
            };
        }
        for whose in [None, Some(who)] {
            if changed.0.keys().filter(|(owner, _)| owner.as_ref() == whose).count() > MAX_ENTRIES {
                return Err(ErrorKind::LimitExceeded.into());
            }
        }
        *self = changed;
        Ok(())
    }
}
