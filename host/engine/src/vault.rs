//! Vaults: which token stands for which value.
//!
//! A vault is a Delta table, in a zone of its own, to which rows are only added. A step reads it before
//! its rows, makes tokens for the values that are not there, and adds these in a commit of the vault's
//! own, on exactly the version that it had read, *before* it decides what to write. So no target has a
//! token that no vault knows, and a value has one token, whoever asks. If another run has added to the
//! vault meanwhile, nothing is decided: the step writes its rows again, with the tokens that are there now.
//! A step that ends between the two leaves tokens that nobody uses yet, and which the next one finds.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard};

use arrow::array::{ArrayRef, AsArray, RecordBatch, StringArray};
use arrow::compute::cast;
use arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use datafusion::common::Column;
use datafusion::execution::memory_pool::{MemoryConsumer, MemoryReservation};
use datafusion::logical_expr::Expr;
use futures::TryStreamExt;
use sha2::{Digest, Sha256};
use tokio::sync::OwnedMutexGuard;
use uuid::Uuid;
use weir_pipeline::TableName;

use crate::commit::Applier;
use crate::data_file::DataFileWriter;
use crate::delta::{self, DeltaCommit, Mode};
use crate::error::{Error, ErrorKind, Result};
use crate::lake::{Lake, Location, RUN_COLUMN};
use crate::plan::{hex, with_labels};
use crate::session;

/// The application identifier of commits to vaults. No pipeline has such a name.
pub(crate) const APPLICATION: &str = "weir/!vault";

const TOKEN: &str = "token";
const VALUE: &str = "value";

/// What the map of values takes for each, besides the value.
const ENTRY_BYTES: usize = 64;
/// New values are written in batches of so many.
const BATCH: usize = 8192;

/// The vaults of a step, open; none for most.
#[derive(Debug, Default)]
pub struct Vaults {
    vaults: BTreeMap<TableName, Vault>,
    /// Other steps of this run wait for those that use the same vault.
    turns: Vec<OwnedMutexGuard<()>>,
}

/// Whose turn it is with each vault, among the steps of a run.
#[derive(Debug, Default)]
pub(crate) struct Turns(Mutex<BTreeMap<TableName, Arc<tokio::sync::Mutex<()>>>>);

impl Turns {
    async fn wait(&self, name: &TableName) -> OwnedMutexGuard<()> {
        let turn = Arc::clone(locked(&self.0).entry(name.clone()).or_default());
        turn.lock_owned().await
    }
}

/// What a panic of another thread may have left is as good as before: entries are added one by one.
fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex
        .lock()
        .unwrap_or_else(std::sync::PoisonError::into_inner)
}

impl Vaults {
    /// Opens the vaults of these names, once it is this step's turn with all of them.
    ///
    /// # Errors
    /// Usage, if one is no vault; input, if there is not enough memory for its values.
    pub(crate) async fn open(
        names: &BTreeMap<TableName, BTreeSet<String>>,
        lake: &Lake,
        applier: &Applier,
        turns: &Turns,
    ) -> Result<Vaults> {
        let mut open = Vaults::default();
        // In order of their names, as everybody does: nobody waits for somebody who waits for him.
        for (name, labels) in names {
            open.turns.push(turns.wait(name).await);
            let vault = Vault::open(name, labels, lake.table(name)?, applier).await?;
            open.vaults.insert(name.clone(), vault);
        }
        Ok(open)
    }

    pub(crate) fn get(&self, name: &TableName) -> Result<&Vault> {
        self.vaults
            .get(name)
            .ok_or_else(|| Error::internal("a vault was not opened"))
    }

    /// Adds the new values to the vaults; `false`, if another run has added to one since it was opened:
    /// then the tokens that were given are worth nothing.
    pub(crate) async fn keep(&self, applier: &Applier, run: &str) -> Result<bool> {
        for vault in self.vaults.values() {
            if !vault.keep(applier, run).await? {
                return Ok(false);
            }
        }
        Ok(true)
    }
}

/// A vault at one version, and what is to be added to it.
pub(crate) struct Vault {
    name: TableName,
    /// What is sensitive of the values that it gets.
    labels: BTreeSet<String>,
    root: Location,
    /// The version that was read; none where there is no table yet.
    version: Option<u64>,
    state: Mutex<State>,
}

struct State {
    tokens: HashMap<Box<str>, [u8; 16]>,
    /// Those that are not in the table yet.
    new: Vec<(Box<str>, [u8; 16])>,
    reservation: MemoryReservation,
}

impl fmt::Debug for Vault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Vault")
            .field("name", &self.name)
            .field("version", &self.version)
            .finish_non_exhaustive()
    }
}

fn schema() -> SchemaRef {
    let text = |name: &str| Field::new(name, DataType::Utf8, true);
    Arc::new(Schema::new(vec![
        text(TOKEN),
        text(VALUE),
        text(RUN_COLUMN),
    ]))
}

impl Vault {
    async fn open(
        name: &TableName,
        labels: &BTreeSet<String>,
        root: Location,
        applier: &Applier,
    ) -> Result<Vault> {
        let table = delta::open(&root).await?;
        let pool = &applier.runtime.memory_pool;
        let mut state = State {
            tokens: HashMap::new(),
            new: Vec::new(),
            reservation: MemoryConsumer::new(format!("vault {name}")).register(pool),
        };
        let mut version = None;
        if let Some(table) = table {
            version = table.version();
            let there = table.snapshot()?.snapshot().arrow_schema();
            if [TOKEN, VALUE]
                .iter()
                .any(|name| there.index_of(name).is_err())
            {
                return Err(
                    Error::usage(format!("{name} is no vault: it has other columns"))
                        .with_hint("name a table that is not there yet, and a mask makes it"),
                );
            }
            let context = session::session(&applier.runtime, applier.resources);
            let named = |name: &str| Expr::Column(Column::from_name(name));
            let rows = context
                .read_table(delta::provider_of(&table).await?)?
                .select(vec![named(TOKEN), named(VALUE)])?;
            let mut batches = rows.execute_stream().await?;
            while let Some(batch) = batches.try_next().await? {
                state.take(name, &batch)?;
            }
        }
        Ok(Vault {
            name: name.clone(),
            labels: labels.clone(),
            root,
            version,
            state: Mutex::new(state),
        })
    }

    /// For each text its token, the old one or a new one.
    pub(crate) fn tokens(&self, texts: &StringArray) -> Result<StringArray> {
        let mut state = locked(&self.state);
        texts
            .iter()
            .map(|text| {
                text.map(|text| state.token(&self.name, text).map(|token| hex(&token, 32)))
                    .transpose()
            })
            .collect()
    }

    async fn keep(&self, applier: &Applier, run: &str) -> Result<bool> {
        let new = std::mem::take(&mut locked(&self.state).new);
        if new.is_empty() {
            return Ok(true);
        }
        let schema = schema();
        let mut writer = DataFileWriter::new(&self.root, "", &schema);
        for values in new.chunks(BATCH) {
            let tokens = values.iter().map(|(_, token)| hex(token, 32));
            let columns: Vec<ArrayRef> = vec![
                Arc::new(StringArray::from_iter_values(tokens)),
                Arc::new(StringArray::from_iter_values(
                    values.iter().map(|(value, _)| value),
                )),
                Arc::new(StringArray::from_iter_values(std::iter::repeat_n(
                    run,
                    values.len(),
                ))),
            ];
            let batch = RecordBatch::try_new(Arc::clone(&schema), columns)?;
            writer.write(&batch).await?;
        }
        let commit = DeltaCommit {
            table: self.name.to_string(),
            url: self.root.url().to_string(),
            run: run.to_owned(),
            app_id: APPLICATION.to_owned(),
            mode: Mode::Append,
            scope: Vec::new(),
            by: Vec::new(),
            merge: None,
            replaces: Vec::new(),
            since: None,
            evolves: false,
            schema: delta::schema_json(&with_labels(
                &schema,
                &[(VALUE.to_owned(), self.labels.clone())].into(),
            ))?,
            files: writer.finish().await?,
        };
        let kept = commit.apply_on(self.version, applier).await?;
        if !kept {
            tracing::info!(vault = %self.name, "another run has added to a vault first");
            for file in &commit.files {
                self.root.file(&file.path).remove().await?;
            }
        }
        Ok(kept)
    }
}

impl State {
    fn reserve(&mut self, vault: &TableName, value: &str) -> Result<()> {
        self.reservation
            .try_grow(value.len() + ENTRY_BYTES)
            .map_err(|_| {
                let values = self.tokens.len();
                let what = format!("the vault {vault} has more than {values} values, for which there is not enough memory");
                Error::new(ErrorKind::Input, what)
                    .with_hint("raise WEIR_MEMORY (such as 4GiB), or use method \"hmac\", which keeps nothing")
            })
    }

    /// Takes rows of the table in.
    fn take(&mut self, vault: &TableName, batch: &RecordBatch) -> Result<()> {
        let text = |index: usize| cast(batch.column(index), &DataType::Utf8);
        let (tokens, values) = (text(0)?, text(1)?);
        let both = tokens
            .as_string::<i32>()
            .iter()
            .zip(values.as_string::<i32>());
        for (token, value) in both {
            let parsed = token.and_then(|token| Uuid::try_parse(token).ok());
            let (Some(token), Some(value)) = (parsed, value) else {
                let what = format!("{vault} is no vault: it has a row without a token or value");
                return Err(Error::usage(what).with_hint("restore the table from a backup"));
            };
            self.reserve(vault, value)?;
            self.tokens.insert(value.into(), token.into_bytes());
        }
        Ok(())
    }

    fn token(&mut self, vault: &TableName, value: &str) -> Result<[u8; 16]> {
        if let Some(token) = self.tokens.get(value) {
            return Ok(*token);
        }
        // It is kept twice until it is written.
        self.reserve(vault, value)?;
        self.reserve(vault, value)?;
        let token = random();
        self.tokens.insert(value.into(), token);
        self.new.push((value.into(), token));
        Ok(token)
    }
}

/// 128 random bits: an identifier of version 4 has 122, so that two are drawn.
fn random() -> [u8; 16] {
    let mut digest = Sha256::new();
    digest.update(Uuid::new_v4());
    digest.update(Uuid::new_v4());
    let digest = digest.finalize();
    let mut token = [0; 16];
    token
        .iter_mut()
        .zip(digest)
        .for_each(|(to, from)| *to = from);
    token
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::session::Resources;
    use crate::store::Stores;

    struct Scene {
        dir: tempfile::TempDir,
        applier: Applier,
    }

    impl Scene {
        fn new() -> Scene {
            let resources = Resources::for_partitions(1);
            Scene {
                dir: tempfile::tempdir().unwrap(),
                applier: Applier {
                    connections: Default::default(),
                    stores: Stores::default(),
                    runtime: session::runtime(resources).unwrap(),
                    resources,
                },
            }
        }

        /// The vault as a run of its own opens it.
        async fn open(&self) -> Vaults {
            let folder = self.dir.path().join("vault");
            std::fs::create_dir_all(&folder).unwrap();
            let lake = self.dir.path().to_str().unwrap();
            let lake = Lake::at(lake, &self.applier.stores).await.unwrap();
            let names = BTreeMap::from([(name(), BTreeSet::new())]);
            let turns = Turns::default();
            Vaults::open(&names, &lake, &self.applier, &turns)
                .await
                .unwrap()
        }

        async fn keep(&self, vaults: &Vaults) -> bool {
            vaults.keep(&self.applier, "run").await.unwrap()
        }
    }

    fn name() -> TableName {
        TableName {
            zone: "vault".to_owned(),
            table: "patients".to_owned(),
        }
    }

    fn tokens(vaults: &Vaults, values: &[&str]) -> Vec<String> {
        let values = StringArray::from(values.to_vec());
        let tokens = vaults.get(&name()).unwrap().tokens(&values).unwrap();
        tokens.iter().flatten().map(str::to_owned).collect()
    }

    #[tokio::test]
    async fn a_value_has_one_token_for_ever() {
        let scene = Scene::new();
        let first = scene.open().await;
        let given = tokens(&first, &["a", "b", "a"]);
        assert_eq!(given[0], given[2]);
        assert_ne!(given[0], given[1]);
        assert!(given.iter().all(|token| token.len() == 32));
        assert!(scene.keep(&first).await);
        let second = scene.open().await;
        assert_eq!(tokens(&second, &["a", "b"]), given[..2]);
        // Nothing is new: there is nothing to commit.
        assert!(scene.keep(&second).await);
        assert_eq!(scene.open().await.get(&name()).unwrap().version, Some(0));
    }

    #[tokio::test]
    async fn of_two_that_add_the_second_is_told_and_its_tokens_are_nobodys() {
        let scene = Scene::new();
        for values in [["a", "b"], ["b", "c"]] {
            let (one, other) = (scene.open().await, scene.open().await);
            let given = tokens(&one, &values);
            tokens(&other, &values);
            assert!(scene.keep(&one).await);
            assert!(!scene.keep(&other).await);
            assert_eq!(tokens(&scene.open().await, &values), given);
        }
        let vaults = scene.open().await;
        assert_eq!(locked(&vaults.get(&name()).unwrap().state).tokens.len(), 3);
    }

    #[tokio::test]
    async fn who_finds_all_of_its_values_is_not_overtaken() {
        let scene = Scene::new();
        let first = scene.open().await;
        let given = tokens(&first, &["a"]);
        assert!(scene.keep(&first).await);
        let (reader, writer) = (scene.open().await, scene.open().await);
        assert_eq!(tokens(&reader, &["a"]), given);
        tokens(&writer, &["b"]);
        assert!(scene.keep(&writer).await);
        assert!(scene.keep(&reader).await);
    }

    #[test]
    fn tokens_are_of_128_random_bits() {
        let many: BTreeSet<[u8; 16]> = (0..1_000).map(|_| random()).collect();
        assert_eq!(many.len(), 1_000);
        for bit in 0..128 {
            let set = |token: &&[u8; 16]| token[bit / 8] & (1 << (bit % 8)) != 0;
            let ones = many.iter().filter(set).count();
            assert!((350..650).contains(&ones), "bit {bit} is set {ones} times");
        }
    }
}
