//! What a server offers on one connection and not on another: -PLUS by TLS 1.3 alone, EXTERNAL to who shows a certificate.
#![cfg(feature = "server")]
#![allow(clippy::unwrap_used, reason = "tests say what they expect")]

mod server_support;

use std::sync::Arc;

use mail_wire::io::{TlsCertificate, TlsConfig};
use mail_wire::sasl::scram;
use mail_wire::{AccountId, ClientCertificate, ScramHash, ScramKeys, base64};
use rcgen::{BasicConstraints, CertificateParams, DistinguishedName, IsCa, Issuer, KeyPair};
use server_support::{Client, Running, in_time, memory, start};
use smtp_proto::Server;
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::rustls::pki_types::{PrivateKeyDer, ServerName, pem::PemObject};
use tokio_rustls::rustls::version::{TLS12, TLS13};
use tokio_rustls::rustls::{self, ClientConfig, RootCertStore, SupportedProtocolVersion};

const ADA: &str = "ada@example.org";
const SALT: &[u8] = b"sixteen octets!!";

type Own = (rcgen::Certificate, KeyPair);

/// A server that knows ada's password, her SCRAM keys and her certificate, with an authority that vouches for all.
struct Site {
    running: Running,
    roots: RootCertStore,
    ada: Own,
    /// Issued by the same authority, without a name, to nobody whom the host knows.
    nameless: Own,
}

fn issue(issuer: &Issuer<'static, KeyPair>, names: &[&str]) -> Own {
    let mut params = CertificateParams::new(names.iter().map(|&name| name.into()).collect::<Vec<_>>()).unwrap();
    params.distinguished_name = DistinguishedName::new();
    let key = KeyPair::generate().unwrap();
    (params.signed_by(&key, issuer).unwrap(), key)
}

impl Site {
    async fn new() -> Self {
        let mut params = CertificateParams::new([]).unwrap();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let key = KeyPair::generate().unwrap();
        let root = params.self_signed(&key).unwrap();
        let issuer = Issuer::new(params, key);
        let (server, ada, nameless) =
            (issue(&issuer, &["mail.example.org"]), issue(&issuer, &["ada.example.org"]), issue(&issuer, &[]));
        let server = TlsCertificate::from_pem(server.0.pem().as_bytes(), server.1.serialize_pem().as_bytes()).unwrap();
        let tls = TlsConfig::builder(server).client_roots(root.pem().as_bytes()).unwrap().build().unwrap();
        let pair = scram::derive("correct horse", SALT, 4096, ScramHash::Sha256).unwrap();
        let store = memory()
            .with_scram_keys(ScramHash::Sha256, ScramKeys::new(AccountId::from(ADA), SALT.to_vec(), 4096, vec![pair]))
            .with_certificate(ClientCertificate::from_der(&ada.0.der()[..]), ADA);
        let builder = Server::builder("mail.example.org").submission().tls(tls).implicit_tls(true);
        let running = start(builder.build(store)).await;
        let mut roots = RootCertStore::empty();
        roots.add(root.der().clone()).unwrap();
        Self { running, roots, ada, nameless }
    }

    /// A client, and the mechanisms that are offered to it.
    async fn connect(&self, version: &'static SupportedProtocolVersion, own: Option<&Own>) -> (Client, String) {
        let builder = ClientConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
            .with_protocol_versions(&[version])
            .unwrap()
            .with_root_certificates(self.roots.clone());
        let config = match own {
            Some((certificate, key)) => {
                let key = PrivateKeyDer::from_pem_slice(key.serialize_pem().as_bytes()).unwrap();
                builder.with_client_auth_cert(vec![certificate.der().clone()], key).unwrap()
            }
            None => builder.with_no_client_auth(),
        };
        let socket = TcpStream::connect(("127.0.0.1", self.running.port)).await.unwrap();
        let name = ServerName::try_from("mail.example.org").unwrap();
        let stream = in_time(TlsConnector::from(Arc::new(config)).connect(name, socket)).await.unwrap();
        let mut client = Client::new(stream);
        assert!(client.reply().await.starts_with("220 "));
        let offered = client.say("EHLO client.example").await;
        let offered = offered.lines().find_map(|line| line.get(4..)?.strip_prefix("AUTH ")).unwrap().to_owned();
        (client, offered)
    }
}

#[tokio::test]
async fn sec_a6_plus_is_offered_by_tls_1_3_and_not_below() {
    let site = Site::new().await;
    let (mut client, offered) = site.connect(&TLS13, None).await;
    assert_eq!(offered, "SCRAM-SHA-256-PLUS SCRAM-SHA-256 PLAIN LOGIN");
    // Whoever binds and says that nothing was offered has been shown another list.
    let first = |header: &str| base64::encode(format!("{header}n={ADA},r=abc").as_bytes());
    client.says(&format!("AUTH SCRAM-SHA-256 {}", first("y,,")), "535 5.7.8 ").await;
    client.says(&format!("AUTH SCRAM-SHA-256-PLUS {}", first("n,,")), "535 5.7.8 ").await;
    client.says(&format!("AUTH SCRAM-SHA-256-PLUS {}", first("p=tls-exporter,,")), "334 ").await;
    client.says("*", "501 ").await;
    client.says(&format!("AUTH SCRAM-SHA-256 {}", first("n,,")), "334 ").await;

    let (mut client, offered) = site.connect(&TLS12, None).await;
    assert_eq!(offered, "SCRAM-SHA-256 PLAIN LOGIN");
    client.says(&format!("AUTH SCRAM-SHA-256-PLUS {}", first("p=tls-exporter,,")), "504 5.5.4 ").await;
    client.says(&format!("AUTH SCRAM-SHA-256 {}", first("y,,")), "334 ").await;
}

#[tokio::test]
async fn sec_a9_external_lets_in_whose_certificate_the_host_knows_and_nobody_else() {
    let site = Site::new().await;
    let (mut client, offered) = site.connect(&TLS13, Some(&site.ada)).await;
    assert_eq!(offered, "SCRAM-SHA-256-PLUS SCRAM-SHA-256 EXTERNAL PLAIN LOGIN");
    let name = |name: &str| base64::encode(name.as_bytes());
    client.says(&format!("AUTH EXTERNAL {}", name("bob@example.org")), "535 5.7.8 ").await;
    client.says("AUTH EXTERNAL =", "235 ").await;
    client.says("MAIL FROM:<ada@example.org>", "250 ").await;

    let (mut client, _) = site.connect(&TLS12, Some(&site.ada)).await;
    client.says("AUTH EXTERNAL", "334 ").await;
    client.says(&name(ADA), "235 ").await;

    // Verified, and nobody's.
    let (mut client, _) = site.connect(&TLS13, Some(&site.nameless)).await;
    client.says("AUTH EXTERNAL =", "535 5.7.8 ").await;
    client.says(&format!("AUTH EXTERNAL {}", name(ADA)), "535 5.7.8 ").await;

    let (mut client, offered) = site.connect(&TLS13, None).await;
    assert!(!offered.contains("EXTERNAL"), "{offered}");
    client.says("AUTH EXTERNAL =", "504 5.5.4 ").await;
}
