//! What the sessions of one server have in common.

use std::sync::Arc;

use mail_wire::sasl::{Mechanism, SaslConfig};

use crate::grammar::{ResponseText, Word};
use crate::limits::{Limits, Timeouts};
use crate::response::{Capability, OtherCapability};

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
    capabilities: Vec<OtherCapability>,
}

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

    /// One more line for CAPA, in both states: something that the host carries out itself, or `IMPLEMENTATION`.
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

    /// That mechanism, if it is offered.
    pub(super) fn mechanism(&self, name: &Word) -> Option<Mechanism> {
        name.as_str().parse().ok().filter(|mechanism| self.mechanisms.contains(mechanism))
    }

    /// Whether a login is taken.
    pub(super) fn takes_login(&self, tls: bool) -> bool {
        tls || self.insecure_login
    }

    /// What CAPA tells. Before and after login it is the same but for STLS, since clients ask once and remember (RFC 2449
    /// §5); without TLS the ways to log in are left out (attack row T7).
    pub(super) fn capabilities(&self, tls: bool, logged_in: bool) -> Vec<Capability> {
        let mut told = vec![
            Capability::Top,
            Capability::Uidl,
            Capability::RespCodes,
            Capability::AuthRespCode,
            Capability::Pipelining,
        ];
        if self.takes_login(tls) {
            if self.user_pass {
                told.push(Capability::User);
            }
            let names: Vec<_> =
                self.mechanisms.iter().filter_map(|mechanism| Word::new(mechanism.name()).ok()).collect();
            if !names.is_empty() {
                told.push(Capability::Sasl(names));
            }
        }
        if self.start_tls && !tls && !logged_in {
            told.push(Capability::Stls);
        }
        told.extend(self.capabilities.iter().cloned().map(Capability::Other));
        told
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tags(config: &Config, tls: bool, logged_in: bool) -> Vec<String> {
        config.capabilities(tls, logged_in).iter().map(|capability| capability.tag().to_owned()).collect()
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
