//! Days, as SEARCH names them.

/// A `date` (RFC 9051 §9): a day of the Gregorian calendar, without a zone.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Date {
    year: u16,
    month: u8,
    day: u8,
}

impl Date {
    /// That day, if there is such: a year up to 9999, a month from 1 to 12, and a day that the month has.
    pub fn new(year: u16, month: u8, day: u8) -> Option<Self> {
        let leap = year.is_multiple_of(4) && (!year.is_multiple_of(100) || year.is_multiple_of(400));
        let days = match month {
            1 | 3 | 5 | 7 | 8 | 10 | 12 => 31,
            4 | 6 | 9 | 11 => 30,
            2 => 28 + u8::from(leap),
            _ => return None,
        };
        (year <= 9999 && (1..=days).contains(&day)).then_some(Self { year, month, day })
    }

    /// The year.
    pub const fn year(self) -> u16 {
        self.year
    }

    /// The month, from 1 on.
    pub const fn month(self) -> u8 {
        self.month
    }

    /// The day of the month, from 1 on.
    pub const fn day(self) -> u8 {
        self.day
    }

    /// Days since 1970-01-01; before it they are negative.
    pub fn days_since_epoch(self) -> i64 {
        // Years begin in March, so that the day that leap years add comes last.
        let (year, month) = match self.month {
            month @ (1 | 2) => (i64::from(self.year) - 1, i64::from(month) + 9),
            month => (i64::from(self.year), i64::from(month) - 3),
        };
        let (era, of_era) = (year.div_euclid(400), year.rem_euclid(400));
        let of_year = (153 * month + 2) / 5 + i64::from(self.day) - 1;
        era * 146_097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year - 719_468
    }
}

/// The year, the month and the day that are so many days from 1970-01-01.
pub(crate) fn civil(days: i64) -> (i64, u8, u8) {
    let days = days.saturating_add(719_468);
    let (era, of_era) = (days.div_euclid(146_097), days.rem_euclid(146_097));
    let year = (of_era - of_era / 1460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year + year / 4 - year / 100);
    // Months from March on.
    let month = (5 * of_year + 2) / 153;
    let day = of_year - (153 * month + 2) / 5 + 1;
    let year = year + era.saturating_mul(400) + i64::from(month >= 10);
    let month = if month < 10 { month + 3 } else { month - 9 };
    (year, u8::try_from(month).unwrap_or(1), u8::try_from(day).unwrap_or(1))
}

const MONTHS: [&str; 12] = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];

/// The month's name; `Jan` for what is none.
pub(crate) fn month_name(month: u8) -> &'static str {
    usize::from(month).checked_sub(1).and_then(|at| MONTHS.get(at)).copied().unwrap_or("Jan")
}

/// The month of that name, in any case of letters.
pub(crate) fn month_of(name: &[u8]) -> Option<u8> {
    let at = MONTHS.iter().position(|month| month.as_bytes().eq_ignore_ascii_case(name))?;
    u8::try_from(at + 1).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn days_are_counted_from_1970() {
        for (year, month, day, days) in
            [(1970, 1, 1, 0), (1969, 12, 31, -1), (2000, 2, 29, 11_016), (2026, 11, 23, 20_780), (1, 1, 1, -719_162)]
        {
            assert_eq!(Date::new(year, month, day).unwrap().days_since_epoch(), days, "{year}-{month}-{day}");
            assert_eq!(civil(days), (i64::from(year), month, day));
        }
    }

    #[test]
    fn there_are_no_other_days() {
        for (year, month, day) in
            [(2023, 2, 29), (1900, 2, 29), (2023, 4, 31), (2023, 0, 1), (2023, 13, 1), (2023, 1, 0)]
        {
            assert_eq!(Date::new(year, month, day), None);
        }
    }
}
