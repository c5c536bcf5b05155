//! Messages that lie in a file each: Maildirs and folders of .eml files.

use std::collections::{BTreeMap, VecDeque};
use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use mailstore_traits::{Flags, Keyword, SystemFlag, Timestamp};

use super::Piece;
use super::date::header_date;
use crate::error::reason;

/// Octets read in one go.
const CHUNK: usize = 64 * 1024;
/// The deepest folder looked into: a link that leads back up must come to an end.
const MAX_DEPTH: usize = 16;

/// The letters of a Maildir's file names, in the order they stand there.
pub(super) const LETTERS: [(SystemFlag, char); 5] = [
    (SystemFlag::Draft, 'D'),
    (SystemFlag::Flagged, 'F'),
    (SystemFlag::Answered, 'R'),
    (SystemFlag::Seen, 'S'),
    (SystemFlag::Deleted, 'T'),
];

/// A file that is a message.
#[derive(Debug, Clone, PartialEq, Eq)]
struct MessageFile {
    path: PathBuf,
    /// The folders between the one that was named and this file's.
    below: Vec<String>,
    flags: Flags,
    /// Whether the header tells the date of receipt better than the file does.
    date_in_header: bool,
}

/// Reads message files, a piece at a time.
#[derive(Debug, Default)]
pub(super) struct FileReader {
    files: VecDeque<MessageFile>,
    open: Option<(MessageFile, File, Option<Timestamp>)>,
    /// What was wrong with a folder.
    faults: VecDeque<(PathBuf, String)>,
    read: u64,
}

impl FileReader {
    /// The messages of a Maildir and its subfolders (`.Archive.2020`).
    pub(super) fn maildir(path: &Path) -> Self {
        let mut this = Self::default();
        this.maildir_folder(path, Vec::new());
        for (name, path) in this.entries(path) {
            let Some(below) = name.strip_prefix('.').filter(|_| is_maildir(&path)) else { continue };
            this.maildir_folder(&path, below.split('.').map(unescape).collect());
        }
        this
    }

    fn maildir_folder(&mut self, path: &Path, below: Vec<String>) {
        let keywords = keywords(path);
        let mut entries: Vec<_> = ["cur", "new"].iter().flat_map(|folder| self.entries(&path.join(folder))).collect();
        entries.sort_by_cached_key(|(name, _)| natural(name));
        for (name, path) in entries {
            if name.starts_with('.') || !path.is_file() {
                continue;
            }
            let flags = flags_of(&name, &keywords);
            self.files.push_back(MessageFile { path, below: below.clone(), flags, date_in_header: false });
        }
    }

    /// One message, or all the files of a folder and those below it that end in .eml.
    pub(super) fn eml(path: &Path) -> Self {
        let mut this = Self::default();
        if path.is_dir() {
            this.eml_folder(path, Vec::new());
        } else {
            this.files.push_back(MessageFile {
                path: path.to_owned(),
                below: Vec::new(),
                flags: Flags::new(),
                date_in_header: true,
            });
        }
        this
    }

    fn eml_folder(&mut self, path: &Path, below: Vec<String>) {
        for (name, path) in self.entries(path) {
            if path.is_dir() {
                if below.len() < MAX_DEPTH && !name.starts_with('.') {
                    let below = below.iter().cloned().chain([unescape(&name)]).collect();
                    self.eml_folder(&path, below);
                }
            } else if path.extension().is_some_and(|extension| extension.eq_ignore_ascii_case("eml")) {
                let flags = Flags::new();
                self.files.push_back(MessageFile { path, below: below.clone(), flags, date_in_header: true });
            }
        }
    }

    /// A folder's entries by name.
    fn entries(&mut self, path: &Path) -> Vec<(String, PathBuf)> {
        match std::fs::read_dir(path) {
            Ok(entries) => {
                let name = |entry: std::fs::DirEntry| (entry.file_name().to_string_lossy().into_owned(), entry.path());
                let mut entries: Vec<_> = entries.flatten().map(name).collect();
                entries.sort_by_cached_key(|(name, _)| natural(name));
                entries
            }
            Err(error) => {
                self.faults.push_back((path.to_owned(), reason(&error)));
                Vec::new()
            }
        }
    }

    /// Octets of all files.
    pub(super) fn size(&self) -> u64 {
        self.files.iter().filter_map(|file| file.path.metadata().ok()).map(|data| data.len()).sum()
    }

    /// How many octets have been read.
    pub(super) fn position(&self) -> u64 {
        self.read
    }

    /// The next piece; `None` at the end.
    pub(super) fn next(&mut self) -> Option<Piece> {
        if let Some((path, why)) = self.faults.pop_front() {
            return Some(Piece::Bad { place: path.display().to_string(), why });
        }
        let Some((file, mut input, date)) = self.open.take() else {
            let file = self.files.pop_front()?;
            let place = file.path.display().to_string();
            return Some(match File::open(&file.path).and_then(|input| Ok((date_of(&file, &input)?, input))) {
                Ok((date, input)) => {
                    let below = file.below.clone();
                    self.open = Some((file, input, date));
                    Piece::Begin { place, below }
                }
                Err(error) => Piece::Bad { place, why: reason(&error) },
            });
        };
        let mut octets = vec![0; CHUNK];
        Some(match input.read(&mut octets) {
            Ok(0) => Piece::End { date, flags: file.flags },
            Ok(count) => {
                octets.truncate(count);
                self.read = self.read.saturating_add(u64::try_from(count).unwrap_or(u64::MAX));
                self.open = Some((file, input, date));
                Piece::Octets(octets)
            }
            Err(error) => Piece::Bad { place: file.path.display().to_string(), why: reason(&error) },
        })
    }
}

/// A key by which names stand in the order of the numbers in them: `9.eml` before `10.eml`, and in a Maildir, whose names
/// begin with the second of their receipt, what came in before September 2001 (nine digits) before what came later.
fn natural(name: &str) -> (Vec<(usize, String)>, String) {
    // Stands for a text's length, for numbers go before texts.
    const TEXT: usize = usize::MAX;
    let mut parts: Vec<(usize, String)> = Vec::new();
    for character in name.chars() {
        let digit = character.is_ascii_digit();
        match parts.last_mut() {
            // Of two numbers the longer one is the larger one, leading zeros apart.
            Some((digits, number)) if digit && *digits != TEXT => {
                if number == "0" {
                    number.clear();
                } else {
                    *digits = digits.saturating_add(1);
                }
                number.push(character);
            }
            Some((TEXT, text)) if !digit => text.push(character),
            _ => parts.push((if digit { 1 } else { TEXT }, character.to_string())),
        }
    }
    (parts, name.to_owned())
}

/// Whether a folder is a Maildir.
pub(super) fn is_maildir(path: &Path) -> bool {
    path.join("cur").is_dir() && path.join("new").is_dir()
}

/// When a message was received: by the newest trace field, or the sender's date, where the file's own says when somebody
/// saved it; by the file's in a Maildir.
fn date_of(file: &MessageFile, mut input: &File) -> std::io::Result<Option<Timestamp>> {
    if file.date_in_header {
        let mut beginning = Vec::new();
        Read::by_ref(&mut input).take(CHUNK as u64).read_to_end(&mut beginning)?;
        std::io::Seek::rewind(&mut input)?;
        if let Some(date) = header_date_of(&beginning) {
            return Ok(Some(date));
        }
    }
    let modified = input.metadata()?.modified()?;
    Ok(modified.duration_since(SystemTime::UNIX_EPOCH).ok().and_then(|since| {
        let seconds = i64::try_from(since.as_secs()).ok()?;
        Some(Timestamp::from_unix(seconds))
    }))
}

fn header_date_of(beginning: &[u8]) -> Option<Timestamp> {
    let text = String::from_utf8_lossy(beginning).replace("\r\n", "\n");
    let header = text.split("\n\n").next()?.replace("\n ", " ").replace("\n\t", " ");
    let value = |name: &str| {
        header.lines().find_map(|line| {
            let (field, value) = line.split_once(':')?;
            field.trim_end().eq_ignore_ascii_case(name).then(|| value.to_owned())
        })
    };
    let received = value("received").and_then(|value| header_date(value.rsplit_once(';')?.1));
    received.or_else(|| header_date(&value("date")?))
}

/// The flags in a file's name, `:2,FRS`, and Dovecot's keywords, small letters.
fn flags_of(name: &str, keywords: &BTreeMap<char, Keyword>) -> Flags {
    let mut flags = Flags::new();
    // A colon cannot stand in names everywhere; copies made there have these.
    let info = [":2,", ";2,", "!2,"].iter().find_map(|mark| name.rsplit_once(mark)).map_or("", |(_, info)| info);
    for letter in info.chars() {
        if let Some((flag, _)) = LETTERS.into_iter().find(|&(_, known)| known == letter) {
            flags.insert(flag);
        } else if let Some(keyword) = keywords.get(&letter) {
            flags.insert(keyword.clone());
        } else if letter == 'P'
            && let Ok(forwarded) = Keyword::new("$Forwarded")
        {
            flags.insert(forwarded);
        }
    }
    flags
}

/// Dovecot's list of what the small letters stand for: `0 $Junk`, a line for each.
fn keywords(folder: &Path) -> BTreeMap<char, Keyword> {
    let text = std::fs::read_to_string(folder.join("dovecot-keywords")).unwrap_or_default();
    let entry = |line: &str| {
        let (number, word) = line.split_once(' ')?;
        let letter = b'a'.checked_add(number.parse().ok().filter(|number| *number < 26)?)?;
        Some((char::from(letter), Keyword::new(word).ok()?))
    };
    text.lines().filter_map(entry).collect()
}

/// Makes a part of a mailbox's name one of a folder's: what a file system or a Maildir would understand otherwise
/// becomes a backslash and two digits, as Dovecot has it (attack row P1).
pub(super) fn escape(segment: &str) -> String {
    let mut name = String::new();
    for character in segment.chars() {
        match character {
            '.' | '/' | '\\' | ':' => name.push_str(&format!("\\{:02x}", u32::from(character))),
            _ => name.push(character),
        }
    }
    name
}

/// Takes [`escape`] back.
fn unescape(name: &str) -> String {
    let mut parts = name.split('\\');
    let mut segment = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        let code =
            part.get(..2).and_then(|digits| u8::from_str_radix(digits, 16).ok()).filter(u8::is_ascii_punctuation);
        match (code, part.get(2..)) {
            (Some(code), Some(rest)) => {
                segment.push(char::from(code));
                segment.push_str(rest);
            }
            _ => {
                segment.push('\\');
                segment.push_str(part);
            }
        }
    }
    segment
}

#[cfg(test)]
mod tests {
    use mailstore_traits::Flag;

    use super::*;

    fn read(mut reader: FileReader) -> Vec<String> {
        let (mut all, mut one) = (Vec::new(), String::new());
        while let Some(piece) = reader.next() {
            match piece {
                Piece::Begin { below, .. } => one = format!("{}:", below.join("/")),
                Piece::Octets(octets) => one.push_str(&String::from_utf8_lossy(&octets)),
                Piece::End { date, flags } => {
                    let flags: Vec<_> = flags.iter().map(Flag::as_str).collect();
                    all.push(format!("{one}|{}|{}", flags.join(" "), date.map_or(0, Timestamp::unix_seconds)));
                }
                Piece::Bad { why, .. } => all.push(why),
            }
        }
        all
    }

    fn write(path: &Path, text: &str, seconds: u64) {
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
        let time = SystemTime::UNIX_EPOCH + std::time::Duration::from_secs(seconds);
        File::options().write(true).open(path).unwrap().set_modified(time).unwrap();
    }

    #[test]
    fn a_maildir_is_read_with_its_flags_dates_and_subfolders() {
        let folder = tempfile::tempdir().unwrap();
        let root = folder.path();
        write(&root.join("new/2.x"), "two", 2);
        write(&root.join("cur/1.x:2,FSa"), "one", 1);
        write(&root.join("cur/3.x:2,PRTD"), "three", 3);
        write(&root.join("tmp/4.x"), "half", 4);
        write(&root.join("dovecot-keywords"), "0 $Junk\n1 bad keyword(\nx", 0);
        write(&root.join(".Lists.a\\2eb/cur/5.x!2,S"), "five", 5);
        std::fs::create_dir_all(root.join(".Lists.a\\2eb/new")).unwrap();
        assert!(is_maildir(root));
        let reader = FileReader::maildir(root);
        assert_eq!(reader.size(), 15);
        assert_eq!(
            read(reader),
            [
                ":one|\\Flagged \\Seen $Junk|1",
                ":two||2",
                ":three|\\Answered \\Deleted \\Draft $Forwarded|3",
                "Lists/a.b:five|\\Seen|5",
            ]
        );
    }

    #[test]
    fn files_come_in_the_order_of_their_numbers() {
        let folder = tempfile::tempdir().unwrap();
        let in_order =
            ["999999999.M7.x", "1000000000.M20P3.x", "1000000000.M100P3.x", "1000000001.x", "12345678901.x", "a"];
        for (at, name) in in_order.iter().enumerate() {
            write(&folder.path().join(["cur", "new"][at % 2]).join(name), name, 1);
        }
        let expected: Vec<_> = in_order.iter().map(|name| format!(":{name}||1")).collect();
        assert_eq!(read(FileReader::maildir(folder.path())), expected);
        let mut names = ["10.eml", "b", "a10b2", "9.eml", "a10b10", "a9b", "010", "09", "0"];
        names.sort_by_key(|name| natural(name));
        assert_eq!(names, ["0", "09", "9.eml", "010", "10.eml", "a9b", "a10b2", "a10b10", "b"]);
    }

    #[test]
    fn eml_files_are_dated_by_their_headers() {
        let folder = tempfile::tempdir().unwrap();
        let root = folder.path();
        let received = "Received: by x;\n Thu, 01 Jan 1970 00:00:09 +0000\nDate: Thu, 1 Jan 1970 00:00:05 +0000\n\n";
        write(&root.join("a.eml"), received, 1);
        write(&root.join("b.EML"), "Date: Thu, 1 Jan 1970 00:00:05 +0000\r\n\r\nDate: no", 2);
        write(&root.join("c.eml"), "Subject: x\n\nDate: Thu, 1 Jan 1970 00:00:05 +0000\n", 3);
        write(&root.join("notes.txt"), "not mail", 4);
        write(&root.join("Sub/d.eml"), "", 6);
        let dates: Vec<_> =
            read(FileReader::eml(root)).iter().map(|one| one.rsplit('|').next().unwrap().to_owned()).collect();
        assert_eq!(dates, ["6", "9", "5", "3"]);
        assert_eq!(read(FileReader::eml(&root.join("Sub"))).len(), 1);
        assert_eq!(read(FileReader::eml(&root.join("nothing.eml"))), ["it does not exist"]);
    }

    #[test]
    fn sec_p1_a_folders_name_never_leads_elsewhere() {
        for (segment, expected) in [("..", "\\2e\\2e"), ("a/b", "a\\2fb"), ("a\\2eb", "a\\5c2eb"), ("Ärger", "Ärger")]
        {
            assert_eq!(escape(segment), expected);
            assert_eq!(unescape(expected), segment);
        }
        assert_eq!(unescape("a\\zz"), "a\\zz");
        assert_eq!(unescape("a\\"), "a\\");
    }
}
