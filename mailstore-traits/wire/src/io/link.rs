//! A connection whose layers can change.

use std::fmt;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::{Buf, BytesMut};
use mailstore_traits::ClientCertificate;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;

use super::TlsConfig;
use crate::machine::{TlsExporter, TlsInfo};

trait Io: AsyncRead + AsyncWrite + Unpin + Send {}
impl<T: AsyncRead + AsyncWrite + Unpin + Send> Io for T {}

/// A connection: clear text, or TLS over it.
pub struct Link {
    layer: Layer,
}

enum Layer {
    Plain(Box<dyn Io>),
    Tls(Box<TlsStream<ReadAhead>>),
    /// A layer of the host's over one of ours, and whether there is TLS below.
    Hosts(Box<dyn Io>, bool),
}

impl Link {
    /// A connection in clear text.
    pub fn plain(io: impl AsyncRead + AsyncWrite + Unpin + Send + 'static) -> Self {
        Self { layer: Layer::Plain(Box::new(io)) }
    }

    /// Whether it is encrypted.
    pub fn is_tls(&self) -> bool {
        matches!(self.layer, Layer::Tls(_) | Layer::Hosts(_, true))
    }

    /// A connection with a layer of the host's over it, such as compression. `encrypted` says whether there is TLS below.
    pub fn layered(io: impl AsyncRead + AsyncWrite + Unpin + Send + 'static, encrypted: bool) -> Self {
        Self { layer: Layer::Hosts(Box::new(io), encrypted) }
    }

    /// Takes the client's handshake.
    ///
    /// `read_ahead` is what has been read behind the command that began it (STARTTLS, STLS). It goes to the handshake as
    /// it is: a client that pipelines its ClientHello is served, and clear text that somebody slipped in makes the
    /// handshake fail (attack row T1, CVE-2011-0411).
    ///
    /// # Errors
    /// The handshake failed or took longer than `deadline`, or the connection is encrypted already.
    pub async fn accept_tls(
        self,
        read_ahead: BytesMut,
        tls: &TlsConfig,
        deadline: Duration,
    ) -> io::Result<(Self, TlsInfo)> {
        let Layer::Plain(io) = self.layer else {
            return Err(io::Error::other("the connection has a layer already"));
        };
        let handshake = TlsAcceptor::from(tls.rustls()).accept(ReadAhead { octets: read_ahead, io });
        let stream = tokio::time::timeout(deadline, handshake)
            .await
            .map_err(|_| io::Error::new(io::ErrorKind::TimedOut, "the TLS handshake took too long"))??;
        let (_, connection) = stream.get_ref();
        let version = match connection.protocol_version() {
            Some(rustls::ProtocolVersion::TLSv1_3) => "TLSv1.3",
            Some(rustls::ProtocolVersion::TLSv1_2) => "TLSv1.2",
            _ => "TLS",
        };
        // rustls names the suites of TLS 1.3 with the version in front; IANA does not.
        let cipher = connection
            .negotiated_cipher_suite()
            .and_then(|suite| suite.suite().as_str().map(|name| name.replacen("TLS13_", "TLS_", 1)))
            .unwrap_or_default();
        let certificate = connection.peer_certificates().and_then(|chain| chain.first());
        let info = TlsInfo::new(version, cipher)
            .with_server_name(connection.server_name().map(str::to_owned))
            .with_exporter(exporter(connection))
            .with_client_certificate(certificate.map(|certificate| ClientCertificate::from_der(certificate.as_ref())));
        Ok((Self { layer: Layer::Tls(Box::new(stream)) }, info))
    }
}

/// What logins are bound to, by TLS 1.3 alone (RFC 9266).
fn exporter(connection: &rustls::ServerConnection) -> Option<TlsExporter> {
    if connection.protocol_version() != Some(rustls::ProtocolVersion::TLSv1_3) {
        return None;
    }
    connection.export_keying_material([0; 32], TlsExporter::LABEL, Some(b"")).ok().map(TlsExporter::new)
}

impl fmt::Debug for Link {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.is_tls() { "Link(TLS)" } else { "Link(plain)" })
    }
}

impl AsyncRead for Link {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        match &mut self.get_mut().layer {
            Layer::Plain(io) | Layer::Hosts(io, _) => Pin::new(io).poll_read(cx, buf),
            Layer::Tls(stream) => Pin::new(stream).poll_read(cx, buf),
        }
    }
}

impl AsyncWrite for Link {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, octets: &[u8]) -> Poll<io::Result<usize>> {
        match &mut self.get_mut().layer {
            Layer::Plain(io) | Layer::Hosts(io, _) => Pin::new(io).poll_write(cx, octets),
            Layer::Tls(stream) => Pin::new(stream).poll_write(cx, octets),
        }
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match &mut self.get_mut().layer {
            Layer::Plain(io) | Layer::Hosts(io, _) => Pin::new(io).poll_flush(cx),
            Layer::Tls(stream) => Pin::new(stream).poll_flush(cx),
        }
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match &mut self.get_mut().layer {
            Layer::Plain(io) | Layer::Hosts(io, _) => Pin::new(io).poll_shutdown(cx),
            Layer::Tls(stream) => Pin::new(stream).poll_shutdown(cx),
        }
    }
}

/// A connection of which some octets have been read already.
struct ReadAhead {
    octets: BytesMut,
    io: Box<dyn Io>,
}

impl AsyncRead for ReadAhead {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        if this.octets.is_empty() {
            return Pin::new(&mut this.io).poll_read(cx, buf);
        }
        let count = this.octets.len().min(buf.remaining());
        buf.put_slice(this.octets.get(..count).unwrap_or_default());
        this.octets.advance(count);
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for ReadAhead {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, octets: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.get_mut().io).poll_write(cx, octets)
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().io).poll_flush(cx)
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().io).poll_shutdown(cx)
    }
}
