//! A crate's first page, and its sources to compare with.

use std::path::{Path, PathBuf};

/// The workspace's folder.
pub(crate) fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap()
}

pub(crate) fn read(path: &Path) -> String {
    std::fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// The words between backticks, without what a link has around them: `mod@line` is the module `line`.
pub(crate) fn backticked(cell: &str) -> Vec<String> {
    cell.split('`').skip(1).step_by(2).map(|word| word.trim_start_matches("mod@").to_owned()).collect()
}

/// The cells of a table's row.
pub(crate) fn cells(line: &str) -> Vec<String> {
    let inside = line.trim().trim_start_matches('|').trim_end_matches('|');
    inside.split('|').map(|cell| cell.trim().to_owned()).collect()
}

/// The first page of a crate, as its `lib.rs` has it.
pub(crate) struct Page {
    pub(crate) folder: &'static str,
    pub(crate) text: String,
}

impl Page {
    pub(crate) fn of(folder: &'static str) -> Self {
        let source = root().join(folder).join("src");
        let mut text = String::new();
        for line in read(&source.join("lib.rs")).lines() {
            if let Some(line) = line.strip_prefix("//!") {
                text.push_str(line.strip_prefix(' ').unwrap_or(line));
                text.push('\n');
            } else if let Some(file) = line.strip_prefix("#![doc = include_str!(\"") {
                text.push_str(&read(&source.join(file.split('"').next().unwrap())));
            }
        }
        Self { folder, text }
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        root().join(self.folder).join(name)
    }

    /// The headings of the first rank, outside of code.
    pub(crate) fn headings(&self) -> Vec<String> {
        let mut in_code = false;
        let mut found = Vec::new();
        for line in self.text.lines() {
            in_code ^= line.starts_with("```");
            if let (false, Some(heading)) = (in_code, line.strip_prefix("# ")) {
                found.push(heading.to_owned());
            }
        }
        found
    }

    /// What stands under a heading, up to the next.
    pub(crate) fn section(&self, heading: &str) -> &str {
        let from = self.text.find(&format!("\n# {heading}\n"));
        let rest = &self.text[from.unwrap_or_else(|| panic!("{}: # {heading}", self.folder)) + 1..];
        // A hidden line of an example begins like a heading, and with a small letter or a sign.
        let mut end = rest.len();
        for (at, _) in rest.match_indices("\n# ") {
            let inside_code = rest[..at].matches("\n```").count() % 2 == 1;
            if !inside_code {
                end = at;
                break;
            }
        }
        &rest[..end]
    }

    /// The rows of the first table under a heading, without its head.
    pub(crate) fn rows(&self, heading: &str) -> Vec<Vec<String>> {
        let lines = self.section(heading).lines().skip_while(|line| !line.starts_with('|'));
        lines.take_while(|line| line.starts_with('|')).skip(2).map(cells).collect()
    }

    /// The sources of a module: its file, and all below it.
    fn module(&self, path: &[&str]) -> Vec<String> {
        let below = self.path("src").join(path.join("/"));
        let mut found = Vec::new();
        if !path.is_empty() {
            let file = below.with_extension("rs");
            found.extend(file.exists().then(|| read(&file)));
        }
        walk(&below, "rs", &mut |file| found.push(read(file)));
        found
    }

    /// Whether the crate has such a module, type or function.
    pub(crate) fn has_item(&self, path: &str) -> bool {
        let path: Vec<_> = path.split("::").collect();
        let (last, above) = path.split_last().unwrap();
        let kinds = ["struct", "enum", "trait", "fn", "type", "const", "mod"];
        !self.module(&path).is_empty()
            || self.module(above).iter().any(|source| kinds.iter().any(|kind| defines(source, kind, last)))
    }

    /// Whether there are tests in the module, or in the file that has the type.
    pub(crate) fn has_tests(&self, path: &str) -> bool {
        let segments: Vec<_> = path.split("::").collect();
        let mut sources = self.module(&segments);
        if sources.is_empty() {
            let (last, above) = segments.split_last().unwrap();
            sources = self.module(above);
            sources.retain(|source| ["struct", "enum"].iter().any(|kind| defines(source, kind, last)));
        }
        sources.iter().any(|source| is_tested(source))
    }

    /// Whether that names a test: a file of `tests/`, one test of such a file (`file::name`, or `file::the_beginning…`), a
    /// transcript (one `*` stands for anything), a module with tests, or one test of a module.
    pub(crate) fn is_test(&self, name: &str) -> bool {
        if let Some(file) = name.strip_prefix("tests/") {
            return self.path("tests").join(file).exists() && is_tested(&read(&self.path("tests").join(file)));
        }
        if name.ends_with(".txt") {
            let folder = self.path("tests/transcripts");
            let mut found = false;
            walk(&folder, "txt", &mut |file| {
                let file = file.strip_prefix(&folder).unwrap().to_str().unwrap().to_owned();
                let (before, after) = name.split_once('*').unwrap_or((name, ""));
                found |=
                    if name.contains('*') { file.starts_with(before) && file.ends_with(after) } else { file == name };
            });
            return found;
        }
        let Some((above, last)) = name.rsplit_once("::") else { return self.has_tests(name) };
        if self.has_tests(name) {
            return true;
        }
        let file = self.path("tests").join(above).with_extension("rs");
        let mut sources = self.module(&above.split("::").collect::<Vec<_>>());
        sources.extend(file.exists().then(|| read(&file)));
        let begins = last.strip_suffix('…');
        let tests = sources.iter().flat_map(|source| tests(source));
        let named = tests.filter(|test| begins.map_or(test == last, |begin| test.starts_with(begin)));
        // A name that is cut short still means one test.
        named.count() == 1
    }
}

/// The names of the tests in a file, and of the contract kit's rows, of which a macro makes tests.
fn tests(source: &str) -> Vec<String> {
    let rows = mailstore_traits::contract::BEHAVIOURS;
    let mut found = Vec::new();
    let mut is_marked = false;
    for line in source.lines().map(str::trim_start) {
        is_marked |= is_attribute(line);
        if let Some((before, after)) = line.split_once("fn ")
            && ["", "async ", "pub(super) async ", "pub(crate) async "].contains(&before)
        {
            let name: String = after.chars().take_while(|char| char.is_alphanumeric() || *char == '_').collect();
            if std::mem::take(&mut is_marked) || rows.iter().any(|row| row.name == name) {
                found.push(name);
            }
        }
    }
    found
}

/// Whether an item of that kind and name is written there.
fn defines(source: &str, kind: &str, name: &str) -> bool {
    let is_more = |after: &str| after.starts_with(|char: char| char.is_alphanumeric() || char == '_');
    source.match_indices(&format!("{kind} {name}")).any(|(at, found)| !is_more(&source[at + found.len()..]))
}

fn is_attribute(line: &str) -> bool {
    line.starts_with("#[test]") || line.starts_with("#[tokio::test")
}

fn is_tested(source: &str) -> bool {
    source.lines().any(|line| is_attribute(line.trim_start()) || line.contains("contract_tests!("))
}

/// Every file with that ending below a folder, but for what is built or hidden.
pub(crate) fn walk(folder: &Path, ending: &str, found: &mut dyn FnMut(&Path)) {
    let Ok(entries) = std::fs::read_dir(folder) else { return };
    for entry in entries {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_str().unwrap_or_default();
        if path.is_dir() && name != "target" && !name.starts_with('.') {
            walk(&path, ending, found);
        } else if path.extension().is_some_and(|extension| extension == ending) {
            found(&path);
        }
    }
}
