//! How long a command takes, and how much memory.

use std::fs;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

/// How often the process's memory is looked at. The kernel keeps the peak, so that only what is
/// reached in the last moment can be missed.
const LOOK: Duration = Duration::from_millis(5);

/// Runs a command, which has to succeed: seconds, and the most memory it held at once, in KiB.
#[track_caller]
pub fn timed(command: Command) -> (f64, u64) {
    try_timed(command).expect("the command succeeds")
}

/// The same of a command that may fail; none if it does.
pub fn try_timed(mut command: Command) -> Option<(f64, u64)> {
    let start = Instant::now();
    let mut child = command
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let status = format!("/proc/{}/status", child.id());
    let mut peak = 0;
    let ended = loop {
        peak = peak_of(&status).unwrap_or(peak).max(peak);
        if let Some(ended) = child.try_wait().unwrap() {
            break ended;
        }
        std::thread::sleep(LOOK);
    };
    let seconds = start.elapsed().as_secs_f64();
    ended.success().then_some((seconds, peak))
}

/// The peak of resident memory in KiB, where the system tells it.
fn peak_of(status: &str) -> Option<u64> {
    let text = fs::read_to_string(status).ok()?;
    let line = text.lines().find(|line| line.starts_with("VmHWM:"))?;
    line.split_whitespace().nth(1)?.parse().ok()
}
