//! Files with bytes changed, cut out and doubled: nothing panics, and each byte is somewhere.

use super::*;

#[test]
fn any_bytes_are_rows_or_rejected() {
    let lines = format!(
        "{ANN}\n{OBS}\n{{\"resourceType\":\"Bundle\",\"entry\":[{{\"resource\":{BOB}}},{{\"resource\":{OBS}}}]}}\n"
    );
    let laid_out = lines.replace(',', ",\n").replace('{', "{\n  ");
    let configs = [
        "{}",
        r#"{ "max_bytes": 40 }"#,
        r#"{ "columns": { "a": "id", "b": "valueQuantity.value", "c": "valueQuantity", "d": "entry[*].resource.id" } }"#,
    ];
    const TELLING: &[u8] = b"{}[]\",:\\\n x\xff\x00nt1.";
    let lines = testing::mutations(lines.as_bytes(), TELLING).take(1_500);
    let laid_out = testing::mutations(laid_out.as_bytes(), TELLING).take(1_500);
    for (round, file) in lines.chain(laid_out).enumerate() {
        let config = configs[round % configs.len()];
        let decoded = Harness::new(config).decode::<Fhir>(&[&file]).unwrap();
        let shown = || file.escape_ascii().to_string();
        let mut end = 0;
        for rejected in &decoded.rejections {
            assert!(
                rejected.offset >= end && rejected.length > 0,
                "they are apart: {}",
                shown()
            );
            end = rejected.offset + rejected.length;
            assert!(end <= file.len() as u64, "{}", shown());
        }
        if decoded.rows.column_by_name("resource").is_none() {
            continue;
        }
        // What was made of the file is no more than the file, and at least what stood outside of Bundles.
        let rejected: u64 = decoded
            .rejections
            .iter()
            .map(|rejected| rejected.length)
            .sum();
        let rows: usize = texts(&decoded, "resource")
            .iter()
            .flatten()
            .map(String::len)
            .sum();
        assert!(rows as u64 + rejected <= file.len() as u64, "{}", shown());
        for row in texts(&decoded, "resource").iter().flatten() {
            let value: serde_json::Value = serde_json::from_str(row).unwrap();
            assert!(value["resourceType"].is_string());
        }
        let is_bundle = file.windows(6).any(|bytes| bytes == b"Bundle");
        let is_escaped = file.contains(&b'\\');
        if !is_bundle && !is_escaped {
            let kept =
                |byte: &&u8| !byte.is_ascii_whitespace() && !matches!(byte, 0xef | 0xbb | 0xbf);
            let kept = file.iter().filter(kept).count() as u64;
            assert!(rows as u64 + rejected >= kept, "{}", shown());
        }
    }
}
