//! The contract kit, run on the stores of this crate.
#![cfg(feature = "contract")]

use mailstore_traits::DynStore;
use mailstore_traits::contract::Factory;
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
