//! Interchanges that others wrote, where `WEIR_REAL_DATA` names the folder that holds them.

use super::*;

/// Each file, how many segments Python's `split("~")` finds in it, and how many of these are in
/// its one set.
const FILES: [(&str, usize, usize); 38] = [
    ("835_005010X221A1/cob-contractural-adjustment.835", 29, 25),
    ("835_005010X221A1/managed-care.835", 30, 26),
    ("835_005010X221A1/medicare-part-a.835", 32, 28),
    ("835_005010X221A1/secondary-payment.835", 42, 38),
    ("835_005010X221A1/tertiary-payment.835", 27, 23),
    ("837_004010X096A1/automobile-accident.837", 48, 44),
    ("837_004010X096A1/homeowners.837", 46, 42),
    ("837_004010X096A1/institutional-ppo-repriced.837", 51, 47),
    ("837_004010X096A1/institutional.837", 48, 44),
    ("837_004010X096A1/workers-compensation.837", 47, 43),
    ("837_004010X098A1/coordination-of-benefits.837", 53, 49),
    (
        "837_004010X098A1/dependent-commercial-insurance-01.837",
        58,
        54,
    ),
    (
        "837_004010X098A1/dependent-commercial-insurance-02.837",
        55,
        51,
    ),
    (
        "837_004010X098A1/dependent-commercial-insurance-03.837",
        43,
        39,
    ),
    ("837_004010X098A1/patient-is-dependent.837", 55, 51),
    ("837_004010X098A1/patient-is-subscriber.837", 46, 42),
    ("837_005010X222A2/demo.ambulance.example5.837", 56, 52),
    ("837_005010X222A2/demo.autoaccident.837", 43, 39),
    ("837_005010X222A2/demo.cob.2ndary.example4.837", 33, 29),
    ("837_005010X222A2/demo.cob.example3.A.837", 55, 51),
    ("837_005010X222A2/demo.cob.example3.B.837", 66, 62),
    ("837_005010X222A2/demo.cob.example3.C.837", 68, 64),
    ("837_005010X222A2/demo.cob.example4.837", 46, 42),
    ("837_005010X222A2/demo.drug.example10.1.837", 35, 31),
    ("837_005010X222A2/demo.drug.example10.2.837", 69, 65),
    ("837_005010X222A2/demo.drug.example10.3.837", 69, 65),
    ("837_005010X222A2/demo.example1.837", 44, 40),
    ("837_005010X222A2/demo.example11.837", 41, 37),
    ("837_005010X222A2/demo.example12.837", 43, 39),
    ("837_005010X222A2/demo.example2.837", 45, 41),
    ("837_005010X222A2/demo.example6.837", 33, 29),
    ("837_005010X222A2/demo.example7.837", 70, 66),
    ("837_005010X222A2/demo.example8.837", 47, 43),
    ("837_005010X222A2/demo.example9.837", 33, 29),
    ("837_005010X223A3/institutional-claim.837i", 46, 42),
    (
        "837_005010X223A3/out-of-network-repriced-claim.837i",
        35,
        31,
    ),
    ("837_005010X223A3/ppo-repriced-claim.837i", 52, 48),
    ("837_005010X223A3/two-claims-single-provider.837i", 52, 48),
];

#[test]
fn real_interchanges_are_read_whole() {
    for (name, segments, in_set) in FILES {
        let Some(bytes) = testing::real_file(&format!("x12_linuxforhealth/{name}")) else {
            return;
        };
        let file = String::from_utf8(bytes).unwrap();
        let decoded = decode("{}", &file);
        assert_eq!(decoded.rejections, [], "{name}");
        assert_eq!(decoded.rows.num_rows(), segments, "{name}");
        assert_eq!(
            segments - decoded.rows["segment"].null_count(),
            in_set,
            "{name}"
        );
        let set = name.get(..3).unwrap();
        assert_eq!(texts(&decoded, "set")[2].as_deref(), Some(set), "{name}");
        // Put together again it is the file.
        let names = texts(&decoded, "name").into_iter().flatten();
        let again: String = lists(&decoded, "elements")
            .into_iter()
            .zip(names)
            .map(|(elements, name)| {
                let elements: Vec<String> = elements.unwrap().into_iter().flatten().collect();
                format!("{name}*{}~\n", elements.join("*"))
            })
            .collect();
        assert_eq!(again.trim_end(), file.trim_end(), "{name}");
    }
}

#[test]
fn real_claims_are_read() {
    let name = "x12_linuxforhealth/835_005010X221A1/managed-care.835";
    let Some(bytes) = testing::real_file(name) else {
        return;
    };
    let file = String::from_utf8(bytes).unwrap();
    let config = r#"{ "segment": "CLP", "set": "835", "columns": { "claim": "1", "charged": "3", "paid": "4" } }"#;
    let decoded = decode(config, &file);
    assert_eq!(
        texts(&decoded, "claim"),
        some(&["5554555444", "8765432112"])
    );
    assert_eq!(texts(&decoded, "charged"), some(&["800.00", "1200.00"]));
    assert_eq!(texts(&decoded, "paid"), some(&["450.00", "495.00"]));
    assert_eq!(texts(&decoded, "control"), some(&["112233", "112233"]));
    assert_eq!(texts(&decoded, "group"), some(&["1", "1"]));
    assert_eq!(places(&decoded), [Some(11), Some(18)]);
    let config = r#"{ "segment": "SVC", "columns": { "kind": "1-1", "code": "1-2" } }"#;
    let decoded = decode(config, &file);
    assert_eq!(texts(&decoded, "kind"), some(&["HC", "HC"]));
    assert_eq!(texts(&decoded, "code"), some(&["99211", "93555"]));
}
