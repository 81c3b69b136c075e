use arrow::array::{Array, ArrayRef, AsArray, BooleanArray, StringArray};
use arrow::buffer::{BooleanBuffer, Buffer, OffsetBuffer, ScalarBuffer};
use arrow::compute::nullif;

use super::{is_space, spans, trimmed};

/// What [`clean`] does to ASCII letters.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Case {
    /// Leaves them as they are.
    Keep,
    /// Makes them upper-case.
    Upper,
}

/// Trims, sets the case, and makes null of what is then empty.
pub fn clean(values: &StringArray, case: Case) -> StringArray {
    if values.null_count() == values.len() {
        return values.clone();
    }
    let values = trim(values);
    let values = if case == Case::Upper {
        upper(&values)
    } else {
        values
    };
    empty_to_null(&values)
}

/// Takes away ASCII whitespace on both sides of each value.
pub fn trim(values: &StringArray) -> StringArray {
    let bytes = values.value_data();
    let tidy = |(start, end): (usize, usize)| {
        start == end || !(is_space(bytes, start) || is_space(bytes, end - 1))
    };
    if spans(values).all(tidy) {
        return values.clone();
    }
    let mut offsets = Vec::with_capacity(values.len() + 1);
    let mut kept = Vec::with_capacity(used(values).len());
    offsets.push(0);
    for (row, (start, end)) in spans(values).enumerate() {
        if values.is_valid(row) {
            let (start, end) = trimmed(bytes, start, end);
            kept.extend_from_slice(bytes.get(start..end).unwrap_or_default());
        }
        offsets.push(kept.len() as i32); // No more than there were.
    }
    rebuilt(values, OffsetBuffer::new(ScalarBuffer::from(offsets)), kept)
}

/// Makes ASCII letters upper-case; all others stay as they are.
pub fn upper(values: &StringArray) -> StringArray {
    let bytes = used(values);
    // In blocks, so that the compiler can compare many bytes at once.
    let any_lower = |block: &[u8]| {
        block
            .iter()
            .fold(false, |found, byte| found | byte.is_ascii_lowercase())
    };
    if !bytes.chunks(256).any(any_lower) {
        return values.clone();
    }
    let first = values.value_offsets().first().copied().unwrap_or_default();
    let offsets = match first {
        0 => values.offsets().clone(),
        _ => OffsetBuffer::new(
            values
                .value_offsets()
                .iter()
                .map(|offset| offset - first)
                .collect(),
        ),
    };
    rebuilt(values, offsets, bytes.to_ascii_uppercase())
}

/// Makes null of each empty value.
pub fn empty_to_null(values: &StringArray) -> StringArray {
    let offsets = values.value_offsets();
    let empty = |row: usize| offsets.get(row) == offsets.get(row + 1);
    let empty = BooleanBuffer::collect_bool(values.len(), empty);
    if !empty.has_true() {
        return values.clone();
    }
    let nulled: Option<ArrayRef> = nullif(values, &BooleanArray::new(empty, None)).ok();
    nulled
        .and_then(|nulled| nulled.as_string_opt().cloned())
        .expect("the mask is as long as the column, whose type stays")
}

/// The bytes that the column's values use.
fn used(values: &StringArray) -> &[u8] {
    let offsets = values.value_offsets();
    match (offsets.first(), offsets.last()) {
        (Some(&first), Some(&last)) => values
            .value_data()
            .get(first as usize..last as usize)
            .unwrap_or_default(),
        _ => &[],
    }
}

fn rebuilt(values: &StringArray, offsets: OffsetBuffer<i32>, bytes: Vec<u8>) -> StringArray {
    StringArray::try_new(offsets, Buffer::from_vec(bytes), values.nulls().cloned())
        .expect("only whole ASCII characters were taken away or replaced")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sample() -> StringArray {
        StringArray::from(vec![
            Some(" a\t"),
            None,
            Some(""),
            Some("é b "),
            Some("  "),
            Some("Zß"),
            Some("\u{a0}x"),
        ])
    }

    fn by_row(values: &StringArray, change: impl Fn(&str) -> Option<String>) -> StringArray {
        values.iter().map(|value| value.and_then(&change)).collect()
    }

    /// Every slice of the sample, so that offsets and validity begin anywhere.
    fn slices() -> Vec<StringArray> {
        let whole = sample();
        (0..=whole.len())
            .flat_map(|from| (from..=whole.len()).map(move |to| (from, to)))
            .map(|(from, to)| whole.slice(from, to - from))
            .collect()
    }

    #[test]
    fn kernels_agree_with_row_by_row_code() {
        for values in slices() {
            let is_space = |letter: char| letter.is_ascii_whitespace();
            assert_eq!(
                trim(&values),
                by_row(&values, |text| Some(text.trim_matches(is_space).to_owned()))
            );
            assert_eq!(
                upper(&values),
                by_row(&values, |text| Some(text.to_ascii_uppercase()))
            );
            assert_eq!(
                empty_to_null(&values),
                by_row(&values, |text| (!text.is_empty()).then(|| text.to_owned()))
            );
            let cleaned = |text: &str| {
                Some(text.trim_matches(is_space).to_ascii_uppercase()).filter(|t| !t.is_empty())
            };
            assert_eq!(clean(&values, Case::Upper), by_row(&values, cleaned));
        }
    }

    #[test]
    fn a_tidy_column_is_not_copied() {
        let values = StringArray::from(vec![Some("0416"), None, Some("E8889")]);
        for kept in [
            trim(&values),
            upper(&values),
            empty_to_null(&values),
            clean(&values, Case::Upper),
        ] {
            assert_eq!(kept.value_data().as_ptr(), values.value_data().as_ptr());
        }
    }

    #[test]
    fn bytes_under_nulls_do_not_matter() {
        let values = StringArray::new(
            OffsetBuffer::from_lengths([3, 2]),
            Buffer::from(b" a\0b "),
            Some(vec![false, true].into()),
        );
        assert_eq!(trim(&values), StringArray::from(vec![None, Some("b")]));
    }

    #[test]
    fn a_lower_case_letter_is_found_in_any_block() {
        for at in [0, 255, 256, 300] {
            let mut text = "A".repeat(301);
            text.replace_range(at..=at, "a");
            assert_eq!(
                upper(&StringArray::from(vec![text])).value(0),
                "A".repeat(301)
            );
        }
    }
}
