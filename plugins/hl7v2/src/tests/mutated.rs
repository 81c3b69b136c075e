//! Files with bytes changed, cut out and doubled: nothing panics, and each byte is somewhere.

use super::*;

#[test]
fn any_bytes_are_rows_or_rejected() {
    const TELLING: &[u8] = b"|^~\\&\r\n\x0b\x1c\"M\xff\x00X";
    let seed =
        format!("FHS|^~\\&|\rBHS|^~\\&|\r\x0b{ADT}\x1c\rMSH#*!%?#\nPID#%F%#\"\"\nBTS|1\rFTS|1\r");
    let configs = [
        "{}",
        r#"{ "max_bytes": 20 }"#,
        r#"{ "segment": "PID", "columns": { "a": "3[*].1", "b": "5.2.2", "c": "1" } }"#,
    ];
    let files = testing::mutations(seed.as_bytes(), TELLING).take(3_000);
    for (round, file) in files.enumerate() {
        let config = configs[round % configs.len()];
        let decoded = decode(config, &file);
        let mut end = 0;
        for rejected in &decoded.rejections {
            assert!(
                rejected.offset >= end && rejected.length > 0,
                "they are apart"
            );
            end = rejected.offset + rejected.length;
            assert!(end <= file.len() as u64);
        }
        if decoded.rows.column_by_name("fields").is_none() {
            continue;
        }
        let rejected: u64 = decoded
            .rejections
            .iter()
            .map(|rejected| rejected.length)
            .sum();
        let names = texts(&decoded, "name");
        let rows: usize = lists(&decoded, "fields")
            .into_iter()
            .zip(&names)
            .map(|(fields, name)| {
                let fields = fields.unwrap();
                let text: usize = fields.iter().flatten().map(String::len).sum();
                // The first two fields of a header are not separated.
                let separators = match separators::is_header(name.as_deref().unwrap()) {
                    true => fields.len() - 2,
                    false => fields.len(),
                };
                3 + text + separators
            })
            .sum();
        let accounted = rows as u64 + rejected;
        let marks = |byte: &&u8| !matches!(byte, b'\r' | b'\n' | 0x0b | 0x1c | 0xef | 0xbb | 0xbf);
        assert!(
            accounted <= file.len() as u64,
            "{:?}",
            file.escape_ascii().to_string()
        );
        assert!(
            accounted >= file.iter().filter(marks).count() as u64,
            "{:?}",
            file.escape_ascii().to_string()
        );
    }
}
