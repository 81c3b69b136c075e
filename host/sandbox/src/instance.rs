//! A running plugin: the order of its calls, and the limits on each.

use std::sync::Arc;
use std::time::Duration;

use arrow::array::RecordBatch;
use arrow::datatypes::SchemaRef;
use futures::future::BoxFuture;
use wasmtime::Store;

use crate::clock::GuestClock;
use crate::error::{Call, CallSite, SandboxError};
use crate::guest_log::{GuestLevel, GuestLog, GuestStream};
use crate::guest_text::{MAX_TEXT, escape};
use crate::lower::{self, Lowered, MAX_BATCH_ROWS};
use crate::model::{BindRequest, Info, Output, Processed, Reading, Rule, Usage, World};
use crate::plugin::Plugin;
use crate::schema::{FlatField, check_name, flatten, normalise_schema, unflatten};
use crate::state::{BoundOutput, State};
use crate::terms::{Isolation, Terms};
use crate::track::{self, Answer, Binding, BoundSideInput, Guest, RawOutputs};
use crate::verify::Shape;

mod failure;
mod fold;
mod rows;
mod source;

use rows::keeps_rows;

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

/// How a call into the guest begins, with what it is given.
type Start<A, T> =
    for<'a> fn(&'a dyn Guest, &'a mut Store<State>, &'a A) -> BoxFuture<'a, Answer<T>>;

/// One instance of a plugin, with memory of its own, for one stage and one partition.
///
/// Its life: made by [`Plugin::instantiate`]; [`bind`](Instance::bind) once (a decoder: for each
/// file); then [`process`](Instance::process) for each batch, or [`decode`](Instance::decode) for
/// each chunk; then [`finish`](Instance::finish) once. A source instead: [`open`](Instance::open) once, then
/// [`read`](Instance::read) until it is done. A fold ends with [`snapshot`](Instance::snapshot), or takes those of
/// others with [`merge`](Instance::merge) before it finishes. Every call is held to the stage's
/// [`Terms`] and everything it gives is checked before it is returned.
///
/// With [`Isolation::Batch`] the plugin itself lives for one batch only: each is given to a fresh
/// store, which is bound with the same request (and must answer the same), finished, and dropped.
///
/// After any failure inside the guest, and when a call's future is dropped before it is done, the
/// memory is gone and every further call answers [`SandboxError::Poisoned`].
/// A call refused before it reached the guest ([`BadCall`](SandboxError::BadCall),
/// [`RowTooLarge`](SandboxError::RowTooLarge)) leaves the instance as it was.
pub struct Instance {
    plugin: Plugin,
    stage: String,
    terms: Terms,
    clock: GuestClock,
    log: GuestLog,
    /// None after a failure, while a call is in progress, and between two batches that share no
    /// memory.
    live: Option<Live>,
    /// Whether there is no live store because the next batch gets a fresh one.
    between: bool,
    phase: Phase,
    binding: Option<Binding>,
    input: Option<SchemaRef>,
    outputs: Vec<Output>,
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
    /// An instance whose imports were not held against its powers.
    pub(crate) async fn unchecked(
        plugin: Plugin,
        stage: &str,
        terms: &Terms,
    ) -> Result<Instance, SandboxError> {
        let log = GuestLog::new(plugin.name(), stage, &terms.speech, terms.limits.log_bytes);
        let mut instance = Instance {
            stage: stage.to_owned(),
            terms: terms.clone(),
            clock: GuestClock::default(),
            log,
            live: None,
            between: false,
            phase: Phase::New,
            binding: None,
            input: None,
            outputs: Vec::new(),
            batches: 0,
            usage: Usage::default(),
            plugin,
        };
        let (memory, allowed) = (
            terms.limits.memory,
            instance.plugin.sandbox().options().max_memory,
        );
        if memory > allowed {
            let why = format!("a grant of {memory} bytes of memory; the sandbox allows {allowed}");
            return Err(instance.bad_call(Call::Instantiate, why));
        }
        instance.live = Some(instance.start().await?);
        Ok(instance)
    }

    /// A fresh store with the component instantiated in it, its start functions run.
    async fn start(&mut self) -> Result<Live, SandboxError> {
        let mut state = State::new(self.plugin.world(), &self.terms, self.log.clone());
        state.metrics.clone_from(&self.usage.metrics);
        let mut store = Store::new(self.plugin.sandbox().engine(), state);
        store.limiter(|state| &mut state.limiter);
        store.set_max_component_handles(to_usize(u64::from(self.terms.limits.handles)));
        store.set_hostcall_fuel(to_usize(SMALL_FUEL));
        if self.plugin.sandbox().options().deadlines {
            self.clock.watch(&mut store);
        }
        self.clock.begin(self.terms.limits.deadline);
        store.data_mut().begin(Call::Instantiate, 0);
        let wall_clock = self.terms.limits.wall_clock;
        let starting = self.plugin.pre().instantiate_async(&mut store);
        let started = tokio::time::timeout(wall_clock, self.clock.measure(starting)).await;
        let started = match started {
            Err(_) => Err(self.over_wall_clock(Call::Instantiate)),
            Ok(Err(error)) => Err(self.failure(Call::Instantiate, &error, store.data())),
            Ok(Ok(started)) => Ok(started),
        };
        self.count(&store);
        let started = started?;
        let guest = track::guest(&mut store, &started, self.plugin.exports()).map_err(|error| {
            SandboxError::WrongTypes {
                plugin: self.plugin.name().to_owned(),
                source: error.into(),
            }
        })?;
        Ok(Live { store, guest })
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
            return Err(self.bad_schema(Call::Describe, why));
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
        if self.plugin.world() == World::Fold && self.terms.isolation == Isolation::Batch {
            let why = "a fold keeps its state from batch to batch";
            return Err(self.bad_call(Call::Bind, why));
        }
        let input = normalise_schema(&request.input)?;
        let flat = match self.plugin.world() {
            World::Decoder => Some(Vec::new()),
            World::Source => {
                return Err(self.bad_call(Call::Bind, "a source is opened"));
            }
            World::Transform | World::Check | World::Fold => flatten(&input),
        };
        let Some(flat) = flat else {
            return Err(self.bad_call(Call::Bind, "the input schema cannot cross"));
        };
        let mut binding = binding_of(request, flat, None);
        binding.side_inputs = self.side_inputs(request)?;
        self.outputs = self.bind_guest(Call::Bind, &binding).await?;
        self.binding = Some(binding);
        self.input = Some(input);
        self.batches = 0;
        self.phase = Phase::Bound;
        Ok(self.outputs.clone())
    }

    /// The reference tables of a request as they cross.
    fn side_inputs(&self, request: &BindRequest) -> Result<Vec<BoundSideInput>, SandboxError> {
        let sizes = request.side_inputs.iter().flat_map(|side| side.rows.iter());
        let bytes = sizes
            .map(lower::unpacked_bytes)
            .fold(0, u64::saturating_add);
        let memory = self.terms.limits.memory;
        let allowed = lower::side_input_bytes(memory);
        if bytes > allowed {
            let at = self.site(Call::Bind);
            return Err(SandboxError::SideInputsTooLarge { at, bytes, allowed });
        }
        let mut bound: Vec<BoundSideInput> = Vec::with_capacity(request.side_inputs.len());
        for side in &request.side_inputs {
            if bound.iter().any(|other| other.name == side.name) {
                let why = format!("two side inputs are named '{}'", side.name);
                return Err(self.bad_call(Call::Bind, why));
            }
            let schema = normalise_schema(&side.schema)?;
            let flat = flatten(&schema);
            let flat = flat.ok_or_else(|| {
                let why = format!("the schema of side input '{}' cannot cross", side.name);
                self.bad_call(Call::Bind, why)
            })?;
            let pieces = side.rows.iter().flat_map(|rows| lower::split(rows, memory));
            let lowered = pieces.map(|piece| lower::lower(&piece, &schema));
            let rows = lowered.collect::<Result<Vec<_>, _>>().map_err(|why| {
                self.bad_call(Call::Bind, format!("side input '{}': {why}", side.name))
            })?;
            bound.push(BoundSideInput {
                name: side.name.clone(),
                schema: flat,
                rows: rows.into(),
            });
        }
        Ok(bound)
    }

    /// Binds the live guest and keeps its outputs' shapes in its store.
    async fn bind_guest(
        &mut self,
        call: Call,
        binding: &Binding,
    ) -> Result<Vec<Output>, SandboxError> {
        let (returned, _) = self
            .call(call, 0, SMALL_FUEL, binding, |guest, store, binding| {
                guest.bind(store, binding)
            })
            .await?;
        let outputs = checked_outputs(returned).map_err(|why| self.bad_schema(call, why))?;
        if let Some(live) = &mut self.live {
            live.store.data_mut().outputs = outputs
                .iter()
                .map(|output| BoundOutput {
                    schema: Arc::clone(&output.schema),
                    shape: Shape::of(&output.schema),
                })
                .collect();
            let tables = binding.side_inputs.iter();
            live.store
                .data_mut()
                .hand(tables.map(|side| Arc::clone(&side.rows)));
        }
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
        if matches!(self.plugin.world(), World::Decoder | World::Source) {
            let why = format!("a {} takes no batches", self.plugin.world());
            return Err(self.bad_call(Call::Process, why));
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
        let allowed = lower::batch_bytes(self.terms.limits.memory);
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
        if self.between {
            self.renew().await?;
        }
        let given = self.process_guest(&lowered).await?;
        if self.terms.isolation == Isolation::Batch {
            self.finish_guest().await?;
            self.live = None;
            self.between = true;
        }
        Ok(given)
    }

    /// Gives the live guest a batch and holds what it gave to the row contract.
    async fn process_guest(&mut self, lowered: &Lowered) -> Result<Processed, SandboxError> {
        let fuel = self.large_fuel();
        let ((), given) = self
            .call(
                Call::Process,
                lowered.rows,
                fuel,
                lowered,
                |guest, store, batch| guest.process(store, batch),
            )
            .await?;
        if self.plugin.world() == World::Transform {
            let kept = keeps_rows(
                self.terms.contract.rows,
                self.outputs.len(),
                lowered.rows,
                &given,
            );
            if let Err(why) = kept {
                self.live = None;
                let at = self.site(Call::Process);
                return Err(self.keep_words(SandboxError::Contract { at, why }));
            }
        }
        Ok(given)
    }

    /// Makes the store that the next batch gets, bound as the first was.
    async fn renew(&mut self) -> Result<(), SandboxError> {
        self.between = false;
        let Some(binding) = self.binding.take() else {
            return Err(self.bad_call(Call::Bind, "it comes first"));
        };
        self.live = Some(self.start().await?);
        let outputs = self.bind_guest(Call::Bind, &binding).await?;
        self.binding = Some(binding);
        if outputs != self.outputs {
            self.live = None;
            let why = "bound to other outputs than at first".to_owned();
            let at = self.site(Call::Bind);
            return Err(self.keep_words(SandboxError::Contract { at, why }));
        }
        Ok(())
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
                format!("a {} takes no bytes", self.plugin.world()),
            ));
        }
        if self.phase != Phase::Bound {
            return Err(self.bad_call(Call::Decode, "it comes after bind and before finish"));
        }
        let size = u64::try_from(bytes.len()).unwrap_or(u64::MAX);
        let allowed = lower::batch_bytes(self.terms.limits.memory);
        if size > allowed {
            return Err(self.bad_call(
                Call::Decode,
                format!("a chunk of {size} bytes; at most {allowed} cross at once"),
            ));
        }
        self.batches = self.batches.saturating_add(1);
        self.usage.bytes_in = self.usage.bytes_in.saturating_add(size);
        let fuel = self.large_fuel();
        let ((), given) = self
            .call(Call::Decode, 0, fuel, bytes, |guest, store, bytes| {
                guest.decode(store, bytes)
            })
            .await?;
        Ok(given)
    }

    /// Tells the plugin that its input has ended. Only a decoder and a fold emit now.
    ///
    /// # Errors
    /// [`BadCall`](SandboxError::BadCall) if it is not bound. Any other error ends the instance.
    pub async fn finish(&mut self) -> Result<Processed, SandboxError> {
        if self.phase != Phase::Bound || self.plugin.world() == World::Source {
            return Err(self.bad_call(Call::Finish, "it comes once, after bind"));
        }
        self.phase = Phase::Finished;
        let given = if self.between {
            Processed::default()
        } else {
            self.finish_guest().await?
        };
        if self.terms.speech.is_withheld() {
            for (name, sum) in &self.usage.metrics {
                let line = format!("{name} = {sum}");
                self.log.line(GuestLevel::Info, GuestStream::Metric, &line);
            }
        }
        Ok(given)
    }

    async fn finish_guest(&mut self) -> Result<Processed, SandboxError> {
        let fuel = self.large_fuel();
        let ((), given) = self
            .call(Call::Finish, 0, fuel, &(), |guest, store, ()| {
                guest.finish(store)
            })
            .await?;
        Ok(given)
    }

    /// Bytes that one host call may copy out of the guest where it may emit.
    fn large_fuel(&self) -> u64 {
        self.terms.limits.output_bytes.saturating_add(EXTRA_FUEL)
    }

    /// What the instance has used so far; complete after a failure too. Where words are kept there are
    /// no metrics: their names and values are the plugin's.
    pub fn usage(&self) -> Usage {
        let mut usage = self.usage.clone();
        if self.terms.speech.is_withheld() {
            usage.metrics.clear();
        }
        usage
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
        self.clock.begin(self.terms.limits.deadline);
        self.usage.calls = self.usage.calls.saturating_add(1);
        let answer = {
            let running = self
                .clock
                .measure(start(live.guest.as_ref(), &mut live.store, argument));
            tokio::time::timeout(self.terms.limits.wall_clock, running).await
        };
        let (given, bytes_out) = live.store.data_mut().take();
        self.usage.bytes_out = self.usage.bytes_out.saturating_add(bytes_out);
        self.count(&live.store);
        match answer {
            Err(_) => Err(self.over_wall_clock(call)),
            Ok(Err(error)) => Err(self.failure(call, &error, live.store.data())),
            Ok(Ok(Err(error))) => Err(self.keep_words(SandboxError::PluginError {
                at: self.site_of(call, live.store.data()),
                kind: error.kind,
                message: escape(&error.message, MAX_TEXT),
            })),
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
        let peak = u64::try_from(state.limiter.peak_memory).unwrap_or(u64::MAX);
        self.usage.peak_memory = self.usage.peak_memory.max(peak);
        self.usage.log_lines_dropped = state.log.dropped();
        if self.usage.metrics != state.metrics {
            self.usage.metrics.clone_from(&state.metrics);
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
            batch: (matches!(call, Call::Process | Call::Decode | Call::Read) && self.batches > 0)
                .then_some(self.batches),
            refused: None,
        })
    }

    /// The same, with the request that came to nothing.
    fn site_of(&self, call: Call, state: &State) -> Box<CallSite> {
        let mut at = self.site(call);
        at.refused = state.refused();
        at
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

/// What crosses of a request.
fn binding_of(request: &BindRequest, input: Vec<FlatField>, reading: Option<Reading>) -> Binding {
    let mut parameters = request.parameters.clone();
    parameters.sort();
    Binding {
        config: request.config.to_string(),
        pipeline: request.pipeline.clone(),
        step: request.step.clone(),
        parameters,
        input,
        side_inputs: Vec::new(),
        reading,
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

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

fn to_usize(bytes: u64) -> usize {
    usize::try_from(bytes).unwrap_or(usize::MAX)
}
