//! Reading files: which ones match, and their rows as record batches with their origin.

mod decoder;
pub(crate) mod elsewhere;
mod parquet;
mod scan;
mod text;

use std::path::{Path, PathBuf};
use std::sync::Arc;

use async_compression::tokio::bufread::{GzipDecoder, ZstdDecoder};
use bytes::Bytes;
use futures::stream::BoxStream;
use futures::{StreamExt, TryStreamExt};
use object_store::GetOptions;
use serde::{Deserialize, Serialize};
use tokio_util::io::{ReaderStream, StreamReader};
use weir_pipeline::{Compression, FileFormat, FileRead, FileSchema};

pub use decoder::Decoding;
pub use elsewhere::Elsewhere;
pub use scan::{FileScanExec, Sources};

use crate::dynamodb;
use crate::envelope::UnreadRow;
use crate::error::{Error, Result};
use crate::lake::{Location, RUN_COLUMN};
use crate::store::Stores;
use crate::types::arrow_schema;
use arrow::array::RecordBatch;
use arrow::datatypes::{Schema, SchemaRef};
use weir_decode::Decoded;

/// The name of the hidden column that holds the file a row came from.
pub const FILE_COLUMN: &str = "__weir_file";
/// The name of the hidden column that holds a row's place in its file, from 1.
pub const ORDINAL_COLUMN: &str = "__weir_ordinal";

/// The name of the hidden column that says what is wrong with a record that cannot be read; only tolerant
/// reads have it.
pub const REJECT_COLUMN: &str = "__weir_reject";

/// One file of a step's input, as it was when the step began.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct InputFile {
    /// Its path, as a person would write it.
    pub path: String,
    /// Its size in bytes.
    pub size: u64,
    /// What the store says of its content.
    pub etag: Option<String>,
}

/// Rows of a file.
#[derive(Debug)]
pub(crate) struct FileRows {
    /// At least one, with the columns that are read; all of them nullable where reading is tolerant.
    pub(crate) batch: RecordBatch,
    /// Those that stand for what cannot be read, in order; none where reading is not tolerant.
    pub(crate) unread: Vec<UnreadRow>,
}

impl From<Decoded> for FileRows {
    fn from(decoded: Decoded) -> FileRows {
        let unread = decoded.rejects.into_iter().map(UnreadRow::from);
        FileRows {
            unread: unread.collect(),
            batch: decoded.batch,
        }
    }
}

/// The folder in which a glob's search begins, and the pattern of the whole path.
fn split_glob(dir: &Path, glob: &str, stores: &Stores) -> Result<(Location, ::glob::Pattern)> {
    let joined = match glob.contains("://") {
        true => PathBuf::from(glob),
        false => dir.join(glob),
    };
    let text = joined
        .to_str()
        .ok_or_else(|| Error::usage(format!("'{glob}' is not UTF-8")))?;
    let fixed: Vec<&str> = text
        .split('/')
        .take_while(|part| !part.contains(['*', '?', '[', '{']))
        .collect();
    let whole = text.split('/').count();
    // A path without a glob names one file, whose folder is searched.
    let base = if fixed.len() == whole {
        fixed.split_last().map(|(_, rest)| rest.join("/"))
    } else {
        Some(fixed.join("/"))
    };
    let base = match base {
        Some(base) if !base.is_empty() => base,
        _ if text.starts_with('/') => "/".to_owned(),
        _ => ".".to_owned(),
    };
    let location = Location::parse(&base, stores)?;
    let rest = text.strip_prefix(&base).unwrap_or(text);
    let root = format!("/{}", location.path());
    let absolute = format!(
        "{}/{}",
        ::glob::Pattern::escape(root.trim_end_matches('/')),
        rest.trim_start_matches('/')
    );
    let pattern = ::glob::Pattern::new(&absolute).map_err(|error| {
        Error::usage(format!("'{glob}' is no glob: {error}"))
            .with_hint("use *, ?, [a-z] and ** (a whole path segment)")
    })?;
    Ok((location, pattern))
}

/// The files that a step reads, in order of their paths.
///
/// # Errors
/// Usage, if the glob is none; input, if nothing matches and that is not allowed.
pub async fn list(dir: &Path, read: &FileRead, stores: &Stores) -> Result<Vec<InputFile>> {
    if let Some(scan) = &read.items {
        return Ok(dynamodb::segments(scan));
    }
    let options = ::glob::MatchOptions {
        require_literal_separator: true,
        ..::glob::MatchOptions::new()
    };
    let mut found = Vec::new();
    for glob in expand_braces(&read.glob) {
        let (base, pattern) = split_glob(dir, &glob, stores)?;
        for object in base.list().await? {
            let path = format!("/{}", object.location);
            if pattern.matches_with(&path, options) {
                found.push(InputFile {
                    // Of a remote store a path alone would not say which.
                    path: match base.local() {
                        Some(_) => path,
                        None => object_url(&base, &object.location),
                    },
                    size: object.size,
                    etag: object.e_tag,
                });
            }
        }
    }
    found.sort();
    found.dedup();
    if found.is_empty() && !read.allow_missing {
        return Err(Error::input(format!(
            "no file matches '{}' (searched from '{}')",
            read.glob,
            dir.display()
        ))
        .with_hint(
            "check the folder and the pattern; `allow_missing = true` in `read` makes no file an empty input",
        ));
    }
    Ok(found)
}

/// The URL of an object in the store of `base`, with its key encoded.
fn object_url(base: &Location, key: &object_store::path::Path) -> String {
    let mut url = base.url().clone();
    url.set_path("");
    if let Ok(mut segments) = url.path_segments_mut() {
        segments.clear().extend(key.as_ref().split('/'));
    }
    url.into()
}

/// The first of `files` that one batch may read, one at least, and whether there are more.
pub(crate) fn first_batch(mut files: Vec<InputFile>, read: &FileRead) -> (Vec<InputFile>, bool) {
    let most = read.max_files.unwrap_or(u64::MAX);
    let mut bytes = 0_u64;
    let fitting = files
        .iter()
        .zip(0_u64..)
        .take_while(|(file, index)| {
            bytes = bytes.saturating_add(file.size);
            *index < most && (*index == 0 || bytes <= read.max_bytes.unwrap_or(u64::MAX))
        })
        .count();
    let more = fitting < files.len();
    files.truncate(fitting);
    (files, more)
}

/// `a{b,c}d` as `abd` and `acd`, which the glob crate leaves to us. Braces do not nest.
fn expand_braces(glob: &str) -> Vec<String> {
    // `[{]` is a plain brace: a character class, as parameters' values are written.
    let open = glob
        .char_indices()
        .find(|(index, c)| *c == '{' && !glob.get(..*index).is_some_and(|s| s.ends_with('[')));
    let Some((before, rest)) = open.and_then(|(index, _)| glob.split_at_checked(index)) else {
        return vec![glob.to_owned()];
    };
    let rest = rest.strip_prefix('{').unwrap_or(rest);
    let Some((choices, after)) = rest.split_once('}') else {
        return vec![glob.to_owned()];
    };
    choices
        .split(',')
        .flat_map(|choice| expand_braces(&format!("{before}{choice}{after}")))
        .collect()
}

/// The schema of the rows that `read` gives; a tolerant read gives rows of nulls besides, with a
/// [`REJECT_COLUMN`] each.
pub async fn schema(read: &FileRead, files: &[InputFile], stores: &Stores) -> Result<SchemaRef> {
    match (&read.schema, &read.format) {
        (FileSchema::Declared(columns), _) => Ok(arrow_schema(columns)),
        (FileSchema::FromFile, FileFormat::Parquet) => match files.first() {
            Some(file) => {
                let schema = parquet::file_schema(file, stores).await?;
                // In a data file of a lake: which run wrote a row is not part of what is read.
                let fields = schema.fields().iter();
                let fields = fields.filter(|field| field.name() != RUN_COLUMN);
                Ok(Arc::new(Schema::new(fields.cloned().collect::<Vec<_>>())))
            }
            None => Err(Error::input(format!(
                "the columns of '{}' are unknown: no file matches it",
                read.glob
            ))
            .with_hint("declare a `schema` in `read`")),
        },
        (FileSchema::FromFile, _) => Err(Error::internal(
            "files without columns of their own have no declared schema",
        )),
    }
}

/// The file's bytes, decompressed, in chunks. Refuses a file that has changed since it was listed.
async fn open(
    file: &InputFile,
    compression: Compression,
    stores: &Stores,
) -> Result<BoxStream<'static, Result<Bytes>>> {
    let location = Location::parse(&file.path, stores)?;
    let options = GetOptions {
        if_match: file.etag.clone(),
        ..GetOptions::default()
    };
    let found = location
        .store()
        .get_opts(location.path(), options)
        .await
        .map_err(|error| changed(file, error))?;
    let raw = found.into_stream().map_err(std::io::Error::from);
    let compression = match compression {
        Compression::Auto if file.path.ends_with(".gz") => Compression::Gzip,
        Compression::Auto if file.path.ends_with(".zst") => Compression::Zstd,
        Compression::Auto => Compression::None,
        chosen => chosen,
    };
    const CHUNK: usize = 1 << 18;
    let plain: BoxStream<'static, std::io::Result<Bytes>> = match compression {
        Compression::None | Compression::Auto => raw.boxed(),
        Compression::Gzip => {
            let mut decoder = GzipDecoder::new(StreamReader::new(raw));
            decoder.multiple_members(true);
            ReaderStream::with_capacity(decoder, CHUNK).boxed()
        }
        Compression::Zstd => {
            let mut decoder = ZstdDecoder::new(StreamReader::new(raw));
            decoder.multiple_members(true);
            ReaderStream::with_capacity(decoder, CHUNK).boxed()
        }
    };
    let path = file.path.clone();
    Ok(plain
        .map_err(move |error| {
            Error::input(format!("'{path}' cannot be read to its end"))
                .with_source(error)
                .with_hint("the file may be truncated, or compressed in another way than `compression` says")
        })
        .boxed())
}

fn changed(file: &InputFile, error: object_store::Error) -> Error {
    match error {
        object_store::Error::Precondition { .. } | object_store::Error::NotFound { .. } => {
            Error::new(
                crate::ErrorKind::Conflict,
                format!(
                    "'{}' changed or vanished while the step was running",
                    file.path
                ),
            )
            .with_hint("run the same command again once nobody writes to the input")
        }
        error => Error::storage(format!("'{}' cannot be read", file.path), error)
            .with_hint("check that the file may be read, then run the same command again"),
    }
}

/// A fault at a place in a file.
fn fault(file: &InputFile, place: &str, what: impl std::fmt::Display) -> Error {
    Error::input(format!("{}: {place}: {what}", file.path))
}

#[cfg(test)]
mod tests {
    use weir_pipeline::{Encoding, FailAction, OnFail, Undeclared};

    use super::*;

    #[test]
    fn braces_expand_to_every_choice() {
        assert_eq!(
            expand_braces("a{b,c}d{e,f}"),
            ["abde", "abdf", "acde", "acdf"]
        );
        assert_eq!(expand_braces("plain*"), ["plain*"]);
        assert_eq!(expand_braces("a[{]b{1,2}"), ["a[{]b1", "a[{]b2"]);
    }

    fn of_parquet(glob: &str, max_files: Option<u64>, max_bytes: Option<u64>) -> FileRead {
        FileRead {
            glob: glob.to_owned(),
            format: FileFormat::Parquet,
            compression: Compression::Auto,
            schema: FileSchema::FromFile,
            allow_missing: true,
            max_files,
            max_bytes,
            encoding: Encoding::Utf8,
            max_record: None,
            undeclared: Undeclared::Discard,
            on_fail: OnFail {
                action: FailAction::Fail,
                fail_above: None,
                warn_above: None,
            },
            items: None,
        }
    }

    #[test]
    fn a_batch_has_a_file_and_no_more_than_it_may() {
        let files: Vec<InputFile> = [5, 3, 4]
            .iter()
            .map(|size| InputFile {
                path: size.to_string(),
                size: *size,
                etag: None,
            })
            .collect();
        let taken = |max_files, max_bytes| {
            let read = of_parquet("", max_files, max_bytes);
            let (batch, more) = first_batch(files.clone(), &read);
            (batch.len(), more)
        };
        assert_eq!(taken(None, None), (3, false));
        assert_eq!(taken(Some(3), Some(12)), (3, false));
        assert_eq!(taken(Some(2), None), (2, true));
        assert_eq!(taken(None, Some(11)), (2, true));
        assert_eq!(taken(Some(2), Some(7)), (1, true));
        assert_eq!(taken(None, Some(1)), (1, true), "else it would never end");
    }

    #[tokio::test]
    async fn globs_match_below_a_folder_and_not_beside_it() {
        let dir = tempfile::tempdir().unwrap();
        for name in ["x/a_1.csv", "x/y/a_2.csv", "x/b_1.csv", "a_3.csv"] {
            let path = dir.path().join(name);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, "1").unwrap();
        }
        let matching = |glob: &str| {
            let read = of_parquet(glob, None, None);
            let dir = dir.path().to_owned();
            async move {
                list(&dir, &read, &Stores::default())
                    .await
                    .unwrap()
                    .iter()
                    .map(|file| file.path.rsplit('/').next().unwrap().to_owned())
                    .collect::<Vec<_>>()
            }
        };
        assert_eq!(
            matching("**/a_*.csv").await,
            ["a_3.csv", "a_1.csv", "a_2.csv"]
        );
        assert_eq!(matching("x/*.csv").await, ["a_1.csv", "b_1.csv"]);
        assert_eq!(matching("a_3.csv").await, ["a_3.csv"]);
        assert!(matching("none*").await.is_empty());
    }
}
