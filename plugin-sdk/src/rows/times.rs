//! Dates, times of day and timestamps as values of rows: counts, as Arrow holds them, and what they
//! are on the calendar. Columns of them are at the end.

use std::fmt;
use std::hash::{Hash, Hasher};
use std::marker::PhantomData;
use std::str::FromStr;

use arrow::array::ArrowPrimitiveType;
use arrow::datatypes::{
    ArrowTimestampType, DataType, Date32Type, Time32MillisecondType, Time32SecondType,
    Time64MicrosecondType, Time64NanosecondType, TimeUnit, TimestampMicrosecondType,
    TimestampMillisecondType, TimestampNanosecondType, TimestampSecondType,
};

use super::values::{items, value_columns};
use crate::kernels::{days_since_1970, digits};

const SECONDS_OF_A_DAY: i64 = 86_400;

/// A day of the Gregorian calendar, as Arrow's `Date32`.
///
/// ```
/// use weir_plugin::rows::Date;
///
/// let date = Date::new(2010, 3, 12).ok_or("no such day")?;
/// assert_eq!(date.days(), 14_680);
/// assert_eq!((date.year(), date.month(), date.day()), (2010, 3, 12));
/// assert_eq!(date.to_string(), "2010-03-12");
/// assert_eq!("2010-03-12".parse(), Ok(date));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Date(i32);

impl Date {
    /// The day so many days after 1970-01-01.
    pub const fn from_days(days: i32) -> Date {
        Date(days)
    }

    /// A day of the years 1 to 9999; none if the calendar does not have it.
    pub fn new(year: i32, month: u32, day: u32) -> Option<Date> {
        let (month, day) = (i32::try_from(month).ok()?, i32::try_from(day).ok()?);
        (year <= 9999)
            .then(|| days_since_1970(year, month, day))?
            .map(Date)
    }

    /// Days since 1970-01-01.
    pub const fn days(self) -> i32 {
        self.0
    }

    /// The year; 0 is the one before 1.
    pub fn year(self) -> i32 {
        self.calendar().0
    }

    /// The month, 1 to 12.
    pub fn month(self) -> u32 {
        self.calendar().1
    }

    /// The day of the month, from 1.
    pub fn day(self) -> u32 {
        self.calendar().2
    }

    /// Year, month and day. Days are counted from a March 1st at which 400 years begin, so that the
    /// leap days stand at the ends of years, of centuries and of the 400 years.
    fn calendar(self) -> (i32, u32, u32) {
        const DAYS_OF_400_YEARS: i64 = 146_097;
        const DAYS_OF_100_YEARS: i64 = 36_524;
        const DAYS_OF_4_YEARS: i64 = 1_461;
        let since_0000_03_01 = i64::from(self.0) + 719_468;
        let cycle = since_0000_03_01.div_euclid(DAYS_OF_400_YEARS);
        let mut day = since_0000_03_01.rem_euclid(DAYS_OF_400_YEARS);
        let century = (day / DAYS_OF_100_YEARS).min(3);
        day -= century * DAYS_OF_100_YEARS;
        let four_years = day / DAYS_OF_4_YEARS;
        day -= four_years * DAYS_OF_4_YEARS;
        let year = (day / 365).min(3);
        day -= year * 365;
        // Five months from March on have 153 days, and then again.
        let month = (5 * day + 2) / 153;
        let day = day - (153 * month + 2) / 5 + 1;
        let (month, next_year) = if month < 10 {
            (month + 3, 0)
        } else {
            (month - 9, 1)
        };
        let year = cycle * 400 + century * 100 + four_years * 4 + year + next_year;
        // A 32-bit number of days is under six million years.
        (year as i32, month as u32, day as u32)
    }
}

impl fmt::Display for Date {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (year, month, day) = self.calendar();
        write!(f, "{year:04}-{month:02}-{day:02}")
    }
}

/// Reads `2010-03-12`.
impl FromStr for Date {
    type Err = NoTime;

    fn from_str(text: &str) -> Result<Date, NoTime> {
        date(text.as_bytes()).ok_or(NoTime)
    }
}

/// A unit of time, as a type.
pub trait Unit: Copy + 'static {
    /// Arrow's name for it.
    const UNIT: TimeUnit;
    /// How many there are in a second.
    const PER_SECOND: i64;
    /// Arrow's type of a time of day in it.
    type Time: ArrowPrimitiveType<Native: Into<i64> + TryFrom<i64>>;
    /// Arrow's type of a timestamp in it.
    type Timestamp: ArrowTimestampType;
}

macro_rules! units {
    ($($unit:ident, $words:literal, $per_second:literal, $time:ty, $timestamp:ty;)*) => {$(
        #[doc = $words]
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub enum $unit {}

        impl Unit for $unit {
            const UNIT: TimeUnit = TimeUnit::$unit;
            const PER_SECOND: i64 = $per_second;
            type Time = $time;
            type Timestamp = $timestamp;
        }
    )*};
}

units! {
    Second, "Seconds.", 1, Time32SecondType, TimestampSecondType;
    Millisecond, "Thousandths of a second.", 1_000, Time32MillisecondType, TimestampMillisecondType;
    Microsecond, "Millionths of a second.", 1_000_000, Time64MicrosecondType, TimestampMicrosecondType;
    Nanosecond, "Thousand-millionths of a second.", 1_000_000_000, Time64NanosecondType, TimestampNanosecondType;
}

/// Types that are a count of units.
macro_rules! counts {
    ($($name:ident),*) => {$(
        impl<U: Unit> $name<U> {
            /// So many units, whether or not they are too many.
            const fn of(count: i64) -> Self {
                Self(count, PhantomData)
            }

            /// The count of units.
            pub const fn count(self) -> i64 {
                self.0
            }
        }

        impl<U> Clone for $name<U> {
            fn clone(&self) -> Self {
                *self
            }
        }

        impl<U> Copy for $name<U> {}

        impl<U> Default for $name<U> {
            fn default() -> Self {
                Self(0, PhantomData)
            }
        }

        impl<U> PartialEq for $name<U> {
            fn eq(&self, other: &Self) -> bool {
                self.0 == other.0
            }
        }

        impl<U> Eq for $name<U> {}

        impl<U> PartialOrd for $name<U> {
            fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
                Some(self.cmp(other))
            }
        }

        impl<U> Ord for $name<U> {
            fn cmp(&self, other: &Self) -> std::cmp::Ordering {
                self.0.cmp(&other.0)
            }
        }

        impl<U> Hash for $name<U> {
            fn hash<H: Hasher>(&self, state: &mut H) {
                self.0.hash(state);
            }
        }
    )*};
}

counts!(Time, Timestamp, LocalTimestamp);

macro_rules! debug_as_display {
    ($([$($unit:ident)?] $name:ty;)*) => {$(
        impl$(<$unit: Unit>)? fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Display::fmt(self, f)
            }
        }
    )*};
}

debug_as_display! {
    [] Date;
    [U] Time<U>;
    [U] Timestamp<U>;
    [U] LocalTimestamp<U>;
}

/// A time of day, as Arrow's `Time32` and `Time64`: a count of units since midnight.
///
/// ```
/// use weir_plugin::rows::{Millisecond, Time};
///
/// let time: Time = "07:30:00.25".parse()?;
/// assert_eq!((time.hour(), time.minute(), time.second()), (7, 30, 0));
/// assert_eq!(time.to_string(), "07:30:00.250000");
/// assert_eq!(Time::<Millisecond>::new(23, 59, 60), None);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct Time<U = Microsecond>(i64, PhantomData<U>);

impl<U: Unit> Time<U> {
    /// So many units after midnight; none if that is not on the same day.
    pub fn from_count(count: i64) -> Option<Self> {
        let day = 0..SECONDS_OF_A_DAY * U::PER_SECOND;
        day.contains(&count).then_some(Self::of(count))
    }

    /// A time with whole seconds; none if there is no such time of day.
    pub fn new(hour: u32, minute: u32, second: u32) -> Option<Self> {
        (hour < 24 && minute < 60 && second < 60).then(|| {
            let seconds = i64::from(hour * 3_600 + minute * 60 + second);
            Self::of(seconds * U::PER_SECOND)
        })
    }

    /// The hour, 0 to 23.
    pub fn hour(self) -> u32 {
        (self.seconds() / 3_600) as u32 // Seconds of a day are few.
    }

    /// The minute, 0 to 59.
    pub fn minute(self) -> u32 {
        (self.seconds() / 60 % 60) as u32
    }

    /// The second, 0 to 59.
    pub fn second(self) -> u32 {
        (self.seconds() % 60) as u32
    }

    /// Units since the last whole second.
    pub fn fraction(self) -> i64 {
        self.0.rem_euclid(U::PER_SECOND)
    }

    /// Whole seconds since midnight. (A column may hold what is no time of day.)
    fn seconds(self) -> i64 {
        self.0
            .div_euclid(U::PER_SECOND)
            .rem_euclid(SECONDS_OF_A_DAY)
    }
}

impl<U: Unit> fmt::Display for Time<U> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (hour, minute, second) = (self.hour(), self.minute(), self.second());
        write!(f, "{hour:02}:{minute:02}:{second:02}")?;
        match U::UNIT {
            TimeUnit::Second => Ok(()),
            TimeUnit::Millisecond => write!(f, ".{:03}", self.fraction()),
            TimeUnit::Microsecond => write!(f, ".{:06}", self.fraction()),
            TimeUnit::Nanosecond => write!(f, ".{:09}", self.fraction()),
        }
    }
}

/// Reads `07:30`, `07:30:00` and `07:30:00.25`. A fraction that the unit cannot hold is no time.
impl<U: Unit> FromStr for Time<U> {
    type Err = NoTime;

    fn from_str(text: &str) -> Result<Self, NoTime> {
        time(text.as_bytes()).ok_or(NoTime)
    }
}

/// A moment, as Arrow's `Timestamp` with a zone: a count of units since 1970-01-01T00:00:00 in UTC.
/// Read whatever zone the column says that its values are shown in; written with the zone `UTC`.
///
/// ```
/// use weir_plugin::rows::{Date, Time, Timestamp};
///
/// let moment: Timestamp = "2010-03-12T07:30:00+02:00".parse()?;
/// assert_eq!(moment.to_string(), "2010-03-12T05:30:00.000000Z");
/// assert_eq!(moment.date(), Date::new(2010, 3, 12));
/// assert_eq!(Some(moment.time()), Time::new(5, 30, 0));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct Timestamp<U = Microsecond>(i64, PhantomData<U>);

/// Date and time of day without a zone, as Arrow's `Timestamp` without one.
///
/// ```
/// use weir_plugin::rows::LocalTimestamp;
///
/// let admitted: LocalTimestamp = "2010-03-12 07:30:00".parse()?;
/// assert_eq!(admitted.to_string(), "2010-03-12T07:30:00.000000");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct LocalTimestamp<U = Microsecond>(i64, PhantomData<U>);

macro_rules! timestamps {
    ($($name:ident, $ends_with:literal, $offset:expr, $clock:literal;)*) => {$(
        impl<U: Unit> $name<U> {
            #[doc = concat!("So many units after 1970-01-01T00:00:00", $clock, ".")]
            pub const fn from_count(count: i64) -> Self {
                Self::of(count)
            }

            #[doc = concat!("A time of a day", $clock, "; none if 64 bits cannot hold it.")]
            pub fn new(date: Date, time: Time<U>) -> Option<Self> {
                let day = i64::from(date.0).checked_mul(SECONDS_OF_A_DAY * U::PER_SECOND)?;
                day.checked_add(time.0).map(Self::of)
            }

            #[doc = concat!("The day", $clock, "; none if it is millions of years away.")]
            pub fn date(self) -> Option<Date> {
                let days = self.0.div_euclid(SECONDS_OF_A_DAY * U::PER_SECOND);
                i32::try_from(days).ok().map(Date)
            }

            #[doc = concat!("The time of day", $clock, ".")]
            pub fn time(self) -> Time<U> {
                Time::of(self.0.rem_euclid(SECONDS_OF_A_DAY * U::PER_SECOND))
            }
        }

        impl<U: Unit> fmt::Display for $name<U> {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                match self.date() {
                    Some(date) => write!(f, "{date}T{}{}", self.time(), $ends_with),
                    None => write!(f, "{} after 1970", self.0),
                }
            }
        }

        impl<U: Unit> FromStr for $name<U> {
            type Err = NoTime;

            fn from_str(text: &str) -> Result<Self, NoTime> {
                let read = || {
                    let (text, offset_seconds) = $offset(text.as_bytes())?;
                    let (day, rest) = text.split_at_checked(10)?;
                    let (b'T' | b' ', clock) = rest.split_first()? else {
                        return None;
                    };
                    let local = Self::new(date(day)?, time(clock)?)?;
                    let offset = i64::from(offset_seconds) * U::PER_SECOND;
                    local.0.checked_sub(offset).map(Self::of)
                };
                read().ok_or(NoTime)
            }
        }
    )*};
}

timestamps! {
    Timestamp, "Z", split_offset, " in UTC";
    LocalTimestamp, "", |text| Some((text, 0)), "";
}

/// A text is no date, time or timestamp of the type.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NoTime;

impl fmt::Display for NoTime {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("not a date or time of this kind")
    }
}

impl std::error::Error for NoTime {}

/// The number that one to eight digits spell.
fn number(text: &[u8]) -> Option<u32> {
    match text.len() {
        1..=8 => u32::try_from(digits(text, 0, text.len())?).ok(),
        _ => None,
    }
}

fn date(text: &[u8]) -> Option<Date> {
    let [year @ .., b'-', m1, m2, b'-', d1, d2] = text else {
        return None;
    };
    let year = (year.len() == 4).then(|| number(year))??;
    Date::new(
        i32::try_from(year).ok()?,
        number(&[*m1, *m2])?,
        number(&[*d1, *d2])?,
    )
}

fn time<U: Unit>(text: &[u8]) -> Option<Time<U>> {
    let (clock, fraction) = match text.iter().position(|byte| *byte == b'.') {
        Some(point) => (text.get(..point)?, Some(text.get(point + 1..)?)),
        None => (text, None),
    };
    let (hour, minute, second) = match clock {
        [h1, h2, b':', m1, m2] if fraction.is_none() => ([*h1, *h2], [*m1, *m2], *b"00"),
        [h1, h2, b':', m1, m2, b':', s1, s2] => ([*h1, *h2], [*m1, *m2], [*s1, *s2]),
        _ => return None,
    };
    let whole = Time::<U>::new(number(&hour)?, number(&minute)?, number(&second)?)?;
    let mut units = 0;
    let mut unit = U::PER_SECOND;
    if fraction.is_some_and(<[u8]>::is_empty) {
        return None;
    }
    for digit in fraction.unwrap_or_default() {
        let digit = i64::from(number(&[*digit])?);
        if digit > 0 && unit == 1 {
            return None;
        }
        unit = (unit / 10).max(1);
        units += digit * unit;
    }
    Some(Time::of(whole.0 + units))
}

/// What stands before a zone, and how many seconds that zone is ahead of UTC.
fn split_offset(text: &[u8]) -> Option<(&[u8], i32)> {
    match text {
        [rest @ .., b'Z'] => Some((rest, 0)),
        [rest @ .., sign @ (b'+' | b'-'), h1, h2, b':', m1, m2] => {
            let ahead = Time::<Second>::new(number(&[*h1, *h2])?, number(&[*m1, *m2])?, 0)?;
            let seconds = i32::try_from(ahead.0).ok()?;
            Some((rest, if *sign == b'-' { -seconds } else { seconds }))
        }
        _ => None,
    }
}

value_columns! {
    [] Date: Date32Type, DataType::Date32,
        found => *found == DataType::Date32,
        days => Ok(Date(days)), false, date => date.0;
    [U: Unit] Time<U>: U::Time, <U::Time as ArrowPrimitiveType>::DATA_TYPE,
        found => *found == <U::Time as ArrowPrimitiveType>::DATA_TYPE,
        // A time of day of 32 bits was made of 32 bits or of a count below a day's.
        count => Ok(Time::of(count.into())), false, time => time.0.try_into().unwrap_or_default();
    [U: Unit] Timestamp<U>: U::Timestamp, DataType::Timestamp(U::UNIT, Some("UTC".into())),
        found => matches!(found, DataType::Timestamp(unit, Some(_)) if *unit == U::UNIT),
        count => Ok(Timestamp::of(count)), false, moment => moment.0;
    [U: Unit] LocalTimestamp<U>: U::Timestamp, DataType::Timestamp(U::UNIT, None),
        found => matches!(found, DataType::Timestamp(unit, None) if *unit == U::UNIT),
        count => Ok(LocalTimestamp::of(count)), false, moment => moment.0;
}

items! {
    [] Date;
    [U: Unit] Time<U>;
    [U: Unit] Timestamp<U>;
    [U: Unit] LocalTimestamp<U>;
}
