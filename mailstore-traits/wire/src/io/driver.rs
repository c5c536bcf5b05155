//! One connection: its link, its two buffers, its clocks.

use std::io;
use std::time::Duration;

use bytes::{BufMut, BytesMut};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::time::{Instant, sleep, sleep_until, timeout};

use super::{Link, Shutdown, TlsConfig};
use crate::machine::{Machine, Timer};

/// The sizes and times of a [`Driver`].
#[derive(Debug, Clone, Copy)]
#[non_exhaustive]
pub struct DriverOptions {
    /// How many octets one read takes at the most. 16 KiB, a TLS record's size.
    pub read_chunk: usize,
    /// With so many octets to be sent, they are sent before another event is looked at: 64 KiB (attack row M13).
    pub output_high_water: usize,
    /// A peer that does not read for so long is given up: 5 minutes.
    pub write_timeout: Duration,
    /// A handshake takes no longer than this: 30 seconds (attack row T11).
    pub tls_handshake_timeout: Duration,
    /// After the word to shut down, a message on its way in may take so long to be finished: 30 seconds.
    pub shutdown_grace: Duration,
}

impl Default for DriverOptions {
    fn default() -> Self {
        Self {
            read_chunk: 16 * 1024,
            output_high_water: 64 * 1024,
            write_timeout: Duration::from_secs(300),
            tls_handshake_timeout: Duration::from_secs(30),
            shutdown_grace: Duration::from_secs(30),
        }
    }
}

/// Why a connection ended in another way than it should.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum DriveError<E: std::error::Error + 'static> {
    /// The connection broke: an abort, an end of TLS without its alert (attack row T8), a peer that does not read.
    #[error("connection: {0}")]
    Io(#[from] io::Error),
    /// The session cannot go on.
    #[error(transparent)]
    Session(E),
    /// The server went down and the peer did not come to an end in time.
    #[error("shut down in the middle of a message")]
    ShutDown,
}

/// Runs one session over one connection. The host asks it for events and writes answers into its output.
#[derive(Debug)]
pub struct Driver {
    /// Absent while a handshake has it, and for good if that failed.
    link: Option<Link>,
    input: BytesMut,
    output: BytesMut,
    /// For each kind of timer: the machine's count when it began, and when it runs out.
    clocks: [Option<(u64, Instant)>; Timer::ALL.len()],
    options: DriverOptions,
    shutdown: Shutdown,
    /// Set once the word has been heard: when waiting ends.
    last_call: Option<Instant>,
}

/// What waiting came to.
enum Wake {
    Read(usize),
    Timeout(Timer),
    ShutDown,
    LastCall,
}

impl Driver {
    /// A driver for that connection.
    pub fn new(link: Link, options: DriverOptions, shutdown: Shutdown) -> Self {
        Self {
            link: Some(link),
            input: BytesMut::new(),
            output: BytesMut::new(),
            clocks: [None; Timer::ALL.len()],
            options,
            shutdown,
            last_call: None,
        }
    }

    /// The next event: sends what has been answered, reads, runs the timers, hears the word to shut down. `None` means
    /// that the session is over, in good order, and all has been sent.
    ///
    /// Cancel-safe: an event that has not been given is not lost.
    ///
    /// # Errors
    /// The connection broke, the peer went in the middle of something, or the session cannot go on. What had been
    /// answered has been sent where that was possible.
    pub async fn next_event<M: Machine>(&mut self, session: &mut M) -> Result<Option<M::Event>, DriveError<M::Error>> {
        loop {
            self.flush_if_full().await?;
            match session.next_event(&mut self.input) {
                Ok(Some(event)) => return Ok(Some(event)),
                Ok(None) => {}
                Err(error) => {
                    self.flush().await?;
                    return Err(DriveError::Session(error));
                }
            }
            if !session.is_closed() && self.shutdown.is_requested() {
                self.last_call.get_or_insert_with(|| Instant::now() + self.options.shutdown_grace);
                session.shut_down(&mut self.output);
            }
            self.flush().await?;
            if session.is_closed() {
                return Ok(None);
            }
            match self.wait(session).await? {
                Wake::Read(0) => {
                    return session.end_of_input().map(|()| None).map_err(DriveError::Session);
                }
                Wake::Read(_) | Wake::ShutDown => {}
                Wake::Timeout(timer) => session.handle_timeout(timer, &mut self.output),
                Wake::LastCall => return Err(DriveError::ShutDown),
            }
        }
    }

    /// Where answers are written.
    pub fn output(&mut self) -> &mut BytesMut {
        &mut self.output
    }

    /// Sends all that has been answered.
    ///
    /// # Errors
    /// The connection broke, or the peer has not read for [`DriverOptions::write_timeout`].
    pub async fn flush(&mut self) -> io::Result<()> {
        let Some(link) = &mut self.link else { return Err(gone()) };
        let patience = self.options.write_timeout;
        while !self.output.is_empty() {
            // The clock starts anew with each piece that the peer takes: it is to be alive, not fast.
            let written = timeout(patience, link.write_buf(&mut self.output)).await.map_err(|_| not_reading())??;
            if written == 0 {
                return Err(io::ErrorKind::WriteZero.into());
            }
        }
        timeout(patience, link.flush()).await.map_err(|_| not_reading())?
    }

    /// Sends what has been answered if it has become much: for the parts of a long answer.
    ///
    /// # Errors
    /// As [`flush`](Self::flush).
    pub async fn flush_if_full(&mut self) -> io::Result<()> {
        if self.output.len() >= self.options.output_high_water { self.flush().await } else { Ok(()) }
    }

    /// Takes the client's handshake, after the answer that invites it, and tells the session. For implicit TLS call it
    /// first of all.
    ///
    /// # Errors
    /// The handshake failed. The connection is gone then.
    pub async fn start_tls<M: Machine>(&mut self, session: &mut M, tls: &TlsConfig) -> io::Result<()> {
        self.flush().await?;
        let link = self.link.take().ok_or_else(gone)?;
        let read_ahead = self.input.split();
        let (link, info) = link.accept_tls(read_ahead, tls, self.options.tls_handshake_timeout).await?;
        self.link = Some(link);
        session.tls_started(info, &mut self.input);
        Ok(())
    }

    /// Puts a layer of the host's over the connection, after what has been answered: COMPRESS (RFC 4978 §3). `layer` gets
    /// the connection and what has been read of it already, which belongs under the layer.
    ///
    /// # Errors
    /// As [`flush`](Self::flush).
    pub async fn add_layer(&mut self, layer: impl FnOnce(Link, BytesMut) -> Link) -> io::Result<()> {
        self.flush().await?;
        let link = self.link.take().ok_or_else(gone)?;
        self.link = Some(layer(link, self.input.split()));
        Ok(())
    }

    /// Waits, for a peer that has guessed passwords (attack row A11); no longer than until a shutdown.
    pub async fn delay(&mut self, time: Duration) {
        tokio::select! {
            () = sleep(time) => {}
            () = self.shutdown.requested() => {}
        }
    }

    /// Sends what is left, says that nothing more will come, and waits a moment for the peer to do the same: closing
    /// with octets unread would make the system take back the parting words.
    pub async fn close(mut self) {
        const PATIENCE: Duration = Duration::from_secs(2);
        const MOST: usize = 256 * 1024;
        if self.flush().await.is_err() {
            return;
        }
        let Some(mut link) = self.link.take() else { return };
        let parting = async {
            link.shutdown().await?;
            let mut dropped = 0;
            self.input.clear();
            while dropped < MOST {
                match link.read_buf(&mut self.input).await? {
                    0 => break,
                    count => dropped += count,
                }
                self.input.clear();
            }
            Ok::<_, io::Error>(())
        };
        // Nobody is left to be told of a failure.
        let _ = timeout(PATIENCE, parting).await;
    }

    async fn wait<M: Machine>(&mut self, session: &M) -> io::Result<Wake> {
        let deadline = self.nearest_deadline(session);
        let Some(link) = &mut self.link else { return Err(gone()) };
        let chunk = self.options.read_chunk;
        self.input.reserve(chunk);
        let mut space = (&mut self.input).limit(chunk);
        let last_call = self.last_call;
        tokio::select! {
            // The clocks first: a peer that always has one more octet does not stop them.
            biased;
            () = at(deadline.map(|(_, when)| when)) => {
                Ok(deadline.map_or(Wake::LastCall, |(timer, _)| Wake::Timeout(timer)))
            }
            () = at(last_call) => Ok(Wake::LastCall),
            () = self.shutdown.requested(), if last_call.is_none() => Ok(Wake::ShutDown),
            read = link.read_buf(&mut space) => read.map(Wake::Read),
        }
    }

    /// Starts the clocks of timers that have begun anew, stops those that no longer run, and gives the first to end.
    fn nearest_deadline<M: Machine>(&mut self, session: &M) -> Option<(Timer, Instant)> {
        let timers = session.timers();
        let now = Instant::now();
        let mut nearest: Option<(Timer, Instant)> = None;
        for (kind, clock) in Timer::ALL.into_iter().zip(&mut self.clocks) {
            let Some(running) = timers.get(kind) else {
                *clock = None;
                continue;
            };
            let ends = match *clock {
                Some((since, ends)) if since == running.since => ends,
                _ => now + running.after,
            };
            *clock = Some((running.since, ends));
            if nearest.is_none_or(|(_, first)| ends < first) {
                nearest = Some((kind, ends));
            }
        }
        nearest
    }
}

async fn at(when: Option<Instant>) {
    match when {
        Some(when) => sleep_until(when).await,
        None => std::future::pending().await,
    }
}

fn gone() -> io::Error {
    io::Error::new(io::ErrorKind::NotConnected, "the TLS handshake failed")
}

fn not_reading() -> io::Error {
    io::Error::new(io::ErrorKind::TimedOut, "the peer does not read")
}
