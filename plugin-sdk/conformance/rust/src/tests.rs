//! Every fixture of `plugin-sdk/conformance`, read and made again by the Rust SDK.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use weir_plugin::arrow::array::UInt64Array;
use weir_plugin::arrow::compute::take_record_batch;
use weir_plugin::arrow::datatypes::{
    Date32Type, Date64Type, Decimal128Type, Float16Type, Float32Type, Float64Type, Int8Type,
    Int16Type, Int32Type, TimeUnit, UInt8Type, UInt16Type, UInt32Type, UInt64Type,
};
use weir_plugin::serde_json::{self, Value, json};
use weir_plugin::testing::{Call, Crossing, Harness};

use super::*;

fn fixture(name: &str) -> Value {
    let path: PathBuf = Path::new(env!("CARGO_MANIFEST_DIR")).join("..").join(name);
    serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap()
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap()
}

fn number<T: TryFrom<i64>>(value: &Value) -> T {
    T::try_from(value.as_i64().unwrap()).ok().unwrap()
}

fn list(value: &Value) -> &[Value] {
    value.as_array().unwrap()
}

fn numbers(value: &Value) -> Vec<u32> {
    list(value).iter().map(number).collect()
}

fn unit(value: &Value) -> TimeUnit {
    match text(&value["unit"]) {
        "second" => TimeUnit::Second,
        "millisecond" => TimeUnit::Millisecond,
        "microsecond" => TimeUnit::Microsecond,
        "nanosecond" => TimeUnit::Nanosecond,
        other => panic!("unit {other}"),
    }
}

fn field(value: &Value) -> Field {
    let children = || list(&value["children"]).iter().map(field);
    let data_type = match text(&value["type"]) {
        "boolean" => DataType::Boolean,
        "int8" => DataType::Int8,
        "int16" => DataType::Int16,
        "int32" => DataType::Int32,
        "int64" => DataType::Int64,
        "uint8" => DataType::UInt8,
        "uint16" => DataType::UInt16,
        "uint32" => DataType::UInt32,
        "uint64" => DataType::UInt64,
        "float16" => DataType::Float16,
        "float32" => DataType::Float32,
        "float64" => DataType::Float64,
        "utf8" => DataType::Utf8,
        "binary" => DataType::Binary,
        "date32" => DataType::Date32,
        "date64" => DataType::Date64,
        "time32" => DataType::Time32(unit(value)),
        "time64" => DataType::Time64(unit(value)),
        "timestamp" => DataType::Timestamp(unit(value), value["zone"].as_str().map(Arc::from)),
        "decimal128" => DataType::Decimal128(number(&value["precision"]), number(&value["scale"])),
        "list" => DataType::List(Arc::new(children().next().unwrap())),
        "struct" => DataType::Struct(children().collect()),
        other => panic!("type {other}"),
    };
    Field::new(
        text(&value["name"]),
        data_type,
        value["nullable"].as_bool().unwrap(),
    )
}

fn schema(fields: &Value) -> SchemaRef {
    Arc::new(Schema::new(
        list(fields).iter().map(field).collect::<Vec<_>>(),
    ))
}

fn crossing(value: &Value) -> Crossing {
    let bytes = |hex: &Value| {
        let digits = text(hex).as_bytes();
        digits
            .chunks(2)
            .map(|pair| u8::from_str_radix(std::str::from_utf8(pair).unwrap(), 16).unwrap())
            .collect()
    };
    Crossing {
        rows: number(&value["rows"]),
        nodes: list(&value["nodes"])
            .iter()
            .map(|node| (number(&node[0]), number(&node[1])))
            .collect(),
        buffers: list(&value["buffers"]).iter().map(bytes).collect(),
    }
}

/// The values of an array as the fixtures write them.
fn values(array: &dyn Array) -> Vec<Value> {
    (0..array.len()).map(|row| value(array, row)).collect()
}

fn value(array: &dyn Array, row: usize) -> Value {
    if array.is_null(row) {
        return Value::Null;
    }
    macro_rules! primitive {
        ($kind:ty) => {
            array.as_primitive::<$kind>().value(row)
        };
    }
    match array.data_type() {
        DataType::Boolean => json!(array.as_boolean().value(row)),
        DataType::Int8 => json!(primitive!(Int8Type)),
        DataType::Int16 => json!(primitive!(Int16Type)),
        DataType::Int32 => json!(primitive!(Int32Type)),
        DataType::Int64 => json!(primitive!(Int64Type).to_string()),
        DataType::UInt8 => json!(primitive!(UInt8Type)),
        DataType::UInt16 => json!(primitive!(UInt16Type)),
        DataType::UInt32 => json!(primitive!(UInt32Type)),
        DataType::UInt64 => json!(primitive!(UInt64Type).to_string()),
        DataType::Float16 => float(f64::from(primitive!(Float16Type))),
        DataType::Float32 => float(f64::from(primitive!(Float32Type))),
        DataType::Float64 => float(primitive!(Float64Type)),
        DataType::Utf8 => json!(array.as_string::<i32>().value(row)),
        DataType::Binary => {
            let bytes = array.as_binary::<i32>().value(row);
            json!(
                bytes
                    .iter()
                    .map(|byte| format!("{byte:02x}"))
                    .collect::<String>()
            )
        }
        DataType::Date32 => {
            json!(
                array
                    .as_primitive::<Date32Type>()
                    .value_as_date(row)
                    .unwrap()
                    .to_string()
            )
        }
        DataType::Date64 => {
            json!(
                array
                    .as_primitive::<Date64Type>()
                    .value_as_date(row)
                    .unwrap()
                    .to_string()
            )
        }
        DataType::Decimal128(..) => {
            json!(array.as_primitive::<Decimal128Type>().value_as_string(row))
        }
        DataType::List(_) => json!(values(array.as_list::<i32>().value(row).as_ref())),
        DataType::Struct(fields) => {
            let columns = array.as_struct().columns().iter();
            let named = fields.iter().zip(columns);
            named
                .map(|(field, column)| (field.name().clone(), value(column.as_ref(), row)))
                .collect::<serde_json::Map<_, _>>()
                .into()
        }
        DataType::Time32(_) => count::<4>(array, row),
        _ => count::<8>(array, row),
    }
}

/// Times and moments are written as counts.
fn count<const WIDTH: usize>(array: &dyn Array, row: usize) -> Value {
    let data = array.to_data();
    let bytes = &data.buffers()[0].as_slice()[row * WIDTH..][..WIDTH];
    let mut wide = [if bytes[WIDTH - 1] >> 7 == 1 { 0xff } else { 0 }; 8];
    wide[..WIDTH].copy_from_slice(bytes);
    json!(i64::from_le_bytes(wide).to_string())
}

fn float(value: f64) -> Value {
    match value {
        _ if value.is_nan() => json!("NaN"),
        f64::INFINITY => json!("Infinity"),
        f64::NEG_INFINITY => json!("-Infinity"),
        _ if value == 0.0 && value.is_sign_negative() => json!("-0"),
        _ => json!(value),
    }
}

/// Numbers are compared as numbers, `1` and `1.0` are the same; serde_json may read the last bit of
/// a float otherwise than it was written. The buffers are compared to the bit.
fn same(one: &Value, other: &Value) -> bool {
    match (one, other) {
        (Value::Number(one), Value::Number(other)) => {
            let (one, other) = (one.as_f64().unwrap(), other.as_f64().unwrap());
            (one - other).abs() <= one.abs() * f64::EPSILON
        }
        (Value::Array(one), Value::Array(other)) => {
            one.len() == other.len() && one.iter().zip(other).all(|(one, other)| same(one, other))
        }
        (Value::Object(one), Value::Object(other)) => {
            one.len() == other.len()
                && one
                    .iter()
                    .all(|(name, one)| other.get(name).is_some_and(|other| same(one, other)))
        }
        _ => one == other,
    }
}

#[test]
fn columns_of_every_type_are_read_and_made_again() {
    let cases = fixture("columns.json");
    for case in list(&cases) {
        let name = text(&case["name"]);
        let schema: SchemaRef = Arc::new(Schema::new(vec![field(&case["field"])]));
        let given = crossing(&case["batch"]);
        let batch = given.clone().batch(&schema).unwrap();
        let read = Value::from(values(batch.column(0).as_ref()));
        assert!(same(&read, &case["values"]), "{name}: {read}");
        let all: UInt64Array = (0..batch.num_rows() as u64).collect::<Vec<_>>().into();
        let again = take_record_batch(&batch, &all).unwrap();
        assert_eq!(Crossing::of(&again).unwrap(), given, "{name}");
    }
}

#[test]
fn the_transform_hands_over_the_same_bytes_as_in_all_languages() {
    let cases = fixture("transform.json");
    for case in list(&cases) {
        let name = text(&case["name"]);
        let schema = schema(&case["input"]);
        let batches: Vec<RecordBatch> = list(&case["batches"])
            .iter()
            .map(|batch| crossing(batch).batch(&schema).unwrap())
            .collect();
        let harness = Harness::new(&case["config"]).input(schema.clone());
        let calls = harness.calls::<Conformance>(&batches).unwrap();
        let expected: Vec<Call> = list(&case["calls"])
            .iter()
            .map(|call| match call.get("emit") {
                Some(output) => Call::Emit {
                    output: number(output),
                    batch: crossing(&call["batch"]),
                    origin: Some(numbers(&call["origin"])),
                },
                None => Call::Reject {
                    rows: numbers(&call["reject"]),
                    rule: text(&call["rule"]).to_owned(),
                    message: text(&call["message"]).to_owned(),
                },
            })
            .collect();
        assert_eq!(calls, expected, "{name}");
        harness.transform::<Conformance>(&batches).unwrap();
    }
}
