//! The timestamp of a greeting, which APOP's digest is made of (RFC 1939 §7).

use std::fmt;
use std::hash::{BuildHasher as _, RandomState};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// Where timestamps come from: each of them once.
#[derive(Clone)]
pub(super) struct Timestamps(Arc<dyn Fn() -> String + Send + Sync>);

impl Timestamps {
    /// A count, which never repeats, and two hashes of it under keys that only this process has, which nobody can foretell:
    /// a session owns no clock. Octets of the host's name that have no place between `<` and `>` have been replaced before.
    pub(super) fn of_this_process(host_name: &str) -> Self {
        let (keys, count, host) = ([RandomState::new(), RandomState::new()], AtomicU64::new(0), host_name.to_owned());
        Self::new(move || {
            let number = count.fetch_add(1, Ordering::Relaxed);
            let [first, second] = keys.each_ref().map(|key| key.hash_one(number));
            format!("<{number}.{first:016x}{second:016x}@{host}>")
        })
    }

    pub(super) fn new(timestamps: impl Fn() -> String + Send + Sync + 'static) -> Self {
        Self(Arc::new(timestamps))
    }

    pub(super) fn next(&self) -> String {
        (self.0)()
    }
}

impl fmt::Debug for Timestamps {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Timestamps")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    #[cfg_attr(miri, ignore = "minutes, interpreted")]
    fn no_timestamp_comes_twice_and_no_two_processes_have_the_same() {
        let (ours, theirs) = (Timestamps::of_this_process("dewey"), Timestamps::of_this_process("dewey"));
        let all: std::collections::HashSet<_> = (0..1000).flat_map(|_| [ours.next(), theirs.next()]).collect();
        assert_eq!(all.len(), 2000);
        assert!(all.iter().all(|it| it.starts_with('<') && it.ends_with("@dewey>") && it.is_ascii()));
    }
}
