use std::collections::BTreeMap;
use std::sync::Arc;

use minisign::KeyPair;
use weir_pipeline::{OciReference, Place, Trust, TrustedKey};

use super::*;
use crate::revoked::RevocationList;

const COMPONENT: &[u8] = b"\0asm\x0d\0\x01\0component";

/// A folder with a pipeline's component, and the settings of its user.
struct Scene {
    dir: tempfile::TempDir,
    set: PluginSet,
    settings: Settings,
}

fn place() -> Place {
    Place::new(Arc::from(Path::new("p.toml")), "", 0..0)
}

impl Scene {
    fn new() -> Scene {
        let dir = tempfile::tempdir().unwrap();
        std::fs::write(dir.path().join("x.wasm"), COMPONENT).unwrap();
        let source = PluginSource {
            component: ComponentSource::Path("x.wasm".into()),
            sha256: None,
            signed_by: None,
            signature: None,
            place: place(),
        };
        let set = PluginSet {
            pipeline: "p".to_owned(),
            dir: dir.path().to_owned(),
            plugins: BTreeMap::from([("x".to_owned(), source)]),
            trust: Trust::default(),
        };
        let settings = Settings {
            config: Some(dir.path().join("config")),
            ..Settings::default()
        };
        Scene { dir, set, settings }
    }

    fn plugin(&mut self) -> &mut PluginSource {
        self.set.plugins.get_mut("x").unwrap()
    }

    fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    async fn fetch(&self) -> Result<Component> {
        Components::open(self.set.clone(), &self.settings)?
            .fetch("x")
            .await
    }

    async fn lock(&self) {
        let settings = Settings {
            lock: LockUse::Ignore,
            ..self.settings.clone()
        };
        let components = Components::open(self.set.clone(), &settings).unwrap();
        let entries = components.lock_entries().await.unwrap();
        Lock::change(&Lock::path_in(self.dir.path()), "p", entries).unwrap();
    }

    fn trust(&mut self, name: &str, key: &str) {
        let key = TrustedKey {
            text: key.to_owned(),
            place: place(),
        };
        self.set.trust.keys.insert(name.to_owned(), key);
    }
}

#[tokio::test]
async fn provenance_says_where_a_component_is_from() {
    let scene = Scene::new();
    let component = scene.fetch().await.unwrap();
    assert_eq!(component.bytes, COMPONENT);
    assert_eq!(
        component.provenance,
        Provenance {
            source: "x.wasm".to_owned(),
            sha256: sha256(COMPONENT),
            size: 17,
            signer: None,
            signer_key: None,
            locked: false,
        }
    );
}

#[tokio::test]
async fn a_file_that_is_not_there_is_told() {
    let mut scene = Scene::new();
    scene.plugin().component = ComponentSource::Path("y.wasm".into());
    let error = scene.fetch().await.unwrap_err();
    assert!(matches!(error, Error::Missing { .. }), "{error}");
    std::fs::create_dir(scene.path("y.wasm")).unwrap();
    let error = scene.fetch().await.unwrap_err();
    assert!(
        error.hint().contains("weir plugin build"),
        "{}",
        error.hint()
    );
    // The build of a crate's folder is found in its own target folder.
    std::fs::create_dir(scene.path("my-plugin")).unwrap();
    let built = scene.path("my-plugin/target/wasm32-wasip2/release");
    std::fs::create_dir_all(&built).unwrap();
    std::fs::write(built.join("my_plugin.wasm"), "built").unwrap();
    scene.plugin().component = ComponentSource::Path("my-plugin".into());
    assert_eq!(scene.fetch().await.unwrap().bytes, b"built");
}

#[tokio::test]
async fn a_component_has_a_largest_size() {
    let scene = Scene::new();
    let file = std::fs::File::create(scene.path("x.wasm")).unwrap();
    file.set_len(crate::MAX_COMPONENT + 1).unwrap();
    let error = scene.fetch().await.unwrap_err();
    assert!(matches!(error, Error::TooLarge { .. }), "{error}");
    file.set_len(crate::MAX_COMPONENT).unwrap();
    assert!(scene.fetch().await.is_ok());
}

#[tokio::test]
async fn the_digest_in_the_file_is_demanded() {
    let mut scene = Scene::new();
    scene.plugin().sha256 = Some(sha256(COMPONENT));
    assert!(scene.fetch().await.is_ok());
    scene.plugin().sha256 = Some(sha256(b"other"));
    let error = scene.fetch().await.unwrap_err();
    assert!(matches!(&error, Error::OtherThanFile { found, .. } if *found == sha256(COMPONENT)));
}

#[tokio::test]
async fn a_lock_holds_whether_demanded_or_not() {
    let mut scene = Scene::new();
    scene.settings.lock = LockUse::Require;
    let error = scene.fetch().await.unwrap_err();
    assert!(matches!(error, Error::NoLock { .. }), "{error}");

    scene.lock().await;
    assert!(scene.fetch().await.unwrap().provenance.locked);
    // Each byte of the component, changed.
    for lock in [LockUse::Follow, LockUse::Require] {
        scene.settings.lock = lock;
        for at in 0..COMPONENT.len() {
            let mut changed = COMPONENT.to_vec();
            changed[at] ^= 0x20;
            std::fs::write(scene.path("x.wasm"), changed).unwrap();
            let error = scene.fetch().await.unwrap_err();
            assert!(matches!(error, Error::OtherThanLock { .. }), "{error}");
            assert!(error.hint().contains("weir plugin lock"));
        }
        std::fs::write(scene.path("x.wasm"), COMPONENT).unwrap();
        assert!(scene.fetch().await.is_ok());
        // The same bytes under another name are another source.
        std::fs::write(scene.path("y.wasm"), COMPONENT).unwrap();
        scene.plugin().component = ComponentSource::Path("y.wasm".into());
        let error = scene.fetch().await.unwrap_err();
        assert!(matches!(error, Error::OtherSource { .. }), "{error}");
        scene.plugin().component = ComponentSource::Path("x.wasm".into());
    }
    // A plugin that was added since.
    let new = scene.plugin().clone();
    scene.set.plugins.insert("new".to_owned(), new);
    let fetch = async |lock| {
        let settings = Settings {
            lock,
            ..scene.settings.clone()
        };
        Components::open(scene.set.clone(), &settings)
            .unwrap()
            .fetch("new")
            .await
    };
    assert!(!fetch(LockUse::Follow).await.unwrap().provenance.locked);
    let error = fetch(LockUse::Require).await.unwrap_err();
    assert!(matches!(error, Error::NotLocked { .. }), "{error}");
    // Another pipeline of the folder has entries of its own.
    scene.set.pipeline = "q".to_owned();
    let error = scene.fetch().await.unwrap_err();
    assert!(matches!(error, Error::NotLocked { .. }), "{error}");
}

#[tokio::test]
async fn what_is_revoked_does_not_run_whatever_else_is_said() {
    let mut scene = Scene::new();
    scene.plugin().sha256 = Some(sha256(COMPONENT));
    let list = RevocationList::path_in(&scene.path("config"));
    let now = chrono::DateTime::UNIX_EPOCH;
    scene.lock().await;
    RevocationList::change(&list, |list| {
        list.add(&sha256(COMPONENT), Some("leaks"), now)
    })
    .unwrap();
    let error = scene.fetch().await.unwrap_err();
    assert!(matches!(error, Error::Revoked { .. }), "{error}");
    assert!(
        error.to_string().contains("1970-01-01T00:00:00Z: leaks"),
        "{error}"
    );
    RevocationList::change(&list, |list| list.remove(&sha256(COMPONENT))).unwrap();
    assert!(scene.fetch().await.is_ok());
    // A list that the pipeline names; one it names must be there.
    scene.set.trust.revoked = vec!["ours.toml".into()];
    let error = scene.fetch().await.unwrap_err();
    assert!(matches!(error, Error::WrongFile { .. }), "{error}");
    RevocationList::change(&scene.path("ours.toml"), |list| {
        list.add(&sha256(COMPONENT), None, now)
    })
    .unwrap();
    let error = scene.fetch().await.unwrap_err();
    assert!(matches!(error, Error::Revoked { .. }), "{error}");
    // Also where nothing pins it and its content alone tells.
    scene.plugin().sha256 = None;
    std::fs::remove_file(Lock::path_in(scene.dir.path())).unwrap();
    let error = scene.fetch().await.unwrap_err();
    assert!(matches!(error, Error::Revoked { .. }), "{error}");
}

#[tokio::test]
async fn a_revoked_manifest_is_not_asked_for() {
    let mut scene = Scene::new();
    // Nobody listens on port 1: what is fetched fails otherwise.
    let manifest = sha256(b"manifest");
    let reference = format!("oci://127.0.0.1:1/x@sha256:{manifest}");
    scene.plugin().component = ComponentSource::Oci(OciReference::parse(&reference).unwrap());
    let error = scene.fetch().await.unwrap_err();
    assert!(matches!(error, Error::Registry { .. }), "{error}");
    assert!(error.is_retryable() && error.to_string().contains(&reference));
    let list = RevocationList::path_in(&scene.path("config"));
    RevocationList::change(&list, |list| list.add(&manifest, None, chrono::Utc::now())).unwrap();
    let error = scene.fetch().await.unwrap_err();
    assert!(matches!(error, Error::Revoked { .. }), "{error}");
}

#[tokio::test]
async fn signatures_are_found_beside_components_and_where_the_file_says() {
    let pair = KeyPair::generate_unencrypted_keypair().unwrap();
    let mut scene = Scene::new();
    scene.trust("acme", &pair.pk.to_base64());
    scene.set.trust.require_signature = true;
    let error = scene.fetch().await.unwrap_err();
    assert!(matches!(error, Error::Unsigned { .. }), "{error}");
    assert!(error.hint().contains("x.wasm.minisig"), "{}", error.hint());

    let text = minisign::sign(None, &pair.sk, COMPONENT, None, None)
        .unwrap()
        .into_string();
    std::fs::write(scene.path("x.wasm.minisig"), &text).unwrap();
    let provenance = scene.fetch().await.unwrap().provenance;
    assert_eq!(provenance.signer.as_deref(), Some("acme"));
    assert_eq!(provenance.signer_key.unwrap().len(), 16);

    std::fs::rename(scene.path("x.wasm.minisig"), scene.path("s.minisig")).unwrap();
    scene.plugin().signature = Some("s.minisig".into());
    assert!(scene.fetch().await.is_ok());
    // Where nobody must sign, a signature that the file names must be there and right all the same.
    scene.set.trust.require_signature = false;
    std::fs::write(scene.path("x.wasm"), b"changed").unwrap();
    let error = scene.fetch().await.unwrap_err();
    assert!(matches!(error, Error::WrongSignature { .. }), "{error}");
    std::fs::remove_file(scene.path("s.minisig")).unwrap();
    let error = scene.fetch().await.unwrap_err();
    assert!(matches!(error, Error::WrongFile { .. }), "{error}");
    scene.plugin().signature = None;
    assert!(scene.fetch().await.unwrap().provenance.signer.is_none());
    scene.plugin().signed_by = Some("acme".to_owned());
    let error = scene.fetch().await.unwrap_err();
    assert!(matches!(error, Error::Unsigned { .. }), "{error}");
}

#[tokio::test]
async fn a_lock_names_who_signed() {
    let pair = KeyPair::generate_unencrypted_keypair().unwrap();
    let mut scene = Scene::new();
    scene.trust("acme", &pair.pk.to_base64());
    let text = minisign::sign(None, &pair.sk, COMPONENT, None, None).unwrap();
    std::fs::write(scene.path("x.wasm.minisig"), text.into_string()).unwrap();
    scene.lock().await;
    let lock = Lock::read(&Lock::path_in(scene.dir.path()))
        .unwrap()
        .unwrap();
    let [entry] = lock.entries() else { panic!() };
    assert_eq!(entry.sha256, sha256(COMPONENT));
    assert_eq!((entry.bytes, entry.source.as_str()), (17, "x.wasm"));
    let key = crate::signature::PublicKey::parse(&pair.pk.to_base64()).unwrap();
    assert_eq!(entry.signer.as_deref(), Some(key.id()));
}

#[test]
fn a_key_that_is_none_is_told_with_its_place() {
    let mut scene = Scene::new();
    scene.trust("acme", "RWQ");
    let error = Components::open(scene.set, &scene.settings).unwrap_err();
    assert!(matches!(error, Error::WrongKey { .. }), "{error}");
}
