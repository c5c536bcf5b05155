//! One connection: its link, its two buffers, its clocks.

use std::future::{Future, poll_fn};
use std::io;
use std::pin::pin;
use std::task::Poll;
use std::time::Duration;

use bytes::{BufMut, BytesMut};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::time::{Instant, sleep, sleep_until, timeout, timeout_at};

use super::metrics::{self, OpenConnection};
use super::{Link, Shutdown, TlsConfig};
use crate::machine::{Machine, Timer};

/// Of a long answer the peer has to take so many octets in each [`DriverOptions::write_timeout`]. One that takes a single
/// octet now and then would keep its connection, and the maildrop that it reads from, for weeks.
const WRITE_BLOCK: usize = 16 * 1024;

/// So much room may stay in the input of a peer that is waited for.
const IDLE_ROOM: usize = 1024;

/// The sizes and times of a [`Driver`].
#[derive(Debug, Clone, Copy)]
#[non_exhaustive]
pub struct DriverOptions {
    /// What is spoken, in a word, for logs and metrics: `smtp`.
    pub protocol: &'static str,
    /// How many octets one read takes at the most. 16 KiB, a TLS record's size.
    pub read_chunk: usize,
    /// With so many octets to be sent, they are sent before another event is looked at: 64 KiB (attack row M13).
    pub output_high_water: usize,
    /// A peer that does not read for so long is given up: 5 minutes (attack row M13). Of more than 16 KiB it has to take
    /// each 16 KiB in that time.
    pub write_timeout: Duration,
    /// A handshake takes no longer than this: 30 seconds (attack row T11).
    pub tls_handshake_timeout: Duration,
    /// After the word to shut down, a message on its way in may take so long to be finished: 30 seconds.
    pub shutdown_grace: Duration,
}

impl Default for DriverOptions {
    fn default() -> Self {
        Self {
            protocol: "mail",
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
    /// Absent while a handshake has it, and for good if that or a write failed.
    link: Option<Link>,
    input: BytesMut,
    output: BytesMut,
    /// For each kind of timer: the machine's count when it began, and when it runs out.
    clocks: [Option<(u64, Instant)>; Timer::ALL.len()],
    options: DriverOptions,
    shutdown: Shutdown,
    /// Set once the word has been heard: when waiting ends.
    last_call: Option<Instant>,
    /// When an event was given that the host is still busy with.
    with_host: Option<Instant>,
    open: OpenConnection,
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
            with_host: None,
            open: OpenConnection::begin(options.protocol),
        }
    }

    /// Whether the peer speaks before it has been greeted, within so long (RFC 5321 §4.3.1: "the sender should wait for
    /// this greeting message before sending any commands"; attack row C4). To be asked before the first event. What it
    /// says is kept and comes to the session in its turn; no more of it is read than fits in
    /// [`DriverOptions::read_chunk`].
    ///
    /// # Errors
    /// The connection broke. That the peer has said all that it wants to say is none, and is told by the first event.
    pub async fn talked_early(&mut self, wait: Duration) -> io::Result<bool> {
        if !self.input.is_empty() {
            return Ok(true);
        }
        let Some(link) = &mut self.link else { return Err(gone()) };
        let read = fill(link, &mut self.input, &mut self.output, self.options.read_chunk);
        let count = tokio::select! {
            biased;
            read = read => read?,
            () = self.shutdown.requested() => 0,
            () = sleep(wait) => 0,
        };
        self.open.octets_in.increment(count as u64);
        Ok(count > 0)
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
        self.take_back_the_hosts_time();
        loop {
            self.flush_if_full().await?;
            match session.next_event(&mut self.input) {
                Ok(Some(event)) => {
                    self.with_host = Some(Instant::now());
                    return Ok(Some(event));
                }
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
                Wake::Read(count) => self.open.octets_in.increment(count as u64),
                Wake::ShutDown => {}
                Wake::Timeout(timer) => {
                    metrics::timeout(self.options.protocol, metrics::timer_name(timer));
                    tracing::debug!(?timer, "the peer was too slow");
                    session.handle_timeout(timer, &mut self.output);
                }
                Wake::LastCall => {
                    metrics::timeout(self.options.protocol, "shutdown");
                    return Err(DriveError::ShutDown);
                }
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
        let flushed = self.write_out().await;
        if let Err(error) = &flushed {
            if error.kind() == io::ErrorKind::TimedOut {
                metrics::timeout(self.options.protocol, "write");
            }
            // Nothing more is to be waited for, at the close neither.
            self.link = None;
            self.output = BytesMut::new();
        }
        flushed
    }

    async fn write_out(&mut self) -> io::Result<()> {
        let Some(link) = &mut self.link else { return Err(gone()) };
        let patience = self.options.write_timeout;
        let mut deadline = None;
        let mut taken = 0_usize;
        while !self.output.is_empty() {
            let written = within(patience, &mut deadline, link.write_buf(&mut self.output)).await?;
            if written == 0 {
                return Err(io::ErrorKind::WriteZero.into());
            }
            self.open.octets_out.increment(written as u64);
            taken = taken.saturating_add(written);
            // The clock starts anew with each block that the peer takes, not with each octet.
            if taken >= WRITE_BLOCK {
                taken = 0;
                deadline = None;
            }
        }
        within(patience, &mut deadline, link.flush()).await
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
        // A slice of the input would keep all of its room for as long as the handshake takes.
        let mut read_ahead = std::mem::take(&mut self.input);
        give_back(&mut read_ahead);
        give_back(&mut self.output);
        let taken = link.accept_tls(read_ahead, tls, self.options.tls_handshake_timeout).await;
        let protocol = self.options.protocol;
        metrics::handshake(
            protocol,
            match &taken {
                Ok(_) => "ok",
                Err(error) if error.kind() == io::ErrorKind::TimedOut => {
                    metrics::timeout(protocol, "handshake");
                    "timeout"
                }
                Err(_) => "failed",
            },
        );
        let (link, info) = taken?;
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
        give_back(&mut self.input);
        give_back(&mut self.output);
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
        let parting = async {
            self.flush().await?;
            let Some(mut link) = self.link.take() else { return Ok(()) };
            link.shutdown().await?;
            self.input = BytesMut::new();
            let mut dropped = 0_usize;
            while dropped < MOST {
                match fill(&mut link, &mut self.input, &mut self.output, 4096).await? {
                    0 => break,
                    count => dropped = dropped.saturating_add(count),
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
        let read = fill(link, &mut self.input, &mut self.output, self.options.read_chunk);
        let last_call = self.last_call;
        tokio::select! {
            // The clocks first: a peer that always has one more octet does not stop them.
            biased;
            () = at(deadline.map(|(_, when)| when)) => {
                Ok(deadline.map_or(Wake::LastCall, |(timer, _)| Wake::Timeout(timer)))
            }
            () = at(last_call) => Ok(Wake::LastCall),
            () = self.shutdown.requested(), if last_call.is_none() => Ok(Wake::ShutDown),
            read = read => read.map(Wake::Read),
        }
    }

    /// The peer is not charged for the time that the host took for an event, with a store that is slow for instance. The
    /// time to the login goes on: it is for the session as a whole, the delays after wrong passwords with it.
    fn take_back_the_hosts_time(&mut self) {
        let Some(since) = self.with_host.take() else { return };
        let took = since.elapsed();
        for (kind, clock) in Timer::ALL.into_iter().zip(&mut self.clocks) {
            if let Some((_, ends)) = clock
                && kind != Timer::Login
            {
                *ends += took;
            }
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

/// Reads what has come, at most `chunk` octets of it. While nothing comes, no room is held for it, nor for answers: a
/// connection that waits costs what is in its buffers, and most have nothing there (attack row C1). Cancel-safe.
async fn fill(link: &mut Link, input: &mut BytesMut, output: &mut BytesMut, chunk: usize) -> io::Result<usize> {
    poll_fn(|context| {
        input.reserve(chunk);
        let mut space = (&mut *input).limit(chunk);
        let polled = pin!(link.read_buf(&mut space)).poll(context);
        if polled.is_pending() {
            give_back(input);
            give_back(output);
        }
        polled
    })
    .await
}

/// Gives back the room that a buffer has and does not need.
fn give_back(buffer: &mut BytesMut) {
    if buffer.is_empty() {
        *buffer = BytesMut::new();
    } else if buffer.capacity().saturating_sub(buffer.len()) > IDLE_ROOM {
        let kept = BytesMut::from(&buffer[..]);
        // Half a line may hold half a password.
        buffer.fill(0);
        std::hint::black_box(&buffer);
        *buffer = kept;
    }
}

/// Waits for a peer that does not read, until the deadline, which is set when there is something to wait for: nearly all
/// that is written is taken at once.
async fn within<T>(
    patience: Duration,
    deadline: &mut Option<Instant>,
    io: impl Future<Output = io::Result<T>>,
) -> io::Result<T> {
    let mut io = pin!(io);
    if let Poll::Ready(done) = poll_fn(|context| Poll::Ready(io.as_mut().poll(context))).await {
        return done;
    }
    let deadline = *deadline.get_or_insert_with(|| Instant::now() + patience);
    timeout_at(deadline, io).await.map_err(|_| not_reading())?
}

async fn at(when: Option<Instant>) {
    match when {
        Some(when) => sleep_until(when).await,
        None => std::future::pending().await,
    }
}

fn gone() -> io::Error {
    io::Error::new(io::ErrorKind::NotConnected, "the connection is gone")
}

fn not_reading() -> io::Error {
    io::Error::new(io::ErrorKind::TimedOut, "the peer does not read")
}
