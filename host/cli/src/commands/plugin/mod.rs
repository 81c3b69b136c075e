//! `weir plugin …`.

mod bench;
mod bind;
mod build;
mod inspect;
mod keygen;
mod lock;
mod new;
mod publish;
mod revoke;
mod sign;
mod test;
mod verify;

use std::path::{Path, PathBuf};

use weir_components::signature::SIGNATURE_ENDING;

use crate::args::PluginCommand;
use crate::failure::Failure;

pub(crate) async fn run(command: &PluginCommand) -> Result<u8, Failure> {
    match command {
        PluginCommand::New(args) => new::run(args),
        PluginCommand::Build(args) => build::run(args),
        PluginCommand::Test(args) => test::run(args).await,
        PluginCommand::Bench(args) => bench::run(args).await,
        PluginCommand::Bind(args) => bind::run(args).await,
        PluginCommand::Inspect(args) => inspect::run(args).await,
        PluginCommand::Lock(args) => lock::run(args).await,
        PluginCommand::Keygen(args) => keygen::run(args),
        PluginCommand::Sign(args) => sign::run(args),
        PluginCommand::Verify(args) => verify::run(args),
        PluginCommand::Publish(args) => publish::publish(args).await,
        PluginCommand::Pull(args) => publish::pull(args).await,
        PluginCommand::Revoke(args) => revoke::run(args),
    }
}

/// The bytes of a component's file.
fn component(file: &Path) -> Result<Vec<u8>, Failure> {
    std::fs::read(file).map_err(|error| {
        Failure::usage(format!("cannot read '{}': {error}", file.display()))
            .hint("give the .wasm file that building the plugin left")
    })
}

/// The text of a key or signature.
fn text(file: &Path, hint: &str) -> Result<String, Failure> {
    std::fs::read_to_string(file).map_err(|error| {
        Failure::usage(format!("cannot read '{}': {error}", file.display())).hint(hint)
    })
}

/// The file of a component's signature: `x.wasm.minisig`.
fn signature_of(component: &Path) -> PathBuf {
    let mut name = component.as_os_str().to_owned();
    name.push(".");
    name.push(SIGNATURE_ENDING);
    name.into()
}

/// The password of a key: of the environment, else of who sits at the terminal.
fn password(prompt: &str) -> Result<String, Failure> {
    if let Ok(password) = std::env::var(PASSWORD) {
        return Ok(password);
    }
    rpassword::prompt_password(prompt).map_err(|error| {
        Failure::usage(format!("the key's password cannot be read: {error}")).hint(format!(
            "run it in a terminal, or set {PASSWORD}; a key made with --no-password needs none"
        ))
    })
}

/// Holds a password where nobody sits at a terminal.
const PASSWORD: &str = "WEIR_KEY_PASSWORD";
