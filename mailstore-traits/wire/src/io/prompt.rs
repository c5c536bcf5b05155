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

#[cfg(test)]
mod tests {
    use std::io::{Read, Write};

    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::net::TcpListener;

    use super::*;

    // How long a client waits is not looked at here, where machines are busy: an APPEND of imaplib on the loopback took
    // 44 ms before this was done, and takes 1.
    #[tokio::test]
    async fn a_client_that_writes_in_pieces_is_heard_and_acknowledged_each_time() {
        const TURNS: usize = 20;
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        // A blocking client with Nagle's algorithm, as a program has that does not think of it.
        let client = tokio::task::spawn_blocking(move || {
            let mut socket = std::net::TcpStream::connect(address).unwrap();
            for _ in 0..TURNS {
                socket.write_all(b"the octets").unwrap();
                socket.write_all(b"\r\n").unwrap();
                socket.read_exact(&mut [0; 2]).unwrap();
            }
        });
        let mut socket = Prompt::new(listener.accept().await.unwrap().0);
        let (mut heard, mut turns) = (Vec::new(), 0);
        while let Ok(1..) = socket.read_buf(&mut heard).await {
            if heard.ends_with(b"\r\n") {
                assert_eq!(heard, b"the octets\r\n");
                assert!(socket.unanswered);
                heard.clear();
                turns += 1;
                socket.write_all(b"ok").await.unwrap();
                assert!(!socket.unanswered);
            }
        }
        client.await.unwrap();
        assert_eq!(turns, TURNS);
    }
}
