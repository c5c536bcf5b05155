//! What a connection costs that does nothing, in memory and in threads (attack row C1): a thousand of each kind.
//!
//! The ceilings leave room for other allocators and for builds without optimisation; run with `--nocapture` for the
//! figures.
#![cfg(target_os = "linux")]
#![allow(missing_docs, clippy::indexing_slicing, clippy::print_stderr, reason = "tests")]

mod support;

use std::io::{Read, Write};
use std::net::TcpStream;
use std::sync::Arc;
use std::time::{Duration, Instant};

use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, ClientConnection, RootCertStore, StreamOwned};
use support::Server;

const COUNT: usize = 1000;

trait Open: Read + Write {}
impl<T: Read + Write> Open for T {}

fn tls(server: &Server) -> Arc<ClientConfig> {
    let mut roots = RootCertStore::empty();
    for certificate in CertificateDer::pem_file_iter(server.certificate()).expect("there") {
        roots.add(certificate.expect("PEM")).expect("a certificate");
    }
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions().expect("versions");
    Arc::new(config.with_root_certificates(roots).with_no_client_auth())
}

fn threads(server: &Server) -> usize {
    std::fs::read_dir(format!("/proc/{}/task", server.child.id())).expect("Linux").count()
}

/// Reads until the server has said that much, so that it is known to wait.
fn hear(socket: &mut impl Read, words: &str) {
    let mut heard = Vec::new();
    let mut octets = [0; 1024];
    while !String::from_utf8_lossy(&heard).contains(words) {
        let count = socket.read(&mut octets).expect("readable");
        assert!(count > 0, "closed before {words}");
        heard.extend_from_slice(&octets[..count]);
    }
}

/// KiB for each connection of a kind, beyond the first few.
fn cost(what: &str, open: impl Fn(&Server, &Arc<ClientConfig>) -> Box<dyn Open>) -> u64 {
    let folder = tempfile::tempdir().expect("a folder for the test");
    let server = Server::start(&folder.path().join("data"), &["--max-connections", "2000", "--log", "error"]);
    let config = tls(&server);
    let mut held: Vec<_> = (0..10).map(|_| open(&server, &config)).collect();
    let (memory, before) = (server.resident(), threads(&server));
    held.extend((0..COUNT).map(|_| open(&server, &config)));
    let each = server.resident().saturating_sub(memory).div_ceil(COUNT as u64);
    let more = threads(&server).saturating_sub(before);
    eprintln!("{what}: {each} KiB for each connection, {more} threads more for all");
    assert!(more <= 16, "{what}: {more} threads");
    each
}

fn connect(server: &Server, role: &str) -> TcpStream {
    let socket = TcpStream::connect(("127.0.0.1", server.port(role))).expect("accepted");
    socket.set_read_timeout(Some(Duration::from_secs(120))).expect("set");
    socket
}

#[test]
fn sec_c1_an_idle_connection_costs_a_few_kib_and_no_thread() {
    let began = Instant::now();
    let plain = |role: &'static str, said: &'static str, words: &'static str| {
        move |server: &Server, _: &Arc<ClientConfig>| -> Box<dyn Open> {
            let mut socket = connect(server, role);
            // Who talks before the greeting is refused.
            let greeting = match role {
                "pop3" => "+OK",
                "imap" => "* OK",
                _ => "220 ",
            };
            hear(&mut socket, greeting);
            if !said.is_empty() {
                socket.write_all(said.as_bytes()).expect("written");
                hear(&mut socket, words);
            }
            Box::new(socket)
        }
    };
    let encrypted = |role: &'static str, words: &'static str| {
        move |server: &Server, config: &Arc<ClientConfig>| -> Box<dyn Open> {
            let name = ServerName::try_from("localhost").expect("a name");
            let client = ClientConnection::new(Arc::clone(config), name).expect("a client");
            let mut stream = StreamOwned::new(client, connect(server, role));
            hear(&mut stream, words);
            Box::new(stream)
        }
    };
    let costs = [
        (cost("SMTP, greeted", plain("smtp", "", "220 ")), 32),
        (cost("SMTP, half a line after a long one", plain("smtp", "EHLO c\r\nNOOP\r\nMAIL FR", "250 2.0.0")), 32),
        (cost("POP3, greeted", plain("pop3", "", "+OK")), 32),
        (cost("IMAP, greeted", plain("imap", "", "* OK")), 32),
        (cost("IMAP in TLS, greeted", encrypted("imaps", "* OK")), 48),
        (cost("SMTP, half a handshake", plain("smtp", "EHLO c\r\nSTARTTLS\r\n\x16\x03\x01\x02", "220 2.0.0")), 40),
        (cost("POP3 in TLS, greeted", encrypted("pop3s", "+OK")), 48),
        (cost("submission in TLS, greeted", encrypted("submissions", "220 ")), 48),
    ];
    for (number, (each, most)) in costs.into_iter().enumerate() {
        assert!(each <= most, "kind {number}: {each} KiB, of {most}");
    }
    eprintln!("{:?}", began.elapsed());
}
