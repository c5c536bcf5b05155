//! Handshakes over a connection in memory: what they tell a session, and what of them is refused.
#![cfg(feature = "io")]
#![allow(clippy::unwrap_used)]

mod echo;
mod support;

use std::sync::Arc;
use std::time::Duration;

use echo::{Echo, Fault, certified, driver, echo, localhost, pair};
use mail_wire::base64;
use mail_wire::io::{DriveError, Shutdown, TlsCertificate, TlsConfig};
use mail_wire::machine::{TlsExporter, TlsInfo};
use mail_wire::sasl::{Channel, Dialogue, DialogueStep, Failure, Mechanism};
use rcgen::{BasicConstraints, CertificateParams, DistinguishedName, DnType, IsCa, Issuer, KeyPair};
use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream};
use tokio::task::JoinHandle;
use tokio::time::Instant;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;
use tokio_rustls::rustls::pki_types::pem::PemObject;
use tokio_rustls::rustls::pki_types::{PrivateKeyDer, ServerName};
use tokio_rustls::rustls::{self, ClientConfig, RootCertStore};

/// An authority, the server that it vouches for, and clients of that server.
struct Pki {
    issuer: Issuer<'static, KeyPair>,
    root: rcgen::Certificate,
}

impl Pki {
    fn new() -> Self {
        let mut params = CertificateParams::new([]).unwrap();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let key = KeyPair::generate().unwrap();
        let root = params.self_signed(&key).unwrap();
        Self { issuer: Issuer::new(params, key), root }
    }

    fn issue(&self, names: &[&str], subject: Option<&str>) -> (rcgen::Certificate, KeyPair) {
        let mut params = CertificateParams::new(names.iter().map(|&name| name.into()).collect::<Vec<_>>()).unwrap();
        params.distinguished_name = DistinguishedName::new();
        if let Some(subject) = subject {
            params.distinguished_name.push(DnType::CommonName, subject);
        }
        let key = KeyPair::generate().unwrap();
        (params.signed_by(&key, &self.issuer).unwrap(), key)
    }

    fn server(&self, name: &str) -> TlsCertificate {
        let (certificate, key) = self.issue(&[name], None);
        TlsCertificate::from_pem(certificate.pem().as_bytes(), key.serialize_pem().as_bytes()).unwrap()
    }

    fn client(&self, own: Option<(&rcgen::Certificate, &KeyPair)>) -> ClientConfig {
        let mut roots = RootCertStore::empty();
        roots.add(self.root.der().clone()).unwrap();
        let builder = ClientConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_root_certificates(roots);
        match own {
            Some((certificate, key)) => {
                let key = PrivateKeyDer::from_pem_slice(key.serialize_pem().as_bytes()).unwrap();
                builder.with_client_auth_cert(vec![certificate.der().clone()], key).unwrap()
            }
            None => builder.with_no_client_auth(),
        }
    }
}

type Served = JoinHandle<Result<Echo, DriveError<Fault>>>;

/// A client that has said STARTTLS and been told to go on.
async fn starttls(tls: TlsConfig) -> (DuplexStream, Served) {
    let (mut client, link) = pair();
    let server = tokio::spawn(echo(driver(link, Shutdown::never()), Some(tls)));
    client.write_all(b"STARTTLS\r\n").await.unwrap();
    client.read_exact(&mut [0; 10]).await.unwrap();
    (client, server)
}

async fn connect(
    tls: &TlsConfig,
    client: ClientConfig,
    name: &'static str,
) -> (std::io::Result<TlsStream<DuplexStream>>, Served) {
    let (raw, server) = starttls(tls.clone()).await;
    let name = ServerName::try_from(name).unwrap();
    (TlsConnector::from(Arc::new(client)).connect(name, raw).await, server)
}

/// What the session was told, of a handshake that came to something.
async fn told(tls: &TlsConfig, client: ClientConfig) -> (TlsInfo, [u8; 32]) {
    let (stream, server) = connect(tls, client, "localhost").await;
    let mut stream = stream.unwrap();
    let ours = stream.get_ref().1.export_keying_material([0; 32], TlsExporter::LABEL, Some(b"")).unwrap();
    stream.write_all(b"a\r\n").await.unwrap();
    stream.read_exact(&mut [0; 3]).await.unwrap();
    stream.shutdown().await.unwrap();
    (server.await.unwrap().unwrap().tls.unwrap(), ours)
}

#[tokio::test]
async fn both_ends_of_tls_1_3_export_the_same_and_no_two_connections_do() {
    let pki = Pki::new();
    let tls = TlsConfig::builder(pki.server("localhost")).build().unwrap();
    let (first, ours) = told(&tls, pki.client(None)).await;
    assert_eq!(first.exporter.unwrap().octets(), &ours);
    let (second, _) = told(&tls, pki.client(None)).await;
    assert_ne!(first.exporter, second.exporter);
    assert!(!format!("{first:?}").contains(&format!("{:?}", &ours[..4])));
}

#[tokio::test]
async fn sec_a6_nothing_is_exported_below_tls_1_3() {
    let pki = Pki::new();
    let tls = TlsConfig::builder(pki.server("localhost")).build().unwrap();
    let mut roots = RootCertStore::empty();
    roots.add(pki.root.der().clone()).unwrap();
    let client = ClientConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
        .with_protocol_versions(&[&rustls::version::TLS12])
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    let (info, _) = told(&tls, client).await;
    assert_eq!((info.version.as_str(), info.exporter), ("TLSv1.2", None));
}

#[tokio::test]
async fn sec_a9_a_certificate_is_told_if_the_authority_issued_it_and_never_asked_for_otherwise() {
    let (pki, strangers) = (Pki::new(), Pki::new());
    let (ada, ada_key) = pki.issue(&["ada.example.org"], Some("ada"));
    let (nameless, nameless_key) = pki.issue(&[], None);
    let (forged, forged_key) = strangers.issue(&["ada.example.org"], Some("ada"));
    let asking = TlsConfig::builder(pki.server("localhost")).client_roots(pki.root.pem().as_bytes()).unwrap();
    let asking = asking.build().unwrap();

    let (info, _) = told(&asking, pki.client(Some((&ada, &ada_key)))).await;
    assert_eq!(info.client_certificate.unwrap().der(), &ada.der()[..]);
    // A certificate without any name is a certificate: what it stands for is the host's to say.
    let (info, _) = told(&asking, pki.client(Some((&nameless, &nameless_key)))).await;
    assert_eq!(info.client_certificate.unwrap().der(), &nameless.der()[..]);
    // Nobody needs one.
    assert_eq!(told(&asking, pki.client(None)).await.0.client_certificate, None);

    let (stream, server) = connect(&asking, pki.client(Some((&forged, &forged_key))), "localhost").await;
    // By TLS 1.3 a client hears of it when it reads.
    if let Ok(mut stream) = stream {
        assert!(stream.read(&mut [0; 1]).await.is_err());
    }
    assert!(matches!(server.await.unwrap(), Err(DriveError::Io(_))));

    let not_asking = TlsConfig::builder(pki.server("localhost")).build().unwrap();
    assert_eq!(told(&not_asking, pki.client(Some((&ada, &ada_key)))).await.0.client_certificate, None);
}

#[tokio::test]
async fn sec_t9_a_client_of_another_protocol_is_refused_in_the_handshake() {
    let pki = Pki::new();
    let tls = TlsConfig::builder(pki.server("localhost")).alpn(["pop3"]).build().unwrap();
    let same = TlsConfig::builder(pki.server("localhost")).build().unwrap().with_alpn(["pop3"]);
    for tls in [tls, same] {
        for (offered, served) in [
            (&[][..], true),
            (&["pop3"], true),
            (&["h2", "pop3"], true),
            (&["h2", "http/1.1"], false),
            (&["imap"], false),
        ] {
            let mut client = pki.client(None);
            client.alpn_protocols = offered.iter().map(|id| id.as_bytes().to_vec()).collect();
            let (stream, server) = connect(&tls, client, "localhost").await;
            assert_eq!(stream.is_ok(), served, "{offered:?}");
            match stream {
                Ok(mut stream) => {
                    stream.shutdown().await.unwrap();
                    assert!(server.await.unwrap().is_ok());
                }
                Err(_) => assert!(matches!(server.await.unwrap(), Err(DriveError::Io(_)))),
            }
        }
    }
}

#[tokio::test]
async fn each_name_has_its_certificate_and_strangers_the_first() {
    let pki = Pki::new();
    let tls = TlsConfig::builder(pki.server("mail.example.org"))
        .certificate("mail.example.com", pki.server("mail.example.com"))
        .unwrap()
        .build()
        .unwrap();
    for (name, good) in [("mail.example.org", true), ("MAIL.example.com", true), ("mail.example.net", false)] {
        let (stream, _) = connect(&tls, pki.client(None), name).await;
        assert_eq!(stream.is_ok(), good, "{name}");
    }
}

/// What comes of a login by SCRAM-SHA-256-PLUS, where that is what the server knows of its connection and this what the
/// client's end of its own exports.
fn plus(tls: &TlsInfo, exported: &[u8; 32]) -> DialogueStep {
    let header = "p=tls-exporter,,";
    let initial = base64::encode(format!("{header}n=ada,r=abc").as_bytes());
    let channel = Channel::new(Some(tls), &[Mechanism::ScramSha256Plus]);
    let (mut dialogue, step) =
        Dialogue::begin_on(channel, Mechanism::ScramSha256Plus, Some(initial.as_bytes()), support::config());
    let DialogueStep::Need(query) = step else { return step };
    let server_first = support::challenge(dialogue.supply(support::host(query)));
    let binding = base64::encode(&[header.as_bytes(), exported].concat());
    let without_proof = format!("c={binding},r={}", support::attribute(&server_first, "r="));
    let (message, _) = support::scram_sign(&without_proof, "n=ada,r=abc", &server_first, "pencil");
    dialogue.line(base64::encode(message.as_bytes()).as_bytes())
}

#[tokio::test]
async fn sec_a6_who_passes_a_login_on_from_one_handshake_to_another_is_found_out() {
    let pki = Pki::new();
    let tls = TlsConfig::builder(pki.server("localhost")).build().unwrap();
    let (direct, ours) = told(&tls, pki.client(None)).await;
    assert!(matches!(plus(&direct, &ours), DialogueStep::Challenge(_)));
    // The client's handshake is with somebody in between, who has another one with the server.
    let (passed_on, _) = told(&tls, pki.client(None)).await;
    assert!(matches!(plus(&passed_on, &ours), DialogueStep::Failure(Failure::Rejected)));
}

/// How much memory this process has, in KiB; `None` where Linux does not tell.
fn resident() -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?.trim().strip_suffix(" kB")?.parse().ok()
}

#[tokio::test]
async fn sec_t10_ten_thousand_server_names_leave_nothing_behind() {
    let pki = Pki::new();
    let tls = TlsConfig::builder(pki.server("localhost"))
        .certificate("mail.example.com", pki.server("mail.example.com"))
        .unwrap()
        .build()
        .unwrap();
    // One hello, in which nothing but the name changes: it is the server that is looked at.
    let name = |count: u32| format!("{}.{count:05}.example.com", "x".repeat(63));
    let mut hello = Vec::new();
    let server_name = ServerName::try_from(name(0)).unwrap();
    let mut client = rustls::ClientConnection::new(Arc::new(pki.client(None)), server_name).unwrap();
    client.write_tls(&mut hello).unwrap();
    let at = hello.windows(name(0).len()).position(|window| window == name(0).as_bytes()).unwrap();
    let mut before = None;
    for count in 0..10_000 {
        if count == 1000 {
            before = resident();
        }
        hello[at..at + name(count).len()].copy_from_slice(name(count).as_bytes());
        let (mut near, link) = pair();
        near.write_all(&hello).await.unwrap();
        near.shutdown().await.unwrap();
        // It reads the hello, answers it with a certificate, and finds that nobody goes on.
        let failed = link.accept_tls(bytes::BytesMut::new(), &tls, Duration::from_secs(30)).await.unwrap_err();
        assert_eq!(failed.kind(), std::io::ErrorKind::UnexpectedEof);
        let mut answer = [0; 1];
        near.read_exact(&mut answer).await.unwrap();
        assert_eq!(answer, [22], "a handshake record");
    }
    if let (Some(before), Some(after)) = (before, resident()) {
        // The names alone would be 800 KiB, and what a handshake holds of each a hundred times as much.
        assert!(after < before + 4 * 1024, "{before} KiB, then {after} KiB");
    }
}

#[tokio::test(start_paused = true)]
async fn sec_t11_a_handshake_that_stalls_is_given_up() {
    let (tls, connector) = certified();
    // Silent after STARTTLS.
    let (silent, server) = starttls(tls.clone()).await;
    let before = Instant::now();
    let given_up = server.await.unwrap();
    assert!(matches!(given_up, Err(DriveError::Io(error)) if error.kind() == std::io::ErrorKind::TimedOut));
    assert_eq!(before.elapsed().as_secs(), 30);
    drop(silent);

    // An octet every five seconds does not stop the clock.
    let hello = {
        let (near, mut far) = tokio::io::duplex(1 << 16);
        let connecting = tokio::spawn(async move { connector.connect(localhost(), near).await.map(drop) });
        let mut hello = bytes::BytesMut::new();
        far.read_buf(&mut hello).await.unwrap();
        connecting.abort();
        hello
    };
    let (mut slow, server) = starttls(tls).await;
    let before = Instant::now();
    for octet in hello.chunks(1) {
        if slow.write_all(octet).await.is_err() {
            break;
        }
        tokio::time::sleep(Duration::from_secs(5)).await;
    }
    let given_up = server.await.unwrap();
    assert!(matches!(given_up, Err(DriveError::Io(error)) if error.kind() == std::io::ErrorKind::TimedOut));
    assert!(before.elapsed().as_secs() <= 35, "{:?}", before.elapsed());
}

#[tokio::test]
async fn sec_t8_an_end_without_close_notify_is_an_abort() {
    let (tls, connector) = certified();
    for said in [&b""[..], b"a\r\n", b"hal"] {
        let (raw, server) = starttls(tls.clone()).await;
        let mut stream = connector.connect(localhost(), raw).await.unwrap();
        stream.write_all(said).await.unwrap();
        stream.flush().await.unwrap();
        // Somebody cuts the connection: there is no alert that says so.
        let (mut raw, _) = stream.into_inner();
        raw.shutdown().await.unwrap();
        let ended = server.await.unwrap();
        assert!(matches!(ended, Err(DriveError::Io(error)) if error.kind() == std::io::ErrorKind::UnexpectedEof));
    }
}

#[tokio::test]
async fn sec_t8_nothing_is_parsed_behind_close_notify() {
    let (tls, connector) = certified();
    for evil in [&b"EVIL\r\n"[..], b"\x17\x03\x03\x00\x06EVIL\r\n"] {
        let (raw, server) = starttls(tls.clone()).await;
        let mut stream = connector.connect(localhost(), raw).await.unwrap();
        stream.write_all(b"a\r\n").await.unwrap();
        stream.read_exact(&mut [0; 3]).await.unwrap();
        stream.get_mut().1.send_close_notify();
        stream.flush().await.unwrap();
        stream.get_mut().0.write_all(evil).await.unwrap();
        let ended = server.await.unwrap();
        // STARTTLS and a; no third line, whether the end counts as one in good order or not.
        if let Ok(session) = ended {
            assert_eq!(session.answered, 2);
        }
        let mut rest = Vec::new();
        let _ = stream.get_mut().0.read_to_end(&mut rest).await;
        assert!(!rest.windows(4).any(|window| window == b"EVIL"), "{:?}", rest.escape_ascii().to_string());
    }
}

#[test]
fn what_is_no_authority_is_no_root() {
    let pki = Pki::new();
    let builder = || TlsConfig::builder(pki.server("localhost"));
    assert!(builder().client_roots(b"").is_err());
    assert!(builder().client_roots(b"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n").is_err());
    assert!(builder().client_roots(pki.root.pem().as_bytes()).unwrap().build().is_ok());
}
