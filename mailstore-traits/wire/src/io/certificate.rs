//! A certificate with its key, and which of several a handshake is answered with.

use std::collections::HashMap;
use std::fmt;
use std::path::Path;
use std::sync::Arc;

use rustls::crypto::ring;
use rustls::pki_types::pem::{self, PemObject};
use rustls::pki_types::{CertificateDer, DnsName, PrivateKeyDer};
use rustls::server::{ClientHello, ResolvesServerCert};
use rustls::sign::CertifiedKey;

use super::TlsConfigError;

/// A certificate chain and the private key of its first certificate. Cheap to clone.
#[derive(Clone)]
pub struct TlsCertificate(Arc<CertifiedKey>);

impl TlsCertificate {
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
        let chain = certificates(certificate)?;
        let key = PrivateKeyDer::from_pem_slice(key).map_err(|_| TlsConfigError::NoPrivateKey)?;
        match CertifiedKey::from_der(chain, key, &ring::default_provider()) {
            Ok(certified) => Ok(Self(Arc::new(certified))),
            Err(rustls::Error::InconsistentKeys(_)) => Err(TlsConfigError::Mismatch),
            Err(other) => Err(TlsConfigError::Unusable(other)),
        }
    }
}

impl fmt::Debug for TlsCertificate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("TlsCertificate")
    }
}

/// The certificates of a text in PEM form, at least one.
pub(super) fn certificates(pem: &[u8]) -> Result<Vec<CertificateDer<'static>>, TlsConfigError> {
    let found: Vec<_> = CertificateDer::pem_slice_iter(pem)
        .collect::<Result<_, pem::Error>>()
        .map_err(|_| TlsConfigError::NoCertificate)?;
    if found.is_empty() { Err(TlsConfigError::NoCertificate) } else { Ok(found) }
}

/// Certificates by the name that a client asks for (SNI). Filled before the first handshake and never after: what peers ask
/// for leaves nothing behind (attack row T10).
pub(super) struct Certificates {
    /// For clients that ask for no name, or for one that is not here. Mail programs do both, and judge the certificate
    /// themselves.
    default: TlsCertificate,
    by_name: HashMap<String, TlsCertificate>,
}

impl Certificates {
    pub(super) fn new(default: TlsCertificate) -> Self {
        Self { default, by_name: HashMap::new() }
    }

    pub(super) fn add(&mut self, name: &str, certificate: TlsCertificate) -> Result<(), TlsConfigError> {
        // No dot at the end, as SNI has none (RFC 6066 §3).
        let name = DnsName::try_from(name.trim_end_matches('.'))
            .map_err(|_| TlsConfigError::Name { name: name.escape_debug().to_string() })?;
        self.by_name.insert(name.to_lowercase_owned().as_ref().to_owned(), certificate);
        Ok(())
    }

    fn of(&self, name: Option<&str>) -> &TlsCertificate {
        name.and_then(|name| self.by_name.get(&name.to_ascii_lowercase())).unwrap_or(&self.default)
    }
}

impl ResolvesServerCert for Certificates {
    fn resolve(&self, hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        Some(Arc::clone(&self.of(hello.server_name()).0))
    }
}

impl fmt::Debug for Certificates {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Certificates").field("names", &self.by_name.len()).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn certified() -> TlsCertificate {
        let made = rcgen::generate_simple_self_signed([String::from("localhost")]).unwrap();
        TlsCertificate::from_pem(made.cert.pem().as_bytes(), made.signing_key.serialize_pem().as_bytes()).unwrap()
    }

    #[test]
    fn a_name_is_found_in_any_case_and_strangers_get_the_default() {
        let (default, named) = (certified(), certified());
        let mut certificates = Certificates::new(default.clone());
        certificates.add("Mail.Example.ORG.", named.clone()).unwrap();
        let is = |name: Option<&str>, expected: &TlsCertificate| Arc::ptr_eq(&certificates.of(name).0, &expected.0);
        assert!(is(Some("mail.example.org"), &named) && is(Some("MAIL.example.org"), &named));
        assert!(is(Some("example.org"), &default) && is(None, &default));
        assert!(matches!(certificates.add("a b", default.clone()), Err(TlsConfigError::Name { .. })));
    }

    #[test]
    fn sec_a13_a_certificate_in_a_log_shows_no_key() {
        assert_eq!(format!("{:?}", certified()), "TlsCertificate");
    }
}
