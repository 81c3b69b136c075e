//! Puts the templates of new plugins and the SDKs into the crate: what `weir plugin new` writes has to build
//! where there is nothing but the program.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::{env, fs};

type Outcome<T> = Result<T, Box<dyn std::error::Error>>;

/// Files with their path, separated by `/`.
type Files = Vec<(String, PathBuf)>;

fn main() -> Outcome<()> {
    let here = PathBuf::from(env::var("CARGO_MANIFEST_DIR")?);
    let out = PathBuf::from(env::var("OUT_DIR")?);
    let root = here.join("../..");
    let (sdk, templates) = (root.join("plugin-sdk"), here.join("templates"));

    let mut rust = tree(&sdk.join("src"), "plugin-sdk/src")?;
    rust.extend(tree(&sdk.join("derive/src"), "plugin-sdk/derive/src")?);
    rust.extend(tree(&root.join("wit/0.1"), "wit/0.1")?);
    let workspace: toml::Table = fs::read_to_string(watched(&root.join("Cargo.toml")))?.parse()?;
    for (folder, name) in [("", "sdk.toml"), ("derive/", "derive.toml")] {
        let manifest: toml::Table =
            fs::read_to_string(watched(&sdk.join(folder).join("Cargo.toml")))?.parse()?;
        let alone = out.join(name);
        fs::write(
            &alone,
            toml::to_string(&standing_alone(manifest, &workspace)?)?,
        )?;
        rust.push((format!("plugin-sdk/{folder}Cargo.toml"), alone));
    }

    let mut python = tree(&sdk.join("python/weir_plugin"), "python/weir_plugin")?;
    for name in ["pyproject.toml", "README.md"] {
        python.push((format!("python/{name}"), sdk.join("python").join(name)));
    }
    let mut js = Files::new();
    for name in ["bin", "src", "wit", "wit-http"] {
        js.extend(tree(&sdk.join("js").join(name), &format!("js/{name}"))?);
    }
    for name in [
        "package.json",
        "README.md",
        "index.d.ts",
        "http.d.ts",
        "testing.d.ts",
    ] {
        js.push((format!("js/{name}"), sdk.join("js").join(name)));
    }

    let mut code = String::new();
    for (name, files) in [
        ("RUST_SDK", rust),
        ("PYTHON_SDK", python),
        ("JS_SDK", js),
        ("TEMPLATES", tree(&templates, "")?),
    ] {
        writeln!(code, "static {name}: &[(&str, &[u8])] = &[")?;
        for (path, file) in files {
            writeln!(
                code,
                "    ({path:?}, include_bytes!({:?})),",
                watched(&file)
            )?;
        }
        writeln!(code, "];")?;
    }
    fs::write(out.join("embedded.rs"), code)?;
    Ok(())
}

/// The file, on whose changes the build depends.
fn watched(path: &Path) -> PathBuf {
    println!("cargo::rerun-if-changed={}", path.display());
    path.to_owned()
}

/// All files below a folder, named as below `name`, in order.
fn tree(folder: &Path, name: &str) -> Outcome<Files> {
    watched(folder);
    let mut files = Files::new();
    let mut entries: Vec<PathBuf> = Vec::new();
    for entry in fs::read_dir(folder)? {
        entries.push(entry?.path());
    }
    entries.sort();
    for path in entries {
        let file_name = path.file_name().unwrap_or_default().to_string_lossy();
        // What tools and editors leave behind is nobody's.
        let left = ["__pycache__", "node_modules", "target"].contains(&file_name.as_ref());
        let hidden = file_name.starts_with('.') && file_name != ".gitignore";
        if left || hidden || file_name.ends_with('~') {
            continue;
        }
        let below = match name {
            "" => file_name.into_owned(),
            name => format!("{name}/{file_name}"),
        };
        match path.is_dir() {
            true => files.extend(tree(&path, &below)?),
            false => files.push((below, path)),
        }
    }
    Ok(files)
}

/// A manifest that needs no workspace: what it inherits is written out, and what only this workspace's tests
/// need is left out.
fn standing_alone(mut manifest: toml::Table, workspace: &toml::Table) -> Outcome<toml::Table> {
    let shared = workspace
        .get("workspace")
        .and_then(toml::Value::as_table)
        .ok_or("the manifest above has no workspace")?;
    for key in ["lints", "example", "dev-dependencies"] {
        manifest.remove(key);
    }
    if let Some(package) = manifest
        .get_mut("package")
        .and_then(toml::Value::as_table_mut)
    {
        for (key, value) in package.iter_mut() {
            if value.get("workspace").is_some() {
                let inherited = shared.get("package").and_then(|package| package.get(key));
                *value = inherited
                    .ok_or("the workspace's package lacks a key")?
                    .clone();
            }
        }
    }
    if let Some(dependencies) = manifest
        .get_mut("dependencies")
        .and_then(toml::Value::as_table_mut)
    {
        for (name, value) in dependencies.iter_mut() {
            let Some(own) = value.as_table_mut() else {
                continue;
            };
            if own.remove("workspace").is_none() {
                continue;
            }
            let inherited = shared.get("dependencies").and_then(|all| all.get(name));
            let mut merged = match inherited.ok_or("the workspace lacks a dependency")? {
                toml::Value::Table(table) => table.clone(),
                version => toml::Table::from_iter([("version".to_owned(), version.clone())]),
            };
            if let Some(path) = merged.get_mut("path") {
                let below = path
                    .as_str()
                    .and_then(|path| path.strip_prefix("plugin-sdk/"));
                *path = below
                    .ok_or("the SDK depends on what is not below it")?
                    .into();
            }
            for (key, value) in std::mem::take(own) {
                match (merged.get_mut(&key), value) {
                    (Some(toml::Value::Array(all)), toml::Value::Array(more)) => all.extend(more),
                    (_, value) => {
                        merged.insert(key, value);
                    }
                }
            }
            *own = merged;
        }
    }
    Ok(manifest)
}
