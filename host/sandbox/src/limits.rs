//! What an instance may use, and the limiter that holds it to memory and tables.

use std::time::Duration;

use wasmtime::ResourceLimiter;

/// Rows that a call may emit by default whatever its input was, so that small batches can fan out.
pub const ROWS_OUT_FLOOR: u64 = 65_536;

/// What one instance may use. The deadline, wall clock, output and row limits hold for each call,
/// the others for the instance's life.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Bytes over all linear memories. A batch may fill a quarter of it.
    pub memory: u64,
    /// Guest time of one call: processor time spent in the guest and in the host functions it calls.
    pub deadline: Duration,
    /// Time of one call from start to end, waiting included.
    pub wall_clock: Duration,
    /// Bytes emitted or held in findings by one call.
    pub output_bytes: u64,
    /// Rows emitted by one `process` for each row given, on top of `rows_out_floor`.
    pub rows_out_per_row: u32,
    /// Rows that one `process` may emit whatever its input was.
    pub rows_out_floor: u64,
    /// Bytes of log, stdout and stderr; what comes after is counted and dropped.
    pub log_bytes: u64,
    /// Elements over all tables.
    pub table_elements: u32,
    /// Core instances, memories and tables, each.
    pub core_instances: u32,
    /// Live handles to host resources.
    pub handles: u32,
}

impl Limits {
    /// With another deadline, and a wall clock that leaves room for waiting: ten times as long, and never less
    /// than a minute.
    #[must_use]
    pub fn with_deadline(mut self, deadline: Duration) -> Limits {
        self.deadline = deadline;
        self.wall_clock = Duration::from_secs(60).max(deadline.saturating_mul(10));
        self
    }

    /// With at most so many rows out for each row in, however few these are.
    #[must_use]
    pub fn with_rows_out(mut self, rows: u32) -> Limits {
        self.rows_out_per_row = rows;
        self.rows_out_floor = 0;
        self
    }
}

impl Default for Limits {
    fn default() -> Self {
        Limits {
            memory: 128 << 20,
            deadline: Duration::from_secs(2),
            wall_clock: Duration::from_secs(60),
            output_bytes: 256 << 20,
            rows_out_per_row: 1000,
            rows_out_floor: ROWS_OUT_FLOOR,
            log_bytes: 64 << 10,
            table_elements: 100_000,
            core_instances: 64,
            handles: 1024,
        }
    }
}

/// Sums memory and table elements over everything an instance holds.
///
/// A denied growth makes `memory.grow` return -1, which a guest may survive; if it traps in the same
/// call, the denial is the reason given.
#[derive(Debug)]
pub(crate) struct Limiter {
    max_memory: usize,
    max_elements: usize,
    max_things: usize,
    memory: usize,
    elements: usize,
    last_memory_growth: usize,
    /// Highest sum of linear memory so far.
    pub(crate) peak_memory: usize,
    /// The sum of linear memory that was denied since the call began.
    pub(crate) memory_denied: Option<usize>,
    /// The sum of table elements that was denied since the call began.
    pub(crate) table_denied: Option<usize>,
}

impl Limiter {
    pub(crate) fn new(limits: &Limits) -> Limiter {
        Limiter {
            max_memory: usize::try_from(limits.memory).unwrap_or(usize::MAX),
            max_elements: usize::try_from(limits.table_elements).unwrap_or(usize::MAX),
            max_things: usize::try_from(limits.core_instances).unwrap_or(usize::MAX),
            memory: 0,
            elements: 0,
            last_memory_growth: 0,
            peak_memory: 0,
            memory_denied: None,
            table_denied: None,
        }
    }
}

impl ResourceLimiter for Limiter {
    fn memory_growing(
        &mut self,
        current: usize,
        desired: usize,
        _maximum: Option<usize>,
    ) -> wasmtime::Result<bool> {
        let growth = desired.saturating_sub(current);
        let sum = self.memory.saturating_add(growth);
        if sum > self.max_memory {
            self.last_memory_growth = 0;
            self.memory_denied = Some(sum);
            return Ok(false);
        }
        self.memory = sum;
        self.last_memory_growth = growth;
        self.peak_memory = self.peak_memory.max(sum);
        Ok(true)
    }

    fn memory_grow_failed(&mut self, _error: wasmtime::Error) -> wasmtime::Result<()> {
        self.memory_denied = Some(self.memory);
        self.memory = self.memory.saturating_sub(self.last_memory_growth);
        self.last_memory_growth = 0;
        Ok(())
    }

    fn table_growing(
        &mut self,
        current: usize,
        desired: usize,
        _maximum: Option<usize>,
    ) -> wasmtime::Result<bool> {
        let sum = self
            .elements
            .saturating_add(desired.saturating_sub(current));
        if sum > self.max_elements {
            self.table_denied = Some(sum);
            return Ok(false);
        }
        self.elements = sum;
        Ok(true)
    }

    fn table_grow_failed(&mut self, _error: wasmtime::Error) -> wasmtime::Result<()> {
        // The sum stays too high, which only makes the limit stricter.
        self.table_denied = Some(self.elements);
        Ok(())
    }

    fn instances(&self) -> usize {
        self.max_things
    }

    fn tables(&self) -> usize {
        self.max_things
    }

    fn memories(&self) -> usize {
        self.max_things
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn memories_are_summed_and_a_failed_growth_is_given_back() {
        let mut limiter = Limiter::new(&Limits {
            memory: 100,
            ..Limits::default()
        });
        assert!(limiter.memory_growing(0, 60, None).unwrap());
        assert!(
            !limiter.memory_growing(0, 60, None).unwrap(),
            "a second memory counts too"
        );
        assert_eq!(limiter.memory_denied, Some(120));
        assert!(limiter.memory_growing(60, 100, None).unwrap());
        limiter
            .memory_grow_failed(wasmtime::Error::msg("no"))
            .unwrap();
        assert!(limiter.memory_growing(60, 100, None).unwrap());
        assert!(
            !limiter.memory_growing(0, usize::MAX, None).unwrap(),
            "sums do not wrap"
        );
        assert_eq!(limiter.peak_memory, 100);
    }

    #[test]
    fn tables_are_summed() {
        let mut limiter = Limiter::new(&Limits {
            table_elements: 10,
            ..Limits::default()
        });
        assert!(limiter.table_growing(0, 6, None).unwrap());
        assert!(!limiter.table_growing(0, 6, None).unwrap());
        assert_eq!(limiter.table_denied, Some(12));
    }
}
