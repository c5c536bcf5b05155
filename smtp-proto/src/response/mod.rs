//! What a server says: RFC 5321 §4.2.

mod code;
mod reply;

pub use code::{ReplyClass, ReplyCode};
pub use reply::Reply;
