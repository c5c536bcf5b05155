//! XFORWARD: a filter says where the next message came from (Postfix's `XFORWARD_README`).

use std::fmt;
use std::net::IpAddr;

use super::CommandErrorKind;
use super::forwarded::{self, Told};
use crate::grammar::{Domain, Host, Keyword};

/// A peer that the host trusts says where the next message came from. It changes what is told of the message, and nothing
/// of what its peer may do.
///
/// ```abnf
/// xforward-command = "XFORWARD" 1*( SP attribute-name "=" attribute-value )
/// attribute-name   = "NAME" / "ADDR" / "PORT" / "PROTO" / "HELO" / "IDENT" / "SOURCE"
/// attribute-value  = xtext                                 ; RFC 3461 §4
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct Xforward {
    /// NAME: the up-stream client's name.
    pub name: Option<Told<Domain>>,
    /// ADDR: its address. Only IP addresses are taken.
    pub addr: Option<Told<IpAddr>>,
    /// PORT: its port.
    pub port: Option<Told<u16>>,
    /// PROTO: what it spoke: letters, digits and hyphens, 64 of them at the most, in upper case.
    pub proto: Option<Told<Keyword>>,
    /// HELO: what it called itself.
    pub helo: Option<Told<Host>>,
    /// IDENT: by what name the up-stream server knows the message.
    pub ident: Option<Told<Ident>>,
    /// SOURCE: whether it came from within the up-stream server's own walls.
    pub source: Option<Told<Source>>,
}

/// The name of a message at another server: 1 to 255 octets of printable ASCII without white space and without what means
/// something in a header field (RFC 5322 §3.2.3, `specials`).
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Ident(String);

impl Ident {
    /// Its text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    fn parse(value: &str) -> Option<Self> {
        let legal = |octet: u8| octet.is_ascii_graphic() && !b"()<>[]:;@\\,\"".contains(&octet);
        value.bytes().all(legal).then(|| Self(value.to_owned()))
    }
}

impl fmt::Display for Ident {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Where an up-stream server had a message from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Source {
    /// From itself, or from what it counts as itself.
    Local,
    /// From elsewhere.
    Remote,
}

impl Source {
    fn parse(value: &str) -> Option<Self> {
        [Self::Local, Self::Remote].into_iter().find(|source| source.as_str().eq_ignore_ascii_case(value))
    }

    /// `LOCAL` or `REMOTE`.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Local => "LOCAL",
            Self::Remote => "REMOTE",
        }
    }
}

impl Xforward {
    /// Which attributes there are, as EHLO tells of them.
    pub(crate) const OFFER: &'static str = "XFORWARD NAME ADDR PORT PROTO HELO IDENT SOURCE";

    /// What was known before, with what this one says in its place.
    pub(crate) fn over(self, known: Self) -> Self {
        Self {
            name: self.name.or(known.name),
            addr: self.addr.or(known.addr),
            port: self.port.or(known.port),
            proto: self.proto.or(known.proto),
            helo: self.helo.or(known.helo),
            ident: self.ident.or(known.ident),
            source: self.source.or(known.source),
        }
    }

    /// Whether the message was made at the up-stream server itself, so that there is no client to tell of: `ADDR` has
    /// been said to be unavailable, and the other attributes are to be ignored.
    pub fn is_local_submission(&self) -> bool {
        self.addr == Some(Told::Unavailable)
    }

    pub(super) fn parse(arguments: &[u8]) -> Result<Self, CommandErrorKind> {
        let mut xforward = Self::default();
        for attribute in forwarded::attributes(arguments)? {
            match attribute.name.as_str() {
                "NAME" => xforward.name = Some(attribute.told(forwarded::name)?),
                "ADDR" => xforward.addr = Some(attribute.told(forwarded::address)?),
                "PORT" => xforward.port = Some(attribute.told(forwarded::port)?),
                "PROTO" => {
                    let keyword = |value: &str| value.parse().ok().filter(|_| value.len() <= 64);
                    xforward.proto = Some(attribute.told(keyword)?);
                }
                "HELO" => xforward.helo = Some(attribute.told(forwarded::hello)?),
                "IDENT" => xforward.ident = Some(attribute.told(Ident::parse)?),
                "SOURCE" => xforward.source = Some(attribute.told(Source::parse)?),
                _ => return Err(attribute.unknown()),
            }
        }
        Ok(xforward)
    }

    pub(super) fn arguments(&self) -> String {
        let attributes = [
            ("NAME", self.name.as_ref().map(|name| name.written(Domain::to_string))),
            ("ADDR", self.addr.map(|addr| addr.written(forwarded::address_text))),
            ("PORT", self.port.map(|port| port.written(u16::to_string))),
            ("PROTO", self.proto.as_ref().map(|proto| proto.written(Keyword::to_string))),
            ("HELO", self.helo.as_ref().map(|helo| helo.written(Host::to_string))),
            ("IDENT", self.ident.as_ref().map(|ident| ident.written(Ident::to_string))),
            ("SOURCE", self.source.map(|source| source.written(|source| source.as_str().to_owned()))),
        ];
        attributes.into_iter().filter_map(|(name, value)| Some(format!(" {name}={}", value?))).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::super::{Command, Dialect, assert_known};
    use super::*;

    #[test]
    fn known_answers() {
        let dialect = Dialect::default();
        let spike = Xforward {
            name: Some(Told::Is("spike.porcupine.org".parse().unwrap())),
            addr: Some(Told::Is("168.100.189.2".parse().unwrap())),
            proto: Some(Told::Is("ESMTP".parse().unwrap())),
            ..Xforward::default()
        };
        let rest = Xforward {
            addr: Some(Told::Unavailable),
            port: Some(Told::Is(65535)),
            helo: Some(Told::Is("my_pc".parse::<Host>().unwrap_or_else(|_| host_with_underscore()))),
            ident: Some(Told::Is(Ident::parse("3CF6B2AAE8").unwrap())),
            source: Some(Told::Is(Source::Local)),
            ..Xforward::default()
        };
        assert!(rest.is_local_submission() && !spike.is_local_submission());
        for (line, xforward, written) in [
            (
                "XFORWARD NAME=spike.porcupine.org ADDR=168.100.189.2 PROTO=ESMTP",
                spike,
                "XFORWARD NAME=spike.porcupine.org ADDR=168.100.189.2 PROTO=ESMTP",
            ),
            (
                "xforward source=local ident=3CF6B2AAE8 helo=my_pc port=65535 addr=[unavailable]",
                rest,
                "XFORWARD ADDR=[UNAVAILABLE] PORT=65535 HELO=my_pc IDENT=3CF6B2AAE8 SOURCE=LOCAL",
            ),
        ] {
            assert_known(line, &Command::Xforward(xforward), written, &dialect);
        }
    }

    fn host_with_underscore() -> Host {
        forwarded::hello("my_pc").unwrap()
    }

    #[test]
    fn sec_i4_values_that_mean_something_in_a_header_are_syntax_errors() {
        for arguments in [
            "",
            "SOURCE=NEARBY",
            "IDENT=a+20b",
            "IDENT=a+0D+0AX:+20y",
            "IDENT=a;b",
            "IDENT=<a@b>",
            "IDENT=+C3+BC",
            "PROTO=ES+20MTP",
            "PROTO=(x)",
            "LOGIN=ada",
            "ADDR=X.25",
            "HELO=a;b",
        ] {
            let line = format!("XFORWARD {arguments}");
            let error = Command::parse(line.as_bytes(), &Dialect::default()).expect_err(&line);
            assert!(matches!(error.kind, CommandErrorKind::Syntax(_)), "{line}: {error:?}");
        }
        let long = format!("XFORWARD PROTO={}", "x".repeat(65));
        assert!(Command::parse(long.as_bytes(), &Dialect::default()).is_err());
    }
}
