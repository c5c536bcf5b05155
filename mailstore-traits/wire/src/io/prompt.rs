//! A TCP connection that acknowledges at once what cannot be answered yet.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;

/// A socket whose peer need not wait for a delayed acknowledgement.
///
/// Clients write a command in pieces: Python's imaplib sends the octets of an APPEND, and then, by itself, the CRLF. Their
/// kernel holds the second piece back until the first is acknowledged (Nagle, RFC 9293 section 3.7.4); ours delays the
/// acknowledgement, to send it along with an answer (section 3.8.6.3), and there is none before the second piece: 40 ms
/// for each message. So when all that came is read, nothing was written since and more is waited for, the acknowledgement is
/// sent. Commands that are answered cost nothing.
#[derive(Debug)]
pub(super) struct Prompt {
    socket: TcpStream,
    /// Something was read, and nothing written since.
    unanswered: bool,
}

impl Prompt {
    pub(super) fn new(socket: TcpStream) -> Self {
        Self { socket, unanswered: false }
    }

    fn acknowledge(&self) {
        #[cfg(any(target_os = "linux", target_os = "android"))]
        // Where it fails, the peer waits a little.
        let _ = self.socket.set_quickack(true);
    }
}

impl AsyncRead for Prompt {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let before = buf.filled().len();
        let polled = Pin::new(&mut self.socket).poll_read(cx, buf);
        if polled.is_pending() {
            if self.unanswered {
                self.unanswered = false;
                self.acknowledge();
            }
            return Poll::Pending;
        }
        let result = ready!(polled);
        self.unanswered |= buf.filled().len() > before;
        Poll::Ready(result)
    }
}

impl AsyncWrite for Prompt {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        let written = ready!(Pin::new(&mut self.socket).poll_write(cx, buf))?;
        self.unanswered = false;
        Poll::Ready(Ok(written))
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.socket).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.socket).poll_shutdown(cx)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let written = ready!(Pin::new(&mut self.socket).poll_write_vectored(cx, bufs))?;
        self.unanswered = false;
        Poll::Ready(Ok(written))
    }

    fn is_write_vectored(&self) -> bool {
        self.socket.is_write_vectored()
    }
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use std::io::{Read, Write};
    use std::time::{Duration, Instant};

    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::net::TcpListener;

    use super::*;

    #[tokio::test]
    async fn a_client_that_writes_in_pieces_does_not_wait_for_a_delayed_acknowledgement() {
        const TURNS: u32 = 20;
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        // A blocking client with Nagle's algorithm, as a program has that does not think of it.
        let client = tokio::task::spawn_blocking(move || {
            let mut socket = std::net::TcpStream::connect(address).unwrap();
            let begin = Instant::now();
            for _ in 0..TURNS {
                socket.write_all(b"the octets").unwrap();
                socket.write_all(b"\r\n").unwrap();
                socket.read_exact(&mut [0; 2]).unwrap();
            }
            begin.elapsed()
        });
        let mut socket = Prompt::new(listener.accept().await.unwrap().0);
        let mut heard = Vec::new();
        while let Ok(1..) = socket.read_buf(&mut heard).await {
            if heard.ends_with(b"\r\n") {
                heard.clear();
                socket.write_all(b"ok").await.unwrap();
            }
        }
        // Linux waits 40 ms at least each time.
        let took = client.await.unwrap();
        assert!(took < Duration::from_millis(40) * TURNS / 2, "{took:?}");
    }
}
