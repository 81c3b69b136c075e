//! Tables of DynamoDB as input. Each segment of a scan counts as a file, so that rows have an origin, and items
//! that cannot be read go where bad records of files go.

use std::fmt;
use std::sync::Arc;

use bytes::Bytes;
use futures::StreamExt;
use futures::stream::BoxStream;
use url::Url;
use weir_dynamodb::{Client, Credentials, RateLimit, Retry, ScanSpec, Settings};
use weir_pipeline::{Column, Dynamodb, FileFormat, FileRead, FileSchema, ItemScan, Undeclared};

use crate::connections::Connections;
use crate::error::{Error, Result};
use crate::files::InputFile;

/// A table that is read, with a connection to it. Clones share both, and the limit of its units.
#[derive(Clone)]
pub(crate) struct Items(Arc<Inner>);

struct Inner {
    client: Client,
    scan: ItemScan,
    limit: Option<RateLimit>,
    /// The attributes that are asked for; absent: all.
    attributes: Option<Vec<String>>,
}

impl fmt::Debug for Items {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Items({})", called(&self.0.scan))
    }
}

/// How long DynamoDB is asked again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Patience {
    /// A few times: somebody waits for the answer.
    Plan,
    /// Until others let it answer.
    Run,
}

/// How people call a table.
fn called(scan: &ItemScan) -> String {
    format!("{}:{}", scan.connection, scan.table)
}

/// The segments of a table, each as a file.
pub(crate) fn segments(scan: &ItemScan) -> Vec<InputFile> {
    (0..scan.segments)
        .map(|segment| InputFile {
            path: segment_path(scan, segment),
            size: 0,
            etag: None,
        })
        .collect()
}

fn segment_path(scan: &ItemScan, segment: u32) -> String {
    format!(
        "dynamodb://{}/{}/segment-{}-of-{}",
        scan.connection,
        scan.table,
        segment + 1,
        scan.segments
    )
}

impl Items {
    /// Connects to the table that `read` names; none if it reads files.
    ///
    /// # Errors
    /// Usage, for what the pipeline file says of the connection.
    pub(crate) async fn of(
        read: &FileRead,
        connections: &Connections,
        patience: Patience,
    ) -> Result<Option<Items>> {
        let Some(scan) = &read.items else {
            return Ok(None);
        };
        let (settings, limit) = (
            settings(connections, &scan.connection, patience)?,
            scan.read_units.map(|units| RateLimit::new(units as f64)),
        );
        let limit = limit
            .transpose()
            .map_err(|error| told(&called(scan), error))?;
        let client = Client::connect(settings)
            .await
            .map_err(|error| told(&format!("connection '{}'", scan.connection), error))?;
        Ok(Some(Items(Arc::new(Inner {
            client,
            scan: scan.clone(),
            limit,
            attributes: attributes(read),
        }))))
    }

    /// That the table is there and can be read.
    ///
    /// # Errors
    /// Input, if it is not; storage, if DynamoDB cannot be reached.
    pub(crate) async fn look(&self) -> Result<()> {
        let scan = &self.0.scan;
        let table = self.0.client.describe(&scan.table).await;
        let table = table.map_err(|error| told(&called(scan), error))?;
        match table.status.can_be_read() {
            true => Ok(()),
            false => Err(Error::input(format!(
                "{}: the table cannot be read now, its status is {:?}",
                called(scan),
                table.status
            ))
            .with_hint("wait until it is active, then run the same command again")),
        }
    }

    /// The items of a segment, a line of JSON each.
    pub(crate) fn read(&self, file: &InputFile) -> Result<BoxStream<'static, Result<Bytes>>> {
        let Inner {
            client,
            scan,
            limit,
            attributes,
        } = &*self.0;
        let segment = (0..scan.segments)
            .find(|segment| segment_path(scan, *segment) == file.path)
            .ok_or_else(|| Error::internal("a segment that is not of the table"))?;
        let spec = ScanSpec {
            table: scan.table.clone(),
            segments: scan.segments,
            segment,
            projection: attributes.clone(),
            consistent: scan.consistent,
            page_items: None,
        };
        let target = called(scan);
        let pages = client
            .scan(spec, limit.clone())
            .map_err(|error| told(&target, error))?;
        let lines = pages.map(move |page| match page {
            Ok(page) => Ok(page.lines),
            Err(error) => Err(told(&target, error)),
        });
        Ok(lines.boxed())
    }
}

/// Attributes that no column takes need not be sent.
fn attributes(read: &FileRead) -> Option<Vec<String>> {
    /// More names than this make a request too long.
    const MOST: usize = 500;
    let whole = matches!(
        &read.format,
        FileFormat::DynamodbJson {
            item_column: Some(_)
        }
    );
    match &read.schema {
        FileSchema::Declared(columns)
            if !whole && read.undeclared == Undeclared::Discard && columns.len() <= MOST =>
        {
            let name =
                |column: &Column| column.source.clone().unwrap_or_else(|| column.name.clone());
            Some(columns.iter().map(name).collect())
        }
        FileSchema::Declared(_) | FileSchema::FromFile => None,
    }
}

fn settings(connections: &Connections, name: &str, patience: Patience) -> Result<Settings> {
    let (dynamodb, secret) = connections.dynamodb(name)?;
    let Dynamodb {
        region,
        endpoint,
        key,
    } = dynamodb;
    let credentials = match key {
        None => Credentials::Chain,
        Some(key) => Credentials::Key {
            id: secret("access_key_id", &key.id)?,
            secret: secret("secret_access_key", &key.secret)?,
            session_token: match &key.session_token {
                None => None,
                Some(source) => Some(secret("session_token", source)?),
            },
        },
    };
    let endpoint = match endpoint {
        None => None,
        Some(text) => Some(Url::parse(text).map_err(|error| {
            Error::usage(format!(
                "connection '{name}': `endpoint` is no URL: {error}"
            ))
            .with_hint("write http:// or https://, a host and perhaps a port")
        })?),
    };
    let retry = match patience {
        Patience::Run => Retry::default(),
        Patience::Plan => Retry {
            attempts: 4,
            ..Retry::default()
        },
    };
    Ok(Settings {
        endpoint,
        retry,
        ..Settings::new(region, credentials)
    })
}

/// An error of the client, as one of `target`.
fn told(target: &str, error: weir_dynamodb::Error) -> Error {
    use weir_dynamodb::Error as Is;
    let hint = error.hint();
    let what = format!("{target}: {error}");
    match error {
        Is::Unreachable { .. } | Is::Throttled { .. } | Is::Failing { .. } => {
            Error::storage(what, error).with_hint(hint)
        }
        Is::Setting { .. } => Error::usage(what).with_hint(hint),
        _ => Error::input(what).with_source(error).with_hint(hint),
    }
}
