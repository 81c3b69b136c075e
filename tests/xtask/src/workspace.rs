//! Where things lie, and the environment commands get.

use std::env;
use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::Context;

/// The checkout.
pub(crate) struct Workspace {
    root: PathBuf,
    /// Where cargo puts what it builds for the root workspace, in the dev profile: this program
    /// lies there.
    built: PathBuf,
    /// `CARGO_TARGET_DIR`, made absolute: commands run in the root, the user may be elsewhere.
    target: Option<PathBuf>,
}

impl Workspace {
    pub(crate) fn find() -> anyhow::Result<Self> {
        // Cargo says it to what it runs. The path compiled in is for this program run by hand; it may
        // be another checkout's where several share a target folder.
        let package =
            env::var_os("CARGO_MANIFEST_DIR").unwrap_or_else(|| env!("CARGO_MANIFEST_DIR").into());
        let root = Path::new(&package)
            .ancestors()
            .nth(2)
            .context("this crate lies in tests/xtask")?
            .to_owned();
        let program = env::current_exe().context("cannot find this program's own file")?;
        let built = program
            .parent()
            .context("a program lies in a folder")?
            .to_owned();
        let target = env::var_os("CARGO_TARGET_DIR")
            .filter(|dir| !dir.is_empty())
            .map(std::path::absolute)
            .transpose()?;
        Ok(Self {
            root,
            built,
            target,
        })
    }

    pub(crate) fn root(&self) -> &Path {
        &self.root
    }

    /// The folder of all that cargo builds for the root workspace.
    pub(crate) fn target(&self) -> &Path {
        self.built.parent().unwrap_or(&self.built)
    }

    /// The file of a built binary.
    pub(crate) fn binary(&self, name: &str) -> PathBuf {
        self.built
            .join(format!("{name}{}", env::consts::EXE_SUFFIX))
    }

    /// A command that runs in the root.
    pub(crate) fn command(&self, program: impl AsRef<OsStr>) -> Command {
        let mut command = Command::new(program);
        command.current_dir(&self.root);
        if let Some(target) = &self.target {
            command.env("CARGO_TARGET_DIR", target);
        }
        // Cargo sets these for this program; they would make it rebuild what depends on them.
        for (name, _) in env::vars_os() {
            let ours = name.to_str().is_some_and(|name| {
                name.starts_with("CARGO_PKG_") || name.starts_with("CARGO_MANIFEST_")
            });
            if ours {
                command.env_remove(name);
            }
        }
        command
    }

    /// A cargo command for the root workspace.
    pub(crate) fn cargo<const N: usize>(&self, arguments: [&str; N]) -> Command {
        let mut command = self.command("cargo");
        command.args(arguments);
        command
    }

    /// A cargo command for a workspace in `folder`: `plugins`, `tests/guests`. Its target folder is
    /// always the one inside, where the host looks for components.
    pub(crate) fn cargo_in<const N: usize>(&self, folder: &str, arguments: [&str; N]) -> Command {
        let mut command = self.cargo(arguments);
        command
            .arg("--manifest-path")
            .arg(self.root.join(folder).join("Cargo.toml"))
            .env("CARGO_TARGET_DIR", self.root.join(folder).join("target"));
        command
    }
}
