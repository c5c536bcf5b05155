//! The documents against the sources: each crate's first page (`//!` of its `lib.rs`), its README, and the README of all.
//! What they name is there, and what they count is so.
#![allow(clippy::unwrap_used, clippy::indexing_slicing)]

#[path = "support/pages.rs"]
mod pages;

use std::path::PathBuf;

use pages::{Page, backticked, cells, read, root};

/// The crates with a first page, by their folders.
const CRATES: &[&str] = &[
    "smtp-proto",
    "pop3-proto",
    "imap-proto",
    "mailstore-traits",
    "mailstore-traits/wire",
    "mailstore-traits/message",
    "mailstore-traits/stores/maildir",
    "mailstore-traits/stores/postgres",
    "mailstore-traits/stores/sqlite",
];

fn pages() -> impl Iterator<Item = Page> {
    CRATES.iter().map(|folder| Page::of(folder))
}

fn sorted<T: Ord>(mut all: Vec<T>) -> Vec<T> {
    all.sort();
    all
}

#[test]
fn every_first_page_has_the_same_rooms_in_the_same_order() {
    for page in pages() {
        let headings = page.headings();
        let rooms = ["Three ways to use it", "Features", "Limits", "RFCs"];
        let found: Vec<_> = headings.iter().filter(|heading| rooms.contains(&heading.as_str())).collect();
        assert_eq!(found, rooms, "{}: {headings:?}", page.folder);
        let picture = page.text.find("```text").unwrap_or(usize::MAX);
        assert!(picture < page.text.find("# Three ways").unwrap(), "{}: a picture comes first", page.folder);
        let ways = page.section("Three ways to use it");
        for way in ["**In your own program**", "**As a whole program**", "**Under a fuzzer**"] {
            assert!(ways.contains(way), "{}: {way}", page.folder);
        }
    }
}

#[test]
fn every_feature_is_in_its_table() {
    for page in pages() {
        let manifest = read(&page.path("Cargo.toml"));
        let named = manifest.split("[features]").nth(1).unwrap_or_default().split("\n[").next().unwrap();
        let features: Vec<_> = named
            .lines()
            .filter_map(|line| Some(line.split_once(" = ")?.0.to_owned()))
            .filter(|name| !name.starts_with('#') && name != "default")
            .collect();
        let told: Vec<_> = page.rows("Features").iter().map(|row| backticked(&row[0])[0].clone()).collect();
        assert_eq!(sorted(told), sorted(features), "{}", page.folder);
    }
}

/// The fields of a type's `Debug`, with the numbers in them; times in seconds.
fn fields(prefix: &str, value: &impl std::fmt::Debug) -> Vec<(String, u64)> {
    let shown = format!("{value:?}");
    let inside = shown.split_once('{').unwrap().1;
    let pairs = inside.split(',').filter_map(|field| field.split_once(": "));
    pairs
        .map(|(name, value)| {
            let digits: String = value.chars().filter(char::is_ascii_digit).collect();
            let value = match value.contains("true") || value.contains("false") {
                true => u64::from(value.contains("true")),
                false => digits.parse().unwrap_or_else(|_| panic!("{prefix}{name}: {value}")),
            };
            (format!("{prefix}{}", name.trim()), value)
        })
        .collect()
}

/// What the code says of every limit of that crate.
fn limits(folder: &str) -> Vec<(String, u64)> {
    match folder {
        "smtp-proto" => {
            let timeouts = fields("Timeouts::", &smtp_proto::session::Timeouts::default());
            [fields("", &smtp_proto::Limits::default()), timeouts].concat()
        }
        "pop3-proto" => {
            let timeouts = fields("Timeouts::", &pop3_proto::Timeouts::default());
            [fields("", &pop3_proto::Limits::default()), timeouts].concat()
        }
        "imap-proto" => {
            let timeouts = fields("Timeouts::", &imap_proto::limits::Timeouts::default());
            [fields("", &imap_proto::limits::Limits::default()), timeouts].concat()
        }
        "mailstore-traits" => {
            use mailstore_traits::MailboxName;
            vec![
                (String::from("MailboxName::MAX_OCTETS"), MailboxName::MAX_OCTETS as u64),
                (String::from("MailboxName::MAX_DEPTH"), MailboxName::MAX_DEPTH as u64),
            ]
        }
        "mailstore-traits/wire" => {
            use mail_wire::io::{DriverOptions, ServeOptions};
            use mail_wire::sasl::{LoginDelay, MAX_CREDENTIAL, SaslConfig};
            let mut driver = fields_but_words("DriverOptions::", &DriverOptions::default());
            let serve = ServeOptions::default();
            let sasl = SaslConfig::from_os_random();
            driver.extend(
                [
                    ("ServeOptions::max_connections", serve.max_connections as u64),
                    ("ServeOptions::max_connections_per_address", serve.max_connections_per_address as u64),
                    ("ServeOptions::proxy_header_timeout", serve.proxy_header_timeout.as_secs()),
                    ("ServeOptions::shutdown_grace", serve.shutdown_grace.as_secs()),
                    ("SaslConfig::max_response", sasl.max_response as u64),
                    ("sasl::MAX_CREDENTIAL", MAX_CREDENTIAL as u64),
                    ("LoginDelay::FREE_TRIES", LoginDelay::FREE_TRIES as u64),
                    ("LoginDelay::LONGEST", LoginDelay::LONGEST.as_secs()),
                ]
                .map(|(name, value)| (name.to_owned(), value)),
            );
            driver
        }
        "mailstore-traits/message" => fields("", &mail_message::Limits::default()),
        "mailstore-traits/stores/postgres" => {
            // What is not set has no number.
            let shown = format!("{:?}", store_postgres::Options::default());
            fields("", &format_args!("{}", shown.replace("roots: None, ", "").replace(", objects: None", "")))
                .into_iter()
                .map(|(field, value)| match field.as_str() {
                    "mailboxes" | "keywords" => (format!("max_{field}"), value),
                    _ => (field, value),
                })
                .collect()
        }
        "mailstore-traits/stores/sqlite" | "mailstore-traits/stores/maildir" => {
            fields("", &store_sqlite::Options::default())
                .into_iter()
                .map(|(field, value)| match field.as_str() {
                    "mailboxes" | "keywords" => (format!("max_{field}"), value),
                    "busy" => (String::from("busy_timeout"), value),
                    _ => (field, value),
                })
                .collect()
        }
        _ => unreachable!("{folder}"),
    }
}

/// The same, for a type that has a word in front.
fn fields_but_words(prefix: &str, value: &impl std::fmt::Debug) -> Vec<(String, u64)> {
    let shown = format!("{value:?}").replacen("protocol: \"mail\", ", "", 1);
    fields(prefix, &format_args!("{shown}"))
}

/// The number at the beginning of a cell: `25 MiB` is 26,214,400, `5 minutes` are 300, `no` is 0.
fn number(cell: &str) -> Option<u64> {
    match cell {
        "no" => return Some(0),
        "yes" => return Some(1),
        _ => {}
    }
    let mut words = cell.split([' ', ';']);
    let number: u64 = words.next()?.trim_end_matches(',').replace(',', "").parse().ok()?;
    Some(match words.next().unwrap_or_default().trim_end_matches(',') {
        "KiB" => number << 10,
        "MiB" => number << 20,
        "GiB" => number << 30,
        "minute" | "minutes" => number * 60,
        _ => number,
    })
}

#[test]
fn every_limit_is_in_its_table_with_its_default_and_with_who_says_so() {
    let catalogue = read(&root().join("SECURITY.md"));
    for page in pages() {
        let rows = page.rows("Limits");
        let mut told = Vec::new();
        for row in &rows {
            assert_eq!(row.len(), 4, "{}: limit, default, beyond it, says who: {row:?}", page.folder);
            let names = backticked(&row[0]);
            let defaults: Vec<_> = row[1].split(" / ").map(number).collect();
            assert_eq!(names.len(), defaults.len(), "{}: {row:?}", page.folder);
            assert!(!row[2].is_empty() && !row[3].is_empty(), "{}: {row:?}", page.folder);
            for attack in row[3].split("row ").skip(1) {
                let id: String = attack.chars().take_while(char::is_ascii_alphanumeric).collect();
                assert!(catalogue.contains(&format!("| {id} |")), "{}: no row {id}: {row:?}", page.folder);
            }
            told.extend(names.into_iter().zip(defaults.into_iter().map(|number| number.unwrap())));
        }
        assert_eq!(sorted(told), sorted(limits(page.folder)), "{}", page.folder);
    }
}

#[test]
fn every_rfc_has_a_section_a_module_and_a_test_that_are_there() {
    for page in pages() {
        let rows = page.rows("RFCs");
        assert!(rows.len() >= 5, "{}: the table is there", page.folder);
        for row in rows {
            assert_eq!(row.len(), 5, "{}: RFC, section, what, module, tested by: {row:?}", page.folder);
            assert!(row[..3].iter().all(|cell| !cell.is_empty()), "{}: {row:?}", page.folder);
            let modules = backticked(&row[3]);
            assert!(!modules.is_empty(), "{}: no module: {row:?}", page.folder);
            for module in &modules {
                assert!(page.has_item(module), "{}: there is no {module}: {row:?}", page.folder);
            }
            // `there`: the module's own tests.
            let there = row[4].split(", ").any(|word| word == "there");
            assert!(!there || modules.iter().any(|module| page.has_tests(module)), "{}: {row:?}", page.folder);
            let tests = backticked(&row[4]);
            assert!(there || !tests.is_empty(), "{}: nothing tests it: {row:?}", page.folder);
            for test in &tests {
                assert!(page.is_test(test), "{}: {test} tests nothing: {row:?}", page.folder);
            }
            let words = row[4].split('`').step_by(2).flat_map(|text| text.split([',', ' '])).collect::<Vec<_>>();
            let odd: Vec<_> = words.iter().filter(|word| !["", "there", "[", "]"].contains(word)).collect();
            assert!(odd.is_empty(), "{}: {odd:?} cannot be looked up: {row:?}", page.folder);
        }
    }
}

/// Every Markdown file of the repository.
fn documents() -> Vec<PathBuf> {
    let mut found = Vec::new();
    pages::walk(root(), "md", &mut |file| found.push(file.to_owned()));
    found
}

#[test]
fn every_crate_has_a_readme_and_every_link_to_a_file_leads_to_one() {
    let documents = documents();
    for folder in CRATES {
        assert!(documents.contains(&root().join(folder).join("README.md")), "{folder}");
    }
    for document in documents {
        let text = read(&document);
        let targets = text.split("](").skip(1).filter_map(|after| after.split([')', ' ', '\n']).next());
        for target in targets.filter(|target| !target.contains("://") && !target.starts_with('#')) {
            let file = target.split('#').next().unwrap();
            // What a manual that is included in a page links to are items, and rustdoc looks them up.
            let is_item = file.contains("::") || !file.contains(['.', '/']);
            assert!(is_item || document.with_file_name(file).exists(), "{}: {target}", document.display());
        }
    }
}

#[test]
fn no_document_holds_two_versions_of_itself() {
    for document in documents() {
        let text = std::fs::read_to_string(&document).unwrap();
        let marker = text.lines().find(|line| line.starts_with("<<<<<<< ") || line.starts_with(">>>>>>> "));
        assert_eq!(marker, None, "{}: a merge was not finished", document.display());
    }
}

#[test]
fn fuzz_targets_and_examples_that_a_document_names_are_there() {
    // A file in a folder `examples`, or in that of the benchmarks, named as the example is; or a folder there with `main.rs`.
    let mut examples = Vec::new();
    pages::walk(root(), "rs", &mut |file| {
        let file = if file.ends_with("main.rs") { file.parent().unwrap() } else { file };
        if file.parent().is_some_and(|folder| folder.ends_with("examples") || folder.ends_with("benches")) {
            examples.push(file.file_stem().unwrap().to_str().unwrap().to_owned());
        }
    });
    let pages = CRATES.iter().map(|folder| Page::of(folder).text);
    for text in pages.chain(documents().iter().map(|path| read(path))) {
        let runs = text.lines().filter_map(|line| line.split_once("fuzz/run ").or(line.split_once("fuzz run ")));
        for name in runs.flat_map(|(_, names)| names.split_whitespace().take_while(|name| !name.starts_with('#'))) {
            let is_target = root().join(format!("fuzz/fuzz_targets/{name}.rs")).exists();
            assert!(
                is_target || name.starts_with('-') || name.parse::<u32>().is_ok(),
                "there is no fuzz target {name}"
            );
        }
        for after in text.split("--example ").skip(1) {
            let name: String = after.chars().take_while(|char| char.is_alphanumeric() || *char == '_').collect();
            assert!(examples.contains(&name), "there is no example {name}");
        }
    }
}

#[test]
fn the_map_names_every_package_of_the_workspace_and_no_other() {
    let readme = read(&root().join("README.md"));
    let map = readme.split("## The map").nth(1).unwrap().split("\n## ").next().unwrap();
    let mut told = Vec::new();
    for row in map.lines().filter(|line| line.starts_with("| `")).map(cells) {
        let folders = backticked(&row[0]).into_iter().map(|folder| folder.trim_end_matches('/').to_owned());
        let folders: Vec<_> = folders.collect();
        for package in backticked(&row[1]) {
            let manifests = folders.iter().map(|folder| read(&root().join(folder).join("Cargo.toml")));
            let named = manifests.filter(|manifest| manifest.contains(&format!("name = \"{package}\""))).count();
            assert_eq!(named, 1, "{folders:?} is not {package}");
        }
        told.extend(folders);
    }
    let workspace = read(&root().join("Cargo.toml"));
    let members = workspace.split("members = [").nth(1).unwrap().split(']').next().unwrap();
    let members = members.lines().filter_map(|line| Some(line.trim().strip_prefix('"')?.split('"').next()?.to_owned()));
    let due = members.chain([String::from("fuzz")]).collect();
    assert_eq!(sorted(told), sorted(due));
}

#[test]
fn the_picture_shows_the_readmes_commands() {
    let readme = read(&root().join("README.md"));
    let commands = readme.split("## Try it by hand").nth(1).unwrap().split("```sh\n").nth(1).unwrap();
    let picture = read(&root().join("examples/mail-server/picture/terminal.svg"));
    let seen = picture.split("<desc>").nth(1).unwrap().split("</desc>").next().unwrap();
    let seen = seen.replace("&gt;", ">").replace("&lt;", "<").replace("&amp;", "&");
    let commands = commands.split("```").next().unwrap();
    for command in commands.lines().filter(|line| !line.is_empty() && !line.starts_with("PASSWORD=")) {
        assert!(seen.contains(command), "run examples/mail-server/picture/make: it does not show {command}");
    }
    assert!(seen.contains("It works."), "what was sent came back");
}
