//! What the tests of a store have in common.
#![allow(dead_code, reason = "each test file uses a part of it")]
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "only tests use it")]

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

/// Looks at the index and the folders behind the store's back: each message has its file and each file its message, and
/// nothing is left to be done. The store is closed, or was killed and opened once more.
pub(crate) fn check_consistency(root: &Path) {
    let conn = rusqlite::Connection::open(root.join(".pillarbox/index.db")).unwrap();
    let word: String = conn.query_row("PRAGMA integrity_check", [], |row| row.get(0)).unwrap();
    assert_eq!(word, "ok");
    for table in ["todo", "gone", "todo_folder", "todo_subscriptions"] {
        let left: i64 = conn
            .query_row(&format!("SELECT count(*) FROM {table} WHERE tried OR '{table}' <> 'gone'"), [], |row| {
                row.get(0)
            })
            .unwrap();
        // Deleted mailboxes are cleared away behind everybody's back.
        if table != "todo_folder" {
            assert_eq!(left, 0, "steps left in {table}");
        }
    }
    let mut statement = conn
        .prepare(
            "SELECT a.name, d.dir, f.place, f.base, f.info, f.octets FROM message m JOIN file f ON f.message = m.id \
             JOIN mailbox b ON b.id = m.mailbox JOIN account a ON a.id = b.account JOIN folder d ON d.mailbox = b.id",
        )
        .unwrap();
    let text = |row: &rusqlite::Row<'_>, at| String::from_utf8(row.get::<_, Vec<u8>>(at).unwrap()).unwrap();
    let files: BTreeSet<PathBuf> = statement
        .query_map([], |row| {
            let place = ["", "new", "cur", ""][row.get::<_, u32>(2)? as usize];
            let path =
                root.join(row.get::<_, String>(0)?).join(text(row, 1)).join(place).join(text(row, 3) + &text(row, 4));
            let found = std::fs::metadata(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
            assert_eq!(found.len(), u64::from(row.get::<_, u32>(5)?), "{}", path.display());
            Ok(path)
        })
        .unwrap()
        .map(Result::unwrap)
        .collect();
    let messages: u32 = conn
        .query_row(
            "SELECT count(*) FROM message m JOIN mailbox b ON b.id = m.mailbox WHERE b.account IS NOT NULL",
            [],
            |row| row.get(0),
        )
        .unwrap();
    assert_eq!(messages as usize, files.len(), "each message has a file of its own");
    let mut there = BTreeSet::new();
    let accounts: Vec<String> = conn
        .prepare("SELECT name FROM account")
        .unwrap()
        .query_map([], |row| row.get(0))
        .unwrap()
        .map(Result::unwrap)
        .collect();
    for account in accounts {
        let home = root.join(account);
        let folders = std::fs::read_dir(&home).unwrap().map(|entry| entry.unwrap().path());
        for folder in folders.filter(|path| path.join("cur").is_dir()).chain([home.clone()]) {
            for place in ["new", "cur"] {
                there.extend(std::fs::read_dir(folder.join(place)).unwrap().map(|entry| entry.unwrap().path()));
            }
            assert_eq!(std::fs::read_dir(folder.join("tmp")).unwrap().count(), 0);
        }
    }
    assert_eq!(there, files, "each file has a message");
    assert_eq!(std::fs::read_dir(root.join(".pillarbox/new")).unwrap().count(), 0, "nothing was left behind");
}
