//! The schema whose structs `rows.rs` has: every type that crosses, nested, with names of all kinds.
//! The generator's test and the one that compiles what it generates include it both.

use std::sync::Arc;

use arrow::datatypes::{DataType, Field, Fields, Schema, TimeUnit};

fn list(item: Field) -> DataType {
    DataType::List(Arc::new(item))
}

fn item(data_type: DataType, nullable: bool) -> Field {
    Field::new("item", data_type, nullable)
}

fn fields(fields: Vec<Field>) -> DataType {
    DataType::Struct(Fields::from(fields))
}

/// What the plugin is given.
pub(super) fn given() -> Schema {
    use DataType as T;
    let plain = [
        ("flag", T::Boolean),
        ("int8", T::Int8),
        ("int16", T::Int16),
        ("int32", T::Int32),
        ("int64", T::Int64),
        ("uint8", T::UInt8),
        ("uint16", T::UInt16),
        ("uint32", T::UInt32),
        ("uint64", T::UInt64),
        ("float32", T::Float32),
        ("float64", T::Float64),
        ("text", T::Utf8),
        ("bytes", T::Binary),
        ("money", T::Decimal128(12, 2)),
        ("day", T::Date32),
        ("time_s", T::Time32(TimeUnit::Second)),
        ("time_ms", T::Time32(TimeUnit::Millisecond)),
        ("time_us", T::Time64(TimeUnit::Microsecond)),
        ("time_ns", T::Time64(TimeUnit::Nanosecond)),
        (
            "moment_s",
            T::Timestamp(TimeUnit::Second, Some("UTC".into())),
        ),
        (
            "moment_ms",
            T::Timestamp(TimeUnit::Millisecond, Some("Europe/Oslo".into())),
        ),
        (
            "moment",
            T::Timestamp(TimeUnit::Microsecond, Some("UTC".into())),
        ),
        (
            "moment_ns",
            T::Timestamp(TimeUnit::Nanosecond, Some("UTC".into())),
        ),
        ("local", T::Timestamp(TimeUnit::Microsecond, None)),
        ("local_ns", T::Timestamp(TimeUnit::Nanosecond, None)),
    ];
    let mut all: Vec<Field> = Vec::new();
    for (name, data_type) in plain {
        all.push(Field::new(name, data_type.clone(), false));
        all.push(Field::new(format!("maybe_{name}"), data_type, true));
    }
    let address = fields(vec![
        Field::new("street", T::Utf8, true),
        Field::new("zip", T::Int32, false),
        Field::new(
            "geo",
            fields(vec![Field::new("lat", T::Float64, true)]),
            true,
        ),
    ]);
    all.extend([
        Field::new("numbers", list(item(T::Int64, false)), false),
        Field::new("texts", list(item(T::Utf8, true)), true),
        Field::new("octets", list(item(T::UInt8, false)), false),
        Field::new(
            "lists",
            list(item(list(item(T::Date32, false)), true)),
            false,
        ),
        Field::new("address", address.clone(), false),
        Field::new("Address", address, true),
        Field::new(
            "visits",
            list(item(fields(vec![Field::new("at", T::Date32, false)]), true)),
            true,
        ),
        // Names that Rust has no use for, or uses itself.
        Field::new("type", T::Int64, false),
        Field::new("self", T::Int64, false),
        Field::new("TYPE", T::Int64, false),
        Field::new("CLM_FROM_DT", T::Utf8, true),
        Field::new("zip code", T::Utf8, true),
        Field::new("zip-code", T::Utf8, true),
        Field::new("zip_code", T::Utf8, true),
        Field::new("2008", T::Int64, false),
        Field::new("", T::Int64, false),
        Field::new("größe \"x\"\\\n", T::Int64, false),
        Field::new(
            "option",
            fields(vec![Field::new(
                "vec",
                fields(vec![Field::new("result", T::Utf8, false)]),
                false,
            )]),
            false,
        ),
        // What no field can have.
        Field::new("half", T::Float16, false),
        Field::new("day64", T::Date64, true),
        Field::new("scaled", T::Decimal128(5, -2), false),
        Field::new(
            "odd",
            fields(vec![Field::new("half", T::Float16, false)]),
            false,
        ),
    ]);
    Schema::new(all)
}

/// What the plugin gives.
pub(super) fn made() -> Schema {
    use DataType as T;
    let code = fields(vec![
        Field::new("system", T::Utf8, false),
        Field::new("raw", T::Binary, true),
    ]);
    Schema::new(vec![
        Field::new("name", T::Utf8, false),
        Field::new("maybe_name", T::Utf8, true),
        Field::new("bytes", T::Binary, false),
        Field::new("money", T::Decimal128(38, 0), true),
        Field::new(
            "moment",
            T::Timestamp(TimeUnit::Microsecond, Some("UTC".into())),
            false,
        ),
        Field::new("texts", list(item(T::Utf8, true)), false),
        Field::new("address", code.clone(), false),
        Field::new("codes", list(item(code, true)), true),
        Field::new("loop", T::Boolean, true),
    ])
}
