//! `weir plugin revoke`.

use std::path::PathBuf;

use weir_components::Settings;
use weir_components::revoked::RevocationList;
use weir_pipeline::is_sha256;

use crate::args::{Output, RevokeArgs};
use crate::commands::{print, print_json};
use crate::failure::Failure;
use crate::table::Table;

pub(crate) fn run(args: &RevokeArgs) -> Result<u8, Failure> {
    let path = list(args)?;
    let Some(given) = &args.digest else {
        return show(args, &path);
    };
    let digest = given.strip_prefix("sha256:").unwrap_or(given);
    if !is_sha256(digest) {
        return Err(Failure::usage(format!("'{given}' is not a SHA-256 digest")).hint(
            "write 64 lower-case hex digits: `weir plan --terms`, `weir plugin inspect` and weir.lock have them",
        ));
    }
    let mut changed = false;
    RevocationList::change(&path, |list| {
        changed = match args.undo {
            true => list.remove(digest),
            false => list.add(digest, args.reason.as_deref(), chrono::Utc::now()),
        };
        changed
    })?;
    let place = path.display();
    match (args.undo, changed) {
        (false, true) => eprintln!("revoked; no pipeline that uses {place} loads it any more"),
        (false, false) => eprintln!("it was revoked already, in {place}"),
        (true, true) => eprintln!("taken off {place}; it may run again"),
        (true, false) => {
            return Err(Failure::usage(format!("'{digest}' is not on {place}"))
                .hint("see what is on it with `weir plugin revoke --list`"));
        }
    }
    Ok(0)
}

/// The list that is meant: the one named, else the user's.
fn list(args: &RevokeArgs) -> Result<PathBuf, Failure> {
    if let Some(path) = &args.file {
        return Ok(path.clone());
    }
    let config = Settings::of_user().config.ok_or_else(|| {
        Failure::usage("there is no folder for your list of revoked components")
            .hint("set HOME or WEIR_CONFIG, or name a list with --file")
    })?;
    Ok(RevocationList::path_in(&config))
}

fn show(args: &RevokeArgs, path: &std::path::Path) -> Result<u8, Failure> {
    let list = RevocationList::read(path)?;
    let entries = list
        .as_ref()
        .map(RevocationList::entries)
        .unwrap_or_default();
    if args.output == Output::Json {
        print_json(&entries)?;
        return Ok(0);
    }
    if entries.is_empty() {
        eprintln!("nothing is revoked in {}", path.display());
        return Ok(0);
    }
    let mut table = Table::new(&["SHA256", "DATE", "REASON"], &[]);
    for entry in entries {
        let reason = entry.reason.as_deref().unwrap_or("-");
        table.row(vec![
            entry.sha256.clone(),
            entry.date.clone(),
            reason.escape_debug().to_string(),
        ]);
    }
    print(&table.render(0))?;
    Ok(0)
}
