//! CSV files, read without the code under test.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

/// A row: values by column, columns in lower case.
pub type Row = BTreeMap<String, String>;

/// The rows of a file with a header. Fields may be quoted, but hold no quotes and no line ends.
pub fn rows(path: &Path) -> Vec<Row> {
    let text = fs::read_to_string(path).expect("a CSV file");
    let mut lines = text.lines().map(fields);
    let header: Vec<String> = lines
        .next()
        .expect("a header")
        .iter()
        .map(|name| name.to_lowercase())
        .collect();
    lines
        .map(|row| {
            assert_eq!(row.len(), header.len(), "{}", path.display());
            header.iter().cloned().zip(row).collect()
        })
        .collect()
}

/// The fields of a line.
pub fn fields(line: &str) -> Vec<String> {
    let (mut fields, mut field, mut quoted) = (Vec::new(), String::new(), false);
    for letter in line.chars() {
        match letter {
            '"' => quoted = !quoted,
            ',' if !quoted => fields.push(std::mem::take(&mut field)),
            _ => field.push(letter),
        }
    }
    fields.push(field);
    fields
}

/// The files of a folder whose names contain `part`, in order.
pub fn files(dir: &Path, part: &str) -> Vec<PathBuf> {
    let mut files: Vec<PathBuf> = fs::read_dir(dir)
        .expect("a folder")
        .map(|entry| entry.expect("an entry").path())
        .filter(|path| path.to_string_lossy().contains(part))
        .collect();
    files.sort();
    files
}
