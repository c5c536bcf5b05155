//! What a connection is known by, from the moment it is accepted.

use std::fmt;
use std::hash::{BuildHasher, RandomState};
use std::net::SocketAddr;
use std::sync::LazyLock;
use std::sync::atomic::{AtomicU64, Ordering};

use tracing::Span;

use super::Link;

/// Crockford's base 32: no letter that is taken for a digit on the telephone.
const DIGITS: &[u8; 32] = b"0123456789abcdefghjkmnpqrstvwxyz";

/// A connection's name in logs, and in what a server writes for whoever searches them. Thirteen small letters and digits.
///
/// Unique in a process, since they are counted; two processes begin to count at places of their own, drawn at random.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ConnectionId(u64);

impl ConnectionId {
    /// One that no other connection of this process has.
    #[allow(clippy::new_without_default, reason = "a default is the same each time")]
    pub fn new() -> Self {
        static BASE: LazyLock<u64> = LazyLock::new(|| RandomState::new().hash_one(std::process::id()));
        static COUNT: AtomicU64 = AtomicU64::new(0);
        Self(BASE.wrapping_add(COUNT.fetch_add(1, Ordering::Relaxed)))
    }

    /// The span that all belongs to that happens in the connection: `connection{protocol, id, peer}`.
    ///
    /// `protocol` is the server's word for what is spoken, the same as in [`DriverOptions`](super::DriverOptions). What
    /// runs in a task of its own wants [`in_current_span`](tracing::Instrument::in_current_span).
    pub fn span(self, protocol: &'static str, peer: SocketAddr) -> Span {
        tracing::info_span!("connection", protocol, id = %self, %peer)
    }
}

impl fmt::Display for ConnectionId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut text = [b'0'; 13];
        let mut rest = self.0;
        for place in text.iter_mut().rev() {
            let digit = usize::try_from(rest & 31).unwrap_or_default();
            *place = DIGITS.get(digit).copied().unwrap_or(b'0');
            rest >>= 5;
        }
        f.write_str(std::str::from_utf8(&text).unwrap_or_default())
    }
}

/// A connection that has been let in.
#[derive(Debug)]
#[non_exhaustive]
pub struct Accepted {
    /// The connection. What has been read behind a PROXY header comes out of it first.
    pub link: Link,
    /// Who is at its other end: behind a proxy, whom the proxy names.
    pub peer: SocketAddr,
    /// Its name.
    pub id: ConnectionId,
}

impl Accepted {
    /// A connection that the host has accepted itself, with a name of its own.
    pub fn new(link: Link, peer: SocketAddr) -> Self {
        Self { link, peer, id: ConnectionId::new() }
    }

    /// [`ConnectionId::span`].
    pub fn span(&self, protocol: &'static str) -> Span {
        self.id.span(protocol, self.peer)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn ids_are_short_plain_and_never_the_same() {
        let ids: Vec<String> = (0..1000).map(|_| ConnectionId::new().to_string()).collect();
        assert_eq!(ids.iter().collect::<HashSet<_>>().len(), ids.len());
        assert!(ids.iter().all(|id| id.len() == 13 && id.bytes().all(|octet| DIGITS.contains(&octet))), "{}", ids[0]);
        assert_eq!(ConnectionId(0).to_string(), "0000000000000");
        assert_eq!(ConnectionId(u64::MAX).to_string(), "fzzzzzzzzzzzz");
        assert_eq!(ConnectionId(33).to_string(), "0000000000011");
    }
}
