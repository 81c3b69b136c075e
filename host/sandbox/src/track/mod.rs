//! ABI tracks: one module for each released track of the contract, which only converts between that
//! track's types and the sandbox's own and forwards. What a call means is decided elsewhere.

use std::sync::Arc;

use futures::future::BoxFuture;
use wasmtime::Store;
use wasmtime::component::{Component, ComponentExportIndex, Instance, Linker};

use crate::error::PluginErrorKind;
use crate::lower::Lowered;
use crate::model::{Info, Reading, World};
use crate::schema::FlatField;
use crate::state::State;

pub(crate) mod v0_1;

/// The tracks this build can run, for messages.
pub(crate) const SUPPORTED: &str = "0.1";

/// What `bind` gives a guest.
pub(crate) struct Binding {
    pub(crate) config: String,
    pub(crate) pipeline: String,
    pub(crate) step: String,
    pub(crate) parameters: Vec<(String, String)>,
    pub(crate) input: Vec<FlatField>,
    pub(crate) side_inputs: Vec<BoundSideInput>,
    /// What a source is to read; none for other worlds.
    pub(crate) reading: Option<Reading>,
}

/// A reference table as it crosses.
pub(crate) struct BoundSideInput {
    pub(crate) name: String,
    pub(crate) schema: Vec<FlatField>,
    pub(crate) rows: Arc<[Lowered]>,
}

/// A stream as a guest told it.
pub(crate) struct RawStream {
    pub(crate) name: String,
    pub(crate) schema: Vec<FlatField>,
    pub(crate) cursor: Option<String>,
    pub(crate) primary_key: Vec<String>,
    pub(crate) shards: Vec<String>,
}

/// An error a guest returned; the message is as it came.
#[derive(Debug)]
pub(crate) struct GuestError {
    pub(crate) kind: PluginErrorKind,
    pub(crate) message: String,
}

/// Names and flattened schemas of outputs, as a guest returned them.
pub(crate) type RawOutputs = Vec<(String, Vec<FlatField>)>;

/// What a call gave: an error of the machinery outside, an error the guest returned inside.
pub(crate) type Answer<T> = wasmtime::Result<Result<T, GuestError>>;

/// The exports of one component instance, whatever its track. Nothing it returns has been checked.
pub(crate) trait Guest: Send + Sync {
    /// Calls `describe`.
    fn describe<'a>(&'a self, store: &'a mut Store<State>) -> BoxFuture<'a, Answer<Info>>;
    /// Calls `bind`, or `open` of a source; a check has no outputs, a decoder or source one.
    fn bind<'a>(
        &'a self,
        store: &'a mut Store<State>,
        binding: &'a Binding,
    ) -> BoxFuture<'a, Answer<RawOutputs>>;
    /// Calls `process` of a transform or check.
    fn process<'a>(
        &'a self,
        store: &'a mut Store<State>,
        batch: &'a Lowered,
    ) -> BoxFuture<'a, Answer<()>>;
    /// Calls `decode` of a decoder.
    fn decode<'a>(
        &'a self,
        store: &'a mut Store<State>,
        bytes: &'a [u8],
    ) -> BoxFuture<'a, Answer<()>>;
    /// Calls `discover` of a source.
    fn discover<'a>(
        &'a self,
        store: &'a mut Store<State>,
        binding: &'a Binding,
    ) -> BoxFuture<'a, Answer<Vec<RawStream>>>;
    /// Calls `read` of a source: the state after it, and whether there is nothing more.
    fn read<'a>(&'a self, store: &'a mut Store<State>) -> BoxFuture<'a, Answer<(String, bool)>>;
    /// Calls `snapshot` of a fold.
    fn snapshot<'a>(&'a self, store: &'a mut Store<State>) -> BoxFuture<'a, Answer<Vec<u8>>>;
    /// Calls `merge` of a fold.
    fn merge<'a>(
        &'a self,
        store: &'a mut Store<State>,
        snapshot: &'a [u8],
    ) -> BoxFuture<'a, Answer<()>>;
    /// Calls `finish`; a source has none.
    fn finish<'a>(&'a self, store: &'a mut Store<State>) -> BoxFuture<'a, Answer<()>>;
}

/// The places of a world's exports in a component, found once at load.
#[derive(Clone, Copy)]
pub(crate) struct Exports {
    pub(crate) world: World,
    pub(crate) describe: ComponentExportIndex,
    /// `bind`, or `open` of a source.
    pub(crate) bind: ComponentExportIndex,
    /// `process`, `decode` of a decoder, `read` of a source.
    pub(crate) work: ComponentExportIndex,
    /// `finish`, or `discover` of a source.
    pub(crate) other: ComponentExportIndex,
    /// `snapshot` and `merge` of a fold.
    pub(crate) states: Option<(ComponentExportIndex, ComponentExportIndex)>,
}

impl Exports {
    /// Finds the functions of `world` in the exported `interface`; the name of the first one missing
    /// otherwise.
    pub(crate) fn find(
        component: &Component,
        world: World,
        interface: &str,
    ) -> Result<Exports, &'static str> {
        let instance = component
            .get_export_index(None, interface)
            .ok_or("the interface")?;
        let function = |name: &'static str| {
            component
                .get_export_index(Some(&instance), name)
                .ok_or(name)
        };
        let (bind, work, other) = match world {
            World::Transform | World::Check | World::Fold => ("bind", "process", "finish"),
            World::Decoder => ("bind", "decode", "finish"),
            World::Source => ("open", "read", "discover"),
        };
        Ok(Exports {
            world,
            describe: function("describe")?,
            bind: function(bind)?,
            work: function(work)?,
            other: function(other)?,
            states: match world {
                World::Fold => Some((function("snapshot")?, function("merge")?)),
                World::Transform | World::Check | World::Decoder | World::Source => None,
            },
        })
    }
}

/// Links what `world` may import of the contract.
pub(crate) fn add_to_linker(linker: &mut Linker<State>, world: World) -> wasmtime::Result<()> {
    v0_1::add_to_linker(linker, world)
}

/// Finds and type-checks the exports of `instance`.
pub(crate) fn guest(
    store: &mut Store<State>,
    instance: &Instance,
    exports: &Exports,
) -> wasmtime::Result<Box<dyn Guest>> {
    Ok(Box::new(v0_1::Exported::new(store, instance, exports)?))
}
