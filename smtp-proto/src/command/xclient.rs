//! XCLIENT: a proxy says whose connection it passes on (Postfix's `XCLIENT_README`).

use std::net::IpAddr;

use mail_wire::UserName;

use super::CommandErrorKind;
use super::forwarded::{self, Told};
use crate::grammar::{Domain, Host};

/// A peer that the host trusts says who is behind it. What it does not say stays as it was.
///
/// ```abnf
/// xclient-command = "XCLIENT" 1*( SP attribute-name "=" attribute-value )
/// attribute-name  = "NAME" / "ADDR" / "PORT" / "PROTO" / "HELO" / "LOGIN" / "DESTADDR" / "DESTPORT"
/// attribute-value = xtext                                  ; RFC 3461 §4
/// ```
///
/// A name that is given twice and a value that its attribute cannot have are syntax errors.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct Xclient {
    /// NAME: the client's name, as looked up from its address.
    pub name: Option<Told<Domain>>,
    /// ADDR: the client's address.
    pub addr: Option<Told<IpAddr>>,
    /// PORT: the client's port.
    pub port: Option<Told<u16>>,
    /// PROTO: what the client speaks.
    pub proto: Option<Told<ClientProtocol>>,
    /// HELO: what the client said as HELO or EHLO.
    pub helo: Option<Told<Host>>,
    /// LOGIN: as whom the client has logged in.
    pub login: Option<Told<UserName>>,
    /// DESTADDR: the address that the client connected to.
    pub dest_addr: Option<Told<IpAddr>>,
    /// DESTPORT: the port that the client connected to.
    pub dest_port: Option<Told<u16>>,
}

/// What a client speaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ClientProtocol {
    /// It said HELO.
    Smtp,
    /// It said EHLO.
    Esmtp,
}

impl ClientProtocol {
    fn parse(value: &str) -> Option<Self> {
        [Self::Smtp, Self::Esmtp].into_iter().find(|protocol| protocol.as_str().eq_ignore_ascii_case(value))
    }

    /// `SMTP` or `ESMTP`.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Smtp => "SMTP",
            Self::Esmtp => "ESMTP",
        }
    }
}

impl Xclient {
    /// Which attributes there are, as EHLO tells of them; `login` if the peer may say as whom its client has logged in.
    pub(crate) fn offer(login: bool) -> &'static str {
        if login {
            "XCLIENT NAME ADDR PORT PROTO HELO LOGIN DESTADDR DESTPORT"
        } else {
            "XCLIENT NAME ADDR PORT PROTO HELO DESTADDR DESTPORT"
        }
    }

    /// What was known before, with what this one says in its place: a client whose attributes do not fit one line sends
    /// several.
    pub(crate) fn over(self, known: Self) -> Self {
        Self {
            name: self.name.or(known.name),
            addr: self.addr.or(known.addr),
            port: self.port.or(known.port),
            proto: self.proto.or(known.proto),
            helo: self.helo.or(known.helo),
            login: self.login.or(known.login),
            dest_addr: self.dest_addr.or(known.dest_addr),
            dest_port: self.dest_port.or(known.dest_port),
        }
    }

    pub(super) fn parse(arguments: &[u8]) -> Result<Self, CommandErrorKind> {
        let mut xclient = Self::default();
        for attribute in forwarded::attributes(arguments)? {
            match attribute.name.as_str() {
                "NAME" => xclient.name = Some(attribute.told(forwarded::name)?),
                "ADDR" => xclient.addr = Some(attribute.told(forwarded::address)?),
                "PORT" => xclient.port = Some(attribute.told(forwarded::port)?),
                "PROTO" => xclient.proto = Some(attribute.told(ClientProtocol::parse)?),
                "HELO" => xclient.helo = Some(attribute.told(forwarded::hello)?),
                "LOGIN" => xclient.login = Some(attribute.told(forwarded::login)?),
                "DESTADDR" => xclient.dest_addr = Some(attribute.told(forwarded::address)?),
                "DESTPORT" => xclient.dest_port = Some(attribute.told(forwarded::port)?),
                _ => return Err(attribute.unknown()),
            }
        }
        Ok(xclient)
    }

    pub(super) fn arguments(&self) -> String {
        let attributes = [
            ("NAME", self.name.as_ref().map(|name| name.written(Domain::to_string))),
            ("ADDR", self.addr.map(|addr| addr.written(forwarded::address_text))),
            ("PORT", self.port.map(|port| port.written(u16::to_string))),
            ("PROTO", self.proto.map(|proto| proto.written(|proto| proto.as_str().to_owned()))),
            ("HELO", self.helo.as_ref().map(|helo| helo.written(Host::to_string))),
            ("LOGIN", self.login.as_ref().map(|login| login.written(UserName::to_string))),
            ("DESTADDR", self.dest_addr.map(|addr| addr.written(forwarded::address_text))),
            ("DESTPORT", self.dest_port.map(|port| port.written(u16::to_string))),
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
        let spike = Xclient {
            name: Some(Told::Is("spike.porcupine.org".parse().unwrap())),
            addr: Some(Told::Is("168.100.189.2".parse().unwrap())),
            ..Xclient::default()
        };
        let all = Xclient {
            name: Some(Told::TemporarilyUnavailable),
            addr: Some(Told::Is("2001:db8::1".parse().unwrap())),
            port: Some(Told::Is(4711)),
            proto: Some(Told::Is(ClientProtocol::Esmtp)),
            helo: Some(Told::Is("[192.0.2.1]".parse().unwrap())),
            login: Some(Told::Is(UserName::new("ada=1 ü").unwrap())),
            dest_addr: Some(Told::Unavailable),
            dest_port: Some(Told::Is(25)),
        };
        for (line, xclient, written) in [
            (
                "XCLIENT NAME=spike.porcupine.org ADDR=168.100.189.2",
                spike,
                "XCLIENT NAME=spike.porcupine.org ADDR=168.100.189.2",
            ),
            (
                "xclient login=ada+3D1+20+C3+BC name=[TempUnavail] addr=ipv6:2001:DB8::1 port=4711 proto=esmtp \
                 helo=[192.0.2.1] destaddr=[unavailable] destport=25",
                all,
                "XCLIENT NAME=[TEMPUNAVAIL] ADDR=IPV6:2001:db8::1 PORT=4711 PROTO=ESMTP HELO=[192.0.2.1] \
                 LOGIN=ada+3D1+20+C3+BC DESTADDR=[UNAVAILABLE] DESTPORT=25",
            ),
        ] {
            assert_known(line, &Command::Xclient(xclient), written, &dialect);
        }
    }

    #[test]
    fn sec_i4_values_that_no_connection_has_are_syntax_errors() {
        for arguments in [
            "",
            "NAME",
            "=x",
            "NAME=",
            "NAME=a  ADDR=192.0.2.1",
            "NAME=a NAME=b",
            "NAME=a name=b",
            "COLOUR=red",
            "NAME=a+0D+0AX:+20y",
            "NAME=a+20b",
            "NAME=a+0",
            "NAME=+C3+28",
            "ADDR=[TEMPUNAVAIL]",
            "ADDR=localhost",
            "PORT=0",
            "PROTO=HTTP",
            "HELO=a+20(b)",
            "LOGIN=ada+0D+0A",
            "LOGIN=ada+00",
            "DESTPORT=65536",
        ] {
            let line = format!("XCLIENT {arguments}");
            let error = Command::parse(line.as_bytes(), &Dialect::default()).expect_err(&line);
            assert!(matches!(error.kind, CommandErrorKind::Syntax(_)), "{line}: {error:?}");
        }
        let long = format!("XCLIENT LOGIN={}", "x".repeat(256));
        assert!(Command::parse(long.as_bytes(), &Dialect::default()).is_err());
    }

    #[test]
    fn what_is_not_said_stays_as_it_was() {
        let of = |line: &str| Xclient::parse(line.as_bytes()).unwrap();
        let known = of("NAME=a.example ADDR=192.0.2.1 PORT=1");
        let known = of("NAME=[UNAVAILABLE] HELO=b").over(known);
        assert_eq!(known, of("NAME=[UNAVAILABLE] ADDR=192.0.2.1 PORT=1 HELO=b"));
    }
}
