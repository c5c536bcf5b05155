//! What is measured: each piece of work by ours and by a peer's code, on the same octets. The timed benchmarks and the
//! counted ones call the same functions.

pub mod imap;
pub mod message;
pub mod smtp;

/// A piece of work whose instructions are counted.
#[derive(Debug, Clone, Copy)]
pub struct Work {
    /// What, and by whom: `imap commands/pillarbox`.
    pub name: &'static str,
    /// What one item is.
    pub item: &'static str,
    /// How many items one round has.
    pub items: u64,
    /// Makes the input, and gives one round.
    pub prepare: fn() -> Round,
}

/// One round of work; the number is something that it has found.
pub type Round = Box<dyn FnMut() -> usize>;

/// All of it.
pub fn all() -> Vec<Work> {
    [smtp::work(), imap::work(), message::work()].concat()
}
