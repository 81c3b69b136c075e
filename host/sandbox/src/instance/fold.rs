//! The calls of a fold that other worlds do not have: `snapshot` and `merge`.

use super::{Instance, Phase};
use crate::error::{Call, SandboxError};
use crate::lower;
use crate::model::World;

impl Instance {
    /// Takes the state of a fold, with which it is done: nothing comes after.
    ///
    /// # Errors
    /// [`BadCall`](SandboxError::BadCall) if it is not bound, or no fold; [`Contract`](SandboxError::Contract) for a
    /// state that is larger than a quarter of the memory grant. Any other error ends the instance.
    pub async fn snapshot(&mut self) -> Result<Vec<u8>, SandboxError> {
        self.is_fold(Call::Snapshot)?;
        self.phase = Phase::Finished;
        let fuel = self.large_fuel();
        let (state, _) = self
            .call(Call::Snapshot, 0, fuel, &(), |guest, store, ()| {
                guest.snapshot(store)
            })
            .await?;
        self.fits(Call::Snapshot, state.len())?;
        Ok(state)
    }

    /// Gives a fold the state of another instance of the same component, bound to the same.
    ///
    /// # Errors
    /// As [`snapshot`](Instance::snapshot).
    pub async fn merge(&mut self, snapshot: &[u8]) -> Result<(), SandboxError> {
        self.is_fold(Call::Merge)?;
        self.fits(Call::Merge, snapshot.len())?;
        let fuel = self.large_fuel();
        self.call(Call::Merge, 0, fuel, snapshot, |guest, store, snapshot| {
            guest.merge(store, snapshot)
        })
        .await?;
        Ok(())
    }

    fn is_fold(&self, call: Call) -> Result<(), SandboxError> {
        match (self.plugin.world(), self.phase) {
            (World::Fold, Phase::Bound) => Ok(()),
            (World::Fold, _) => Err(self.bad_call(call, "it comes after bind and before finish")),
            (other, _) => Err(self.bad_call(call, format!("a {other} has no state to be merged"))),
        }
    }

    fn fits(&mut self, call: Call, bytes: usize) -> Result<(), SandboxError> {
        let bytes = u64::try_from(bytes).unwrap_or(u64::MAX);
        let allowed = lower::batch_bytes(self.terms.limits.memory);
        if bytes <= allowed {
            return Ok(());
        }
        self.live = None;
        let why = format!("a state of {bytes} bytes; at most {allowed} cross at once");
        let at = self.site(call);
        Err(self.keep_words(SandboxError::Contract { at, why }))
    }
}
