//! The fixed WASI set that every plugin may import and that gives it nothing: no files, no
//! environment, no network, a clock that stands, randomness from a fixed seed.
//!
//! Real toolchains import these whether a program uses them or not. [`ALLOWED`] is the whole list;
//! an import outside it is refused at load whatever the linker could offer.

use std::time::Duration;

use sha2::{Digest, Sha256};
use wasmtime::component::{HasData, Linker, Resource, ResourceTable};
use wasmtime_wasi::p2::bindings::clocks::monotonic_clock;
use wasmtime_wasi::p2::{DynPollable, Pollable, subscribe};
use wasmtime_wasi::{Deterministic, HostMonotonicClock, HostWallClock, WasiCtx};

use crate::guest_log::{GuestLog, GuestStream};
use crate::state::State;
use crate::terms::Powers;

/// Every WASI interface that may be imported, all of 0.2.
pub(crate) const ALLOWED: &[&str] = &[
    "wasi:cli/environment",
    "wasi:cli/exit",
    "wasi:cli/stderr",
    "wasi:cli/stdin",
    "wasi:cli/stdout",
    "wasi:cli/terminal-input",
    "wasi:cli/terminal-output",
    "wasi:cli/terminal-stderr",
    "wasi:cli/terminal-stdin",
    "wasi:cli/terminal-stdout",
    "wasi:clocks/monotonic-clock",
    "wasi:clocks/wall-clock",
    "wasi:filesystem/preopens",
    "wasi:filesystem/types",
    "wasi:io/error",
    "wasi:io/poll",
    "wasi:io/streams",
    "wasi:random/insecure",
    "wasi:random/insecure-seed",
    "wasi:random/random",
    "wasi:sockets/instance-network",
    "wasi:sockets/ip-name-lookup",
    "wasi:sockets/network",
    "wasi:sockets/tcp",
    "wasi:sockets/tcp-create-socket",
    "wasi:sockets/udp",
    "wasi:sockets/udp-create-socket",
];

/// What the wall clock always shows: 2000-01-01T00:00:00Z.
const WALL_CLOCK: Duration = Duration::from_secs(946_684_800);
/// How far the monotonic clock moves each time it is read, in nanoseconds.
const CLOCK_STEP: u64 = 1_000;
/// Most random bytes given in one call.
const MAX_RANDOM: u64 = 1 << 20;

/// Whether `import`, such as `wasi:io/poll@0.2.6`, belongs to the set.
pub(crate) fn is_allowed(import: &str) -> bool {
    match import.split_once('@') {
        Some((name, version)) => ALLOWED.contains(&name) && version.starts_with("0.2."),
        None => false,
    }
}

/// Links the set, with a clock of our own in the place of WASI's.
pub(crate) fn add_to_linker(linker: &mut Linker<State>) -> wasmtime::Result<()> {
    wasmtime_wasi::p2::add_to_linker_async(linker)?;
    linker.allow_shadowing(true);
    monotonic_clock::add_to_linker::<State, StandingClock>(linker, |state| ClockView {
        table: &mut state.table,
        now: &mut state.monotonic_now,
    })?;
    linker.allow_shadowing(false);
    Ok(())
}

/// The context behind the set for one instance, with what its powers add to nothing.
pub(crate) fn context(log: &GuestLog, powers: &Powers) -> WasiCtx {
    // Arguments, environment, preopened directories and stdin are empty by default.
    let mut builder = WasiCtx::builder();
    builder
        .stdout(log.stream(GuestStream::Stdout))
        .stderr(log.stream(GuestStream::Stderr))
        .allow_tcp(false)
        .allow_udp(false)
        .allow_ip_name_lookup(false)
        .max_random_size(MAX_RANDOM)
        .monotonic_clock(Fixed);
    // The builder's own clock and generators are the system's.
    if !powers.clock {
        builder.wall_clock(Fixed);
    }
    if !powers.random {
        builder
            .secure_random(Deterministic::new(seeded("secure")))
            .insecure_random(Deterministic::new(seeded("insecure")))
            .insecure_random_seed(0x7765_6972_7765_6972_7765_6972_7765_6972);
    }
    builder.build()
}

/// A kilobyte that looks random and is the same each time.
fn seeded(label: &str) -> Vec<u8> {
    (0u8..32)
        .flat_map(|i| {
            Sha256::new()
                .chain_update("weir ")
                .chain_update(label)
                .chain_update([i])
                .finalize()
        })
        .collect()
}

struct Fixed;

impl HostWallClock for Fixed {
    fn resolution(&self) -> Duration {
        Duration::from_secs(1)
    }

    fn now(&self) -> Duration {
        WALL_CLOCK
    }
}

impl HostMonotonicClock for Fixed {
    fn resolution(&self) -> u64 {
        CLOCK_STEP
    }

    fn now(&self) -> u64 {
        0
    }
}

/// A monotonic clock that moves only when read or waited on, and whose waits are over at once: a
/// guest that sleeps goes on immediately, and finds that the time has passed.
struct StandingClock;

struct ClockView<'a> {
    table: &'a mut ResourceTable,
    now: &'a mut u64,
}

impl HasData for StandingClock {
    type Data<'a> = ClockView<'a>;
}

impl monotonic_clock::Host for ClockView<'_> {
    fn now(&mut self) -> wasmtime::Result<u64> {
        *self.now = self.now.saturating_add(CLOCK_STEP);
        Ok(*self.now)
    }

    fn resolution(&mut self) -> wasmtime::Result<u64> {
        Ok(CLOCK_STEP)
    }

    fn subscribe_instant(&mut self, when: u64) -> wasmtime::Result<Resource<DynPollable>> {
        *self.now = when.max(*self.now);
        let over = self.table.push(Over)?;
        subscribe(self.table, over)
    }

    fn subscribe_duration(&mut self, duration: u64) -> wasmtime::Result<Resource<DynPollable>> {
        let when = self.now.saturating_add(duration);
        self.subscribe_instant(when)
    }
}

/// A wait that is over.
struct Over;

#[wasmtime_wasi::async_trait]
impl Pollable for Over {
    async fn ready(&mut self) {}
}
