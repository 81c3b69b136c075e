//! The Arrow types of declared columns.

use std::sync::Arc;

use arrow::datatypes::{DataType, Field, Schema, SchemaRef, TimeUnit};
use weir_pipeline::{Column, DataType as Declared};

/// The Arrow type of a declared type.
pub fn arrow_type(declared: &Declared) -> DataType {
    match declared {
        Declared::Bool => DataType::Boolean,
        Declared::Int8 => DataType::Int8,
        Declared::Int16 => DataType::Int16,
        Declared::Int32 => DataType::Int32,
        Declared::Int64 => DataType::Int64,
        Declared::UInt8 => DataType::UInt8,
        Declared::UInt16 => DataType::UInt16,
        Declared::UInt32 => DataType::UInt32,
        Declared::UInt64 => DataType::UInt64,
        Declared::Float32 => DataType::Float32,
        Declared::Float64 => DataType::Float64,
        Declared::String => DataType::Utf8,
        Declared::Binary => DataType::Binary,
        Declared::Date => DataType::Date32,
        Declared::Time => DataType::Time64(TimeUnit::Microsecond),
        Declared::Timestamp => DataType::Timestamp(TimeUnit::Microsecond, None),
        Declared::TimestampTz => DataType::Timestamp(TimeUnit::Microsecond, Some("UTC".into())),
        Declared::Decimal(precision, scale) => DataType::Decimal128(*precision, *scale),
        Declared::List(item) => {
            DataType::List(Arc::new(Field::new_list_field(arrow_type(item), true)))
        }
        Declared::Struct(fields) => DataType::Struct(
            fields
                .iter()
                .map(|(name, declared)| Field::new(name, arrow_type(declared), true))
                .collect(),
        ),
    }
}

/// A type as pipeline files write it, where they can.
pub fn type_text(data_type: &DataType) -> String {
    match data_type {
        DataType::Boolean => "bool".to_owned(),
        DataType::Utf8 => "string".to_owned(),
        DataType::Date32 => "date".to_owned(),
        DataType::Time64(TimeUnit::Microsecond) => "time".to_owned(),
        DataType::Timestamp(_, None) => "timestamp".to_owned(),
        DataType::Timestamp(_, Some(_)) => "timestamptz".to_owned(),
        DataType::Decimal128(precision, scale) => format!("decimal({precision},{scale})"),
        DataType::List(item) => format!("list<{}>", type_text(item.data_type())),
        DataType::Struct(fields) => {
            let fields: Vec<String> = fields
                .iter()
                .map(|field| format!("{}: {}", field.name(), type_text(field.data_type())))
                .collect();
            format!("struct<{}>", fields.join(", "))
        }
        other => other.to_string().to_lowercase(),
    }
}

/// The same columns, all of them nullable: a record that cannot be read is a row of nulls.
pub fn nullable_schema(schema: &Schema) -> SchemaRef {
    Arc::new(Schema::new(
        schema
            .fields()
            .iter()
            .map(|field| field.as_ref().clone().with_nullable(true))
            .collect::<Vec<_>>(),
    ))
}

/// The Arrow schema of declared columns.
pub fn arrow_schema(columns: &[Column]) -> SchemaRef {
    Arc::new(Schema::new(
        columns
            .iter()
            .map(|column| Field::new(&column.name, arrow_type(&column.data_type), column.nullable))
            .collect::<Vec<_>>(),
    ))
}
