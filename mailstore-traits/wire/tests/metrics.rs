//! What is counted, and under which names.
#![cfg(feature = "io")]
#![allow(clippy::unwrap_used)]

mod echo;

use std::collections::HashMap;
use std::time::Duration;

use echo::{certified, echo, localhost, pair};
use mail_wire::io::metrics::{self, MetricKind};
use mail_wire::io::{Driver, DriverOptions, Link, ServeOptions, Shutdown, serve};
use metrics_util::MetricKind as Kind;
use metrics_util::debugging::{DebugValue, DebuggingRecorder, Snapshotter};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

/// Everything that was recorded: `name{label=value,...}`, in the labels' order.
fn recorded(snapshotter: &Snapshotter) -> HashMap<String, f64> {
    let samples = snapshotter.snapshot().into_vec().into_iter().map(|(key, _, _, value)| {
        let known = metrics::ALL.iter().find(|metric| metric.name == key.key().name()).expect("a name of the table");
        let kind = match known.kind {
            MetricKind::Gauge => Kind::Gauge,
            MetricKind::Histogram => Kind::Histogram,
            _ => Kind::Counter,
        };
        assert_eq!(key.kind(), kind, "{}", known.name);
        let labels: Vec<_> = key.key().labels().map(|label| label.key().to_owned()).collect();
        assert_eq!(labels, known.labels, "{}", known.name);
        let values: Vec<_> = key.key().labels().map(|label| label.value().to_owned()).collect();
        let value = match value {
            DebugValue::Counter(count) => count as f64,
            DebugValue::Gauge(value) => value.into_inner(),
            DebugValue::Histogram(values) => values.len() as f64,
        };
        (format!("{}{{{}}}", known.name, values.join(",")), value)
    });
    samples.collect()
}

fn options() -> DriverOptions {
    let mut options = DriverOptions::default();
    options.protocol = "echo";
    options
}

#[tokio::test]
async fn a_connection_its_octets_and_its_handshake_are_counted() {
    let recorder = DebuggingRecorder::new();
    let snapshotter = recorder.snapshotter();
    let _guard = ::metrics::set_default_local_recorder(&recorder);
    let (tls, connector) = certified();
    let (mut client, link) = pair();
    let server = tokio::spawn(echo(Driver::new(link, options(), Shutdown::never()), Some(tls)));
    client.write_all(b"STARTTLS\r\n").await.unwrap();
    client.read_exact(&mut [0; 10]).await.unwrap();
    // Each look takes what it has seen: what follows is what has changed since.
    let begun = recorded(&snapshotter);
    assert_eq!(begun["pillarbox_connections_open{echo}"], 1.0);
    assert_eq!(begun["pillarbox_connections_total{echo}"], 1.0);
    assert_eq!(begun["pillarbox_octets_total{echo,in}"], 10.0);
    let mut client = connector.connect(localhost(), client).await.unwrap();
    client.write_all(b"secret\r\n").await.unwrap();
    client.read_exact(&mut [0; 8]).await.unwrap();
    client.shutdown().await.unwrap();
    client.read_to_end(&mut Vec::new()).await.unwrap();
    server.await.unwrap().unwrap();
    let recorded = recorded(&snapshotter);
    for (name, value) in [
        ("pillarbox_connections_open{echo}", -1.0),
        ("pillarbox_connection_seconds{echo}", 1.0),
        ("pillarbox_octets_total{echo,in}", 8.0),
        ("pillarbox_octets_total{echo,out}", 8.0),
        ("pillarbox_tls_handshakes_total{echo,ok}", 1.0),
    ] {
        assert_eq!(recorded.get(name), Some(&value), "{name} in {recorded:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn deadlines_are_counted_by_their_kind() {
    let recorder = DebuggingRecorder::new();
    let snapshotter = recorder.snapshotter();
    let _guard = ::metrics::set_default_local_recorder(&recorder);
    // Idle, line, handshake, write.
    for (says, tls) in [(&b""[..], false), (b"hal", false), (b"STARTTLS\r\n", true)] {
        let (mut client, link) = pair();
        client.write_all(says).await.unwrap();
        let tls = tls.then(|| certified().0);
        let _ = echo(Driver::new(link, options(), Shutdown::never()), tls).await;
        drop(client);
    }
    let (_client, link) = pair();
    let mut deaf = Driver::new(link, options(), Shutdown::never());
    deaf.output().resize(1 << 20, b'x');
    deaf.flush().await.unwrap_err();
    let recorded = recorded(&snapshotter);
    for timer in ["idle", "line", "handshake", "write"] {
        assert_eq!(recorded[&format!("pillarbox_timeouts_total{{echo,{timer}}}")], 1.0, "{timer}");
    }
    assert_eq!(recorded["pillarbox_tls_handshakes_total{echo,timeout}"], 1.0);
}

#[tokio::test]
async fn who_is_turned_away_is_counted_by_the_reason() {
    let recorder = DebuggingRecorder::new();
    let snapshotter = recorder.snapshotter();
    let _guard = ::metrics::set_default_local_recorder(&recorder);
    let (handle, shutdown) = Shutdown::channel();
    let mut servers = Vec::new();
    for (case, expected) in ["total", "address", "policy", "proxy"].into_iter().enumerate() {
        let mut options = ServeOptions::default().with_protocol("echo").with_exempt(|_| false);
        options.proxy_header_timeout = Duration::from_secs(1);
        let options = match case {
            0 => options.with_max_connections(0, "no\r\n"),
            1 => options.with_max_connections_per_address(0, "no\r\n"),
            2 => options.with_admission(|_| mail_wire::io::Admission::TurnAway("no\r\n".into())),
            _ => options.with_proxy_protocol(true),
        };
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let at = listener.local_addr().unwrap();
        servers.push(tokio::spawn(serve(listener, options, shutdown.clone(), |_| async { unreachable!() })));
        let mut client = TcpStream::connect(at).await.unwrap();
        client.write_all(b"no header").await.unwrap();
        let _ = client.read_to_end(&mut Vec::new()).await;
        let name = format!("pillarbox_connections_refused_total{{echo,{expected}}}");
        assert_eq!(recorded(&snapshotter).get(&name), Some(&1.0), "{name}");
    }
    handle.shut_down();
    for server in servers {
        server.await.unwrap();
    }
}

#[test]
fn what_a_protocol_records_has_the_names_and_labels_of_the_table() {
    let recorder = DebuggingRecorder::new();
    let snapshotter = recorder.snapshotter();
    ::metrics::with_local_recorder(&recorder, || {
        metrics::describe();
        metrics::command("smtp", "MAIL");
        metrics::command("smtp", "unknown");
        metrics::reply("smtp", metrics::reply_class(250));
        metrics::message("smtp", "delivered");
        metrics::messages("pop3", "deleted", 7);
        metrics::delivery("smtp", Duration::from_millis(3));
        metrics::login("pop3", "USER", "rejected");
        drop(Driver::new(Link::plain(tokio::io::empty()), options(), Shutdown::never()));
    });
    let recorded = recorded(&snapshotter);
    for (name, value) in [
        ("pillarbox_commands_total{smtp,MAIL}", 1.0),
        ("pillarbox_commands_total{smtp,unknown}", 1.0),
        ("pillarbox_replies_total{smtp,2xx}", 1.0),
        ("pillarbox_messages_total{smtp,delivered}", 1.0),
        ("pillarbox_messages_total{pop3,deleted}", 7.0),
        ("pillarbox_delivery_seconds{smtp}", 1.0),
        ("pillarbox_logins_total{pop3,USER,rejected}", 1.0),
    ] {
        assert_eq!(recorded.get(name), Some(&value), "{name} in {recorded:?}");
    }
}
