//! Terminals and values that several commands and responses share.

mod number;
mod text;
mod unique_id;
mod word;

pub use number::{LineCount, MessageNumber};
pub(crate) use number::{decimal, size};
pub use text::{InvalidText, ResponseText};
pub use unique_id::{InvalidUniqueId, UniqueId};
pub(crate) use word::word;
pub use word::{InvalidWord, Word};
