//! Reading Parquet out of an object store.

use std::ops::Range;
use std::sync::Arc;

use bytes::Bytes;
use futures::FutureExt;
use futures::future::BoxFuture;
use object_store::{GetOptions, GetRange, ObjectStore, ObjectStoreExt};
use parquet::arrow::arrow_reader::ArrowReaderOptions;
use parquet::arrow::async_reader::AsyncFileReader;
use parquet::errors::{ParquetError, Result};
use parquet::file::metadata::{ParquetMetaData, ParquetMetaDataReader};

use crate::lake::Location;

/// One object as a source of Parquet's byte ranges.
pub(crate) struct ObjectReader {
    store: Arc<dyn ObjectStore>,
    path: object_store::path::Path,
    /// The content the object must still have.
    etag: Option<String>,
}

impl ObjectReader {
    /// The object at `location`.
    pub(crate) fn new(location: &Location) -> ObjectReader {
        ObjectReader {
            store: Arc::clone(location.store()),
            path: location.path().clone(),
            etag: None,
        }
    }

    /// The object at `path` of `store`.
    pub(crate) fn of_object(
        store: &Arc<dyn ObjectStore>,
        path: object_store::path::Path,
    ) -> ObjectReader {
        ObjectReader {
            store: Arc::clone(store),
            path,
            etag: None,
        }
    }

    /// The same, refused once its content is another.
    pub(crate) fn of_content(location: &Location, etag: Option<String>) -> ObjectReader {
        ObjectReader {
            etag,
            ..ObjectReader::new(location)
        }
    }

    async fn range(&self, range: Range<u64>) -> Result<Bytes> {
        let options = GetOptions {
            range: Some(GetRange::Bounded(range)),
            if_match: self.etag.clone(),
            ..GetOptions::default()
        };
        let found = self
            .store
            .get_opts(&self.path, options)
            .await
            .map_err(external)?;
        found.bytes().await.map_err(external)
    }
}

fn external(error: object_store::Error) -> ParquetError {
    ParquetError::External(Box::new(error))
}

impl AsyncFileReader for ObjectReader {
    fn get_bytes(&mut self, range: Range<u64>) -> BoxFuture<'_, Result<Bytes>> {
        async move { self.range(range).await }.boxed()
    }

    fn get_metadata<'a>(
        &'a mut self,
        _: Option<&'a ArrowReaderOptions>,
    ) -> BoxFuture<'a, Result<Arc<ParquetMetaData>>> {
        async move {
            let size = self.store.head(&self.path).await.map_err(external)?.size;
            let metadata = ParquetMetaDataReader::new()
                .load_and_finish(self, size)
                .await?;
            Ok(Arc::new(metadata))
        }
        .boxed()
    }
}
