//! The sandbox: one engine, its linkers, its cache, and what it takes to load a component.

use std::path::PathBuf;
use std::sync::Arc;

use sha2::{Digest, Sha256};
use wasmtime::component::{Component, Linker, types::ComponentItem};
use wasmtime::{
    Config, Enabled, Engine, InstanceAllocationStrategy, OptLevel, PoolingAllocationConfig,
};

use crate::cache::{self, Cache, hex};
use crate::clock;
use crate::compile::Compiler;
use crate::error::{SandboxError, Source};
use crate::guest_text::{MAX_TEXT, escape};
use crate::inert;
use crate::model::World;
use crate::outbound;
use crate::plugin::Plugin;
use crate::state::State;
use crate::track::{self, Exports};

/// Largest component accepted, in bytes.
pub const MAX_COMPONENT: u64 = 64 << 20;

/// Stack of a guest, in bytes.
const GUEST_STACK: usize = 1 << 20;
/// Stack of a call: the guest's, and as much again for the host functions it calls.
const CALL_STACK: usize = 2 << 20;
/// Bytes of a memory that are cleared by writing zeros when its instance is gone, and stay with the
/// process; what is beyond goes back to the system. A fresh instance for each batch would else fault in
/// again every page that it touches. Where the system can say which pages were written (Linux 6.7), only
/// those are cleared.
const KEPT_RESIDENT: usize = 4 << 20;
/// The same where all of them are cleared, written or not.
const KEPT_RESIDENT_UNSCANNED: usize = 1 << 20;
/// The prefix of every interface of the contract.
const CONTRACT: &str = "weir:plugin/";

/// How a [`Sandbox`] is set up. `Default` has no cache, 64 instances, and grants of at most 2 GiB.
#[derive(Clone, Debug)]
pub struct SandboxOptions {
    /// Where compiled code is kept between runs; nowhere if none. Created with mode 0700; refused if
    /// others have access to it.
    pub cache_dir: Option<PathBuf>,
    /// Most instances alive at once. Address space for them is reserved at the start, memory is not.
    pub max_instances: u32,
    /// Largest memory grant that any instance may have, in bytes.
    pub max_memory: u64,
    /// Where components are compiled. The default is this process: see [`Compiler::Child`] for components
    /// that are not trusted.
    pub compiler: Compiler,
    /// Whether deadlines are enforced. Without them guest code runs up to 30 % faster, and an endless
    /// loop never ends: for benchmarks only.
    pub deadlines: bool,
}

impl Default for SandboxOptions {
    fn default() -> Self {
        SandboxOptions {
            cache_dir: None,
            max_instances: 64,
            max_memory: 2 << 30,
            compiler: Compiler::Here,
            deadlines: true,
        }
    }
}

/// Where plugins are compiled and run. Clones share everything; the thread that drives the deadlines
/// ends when the last clone, plugin and instance is dropped.
///
/// A plugin's life: [`Sandbox::load`] compiles and checks a component into a [`Plugin`];
/// [`Plugin::describe`] asks what it is; [`Plugin::instantiate`] makes an
/// [`Instance`](crate::Instance), which is bound once, called for each batch, and finished.
#[derive(Clone, Debug)]
pub struct Sandbox {
    inner: Arc<Inner>,
}

struct Inner {
    engine: Engine,
    options: SandboxOptions,
    cache: Option<Cache>,
    transform: Linker<State>,
    check: Linker<State>,
    decoder: Linker<State>,
    source: Linker<State>,
    fold: Linker<State>,
}

impl std::fmt::Debug for Inner {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Inner")
            .field("options", &self.options)
            .field("cache", &self.cache)
            .finish_non_exhaustive()
    }
}

impl Sandbox {
    /// Sets up an engine and, if asked for, opens the compile cache.
    ///
    /// # Errors
    /// [`SandboxError::Engine`] if the address space cannot be reserved; [`SandboxError::Cache`] if the
    /// cache directory cannot be made or belongs to others too.
    pub fn new(options: SandboxOptions) -> Result<Sandbox, SandboxError> {
        let broken = |error: wasmtime::Error| SandboxError::Engine(error.into());
        let engine = Engine::new(&config(&options)).map_err(broken)?;
        let cache = options.cache_dir.as_deref().map(Cache::open).transpose()?;
        let linker = |world| {
            let mut linker = Linker::new(&engine);
            inert::add_to_linker(&mut linker)?;
            track::add_to_linker(&mut linker, world)?;
            if world == World::Source {
                outbound::add_to_linker(&mut linker)?;
            }
            Ok(linker)
        };
        let (transform, check, decoder, source, fold) = (
            linker(World::Transform).map_err(broken)?,
            linker(World::Check).map_err(broken)?,
            linker(World::Decoder).map_err(broken)?,
            linker(World::Source).map_err(broken)?,
            linker(World::Fold).map_err(broken)?,
        );
        if options.deadlines {
            clock::start_ticking(&engine).map_err(|error| SandboxError::Engine(error.into()))?;
        }
        Ok(Sandbox {
            inner: Arc::new(Inner {
                engine,
                options,
                cache,
                transform,
                check,
                decoder,
                source,
                fold,
            }),
        })
    }

    /// Compiles a component, or takes its code from the cache, and checks that it is a plugin this
    /// build can run and that it imports nothing it may not. `name` is the plugin's name in the
    /// pipeline file. The work is done on a blocking thread of the Tokio runtime.
    ///
    /// # Errors
    /// [`NotAComponent`](SandboxError::NotAComponent), [`TooLarge`](SandboxError::TooLarge),
    /// [`Compile`](SandboxError::Compile), [`CompileLimit`](SandboxError::CompileLimit), [`WrongTrack`](SandboxError::WrongTrack),
    /// [`ForbiddenImport`](SandboxError::ForbiddenImport), [`WrongTypes`](SandboxError::WrongTypes).
    pub async fn load(&self, name: &str, component: Vec<u8>) -> Result<Plugin, SandboxError> {
        let sandbox = self.clone();
        let owned = name.to_owned();
        tokio::task::spawn_blocking(move || sandbox.load_blocking(&owned, &component))
            .await
            .unwrap_or_else(|error| {
                Err(SandboxError::Compile {
                    plugin: name.to_owned(),
                    source: error.into(),
                })
            })
    }

    fn load_blocking(&self, name: &str, bytes: &[u8]) -> Result<Plugin, SandboxError> {
        let size = u64::try_from(bytes.len()).unwrap_or(u64::MAX);
        if size > MAX_COMPONENT {
            return Err(SandboxError::TooLarge {
                plugin: name.to_owned(),
                size,
                allowed: MAX_COMPONENT,
            });
        }
        check_header(name, bytes)?;
        let digest = Sha256::digest(bytes);
        let component = self.compile(name, bytes, &digest)?;
        let face = Face::of(name, &self.inner.engine, &component)?;
        let mistyped = |error: wasmtime::Error| SandboxError::WrongTypes {
            plugin: name.to_owned(),
            source: told(&error),
        };
        let exports =
            Exports::find(&component, face.world, &face.interface).map_err(|missing| {
                mistyped(wasmtime::Error::msg(format!(
                    "`{}` lacks {missing}",
                    face.interface
                )))
            })?;
        let linker = match face.world {
            World::Transform => &self.inner.transform,
            World::Check => &self.inner.check,
            World::Decoder => &self.inner.decoder,
            World::Source => &self.inner.source,
            World::Fold => &self.inner.fold,
        };
        let pre = linker.instantiate_pre(&component).map_err(mistyped)?;
        Ok(Plugin::new(
            self.clone(),
            name,
            hex(&digest),
            size,
            face,
            exports,
            pre,
        ))
    }

    fn compile(&self, name: &str, bytes: &[u8], digest: &[u8]) -> Result<Component, SandboxError> {
        let engine = &self.inner.engine;
        if let Some(component) = self
            .inner
            .cache
            .as_ref()
            .and_then(|cache| cache.get(engine, digest))
        {
            return Ok(component);
        }
        let failed = |error: wasmtime::Error| SandboxError::Compile {
            plugin: name.to_owned(),
            source: told(&error),
        };
        let code = match &self.inner.options.compiler {
            Compiler::Here => engine.precompile_component(bytes).map_err(failed)?,
            Compiler::Child(child) => child.compile(name, bytes, &self.inner.options)?,
        };
        let component = cache::load(engine, &code).map_err(failed)?;
        if let Some(cache) = &self.inner.cache {
            cache.put(engine, digest, &code);
        }
        Ok(component)
    }

    /// Most instances alive at once.
    pub fn max_instances(&self) -> u32 {
        self.inner.options.max_instances
    }

    pub(crate) fn engine(&self) -> &Engine {
        &self.inner.engine
    }

    pub(crate) fn options(&self) -> &SandboxOptions {
        &self.inner.options
    }
}

/// An error of wasmtime's as a cause that can be shown: it may quote names of the component's.
fn told(error: &wasmtime::Error) -> Source {
    Source::from(escape(&format!("{error:#}"), MAX_TEXT))
}

/// What a component shows of itself before anything of it runs.
pub(crate) struct Face {
    pub(crate) world: World,
    /// The exported interface's full name.
    pub(crate) interface: String,
    /// Its version.
    pub(crate) track: String,
    pub(crate) imports: Vec<String>,
}

impl Face {
    fn of(name: &str, engine: &Engine, component: &Component) -> Result<Face, SandboxError> {
        let component = component.component_type();
        let exports: Vec<&str> = component
            .exports(engine)
            .map(|(export, _)| export)
            .collect();
        let (world, interface, track) = find_world(name, &exports)?;
        let mut imports: Vec<String> = Vec::new();
        for (import, item) in component.imports(engine) {
            let is_interface = matches!(item.ty, ComponentItem::ComponentInstance(_));
            if !is_interface || !may_import(world, import) {
                return Err(SandboxError::ForbiddenImport {
                    plugin: name.to_owned(),
                    import: import.to_owned(),
                });
            }
            imports.push(import.to_owned());
        }
        imports.sort_unstable();
        Ok(Face {
            world,
            interface,
            track,
            imports,
        })
    }
}

/// Finds the world among the exports, and refuses tracks that this build does not run.
fn find_world(plugin: &str, exports: &[&str]) -> Result<(World, String, String), SandboxError> {
    let wrong = |found| SandboxError::WrongTrack {
        plugin: plugin.to_owned(),
        found,
    };
    let mut other = None;
    for export in exports {
        let Some((interface, version)) = export
            .strip_prefix(CONTRACT)
            .and_then(|rest| rest.split_once('@'))
        else {
            continue;
        };
        if !is_supported(version) {
            other = Some(track_of(version));
            continue;
        }
        let world = match interface {
            "transformer" => World::Transform,
            "checker" => World::Check,
            "decoder-plugin" => World::Decoder,
            "source-plugin" => World::Source,
            "folder" => World::Fold,
            _ => continue,
        };
        return Ok((world, (*export).to_owned(), version.to_owned()));
    }
    Err(wrong(other))
}

/// `0.3` of `0.3.1`: what names a track.
fn track_of(version: &str) -> String {
    let track = version.splitn(3, '.').take(2).collect::<Vec<_>>().join(".");
    crate::guest_text::escape(&track, 32)
}

/// Whether `version` belongs to a track this build runs: patch releases either way.
fn is_supported(version: &str) -> bool {
    version
        .strip_prefix("0.1.")
        .is_some_and(|patch| patch.parse::<u32>().is_ok())
}

/// Whether a plugin of `world` may import `import`.
fn may_import(world: World, import: &str) -> bool {
    if inert::is_allowed(import) || (world == World::Source && is_http(import)) {
        return true;
    }
    let Some((interface, version)) = import
        .strip_prefix(CONTRACT)
        .and_then(|rest| rest.split_once('@'))
    else {
        return false;
    };
    let own = match world {
        World::Transform => "emitting",
        World::Check => "judging",
        World::Decoder => "decoding",
        World::Source => "sourcing",
        World::Fold => "folding",
    };
    let common = match interface {
        // Secrets may be granted, which is asked for each stage.
        "types" | "host" | "secrets" => true,
        "side-inputs" => world != World::Source,
        _ => interface == own,
    };
    is_supported(version) && common
}

/// Whether `import` is of outgoing HTTP, which may be granted to a source: asked for each stage.
fn is_http(import: &str) -> bool {
    matches!(
        import.split_once('@'),
        Some(("wasi:http/outgoing-handler" | "wasi:http/types", version)) if version.starts_with("0.2.")
    )
}

/// Tells a component from what people pass in its place.
fn check_header(name: &str, bytes: &[u8]) -> Result<(), SandboxError> {
    let found = match bytes {
        [b'\0', b'a', b's', b'm', _, _, 1, 0, ..] => return Ok(()),
        [b'\0', b'a', b's', b'm', 1, 0, 0, 0, ..] => "a core WebAssembly module",
        [b'\0', b'a', b's', b'm', ..] => "WebAssembly of an unknown version",
        [0x7f, b'E', b'L', b'F', ..] => "native code",
        [] => "an empty file",
        _ => "something that is not WebAssembly",
    };
    Err(SandboxError::NotAComponent {
        plugin: name.to_owned(),
        found,
    })
}

/// The engine's settings. Every one that weakens a limit or changes what a guest computes is named.
pub(crate) fn config(options: &SandboxOptions) -> Config {
    let instances = options.max_instances.max(1);
    let kept_resident = if PoolingAllocationConfig::is_pagemap_scan_available() {
        KEPT_RESIDENT
    } else {
        KEPT_RESIDENT_UNSCANNED
    };
    let mut pool = PoolingAllocationConfig::new();
    pool.total_component_instances(instances)
        .total_core_instances(instances.saturating_mul(32))
        .total_memories(instances.saturating_mul(2))
        .total_tables(instances.saturating_mul(8))
        .total_stacks(instances)
        .max_core_instances_per_component(64)
        .max_memories_per_component(8)
        .max_tables_per_component(64)
        .max_memories_per_module(4)
        .max_tables_per_module(16)
        .table_elements(200_000)
        .linear_memory_keep_resident(kept_resident)
        .table_keep_resident(kept_resident)
        .pagemap_scan(Enabled::Auto)
        .max_component_instance_size(4 << 20)
        .max_core_instance_size(1 << 20)
        .max_memory_size(
            usize::try_from(options.max_memory)
                .unwrap_or(usize::MAX)
                .max(1 << 16),
        );
    let mut config = Config::new();
    config
        .allocation_strategy(InstanceAllocationStrategy::Pooling(pool))
        .memory_init_cow(true)
        .cranelift_opt_level(OptLevel::Speed)
        .cranelift_nan_canonicalization(true)
        .epoch_interruption(options.deadlines)
        .max_wasm_stack(GUEST_STACK)
        .async_stack_size(CALL_STACK)
        .wasm_component_model(true)
        .wasm_relaxed_simd(false)
        .relaxed_simd_deterministic(true)
        .wasm_memory64(false)
        .wasm_wide_arithmetic(false)
        .wasm_custom_page_sizes(false)
        .wasm_shared_everything_threads(false)
        .wasm_stack_switching(false)
        .shared_memory(false)
        .gc_support(false)
        .concurrency_support(false)
        .wasm_backtrace_max_frames(None)
        .debug_info(false);
    config
}
