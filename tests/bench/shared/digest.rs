//! A digest of a batch's values, by which harnesses with different versions of Arrow show that they
//! computed the same rows.

use arrow::array::{Array, AsArray, RecordBatch};
use arrow::datatypes::{DataType, Float64Type, Int64Type};

/// FNV-1a over every value and null, column by column. None if a column is of another type than
/// int64, float64 or utf8.
pub(crate) fn digest(rows: &RecordBatch) -> Option<u64> {
    let mut hash = Fnv(0xcbf2_9ce4_8422_2325);
    hash.add(&(rows.num_rows() as u64).to_le_bytes());
    for column in rows.columns() {
        for row in 0..column.len() {
            hash.add(&[u8::from(column.is_null(row))]);
            if column.is_null(row) {
                continue;
            }
            match column.data_type() {
                DataType::Int64 => {
                    hash.add(&column.as_primitive::<Int64Type>().value(row).to_le_bytes());
                }
                DataType::Float64 => {
                    let bits = column.as_primitive::<Float64Type>().value(row).to_bits();
                    hash.add(&bits.to_le_bytes());
                }
                DataType::Utf8 => hash.add(column.as_string::<i32>().value(row).as_bytes()),
                _ => return None,
            }
        }
    }
    Some(hash.0)
}

struct Fnv(u64);

impl Fnv {
    fn add(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.0 = (self.0 ^ u64::from(*byte)).wrapping_mul(0x0000_0100_0000_01b3);
        }
    }
}
