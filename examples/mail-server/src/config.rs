//! The configuration file, and the settings that come of it, the command line and the defaults.

use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};

use crate::error::{Failure, Outcome, reason};
use crate::name::{Address, Domain};
use crate::options::{Listen, Options, Size, StoreChoice};
use crate::retention::Policy;

/// "25 MB of attachments" is what people are told they may send. In base64, in lines of 76 octets, 25 MiB become 34.2 MiB; the
/// rest is for the text beside them.
const DEFAULT_MESSAGE_SIZE: Size = Size(36 << 20);

/// What a listener speaks, to whom.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Role {
    Smtp,
    Submission,
    Submissions,
    Lmtp,
    Imap,
    Imaps,
    Pop3,
    Pop3s,
}

impl Role {
    /// All of them, in the order in which they are told.
    pub(crate) const ALL: [Self; 8] =
        [Self::Smtp, Self::Submission, Self::Submissions, Self::Lmtp, Self::Imap, Self::Imaps, Self::Pop3, Self::Pop3s];

    /// Its option's name.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Smtp => "smtp",
            Self::Submission => "submission",
            Self::Submissions => "submissions",
            Self::Lmtp => "lmtp",
            Self::Imap => "imap",
            Self::Imaps => "imaps",
            Self::Pop3 => "pop3",
            Self::Pop3s => "pop3s",
        }
    }

    /// Whether TLS begins with the first octet.
    pub(crate) fn implicit_tls(self) -> bool {
        matches!(self, Self::Submissions | Self::Imaps | Self::Pop3s)
    }

    /// The port for this machine alone, and the one that RFC 6409, RFC 8314, RFC 9051 and RFC 1939 give it.
    fn ports(self) -> Option<(u16, u16)> {
        match self {
            Self::Smtp => Some((2525, 25)),
            Self::Submission => Some((2587, 587)),
            Self::Submissions => Some((2465, 465)),
            Self::Lmtp => None,
            Self::Imap => Some((2143, 143)),
            Self::Imaps => Some((2993, 993)),
            Self::Pop3 => Some((2110, 110)),
            Self::Pop3s => Some((2995, 995)),
        }
    }
}

/// The folder and the names: all that the commands beside the server need.
#[derive(Debug, Clone)]
pub(crate) struct Place {
    /// The folder for everything.
    pub(crate) data: PathBuf,
    /// Where mail is kept.
    pub(crate) store: StoreChoice,
    /// Whether that was said, and is not the default.
    pub(crate) store_named: bool,
    /// The domains as they were given; empty if they were not.
    pub(crate) domains: Vec<Domain>,
    /// The largest message.
    pub(crate) max_message_size: Size,
    /// What is logged.
    pub(crate) log: Option<String>,
}

/// All that serving needs.
#[derive(Debug, Clone)]
pub(crate) struct Settings {
    pub(crate) place: Place,
    /// At least one.
    pub(crate) domains: Vec<Domain>,
    pub(crate) hostname: Domain,
    pub(crate) postmaster: Option<Address>,
    pub(crate) catch_all: Option<Address>,
    /// At least one; each with whether its address was asked for or is the default.
    pub(crate) listeners: Vec<(Role, SocketAddr)>,
    /// Certificate and key, if they are the operator's own.
    pub(crate) tls_files: Option<(PathBuf, PathBuf)>,
    pub(crate) allow_insecure_login: bool,
    pub(crate) own_senders: bool,
    pub(crate) max_connections: usize,
    pub(crate) max_connections_per_address: usize,
    /// Where the numbers are shown, if they are.
    pub(crate) metrics: Option<SocketAddr>,
    pub(crate) retention: Policy,
}

impl Place {
    /// What the options say of it.
    pub(crate) fn new(options: &Options) -> Self {
        let environment = || std::env::var_os("PILLARBOX_DATA").filter(|data| !data.is_empty()).map(PathBuf::from);
        let data = options.data.clone().or_else(environment).unwrap_or_else(|| PathBuf::from("pillarbox-data"));
        Self {
            store_named: options.store.is_some(),
            store: options.store.clone().unwrap_or_else(|| StoreChoice::Sqlite(data.join("mail.sqlite"))),
            data,
            domains: options.domain.clone(),
            max_message_size: options.max_message_size.unwrap_or(DEFAULT_MESSAGE_SIZE),
            log: options.log.clone(),
        }
    }
}

impl Settings {
    /// What the options say, and the defaults for the rest.
    pub(crate) fn new(options: &Options) -> Outcome<Self> {
        let place = Place::new(options);
        let domains = if place.domains.is_empty() { vec![default_domain()] } else { place.domains.clone() };
        let first = domains.first().cloned().unwrap_or_else(default_domain);
        let account = |option: &str, name: &Option<String>| match name {
            Some(name) => {
                Address::parse(name, &first).map(Some).map_err(|why| Failure::usage(format!("--{option}: {why}")))
            }
            None => Ok(None),
        };
        let tls_files = match (&options.tls_cert, &options.tls_key) {
            (Some(cert), Some(key)) => Some((cert.clone(), key.clone())),
            (None, None) => None,
            (Some(_), None) => {
                return Err(Failure::usage("--tls-cert needs --tls-key with the certificate's private key"));
            }
            (None, Some(_)) => return Err(Failure::usage("--tls-key needs --tls-cert with the key's certificate")),
        };
        let listeners = listeners(options);
        if listeners.is_empty() {
            return Err(Failure::usage(
                "every listener is off, so there is nothing to serve; give at least one an address",
            ));
        }
        if let Some((role, address, other)) = twice(&listeners) {
            let (a, b) = (other.name(), role.name());
            return Err(Failure::usage(format!("--{a} and --{b} are both {address}; give each an address of its own")));
        }
        let metrics = match options.metrics {
            Some(Listen::At(address)) => Some(address),
            Some(Listen::Off) | None => None,
        };
        let taken = |at: SocketAddr| listeners.iter().find(|(_, address)| at.port() != 0 && *address == at);
        if let Some((role, address)) = metrics.and_then(taken) {
            let name = role.name();
            return Err(Failure::usage(format!(
                "--{name} and --metrics are both {address}; give each an address of its own"
            )));
        }
        if options.max_connections_per_address == Some(0) {
            return Err(Failure::usage("--max-connections-per-address 0 would serve nobody; give at least 1"));
        }
        if options.max_connections == Some(0) {
            return Err(Failure::usage("--max-connections 0 would serve nobody; give at least 1"));
        }
        for (option, days) in [("expire-fetched", options.expire_fetched), ("expire-all", options.expire_all)] {
            if days == Some(0) {
                return Err(Failure::usage(format!(
                    "--{option} 0 would remove mail before anybody can keep it; give at least 1 day, or leave it out"
                )));
            }
        }
        if place.max_message_size.0 < 65_536 {
            // RFC 5321 §4.5.3.1.7.
            return Err(Failure::usage("--max-message-size is too small; every server takes messages of 64 KiB"));
        }
        Ok(Self {
            postmaster: account("postmaster", &options.postmaster)?,
            catch_all: account("catch-all", &options.catch_all)?,
            hostname: options.hostname.clone().unwrap_or_else(|| first.clone()),
            listeners,
            tls_files,
            allow_insecure_login: options.allow_insecure_login.unwrap_or(false),
            own_senders: options.own_senders.unwrap_or(false),
            max_connections: options.max_connections.unwrap_or(1000),
            max_connections_per_address: options.max_connections_per_address.unwrap_or(50),
            metrics,
            retention: Policy { fetched: options.expire_fetched, any: options.expire_all },
            domains,
            place,
        })
    }
}

/// The domain of a server that was not told any: it reaches this machine and nobody else.
pub(crate) fn default_domain() -> Domain {
    "localhost".parse().expect("a legal name")
}

fn listeners(options: &Options) -> Vec<(Role, SocketAddr)> {
    let standard = options.standard_ports.unwrap_or(false);
    let mut listeners = Vec::new();
    for role in Role::ALL {
        let asked = match role {
            Role::Smtp => options.smtp,
            Role::Submission => options.submission,
            Role::Submissions => options.submissions,
            Role::Lmtp => options.lmtp,
            Role::Imap => options.imap,
            Role::Imaps => options.imaps,
            Role::Pop3 => options.pop3,
            Role::Pop3s => options.pop3s,
        };
        let default = role.ports().map(|(local, public)| {
            if standard { (Ipv4Addr::UNSPECIFIED, public).into() } else { (Ipv4Addr::LOCALHOST, local).into() }
        });
        match asked {
            Some(Listen::Off) => {}
            Some(Listen::At(address)) => listeners.push((role, address)),
            None => listeners.extend(default.map(|address| (role, address))),
        }
    }
    listeners
}

/// An address that two listeners have; port 0 is another one each time.
fn twice(listeners: &[(Role, SocketAddr)]) -> Option<(Role, SocketAddr, Role)> {
    let others = |&(role, address): &(Role, SocketAddr)| {
        let same = listeners.iter().take_while(|(other, _)| *other != role).find(|(_, other)| *other == address);
        same.map(|(other, _)| (role, address, *other))
    };
    listeners.iter().filter(|(_, address)| address.port() != 0).find_map(others)
}

/// Reads the configuration file.
///
/// Relative paths in it start from its own folder: a service's current folder is nobody's choice.
pub(crate) fn read(path: &Path) -> Outcome<Options> {
    let text = std::fs::read_to_string(path).map_err(|error| {
        let why = if error.kind() == std::io::ErrorKind::InvalidData {
            String::from("it is not UTF-8 text")
        } else {
            reason(&error)
        };
        Failure::usage(format!("cannot read the configuration {}: {why}", path.display()))
    })?;
    let mut options = parse(&text).map_err(|why| Failure::usage(format!("{}, {why}", path.display())))?;
    let folder = path.parent().unwrap_or(Path::new(""));
    let files = [&mut options.data, &mut options.tls_cert, &mut options.tls_key];
    let store = match &mut options.store {
        Some(StoreChoice::Sqlite(path)) => Some(path),
        _ => None,
    };
    for path in files.into_iter().flatten().chain(store) {
        *path = folder.join(&*path);
    }
    Ok(options)
}

fn parse(text: &str) -> Result<Options, String> {
    toml::from_str(text).map_err(|error| {
        let before = error.span().and_then(|span| text.get(..span.start)).unwrap_or_default();
        let line = before.matches('\n').count().saturating_add(1);
        format!("line {line}: {}", words(error.message()))
    })
}

/// The parser's words, shorter and with a guess where a key is unknown.
fn words(message: &str) -> String {
    let mut quoted = message.split('`').skip(1).step_by(2);
    match (message.starts_with("unknown field"), quoted.next()) {
        (true, Some(unknown)) => match nearest(unknown, quoted) {
            Some(known) => format!("there is no option `{unknown}`; did you mean `{known}`?"),
            None => format!("there is no option `{unknown}`; --help lists them all"),
        },
        _ => message.lines().collect::<Vec<_>>().join("; "),
    }
}

fn nearest<'a>(unknown: &str, known: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    let unknown = unknown.replace('_', "-").to_lowercase();
    let near = known.map(|known| (distance(&unknown, known), known)).min()?;
    let tolerated = (unknown.len() / 3).max(1);
    (near.0 <= tolerated).then_some(near.1)
}

/// How many letters must be put in, taken out or exchanged (Levenshtein); neighbours that changed places count one.
fn distance(a: &str, b: &str) -> usize {
    let (a, b): (Vec<char>, Vec<char>) = (a.chars().take(64).collect(), b.chars().collect());
    let mut rows: Vec<Vec<usize>> = vec![(0..=b.len()).collect()];
    let cell = |rows: &[Vec<usize>], i: usize, j: usize| rows.get(i).and_then(|row| row.get(j)).copied().unwrap_or(0);
    for (i, x) in a.iter().enumerate() {
        let mut row = vec![i.saturating_add(1)];
        for (j, y) in b.iter().enumerate() {
            let exchanged = cell(&rows, i, j).saturating_add(usize::from(x != y));
            let left_out = cell(&rows, i, j.saturating_add(1)).saturating_add(1);
            let put_in = row.last().copied().unwrap_or(0).saturating_add(1);
            let mut best = exchanged.min(left_out).min(put_in);
            if let (Some(i1), Some(j1)) = (i.checked_sub(1), j.checked_sub(1))
                && a.get(i1) == Some(y)
                && b.get(j1) == Some(x)
            {
                best = best.min(cell(&rows, i1, j1).saturating_add(1));
            }
            row.push(best);
        }
        rows.push(row);
    }
    cell(&rows, a.len(), b.len())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn addresses(options: &Options) -> Vec<String> {
        let settings = Settings::new(options).unwrap();
        settings.listeners.iter().map(|(role, address)| format!("{} {address}", role.name())).collect()
    }

    #[test]
    fn the_defaults_reach_this_machine_alone() {
        let expected = [
            "smtp 127.0.0.1:2525",
            "submission 127.0.0.1:2587",
            "submissions 127.0.0.1:2465",
            "imap 127.0.0.1:2143",
            "imaps 127.0.0.1:2993",
            "pop3 127.0.0.1:2110",
            "pop3s 127.0.0.1:2995",
        ];
        assert_eq!(addresses(&Options::default()), expected);
    }

    #[test]
    fn attachments_of_25_mib_pass_by_default() {
        let encoded = (25_u64 << 20).div_ceil(3) * 4;
        let lines = encoded + encoded.div_ceil(76) * 2;
        let Size(most) = Settings::new(&Options::default()).unwrap().place.max_message_size;
        assert!(lines + (1 << 20) < most, "{lines} of {most}");
    }

    #[test]
    fn the_standard_ports_are_the_standard_ones_and_yield_to_an_option() {
        let options = parse("standard-ports = true\npop3 = \"off\"\nlmtp = \"[::1]:24\"").unwrap();
        let expected = [
            "smtp 0.0.0.0:25",
            "submission 0.0.0.0:587",
            "submissions 0.0.0.0:465",
            "lmtp [::1]:24",
            "imap 0.0.0.0:143",
            "imaps 0.0.0.0:993",
            "pop3s 0.0.0.0:995",
        ];
        assert_eq!(addresses(&options), expected);
    }

    #[test]
    fn every_option_can_stand_in_the_file() {
        let text = r#"
            data = "mail"
            store = "memory:"
            domain = ["example.org", "example.com"]
            hostname = "mx.example.org"
            postmaster = "ada"
            catch-all = "bob@example.com"
            standard-ports = false
            smtp = "off"
            submission = "off"
            submissions = "off"
            lmtp = "127.0.0.1:24"
            imap = "off"
            imaps = "off"
            pop3 = "off"
            pop3s = "off"
            tls-cert = "cert.pem"
            tls-key = "key.pem"
            allow-insecure-login = true
            own-senders = true
            max-message-size = "50MiB"
            max-connections = 10
            max-connections-per-address = 5
            metrics = "off"
            expire-fetched = 14
            expire-all = 90
            log = "debug"
        "#;
        let options = parse(text).unwrap();
        let settings = Settings::new(&options).unwrap();
        assert_eq!(settings.domains.len(), 2);
        assert_eq!(settings.hostname.as_str(), "mx.example.org");
        assert_eq!(settings.postmaster.unwrap().as_str(), "ada@example.org");
        assert_eq!(settings.place.max_message_size, Size(50 << 20));
        // Were a field not listed above, it would be unset here.
        let unset = format!("{:?}", Options { config: Some(PathBuf::new()), ..options });
        assert!(!unset.contains("None"), "{unset}");
    }

    #[test]
    fn a_typo_names_the_line_and_the_nearest_key() {
        for (text, expected) in [
            ("smpt = \"off\"", "line 1: there is no option `smpt`; did you mean `smtp`?"),
            (
                "\n\nstandard_ports = true",
                "line 3: there is no option `standard_ports`; did you mean `standard-ports`?",
            ),
            ("log = \"info\"\ntls-crt = \"x\"", "line 2: there is no option `tls-crt`; did you mean `tls-cert`?"),
            ("colour = 1", "line 1: there is no option `colour`; --help lists them all"),
            ("[smtp]\nlisten = 1", "line 1: "),
            ("smtp = \"25\"", "line 1: `25` is no listener; write ADDRESS:PORT"),
            ("log = \"info\"\nsmtp = 25", "line 2: invalid type: integer"),
            ("max-connections = -1", "line 1: "),
            ("domain = [", "line 1: "),
            ("domain = 3", "line 1: expected a domain"),
            ("config = \"x\"", "line 1: there is no option `config`"),
        ] {
            let told = parse(text).expect_err(text);
            assert!(told.starts_with(expected), "{text:?}: {told}");
            assert_eq!(told.lines().count(), 1, "{told}");
        }
    }

    #[test]
    fn settings_that_contradict_themselves_are_refused() {
        for (text, expected) in [
            ("tls-cert = \"x\"", "--tls-key"),
            ("tls-key = \"x\"", "--tls-cert"),
            (
                "smtp=\"off\"\nsubmission=\"off\"\nsubmissions=\"off\"\nimap=\"off\"\nimaps=\"off\"\npop3=\"off\"\npop3s=\"off\"",
                "every listener is off",
            ),
            ("smtp = \"127.0.0.1:2110\"", "--smtp and --pop3 are both 127.0.0.1:2110"),
            ("max-message-size = 10", "too small"),
            ("max-connections = 0", "--max-connections"),
            ("max-connections-per-address = 0", "--max-connections-per-address"),
            ("metrics = \"127.0.0.1:2110\"", "--pop3 and --metrics are both 127.0.0.1:2110"),
            ("expire-fetched = 0", "--expire-fetched 0"),
            ("expire-all = 0", "--expire-all 0"),
            ("catch-all = \"a b\"", "--catch-all"),
        ] {
            let failure = Settings::new(&parse(text).unwrap()).expect_err(text);
            assert!(failure.to_string().contains(expected), "{failure}");
        }
    }
}
