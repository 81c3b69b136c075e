//! Compiling a component: in this process, or in a child that may use only so much.
//!
//! A small component can be made that takes the compiler hours or all memory. So whoever loads
//! components of others compiles them in a child process: the same program, started again with
//! [`COMPILER_ARGUMENT`] as its first argument, which hands over to [`compiler_main`] before it does
//! anything else. The child limits itself before it reads a byte of the component, takes it from
//! stdin and gives native code on stdout. It has no environment, and no file but these.
//!
//! The child is held in time and memory, not in what it may do: its answer is trusted as much as that
//! of a compiler in this process.

use std::ffi::OsString;
use std::io::{Read, Write};
use std::path::PathBuf;
use std::process::{Child, Command, ExitCode, ExitStatus, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use wasmtime::Engine;

use crate::error::{SandboxError, Source};
use crate::guest_text::{MAX_TEXT, escape};
use crate::sandbox::{MAX_COMPONENT, SandboxOptions, config};

/// The first argument of a program that is to be a compiler.
pub const COMPILER_ARGUMENT: &str = "weir-compile-component";

/// Largest compiled code taken from a child, in bytes.
const MAX_CODE: u64 = 1 << 30;
/// Longest complaint taken from a child, in bytes.
const MAX_COMPLAINT: u64 = 16 << 10;
/// How often the parent looks whether its child has ended.
const LOOK: Duration = Duration::from_millis(2);

/// Where components are compiled.
#[derive(Clone, Debug, Default)]
pub enum Compiler {
    /// In this process, without limits of time and memory: for components that are trusted.
    #[default]
    Here,
    /// In a child process.
    Child(ChildCompiler),
}

/// A program that compiles, and what it may use for one component.
#[derive(Clone, Debug)]
pub struct ChildCompiler {
    /// A program that calls [`compiler_main`] when its first argument is [`COMPILER_ARGUMENT`].
    pub program: PathBuf,
    /// Most bytes of private memory (`RLIMIT_DATA`).
    pub memory: u64,
    /// Most processor time, over all threads, in whole seconds (`RLIMIT_CPU`).
    pub cpu: Duration,
    /// Most time from start to end.
    pub wall_clock: Duration,
}

impl ChildCompiler {
    /// `program` with 2 GiB of memory, two minutes of processor time, and ten minutes in all. The
    /// largest interpreters that are compiled to components need a quarter of that.
    pub fn new(program: PathBuf) -> ChildCompiler {
        ChildCompiler {
            program,
            memory: 2 << 30,
            cpu: Duration::from_secs(120),
            wall_clock: Duration::from_secs(600),
        }
    }

    /// The code of `component` for an engine of `options`.
    pub(crate) fn compile(
        &self,
        plugin: &str,
        component: &[u8],
        options: &SandboxOptions,
    ) -> Result<Vec<u8>, SandboxError> {
        let broken = |what: &str, error: std::io::Error| SandboxError::Compile {
            plugin: plugin.to_owned(),
            source: Source::from(format!("{what}: {error}")),
        };
        let settings = Settings {
            memory: self.memory,
            cpu: self.cpu.as_secs().max(1),
            max_memory: options.max_memory,
            deadlines: options.deadlines,
        };
        let mut child = Command::new(&self.program)
            .arg(COMPILER_ARGUMENT)
            .args(settings.arguments())
            .env_clear()
            .current_dir("/")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .map_err(|error| broken("the compiler cannot be started", error))?;
        let ended = thread::scope(|scope| {
            let input = child.stdin.take();
            // A child that has ended, or was ended, leaves a broken pipe: its exit says why.
            scope.spawn(move || input.map(|mut input| input.write_all(component)));
            let code = child.stdout.take();
            let code = scope.spawn(move || read_at_most(code, MAX_CODE));
            let complaint = child.stderr.take();
            let complaint = scope.spawn(move || read_at_most(complaint, MAX_COMPLAINT));
            let status = self.wait(&mut child);
            if status.is_err() {
                // Left alone it would hold its pipes, and the threads on them, as long as it likes.
                let _ = child.kill();
                let _ = child.wait();
            }
            let read = |thread: thread::ScopedJoinHandle<'_, std::io::Result<Vec<u8>>>| {
                thread.join().unwrap_or_else(|_| {
                    Err(std::io::Error::other("a thread of weir's ended early"))
                })
            };
            (status, read(code), read(complaint))
        });
        let (status, code, complaint) = ended;
        let status = status.map_err(|error| broken("the compiler cannot be waited for", error))?;
        match status {
            Some(status) if status.success() => {
                code.map_err(|error| broken("the compiled code cannot be read", error))
            }
            Some(status) if status.code() == Some(REFUSED) => {
                let complaint = complaint.unwrap_or_default();
                Err(SandboxError::Compile {
                    plugin: plugin.to_owned(),
                    source: Source::from(escape(&String::from_utf8_lossy(&complaint), MAX_TEXT)),
                })
            }
            Some(status) if status.code() == Some(CANNOT_LIMIT) => {
                let complaint = complaint.unwrap_or_default();
                Err(broken(
                    "the compiler cannot limit itself",
                    std::io::Error::other(String::from_utf8_lossy(&complaint).into_owned()),
                ))
            }
            ended => Err(SandboxError::CompileLimit {
                plugin: plugin.to_owned(),
                memory: self.memory,
                seconds: self.cpu.as_secs(),
                how: how_it_ended(ended),
            }),
        }
    }

    /// Waits for the child; none if its time is over, which ends it.
    fn wait(&self, child: &mut Child) -> std::io::Result<Option<ExitStatus>> {
        let began = Instant::now();
        loop {
            if let Some(status) = child.try_wait()? {
                return Ok(Some(status));
            }
            if began.elapsed() > self.wall_clock {
                child.kill()?;
                child.wait()?;
                return Ok(None);
            }
            thread::sleep(LOOK);
        }
    }
}

fn how_it_ended(status: Option<ExitStatus>) -> String {
    let Some(status) = status else {
        return "it took too long".to_owned();
    };
    #[cfg(unix)]
    {
        use std::os::unix::process::ExitStatusExt;
        let signal = status.signal();
        if signal == Some(rustix::process::Signal::XCPU.as_raw()) {
            return "its processor time ran out".to_owned();
        }
        if signal == Some(rustix::process::Signal::KILL.as_raw()) {
            return "it was killed: its processor time or the machine's memory ran out".to_owned();
        }
        if signal == Some(rustix::process::Signal::ABORT.as_raw()) {
            return "its memory ran out".to_owned();
        }
    }
    status.to_string()
}

fn read_at_most(from: Option<impl Read>, most: u64) -> std::io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    if let Some(mut from) = from {
        from.by_ref().take(most).read_to_end(&mut bytes)?;
        // What is over is read too, so that the child can end, and makes the whole unusable.
        if std::io::copy(&mut from, &mut std::io::sink())? > 0 {
            return Err(std::io::Error::other(format!("more than {most} bytes")));
        }
    }
    Ok(bytes)
}

/// Exit code of a child that read the component and refuses it.
const REFUSED: i32 = 65;
/// Exit code of a child that could not limit itself.
const CANNOT_LIMIT: i32 = 71;

/// What a child is told.
struct Settings {
    memory: u64,
    cpu: u64,
    max_memory: u64,
    deadlines: bool,
}

impl Settings {
    fn arguments(&self) -> [String; 4] {
        [
            self.memory.to_string(),
            self.cpu.to_string(),
            self.max_memory.to_string(),
            self.deadlines.to_string(),
        ]
    }

    fn parse(arguments: impl IntoIterator<Item = OsString>) -> Option<Settings> {
        let mut texts = arguments.into_iter().map(|text| text.into_string().ok());
        let mut next = || texts.next().flatten();
        Some(Settings {
            memory: next()?.parse().ok()?,
            cpu: next()?.parse().ok()?,
            max_memory: next()?.parse().ok()?,
            deadlines: next()?.parse().ok()?,
        })
    }
}

/// The whole of a compiling child: call it first thing in `main` when the first argument is
/// [`COMPILER_ARGUMENT`], with the arguments that follow, and end with what it returns.
pub fn compiler_main(arguments: impl IntoIterator<Item = OsString>) -> ExitCode {
    let Some(settings) = Settings::parse(arguments) else {
        eprintln!("this is not for people: weir starts it to compile a component");
        return ExitCode::from(2);
    };
    if let Err(error) = limit_self(&settings) {
        eprint!("{error}");
        return ExitCode::from(u8::try_from(CANNOT_LIMIT).unwrap_or(1));
    }
    match compile_stdin(&settings) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            // The whole chain on one line: the parent shows it as the cause.
            eprint!("{error:#}");
            ExitCode::from(u8::try_from(REFUSED).unwrap_or(1))
        }
    }
}

fn compile_stdin(settings: &Settings) -> wasmtime::Result<()> {
    let mut component = Vec::new();
    std::io::stdin()
        .take(MAX_COMPONENT + 1)
        .read_to_end(&mut component)?;
    let engine = Engine::new(&config(&SandboxOptions {
        max_instances: 1,
        max_memory: settings.max_memory,
        deadlines: settings.deadlines,
        ..SandboxOptions::default()
    }))?;
    let code = engine.precompile_component(&component)?;
    std::io::stdout().write_all(&code)?;
    Ok(())
}

#[cfg(unix)]
fn limit_self(settings: &Settings) -> std::io::Result<()> {
    use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
    // What weir itself was held to holds for its children too, and cannot be raised.
    let limit = |resource, most: u64, hard: u64| {
        let given = getrlimit(resource).maximum.unwrap_or(u64::MAX);
        setrlimit(
            resource,
            Rlimit {
                current: Some(most.min(given)),
                maximum: Some(hard.min(given)),
            },
        )
    };
    limit(Resource::Data, settings.memory, settings.memory)?;
    // Past the soft limit the kernel sends SIGXCPU, past the hard one SIGKILL.
    limit(Resource::Cpu, settings.cpu, settings.cpu + 1)?;
    limit(Resource::Core, 0, 0)?;
    limit(Resource::Fsize, 0, 0)?;
    Ok(())
}

#[cfg(not(unix))]
fn limit_self(_: &Settings) -> std::io::Result<()> {
    Ok(())
}
