//! The batches that are measured: the same rows in every harness, whatever its version of Arrow.

use std::sync::Arc;

use arrow::array::{ArrayRef, Float64Array, Int64Array, RecordBatch, StringArray};
use arrow::error::ArrowError;

/// Rows of each batch: the most that Weir sends at once.
pub(crate) const ROWS: usize = 8_192;

/// Names as a form gives them: `id` int64, `name` utf8 with blanks around it, `amount` float64.
/// A name has 8 to 24 bytes; one in 64 is not ASCII, one in 32 is null, as is one amount in 32.
pub(crate) fn texts() -> Result<RecordBatch, ArrowError> {
    const FIRST: [&str; 8] = [
        "anna",
        "Bo",
        "chidi",
        "Dolores",
        "esther",
        "Farid",
        "gil",
        "Hanne-Lore",
    ];
    const LAST: [&str; 8] = [
        "okafor", "li", "Garcia", "de vries", "o'neill", "Smith", "van Dyk", "ng",
    ];
    let mut random = Random(1);
    let mut names = Vec::with_capacity(ROWS);
    let mut amounts = Vec::with_capacity(ROWS);
    for _ in 0..ROWS {
        let first = if random.one_in(64) {
            "Zoë"
        } else {
            random.pick(&FIRST)
        };
        let last = random.pick(&LAST);
        let (before, after) = (
            random.pick(&["", "", " ", "\t "]),
            random.pick(&["", "", "  ", " \r"]),
        );
        let name = format!("{before}{first} {last}{after}");
        names.push((!random.one_in(32)).then_some(name));
        let amount = random.below(100_000_000) as f64 / 7_000.0 - 900.0;
        amounts.push((!random.one_in(32)).then_some(amount));
    }
    RecordBatch::try_from_iter_with_nullable([
        ("id", Arc::new(ids()) as ArrayRef, false),
        ("name", Arc::new(StringArray::from(names)), true),
        ("amount", Arc::new(Float64Array::from(amounts)), true),
    ])
}

/// Claims to be settled: `id` int64; `billed`, `allowed`, `rate` and `days` float64. One `allowed`
/// in 32 is null.
pub(crate) fn numbers() -> Result<RecordBatch, ArrowError> {
    let mut random = Random(2);
    let mut column = |scale: f64| -> Vec<f64> {
        (0..ROWS)
            .map(|_| random.below(1_000_000) as f64 * scale)
            .collect()
    };
    let (billed, allowed, rate, days) = (column(0.013), column(0.011), column(8e-7), column(4e-4));
    let allowed: Vec<Option<f64>> = allowed
        .into_iter()
        .map(|value| (!random.one_in(32)).then_some(value))
        .collect();
    RecordBatch::try_from_iter_with_nullable([
        ("id", Arc::new(ids()) as ArrayRef, false),
        ("billed", Arc::new(Float64Array::from(billed)), false),
        ("allowed", Arc::new(Float64Array::from(allowed)), true),
        ("rate", Arc::new(Float64Array::from(rate)), false),
        ("days", Arc::new(Float64Array::from(days)), false),
    ])
}

fn ids() -> Int64Array {
    (233_004_489_000..).take(ROWS).collect::<Vec<i64>>().into()
}

/// SplitMix64: the same numbers everywhere.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        mixed ^ (mixed >> 31)
    }

    fn below(&mut self, limit: u64) -> u64 {
        self.next() % limit
    }

    fn one_in(&mut self, chances: u64) -> bool {
        self.below(chances) == 0
    }

    fn pick<'a>(&mut self, words: &[&'a str]) -> &'a str {
        let at = self.below(words.len() as u64) as usize;
        words.get(at).copied().unwrap_or_default()
    }
}
