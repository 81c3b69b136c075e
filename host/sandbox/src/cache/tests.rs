use super::*;

/// A cache, and the file that it keeps for the smallest component.
struct Kept {
    _directory: tempfile::TempDir,
    cache: Cache,
    engine: Engine,
    digest: Vec<u8>,
    name: String,
    file: Vec<u8>,
}

impl Kept {
    fn new() -> Kept {
        let directory = tempfile::tempdir().unwrap();
        let cache = Cache::open(&directory.path().join("cache")).unwrap();
        let engine = Engine::default();
        let bytes = b"\0asm\x0d\0\x01\0";
        let digest = Sha256::digest(bytes).to_vec();
        let component = Component::from_binary(&engine, bytes).unwrap();
        cache.put(&engine, &digest, &component.serialize().unwrap());
        let name = entry_name(&engine, &digest);
        let file = fs::read(cache.directory.join(&name)).unwrap();
        Kept {
            _directory: directory,
            cache,
            engine,
            digest,
            name,
            file,
        }
    }

    fn path(&self) -> PathBuf {
        self.cache.directory.join(&self.name)
    }

    fn get(&self) -> Option<Component> {
        self.cache.get(&self.engine, &self.digest)
    }
}

#[test]
fn a_change_of_any_byte_is_refused() {
    let kept = Kept::new();
    let code = kept.cache.authentic(&kept.name, &kept.file).unwrap();
    assert_eq!(code, &kept.file[MAC_BYTES..]);
    let mut changed = kept.file.clone();
    for at in 0..changed.len() {
        // Another bit in each byte, so that all of them are tried.
        let bit = 1 << (at % 8);
        changed[at] ^= bit;
        assert_eq!(
            kept.cache.authentic(&kept.name, &changed),
            Err("its authentication code is wrong"),
            "byte {at} of {}",
            changed.len()
        );
        changed[at] ^= bit;
    }
    assert_eq!(changed, kept.file);
}

#[test]
fn a_file_that_was_cut_or_lengthened_is_refused() {
    let kept = Kept::new();
    let ends = (0..MAC_BYTES + 64).chain((MAC_BYTES + 64..kept.file.len()).step_by(97));
    for end in ends {
        let cut = &kept.file[..end];
        assert!(
            kept.cache.authentic(&kept.name, cut).is_err(),
            "{end} bytes"
        );
    }
    let mut longer = kept.file.clone();
    longer.push(0);
    assert!(kept.cache.authentic(&kept.name, &longer).is_err());
}

#[test]
fn a_file_is_good_under_its_own_name_and_key_alone() {
    let kept = Kept::new();
    let mut name = kept.name.clone().into_bytes();
    for at in 0..name.len() {
        let digit = name[at];
        name[at] = if digit == b'0' { b'1' } else { b'0' };
        let other = String::from_utf8(name.clone()).unwrap();
        assert!(kept.cache.authentic(&other, &kept.file).is_err(), "{other}");
        name[at] = digit;
    }
    for at in 0..KEY_BYTES {
        let mut key = kept.cache.key;
        key[at] ^= 1 << (at % 8);
        let other = Cache {
            directory: kept.cache.directory.clone(),
            key,
        };
        assert!(
            other.authentic(&kept.name, &kept.file).is_err(),
            "key byte {at}"
        );
    }
}

#[test]
fn what_is_not_authentic_is_neither_run_nor_kept() {
    let kept = Kept::new();
    assert!(kept.get().is_some());
    for at in [0, MAC_BYTES - 1, MAC_BYTES, kept.file.len() - 1] {
        let mut changed = kept.file.clone();
        changed[at] ^= 1;
        fs::write(kept.path(), &changed).unwrap();
        assert!(kept.get().is_none(), "byte {at}");
        assert!(!kept.path().exists(), "it is discarded");
    }
    fs::write(kept.path(), &kept.file).unwrap();
    assert!(kept.get().is_some(), "what is whole again is used again");
}

#[test]
fn another_engine_has_entries_of_its_own() {
    let kept = Kept::new();
    let mut config = wasmtime::Config::new();
    config.cranelift_nan_canonicalization(true);
    let other = Engine::new(&config).unwrap();
    assert_ne!(entry_name(&other, &kept.digest), kept.name);
    assert!(kept.cache.get(&other, &kept.digest).is_none());
    assert!(kept.path().exists(), "and leaves those of others");
}
