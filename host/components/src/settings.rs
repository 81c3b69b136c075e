//! The folders of the user, and how a lock is used.

use std::path::PathBuf;

/// What is the same for all pipelines of a user.
#[derive(Debug, Clone, Default)]
pub struct Settings {
    /// Where components from registries are kept; none: they are fetched each time.
    pub cache: Option<PathBuf>,
    /// The folder that holds the user's list of revoked components; none: there is no list.
    pub config: Option<PathBuf>,
    /// The folder that holds the list of revoked components for all users of the machine.
    pub system: Option<PathBuf>,
    /// Docker's configuration file, which has the user's logins for registries; none: there are
    /// no logins.
    pub docker: Option<PathBuf>,
    /// How `weir.lock` is used.
    pub lock: LockUse,
}

/// How `weir.lock` is used.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum LockUse {
    /// What it names must be as it says; it need not be there, nor name every plugin.
    #[default]
    Follow,
    /// It must be there and name every plugin in use.
    Require,
    /// It is not read: a new one is being made.
    Ignore,
}

impl Settings {
    /// The folders as the environment says: `WEIR_CACHE`, else `weir` in `XDG_CACHE_HOME` or
    /// `~/.cache`; `WEIR_CONFIG`, else `weir` in `XDG_CONFIG_HOME` or `~/.config`;
    /// `DOCKER_CONFIG`, else `~/.docker`. The machine's folder is `/etc/weir`.
    ///
    /// Warns where the environment names no folder for the user's list of revoked components.
    pub fn of_user() -> Settings {
        let config = folder("WEIR_CONFIG", "XDG_CONFIG_HOME", ".config");
        if config.is_none() {
            tracing::warn!(
                "neither WEIR_CONFIG, XDG_CONFIG_HOME nor HOME is set: of the lists of revoked components only the machine's and those of the pipeline's [trust] hold"
            );
        }
        Settings {
            cache: folder("WEIR_CACHE", "XDG_CACHE_HOME", ".cache")
                .map(|folder| folder.join("components")),
            config,
            system: cfg!(unix).then(|| PathBuf::from("/etc/weir")),
            docker: named("DOCKER_CONFIG")
                .or_else(|| named("HOME").map(|home| home.join(".docker")))
                .map(|folder| folder.join("config.json")),
            lock: LockUse::Follow,
        }
    }
}

fn named(variable: &str) -> Option<PathBuf> {
    std::env::var_os(variable)
        .filter(|value| !value.is_empty())
        .map(PathBuf::from)
}

fn folder(own: &str, xdg: &str, in_home: &str) -> Option<PathBuf> {
    named(own)
        .or_else(|| named(xdg).map(|folder| folder.join("weir")))
        .or_else(|| named("HOME").map(|home| home.join(in_home).join("weir")))
}
