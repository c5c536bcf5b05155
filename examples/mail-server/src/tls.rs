//! The certificate: the operator's own, or a self-signed one that is made, kept and renewed.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use mail_wire::io::{TlsConfig, TlsConfigError};
use rcgen::{CertificateParams, DnType, ExtendedKeyUsagePurpose, KeyPair, KeyUsagePurpose};
use serde::{Deserialize, Serialize};
use time::{Duration, OffsetDateTime};

use crate::data::{DataFolder, write_private};
use crate::error::{Failure, Outcome, reason};
use crate::name::Domain;

/// How long a self-signed certificate is good: what Apple's systems accept at the most (825 days), and a bit less.
const LIFETIME: Duration = Duration::days(820);
/// It is renewed at a start when less than this is left.
const RENEW_BEFORE: Duration = Duration::days(30);

/// A certificate ready for use.
#[derive(Debug, Clone)]
pub(crate) struct Certificate {
    pub(crate) config: TlsConfig,
    /// The certificate's file: what a client is shown that shall trust a self-signed one.
    pub(crate) file: PathBuf,
    pub(crate) self_signed: bool,
    /// What the operator should know: that it was made, or made anew, and why.
    pub(crate) news: Option<String>,
}

/// What a self-signed certificate says, kept beside it so that it need not be parsed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Facts {
    names: BTreeSet<String>,
    /// Unix seconds.
    not_after: i64,
}

/// Loads the operator's certificate and key.
pub(crate) fn from_files(cert: &Path, key: &Path) -> Outcome<Certificate> {
    let read = |path: &Path, option: &str| {
        std::fs::read(path).map_err(|error| {
            Failure::failed(format!("cannot read {} (--{option}): {}", path.display(), reason(&error)))
        })
    };
    let (cert_pem, key_pem) = (read(cert, "tls-cert")?, read(key, "tls-key")?);
    let config = TlsConfig::from_pem(&cert_pem, &key_pem).map_err(|fault| {
        Failure::failed(match fault {
            TlsConfigError::NoCertificate => format!(
                "{} holds no certificate; --tls-cert wants a chain in PEM, the server's own first",
                cert.display()
            ),
            TlsConfigError::NoPrivateKey => {
                format!("{} holds no private key; --tls-key wants one in PEM without a passphrase", key.display())
            }
            TlsConfigError::Mismatch => format!(
                "the key {} does not belong to the certificate {}; give the pair that was issued together",
                key.display(),
                cert.display()
            ),
            other => format!("{} and {} cannot be used: {other}; give another pair", cert.display(), key.display()),
        })
    })?;
    Ok(Certificate { config, file: cert.to_owned(), self_signed: false, news: None })
}

/// Loads the data folder's self-signed certificate; makes it if there is none, or if it no longer fits.
pub(crate) fn self_signed(folder: &DataFolder, domains: &[Domain], hostname: &Domain) -> Outcome<Certificate> {
    let path = |name: &str| folder.path().join(name);
    let (cert, key, facts) = (path("tls-cert.pem"), path("tls-key.pem"), path("tls-cert.toml"));
    let names: BTreeSet<String> = domains
        .iter()
        .chain([hostname])
        .map(Domain::as_str)
        .chain(["localhost", "127.0.0.1", "::1"])
        .map(str::to_owned)
        .collect();
    let kept = kept(&cert, &key, &facts);
    let now = OffsetDateTime::now_utc();
    let why = match &kept {
        None => "made a self-signed certificate",
        Some((kept, _)) if kept.names != names => "made the self-signed certificate anew, for the names have changed",
        Some((kept, _)) if kept.not_after < now.saturating_add(RENEW_BEFORE).unix_timestamp() => {
            "made the self-signed certificate anew, for it had come to its end"
        }
        Some((_, config)) => {
            return Ok(Certificate { config: config.clone(), file: cert, self_signed: true, news: None });
        }
    };
    let cannot = |why: String| Failure::failed(format!("cannot make a self-signed certificate: {why}"));
    let not_after = now.saturating_add(LIFETIME);
    let (cert_pem, key_pem) = make(&names, hostname, now, not_after).map_err(|error| cannot(error.to_string()))?;
    let text = toml::to_string(&Facts { names, not_after: not_after.unix_timestamp() })
        .map_err(|error| cannot(error.to_string()))?;
    // The facts last: a crash in between leaves a pair without them, which is made anew at the next start.
    std::fs::remove_file(&facts).or_else(|error| match error.kind() {
        std::io::ErrorKind::NotFound => Ok(()),
        _ => Err(cannot(reason(&error))),
    })?;
    for (path, octets) in [(&key, &key_pem), (&cert, &cert_pem), (&facts, &text)] {
        write_private(path, octets.as_bytes())
            .map_err(|error| cannot(format!("{} cannot be written: {}", path.display(), reason(&error))))?;
    }
    let config =
        TlsConfig::from_pem(cert_pem.as_bytes(), key_pem.as_bytes()).map_err(|error| cannot(error.to_string()))?;
    Ok(Certificate { config, file: cert, self_signed: true, news: Some(why.to_owned()) })
}

/// The certificate that is there, if all of it is and it can be used.
fn kept(cert: &Path, key: &Path, facts: &Path) -> Option<(Facts, TlsConfig)> {
    let facts = toml::from_str(&std::fs::read_to_string(facts).ok()?).ok()?;
    Some((facts, TlsConfig::from_pem(&std::fs::read(cert).ok()?, &std::fs::read(key).ok()?).ok()?))
}

fn make(
    names: &BTreeSet<String>,
    hostname: &Domain,
    from: OffsetDateTime,
    until: OffsetDateTime,
) -> Result<(String, String), rcgen::Error> {
    // Names of letters that DNS does not have cannot stand in a certificate; their A-labels can, if they are given.
    let ascii: Vec<String> = names.iter().filter(|name| name.is_ascii()).cloned().collect();
    let mut params = CertificateParams::new(ascii)?;
    params.distinguished_name = rcgen::DistinguishedName::new();
    params.distinguished_name.push(DnType::CommonName, hostname.as_str());
    // Back a day: the clocks of clients are not all set.
    params.not_before = from.saturating_sub(Duration::days(1));
    params.not_after = until;
    params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
    params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
    let key = KeyPair::generate()?;
    let cert = params.self_signed(&key)?;
    Ok((cert.pem(), key.serialize_pem()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn domains(names: &[&str]) -> Vec<Domain> {
        names.iter().map(|name| name.parse().unwrap()).collect()
    }

    #[test]
    fn it_is_made_once_and_made_anew_when_the_names_change() {
        let folder = tempfile::tempdir().unwrap();
        let data = DataFolder::open_or_make(folder.path()).unwrap();
        let start = |names: &[&str]| {
            let domains = domains(names);
            let made = self_signed(&data, &domains, domains.first().unwrap()).unwrap();
            (made.news, std::fs::read(made.file).unwrap())
        };
        let (news, first) = start(&["example.org"]);
        assert!(news.unwrap().starts_with("made a self-signed"));
        assert_eq!(start(&["example.org"]), (None, first.clone()));
        let (news, second) = start(&["example.org", "example.com"]);
        assert!(news.unwrap().contains("names have changed"));
        assert_ne!(first, second);
        #[cfg(unix)]
        {
            let key = folder.path().join("tls-key.pem").metadata().unwrap();
            assert_eq!(std::os::unix::fs::PermissionsExt::mode(&key.permissions()) & 0o777, 0o600);
        }
    }

    #[test]
    fn it_is_renewed_before_it_ends_and_when_a_part_is_lost() {
        let folder = tempfile::tempdir().unwrap();
        let data = DataFolder::open_or_make(folder.path()).unwrap();
        let names = domains(&["example.org", "müller.example"]);
        let start = || self_signed(&data, &names, names.first().unwrap()).unwrap().news;
        start();
        let facts = folder.path().join("tls-cert.toml");
        let mut kept: Facts = toml::from_str(&std::fs::read_to_string(&facts).unwrap()).unwrap();
        kept.not_after = OffsetDateTime::now_utc().saturating_add(Duration::days(29)).unix_timestamp();
        std::fs::write(&facts, toml::to_string(&kept).unwrap()).unwrap();
        assert!(start().unwrap().contains("come to its end"));
        for lost in ["tls-cert.toml", "tls-key.pem", "tls-cert.pem"] {
            std::fs::remove_file(folder.path().join(lost)).unwrap();
            assert!(start().is_some(), "{lost}");
            assert!(start().is_none(), "{lost}");
        }
    }

    #[test]
    fn a_bad_pair_is_told_in_a_sentence() {
        let folder = tempfile::tempdir().unwrap();
        let write = |name: &str, text: &str| {
            let path = folder.path().join(name);
            std::fs::write(&path, text).unwrap();
            path
        };
        let names = BTreeSet::from([String::from("localhost")]);
        let host: Domain = "localhost".parse().unwrap();
        let now = OffsetDateTime::now_utc();
        let (cert, key) = make(&names, &host, now, now).unwrap();
        let (_, other_key) = make(&names, &host, now, now).unwrap();
        let (cert, key) = (write("cert", &cert), write("key", &key));
        assert!(from_files(&cert, &key).is_ok());
        let (other, junk) = (write("other", &other_key), write("junk", "junk"));
        for (cert, key, expected) in [
            (&junk, &key, "holds no certificate"),
            (&key, &key, "holds no certificate"),
            (&cert, &junk, "holds no private key"),
            (&cert, &cert, "holds no private key"),
            (&cert, &other, "does not belong to the certificate"),
            (&folder.path().join("nothing"), &key, "it does not exist"),
        ] {
            let told = from_files(cert, key).unwrap_err().to_string();
            assert!(told.contains(expected), "{told}");
        }
    }
}
