//! A moment, and the zone in which it was told.

/// A moment in whole seconds, with the zone in which it was told, which INTERNALDATE keeps (RFC 9051 §2.3.3).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Timestamp {
    unix_seconds: i64,
    offset_minutes: i16,
}

impl Timestamp {
    /// A moment in UTC, in seconds since 1970-01-01T00:00:00Z.
    pub const fn from_unix(unix_seconds: i64) -> Self {
        Self { unix_seconds, offset_minutes: 0 }
    }

    /// The same moment told in a zone that is that many minutes east of UTC, held within ±23:59.
    #[must_use]
    pub const fn with_offset_minutes(self, offset_minutes: i16) -> Self {
        let offset_minutes = match offset_minutes {
            i16::MIN..=-1440 => -1439,
            1440..=i16::MAX => 1439,
            within => within,
        };
        Self { unix_seconds: self.unix_seconds, offset_minutes }
    }

    /// The moment by the system's clock, in UTC.
    pub fn now() -> Self {
        let seconds = match std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH) {
            Ok(since) => i64::try_from(since.as_secs()).unwrap_or(i64::MAX),
            Err(before) => i64::try_from(before.duration().as_secs()).map_or(i64::MIN, |seconds| -seconds),
        };
        Self::from_unix(seconds)
    }

    /// Seconds since 1970-01-01T00:00:00Z, leap seconds left out.
    pub const fn unix_seconds(self) -> i64 {
        self.unix_seconds
    }

    /// Minutes east of UTC, within ±23:59.
    pub const fn offset_minutes(self) -> i16 {
        self.offset_minutes
    }
}

impl PartialOrd for Timestamp {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

/// By moment; two zones' words for one moment are ordered by zone.
impl Ord for Timestamp {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        (self.unix_seconds, self.offset_minutes).cmp(&(other.unix_seconds, other.offset_minutes))
    }
}
