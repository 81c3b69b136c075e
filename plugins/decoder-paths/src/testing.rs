//! What tests of decoders need: columns as values, files of others, and files gone wrong.

#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "tests may fail loudly"
)]

use std::path::PathBuf;

use weir_plugin::arrow::array::{ArrayRef, AsArray};
use weir_plugin::arrow::record_batch::RecordBatch;

/// The values of a column of text.
pub fn texts(rows: &RecordBatch, column: &str) -> Vec<Option<String>> {
    let values = rows.column_by_name(column).unwrap().as_string::<i32>();
    let values = values.iter();
    values.map(|value| value.map(str::to_owned)).collect()
}

/// The values of a column of lists of text.
pub fn lists(rows: &RecordBatch, column: &str) -> Vec<Option<Vec<Option<String>>>> {
    let lists = rows.column_by_name(column).unwrap().as_list::<i32>();
    let items = |items: ArrayRef| {
        let items = items.as_string::<i32>();
        items.iter().map(|item| item.map(str::to_owned)).collect()
    };
    lists.iter().map(|list| list.map(items)).collect()
}

/// Values that are there.
pub fn some(values: &[&str]) -> Vec<Option<String>> {
    values
        .iter()
        .map(|value| Some((*value).to_owned()))
        .collect()
}

/// A file in the folder that `WEIR_REAL_DATA` names. None, with a note, if it names none.
pub fn real_file(path: &str) -> Option<Vec<u8>> {
    let Some(root) = std::env::var_os("WEIR_REAL_DATA") else {
        eprintln!("skipped {path}: WEIR_REAL_DATA is not set");
        return None;
    };
    Some(std::fs::read(PathBuf::from(root).join(path)).unwrap())
}

/// Copies of a file with bytes changed, cut out, doubled, and put in from `telling`: the same ones
/// every time.
pub fn mutations(file: &[u8], telling: &[u8]) -> impl Iterator<Item = Vec<u8>> {
    // xorshift
    let mut state = 0x9e37_79b9_7f4a_7c15_u64;
    let mut below = move |bound: usize| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        (state % bound as u64) as usize
    };
    std::iter::from_fn(move || {
        let mut file = file.to_vec();
        for _ in 0..=below(8) {
            let at = below(file.len() + 1);
            let to = (at + below(12)).min(file.len());
            let telling = telling[below(telling.len())];
            match below(5) {
                0 => drop(file.splice(at..to, [below(256) as u8])),
                1 => drop(file.splice(at..to, [telling])),
                2 => drop(file.drain(at..to)),
                3 => {
                    let part = file[at..to].to_vec();
                    drop(file.splice(at..at, part));
                }
                _ => file.insert(at, telling),
            }
        }
        Some(file)
    })
}
