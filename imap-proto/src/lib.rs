//! IMAP4rev1 and IMAP4rev2: **not written yet**. This crate offers nothing so far but a proof.
//!
//! The shape of a session ([`mail_wire::machine::Machine`], one event asks and one answer replies) is shared by all three
//! protocols, and IMAP is the one that strains it. Before SMTP and POP3 were built on it, IMAP's hard cases were driven
//! through it with a machine that knows just enough of the protocol; `tests/hard_shapes.rs` is that proof, and goes when
//! the real session comes.
//!
//! [`mail_wire::machine::Machine`]: https://docs.rs/pillarbox-wire
