use arrow::array::{Array, ArrowPrimitiveType, BooleanArray, PrimitiveArray, StringArray};
use arrow::buffer::{BooleanBuffer, NullBuffer};

use super::spans;

/// The rows whose value is true; null counts as false. Made for the results of Arrow's
/// comparisons (`arrow::compute::kernels::cmp`).
pub fn rows_set(flags: &BooleanArray) -> Vec<u32> {
    set_and_valid(flags.values(), flags.nulls())
}

/// The rows whose value satisfies `holds`; null does not.
pub fn rows_where<T: ArrowPrimitiveType>(
    values: &PrimitiveArray<T>,
    mut holds: impl FnMut(T::Native) -> bool,
) -> Vec<u32> {
    let flags: BooleanBuffer = values.values().iter().map(|value| holds(*value)).collect();
    set_and_valid(&flags, values.nulls())
}

/// The rows whose two values together satisfy `hold`; a null on either side does not. The columns
/// are as long as each other. (Arrow's comparisons do the same for any types, and make a component
/// 900 KB larger.)
pub fn rows_where_both<A: ArrowPrimitiveType, B: ArrowPrimitiveType>(
    left: &PrimitiveArray<A>,
    right: &PrimitiveArray<B>,
    mut hold: impl FnMut(A::Native, B::Native) -> bool,
) -> Vec<u32> {
    let pairs = left.values().iter().zip(right.values().iter());
    let flags: BooleanBuffer = pairs.map(|(left, right)| hold(*left, *right)).collect();
    set_and_valid(
        &flags,
        NullBuffer::union(left.nulls(), right.nulls()).as_ref(),
    )
}

fn set_and_valid(flags: &BooleanBuffer, nulls: Option<&NullBuffer>) -> Vec<u32> {
    match nulls {
        Some(nulls) if nulls.null_count() > 0 => {
            (flags & nulls.inner()).set_indices_u32().collect()
        }
        _ => flags.set_indices_u32().collect(),
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
    use arrow::array::{Int16Array, Int32Array};

    use super::*;

    #[test]
    fn values_are_judged_where_there_are_any() {
        let left = Int16Array::from(vec![Some(1), None, Some(-3), Some(4)]);
        let right = Int32Array::from(vec![Some(0), Some(0), None, Some(9)]);
        assert_eq!(rows_where(&left, |value| value < 2), [0, 2]);
        assert_eq!(rows_where(&left.slice(2, 2), |value| value < 2), [0]);
        assert_eq!(
            rows_where_both(&left, &right, |left, right| i32::from(left) > right),
            [0]
        );
        assert_eq!(
            rows_where_both(&left, &right, |left, right| i32::from(left) < right),
            [3]
        );
    }

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
