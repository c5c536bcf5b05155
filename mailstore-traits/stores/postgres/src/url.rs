//! What a URL says of TLS, in the words of libpq, which tokio-postgres does not all know.

use std::path::PathBuf;

use crate::OpenError;

/// A URL without what was said of TLS, and that.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Taken {
    pub(crate) url: String,
    /// `sslrootcert`: the certificates that the server's is checked by.
    pub(crate) roots: Option<PathBuf>,
    /// `sslmode` asks for TLS.
    pub(crate) demands: bool,
    /// `sslmode` wants none.
    pub(crate) refuses: bool,
}

/// Takes `sslmode` and `sslrootcert` out of a URL. What is no URL (`host=... user=...`) is left as it is.
pub(crate) fn take_tls(url: &str) -> Result<Taken, OpenError> {
    let mut taken = Taken { url: url.to_owned(), roots: None, demands: false, refuses: false };
    let Some((front, query)) = url.split_once('?').filter(|_| url.contains("://")) else { return Ok(taken) };
    let mut left = Vec::new();
    for parameter in query.split('&') {
        match parameter.split_once('=') {
            Some(("sslrootcert", "system")) => {
                return Err(OpenError::Certificates(
                    "sslrootcert=system: name the system's file, on Debian /etc/ssl/certs/ca-certificates.crt".into(),
                ));
            }
            Some(("sslrootcert", path)) => taken.roots = Some(decoded(path)?.into()),
            Some(("sslmode", mode)) => match mode {
                // A certificate is checked whole, with its name, or not looked at: there is nothing between.
                "require" | "verify-ca" | "verify-full" => taken.demands = true,
                "disable" => taken.refuses = true,
                "allow" | "prefer" => {}
                mode => {
                    return Err(OpenError::Url(format!(
                        "sslmode={mode}: there are disable, prefer, require and verify-full"
                    )));
                }
            },
            _ => left.push(parameter),
        }
    }
    taken.url = if left.is_empty() { front.to_owned() } else { format!("{front}?{}", left.join("&")) };
    Ok(taken)
}

/// Percent-encoding taken off.
fn decoded(text: &str) -> Result<String, OpenError> {
    let bad = || OpenError::Url("sslrootcert is no percent-encoded path".into());
    let mut octets = Vec::new();
    let mut rest = text.as_bytes();
    while let Some((&first, behind)) = rest.split_first() {
        rest = behind;
        if first != b'%' {
            octets.push(first);
            continue;
        }
        let (digits, behind) = rest.split_at_checked(2).ok_or_else(bad)?;
        let digits = std::str::from_utf8(digits).map_err(|_| bad())?;
        octets.push(u8::from_str_radix(digits, 16).map_err(|_| bad())?);
        rest = behind;
    }
    String::from_utf8(octets).map_err(|_| bad())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_said_of_tls_is_taken_out_of_a_url() {
        let taken = |url| take_tls(url).unwrap();
        let said = taken("postgres://a:b@h/d?sslmode=verify-full&connect_timeout=3&sslrootcert=%2Fetc%2Fca.pem");
        assert_eq!(said.url, "postgres://a:b@h/d?connect_timeout=3");
        assert_eq!((said.roots, said.demands, said.refuses), (Some("/etc/ca.pem".into()), true, false));
        let said = taken("postgres://a@h/d?sslrootcert=/etc/ca.pem");
        assert_eq!(
            (said.url.as_str(), said.roots, said.demands),
            ("postgres://a@h/d", Some("/etc/ca.pem".into()), false)
        );
        assert!(taken("postgres://a@h/d?sslmode=disable").refuses);
        assert_eq!(taken("host=/run dbname=d").url, "host=/run dbname=d");
        for wrong in
            ["postgres://h/d?sslmode=always", "postgres://h/d?sslrootcert=system", "postgres://h/d?sslrootcert=%2"]
        {
            take_tls(wrong).unwrap_err();
        }
    }
}
