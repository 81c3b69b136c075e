//! Guest time: how it is measured, and the ticks that interrupt a guest when it runs out.

use std::future::Future;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use wasmtime::{Engine, Store, UpdateDeadline};

use crate::error::LimitKind;
use crate::state::{Halt, State};

/// Time between two ticks. A guest stops at most this long after its deadline, plus one bulk memory
/// operation, which ticks cannot interrupt and the memory limit bounds.
const TICK: Duration = Duration::from_millis(1);

/// Starts the thread that advances `engine`'s epoch. It ends when the engine is gone.
pub(crate) fn start_ticking(engine: &Engine) -> std::io::Result<()> {
    let engine = engine.weak();
    std::thread::Builder::new()
        .name("weir-epoch".into())
        .spawn(move || {
            while let Some(engine) = engine.upgrade() {
                engine.increment_epoch();
                drop(engine);
                std::thread::sleep(TICK);
            }
        })
        .map(drop)
}

/// Measures the time a call spends in its guest.
///
/// A call is a future; guest time is the processor time of the thread while that future is polled.
/// What passes between two polls (a slow sink, another task's turn) and what the operating system
/// gives to other threads costs the guest nothing.
#[derive(Clone, Debug, Default)]
pub(crate) struct GuestClock {
    inner: Arc<Times>,
}

/// Nanoseconds. One call runs at a time, so the orderings can be relaxed.
#[derive(Debug, Default)]
struct Times {
    deadline: AtomicU64,
    spent: AtomicU64,
    poll_began: AtomicU64,
}

impl GuestClock {
    /// Begins a call that may spend `deadline`.
    pub(crate) fn begin(&self, deadline: Duration) {
        self.inner
            .deadline
            .store(nanos(deadline), Ordering::Relaxed);
        self.inner.spent.store(0, Ordering::Relaxed);
    }

    /// Guest time of the call so far, up to the end of its last poll.
    pub(crate) fn spent(&self) -> Duration {
        Duration::from_nanos(self.inner.spent.load(Ordering::Relaxed))
    }

    /// Runs `call`, measuring each poll.
    pub(crate) async fn measure<F: Future>(&self, call: F) -> F::Output {
        let mut call = std::pin::pin!(call);
        std::future::poll_fn(|cx| {
            let began = thread_time();
            self.inner.poll_began.store(began, Ordering::Relaxed);
            let polled = call.as_mut().poll(cx);
            self.inner
                .spent
                .fetch_add(thread_time().saturating_sub(began), Ordering::Relaxed);
            polled
        })
        .await
    }

    /// What the call in progress has spent. Asked from inside a poll.
    fn spent_now(&self) -> u64 {
        let this_poll = thread_time().saturating_sub(self.inner.poll_began.load(Ordering::Relaxed));
        self.inner
            .spent
            .load(Ordering::Relaxed)
            .saturating_add(this_poll)
    }

    /// Makes every tick that finds `store` in guest code yield to the runtime, and past the deadline
    /// trap.
    pub(crate) fn watch(&self, store: &mut Store<State>) {
        let clock = self.clone();
        store.epoch_deadline_callback(move |_| {
            let (spent, allowed) = (
                clock.spent_now(),
                clock.inner.deadline.load(Ordering::Relaxed),
            );
            if spent > allowed {
                return Err(Halt::Limit {
                    which: LimitKind::Deadline,
                    allowed: allowed / 1_000_000,
                    asked: spent.div_ceil(1_000_000),
                }
                .into());
            }
            Ok(UpdateDeadline::YieldCustom(
                1,
                Box::pin(tokio::task::yield_now()),
            ))
        });
        store.set_epoch_deadline(1);
    }
}

fn nanos(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX)
}

/// Processor time of this thread, in nanoseconds.
#[cfg(unix)]
fn thread_time() -> u64 {
    let time = rustix::time::clock_gettime(rustix::time::ClockId::ThreadCPUTime);
    let seconds = u64::try_from(time.tv_sec).unwrap_or(0);
    let nanoseconds = u64::try_from(time.tv_nsec).unwrap_or(0);
    seconds
        .saturating_mul(1_000_000_000)
        .saturating_add(nanoseconds)
}

/// Time since the first call, in nanoseconds: elsewhere, what other threads take counts too.
#[cfg(not(unix))]
fn thread_time() -> u64 {
    static START: std::sync::OnceLock<std::time::Instant> = std::sync::OnceLock::new();
    nanos(START.get_or_init(std::time::Instant::now).elapsed())
}
