//! IMAP's hard cases through the shape that all sessions have, with a machine that knows just enough IMAP for them.
//!
//! To be replaced by the real session; until then it keeps the shape honest: LOGIN with a literal, AUTHENTICATE, IDLE
//! with news in between, a FETCH of 50 MB to a slow reader, APPEND with `{n}` and `{n+}` taken and refused, and a layer
//! that begins right behind its OK.
#![allow(clippy::unwrap_used, clippy::indexing_slicing)]

use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::{Buf, Bytes, BytesMut};
use mail_wire::io::{Driver, DriverOptions, Link, Shutdown};
use mail_wire::line::LineReader;
use mail_wire::machine::{Machine, Timer, Timers, TlsInfo};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, DuplexStream, ReadBuf, duplex};
use tokio::sync::mpsc;

#[derive(Debug, thiserror::Error)]
#[error("{0}")]
struct Fault(&'static str);

#[derive(Debug)]
enum Event {
    /// A literal, or the next line of AUTHENTICATE, may come: octets without policy.
    Continue,
    Login {
        tag: String,
        user: Vec<u8>,
        password: Vec<u8>,
    },
    Authenticate {
        tag: String,
        response: Vec<u8>,
    },
    Idle,
    IdleDone {
        tag: String,
    },
    AppendHead {
        size: usize,
        waits: bool,
    },
    AppendData(Bytes),
    AppendEnd {
        tag: String,
    },
    Fetch {
        tag: String,
    },
    Compress {
        tag: String,
    },
    Logout {
        tag: String,
    },
}

enum Phase {
    Line,
    /// A command of which `so_far` has come and a literal of so many octets is to come.
    Literal {
        so_far: Vec<Vec<u8>>,
        left: usize,
    },
    Authenticate {
        tag: String,
    },
    Idle {
        tag: String,
    },
    Append {
        tag: String,
        left: usize,
        taken: bool,
    },
    AppendTail {
        tag: String,
        taken: bool,
    },
}

struct Session {
    lines: LineReader,
    phase: Phase,
    parts: Vec<Vec<u8>>,
    owed: bool,
    closed: bool,
}

impl Session {
    fn new() -> Self {
        Self { lines: LineReader::new(), phase: Phase::Line, parts: Vec::new(), owed: false, closed: false }
    }

    fn answer(&mut self, text: &str, out: &mut BytesMut) {
        assert!(std::mem::take(&mut self.owed), "no answer is owed");
        out.extend_from_slice(text.as_bytes());
        out.extend_from_slice(b"\r\n");
    }

    /// The answer to an APPEND's head moves the state: its octets come as data, or are swallowed, or never come.
    fn answer_append(&mut self, take: bool, waits: bool, out: &mut BytesMut) {
        assert!(std::mem::take(&mut self.owed), "no answer is owed");
        match (&mut self.phase, take, waits) {
            (Phase::Append { taken, .. }, true, waits) => {
                *taken = true;
                if waits {
                    out.extend_from_slice(b"+ go\r\n");
                }
            }
            (Phase::Append { tag, .. }, false, true) => {
                out.extend_from_slice(format!("{tag} NO [TOOBIG] no\r\n").as_bytes());
                self.phase = Phase::Line;
            }
            _ => {}
        }
    }

    fn command(&mut self, line: &[u8]) -> Option<Event> {
        self.parts.push(line.to_vec());
        if let Some((size, waits)) = literal(line) {
            if self.parts[0].windows(8).any(|word| word == b" APPEND ") {
                self.phase = Phase::Append { tag: self.tag(), left: size, taken: false };
                self.parts.clear();
                return Some(Event::AppendHead { size, waits });
            }
            self.phase = Phase::Literal { so_far: std::mem::take(&mut self.parts), left: size };
            return waits.then_some(Event::Continue);
        }
        let (tag, parts) = (self.tag(), std::mem::take(&mut self.parts));
        let verb = String::from_utf8_lossy(&parts[0][tag.len() + 1..]).split(' ').next().unwrap().to_owned();
        Some(match verb.as_str() {
            "LOGIN" => Event::Login { tag, user: parts[1].clone(), password: parts[3].clone() },
            "AUTHENTICATE" => {
                self.phase = Phase::Authenticate { tag };
                Event::Continue
            }
            "IDLE" => {
                self.phase = Phase::Idle { tag };
                Event::Idle
            }
            "FETCH" => Event::Fetch { tag },
            "COMPRESS" => Event::Compress { tag },
            _ => Event::Logout { tag },
        })
    }

    fn tag(&self) -> String {
        String::from_utf8_lossy(&self.parts[0]).split(' ').next().unwrap().to_owned()
    }
}

/// `{n}` and `{n+}` at the end of a line, and whether the client waits.
fn literal(line: &[u8]) -> Option<(usize, bool)> {
    let inner = line.strip_suffix(b"}")?;
    let from = inner.iter().rposition(|&octet| octet == b'{')?;
    let digits = std::str::from_utf8(&inner[from + 1..]).ok()?;
    match digits.strip_suffix('+') {
        Some(digits) => Some((digits.parse().ok()?, false)),
        None => Some((digits.parse().ok()?, true)),
    }
}

impl Machine for Session {
    type Event = Event;
    type Error = Fault;

    fn next_event(&mut self, input: &mut BytesMut) -> Result<Option<Event>, Fault> {
        if self.owed {
            return Err(Fault("an answer is owed"));
        }
        loop {
            let event = match &mut self.phase {
                Phase::Literal { so_far, left } => {
                    if input.len() < *left {
                        return Ok(None);
                    }
                    let mut parts = std::mem::take(so_far);
                    parts.push(input.split_to(*left).to_vec());
                    self.parts = parts;
                    self.phase = Phase::Line;
                    continue;
                }
                Phase::Append { tag, left: 0, taken } => {
                    self.phase = Phase::AppendTail { tag: std::mem::take(tag), taken: *taken };
                    continue;
                }
                Phase::Append { .. } if input.is_empty() => return Ok(None),
                Phase::Append { left, taken, .. } => {
                    let octets = input.split_to(input.len().min(*left)).freeze();
                    *left -= octets.len();
                    if *taken {
                        return Ok(Some(Event::AppendData(octets)));
                    }
                    continue;
                }
                _ => {
                    let Some(line) = self.lines.next_line(input, 8192) else { return Ok(None) };
                    let line = line.map_err(|_| Fault("a bad line"))?;
                    match std::mem::replace(&mut self.phase, Phase::Line) {
                        Phase::Authenticate { tag } => Event::Authenticate { tag, response: line.to_vec() },
                        Phase::Idle { tag } if line.eq_ignore_ascii_case(b"DONE") => Event::IdleDone { tag },
                        Phase::AppendTail { tag, taken: true } => Event::AppendEnd { tag },
                        Phase::AppendTail { .. } => continue,
                        _ => match self.command(&line) {
                            Some(event) => event,
                            None => continue,
                        },
                    }
                }
            };
            self.owed = true;
            return Ok(Some(event));
        }
    }

    fn end_of_input(&mut self) -> Result<(), Fault> {
        Ok(())
    }

    fn timers(&self) -> Timers {
        Timers::none()
    }

    fn handle_timeout(&mut self, _: Timer, _: &mut BytesMut) {}

    fn shut_down(&mut self, _: &mut BytesMut) -> bool {
        self.closed = true;
        true
    }

    fn tls_started(&mut self, _: TlsInfo, _: &mut BytesMut) {}

    fn is_closed(&self) -> bool {
        self.closed
    }
}

const FETCHED: usize = 50 * 1024 * 1024;

/// A host: what it was asked, in words; and the most that ever waited in the output.
async fn host(mut driver: Driver, mut news: mpsc::Receiver<&'static str>) -> (Vec<String>, usize) {
    let (mut session, mut log, mut most, mut appended) = (Session::new(), Vec::new(), 0, 0);
    let mut idling = false;
    loop {
        // While it waits for the client it hears of the store too: next_event is cancel-safe.
        let event = tokio::select! {
            event = driver.next_event(&mut session) => event.unwrap(),
            Some(untagged) = news.recv(), if idling => {
                driver.output().extend_from_slice(untagged.as_bytes());
                driver.flush().await.unwrap();
                continue;
            }
        };
        let Some(event) = event else { break };
        match event {
            Event::Continue => session.answer("+ ", driver.output()),
            Event::Login { tag, user, password } => {
                log.push(format!("login {} {}", user.escape_ascii(), password.escape_ascii()));
                session.answer(&format!("{tag} OK in"), driver.output());
            }
            Event::Authenticate { tag, response } => {
                log.push(format!("sasl {}", response.escape_ascii()));
                session.answer(&format!("{tag} OK in"), driver.output());
            }
            Event::Idle => {
                idling = true;
                session.answer("+ idling", driver.output());
            }
            Event::IdleDone { tag } => {
                idling = false;
                session.answer(&format!("{tag} OK idle"), driver.output());
            }
            Event::AppendHead { size, waits } => {
                appended = 0;
                session.answer_append(size <= 1000, waits, driver.output());
                if size > 1000 {
                    log.push(format!("refused {size}"));
                }
            }
            Event::AppendData(octets) => appended += octets.len(),
            Event::AppendEnd { tag } => {
                log.push(format!("appended {appended}"));
                session.answer(&format!("{tag} OK append"), driver.output());
            }
            Event::Fetch { tag } => {
                driver.output().extend_from_slice(format!("* 1 FETCH (BODY[] {{{FETCHED}}}\r\n").as_bytes());
                let chunk = Bytes::from(vec![b'x'; 64 * 1024]);
                for _ in 0..FETCHED / chunk.len() {
                    driver.output().extend_from_slice(&chunk);
                    most = most.max(driver.output().len());
                    driver.flush_if_full().await.unwrap();
                }
                driver.output().extend_from_slice(b")\r\n");
                session.answer(&format!("{tag} OK fetch"), driver.output());
            }
            Event::Compress { tag } => {
                session.answer(&format!("{tag} OK layer"), driver.output());
                driver.add_layer(|link, read| Link::layered(Xor { read, link }, false)).await.unwrap();
            }
            Event::Logout { tag } => {
                session.answer(&format!("{tag} OK bye"), driver.output());
                session.closed = true;
            }
        }
    }
    (log, most)
}

/// In the place of DEFLATE: every octet turned over.
struct Xor {
    read: BytesMut,
    link: Link,
}

impl AsyncRead for Xor {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<std::io::Result<()>> {
        let from = buf.filled().len();
        if self.read.is_empty() {
            std::task::ready!(Pin::new(&mut self.link).poll_read(cx, buf))?;
        } else {
            let count = self.read.len().min(buf.remaining());
            buf.put_slice(&self.read[..count]);
            self.read.advance(count);
        }
        buf.filled_mut()[from..].iter_mut().for_each(|octet| *octet ^= 0xff);
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Xor {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, octets: &[u8]) -> Poll<std::io::Result<usize>> {
        let turned: Vec<u8> = octets.iter().map(|octet| octet ^ 0xff).collect();
        Pin::new(&mut self.link).poll_write(cx, &turned)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<std::io::Result<()>> {
        Pin::new(&mut self.link).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<std::io::Result<()>> {
        Pin::new(&mut self.link).poll_shutdown(cx)
    }
}

type Host = tokio::task::JoinHandle<(Vec<String>, usize)>;

fn connect() -> (DuplexStream, mpsc::Sender<&'static str>, Host) {
    let (client, server) = duplex(8192);
    let (tell, news) = mpsc::channel(1);
    let driver = Driver::new(Link::plain(server), DriverOptions::default(), Shutdown::never());
    (client, tell, tokio::spawn(host(driver, news)))
}

async fn expect(client: &mut DuplexStream, words: &str) {
    let mut octets = vec![0; words.len()];
    client.read_exact(&mut octets).await.unwrap();
    assert_eq!(String::from_utf8_lossy(&octets), words);
}

#[tokio::test]
async fn login_with_literals_and_authenticate() {
    let (mut client, _tell, host) = connect();
    client.write_all(b"a LOGIN {3}\r\n").await.unwrap();
    expect(&mut client, "+ \r\n").await;
    // The second literal does not wait, and the next command is right behind it.
    client.write_all(b"a\rb {4+}\r\nc\r\nd\r\nb AUTHENTICATE PLAIN\r\n").await.unwrap();
    expect(&mut client, "a OK in\r\n+ \r\n").await;
    client.write_all(b"AGEAYg==\r\nz LOGOUT\r\n").await.unwrap();
    expect(&mut client, "b OK in\r\nz OK bye\r\n").await;
    assert_eq!(host.await.unwrap().0, ["login a\\rb c\\r\\nd", "sasl AGEAYg=="]);
}

#[tokio::test]
async fn idle_hears_of_news_and_ends_with_done_in_any_case() {
    let (mut client, tell, host) = connect();
    client.write_all(b"a IDLE\r\n").await.unwrap();
    expect(&mut client, "+ idling\r\n").await;
    tell.send("* 5 EXISTS\r\n").await.unwrap();
    expect(&mut client, "* 5 EXISTS\r\n").await;
    client.write_all(b"do").await.unwrap();
    tell.send("* 6 EXISTS\r\n").await.unwrap();
    expect(&mut client, "* 6 EXISTS\r\n").await;
    client.write_all(b"nE\r\nz LOGOUT\r\n").await.unwrap();
    expect(&mut client, "a OK idle\r\nz OK bye\r\n").await;
    host.await.unwrap();
}

#[tokio::test]
async fn append_is_taken_and_refused_with_both_kinds_of_literal() {
    let (mut client, _tell, host) = connect();
    client.write_all(b"a APPEND x {5}\r\n").await.unwrap();
    expect(&mut client, "+ go\r\n").await;
    client.write_all(b"hello\r\nb APPEND x {5+}\r\nhello\r\n").await.unwrap();
    expect(&mut client, "a OK append\r\nb OK append\r\n").await;
    client.write_all(b"c APPEND x {1001}\r\n").await.unwrap();
    expect(&mut client, "c NO [TOOBIG] no\r\n").await;
    // The octets of a refused `{n+}` come all the same, and are never commands.
    let evil = b"e LOGOUT\r\n".repeat(200);
    client.write_all(format!("d APPEND x {{{}+}}\r\n", evil.len()).as_bytes()).await.unwrap();
    client.write_all(&evil).await.unwrap();
    client.write_all(b"\r\nz LOGOUT\r\n").await.unwrap();
    expect(&mut client, "z OK bye\r\n").await;
    assert_eq!(host.await.unwrap().0, ["appended 5", "appended 5", "refused 1001", "refused 2000"]);
}

#[tokio::test]
async fn a_fetch_of_50_mb_to_a_slow_reader_keeps_little_in_memory() {
    let (mut client, _tell, host) = connect();
    client.write_all(b"a FETCH 1 BODY[]\r\nz LOGOUT\r\n").await.unwrap();
    let (mut total, mut buffer) = (0, vec![0; 4096]);
    loop {
        let count = client.read(&mut buffer).await.unwrap();
        if count == 0 {
            break;
        }
        total += count;
        if total < 100_000 {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    }
    assert!(total > FETCHED);
    let (_, most) = host.await.unwrap();
    assert!(most <= 192 * 1024, "{most} octets waited");
}

#[tokio::test]
async fn a_layer_begins_right_behind_its_ok() {
    let (mut client, _tell, host) = connect();
    let turned: Vec<u8> = b"z LOGOUT\r\n".iter().map(|octet| octet ^ 0xff).collect();
    client.write_all(&[b"a COMPRESS X\r\n", &turned[..]].concat()).await.unwrap();
    expect(&mut client, "a OK layer\r\n").await;
    let mut octets = Vec::new();
    client.read_to_end(&mut octets).await.unwrap();
    octets.iter_mut().for_each(|octet| *octet ^= 0xff);
    assert_eq!(octets, b"z OK bye\r\n");
    host.await.unwrap();
}
