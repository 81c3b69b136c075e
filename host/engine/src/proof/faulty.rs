//! A store whose calls fail, one chosen call at a time.

use std::fmt;
use std::ops::Range;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use futures::stream::BoxStream;
use futures::{StreamExt, TryStreamExt};
use object_store::path::Path;
use object_store::{
    CopyOptions, Error, GetOptions, GetResult, GetResultPayload, ListResult, MultipartUpload,
    ObjectMeta, ObjectStore, ObjectStoreExt, PutMode, PutMultipartOptions, PutOptions, PutPayload,
    PutResult, Result, UploadPart,
};

/// How a call fails.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Way {
    /// It never reaches the store.
    Before,
    /// It is done, and the answer is lost.
    After,
    /// The client gives up waiting; the store does it a moment later.
    Late,
    /// It is done, and answered as if somebody else had been faster.
    Conflict,
    /// The store is too busy, for this call and the next two.
    Busy,
    /// Half of it: an upload without its end, a download or listing that breaks off.
    Torn,
}

impl Way {
    pub(super) const ALL: [Way; 6] = [
        Way::Before,
        Way::After,
        Way::Late,
        Way::Conflict,
        Way::Busy,
        Way::Torn,
    ];
}

/// What is to happen.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Plan {
    /// Calls are counted only.
    Count,
    /// The call of this number, from 0, fails.
    Fail(usize, Way),
    /// The process is killed at the call of this number: before it, or after it.
    Kill(usize, bool),
}

/// Counts the calls of all stores around which it is, and makes them fail.
#[derive(Debug)]
pub(super) struct Control {
    plan: Plan,
    calls: AtomicUsize,
    names: Mutex<Vec<String>>,
}

impl Control {
    pub(super) fn new(plan: Plan) -> Arc<Control> {
        Arc::new(Control {
            plan,
            calls: AtomicUsize::new(0),
            names: Mutex::new(Vec::new()),
        })
    }

    /// How many calls there were.
    pub(super) fn calls(&self) -> usize {
        self.calls.load(Ordering::SeqCst)
    }

    /// What each call was.
    pub(super) fn names(&self) -> Vec<String> {
        self.names.lock().unwrap().clone()
    }

    /// What is to become of the next call.
    fn next(&self, what: &str, path: &Path) -> Fate {
        let number = self.calls.fetch_add(1, Ordering::SeqCst);
        self.names.lock().unwrap().push(format!("{what} {path}"));
        match self.plan {
            Plan::Fail(at, way) if at == number => Fate::Fails(way),
            Plan::Fail(at, Way::Busy) if at < number && number < at + 3 => Fate::Fails(Way::Busy),
            Plan::Kill(at, false) if at == number => kill(),
            Plan::Kill(at, true) if at == number => Fate::Last,
            _ => Fate::Passes,
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Fate {
    Passes,
    Fails(Way),
    /// It passes, and the process ends.
    Last,
}

impl Fate {
    /// Ends the process if this was its last call.
    fn over<T>(self, result: T) -> T {
        if self == Fate::Last {
            kill();
        }
        result
    }
}

fn kill() -> ! {
    let me = rustix::process::getpid();
    rustix::process::kill_process(me, rustix::process::Signal::KILL).unwrap();
    // It takes a moment to arrive.
    loop {
        std::thread::sleep(Duration::from_secs(1));
    }
}

fn failed(text: &'static str) -> Error {
    Error::Generic {
        store: "faulty",
        source: text.into(),
    }
}

fn conflict(path: &Path, create: bool) -> Error {
    let (path, source) = (path.to_string(), "somebody was faster".into());
    match create {
        true => Error::AlreadyExists { path, source },
        false => Error::Precondition { path, source },
    }
}

/// The store.
#[derive(Debug)]
pub(super) struct Faulty {
    inner: Arc<dyn ObjectStore>,
    control: Arc<Control>,
}

impl Faulty {
    pub(super) fn new(inner: Arc<dyn ObjectStore>, control: &Arc<Control>) -> Faulty {
        Faulty {
            inner,
            control: Arc::clone(control),
        }
    }
}

impl fmt::Display for Faulty {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Faulty({})", self.inner)
    }
}

#[async_trait]
impl ObjectStore for Faulty {
    async fn put_opts(
        &self,
        path: &Path,
        payload: PutPayload,
        options: PutOptions,
    ) -> Result<PutResult> {
        let create = options.mode == PutMode::Create;
        let fate = self.control.next("put", path);
        match fate {
            Fate::Passes | Fate::Last => {
                fate.over(self.inner.put_opts(path, payload, options).await)
            }
            Fate::Fails(Way::Before | Way::Torn) => Err(failed("the connection was reset")),
            Fate::Fails(Way::Busy) => Err(failed("503 Slow Down")),
            Fate::Fails(Way::After) => {
                self.inner.put_opts(path, payload, options).await?;
                Err(failed("the connection was reset"))
            }
            Fate::Fails(Way::Conflict) => {
                self.inner.put_opts(path, payload, options).await?;
                Err(conflict(path, create))
            }
            Fate::Fails(Way::Late) => {
                let (inner, path) = (Arc::clone(&self.inner), path.clone());
                tokio::spawn(async move {
                    tokio::time::sleep(Duration::from_millis(5)).await;
                    // Nobody waits for the answer any more.
                    let _ = inner.put_opts(&path, payload, options).await;
                });
                Err(failed("the request timed out"))
            }
        }
    }

    async fn put_multipart_opts(
        &self,
        path: &Path,
        options: PutMultipartOptions,
    ) -> Result<Box<dyn MultipartUpload>> {
        let fate = self.control.next("begin an upload", path);
        if let Fate::Fails(_) = fate {
            return Err(failed("503 Slow Down"));
        }
        let upload = self.inner.put_multipart_opts(path, options).await;
        Ok(Box::new(Upload {
            upload: fate.over(upload)?,
            path: path.clone(),
            control: Arc::clone(&self.control),
        }))
    }

    async fn get_opts(&self, path: &Path, options: GetOptions) -> Result<GetResult> {
        let what = if options.head { "head" } else { "get" };
        let fate = self.control.next(what, path);
        match fate {
            Fate::Passes | Fate::Last => fate.over(self.inner.get_opts(path, options).await),
            Fate::Fails(Way::Torn) => {
                let mut found = self.inner.get_opts(path, options).await?;
                let half = (found.range.end - found.range.start) / 2;
                let whole = match found.payload {
                    GetResultPayload::Stream(stream) => stream,
                    GetResultPayload::File(..) => {
                        let bytes = found.bytes().await?;
                        let meta = self.inner.head(path).await?;
                        found = GetResult {
                            payload: GetResultPayload::Stream(futures::stream::empty().boxed()),
                            range: 0..bytes.len() as u64,
                            meta,
                            attributes: Default::default(),
                        };
                        futures::stream::once(async move { Ok(bytes) }).boxed()
                    }
                };
                let mut left = half;
                let torn = whole.map(move |chunk| {
                    let chunk = chunk?;
                    let taken = left.min(chunk.len() as u64);
                    left -= taken;
                    match taken == chunk.len() as u64 {
                        true => Ok(chunk),
                        false => Err(failed("the connection was reset in the middle")),
                    }
                });
                found.payload = GetResultPayload::Stream(torn.boxed());
                Ok(found)
            }
            Fate::Fails(Way::Conflict) => Err(conflict(path, false)),
            Fate::Fails(_) => Err(failed("503 Slow Down")),
        }
    }

    async fn get_ranges(&self, path: &Path, ranges: &[Range<u64>]) -> Result<Vec<Bytes>> {
        let fate = self.control.next("get ranges", path);
        match fate {
            Fate::Passes | Fate::Last => fate.over(self.inner.get_ranges(path, ranges).await),
            Fate::Fails(_) => Err(failed("503 Slow Down")),
        }
    }

    fn delete_stream(
        &self,
        paths: BoxStream<'static, Result<Path>>,
    ) -> BoxStream<'static, Result<Path>> {
        let (inner, control) = (Arc::clone(&self.inner), Arc::clone(&self.control));
        paths
            .and_then(move |path| {
                let (inner, control) = (Arc::clone(&inner), Arc::clone(&control));
                async move {
                    let fate = control.next("delete", &path);
                    match fate {
                        Fate::Passes | Fate::Last => {
                            fate.over(inner.delete(&path).await)?;
                        }
                        Fate::Fails(Way::After | Way::Late | Way::Conflict) => {
                            inner.delete(&path).await?;
                            return Err(failed("the connection was reset"));
                        }
                        Fate::Fails(_) => return Err(failed("503 Slow Down")),
                    }
                    Ok(path)
                }
            })
            .boxed()
    }

    fn list(&self, prefix: Option<&Path>) -> BoxStream<'static, Result<ObjectMeta>> {
        self.listing("list", prefix, self.inner.list(prefix))
    }

    fn list_with_offset(
        &self,
        prefix: Option<&Path>,
        offset: &Path,
    ) -> BoxStream<'static, Result<ObjectMeta>> {
        self.listing("list", prefix, self.inner.list_with_offset(prefix, offset))
    }

    async fn list_with_delimiter(&self, prefix: Option<&Path>) -> Result<ListResult> {
        let root = Path::default();
        let fate = self.control.next("list", prefix.unwrap_or(&root));
        match fate {
            Fate::Passes | Fate::Last => fate.over(self.inner.list_with_delimiter(prefix).await),
            Fate::Fails(_) => Err(failed("503 Slow Down")),
        }
    }

    async fn copy_opts(&self, from: &Path, to: &Path, options: CopyOptions) -> Result<()> {
        let fate = self.control.next("copy", to);
        match fate {
            Fate::Passes | Fate::Last => fate.over(self.inner.copy_opts(from, to, options).await),
            Fate::Fails(_) => Err(failed("503 Slow Down")),
        }
    }
}

impl Faulty {
    fn listing(
        &self,
        what: &str,
        prefix: Option<&Path>,
        found: BoxStream<'static, Result<ObjectMeta>>,
    ) -> BoxStream<'static, Result<ObjectMeta>> {
        let root = Path::default();
        match self.control.next(what, prefix.unwrap_or(&root)) {
            Fate::Passes => found,
            // What a listing says is known only when it has been read: a kill after it is one at the
            // next call.
            Fate::Last => kill(),
            Fate::Fails(Way::Torn) => found
                .take(1)
                .chain(futures::stream::once(async {
                    Err(failed("the connection was reset in the middle"))
                }))
                .boxed(),
            Fate::Fails(_) => futures::stream::once(async { Err(failed("503 Slow Down")) }).boxed(),
        }
    }
}

#[derive(Debug)]
struct Upload {
    upload: Box<dyn MultipartUpload>,
    path: Path,
    control: Arc<Control>,
}

#[async_trait]
impl MultipartUpload for Upload {
    fn put_part(&mut self, data: PutPayload) -> UploadPart {
        match self.control.next("put a part of", &self.path) {
            Fate::Passes => self.upload.put_part(data),
            fate => {
                let part = self.upload.put_part(data);
                Box::pin(async move {
                    match fate {
                        Fate::Fails(Way::After | Way::Late | Way::Conflict) => {
                            part.await?;
                            Err(failed("the connection was reset"))
                        }
                        Fate::Fails(_) => Err(failed("503 Slow Down")),
                        Fate::Last | Fate::Passes => fate.over(part.await),
                    }
                })
            }
        }
    }

    async fn complete(&mut self) -> Result<PutResult> {
        let fate = self.control.next("complete", &self.path);
        match fate {
            Fate::Passes | Fate::Last => fate.over(self.upload.complete().await),
            Fate::Fails(Way::After | Way::Late | Way::Conflict) => {
                self.upload.complete().await?;
                Err(failed("the connection was reset"))
            }
            Fate::Fails(_) => Err(failed("503 Slow Down")),
        }
    }

    async fn abort(&mut self) -> Result<()> {
        self.upload.abort().await
    }
}
