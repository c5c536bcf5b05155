//! How long a login that was rejected waits for its answer.

use std::time::Duration;

use super::Failure;

/// How long a login that was rejected waits for its answer (attack row A11): not at all for the first three on a
/// connection, then a second, and twice as long each time. One for all protocols, so that none is the one to guess by.
///
/// It is a number and no clock: whoever drives the session waits, and holds no thread meanwhile.
///
/// ```
/// use std::time::Duration;
/// use mail_wire::sasl::{Failure, LoginDelay};
/// let delay = LoginDelay::default();
/// assert_eq!(delay.of(Failure::Rejected, 3), None);
/// assert_eq!(delay.of(Failure::Rejected, 5), Some(Duration::from_secs(2)));
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LoginDelay {
    first: Duration,
}

impl LoginDelay {
    /// So many rejected logins on a connection are answered at once.
    pub const FREE_TRIES: usize = 3;

    /// No login waits longer than this, which is no longer than clients wait.
    pub const LONGEST: Duration = Duration::from_secs(16);

    /// With that long for the first that waits. Zero: none waits.
    pub const fn new(first: Duration) -> Self {
        Self { first }
    }

    /// How long the answer to a login waits that failed so, where that many have been rejected on the connection, this one
    /// included. Only what is rejected counts, and only that waits: who changes their mind has guessed nothing.
    pub fn of(&self, failure: Failure, rejected: usize) -> Option<Duration> {
        if failure != Failure::Rejected || self.first.is_zero() {
            return None;
        }
        let doublings = rejected.checked_sub(Self::FREE_TRIES)?.checked_sub(1)?;
        let factor = u32::try_from(doublings).ok().and_then(|doublings| 1_u32.checked_shl(doublings));
        Some(self.first.saturating_mul(factor.unwrap_or(u32::MAX)).min(Self::LONGEST))
    }
}

impl Default for LoginDelay {
    /// One second for the first.
    fn default() -> Self {
        Self::new(Duration::from_secs(1))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sec_a11_the_fourth_rejected_login_waits_and_each_one_twice_as_long() {
        let seconds = |rejected| LoginDelay::default().of(Failure::Rejected, rejected).map(|delay| delay.as_secs());
        let found: Vec<_> = (1..=10).map(seconds).collect();
        let expected = [0, 0, 0, 1, 2, 4, 8, 16, 16, 16].map(|seconds| (seconds > 0).then_some(seconds));
        assert_eq!(found, expected);
        for many in [36, 37, 100, usize::MAX] {
            assert_eq!(seconds(many), Some(16));
        }
    }

    #[test]
    fn nothing_else_waits() {
        for failure in [Failure::Aborted, Failure::Malformed, Failure::TooLong, Failure::Unavailable] {
            assert_eq!(LoginDelay::default().of(failure, 9), None);
        }
        assert_eq!(LoginDelay::new(Duration::ZERO).of(Failure::Rejected, 9), None);
    }
}
