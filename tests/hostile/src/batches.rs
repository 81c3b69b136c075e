//! Buffers, made by hand.

/// 32-bit offsets as a buffer.
pub fn offsets(values: &[i32]) -> Vec<u8> {
    values
        .iter()
        .flat_map(|value| value.to_le_bytes())
        .collect()
}

/// 64-bit integers as a buffer.
pub fn int64(values: &[i64]) -> Vec<u8> {
    values
        .iter()
        .flat_map(|value| value.to_le_bytes())
        .collect()
}

/// 64-bit floats as a buffer.
pub fn float64(values: &[f64]) -> Vec<u8> {
    values
        .iter()
        .flat_map(|value| value.to_le_bytes())
        .collect()
}

/// The 64-bit integers of a buffer.
pub fn as_int64(buffer: &[u8]) -> Vec<i64> {
    let (values, _) = buffer.as_chunks::<8>();
    values
        .iter()
        .map(|value| i64::from_le_bytes(*value))
        .collect()
}

/// The longest of some buffers as text: what a guest of row 19 leaks.
pub fn text(buffers: &[Vec<u8>]) -> String {
    let longest = buffers.iter().max_by_key(|buffer| buffer.len());
    String::from_utf8_lossy(longest.map_or(&[], Vec::as_slice)).into_owned()
}
