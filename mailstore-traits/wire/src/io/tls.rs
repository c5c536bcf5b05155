//! A server's certificate and key, ready for handshakes.

use std::fmt;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustls::pki_types::pem::{self, PemObject};
use rustls::pki_types::{CertificateDer, PrivateKeyDer};

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
    /// Something else about them is wrong.
    #[error("the certificate or the key cannot be used: {0}")]
    Unusable(rustls::Error),
}

/// What a server needs for TLS: shared by its connections, cheap to clone. TLS 1.2 and 1.3 (RFC 8314 §4.1), with the
/// ring provider unless a host brings a configuration of its own.
#[derive(Clone)]
pub struct TlsConfig(Arc<rustls::ServerConfig>);

impl TlsConfig {
    /// Reads a certificate chain, the server's own first, and its private key, from two files in PEM form.
    ///
    /// # Errors
    /// [`TlsConfigError`] says which file and what to look for.
    pub fn from_pem_files(certificate: impl AsRef<Path>, key: impl AsRef<Path>) -> Result<Self, TlsConfigError> {
        let read = |path: &Path| {
            std::fs::read(path).map_err(|source| TlsConfigError::Unreadable { path: path.to_owned(), source })
        };
        Self::from_pem(&read(certificate.as_ref())?, &read(key.as_ref())?)
    }

    /// The same from octets in memory.
    ///
    /// # Errors
    /// [`TlsConfigError`] says what to look for.
    pub fn from_pem(certificate: &[u8], key: &[u8]) -> Result<Self, TlsConfigError> {
        let chain: Vec<_> = CertificateDer::pem_slice_iter(certificate)
            .collect::<Result<_, pem::Error>>()
            .map_err(|_| TlsConfigError::NoCertificate)?;
        if chain.is_empty() {
            return Err(TlsConfigError::NoCertificate);
        }
        let key = PrivateKeyDer::from_pem_slice(key).map_err(|_| TlsConfigError::NoPrivateKey)?;
        rustls::ServerConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
            .with_safe_default_protocol_versions()
            .and_then(|builder| builder.with_no_client_auth().with_single_cert(chain, key))
            .map(|config| Self(Arc::new(config)))
            .map_err(|error| match error {
                rustls::Error::InconsistentKeys(_) => TlsConfigError::Mismatch,
                other => TlsConfigError::Unusable(other),
            })
    }

    /// Takes a configuration that the host has made: client certificates, many names, another provider.
    pub fn from_rustls(config: Arc<rustls::ServerConfig>) -> Self {
        Self(config)
    }

    pub(super) fn rustls(&self) -> Arc<rustls::ServerConfig> {
        Arc::clone(&self.0)
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
