//! Instructions of each piece of work, counted by callgrind: the same binary counts the same, however loaded the machine
//! is.
//!
//! ```sh
//! cargo bench -p pillarbox-benches --bench instructions
//! cargo bench -p pillarbox-benches --bench instructions -- imap
//! ```
//!
//! The binary runs itself under `valgrind --tool=callgrind` twice for each piece of work, once with one round of it and
//! once with eleven. The difference is ten rounds without what comes before the first.
#![allow(clippy::print_stdout, clippy::print_stderr)]

use std::process::{Command, ExitCode};

use pillarbox_benches::work;

/// Tells the child what to do: a name and how many rounds.
const CHILD: &str = "--count";

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    if let [flag, name, rounds] = arguments.as_slice()
        && flag == CHILD
    {
        let Some(work) = work::all().into_iter().find(|work| work.name == name) else { return ExitCode::FAILURE };
        let rounds = rounds.parse().unwrap_or(1);
        let mut round = (work.prepare)();
        for _ in 0..rounds {
            std::hint::black_box(round());
        }
        return ExitCode::SUCCESS;
    }
    let filter: Vec<&String> = arguments.iter().filter(|argument| !argument.starts_with("--")).collect();
    println!("| Work | by | instructions | for each |\n| --- | --- | ---: | --- |");
    for work in work::all() {
        if !filter.is_empty() && !filter.iter().any(|part| work.name.contains(part.as_str())) {
            continue;
        }
        let (Some(one), Some(eleven)) = (count(work.name, 1), count(work.name, 11)) else {
            eprintln!("valgrind has not counted; is it installed?");
            return ExitCode::FAILURE;
        };
        let each = eleven.saturating_sub(one) / 10 / work.items;
        let (what, by) = work.name.rsplit_once('/').unwrap_or((work.name, "pillarbox"));
        println!("| {what} | {by} | {each} | {} |", work.item);
    }
    ExitCode::SUCCESS
}

/// Runs the work under callgrind. `None` if that cannot be done.
fn count(name: &str, rounds: u32) -> Option<u64> {
    let output = Command::new("valgrind")
        .args(["--tool=callgrind", "--callgrind-out-file=/dev/null"])
        .arg(std::env::current_exe().ok()?)
        .args([CHILD, name, &rounds.to_string()])
        .output()
        .ok()?;
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    let collected = said.lines().find_map(|line| line.split_once("Collected : "))?.1;
    collected.trim().parse().ok().filter(|_| output.status.success())
}
