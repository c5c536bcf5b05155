//! Between the contract's types and the columns' integers and texts: what the suite's stores share.

pub(crate) use mailstore_traits::backend::columns::{
    DELETED, FLAGGED, Key, SEEN, bits, count, email_id, flags, hex, int, keyword, mailbox_id, modseq, random_key,
    timestamp, uid, uid_next, uid_validity,
};
