//! The command line: what there is to ask for, and help that teaches it.

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum};

use crate::options::{Options, StoreChoice};

const EXAMPLES: &str = "\
Examples:
  pillarbox-mail-server
      Serve on this machine alone, with everything made on the first start: a folder, a
      certificate, an account. What a mail program asks for is printed.

  pillarbox-mail-server --domain example.org --standard-ports --data /var/lib/pillarbox
      Take mail for example.org from the internet, on the ports that are made for it.

  pillarbox-mail-server account add ada@example.org
      One more account, while the server runs. `account --help` tells the rest.

  pillarbox-mail-server import ada@example.org ~/mail/archive.mbox ~/Maildir
      Bring mail along from elsewhere.

The same options can stand in a file, `--config server.toml`, a line for each:
  domain = [\"example.org\", \"example.com\"]
  standard-ports = true
  pop3 = \"off\"
  max-message-size = \"50MiB\"

`ready` on standard output says that every listener accepts. Logs go to standard error.
SIGINT or SIGTERM ends it when the messages under way are in; a second one at once.";

/// A complete mail server in one program: SMTP, submission, LMTP, IMAP and POP3 over one store
///
/// Without a command it serves. Everything it keeps is in one folder, `pillarbox-data` unless --data says otherwise.
#[derive(Debug, Parser)]
#[command(name = "pillarbox-mail-server", version, after_long_help = EXAMPLES, max_term_width = 100)]
#[command(subcommand_help_heading = "Commands", disable_help_subcommand = true)]
pub(crate) struct Cli {
    #[command(flatten)]
    pub(crate) options: Options,
    #[command(subcommand)]
    pub(crate) command: Option<Command>,
}

/// What can be done instead of serving.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Add, change, list and remove accounts; works while the server runs
    #[command(subcommand, after_long_help = ACCOUNT_EXAMPLES)]
    Account(AccountCommand),
    /// Addresses that stand for accounts
    #[command(subcommand, after_long_help = ALIAS_EXAMPLES)]
    Alias(AliasCommand),
    /// Bring messages from mbox files, Maildirs or .eml files into an account
    #[command(after_long_help = IMPORT_EXAMPLES)]
    Import(ImportArgs),
    /// Write an account's messages to an mbox file, a Maildir or .eml files
    #[command(after_long_help = EXPORT_EXAMPLES)]
    Export(ExportArgs),
    /// Copy all mail from one store into another, so that mail programs notice nothing
    #[command(after_long_help = MIGRATE_EXAMPLES)]
    Migrate(MigrateArgs),
    /// Read all mail and say whether it is as it has to be
    #[command(after_long_help = CHECK_EXAMPLES)]
    Check(CheckArgs),
}

const ACCOUNT_EXAMPLES: &str = "\
Examples:
  account add ada@example.org                 asks for a password twice
  account add ada                             the same at the first domain
  pass mail/ada | account add ada --password-stdin
  account app-password add ada \"old phone\"    prints a password of its own, once
  account remove ada --delete-mail            and its mail is gone, too";

#[derive(Debug, Subcommand)]
pub(crate) enum AccountCommand {
    /// Make an account
    Add {
        /// Its address; a bare name is one at the first domain
        name: String,
        #[command(flatten)]
        password: PasswordSource,
    },
    /// Give an account a new password; app passwords stay
    Passwd {
        /// Its address; a bare name is one at the first domain
        name: String,
        #[command(flatten)]
        password: PasswordSource,
    },
    /// List the accounts
    List,
    /// Remove an account; its mail is kept unless you say otherwise
    Remove {
        /// Its address; a bare name is one at the first domain
        name: String,
        /// Remove all its messages from the store, too; there is no way back
        #[arg(long)]
        delete_mail: bool,
    },
    /// Passwords for one device or program each, which can be taken back one by one
    #[command(subcommand)]
    AppPassword(AppPasswordCommand),
}

#[derive(Debug, Subcommand)]
pub(crate) enum AppPasswordCommand {
    /// Make one and print it, this once
    Add {
        /// The account
        name: String,
        /// What it is for: "old phone"
        label: String,
    },
    /// List them: label, when made, when last used
    List {
        /// The account
        name: String,
    },
    /// Take one back
    Remove {
        /// The account
        name: String,
        /// What it was for
        label: String,
    },
}

/// Where a password comes from. Never from the command line, which every user of the machine can read.
#[derive(Debug, Args)]
pub(crate) struct PasswordSource {
    /// Read it from the first line of standard input instead of asking
    #[arg(long)]
    pub(crate) password_stdin: bool,
}

const ALIAS_EXAMPLES: &str = "\
Examples:
  alias add info@example.org ada@example.org bob@example.org
  alias add sales info                        bare names are at the first domain
  alias remove info@example.org bob@example.org
  alias remove info@example.org               all of it

`postmaster` and `abuse` of each domain reach the first account until they are made an alias
or an account. `ada+anything@example.org` reaches ada without an alias.";

#[derive(Debug, Subcommand)]
pub(crate) enum AliasCommand {
    /// Let mail for an address go to these, too
    Add {
        /// The address; a bare name is one at the first domain
        address: String,
        /// Accounts, or other aliases
        #[arg(required = true)]
        targets: Vec<String>,
    },
    /// List the aliases and where they lead
    List,
    /// Take targets away, or the whole alias if none is named
    Remove {
        /// The address
        address: String,
        /// Which targets to take away
        targets: Vec<String>,
    },
}

/// How messages lie in files.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Format {
    /// One file, each message after a `From ` line, lines that look like one quoted with `>`
    Mbox,
    /// A folder with `cur`, `new` and `tmp`, a file for each message, its flags in its name
    Maildir,
    /// A file for each message, ending in .eml
    Eml,
}

const IMPORT_EXAMPLES: &str = "\
Examples:
  import ada@example.org archive.mbox
  import ada ~/Maildir ~/old/*.eml
  import ada --mailbox Archive --format mbox ~/mail/2019

Line ends become CRLF, dates of receipt and flags are kept where the format has them. A message that
cannot be taken is told with its place and does not stop the others; exit code 1 if there was one.";

#[derive(Debug, Args)]
pub(crate) struct ImportArgs {
    /// The account
    pub(crate) name: String,
    /// Files and folders
    #[arg(required = true)]
    pub(crate) paths: Vec<PathBuf>,
    /// How the messages lie there; found out for each path if you do not say
    #[arg(long)]
    pub(crate) format: Option<Format>,
    /// Into which mailbox; made if it does not exist
    #[arg(long, default_value = "INBOX")]
    pub(crate) mailbox: String,
}

const EXPORT_EXAMPLES: &str = "\
Examples:
  export ada@example.org backup.mbox --format mbox
  export ada ada-maildir --format maildir
  export ada ada-eml --format eml --mailbox Archive

Without --mailbox all mailboxes are written: a Maildir gets subfolders (.Archive), .eml files folders,
an mbox file one run of messages. Nothing that is there already is overwritten.";

#[derive(Debug, Args)]
pub(crate) struct ExportArgs {
    /// The account
    pub(crate) name: String,
    /// The file (mbox) or folder (maildir, eml) to write
    pub(crate) to: PathBuf,
    /// How the messages shall lie there
    #[arg(long)]
    pub(crate) format: Format,
    /// Only this mailbox
    #[arg(long)]
    pub(crate) mailbox: Option<String>,
}

const MIGRATE_EXAMPLES: &str = "\
Examples:
  migrate --to sqlite:/srv/mail.sqlite
      From the server's own store. Then start the server with --store sqlite:/srv/mail.sqlite

  migrate --from sqlite:old.sqlite --to sqlite:new.sqlite ada@example.org
      One account's mail alone.

UIDs, UIDVALIDITY, flags, dates, POP3's unique-ids and subscriptions stay what they are: mail programs
need not fetch anything again. Run it while the server runs, as often as you like: it goes on where it
was interrupted, and takes what has changed since. Then stop the server and run it once more.";

#[derive(Debug, Args)]
pub(crate) struct MigrateArgs {
    /// The store to copy from [default: what the server was last started with]
    #[arg(long, value_name = "STORE")]
    pub(crate) from: Option<StoreChoice>,
    /// The store to copy into; made if it does not exist
    #[arg(long, value_name = "STORE")]
    pub(crate) to: StoreChoice,
    /// Accounts; all of them if none is named
    #[arg(value_name = "ACCOUNT")]
    pub(crate) names: Vec<String>,
}

const CHECK_EXAMPLES: &str = "\
Examples:
  check                     everything, while the server runs
  check ada@example.org     the store itself, and one account's mail
  check --repair            and put right what can be

Each message is read to its end and compared with what is noted of it; the store looks through its own
books. With --repair a message that cannot be read is taken out of its mailbox, and mail programs are
told that it has gone. Exit code 1 if something is wrong and was not mended.";

#[derive(Debug, Args)]
pub(crate) struct CheckArgs {
    /// Put right what can be
    #[arg(long)]
    pub(crate) repair: bool,
    /// Accounts; all of them if none is named
    #[arg(value_name = "ACCOUNT")]
    pub(crate) names: Vec<String>,
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    #[test]
    fn the_command_line_is_consistent() {
        Cli::command().debug_assert();
    }

    #[test]
    fn a_password_never_stands_on_the_command_line() {
        let mut command = Cli::command();
        let account = command.find_subcommand_mut("account").unwrap().find_subcommand_mut("add").unwrap();
        assert!(account.try_get_matches_from_mut(["add", "ada", "--password", "secret"]).is_err());
    }

    #[test]
    fn options_of_the_whole_program_may_stand_behind_a_command() {
        let cli = Cli::parse_from(["x", "account", "list", "--data", "/srv/mail", "--domain", "a.example"]);
        assert_eq!(cli.options.data, Some(PathBuf::from("/srv/mail")));
        assert_eq!(cli.options.domain.len(), 1);
    }
}
