//! Track 0.1 of the contract: its types, and their conversion to and from the sandbox's own.

use arrow::datatypes::{DataType, TimeUnit};
use futures::future::BoxFuture;
use wasmtime::component::{
    ComponentNamedList, ComponentType, Func, Instance, Lift, Linker, LinkerInstance, Lower,
    WasmList, WasmStr,
};
use wasmtime::{AsContextMut, Store, StoreContextMut};

use super::{Answer, Binding, Exports, Guest, GuestError};
use crate::error::PluginErrorKind;
use crate::guest_log::Level;
use crate::lower::Lowered;
use crate::model::{Info, Rule, World};
use crate::schema::{FlatField, Kind};
use crate::state::{Halt, State};
use crate::verify::{self, Node};

// ---- types -------------------------------------------------------------------------------------

#[derive(ComponentType, Lift, Lower, Clone, Copy)]
#[component(enum)]
#[repr(u8)]
enum WireUnit {
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
struct WireTimestamp {
    unit: WireUnit,
    zone: Option<String>,
}

#[derive(ComponentType, Lift, Lower)]
#[component(record)]
struct WireDecimal {
    precision: u8,
    scale: i8,
}

#[derive(ComponentType, Lift, Lower)]
#[component(variant)]
enum WireType {
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
struct WireField {
    name: String,
    #[component(name = "data-type")]
    data_type: WireType,
    nullable: bool,
    children: u32,
}

#[derive(ComponentType, Lift, Lower, Clone, Copy)]
#[component(record)]
struct WireNode {
    length: u32,
    #[component(name = "null-count")]
    null_count: u32,
}

/// A batch on its way in, borrowed: each buffer is copied once, into the guest's memory.
#[derive(ComponentType, Lower)]
#[component(record)]
struct BatchIn<'a> {
    rows: u32,
    nodes: &'a [WireNode],
    buffers: &'a [&'a [u8]],
}

/// A batch on its way out: places in the guest's memory, of which nothing has been copied yet.
#[derive(ComponentType, Lift)]
#[component(record)]
struct BatchOut {
    rows: u32,
    nodes: WasmList<WireNode>,
    buffers: WasmList<WasmList<u8>>,
}

#[derive(ComponentType, Lift)]
#[component(variant)]
enum WireError {
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
struct WireRule {
    name: String,
    description: String,
}

#[derive(ComponentType, Lift)]
#[component(record)]
struct WireInfo {
    name: String,
    version: String,
    description: String,
    #[component(name = "config-schema")]
    config_schema: String,
    columns: Vec<String>,
    rules: Vec<WireRule>,
}

#[derive(ComponentType, Lower)]
#[component(record)]
struct WireParameter<'a> {
    name: &'a str,
    value: &'a str,
}

#[derive(ComponentType, Lower)]
#[component(record)]
struct WireRun<'a> {
    pipeline: &'a str,
    step: &'a str,
    parameters: &'a [WireParameter<'a>],
}

#[derive(ComponentType, Lower)]
#[component(record)]
struct WireSideInput<'a> {
    name: &'a str,
    schema: &'a [WireField],
}

#[derive(ComponentType, Lift)]
#[component(record)]
struct WireOutput {
    name: String,
    schema: Vec<WireField>,
}

#[derive(ComponentType, Lift, Lower, Clone, Copy)]
#[component(enum)]
#[repr(u8)]
#[allow(dead_code, reason = "made by lifting only")]
enum WireLevel {
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

fn wire_schema(schema: &[FlatField]) -> wasmtime::Result<Vec<WireField>> {
    schema.iter().map(wire_field).collect()
}

fn flat_schema(schema: Vec<WireField>) -> Vec<FlatField> {
    schema.into_iter().map(FlatField::from).collect()
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

// ---- exports -----------------------------------------------------------------------------------

/// The functions of one instance. They are type-checked on every use, which costs less than a
/// microsecond a call and spares both `unsafe` and a lifetime on the borrowed batch.
pub(crate) struct Exported {
    world: World,
    describe: Func,
    bind: Func,
    work: Func,
    finish: Func,
}

type Nothing = (Result<(), WireError>,);

impl Exported {
    pub(crate) fn new(
        store: &mut Store<State>,
        instance: &Instance,
        exports: &Exports,
    ) -> wasmtime::Result<Exported> {
        let mut function = |index| {
            instance
                .get_func(&mut *store, index)
                .ok_or_else(|| wasmtime::Error::msg("an export is not a function"))
        };
        let exported = Exported {
            world: exports.world,
            describe: function(&exports.describe)?,
            bind: function(&exports.bind)?,
            work: function(&exports.work)?,
            finish: function(&exports.finish)?,
        };
        let store = &*store;
        exported.describe.typed::<(), (WireInfo,)>(store)?;
        exported.finish.typed::<(), Nothing>(store)?;
        type Sides<'a> = &'a [WireSideInput<'a>];
        match exported.world {
            World::Transform => {
                exported.bind.typed::<(&str, WireRun<'_>, &[WireField], Sides<'_>), (Result<Vec<WireOutput>, WireError>,)>(store)?;
                exported.work.typed::<(BatchIn<'_>,), Nothing>(store)?;
            }
            World::Check => {
                exported
                    .bind
                    .typed::<(&str, WireRun<'_>, &[WireField], Sides<'_>), Nothing>(store)?;
                exported.work.typed::<(BatchIn<'_>,), Nothing>(store)?;
            }
            World::Decoder => {
                exported
                    .bind
                    .typed::<(&str, WireRun<'_>, Sides<'_>), (Result<Vec<WireField>, WireError>,)>(
                        store,
                    )?;
                exported.work.typed::<(&[u8],), Nothing>(store)?;
            }
        }
        Ok(exported)
    }
}

/// Calls `function`, which returns one value.
async fn call<P, R>(function: Func, store: &mut Store<State>, parameters: P) -> wasmtime::Result<R>
where
    P: ComponentNamedList + Lower + Send + Sync,
    R: Lift + ComponentType + 'static,
{
    let (answer,) = function
        .typed::<P, (R,)>(&*store)?
        .call_async(store, parameters)
        .await?;
    Ok(answer)
}

impl Guest for Exported {
    fn describe<'a>(&'a self, store: &'a mut Store<State>) -> BoxFuture<'a, Answer<Info>> {
        Box::pin(async move {
            let info: WireInfo = call(self.describe, store, ()).await?;
            Ok(Ok(info.into()))
        })
    }

    fn bind<'a>(
        &'a self,
        store: &'a mut Store<State>,
        binding: &'a Binding,
    ) -> BoxFuture<'a, Answer<Vec<(String, Vec<FlatField>)>>> {
        Box::pin(async move {
            let parameters: Vec<WireParameter<'_>> = binding
                .parameters
                .iter()
                .map(|(name, value)| WireParameter { name, value })
                .collect();
            let run = WireRun {
                pipeline: &binding.pipeline,
                step: &binding.step,
                parameters: &parameters,
            };
            let config = binding.config.as_str();
            let input = wire_schema(&binding.input)?;
            let sides: &[WireSideInput<'_>] = &[];
            let answer = match self.world {
                World::Transform => {
                    let outputs: Result<Vec<WireOutput>, WireError> =
                        call(self.bind, store, (config, run, input.as_slice(), sides)).await?;
                    outputs.map(|outputs| {
                        outputs
                            .into_iter()
                            .map(|output| (output.name, flat_schema(output.schema)))
                            .collect()
                    })
                }
                World::Check => {
                    let done: Result<(), WireError> =
                        call(self.bind, store, (config, run, input.as_slice(), sides)).await?;
                    done.map(|()| Vec::new())
                }
                World::Decoder => {
                    let schema: Result<Vec<WireField>, WireError> =
                        call(self.bind, store, (config, run, sides)).await?;
                    schema.map(|schema| vec![("out".to_owned(), flat_schema(schema))])
                }
            };
            Ok(answer.map_err(GuestError::from))
        })
    }

    fn process<'a>(
        &'a self,
        store: &'a mut Store<State>,
        batch: &'a Lowered,
    ) -> BoxFuture<'a, Answer<()>> {
        Box::pin(async move {
            let nodes: Vec<WireNode> = batch
                .nodes
                .iter()
                .map(|node| WireNode {
                    length: node.length,
                    null_count: node.null_count,
                })
                .collect();
            let buffers: Vec<&[u8]> = batch
                .buffers
                .iter()
                .map(|buffer| buffer.as_slice())
                .collect();
            let rows = BatchIn {
                rows: batch.rows,
                nodes: &nodes,
                buffers: &buffers,
            };
            let done: Result<(), WireError> = call(self.work, store, (rows,)).await?;
            Ok(done.map_err(GuestError::from))
        })
    }

    fn decode<'a>(
        &'a self,
        store: &'a mut Store<State>,
        bytes: &'a [u8],
    ) -> BoxFuture<'a, Answer<()>> {
        Box::pin(async move {
            let done: Result<(), WireError> = call(self.work, store, (bytes,)).await?;
            Ok(done.map_err(GuestError::from))
        })
    }

    fn finish<'a>(&'a self, store: &'a mut Store<State>) -> BoxFuture<'a, Answer<()>> {
        Box::pin(async move {
            let done: Result<(), WireError> = call(self.finish, store, ()).await?;
            Ok(done.map_err(GuestError::from))
        })
    }
}

// ---- imports -----------------------------------------------------------------------------------

/// Links what `world` imports. The interfaces of the other worlds stay unlinked.
pub(crate) fn add_to_linker(linker: &mut Linker<State>, world: World) -> wasmtime::Result<()> {
    // Imported for its types; without resources there is nothing to define in it.
    linker.instance("weir:plugin/types@0.1.0")?;
    let mut host = linker.instance("weir:plugin/host@0.1.0")?;
    host.func_wrap(
        "log",
        |store: StoreContextMut<'_, State>, (level, message): (WireLevel, WasmStr)| {
            let message = message.to_str(&store)?;
            let level = match level {
                WireLevel::Debug => Level::Debug,
                WireLevel::Info => Level::Info,
                WireLevel::Warn => Level::Warn,
            };
            store.data().log(level, &message);
            Ok(())
        },
    )?;
    host.func_wrap(
        "metric",
        |mut store: StoreContextMut<'_, State>, (name, value): (WasmStr, f64)| {
            let name = text(&store, &name)?;
            store.data_mut().metric(&name, value);
            Ok(())
        },
    )?;
    match world {
        World::Transform => {
            let mut emitting = linker.instance("weir:plugin/emitting@0.1.0")?;
            emitting.func_wrap(
                "emit",
                |store: StoreContextMut<'_, State>,
                 (output, rows, origin): (u32, BatchOut, Option<WasmList<u32>>)| {
                    emit(store, output, &rows, origin.as_ref())
                },
            )?;
            name_rows(&mut emitting, "reject")
        }
        World::Check => name_rows(&mut linker.instance("weir:plugin/judging@0.1.0")?, "fail"),
        World::Decoder => {
            let mut decoding = linker.instance("weir:plugin/decoding@0.1.0")?;
            decoding.func_wrap(
                "emit",
                |store: StoreContextMut<'_, State>, (rows,): (BatchOut,)| {
                    emit(store, 0, &rows, None)
                },
            )?;
            decoding.func_wrap(
                "reject",
                |mut store: StoreContextMut<'_, State>,
                 (offset, length, rule, message): (u64, u64, WasmStr, WasmStr)| {
                    let (rule, message) = (text(&store, &rule)?, text(&store, &message)?);
                    Ok(store
                        .data_mut()
                        .reject_bytes(offset, length, &rule, &message)?)
                },
            )
        }
    }
}

/// Links `reject` or `fail`, which differ in name only.
fn name_rows(linker: &mut LinkerInstance<'_, State>, name: &str) -> wasmtime::Result<()> {
    linker.func_wrap(
        name,
        |mut store: StoreContextMut<'_, State>,
         (rows, rule, message): (WasmList<u32>, WasmStr, WasmStr)| {
            store.data_mut().begin_find(rows.len())?;
            let (rule, message) = (text(&store, &rule)?, text(&store, &message)?);
            let rows = rows.as_le_slice(&store).to_vec();
            Ok(store.data_mut().end_find(rows, &rule, &message)?)
        },
    )
}

/// A short copy of a guest's string: no more of it is ever kept.
fn text(store: &StoreContextMut<'_, State>, text: &WasmStr) -> wasmtime::Result<String> {
    let text = text.to_str(store)?;
    Ok(text.chars().take(2 * crate::guest_text::MAX_TEXT).collect())
}

/// Verifies and keeps an emitted batch. Nothing is copied before its size has been checked and
/// charged for.
fn emit(
    mut store: StoreContextMut<'_, State>,
    output: u32,
    batch: &BatchOut,
    origin: Option<&WasmList<u32>>,
) -> wasmtime::Result<()> {
    let bound = store.data_mut().begin_emit(output, batch.rows)?;
    let counts = [
        (batch.nodes.len(), bound.shape.nodes, "nodes"),
        (batch.buffers.len(), bound.shape.buffers, "buffers"),
    ];
    for (given, expected, what) in counts {
        if given != expected {
            return Err(
                Halt::BadBatch(format!("{given} {what} where the schema has {expected}")).into(),
            );
        }
    }
    let nodes = batch
        .nodes
        .iter(&mut store)?
        .map(|node| {
            node.map(|node| Node {
                length: node.length,
                null_count: node.null_count,
            })
        })
        .collect::<wasmtime::Result<Vec<Node>>>()?;
    let mut lists: Vec<WasmList<u8>> = Vec::with_capacity(bound.shape.buffers);
    let mut bytes = origin.map_or(0, |origin| origin.len().saturating_mul(4));
    for index in 0..bound.shape.buffers {
        if let Some(list) = batch.buffers.get(store.as_context_mut(), index) {
            let list = list?;
            bytes = bytes.saturating_add(list.len());
            lists.push(list);
        }
    }
    store
        .data_mut()
        .charge(u64::try_from(bytes).unwrap_or(u64::MAX))?;
    let (rows, origin) = {
        let buffers: Vec<&[u8]> = lists.iter().map(|list| list.as_le_slice(&store)).collect();
        let origin: Option<&[u32]> = origin.map(|origin| origin.as_le_slice(&store));
        store.data().check_origin(batch.rows, origin)?;
        let rows =
            verify::verify(&bound.schema, batch.rows, &nodes, &buffers).map_err(Halt::from)?;
        (rows, origin.map(<[u32]>::to_vec))
    };
    store.data_mut().end_emit(output, rows, origin);
    Ok(())
}
