//! Small programs, one file each: `cargo run -p pillarbox-examples --example NAME`.
//!
//! | Example | What it shows |
//! | --- | --- |
//! | `all_in_one` | SMTP and POP3 over one store, with TLS: a server in twenty lines |
//! | `own_store` | a host's own backend: a folder of files, served by POP3 |
//! | `smtp_sans_io` | a session over a socket of the standard library, without a runtime |
//! | `smtp_sink` | the codec floor, with STARTTLS: all mail to standard output |
//!
//! The program in `mail-server` puts everything together.

/// The README's code, compiled.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
pub struct Readme;
