//! `weir plugin bench`.

use std::time::Instant;

use weir_sandbox::World;
use weir_workbench::measure;

use super::test::{found, named, no_fixture};
use crate::args::BenchArgs;
use crate::commands::{print, sandbox};
use crate::failure::Failure;
use crate::table::thousands;

pub(crate) async fn run(args: &BenchArgs) -> Result<u8, Failure> {
    let (name, bytes) = named(&args.folder, args.component.as_deref())?;
    // The first time it may have to be compiled.
    sandbox()?.load(&name, bytes.clone()).await?;
    let again = sandbox()?;
    let began = Instant::now();
    let plugin = again.load(&name, bytes).await?;
    let load = began.elapsed();
    if plugin.world() == World::Source {
        return Err(
            Failure::usage("a source is not measured: it is as fast as what it reads")
                .hint("run it in a pipeline; `weir show latest` says what it took"),
        );
    }
    let fixtures = found(&args.folder)?;
    let fixture = match &args.fixture {
        None => fixtures.first(),
        Some(name) => fixtures.iter().find(|fixture| fixture.name == *name),
    };
    let Some(fixture) = fixture else {
        return Err(no_fixture(
            args.fixture.as_deref().unwrap_or_default(),
            &fixtures,
        ));
    };
    let rounds = usize::try_from(args.rounds).unwrap_or(usize::MAX);
    let measured = measure(&plugin, fixture, rounds).await.map_err(|stopped| {
        Failure::new(stopped.to_string()).hint(
            "see what it says with weir plugin test, and measure a fixture that it gets through",
        )
    })?;
    let what = if measured.in_bytes { "bytes" } else { "rows" };
    let seconds = measured.round.as_secs_f64();
    let size = measured.round_size as f64;
    let each = match measured.round_size {
        0 => 0.0,
        _ => seconds * 1e9 / size,
    };
    let per_second = match seconds > 0.0 {
        true => size / seconds,
        false => 0.0,
    };
    print(&format!(
        "{} with fixture '{}': {} {what} in {} rounds\n  {:>12.1} ns for each {}, the middle round\n  {:>12} {what} a second\n  {:>12.1} MiB of memory at most\n  {:>12.1} ms to start: to load the code that was compiled before, and to bind\n  {:>12.1} ms of processor time in the plugin\n",
        plugin.name(),
        fixture.name,
        thousands(measured.given),
        args.rounds,
        each,
        what.trim_end_matches('s'),
        thousands(per_second as u64),
        measured.peak_memory as f64 / f64::from(1 << 20),
        (load + measured.start).as_secs_f64() * 1e3,
        measured.guest.as_secs_f64() * 1e3,
    ))?;
    Ok(0)
}
