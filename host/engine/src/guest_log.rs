//! The guest log of a run: what the plugins of stages with `text = "guest-log"` said, and nothing else
//! of Weir may say.
//!
//! `_weir/guest/<run>.jsonl`, one JSON object a line. It may hold values of rows, so on a local disk the
//! folder has mode 0700 and the file 0600, and nothing but `weir logs` reads it.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use serde::{Deserialize, Serialize};
use weir_sandbox::{GuestLevel, GuestLine, GuestSink};

use crate::error::{Error, Result};
use crate::lake::Location;
use crate::run::now;

/// One line of a guest log.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LoggedLine {
    /// When it was said, in RFC 3339.
    pub at: String,
    /// The plugin's name in the pipeline file.
    pub plugin: String,
    /// The stage's label.
    pub stage: String,
    /// `log`, `stdout`, `stderr`, `message`, `error` or `metric`.
    pub stream: String,
    /// `debug`, `info` or `warn`.
    pub level: String,
    /// What was said, escaped. May hold values of rows.
    pub text: String,
}

/// The guest log of a run, made when the first line comes.
#[derive(Debug)]
pub struct GuestLogFile {
    /// None where the lake is remote: no stage keeps words then.
    path: Option<PathBuf>,
    file: Mutex<Opened>,
}

#[derive(Debug)]
enum Opened {
    NotYet,
    At(File),
    /// It could not be opened or written, which was told once.
    Failed,
}

/// The file of `run` in the lake that `weir` belongs to.
fn path(weir: &Location, run: &str) -> Result<PathBuf> {
    let place = weir.child(&["guest", &format!("{run}.jsonl")]);
    place.local().cloned().ok_or_else(|| {
        Error::usage("a guest log needs a lake on a local disk")
            .with_hint("leave out `text = \"guest-log\"`, or use a local lake")
    })
}

/// Sees that a folder is this user's own, and shuts it to all others. It may have been there before,
/// made by somebody who waits for what is written into it.
#[cfg(unix)]
fn make_private(folder: &Path) -> io::Result<()> {
    use std::os::unix::fs::{MetadataExt, PermissionsExt};
    let found = fs::symlink_metadata(folder)?;
    let why = if !found.is_dir() {
        "is no folder"
    } else if found.uid() != rustix::process::geteuid().as_raw() {
        "belongs to another user"
    } else {
        return fs::set_permissions(folder, fs::Permissions::from_mode(0o700));
    };
    let folder = folder.display();
    Err(io::Error::other(format!(
        "'{folder}' {why}: a guest log may hold data and is for the user that runs weir alone; remove it"
    )))
}

impl GuestLogFile {
    /// The log of `run`. Nothing is written yet.
    pub fn of(weir: &Location, run: &str) -> GuestLogFile {
        GuestLogFile {
            path: path(weir, run).ok(),
            file: Mutex::new(Opened::NotYet),
        }
    }

    fn open(&self) -> io::Result<File> {
        let path = self
            .path
            .as_ref()
            .ok_or_else(|| io::Error::other("the lake is on no local disk"))?;
        if let Some(folder) = path.parent() {
            let mut builder = fs::DirBuilder::new();
            builder.recursive(true);
            #[cfg(unix)]
            {
                use std::os::unix::fs::DirBuilderExt;
                builder.mode(0o700);
            }
            builder.create(folder)?;
            #[cfg(unix)]
            make_private(folder)?;
        }
        let mut options = OpenOptions::new();
        // A run opens it once. One that is there already is somebody else's, who may have it open.
        options.create_new(true).append(true);
        #[cfg(unix)]
        {
            use std::os::unix::fs::OpenOptionsExt;
            options.mode(0o600);
            options.custom_flags(rustix::fs::OFlags::NOFOLLOW.bits().cast_signed());
        }
        options.open(path)
    }

    fn write(&self, line: &LoggedLine) -> io::Result<()> {
        let mut opened = self.file.lock().unwrap_or_else(PoisonError::into_inner);
        if matches!(*opened, Opened::Failed) {
            return Ok(());
        }
        let mut text = serde_json::to_vec(line)?;
        text.push(b'\n');
        let written = match &mut *opened {
            Opened::At(file) => file.write_all(&text),
            _ => self.open().and_then(|mut file| {
                file.write_all(&text)?;
                *opened = Opened::At(file);
                Ok(())
            }),
        };
        if written.is_err() {
            *opened = Opened::Failed;
        }
        written
    }
}

impl GuestSink for GuestLogFile {
    fn line(&self, line: GuestLine<'_>) {
        let logged = LoggedLine {
            at: now(),
            plugin: line.plugin.to_owned(),
            stage: line.stage.to_owned(),
            stream: line.stream.name().to_owned(),
            level: match line.level {
                GuestLevel::Debug => "debug",
                GuestLevel::Info => "info",
                GuestLevel::Warn => "warn",
            }
            .to_owned(),
            text: line.text.to_owned(),
        };
        if let Err(error) = self.write(&logged) {
            // Told once, without the line; the run goes on.
            tracing::error!(path = ?self.path, %error, "cannot write the guest log; what plugins say is lost");
        }
    }
}

/// The lines of `run`'s guest log, in the order in which they were said; none if no plugin whose words
/// are kept has said anything.
///
/// # Errors
/// Storage, if the log cannot be read; internal, if it is not what Weir wrote.
pub fn read(weir: &Location, run: &str) -> Result<Vec<LoggedLine>> {
    let path = path(weir, run)?;
    let unreadable = |error: io::Error| {
        Error::storage(
            format!("cannot read the guest log '{}'", path.display()),
            error,
        )
        .with_hint("it belongs to the user that ran the pipeline, and nobody else can read it")
    };
    let text = match fs::read_to_string(&path) {
        Ok(text) => text,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(unreadable(error)),
    };
    // A run that was killed may have left half a line at the end.
    let whole = text.rfind('\n').map_or(0, |end| end + 1);
    text.get(..whole)
        .unwrap_or_default()
        .lines()
        .map(|line| {
            serde_json::from_str(line).map_err(|error| {
                Error::internal(format!(
                    "the guest log '{}' holds a broken line",
                    path.display()
                ))
                .with_source(error)
                .with_hint("somebody changed it: what is left can be read with a text editor")
            })
        })
        .collect()
}
