//! Where components come from, and whether they may run: locks, signatures, revoked components,
//! and a real registry.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::Command;

use serde_json::{Value, json};
use weir_tests::{Ended, Registry, Scene, built, sha256};

use crate::visits::Targets;

/// A pipeline with one plugin, whose source and trust a test chooses.
struct Orders {
    scene: Scene,
}

impl Orders {
    fn new() -> Orders {
        let scene = Scene::new();
        scene.file("in/a.csv", "id\n1\n2\n3\n");
        scene.file("keep.wasm", guest());
        let orders = Orders { scene };
        orders.plugin("", r#"{ component = "keep.wasm" }"#);
        orders
    }

    /// Writes the pipeline file.
    fn plugin(&self, trust: &str, plugin: &str) {
        let text = format!(
            r#"weir = 1
name = "orders"

[params]
day = {{ type = "date" }}

[zone.raw]

{trust}

[plugins]
keep = {plugin}

[[step]]
name = "load"
read = {{ files = "in/*.csv", format = "csv", schema = {{ id = "int64 not null" }} }}

[[step.stage]]
transform = "keep"
config = {{ mode = "identity" }}
grant = {{ columns = ["*"] }}

[[step.write]]
table = "raw.orders"
"#
        );
        self.scene.file("orders.toml", text);
    }

    fn command(&self, arguments: &[&str]) -> Command {
        self.scene.weir(arguments)
    }

    fn call(&self, arguments: &[&str]) -> Ended {
        ended(self.command(arguments))
    }

    fn run_command(&self, more: &[&str]) -> Command {
        let mut command = self.command(&["run", "orders.toml", "-p", "day=2026-01-01", "--lake"]);
        command.arg(self.scene.lake()).args(more);
        command
    }

    fn run(&self, more: &[&str]) -> Ended {
        ended(self.run_command(more))
    }

    /// Demands that a run is refused before anything of it happens.
    #[track_caller]
    fn refused(&self, more: &[&str], says: &[&str]) {
        let targets = Targets::of(&self.scene);
        self.run(more).expect_code(2).says(says);
        let mut plan = self.command(&["plan", "orders.toml", "-p", "day=2026-01-01", "--lake"]);
        plan.arg(self.scene.lake()).args(more);
        ended(plan).expect_code(2).says(says);
        targets.expect_untouched(&self.scene);
    }

    fn lock(&self) -> Ended {
        self.call(&["plugin", "lock", "orders.toml"]).expect_code(0)
    }

    /// Makes a key without a password; its public half.
    fn key(&self, name: &str) -> String {
        let made = self.call(&["plugin", "keygen", name, "--no-password"]);
        made.expect_code(0).stdout.trim().to_owned()
    }

    fn sign(&self, file: &str, key: &str) {
        self.call(&["plugin", "sign", file, "--key", key])
            .expect_code(0);
    }
}

#[track_caller]
fn ended(mut command: Command) -> Ended {
    command.output().map(Ended::from).expect("weir starts")
}

fn guest() -> Vec<u8> {
    fs::read(built::guest("transform")).unwrap()
}

/// The same component with a note at its end: it does the same, and has another digest.
fn changed(component: &[u8]) -> Vec<u8> {
    [component, b"\0\x05\x04note"].concat()
}

#[test]
fn a_lock_pins_what_runs() {
    let orders = Orders::new();
    orders.refused(
        &["--locked"],
        &[
            "weir.lock', which --locked demands",
            "hint: run `weir plugin lock",
        ],
    );
    // A required parameter has nothing to do with plugins, and is not asked for.
    let locked = orders.lock();
    let digest = sha256(&guest());
    assert!(locked.stdout.contains(&digest[..12]) && locked.stdout.contains("new"));
    let lock = fs::read_to_string(orders.scene.path("weir.lock")).unwrap();
    for line in [
        "version = 1".to_owned(),
        "pipeline = \"orders\"".to_owned(),
        "plugin = \"keep\"".to_owned(),
        "source = \"keep.wasm\"".to_owned(),
        format!("sha256 = \"{digest}\""),
        format!("bytes = {}", guest().len()),
    ] {
        assert!(lock.lines().any(|found| found == line), "{line}\n{lock}");
    }
    assert!(orders.lock().stdout.contains("unchanged"));
    assert_eq!(
        fs::read_to_string(orders.scene.path("weir.lock")).unwrap(),
        lock,
        "locking again changes nothing"
    );
    orders.run(&["--locked"]).expect_code(0);

    // Another component in its place, sound as it is.
    orders.scene.file("keep.wasm", changed(&guest()));
    for more in [&["--locked"][..], &[]] {
        orders.refused(
            more,
            &[
                "plugin 'keep' has digest ",
                "not the one in './weir.lock'",
                &digest,
                "orders.toml:12",
                "hint: if the change was meant, run `weir plugin lock",
            ],
        );
    }
    assert!(orders.lock().stdout.contains("changed"));
    orders.run(&["--locked"]).expect_code(0);

    // The same component from another place.
    orders.scene.file("other.wasm", changed(&guest()));
    orders.plugin("", r#"{ component = "other.wasm" }"#);
    orders.refused(&[], &["comes from 'other.wasm'", "has it from 'keep.wasm'"]);

    // A lock that a merge left behind.
    orders
        .scene
        .file("weir.lock", format!("<<<<<<< ours\n{lock}"));
    orders.refused(&[], &["cannot use './weir.lock'", "hint: "]);
}

#[test]
fn a_lock_must_name_every_plugin_where_it_is_demanded() {
    let orders = Orders::new();
    orders.lock();
    let text = fs::read_to_string(orders.scene.path("orders.toml")).unwrap();
    let text = text
        .replace("keep = {", "kept = {")
        .replace("\"keep\"", "\"kept\"");
    orders.scene.file("orders.toml", text);
    orders.refused(
        &["--locked"],
        &["plugin 'kept' of pipeline 'orders' is not in './weir.lock'"],
    );
    orders.run(&[]).expect_code(0);
}

#[test]
fn a_key_is_kept_secret_and_is_never_overwritten() {
    let orders = Orders::new();
    let public = orders.key("acme");
    assert!(public.starts_with("RW") && public.len() == 56, "{public}");
    let secret = orders.scene.path("acme.key");
    assert_eq!(
        fs::metadata(&secret).unwrap().permissions().mode() & 0o777,
        0o600
    );
    let text = fs::read_to_string(&secret).unwrap();
    let secret_line = text.lines().nth(1).unwrap();
    let public_file = fs::read_to_string(orders.scene.path("acme.pub")).unwrap();
    assert_eq!(public_file.lines().nth(1), Some(public.as_str()));
    orders
        .call(&["plugin", "keygen", "acme", "--no-password"])
        .expect_code(2)
        .says(&["is there already", "hint: "])
        .hides(&[secret_line]);
    assert_eq!(fs::read_to_string(&secret).unwrap(), text);

    orders
        .call(&[
            "plugin",
            "sign",
            "keep.wasm",
            "--key",
            "acme.key",
            "--log",
            "trace",
        ])
        .expect_code(0)
        .hides(&[secret_line]);
    let verify = |key: &str| orders.call(&["plugin", "verify", "keep.wasm", "--key", key]);
    for key in [public.as_str(), "acme.pub"] {
        let verified = verify(key).expect_code(0).stdout;
        assert!(verified.contains(&sha256(&guest())), "{verified}");
        assert!(verified.contains("file:keep.wasm"), "{verified}");
    }
    let other = orders.key("other");
    verify(&other)
        .expect_code(1)
        .says(&["was made by key ", "hint: "]);
    verify("none.pub").expect_code(2).says(&["hint: "]);
    orders.scene.file("keep.wasm", changed(&guest()));
    verify(&public)
        .expect_code(1)
        .says(&["the component is not the one that was signed"]);
}

#[test]
fn a_key_can_have_a_password() {
    let orders = Orders::new();
    let with = |password: &str, arguments: &[&str]| {
        let mut command = orders.command(arguments);
        ended({
            command.env("WEIR_KEY_PASSWORD", password);
            command
        })
    };
    let sign = ["plugin", "sign", "keep.wasm", "--key", "weir.key"];
    with("", &["plugin", "keygen"])
        .expect_code(2)
        .says(&["the password is empty"]);
    let made = with("p4ss-canary", &["plugin", "keygen"])
        .expect_code(0)
        .hides(&["p4ss-canary"]);
    with("other", &sign)
        .expect_code(2)
        .says(&["the password is wrong"]);
    assert!(!orders.scene.path("keep.wasm.minisig").exists());
    with("p4ss-canary", &sign)
        .expect_code(0)
        .hides(&["p4ss-canary"]);
    orders
        .call(&["plugin", "verify", "keep.wasm", "--key", made.stdout.trim()])
        .expect_code(0);
}

#[test]
fn keys_of_the_c_program_sign_and_broken_ones_do_not() {
    let orders = Orders::new();
    let public = orders.key("acme");
    let made = fs::read_to_string(orders.scene.path("acme.key")).unwrap();
    let (comment, key) = made.trim().split_once('\n').unwrap();
    // The last 32 bytes are a checksum. `minisign -G -W` leaves it empty.
    let (kept, checksum) = key.split_at(168);
    let foreign = format!("{comment}\n{kept}{}=\n", "A".repeat(43));
    assert_eq!(checksum.len(), 44);
    orders.scene.file("foreign.key", &foreign);
    orders
        .call(&["plugin", "inspect", "keep.wasm"])
        .expect_code(0)
        .prints(&["signed   no signature lies beside it"]);
    orders.sign("keep.wasm", "foreign.key");
    let verified = orders.call(&[
        "plugin",
        "verify",
        "keep.wasm",
        "--key",
        &public,
        "--output",
        "json",
    ]);
    let key = verified.expect_code(0).json()["key"]
        .as_str()
        .unwrap()
        .to_owned();
    orders
        .call(&["plugin", "inspect", "keep.wasm"])
        .expect_code(0)
        .prints(&[&format!(
            "signed   by key {key}, as the file beside it says"
        )]);
    fs::remove_file(orders.scene.path("keep.wasm.minisig")).unwrap();

    let swapped = if kept.ends_with('A') { "B" } else { "A" };
    let changed = format!("{comment}\n{}{swapped}{checksum}\n", &kept[..167]);
    let public_file = fs::read_to_string(orders.scene.path("acme.pub")).unwrap();
    for (text, says) in [
        (changed.as_str(), "it was changed since it was made"),
        (public_file.as_str(), "it is not a secret key"),
        ("", "it is not a secret key"),
        ("one line", "it is not a secret key"),
        (&made[..made.len() - 9], "it is not a secret key"),
    ] {
        orders.scene.file("broken.key", text);
        orders
            .call(&["plugin", "sign", "keep.wasm", "--key", "broken.key"])
            .expect_code(2)
            .says(&["cannot use key 'broken.key'", says, "hint: "])
            .hides(&[kept]);
    }
    assert!(!orders.scene.path("keep.wasm.minisig").exists());
}

#[test]
fn a_required_signature_is_demanded() {
    let orders = Orders::new();
    let (acme, other) = (orders.key("acme"), orders.key("other"));
    let trust = format!("[trust]\nrequire_signature = true\nkeys = {{ acme = \"{acme}\" }}");
    orders.plugin(&trust, r#"{ component = "keep.wasm" }"#);
    orders.refused(
        &[],
        &[
            "plugin 'keep' is not signed, and require_signature demands one of: acme",
            "hint: no signature was found at './keep.wasm.minisig'",
        ],
    );
    orders.sign("keep.wasm", "other.key");
    orders.refused(&[], &["is signed by key ", "hint: if you trust that key"]);
    orders.sign("keep.wasm", "acme.key");
    orders.run(&[]).expect_code(0);
    orders.lock();
    let lock = fs::read_to_string(orders.scene.path("weir.lock")).unwrap();
    assert!(lock.contains("signer = \""), "{lock}");

    // Demanded or not, a wrong signature is never taken for none.
    orders.scene.file("keep.wasm", changed(&guest()));
    fs::remove_file(orders.scene.path("weir.lock")).unwrap();
    let lax = format!("[trust]\nkeys = {{ acme = \"{acme}\" }}");
    for trust in [&trust, &lax] {
        orders.plugin(trust, r#"{ component = "keep.wasm" }"#);
        orders.refused(&[], &["'./keep.wasm.minisig' is wrong", "do not run it"]);
    }
    let both = format!("[trust]\nkeys = {{ acme = \"{acme}\", other = \"{other}\" }}");
    orders.plugin(&both, r#"{ component = "keep.wasm", signed_by = "acme" }"#);
    orders.sign("keep.wasm", "other.key");
    orders.refused(
        &[],
        &["('other'), and the file demands that 'acme' signed it"],
    );
    orders.sign("keep.wasm", "acme.key");
    orders.run(&[]).expect_code(0);
}

#[test]
fn a_revoked_component_does_not_run() {
    let orders = Orders::new();
    let digest = sha256(&guest());
    orders.lock();
    orders.run(&["--locked"]).expect_code(0);
    orders
        .call(&[
            "plugin",
            "revoke",
            &digest,
            "--reason",
            "writes names into its log",
        ])
        .expect_code(0);
    for more in [&["--locked"][..], &[]] {
        orders.refused(
            more,
            &[
                "plugin 'keep' is revoked: ",
                &digest,
                ": writes names into its log",
                "hint: use another version",
            ],
        );
    }
    orders
        .call(&["plugin", "lock", "orders.toml"])
        .expect_code(2)
        .says(&["is revoked"]);
    orders
        .call(&["plugin", "inspect", "keep.wasm"])
        .expect_code(2)
        .says(&["it is revoked"]);
    let list = orders
        .call(&["plugin", "revoke", "--list", "--output", "json"])
        .expect_code(0)
        .json();
    assert_eq!(list[0]["sha256"], digest.as_str());
    assert_eq!(list[0]["reason"], "writes names into its log");
    let undo = ["plugin", "revoke", "--undo", &format!("sha256:{digest}")];
    orders.call(&undo).expect_code(0);
    orders.call(&undo).expect_code(2).says(&["is not on"]);
    orders.run(&["--locked"]).expect_code(0);

    // A list of the pipeline's own.
    let trust = "[trust]\nrevoked = [\"ours.toml\"]";
    orders.plugin(trust, r#"{ component = "keep.wasm" }"#);
    orders.refused(&[], &["ours.toml", "is not there"]);
    orders
        .call(&["plugin", "revoke", &digest, "--file", "ours.toml"])
        .expect_code(0);
    orders.refused(&[], &["plugin 'keep' is revoked", "'./ours.toml'"]);
    for wrong in ["latest", "", &digest[..63], &digest.to_uppercase()] {
        orders
            .call(&["plugin", "revoke", wrong])
            .expect_code(2)
            .says(&["hint: "]);
    }
    // A list that cannot be read is not taken for an empty one.
    orders.plugin("", r#"{ component = "keep.wasm" }"#);
    orders.run(&[]).expect_code(0);
    orders
        .scene
        .file(".config/weir/revoked.toml", "version = 1\n[[revoked]]\n");
    orders.refused(
        &[],
        &[
            "revoked.toml'",
            "hint: what is revoked cannot be known without it",
        ],
    );
}

/// A cache of the test's own, in which nothing is yet.
fn own_cache(command: &mut Command, cache: &Path) {
    command.env("WEIR_CACHE", cache);
}

#[test]
fn a_component_comes_from_a_registry_once() {
    let orders = Orders::new();
    let registry = Registry::start();
    let pushed = registry.push("team/keep", &guest(), &json!({}));
    fs::remove_file(orders.scene.path("keep.wasm")).unwrap();
    orders.plugin("", &format!("{{ component = \"{}\" }}", pushed.reference));
    let cache = orders.scene.path("cache");
    let run = |more: &[&str]| {
        let mut command = orders.run_command(more);
        own_cache(&mut command, &cache);
        ended(command)
    };
    run(&[]).expect_code(0);
    let kept = cache.join("components");
    assert_eq!(
        fs::metadata(&kept).unwrap().permissions().mode() & 0o777,
        0o700
    );
    for digest in [&pushed.manifest, &pushed.component] {
        assert!(kept.join(digest).is_file());
    }
    let mut lock = orders.command(&["plugin", "lock", "orders.toml"]);
    own_cache(&mut lock, &cache);
    ended(lock).expect_code(0);
    let lock = fs::read_to_string(orders.scene.path("weir.lock")).unwrap();
    assert!(
        lock.contains(&pushed.reference) && lock.contains(&pushed.component),
        "{lock}"
    );

    drop(registry);
    run(&["--locked"]).expect_code(0);
    // What was changed on the disk is fetched anew, and nobody is there to give it.
    let path = kept.join(&pushed.component);
    fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
    fs::write(&path, changed(&guest())).unwrap();
    run(&["--locked"]).expect_code(75).says(&[
        "plugin 'keep': cannot get oci://127.0.0.1:",
        "caused by: the registry cannot be reached",
        "hint: ",
    ]);
    orders
        .call(&["plugin", "revoke", &pushed.manifest])
        .expect_code(0);
    run(&[]).expect_code(2).says(&["plugin 'keep' is revoked"]);
}

#[test]
fn what_a_registry_changed_is_refused() {
    let orders = Orders::new();
    let registry = Registry::start();
    let pushed = registry.push("keep", &guest(), &json!({}));
    orders.plugin("", &format!("{{ component = \"{}\" }}", pushed.reference));
    let fetch = |name: &str| {
        let mut command = orders.run_command(&[]);
        own_cache(&mut command, &orders.scene.path(name));
        ended(command)
    };
    // Of the same length, so that only its digest tells.
    let mut other = guest();
    *other.last_mut().unwrap() ^= 1;
    fs::write(registry.blob(&pushed.component), &other).unwrap();
    fetch("a").expect_code(2).says(&[
        "cannot get oci://127.0.0.1:",
        &format!("has digest {}, not {}", sha256(&other), pushed.component),
        "hint: ",
    ]);
    fs::write(registry.blob(&pushed.component), changed(&guest())).unwrap();
    fetch("b").expect_code(2).says(&["is larger than"]);
    assert!(
        !orders
            .scene
            .path("a/components")
            .join(&pushed.component)
            .exists()
    );
    fs::write(registry.blob(&pushed.component), guest()).unwrap();
    fetch("a").expect_code(0);

    let gone = pushed.reference.replace(&pushed.manifest, &"0".repeat(64));
    orders.plugin("", &format!("{{ component = \"{gone}\" }}"));
    fetch("a")
        .expect_code(2)
        .says(&["the registry does not have it"]);
    let tag = pushed
        .reference
        .replace(&format!("@sha256:{}", pushed.manifest), ":latest");
    orders.plugin("", &format!("{{ component = \"{tag}\" }}"));
    orders
        .call(&["validate", "orders.toml"])
        .expect_code(2)
        .says(&[
            "a component from a registry needs its digest",
            "a tag can be moved",
        ]);
}

#[test]
fn a_signature_comes_with_the_manifest() {
    let orders = Orders::new();
    let acme = orders.key("acme");
    orders.sign("keep.wasm", "acme.key");
    let signature = fs::read_to_string(orders.scene.path("keep.wasm.minisig")).unwrap();
    let registry = Registry::start();
    let annotated = |text: &str| json!({ "vnd.weir.signature.minisign": text });
    let trust = format!("[trust]\nrequire_signature = true\nkeys = {{ acme = \"{acme}\" }}");
    let run = |name: &str, annotations: &Value, more: &str| {
        let pushed = registry.push(name, &guest(), annotations);
        orders.plugin(
            &trust,
            &format!("{{ component = \"{}\"{more} }}", pushed.reference),
        );
        let mut command = orders.run_command(&[]);
        own_cache(&mut command, &orders.scene.path("cache"));
        ended(command)
    };
    run("signed", &annotated(&signature), "").expect_code(0);
    run("unsigned", &json!({}), "")
        .expect_code(2)
        .says(&["plugin 'keep' is not signed", "in its manifest"]);
    run("wrong", &annotated(&signature.replace("RU", "RV")), "")
        .expect_code(2)
        .says(&["the signature in its manifest is wrong"]);
    // Who signs later, or signs what others published, keeps the signature in a file.
    run("later", &json!({}), ", signature = \"keep.wasm.minisig\"").expect_code(0);
}

#[test]
fn beyond_this_machine_a_registry_must_prove_who_it_is() {
    let orders = Orders::new();
    let plain = Registry::start();
    let pushed = plain.push("keep", &guest(), &json!({}));
    let registry = plain.by_https();
    let run = |host: &str, authority: Option<&str>| {
        let reference = pushed.reference.replace(&plain.host(), host);
        orders.plugin("", &format!("{{ component = \"{reference}\" }}"));
        let mut command = orders.run_command(&[]);
        own_cache(&mut command, &orders.scene.path("cache"));
        if let Some(authority) = authority {
            let path = built::root().join("tests/it/tls").join(authority);
            command.env("SSL_CERT_FILE", path);
        }
        ended(command)
    };
    // Nobody vouches for it.
    run(&registry.host(), None).expect_code(75).says(&[
        "the registry cannot be reached",
        "certificate",
        "hint: ",
    ]);
    // It speaks HTTP where only HTTPS will do.
    let mapped = plain.host().replace("127.0.0.1", "[::ffff:127.0.0.1]");
    run(&mapped, Some("ca.pem"))
        .expect_code(75)
        .says(&["the registry cannot be reached"]);
    run(&registry.host(), Some("ca.pem")).expect_code(0);
}

#[test]
fn a_login_is_used_and_never_shown() {
    const SECRETS: [&str; 2] = ["pA55word-canary", "d2VpcjpwQTU1d29yZC1jYW5hcnk="];
    // Everything that has the login in hand says all it has to say.
    const LOG: &str = "warn,weir_components=trace,reqwest=trace,hyper=trace,hyper_util=trace";
    let orders = Orders::new();
    let registry = Registry::with_login();
    let pushed = registry.push("keep", &guest(), &json!({}));
    orders.plugin("", &format!("{{ component = \"{}\" }}", pushed.reference));
    let run = |auth: &str| {
        let config = json!({ "auths": { registry.host(): { "auth": auth } } });
        orders.scene.file("docker/config.json", config.to_string());
        let mut command = orders.run_command(&["--log", LOG]);
        own_cache(&mut command, &orders.scene.path("cache"));
        command.env("DOCKER_CONFIG", orders.scene.path("docker"));
        ended(command).hides(&SECRETS)
    };
    for wrong in ["d2VpcjpvdGhlcg==", "!"] {
        run(wrong).expect_code(2).says(&[
            "the registry refuses access",
            "hint: log in with `docker login",
        ]);
    }
    run(SECRETS[1]).expect_code(0);
}

#[test]
fn what_is_published_is_what_runs() {
    const SECRET: &str = "d2VpcjpwQTU1d29yZC1jYW5hcnk=";
    let orders = Orders::new();
    let acme = orders.key("acme");
    orders.sign("keep.wasm", "acme.key");
    let registry = Registry::with_login();
    let place = format!("oci://{}/team/keep", registry.host());
    let publish = |arguments: &[&str], auth: &str| {
        let config = json!({ "auths": { registry.host(): { "auth": auth } } });
        orders.scene.file("docker/config.json", config.to_string());
        let mut command = orders.command(&["plugin"]);
        command
            .args(arguments)
            .env("DOCKER_CONFIG", orders.scene.path("docker"));
        own_cache(&mut command, &orders.scene.path("cache"));
        ended(command).hides(&[SECRET])
    };
    let put = ["publish", "keep.wasm", place.as_str(), "--tag", "1.2.3"];
    publish(&put, "d2VpcjpvdGhlcg==")
        .expect_code(2)
        .says(&["cannot publish oci://", "the registry refuses access"]);
    let first = publish(&put, SECRET).expect_code(0);
    let reference = first.stdout.trim().to_owned();
    assert!(
        reference.starts_with(&format!("{place}@sha256:")),
        "{reference}"
    );
    // The same again is the same.
    let again = publish(&put, SECRET).expect_code(0);
    assert_eq!(again.stdout.trim(), reference);

    // As a file, with its signature.
    let pull = ["pull", reference.as_str(), "-o", "got.wasm"];
    publish(&pull, SECRET).expect_code(0);
    assert_eq!(fs::read(orders.scene.path("got.wasm")).unwrap(), guest());
    orders
        .call(&["plugin", "verify", "got.wasm", "--key", "acme.pub"])
        .expect_code(0);
    publish(&pull, SECRET)
        .expect_code(2)
        .says(&["'got.wasm' is there already"]);

    // And in a pipeline that demands the signature.
    let trust = format!("[trust]\nrequire_signature = true\nkeys = {{ acme = \"{acme}\" }}");
    orders.plugin(&trust, &format!("{{ component = \"{reference}\" }}"));
    let mut command = orders.run_command(&[]);
    command.env("DOCKER_CONFIG", orders.scene.path("docker"));
    own_cache(&mut command, &orders.scene.path("cache"));
    ended(command).expect_code(0);

    for (arguments, says) in [
        (
            ["publish", "keep.wasm", "registry.example/keep"],
            "this is no reference to a registry",
        ),
        (
            ["publish", "no.wasm", place.as_str()],
            "cannot read 'no.wasm'",
        ),
        (
            ["publish", "in/a.csv", place.as_str()],
            "is not a WebAssembly component",
        ),
        (
            ["pull", place.as_str(), "-otwo.wasm"],
            "a component from a registry needs its digest",
        ),
    ] {
        publish(&arguments, SECRET)
            .expect_code_of(&[1, 2])
            .says(&[says]);
    }
}
