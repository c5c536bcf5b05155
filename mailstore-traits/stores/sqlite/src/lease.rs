//! Maildrops that are held alone, in this process: a process that dies holds nothing.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use mailstore_traits::{ErrorKind, MaildropLease, Result};

use crate::pool::lock;

/// Who holds which mailbox, and until when.
#[derive(Default)]
pub(crate) struct Leases {
    held: Mutex<HashMap<i64, (u64, Instant)>>,
    next: Mutex<u64>,
}

struct Guard {
    leases: Arc<Leases>,
    mailbox: i64,
    number: u64,
}

impl Leases {
    /// Lends a mailbox for at most that time (attack row P6: a session that hangs must not lock its owner out for good).
    pub(crate) fn lend(self: &Arc<Self>, mailbox: i64, time: Duration) -> Result<MaildropLease> {
        let now = Instant::now();
        let mut held = lock(&self.held);
        if held.get(&mailbox).is_some_and(|&(_, until)| until > now) {
            return Err(ErrorKind::InUse.into());
        }
        let number = {
            let mut next = lock(&self.next);
            *next = next.wrapping_add(1);
            *next
        };
        // A time beyond the clock's end is no limit that anybody lives to see.
        let until = now.checked_add(time).unwrap_or(now + Duration::from_secs(365 * 24 * 3600));
        held.insert(mailbox, (number, until));
        Ok(MaildropLease::new(Guard { leases: Arc::clone(self), mailbox, number }))
    }
}

impl Drop for Guard {
    fn drop(&mut self) {
        let mut held = lock(&self.leases.held);
        // One whose time had run out must not give back what another holds by now.
        if held.get(&self.mailbox).is_some_and(|&(number, _)| number == self.number) {
            held.remove(&self.mailbox);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sec_p6_one_holds_a_maildrop_and_gives_it_back() {
        let leases = Arc::new(Leases::default());
        let long = Duration::from_secs(60);
        let first = leases.lend(1, long).unwrap();
        assert_eq!(leases.lend(1, long).unwrap_err().kind(), ErrorKind::InUse);
        assert!(leases.lend(2, long).is_ok());
        drop(first);
        assert!(leases.lend(1, long).is_ok());
    }

    #[test]
    fn sec_p6_a_lease_that_ran_out_takes_nothing_from_the_next_holder() {
        let leases = Arc::new(Leases::default());
        let hung = leases.lend(1, Duration::ZERO).unwrap();
        let next = leases.lend(1, Duration::from_secs(60)).unwrap();
        drop(hung);
        assert_eq!(leases.lend(1, Duration::ZERO).unwrap_err().kind(), ErrorKind::InUse);
        drop(next);
        assert!(leases.lend(1, Duration::from_secs(60)).is_ok());
    }
}
