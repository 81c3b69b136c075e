//! A running plugin: the order of its calls, the limits on each, and what a failure becomes.

use std::sync::Arc;
use std::time::Duration;

use arrow::array::RecordBatch;
use arrow::datatypes::SchemaRef;
use futures::future::BoxFuture;
use wasmtime::{PoolConcurrencyLimitError, Store, Trap};
use wasmtime_wasi::I32Exit;

use crate::clock::GuestClock;
use crate::error::{Call, CallSite, LimitKind, SandboxError};
use crate::guest_text::{MAX_TEXT, escape};
use crate::limits::Limits;
use crate::lower::{self, MAX_BATCH_ROWS};
use crate::model::{BindRequest, Info, Output, Processed, Rule, Usage, World};
use crate::plugin::Plugin;
use crate::schema::{check_name, flatten, normalise_schema, unflatten};
use crate::state::{BoundOutput, Halt, State};
use crate::track::{self, Answer, Binding, Guest, RawOutputs};
use crate::verify::Shape;

/// Bytes that one host call may copy out of the guest in `describe` and `bind`.
const SMALL_FUEL: u64 = 8 << 20;
/// The same in other calls, on top of the output limit: nodes, origins, words.
const EXTRA_FUEL: u64 = 1 << 20;
/// Most outputs of a transform.
const MAX_OUTPUTS: usize = 64;
/// Longest configuration schema kept, in bytes.
const MAX_CONFIG_SCHEMA: usize = 1 << 20;
/// Most columns or rules that a plugin lists.
const MAX_LISTED: usize = 4096;
/// What wasmtime says when a host call would copy too much; the error's type is private to it.
const FUEL_EXHAUSTED: &str = "fuel allocated for hostcalls has been exhausted";

/// How a call into the guest begins, with what it is given.
type Start<A, T> =
    for<'a> fn(&'a dyn Guest, &'a mut Store<State>, &'a A) -> BoxFuture<'a, Answer<T>>;

/// One instance of a plugin, with memory of its own, for one stage and one partition.
///
/// Its life: made by [`Plugin::instantiate`]; [`bind`](Instance::bind) once (a decoder: for each
/// file); then [`process`](Instance::process) for each batch, or [`decode`](Instance::decode) for
/// each chunk; then [`finish`](Instance::finish) once. Every call is held to the instance's
/// [`Limits`] and everything it gives is checked before it is returned.
///
/// After any failure inside the guest, and when a call's future is dropped before it is done, the
/// memory is gone and every further call answers [`SandboxError::Poisoned`].
/// A call refused before it reached the guest ([`BadCall`](SandboxError::BadCall),
/// [`RowTooLarge`](SandboxError::RowTooLarge)) leaves the instance as it was.
pub struct Instance {
    plugin: Plugin,
    stage: String,
    limits: Limits,
    clock: GuestClock,
    /// None after a failure, and while a call is in progress.
    live: Option<Live>,
    phase: Phase,
    input: Option<SchemaRef>,
    batches: u64,
    usage: Usage,
}

struct Live {
    store: Store<State>,
    guest: Box<dyn Guest>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    New,
    Bound,
    Finished,
}

impl Instance {
    pub(crate) async fn new(
        plugin: Plugin,
        stage: &str,
        limits: &Limits,
    ) -> Result<Instance, SandboxError> {
        let mut instance = Instance {
            stage: stage.to_owned(),
            limits: limits.clone(),
            clock: GuestClock::default(),
            live: None,
            phase: Phase::New,
            input: None,
            batches: 0,
            usage: Usage::default(),
            plugin,
        };
        let options = instance.plugin.sandbox().options();
        if limits.memory > options.max_memory {
            let why = format!(
                "a grant of {} bytes of memory; the sandbox allows {}",
                limits.memory, options.max_memory
            );
            return Err(SandboxError::BadCall {
                at: instance.site(Call::Instantiate),
                why,
            });
        }
        let state = State::new(
            instance.plugin.name(),
            stage,
            instance.plugin.world(),
            limits,
        );
        let mut store = Store::new(instance.plugin.sandbox().engine(), state);
        store.limiter(|state| &mut state.limiter);
        store.set_max_component_handles(usize::try_from(limits.handles).unwrap_or(usize::MAX));
        store.set_hostcall_fuel(to_usize(SMALL_FUEL));
        if options.deadlines {
            instance.clock.watch(&mut store);
        }
        instance.clock.begin(limits.deadline);
        store.data_mut().begin(Call::Instantiate, 0);
        let starting = instance.plugin.pre().instantiate_async(&mut store);
        let started =
            tokio::time::timeout(limits.wall_clock, instance.clock.measure(starting)).await;
        let started = match started {
            Err(_) => Err(instance.over(
                Call::Instantiate,
                LimitKind::WallClock,
                millis(limits.wall_clock),
            )),
            Ok(Err(error)) => Err(instance.failure(Call::Instantiate, &error, store.data())),
            Ok(Ok(started)) => Ok(started),
        };
        instance.count(&store);
        let started = started?;
        let guest =
            track::guest(&mut store, &started, instance.plugin.exports()).map_err(|error| {
                SandboxError::WrongTypes {
                    plugin: instance.plugin.name().to_owned(),
                    source: error.into(),
                }
            })?;
        instance.live = Some(Live { store, guest });
        Ok(instance)
    }

    /// Calls `describe`. Allowed at any time.
    pub(crate) async fn describe(&mut self) -> Result<Info, SandboxError> {
        let (info, _) = self
            .call(Call::Describe, 0, SMALL_FUEL, &(), |guest, store, ()| {
                guest.describe(store)
            })
            .await?;
        let listed = info.columns.len().max(info.rules.len());
        let why = if listed > MAX_LISTED {
            Some(format!(
                "it lists {listed} columns or rules; at most {MAX_LISTED} are accepted"
            ))
        } else if info.config_schema.len() > MAX_CONFIG_SCHEMA {
            Some(format!(
                "its configuration schema has {} bytes",
                info.config_schema.len()
            ))
        } else {
            info.columns
                .iter()
                .find_map(|column| check_name(column).err())
        };
        if let Some(why) = why {
            self.live = None;
            return Err(SandboxError::BadSchema {
                at: self.site(Call::Describe),
                why,
            });
        }
        let rules = info.rules.into_iter().map(|rule| Rule {
            name: escape(&rule.name, 64),
            description: escape(&rule.description, MAX_TEXT),
        });
        Ok(Info {
            name: escape(&info.name, 256),
            version: escape(&info.version, 64),
            description: escape(&info.description, MAX_TEXT),
            config_schema: info.config_schema,
            columns: info.columns,
            rules: rules.collect(),
        })
    }

    /// Gives the plugin its configuration and input schema. Returns a transform's outputs; none for a
    /// check; one named `out` for a decoder. Once, except that a decoder is bound again for each file
    /// after `finish`.
    ///
    /// # Errors
    /// [`UnsupportedType`](SandboxError::UnsupportedType) if a column cannot cross;
    /// [`PluginError`](SandboxError::PluginError) if the plugin refuses;
    /// [`BadSchema`](SandboxError::BadSchema) if what it returns cannot be.
    pub async fn bind(&mut self, request: &BindRequest) -> Result<Vec<Output>, SandboxError> {
        let again = self.phase == Phase::Finished && self.plugin.world() == World::Decoder;
        if self.phase != Phase::New && !again {
            return Err(self.bad_call(Call::Bind, "bind was called before"));
        }
        if !request.config.is_object() {
            return Err(self.bad_call(Call::Bind, "the configuration is not a JSON object"));
        }
        let input = normalise_schema(&request.input)?;
        let flat = match self.plugin.world() {
            World::Decoder => Some(Vec::new()),
            World::Transform | World::Check => flatten(&input),
        };
        let Some(flat) = flat else {
            return Err(self.bad_call(Call::Bind, "the input schema cannot cross"));
        };
        let mut parameters = request.parameters.clone();
        parameters.sort();
        let binding = Binding {
            config: request.config.to_string(),
            pipeline: request.pipeline.clone(),
            step: request.step.clone(),
            parameters,
            input: flat,
        };
        let (returned, _) = self
            .call(
                Call::Bind,
                0,
                SMALL_FUEL,
                &binding,
                |guest, store, binding| guest.bind(store, binding),
            )
            .await?;
        let outputs = checked_outputs(returned).map_err(|why| {
            self.live = None;
            SandboxError::BadSchema {
                at: self.site(Call::Bind),
                why,
            }
        })?;
        if let Some(live) = &mut self.live {
            live.store.data_mut().outputs = outputs
                .iter()
                .map(|output| BoundOutput {
                    schema: Arc::clone(&output.schema),
                    shape: Shape::of(&output.schema),
                })
                .collect();
        }
        self.input = Some(input);
        self.batches = 0;
        self.phase = Phase::Bound;
        Ok(outputs)
    }

    /// Gives a transform or check one batch, of the schema bound: equal column names, and types equal
    /// or some encoding of them (dictionaries, views and the like are unpacked). At most
    /// [`MAX_BATCH_ROWS`] rows and a quarter of the memory grant: see [`split`](crate::split).
    ///
    /// # Errors
    /// [`RowTooLarge`](SandboxError::RowTooLarge) for a batch of one row that does not fit, and
    /// [`BadCall`](SandboxError::BadCall) for one that breaks another rule; the instance lives on. Any
    /// other error ends it.
    pub async fn process(&mut self, batch: &RecordBatch) -> Result<Processed, SandboxError> {
        if self.plugin.world() == World::Decoder {
            return Err(self.bad_call(Call::Process, "a decoder takes bytes"));
        }
        let Some(input) = self.input.clone().filter(|_| self.phase == Phase::Bound) else {
            return Err(self.bad_call(Call::Process, "it comes after bind and before finish"));
        };
        if batch.num_rows() > MAX_BATCH_ROWS {
            let why = format!(
                "a batch of {} rows; at most {MAX_BATCH_ROWS} cross at once",
                batch.num_rows()
            );
            return Err(self.bad_call(Call::Process, why));
        }
        let bytes = lower::unpacked_bytes(batch);
        let allowed = lower::batch_bytes(self.limits.memory);
        if bytes > allowed {
            if batch.num_rows() == 1 {
                let mut at = self.site(Call::Process);
                at.batch = Some(self.batches.saturating_add(1));
                return Err(SandboxError::RowTooLarge { at, bytes, allowed });
            }
            return Err(self.bad_call(
                Call::Process,
                format!("a batch of {bytes} bytes; at most {allowed} cross at once"),
            ));
        }
        let lowered =
            lower::lower(batch, &input).map_err(|why| self.bad_call(Call::Process, why))?;
        self.batches = self.batches.saturating_add(1);
        self.usage.bytes_in = self.usage.bytes_in.saturating_add(lowered.bytes());
        let fuel = self.limits.output_bytes.saturating_add(EXTRA_FUEL);
        let ((), given) = self
            .call(
                Call::Process,
                lowered.rows,
                fuel,
                &lowered,
                |guest, store, batch| guest.process(store, batch),
            )
            .await?;
        Ok(given)
    }

    /// Gives a decoder the next bytes of its file: at most a quarter of the memory grant.
    ///
    /// # Errors
    /// [`BadCall`](SandboxError::BadCall) if the chunk is too large or the call out of order; the
    /// instance lives on. Any other error ends it.
    pub async fn decode(&mut self, bytes: &[u8]) -> Result<Processed, SandboxError> {
        if self.plugin.world() != World::Decoder {
            return Err(self.bad_call(
                Call::Decode,
                format!("a {} takes batches", self.plugin.world()),
            ));
        }
        if self.phase != Phase::Bound {
            return Err(self.bad_call(Call::Decode, "it comes after bind and before finish"));
        }
        let size = u64::try_from(bytes.len()).unwrap_or(u64::MAX);
        let allowed = lower::batch_bytes(self.limits.memory);
        if size > allowed {
            return Err(self.bad_call(
                Call::Decode,
                format!("a chunk of {size} bytes; at most {allowed} cross at once"),
            ));
        }
        self.batches = self.batches.saturating_add(1);
        self.usage.bytes_in = self.usage.bytes_in.saturating_add(size);
        let fuel = self.limits.output_bytes.saturating_add(EXTRA_FUEL);
        let ((), given) = self
            .call(Call::Decode, 0, fuel, bytes, |guest, store, bytes| {
                guest.decode(store, bytes)
            })
            .await?;
        Ok(given)
    }

    /// Tells the plugin that its input has ended. Only a decoder emits now.
    ///
    /// # Errors
    /// [`BadCall`](SandboxError::BadCall) if it is not bound. Any other error ends the instance.
    pub async fn finish(&mut self) -> Result<Processed, SandboxError> {
        if self.phase != Phase::Bound {
            return Err(self.bad_call(Call::Finish, "it comes once, after bind"));
        }
        self.phase = Phase::Finished;
        let fuel = self.limits.output_bytes.saturating_add(EXTRA_FUEL);
        let ((), given) = self
            .call(Call::Finish, 0, fuel, &(), |guest, store, ()| {
                guest.finish(store)
            })
            .await?;
        Ok(given)
    }

    /// What the instance has used so far; complete after a failure too.
    pub fn usage(&self) -> Usage {
        self.usage.clone()
    }

    /// Makes one call into the guest: metered, timed, and final if it fails.
    async fn call<A: ?Sized, T>(
        &mut self,
        call: Call,
        rows: u32,
        fuel: u64,
        argument: &A,
        start: Start<A, T>,
    ) -> Result<(T, Processed), SandboxError> {
        // Taken out, not borrowed: should this future be dropped half-way, the store goes with it.
        let Some(mut live) = self.live.take() else {
            return Err(SandboxError::Poisoned {
                at: self.site(call),
            });
        };
        live.store.data_mut().begin(call, rows);
        live.store.set_hostcall_fuel(to_usize(fuel));
        if self.plugin.sandbox().options().deadlines {
            live.store.set_epoch_deadline(1);
        }
        self.clock.begin(self.limits.deadline);
        self.usage.calls = self.usage.calls.saturating_add(1);
        let answer = {
            let running = self
                .clock
                .measure(start(live.guest.as_ref(), &mut live.store, argument));
            tokio::time::timeout(self.limits.wall_clock, running).await
        };
        let (given, bytes_out) = live.store.data_mut().take();
        self.usage.bytes_out = self.usage.bytes_out.saturating_add(bytes_out);
        self.count(&live.store);
        match answer {
            Err(_) => Err(self.over(call, LimitKind::WallClock, millis(self.limits.wall_clock))),
            Ok(Err(error)) => Err(self.failure(call, &error, live.store.data())),
            Ok(Ok(Err(error))) => {
                let message = escape(&error.message, MAX_TEXT);
                Err(SandboxError::PluginError {
                    at: self.site(call),
                    kind: error.kind,
                    message,
                })
            }
            Ok(Ok(Ok(value))) => {
                self.live = Some(live);
                Ok((value, given))
            }
        }
    }

    /// Brings the usage up to date with the store.
    fn count(&mut self, store: &Store<State>) {
        let state = store.data();
        self.usage.guest_time = self.usage.guest_time.saturating_add(self.clock.spent());
        self.usage.peak_memory = u64::try_from(state.limiter.peak_memory).unwrap_or(u64::MAX);
        self.usage.log_lines_dropped = state.log.dropped();
        if self.usage.metrics != state.metrics {
            self.usage.metrics.clone_from(&state.metrics);
        }
    }

    /// What an error of the machinery means.
    fn failure(&self, call: Call, error: &wasmtime::Error, state: &State) -> SandboxError {
        let at = self.site(call);
        if let Some(halt) = error.downcast_ref::<Halt>() {
            return match halt.clone() {
                Halt::Limit { which, allowed } => SandboxError::Limit { at, which, allowed },
                Halt::BadBatch(why) => SandboxError::BadBatch { at, why },
                Halt::Contract(why) => SandboxError::Contract { at, why },
            };
        }
        if error.downcast_ref::<PoolConcurrencyLimitError>().is_some() {
            let allowed = u64::from(self.plugin.sandbox().options().max_instances);
            return self.over(call, LimitKind::Instances, allowed);
        }
        // A guest that was denied memory usually aborts: the denial is the cause, not the trap.
        if state.limiter.memory_denied {
            return self.over(call, LimitKind::Memory, self.limits.memory);
        }
        if state.limiter.table_denied {
            return self.over(
                call,
                LimitKind::Tables,
                u64::from(self.limits.table_elements),
            );
        }
        if let Some(exit) = error.downcast_ref::<I32Exit>() {
            return SandboxError::Trap {
                at,
                what: format!("called exit with status {}", exit.0),
            };
        }
        if let Some(trap) = error.downcast_ref::<Trap>() {
            return SandboxError::Trap {
                at,
                what: trap_name(*trap),
            };
        }
        let root = error.root_cause().to_string();
        if root.contains(FUEL_EXHAUSTED) {
            let allowed = match call {
                Call::Process | Call::Decode | Call::Finish => {
                    self.limits.output_bytes.saturating_add(EXTRA_FUEL)
                }
                Call::Instantiate | Call::Describe | Call::Bind => SMALL_FUEL,
            };
            return self.over(call, LimitKind::Hostcall, allowed);
        }
        SandboxError::Trap {
            at,
            what: escape(&root, 256),
        }
    }

    fn over(&self, call: Call, which: LimitKind, allowed: u64) -> SandboxError {
        SandboxError::Limit {
            at: self.site(call),
            which,
            allowed,
        }
    }

    fn bad_call(&self, call: Call, why: impl Into<String>) -> SandboxError {
        SandboxError::BadCall {
            at: self.site(call),
            why: why.into(),
        }
    }

    fn site(&self, call: Call) -> Box<CallSite> {
        Box::new(CallSite {
            plugin: self.plugin.name().to_owned(),
            digest: self.plugin.digest().chars().take(12).collect(),
            stage: self.stage.clone(),
            call,
            batch: (matches!(call, Call::Process | Call::Decode) && self.batches > 0)
                .then_some(self.batches),
        })
    }
}

impl std::fmt::Debug for Instance {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Instance")
            .field("plugin", &self.plugin)
            .field("stage", &self.stage)
            .field("phase", &self.phase)
            .field("alive", &self.live.is_some())
            .finish_non_exhaustive()
    }
}

/// The outputs a guest returned, if they can be.
fn checked_outputs(returned: RawOutputs) -> Result<Vec<Output>, String> {
    if returned.len() > MAX_OUTPUTS {
        return Err(format!(
            "{} outputs; at most {MAX_OUTPUTS} are accepted",
            returned.len()
        ));
    }
    let mut outputs: Vec<Output> = Vec::with_capacity(returned.len());
    for (name, fields) in returned {
        check_name(&name)?;
        if outputs.iter().any(|output| output.name == name) {
            return Err(format!("two outputs are named '{name}'"));
        }
        let schema = unflatten(fields).map_err(|why| format!("output '{name}': {why}"))?;
        outputs.push(Output { name, schema });
    }
    Ok(outputs)
}

/// A trap in few words.
fn trap_name(trap: Trap) -> String {
    match trap {
        Trap::UnreachableCodeReached => "unreachable".into(),
        Trap::StackOverflow => "stack overflow".into(),
        Trap::MemoryOutOfBounds => "memory access out of bounds".into(),
        Trap::TableOutOfBounds => "table access out of bounds".into(),
        Trap::IntegerDivisionByZero => "division by zero".into(),
        Trap::IntegerOverflow => "integer overflow".into(),
        other => other
            .to_string()
            .trim_start_matches("wasm trap: ")
            .to_owned(),
    }
}

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

fn to_usize(bytes: u64) -> usize {
    usize::try_from(bytes).unwrap_or(usize::MAX)
}
