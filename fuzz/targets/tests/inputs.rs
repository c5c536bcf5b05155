//! Every target holds for its seeds and for every input on which it ever failed.
#![allow(clippy::unwrap_used, clippy::print_stdout, reason = "it is a test")]

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use pillarbox_fuzz_targets::TARGETS;

fn folder(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..").join(name)
}

/// The files of a folder of folders: the folder's name, and the file's.
fn files(parent: &str) -> Vec<(String, PathBuf)> {
    let mut all = Vec::new();
    for target in fs::read_dir(folder(parent)).unwrap() {
        let target = target.unwrap();
        let name = target.file_name().into_string().unwrap();
        all.extend(fs::read_dir(target.path()).unwrap().map(|file| (name.clone(), file.unwrap().path())));
    }
    all.sort();
    all
}

#[test]
fn seeds_and_regressions_hold() {
    let mut played = BTreeSet::new();
    for (name, path) in files("seeds").into_iter().chain(files("regressions")) {
        let (_, target) = TARGETS.iter().find(|(target, _)| *target == name).expect("a folder is a target's");
        println!("{}", path.display());
        let octets = fs::read(&path).unwrap();
        target(&octets);
        // And a little less, and a little else, of each.
        for at in 0..octets.len().min(200) {
            target(octets.get(..at).unwrap());
            let mut changed = octets.clone();
            changed[at] ^= 1 << (at % 8);
            target(&changed);
        }
        played.insert(name);
    }
    let all: BTreeSet<String> = TARGETS.iter().map(|(name, _)| (*name).to_owned()).collect();
    assert_eq!(played, all, "each target has a seed");
}

#[test]
fn cargo_fuzz_knows_all_of_them() {
    let manifest = fs::read_to_string(folder("Cargo.toml")).unwrap();
    let named: BTreeSet<&str> =
        manifest.lines().filter_map(|line| line.strip_prefix("path = \"fuzz_targets/")).collect();
    let files: BTreeSet<String> = TARGETS.iter().map(|(name, _)| format!("{name}.rs\"")).collect();
    assert_eq!(named, files.iter().map(String::as_str).collect());
    for (name, _) in TARGETS {
        let text = fs::read_to_string(folder("fuzz_targets").join(format!("{name}.rs"))).unwrap();
        let module = name.replacen('_', "::", 1);
        assert!(text.contains(&format!("pillarbox_fuzz_targets::{module}::run(octets)")), "{name}");
    }
}
