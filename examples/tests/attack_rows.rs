//! The catalogue of attacks in SECURITY.md, beside the tests that are named for its rows.
#![allow(clippy::unwrap_used, clippy::print_stdout)]

use std::collections::BTreeMap;
use std::path::Path;

/// Every `sec_<row>_` test of the workspace, counted by row.
fn tests() -> BTreeMap<String, usize> {
    let mut counts = BTreeMap::new();
    walk(Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap(), &mut counts);
    counts
}

fn walk(folder: &Path, counts: &mut BTreeMap<String, usize>) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_str().unwrap_or_default();
        if path.is_dir() && name != "target" && !name.starts_with('.') {
            walk(&path, counts);
        } else if name.ends_with(".rs") {
            let source = std::fs::read_to_string(&path).unwrap();
            let named = source.lines().filter_map(|line| line.split("fn sec_").nth(1)?.split('_').next());
            for row in named.filter(|row| row.chars().all(char::is_alphanumeric)) {
                *counts.entry(row.to_uppercase()).or_insert(0) += 1;
            }
        }
    }
}

/// The rows of the table: their ids, and whether a test is due.
fn rows() -> BTreeMap<String, bool> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().join("SECURITY.md");
    let text = std::fs::read_to_string(path).unwrap();
    let cells = |line: &str| line.split('|').map(|cell| cell.trim().to_owned()).collect::<Vec<_>>();
    text.lines()
        .map(cells)
        .filter_map(|cells| match cells.as_slice() {
            [_, row, _, later, _] if row.chars().any(|char| char.is_ascii_digit()) => {
                Some((row.clone(), later.is_empty()))
            }
            _ => None,
        })
        .collect()
}

#[test]
fn every_row_that_is_said_to_hold_has_a_test_and_every_test_has_a_row() {
    let (rows, tests) = (rows(), tests());
    assert!(rows.len() > 70, "the table is there: {rows:?}");
    for (row, is_due) in &rows {
        let count = tests.get(row).copied().unwrap_or_default();
        println!("{row}: {count}{}", if *is_due { "" } else { " (not due)" });
        assert!(count > 0 || !is_due, "no test is named for row {row}");
    }
    for row in tests.keys() {
        assert!(rows.contains_key(row), "sec_{}_ is no row of SECURITY.md", row.to_lowercase());
    }
    let held = rows.values().filter(|is_due| **is_due).count();
    println!("{held} rows, {} tests", tests.values().sum::<usize>());
}
