//! ABI tracks: one module for each released track of the contract, which only converts between that
//! track's types and the sandbox's own and forwards. What a call means is decided elsewhere.

use futures::future::BoxFuture;
use wasmtime::Store;
use wasmtime::component::{Component, ComponentExportIndex, Instance, Linker};

use crate::error::PluginErrorKind;
use crate::lower::Lowered;
use crate::model::{Info, World};
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
    /// Calls `bind`; a check has no outputs, a decoder one.
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
    /// Calls `finish`.
    fn finish<'a>(&'a self, store: &'a mut Store<State>) -> BoxFuture<'a, Answer<()>>;
}

/// The places of a world's exports in a component, found once at load.
#[derive(Clone, Copy)]
pub(crate) struct Exports {
    pub(crate) world: World,
    pub(crate) describe: ComponentExportIndex,
    pub(crate) bind: ComponentExportIndex,
    /// `process`, or `decode` of a decoder.
    pub(crate) work: ComponentExportIndex,
    pub(crate) finish: ComponentExportIndex,
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
        Ok(Exports {
            world,
            describe: function("describe")?,
            bind: function("bind")?,
            work: function(if world == World::Decoder {
                "decode"
            } else {
                "process"
            })?,
            finish: function("finish")?,
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
