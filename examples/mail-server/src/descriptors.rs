//! File descriptors: each connection takes one, and a shell or a service manager gives a program 1,024 unless it asks for
//! more. Without any left, nobody is served and no file of the store is opened (attack row C3).

/// What the program needs beside connections: the store, its readers, listeners, messages that are read.
const BESIDE: u64 = 128;

/// Asks for enough for so many connections, as far as this user may have them, and says so if they are not.
pub(crate) fn provide(connections: usize) {
    let wanted = BESIDE.saturating_add(u64::try_from(connections).unwrap_or(u64::MAX));
    if let Some(allowed) = raise(wanted)
        && allowed < wanted
    {
        tracing::warn!(
            "{allowed} open files are allowed, and {connections} connections need {wanted}: raise the limit (`ulimit -Hn`, \
             LimitNOFILE=) or lower --max-connections"
        );
    }
}

/// How many are allowed, after asking for `wanted`; `None` if there is no limit that can be known.
#[cfg(unix)]
fn raise(wanted: u64) -> Option<u64> {
    use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
    let Rlimit { current, maximum } = getrlimit(Resource::Nofile);
    let now = current?;
    if now >= wanted {
        return Some(now);
    }
    let most = maximum.map_or(wanted, |most| most.min(wanted));
    match setrlimit(Resource::Nofile, Rlimit { current: Some(most), maximum }) {
        Ok(()) => Some(most),
        Err(_) => Some(now),
    }
}

#[cfg(not(unix))]
fn raise(_wanted: u64) -> Option<u64> {
    None
}
