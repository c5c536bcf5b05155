//! Accepting connections.

use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use bytes::Bytes;
use tokio::io::AsyncWriteExt;
use tokio::net::{TcpListener, TcpStream};
use tokio::task::{JoinError, JoinSet};
use tokio::time::{sleep, timeout};

use super::Shutdown;

/// The limits of [`serve`].
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct ServeOptions {
    /// The most connections at a time: 1,000 (attack row C3).
    pub max_connections: usize,
    /// What one more connection is told before it is closed, in the protocol's own words; empty to close in silence,
    /// as under implicit TLS.
    pub busy: Bytes,
    /// After the word to shut down, connections have so long to come to an end: 35 seconds, a little more than a
    /// driver gives a message.
    pub shutdown_grace: Duration,
}

impl Default for ServeOptions {
    fn default() -> Self {
        Self { max_connections: 1000, busy: Bytes::new(), shutdown_grace: Duration::from_secs(35) }
    }
}

impl ServeOptions {
    /// At most so many connections at a time, and what one more is told.
    #[must_use]
    pub fn with_max_connections(mut self, most: usize, busy: impl Into<Bytes>) -> Self {
        self.max_connections = most;
        self.busy = busy.into();
        self
    }
}

/// Accepts connections and gives each to `handler`, in a task of its own, until the word to shut down; then waits for
/// those that are open. A handler that panics ends one connection. Returns when the last one has ended.
pub async fn serve<H, F>(listener: TcpListener, options: ServeOptions, shutdown: Shutdown, handler: H)
where
    H: Fn(TcpStream, SocketAddr) -> F,
    F: Future<Output = ()> + Send + 'static,
{
    let mut connections = JoinSet::new();
    loop {
        tokio::select! {
            biased;
            () = shutdown.requested() => break,
            Some(ended) = connections.join_next() => tell_of_panic(ended),
            accepted = listener.accept() => match accepted {
                Ok((socket, _)) if connections.len() >= options.max_connections => {
                    tracing::warn!(limit = options.max_connections, "too many connections: one more turned away");
                    turn_away(socket, options.busy.clone());
                }
                Ok((socket, peer)) => {
                    // Answers are written whole, so there is nothing to gain from waiting for more.
                    let _ = socket.set_nodelay(true);
                    connections.spawn(handler(socket, peer));
                }
                Err(error) => rest_after(error).await,
            },
        }
    }
    drop(listener);
    let all_ended = async {
        while let Some(ended) = connections.join_next().await {
            tell_of_panic(ended);
        }
    };
    if timeout(options.shutdown_grace, all_ended).await.is_err() {
        tracing::warn!("connections that did not end in time are cut off");
    }
}

/// A connection that was aborted before it was accepted is no reason to rest; running out of file descriptors is, or
/// the loop would turn as fast as it can.
async fn rest_after(error: io::Error) {
    if !matches!(error.kind(), io::ErrorKind::ConnectionAborted | io::ErrorKind::ConnectionReset) {
        tracing::error!(%error, "cannot accept connections for now");
        sleep(Duration::from_millis(200)).await;
    }
}

fn turn_away(mut socket: TcpStream, words: Bytes) {
    if words.is_empty() {
        return;
    }
    tokio::spawn(async move {
        let _ = timeout(Duration::from_secs(1), socket.write_all(&words)).await;
    });
}

fn tell_of_panic(ended: Result<(), JoinError>) {
    if let Err(error) = ended
        && error.is_panic()
    {
        tracing::error!("a connection ended by a panic in the server; the others go on");
    }
}
