//! A process that is killed in the middle of its work, again and again, and what is there afterwards.
//!
//! The process is the test's own program, started once more. In it one worker for each account does one thing after another:
//! every method that writes. It says what it begins with and what it was answered; the rest follows from the seed, so the one
//! who looks on knows what was done, and what was under way when it was killed.

mod operation;
mod planner;
mod process;
mod world;

use std::collections::BTreeMap;
use std::time::Duration;

use operation::Kind;
use planner::Planner;
use process::{Killed, Line};
pub(super) use process::{is_child, work};
use world::{WORKERS, World, shown};

use super::tools::*;
use super::{Declared, Factory};
use crate::{Account, ErrorKind, Flags, MailStore, StoreFeatures, Uid};

/// How often the process is killed: as the environment says, for a night of it, or as the factory declares.
fn kills(declared: u32) -> u32 {
    std::env::var("PILLARBOX_KILLS").ok().and_then(|kills| kills.parse().ok()).unwrap_or(declared)
}

/// How many times as long as others that behaviour may take: once for each dozen of kills.
pub(super) fn patience(behaviour: &str, declared: &Declared) -> u32 {
    match behaviour {
        "a_killed_process_leaves_all_or_nothing" => kills(declared.kills).div_ceil(12),
        _ => 1,
    }
}

pub(super) async fn a_killed_process_leaves_all_or_nothing<F: Factory>(kit: &Kit<F>) -> Check {
    let (place, test) = kit.place().await?;
    let kills = u64::from(kills(kit.declared().kills));
    let mut dice = Dice::new(73);
    let (mut caught, mut done): (BTreeMap<Kind, u32>, usize) = (BTreeMap::new(), 0);
    let (mut before, features) = look(kit, &place, &World::default()).await?;
    for round in 0..kills {
        let told = |why: Stop| match why {
            Stop::Failed(why) => Stop::Failed(format!("kill {round}: {why}")),
            skipped @ Stop::Skipped(_) => skipped,
        };
        let killed = Killed::start(&test, round, &place)?;
        // Each fourth is killed while it opens the store, or at its first words.
        let once_it_works = (round % 4 != 3).then_some(kit.declared().unhindered_within);
        let after = Duration::from_millis(dice.roll(250) as u64);
        let said = killed.kill(after, once_it_works).map_err(told)?;
        let (after, _) = look(kit, &place, &before).await.map_err(told)?;
        kit.inspect(&place).await;
        for worker in 0..WORKERS {
            let lines = said.iter().filter(|line| of(line) == worker);
            let judged = judge(worker, round, features, &before, lines, &after).map_err(told)?;
            done += judged.done;
            judged.caught.into_iter().for_each(|kind| *caught.entry(kind).or_default() += 1);
        }
        before = after;
    }
    ensure!(done as u64 > kills, "only {done} answers in {kills} rounds: nothing was tested");
    report(kills, done, &caught);
    Ok(())
}

#[allow(clippy::print_stderr, reason = "whoever looks wants to know what was hit, and what never was")]
fn report(kills: u64, done: usize, caught: &BTreeMap<Kind, u32>) {
    let hit: Vec<String> = caught.iter().map(|(kind, times)| format!("{kind:?} {times}")).collect();
    let missed: Vec<String> =
        Kind::ALL.iter().filter(|kind| !caught.contains_key(kind)).map(|kind| format!("{kind:?}")).collect();
    eprintln!("{kills} kills, {done} answers before them; under way: {}", hit.join(", "));
    if !missed.is_empty() {
        eprintln!("never under way when it was killed: {} (PILLARBOX_KILLS=100 tries more)", missed.join(", "));
    }
}

fn of(line: &Line) -> usize {
    match line {
        Line::Begins(worker, _) | Line::Done(worker, _) | Line::Failed(worker, _) => *worker,
    }
}

/// Opens the store, as it is after a kill, and reads all of it. A client that follows the feed from what was there `before`
/// comes to know the same.
async fn look<F: Factory>(kit: &Kit<F>, place: &str, before: &World) -> Check<(World, StoreFeatures)> {
    let Some(store) = kit.open_at(place).await else { return Err(Stop::failed("the store is not opened")) };
    let world = World::read(&store).await?;
    let accounts = try_all(&store).await?;
    for (place, now) in &world.mailboxes {
        let Some(account) = accounts.get(place.0) else { continue };
        let Some(old) = before.mailboxes.values().find(|old| old.id == now.id) else { continue };
        let Some(since) = old.modseq else { continue };
        let changes = match account.changes_since(&now.id, since, 1).await {
            Err(error) if error.kind() == ErrorKind::ModSeqTooOld => continue,
            _ => all_changes(account, &now.id, since, 7).await?,
        };
        let mut view: BTreeMap<Uid, Flags> =
            old.messages.iter().map(|(uid, message)| (*uid, message.flags.clone())).collect();
        view.extend(changes.changed.into_iter().map(|changed| (changed.uid, changed.flags)));
        view.retain(|uid, _| !changes.vanished.contains(*uid));
        let truth: BTreeMap<Uid, Flags> =
            now.messages.iter().map(|(uid, message)| (*uid, message.flags.clone())).collect();
        ensure_eq!(view, truth, "what a client knows of {} that follows its feed since {since}", shown(place));
    }
    if store.features().maildrop_lease {
        for account in &accounts {
            let inbox = inbox(account).await?;
            let limit = kit.declared().unhindered_within;
            within(limit, "a maildrop's lease, which the killed process held,", async {
                loop {
                    match account.lease_maildrop(&inbox).await {
                        Err(error) if error.kind() == ErrorKind::InUse => let_others_run().await,
                        answer => return answer,
                    }
                }
            })
            .await??;
        }
    }
    let findings = store.check(false).await?;
    ensure!(findings.is_empty(), "the store finds wrong with itself: {findings:?}");
    Ok((world, store.features()))
}

async fn try_all<S: MailStore>(store: &S) -> Check<Vec<S::Account>> {
    let mut accounts = Vec::new();
    for number in 0..WORKERS {
        accounts.push(open(store, number).await?);
    }
    Ok(accounts)
}

/// What came of one worker.
struct Judged {
    /// How many things it was answered.
    done: usize,
    /// What was under way.
    caught: Option<Kind>,
}

/// Everything that was answered is there, and what was under way is there wholly or not at all.
fn judge<'a>(
    worker: usize,
    round: u64,
    features: StoreFeatures,
    before: &World,
    lines: impl Iterator<Item = &'a Line>,
    after: &World,
) -> Check<Judged> {
    let (mut world, after) = (before.of_worker(worker), after.of_worker(worker));
    let mut planner = Planner::new(worker, round, features);
    let (mut done, mut under_way, mut history) = (0, None, Vec::new());
    for line in lines {
        match line {
            Line::Begins(_, words) => {
                let operation = planner.next(&world)?;
                ensure_eq!(*words, operation.to_string(), "what the process found to do, and was left to do");
                history.push(operation.to_string());
                under_way = Some(operation);
            }
            Line::Done(_, answer) => {
                let Some(operation) = under_way.take() else { return Err(Stop::failed("an answer to nothing")) };
                operation.apply(&mut world, answer).map_err(Stop::failed)?;
                done += 1;
            }
            Line::Failed(_, why) => return Err(Stop::failed(why)),
        }
    }
    let nothing = world.difference(&after);
    let caught = under_way.as_ref().map(operation::Operation::kind);
    if nothing.is_empty() {
        return Ok(Judged { done, caught });
    }
    let lately = history.iter().rev().take(5).rev().cloned().collect::<Vec<_>>().join("; ");
    let told = |what: &[String]| what.iter().take(6).cloned().collect::<Vec<_>>().join("; ");
    let Some(operation) = under_way else {
        return Err(Stop::failed(format_args!("what was answered is not so: {}; it was: {lately}", told(&nothing))));
    };
    let mut whole = world.clone();
    if let Err(why) = operation.apply(&mut whole, &operation.guess(&world, &after)) {
        return Err(Stop::failed(format_args!("{operation}: {why}; against nothing of it, {}", told(&nothing))));
    }
    let all = whole.difference(&after);
    if all.is_empty() {
        return Ok(Judged { done, caught });
    }
    // What is wrong with it and without it was wrong before it began.
    let either: Vec<String> = all.iter().filter(|what| nothing.contains(what)).cloned().collect();
    if !either.is_empty() {
        return Err(Stop::failed(format_args!("what was answered is not so: {}; it was: {lately}", told(&either))));
    }
    Err(Stop::failed(format_args!(
        "{operation} is there by half: against nothing of it, {}; against all of it, {}; it was: {lately}",
        told(&nothing),
        told(&all)
    )))
}
