//! Days and their dates.

/// A day, counted from 1970-01-01.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(crate) struct Day(i64);

impl Day {
    /// The day of a date of the Gregorian calendar; month and day count from 1. The algorithms are
    /// Howard Hinnant's ("chrono-compatible low-level date algorithms").
    pub(crate) fn of(year: i64, month: i64, day: i64) -> Self {
        let year = if month <= 2 { year - 1 } else { year };
        let era = year.div_euclid(400);
        let year_of_era = year.rem_euclid(400);
        let day_of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
        let day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
        Self(era * 146_097 + day_of_era - 719_468)
    }

    /// The date as the number yyyymmdd.
    pub(crate) fn yyyymmdd(self) -> i64 {
        let days = self.0 + 719_468;
        let era = days.div_euclid(146_097);
        let day_of_era = days.rem_euclid(146_097);
        let year_of_era =
            (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
        let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
        let shifted_month = (5 * day_of_year + 2) / 153;
        let day = day_of_year - (153 * shifted_month + 2) / 5 + 1;
        let month = if shifted_month < 10 {
            shifted_month + 3
        } else {
            shifted_month - 9
        };
        let year = year_of_era + era * 400 + i64::from(month <= 2);
        year * 10_000 + month * 100 + day
    }

    /// The date as `yyyy-mm-dd`.
    pub(crate) fn iso(self) -> String {
        let number = self.yyyymmdd();
        format!(
            "{:04}-{:02}-{:02}",
            number / 10_000,
            number / 100 % 100,
            number % 100
        )
    }

    pub(crate) fn plus(self, days: u64) -> Self {
        Self(self.0 + days as i64)
    }

    pub(crate) fn minus(self, days: u64) -> Self {
        Self(self.0 - days as i64)
    }

    /// Days from `earlier` to this day; 0 where it is not earlier.
    pub(crate) fn since(self, earlier: Self) -> u64 {
        (self.0 - earlier.0).max(0) as u64
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_and_days_agree() {
        assert_eq!(Day::of(1970, 1, 1), Day(0));
        assert_eq!(Day::of(2008, 2, 28).plus(1).yyyymmdd(), 20_080_229);
        assert_eq!(Day::of(2008, 2, 28).plus(2).yyyymmdd(), 20_080_301);
        assert_eq!(Day::of(1900, 2, 28).plus(1).yyyymmdd(), 19_000_301);
        assert_eq!(Day::of(2010, 12, 31).since(Day::of(2008, 1, 1)), 1_095);
        assert_eq!(Day::of(2009, 1, 1).minus(1).yyyymmdd(), 20_081_231);
        assert_eq!(Day::of(2024, 2, 28).plus(1).iso(), "2024-02-29");
    }
}
