//! What a failure in the machinery becomes: the typed error that names it, without the guest's words
//! where these are kept.

use wasmtime::{PoolConcurrencyLimitError, Trap};
use wasmtime_wasi::I32Exit;

use super::{Instance, SMALL_FUEL, millis};
use crate::error::{Call, LimitKind, SandboxError};
use crate::guest_log::{GuestLevel, GuestStream};
use crate::guest_text::escape;
use crate::state::{Halt, State};

/// What wasmtime says when a host call would copy too much; the error's type is private to it.
const FUEL_EXHAUSTED: &str = "fuel allocated for hostcalls has been exhausted";

impl Instance {
    /// What an error of the machinery means.
    pub(super) fn failure(
        &self,
        call: Call,
        error: &wasmtime::Error,
        state: &State,
    ) -> SandboxError {
        self.keep_words(self.meaning(call, error, state))
    }

    fn meaning(&self, call: Call, error: &wasmtime::Error, state: &State) -> SandboxError {
        let at = self.site_of(call, state);
        let limits = &self.terms.limits;
        if let Some(halt) = error.downcast_ref::<Halt>() {
            return match halt.clone() {
                Halt::Limit {
                    which,
                    allowed,
                    asked,
                } => self.over(call, which, allowed, Some(asked)),
                Halt::BadBatch(why) => SandboxError::BadBatch { at, why },
                Halt::Contract(why) => SandboxError::Contract { at, why },
            };
        }
        if error.downcast_ref::<PoolConcurrencyLimitError>().is_some() {
            let allowed = u64::from(self.plugin.sandbox().options().max_instances);
            return self.over(call, LimitKind::Instances, allowed, None);
        }
        let wide = |count: usize| u64::try_from(count).ok();
        // A guest that was denied memory usually aborts: the denial is the cause, not the trap.
        if let Some(asked) = state.limiter.memory_denied {
            return self.over(call, LimitKind::Memory, limits.memory, wide(asked));
        }
        if let Some(asked) = state.limiter.table_denied {
            let allowed = u64::from(limits.table_elements);
            return self.over(call, LimitKind::Tables, allowed, wide(asked));
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
                Call::Process
                | Call::Decode
                | Call::Finish
                | Call::Read
                | Call::Snapshot
                | Call::Merge => self.large_fuel(),
                Call::Instantiate | Call::Describe | Call::Bind | Call::Discover | Call::Open => {
                    SMALL_FUEL
                }
            };
            return self.over(call, LimitKind::Hostcall, allowed, None);
        }
        SandboxError::Trap {
            at,
            what: escape(&root, 256),
        }
    }

    /// The error as it may be told: where words are kept, without any text or number that the guest
    /// had a hand in. Its log has the whole of it.
    pub(super) fn keep_words(&self, error: SandboxError) -> SandboxError {
        let Some(instead) = self.terms.speech.instead() else {
            return error;
        };
        let told = error.to_string();
        let kept = || instead.to_owned();
        let error = match error {
            SandboxError::PluginError { at, kind, .. } => SandboxError::PluginError {
                at,
                kind,
                message: kept(),
            },
            SandboxError::BadBatch { at, .. } => SandboxError::BadBatch { at, why: kept() },
            SandboxError::BadSchema { at, .. } => SandboxError::BadSchema { at, why: kept() },
            SandboxError::Contract { at, .. } => SandboxError::Contract { at, why: kept() },
            SandboxError::Trap { at, .. } => SandboxError::Trap { at, what: kept() },
            SandboxError::Limit {
                at, which, allowed, ..
            } => SandboxError::Limit {
                at,
                which,
                // What the run has left depends on what the guest has taken.
                allowed: if which == LimitKind::RunMemory {
                    0
                } else {
                    allowed
                },
                asked: None,
            },
            told_as_it_is => return told_as_it_is,
        };
        self.log.line(GuestLevel::Warn, GuestStream::Error, &told);
        error
    }

    pub(super) fn over(
        &self,
        call: Call,
        which: LimitKind,
        allowed: u64,
        asked: Option<u64>,
    ) -> SandboxError {
        SandboxError::Limit {
            at: self.site(call),
            which,
            allowed,
            asked,
        }
    }

    pub(super) fn over_wall_clock(&self, call: Call) -> SandboxError {
        let allowed = millis(self.terms.limits.wall_clock);
        self.over(call, LimitKind::WallClock, allowed, None)
    }

    /// A schema that cannot be; the guest that returned it is gone.
    pub(super) fn bad_schema(&mut self, call: Call, why: String) -> SandboxError {
        self.live = None;
        let at = self.site(call);
        self.keep_words(SandboxError::BadSchema { at, why })
    }
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
