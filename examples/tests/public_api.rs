//! The public API of each published library, listed in its `public-api.txt`: what would break a user shows in review, as a
//! line that changes.
//!
//! `PILLARBOX_BLESS=1 cargo test -p pillarbox-examples --test public_api` writes the lists anew.
//!
//! They are made from rustdoc's JSON, whose format changes with the compiler. A compiler that writes another one than
//! [`public_api`] reads is reported and the comparison left out, except with `CI=true`, where it fails: then `public-api`
//! in the workspace's `Cargo.toml` has to go with the compiler.
#![cfg(unix)]
#![allow(clippy::unwrap_used, clippy::print_stderr)]

use std::collections::BTreeSet;
use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;

/// Folders and names of the published libraries. `.ci/publish-check` sees to it that none is forgotten.
const LIBRARIES: [(&str, &str); 10] = [
    ("imap-proto", "imap_proto"),
    ("mailstore-traits", "mailstore_traits"),
    ("mailstore-traits/conformance", "conformance"),
    ("mailstore-traits/message", "mail_message"),
    ("mailstore-traits/stores/postgres", "store_postgres"),
    ("mailstore-traits/stores/maildir", "store_maildir"),
    ("mailstore-traits/stores/sqlite", "store_sqlite"),
    ("mailstore-traits/wire", "mail_wire"),
    ("pop3-proto", "pop3_proto"),
    ("smtp-proto", "smtp_proto"),
];

/// What version 57 of the format looks like to who has not parsed it.
const FORMAT: &str = "\"format_version\":57}";

#[test]
fn the_public_api_of_each_library_is_the_one_that_is_listed() {
    let workspace = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
    let documented = rustdoc_json(workspace);
    let bless = std::env::var_os("PILLARBOX_BLESS").is_some();
    let mut changes = String::new();
    for (folder, library) in LIBRARIES {
        let json = documented.join(format!("{library}.json"));
        let octets = fs::read(&json).unwrap_or_else(|error| panic!("{}: {error}", json.display()));
        if !octets.ends_with(FORMAT.as_bytes()) {
            let told = "this compiler's rustdoc writes JSON of another format than `public-api` reads";
            assert!(std::env::var_os("CI").is_none(), "{told}: choose the release of it that does");
            eprintln!("SKIPPED: {told}");
            return;
        }
        let now = listed(&json);
        let list = workspace.join(folder).join("public-api.txt");
        if bless {
            fs::write(&list, now).unwrap();
            continue;
        }
        let before = fs::read_to_string(&list).unwrap_or_default();
        if before != now {
            changes.push_str(&format!("\n{folder}/public-api.txt\n{}", difference(&before, &now)));
        }
    }
    assert!(
        changes.is_empty(),
        "The public API has changed. If it was meant to, and CHANGELOG.md says so:\n    \
         PILLARBOX_BLESS=1 cargo test -p pillarbox-examples --test public_api\n{changes}"
    );
}

/// Has rustdoc describe the workspace with all features, and gives the folder with the descriptions.
fn rustdoc_json(workspace: &Path) -> PathBuf {
    let scratch = Path::new(env!("CARGO_TARGET_TMPDIR"));
    // JSON is behind a nightly's flag. Only rustdoc is told to let it through: told to cargo, it would have the build
    // scripts of half of the dependencies run anew, and all that stands on them compiled anew.
    let rustdoc = scratch.join("rustdoc-with-json");
    fs::write(&rustdoc, "#!/bin/sh\nRUSTC_BOOTSTRAP=1 exec rustdoc \"$@\"\n").unwrap();
    fs::set_permissions(&rustdoc, Permissions::from_mode(0o755)).unwrap();
    let target = scratch.parent().unwrap();
    let mut cargo = Command::new(env!("CARGO"));
    // What cargo tells this test of its own package, ring's build script would take for a change of ring.
    for (name, _) in std::env::vars_os() {
        if name.to_str().is_some_and(|name| name.starts_with("CARGO_PKG_") || name.starts_with("CARGO_MANIFEST_")) {
            cargo.env_remove(name);
        }
    }
    let status = cargo
        .args(["doc", "--quiet", "--workspace", "--lib", "--all-features", "--no-deps", "--locked", "--target-dir"])
        .arg(target)
        .current_dir(workspace)
        .env("RUSTDOC", &rustdoc)
        .env("RUSTDOCFLAGS", "-Z unstable-options --output-format json")
        .env_remove("CARGO_ENCODED_RUSTDOCFLAGS")
        .status()
        .unwrap();
    assert!(status.success(), "cargo doc: {status}");
    target.join("doc")
}

/// One line for an item that a user can name, sorted.
///
/// Impls of auto traits are told of where there is none (`impl !Send for ..`), for nearly every type has all. Derived
/// impls are told of without their methods.
fn listed(json: &Path) -> String {
    let api = public_api::Builder::from_rustdoc_json(json).omit_blanket_impls(true).build().unwrap();
    let mut lines: Vec<String> = api.items().map(|item| item.to_string()).filter(|line| !says_nothing(line)).collect();
    lines.dedup();
    lines.push(String::new());
    lines.join("\n")
}

fn says_nothing(line: &str) -> bool {
    const AUTO: [&str; 3] = ["core::marker::Send", "core::marker::Sync", "core::marker::Unpin"];
    // Nobody's code depends on these, and they change with the compiler.
    const NEVER: [&str; 5] = ["Freeze", "UnsafeUnpin", "UnwindSafe", "RefUnwindSafe", "StructuralPartialEq"];
    if line.starts_with("impl") {
        let Some((head, _)) = line.split_once(" for ") else { return false };
        let implemented = head.rsplit(' ').next().unwrap_or_default();
        let name = implemented.trim_start_matches('!').rsplit("::").next().unwrap_or_default();
        return AUTO.contains(&implemented) || NEVER.contains(&name);
    }
    const METHODS: [&str; 7] = [
        "::clone(&self) -> ",
        "::cmp(&self, ",
        "::eq(&self, ",
        "::fmt(&self, ",
        "::hash<__H: core::hash::Hasher>(&self, ",
        "::partial_cmp(&self, ",
        "::default() -> ",
    ];
    METHODS.iter().any(|method| line.contains(method))
}

fn difference(before: &str, now: &str) -> String {
    let (old, new): (BTreeSet<_>, BTreeSet<_>) = (before.lines().collect(), now.lines().collect());
    let gone = old.difference(&new).map(|line| format!("- {line}\n"));
    let come = new.difference(&old).map(|line| format!("+ {line}\n"));
    gone.chain(come).take(200).collect()
}

#[test]
fn what_is_left_out_of_the_lists_is_what_every_type_has() {
    for left_out in [
        "impl core::marker::Send for a::B",
        "impl<T> core::marker::Sync for a::B<T> where T: core::marker::Sync",
        "impl core::marker::Freeze for a::B",
        "impl !core::panic::unwind_safe::UnwindSafe for a::B",
        "pub fn a::B::clone(&self) -> a::B",
    ] {
        assert!(says_nothing(left_out), "{left_out}");
    }
    for kept in [
        "impl !core::marker::Send for a::B",
        "impl core::clone::Clone for a::B",
        "impl core::marker::Copy for a::B",
        "impl a::B",
        "pub fn a::B::send(&self)",
        "pub a::B::Default",
    ] {
        assert!(!says_nothing(kept), "{kept}");
    }
}
