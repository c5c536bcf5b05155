//! A message by SMTP over ten kept connections.

use std::time::{Duration, Instant};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::mailbox::{ACCOUNT, Outcome, message};
use crate::process::{Server, counts};

const CONNECTIONS: usize = 10;
/// Octets of text in a message.
const TEXT: usize = 2000;

/// What is said and how many octets come back, for one message.
type Groups = Vec<(Vec<u8>, usize)>;

/// One row of the table.
struct Row {
    server: &'static str,
    each: usize,
    messages: usize,
    taken: Taken,
}

struct Taken {
    whole: Duration,
    user: f64,
    system: f64,
    median: Duration,
    slow: Duration,
    calls: Option<(f64, f64, f64)>,
}

/// Runs it all and prints a table.
pub(crate) async fn run(count: usize) -> Outcome {
    println!(
        "| Server | groups | messages a second | CPU, µs a message | user | system | p50, µs | p99, µs | reads | writes | other calls |\n\
         | --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: |"
    );
    let folder = tempfile::tempdir()?;
    for each in [2, 1] {
        let (said, sizes) = groups(each).await?;
        let sizes: Vec<&str> = sizes.iter().map(String::as_str).collect();
        let path = folder.path().join(format!("mail{each}.sqlite"));
        let traced = folder.path().join(format!("traced{each}.sqlite"));
        for (server, what, messages, traced_what) in [
            ("echo, threads that block", vec!["echo", "threads"], count, None),
            ("echo, tokio", vec!["echo", "tokio"], count, None),
            ("SMTP, discarded", vec!["smtp", "discard"], count, None),
            ("SMTP, memory", vec!["smtp", "memory"], count, None),
            ("SMTP, SQLite", vec!["smtp", path.to_str().ok_or("path")?], count / 10, traced.to_str()),
        ] {
            let is_echo = what.first() == Some(&"echo");
            let extra = if is_echo { sizes.as_slice() } else { &[] };
            let what: Vec<&str> = what.iter().chain(extra).copied().collect();
            let mut taken = measure(&what, !is_echo, &said, messages).await?;
            let traced: Vec<&str> = match traced_what {
                Some(path) => vec!["smtp", path],
                None => what,
            };
            taken.calls = trace(&traced, !is_echo, &said).await.ok();
            Row { server, each, messages, taken }.print();
        }
    }
    println!("\nA message has {} octets.", body().len());
    Ok(())
}

impl Row {
    fn print(&self) {
        let Self { server, each, messages, taken } = self;
        let (reads, writes, others) = match taken.calls {
            Some((reads, writes, others)) => (format!("{reads:.2}"), format!("{writes:.2}"), format!("{others:.2}")),
            None => ("?".to_owned(), "?".to_owned(), "?".to_owned()),
        };
        println!(
            "| {server} | {each} | {:.0} | {:.1} | {:.1} | {:.1} | {} | {} | {reads} | {writes} | {others} |",
            *messages as f64 / taken.whole.as_secs_f64(),
            taken.user + taken.system,
            taken.user,
            taken.system,
            taken.median.as_micros(),
            taken.slow.as_micros(),
        );
    }
}

fn envelope() -> String {
    format!("MAIL FROM:<charles@example.net> BODY=8BITMIME\r\nRCPT TO:<{ACCOUNT}>\r\nDATA\r\n")
}

fn body() -> String {
    message(7, TEXT) + ".\r\n"
}

/// The octets of a message in one or two groups, as RFC 2920 §3.1 allows, with the length of what the server says to each.
/// In one group, the content goes first and the next message's envelope behind it.
async fn groups(each: usize) -> Outcome<(Groups, Vec<String>)> {
    // What the server says to each is asked of the server itself.
    let server = Server::start(&["smtp", "discard"])?;
    let mut client = Peer::greeted(server.port).await?;
    let to_envelope = client.say_and_hear(envelope().as_bytes(), b"354 ").await?;
    let to_content = client.say_and_hear(body().as_bytes(), b"250 ").await?;
    let groups: Groups = match each {
        2 => vec![(envelope().into_bytes(), to_envelope), (body().into_bytes(), to_content)],
        _ => vec![((body() + &envelope()).into_bytes(), to_content + to_envelope)],
    };
    let sizes = groups.iter().flat_map(|(said, heard)| [said.len().to_string(), heard.to_string()]).collect();
    Ok((groups, sizes))
}

async fn measure(what: &[&str], is_smtp: bool, groups: &Groups, messages: usize) -> Outcome<Taken> {
    let server = Server::start(what)?;
    let mut peers = connect(&server, is_smtp, groups).await?;
    // Buffers and caches are warm then.
    peers = send(peers, groups, 20).await?.0;
    let before = server.cpu()?;
    let begun = Instant::now();
    let (_peers, mut times) = send(peers, groups, messages / CONNECTIONS).await?;
    let whole = begun.elapsed();
    let cpu = server.cpu()?.since(before);
    times.sort_unstable();
    let at = |share: usize| times.get((times.len() * share / 100).min(times.len() - 1)).copied().unwrap_or_default();
    let each = |time: Duration| time.as_secs_f64() * 1e6 / messages as f64;
    Ok(Taken { whole, user: each(cpu.user), system: each(cpu.system), median: at(50), slow: at(99), calls: None })
}

/// Reads, writes and other system calls for each message: the difference of a run with few and one with more.
async fn trace(what: &[&str], is_smtp: bool, groups: &Groups) -> Outcome<(f64, f64, f64)> {
    const FEW: usize = 10;
    const MORE: usize = 60;
    let folder = tempfile::tempdir()?;
    let mut sums = Vec::new();
    for rounds in [FEW, MORE] {
        let path = folder.path().join(rounds.to_string());
        let server = Server::traced(what, &path)?;
        let peers = connect(&server, is_smtp, groups).await?;
        let (peers, _) = send(peers, groups, rounds).await?;
        drop(peers);
        server.end()?;
        let (mut reads, mut writes, mut others) = (0, 0, 0);
        for (name, calls) in counts(&path)? {
            match name.as_str() {
                "recvfrom" => reads += calls,
                "sendto" => writes += calls,
                _ => others += calls,
            }
        }
        sums.push([reads, writes, others]);
    }
    let [few, more] = sums.as_slice() else { return Err("two runs".into()) };
    let mut each = few.iter().zip(more).map(|(few, more)| {
        let messages = ((MORE - FEW) * CONNECTIONS) as f64;
        (*more as f64 - *few as f64) / messages
    });
    Ok((each.next().unwrap_or_default(), each.next().unwrap_or_default(), each.next().unwrap_or_default()))
}

async fn connect(server: &Server, is_smtp: bool, groups: &Groups) -> Outcome<Vec<Peer>> {
    let mut peers = Vec::new();
    for _ in 0..CONNECTIONS {
        let mut peer = match is_smtp {
            true => Peer::greeted(server.port).await?,
            false => Peer::connected(server.port).await?,
        };
        // With one group for a message, the first envelope goes before.
        if is_smtp && groups.len() == 1 {
            peer.say_and_hear(envelope().as_bytes(), b"354 ").await?;
        }
        peers.push(peer);
    }
    Ok(peers)
}

/// So many messages over each connection, one after the other, all connections at once. How long each message took.
async fn send(peers: Vec<Peer>, groups: &Groups, rounds: usize) -> Outcome<(Vec<Peer>, Vec<Duration>)> {
    let mut tasks = Vec::new();
    for mut peer in peers {
        let groups = groups.clone();
        tasks.push(tokio::spawn(async move {
            let mut times = Vec::with_capacity(rounds);
            for _ in 0..rounds {
                let begun = Instant::now();
                for (said, heard) in &groups {
                    peer.say_and_count(said, *heard).await?;
                }
                times.push(begun.elapsed());
            }
            Outcome::Ok((peer, times))
        }));
    }
    let (mut peers, mut times) = (Vec::new(), Vec::new());
    for task in tasks {
        let (peer, its) = task.await??;
        peers.push(peer);
        times.extend(its);
    }
    Ok((peers, times))
}

struct Peer {
    socket: TcpStream,
    buffer: Vec<u8>,
}

impl Peer {
    async fn connected(port: u16) -> Outcome<Self> {
        let socket = TcpStream::connect(("127.0.0.1", port)).await?;
        socket.set_nodelay(true)?;
        Ok(Self { socket, buffer: vec![0; 4096] })
    }

    async fn greeted(port: u16) -> Outcome<Self> {
        let mut peer = Self::connected(port).await?;
        peer.say_and_hear(b"", b"220 ").await?;
        peer.say_and_hear(b"EHLO client.example.net\r\n", b"250 ").await?;
        Ok(peer)
    }

    /// Says that, and reads to the end of a line that begins so. How many octets came.
    async fn say_and_hear(&mut self, said: &[u8], begin: &[u8]) -> Outcome<usize> {
        self.socket.write_all(said).await?;
        let mut heard = Vec::new();
        loop {
            let count = self.socket.read(&mut self.buffer).await?;
            if count == 0 {
                return Err("the server has gone".into());
            }
            heard.extend_from_slice(self.buffer.get(..count).unwrap_or_default());
            let last = heard.strip_suffix(b"\r\n").and_then(|lines| lines.rsplit(|octet| *octet == b'\n').next());
            if last.is_some_and(|line| line.starts_with(begin)) {
                return Ok(heard.len());
            }
        }
    }

    /// Says that, and reads so many octets; no reply of another length is the one that is wanted.
    async fn say_and_count(&mut self, said: &[u8], heard: usize) -> Outcome {
        self.socket.write_all(said).await?;
        let mut left = heard;
        while left > 0 {
            let count = self.socket.read(&mut self.buffer).await?;
            if count == 0 || count > left {
                return Err("not the reply that was expected".into());
            }
            if self.buffer.first().is_some_and(|class| matches!(class, b'4' | b'5')) {
                return Err(String::from_utf8_lossy(self.buffer.get(..count).unwrap_or_default()).into());
            }
            left -= count;
        }
        Ok(())
    }
}
