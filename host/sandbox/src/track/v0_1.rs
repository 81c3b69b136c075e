//! Track 0.1 of the contract: calls into a guest, and a guest's calls into the host. It converts and
//! forwards; what a call means is decided in `instance` and `state`.

use futures::future::BoxFuture;
use wasmtime::component::{
    ComponentNamedList, ComponentType, Func, Instance, Lift, Linker, LinkerInstance, Lower,
    WasmList, WasmStr,
};
use wasmtime::{AsContextMut, Store, StoreContextMut};

use super::{Answer, Binding, Exports, Guest, GuestError, RawOutputs, RawStream};
use crate::guest_log::GuestLevel;
use crate::lower::Lowered;
use crate::model::{Info, World};
use crate::state::{Halt, State};
use crate::verify::{self, Node};

mod types;

use types::{
    BatchHanded, BatchIn, BatchOut, WireError, WireField, WireInfo, WireLevel, WireOutput,
    WirePage, WireParameter, WireRun, WireSideInput, WireStream, flat_schema, wire_nodes,
    wire_schema,
};

// ---- exports -----------------------------------------------------------------------------------

/// The functions of one instance. They are type-checked on every use, which costs less than a
/// microsecond a call and spares both `unsafe` and a lifetime on the borrowed batch.
pub(crate) struct Exported {
    world: World,
    describe: Func,
    bind: Func,
    work: Func,
    /// `finish`, or `discover` of a source.
    other: Func,
    /// `snapshot` and `merge` of a fold.
    states: Option<(Func, Func)>,
}

type Nothing = (Result<(), WireError>,);
/// What `open` takes: the configuration, the run, the stream, its shard, and the state.
type Opening<'a> = (&'a str, WireRun<'a>, &'a str, &'a str, Option<&'a str>);

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
            other: function(&exports.other)?,
            states: match &exports.states {
                Some((snapshot, merge)) => Some((function(snapshot)?, function(merge)?)),
                None => None,
            },
        };
        let store = &*store;
        exported.describe.typed::<(), (WireInfo,)>(store)?;
        match exported.world {
            World::Transform | World::Check | World::Decoder | World::Fold => {
                exported.other.typed::<(), Nothing>(store)?;
            }
            World::Source => {
                exported
                    .other
                    .typed::<(&str, WireRun<'_>), (Result<Vec<WireStream>, WireError>,)>(store)?;
            }
        }
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
            World::Fold => {
                exported.bind.typed::<(&str, WireRun<'_>, &[WireField], Sides<'_>), (Result<Vec<WireField>, WireError>,)>(store)?;
                exported.work.typed::<(BatchIn<'_>,), Nothing>(store)?;
                let (snapshot, merge) = exported.states()?;
                snapshot.typed::<(), (Result<Vec<u8>, WireError>,)>(store)?;
                merge.typed::<(&[u8],), Nothing>(store)?;
            }
            World::Source => {
                exported
                    .bind
                    .typed::<Opening<'_>, (Result<Vec<WireField>, WireError>,)>(store)?;
                exported
                    .work
                    .typed::<(), (Result<WirePage, WireError>,)>(store)?;
            }
        }
        Ok(exported)
    }

    fn states(&self) -> wasmtime::Result<(Func, Func)> {
        self.states
            .ok_or_else(|| wasmtime::Error::msg("a plugin without states"))
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
    ) -> BoxFuture<'a, Answer<RawOutputs>> {
        Box::pin(async move {
            let parameters = wire_parameters(binding);
            let run = wire_run(binding, &parameters);
            let config = binding.config.as_str();
            let input = wire_schema(&binding.input)?;
            let schemas = binding
                .side_inputs
                .iter()
                .map(|side| wire_schema(&side.schema))
                .collect::<wasmtime::Result<Vec<_>>>()?;
            let sides: Vec<WireSideInput<'_>> = std::iter::zip(&binding.side_inputs, &schemas)
                .map(|(side, schema)| WireSideInput {
                    name: &side.name,
                    schema,
                })
                .collect();
            let sides = sides.as_slice();
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
                World::Fold => {
                    let schema: Result<Vec<WireField>, WireError> =
                        call(self.bind, store, (config, run, input.as_slice(), sides)).await?;
                    schema.map(|schema| vec![("out".to_owned(), flat_schema(schema))])
                }
                World::Source => {
                    let reading = binding.reading.as_ref();
                    let reading = reading.ok_or_else(|| wasmtime::Error::msg("nothing to read"))?;
                    let (stream, shard) = (reading.stream.as_str(), reading.shard.as_str());
                    let opening: Opening<'_> =
                        (config, run, stream, shard, reading.state.as_deref());
                    let schema: Result<Vec<WireField>, WireError> =
                        call(self.bind, store, opening).await?;
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
            let nodes = wire_nodes(batch);
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
            let done: Result<(), WireError> = call(self.other, store, ()).await?;
            Ok(done.map_err(GuestError::from))
        })
    }

    fn snapshot<'a>(&'a self, store: &'a mut Store<State>) -> BoxFuture<'a, Answer<Vec<u8>>> {
        Box::pin(async move {
            let (snapshot, _) = self.states()?;
            let state: Result<Vec<u8>, WireError> = call(snapshot, store, ()).await?;
            Ok(state.map_err(GuestError::from))
        })
    }

    fn merge<'a>(
        &'a self,
        store: &'a mut Store<State>,
        snapshot: &'a [u8],
    ) -> BoxFuture<'a, Answer<()>> {
        Box::pin(async move {
            let (_, merge) = self.states()?;
            let done: Result<(), WireError> = call(merge, store, (snapshot,)).await?;
            Ok(done.map_err(GuestError::from))
        })
    }

    fn discover<'a>(
        &'a self,
        store: &'a mut Store<State>,
        binding: &'a Binding,
    ) -> BoxFuture<'a, Answer<Vec<RawStream>>> {
        Box::pin(async move {
            let parameters = wire_parameters(binding);
            let run = wire_run(binding, &parameters);
            let streams: Result<Vec<WireStream>, WireError> =
                call(self.other, store, (binding.config.as_str(), run)).await?;
            let streams = streams.map(|streams| streams.into_iter().map(RawStream::from).collect());
            Ok(streams.map_err(GuestError::from))
        })
    }

    fn read<'a>(&'a self, store: &'a mut Store<State>) -> BoxFuture<'a, Answer<(String, bool)>> {
        Box::pin(async move {
            let page: Result<WirePage, WireError> = call(self.work, store, ()).await?;
            Ok(page
                .map(|page| (page.state, page.done))
                .map_err(GuestError::from))
        })
    }
}

fn wire_parameters(binding: &Binding) -> Vec<WireParameter<'_>> {
    binding
        .parameters
        .iter()
        .map(|(name, value)| WireParameter { name, value })
        .collect()
}

fn wire_run<'a>(binding: &'a Binding, parameters: &'a [WireParameter<'a>]) -> WireRun<'a> {
    WireRun {
        pipeline: &binding.pipeline,
        step: &binding.step,
        parameters,
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
                WireLevel::Debug => GuestLevel::Debug,
                WireLevel::Info => GuestLevel::Info,
                WireLevel::Warn => GuestLevel::Warn,
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
    // Linked for all; who may import it is decided by the powers of each stage.
    linker.instance("weir:plugin/secrets@0.1.0")?.func_wrap(
        "get",
        |store: StoreContextMut<'_, State>, (name,): (WasmStr,)| {
            let name = name.to_str(&store)?;
            Ok((store.data().secret(&name),))
        },
    )?;
    if world != World::Source {
        linker
            .instance("weir:plugin/side-inputs@0.1.0")?
            .func_wrap(
                "next",
                |mut store: StoreContextMut<'_, State>, (side_input,): (u32,)| {
                    let rows = store.data_mut().next_side_rows(side_input)?;
                    Ok((rows.map(BatchHanded::from),))
                },
            )?;
    }
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
        World::Fold => {
            let mut folding = linker.instance("weir:plugin/folding@0.1.0")?;
            folding.func_wrap(
                "emit",
                |store: StoreContextMut<'_, State>, (rows,): (BatchOut,)| {
                    emit(store, 0, &rows, None)
                },
            )
        }
        World::Source => {
            let mut sourcing = linker.instance("weir:plugin/sourcing@0.1.0")?;
            sourcing.func_wrap(
                "emit",
                |store: StoreContextMut<'_, State>, (rows,): (BatchOut,)| {
                    emit(store, 0, &rows, None)
                },
            )?;
            sourcing.func_wrap(
                "reject",
                |mut store: StoreContextMut<'_, State>,
                 (record, rule, message): (WasmStr, WasmStr, WasmStr)| {
                    let record = text(&store, &record)?;
                    let (rule, message) = (text(&store, &rule)?, text(&store, &message)?);
                    Ok(store.data_mut().reject_record(&record, &rule, &message)?)
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
            let rows = store.data().named_rows(rows.as_le_slice(&store))?;
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
