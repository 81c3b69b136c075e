//! Where things lie: the lake, its zones and tables, and the `_weir` folder with Weir's own files.

use std::collections::BTreeMap;
use std::path::{Component, PathBuf};
use std::sync::Arc;

use bytes::Bytes;
use datafusion::execution::runtime_env::RuntimeEnv;
use futures::TryStreamExt;
use object_store::path::Path as StorePath;
use object_store::{ObjectMeta, ObjectStore, ObjectStoreExt, PutMode, PutOptions, PutPayload};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use url::Url;
use uuid::Uuid;
use weir_pipeline::{Pipeline, TableName};

use crate::error::{Error, ErrorKind, Result};
use crate::store::Stores;

/// The version of everything under `_weir/`; a newer one is refused.
pub const FORMAT: u32 = 1;

/// The column of lake tables that says which run wrote a row.
pub const RUN_COLUMN: &str = "_weir_run";

/// A folder in an object store.
#[derive(Debug, Clone)]
pub struct Location {
    stores: Stores,
    store: Arc<dyn ObjectStore>,
    path: StorePath,
    /// Absolute, without a trailing slash.
    url: Url,
    /// The folder on the local disk, where that is where it is.
    local: Option<PathBuf>,
}

impl Location {
    /// The folder `text` names: a local path (relative to the working directory) or a URL.
    ///
    /// # Errors
    /// Usage, if it names none, or its store cannot be opened with its settings.
    pub fn parse(text: &str, stores: &Stores) -> Result<Location> {
        if let Some((scheme, _)) = text.split_once("://")
            && scheme != "file"
        {
            return Location::remote(text, stores);
        }
        let path = match text.strip_prefix("file://") {
            Some(path) => PathBuf::from(path),
            None => PathBuf::from(text),
        };
        let path = std::path::absolute(&path)
            .map_err(|error| Error::usage(format!("'{text}' is no path")).with_source(error))?;
        let path = without_parents(path);
        let url = Url::from_file_path(&path)
            .map_err(|()| Error::usage(format!("'{text}' is no absolute path")))?;
        let (store, _) = stores.open(&url)?;
        Ok(Location {
            stores: stores.clone(),
            store,
            path: StorePath::from_absolute_path(&path).map_err(|error| {
                Error::usage(format!("'{text}' cannot be used as a folder")).with_source(error)
            })?,
            url,
            local: Some(path),
        })
    }

    fn remote(text: &str, stores: &Stores) -> Result<Location> {
        // What may be a secret is not shown: a token behind a ?, a password before an @.
        let shown = text.split(['?', '#']).next().unwrap_or_default();
        let shown = match shown.split_once("://") {
            Some((scheme, rest))
                if rest
                    .split('/')
                    .next()
                    .is_some_and(|host| host.contains(':') && host.contains('@')) =>
            {
                format!("{scheme}://…")
            }
            _ => shown.to_owned(),
        };
        let no_url = |why: String| {
            Error::usage(format!("'{shown}' is no URL of a folder: {why}"))
                .with_hint("write it as s3://bucket/folder")
        };
        let url =
            Url::parse(text.trim_end_matches('/')).map_err(|error| no_url(error.to_string()))?;
        if url.query().is_some() || url.fragment().is_some() {
            return Err(no_url("it has a ? or #".to_owned()));
        }
        if url.password().is_some() {
            return Err(no_url("a password does not belong into it".to_owned()));
        }
        let (store, path) = stores.open(&url)?;
        Ok(Location {
            stores: stores.clone(),
            store,
            path,
            url,
            local: None,
        })
    }

    /// What a decision or record names by its URL, opened as this location was.
    pub(crate) fn at_url(stores: &Stores, url: &str) -> Result<Location> {
        let local = Url::parse(url)
            .ok()
            .filter(|url| url.scheme() == "file")
            .and_then(|url| url.to_file_path().ok());
        match local.as_deref().and_then(std::path::Path::to_str) {
            Some(path) => Location::parse(path, stores),
            None => Location::parse(url, stores),
        }
    }

    /// Makes the store known to queries that read its files by their URLs.
    pub(crate) fn register(&self, runtime: &RuntimeEnv) {
        let mut base = self.url.clone();
        base.set_path("/");
        runtime.register_object_store(&base, Arc::clone(&self.store));
    }

    /// The folder or file below this one; each segment is one name.
    pub fn child(&self, segments: &[&str]) -> Location {
        let mut path = self.path.clone();
        let mut url = self.url.clone();
        let mut local = self.local.clone();
        for segment in segments {
            path = path.join(*segment);
            if let Ok(mut parts) = url.path_segments_mut() {
                parts.pop_if_empty().push(segment);
            }
            if let Some(local) = &mut local {
                local.push(segment);
            }
        }
        Location {
            stores: self.stores.clone(),
            store: Arc::clone(&self.store),
            path,
            url,
            local,
        }
    }

    /// The file at a relative path with `/` between its segments.
    pub fn file(&self, relative: &str) -> Location {
        let segments: Vec<&str> = relative
            .split('/')
            .filter(|part| !part.is_empty())
            .collect();
        self.child(&segments)
    }

    /// The stores that are open.
    pub fn stores(&self) -> &Stores {
        &self.stores
    }

    /// Its store.
    pub fn store(&self) -> &Arc<dyn ObjectStore> {
        &self.store
    }

    /// Its path in the store.
    pub fn path(&self) -> &StorePath {
        &self.path
    }

    /// Its URL.
    pub fn url(&self) -> &Url {
        &self.url
    }

    /// Its path on the local disk, where it is there.
    pub fn local(&self) -> Option<&PathBuf> {
        self.local.as_ref()
    }

    /// How a person would write it.
    pub fn display(&self) -> String {
        match &self.local {
            Some(path) => path.display().to_string(),
            None => self.url.to_string(),
        }
    }

    /// Makes the folder, where the store has folders.
    pub async fn create_folder(&self) -> Result<()> {
        if let Some(path) = &self.local {
            tokio::fs::create_dir_all(path).await.map_err(|error| {
                Error::storage(
                    format!("cannot create the folder '{}'", path.display()),
                    error,
                )
                .with_hint("choose a folder that you may write to")
            })?;
        }
        Ok(())
    }

    /// The objects below this folder, in order of their paths.
    pub async fn list(&self) -> Result<Vec<ObjectMeta>> {
        let mut found: Vec<ObjectMeta> = self.store.list(Some(&self.path)).try_collect().await?;
        found.sort_by(|a, b| a.location.cmp(&b.location));
        Ok(found)
    }

    /// The object's bytes; `None` where there is none.
    pub async fn read(&self) -> Result<Option<Bytes>> {
        match self.store.get(&self.path).await {
            Ok(found) => Ok(Some(found.bytes().await?)),
            Err(object_store::Error::NotFound { .. }) => Ok(None),
            Err(error) => Err(error.into()),
        }
    }

    /// The object as JSON; `None` where there is none.
    pub async fn read_json<T: DeserializeOwned>(&self) -> Result<Option<T>> {
        let Some(bytes) = self.read().await? else {
            return Ok(None);
        };
        serde_json::from_slice(&bytes).map(Some).map_err(|error| {
            Error::new(
                ErrorKind::Internal,
                format!("'{}' is not what Weir wrote", self.display()),
            )
            .with_source(error)
            .with_hint("restore the file from a backup, or use the version of weir that wrote it")
        })
    }

    /// Writes JSON, replacing what is there; durable when it returns.
    pub async fn write_json<T: Serialize>(&self, value: &T) -> Result<()> {
        self.put(value, PutMode::Overwrite).await.map(|_| ())
    }

    /// Writes JSON only if nothing is there; `false` if something was. Durable when it returns.
    pub async fn create_json<T: Serialize>(&self, value: &T) -> Result<bool> {
        self.put(value, PutMode::Create).await
    }

    async fn put<T: Serialize>(&self, value: &T, mode: PutMode) -> Result<bool> {
        let bytes = serde_json::to_vec_pretty(value)
            .map_err(|error| Error::internal("cannot write JSON").with_source(error))?;
        let options = PutOptions {
            mode,
            ..PutOptions::default()
        };
        match self
            .store
            .put_opts(&self.path, PutPayload::from(bytes), options)
            .await
        {
            Ok(_) => Ok(true),
            Err(object_store::Error::AlreadyExists { .. }) => Ok(false),
            Err(error) => Err(error.into()),
        }
    }

    /// Removes the folder with all that is in it; it is fine if there is none.
    pub async fn remove_folder(&self) -> Result<()> {
        for object in self.list().await? {
            match self.store.delete(&object.location).await {
                Ok(()) | Err(object_store::Error::NotFound { .. }) => {}
                Err(error) => return Err(error.into()),
            }
        }
        if let Some(path) = &self.local
            && path.is_dir()
        {
            tokio::fs::remove_dir_all(path).await.map_err(|error| {
                Error::storage(format!("cannot remove '{}'", path.display()), error)
                    .with_hint("remove the folder by hand; nothing refers to it")
            })?;
        }
        Ok(())
    }

    /// Removes the object; it is fine if there is none.
    pub async fn remove(&self) -> Result<()> {
        match self.store.delete(&self.path).await {
            Ok(()) | Err(object_store::Error::NotFound { .. }) => Ok(()),
            Err(error) => Err(error.into()),
        }
    }
}

/// The path without `..`, which object stores do not know: by the file system where it is there,
/// else by its text.
fn without_parents(path: PathBuf) -> PathBuf {
    let parent = |part: &Component<'_>| matches!(part, Component::ParentDir);
    if !path.components().any(|part| parent(&part)) {
        return path;
    }
    if let Ok(found) = path.canonicalize() {
        return found;
    }
    let mut plain = PathBuf::new();
    for part in path.components() {
        if parent(&part) {
            plain.pop();
        } else {
            plain.push(part);
        }
    }
    plain
}

/// The Delta reader takes a `%` in a path for an escape.
fn without_percent(root: Location) -> Result<Location> {
    if root.display().contains('%') {
        return Err(
            Error::usage(format!("a lake cannot lie in '{}'", root.display()))
                .with_hint("choose a folder without % in its path"),
        );
    }
    Ok(root)
}

/// What `_weir/format.json` says.
#[derive(Debug, Clone, Serialize, Deserialize)]
struct Format {
    format: u32,
    /// Tells this lake's loads apart from another's into the same table.
    #[serde(default)]
    lake: Option<Uuid>,
}

/// `what` has a format that only a newer weir knows.
pub(crate) fn newer(what: &str, format: u32) -> Error {
    Error::usage(format!(
        "{what} by a newer weir (format {format}, this one knows {FORMAT})"
    ))
    .with_hint("use the newer weir")
}

/// A pipeline's lake: the root, and where each zone lies.
#[derive(Debug, Clone)]
pub struct Lake {
    root: Location,
    zones: BTreeMap<String, Location>,
}

impl Lake {
    /// The lake of `pipeline`, or the one at `url` where that is given.
    ///
    /// With `isolate` zones that have an URL of their own lie in the lake all the same, so that
    /// nothing outside it is touched.
    pub fn of(
        pipeline: &Pipeline,
        url: Option<&str>,
        isolate: bool,
        stores: &Stores,
    ) -> Result<Lake> {
        let root = url.unwrap_or(&pipeline.lake);
        let root = without_percent(Location::parse(root, stores)?)?;
        let mut zones = BTreeMap::new();
        for (name, zone) in &pipeline.zones {
            let location = match &zone.url {
                Some(url) if !isolate => without_percent(Location::parse(url, stores)?)?,
                _ => root.child(&[name]),
            };
            zones.insert(name.clone(), location);
        }
        Ok(Lake { root, zones })
    }

    /// The lake at `url` with whatever zones lie in it.
    ///
    /// # Errors
    /// Usage, if a newer weir wrote it.
    pub async fn at(url: &str, stores: &Stores) -> Result<Lake> {
        let root = without_percent(Location::parse(url, stores)?)?;
        let listing = root.store().list_with_delimiter(Some(root.path())).await?;
        let zones = listing
            .common_prefixes
            .iter()
            .filter_map(|path| path.filename())
            .filter(|name| !name.starts_with('_'))
            .map(|name| (name.to_owned(), root.child(&[name])))
            .collect();
        let lake = Lake { root, zones };
        lake.check_format().await?;
        Ok(lake)
    }

    fn format(&self) -> Location {
        self.weir().child(&["format.json"])
    }

    /// Refuses a lake that a newer weir wrote. One that does not say its format has the first.
    ///
    /// # Errors
    /// Usage, if it is newer.
    pub async fn check_format(&self) -> Result<()> {
        self.written_format().await.map(|_| ())
    }

    /// Says which format the lake has and who it is, if nobody has said it yet; gives who it is.
    ///
    /// # Errors
    /// Usage, if it is newer than this weir's.
    pub async fn claim_format(&self) -> Result<Uuid> {
        let new = Format {
            format: FORMAT,
            lake: Some(Uuid::new_v4()),
        };
        let mut written = self.written_format().await?;
        if written.is_none() && !self.format().create_json(&new).await? {
            // Somebody else's first run was faster, perhaps a newer weir's.
            written = self.written_format().await?;
        }
        match written {
            None => {}
            Some(Format { lake: Some(id), .. }) => return Ok(id),
            // Decisions say themselves under which name they are loaded, so a new name harms none.
            Some(Format { lake: None, .. }) => self.format().write_json(&new).await?,
        }
        new.lake
            .ok_or_else(|| Error::internal("a new lake has no name"))
    }

    async fn written_format(&self) -> Result<Option<Format>> {
        let written: Option<Format> = self.format().read_json().await?;
        match written {
            Some(Format { format, .. }) if format > FORMAT => Err(newer(
                &format!("the lake '{}' was written", self.root.display()),
                format,
            )),
            written => Ok(written),
        }
    }

    /// Its root.
    pub fn root(&self) -> &Location {
        &self.root
    }

    /// The SQLite file of connections that name none; none where the lake is remote.
    pub(crate) fn warehouse(&self) -> Option<PathBuf> {
        self.root.child(&["warehouse.sqlite"]).local().cloned()
    }

    /// Its zones by name.
    pub fn zones(&self) -> &BTreeMap<String, Location> {
        &self.zones
    }

    /// Weir's own folder.
    pub fn weir(&self) -> Location {
        self.root.child(&["_weir"])
    }

    /// Where a table lies.
    pub fn table(&self, name: &TableName) -> Result<Location> {
        match self.zones.get(&name.zone) {
            Some(zone) => Ok(zone.child(&[&name.table])),
            None => Err(
                Error::usage(format!("there is no zone '{}'", name.zone)).with_hint(format!(
                    "the zones are {}",
                    self.zones.keys().cloned().collect::<Vec<_>>().join(", ")
                )),
            ),
        }
    }
}
