//! mbsync and offlineimap3 synchronise two thousand messages both ways, then find nothing to do, then carry over what
//! both sides have changed; the one over STARTTLS, the other over TLS from the first octet on.
//!
//! A program that is not installed is a test that is skipped, and said so; with `CI=true` in the environment it is one
//! that fails.
#![allow(missing_docs, clippy::indexing_slicing, clippy::print_stderr, reason = "tests")]

mod support;

use std::path::Path;
use std::process::Command;

use support::host::{Host, is_there};

fn synchronised_by(program: &str, script: &str) {
    if !is_there("python3", "--version") || !is_there(program, "--version") {
        return;
    }
    let host = Host::start(&[]);
    let mut command = Command::new("python3");
    command.env("PYTHONDONTWRITEBYTECODE", "1").env("PYTHONUTF8", "1");
    command.arg(Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/imap").join(script));
    command.args(["localhost", &host.server.port("imap").to_string(), &host.server.user, &host.password]);
    command.arg(host.server.certificate()).env("IMAPS_PORT", host.server.port("imaps").to_string());
    eprint!("{}", support::text(&host.succeeds(command, "")));
}

#[test]
fn mbsync_has_nothing_to_do_the_second_time() {
    synchronised_by("mbsync", "mbsync.py");
}

#[test]
fn offlineimap_has_nothing_to_do_the_second_time() {
    synchronised_by("offlineimap", "offlineimap.py");
}
