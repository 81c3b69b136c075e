//! Files with bytes changed, cut out and doubled: nothing panics, and each byte is somewhere.

use super::*;

#[test]
fn any_bytes_are_rows_or_rejected() {
    let seed = interchange(&["CLP*A:1^B*1*800", "CAS*CO*A2*50.00"]) + "x\n" + &interchange(&[]);
    let configs = [
        "{}",
        r#"{ "max_bytes": 20 }"#,
        r#"{ "segment": "CLP", "set": "835", "columns": { "a": "1[*]-1", "b": "2-1", "c": "3" } }"#,
    ];
    let files = testing::mutations(seed.as_bytes(), b"*~:^\r\nISA\xff\x00IEASTSE3").take(3_000);
    for (round, file) in files.enumerate() {
        let config = configs[round % configs.len()];
        let decoded = Harness::new(config).decode::<X12>(&[&file]).unwrap();
        let shown = || file.escape_ascii().to_string();
        let mut end = 0;
        for rejected in &decoded.rejections {
            assert!(rejected.offset >= end, "they are apart: {}", shown());
            end = rejected.offset + rejected.length;
            assert!(end <= file.len() as u64, "{}", shown());
        }
        if decoded.rows.column_by_name("elements").is_none() {
            continue;
        }
        let rejected: u64 = decoded
            .rejections
            .iter()
            .map(|rejected| rejected.length)
            .sum();
        let names = texts(&decoded, "name").into_iter().flatten();
        let rows: usize = lists(&decoded, "elements")
            .into_iter()
            .zip(names)
            .map(|(elements, name)| {
                let elements = elements.unwrap();
                let text: usize = elements.iter().flatten().map(String::len).sum();
                name.len() + elements.len() + text
            })
            .sum();
        let accounted = rows as u64 + rejected;
        // Ends of segments are nowhere; they may be any mark.
        let kept = |byte: &&u8| byte.is_ascii_alphanumeric();
        assert!(accounted <= file.len() as u64, "{}", shown());
        assert!(
            accounted >= file.iter().filter(kept).count() as u64,
            "{}",
            shown()
        );
    }
}
