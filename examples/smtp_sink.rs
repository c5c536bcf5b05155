//! A sink for testing other programs: takes all mail for anybody and writes it to standard output.
//!
//! Built on the codec floor: a tokio-util `Framed` gives events and takes answers, and a `Link` below it turns to TLS at
//! STARTTLS. Never run it where others reach it.
//!
//! ```sh
//! cargo run -p pillarbox-examples --example smtp_sink
//! curl -k --ssl-reqd smtp://127.0.0.1:2525 --mail-from a@example.net --mail-rcpt b@example.org -T README.md
//! ```
#![allow(clippy::print_stdout, clippy::print_stderr)]

use std::error::Error;
use std::io::Write;
use std::sync::Arc;
use std::time::Duration;

use bytes::BytesMut;
use futures::{SinkExt, TryStreamExt};
use mail_wire::io::{Link, TlsConfig};
use smtp_proto::{Answer, Config, Event, Protocol, ServerCodec, ServerSession};
use tokio::net::TcpListener;
use tokio_util::codec::Framed;

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error + Send + Sync>> {
    let made = rcgen::generate_simple_self_signed([String::from("localhost")])?;
    let tls = TlsConfig::from_pem(made.cert.pem().as_bytes(), made.signing_key.serialize_pem().as_bytes())?;
    let mut config = Config::new("sink.example.org".parse()?, Protocol::Smtp);
    config.starttls = true;
    let config = Arc::new(config);

    let address = std::env::args().nth(1).unwrap_or_else(|| String::from("127.0.0.1:2525"));
    let listener = TcpListener::bind(&address).await?;
    eprintln!("listening on {}", listener.local_addr()?);
    loop {
        let (socket, _) = listener.accept().await?;
        let (config, tls) = (Arc::clone(&config), tls.clone());
        tokio::spawn(async move {
            if let Err(error) = converse(Link::plain(socket), config, &tls).await {
                eprintln!("connection ended: {error}");
            }
        });
    }
}

async fn converse(link: Link, config: Arc<Config>, tls: &TlsConfig) -> Result<(), Box<dyn Error + Send + Sync>> {
    let mut framed = Framed::new(link, ServerCodec::new(ServerSession::new(config)));
    // A `Framed` reads before it decodes, so the greeting is given unasked.
    framed.send(Answer::greeting()).await?;
    while let Some(event) = framed.try_next().await? {
        match event {
            Event::StartTls(start) => {
                framed.send(start.ready()).await?;
                framed = upgrade(framed, tls).await?;
            }
            Event::Rcpt(rcpt) => framed.send(rcpt.accept()).await?,
            Event::Data(octets) => std::io::stdout().write_all(&octets)?,
            Event::EndOfData(end) => {
                // Only now is it where it should be.
                std::io::stdout().flush()?;
                framed.send(end.accept()).await?;
            }
            event => framed.send(event.default_answer()).await?,
        }
        if framed.codec().session().is_closed() {
            break;
        }
    }
    Ok(())
}

/// What has been read behind STARTTLS belongs to the handshake, unparsed: clear text that was slipped in makes it fail.
async fn upgrade(
    framed: Framed<Link, ServerCodec>,
    tls: &TlsConfig,
) -> Result<Framed<Link, ServerCodec>, Box<dyn Error + Send + Sync>> {
    let parts = framed.into_parts();
    let (link, info) = parts.io.accept_tls(parts.read_buf, tls, Duration::from_secs(30)).await?;
    let mut codec = parts.codec;
    codec.session_mut().tls_started(info, &mut BytesMut::new());
    Ok(Framed::new(link, codec))
}
