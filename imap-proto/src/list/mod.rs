//! LIST and LSUB over the names that a store tells of (RFC 9051 §6.3.9, RFC 5258, RFC 6154, RFC 3501 §6.3.9): pure, and
//! without a store.
//!
//! [`Listing::list`] and [`Listing::lsub`] take what the client asks and all names of the account, and give one
//! [`ListEntry`] for each response. A store holds real mailboxes and subscribed names only; levels of hierarchy that are
//! none are made here.

mod entry;
#[cfg(test)]
mod known_answers;
mod listing;
mod pattern;

pub use entry::{Attribute, ChildInfo, ListEntry};
pub use listing::{Listing, hint, lsub_hint};
pub use pattern::Pattern;
