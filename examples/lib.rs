//! Small programs, one file each: `cargo run -p pillarbox-examples --example NAME`.
//!
//! | Example | What it shows |
//! | --- | --- |
//! | `all_in_one` | SMTP, IMAP and POP3 over one store, with TLS |
//! | `imap_memory_server` | IMAP over a store in memory, with a few messages to look at |
//! | `own_store` | a host's own backend: a folder of files, served by IMAP and POP3 |
//! | `smtp_authenticated_results` | SPF, DKIM and DMARC with the mail-auth crate, as a host's policy |
//! | `smtp_policy` | a host's decisions: recipients, rates, greylisting, a header field |
//! | `smtp_sans_io` | a session over a socket of the standard library, without a runtime |
//! | `smtp_sink` | the codec floor, with STARTTLS: all mail to standard output |
//!
//! The program in `mail-server` puts everything together.

/// The README's code, compiled.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
pub struct Readme;
