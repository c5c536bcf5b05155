//! The PROXY header of a connection, read before anybody else sees an octet.

use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use bytes::BytesMut;
use tokio::io::AsyncReadExt;
use tokio::net::TcpStream;
use tokio::time::timeout;

use super::Link;
use super::prompt::Prompt;
use crate::proxy::{ProxyHeader, ProxyReader};

/// Reads the header that a proxy begins a connection with, and gives the connection without it, and whose it is: `None`
/// if the proxy speaks for itself or cannot say.
///
/// What was read behind the header belongs to the session, or to its handshake, and comes out of the link first. What a
/// proxy adds (TLVs) is skipped.
///
/// # Errors
/// There is no header, it cannot be understood, or it has not come after `patience` (attack rows M15, R2). The connection is
/// to be closed without a word.
pub async fn read_proxy_header(mut socket: TcpStream, patience: Duration) -> io::Result<(Link, Option<SocketAddr>)> {
    let mut reader = ProxyReader::new();
    let mut input = BytesMut::with_capacity(256);
    let header = async {
        loop {
            match reader.next(&mut input).map_err(|error| io::Error::new(io::ErrorKind::InvalidData, error))? {
                Some(header) => return Ok::<_, io::Error>(header),
                None if socket.read_buf(&mut input).await? == 0 => return Err(io::ErrorKind::UnexpectedEof.into()),
                None => {}
            }
        }
    };
    let header = timeout(patience, header)
        .await
        .map_err(|_| io::Error::new(io::ErrorKind::TimedOut, "no PROXY header within its time"))??;
    let source = match header {
        ProxyHeader::Proxied { source, .. } => Some(source),
        _ => None,
    };
    if input.is_empty() {
        return Ok((Link::plain(Prompt::new(socket)), source));
    }
    let (read, write) = tokio::io::split(Prompt::new(socket));
    Ok((Link::plain(tokio::io::join(io::Cursor::new(input.freeze()).chain(read), write)), source))
}
