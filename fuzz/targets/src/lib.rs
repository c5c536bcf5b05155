//! What the fuzz targets assert, as plain functions: cargo-fuzz calls them with what it finds, and `cargo test` with the
//! seeds and with every input that ever failed. See `fuzz/README.md`.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::missing_panics_doc, reason = "to fail is to panic")]

/// IMAP.
pub mod imap {
    mod client;
    pub mod command;
    pub mod frame;
    pub mod pattern;
    pub mod response;
    pub mod search;
    pub mod session;
    pub mod store;
    pub mod utf7;
}
/// Messages.
pub mod message {
    pub mod digest;
    pub mod stored;
}
/// POP3.
pub mod pop3 {
    pub mod session;
}
/// SMTP and LMTP.
pub mod smtp {
    pub mod command;
    pub mod data;
    pub mod lmtp;
    pub mod session;
}
/// What the protocols share.
pub mod wire {
    pub mod dot;
    pub mod line;
    pub mod proxy;
    pub mod sasl;
}

/// Takes octets, and panics if something does not hold.
pub type Target = fn(&[u8]);

/// All of them, by the name that cargo-fuzz knows.
pub const TARGETS: [(&str, Target); 19] = [
    ("imap_command", imap::command::run),
    ("imap_frame", imap::frame::run),
    ("imap_pattern", imap::pattern::run),
    ("imap_response", imap::response::run),
    ("imap_search", imap::search::run),
    ("imap_session", imap::session::run),
    ("imap_store", imap::store::run),
    ("imap_utf7", imap::utf7::run),
    ("message_digest", message::digest::run),
    ("message_stored", message::stored::run),
    ("pop3_session", pop3::session::run),
    ("smtp_command", smtp::command::run),
    ("smtp_data", smtp::data::run),
    ("smtp_lmtp", smtp::lmtp::run),
    ("smtp_session", smtp::session::run),
    ("wire_dot", wire::dot::run),
    ("wire_line", wire::line::run),
    ("wire_proxy", wire::proxy::run),
    ("wire_sasl", wire::sasl::run),
];
