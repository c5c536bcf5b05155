//! The way to the database is encrypted, to the one whose certificate was said to be good, or there is none.
#![cfg(unix)]
#![allow(clippy::unwrap_used, clippy::print_stderr, reason = "tests")]

mod server;

use std::net::TcpListener;

use mailstore_traits::{Account, AccountId, Actor, MailStore, MailboxName};
use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair};
use server::{connect, server_to_stop};
use store_postgres::{Options, PostgresStore};

/// An authority: its certificate, and one that it has given to that name with the key for it.
fn certificates(name: &str) -> (String, String, String) {
    let mut authority = CertificateParams::new(Vec::new()).unwrap();
    authority.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let key = KeyPair::generate().unwrap();
    let root = authority.self_signed(&key).unwrap().pem();
    let issuer = Issuer::new(authority, key);
    let key = KeyPair::generate().unwrap();
    let given = CertificateParams::new(vec![name.to_owned()]).unwrap().signed_by(&key, &issuer).unwrap();
    (root, given.pem(), key.serialize_pem())
}

async fn refusal(url: &str) -> String {
    match PostgresStore::connect(url, Options::new()).await {
        Ok(_) => panic!("{url} was connected to"),
        Err(error) => error.to_string(),
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn tls_is_spoken_with_the_one_whose_certificate_is_good_and_with_nobody_else() {
    let Some(server) = server_to_stop() else { return };
    let folder = tempfile::tempdir().unwrap();
    let (root, certificate, key) = certificates("127.0.0.1");
    let (stranger, _, _) = certificates("127.0.0.1");
    let good = folder.path().join("root.pem");
    let bad = folder.path().join("stranger.pem");
    std::fs::write(&good, root).unwrap();
    std::fs::write(&bad, stranger).unwrap();
    server.keep("server.crt", &certificate);
    server.keep("server.key", &key);
    let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    server.set(&format!("listen_addresses = '127.0.0.1'\nport = {port}\nssl = on\n"));
    let url = |host: &str, query: &str| format!("postgres://pillarbox@{host}:{port}/postgres?{query}");
    let trusting = |root: &std::path::Path| format!("sslmode=verify-full&sslrootcert={}", root.display());

    let store = PostgresStore::connect(&url("127.0.0.1", &trusting(&good)), Options::new()).await.unwrap();
    let ada = AccountId::from("ada@example.org");
    let account = store.open(&ada, &Actor::User(ada.clone())).await.unwrap();
    account.find(&MailboxName::inbox()).await.unwrap();
    // Every connection of it: those of the pool, and the one that listens.
    let behind = connect(&server.url("postgres").replace("/postgres", &format!(":{port}/postgres"))).await;
    let count = "SELECT count(*) FILTER (WHERE ssl), count(*) FILTER (WHERE NOT ssl) \
                 FROM pg_stat_ssl JOIN pg_stat_activity USING (pid) WHERE application_name = 'pillarbox'";
    let row = behind.query_one(count, &[]).await.unwrap();
    let (encrypted, plain): (i64, i64) = (row.get(0), row.get(1));
    assert!(encrypted >= 2 && plain == 0, "{encrypted} encrypted, {plain} not");

    // Another's certificate, and another's name.
    let said = refusal(&url("127.0.0.1", &trusting(&bad))).await;
    assert!(said.contains("is not trusted") && said.contains("invalid peer certificate"), "{said}");
    let said = refusal(&url("localhost", &trusting(&good))).await;
    assert!(said.contains("not valid for name"), "{said}");
    // TLS, and nobody to trust; and no TLS, though it is asked for.
    let said = refusal(&url("127.0.0.1", "sslmode=require")).await;
    assert!(said.contains("sslrootcert=FILE"), "{said}");
    let said = refusal(&format!("host=127.0.0.1 port={port} user=pillarbox dbname=postgres sslmode=require")).await;
    assert!(said.contains("sslrootcert=FILE"), "{said}");
    store.close().await;
    server.set("ssl = off\n");
    let said = refusal(&url("127.0.0.1", &trusting(&good))).await;
    assert!(said.contains("server does not support TLS"), "{said}");
}
