//! `dovecot-keywords`: which keyword each of the letters `a` to `z` means in a folder.

use std::io::{self, Read, Write};
use std::time::{Duration, SystemTime};

use mailstore_traits::Keyword;

use crate::dir::Dir;

/// Beside the folder's `cur`.
pub(crate) const FILE: &[u8] = b"dovecot-keywords";
/// What Dovecot holds while it writes the file above.
const LOCK: &[u8] = b"dovecot-uidlist.lock";
/// Dovecot takes an older lock for one that a crash left.
const STALE: Duration = Duration::from_secs(120);
const LETTERS: usize = 26;

/// The letters of a folder.
#[derive(Default, Clone, PartialEq, Eq, Debug)]
pub(crate) struct Keywords([Option<String>; LETTERS]);

impl Keywords {
    /// Reads `number keyword` lines; a word that is no keyword is kept, and no message has it.
    pub(crate) fn parse(text: &[u8]) -> Self {
        let mut keywords = Self::default();
        for line in String::from_utf8_lossy(text).lines() {
            if let Some((number, word)) = line.split_once(' ')
                && let Ok(number) = number.parse::<usize>()
                && let Some(place) = keywords.0.get_mut(number)
            {
                *place = Some(word.to_owned());
            }
        }
        keywords
    }

    /// Those of a folder; none if there is no file.
    pub(crate) fn read(folder: &Dir) -> io::Result<Self> {
        let mut text = Vec::new();
        match folder.open(FILE) {
            Ok(file) => file.take(64 * 1024).read_to_end(&mut text)?,
            Err(error) if error.kind() == io::ErrorKind::NotFound => 0,
            Err(error) => return Err(error),
        };
        Ok(Self::parse(&text))
    }

    pub(crate) fn of(&self, letter: u8) -> Option<Keyword> {
        let number = letter.checked_sub(b'a').filter(|_| letter.is_ascii_lowercase())?;
        Keyword::new(self.0.get(usize::from(number))?.as_deref()?).ok()
    }

    pub(crate) fn letter(&self, keyword: &Keyword) -> Option<u8> {
        let is =
            |known: &Option<String>| known.as_ref().is_some_and(|known| known.eq_ignore_ascii_case(keyword.as_str()));
        let number = self.0.iter().position(is)?;
        u8::try_from(number).ok()?.checked_add(b'a')
    }

    fn text(&self) -> String {
        let known = self.0.iter().enumerate().filter_map(|(number, keyword)| Some((number, keyword.as_ref()?)));
        known.map(|(number, keyword)| format!("{number} {keyword}\n")).collect()
    }

    /// Gives these a letter each, as far as there are any left: the others are known to the index alone. The file is
    /// read again and written under Dovecot's lock; while somebody else has that, no letter is given.
    pub(crate) fn add(folder: &Dir, wanted: &[Keyword]) -> io::Result<Self> {
        let Some(lock) = Lock::take(folder)? else { return Self::read(folder) };
        let mut keywords = Self::read(folder)?;
        let before = keywords.clone();
        for keyword in wanted {
            if keywords.letter(keyword).is_none()
                && let Some(free) = keywords.0.iter_mut().find(|known| known.is_none())
            {
                *free = Some(keyword.as_str().to_owned());
            }
        }
        if keywords != before {
            let name = b"dovecot-keywords.pillarbox";
            let _ = folder.remove(name);
            let mut file = folder.create(name)?;
            file.write_all(keywords.text().as_bytes())?;
            file.sync_all()?;
            folder.replace(name, FILE)?;
        }
        drop(lock);
        Ok(keywords)
    }
}

struct Lock<'a>(&'a Dir);

impl<'a> Lock<'a> {
    fn take(folder: &'a Dir) -> io::Result<Option<Self>> {
        for _ in 0..20 {
            match folder.create(LOCK) {
                Ok(_) => return Ok(Some(Self(folder))),
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
                Err(error) => return Err(error),
            }
            let age = folder.open(LOCK).and_then(|file| file.metadata()?.modified());
            if age.is_ok_and(|then| SystemTime::now().duration_since(then).is_ok_and(|age| age > STALE)) {
                let _ = folder.remove(LOCK);
            } else {
                std::thread::sleep(Duration::from_millis(10));
            }
        }
        tracing::info!("another program holds a folder's keywords; a new one is kept in the index alone");
        Ok(None)
    }
}

impl Drop for Lock<'_> {
    fn drop(&mut self) {
        let _ = self.0.remove(LOCK);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_no_keyword_has_no_letter() {
        let keywords = Keywords::parse(b"0 $Junk\n3 a(b\n25 last\n26 beyond\nx y\n1\n");
        assert_eq!(keywords.of(b'a').unwrap().as_str(), "$Junk");
        for nothing in *b"bdA{" {
            assert_eq!(keywords.of(nothing), None);
        }
        assert_eq!(keywords.letter(&Keyword::new("LAST").unwrap()), Some(b'z'));
        assert_eq!(keywords.text(), "0 $Junk\n3 a(b\n25 last\n");
    }

    #[test]
    fn new_ones_get_the_free_letters_and_others_stay() {
        let folder = tempfile::tempdir().unwrap();
        let dir = Dir::root(folder.path()).unwrap();
        std::fs::write(folder.path().join("dovecot-keywords"), "1 Work\n").unwrap();
        let many: Vec<Keyword> = (0..30).map(|number| Keyword::new(format!("k{number}")).unwrap()).collect();
        let keywords = Keywords::add(&dir, &many).unwrap();
        assert_eq!(keywords, Keywords::read(&dir).unwrap());
        assert_eq!(keywords.of(b'b').unwrap().as_str(), "Work");
        assert_eq!(keywords.letter(&many[0]), Some(b'a'));
        assert_eq!(keywords.letter(&many[24]), Some(b'z'));
        assert_eq!(keywords.letter(&many[25]), None);
        assert!(!folder.path().join("dovecot-uidlist.lock").exists());
    }
}
