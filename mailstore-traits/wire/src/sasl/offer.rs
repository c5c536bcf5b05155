//! Which mechanisms there are: what a host can carry out, and what one connection is good for.

use mailstore_traits::{Authenticator, ClientCertificate};

use super::Mechanism;
use crate::machine::{TlsExporter, TlsInfo};

impl Mechanism {
    /// What a host with this authenticator can carry out, the strongest first: the list for a server's configuration. PLAIN
    /// and LOGIN always, for every host knows passwords; the others as the authenticator says.
    ///
    /// What a connection is good for is another question, which each session asks for itself:
    /// [`is_possible`](Self::is_possible).
    pub fn offered_by(authenticator: &impl Authenticator) -> Vec<Self> {
        let carried_out = |mechanism: &Self| match mechanism {
            Self::ScramSha256Plus | Self::ScramSha256 => authenticator.scram(),
            Self::ScramSha1Plus | Self::ScramSha1 => authenticator.scram_sha1(),
            Self::External => authenticator.certificates(),
            Self::OauthBearer | Self::Xoauth2 => authenticator.tokens(),
            Self::Plain | Self::Login => true,
            Self::CramMd5 => authenticator.cram_md5(),
            Self::Anonymous => authenticator.anonymous(),
        };
        Self::ALL.into_iter().filter(carried_out).collect()
    }

    /// Whether a connection with that much TLS is good for it: a -PLUS mechanism needs what a handshake of TLS 1.3 exports
    /// (RFC 9266 §4), EXTERNAL a client's certificate. Whether one that is [plaintext](Self::is_plaintext) is to be used
    /// without TLS is the session's to decide.
    pub fn is_possible(self, tls: Option<&TlsInfo>) -> bool {
        match self {
            Self::ScramSha256Plus | Self::ScramSha1Plus => tls.is_some_and(|tls| tls.exporter.is_some()),
            Self::External => tls.is_some_and(|tls| tls.client_certificate.is_some()),
            _ => true,
        }
    }

    /// Whether it binds to the channel below (RFC 5802 §6).
    pub const fn is_plus(self) -> bool {
        matches!(self, Self::ScramSha256Plus | Self::ScramSha1Plus)
    }
}

/// What an exchange knows of its connection. The default is one of which nothing is known: clear text, or TLS that some
/// proxy has ended.
///
/// Give it to every exchange on a connection on which a -PLUS mechanism is offered, whichever was chosen, or a downgrade
/// goes unseen (RFC 5802 §6; attack row A6).
#[derive(Debug, Clone, Default)]
pub struct Channel {
    exporter: Option<TlsExporter>,
    certificate: Option<ClientCertificate>,
    plus: bool,
}

impl Channel {
    /// A connection with that much TLS, on which those mechanisms are offered, as far as they are
    /// [possible](Mechanism::is_possible).
    pub fn new(tls: Option<&TlsInfo>, mechanisms: &[Mechanism]) -> Self {
        Self {
            exporter: tls.and_then(|tls| tls.exporter),
            certificate: tls.and_then(|tls| tls.client_certificate.clone()),
            plus: mechanisms.iter().any(|mechanism| mechanism.is_plus() && mechanism.is_possible(tls)),
        }
    }

    pub(super) fn exporter(&self) -> Option<&TlsExporter> {
        self.exporter.as_ref()
    }

    pub(super) fn certificate(&self) -> Option<&ClientCertificate> {
        self.certificate.as_ref()
    }

    /// Whether a -PLUS mechanism was offered.
    pub(super) fn offers_plus(&self) -> bool {
        self.plus
    }
}

#[cfg(test)]
mod tests {
    use mailstore_traits::{AccountId, Result, Secret, UserName};

    use super::*;

    #[derive(Clone, Default)]
    struct Host {
        everything: bool,
    }

    impl Authenticator for Host {
        async fn check_password(&self, _: &UserName, _: &Secret<String>) -> Result<Option<AccountId>> {
            Ok(None)
        }
        fn scram(&self) -> bool {
            self.everything
        }
        fn scram_sha1(&self) -> bool {
            self.everything
        }
        fn tokens(&self) -> bool {
            self.everything
        }
        fn certificates(&self) -> bool {
            self.everything
        }
        fn anonymous(&self) -> bool {
            self.everything
        }
        fn cram_md5(&self) -> bool {
            self.everything
        }
    }

    #[test]
    fn sec_a14_a_host_that_says_nothing_offers_plain_and_login_alone() {
        assert_eq!(Mechanism::offered_by(&Host::default()), [Mechanism::Plain, Mechanism::Login]);
        assert_eq!(Mechanism::offered_by(&Host { everything: true }), Mechanism::ALL);
    }

    #[test]
    fn what_needs_tls_of_a_kind_is_possible_with_that_kind_alone() {
        let possible = |tls: Option<&TlsInfo>| {
            let possible = Mechanism::ALL.into_iter().filter(|mechanism| mechanism.is_possible(tls));
            possible.filter(|it| it.is_plus() || *it == Mechanism::External).collect::<Vec<_>>()
        };
        let tls = TlsInfo::new("TLSv1.2", "TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256");
        assert_eq!(possible(None), []);
        assert_eq!(possible(Some(&tls)), []);
        let bound = tls.clone().with_exporter(Some(TlsExporter::new([1; 32])));
        assert_eq!(possible(Some(&bound)), [Mechanism::ScramSha256Plus, Mechanism::ScramSha1Plus]);
        let known = tls.with_client_certificate(Some(ClientCertificate::from_der([1; 3])));
        assert_eq!(possible(Some(&known)), [Mechanism::External]);
    }

    #[test]
    fn sec_a6_plus_is_offered_where_it_is_configured_and_possible() {
        let bound = TlsInfo::new("TLSv1.3", "x").with_exporter(Some(TlsExporter::new([1; 32])));
        let both = [Mechanism::ScramSha256, Mechanism::ScramSha256Plus];
        assert!(Channel::new(Some(&bound), &both).offers_plus());
        assert!(!Channel::new(Some(&bound), &both[..1]).offers_plus());
        assert!(!Channel::new(None, &both).offers_plus());
    }
}
