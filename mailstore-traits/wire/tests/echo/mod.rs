//! A session of the simplest kind, and what tests of drivers need: lines in, the same lines out.
#![allow(dead_code, reason = "each test file uses its own part")]

use std::sync::Arc;
use std::time::Duration;

use bytes::BytesMut;
use mail_wire::io::{DriveError, Driver, DriverOptions, Link, Shutdown, TlsConfig};
use mail_wire::line::LineReader;
use mail_wire::machine::{Machine, RunningTimer, Timer, Timers, TlsInfo};
use tokio::io::{AsyncReadExt, DuplexStream, duplex};
use tokio_rustls::TlsConnector;
use tokio_rustls::rustls::pki_types::ServerName;
use tokio_rustls::rustls::pki_types::pem::PemObject;
use tokio_rustls::rustls::{ClientConfig, RootCertStore};

#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub(crate) struct Fault(pub(crate) &'static str);

/// Lines in, the same lines out.
#[derive(Default)]
pub(crate) struct Echo {
    pub(crate) lines: LineReader,
    pub(crate) answered: u64,
    pub(crate) line_began: bool,
    pub(crate) tls: Option<TlsInfo>,
    pub(crate) dropped_clear_text: usize,
    pub(crate) closed: bool,
}

impl Echo {
    pub(crate) fn answer(&mut self, line: &[u8], out: &mut BytesMut) {
        out.extend_from_slice(line);
        out.extend_from_slice(b"\r\n");
        self.answered += 1;
    }
}

impl Machine for Echo {
    type Event = BytesMut;
    type Answer = BytesMut;
    type Error = Fault;

    fn next_event(&mut self, input: &mut BytesMut) -> Result<Option<BytesMut>, Fault> {
        let line = self.lines.next_line(input, 64);
        self.line_began = self.lines.is_mid_line(input);
        match line {
            None => Ok(None),
            Some(Ok(line)) => Ok(Some(line)),
            Some(Err(_)) => Err(Fault("a bad line")),
        }
    }

    fn answer(&mut self, line: BytesMut, out: &mut BytesMut) -> Result<(), Fault> {
        self.answer(&line, out);
        Ok(())
    }

    fn end_of_input(&mut self) -> Result<(), Fault> {
        if self.line_began { Err(Fault("mid-line")) } else { Ok(()) }
    }

    fn timers(&self) -> Timers {
        let idle = RunningTimer::new(Timer::Idle, Duration::from_secs(300), self.answered);
        let line = RunningTimer::new(Timer::Line, Duration::from_secs(60), self.answered);
        if self.line_began { Timers::none().with(idle).with(line) } else { Timers::none().with(idle) }
    }

    fn handle_timeout(&mut self, timer: Timer, out: &mut BytesMut) {
        self.answer(format!("timeout {timer:?}").as_bytes(), out);
        self.closed = true;
    }

    fn shut_down(&mut self, out: &mut BytesMut) -> bool {
        if !self.line_began {
            self.answer(b"going down", out);
            self.closed = true;
        }
        self.closed
    }

    fn tls_started(&mut self, tls: TlsInfo, input: &mut BytesMut) {
        self.dropped_clear_text += input.len();
        input.clear();
        self.tls = Some(tls);
    }

    fn is_closed(&self) -> bool {
        self.closed
    }
}

pub(crate) async fn echo(mut driver: Driver, tls: Option<TlsConfig>) -> Result<Echo, DriveError<Fault>> {
    let mut session = Echo::default();
    while let Some(line) = driver.next_event(&mut session).await? {
        session.answer(&line, driver.output());
        if let Some(tls) = &tls
            && *line == b"STARTTLS"[..]
        {
            driver.start_tls(&mut session, tls).await?;
        }
    }
    driver.close().await;
    Ok(session)
}

pub(crate) fn pair() -> (DuplexStream, Link) {
    let (client, server) = duplex(4096);
    (client, Link::plain(server))
}

pub(crate) fn driver(link: Link, shutdown: Shutdown) -> Driver {
    Driver::new(link, DriverOptions::default(), shutdown)
}

pub(crate) async fn read_to_end(client: &mut DuplexStream) -> String {
    let mut octets = Vec::new();
    client.read_to_end(&mut octets).await.unwrap();
    String::from_utf8(octets).unwrap()
}

pub(crate) fn certified() -> (TlsConfig, TlsConnector) {
    let made = rcgen::generate_simple_self_signed([String::from("localhost")]).unwrap();
    let server = TlsConfig::from_pem(made.cert.pem().as_bytes(), made.signing_key.serialize_pem().as_bytes()).unwrap();
    let mut roots = RootCertStore::empty();
    roots
        .add(tokio_rustls::rustls::pki_types::CertificateDer::from_pem_slice(made.cert.pem().as_bytes()).unwrap())
        .unwrap();
    let provider = Arc::new(tokio_rustls::rustls::crypto::ring::default_provider());
    let client = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    (server, TlsConnector::from(Arc::new(client)))
}

pub(crate) fn localhost() -> ServerName<'static> {
    ServerName::try_from("localhost").unwrap()
}
