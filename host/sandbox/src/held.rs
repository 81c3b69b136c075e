//! What is held of the run's memory for a plugin's output: taken while a call goes on, handed over with
//! what the call gave, and given back when nobody has that any more.

use std::sync::Arc;

use crate::terms::MemoryBudget;

/// A share of a budget; unbounded, and worth nothing, without one. Given back when dropped.
#[derive(Debug, Default)]
pub(crate) struct Held {
    budget: Option<Arc<dyn MemoryBudget>>,
    bytes: u64,
}

/// The share of the run's memory that belongs to what a call gave. Whoever keeps that keeps this with
/// it; the share is given back when the last clone is dropped.
#[derive(Clone, Debug, Default)]
pub struct Reserved {
    _held: Option<Arc<Held>>,
}

impl Held {
    /// Nothing of `budget` yet.
    pub(crate) fn of(budget: Option<Arc<dyn MemoryBudget>>) -> Held {
        Held { budget, bytes: 0 }
    }

    pub(crate) fn budget(&self) -> Option<Arc<dyn MemoryBudget>> {
        self.budget.clone()
    }

    /// Bytes taken so far.
    pub(crate) fn bytes(&self) -> u64 {
        self.bytes
    }

    /// Takes `bytes` more, or nothing.
    pub(crate) fn take(&mut self, bytes: u64) -> bool {
        let taken = self
            .budget
            .as_ref()
            .is_none_or(|budget| budget.try_take(bytes));
        if taken {
            self.bytes = self.bytes.saturating_add(bytes);
        }
        taken
    }

    /// Gives what was taken to whoever gets the output.
    pub(crate) fn hand_over(&mut self) -> Reserved {
        let held = std::mem::replace(self, Held::of(self.budget()));
        Reserved {
            _held: Some(Arc::new(held)),
        }
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        if let Some(budget) = self.budget.as_ref().filter(|_| self.bytes > 0) {
            budget.give_back(self.bytes);
        }
    }
}
