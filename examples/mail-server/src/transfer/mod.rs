//! Mail in and out of files, mbox, Maildir and .eml, and from one store into another.

mod crlf;
mod date;
mod export;
mod files;
mod import;
mod mbox;
mod mbox_writer;
mod migrate;
#[cfg(test)]
mod tests;

use std::fs::File;
use std::io::{BufReader, Read};
use std::path::Path;

use indicatif::{ProgressBar, ProgressStyle};
use mailstore_traits::{Flags, Timestamp};

pub(crate) use export::export;
pub(crate) use import::{count, import};
pub(crate) use migrate::migrate;

use crate::cli::Format;
use crate::error::{Failure, Outcome, reason};
use files::FileReader;
use mbox::MboxReader;

/// What a reader of mail files gives, one after the other.
#[derive(Debug)]
enum Piece {
    /// A message begins.
    Begin {
        /// Where it is, for a person who looks for it.
        place: String,
        /// The folders it lies in, below the one that was named.
        below: Vec<String>,
    },
    /// Some octets of it, with line ends as they are there.
    Octets(Vec<u8>),
    /// It was whole.
    End {
        /// When it was received.
        date: Option<Timestamp>,
        flags: Flags,
    },
    /// Something could not be read; a message that had begun is not one.
    Bad { place: String, why: String },
}

/// A reader of any format.
#[derive(Debug)]
enum Reader {
    Mbox(Box<MboxReader<BufReader<File>>>, u64),
    Files(FileReader),
}

impl Reader {
    /// Opens a path, as the format that was named, or that it looks like.
    fn open(path: &Path, format: Option<Format>) -> Outcome<Self> {
        let cannot =
            |error: std::io::Error| Failure::failed(format!("cannot read {}: {}", path.display(), reason(&error)));
        let data = path.metadata().map_err(cannot)?;
        let format = match format {
            Some(format) => format,
            None if data.is_dir() && files::is_maildir(path) => Format::Maildir,
            None if data.is_dir() => Format::Eml,
            None => {
                let mut beginning = Vec::new();
                File::open(path).and_then(|file| file.take(5).read_to_end(&mut beginning)).map_err(cannot)?;
                // A mailbox that somebody has emptied is an empty file; it is not a message without a single octet.
                if beginning == b"From " || beginning.is_empty() { Format::Mbox } else { Format::Eml }
            }
        };
        match format {
            Format::Maildir if files::is_maildir(path) => Ok(Self::Files(FileReader::maildir(path))),
            Format::Maildir => {
                Err(Failure::failed(format!("{} is no Maildir; one has the folders cur and new", path.display())))
            }
            Format::Eml => Ok(Self::Files(FileReader::eml(path))),
            Format::Mbox if data.is_dir() => Err(Failure::failed(format!(
                "{} is a folder; an mbox is a file, so name the files in it",
                path.display()
            ))),
            Format::Mbox => {
                let file = BufReader::with_capacity(256 * 1024, File::open(path).map_err(cannot)?);
                Ok(Self::Mbox(Box::new(MboxReader::new(file, path.display().to_string())), data.len()))
            }
        }
    }

    fn next(&mut self) -> Option<Piece> {
        match self {
            Self::Mbox(reader, _) => reader.next(),
            Self::Files(reader) => reader.next(),
        }
    }

    /// Octets in all.
    fn size(&self) -> u64 {
        match self {
            Self::Mbox(_, size) => *size,
            Self::Files(reader) => reader.size(),
        }
    }

    /// Octets read.
    fn position(&self) -> u64 {
        match self {
            Self::Mbox(reader, _) => reader.position(),
            Self::Files(reader) => reader.position(),
        }
    }
}

/// A bar on standard error; nothing where that is no terminal.
pub(crate) fn progress(length: u64, template: &str) -> ProgressBar {
    let style = ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_bar());
    ProgressBar::new(length).with_style(style.progress_chars("=> "))
}
