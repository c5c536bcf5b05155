//! The contract kit, run on this store's other forms: with the view of a second process, and with bodies in an object store.
#![allow(clippy::unwrap_used, clippy::print_stderr, reason = "tests")]

mod kit;
mod server;

/// Where the kit opens the store again, the first one stays open: what it reads is what another process sees.
mod second_pool {
    mailstore_traits::__contract_behaviours!(crate::behaviours, [crate::kit::Form::SecondPool]);
}

#[cfg(feature = "object-store")]
mod objects {
    mailstore_traits::__contract_behaviours!(crate::behaviours, [crate::kit::Form::Objects]);
}
