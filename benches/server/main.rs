//! The whole server over the loopback, in a process of its own: what a message, a list of envelopes, an idle connection
//! cost it.
//!
//! ```sh
//! cargo run --release -p pillarbox-benches --example server              # all of it
//! cargo run --release -p pillarbox-benches --example server -- smtp      # or one: smtp, fetch, idle, select
//! cargo run --release -p pillarbox-benches --example server -- smtp 2000 # fewer messages
//! ```
//!
//! CPU time is the system's count for the server's process (`/proc/PID/stat`), memory its proportional share
//! (`/proc/PID/smaps_rollup`), system calls what `strace -c` counts in a run of its own.
#![allow(clippy::print_stdout)]

mod child;
mod discard;
mod imap;
mod mailbox;
mod process;
mod smtp;

use mailbox::Outcome;

fn main() -> Outcome {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match arguments.as_slice() {
        [word, what @ ..] if *word == process::SERVE => child::serve(what),
        // One thread: the server has a core for itself where there are two.
        arguments => tokio::runtime::Builder::new_current_thread().enable_all().build()?.block_on(measure(arguments)),
    }
}

async fn measure(arguments: &[&str]) -> Outcome {
    let scenario = arguments.first().copied();
    let count = |default: usize| arguments.get(1).map_or(Ok(default), |count| count.parse());
    let is_wanted = |name: &str| scenario.is_none_or(|scenario| scenario == name);
    if is_wanted("smtp") {
        println!("\n## A message by SMTP, ten kept connections\n");
        smtp::run(count(50_000)?).await?;
    }
    if is_wanted("fetch") {
        println!("\n## FETCH of 10,000 messages from ready digests\n");
        imap::fetch(count(10_000)?).await?;
    }
    if is_wanted("idle") {
        println!("\n## Connections in IDLE\n");
        imap::idle(count(1000)?).await?;
    }
    if is_wanted("select") {
        println!("\n## SELECT and NOOP of an unchanged mailbox\n");
        imap::select().await?;
    }
    Ok(())
}
