//! The kit on the store in memory.

use mailstore_traits::contract::Factory;
use mailstore_traits::memory::MemoryStore;

struct InMemory;

impl Factory for InMemory {
    type Store = MemoryStore;

    async fn fresh(&self) -> MemoryStore {
        MemoryStore::new()
    }
}

conformance::conformance_tests!(InMemory);
