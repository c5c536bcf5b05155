//! What the sessions of one server have in common.

use std::sync::Arc;

use mail_wire::machine::TlsInfo;
use mail_wire::sasl::{Mechanism, SaslConfig};

use crate::grammar::Tag;
use crate::limits::{Limits, Timeouts};
use crate::response::Text;

/// What is spoken in any case, before the login and after it.
const ALWAYS: &str = "IMAP4rev1 IMAP4rev2 LITERAL+ SASL-IR ENABLE ID";

/// What is told after the login, for it means nothing before. IMAP4rev2 has most of it folded in (RFC 9051 Appendix E);
/// clients of IMAP4rev1 look for each.
const AFTER_LOGIN: &str = "IDLE NAMESPACE CHILDREN UIDPLUS UNSELECT MOVE SPECIAL-USE LIST-EXTENDED LIST-STATUS ESEARCH \
                           SEARCHRES CONDSTORE STATUS=SIZE";

/// What the sessions of one server have in common. Made once, shared in an `Arc`.
#[derive(Debug, Clone)]
pub struct Config {
    host_name: Text,
    limits: Limits,
    timeouts: Timeouts,
    sasl: Arc<SaslConfig>,
    mechanisms: Vec<Mechanism>,
    login: bool,
    start_tls: bool,
    insecure_login: bool,
    id: Vec<(String, String)>,
    capabilities: Vec<String>,
}

impl Config {
    /// A server of that name, with the default [`Limits`], LOGIN and the mechanisms PLAIN and LOGIN, all of them inside TLS
    /// only, and without STARTTLS.
    ///
    /// The name stands in the greeting and the farewell; octets that have no place there become `?`. No version is told
    /// (attack row R7).
    pub fn new(host_name: &str, sasl: Arc<SaslConfig>) -> Self {
        let host_name: String = host_name.chars().take(255).collect();
        Self {
            host_name: Text::lossy(&host_name),
            limits: Limits::default(),
            timeouts: Timeouts::default(),
            sasl,
            mechanisms: vec![Mechanism::Plain, Mechanism::Login],
            login: true,
            start_tls: false,
            insecure_login: false,
            id: Vec::new(),
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

    /// The mechanisms of AUTHENTICATE, in the order of preference. Offer only what the host can answer the queries of.
    #[must_use]
    pub fn with_mechanisms(mut self, mechanisms: impl IntoIterator<Item = Mechanism>) -> Self {
        self.mechanisms = mechanisms.into_iter().collect();
        self
    }

    /// Whether LOGIN is offered. It is unless it is said; LOGINDISABLED tells otherwise (RFC 9051 §6.2.3).
    #[must_use]
    pub fn with_login(mut self, offered: bool) -> Self {
        self.login = offered;
        self
    }

    /// Whether STARTTLS is offered (RFC 9051 §6.2.1). The host must then be able to answer
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

    /// What ID tells of the server, after the login only (RFC 2971 §3.3): fields and values of printable ASCII; 30 of them
    /// at the most, names of 30 octets, values of 1024. Nothing unless it is said: a version tells an attacker what to try
    /// (attack row R7).
    #[must_use]
    pub fn with_id(mut self, fields: impl IntoIterator<Item = (String, String)>) -> Self {
        let clean = |text: String, most: usize| -> String {
            text.chars().take(most).map(|char| if matches!(char, ' '..='~') { char } else { '?' }).collect()
        };
        self.id = fields.into_iter().take(30).map(|(name, value)| (clean(name, 30), clean(value, 1024))).collect();
        self
    }

    /// One more capability, told after the login: something that the host carries out itself. What is no atom is left out.
    #[must_use]
    pub fn with_capability(mut self, capability: &str) -> Self {
        // A capability is an atom, and so is a tag that has no `+` in it.
        if Tag::new(&capability.replace('+', "-")).is_some() {
            self.capabilities.push(capability.to_owned());
        }
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

    pub(super) fn host_name(&self) -> &str {
        self.host_name.as_str()
    }

    pub(super) fn sasl(&self) -> &Arc<SaslConfig> {
        &self.sasl
    }

    pub(super) fn mechanisms(&self) -> &[Mechanism] {
        &self.mechanisms
    }

    pub(super) fn offers_login(&self) -> bool {
        self.login
    }

    pub(super) fn offers_start_tls(&self) -> bool {
        self.start_tls
    }

    pub(super) fn id(&self) -> &[(String, String)] {
        &self.id
    }

    pub(super) fn mechanism(&self, name: &str, tls: Option<&TlsInfo>) -> Option<Mechanism> {
        let mechanism = name.parse::<Mechanism>().ok()?;
        (self.mechanisms.contains(&mechanism) && mechanism.is_possible(tls)).then_some(mechanism)
    }

    /// Whether a login is taken.
    pub(super) fn takes_login(&self, tls: bool) -> bool {
        tls || self.insecure_login
    }

    /// The capabilities, with spaces between them.
    pub(super) fn capabilities(&self, tls: Option<&TlsInfo>, logged_in: bool) -> String {
        let mut told = ALWAYS.to_owned();
        let mut tell = |word: &str| {
            told.push(' ');
            told.push_str(word);
        };
        if logged_in {
            tell(AFTER_LOGIN);
            self.capabilities.iter().for_each(|capability| tell(capability));
            return told;
        }
        if self.start_tls && tls.is_none() {
            tell("STARTTLS");
        }
        let takes_login = self.takes_login(tls.is_some());
        if !takes_login || !self.login {
            tell("LOGINDISABLED");
        }
        if takes_login {
            let possible = self.mechanisms.iter().filter(|mechanism| mechanism.is_possible(tls));
            possible.for_each(|mechanism| tell(&format!("AUTH={}", mechanism.name())));
        }
        told
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn config() -> Config {
        Config::new("mail.example.org", Arc::new(SaslConfig::from_os_random())).with_start_tls(true)
    }

    #[test]
    fn sec_t7_no_login_is_offered_in_clear_text() {
        let tls = TlsInfo::new("TLSv1.3", "TLS_AES_128_GCM_SHA256");
        let clear = config().capabilities(None, false);
        assert!(clear.ends_with(" STARTTLS LOGINDISABLED"), "{clear}");
        let inside = config().capabilities(Some(&tls), false);
        assert!(inside.ends_with(" AUTH=PLAIN AUTH=LOGIN") && !inside.contains("STARTTLS"), "{inside}");
        assert!(config().with_login(false).capabilities(Some(&tls), false).contains("LOGINDISABLED"));
        assert!(!config().capabilities(Some(&tls), true).contains("AUTH="));
    }

    #[test]
    fn one_of_the_two_kinds_of_literals_is_told_and_never_both() {
        // RFC 7888 §5.
        let told = config().capabilities(None, false);
        assert!(told.contains(" LITERAL+ ") && !told.contains("LITERAL-"));
    }

    #[test]
    fn a_capability_of_the_hosts_is_one_word() {
        let config = config().with_capability("XHOST").with_capability("X Y").with_capability("");
        assert!(config.capabilities(None, true).ends_with(" STATUS=SIZE XHOST"));
    }
}
