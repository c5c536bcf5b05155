//! How and when a message is to be delivered: MT-PRIORITY (RFC 6710), DELIVERBY (RFC 2852), FUTURERELEASE (RFC 4865) and
//! RRVS (RFC 7293). All are off until a host that carries them out switches them on.

use std::fmt;

use crate::grammar::DateTime;

/// Which meaning the server's priorities have: what EHLO's MT-PRIORITY names (RFC 6710 §4, IANA's registry).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum PriorityProfile {
    /// MIXER, which is meant where none is named (RFC 6710 appendix B).
    Mixer,
    /// STANAG4406 (RFC 6758).
    Stanag4406,
    /// NSEP (RFC 6758).
    Nsep,
}

impl PriorityProfile {
    /// Its name.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Mixer => "MIXER",
            Self::Stanag4406 => "STANAG4406",
            Self::Nsep => "NSEP",
        }
    }
}

/// MT-PRIORITY (RFC 6710 §5): -9 to 9, and 0 is that of a message of which nothing is said.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Default)]
pub struct Priority(i8);

impl Priority {
    /// That priority, if it is one.
    pub const fn new(value: i8) -> Option<Self> {
        if value < -9 || value > 9 { None } else { Some(Self(value)) }
    }

    /// Its number.
    pub const fn value(self) -> i8 {
        self.0
    }

    pub(super) fn parse(value: &str) -> Option<Self> {
        match value.as_bytes() {
            [b'0'..=b'9'] | [b'-', b'1'..=b'9'] => value.parse().ok().and_then(Self::new),
            _ => None,
        }
    }
}

impl fmt::Display for Priority {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// What becomes of a message that is not delivered in time (RFC 2852).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ByMode {
    /// `R`: it goes back.
    Return,
    /// `N`: its sender is told, and it is tried further.
    Notify,
}

/// BY (RFC 2852): in how many seconds a message is to be delivered.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub struct DeliverBy {
    /// In so many seconds, at most 999,999,999. Not positive if the time has passed, and that with [`ByMode::Notify`] only.
    pub seconds: i32,
    /// What becomes of it then.
    pub mode: ByMode,
    /// `T`: whoever relays it to where this extension is not known tells its sender.
    pub trace: bool,
}

impl DeliverBy {
    pub(super) fn parse(value: &str, minimum: u32) -> Option<Self> {
        let (time, mode) = value.split_once(';')?;
        let (is_negative, digits) = match time.as_bytes() {
            [b'-', digits @ ..] => (true, digits),
            [b'+', digits @ ..] => (false, digits),
            digits => (false, digits),
        };
        if !(1..=9).contains(&digits.len()) || !digits.iter().all(u8::is_ascii_digit) {
            return None;
        }
        let seconds: i32 = std::str::from_utf8(digits).ok()?.parse().ok()?;
        let seconds = if is_negative { -seconds } else { seconds };
        let (mode, trace) = match mode.as_bytes() {
            [mode, b'T' | b't'] => (mode, true),
            [mode] => (mode, false),
            _ => return None,
        };
        let mode = match mode {
            // RFC 2852: no time that has passed, and none below what the server has said that it can.
            b'R' | b'r' if seconds > 0 && seconds.unsigned_abs() >= minimum => ByMode::Return,
            b'N' | b'n' => ByMode::Notify,
            _ => return None,
        };
        Some(Self { seconds, mode, trace })
    }
}

impl fmt::Display for DeliverBy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mode = if self.mode == ByMode::Return { 'R' } else { 'N' };
        write!(f, "{};{mode}{}", self.seconds, if self.trace { "T" } else { "" })
    }
}

/// How long a server holds messages back at most: what EHLO's FUTURERELEASE says (RFC 4865).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub struct FutureRelease {
    /// Seconds, from 1 to 999,999,999.
    pub max_interval: u32,
    /// Until then.
    pub max_date_time: DateTime,
}

impl FutureRelease {
    /// That long, and until then. An interval outside of what can be written is the nearest that can.
    pub fn new(max_interval: u32, max_date_time: DateTime) -> Self {
        Self { max_interval: max_interval.clamp(1, 999_999_999), max_date_time }
    }
}

/// HOLDFOR or HOLDUNTIL (RFC 4865): when a message may go on its way.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Hold {
    /// In so many seconds, from 1 to 999,999,999.
    For(u32),
    /// Then. The session has no clock: whether that moment has passed is the host's to judge.
    Until(DateTime),
}

impl Hold {
    pub(super) fn parse_for(value: &str, most: FutureRelease) -> Option<Self> {
        let is_number = (1..=9).contains(&value.len())
            && value.bytes().all(|octet| octet.is_ascii_digit())
            && !value.starts_with('0');
        value.parse().ok().filter(|&seconds| is_number && seconds <= most.max_interval).map(Self::For)
    }

    pub(super) fn parse_until(value: &str, most: FutureRelease) -> Option<Self> {
        let until: DateTime = value.parse().ok()?;
        (until.unix_seconds() <= most.max_date_time.unix_seconds()).then_some(Self::Until(until))
    }
}

/// As the parameter that it is.
impl fmt::Display for Hold {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::For(seconds) => write!(f, "HOLDFOR={seconds}"),
            Self::Until(moment) => write!(f, "HOLDUNTIL={moment}"),
        }
    }
}

/// What whoever relays a message does where RRVS is not known (RFC 7293).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum WithoutRrvs {
    /// `C`: it goes on all the same.
    Continue,
    /// `R`: it goes back.
    Reject,
}

/// RRVS (RFC 7293): the mail is meant for who has had the address since then, and for nobody who came later.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub struct ValidSince {
    /// Since then.
    pub since: DateTime,
    /// What to do where that cannot be told on; `None` if the client does not say.
    pub without: Option<WithoutRrvs>,
}

impl ValidSince {
    pub(super) fn parse(value: &str) -> Option<Self> {
        let (since, without) = match value.split_once(';') {
            None => (value, None),
            Some((since, "C" | "c")) => (since, Some(WithoutRrvs::Continue)),
            Some((since, "R" | "r")) => (since, Some(WithoutRrvs::Reject)),
            Some(_) => return None,
        };
        Some(Self { since: since.parse().ok()?, without })
    }
}

impl fmt::Display for ValidSince {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let without = match self.without {
            None => "",
            Some(WithoutRrvs::Continue) => ";C",
            Some(WithoutRrvs::Reject) => ";R",
        };
        write!(f, "{}{without}", self.since)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn priorities_are_from_minus_nine_to_nine() {
        for number in -9..=9 {
            let priority = Priority::new(number).unwrap();
            assert_eq!(Priority::parse(&priority.to_string()), Some(priority));
        }
        for value in ["", "-0", "+3", "10", "-10", "03", "x", "-"] {
            assert_eq!(Priority::parse(value), None, "{value}");
        }
        assert_eq!((Priority::new(10), Priority::new(-10)), (None, None));
    }

    #[test]
    fn a_time_to_deliver_by_says_what_then() {
        let by = |seconds, mode, trace| DeliverBy { seconds, mode, trace };
        for (value, parsed, written) in [
            ("120;R", by(120, ByMode::Return, false), "120;R"),
            ("+98;nt", by(98, ByMode::Notify, true), "98;NT"),
            ("-12;N", by(-12, ByMode::Notify, false), "-12;N"),
            ("999999999;RT", by(999_999_999, ByMode::Return, true), "999999999;RT"),
        ] {
            assert_eq!(DeliverBy::parse(value, 60), Some(parsed), "{value}");
            assert_eq!(parsed.to_string(), written);
        }
        for value in ["", "120", ";R", "120;", "120;X", "120;RTT", "0;R", "-1;R", "59;R", "1000000000;N", "--1;N"] {
            assert_eq!(DeliverBy::parse(value, 60), None, "{value}");
        }
    }

    #[test]
    fn nothing_is_held_longer_than_was_offered() {
        let most = FutureRelease::new(3600, "2030-01-01T00:00:00Z".parse().unwrap());
        assert_eq!(Hold::parse_for("3600", most), Some(Hold::For(3600)));
        let until = "2030-01-01T01:00:00+01:00";
        assert_eq!(Hold::parse_until(until, most).unwrap().to_string(), format!("HOLDUNTIL={until}"));
        for value in ["3601", "0", "01", "-1", "", "1000000000"] {
            assert_eq!(Hold::parse_for(value, most), None, "{value}");
        }
        assert_eq!(Hold::parse_until("2030-01-01T00:00:01Z", most), None);
        assert_eq!(FutureRelease::new(0, most.max_date_time).max_interval, 1);
    }

    #[test]
    fn a_recipient_is_valid_since_a_moment() {
        for value in ["2014-04-03T23:01:00Z", "2014-04-03T23:01:00Z;C", "2014-04-03T23:01:00-08:00;R"] {
            assert_eq!(ValidSince::parse(value).unwrap().to_string(), value);
        }
        for value in ["", ";C", "2014-04-03T23:01:00Z;", "2014-04-03T23:01:00Z;X", "2014-04-03"] {
            assert_eq!(ValidSince::parse(value), None, "{value}");
        }
    }
}
