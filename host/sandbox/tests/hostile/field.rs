//! Where attacks take place: one sandbox, what is measured of each attack, and what has to be true
//! after every one of them.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::{Duration, Instant};

use arrow::array::{ArrayRef, Int64Array, RecordBatch, StringArray};
use arrow::datatypes::{DataType, Field, Schema};
use serde_json::{Value, json};
use weir_roster::Guest;
use weir_sandbox::{
    BindRequest, Call, ChildCompiler, Compiler, GuestLine, GuestSink, GuestStream, Instance,
    LimitKind, Limits, Output, Page, Plugin, Processed, Reading, Sandbox, SandboxError,
    SandboxOptions, Stream, Terms, Usage, World,
};

/// The grant of an attack: so small that running out of it takes no time.
pub(crate) const MEMORY: u64 = 16 << 20;
/// Bytes of output of one call of an attack.
pub(crate) const OUTPUT: u64 = 16 << 20;
/// Guest time of one call of an attack.
pub(crate) const DEADLINE: Duration = Duration::from_millis(200);
/// How long after its deadline a guest may go on, besides one operation on all of its memory.
pub(crate) const GRACE: Duration = Duration::from_millis(10);
/// What the process may grow by at its peak besides the guest's memory and its output: what the
/// allocator keeps, stacks, the test itself.
#[cfg(target_os = "linux")]
const SLACK: u64 = 24 << 20;

/// What the process may grow by while it loads a component, besides: the component, twice, and its
/// code.
const LOADING: u64 = 256 << 20;

/// One sandbox for all attacks: what one guest does must not reach another.
pub(crate) fn sandbox() -> Sandbox {
    static SANDBOX: OnceLock<Sandbox> = OnceLock::new();
    let start = || {
        Sandbox::new(SandboxOptions {
            max_instances: 8,
            max_memory: 256 << 20,
            ..SandboxOptions::default()
        })
        .expect("a sandbox")
    };
    SANDBOX.get_or_init(start).clone()
}

/// A sandbox that compiles in a child, which may use little.
fn sandbox_with_child() -> Sandbox {
    static SANDBOX: OnceLock<Sandbox> = OnceLock::new();
    let start = || {
        let mut child = ChildCompiler::new(env!("CARGO_BIN_EXE_weir-compiler").into());
        child.memory = 512 << 20;
        child.cpu = Duration::from_secs(10);
        Sandbox::new(SandboxOptions {
            max_instances: 8,
            max_memory: 256 << 20,
            compiler: Compiler::Child(child),
            ..SandboxOptions::default()
        })
        .expect("a sandbox")
    };
    SANDBOX.get_or_init(start).clone()
}

/// The limits of an attack.
pub(crate) fn limits() -> Limits {
    Limits {
        memory: MEMORY,
        deadline: DEADLINE,
        wall_clock: Duration::from_secs(60),
        output_bytes: OUTPUT,
        ..Limits::default()
    }
}

/// Ten rows of two numbers and a text.
pub(crate) fn batch() -> RecordBatch {
    let schema = Schema::new(vec![
        Field::new("id", DataType::Int64, false),
        Field::new("n", DataType::Int64, true),
        Field::new("name", DataType::Utf8, true),
    ]);
    let columns: Vec<ArrayRef> = vec![
        Arc::new((0..10).collect::<Int64Array>()),
        Arc::new(
            (0..10)
                .map(|i| (i % 3 != 0).then_some(i))
                .collect::<Int64Array>(),
        ),
        Arc::new(
            (0..10)
                .map(|i| (i % 5 != 4).then(|| format!("name {i}")))
                .collect::<StringArray>(),
        ),
    ];
    RecordBatch::try_new(Arc::new(schema), columns).expect("a batch")
}

pub(crate) fn request(config: Value, input: &RecordBatch) -> BindRequest {
    BindRequest {
        config,
        pipeline: "p".into(),
        step: "s".into(),
        parameters: Vec::new(),
        input: input.schema(),
        side_inputs: Vec::new(),
    }
}

/// The stream that a source of the field is to read.
pub(crate) fn reading(state: Option<String>) -> Reading {
    Reading {
        stream: "people".into(),
        shard: String::new(),
        state,
    }
}

/// Attacks take turns, so that what the process grows by is one attack's doing.
pub(crate) fn alone() -> MutexGuard<'static, ()> {
    static TURN: Mutex<()> = Mutex::new(());
    TURN.lock().unwrap_or_else(PoisonError::into_inner)
}

/// What a guest is called with, and held to.
pub(crate) struct Attack {
    pub(crate) guest: &'static str,
    pub(crate) terms: Terms,
    pub(crate) config: Value,
    pub(crate) input: RecordBatch,
    pub(crate) batches: u64,
    sandbox: Sandbox,
}

/// How it ended.
#[derive(Default)]
pub(crate) struct Outcome {
    /// What stopped it; none if nothing did.
    pub(crate) error: Option<SandboxError>,
    /// What it gave for each batch that it got to the end of.
    pub(crate) given: Vec<Processed>,
    /// What it bound to.
    pub(crate) outputs: Vec<Output>,
    /// What a source said that it has.
    pub(crate) streams: Vec<Stream>,
    /// The pages that a source got to the end of.
    pub(crate) pages: Vec<Page>,
    /// The state of a fold, if it got that far.
    pub(crate) snapshot: Vec<u8>,
    /// What it used, where there was an instance.
    pub(crate) usage: Usage,
}

impl Attack {
    /// Ten rows, once.
    pub(crate) fn by(guest: &'static str) -> Attack {
        Attack {
            guest,
            terms: limits().into(),
            config: json!({}),
            input: batch(),
            batches: 1,
            sandbox: sandbox(),
        }
    }

    pub(crate) fn limits(mut self, change: impl FnOnce(&mut Limits)) -> Attack {
        change(&mut self.terms.limits);
        self
    }

    pub(crate) fn terms(mut self, change: impl FnOnce(&mut Terms)) -> Attack {
        change(&mut self.terms);
        self
    }

    pub(crate) fn config(mut self, config: Value) -> Attack {
        self.config = config;
        self
    }

    pub(crate) fn input(mut self, input: RecordBatch) -> Attack {
        self.input = input;
        self
    }

    pub(crate) fn in_a_child(mut self) -> Attack {
        self.sandbox = sandbox_with_child();
        self
    }

    pub(crate) fn batches(mut self, batches: u64) -> Attack {
        self.batches = batches;
        self
    }

    /// Loads, describes, binds, calls and finishes it, as far as it lets us, and demands what must
    /// be true whatever it did: its memory within its grant, the process's within what it was
    /// allowed, its time within its deadline, and an honest guest at work afterwards.
    #[track_caller]
    pub(crate) fn run(self) -> Outcome {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .expect("a runtime");
        // Attacks take turns, so that what the process grows by is one attack's doing.
        static TURN: Mutex<()> = Mutex::new(());
        let _turn = TURN.lock().unwrap_or_else(PoisonError::into_inner);
        runtime.block_on(async {
            let guest = Guest::named(self.guest).expect("a guest of that name");
            let component = guest.component();
            // While it loads, the process holds the component and its code, besides what it may hold
            // of the guest.
            let before = Peak::begin();
            let loaded = self.sandbox.load(self.guest, component).await;
            before.end(&self, LOADING);
            let outcome = match loaded {
                Err(error) => Outcome {
                    error: Some(error),
                    ..Outcome::default()
                },
                Ok(plugin) => self.measured(&plugin).await,
            };
            honest_in(&self.sandbox).await;
            outcome
        })
    }

    async fn measured(&self, plugin: &Plugin) -> Outcome {
        let before = Peak::begin();
        let (mut outcome, mut instance) = self.call(plugin).await;
        before.end(self, 0);
        if let Some(instance) = &mut instance {
            let limits = &self.terms.limits;
            outcome.usage = instance.usage();
            assert!(
                outcome.usage.peak_memory <= limits.memory,
                "{}: {} bytes of memory, granted {}",
                self.guest,
                outcome.usage.peak_memory,
                limits.memory
            );
            if outcome.error.is_some() {
                let again = match plugin.world() {
                    World::Decoder => instance.decode(b"x").await.map(drop),
                    World::Source => instance.read().await.map(drop),
                    World::Fold => instance.snapshot().await.map(drop),
                    World::Transform | World::Check => {
                        instance.process(&self.input).await.map(drop)
                    }
                };
                assert!(
                    matches!(
                        again,
                        Err(SandboxError::Poisoned { .. } | SandboxError::BadCall { .. })
                    ),
                    "{}: it lives on after {:?}",
                    self.guest,
                    outcome.error
                );
            }
        }
        if let Some(error) = &outcome.error {
            expect_told(self.guest, error);
        }
        outcome
    }

    async fn call(&self, plugin: &Plugin) -> (Outcome, Option<Instance>) {
        let mut outcome = Outcome::default();
        let mut instance = None;
        let lateness = Lateness::begin();
        let ended = async {
            plugin.describe(&self.terms.limits).await?;
            let started = plugin.instantiate("step 's' stage 1", &self.terms).await?;
            let mut timed = Timed {
                attack: self,
                instance: instance.insert(started),
                lateness: &lateness,
                spent: Duration::ZERO,
            };
            match plugin.world() {
                World::Source => self.read(&mut timed, &mut outcome).await,
                World::Fold => {
                    self.fold(&mut timed, &mut outcome).await?;
                    // What it was told its state is, another instance is given.
                    let used = timed.instance.usage();
                    assert!(
                        used.peak_memory <= self.terms.limits.memory,
                        "{}",
                        self.guest
                    );
                    let started = plugin.instantiate("step 's' stage 1", &self.terms).await?;
                    *timed.instance = started;
                    timed.spent = Duration::ZERO;
                    self.merge(&mut timed, &mut outcome).await
                }
                World::Transform | World::Check | World::Decoder => {
                    self.process(plugin.world(), &mut timed, &mut outcome).await
                }
            }
        }
        .await;
        outcome.error = ended.err();
        // The error says how long it was let run, also where there is no instance to ask.
        if let Some(SandboxError::Limit {
            which: LimitKind::Deadline,
            asked: Some(asked),
            ..
        }) = &outcome.error
        {
            let limits = &self.terms.limits;
            let allowed = limits.deadline + GRACE + bulk(limits.memory) + lateness.most();
            assert!(
                u128::from(*asked) <= allowed.as_millis(),
                "{}: {asked} ms of {allowed:?}",
                self.guest
            );
        }
        (outcome, instance)
    }

    async fn process(
        &self,
        world: World,
        timed: &mut Timed<'_>,
        outcome: &mut Outcome,
    ) -> Result<(), SandboxError> {
        let request = request(self.config.clone(), &self.input);
        let bound = timed.instance.bind(&request).await;
        timed.in_time(Call::Bind);
        outcome.outputs = bound?;
        for _ in 0..self.batches {
            let given = match world {
                World::Decoder => timed.instance.decode(b"one\n\xff\n").await,
                _ => timed.instance.process(&self.input).await,
            };
            // With a fresh instance for each batch, a batch is four calls.
            if self.terms.isolation == weir_sandbox::Isolation::Partition {
                timed.in_time(Call::Process);
            }
            outcome.given.push(given?);
        }
        let finished = timed.instance.finish().await;
        timed.in_time(Call::Finish);
        finished.map(drop)
    }

    /// Discovers, opens, and reads as many pages as there are to be batches.
    async fn read(&self, timed: &mut Timed<'_>, outcome: &mut Outcome) -> Result<(), SandboxError> {
        let request = request(self.config.clone(), &self.input);
        let found = timed.instance.discover(&request).await;
        timed.in_time(Call::Discover);
        outcome.streams = found?;
        let opened = timed.instance.open(&request, &reading(None)).await;
        timed.in_time(Call::Open);
        opened?;
        for _ in 0..self.batches {
            let page = timed.instance.read().await;
            timed.in_time(Call::Read);
            let page = page?;
            let done = page.done;
            outcome.pages.push(page);
            if done {
                break;
            }
        }
        Ok(())
    }

    /// Takes batches, and says what the state is then.
    async fn fold(&self, timed: &mut Timed<'_>, outcome: &mut Outcome) -> Result<(), SandboxError> {
        let request = request(self.config.clone(), &self.input);
        let bound = timed.instance.bind(&request).await;
        timed.in_time(Call::Bind);
        outcome.outputs = bound?;
        for _ in 0..self.batches {
            let given = timed.instance.process(&self.input).await;
            timed.in_time(Call::Process);
            outcome.given.push(given?);
        }
        let state = timed.instance.snapshot().await;
        timed.in_time(Call::Snapshot);
        outcome.snapshot = state?;
        Ok(())
    }

    /// Takes the state of the other instance, and gives the result.
    async fn merge(
        &self,
        timed: &mut Timed<'_>,
        outcome: &mut Outcome,
    ) -> Result<(), SandboxError> {
        let request = request(self.config.clone(), &self.input);
        timed.instance.bind(&request).await?;
        timed.in_time(Call::Bind);
        let merged = timed.instance.merge(&outcome.snapshot).await;
        timed.in_time(Call::Merge);
        merged?;
        let finished = timed.instance.finish().await;
        timed.in_time(Call::Finish);
        outcome.given.push(finished?);
        Ok(())
    }
}

/// An instance whose calls are held to their deadline.
struct Timed<'a> {
    attack: &'a Attack,
    instance: &'a mut Instance,
    lateness: &'a Lateness,
    spent: Duration,
}

impl Timed<'_> {
    /// Demands that the last call was no longer than it may be.
    fn in_time(&mut self, what: Call) {
        let total = self.instance.usage().guest_time;
        let call = total - self.spent;
        self.spent = total;
        let limits = &self.attack.terms.limits;
        let allowed = limits.deadline + GRACE + bulk(limits.memory) + self.lateness.most();
        assert!(
            call <= allowed,
            "{}: {what} took {call:?} of {allowed:?}",
            self.attack.guest
        );
    }
}

/// Every error names the plugin, says what to do, holds no line end or escape of the guest's making,
/// and is short.
fn expect_told(guest: &str, error: &SandboxError) {
    let told = error.to_string();
    assert!(told.contains(&format!("plugin '{guest}'")), "{told}");
    assert!(told.len() < 2048, "{guest}: {} bytes of error", told.len());
    assert!(!told.chars().any(char::is_control), "{told:?}");
    assert!(error.hint().is_some(), "{told}: no hint");
    if let Some(at) = error.call_site() {
        assert_eq!(at.digest.len(), 12, "{told}");
        let describing = at.stage.is_empty();
        assert!(describing || at.stage == "step 's' stage 1", "{told}");
    }
}

/// An honest guest in the same sandbox gives back what it is given.
pub(crate) async fn honest() {
    honest_in(&sandbox()).await;
}

async fn honest_in(sandbox: &Sandbox) {
    let plugin = sandbox
        .load("honest", weir_roster::honest())
        .await
        .expect("loads");
    let mut instance = plugin
        .instantiate("", &limits().into())
        .await
        .expect("instantiates");
    let input = batch();
    instance
        .bind(&request(json!({}), &input))
        .await
        .expect("binds");
    let given = instance
        .process(&input)
        .await
        .expect("an honest guest works");
    assert_eq!(given.emitted[0].batch, input);
    instance.finish().await.expect("finishes");
}

/// The time that one operation on `bytes` of memory takes which nothing can interrupt: the middle
/// one of several fills of fresh memory, since the others may have waited for a processor.
pub(crate) fn bulk(bytes: u64) -> Duration {
    static MEASURED: Mutex<Vec<(u64, Duration)>> = Mutex::new(Vec::new());
    let mut measured = MEASURED.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some((_, time)) = measured.iter().find(|(of, _)| *of == bytes) {
        return *time;
    }
    let fill = |value: u8| {
        let began = Instant::now();
        std::hint::black_box(vec![value; usize::try_from(bytes).expect("fits")]);
        began.elapsed()
    };
    let mut fills: Vec<Duration> = (1..=5).map(fill).collect();
    fills.sort_unstable();
    let middle = fills[2];
    measured.push((bytes, middle));
    middle
}

/// By how much the operating system is late. Ticks come from a thread that sleeps a millisecond at a
/// time: on a machine that has more to do than it can, it is woken late, and a guest runs on for as
/// long. This measures it with a thread of the same kind, so that a bound can be exact where the
/// machine is at leisure, and hold where it is not.
pub(crate) struct Lateness {
    most: &'static AtomicU64,
}

impl Lateness {
    /// Begins anew. Only whoever holds [`alone`] may.
    pub(crate) fn begin() -> Lateness {
        static MOST: AtomicU64 = AtomicU64::new(0);
        static THREAD: OnceLock<()> = OnceLock::new();
        THREAD.get_or_init(|| {
            std::thread::spawn(|| {
                let tick = Duration::from_millis(1);
                loop {
                    let began = Instant::now();
                    std::thread::sleep(tick);
                    let late = began.elapsed().saturating_sub(tick).as_nanos();
                    MOST.fetch_max(u64::try_from(late).unwrap_or(u64::MAX), Ordering::Relaxed);
                }
            });
        });
        MOST.store(0, Ordering::Relaxed);
        Lateness { most: &MOST }
    }

    /// The most so far.
    pub(crate) fn most(&self) -> Duration {
        Duration::from_nanos(self.most.load(Ordering::Relaxed))
    }
}

/// The process's memory at the beginning of an attack.
struct Peak {
    #[cfg(target_os = "linux")]
    before: u64,
}

impl Peak {
    #[cfg(target_os = "linux")]
    fn begin() -> Peak {
        // Five is: begin the peak anew.
        std::fs::write("/proc/self/clear_refs", "5").expect("a process may clear its own");
        Peak {
            before: status("VmRSS:"),
        }
    }

    #[cfg(target_os = "linux")]
    fn end(self, attack: &Attack, more: u64) {
        let limits = &attack.terms.limits;
        let grown = status("VmHWM:").saturating_sub(self.before);
        let allowed = limits.memory + limits.output_bytes + SLACK + more;
        assert!(
            grown <= allowed,
            "{}: the process grew by {grown} bytes; {allowed} are allowed",
            attack.guest
        );
    }

    #[cfg(not(target_os = "linux"))]
    fn begin() -> Peak {
        Peak {}
    }

    #[cfg(not(target_os = "linux"))]
    fn end(self, _: &Attack, _: u64) {}
}

/// A figure of this process, in bytes.
#[cfg(target_os = "linux")]
fn status(name: &str) -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").expect("there is a /proc");
    let line = status.lines().find_map(|line| line.strip_prefix(name));
    let kibibytes = line.and_then(|line| line.trim().strip_suffix(" kB"));
    kibibytes
        .and_then(|number| number.trim().parse::<u64>().ok())
        .expect("a figure")
        << 10
}

/// Keeps the lines of a guest.
#[derive(Debug, Default)]
pub(crate) struct Lines(Mutex<Vec<(GuestStream, String)>>);

impl Lines {
    pub(crate) fn all(&self) -> Vec<(GuestStream, String)> {
        self.0
            .lock()
            .expect("no test panics while it keeps a line")
            .clone()
    }
}

impl GuestSink for Lines {
    fn line(&self, line: GuestLine<'_>) {
        let kept = (line.stream, line.text.to_owned());
        self.0
            .lock()
            .expect("no test panics while it keeps a line")
            .push(kept);
    }
}

/// What has to stop a guest.
pub(crate) enum Stop {
    BadBatch(&'static str),
    BadSchema(&'static str),
    Contract(&'static str),
    Limit(LimitKind),
    Trap(&'static str),
}

impl Outcome {
    /// Demands that it was stopped by this, in this call and batch.
    #[track_caller]
    pub(crate) fn stopped_at(self, call: Call, batch: Option<u64>, by: Stop) -> Outcome {
        let error = self.error.as_ref().expect("it must be stopped");
        let right = match (&by, error) {
            (Stop::BadBatch(part), SandboxError::BadBatch { why, .. })
            | (Stop::BadSchema(part), SandboxError::BadSchema { why, .. })
            | (Stop::Contract(part), SandboxError::Contract { why, .. })
            | (Stop::Trap(part), SandboxError::Trap { what: why, .. }) => why.contains(part),
            (Stop::Limit(limit), SandboxError::Limit { which, .. }) => which == limit,
            _ => false,
        };
        assert!(right, "stopped by something else: {error}");
        let at = error.call_site().expect("an error of a call");
        assert_eq!((at.call, at.batch), (call, batch), "{error}");
        self
    }

    /// Demands that it was stopped by this in its first batch.
    #[track_caller]
    pub(crate) fn stopped(self, by: Stop) -> Outcome {
        self.stopped_at(Call::Process, Some(1), by)
    }

    /// Demands that nothing stopped it.
    #[track_caller]
    pub(crate) fn unstopped(self) -> Outcome {
        if let Some(error) = &self.error {
            panic!("stopped: {error}");
        }
        self
    }
}

/// Tests of guests that something stops in their first batch.
macro_rules! stopped {
    ($($name:ident => $stop:expr),* $(,)?) => {$(
        #[test]
        pub(crate) fn $name() {
            crate::field::Attack::by(stringify!($name)).run().stopped($stop);
        }
    )*};
}

pub(crate) use stopped;
