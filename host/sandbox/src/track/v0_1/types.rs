//! The types of track 0.1 as they cross, and their conversion to and from the sandbox's own.

use arrow::datatypes::{DataType, TimeUnit};
use wasmtime::component::{ComponentType, Lift, Lower, WasmList};

use crate::error::PluginErrorKind;
use crate::lower::Lowered;
use crate::model::{Info, Rule};
use crate::schema::{FlatField, Kind};
use crate::track::{GuestError, RawStream};

// ---- types -------------------------------------------------------------------------------------

#[derive(ComponentType, Lift, Lower, Clone, Copy)]
#[component(enum)]
#[repr(u8)]
pub(super) enum WireUnit {
    #[component(name = "second")]
    Second,
    #[component(name = "millisecond")]
    Millisecond,
    #[component(name = "microsecond")]
    Microsecond,
    #[component(name = "nanosecond")]
    Nanosecond,
}

#[derive(ComponentType, Lift, Lower)]
#[component(record)]
pub(super) struct WireTimestamp {
    pub(super) unit: WireUnit,
    pub(super) zone: Option<String>,
}

#[derive(ComponentType, Lift, Lower)]
#[component(record)]
pub(super) struct WireDecimal {
    pub(super) precision: u8,
    pub(super) scale: i8,
}

#[derive(ComponentType, Lift, Lower)]
#[component(variant)]
pub(super) enum WireType {
    #[component(name = "boolean")]
    Boolean,
    #[component(name = "int8")]
    Int8,
    #[component(name = "int16")]
    Int16,
    #[component(name = "int32")]
    Int32,
    #[component(name = "int64")]
    Int64,
    #[component(name = "uint8")]
    UInt8,
    #[component(name = "uint16")]
    UInt16,
    #[component(name = "uint32")]
    UInt32,
    #[component(name = "uint64")]
    UInt64,
    #[component(name = "float16")]
    Float16,
    #[component(name = "float32")]
    Float32,
    #[component(name = "float64")]
    Float64,
    #[component(name = "utf8")]
    Utf8,
    #[component(name = "binary")]
    Binary,
    #[component(name = "date32")]
    Date32,
    #[component(name = "date64")]
    Date64,
    #[component(name = "time32")]
    Time32(WireUnit),
    #[component(name = "time64")]
    Time64(WireUnit),
    #[component(name = "timestamp")]
    Timestamp(WireTimestamp),
    #[component(name = "decimal128")]
    Decimal128(WireDecimal),
    #[component(name = "list")]
    List,
    #[component(name = "struct")]
    Struct,
}

#[derive(ComponentType, Lift, Lower)]
#[component(record)]
pub(super) struct WireField {
    pub(super) name: String,
    #[component(name = "data-type")]
    pub(super) data_type: WireType,
    pub(super) nullable: bool,
    pub(super) children: u32,
}

#[derive(ComponentType, Lift, Lower, Clone, Copy)]
#[component(record)]
pub(super) struct WireNode {
    pub(super) length: u32,
    #[component(name = "null-count")]
    pub(super) null_count: u32,
}

/// A batch on its way in, borrowed: each buffer is copied once, into the guest's memory.
#[derive(ComponentType, Lower)]
#[component(record)]
pub(super) struct BatchIn<'a> {
    pub(super) rows: u32,
    pub(super) nodes: &'a [WireNode],
    pub(super) buffers: &'a [&'a [u8]],
}

/// A batch that a guest asked for, on its way in.
#[derive(ComponentType, Lower)]
#[component(record)]
pub(super) struct BatchHanded {
    pub(super) rows: u32,
    pub(super) nodes: Vec<WireNode>,
    pub(super) buffers: Vec<Vec<u8>>,
}

impl From<&Lowered> for BatchHanded {
    fn from(batch: &Lowered) -> BatchHanded {
        BatchHanded {
            rows: batch.rows,
            nodes: wire_nodes(batch),
            buffers: batch.buffers.iter().map(|buffer| buffer.to_vec()).collect(),
        }
    }
}

/// The nodes of a batch on its way in.
pub(super) fn wire_nodes(batch: &Lowered) -> Vec<WireNode> {
    let nodes = batch.nodes.iter();
    nodes
        .map(|node| WireNode {
            length: node.length,
            null_count: node.null_count,
        })
        .collect()
}

/// A batch on its way out: places in the guest's memory, of which nothing has been copied yet.
#[derive(ComponentType, Lift)]
#[component(record)]
pub(super) struct BatchOut {
    pub(super) rows: u32,
    pub(super) nodes: WasmList<WireNode>,
    pub(super) buffers: WasmList<WasmList<u8>>,
}

#[derive(ComponentType, Lift)]
#[component(variant)]
pub(super) enum WireError {
    #[component(name = "config")]
    Config(String),
    #[component(name = "data")]
    Data(String),
    #[component(name = "retry")]
    Retry(String),
    #[component(name = "fatal")]
    Fatal(String),
}

#[derive(ComponentType, Lift)]
#[component(record)]
pub(super) struct WireRule {
    pub(super) name: String,
    pub(super) description: String,
}

#[derive(ComponentType, Lift)]
#[component(record)]
pub(super) struct WireInfo {
    pub(super) name: String,
    pub(super) version: String,
    pub(super) description: String,
    #[component(name = "config-schema")]
    pub(super) config_schema: String,
    pub(super) columns: Vec<String>,
    pub(super) rules: Vec<WireRule>,
}

#[derive(ComponentType, Lower)]
#[component(record)]
pub(super) struct WireParameter<'a> {
    pub(super) name: &'a str,
    pub(super) value: &'a str,
}

#[derive(ComponentType, Lower)]
#[component(record)]
pub(super) struct WireRun<'a> {
    pub(super) pipeline: &'a str,
    pub(super) step: &'a str,
    pub(super) parameters: &'a [WireParameter<'a>],
}

#[derive(ComponentType, Lower)]
#[component(record)]
pub(super) struct WireSideInput<'a> {
    pub(super) name: &'a str,
    pub(super) schema: &'a [WireField],
}

#[derive(ComponentType, Lift)]
#[component(record)]
pub(super) struct WireOutput {
    pub(super) name: String,
    pub(super) schema: Vec<WireField>,
}

#[derive(ComponentType, Lift)]
#[component(record)]
pub(super) struct WireStream {
    pub(super) name: String,
    pub(super) schema: Vec<WireField>,
    pub(super) cursor: Option<String>,
    #[component(name = "primary-key")]
    pub(super) primary_key: Vec<String>,
    pub(super) shards: Vec<String>,
}

#[derive(ComponentType, Lift)]
#[component(record)]
pub(super) struct WirePage {
    pub(super) state: String,
    pub(super) done: bool,
}

#[derive(ComponentType, Lift, Lower, Clone, Copy)]
#[component(enum)]
#[repr(u8)]
#[allow(dead_code, reason = "made by lifting only")]
pub(super) enum WireLevel {
    #[component(name = "debug")]
    Debug,
    #[component(name = "info")]
    Info,
    #[component(name = "warn")]
    Warn,
}

// ---- conversions -------------------------------------------------------------------------------

impl From<WireUnit> for TimeUnit {
    fn from(unit: WireUnit) -> TimeUnit {
        match unit {
            WireUnit::Second => TimeUnit::Second,
            WireUnit::Millisecond => TimeUnit::Millisecond,
            WireUnit::Microsecond => TimeUnit::Microsecond,
            WireUnit::Nanosecond => TimeUnit::Nanosecond,
        }
    }
}

impl From<TimeUnit> for WireUnit {
    fn from(unit: TimeUnit) -> WireUnit {
        match unit {
            TimeUnit::Second => WireUnit::Second,
            TimeUnit::Millisecond => WireUnit::Millisecond,
            TimeUnit::Microsecond => WireUnit::Microsecond,
            TimeUnit::Nanosecond => WireUnit::Nanosecond,
        }
    }
}

impl From<WireField> for FlatField {
    fn from(field: WireField) -> FlatField {
        let leaf = match field.data_type {
            WireType::List => return flat(field.name, Kind::List, field.nullable, field.children),
            WireType::Struct => {
                return flat(field.name, Kind::Struct, field.nullable, field.children);
            }
            WireType::Boolean => DataType::Boolean,
            WireType::Int8 => DataType::Int8,
            WireType::Int16 => DataType::Int16,
            WireType::Int32 => DataType::Int32,
            WireType::Int64 => DataType::Int64,
            WireType::UInt8 => DataType::UInt8,
            WireType::UInt16 => DataType::UInt16,
            WireType::UInt32 => DataType::UInt32,
            WireType::UInt64 => DataType::UInt64,
            WireType::Float16 => DataType::Float16,
            WireType::Float32 => DataType::Float32,
            WireType::Float64 => DataType::Float64,
            WireType::Utf8 => DataType::Utf8,
            WireType::Binary => DataType::Binary,
            WireType::Date32 => DataType::Date32,
            WireType::Date64 => DataType::Date64,
            WireType::Time32(unit) => DataType::Time32(unit.into()),
            WireType::Time64(unit) => DataType::Time64(unit.into()),
            WireType::Timestamp(of) => DataType::Timestamp(of.unit.into(), of.zone.map(Into::into)),
            WireType::Decimal128(of) => DataType::Decimal128(of.precision, of.scale),
        };
        flat(field.name, Kind::Leaf(leaf), field.nullable, field.children)
    }
}

fn flat(name: String, kind: Kind, nullable: bool, children: u32) -> FlatField {
    FlatField {
        name,
        kind,
        nullable,
        children,
    }
}

fn wire_field(field: &FlatField) -> wasmtime::Result<WireField> {
    let data_type = match &field.kind {
        Kind::List => WireType::List,
        Kind::Struct => WireType::Struct,
        Kind::Leaf(leaf) => match leaf {
            DataType::Boolean => WireType::Boolean,
            DataType::Int8 => WireType::Int8,
            DataType::Int16 => WireType::Int16,
            DataType::Int32 => WireType::Int32,
            DataType::Int64 => WireType::Int64,
            DataType::UInt8 => WireType::UInt8,
            DataType::UInt16 => WireType::UInt16,
            DataType::UInt32 => WireType::UInt32,
            DataType::UInt64 => WireType::UInt64,
            DataType::Float16 => WireType::Float16,
            DataType::Float32 => WireType::Float32,
            DataType::Float64 => WireType::Float64,
            DataType::Utf8 => WireType::Utf8,
            DataType::Binary => WireType::Binary,
            DataType::Date32 => WireType::Date32,
            DataType::Date64 => WireType::Date64,
            DataType::Time32(unit) => WireType::Time32((*unit).into()),
            DataType::Time64(unit) => WireType::Time64((*unit).into()),
            DataType::Timestamp(unit, zone) => WireType::Timestamp(WireTimestamp {
                unit: (*unit).into(),
                zone: zone.as_deref().map(str::to_owned),
            }),
            DataType::Decimal128(precision, scale) => WireType::Decimal128(WireDecimal {
                precision: *precision,
                scale: *scale,
            }),
            other => {
                return Err(wasmtime::Error::msg(format!(
                    "type {other} is not of this track"
                )));
            }
        },
    };
    Ok(WireField {
        name: field.name.clone(),
        data_type,
        nullable: field.nullable,
        children: field.children,
    })
}

pub(super) fn wire_schema(schema: &[FlatField]) -> wasmtime::Result<Vec<WireField>> {
    schema.iter().map(wire_field).collect()
}

pub(super) fn flat_schema(schema: Vec<WireField>) -> Vec<FlatField> {
    schema.into_iter().map(FlatField::from).collect()
}

impl From<WireStream> for RawStream {
    fn from(stream: WireStream) -> RawStream {
        RawStream {
            name: stream.name,
            schema: flat_schema(stream.schema),
            cursor: stream.cursor,
            primary_key: stream.primary_key,
            shards: stream.shards,
        }
    }
}

impl From<WireError> for GuestError {
    fn from(error: WireError) -> GuestError {
        let (kind, message) = match error {
            WireError::Config(message) => (PluginErrorKind::Config, message),
            WireError::Data(message) => (PluginErrorKind::Data, message),
            WireError::Retry(message) => (PluginErrorKind::Retry, message),
            WireError::Fatal(message) => (PluginErrorKind::Fatal, message),
        };
        GuestError { kind, message }
    }
}

impl From<WireInfo> for Info {
    fn from(info: WireInfo) -> Info {
        let rules = info.rules.into_iter().map(|rule| Rule {
            name: rule.name,
            description: rule.description,
        });
        Info {
            name: info.name,
            version: info.version,
            description: info.description,
            config_schema: info.config_schema,
            columns: info.columns,
            rules: rules.collect(),
        }
    }
}
