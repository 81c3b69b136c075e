//! `weir plugin lock`.

use weir_components::lock::Lock;
use weir_components::{Components, LockUse, Settings};
use weir_engine::plugins::refusal;

use crate::args::PipelineArgs;
use crate::commands::print;
use crate::failure::Failure;
use crate::table::{Table, thousands};

pub(crate) async fn run(args: &PipelineArgs) -> Result<u8, Failure> {
    let set = args.load()?.plugin_set(&args.given()?)?;
    let settings = Settings {
        lock: LockUse::Ignore,
        ..Settings::of_user()
    };
    let components =
        Components::open(set.clone(), &settings).map_err(|error| refusal(error, &set))?;
    let entries = components
        .lock_entries()
        .await
        .map_err(|error| refusal(error, &set))?;
    let path = Lock::path_in(&set.dir);
    let (before, lock) = Lock::change(&path, &set.pipeline, entries.clone())?;
    let mut table = Table::new(&["PLUGIN", "SHA256", "BYTES", "SIGNER", ""], &[2]);
    for entry in &entries {
        let old = before
            .as_ref()
            .and_then(|lock| lock.entry(&entry.pipeline, &entry.plugin));
        let change = match old {
            None => "new",
            Some(old) if old == entry => "unchanged",
            Some(_) => "changed",
        };
        table.row(vec![
            entry.plugin.clone(),
            entry.sha256.chars().take(12).collect(),
            thousands(entry.bytes),
            entry.signer.clone().unwrap_or_else(|| "-".to_owned()),
            change.to_owned(),
        ]);
    }
    if !entries.is_empty() {
        print(&table.render(0))?;
    }
    eprintln!("wrote {}", lock.path().display());
    Ok(0)
}
