//! What the other process serves.

use std::io::{Read, Write};
use std::net::{TcpListener as StdListener, TcpStream as StdStream};
use std::path::Path;

use mailstore_traits::memory::MemoryStore;
use store_sqlite::{Options, SqliteStore};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

use crate::discard::Discard;
use crate::mailbox::{ACCOUNT, Everybody, Outcome, fill};

/// More than any scenario opens.
const CONNECTIONS: usize = 5000;

/// Serves until the input ends.
pub(crate) fn serve(what: &[&str]) -> Outcome {
    // Before anything can have taken memory for itself: threads that echo need no runtime.
    if let ["echo", "threads", sizes @ ..] = what {
        let listener = StdListener::bind("127.0.0.1:0")?;
        say(listener.local_addr()?.port());
        let groups = groups(sizes)?;
        std::thread::spawn(move || {
            for socket in listener.incoming().flatten() {
                let groups = groups.clone();
                std::thread::spawn(move || echo(socket, &groups));
            }
        });
        return wait();
    }
    tokio::runtime::Builder::new_multi_thread().enable_all().build()?.block_on(run(what))
}

async fn run(what: &[&str]) -> Outcome {
    match what {
        ["fill", path, count] => {
            let store = Options::default().open(Path::new(path))?;
            fill(&store, count.parse()?, 0, true).await?;
            store.close().await;
            return Ok(());
        }
        ["echo", "tokio", sizes @ ..] => {
            let (listener, groups) = (listen().await?, groups(sizes)?);
            tokio::spawn(async move {
                while let Ok((socket, _)) = listener.accept().await {
                    tokio::spawn(echo_async(socket, groups.clone()));
                }
            });
        }
        ["smtp", "discard"] => {
            let server = smtp().build_with(Discard, MemoryStore::new(), Discard);
            let listener = listen().await?;
            tokio::spawn(async move { server.serve(listener).await });
        }
        ["smtp", "memory"] => {
            let server = smtp().build(MemoryStore::new().with_account(ACCOUNT, "x"));
            let listener = listen().await?;
            tokio::spawn(async move { server.serve(listener).await });
        }
        ["smtp", path] => {
            let store = sqlite(path)?;
            let server = smtp().build_with(store, MemoryStore::new(), Discard);
            let listener = listen().await?;
            tokio::spawn(async move { server.serve(listener).await });
        }
        ["imap", "memory", count, text] => {
            let store = MemoryStore::new();
            fill(&store, count.parse()?, text.parse()?, false).await?;
            let server = imap().build_with(store, Everybody);
            let listener = listen().await?;
            tokio::spawn(async move { server.serve(listener).await });
        }
        ["imap", path, count, text] => {
            let store = sqlite(path)?;
            fill(&store, count.parse()?, text.parse()?, false).await?;
            let server = imap().build_with(store, Everybody);
            let listener = listen().await?;
            tokio::spawn(async move { server.serve(listener).await });
        }
        other => return Err(format!("{other:?} is nothing that is served").into()),
    }
    tokio::task::spawn_blocking(wait).await?
}

fn smtp() -> smtp_proto::server::ServerBuilder {
    // A kept connection carries more messages here than anybody's does.
    let mut limits = smtp_proto::Limits::default();
    limits.messages = usize::MAX;
    smtp_proto::Server::builder("mail.example.org").max_connections(CONNECTIONS).limits(limits)
}

fn imap() -> imap_proto::server::ServerBuilder {
    imap_proto::Server::builder("mail.example.org").allow_insecure_login(true).max_connections(CONNECTIONS)
}

fn sqlite(path: &str) -> Outcome<SqliteStore> {
    Ok(Options::default().open(Path::new(path))?)
}

async fn listen() -> Outcome<TcpListener> {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    say(listener.local_addr()?.port());
    Ok(listener)
}

/// Tells whoever has started this process who it is and where it listens.
fn say(port: u16) {
    println!("{} {port}", std::process::id());
}

fn wait() -> Outcome {
    std::io::stdin().read_to_end(&mut Vec::new())?;
    Ok(())
}

/// Pairs of octets that come and octets that go back for them.
fn groups(sizes: &[&str]) -> Outcome<Vec<(usize, Vec<u8>)>> {
    let sizes = sizes.iter().map(|size| size.parse::<usize>()).collect::<Result<Vec<_>, _>>()?;
    let pairs = sizes.chunks_exact(2).map(|pair| match pair {
        [come, go] => (*come, vec![b'x'; *go]),
        _ => (0, Vec::new()),
    });
    Ok(pairs.collect())
}

/// The least that answers with so many octets to so many: threads that block.
fn echo(mut socket: StdStream, groups: &[(usize, Vec<u8>)]) -> std::io::Result<()> {
    socket.set_nodelay(true)?;
    let mut buffer = vec![0; 16 * 1024];
    for (come, answer) in groups.iter().cycle() {
        let mut left = *come;
        while left > 0 {
            match socket.read(&mut buffer)? {
                0 => return Ok(()),
                count => left = left.saturating_sub(count),
            }
        }
        socket.write_all(answer)?;
    }
    Ok(())
}

/// The same on the runtime that the servers run on.
async fn echo_async(mut socket: TcpStream, groups: Vec<(usize, Vec<u8>)>) -> std::io::Result<()> {
    socket.set_nodelay(true)?;
    let mut buffer = vec![0; 16 * 1024];
    for (come, answer) in groups.iter().cycle() {
        let mut left = *come;
        while left > 0 {
            match socket.read(&mut buffer).await? {
                0 => return Ok(()),
                count => left = left.saturating_sub(count),
            }
        }
        socket.write_all(answer).await?;
    }
    Ok(())
}
