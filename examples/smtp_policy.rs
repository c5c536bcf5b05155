//! A host's policy: who may connect, how often, for whom, and that a stranger comes twice.
//!
//! Recipients are on a list, a client begins so many messages a minute, the first try of a stranger is put off
//! (greylisting: what spams does not come back, what relays mail does, RFC 5321 §4.5.4.1), and each message says how long
//! it was put off. SMTP takes mail, POP3 beside it gives it out; in clear, so do not run it where others reach it.
//!
//! ```sh
//! cargo run -p pillarbox-examples --example smtp_policy -- --greylist-seconds 5 --block 192.0.2.1
//! curl smtp://127.0.0.1:2525 --mail-from me@example.net --mail-rcpt ada@example.org -T README.md   # 450: come again
//! sleep 5
//! curl smtp://127.0.0.1:2525 --mail-from me@example.net --mail-rcpt ada@example.org -T README.md   # taken
//! curl smtp://127.0.0.1:2525 --mail-from me@example.net --mail-rcpt staff@example.org -T README.md # 550
//! curl pop3://127.0.0.1:1110/1 -u 'ada@example.org:correct horse' | grep X-Greylist
//! ```
//!
//! Other arguments: `--rate MESSAGES` that one client begins in a minute, `--smtp ADDRESS`, `--pop3 ADDRESS`, and the
//! recipients who may be written to from outside.
#![allow(clippy::print_stdout)]

use std::collections::{HashMap, HashSet};
use std::error::Error;
use std::hash::{BuildHasher, Hash, RandomState};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use mailstore_traits::memory::MemoryStore;
use smtp_proto::Reply;
use smtp_proto::command::{Mail, Rcpt};
use smtp_proto::grammar::EnhancedStatusCode as Status;
use smtp_proto::server::policy::{
    Client, Delivery, Disposition, HeaderField, NoPolicy, Policy, StagedMessage, Verdict,
};
use smtp_proto::server::{Envelope, Server};
use tokio::net::TcpListener;

/// The most clients whose rates are known at a time, and the most strangers of each kind that are remembered: some
/// 20 MiB in all, whoever comes from wherever (attack row C3).
const MAX_REMEMBERED: usize = 100_000;
/// A stranger who comes back later than this is a stranger again; RFC 5321 §4.5.4.1 has a client try for 4 or 5 days.
const COME_BACK_WITHIN: Duration = Duration::from_secs(5 * 24 * 3600);
/// Who has come back is known for so long: a list that sends once a month is put off once.
const KNOWN_FOR: Duration = Duration::from_secs(36 * 24 * 3600);
const MINUTE: Duration = Duration::from_secs(60);

const V4_CLIENT: Ipv4Addr = Ipv4Addr::BROADCAST;
/// A large provider tries again from a neighbour of the machine that tried first.
const V4_NEIGHBOURS: Ipv4Addr = Ipv4Addr::new(255, 255, 255, 0);
/// One client of IPv6 has all addresses of a /64 to itself.
const V6_CLIENT: Ipv6Addr = Ipv6Addr::new(0xffff, 0xffff, 0xffff, 0xffff, 0, 0, 0, 0);

fn network(address: IpAddr, v4_mask: Ipv4Addr) -> IpAddr {
    match address {
        IpAddr::V4(address) => (address & v4_mask).into(),
        IpAddr::V6(address) => (address & V6_CLIENT).into(),
    }
}

/// What has been seen lately. When the young half is full or has had its time it becomes the old one, and the old half is
/// forgotten: no sweep, and never more than two halves.
struct Recent<V> {
    young: HashMap<u64, V>,
    old: HashMap<u64, V>,
    since: Instant,
    lifetime: Duration,
    /// A key is remembered by its hash: 8 octets, however long an address is, and nobody can choose it.
    hasher: RandomState,
}

impl<V: Copy> Recent<V> {
    fn new(lifetime: Duration, now: Instant) -> Self {
        Self { young: HashMap::new(), old: HashMap::new(), since: now, lifetime, hasher: RandomState::new() }
    }

    fn get(&self, key: impl Hash) -> Option<V> {
        let key = self.hasher.hash_one(key);
        self.young.get(&key).or_else(|| self.old.get(&key)).copied()
    }

    fn insert(&mut self, key: impl Hash, value: V, now: Instant) {
        if self.young.len() >= MAX_REMEMBERED / 2 || now.duration_since(self.since) >= self.lifetime {
            self.old = std::mem::take(&mut self.young);
            self.since = now;
        }
        self.young.insert(self.hasher.hash_one(key), value);
    }
}

/// What all connections share.
struct State {
    /// For each client, how many messages it may begin, and when that was so: a token bucket.
    buckets: Recent<(f64, Instant)>,
    /// When somebody was put off: client, sender, recipient.
    strangers: Recent<Instant>,
    /// Who has come back, client and sender, and when that was.
    known: Recent<Instant>,
}

impl State {
    fn new(now: Instant) -> Self {
        Self {
            buckets: Recent::new(MINUTE, now),
            strangers: Recent::new(COME_BACK_WITHIN, now),
            known: Recent::new(KNOWN_FOR, now),
        }
    }

    /// Whether that client may begin one more message.
    fn take_token(&mut self, client: IpAddr, a_minute: u32, now: Instant) -> bool {
        let client = network(client, V4_CLIENT);
        let most = f64::from(a_minute);
        let (left, then) = self.buckets.get(client).unwrap_or((most, now));
        let left = (left + now.duration_since(then).div_duration_f64(MINUTE) * most).min(most);
        let may = left >= 1.0;
        self.buckets.insert(client, (if may { left - 1.0 } else { left }, now), now);
        may
    }

    /// Whether that sender has been here before, and how long it was put off if it has just come back.
    fn greet(&mut self, client: IpAddr, from: &str, to: &str, delay: Duration, now: Instant) -> Option<Duration> {
        let client = network(client, V4_NEIGHBOURS);
        if self.known.get((client, from)).is_some_and(|then| now.duration_since(then) <= KNOWN_FOR) {
            self.known.insert((client, from), now, now);
            return Some(Duration::ZERO);
        }
        let first = self.strangers.get((client, from, to));
        match first.map(|first| now.duration_since(first)) {
            Some(waited) if waited >= delay && waited <= COME_BACK_WITHIN => {
                self.known.insert((client, from), now, now);
                Some(waited)
            }
            // Who tries again too soon does not begin to wait anew.
            Some(waited) if waited < delay => None,
            _ => {
                self.strangers.insert((client, from, to), now, now);
                None
            }
        }
    }
}

#[derive(Clone)]
struct House {
    rules: Arc<Rules>,
    state: Arc<Mutex<State>>,
    /// This connection's message: how long its sender was put off.
    put_off: Duration,
}

struct Rules {
    blocked: HashSet<IpAddr>,
    /// In lower case.
    recipients: HashSet<String>,
    a_minute: u32,
    greylist: Duration,
}

impl House {
    fn new(rules: Rules) -> Self {
        let state = Arc::new(Mutex::new(State::new(Instant::now())));
        Self { rules: Arc::new(rules), state, put_off: Duration::ZERO }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Policy for House {
    async fn connected(&mut self, client: &Client<'_>) -> Verdict {
        if self.rules.blocked.contains(&client.address()) {
            return Verdict::refuse(Reply::of(554, Status::permanent(7, 1), "nothing is taken from your address"));
        }
        // What the default does with those who do not wait for the greeting is right here too.
        NoPolicy::default().connected(client).await
    }

    async fn mail(&mut self, client: &Client<'_>, _: &Mail) -> Verdict {
        self.put_off = Duration::ZERO;
        if self.state().take_token(client.address(), self.rules.a_minute, Instant::now()) {
            Verdict::Accept
        } else {
            Verdict::refuse(Reply::of(421, Status::transient(7, 0), "too many messages, come again in a minute"))
        }
    }

    async fn rcpt(&mut self, client: &Client<'_>, envelope: &Envelope, rcpt: &Rcpt) -> Verdict {
        // Whoever has logged in is no stranger, and writes to everybody here.
        if client.identity().is_some() {
            return Verdict::Accept;
        }
        let to = rcpt.path.address().map(ToString::to_string).unwrap_or_default().to_ascii_lowercase();
        // Postmaster is heard in any case (RFC 5321 §4.5.1).
        if !rcpt.path.is_postmaster() && !self.rules.recipients.contains(&to) {
            return Verdict::refuse(Reply::of(550, Status::permanent(7, 1), "not to be written to from outside"));
        }
        let from = envelope.mail().path.to_string().to_ascii_lowercase();
        let waited = self.state().greet(client.address(), &from, &to, self.rules.greylist, Instant::now());
        match waited {
            Some(waited) => {
                self.put_off = self.put_off.max(waited);
                Verdict::Accept
            }
            None => Verdict::try_again("I do not know you yet, come again later"),
        }
    }

    async fn message(&mut self, _: &Client<'_>, _: &Envelope, _: &StagedMessage<'_>) -> Disposition {
        let value = match self.put_off.as_secs() {
            0 => String::from("not delayed"),
            seconds => format!("delayed {seconds} seconds"),
        };
        match HeaderField::new("X-Greylist", &value) {
            Ok(field) => Delivery::new().with_field(field).into(),
            Err(_) => Disposition::deliver(),
        }
    }
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let (mut smtp_address, mut pop3_address) = (String::from("127.0.0.1:2525"), String::from("127.0.0.1:1110"));
    let mut rules =
        Rules { blocked: HashSet::new(), recipients: HashSet::new(), a_minute: 30, greylist: Duration::from_secs(300) };
    let mut arguments = std::env::args().skip(1);
    while let Some(argument) = arguments.next() {
        let mut value = || arguments.next().ok_or(format!("{argument} wants a value"));
        match argument.as_str() {
            "--smtp" => smtp_address = value()?,
            "--pop3" => pop3_address = value()?,
            "--block" => _ = rules.blocked.insert(value()?.parse()?),
            "--rate" => rules.a_minute = value()?.parse()?,
            "--greylist-seconds" => rules.greylist = Duration::from_secs(value()?.parse()?),
            recipient => _ = rules.recipients.insert(recipient.to_ascii_lowercase()),
        }
    }
    if rules.recipients.is_empty() {
        rules.recipients = ["ada@example.org", "postmaster@example.org"].map(String::from).into();
    }

    // The directory knows more addresses than the world is to write to.
    let mut store = MemoryStore::new().with_account("ada@example.org", "correct horse");
    for alias in rules.recipients.iter().map(String::as_str).chain(["staff@example.org"]) {
        store = store.with_alias(alias, "ada@example.org");
    }
    let smtp = Server::builder("mail.example.org").policy(House::new(rules)).build(store.clone());
    let pop3 = pop3_proto::server::Server::builder("mail.example.org").allow_insecure_login(true).build(store);

    let smtp_listener = TcpListener::bind(smtp_address).await?;
    let pop3_listener = TcpListener::bind(pop3_address).await?;
    println!("SMTP on {}, POP3 on {}", smtp_listener.local_addr()?, pop3_listener.local_addr()?);
    println!("ada@example.org, password: correct horse");
    tokio::try_join!(smtp.serve(smtp_listener), pop3.serve(pop3_listener))?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    const DELAY: Duration = Duration::from_secs(300);

    fn ip(address: &str) -> IpAddr {
        address.parse().unwrap()
    }

    #[test]
    fn a_bucket_is_empty_and_fills_again() {
        let now = Instant::now();
        let mut state = State::new(now);
        let takes: Vec<_> = (0..3).map(|_| state.take_token(ip("192.0.2.1"), 2, now)).collect();
        assert_eq!(takes, [true, true, false]);
        assert!(state.take_token(ip("192.0.2.2"), 2, now), "a neighbour has a bucket of its own");
        assert!(!state.take_token(ip("192.0.2.1"), 2, now + MINUTE / 3));
        assert!(state.take_token(ip("192.0.2.1"), 2, now + MINUTE / 2));
        assert!(!state.take_token(ip("192.0.2.1"), 2, now + MINUTE / 2));
        assert!(state.take_token(ip("2001:db8::1"), 1, now));
        assert!(!state.take_token(ip("2001:db8::ffff:2"), 1, now), "a /64 is one client");
        assert!(state.take_token(ip("2001:db8:0:1::1"), 1, now));
    }

    #[test]
    fn a_stranger_comes_back_in_time_and_is_known_for_a_month() {
        let now = Instant::now();
        let mut state = State::new(now);
        let mut greet = |address, to, at| state.greet(ip(address), "eve@example.net", to, DELAY, at);
        assert_eq!(greet("192.0.2.1", "ada", now), None);
        assert_eq!(greet("192.0.2.1", "ada", now + DELAY / 2), None, "too soon");
        assert_eq!(greet("192.0.2.99", "ada", now + DELAY), Some(DELAY), "from a neighbour");
        assert_eq!(greet("192.0.2.1", "bob", now + DELAY), Some(Duration::ZERO), "known");
        assert_eq!(greet("198.51.100.1", "ada", now + DELAY), None, "from elsewhere");
        assert_eq!(greet("198.51.100.1", "ada", now + DELAY + COME_BACK_WITHIN + DELAY), None, "too late");
        assert_eq!(greet("192.0.2.1", "ada", now + DELAY + KNOWN_FOR + DELAY), None, "forgotten");
    }

    #[test]
    fn sec_c3_what_is_remembered_of_a_flood_of_clients_is_bounded() {
        let now = Instant::now();
        let mut recent = Recent::new(MINUTE, now);
        for key in 0..3 * MAX_REMEMBERED {
            recent.insert(key, key, now);
            assert!(recent.young.len() + recent.old.len() <= MAX_REMEMBERED);
        }
        assert_eq!(recent.get(3 * MAX_REMEMBERED - 1), Some(3 * MAX_REMEMBERED - 1));
        assert_eq!(recent.get(0_usize), None);
        recent.insert(1_usize, 1, now + MINUTE);
        recent.insert(2_usize, 2, now + MINUTE + MINUTE);
        assert_eq!((recent.get(1_usize), recent.get(3 * MAX_REMEMBERED - 1)), (Some(1), None));
    }
}
