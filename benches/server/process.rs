//! A server in a process of its own, so that its CPU time and its memory are its own.

use std::fs;
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use crate::mailbox::Outcome;

/// Tells the binary that it is a server.
pub(crate) const SERVE: &str = "--serve";

/// A server that runs until this is dropped.
pub(crate) struct Server {
    child: Child,
    pub(crate) port: u16,
    /// Of the server itself, not of what counts its system calls.
    process: u32,
}

/// CPU time that a process has had.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Cpu {
    pub(crate) user: Duration,
    pub(crate) system: Duration,
}

impl Cpu {
    pub(crate) fn since(self, before: Self) -> Self {
        Self { user: self.user.saturating_sub(before.user), system: self.system.saturating_sub(before.system) }
    }

    /// Microseconds of both for each of so many.
    pub(crate) fn each(self, count: usize) -> f64 {
        (self.user + self.system).as_secs_f64() * 1e6 / count as f64
    }
}

impl Server {
    /// Starts this binary as such a server and waits until it listens.
    pub(crate) fn start(what: &[&str]) -> Outcome<Self> {
        let mut command = Command::new(std::env::current_exe()?);
        Self::listening(command.arg(SERVE).args(what))
    }

    /// The same under `strace`, which writes its counts when the server has ended.
    pub(crate) fn traced(what: &[&str], counts: &Path) -> Outcome<Self> {
        let mut command = Command::new("strace");
        command.args(["-f", "-c", "-o"]).arg(counts).arg(std::env::current_exe()?);
        Self::listening(command.arg(SERVE).args(what))
    }

    fn listening(command: &mut Command) -> Outcome<Self> {
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn()?;
        let mut said = String::new();
        BufReader::new(child.stdout.take().ok_or("no output")?).read_line(&mut said)?;
        let (process, port) = said.trim().split_once(' ').ok_or("the server does not listen")?;
        Ok(Self { port: port.parse()?, process: process.parse()?, child })
    }

    /// CPU time so far, of all threads, those that have ended with them.
    pub(crate) fn cpu(&self) -> Outcome<Cpu> {
        // The name stands in brackets and may hold anything; fields 14 and 15 are counted from behind it.
        let stat = fs::read_to_string(format!("/proc/{}/stat", self.process))?;
        let fields: Vec<&str> = stat.rsplit(')').next().unwrap_or_default().split_whitespace().collect();
        let ticks = |at: usize| -> Outcome<Duration> {
            let ticks: u64 = fields.get(at).ok_or("too few fields")?.parse()?;
            // A hundredth of a second each, on every Linux there is (sysconf(_SC_CLK_TCK)).
            Ok(Duration::from_millis(ticks * 10))
        };
        Ok(Cpu { user: ticks(11)?, system: ticks(12)? })
    }

    /// Bytes of memory in user space, pages that are shared counted by their share: `Pss` of `smaps_rollup`.
    pub(crate) fn proportional(&self) -> Outcome<u64> {
        let rollup = fs::read_to_string(format!("/proc/{}/smaps_rollup", self.process))?;
        let line = rollup.lines().find_map(|line| line.strip_prefix("Pss:")).ok_or("no Pss")?;
        Ok(line.trim().trim_end_matches(" kB").trim().parse::<u64>()? * 1024)
    }

    /// Ends it in order and waits until it has.
    pub(crate) fn end(mut self) -> Outcome {
        drop(self.child.stdin.take());
        self.child.wait()?;
        Ok(())
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // It reads its input to the end, and then ends; this is for one that does not.
        drop(self.child.stdin.take());
        for _ in 0..100 {
            if matches!(self.child.try_wait(), Ok(Some(_)) | Err(_)) {
                return;
            }
            std::thread::sleep(Duration::from_millis(10));
        }
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// How often each system call stands in what `strace -c` has written.
pub(crate) fn counts(path: &Path) -> Outcome<Vec<(String, u64)>> {
    let table = fs::read_to_string(path)?;
    let row = |line: &str| {
        // % time, seconds, usecs/call, calls, errors (or nothing), name.
        let fields: Vec<&str> = line.split_whitespace().collect();
        let (name, calls) = (fields.last()?, fields.get(3)?);
        Some(((*name).to_owned(), calls.parse().ok()?)).filter(|(name, _)| name != "total" && fields.len() >= 5)
    };
    Ok(table.lines().filter_map(row).collect())
}
