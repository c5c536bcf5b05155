//! A server's certificate and key, ready for handshakes.

use std::fmt;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustls::RootCertStore;
use rustls::server::{VerifierBuilderError, WebPkiClientVerifier};

use super::certificate::{Certificates, TlsCertificate, certificates};

/// Why a certificate and key cannot be used.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum TlsConfigError {
    /// A file cannot be read.
    #[error("cannot read {path}: {source}")]
    Unreadable {
        /// Which file.
        path: PathBuf,
        /// Why not.
        source: io::Error,
    },
    /// There is no certificate in PEM form.
    #[error("no certificate found: expected PEM with `-----BEGIN CERTIFICATE-----`")]
    NoCertificate,
    /// There is no private key in PEM form.
    #[error("no private key found: expected PEM with `-----BEGIN PRIVATE KEY-----` and no passphrase")]
    NoPrivateKey,
    /// The key is not the certificate's.
    #[error("the private key does not belong to the certificate")]
    Mismatch,
    /// A certificate is for a name that no client can ask for.
    #[error("`{name}` is no DNS name")]
    Name {
        /// The name, escaped.
        name: String,
    },
    /// Clients' certificates cannot be verified by these authorities.
    #[error("the authorities of clients' certificates cannot be used: {0}")]
    ClientRoots(VerifierBuilderError),
    /// Something else about them is wrong.
    #[error("the certificate or the key cannot be used: {0}")]
    Unusable(rustls::Error),
}

/// What a server needs for TLS: shared by its connections, cheap to clone. TLS 1.2 and 1.3 (RFC 8314 §4.1), with the
/// ring provider unless a host brings a configuration of its own.
#[derive(Clone)]
pub struct TlsConfig(Arc<rustls::ServerConfig>);

/// What goes into a [`TlsConfig`] besides its certificate.
#[derive(Debug)]
pub struct TlsConfigBuilder {
    certificates: Certificates,
    client_roots: Option<RootCertStore>,
    alpn: Vec<Vec<u8>>,
}

impl TlsConfig {
    /// Reads a certificate chain, the server's own first, and its private key, from two files in PEM form.
    ///
    /// # Errors
    /// [`TlsConfigError`] says which file and what to look for.
    pub fn from_pem_files(certificate: impl AsRef<Path>, key: impl AsRef<Path>) -> Result<Self, TlsConfigError> {
        Self::builder(TlsCertificate::from_pem_files(certificate, key)?).build()
    }

    /// The same from octets in memory.
    ///
    /// # Errors
    /// [`TlsConfigError`] says what to look for.
    pub fn from_pem(certificate: &[u8], key: &[u8]) -> Result<Self, TlsConfigError> {
        Self::builder(TlsCertificate::from_pem(certificate, key)?).build()
    }

    /// That certificate for all who ask for no other; more of them, clients' certificates and ALPN are the builder's to add.
    pub fn builder(certificate: TlsCertificate) -> TlsConfigBuilder {
        TlsConfigBuilder { certificates: Certificates::new(certificate), client_roots: None, alpn: Vec::new() }
    }

    /// Takes a configuration that the host has made: another provider, another way to verify clients. If it asks clients for
    /// certificates, those that its verifier lets through are what EXTERNAL goes by.
    pub fn from_rustls(config: Arc<rustls::ServerConfig>) -> Self {
        Self(config)
    }

    /// The same with these ALPN protocol ids (RFC 7301): see [`TlsConfigBuilder::alpn`]. For one certificate on listeners
    /// of several protocols.
    #[must_use]
    pub fn with_alpn<P: AsRef<[u8]>>(self, protocols: impl IntoIterator<Item = P>) -> Self {
        let mut config = Arc::unwrap_or_clone(self.0);
        config.alpn_protocols = protocols.into_iter().map(|protocol| protocol.as_ref().to_vec()).collect();
        Self(Arc::new(config))
    }

    pub(super) fn rustls(&self) -> Arc<rustls::ServerConfig> {
        Arc::clone(&self.0)
    }
}

impl TlsConfigBuilder {
    /// A certificate for clients that ask for that name (SNI, RFC 6066 §3). The names are fixed when it is built: what
    /// clients ask for makes nothing grow (attack row T10).
    ///
    /// # Errors
    /// [`TlsConfigError::Name`] if it is no DNS name.
    pub fn certificate(mut self, name: &str, certificate: TlsCertificate) -> Result<Self, TlsConfigError> {
        self.certificates.add(name, certificate)?;
        Ok(self)
    }

    /// Asks clients for a certificate that one of these authorities, in PEM form, has issued. None is needed for a handshake;
    /// one that is shown and cannot be verified ends it. For listeners of a host's own users: servers that send mail on
    /// port 25 show certificates of their own making.
    ///
    /// Who has shown one can log in with EXTERNAL, if the host's authenticator maps it to somebody.
    ///
    /// # Errors
    /// [`TlsConfigError`] if there is no certificate in it, or one that cannot be an authority's.
    pub fn client_roots(mut self, authorities: &[u8]) -> Result<Self, TlsConfigError> {
        let roots = self.client_roots.get_or_insert_with(RootCertStore::empty);
        for authority in certificates(authorities)? {
            roots.add(authority).map_err(TlsConfigError::Unusable)?;
        }
        Ok(self)
    }

    /// The ALPN protocol ids of the listener (RFC 7301): `pop3`, `imap`, as IANA registers them. A client that offers others
    /// and none of these meant another server: its handshake fails, and no request of another protocol is read as commands
    /// (attack row T9). Clients that offer none, as most mail programs, are served.
    #[must_use]
    pub fn alpn<P: AsRef<[u8]>>(mut self, protocols: impl IntoIterator<Item = P>) -> Self {
        self.alpn = protocols.into_iter().map(|protocol| protocol.as_ref().to_vec()).collect();
        self
    }

    /// All of it together.
    ///
    /// # Errors
    /// [`TlsConfigError`] if rustls does not take it.
    pub fn build(self) -> Result<TlsConfig, TlsConfigError> {
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let builder = rustls::ServerConfig::builder_with_provider(Arc::clone(&provider))
            .with_safe_default_protocol_versions()
            .map_err(TlsConfigError::Unusable)?;
        let builder = match self.client_roots {
            Some(roots) => {
                let verifier = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider);
                let verifier = verifier.allow_unauthenticated().build().map_err(TlsConfigError::ClientRoots)?;
                builder.with_client_cert_verifier(verifier)
            }
            None => builder.with_no_client_auth(),
        };
        let mut config = builder.with_cert_resolver(Arc::new(self.certificates));
        config.alpn_protocols = self.alpn;
        Ok(TlsConfig(Arc::new(config)))
    }
}

impl fmt::Debug for TlsConfig {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("TlsConfig")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn certified() -> (String, String) {
        let made = rcgen::generate_simple_self_signed([String::from("localhost")]).unwrap();
        (made.cert.pem(), made.signing_key.serialize_pem())
    }

    #[test]
    fn each_mistake_has_words_of_its_own() {
        let (certificate, key) = certified();
        let (_, other_key) = certified();
        let attempt = |certificate: &str, key: &str| TlsConfig::from_pem(certificate.as_bytes(), key.as_bytes());
        assert!(attempt(&certificate, &key).is_ok());
        assert!(matches!(attempt("", &key), Err(TlsConfigError::NoCertificate)));
        assert!(matches!(attempt(&key, &key), Err(TlsConfigError::NoCertificate)));
        assert!(matches!(attempt(&certificate, &certificate), Err(TlsConfigError::NoPrivateKey)));
        assert!(matches!(attempt(&certificate, &other_key), Err(TlsConfigError::Mismatch)));
        let missing = TlsConfig::from_pem_files("/nonexistent/cert.pem", "/nonexistent/key.pem").unwrap_err();
        assert!(missing.to_string().contains("/nonexistent/cert.pem"));
    }
}
