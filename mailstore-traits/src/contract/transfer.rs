//! Copy, move and expunge.

use super::Factory;
use super::tools::*;
use crate::Account;

/// Messages are moved one way only. Who then looks at the source first and at the destination second finds each message
/// in one at least, and who looks the other way round in one at most; no read of both at once is needed.
pub(super) async fn a_move_is_one_step<F: Factory>(kit: &Kit<F>) -> Check {
    let store = kit.store().await?;
    let account = open(&store, 0).await?;
    let source = inbox(&account).await?;
    let destination = make(&account, "Destination").await?;
    let messages = kit.declared().messages_per_writer.saturating_mul(2);
    let all = fill(&account, &source, messages).await?;
    let (until, over) = Until::new();

    let observer = {
        let (store, source, destination) = (store.clone(), source.clone(), destination.clone());
        kit.spawn(move || async move {
            let account = open(&store, 0).await?;
            let expected = u64::from(messages);
            while !until.is_over() {
                let left = account.snapshot(&source, false).await?.uids.len();
                let come = account.snapshot(&destination, false).await?.uids.len();
                ensure!(
                    left + come >= expected,
                    "{left} at the source, then {come} at the destination: of {expected} some are nowhere"
                );
                let come = account.snapshot(&destination, false).await?.uids.len();
                let left = account.snapshot(&source, false).await?.uids.len();
                ensure!(
                    left + come <= expected,
                    "{come} at the destination, then {left} at the source: of {expected} some are in both"
                );
                let_others_run();
            }
            Ok(())
        })
    };
    for some in all.chunks(3) {
        let some = uids(some.iter().copied());
        let moved = account.move_messages(&source, &some, &destination).await?;
        ensure_eq!(moved.uids.len() as u64, some.len(), "messages that a move says it moved");
    }
    drop(over);
    observer.await?;
    ensure_eq!(account.snapshot(&source, false).await?.uids.len(), 0, "messages left at the source");
    ensure_eq!(account.snapshot(&destination, false).await?.uids.len(), u64::from(messages), "messages that have come");
    Ok(())
}
