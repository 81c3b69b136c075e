use arrow::array::{Array, ArrayRef, AsArray, BooleanArray, StringArray};
use arrow::buffer::{BooleanBuffer, Buffer, OffsetBuffer, ScalarBuffer};
use arrow::compute::nullif;

use super::blanks::{is_untidy, trimmed};
use super::spans;

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
    if !spans(values).any(|(start, end)| is_untidy(bytes, start, end)) {
        return values.clone();
    }
    let (offsets, kept) = trimmed_bytes(values);
    rebuilt(values, offsets, kept)
}

/// How many bytes are copied at once, beyond a shorter value's end: most values are copied by a few
/// instructions, where a copy of just their length is a call into the host.
const STRIDE: usize = 32;

// Any engine that runs plugins has vectors, so the author need not ask for them.
#[cfg_attr(target_family = "wasm", target_feature(enable = "simd128"))]
fn trimmed_bytes(values: &StringArray) -> (Vec<i32>, Vec<u8>) {
    let bytes = values.value_data();
    let mut kept = vec![0; used(values).len() + STRIDE];
    let mut length = 0;
    let mut offsets = Vec::with_capacity(values.len() + 1);
    offsets.push(0);
    offsets.extend(spans(values).map(|(start, end)| {
        let (start, end) = trimmed(bytes, start, end);
        let size = end - start;
        match (
            bytes.get(start..).and_then(<[u8]>::first_chunk::<STRIDE>),
            kept.get_mut(length..)
                .and_then(<[u8]>::first_chunk_mut::<STRIDE>),
        ) {
            (Some(from), Some(to)) if size <= STRIDE => *to = *from,
            _ => {
                let from = bytes.get(start..end).unwrap_or_default();
                if let Some(to) = kept.get_mut(length..length + size) {
                    to.copy_from_slice(from);
                }
            }
        }
        length += size;
        length as i32 // No more than there were.
    }));
    kept.truncate(length);
    (offsets, kept)
}

/// Makes ASCII letters upper-case; all others stay as they are.
pub fn upper(values: &StringArray) -> StringArray {
    let bytes = used(values);
    if !any_lower(bytes) {
        return values.clone();
    }
    let first = values.value_offsets().first().copied().unwrap_or_default();
    let offsets = values.value_offsets().iter().map(|offset| offset - first);
    rebuilt(values, offsets.collect(), uppercased(bytes))
}

/// Bytes that one turn of a loop takes, so many that the deadline check of a turn costs little.
const BLOCK: usize = 128;

#[cfg_attr(target_family = "wasm", target_feature(enable = "simd128"))]
fn any_lower(bytes: &[u8]) -> bool {
    let lower = |byte: &u8| byte.wrapping_sub(b'a') < 26;
    let (blocks, rest) = bytes.as_chunks::<BLOCK>();
    // All of a block is looked at, so that the compiler can compare many bytes at once.
    let in_block = |block: &[u8; BLOCK]| block.iter().fold(false, |any, byte| any | lower(byte));
    blocks.iter().any(in_block) || rest.iter().any(lower)
}

#[cfg_attr(target_family = "wasm", target_feature(enable = "simd128"))]
fn uppercased(bytes: &[u8]) -> Vec<u8> {
    let upper = |byte: u8| byte ^ (u8::from(byte.wrapping_sub(b'a') < 26) << 5);
    let mut out = vec![0; bytes.len()];
    let (blocks, rest) = bytes.as_chunks::<BLOCK>();
    let (out_blocks, out_rest) = out.as_chunks_mut::<BLOCK>();
    for (block, out) in blocks.iter().zip(out_blocks) {
        for (byte, out) in block.iter().zip(out) {
            *out = upper(*byte);
        }
    }
    for (byte, out) in rest.iter().zip(out_rest) {
        *out = upper(*byte);
    }
    out
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

/// The column with these values, after whole ASCII characters were taken away or replaced by others.
fn rebuilt(values: &StringArray, offsets: Vec<i32>, bytes: Vec<u8>) -> StringArray {
    let (offsets, bytes) = (ScalarBuffer::from(offsets), Buffer::from_vec(bytes));
    let nulls = values.nulls().cloned();
    if cfg!(debug_assertions) {
        return StringArray::try_new(OffsetBuffer::new(offsets), bytes, nulls)
            .expect("only whole ASCII characters were taken away or replaced");
    }
    // Reading every byte again to see that it is UTF-8 costs as much as the kernel itself; and the host
    // reads them all again in any case.
    #[expect(
        unsafe_code,
        reason = "what was UTF-8 still is, without whole characters of it"
    )]
    // SAFETY: offsets and bytes are those of a valid array, from zero and never falling, less whole
    // ASCII characters at the edges of values, or with ASCII letters replaced by ASCII letters. The
    // validity is that array's and as long as it.
    unsafe {
        StringArray::new_unchecked(OffsetBuffer::new_unchecked(offsets), bytes, nulls)
    }
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
