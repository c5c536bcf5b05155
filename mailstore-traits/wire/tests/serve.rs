//! Who is let in, over real sockets: the caps (attack row C3), the PROXY header, early talkers (C4).
#![cfg(feature = "io")]
#![allow(clippy::unwrap_used)]

mod echo;

use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use echo::{Echo, driver};
use mail_wire::io::{Accepted, Admission, ServeOptions, Shutdown, ShutdownHandle, serve};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio::task::JoinHandle;

/// A server that says who somebody is and then what they say.
struct Serving {
    at: SocketAddr,
    handle: ShutdownHandle,
    task: JoinHandle<()>,
}

fn options() -> ServeOptions {
    ServeOptions::default()
        .with_max_connections(1000, "busy\r\n")
        .with_max_connections_per_address(100, "busy with you\r\n")
        .with_exempt(|_| false)
}

async fn start(options: ServeOptions) -> Serving {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let at = listener.local_addr().unwrap();
    let (handle, shutdown) = Shutdown::channel();
    let word = shutdown.clone();
    let task = tokio::spawn(serve(listener, options, shutdown, move |accepted| greet(accepted, word.clone())));
    Serving { at, handle, task }
}

async fn greet(accepted: Accepted, shutdown: Shutdown) {
    let mut driver = driver(accepted.link, shutdown);
    let early = driver.talked_early(Duration::ZERO).await.unwrap();
    driver.output().extend_from_slice(format!("{} {early}\r\n", accepted.peer.ip()).as_bytes());
    let mut session = Echo::default();
    while let Ok(Some(line)) = driver.next_event(&mut session).await {
        assert_ne!(&line[..], b"panic");
        session.answer(&line, driver.output());
    }
    driver.close().await;
}

impl Serving {
    async fn connect(&self) -> Client {
        self.connect_from("127.0.0.1").await
    }

    async fn connect_from(&self, address: &str) -> Client {
        let socket = TcpSocket::new_v4().unwrap();
        socket.bind(format!("{address}:0").parse().unwrap()).unwrap();
        Client(socket.connect(self.at).await.unwrap())
    }

    async fn stop(self) {
        self.handle.shut_down();
        self.task.await.unwrap();
    }
}

struct Client(TcpStream);

impl Client {
    async fn say(&mut self, octets: &[u8]) {
        self.0.write_all(octets).await.unwrap();
    }

    async fn line(&mut self) -> String {
        let mut line = Vec::new();
        while !line.ends_with(b"\r\n") {
            match self.0.read_u8().await {
                Ok(octet) => line.push(octet),
                Err(_) => break,
            }
        }
        String::from_utf8(line).unwrap().trim_end().to_owned()
    }

    /// All that is said before the connection ends.
    async fn rest(mut self) -> Result<String, io::Error> {
        let mut rest = String::new();
        self.0.read_to_string(&mut rest).await?;
        Ok(rest)
    }
}

#[tokio::test]
async fn sec_c3_the_hundred_and_first_connection_of_an_address_is_told_so_and_closed() {
    let serving = start(options()).await;
    let mut open = Vec::new();
    for _ in 0..100 {
        let mut client = serving.connect().await;
        assert_eq!(client.line().await, "127.0.0.1 false");
        open.push(client);
    }
    assert_eq!(serving.connect().await.rest().await.unwrap(), "busy with you\r\n");
    // Everybody else is served.
    assert_eq!(serving.connect_from("127.0.0.2").await.line().await, "127.0.0.2 false");
    // And so is this one once it has hung up somewhere.
    drop(open.pop());
    loop {
        let line = serving.connect().await.line().await;
        if line == "127.0.0.1 false" {
            break;
        }
        assert_eq!(line, "busy with you");
    }
    drop(open);
    serving.stop().await;
}

#[tokio::test]
async fn sec_c3_beyond_the_cap_for_all_everybody_is_told_so_the_exempt_too() {
    let serving = start(options().with_max_connections(10, "busy\r\n").with_exempt(|_| true)).await;
    let mut open = Vec::new();
    for host in 1..=10 {
        let mut client = serving.connect_from(&format!("127.0.0.{host}")).await;
        client.line().await;
        open.push(client);
    }
    assert_eq!(serving.connect_from("127.0.0.11").await.rest().await.unwrap(), "busy\r\n");
    drop(open);
    serving.stop().await;
}

#[tokio::test]
async fn sec_c3_this_machine_itself_is_exempt_from_the_cap_for_each_address() {
    let options = ServeOptions::default().with_max_connections_per_address(1, "busy with you\r\n");
    let serving = start(options).await;
    let (mut a, mut b) = (serving.connect().await, serving.connect().await);
    assert_eq!((a.line().await, b.line().await), ("127.0.0.1 false".into(), "127.0.0.1 false".into()));
    drop((a, b));
    serving.stop().await;
}

#[tokio::test]
async fn sec_c3_behind_a_proxy_the_address_in_the_header_counts() {
    let serving =
        start(options().with_max_connections_per_address(2, "busy with you\r\n").with_proxy_protocol(true)).await;
    let mut open = Vec::new();
    for _ in 0..2 {
        let mut client = serving.connect().await;
        client.say(b"PROXY TCP4 192.0.2.1 198.51.100.1 1 25\r\n").await;
        assert_eq!(client.line().await, "192.0.2.1 false");
        open.push(client);
    }
    for (header, expected) in [
        (&b"PROXY TCP4 192.0.2.1 198.51.100.1 1 25\r\n"[..], "busy with you"),
        // The same address, as a machine that listens on IPv6 alone has it.
        (b"PROXY TCP6 ::ffff:192.0.2.1 2001:db8::1 1 25\r\n", "busy with you"),
        (b"PROXY TCP4 192.0.2.2 198.51.100.1 1 25\r\n", "192.0.2.2 false"),
        // The proxy itself, as often as it likes.
        (b"PROXY UNKNOWN\r\n", "127.0.0.1 false"),
        (b"PROXY UNKNOWN\r\n", "127.0.0.1 false"),
        (b"PROXY UNKNOWN\r\n", "127.0.0.1 false"),
    ] {
        let mut client = serving.connect().await;
        client.say(header).await;
        assert_eq!(client.line().await, expected);
        open.push(client);
    }
    // One network of /64, three addresses.
    for (last, expected) in [("1", "2001:db8:1:2::1 false"), ("ff", "2001:db8:1:2::ff false"), ("3", "busy with you")] {
        let mut client = serving.connect().await;
        client.say(format!("PROXY TCP6 2001:db8:1:2::{last} 2001:db8::1 1 25\r\n").as_bytes()).await;
        assert_eq!(client.line().await, expected);
        open.push(client);
    }
    drop(open);
    serving.stop().await;
}

#[tokio::test]
async fn what_comes_behind_a_proxy_header_is_the_sessions() {
    let serving = start(options().with_proxy_protocol(true)).await;
    let mut client = serving.connect().await;
    client.say(b"PROXY TCP4 192.0.2.1 198.51.100.1 1 25\r\nhello\r\nwor").await;
    assert_eq!(client.line().await, "192.0.2.1 true");
    client.say(b"ld\r\n").await;
    assert_eq!((client.line().await, client.line().await), ("hello".into(), "world".into()));
    // Version 2, with a TLV of a kind that nobody knows.
    let mut client = serving.connect().await;
    let mut header = b"\r\n\r\n\0\r\nQUIT\n\x21\x11\x00\x11".to_vec();
    header.extend([192, 0, 2, 7, 198, 51, 100, 1, 0, 1, 0, 25, 0xe7, 0, 2, 1, 2]);
    client.say(&header).await;
    assert_eq!(client.line().await, "192.0.2.7 false");
    drop(client);
    serving.stop().await;
}

#[tokio::test]
async fn sec_r2_without_a_proxy_header_nobody_is_served_and_nothing_is_said() {
    let mut options = options().with_proxy_protocol(true);
    options.proxy_header_timeout = Duration::from_millis(50);
    let serving = start(options).await;
    for octets in [&b"EHLO c\r\n"[..], b"", b"PROXY TCP4 192.0.2.1"] {
        let mut client = serving.connect().await;
        client.say(octets).await;
        assert!(matches!(client.rest().await.as_deref(), Ok("") | Err(_)), "{octets:?}");
    }
    serving.stop().await;
}

#[tokio::test]
async fn the_host_turns_away_whom_it_does_not_want() {
    let admit = |peer: SocketAddr| match peer.ip().to_string().as_str() {
        "127.0.0.2" => Admission::TurnAway("554 not you\r\n".into()),
        "127.0.0.3" => Admission::TurnAway("".into()),
        _ => Admission::Welcome,
    };
    let serving = start(options().with_admission(admit)).await;
    assert_eq!(serving.connect_from("127.0.0.2").await.rest().await.unwrap(), "554 not you\r\n");
    assert_eq!(serving.connect_from("127.0.0.3").await.rest().await.unwrap(), "");
    assert_eq!(serving.connect().await.line().await, "127.0.0.1 false");
    serving.stop().await;
}

#[tokio::test]
async fn sec_c3_a_flood_that_is_turned_away_is_told_why_though_it_talks() {
    let serving = start(options().with_max_connections(0, "busy\r\n")).await;
    let mut flood = Vec::new();
    for _ in 0..200 {
        flood.push(serving.connect().await);
    }
    let mut told = 0;
    for client in flood {
        told += usize::from(client.rest().await.is_ok_and(|rest| rest == "busy\r\n"));
    }
    assert_eq!(told, 200);
    // What it has said itself is no reason for the system to take the words back.
    let mut client = serving.connect().await;
    client.say(b"EHLO impatient\r\n").await;
    assert_eq!(client.rest().await.unwrap(), "busy\r\n");
    serving.stop().await;
}

#[tokio::test]
async fn sec_c3_a_connection_that_ends_by_a_panic_is_not_counted_for_ever() {
    let serving = start(options().with_max_connections_per_address(1, "busy with you\r\n")).await;
    let mut client = serving.connect().await;
    client.say(b"panic\r\n").await;
    let _ = client.rest().await;
    while serving.connect().await.line().await != "127.0.0.1 false" {}
    serving.stop().await;
}
