//! Amounts as accountants' programs write them.

use std::borrow::Cow;

use weir_plugin::arrow::array::StringArray;

/// The amounts as plain decimals: `-1234.50` of `($1,234.50)`. What is none stays as it is.
pub(crate) fn plain(amounts: &StringArray) -> Cow<'_, StringArray> {
    let marks = |byte: &u8| matches!(byte, b'$' | b',' | b'(');
    // Nearly all files have no marks at all.
    if !amounts.value_data().iter().any(marks) {
        return Cow::Borrowed(amounts);
    }
    let amounts = amounts.iter().map(|amount| amount.map(without_marks));
    Cow::Owned(amounts.collect())
}

/// Parentheses stand for a minus sign, a dollar sign for nothing; commas part groups of three digits.
fn without_marks(amount: &str) -> Cow<'_, str> {
    let trimmed = amount.trim();
    let (negative, rest) = match trimmed.strip_prefix('(') {
        Some(rest) => match rest.strip_suffix(')') {
            Some(rest) => (true, rest),
            None => return Cow::Borrowed(amount),
        },
        None => match trimmed.strip_prefix('-') {
            Some(rest) => (true, rest),
            None => (false, trimmed),
        },
    };
    let digits = rest.strip_prefix('$').unwrap_or(rest);
    let (whole, part) = digits.split_at(digits.find('.').unwrap_or(digits.len()));
    let first = whole.bytes().next();
    if !first.is_some_and(|byte| byte.is_ascii_digit()) || !is_grouped(whole) {
        return Cow::Borrowed(amount);
    }
    let sign = if negative { "-" } else { "" };
    Cow::Owned(format!("{sign}{}{part}", whole.replace(',', "")))
}

/// Whether every comma has three digits behind it, and one to three before the first.
fn is_grouped(whole: &str) -> bool {
    let mut groups = whole.split(',');
    let first = groups.next().map_or(0, str::len);
    let mut more = groups.peekable();
    more.peek().is_none() || (1..=3).contains(&first) && more.all(|group| group.len() == 3)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn marks_are_taken_away() {
        for (amount, plain) in [
            ("1234.5", "1234.5"),
            ("$1,234.50", "1234.50"),
            ("-$1,234.50", "-1234.50"),
            ("($1,234.50)", "-1234.50"),
            ("(12)", "-12"),
            (" 1,234,567 ", "1234567"),
            ("0.00", "0.00"),
        ] {
            assert_eq!(without_marks(amount), plain, "{amount}");
        }
    }

    #[test]
    fn what_is_no_amount_stays() {
        for amount in [
            "1,23",
            "1234,567.00",
            "(5",
            "5)",
            "$",
            "()",
            "-(5)",
            "(-5)",
            "$-5",
            "--5",
            "1,,234",
            ",123",
            "",
        ] {
            assert_eq!(without_marks(amount), amount);
        }
    }
}
