//! `weir plugin publish` and `weir plugin pull`.

use std::collections::BTreeMap;

use weir_components::{Publication, Settings, pull as pull_component};
use weir_pipeline::{OciReference, WrongReference};
use weir_sandbox::Limits;

use super::{component, inspect, signature_of};
use crate::args::{PublishArgs, PullArgs};
use crate::commands::{print, sandbox};
use crate::failure::Failure;

pub(crate) async fn publish(args: &PublishArgs) -> Result<u8, Failure> {
    let bytes = component(&args.file)?;
    inspect::refuse_revoked(&bytes)?;
    // What cannot run is not given to others; and what is said of it is what it says itself.
    let name = args.file.file_stem().unwrap_or_default().to_string_lossy();
    let plugin = sandbox()?.load(&name, bytes.clone()).await?;
    let info = plugin.describe(&Limits::default()).await?;
    let annotations: BTreeMap<String, String> = [
        ("org.opencontainers.image.title", info.name),
        ("org.opencontainers.image.version", info.version),
        ("org.opencontainers.image.description", info.description),
    ]
    .into_iter()
    .map(|(key, value)| (key.to_owned(), value))
    .collect();
    let signature = match std::fs::read_to_string(signature_of(&args.file)) {
        Ok(text) => Some(text),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => None,
        Err(error) => {
            let path = signature_of(&args.file);
            return Err(
                Failure::usage(format!("cannot read '{}': {error}", path.display()))
                    .hint("sign the component anew, or remove the file"),
            );
        }
    };
    let is_signed = signature.is_some();
    let publication = Publication::new(bytes, annotations, signature);
    let reference = publication.reference(&args.place).map_err(wrong)?;
    publication
        .put(&Settings::of_user(), &reference, &args.tag)
        .await?;
    if !is_signed {
        eprintln!(
            "note: it is not signed; weir plugin sign {} --key … before publishing says whose it is",
            args.file.display()
        );
    }
    print(&format!("{reference}\n"))?;
    Ok(0)
}

pub(crate) async fn pull(args: &PullArgs) -> Result<u8, Failure> {
    let reference = OciReference::parse(&args.reference).map_err(wrong)?;
    let (bytes, signature) = pull_component(&Settings::of_user(), &reference).await?;
    inspect::refuse_revoked(&bytes)?;
    let file = args.file.clone().unwrap_or_else(|| {
        let name = reference
            .repository()
            .rsplit('/')
            .next()
            .unwrap_or_default();
        format!("{name}.wasm").into()
    });
    // A signature that was there would be taken for this component's.
    let places = [file.clone(), signature_of(&file)];
    if let Some(there) = places.iter().find(|path| path.exists()) {
        return Err(
            Failure::usage(format!("'{}' is there already", there.display()))
                .hint("name another file with --output"),
        );
    }
    let write = |path: &std::path::Path, content: &[u8]| {
        std::fs::write(path, content).map_err(|error| {
            Failure::usage(format!("cannot write '{}': {error}", path.display()))
                .hint("name a place that you may write to with --output")
        })
    };
    write(&file, &bytes)?;
    print(&format!("{}\n", file.display()))?;
    if let Some(text) = signature {
        let path = signature_of(&file);
        write(&path, text.as_bytes())?;
        print(&format!("{}\n", path.display()))?;
    }
    Ok(0)
}

fn wrong(wrong: WrongReference) -> Failure {
    Failure::usage(wrong.message).hint(wrong.hint)
}
