//! Standard output: what a person or a script reads from a command.

use std::fmt::Arguments;
use std::io::{IsTerminal, Write};

/// Writes a line to standard output, at once.
///
/// A reader that has gone (`account list | head -1`) is no reason to end with a panic, as `println!` would.
pub(crate) fn line(text: Arguments<'_>) {
    let mut out = std::io::stdout().lock();
    let _ = writeln!(out, "{text}").and_then(|()| out.flush());
}

/// Writes a line to standard error: warnings of commands, and the sentence at the end.
pub(crate) fn aside(text: Arguments<'_>) {
    let mut out = std::io::stderr().lock();
    let _ = writeln!(out, "{text}");
}

/// Writes a table whose columns are as wide as their widest cell.
pub(crate) fn table<const N: usize>(head: [&str; N], rows: &[[String; N]]) {
    let width = |column: usize| {
        let cell = |row: &[String; N]| row.get(column).map_or(0, |cell| cell.chars().count());
        rows.iter().map(cell).chain(head.get(column).map(|cell| cell.chars().count())).max().unwrap_or(0)
    };
    let print = |row: &mut dyn Iterator<Item = &str>| {
        let cells: Vec<String> = row.enumerate().map(|(at, cell)| format!("{cell:<0$}", width(at))).collect();
        line(format_args!("{}", format!("  {}", cells.join("  ")).trim_end()));
    };
    print(&mut head.into_iter());
    for row in rows {
        print(&mut row.iter().map(String::as_str));
    }
}

/// Whether somebody sits at standard input, so that questions can be asked.
pub(crate) fn can_ask() -> bool {
    std::io::stdin().is_terminal() && std::io::stderr().is_terminal()
}

/// Writes a line to standard output, whoever reads it or not.
macro_rules! say {
    ($($arg:tt)*) => { $crate::out::line(format_args!($($arg)*)) };
}

/// Writes a line to standard error.
macro_rules! note {
    ($($arg:tt)*) => { $crate::out::aside(format_args!($($arg)*)) };
}

pub(crate) use {note, say};
