//! Whose turn it is with a file, among the loads of this process.
//!
//! SQLite lets one writer in at a time, and those that wait give up after half a minute. Steps of a run publish their
//! tables side by side, and a load may take as long as it has rows.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, LazyLock, Mutex, PoisonError};

use tokio::sync::OwnedMutexGuard;

type Turn = Arc<tokio::sync::Mutex<()>>;

static TURNS: LazyLock<Mutex<BTreeMap<PathBuf, Turn>>> = LazyLock::new(Mutex::default);

/// Waits until no other load of this process is at work in the file.
pub(super) async fn wait(file: &Path) -> OwnedMutexGuard<()> {
    let turn = {
        // What a panic of another thread may have left is as good as before: entries are added one by one.
        let mut turns = TURNS.lock().unwrap_or_else(PoisonError::into_inner);
        Arc::clone(turns.entry(file.to_owned()).or_default())
    };
    turn.lock_owned().await
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn one_load_at_a_time_for_each_file() {
        let first = wait(Path::new("/w/a.sqlite")).await;
        let _other = wait(Path::new("/w/b.sqlite")).await;
        let second = tokio::spawn(wait(Path::new("/w/a.sqlite")));
        tokio::task::yield_now().await;
        assert!(!second.is_finished());
        drop(first);
        drop(second.await.expect("its turn comes"));
    }
}
