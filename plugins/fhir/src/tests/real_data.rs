//! Resources that others wrote, where `WEIR_REAL_DATA` names the folder that holds them. The
//! figures are those of Python's `json`.

use super::*;

fn file(name: &str) -> Option<String> {
    let bytes = testing::real_file(&format!("cms_bfd_fhir/{name}"))?;
    Some(String::from_utf8(bytes).unwrap())
}

#[test]
fn real_resources_are_read_whole() {
    for (name, kind, id) in [
        ("v1_eobReadPde.json", "ExplanationOfBenefit", "pde-89"),
        ("v1_patientRead.json", "Patient", "567834"),
        ("v2_coverageRead.json", "Coverage", "part-a-567834"),
        (
            "v2_eobReadCarrier.json",
            "ExplanationOfBenefit",
            "carrier-9991831999",
        ),
        (
            "v2_eobReadInpatient.json",
            "ExplanationOfBenefit",
            "inpatient-333333222222",
        ),
        (
            "v2_eobReadOutpatient.json",
            "ExplanationOfBenefit",
            "outpatient-1234567890",
        ),
        ("v2_eobReadPde.json", "ExplanationOfBenefit", "pde-89"),
        ("v2_patientRead.json", "Patient", "567834"),
        // A Bundle of one.
        ("v2_patientSearchById.json", "Patient", "567834"),
    ] {
        let Some(file) = file(name) else { return };
        let decoded = decode("{}", &file);
        assert_eq!(decoded.rejections, [], "{name}");
        assert_eq!(texts(&decoded, "resource_type"), some(&[kind]), "{name}");
        assert_eq!(texts(&decoded, "id"), some(&[id]), "{name}");
        let mut value: serde_json::Value = serde_json::from_str(&file).unwrap();
        if value["resourceType"] == "Bundle" {
            value = value["entry"][0]["resource"].take();
        }
        let resource = texts(&decoded, "resource").remove(0).unwrap();
        let again: serde_json::Value = serde_json::from_str(&resource).unwrap();
        assert_eq!(again, value, "{name}");
    }
}

#[test]
fn real_columns_are_read() {
    let Some(bundle) = file("v2_patientSearchById.json") else {
        return;
    };
    let config = r#"{ "resource": "Patient", "columns": {
        "id": "id", "birth": "birthDate", "family": "name[0].family", "given": "name[*].given[*]",
        "systems": "identifier[*].system", "values": "identifier[*].value", "gone": "deceasedBoolean"
    } }"#;
    let decoded = decode(config, &bundle);
    let value: serde_json::Value = serde_json::from_str(&bundle).unwrap();
    let patient = &value["entry"][0]["resource"];
    let text = |value: &serde_json::Value| value.as_str().map(str::to_owned);
    assert_eq!(texts(&decoded, "id"), some(&["567834"]));
    assert_eq!(texts(&decoded, "birth"), [text(&patient["birthDate"])]);
    assert!(texts(&decoded, "birth")[0].is_some());
    assert_eq!(
        texts(&decoded, "family"),
        [text(&patient["name"][0]["family"])]
    );
    let items = |items: &serde_json::Value, key: &str| -> Option<Vec<Option<String>>> {
        Some(
            items
                .as_array()
                .unwrap()
                .iter()
                .map(|item| text(&item[key]))
                .collect(),
        )
    };
    let given = patient["name"][0]["given"]
        .as_array()
        .unwrap()
        .iter()
        .map(text)
        .collect();
    assert_eq!(lists(&decoded, "given"), [Some(given)]);
    assert_eq!(
        lists(&decoded, "systems"),
        [items(&patient["identifier"], "system")]
    );
    assert_eq!(
        lists(&decoded, "values"),
        [items(&patient["identifier"], "value")]
    );
    let Some(claim) = file("v2_eobReadCarrier.json") else {
        return;
    };
    let config = r#"{ "columns": { "paid": "payment.amount.value", "totals": "total[*].amount.value", "status": "status" } }"#;
    let decoded = decode(config, &claim);
    // Numbers are as they are written.
    assert_eq!(texts(&decoded, "paid"), some(&["199.99"]));
    assert_eq!(lists(&decoded, "totals"), [Some(some(&["0.0"]))]);
    assert_eq!(texts(&decoded, "status"), some(&["active"]));
}

/// Claims that are JSON on each line, and no FHIR.
#[test]
fn real_lines_that_are_no_resources_are_rejected() {
    for (name, last) in [
        ("SAMPLE-FISS.ndjson", (85076, 621)),
        ("SAMPLE-MCS.ndjson", (177381, 1283)),
    ] {
        let Some(file) = file(name) else { return };
        let decoded = decode("{}", &file);
        assert_eq!(decoded.rows.num_rows(), 0);
        assert_eq!(decoded.rejections.len(), 100);
        assert!(
            rejected(&decoded)
                .iter()
                .all(|rejected| rejected.0 == "not_a_resource")
        );
        assert_eq!(rejected(&decoded)[99], ("not_a_resource", last.0, last.1));
    }
}
