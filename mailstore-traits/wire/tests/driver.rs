//! The driver with a session of the simplest kind: lines in, the same lines out.
#![cfg(feature = "io")]
#![allow(clippy::unwrap_used)]

mod echo;

use std::time::Duration;

use echo::{Echo, Fault, certified, driver, echo, localhost, pair, read_to_end};
use mail_wire::io::{DriveError, ServeOptions, Shutdown, serve};
use tokio::io::{AsyncReadExt, AsyncWriteExt, duplex};
use tokio::net::{TcpListener, TcpStream};

#[tokio::test]
async fn a_pipelined_group_is_answered_and_the_end_is_clean() {
    let (mut client, link) = pair();
    let server = tokio::spawn(echo(driver(link, Shutdown::never()), None));
    client.write_all(b"a\r\nb\r\nc\r\n").await.unwrap();
    client.shutdown().await.unwrap();
    assert_eq!(read_to_end(&mut client).await, "a\r\nb\r\nc\r\n");
    assert_eq!(server.await.unwrap().unwrap().answered, 3);
}

#[tokio::test]
async fn an_end_in_the_middle_of_a_line_is_told() {
    let (mut client, link) = pair();
    let server = tokio::spawn(echo(driver(link, Shutdown::never()), None));
    client.write_all(b"a\r\nhal").await.unwrap();
    client.shutdown().await.unwrap();
    assert!(matches!(server.await.unwrap(), Err(DriveError::Session(Fault("mid-line")))));
}

#[tokio::test(start_paused = true)]
async fn a_line_that_drips_in_does_not_stop_its_clock() {
    let (mut client, link) = pair();
    let server = tokio::spawn(echo(driver(link, Shutdown::never()), None));
    for _ in 0..7 {
        if client.write_all(b"x").await.is_err() {
            break;
        }
        tokio::time::sleep(Duration::from_secs(10)).await;
    }
    client.shutdown().await.unwrap();
    assert_eq!(read_to_end(&mut client).await, "timeout Line\r\n");
    assert!(server.await.unwrap().unwrap().closed);
}

#[tokio::test(start_paused = true)]
async fn the_idle_clock_begins_anew_with_each_answer() {
    let (mut client, link) = pair();
    let server = tokio::spawn(echo(driver(link, Shutdown::never()), None));
    for _ in 0..3 {
        tokio::time::sleep(Duration::from_secs(200)).await;
        client.write_all(b"a\r\n").await.unwrap();
        client.read_exact(&mut [0; 3]).await.unwrap();
    }
    assert_eq!(read_to_end(&mut client).await, "timeout Idle\r\n");
    drop(client);
    assert!(server.await.unwrap().unwrap().closed);
}

#[tokio::test(start_paused = true)]
async fn a_peer_that_does_not_read_is_given_up() {
    let (mut client, link) = pair();
    let server = tokio::spawn(echo(driver(link, Shutdown::never()), None));
    let flood = b"0123456789012345678901234567890123456789\r\n".repeat(100_000);
    // Back-pressure: long before all is written the server reads no more.
    let written = tokio::time::timeout(Duration::from_secs(600), client.write_all(&flood)).await;
    assert!(!matches!(written, Ok(Ok(()))));
    assert!(
        matches!(server.await.unwrap(), Err(DriveError::Io(error)) if error.kind() == std::io::ErrorKind::TimedOut)
    );
}

#[tokio::test(start_paused = true)]
async fn shutting_down_waits_for_what_is_in_the_middle_and_no_longer_than_its_grace() {
    let (handle, shutdown) = Shutdown::channel();
    let (mut idle, link) = pair();
    let idle_server = tokio::spawn(echo(driver(link, shutdown.clone()), None));
    let (mut busy, link) = pair();
    let busy_server = tokio::spawn(echo(driver(link, shutdown.clone()), None));
    let (mut stuck, link) = pair();
    let stuck_server = tokio::spawn(echo(driver(link, shutdown), None));
    busy.write_all(b"hal").await.unwrap();
    stuck.write_all(b"hal").await.unwrap();
    tokio::time::sleep(Duration::from_secs(1)).await;
    handle.shut_down();
    assert_eq!(read_to_end(&mut idle).await, "going down\r\n");
    busy.write_all(b"f\r\n").await.unwrap();
    assert_eq!(read_to_end(&mut busy).await, "half\r\ngoing down\r\n");
    drop((idle, busy));
    assert!(idle_server.await.unwrap().is_ok() && busy_server.await.unwrap().is_ok());
    assert!(matches!(stuck_server.await.unwrap(), Err(DriveError::ShutDown)));
}

#[tokio::test]
async fn starttls_goes_on_encrypted() {
    let (tls, connector) = certified();
    let (mut client, link) = pair();
    let server = tokio::spawn(echo(driver(link, Shutdown::never()), Some(tls)));
    client.write_all(b"STARTTLS\r\n").await.unwrap();
    client.read_exact(&mut [0; 10]).await.unwrap();
    let mut client = connector.connect(localhost(), client).await.unwrap();
    client.write_all(b"secret\r\n").await.unwrap();
    client.shutdown().await.unwrap();
    let mut octets = Vec::new();
    client.read_to_end(&mut octets).await.unwrap();
    assert_eq!(octets, b"secret\r\n");
    let tls = server.await.unwrap().unwrap().tls.unwrap();
    assert_eq!((tls.version.as_str(), tls.server_name.as_deref()), ("TLSv1.3", Some("localhost")));
    assert!(tls.cipher.starts_with("TLS_AES") || tls.cipher.starts_with("TLS_CHACHA20"), "{}", tls.cipher);
}

#[tokio::test]
async fn sec_t1_clear_text_behind_starttls_makes_the_handshake_fail() {
    for injected in [&b"STARTTLS\r\nEVIL\r\n"[..], b"STARTTLS\r\nhal"] {
        let (tls, connector) = certified();
        let (mut client, link) = pair();
        let server = tokio::spawn(echo(driver(link, Shutdown::never()), Some(tls)));
        client.write_all(injected).await.unwrap();
        client.read_exact(&mut [0; 10]).await.unwrap();
        assert!(connector.connect(localhost(), client).await.is_err());
        assert!(matches!(server.await.unwrap(), Err(DriveError::Io(_))));
    }
}

#[tokio::test]
async fn sec_t1_clear_text_in_the_next_segment_makes_the_handshake_fail() {
    let (tls, connector) = certified();
    let (mut client, link) = pair();
    let server = tokio::spawn(echo(driver(link, Shutdown::never()), Some(tls)));
    client.write_all(b"STARTTLS\r\n").await.unwrap();
    client.read_exact(&mut [0; 10]).await.unwrap();
    client.write_all(b"EVIL\r\n").await.unwrap();
    assert!(connector.connect(localhost(), client).await.is_err());
    assert!(matches!(server.await.unwrap(), Err(DriveError::Io(_))));
}

#[tokio::test]
async fn a_client_hello_right_behind_starttls_is_served() {
    let (tls, connector) = certified();
    let (mut client, link) = pair();
    // All that the client sends before it reads anything comes in one piece.
    let (near, mut far) = duplex(1 << 16);
    let connecting = tokio::spawn(async move { connector.connect(localhost(), near).await });
    let mut hello = b"STARTTLS\r\n".to_vec();
    far.read_buf(&mut hello).await.unwrap();
    let server = tokio::spawn(echo(driver(link, Shutdown::never()), Some(tls)));
    client.write_all(&hello).await.unwrap();
    client.read_exact(&mut [0; 10]).await.unwrap();
    tokio::spawn(async move { tokio::io::copy_bidirectional(&mut client, &mut far).await });
    let mut encrypted = connecting.await.unwrap().unwrap();
    encrypted.write_all(b"a\r\n").await.unwrap();
    encrypted.read_exact(&mut [0; 3]).await.unwrap();
    encrypted.shutdown().await.unwrap();
    assert_eq!(server.await.unwrap().unwrap().dropped_clear_text, 0);
}

#[tokio::test]
async fn one_connection_too_many_is_told_so_and_a_panic_ends_only_its_own() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let (handle, shutdown) = Shutdown::channel();
    let options = ServeOptions::default().with_max_connections(2, &b"busy\r\n"[..]);
    let serving = tokio::spawn(serve(listener, options, shutdown, |accepted| async move {
        let mut driver = driver(accepted.link, Shutdown::never());
        let mut session = Echo::default();
        while let Ok(Some(line)) = driver.next_event(&mut session).await {
            assert_ne!(line[..], b"panic"[..], "as asked");
            session.answer(&line, driver.output());
        }
    }));
    let mut clients = Vec::new();
    for _ in 0..2 {
        let mut client = TcpStream::connect(address).await.unwrap();
        client.write_all(b"a\r\n").await.unwrap();
        client.read_exact(&mut [0; 3]).await.unwrap();
        clients.push(client);
    }
    let mut words = String::new();
    TcpStream::connect(address).await.unwrap().read_to_string(&mut words).await.unwrap();
    assert_eq!(words, "busy\r\n");
    clients[0].write_all(b"panic\r\n").await.unwrap();
    assert!(matches!(clients[0].read(&mut [0; 1]).await, Ok(0) | Err(_)));
    clients[1].write_all(b"b\r\n").await.unwrap();
    clients[1].read_exact(&mut [0; 3]).await.unwrap();
    handle.shut_down();
    drop(clients);
    serving.await.unwrap();
}
