//! Whose an address is (attack row R3).

use mailstore_traits::{AccountId, Directory, Resolution, Result};

use super::envelope::recipient;
use crate::grammar::{ForwardPath, ReversePath};

/// Whether mail for the sender's address would go to that account: then somebody who has logged in to it sends in their
/// own name. The null reverse-path is nobody's and anybody's (RFC 5321 §4.5.5), and passes.
///
/// # Errors
/// The directory cannot say.
pub async fn is_own_address(directory: &impl Directory, account: &AccountId, sender: &ReversePath) -> Result<bool> {
    let Some(address) = sender.address() else { return Ok(true) };
    let path = ForwardPath::from(address.clone());
    Ok(match directory.resolve(&recipient(&path)).await? {
        Resolution::Local(destinations) => destinations.iter().any(|destination| destination.account == *account),
        _ => false,
    })
}

#[cfg(test)]
mod tests {
    use mailstore_traits::memory::MemoryStore;

    use super::*;

    #[tokio::test]
    async fn sec_r3_an_address_belongs_to_those_who_get_its_mail() {
        let store = MemoryStore::new()
            .with_account("ada@example.org", "correct horse")
            .with_account("bob@example.org", "battery staple")
            .with_alias("team@example.org", "ada@example.org")
            .with_alias("team@example.org", "bob@example.org");
        let (ada, bob) = (AccountId::from("ada@example.org"), AccountId::from("bob@example.org"));
        for (sender, of_ada, of_bob) in [
            ("<ada@example.org>", true, false),
            ("<bob@EXAMPLE.org>", false, true),
            ("<team@example.org>", true, true),
            ("<>", true, true),
            ("<nobody@example.org>", false, false),
            ("<ada@elsewhere.example>", false, false),
            ("<\"ada@example.org\"@elsewhere.example>", false, false),
        ] {
            let sender: ReversePath = sender.parse().unwrap();
            assert_eq!(is_own_address(&store, &ada, &sender).await.unwrap(), of_ada, "{sender}");
            assert_eq!(is_own_address(&store, &bob, &sender).await.unwrap(), of_bob, "{sender}");
        }
    }
}
