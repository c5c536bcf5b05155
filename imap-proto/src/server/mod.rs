//! What joins the protocol to a store.

pub mod error;
