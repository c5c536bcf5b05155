//! An account's messages into files.

use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use futures::{StreamExt, TryStreamExt};
use indicatif::ProgressBar;
use mailstore_traits::{
    Account, AccountId, Actor, Body, ByteRange, ErrorKind, ListHint, MailStore, MailboxId, MailboxName, MessageMeta,
    MetaFields, MetaFilter, StoreError, UidSet,
};

use super::crlf::ToLf;
use super::files::{LETTERS, escape};
use super::import::count;
use super::mbox_writer::{MboxWriter, sender};
use super::progress;
use crate::cli::{ExportArgs, Format};
use crate::error::{Failure, Outcome, reason};
use crate::out::{note, say};

/// Writes the messages. One that cannot be read is told and does not stop the others; a disk that cannot be written to
/// stops all.
pub(crate) async fn export<S: MailStore>(store: &S, name: &AccountId, args: &ExportArgs) -> Outcome {
    let trouble = |error: StoreError| Failure::failed(format!("cannot read the mail of {name}: {error}"));
    let account = store.open(name, &Actor::Service).await.map_err(trouble)?;
    let mailboxes = match &args.mailbox {
        Some(text) => {
            let mailbox = MailboxName::parse(text)
                .map_err(|why| Failure::usage(format!("`{text}` is no name for a mailbox: {why}")))?;
            let id = account.find(&mailbox).await.map_err(|error| match error.kind() {
                ErrorKind::NotFound => Failure::failed(format!("{name} has no mailbox `{text}`")),
                _ => trouble(error),
            })?;
            // Named alone, it is what is asked for, not a folder in something.
            vec![(MailboxName::inbox(), id)]
        }
        None => {
            let listed: Vec<_> = account.list(ListHint::default()).try_collect().await.map_err(trouble)?;
            let mut found: Vec<_> = listed.into_iter().filter_map(|info| Some((info.name, info.id?))).collect();
            // INBOX first, for it is the target itself.
            found.sort_by(|(a, _), (b, _)| (!a.is_inbox(), a).cmp(&(!b.is_inbox(), b)));
            found
        }
    };
    let ids: Vec<_> = mailboxes.iter().map(|(_, id)| id.clone()).collect();
    let total = account.status(&ids).await.map_err(trouble)?.iter().map(|status| status.messages).sum();
    let target = Target::make(&args.to, args.format)?;
    let bar = progress(total, "{wide_bar} {pos}/{len} messages  {eta} left");
    let mut run = Run { target, written: 0, lost: 0, bar };
    for (mailbox, id) in &mailboxes {
        run.mailbox(&account, mailbox, id).await?;
    }
    run.target.finish()?;
    run.bar.finish_and_clear();
    say!("exported {} of {name} to {}", count(run.written), args.to.display());
    match run.lost {
        0 => Ok(()),
        lost => Err(Failure::failed(format!("{} could not be read; they are named above", count(lost)))),
    }
}

struct Run {
    target: Target,
    written: u64,
    lost: u64,
    bar: ProgressBar,
}

impl Run {
    async fn mailbox<A: Account>(&mut self, account: &A, name: &MailboxName, id: &MailboxId) -> Outcome {
        self.target.enter(name)?;
        let fields = MetaFields::FIXED.with_flags();
        let mut metas = std::pin::pin!(account.fetch_meta(id, &UidSet::all(), fields, MetaFilter::default()));
        while let Some(meta) = metas.next().await {
            let meta =
                meta.map_err(|error| Failure::failed(format!("cannot read the mailbox {}: {error}", name.as_str())))?;
            self.bar.inc(1);
            let read = match account.open_body(id, meta.uid, ByteRange::WHOLE).await {
                Ok(body) => self.target.message(&meta, body).await,
                // Somebody has just removed it; that is no loss of ours.
                Err(error) if error.kind() == ErrorKind::Expunged => continue,
                Err(error) => Err(Trouble::Store(error)),
            };
            match read {
                Ok(()) => self.written = self.written.saturating_add(1),
                Err(Trouble::Disk(failure)) => return Err(failure),
                Err(Trouble::Store(error)) => {
                    self.lost = self.lost.saturating_add(1);
                    let place = Failure::failed(format!("{}, UID {}: {error}", name.as_str(), meta.uid));
                    self.bar.suspend(|| note!("not exported: {place}"));
                }
            }
        }
        Ok(())
    }
}

/// Why a message was not written.
enum Trouble {
    Store(StoreError),
    Disk(Failure),
}

impl From<StoreError> for Trouble {
    fn from(error: StoreError) -> Self {
        Self::Store(error)
    }
}

/// What is written to.
enum Target {
    Mbox { path: PathBuf, writer: Option<MboxWriter<BufWriter<File>>> },
    Maildir { root: PathBuf, folder: PathBuf, keywords: Vec<String> },
    Eml { root: PathBuf, folder: PathBuf },
}

impl Target {
    /// Makes it. Nothing that is there is touched.
    fn make(path: &Path, format: Format) -> Outcome<Self> {
        let taken = || {
            Failure::failed(format!("{} is there already and is left as it is; name one that is not", path.display()))
        };
        if format == Format::Mbox {
            let file = File::create_new(path).map_err(|error| match error.kind() {
                std::io::ErrorKind::AlreadyExists => taken(),
                _ => cannot_write(path, &error),
            })?;
            let writer = MboxWriter::new(BufWriter::with_capacity(256 * 1024, file));
            return Ok(Self::Mbox { path: path.to_owned(), writer: Some(writer) });
        }
        match std::fs::read_dir(path) {
            Ok(entries) => {
                if entries.count() > 0 {
                    return Err(taken());
                }
            }
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => make_folder(path)?,
            Err(error) => return Err(cannot_write(path, &error)),
        }
        let (root, folder) = (path.to_owned(), path.to_owned());
        Ok(match format {
            Format::Maildir => Self::Maildir { root, folder, keywords: Vec::new() },
            _ => Self::Eml { root, folder },
        })
    }

    /// Goes on with a mailbox.
    fn enter(&mut self, name: &MailboxName) -> Outcome {
        match self {
            Self::Mbox { .. } => Ok(()),
            Self::Maildir { root, folder, keywords } => {
                write_keywords(folder, &std::mem::take(keywords))?;
                *folder = if name.is_inbox() {
                    root.clone()
                } else {
                    root.join(name.segments().map(|segment| format!(".{}", escape(segment))).collect::<String>())
                };
                ["cur", "new", "tmp"].iter().try_for_each(|part| make_folder(&folder.join(part)))
            }
            Self::Eml { root, folder } => {
                *folder = root.clone();
                if !name.is_inbox() {
                    folder.extend(name.segments().map(escape));
                }
                make_folder(folder)
            }
        }
    }

    async fn message(&mut self, meta: &MessageMeta, mut body: Body) -> Result<(), Trouble> {
        let number = meta.uid.value();
        match self {
            Self::Mbox { path, writer } => {
                let Some(writer) = writer else { return Ok(()) };
                let disk = |error| Trouble::Disk(cannot_write(path, &error));
                // The first octets before the `From ` line: they tell the sender, and that the message can be read.
                let first = body.try_next().await?.unwrap_or_default();
                writer.begin(sender(&first).as_deref(), meta.internal_date, &meta.flags).map_err(disk)?;
                writer.octets(&first).map_err(disk)?;
                loop {
                    match body.try_next().await {
                        Ok(Some(octets)) => writer.octets(&octets).map_err(disk)?,
                        Ok(None) => return writer.end().map_err(disk),
                        Err(error) => {
                            writer.abandon().map_err(disk)?;
                            return Err(Trouble::Store(error));
                        }
                    }
                }
            }
            Self::Maildir { folder, keywords, .. } => {
                let letters: String =
                    LETTERS.iter().filter(|(flag, _)| meta.flags.has(*flag)).map(|&(_, letter)| letter).collect();
                let words: String = meta.flags.keywords().filter_map(|word| letter(keywords, word.as_str())).collect();
                let unique =
                    format!("{}.U{number}P{}.pillarbox", meta.internal_date.unix_seconds(), std::process::id());
                let half = folder.join("tmp").join(&unique);
                let whole = folder.join("cur").join(format!("{unique}:2,{letters}{words}"));
                write_file(&half, meta, body, true).await?;
                std::fs::rename(&half, &whole).map_err(|error| Trouble::Disk(cannot_write(&whole, &error)))
            }
            Self::Eml { folder, .. } => write_file(&folder.join(format!("{number:06}.eml")), meta, body, false).await,
        }
    }

    fn finish(&mut self) -> Outcome {
        match self {
            Self::Mbox { path, writer } => {
                let Some(writer) = writer.take() else { return Ok(()) };
                let file = writer.into_inner().into_inner().map_err(std::io::IntoInnerError::into_error);
                file.and_then(|file| file.sync_all()).map_err(|error| cannot_write(path, &error))
            }
            Self::Maildir { folder, keywords, .. } => write_keywords(folder, keywords),
            Self::Eml { .. } => Ok(()),
        }
    }
}

/// The letter of a keyword in this folder: the first 26 have one.
fn letter(keywords: &mut Vec<String>, word: &str) -> Option<char> {
    let at = keywords.iter().position(|known| known.eq_ignore_ascii_case(word)).or_else(|| {
        keywords.push(word.to_owned());
        keywords.len().checked_sub(1)
    })?;
    Some(char::from(b'a'.checked_add(u8::try_from(at).ok().filter(|at| *at < 26)?)?))
}

fn write_keywords(folder: &Path, keywords: &[String]) -> Outcome {
    if keywords.is_empty() {
        return Ok(());
    }
    let path = folder.join("dovecot-keywords");
    let lines = keywords.iter().take(26).enumerate().map(|(at, word)| format!("{at} {word}\n"));
    std::fs::write(&path, lines.collect::<String>()).map_err(|error| cannot_write(&path, &error))
}

/// Writes a message into a file of its own, dated as it was received. One that cannot be read to its end leaves no file.
async fn write_file(path: &Path, meta: &MessageMeta, mut body: Body, unix_lines: bool) -> Result<(), Trouble> {
    let disk = |error: std::io::Error| Trouble::Disk(cannot_write(path, &error));
    let mut file = BufWriter::with_capacity(256 * 1024, File::create_new(path).map_err(disk)?);
    let mut lines = ToLf::default();
    let mut converted = Vec::new();
    loop {
        match body.try_next().await {
            Ok(Some(octets)) if unix_lines => {
                lines.push(&octets, |text| converted.extend_from_slice(text));
                file.write_all(&converted).map_err(disk)?;
                converted.clear();
            }
            Ok(Some(octets)) => file.write_all(&octets).map_err(disk)?,
            Ok(None) => break,
            Err(error) => {
                drop(file);
                let _ = std::fs::remove_file(path);
                return Err(Trouble::Store(error));
            }
        }
    }
    lines.finish(|text| converted.extend_from_slice(text));
    file.write_all(&converted).map_err(disk)?;
    let file = file.into_inner().map_err(|error| disk(error.into_error()))?;
    let since = Duration::from_secs(u64::try_from(meta.internal_date.unix_seconds()).unwrap_or(0));
    match SystemTime::UNIX_EPOCH.checked_add(since) {
        Some(received) => file.set_modified(received).map_err(disk),
        None => Ok(()),
    }
}

fn make_folder(path: &Path) -> Outcome {
    std::fs::create_dir_all(path).map_err(|error| cannot_write(path, &error))
}

fn cannot_write(path: &Path, error: &std::io::Error) -> Failure {
    Failure::failed(format!("cannot write {}: {}", path.display(), reason(error)))
}
