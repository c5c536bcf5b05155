//! The contract kit, run on the stores of this crate.
#![cfg(feature = "contract")]

use mailstore_traits::DynStore;
use mailstore_traits::contract::{self, Factory};
use mailstore_traits::memory::MemoryStore;

struct Memory;

impl Factory for Memory {
    type Store = MemoryStore;

    async fn fresh(&self) -> MemoryStore {
        MemoryStore::new()
    }

    async fn reopen(&self, store: MemoryStore) -> Option<MemoryStore> {
        // What is in memory lives as long as a clone does: this only shows that nothing hangs on the handles.
        Some(store)
    }

    async fn break_down(&self, store: &MemoryStore) -> bool {
        store.set_available(false);
        true
    }

    async fn mend(&self, store: &MemoryStore) {
        store.set_available(true);
    }
}

mod memory {
    mailstore_traits::contract_tests!(super::Memory);
}

struct Erased;

impl Factory for Erased {
    type Store = DynStore;

    async fn fresh(&self) -> DynStore {
        DynStore::new(MemoryStore::new())
    }

    async fn reopen(&self, store: DynStore) -> Option<DynStore> {
        Some(store)
    }
}

mod erased {
    mailstore_traits::contract_tests!(super::Erased);
}

/// It remembers two expunges and no more.
struct ShortMemory;

impl Factory for ShortMemory {
    type Store = MemoryStore;

    async fn fresh(&self) -> MemoryStore {
        MemoryStore::new().with_change_horizon(2)
    }
}

#[test]
fn a_short_horizon_is_told_and_never_guessed() {
    contract::run_one(ShortMemory, "too_old_is_never_half_an_answer").assert_passed();
    contract::run_one(ShortMemory, "random_histories_agree_with_the_model").assert_passed();
}
