//! A complete mail server: the whole suite as one program.
//!
//! `pillarbox-mail-server --help` tells what it does. The modules, in the order in which a run meets them: `cli` and
//! `options` (what was asked for), `config` (the settings that come of it), `data`, `tls` and `accounts` (what is kept),
//! `serve` (the servers), `admin` and `transfer` (the commands).

mod accounts;
mod admin;
mod cli;
mod config;
mod data;
mod error;
mod name;
mod options;
mod out;
mod tls;

use std::process::ExitCode;

use clap::Parser;

use crate::cli::{Cli, Command};
use crate::config::Place;
use crate::error::{Failure, Outcome};
use crate::options::Options;

fn main() -> ExitCode {
    match run(Cli::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            out::note!("pillarbox-mail-server: {failure}");
            failure.exit_code()
        }
    }
}

fn run(cli: Cli) -> Outcome {
    let options = match &cli.options.config {
        Some(path) => cli.options.clone().over(config::read(path)?),
        None => cli.options,
    };
    let place = Place::new(&options);
    match &cli.command {
        None => Err(Failure::failed("cannot serve yet")),
        Some(Command::Account(command)) => {
            let makes = matches!(command, cli::AccountCommand::Add { .. });
            admin::account(&admin::Office::open(&place, makes)?, command)
        }
        Some(Command::Alias(command)) => admin::alias(&admin::Office::open(&place, false)?, command),
        Some(Command::Import(_) | Command::Export(_)) => Err(Failure::failed("cannot yet")),
    }
}
