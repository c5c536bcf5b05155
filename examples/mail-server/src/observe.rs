//! The numbers of a running server, for Prometheus: `--metrics ADDRESS:PORT`, and there `/metrics`.
//!
//! The exporter makes the page. It could serve it too, but its listener has neither a cap nor a deadline and cannot say
//! which port it was given; the mail servers' own has all three, and one page needs no more of HTTP than what is here.

use std::net::SocketAddr;
use std::time::Duration;

use mail_wire::io::{Accepted, Link, ServeOptions, Shutdown, metrics};
use metrics_exporter_prometheus::{Matcher, PrometheusBuilder, PrometheusHandle};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;
use tokio::time::{MissedTickBehavior, interval, timeout};

use crate::error::{Failure, Outcome};

/// Octets of a request's head; a scraper's is some hundreds.
const LONGEST_REQUEST: usize = 8 * 1024;
/// A request and its answer have so long.
const PATIENCE: Duration = Duration::from_secs(10);
/// Nobody but a monitor or two comes here.
const MOST_CONNECTIONS: usize = 16;

/// From a stroke of the store's to the patience of a client.
const DELIVERY_BUCKETS: [f64; 13] = [0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 5.0, 30.0, 120.0];
/// From a delivery from the next room to a session that is kept open for hours.
const CONNECTION_BUCKETS: [f64; 12] = [0.01, 0.1, 0.5, 1.0, 5.0, 15.0, 60.0, 300.0, 600.0, 1800.0, 3600.0, 21_600.0];

/// Begins to count, for the whole process.
pub(crate) fn install() -> Outcome<PrometheusHandle> {
    let failed = |error| Failure::failed(format!("cannot count for --metrics: {error}"));
    let handle = PrometheusBuilder::new()
        .set_buckets_for_metric(Matcher::Full(metrics::DELIVERY_SECONDS.to_owned()), &DELIVERY_BUCKETS)
        .and_then(|builder| {
            let name = metrics::CONNECTION_SECONDS.to_owned();
            builder.set_buckets_for_metric(Matcher::Full(name), &CONNECTION_BUCKETS)
        })
        .and_then(PrometheusBuilder::install_recorder)
        .map_err(failed)?;
    metrics::describe();
    Ok(handle)
}

/// Shows what has been counted to whoever asks, until the word to shut down.
pub(crate) async fn serve(handle: PrometheusHandle, listener: TcpListener, shutdown: Shutdown) {
    let upkeep = handle.clone();
    let tidying = async move {
        let mut ticks = interval(Duration::from_secs(5));
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            ticks.tick().await;
            upkeep.run_upkeep();
        }
    };
    let options = ServeOptions::default().with_protocol("metrics").with_max_connections(MOST_CONNECTIONS, "");
    let serving = mail_wire::io::serve(listener, options, shutdown, move |accepted| show(accepted, handle.clone()));
    tokio::select! {
        () = serving => {}
        () = tidying => {}
    }
}

async fn show(Accepted { mut link, .. }: Accepted, handle: PrometheusHandle) {
    // Whoever asks and goes, or asks and does not read, is nobody's trouble.
    let _ = timeout(PATIENCE, answer(&mut link, || handle.render())).await;
}

async fn answer(link: &mut Link, render: impl FnOnce() -> String) -> std::io::Result<()> {
    let mut head = Vec::new();
    while !head.windows(4).any(|end| end == b"\r\n\r\n") {
        if head.len() >= LONGEST_REQUEST || link.read_buf(&mut head).await? == 0 {
            break;
        }
    }
    let line = head.split(|&octet| octet == b'\r').next().unwrap_or_default();
    let (status, body, is_head) = match respond(line) {
        Ok(is_head) => ("200 OK", render(), is_head),
        Err(status) => (status, format!("{status}\n"), false),
    };
    let length = body.len();
    let response = format!(
        "HTTP/1.1 {status}\r\nContent-Type: text/plain; version=0.0.4; charset=utf-8\r\nContent-Length: {length}\r\n\
         Cache-Control: no-store\r\nConnection: close\r\n\r\n"
    );
    link.write_all(response.as_bytes()).await?;
    if !is_head {
        link.write_all(body.as_bytes()).await?;
    }
    link.shutdown().await
}

/// Whether a request's first line wants the head alone; or why it gets nothing.
fn respond(line: &[u8]) -> Result<bool, &'static str> {
    let words: Vec<_> = line.split(|&octet| octet == b' ').collect();
    let &[method, target, version] = words.as_slice() else { return Err("400 Bad Request") };
    if !version.starts_with(b"HTTP/1.") {
        return Err("400 Bad Request");
    }
    let path = target.split(|&octet| octet == b'?').next().unwrap_or_default();
    match (path, method) {
        (b"/metrics", b"GET") => Ok(false),
        (b"/metrics", b"HEAD") => Ok(true),
        (b"/metrics", _) => Err("405 Method Not Allowed"),
        _ => Err("404 Not Found"),
    }
}

/// What to call it in a browser.
pub(crate) fn address(bound: SocketAddr) -> String {
    format!("http://{bound}/metrics")
}

#[cfg(test)]
mod tests {
    use tokio::io::duplex;

    use super::*;

    async fn ask(request: &[u8]) -> String {
        let (mut client, server) = duplex(64 * 1024);
        client.write_all(request).await.unwrap();
        let mut link = Link::plain(server);
        answer(&mut link, || String::from("numbers\n")).await.unwrap();
        drop(link);
        let mut told = String::new();
        client.read_to_string(&mut told).await.unwrap();
        told
    }

    #[tokio::test]
    async fn the_numbers_are_given_at_one_place_and_nothing_elsewhere() {
        for (request, status, body) in [
            (&b"GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n"[..], "200 OK", "numbers\n"),
            (b"GET /metrics?a=b HTTP/1.0\r\n\r\n", "200 OK", "numbers\n"),
            (b"HEAD /metrics HTTP/1.1\r\n\r\n", "200 OK", ""),
            (b"POST /metrics HTTP/1.1\r\n\r\n", "405 Method Not Allowed", "405 Method Not Allowed\n"),
            (b"GET / HTTP/1.1\r\n\r\n", "404 Not Found", "404 Not Found\n"),
            (b"EHLO x\r\n\r\n", "400 Bad Request", "400 Bad Request\n"),
            (b"\r\n\r\n", "400 Bad Request", "400 Bad Request\n"),
            (&[b'x'; 60_000], "400 Bad Request", "400 Bad Request\n"),
        ] {
            let told = ask(request).await;
            let (head, given) = told.split_once("\r\n\r\n").unwrap();
            assert!(head.starts_with(&format!("HTTP/1.1 {status}\r\n")), "{told}");
            assert_eq!(given, body, "{told}");
        }
    }

    #[test]
    fn the_table_for_people_says_what_is_counted_and_nothing_else() {
        let table = include_str!("../METRICS.md");
        let rows: Vec<_> = table.lines().filter(|line| line.starts_with("| `pillarbox_")).collect();
        let expected: Vec<_> = metrics::ALL
            .iter()
            .map(|metric| {
                let kind = format!("{:?}", metric.kind).to_lowercase();
                let labels: Vec<_> = metric.labels.iter().map(|label| format!("`{label}`")).collect();
                format!("| `{}` | {kind} | {} | {} |", metric.name, labels.join(", "), metric.meaning)
            })
            .collect();
        assert_eq!(rows, expected);
    }
}
