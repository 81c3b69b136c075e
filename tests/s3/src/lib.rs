//! An S3 server on loopback, in this process, for tests that need the protocol and not a fake of it.
//!
//! It is [s3s](https://docs.rs/s3s) with s3s-fs behind it, because that is the one server in the
//! registry of Rust that honours `If-None-Match: *` for whole and for multipart uploads, checks
//! signatures, and needs no installation. Its check and its write are two steps, so writers are
//! made to queue here: what real stores promise is that one of them wins.

use std::net::SocketAddr;
use std::path::PathBuf;

use async_trait::async_trait;
use hyper_util::rt::{TokioExecutor, TokioIo};
use hyper_util::server::conn::auto::Builder;
use s3s::auth::SimpleAuth;
use s3s::dto::{
    AbortMultipartUploadInput, AbortMultipartUploadOutput, CompleteMultipartUploadInput,
    CompleteMultipartUploadOutput, CopyObjectInput, CopyObjectOutput, CreateMultipartUploadInput,
    CreateMultipartUploadOutput, DeleteObjectInput, DeleteObjectOutput, DeleteObjectsInput,
    DeleteObjectsOutput, GetObjectInput, GetObjectOutput, HeadObjectInput, HeadObjectOutput,
    ListObjectsV2Input, ListObjectsV2Output, PutObjectInput, PutObjectOutput, UploadPartInput,
    UploadPartOutput,
};
use s3s::service::S3ServiceBuilder;
use s3s::{S3, S3Request, S3Response, S3Result};
use s3s_fs::FileSystem;
use tokio::net::TcpListener;
use tokio::sync::Mutex;

/// The bucket that is there.
pub const BUCKET: &str = "lake";
/// The key that may use it.
pub const ACCESS_KEY: &str = "weir-test";
/// Its secret.
pub const SECRET_KEY: &str = "weir-test-secret";

/// A server, which ends with the value.
#[derive(Debug)]
pub struct Server {
    address: SocketAddr,
    objects: tempfile::TempDir,
    serving: std::thread::JoinHandle<()>,
    stop: Option<tokio::sync::oneshot::Sender<()>>,
}

impl Server {
    /// Starts a server with one empty bucket on a free port, on a thread of its own.
    ///
    /// # Panics
    ///
    /// If it cannot be started.
    pub fn start() -> Server {
        let objects = tempfile::Builder::new()
            .prefix("weir-s3-")
            .tempdir()
            .expect("a temporary folder");
        std::fs::create_dir(objects.path().join(BUCKET)).expect("a bucket");
        let store = Queued {
            inner: FileSystem::new(objects.path()).expect("a folder to serve"),
            writes: Mutex::new(()),
        };
        let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a free port");
        listener
            .set_nonblocking(true)
            .expect("a socket of tokio's kind");
        let address = listener
            .local_addr()
            .expect("a bound socket has an address");
        let (stop, stopped) = tokio::sync::oneshot::channel();
        let serving = std::thread::spawn(move || {
            tokio::runtime::Builder::new_multi_thread()
                .worker_threads(2)
                .enable_all()
                .build()
                .expect("a runtime")
                .block_on(async move {
                    tokio::select! {
                        () = serve(listener, store) => {}
                        _ = stopped => {}
                    }
                });
        });
        Server {
            address,
            objects,
            serving,
            stop: Some(stop),
        }
    }

    /// Its URL.
    pub fn endpoint(&self) -> String {
        format!("http://{}", self.address)
    }

    /// What a client has to have in its environment.
    pub fn environment(&self) -> Vec<(&'static str, String)> {
        vec![
            ("AWS_ENDPOINT_URL", self.endpoint()),
            ("AWS_ALLOW_HTTP", "true".to_owned()),
            ("AWS_REGION", "us-east-1".to_owned()),
            ("AWS_ACCESS_KEY_ID", ACCESS_KEY.to_owned()),
            ("AWS_SECRET_ACCESS_KEY", SECRET_KEY.to_owned()),
        ]
    }

    /// The folder in which the bucket's objects are files.
    pub fn bucket(&self) -> PathBuf {
        self.objects.path().join(BUCKET)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        if let Some(stop) = self.stop.take() {
            // Where it has ended by itself nobody listens any more.
            let _ = stop.send(());
        }
        while !self.serving.is_finished() {
            std::thread::sleep(std::time::Duration::from_millis(1));
        }
    }
}

async fn serve(listener: std::net::TcpListener, store: Queued) {
    let mut service = S3ServiceBuilder::new(store);
    service.set_auth(SimpleAuth::from_single(ACCESS_KEY, SECRET_KEY));
    let service = service.build();
    let listener = TcpListener::from_std(listener).expect("a socket of tokio's");
    loop {
        let Ok((socket, _)) = listener.accept().await else {
            continue;
        };
        // Answers come in several small writes, which would wait for the client to confirm each.
        let _ = socket.set_nodelay(true);
        let service = service.clone();
        tokio::spawn(async move {
            // A client that goes away in the middle is no fault of the server's.
            let _ = Builder::new(TokioExecutor::new())
                .serve_connection(TokioIo::new(socket), service)
                .await;
        });
    }
}

/// A store whose writers wait for each other.
#[derive(Debug)]
struct Queued {
    inner: FileSystem,
    writes: Mutex<()>,
}

/// Methods that are passed on, and those that are passed on one at a time.
macro_rules! passed_on {
    (at_once { $($method:ident($input:ty) -> $output:ty;)* } one_at_a_time { $($write:ident($put:ty) -> $done:ty;)* }) => {
        #[async_trait]
        impl S3 for Queued {
            $(
                async fn $method(&self, request: S3Request<$input>) -> S3Result<S3Response<$output>> {
                    self.inner.$method(request).await
                }
            )*
            $(
                async fn $write(&self, request: S3Request<$put>) -> S3Result<S3Response<$done>> {
                    let _others_wait = self.writes.lock().await;
                    self.inner.$write(request).await
                }
            )*
        }
    };
}

passed_on! {
    at_once {
    get_object(GetObjectInput) -> GetObjectOutput;
    head_object(HeadObjectInput) -> HeadObjectOutput;
    list_objects_v2(ListObjectsV2Input) -> ListObjectsV2Output;
    create_multipart_upload(CreateMultipartUploadInput) -> CreateMultipartUploadOutput;
    upload_part(UploadPartInput) -> UploadPartOutput;
    abort_multipart_upload(AbortMultipartUploadInput) -> AbortMultipartUploadOutput;
    }
    one_at_a_time {
    put_object(PutObjectInput) -> PutObjectOutput;
    copy_object(CopyObjectInput) -> CopyObjectOutput;
    delete_object(DeleteObjectInput) -> DeleteObjectOutput;
    delete_objects(DeleteObjectsInput) -> DeleteObjectsOutput;
    complete_multipart_upload(CompleteMultipartUploadInput) -> CompleteMultipartUploadOutput;
    }
}
