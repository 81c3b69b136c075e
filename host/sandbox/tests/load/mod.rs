//! What is refused before any of it runs, and what the compile cache trusts.

use std::os::unix::fs::PermissionsExt;

use super::*;

fn wat(text: &str) -> Vec<u8> {
    wat::parse_str(text).expect("valid text")
}

async fn load(bytes: Vec<u8>) -> Result<Plugin, SandboxError> {
    sandbox().load("x", bytes).await
}

/// A transform whose functions have the wrong types, with `items` in its core module.
fn mistyped(items: &str) -> Vec<u8> {
    wat(&format!(
        r#"(component
            (core module $m {items} (func (export "f")))
            (core instance $i (instantiate $m))
            (func $f (canon lift (core func $i "f")))
            (instance $t
                (export "describe" (func $f)) (export "bind" (func $f))
                (export "process" (func $f)) (export "finish" (func $f)))
            (export "weir:plugin/transformer@0.1.0" (instance $t)))"#
    ))
}

#[tokio::test]
async fn what_is_not_a_component_is_named() {
    for (bytes, expected) in [
        (wat("(module)"), "core WebAssembly module"),
        (Vec::new(), "empty"),
        (b"\x7fELF....".to_vec(), "native"),
        (b"hello".to_vec(), "not WebAssembly"),
    ] {
        let error = load(bytes).await.unwrap_err();
        assert!(
            matches!(&error, SandboxError::NotAComponent { found, .. } if found.contains(expected)),
            "{error}"
        );
        assert!(error.hint().is_some());
    }
    let error = load(vec![0; 65 << 20]).await.unwrap_err();
    assert!(matches!(error, SandboxError::TooLarge { .. }), "{error}");
    let mut broken = guest("check");
    broken.truncate(2000);
    let error = load(broken).await.unwrap_err();
    assert!(matches!(error, SandboxError::Compile { .. }), "{error}");
}

#[tokio::test]
async fn other_tracks_are_refused_with_both_versions() {
    let text = |name: &str| {
        wat(&format!(
            "(component (instance $i) (export \"{name}\" (instance $i)))"
        ))
    };
    let error = load(text("weir:plugin/transformer@0.3.2"))
        .await
        .unwrap_err();
    assert_eq!(
        error.to_string(),
        "plugin 'x' targets weir:plugin@0.3; this weir supports 0.1"
    );
    assert!(matches!(
        error,
        SandboxError::WrongTrack { found: Some(_), .. }
    ));
    for name in ["wasi:cli/run@0.2.0", "weir:plugin/unknown@0.1.0"] {
        let error = load(text(name)).await.unwrap_err();
        assert!(
            matches!(error, SandboxError::WrongTrack { found: None, .. }),
            "{error}"
        );
    }
}

#[tokio::test]
async fn imports_outside_the_grant_are_refused_by_name() {
    for import in [
        "wasi:http/outgoing-handler@0.2.0",
        "wasi:filesystem/types@0.3.0",
        "wasi:keyvalue/store@0.2.0",
        "weir:plugin/judging@0.1.0",
        "weir:plugin/decoding@0.1.0",
        "weir:plugin/host@0.2.0",
        "weir:plugin/secrets@0.2.0",
    ] {
        let component = wat(&format!(
            r#"(component (import "{import}" (instance)) (instance $i)
                (export "weir:plugin/transformer@0.1.0" (instance $i)))"#
        ));
        let error = load(component).await.unwrap_err();
        assert!(
            matches!(&error, SandboxError::ForbiddenImport { import: found, .. } if found == import),
            "{error}"
        );
        assert!(error.to_string().contains(import));
    }
    let function = wat(
        r#"(component (import "launch" (func)) (instance $i) (export "weir:plugin/transformer@0.1.0" (instance $i)))"#,
    );
    let error = load(function).await.unwrap_err();
    assert!(
        matches!(&error, SandboxError::ForbiddenImport { import, .. } if import == "launch"),
        "{error}"
    );
}

#[tokio::test]
async fn newer_patch_releases_of_a_track_are_accepted() {
    let text = |import: &str| {
        wat(&format!(
            r#"(component
                (import "{import}" (instance (export "metric" (func (param "name" string) (param "value" f64)))))
                (core module $m (func (export "f")))
                (core instance $i (instantiate $m))
                (func $f (canon lift (core func $i "f")))
                (instance $t
                    (export "describe" (func $f)) (export "bind" (func $f))
                    (export "process" (func $f)) (export "finish" (func $f)))
                (export "weir:plugin/transformer@0.1.9" (instance $t)))"#
        ))
    };
    let plugin = load(text("weir:plugin/host@0.1.7")).await.unwrap();
    assert_eq!(
        (plugin.track(), plugin.imports()),
        ("0.1.9", &["weir:plugin/host@0.1.7".to_owned()][..])
    );
}

#[tokio::test]
async fn wrong_types_are_refused() {
    let empty =
        wat(r#"(component (instance $i) (export "weir:plugin/transformer@0.1.0" (instance $i)))"#);
    assert!(matches!(
        load(empty).await,
        Err(SandboxError::WrongTypes { .. })
    ));
    let plugin = load(mistyped("")).await.unwrap();
    let error = plugin.instantiate("", &Terms::default()).await.unwrap_err();
    assert!(matches!(error, SandboxError::WrongTypes { .. }), "{error}");
}

#[tokio::test]
async fn features_that_are_off_do_not_compile() {
    for items in [
        "(memory 1 1 shared)",
        "(memory i64 1)",
        "(func (param v128) (result v128) local.get 0 local.get 0 i8x16.relaxed_swizzle)",
        "(type (struct (field i32)))",
        "(tag)",
    ] {
        let error = load(mistyped(items)).await.unwrap_err();
        assert!(
            matches!(error, SandboxError::Compile { .. }),
            "{items}: {error}"
        );
    }
}

#[tokio::test]
async fn start_functions_are_limited_too() {
    let plugin = load(mistyped("(func $spin (loop (br 0))) (start $spin)"))
        .await
        .unwrap();
    let error = plugin.instantiate("", &quick().into()).await.unwrap_err();
    assert!(
        matches!(
            error,
            SandboxError::Limit {
                which: LimitKind::Deadline,
                ..
            }
        ),
        "{error}"
    );
    assert_eq!(error.call_site().unwrap().call, Call::Instantiate);

    // Two memories of 96 MiB: each fits the grant of 128, together they do not.
    let plugin = load(mistyped("(memory 1536) (memory 1536)")).await.unwrap();
    let error = plugin.instantiate("", &Terms::default()).await.unwrap_err();
    assert!(
        matches!(
            error,
            SandboxError::Limit {
                which: LimitKind::Memory,
                ..
            }
        ),
        "{error}"
    );

    let plugin = load(mistyped("(table 90000 funcref) (table 90000 funcref)"))
        .await
        .unwrap();
    let error = plugin.instantiate("", &Terms::default()).await.unwrap_err();
    assert!(
        matches!(
            error,
            SandboxError::Limit {
                which: LimitKind::Tables,
                ..
            }
        ),
        "{error}"
    );
    honest().await;
}

#[tokio::test]
async fn cached_code_is_used_only_if_authentic() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("cache");
    let open = || {
        Sandbox::new(SandboxOptions {
            cache_dir: Some(path.clone()),
            max_instances: 4,
            ..SandboxOptions::default()
        })
    };
    open().unwrap().load("t", guest("check")).await.unwrap();
    let entries = || {
        let files = std::fs::read_dir(&path)
            .unwrap()
            .map(|file| file.unwrap().path());
        files
            .filter(|file| file.file_name().unwrap() != "key")
            .collect::<Vec<_>>()
    };
    let entry = entries().pop().expect("an entry");
    assert_eq!(entries().len(), 1, "no temporary files are left");
    for file in [&path, &entry, &path.join("key")] {
        assert_eq!(
            std::fs::metadata(file).unwrap().permissions().mode() & 0o077,
            0,
            "{}",
            file.display()
        );
    }
    let good = std::fs::read(&entry).unwrap();
    // The cache is used: an authentic entry is left as it is, a flipped bit is replaced.
    for (tampered, at) in [
        (false, 0),
        (true, 0),
        (true, 40),
        (true, good.len() / 2),
        (true, good.len() - 1),
    ] {
        let mut bytes = good.clone();
        if tampered {
            bytes[at] ^= 1;
            std::fs::write(&entry, &bytes).unwrap();
        }
        let before = std::fs::metadata(&entry).unwrap().modified().unwrap();
        let plugin = open().unwrap().load("t", guest("check")).await.unwrap();
        assert_eq!(plugin.world(), World::Check);
        let after = std::fs::metadata(&entry).unwrap().modified().unwrap();
        assert_eq!(before != after, tampered, "bit at {at}");
        assert_eq!(
            std::fs::read(&entry).unwrap()[..32] == good[..32],
            std::fs::read(&entry).unwrap() == good
        );
    }
    std::fs::write(&entry, &good[..31]).unwrap();
    open().unwrap().load("t", guest("check")).await.unwrap();
    // Another component's authentic code, moved into place, is no better.
    open().unwrap().load("t", guest("decoder")).await.unwrap();
    let other = entries()
        .into_iter()
        .find(|file| *file != entry)
        .expect("a second entry");
    std::fs::copy(&other, &entry).unwrap();
    let plugin = open().unwrap().load("t", guest("check")).await.unwrap();
    assert_eq!(plugin.world(), World::Check);

    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o770)).unwrap();
    assert!(
        matches!(open(), Err(SandboxError::Cache { .. })),
        "others may write to it"
    );
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o700)).unwrap();
    std::fs::set_permissions(path.join("key"), std::fs::Permissions::from_mode(0o644)).unwrap();
    assert!(
        matches!(open(), Err(SandboxError::Cache { .. })),
        "others may read the key"
    );
    std::fs::remove_dir_all(&path).unwrap();
    std::os::unix::fs::symlink(directory.path(), &path).unwrap();
    assert!(
        matches!(open(), Err(SandboxError::Cache { .. })),
        "a link can point anywhere"
    );
}
