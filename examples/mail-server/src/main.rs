//! A complete mail server: the whole suite as one program.
//!
//! `pillarbox-mail-server --help` tells what it does. The modules, in the order in which a run meets them: `cli` and
//! `options` (what was asked for), `config` (the settings that come of it), `data`, `tls` and `accounts` (what is kept),
//! `serve` (the servers), `admin`, `transfer` and `check` (the commands).

mod accounts;
mod admin;
mod check;
mod cli;
mod config;
mod data;
mod descriptors;
mod error;
mod name;
mod observe;
mod options;
mod out;
mod retention;
mod serve;
mod servers;
mod setup;
mod store;
mod tls;
mod transfer;

use std::process::ExitCode;

use clap::Parser;
use mailstore_traits::AccountId;

use crate::admin::Office;
use crate::cli::{AccountCommand, Cli, Command, MigrateArgs};
use crate::config::Place;
use crate::error::{Failure, Outcome};
use crate::store::Opening;

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
    if cli.command.is_some() && cli.options.are_for_serving() {
        return Err(Failure::usage(
            "options of the server do not go with a command; leave them out (--help tells which is which)",
        ));
    }
    let options = match &cli.options.config {
        Some(path) => {
            let file = config::read(path)?;
            cli.options.over(file)
        }
        None => cli.options,
    };
    let place = Place::new(&options);
    match &cli.command {
        None => serve::serve(&options),
        Some(Command::Account(command)) => {
            let makes = matches!(command, AccountCommand::Add { .. });
            let office = Office::open(&place, makes)?;
            admin::account(&office, command, |name| {
                let (store, name) = (store::open_beside(&place, &office.accounts)?, AccountId::new(name.as_str()));
                runtime()?.block_on(store::delete_mail(&store, &name))
            })
        }
        Some(Command::Alias(command)) => admin::alias(&Office::open(&place, false)?, command),
        Some(Command::Import(args)) => {
            let office = Office::open(&place, false)?;
            let account = account_of(&office, &args.name)?;
            let store = store::open_beside(&place, &office.accounts)?;
            runtime()?.block_on(transfer::import(&store, &account, args))
        }
        Some(Command::Export(args)) => {
            let office = Office::open(&place, false)?;
            let account = account_of(&office, &args.name)?;
            let store = store::open_beside(&place, &office.accounts)?;
            runtime()?.block_on(transfer::export(&store, &account, args))
        }
        Some(Command::Migrate(args)) => migrate(&place, args),
        Some(Command::Check(args)) => {
            let office = Office::open(&place, false)?;
            let names = accounts_of(&office, &args.names)?;
            let store = store::open_beside(&place, &office.accounts)?;
            runtime()?.block_on(check::check(&store, &names, args.repair))
        }
    }
}

fn migrate(place: &Place, args: &MigrateArgs) -> Outcome {
    let office = Office::open(place, false)?;
    let from = match &args.from {
        Some(from) => from.clone(),
        None => store::chosen(place, &office.accounts)?,
    };
    if from == args.to {
        return Err(Failure::usage("--from and --to name the same store"));
    }
    let names = accounts_of(&office, &args.names)?;
    let (from, to) = (store::open(&from, Opening::Beside)?, store::open(&args.to, Opening::Alone)?);
    runtime()?.block_on(transfer::migrate(&from, &to, &names))
}

/// These accounts, or all if none is named.
fn accounts_of(office: &Office, names: &[String]) -> Outcome<Vec<AccountId>> {
    match names {
        [] => Ok(office.accounts.list()?.into_iter().map(|account| AccountId::new(account.name.as_str())).collect()),
        names => names.iter().map(|name| account_of(office, name)).collect(),
    }
}

fn account_of(office: &Office, name: &str) -> Outcome<AccountId> {
    let name = office.address(name)?;
    office.accounts.require(&name)?;
    Ok(AccountId::new(name.as_str()))
}

fn runtime() -> Outcome<tokio::runtime::Runtime> {
    tokio::runtime::Runtime::new().map_err(|error| Failure::failed(format!("cannot start threads: {error}")))
}
