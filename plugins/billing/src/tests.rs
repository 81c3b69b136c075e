use super::*;

use weir_plugin::testing::Harness;

const TABLES: [(&str, Table, usize); 9] = [
    ("fact_table", Table::Fact, 16),
    ("dim_patient", Table::DimPatient, 9),
    ("dim_physician", Table::DimPhysician, 5),
    ("dim_transaction", Table::DimTransaction, 4),
    ("dim_payer", Table::DimPayer, 2),
    ("dim_location", Table::DimLocation, 2),
    ("dim_date", Table::DimDate, 8),
    ("dim_cpt_code", Table::DimCptCode, 4),
    ("dim_diagnosis_code", Table::DimDiagnosisCode, 4),
];

fn harness(table: &str) -> Harness {
    Harness::new(format!(r#"{{ "table": "{table}" }}"#))
}

fn raw(table: Table) -> Schema {
    let columns = columns_of(table).iter();
    let fields: Vec<Field> = columns
        .map(|(name, _)| Field::new(*name, DataType::Utf8, true))
        .collect();
    Schema::new(fields)
}

#[test]
fn every_table_keeps_its_columns_in_order() {
    for (name, table, count) in TABLES {
        let outputs = harness(name).input(raw(table)).bind::<Billing>().unwrap();
        let typed = outputs[0].schema.fields();
        assert_eq!(typed.len(), count, "{name}");
        for (field, (column, kind)) in typed.iter().zip(columns_of(table)) {
            assert_eq!(
                (field.name().as_str(), field.data_type()),
                (*column, &kind.data_type())
            );
        }
    }
}

#[test]
fn the_pipeline_s_schemas_list_the_same_columns() {
    for (name, table, _) in TABLES {
        let path = format!(
            "{}/../../pipelines/billing/schemas/{name}.toml",
            env!("CARGO_MANIFEST_DIR")
        );
        let file = std::fs::read_to_string(path).unwrap();
        let listed: Vec<&str> = file
            .lines()
            .filter_map(|line| {
                line.trim_start()
                    .strip_prefix("{ name = \"")?
                    .split('"')
                    .next()
            })
            .collect();
        let expected: Vec<&str> = columns_of(table).iter().map(|(name, _)| *name).collect();
        assert_eq!(listed, expected, "{name}");
    }
}

#[test]
fn columns_that_do_not_fit_are_named() {
    let whole = raw(Table::DimPayer);
    let bind = |schema: Schema| {
        let bound = harness("dim_payer").input(schema).bind::<Billing>();
        bound.unwrap_err().to_string()
    };

    let mut fields = whole.fields().to_vec();
    fields.push(Arc::new(Field::new("landed_as", DataType::Utf8, true)));
    assert!(
        bind(Schema::new(fields))
            .starts_with("data: the table has no column landed_as\nhint: leave it out")
    );

    let mut fields = whole.fields().to_vec();
    fields[0] = Arc::new(Field::new("dim_payer_pk", DataType::Int64, true));
    assert_eq!(
        bind(Schema::new(fields)),
        "data: column `dim_payer_pk` is Int64, not text"
    );

    let lacking = Schema::new(whole.fields()[1..].to_vec());
    assert!(bind(lacking).starts_with("data: the input lacks dim_payer_pk"));
}
