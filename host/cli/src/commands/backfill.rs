//! `weir backfill`: a run for each value of a parameter.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use chrono::{Days, Months, NaiveDate};
use futures::StreamExt;
use futures::stream;
use serde::Serialize;
use tokio_util::sync::CancellationToken;
use weir_engine::plan::{Plan, Planner};
use weir_engine::record::{RunRecord, Status};
use weir_engine::run::{RunOptions, is_step, run as run_plan};
use weir_engine::session::Resources;
use weir_sandbox::Sandbox;

use crate::args::{BackfillArgs, Every, Output, PipelineArgs, RunArgs};
use crate::commands::run::{request, stop_on_signal};
use crate::commands::{print, print_json, resources, sandbox};
use crate::failure::{Failure, code};
use crate::table::{Table, thousands};

/// More values than this are more likely a slip than meant.
const MOST: usize = 100_000;
/// How often a run is tried that was not to blame for its failure.
const ATTEMPTS: u32 = 4;

/// What became of one value.
#[derive(Debug, Serialize)]
struct Window {
    value: String,
    /// A run's status, or `done-before`.
    status: String,
    run: Option<String>,
    read: u64,
    accepted: u64,
    quarantined: u64,
    seconds: f64,
    error: Option<String>,
    #[serde(skip)]
    code: u8,
}

pub(crate) async fn run(args: &BackfillArgs) -> Result<u8, Failure> {
    let (name, values) = range(&args.pipeline.params, args.every)?;
    let sandbox = sandbox()?;
    let parallel = usize::from(args.parallel);
    let whole = resources()?;
    // Runs at once share what there is.
    let resources = Resources {
        memory: whole.memory / parallel,
        partitions: (whole.partitions / parallel).max(1),
    };
    let stop = CancellationToken::new();
    let signals = tokio::spawn(stop_on_signal(stop.clone()));
    let total = values.len();
    eprintln!("{total} values of {name}, {parallel} at once");
    let backfill = Backfill {
        args,
        name: &name,
        sandbox: &sandbox,
        resources,
        stop: &stop,
        done: tokio::sync::OnceCell::new(),
    };
    let mut windows: Vec<Window> = stream::iter(values)
        .map(|value| backfill.window(value))
        .buffered(parallel)
        .inspect(|window| eprintln!("{}", line(window)))
        .collect()
        .await;
    signals.abort();
    windows.sort_by(|a, b| a.value.cmp(&b.value));
    summary(&windows, &name, args)?;
    // The worst that happened, a failure that will come again before one that may pass.
    let any = |wanted: u8| windows.iter().any(|window| window.code == wanted);
    let order = [code::USAGE, code::FAILED, code::RETRY, code::WARNED];
    Ok(order.into_iter().find(|wanted| any(*wanted)).unwrap_or(0))
}

struct Backfill<'a> {
    args: &'a BackfillArgs,
    name: &'a str,
    sandbox: &'a Sandbox,
    resources: Resources,
    stop: &'a CancellationToken,
    /// The steps that earlier runs have done, with their fingerprints, by parameters.
    done: tokio::sync::OnceCell<Done>,
}

type Done = BTreeMap<BTreeMap<String, String>, BTreeMap<String, String>>;

impl Backfill<'_> {
    async fn window(&self, value: String) -> Window {
        let began = std::time::Instant::now();
        let mut window = Window {
            value: value.clone(),
            status: Status::Interrupted.to_string(),
            run: None,
            read: 0,
            accepted: 0,
            quarantined: 0,
            seconds: 0.0,
            error: None,
            code: code::RETRY,
        };
        for attempt in 0..ATTEMPTS {
            if self.stop.is_cancelled() {
                break;
            }
            // Another run was faster, or a store was busy.
            if attempt > 0 {
                tokio::time::sleep(Duration::from_millis(200 << attempt)).await;
            }
            match self.attempt(&value, &mut window).await {
                Ok(()) => {}
                Err(failure) => {
                    window.status = Status::Failed.to_string();
                    window.code = failure.code();
                    window.error = Some(failure.to_string());
                }
            }
            if window.code != code::RETRY {
                break;
            }
        }
        window.seconds = began.elapsed().as_secs_f64();
        window
    }

    async fn attempt(&self, value: &str, window: &mut Window) -> Result<(), Failure> {
        let mut params = self.args.pipeline.params.clone();
        for (name, given) in &mut params {
            if name == self.name {
                *given = value.to_owned();
            }
        }
        let args = RunArgs {
            pipeline: PipelineArgs {
                pipeline: self.args.pipeline.pipeline.clone(),
                params,
                profile: self.args.pipeline.profile.clone(),
            },
            components: crate::args::ComponentArgs {
                locked: self.args.components.locked,
            },
            lake: self.args.lake.clone(),
            steps: self.args.steps.clone(),
            limit: None,
            full_refresh: false,
            dry_run: false,
            output: Output::Text,
        };
        let planner = Planner {
            sandbox: self.sandbox,
            components: args.components.settings(),
            stores: None,
            lake: args.lake.as_deref(),
            isolate: false,
            full_refresh: false,
            replay: false,
            aside: None,
            resources: self.resources,
        };
        let plan = Arc::new(planner.plan(args.pipeline.resolve()?).await?);
        if !self.args.again && self.is_done(&plan).await? {
            window.status = "done-before".to_owned();
            window.code = 0;
            return Ok(());
        }
        let options = RunOptions {
            only: args.steps.clone(),
            resources: self.resources,
            stop: self.stop.clone(),
            request: Some(request(&args, args.steps.clone(), None)?),
            ..RunOptions::default()
        };
        let outcome = run_plan(plan, options, |_| {}).await?;
        let counts = |of: fn(&weir_engine::commit::Counts) -> u64| {
            outcome
                .record
                .steps
                .iter()
                .map(|step| of(&step.counts))
                .sum()
        };
        window.read = counts(|counts| counts.read);
        window.accepted = counts(|counts| counts.accepted);
        window.quarantined = counts(|counts| counts.quarantined);
        window.status = outcome.record.status.to_string();
        window.run = Some(outcome.record.run.clone());
        window.error = outcome.error.as_ref().map(ToString::to_string);
        window.code = match (&outcome.error, outcome.record.status) {
            (Some(error), _) => crate::failure::exit_code(error),
            (None, Status::Warned) => code::WARNED,
            (None, Status::Interrupted) => code::RETRY,
            (None, _) => 0,
        };
        Ok(())
    }

    /// Whether a run with the same parameters has done all of the steps, as they are now.
    async fn is_done(&self, plan: &Plan) -> Result<bool, Failure> {
        let done = self
            .done
            .get_or_try_init(|| async { earlier(plan).await })
            .await?;
        let params: BTreeMap<String, String> = plan
            .pipeline
            .params
            .iter()
            .map(|(name, value)| (name.clone(), value.to_string()))
            .collect();
        let Some(steps) = done.get(&params) else {
            return Ok(false);
        };
        let named = |step: &str| {
            self.args.steps.is_empty() || self.args.steps.iter().any(|name| is_step(name, step))
        };
        Ok(plan
            .steps
            .iter()
            .filter(|planned| named(&planned.step.name))
            .all(|planned| steps.get(&planned.step.name) == Some(&planned.fingerprint)))
    }
}

/// What the runs of the lake have done of this pipeline, the latest of each step.
async fn earlier(plan: &Plan) -> Result<Done, Failure> {
    let records = RunRecord::latest(&plan.lake.weir(), usize::MAX).await?;
    let mut done = Done::new();
    for record in records.into_iter().rev() {
        let replayed = record
            .request
            .as_ref()
            .is_some_and(|request| request.replay);
        if record.pipeline != plan.pipeline.name || replayed {
            continue;
        }
        let steps = done.entry(record.params).or_default();
        for step in record
            .steps
            .into_iter()
            .filter(|step| step.status.is_done())
        {
            steps.insert(step.step, step.fingerprint);
        }
    }
    Ok(done)
}

/// The parameter that has a range, and its values.
fn range(params: &[(String, String)], every: Every) -> Result<(String, Vec<String>), Failure> {
    let hint = "give one parameter as FIRST..LAST, of dates or whole numbers, such as --param date=2024-01-01..2024-03-31";
    let mut ranges = params
        .iter()
        .filter_map(|(name, value)| Some((name, value.split_once("..")?)));
    let Some((name, (first, last))) = ranges.next() else {
        return Err(Failure::usage("no parameter has a range").hint(hint));
    };
    if ranges.next().is_some() {
        return Err(Failure::usage("several parameters have a range").hint(hint));
    }
    let values = match (first.parse::<NaiveDate>(), last.parse::<NaiveDate>()) {
        (Ok(first), Ok(last)) => dates(first, last, every),
        _ => match (first.parse::<i64>(), last.parse::<i64>()) {
            (Ok(first), Ok(last)) => (first..=last)
                .take(MOST + 1)
                .map(|n| n.to_string())
                .collect(),
            _ => {
                return Err(Failure::usage(format!("'{first}..{last}' is no range")).hint(hint));
            }
        },
    };
    if values.is_empty() || values.len() > MOST {
        let what = match values.is_empty() {
            true => "no value".to_owned(),
            false => format!("more than {MOST} values"),
        };
        return Err(Failure::usage(format!("'{first}..{last}' has {what}"))
            .hint("the first is given first, and both belong to it"));
    }
    Ok((name.clone(), values))
}

fn dates(first: NaiveDate, last: NaiveDate, every: Every) -> Vec<String> {
    // From the first each time, so that months after a short one keep their day.
    let nth = |n: u32| match every {
        Every::Day => first.checked_add_days(Days::new(u64::from(n))),
        Every::Week => first.checked_add_days(Days::new(u64::from(n) * 7)),
        Every::Month => first.checked_add_months(Months::new(n)),
    };
    (0..)
        .map_while(nth)
        .take_while(|day| *day <= last)
        .take(MOST + 1)
        .map(|day| day.to_string())
        .collect()
}

fn line(window: &Window) -> String {
    let mut text = format!("{}: {}", window.value, window.status);
    if window.run.is_some() {
        text.push_str(&format!(
            ", {} rows in {:.1} s",
            thousands(window.read),
            window.seconds
        ));
    }
    if let Some(error) = &window.error {
        text.push_str(&format!("\n  {error}"));
    }
    text
}

fn summary(windows: &[Window], name: &str, args: &BackfillArgs) -> Result<(), Failure> {
    if args.output == Output::Json {
        return print_json(&windows);
    }
    let header = [name, "STATUS", "READ", "ACCEPTED", "QUARANTINED", "RUN"];
    let mut table = Table::new(&header, &[2, 3, 4]);
    for window in windows {
        table.row(vec![
            window.value.clone(),
            window.status.clone(),
            thousands(window.read),
            thousands(window.accepted),
            thousands(window.quarantined),
            window.run.clone().unwrap_or_default(),
        ]);
    }
    print(&table.render(0))?;
    let left = windows
        .iter()
        .filter(|window| !matches!(window.code, 0 | code::WARNED))
        .count();
    if left > 0 {
        eprintln!(
            "{left} of {} are not done: run the same command again, it goes on with them",
            windows.len()
        );
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn values(value: &str, every: Every) -> Result<Vec<String>, String> {
        let params = [
            ("site".to_owned(), "a".to_owned()),
            ("at".to_owned(), value.to_owned()),
        ];
        match range(&params, every) {
            Ok((name, values)) => {
                assert_eq!(name, "at");
                Ok(values)
            }
            Err(failure) => Err(failure.to_string()),
        }
    }

    #[test]
    fn ranges_hold_both_ends() {
        assert_eq!(
            values("2008..2010", Every::Day).unwrap(),
            ["2008", "2009", "2010"]
        );
        let days = values("2024-02-27..2024-03-01", Every::Day).unwrap();
        assert_eq!(
            days,
            ["2024-02-27", "2024-02-28", "2024-02-29", "2024-03-01"]
        );
        let weeks = values("2024-01-01..2024-01-16", Every::Week).unwrap();
        assert_eq!(weeks, ["2024-01-01", "2024-01-08", "2024-01-15"]);
        let months = values("2024-01-31..2024-04-30", Every::Month).unwrap();
        assert_eq!(
            months,
            ["2024-01-31", "2024-02-29", "2024-03-31", "2024-04-30"]
        );
        assert_eq!(values("5..5", Every::Day).unwrap(), ["5"]);
        for wrong in [
            "2010..2008",
            "a..b",
            "2024-01-01..5",
            "1",
            "0..100000000000",
        ] {
            assert!(values(wrong, Every::Day).is_err(), "{wrong}");
        }
    }
}
