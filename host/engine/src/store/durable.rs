//! The local disk as a store whose answers can be relied on: what it says is written, is on the disk.

use std::collections::HashSet;
use std::fmt;
use std::fs::{self, File};
use std::io::{self, ErrorKind, Write};
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use async_trait::async_trait;
use bytes::Bytes;
use futures::stream::BoxStream;
use object_store::local::LocalFileSystem;
use object_store::path::Path as StorePath;
use object_store::{
    CopyOptions, GetOptions, GetResult, ListResult, MultipartUpload, ObjectMeta, ObjectStore,
    PutMode, PutMultipartOptions, PutOptions, PutPayload, PutResult, Result, UploadPart,
};
use uuid::Uuid;

/// object_store's local store, but that a write reaches the disk before it is answered: first the
/// bytes, then the name. What is put in one piece is there whole under its name or not at all, after a
/// power cut too; of an upload in parts that is so once it is complete.
#[derive(Debug)]
pub struct DurableLocal {
    inner: LocalFileSystem,
    synced: Synced,
}

/// Is told of each file and folder that has reached the disk.
type Told = dyn Fn(&Path) + Send + Sync;

/// Brings files and folders to the disk.
#[derive(Clone, Default)]
struct Synced {
    told: Option<Arc<Told>>,
    /// Folders whose own names are on the disk, as far as this process has seen to it.
    named: Arc<Mutex<HashSet<PathBuf>>>,
}

impl fmt::Debug for Synced {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Synced")
    }
}

impl Default for DurableLocal {
    fn default() -> Self {
        Self::new()
    }
}

impl DurableLocal {
    /// All of the file system.
    pub fn new() -> DurableLocal {
        DurableLocal {
            inner: LocalFileSystem::new(),
            synced: Synced::default(),
        }
    }

    /// The same, telling `synced` of each file and folder that has reached the disk.
    #[cfg(test)]
    pub(crate) fn telling(synced: impl Fn(&Path) + Send + Sync + 'static) -> DurableLocal {
        DurableLocal {
            inner: LocalFileSystem::new(),
            synced: Synced {
                told: Some(Arc::new(synced)),
                named: Arc::default(),
            },
        }
    }

    async fn sync(&self, path: PathBuf) -> Result<()> {
        let synced = self.synced.clone();
        blocking(move || {
            synced.sync(&path)?;
            synced.folders(&path)
        })
        .await
    }
}

impl Synced {
    fn sync(&self, path: &Path) -> io::Result<()> {
        File::open(path)?.sync_all()?;
        self.tell(path);
        Ok(())
    }

    /// The folder that names `path`, and the folders above it up to one whose name is on the disk: a
    /// file whose folder is lost is lost. A folder above that this user may not open was not made by
    /// this user either.
    fn folders(&self, path: &Path) -> io::Result<()> {
        let mut above = path.ancestors().skip(1);
        let Some(folder) = above.next() else {
            return Ok(());
        };
        self.sync(folder)?;
        let known = |folder: &Path| {
            let named = self.named.lock().unwrap_or_else(PoisonError::into_inner);
            named.contains(folder)
        };
        let mut new = vec![folder];
        let mut below = folder;
        for folder in above {
            if known(below) || folder.as_os_str().is_empty() {
                break;
            }
            match self.sync(folder) {
                Err(error) if error.kind() == ErrorKind::PermissionDenied => break,
                synced => synced?,
            }
            new.push(folder);
            below = folder;
        }
        let mut named = self.named.lock().unwrap_or_else(PoisonError::into_inner);
        named.extend(new.into_iter().map(Path::to_owned));
        Ok(())
    }

    /// Makes the folders above `path`; one that is made anew is not on the disk yet.
    fn make_folders(&self, path: &Path) -> io::Result<()> {
        let Some(parent) = path.parent() else {
            return Ok(());
        };
        let missing: Vec<&Path> = parent
            .ancestors()
            .take_while(|folder| !folder.as_os_str().is_empty() && !folder.exists())
            .collect();
        if missing.is_empty() {
            return Ok(());
        }
        let mut named = self.named.lock().unwrap_or_else(PoisonError::into_inner);
        for folder in missing {
            named.remove(folder);
        }
        drop(named);
        fs::create_dir_all(parent)
    }

    fn tell(&self, path: &Path) {
        if let Some(tell) = &self.told {
            tell(path);
        }
    }

    /// Writes a file: beside its place, to the disk, then under its name.
    fn write(&self, path: &Path, payload: &PutPayload, create: bool) -> io::Result<()> {
        self.make_folders(path)?;
        // The store takes a name that ends in # and digits for an upload under way, and lists none.
        // Nobody else has this one, on whatever machine: it is never another's decision that is cut.
        let mut name = path.file_name().unwrap_or_default().to_owned();
        name.push(format!("#{}", Uuid::new_v4().as_u128()));
        let beside = path.with_file_name(name);
        let written = (|| {
            let mut file = File::create_new(&beside)?;
            for part in payload {
                file.write_all(part)?;
            }
            file.sync_all()?;
            self.tell(path);
            if create {
                // Fails where something has the name: whoever links first has made it.
                fs::hard_link(&beside, path)
            } else {
                fs::rename(&beside, path)
            }
        })();
        if create || written.is_err() {
            // Gone already, or left over: in no case does it count.
            let _ = fs::remove_file(&beside);
        }
        match written {
            // Whoever is told that it is there relies on it, so its name has to be on the disk too.
            Err(error) if error.kind() == ErrorKind::AlreadyExists => {
                self.folders(path)?;
                Err(error)
            }
            written => {
                written?;
                self.folders(path)
            }
        }
    }
}

fn failed(path: Option<&Path>, error: io::Error) -> object_store::Error {
    let path = path
        .map(|path| path.display().to_string())
        .unwrap_or_default();
    match error.kind() {
        ErrorKind::AlreadyExists => object_store::Error::AlreadyExists {
            path,
            source: Box::new(error),
        },
        ErrorKind::NotFound => object_store::Error::NotFound {
            path,
            source: Box::new(error),
        },
        ErrorKind::PermissionDenied => object_store::Error::PermissionDenied {
            path,
            source: Box::new(error),
        },
        _ => object_store::Error::Generic {
            store: "local",
            source: Box::new(error),
        },
    }
}

async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> io::Result<T> + Send + 'static,
) -> Result<T> {
    tokio::task::spawn_blocking(work)
        .await
        .map_err(|error| object_store::Error::JoinError { source: error })?
        .map_err(|error| failed(None, error))
}

impl fmt::Display for DurableLocal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "DurableLocal({})", self.inner)
    }
}

#[async_trait]
impl ObjectStore for DurableLocal {
    async fn put_opts(
        &self,
        location: &StorePath,
        payload: PutPayload,
        options: PutOptions,
    ) -> Result<PutResult> {
        let create = match options.mode {
            PutMode::Create => true,
            PutMode::Overwrite => false,
            // It knows no versions; it says so itself.
            PutMode::Update(_) => return self.inner.put_opts(location, payload, options).await,
        };
        let path = self.inner.path_to_filesystem(location)?;
        let synced = self.synced.clone();
        tokio::task::spawn_blocking(move || {
            synced
                .write(&path, &payload, create)
                .map_err(|error| failed(Some(&path), error))
        })
        .await
        .map_err(|error| object_store::Error::JoinError { source: error })??;
        Ok(PutResult {
            e_tag: None,
            version: None,
        })
    }

    async fn put_multipart_opts(
        &self,
        location: &StorePath,
        options: PutMultipartOptions,
    ) -> Result<Box<dyn MultipartUpload>> {
        let path = self.inner.path_to_filesystem(location)?;
        let (synced, of) = (self.synced.clone(), path.clone());
        blocking(move || synced.make_folders(&of)).await?;
        let upload = self.inner.put_multipart_opts(location, options).await?;
        Ok(Box::new(Upload {
            upload,
            path,
            synced: self.synced.clone(),
        }))
    }

    async fn get_opts(&self, location: &StorePath, options: GetOptions) -> Result<GetResult> {
        self.inner.get_opts(location, options).await
    }

    async fn get_ranges(&self, location: &StorePath, ranges: &[Range<u64>]) -> Result<Vec<Bytes>> {
        self.inner.get_ranges(location, ranges).await
    }

    fn delete_stream(
        &self,
        locations: BoxStream<'static, Result<StorePath>>,
    ) -> BoxStream<'static, Result<StorePath>> {
        self.inner.delete_stream(locations)
    }

    fn list(&self, prefix: Option<&StorePath>) -> BoxStream<'static, Result<ObjectMeta>> {
        self.inner.list(prefix)
    }

    fn list_with_offset(
        &self,
        prefix: Option<&StorePath>,
        offset: &StorePath,
    ) -> BoxStream<'static, Result<ObjectMeta>> {
        self.inner.list_with_offset(prefix, offset)
    }

    async fn list_with_delimiter(&self, prefix: Option<&StorePath>) -> Result<ListResult> {
        self.inner.list_with_delimiter(prefix).await
    }

    async fn copy_opts(
        &self,
        from: &StorePath,
        to: &StorePath,
        options: CopyOptions,
    ) -> Result<()> {
        let path = self.inner.path_to_filesystem(to)?;
        let (synced, of) = (self.synced.clone(), path.clone());
        blocking(move || synced.make_folders(&of)).await?;
        self.inner.copy_opts(from, to, options).await?;
        self.sync(path).await
    }
}

/// An upload in parts, on the disk when it is complete.
#[derive(Debug)]
struct Upload {
    upload: Box<dyn MultipartUpload>,
    path: PathBuf,
    synced: Synced,
}

#[async_trait]
impl MultipartUpload for Upload {
    fn put_part(&mut self, data: PutPayload) -> UploadPart {
        self.upload.put_part(data)
    }

    async fn complete(&mut self) -> Result<PutResult> {
        let result = self.upload.complete().await?;
        let (synced, path) = (self.synced.clone(), self.path.clone());
        blocking(move || {
            synced.sync(&path)?;
            synced.folders(&path)
        })
        .await?;
        Ok(result)
    }

    async fn abort(&mut self) -> Result<()> {
        self.upload.abort().await
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;

    use futures::TryStreamExt;
    use object_store::ObjectStoreExt;

    use super::*;

    #[tokio::test]
    async fn of_many_who_create_one_wins_and_its_bytes_are_there() {
        let dir = tempfile::tempdir().unwrap();
        let store = Arc::new(DurableLocal::new());
        let place = StorePath::from_absolute_path(dir.path().join("a/b/00.json")).unwrap();
        let mut writers = Vec::new();
        for writer in 0..16_u8 {
            let (store, place) = (Arc::clone(&store), place.clone());
            writers.push(tokio::spawn(async move {
                let options = PutOptions {
                    mode: PutMode::Create,
                    ..PutOptions::default()
                };
                let payload = PutPayload::from(vec![writer; 1000]);
                (writer, store.put_opts(&place, payload, options).await)
            }));
        }
        let mut won = Vec::new();
        for writer in writers {
            match writer.await.unwrap() {
                (writer, Ok(_)) => won.push(writer),
                (_, Err(object_store::Error::AlreadyExists { .. })) => {}
                (_, Err(error)) => panic!("{error}"),
            }
        }
        let [winner] = won.as_slice() else {
            panic!("{won:?} won");
        };
        let found = store.get(&place).await.unwrap().bytes().await.unwrap();
        assert_eq!(found, vec![*winner; 1000]);
        // Nothing is left beside it, and nothing under way is listed.
        let names: Vec<_> = fs::read_dir(dir.path().join("a/b")).unwrap().collect();
        assert_eq!(names.len(), 1);
        fs::write(dir.path().join("a/b/01.json#123"), "half").unwrap();
        let prefix = StorePath::from_absolute_path(dir.path()).unwrap();
        let listed: Vec<_> = store.list(Some(&prefix)).try_collect().await.unwrap();
        assert_eq!(listed.len(), 1);
    }

    #[tokio::test]
    async fn bytes_reach_the_disk_before_the_name_and_folders_after_it() {
        let dir = tempfile::tempdir().unwrap();
        let root = dir.path().canonicalize().unwrap();
        let file = root.join("_weir/commits/pipeline/step/sequence/0.json");
        let told = Arc::new(Mutex::new(Vec::new()));
        let store = DurableLocal::telling({
            let (told, file) = (Arc::clone(&told), file.clone());
            move |path| told.lock().unwrap().push((path.to_owned(), file.exists()))
        });
        let place = StorePath::from_absolute_path(&file).unwrap();
        store.put(&place, "content".into()).await.unwrap();
        let mut expected = vec![(file.clone(), false)];
        let folders = file.ancestors().skip(1);
        let made = folders.take_while(|folder| folder.starts_with(&root));
        expected.extend(made.map(|folder| (folder.to_owned(), true)));
        assert_eq!(expected.len(), 7);
        assert_eq!(told.lock().unwrap().get(..7).unwrap(), expected);
        // The next beside it needs its own folder only; one that was removed and made again, all of it.
        let next = StorePath::from_absolute_path(file.with_file_name("1.json")).unwrap();
        let count = |told: &Mutex<Vec<_>>| std::mem::take(&mut *told.lock().unwrap()).len();
        count(&told);
        store.put(&next, "content".into()).await.unwrap();
        assert_eq!(count(&told), 2);
        fs::remove_dir_all(root.join("_weir/commits")).unwrap();
        store.put(&next, "content".into()).await.unwrap();
        assert_eq!(count(&told), 6);
        // Who is told that it is there may rely on it.
        let options = PutOptions {
            mode: PutMode::Create,
            ..PutOptions::default()
        };
        let there = store.put_opts(&next, "other".into(), options).await;
        assert!(matches!(
            there,
            Err(object_store::Error::AlreadyExists { .. })
        ));
        assert_eq!(count(&told), 2);
    }
}
