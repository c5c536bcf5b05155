//! The options: one struct that the command line and the configuration file both fill, so that their names agree.

use std::fmt;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::str::FromStr;

use clap::Args;
use serde::{Deserialize, Deserializer, de};

use crate::name::Domain;

/// What can be set. An option that is `None` (or empty) was not set here.
#[derive(Debug, Clone, Default, PartialEq, Args, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields, default)]
pub(crate) struct Options {
    /// The folder for everything the server keeps [default: pillarbox-data in the current folder, or $PILLARBOX_DATA]
    #[arg(long, value_name = "DIR", global = true, help_heading = "Where things are")]
    pub(crate) data: Option<PathBuf>,

    /// A TOML file with the same options by the same names; the command line wins over it
    #[arg(long, value_name = "FILE", global = true, help_heading = "Where things are")]
    #[serde(skip)]
    pub(crate) config: Option<PathBuf>,

    /// Where mail is kept: sqlite:PATH; maildir:PATH, a folder with a Maildir for each account, shared with Dovecot, mutt
    /// and mbsync; postgres://USER:PASSWORD@HOST/DATABASE, which any number of servers share, accounts and all; or memory:
    /// for tests, gone when it ends [default: mail.sqlite in the data folder; for commands, what the server was last
    /// started with]
    #[arg(
        long,
        value_name = "STORE",
        global = true,
        env = "PILLARBOX_STORE",
        hide_env_values = true,
        help_heading = "Where things are"
    )]
    pub(crate) store: Option<StoreChoice>,

    /// A domain to take mail for; may be repeated [default: localhost]
    #[arg(long, value_name = "NAME", global = true, help_heading = "Names")]
    #[serde(deserialize_with = "one_or_many")]
    pub(crate) domain: Vec<Domain>,

    /// The name the server greets with; the one in DNS [default: the first domain]
    #[arg(long, value_name = "NAME", help_heading = "Names")]
    pub(crate) hostname: Option<Domain>,

    /// The account that gets mail for postmaster and abuse [default: the first account]
    #[arg(long, value_name = "ACCOUNT", help_heading = "Names")]
    pub(crate) postmaster: Option<String>,

    /// The account that gets mail for every name of your domains that does not exist [default: such mail is refused]
    #[arg(long, value_name = "ACCOUNT", help_heading = "Names")]
    pub(crate) catch_all: Option<String>,

    /// Listen on all addresses at the standard ports (25, 587, 465, 143, 993, 110, 995) instead of on this machine's
    /// alone
    #[arg(long, value_name = "BOOL", num_args = 0..=1, require_equals = true, default_missing_value = "true",
          hide_possible_values = true, help_heading = "Listeners (ADDRESS:PORT or `off`)")]
    pub(crate) standard_ports: Option<bool>,

    /// Mail from other servers, and STARTTLS [default: 127.0.0.1:2525]
    #[arg(long, value_name = "LISTEN", help_heading = "Listeners (ADDRESS:PORT or `off`)")]
    pub(crate) smtp: Option<Listen>,

    /// Mail from mail programs: STARTTLS, then login [default: 127.0.0.1:2587]
    #[arg(long, value_name = "LISTEN", help_heading = "Listeners (ADDRESS:PORT or `off`)")]
    pub(crate) submission: Option<Listen>,

    /// Mail from mail programs: TLS from the first octet, then login [default: 127.0.0.1:2465]
    #[arg(long, value_name = "LISTEN", help_heading = "Listeners (ADDRESS:PORT or `off`)")]
    pub(crate) submissions: Option<Listen>,

    /// Local delivery from another mail server, for trusted networks only [default: off]
    #[arg(long, value_name = "LISTEN", help_heading = "Listeners (ADDRESS:PORT or `off`)")]
    pub(crate) lmtp: Option<Listen>,

    /// IMAP: STARTTLS, then login [default: 127.0.0.1:2143]
    #[arg(long, value_name = "LISTEN", help_heading = "Listeners (ADDRESS:PORT or `off`)")]
    pub(crate) imap: Option<Listen>,

    /// IMAP: TLS from the first octet, then login [default: 127.0.0.1:2993]
    #[arg(long, value_name = "LISTEN", help_heading = "Listeners (ADDRESS:PORT or `off`)")]
    pub(crate) imaps: Option<Listen>,

    /// POP3: STLS, then login [default: 127.0.0.1:2110]
    #[arg(long, value_name = "LISTEN", help_heading = "Listeners (ADDRESS:PORT or `off`)")]
    pub(crate) pop3: Option<Listen>,

    /// POP3: TLS from the first octet, then login [default: 127.0.0.1:2995]
    #[arg(long, value_name = "LISTEN", help_heading = "Listeners (ADDRESS:PORT or `off`)")]
    pub(crate) pop3s: Option<Listen>,

    /// Numbers for Prometheus at /metrics, for whoever can reach the address [default: off]
    #[arg(long, value_name = "LISTEN", help_heading = "Listeners (ADDRESS:PORT or `off`)")]
    pub(crate) metrics: Option<Listen>,

    /// The certificate chain, PEM [default: a self-signed one in the data folder]
    #[arg(long, value_name = "FILE", help_heading = "TLS and login")]
    pub(crate) tls_cert: Option<PathBuf>,

    /// The certificate's private key, PEM
    #[arg(long, value_name = "FILE", help_heading = "TLS and login")]
    pub(crate) tls_key: Option<PathBuf>,

    /// Take passwords without TLS, where everybody on the way can read them
    #[arg(long, value_name = "BOOL", num_args = 0..=1, require_equals = true, default_missing_value = "true",
          hide_possible_values = true, help_heading = "TLS and login")]
    pub(crate) allow_insecure_login: Option<bool>,

    /// Let people who have logged in send in their own name only: from addresses whose mail comes to them. They can then
    /// also ask to be told of deliveries (DSN)
    #[arg(long, value_name = "BOOL", num_args = 0..=1, require_equals = true, default_missing_value = "true",
          hide_possible_values = true, help_heading = "TLS and login")]
    pub(crate) own_senders: Option<bool>,

    /// The largest message taken, with a unit if you like: 50MiB [default: 36MiB, which 25 MB of attachments need, for in
    /// mail they grow by a third]
    #[arg(long, value_name = "SIZE", help_heading = "Limits")]
    pub(crate) max_message_size: Option<Size>,

    /// The most connections at once, for each listener [default: 1000]
    #[arg(long, value_name = "COUNT", help_heading = "Limits")]
    pub(crate) max_connections: Option<usize>,

    /// The most connections at once from one address (IPv6: from one network of /64), for each listener; this machine's own
    /// are not counted [default: 50]
    #[arg(long, value_name = "COUNT", help_heading = "Limits")]
    pub(crate) max_connections_per_address: Option<usize>,

    /// Remove a message from INBOX so many days after POP3 has first fetched it: "leave a copy for 14 days", for everybody.
    /// Mail that nobody has fetched, and what was moved to other mailboxes, stays [default: never]
    #[arg(long, value_name = "DAYS", help_heading = "Retention (nothing is removed unless you say so)")]
    pub(crate) expire_fetched: Option<u32>,

    /// Remove a message from INBOX so many days after it came, whether anybody has read it or not [default: never]
    #[arg(long, value_name = "DAYS", help_heading = "Retention (nothing is removed unless you say so)")]
    pub(crate) expire_all: Option<u32>,

    /// What is logged: error, warn, info, debug, trace, or by module (info,smtp_proto=debug) [default: info]
    #[arg(long, value_name = "FILTER", global = true, help_heading = "Logs (on standard error)")]
    pub(crate) log: Option<String>,
}

impl Options {
    /// Whether anything is set that only a server needs.
    pub(crate) fn are_for_serving(&self) -> bool {
        let Self { data, config, store, domain, log, .. } = self.clone();
        *self != Self { data, config, store, domain, log, ..Self::default() }
    }

    /// These, and where they say nothing, what `below` says.
    #[must_use]
    pub(crate) fn over(self, below: Self) -> Self {
        Self {
            data: self.data.or(below.data),
            config: self.config.or(below.config),
            store: self.store.or(below.store),
            domain: if self.domain.is_empty() { below.domain } else { self.domain },
            hostname: self.hostname.or(below.hostname),
            postmaster: self.postmaster.or(below.postmaster),
            catch_all: self.catch_all.or(below.catch_all),
            standard_ports: self.standard_ports.or(below.standard_ports),
            smtp: self.smtp.or(below.smtp),
            submission: self.submission.or(below.submission),
            submissions: self.submissions.or(below.submissions),
            lmtp: self.lmtp.or(below.lmtp),
            imap: self.imap.or(below.imap),
            imaps: self.imaps.or(below.imaps),
            pop3: self.pop3.or(below.pop3),
            pop3s: self.pop3s.or(below.pop3s),
            metrics: self.metrics.or(below.metrics),
            tls_cert: self.tls_cert.or(below.tls_cert),
            tls_key: self.tls_key.or(below.tls_key),
            allow_insecure_login: self.allow_insecure_login.or(below.allow_insecure_login),
            own_senders: self.own_senders.or(below.own_senders),
            max_message_size: self.max_message_size.or(below.max_message_size),
            max_connections: self.max_connections.or(below.max_connections),
            max_connections_per_address: self.max_connections_per_address.or(below.max_connections_per_address),
            expire_fetched: self.expire_fetched.or(below.expire_fetched),
            expire_all: self.expire_all.or(below.expire_all),
            log: self.log.or(below.log),
        }
    }
}

/// Where a listener listens.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Listen {
    Off,
    At(SocketAddr),
}

impl FromStr for Listen {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        if text.eq_ignore_ascii_case("off") {
            return Ok(Self::Off);
        }
        // The one name that needs no resolver.
        let address = match text.strip_prefix("localhost:") {
            Some(port) => format!("127.0.0.1:{port}"),
            None => text.to_owned(),
        };
        let wrong =
            || format!("`{text}` is no listener; write ADDRESS:PORT, such as 127.0.0.1:2525 or [::]:25, or `off`");
        address.parse().map(Self::At).map_err(|_| wrong())
    }
}

/// Which store mail is kept in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum StoreChoice {
    Sqlite(PathBuf),
    Maildir(PathBuf),
    Postgres(DatabaseUrl),
    Memory,
}

/// `postgres://...`, which may have a password in it: it is shown nowhere.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct DatabaseUrl(String);

impl DatabaseUrl {
    /// All of it.
    pub(crate) fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for DatabaseUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("postgres://...")
    }
}

impl StoreChoice {
    /// As it is written, for where it is read again, in whatever folder. This writes a password.
    pub(crate) fn to_text(&self) -> String {
        // Commands are run in other folders than the server.
        let absolute = |path: &PathBuf| std::path::absolute(path).unwrap_or_else(|_| path.clone());
        match self {
            Self::Sqlite(path) => format!("sqlite:{}", absolute(path).display()),
            Self::Maildir(path) => format!("maildir:{}", absolute(path).display()),
            Self::Postgres(url) => url.expose().to_owned(),
            Self::Memory => String::from("memory:"),
        }
    }
}

impl FromStr for StoreChoice {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text.split_once(':') {
            Some(("sqlite", path)) if !path.is_empty() => Ok(Self::Sqlite(PathBuf::from(path))),
            Some(("maildir", path)) if !path.is_empty() => Ok(Self::Maildir(PathBuf::from(path))),
            Some(("postgres" | "postgresql", rest)) if rest.len() > 2 && rest.starts_with("//") => {
                Ok(Self::Postgres(DatabaseUrl(text.to_owned())))
            }
            Some(("memory", "")) => Ok(Self::Memory),
            // What was meant for a database may have a password in it.
            Some(("postgres" | "postgresql", _)) => Err(String::from("write postgres://USER@HOST/DATABASE")),
            _ => Err(format!("`{text}` is no store; write sqlite:PATH, maildir:PATH, postgres://... or memory:")),
        }
    }
}

/// A count of octets.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Size(pub(crate) u64);

impl FromStr for Size {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let digits = text.trim_end_matches(|c: char| c.is_ascii_alphabetic());
        let factor = match text.get(digits.len()..).unwrap_or_default().to_ascii_lowercase().as_str() {
            "" | "b" => Some(1_u64),
            "k" | "kib" => Some(1 << 10),
            "kb" => Some(1_000),
            "m" | "mib" => Some(1 << 20),
            "mb" => Some(1_000_000),
            "g" | "gib" => Some(1 << 30),
            "gb" => Some(1_000_000_000),
            _ => None,
        };
        let count = digits.trim().parse::<u64>().ok();
        match count.zip(factor).and_then(|(count, factor)| count.checked_mul(factor)) {
            Some(octets) => Ok(Self(octets)),
            None => Err(format!("`{text}` is no size; write octets or a number with a unit, such as 50MiB")),
        }
    }
}

impl fmt::Display for Size {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (unit, shift) in [("GiB", 30_u32), ("MiB", 20), ("KiB", 10)] {
            if self.0 > 0 && self.0.trailing_zeros() >= shift {
                return write!(f, "{} {unit}", self.0 >> shift);
            }
        }
        write!(f, "{} octets", self.0)
    }
}

impl<'de> Deserialize<'de> for Size {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        #[derive(Deserialize)]
        #[serde(untagged, expecting = "expected a size: a number of octets, or a text such as \"50MiB\"")]
        enum Written {
            Octets(u64),
            Text(String),
        }
        match Written::deserialize(from)? {
            Written::Octets(octets) => Ok(Self(octets)),
            Written::Text(text) => text.parse().map_err(de::Error::custom),
        }
    }
}

fn one_or_many<'de, D: Deserializer<'de>>(from: D) -> Result<Vec<Domain>, D::Error> {
    #[derive(Deserialize)]
    #[serde(untagged, expecting = "expected a domain, or a list of domains in [ ]")]
    enum Written {
        One(String),
        Many(Vec<String>),
    }
    let texts = match Written::deserialize(from)? {
        Written::One(text) => vec![text],
        Written::Many(texts) => texts,
    };
    texts.iter().map(|text| text.parse().map_err(de::Error::custom)).collect()
}

/// Reads with `FromStr` what TOML has as a text.
macro_rules! from_text {
    ($($type:ty),*) => { $(
        impl<'de> Deserialize<'de> for $type {
            fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
                String::deserialize(from)?.parse().map_err(de::Error::custom)
            }
        }
    )* };
}
from_text!(Listen, StoreChoice, Domain);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_read_with_their_units() {
        for (text, octets) in [("0", 0), ("4096", 4096), ("25MiB", 25 << 20), ("1 g", 1 << 30), ("3kb", 3000)] {
            assert_eq!(text.parse(), Ok(Size(octets)), "{text}");
        }
        for bad in ["", "MiB", "-1", "1.5M", "5 apples", "99999999999999999999", "99999999999G"] {
            assert!(bad.parse::<Size>().is_err(), "{bad}");
        }
        assert_eq!(Size(25 << 20).to_string(), "25 MiB");
        assert_eq!(Size(1000).to_string(), "1000 octets");
    }

    #[test]
    fn a_listener_is_an_address_or_off() {
        assert_eq!("off".parse(), Ok(Listen::Off));
        assert_eq!("127.0.0.1:0".parse(), Ok(Listen::At("127.0.0.1:0".parse().unwrap())));
        assert_eq!("localhost:2525".parse(), Ok(Listen::At("127.0.0.1:2525".parse().unwrap())));
        assert_eq!("[::1]:25".parse(), Ok(Listen::At("[::1]:25".parse().unwrap())));
        for bad in ["", "25", "127.0.0.1", "example.org:25", "127.0.0.1:99999", "of"] {
            assert!(bad.parse::<Listen>().is_err(), "{bad}");
        }
    }

    #[test]
    fn a_store_is_named_by_its_kind() {
        assert_eq!("memory:".parse(), Ok(StoreChoice::Memory));
        assert_eq!("sqlite:/a:b".parse(), Ok(StoreChoice::Sqlite(PathBuf::from("/a:b"))));
        assert_eq!("maildir:/srv".parse(), Ok(StoreChoice::Maildir(PathBuf::from("/srv"))));
        let shared: StoreChoice = "postgres://ada:secret@db/mail".parse().unwrap();
        assert!(!format!("{shared:?}").contains("secret"));
        assert_eq!(shared.to_text().parse(), Ok(shared));
        for bad in ["", "sqlite", "sqlite:", "maildir:", "memory", "memory:x", "postgres:x", "/var/mail.sqlite"] {
            assert!(bad.parse::<StoreChoice>().is_err(), "{bad}");
        }
        assert!(!"postgres:ada:secret@db".parse::<StoreChoice>().unwrap_err().contains("secret"));
    }

    #[test]
    fn what_is_above_wins() {
        let above = Options { smtp: Some(Listen::Off), ..Options::default() };
        let below = Options {
            smtp: Some("127.0.0.1:1".parse().unwrap()),
            log: Some(String::from("debug")),
            domain: vec!["a.example".parse().unwrap()],
            ..Options::default()
        };
        let both = above.over(below.clone());
        assert_eq!((both.smtp, both.log, both.domain), (Some(Listen::Off), below.log, below.domain));
    }
}
