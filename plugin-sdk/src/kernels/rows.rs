use arrow::array::{Array, BooleanArray, StringArray};

use super::spans;

/// The rows whose value is true; null counts as false. Made for the results of Arrow's
/// comparisons (`arrow::compute::kernels::cmp`).
pub fn rows_set(flags: &BooleanArray) -> Vec<u32> {
    match flags.nulls() {
        Some(nulls) => (flags.values() & nulls.inner()).set_indices_u32().collect(),
        None => flags.values().set_indices_u32().collect(),
    }
}

/// The rows whose value does not satisfy `holds`; null passes.
pub fn rows_breaking(values: &StringArray, mut holds: impl FnMut(&[u8]) -> bool) -> Vec<u32> {
    if values.null_count() == values.len() {
        return Vec::new();
    }
    let bytes = values.value_data();
    let mut breaking = Vec::new();
    for (row, (start, end)) in spans(values).enumerate() {
        if values.is_valid(row) && !holds(bytes.get(start..end).unwrap_or_default()) {
            breaking.push(row as u32); // Arrow's offsets keep rows below 2^31.
        }
    }
    breaking
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn null_is_neither_set_nor_breaking() {
        let flags = BooleanArray::from(vec![Some(true), None, Some(false), Some(true)]);
        assert_eq!(rows_set(&flags), [0, 3]);
        assert_eq!(rows_set(&flags.slice(1, 3)), [2]);
        let values = StringArray::from(vec![Some("ab"), None, Some("a"), Some("")]);
        assert_eq!(rows_breaking(&values, |text| text.len() == 2), [2, 3]);
        assert_eq!(
            rows_breaking(&values.slice(1, 2), |text| text.len() == 2),
            [1]
        );
    }
}
