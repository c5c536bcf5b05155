//! The contract kit, run on this store's other forms: with the view of a second process, and with bodies in an object store.
#![allow(clippy::unwrap_used, clippy::print_stderr, reason = "tests")]

mod common;
mod kit;
mod server;

/// Where the kit opens the store again, the first one stays open: what it reads is what another process sees.
mod second_pool {
    use crate::kit::{Form, Postgres};

    mailstore_traits::contract_tests!(Postgres::new(Form::SecondPool, false), if crate::server::server().is_some());
}

#[cfg(feature = "object-store")]
mod objects {
    use crate::kit::{Form, Postgres};

    mailstore_traits::contract_tests!(Postgres::new(Form::Objects, false), if crate::server::server().is_some());
}

/// The other tests' database is everybody's: this one has a server of its own to stop.
#[test]
fn what_fails_is_unavailable_and_works_later() {
    if server::server_to_stop().is_some() {
        let factory = kit::Postgres::new(kit::Form::OwnServer, false);
        let report = mailstore_traits::contract::run_one(factory, "what_fails_is_unavailable_and_works_later");
        report.assert_passed();
        assert_eq!(report.skipped().count(), 0);
    }
}
