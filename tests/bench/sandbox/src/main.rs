//! What the sandbox costs: the same transforms native, as Weir's plugins, over Arrow IPC in the same
//! engine, and in arrow-udf-runtime, which runs as a process of its own.
//!
//! `cargo xtask bench --sandbox` builds all parts and runs this. Every way of running a transform has
//! its turn in every round, so that whatever else the machine does falls on all alike; figures are
//! medians over the rounds, ratios are medians of the ratios within a round.
//!
//! - [`cases`]: the ways of running a transform.
//! - [`peers`]: those that another process runs.
//! - [`table`]: the figures, and the marks they are held against.

mod cases;
#[path = "../../shared/clock.rs"]
mod clock;
#[path = "../../shared/data.rs"]
mod data;
#[path = "../../shared/digest.rs"]
mod digest;
#[path = "../../shared/kernels.rs"]
mod kernels;
mod peers;
#[path = "../../shared/rows.rs"]
mod rows;
mod table;
#[path = "../../shared/transforms.rs"]
mod transforms;
#[path = "../../shared/work.rs"]
mod work;

use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Context, bail};
use clap::Parser;

use cases::{Case, Round};
use table::Figures;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// How long one turn of one case takes, about.
const TURN: Duration = Duration::from_millis(4);

#[derive(Parser)]
#[command(about = "What the sandbox costs, beside native code, Arrow IPC and arrow-udf-runtime")]
struct Arguments {
    /// Folder of the components `bench_transforms.wasm` and `bench_ipc.wasm`
    #[arg(long)]
    guests: PathBuf,
    /// The program that runs arrow-udf-runtime, with its arguments; left out if it is not given
    #[arg(long, num_args = 1.., allow_hyphen_values = true)]
    peers: Vec<String>,
    /// Rounds; every case has one turn in each
    #[arg(long, default_value_t = 101)]
    rounds: usize,
    /// Runs one case only, such as `text, row by row: sandbox`, so many times: for profilers
    #[arg(long, num_args = 2, value_names = ["CASE", "TIMES"])]
    only: Vec<String>,
    /// Only the cases whose names contain this; may be given several times
    #[arg(long, value_name = "TEXT")]
    filter: Vec<String>,
    /// Writes the names of the cases
    #[arg(long)]
    list: bool,
}

fn main() -> anyhow::Result<()> {
    let arguments = Arguments::parse();
    if let [name, times] = arguments.only.as_slice() {
        let mut cases = cases::all(&arguments.guests, &|case| case == name)?;
        let case = cases
            .first_mut()
            .with_context(|| format!("no case is named '{name}'"))?;
        let round = (case.run)(times.parse()?)?;
        println!("{name}: {:.2} ns a row", round.nanoseconds_a_row());
        return Ok(());
    }
    let filter = &arguments.filter;
    let wanted = |case: &str| filter.is_empty() || filter.iter().any(|text| case.contains(text));
    let mut cases = cases::all(&arguments.guests, &wanted)?;
    if let Some((program, rest)) = arguments.peers.split_first() {
        let peers = peers::start(program, rest)?;
        cases.extend(peers.into_iter().filter(|case| wanted(&case.name())));
    }
    if arguments.list {
        cases.iter().for_each(|case| println!("{}", case.name()));
        return Ok(());
    }
    let figures = measure(&mut cases, arguments.rounds)?;
    print!("{}", table::render(&figures));
    Ok(())
}

/// Gives every case a turn in every round, after finding out how often it fits into a turn.
fn measure(cases: &mut [Case], rounds: usize) -> anyhow::Result<Vec<Figures>> {
    let mut figures = Vec::with_capacity(cases.len());
    let mut repeats = Vec::with_capacity(cases.len());
    for case in &mut *cases {
        let first = (case.run)(1)?;
        let warm = (case.run)(20)?;
        let each = warm.time / 20;
        repeats.push(usize::try_from(TURN.as_nanos() / each.as_nanos().max(1))?.max(1));
        figures.push(Figures::new(case, first.digest));
    }
    agree(&figures)?;
    for _ in 0..rounds {
        for ((case, repeats), figures) in cases.iter_mut().zip(&repeats).zip(&mut figures) {
            let Round { digest, .. } = figures.add((case.run)(*repeats)?);
            if digest != figures.digest {
                bail!("{}: other rows than in its first turn", case.name());
            }
        }
    }
    Ok(figures)
}

/// All ways of running one transform must give the same rows.
fn agree(figures: &[Figures]) -> anyhow::Result<()> {
    for case in figures {
        let same = |other: &&Figures| other.rows == case.rows;
        let first = figures.iter().find(same).unwrap_or(case);
        if first.digest != case.digest {
            bail!("'{}' and '{}' give different rows", first.name, case.name);
        }
    }
    Ok(())
}
