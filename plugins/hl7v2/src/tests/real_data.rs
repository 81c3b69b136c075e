//! Messages that others wrote, where `WEIR_REAL_DATA` names the folder that holds them. The
//! figures are those of Python's `re.split` and `str.split`.

use super::*;

fn file(name: &str) -> Option<Vec<u8>> {
    testing::real_file(&format!("hl7v2_linuxforhealth/{name}"))
}

#[test]
fn real_messages_are_read_whole() {
    let oru = ["MSH", "PID", "NTE", "PV1", "OBR", "OBX", "OBX", "OBX"];
    let mixed = [&oru[..], &["OBX"]].concat();
    let adt = ["MSH", "EVN", "PID", "PV1", "OBX", "AL1", "AL1", "PRB"];
    // Fields, the separator that is MSH-1 among them.
    let oru_fields = [24, 18, 3, 52, 28, 14, 14, 14];
    let mixed_fields = [24, 18, 3, 52, 28, 14, 14, 14, 14];
    let adt_fields = [24, 2, 23, 45, 17, 5, 5, 8];
    for (name, names, fields, kind, id) in [
        (
            "ORU-multiline-short.hl7",
            &oru[..],
            &oru_fields[..],
            "ORU^R01^ORU_R01",
            "MSGID00231",
        ),
        (
            "ORU-multiline-short-mixed.hl7",
            &mixed,
            &mixed_fields,
            "ORU^R01^ORU_R01",
            "MSGID00231",
        ),
        ("sample_unix.hl7", &adt, &adt_fields, "ADT^A01", "102"),
        ("sample_win.hl7", &adt, &adt_fields, "ADT^A01", "102"),
    ] {
        let Some(bytes) = file(name) else { return };
        let decoded = decode("{}", &bytes);
        assert_eq!(decoded.rejections, [], "{name}");
        assert_eq!(texts(&decoded, "name"), some(names), "{name}");
        let found: Vec<_> = lists(&decoded, "fields")
            .into_iter()
            .map(|list| list.unwrap().len())
            .collect();
        assert_eq!(found, fields, "{name}");
        assert_eq!(
            texts(&decoded, "type"),
            some(&vec![kind; names.len()]),
            "{name}"
        );
        assert_eq!(
            texts(&decoded, "control_id"),
            some(&vec![id; names.len()]),
            "{name}"
        );
    }
}

/// The escape character is doubled in its MSH-2, and stray ones stand at ends of segments.
#[test]
fn real_columns_are_read() {
    let config = r#"{ "segment": "PID", "columns": {
        "mrn": "3.1", "ids": "3[*].1", "ssn": "3[2].5", "family": "5.1", "zip": "11.5", "race": "10[*].1"
    } }"#;
    let Some(bytes) = file("sample_unix.hl7") else {
        return;
    };
    let decoded = decode(config, &bytes);
    assert_eq!(texts(&decoded, "mrn"), some(&["PID1234"]));
    assert_eq!(
        lists(&decoded, "ids"),
        [Some(some(&["PID1234", "1234568965"]))]
    );
    assert_eq!(texts(&decoded, "ssn"), some(&["SS"]));
    assert_eq!(texts(&decoded, "family"), some(&["DOE"]));
    assert_eq!(texts(&decoded, "zip"), some(&["111-1111"]));
    assert_eq!(lists(&decoded, "race"), [Some(some(&["W"]))]);
    let config = r#"{ "segment": "AL1", "columns": { "reaction": "5[*]" } }"#;
    let decoded = decode(config, &bytes);
    let reactions = lists(&decoded, "reaction");
    assert_eq!(
        reactions,
        [
            Some(some(&["HYPOTENSION"])),
            Some(some(&["SEIZURES", "VOMITING\\r"]))
        ]
    );
    let Some(bytes) = file("ORU-multiline-short.hl7") else {
        return;
    };
    let config = r#"{ "segment": "PID", "columns": { "zip": "11.5", "city": "11[3].3", "street": "11[4].1.2" } }"#;
    let decoded = decode(config, &bytes);
    assert_eq!(texts(&decoded, "zip"), some(&["L6G 1C7"]));
    assert_eq!(texts(&decoded, "city"), some(&["Unionville"]));
    assert_eq!(texts(&decoded, "street"), some(&["Warden Av"]));
}
