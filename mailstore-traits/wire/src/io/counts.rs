//! How many connections each address has (attack row C3).

use std::collections::HashMap;
use std::net::{IpAddr, Ipv6Addr};
use std::sync::{Arc, Mutex, PoisonError};

/// What counts as one address: an IPv4 address, also where it is written as an IPv6 one, or an IPv6 network of /64, which
/// is what one customer is given and may choose any address in (RFC 6177 §2).
pub(super) fn network(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(address) => {
            let [a, b, c, d, ..] = address.segments();
            IpAddr::V6(Ipv6Addr::new(a, b, c, d, 0, 0, 0, 0))
        }
        address => address,
    }
}

/// Connections by address. It has an entry for each address that is connected and for no other, so it is never larger than
/// the number of connections.
#[derive(Debug, Clone, Default)]
pub(super) struct Counts(Arc<Mutex<HashMap<IpAddr, usize>>>);

/// A connection that is counted for as long as this lives.
#[derive(Debug)]
pub(super) struct Counted {
    counts: Counts,
    network: IpAddr,
}

impl Counts {
    /// Counts one more connection of that address, unless it has `most` already.
    pub(super) fn take(&self, address: IpAddr, most: usize) -> Option<Counted> {
        let network = network(address);
        let mut counts = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let count = counts.get(&network).copied().unwrap_or_default();
        if count >= most {
            return None;
        }
        counts.insert(network, count.saturating_add(1));
        Some(Counted { counts: self.clone(), network })
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        let mut counts = self.counts.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(count) = counts.get_mut(&self.network) {
            *count = count.saturating_sub(1);
            if *count == 0 {
                counts.remove(&self.network);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ip(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    #[test]
    fn sec_c3_a_network_of_64_bits_counts_as_one_and_a_mapped_address_as_what_it_is() {
        for (a, b, same) in [
            ("192.0.2.1", "192.0.2.1", true),
            ("192.0.2.1", "192.0.2.2", false),
            ("::ffff:192.0.2.1", "192.0.2.1", true),
            ("::ffff:192.0.2.1", "::ffff:192.0.2.2", false),
            ("2001:db8:1:2::1", "2001:db8:1:2:ffff:ffff:ffff:ffff", true),
            ("2001:db8:1:2::1", "2001:db8:1:3::1", false),
            ("::1", "127.0.0.1", false),
        ] {
            assert_eq!(network(ip(a)) == network(ip(b)), same, "{a} {b}");
        }
    }

    #[test]
    fn sec_c3_what_has_gone_is_not_counted_and_leaves_nothing_behind() {
        let counts = Counts::default();
        let held: Vec<_> = (0..3).map(|_| counts.take(ip("192.0.2.1"), 3).unwrap()).collect();
        assert!(counts.take(ip("192.0.2.1"), 3).is_none());
        assert!(counts.take(ip("::ffff:192.0.2.1"), 3).is_none());
        assert!(counts.take(ip("192.0.2.2"), 3).is_some());
        drop(held);
        assert!(counts.0.lock().unwrap().is_empty());
        for host in 0..10_000_u32 {
            drop(counts.take(IpAddr::V4(host.into()), 1).unwrap());
        }
        assert!(counts.0.lock().unwrap().is_empty());
    }
}
