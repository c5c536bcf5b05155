//! What the sessions of one server have in common.

use std::sync::Arc;
use std::time::Duration;

use mail_wire::machine::TlsInfo;
use mail_wire::sasl::{Mechanism, SaslConfig};

use crate::grammar::{ResponseText, Word};
use crate::limits::{Limits, Timeouts};
use crate::response::{Capability, Expiry, OtherCapability};

use super::maildrop::Promises;
use super::timestamp::Timestamps;
use super::utf8::Utf8Support;

/// What the sessions of one server have in common. Made once, shared in an `Arc`.
#[derive(Debug, Clone)]
pub struct Config {
    host_name: ResponseText,
    limits: Limits,
    timeouts: Timeouts,
    sasl: Arc<SaslConfig>,
    mechanisms: Vec<Mechanism>,
    user_pass: bool,
    start_tls: bool,
    insecure_login: bool,
    apop: Option<Timestamps>,
    utf8: Utf8Support,
    expire: Option<ByUser<Expiry>>,
    login_interval: Option<ByUser<Duration>>,
    implementation: Vec<Word>,
    implementation_before_login: bool,
    capabilities: Vec<OtherCapability>,
}

/// A figure, and whether it is another one for some users.
#[derive(Debug, Clone, Copy)]
struct ByUser<T> {
    value: T,
    differs: bool,
}

/// The longest IMPLEMENTATION: with its name it stays within the 512 octets of a capability (RFC 2449 §3).
const MAX_IMPLEMENTATION: usize = 480;

impl Config {
    /// A server of that name, with the default [`Limits`], USER and PASS and the mechanisms PLAIN and LOGIN, all of them
    /// inside TLS only, and without STLS.
    ///
    /// The name stands in the greeting and the farewell; octets that have no place there become `?`. No version is told
    /// (attack row R7).
    pub fn new(host_name: &str, sasl: Arc<SaslConfig>) -> Self {
        // A `<` would begin the timestamp by which clients know APOP (RFC 1939 §7, attack row A14), and a long name
        // would leave no room for the words around it.
        let host_name: String =
            host_name.chars().take(255).map(|char| if matches!(char, ' ' | '<' | '>') { '?' } else { char }).collect();
        Self {
            host_name: ResponseText::lossy(&host_name),
            limits: Limits::default(),
            timeouts: Timeouts::default(),
            sasl,
            mechanisms: vec![Mechanism::Plain, Mechanism::Login],
            user_pass: true,
            start_tls: false,
            insecure_login: false,
            apop: None,
            utf8: Utf8Support::default(),
            expire: None,
            login_interval: None,
            implementation: Vec::new(),
            implementation_before_login: false,
            capabilities: Vec::new(),
        }
    }

    /// Other limits.
    #[must_use]
    pub fn with_limits(mut self, limits: Limits) -> Self {
        self.limits = limits;
        self
    }

    /// Other times to wait.
    #[must_use]
    pub fn with_timeouts(mut self, timeouts: Timeouts) -> Self {
        self.timeouts = timeouts;
        self
    }

    /// The mechanisms of AUTH, in the order of preference. None of them: no AUTH. Offer only what the host can answer
    /// the queries of.
    #[must_use]
    pub fn with_mechanisms(mut self, mechanisms: impl IntoIterator<Item = Mechanism>) -> Self {
        self.mechanisms = mechanisms.into_iter().collect();
        self
    }

    /// Whether USER and PASS are offered. They are unless it is said.
    #[must_use]
    pub fn with_user_pass(mut self, offered: bool) -> Self {
        self.user_pass = offered;
        self
    }

    /// Whether STLS is offered (RFC 2595 §4). The host must then be able to answer
    /// [`Event::StartTls`](crate::Event::StartTls).
    #[must_use]
    pub fn with_start_tls(mut self, offered: bool) -> Self {
        self.start_tls = offered;
        self
    }

    /// Whether logins are taken without TLS, where anybody on the way reads the password. For tests, and for listeners
    /// that only this very machine reaches.
    #[must_use]
    pub fn with_insecure_login(mut self, allowed: bool) -> Self {
        self.insecure_login = allowed;
        self
    }

    /// Whether APOP is offered (RFC 1939 §7), by a timestamp in the greeting. It is not unless it is said (attack row A14):
    /// MD5 is broken, the server must keep the password itself, and who can choose the timestamps, as anybody on the way can,
    /// learns passwords from the digests (CVE-2007-1558). The host must be able to answer [`CredentialQuery::Apop`].
    ///
    /// [`CredentialQuery::Apop`]: mail_wire::CredentialQuery::Apop
    #[must_use]
    pub fn with_apop(mut self, offered: bool) -> Self {
        self.apop = offered.then(|| Timestamps::of_this_process(self.host_name.as_str()));
        self
    }

    /// Offers APOP with timestamps of the host's own, for tests with known answers. Each must be another one, of the form
    /// of a `msg-id` (RFC 1939 §7), of visible ASCII, 300 octets at the most; with one that is not, a session offers none.
    #[must_use]
    pub fn with_apop_timestamps(mut self, timestamps: impl Fn() -> String + Send + Sync + 'static) -> Self {
        self.apop = Some(Timestamps::new(timestamps));
        self
    }

    /// Whether UTF8 is offered, and what happens to messages with raw UTF-8 in their header without it (RFC 6856 §2.1).
    #[must_use]
    pub fn with_utf8(mut self, support: Utf8Support) -> Self {
        self.utf8 = support;
        self
    }

    /// How long messages stay, which CAPA then tells (RFC 2449 §6.7). The host has to keep that promise: nothing is
    /// removed here. Nothing is told unless it is said.
    #[must_use]
    pub fn with_expire(mut self, expiry: Expiry) -> Self {
        self.expire = Some(ByUser { value: expiry, differs: false });
        self
    }

    /// As [`with_expire`](Self::with_expire), where it differs by user: `least` is the shortest that anybody has, and what
    /// CAPA tells before the login. A user's own comes with the maildrop
    /// ([`Maildrop::with_expiry`](crate::Maildrop::with_expiry)).
    #[must_use]
    pub fn with_expire_by_user(mut self, least: Expiry) -> Self {
        self.expire = Some(ByUser { value: least, differs: true });
        self
    }

    /// How long after a login the host refuses the next one, which CAPA then tells in whole seconds (LOGIN-DELAY, RFC
    /// 2449 §6.5). The host refuses with [`ResponseCode::LoginDelay`](crate::ResponseCode::LoginDelay); the session owns no
    /// clock. Nothing is told unless it is said.
    #[must_use]
    pub fn with_login_interval(mut self, interval: Duration) -> Self {
        self.login_interval = Some(ByUser { value: interval, differs: false });
        self
    }

    /// As [`with_login_interval`](Self::with_login_interval), where it differs by user: `longest` is what CAPA tells before
    /// the login. A user's own comes with the maildrop
    /// ([`Maildrop::with_login_interval`](crate::Maildrop::with_login_interval)).
    #[must_use]
    pub fn with_login_interval_by_user(mut self, longest: Duration) -> Self {
        self.login_interval = Some(ByUser { value: longest, differs: true });
        self
    }

    /// What CAPA calls the server, after the login only (IMPLEMENTATION, RFC 2449 §6.9). Nothing unless it is said: a
    /// version tells an attacker what to try (attack row R7). Words are parted at spaces, and octets that have no place in
    /// one become `?`.
    #[must_use]
    pub fn with_implementation(mut self, implementation: &str) -> Self {
        let visible = |char: char| if char.is_ascii_graphic() { char } else { '?' };
        let text: String = implementation.chars().take(MAX_IMPLEMENTATION).collect();
        let words = text.split_whitespace().map(|word| word.chars().map(visible).collect::<String>());
        self.implementation = words.filter_map(|word| Word::new(word).ok()).collect();
        self
    }

    /// Tells IMPLEMENTATION before the login, too: to everybody.
    #[must_use]
    pub fn with_implementation_before_login(mut self, told: bool) -> Self {
        self.implementation_before_login = told;
        self
    }

    /// One more line for CAPA, in both states: something that the host carries out itself.
    #[must_use]
    pub fn with_capability(mut self, capability: OtherCapability) -> Self {
        self.capabilities.push(capability);
        self
    }

    /// The limits.
    pub fn limits(&self) -> &Limits {
        &self.limits
    }

    /// The times to wait.
    pub fn timeouts(&self) -> &Timeouts {
        &self.timeouts
    }

    pub(crate) fn host_name(&self) -> &ResponseText {
        &self.host_name
    }

    pub(super) fn sasl(&self) -> &Arc<SaslConfig> {
        &self.sasl
    }

    pub(super) fn offers_start_tls(&self) -> bool {
        self.start_tls
    }

    pub(super) fn offers_user_pass(&self) -> bool {
        self.user_pass
    }

    pub(super) fn mechanisms(&self) -> &[Mechanism] {
        &self.mechanisms
    }

    /// That mechanism, if it is offered on a connection with that much TLS.
    pub(super) fn mechanism(&self, name: &Word, tls: Option<&TlsInfo>) -> Option<Mechanism> {
        let mechanism = name.as_str().parse::<Mechanism>().ok()?;
        (self.mechanisms.contains(&mechanism) && mechanism.is_possible(tls)).then_some(mechanism)
    }

    /// Whether a login is taken.
    pub(super) fn takes_login(&self, tls: bool) -> bool {
        tls || self.insecure_login
    }

    /// The timestamp of one session's greeting.
    pub(super) fn apop_timestamp(&self) -> Option<String> {
        let legal = |it: &String| {
            let inside = it.strip_prefix('<').and_then(|it| it.strip_suffix('>'));
            let visible = |char: char| char.is_ascii_graphic() && !matches!(char, '<' | '>');
            it.len() <= 300 && inside.is_some_and(|it| !it.is_empty() && it.chars().all(visible))
        };
        self.apop.as_ref().map(Timestamps::next).filter(legal)
    }

    pub(super) fn utf8(&self) -> Utf8Support {
        self.utf8
    }

    /// What CAPA tells; `user` is what was told of the one who has logged in. Before and after login it is the same but
    /// for STLS, IMPLEMENTATION and a user's own figures, since clients ask once and remember (RFC 2449 §5); without TLS
    /// the ways to log in are left out (attack row T7).
    pub(super) fn capabilities(&self, tls: Option<&TlsInfo>, user: Option<&Promises>) -> Vec<Capability> {
        let logged_in = user.is_some();
        let mut told = vec![
            Capability::Top,
            Capability::Uidl,
            Capability::RespCodes,
            Capability::AuthRespCode,
            Capability::Pipelining,
        ];
        if self.utf8.is_offered() {
            // In clear text, too, where no login is taken: the line has to be the same in both states.
            told.push(Capability::Utf8 { user: self.user_pass });
        }
        if self.takes_login(tls.is_some()) {
            if self.user_pass {
                told.push(Capability::User);
            }
            let possible = self.mechanisms.iter().filter(|mechanism| mechanism.is_possible(tls));
            let names: Vec<_> = possible.filter_map(|mechanism| Word::new(mechanism.name()).ok()).collect();
            if !names.is_empty() {
                told.push(Capability::Sasl(names));
            }
        }
        if self.start_tls && tls.is_none() && !logged_in {
            told.push(Capability::Stls);
        }
        if let Some(ByUser { value, differs }) = self.expire {
            let own = user.and_then(|user| user.expiry).unwrap_or(value);
            told.push(Capability::Expire { expiry: own, per_user: differs && !logged_in });
        }
        if let Some(ByUser { value, differs }) = self.login_interval {
            let own = user.and_then(|user| user.login_interval).unwrap_or(value);
            let seconds = own.as_secs().saturating_add(u64::from(own.subsec_nanos() > 0));
            told.push(Capability::LoginDelay { seconds, per_user: differs && !logged_in });
        }
        if !self.implementation.is_empty() && (logged_in || self.implementation_before_login) {
            told.push(Capability::Implementation(self.implementation.clone()));
        }
        told.extend(self.capabilities.iter().cloned().map(Capability::Other));
        told
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tags(config: &Config, tls: bool, logged_in: bool) -> Vec<String> {
        let user = Promises::default();
        config
            .capabilities(tls.then_some(&TlsInfo::new("TLSv1.3", "TLS_AES_128_GCM_SHA256")), logged_in.then_some(&user))
            .iter()
            .map(|capability| capability.tag().to_owned())
            .collect()
    }

    #[test]
    fn capabilities_stay_over_a_login_but_for_stls() {
        let config = Config::new("mail.example.org", Arc::new(SaslConfig::from_os_random()))
            .with_start_tls(true)
            .with_insecure_login(true);
        let (before, mut after) = (tags(&config, false, false), tags(&config, false, true));
        after.push("STLS".into());
        assert_eq!(before, after);
        for tag in ["TOP", "UIDL", "PIPELINING", "USER", "SASL"] {
            assert!(before.iter().any(|told| told == tag), "{tag}");
        }
    }

    fn lines(config: &Config, user: Option<&Promises>) -> String {
        let mut out = bytes::BytesMut::new();
        config
            .capabilities(Some(&TlsInfo::new("TLSv1.3", "TLS_AES_128_GCM_SHA256")), user)
            .iter()
            .for_each(|capability| capability.encode(&mut out));
        String::from_utf8(out.to_vec()).unwrap()
    }

    #[test]
    fn sec_r7_no_version_is_told_before_the_login_and_none_at_all_unless_it_is_asked_for() {
        let config = Config::new("mail.example.org", Arc::new(SaslConfig::from_os_random()));
        let user = Promises::default();
        assert!(!lines(&config, None).contains("IMPLEMENTATION") && !lines(&config, Some(&user)).contains("IMPLEM"));
        let config = config.with_implementation("Shlemazle-Plotz-v302 \r\n. caf\u{e9}");
        assert!(!lines(&config, None).contains("302"));
        assert!(lines(&config, Some(&user)).contains("IMPLEMENTATION Shlemazle-Plotz-v302 . caf?\r\n"));
        let config = config.with_implementation_before_login(true);
        assert!(lines(&config, None).contains("IMPLEMENTATION Shlemazle-Plotz-v302"));
        let config = config.with_implementation(&"x".repeat(1000));
        assert!(lines(&config, None).lines().all(|line| line.len() <= 510));
    }

    #[test]
    fn a_users_own_figures_come_with_the_login() {
        let base = Config::new("mail.example.org", Arc::new(SaslConfig::from_os_random()));
        let user = Promises { expiry: Some(Expiry::Days(30)), login_interval: Some(Duration::from_millis(60_500)) };
        assert!(!lines(&base, Some(&user)).contains("EXPIRE"), "what is not promised is not told");
        let same = base.clone().with_expire(Expiry::Never).with_login_interval(Duration::from_secs(900));
        assert!(lines(&same, None).contains("\r\nEXPIRE NEVER\r\nLOGIN-DELAY 900\r\n"));
        assert!(lines(&same, Some(&Promises::default())).contains("\r\nEXPIRE NEVER\r\nLOGIN-DELAY 900\r\n"));
        let own = base.with_expire_by_user(Expiry::Days(5)).with_login_interval_by_user(Duration::from_secs(900));
        assert!(lines(&own, None).contains("\r\nEXPIRE 5 USER\r\nLOGIN-DELAY 900 USER\r\n"));
        assert!(lines(&own, Some(&user)).contains("\r\nEXPIRE 30\r\nLOGIN-DELAY 61\r\n"));
    }

    #[test]
    fn sec_t7_without_tls_no_login_is_advertised() {
        let config = Config::new("mail.example.org", Arc::new(SaslConfig::from_os_random())).with_start_tls(true);
        let plain = tags(&config, false, false);
        assert!(!plain.iter().any(|told| told == "USER" || told == "SASL"));
        assert!(plain.iter().any(|told| told == "STLS"));
        let encrypted = tags(&config, true, false);
        assert!(encrypted.iter().any(|told| told == "USER") && encrypted.iter().any(|told| told == "SASL"));
        assert!(!encrypted.iter().any(|told| told == "STLS"));
    }

    #[test]
    fn sec_i2_a_host_name_cannot_hold_a_line_end_or_a_timestamp() {
        let config = Config::new("a\r\n+OK <1.2@b> c", Arc::new(SaslConfig::from_os_random()));
        assert_eq!(config.host_name().as_str(), "a??+OK??1.2@b??c");
    }
}
