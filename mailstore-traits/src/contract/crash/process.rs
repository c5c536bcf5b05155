//! The process that is killed, what it says, and how it is started.

use std::fmt::Write as _;
use std::io::{BufRead, BufReader, Write};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{self, Receiver};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use futures::future::try_join_all;

use super::operation::Answer;
use super::planner::Planner;
use super::world::{WORKERS, World};
use crate::contract::Factory;
use crate::contract::tools::*;
use crate::{Account, MailboxId, ModSeq, Uid, UidValidity};

/// Tells a process that it is the one to be killed: the round, and where the store is.
const VARIABLE: &str = "MAILSTORE_CONTRACT_KILLED";
/// Stands in front of each line, for the test's own output is on the same pipe.
const MARK: &str = "@contract ";

/// Whether this process is the one that is killed.
pub(in crate::contract) fn is_child() -> bool {
    std::env::var_os(VARIABLE).is_some()
}

/// What it said.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Line {
    /// It begins with this.
    Begins(usize, String),
    /// It has been answered.
    Done(usize, Answer),
    /// This went wrong.
    Failed(usize, String),
}

/// Works until it is killed.
pub(in crate::contract) async fn work<F: Factory>(kit: &Kit<F>) -> Check {
    let word = std::env::var(VARIABLE).unwrap_or_default();
    let (round, place) = word.split_once(' ').ok_or_else(|| Stop::failed("no place is told"))?;
    let round: u64 = round.parse().map_err(Stop::failed)?;
    let Some(store) = kit.open_at(place).await else { return Err(Stop::failed("the store is not opened")) };
    let features = crate::MailStore::features(&store);
    let world = World::read(&store).await?;
    let workers = (0..WORKERS).map(|worker| {
        let (store, mut world) = (store.clone(), world.of_worker(worker));
        kit.spawn(move || async move {
            let mut accounts = Vec::new();
            for number in 0..WORKERS {
                accounts.push(open(&store, number).await?);
            }
            // Held to the end, which must not lock out whoever comes afterwards.
            let mut _lease = None;
            if features.maildrop_lease
                && let Some(own) = accounts.get(worker)
            {
                _lease = own.lease_maildrop(&inbox(own).await?).await.ok();
            }
            let mut planner = Planner::new(worker, round, features);
            loop {
                let operation = planner.next(&world)?;
                say(&format!("begins {worker} {operation}"))?;
                let done = operation.perform(&store, &accounts, &world).await;
                match done
                    .and_then(|answer| Ok((operation.apply(&mut world, &answer).map_err(Stop::failed)?, answer).1))
                {
                    Ok(answer) => say(&format!("done {worker}{}", written(&answer)))?,
                    Err(Stop::Failed(why) | Stop::Skipped(why)) => {
                        say(&format!("failed {worker} {operation}: {why}"))?;
                        return Err(Stop::Failed(why));
                    }
                }
            }
            #[allow(unreachable_code, reason = "the loop's type")]
            Ok(())
        })
    });
    try_join_all(workers).await?;
    Ok(())
}

/// One line, at once: what has been said is in the pipe, whatever happens to this process.
fn say(line: &str) -> Check {
    let mut out = std::io::stdout().lock();
    let line = format!("\n{MARK}{line}\n");
    out.write_all(line.as_bytes()).and_then(|()| out.flush()).map_err(Stop::failed)
}

/// The process, and what it says.
pub(super) struct Killed {
    child: Child,
    begun: Receiver<()>,
    reader: JoinHandle<Vec<Line>>,
}

impl Killed {
    /// Starts this test once more.
    pub(super) fn start(test: &str, round: u64, place: &str) -> Check<Self> {
        let program = std::env::current_exe().map_err(Stop::failed)?;
        let mut child = Command::new(program)
            .args(["--exact", test, "--nocapture", "--test-threads=1"])
            .env(VARIABLE, format!("{round} {place}"))
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .spawn()
            .map_err(Stop::failed)?;
        let output = child.stdout.take().ok_or_else(|| Stop::failed("no pipe"))?;
        let (begins, begun) = mpsc::channel();
        let reader = thread::spawn(move || {
            let (mut output, mut line, mut said) = (BufReader::new(output), String::new(), Vec::new());
            while output.read_line(&mut line).unwrap_or(0) > 0 {
                // What the kill cut short was not said.
                if let Some(line) = line.strip_prefix(MARK).and_then(|line| line.strip_suffix('\n')) {
                    said.extend(parse(line));
                    let _ = begins.send(());
                }
                line.clear();
            }
            said
        });
        Ok(Self { child, begun, reader })
    }

    /// Kills it, so long after it began to work or, where that is not to be waited for, after it was started.
    pub(super) fn kill(mut self, after: Duration, once_it_works: Option<Duration>) -> Check<Vec<Line>> {
        if let Some(limit) = once_it_works {
            // Where it does not begin, it is seen below why.
            let _ = self.begun.recv_timeout(limit);
        }
        thread::sleep(after);
        let ended = self.child.try_wait().map_err(Stop::failed)?;
        self.child.kill().map_err(Stop::failed)?;
        self.child.wait().map_err(Stop::failed)?;
        let said = self.reader.join().map_err(|_| Stop::failed("the reader panicked"))?;
        if let Some(Line::Failed(_, why)) = said.iter().find(|line| matches!(line, Line::Failed(..))) {
            return Err(Stop::failed(why));
        }
        match ended {
            Some(status) => Err(Stop::failed(format_args!("the process ended by itself, with {status}"))),
            None => Ok(said),
        }
    }
}

fn written(answer: &Answer) -> String {
    let mut line = String::new();
    for (id, validity) in &answer.mailboxes {
        let _ = write!(line, " m{}/{validity}", id.as_str());
    }
    for uid in &answer.uids {
        let _ = write!(line, " u{uid}");
    }
    if let Some(modseq) = answer.modseq {
        let _ = write!(line, " s{modseq}");
    }
    line
}

fn parse(line: &str) -> Option<Line> {
    let (word, rest) = line.split_once(' ')?;
    let (worker, rest) = rest.split_once(' ').unwrap_or((rest, ""));
    let worker = worker.parse().ok()?;
    Some(match word {
        "begins" => Line::Begins(worker, rest.to_owned()),
        "failed" => Line::Failed(worker, rest.to_owned()),
        "done" => {
            let mut answer = Answer::default();
            for word in rest.split_whitespace() {
                let (kind, value) = word.split_at_checked(1)?;
                match kind {
                    "m" => {
                        let (id, validity) = value.split_once('/')?;
                        answer.mailboxes.push((MailboxId::new(id).ok()?, UidValidity::new(validity.parse().ok()?)?));
                    }
                    "u" => answer.uids.push(Uid::new(value.parse().ok()?)?),
                    _ => answer.modseq = Some(ModSeq::new(value.parse().ok()?)?),
                }
            }
            Line::Done(worker, answer)
        }
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_said_is_understood() {
        let answer = Answer {
            mailboxes: vec![(MailboxId::new("F-1_x").unwrap(), UidValidity::MIN)],
            uids: vec![Uid::MIN, Uid::MAX],
            modseq: ModSeq::new(7),
        };
        let line = format!("done 2{}", written(&answer));
        assert_eq!(parse(&line), Some(Line::Done(2, answer)));
        assert_eq!(parse("done 0"), Some(Line::Done(0, Answer::default())));
        assert_eq!(parse("begins 1 create W 7"), Some(Line::Begins(1, "create W 7".into())));
    }
}
