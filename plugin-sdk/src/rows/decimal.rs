//! Exact decimals as values of rows.

use std::fmt;
use std::str::FromStr;

use arrow::datatypes::{DataType, Decimal128Type};

use super::read::Unreadable;
use super::values::{items, value_columns};
use crate::kernels::{power_of_ten, read_decimal};

/// An exact decimal of at most `P` digits, `S` of them after the point: SQL's `decimal(P, S)`.
///
/// The scale is part of the type, so that a row's columns are known without a value, and values of
/// unlike scales cannot be added by mistake. A value is no larger than its 128 bits.
///
/// ```
/// use weir_plugin::rows::Decimal;
///
/// let paid: Decimal<12, 2> = "260.5".parse()?;
/// let share = Decimal::new(-10_00).ok_or("too large")?;
/// assert_eq!(paid.units(), 260_50);
/// assert_eq!(paid.checked_add(share).map(|sum| sum.to_string()), Some("250.50".into()));
/// assert_eq!(paid.rescale::<12, 3>().map(Decimal::units), Some(260_500));
/// assert!("0.001".parse::<Decimal<12, 2>>().is_err());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Decimal<const P: u8, const S: u8>(i128);

impl<const P: u8, const S: u8> Decimal<P, S> {
    /// One more than the largest value, in units. (Compilation fails where there is no such decimal.)
    const LIMIT: i128 = {
        assert!(P >= 1 && P <= 38, "a decimal has 1 to 38 digits");
        assert!(
            S <= P,
            "a decimal has no more digits after the point than in all"
        );
        match power_of_ten(P) {
            Some(limit) => limit,
            None => 0,
        }
    };

    /// The decimal of so many units of its last digit: `Decimal::<12, 2>::new(1250)` is 12.50. None
    /// if it has more than `P` digits.
    pub const fn new(units: i128) -> Option<Self> {
        if -Self::LIMIT < units && units < Self::LIMIT {
            Some(Self(units))
        } else {
            None
        }
    }

    /// The value in units of its last digit.
    pub const fn units(self) -> i128 {
        self.0
    }

    /// The sum; none if it has more than `P` digits.
    pub const fn checked_add(self, other: Self) -> Option<Self> {
        match self.0.checked_add(other.0) {
            Some(sum) => Self::new(sum),
            None => None,
        }
    }

    /// The difference; none if it has more than `P` digits.
    pub const fn checked_sub(self, other: Self) -> Option<Self> {
        match self.0.checked_sub(other.0) {
            Some(difference) => Self::new(difference),
            None => None,
        }
    }

    /// The same value as another type; none if that cannot hold it exactly.
    pub fn rescale<const P2: u8, const S2: u8>(self) -> Option<Decimal<P2, S2>> {
        let factor = power_of_ten(S.abs_diff(S2))?;
        let units = match S2 >= S {
            true => self.0.checked_mul(factor)?,
            false if self.0 % factor == 0 => self.0 / factor,
            false => return None,
        };
        Decimal::new(units)
    }
}

impl<const P: u8, const S: u8> fmt::Display for Decimal<P, S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let digits = self.0.unsigned_abs().to_string();
        let scale = usize::from(S);
        let text = match scale {
            0 => digits,
            _ => {
                let digits = format!("{digits:0>width$}", width = scale + 1);
                let (whole, fraction) = digits.split_at(digits.len() - scale);
                format!("{whole}.{fraction}")
            }
        };
        f.pad_integral(self.0 >= 0, "", &text)
    }
}

impl<const P: u8, const S: u8> fmt::Debug for Decimal<P, S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// Reads what [`kernels::parse_decimal`](crate::kernels::parse_decimal) reads: `-12.5`, `12`, `.5`.
impl<const P: u8, const S: u8> FromStr for Decimal<P, S> {
    type Err = NoDecimal;

    fn from_str(text: &str) -> Result<Self, NoDecimal> {
        let units = read_decimal(text.as_bytes(), 0, text.len(), usize::from(S));
        units.and_then(Self::new).ok_or(NoDecimal)
    }
}

/// A text is no decimal of the type.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NoDecimal;

impl fmt::Display for NoDecimal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("not a decimal of this precision and scale")
    }
}

impl std::error::Error for NoDecimal {}

impl<const P: u8, const S: u8> Decimal<P, S> {
    /// A column's values may be longer than its type says: nothing has looked at each of them.
    #[inline]
    fn of_column(units: i128) -> Result<Self, Unreadable> {
        Self::new(units).ok_or_else(Self::too_long)
    }

    #[cold]
    fn too_long() -> Unreadable {
        Unreadable::because(format!("has more than {P} digits"))
    }
}

// Read from decimals of the same scale and of as many digits or fewer.
value_columns! {
    [const P: u8, const S: u8] Decimal<P, S>: Decimal128Type,
        {
            let _exists = Self::LIMIT;
            DataType::Decimal128(P, S as i8) // At most 38.
        },
        found => matches!(found, DataType::Decimal128(precision, scale)
            if *precision <= P && u8::try_from(*scale) == Ok(S)),
        units => Decimal::of_column(units), true, decimal => decimal.0;
}

items! {
    [const P: u8, const S: u8] Decimal<P, S>;
}
