//! The files that Redshift loads: what is staged in the lake, in types that it reads as they are, on S3.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, RecordBatch};
use arrow::compute::{CastOptions, cast_with_options};
use arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use futures::StreamExt;
use serde_json::json;
use uuid::Uuid;
use weir_pipeline::S3Access;

use super::table::{LONGEST_BINARY, LONGEST_TEXT, STAGE, literal, staged_as};
use crate::connections::{Connections, ReadSecret};
use crate::data_file::{DataFileWriter, Lasting};
use crate::error::{Error, ErrorKind, Result};
use crate::lake::Location;
use crate::server::ServerCommit;
use crate::store::Stores;

/// The folder of one attempt to load a decision.
pub(super) struct Staging(Location);

/// The files of an attempt.
pub(super) struct Staged {
    /// The manifest, which names the files.
    manifest: Location,
    /// The schema of the rows.
    pub(super) rows: SchemaRef,
    /// The schema of the files.
    pub(super) schema: SchemaRef,
}

impl Staging {
    /// A new folder below `url`. Another process may load the same decision: each attempt has its own.
    ///
    /// # Errors
    /// Usage, if the store cannot be opened.
    pub(super) fn of(commit: &ServerCommit, stores: &Stores, url: &str) -> Result<Staging> {
        let attempt = Uuid::now_v7().to_string();
        Ok(Staging(
            Location::at_url(stores, url)?.child(&[&commit.run, &attempt]),
        ))
    }

    /// Writes the rows that `commit` adds, of which there are some.
    ///
    /// # Errors
    /// Input, for a value that Redshift does not keep; storage, if a store fails.
    pub(super) async fn write(&self, commit: &ServerCommit, stores: &Stores) -> Result<Staged> {
        let mut rows = commit.rows(stores)?;
        let mut next = rows.next().await.transpose()?;
        let of_rows = next.as_ref().map(RecordBatch::schema);
        let of_rows = of_rows.ok_or_else(|| Error::internal("staged files have no rows"))?;
        let schema = staged_schema(&of_rows);
        let mut writer = DataFileWriter::new(&self.0, "", &schema).lasting(Lasting::Passing);
        while let Some(batch) = next {
            let batch = staged_batch(&batch, &schema)
                .map_err(|error| error.within(&commit.target).into_refusal())?;
            writer.write(&batch).await?;
            next = rows.next().await.transpose()?;
        }
        let entries: Vec<_> = writer
            .finish()
            .await?
            .iter()
            .map(|file| {
                json!({
                    "url": self.0.file(&file.path).url().as_str(),
                    "mandatory": true,
                    "meta": { "content_length": file.bytes },
                })
            })
            .collect();
        let manifest = self.0.child(&["manifest.json"]);
        manifest.write_json(&json!({ "entries": entries })).await?;
        Ok(Staged {
            manifest,
            rows: of_rows,
            schema,
        })
    }

    /// Removes the files.
    ///
    /// # Errors
    /// Storage.
    pub(super) async fn remove(&self) -> Result<()> {
        self.0.remove_folder().await
    }
}

impl Staged {
    /// The statement that loads the files into the session's table.
    ///
    /// # Errors
    /// Usage, if a secret cannot be read.
    pub(super) fn copy(&self, connections: &Connections, connection: &str) -> Result<String> {
        let (redshift, read) = connections.redshift(connection)?;
        let access = access(&redshift.access, &read)?;
        let region = match &redshift.region {
            Some(region) => format!(" region {}", literal(region)),
            None => String::new(),
        };
        Ok(format!(
            "copy {STAGE} from {} {access}{region} format as parquet manifest",
            literal(self.manifest.url().as_str())
        ))
    }
}

/// As whom Redshift reads the files, in its words.
fn access(access: &S3Access, read: &ReadSecret<'_>) -> Result<String> {
    Ok(match access {
        S3Access::Role(role) if role == "default" => "iam_role default".to_owned(),
        S3Access::Role(role) => format!("iam_role {}", literal(role)),
        S3Access::Key(key) => {
            let secret = |name: &str, source| {
                let value = read(name, source)?;
                Ok::<_, Error>(format!("{name} {}", literal(&value)))
            };
            let mut words = vec![
                secret("access_key_id", &key.id)?,
                secret("secret_access_key", &key.secret)?,
            ];
            if let Some(token) = &key.session_token {
                words.push(secret("session_token", token)?);
            }
            words.join(" ")
        }
    })
}

fn staged_schema(rows: &Schema) -> SchemaRef {
    let fields: Vec<Field> = rows
        .fields()
        .iter()
        .map(|field| Field::new(field.name(), staged_as(field.data_type()), true))
        .collect();
    Arc::new(Schema::new(fields))
}

fn staged_batch(batch: &RecordBatch, schema: &SchemaRef) -> Result<RecordBatch> {
    let mut columns = Vec::with_capacity(batch.num_columns());
    for (field, column) in schema.fields().iter().zip(batch.columns()) {
        let staged = staged(column, field.data_type())?;
        let unfit = match field.data_type() {
            DataType::Utf8 => staged.as_string::<i32>().iter().flatten().find_map(no_text),
            DataType::Binary => {
                let long = |bytes: &[u8]| bytes.len() > LONGEST_BINARY;
                let binary = staged.as_binary::<i32>();
                let long = binary.iter().flatten().find(|bytes| long(bytes));
                long.map(|bytes| too_long(bytes.len(), LONGEST_BINARY))
            }
            _ => None,
        };
        if let Some(why) = unfit {
            return Err(Error::new(
                ErrorKind::Input,
                format!("a value of column '{}' {why}", field.name()),
            )
            .with_hint("cut it in a query, or check its length before it is written"));
        }
        columns.push(staged);
    }
    Ok(RecordBatch::try_new(Arc::clone(schema), columns)?)
}

fn no_text(text: &str) -> Option<String> {
    if text.len() > LONGEST_TEXT {
        return Some(too_long(text.len(), LONGEST_TEXT));
    }
    text.contains('\0')
        .then(|| "holds a NUL, which Redshift's texts cannot".to_owned())
}

fn too_long(bytes: usize, longest: usize) -> String {
    format!("has {bytes} bytes, and Redshift keeps {longest} at most")
}

/// A column in the type of the files; moments are said in UTC.
fn staged(column: &ArrayRef, to: &DataType) -> Result<ArrayRef> {
    let options = CastOptions {
        safe: false,
        ..CastOptions::default()
    };
    let moments = match column.data_type() {
        DataType::Timestamp(unit, Some(_)) => Some(cast_with_options(
            &cast_with_options(
                column,
                &DataType::Timestamp(*unit, Some("UTC".into())),
                &options,
            )?,
            &DataType::Timestamp(*unit, None),
            &options,
        )?),
        _ => None,
    };
    let column = moments.as_ref().unwrap_or(column);
    Ok(cast_with_options(column, to, &options)?)
}

#[cfg(test)]
mod tests {
    use arrow::array::{
        Int8Array, StringArray, Time64MicrosecondArray, TimestampMicrosecondArray, UInt64Array,
    };

    use super::*;

    #[test]
    fn moments_are_texts_in_utc() {
        // 2024-02-29T12:30:00.000001Z, in a zone that is an hour ahead.
        let moment = 1_709_209_800_000_001;
        let zoned =
            TimestampMicrosecondArray::from(vec![Some(moment), None]).with_timezone("+01:00");
        let naive = TimestampMicrosecondArray::from(vec![moment]);
        let time = Time64MicrosecondArray::from(vec![45_000_000_001]);
        for (column, text) in [
            (Arc::new(zoned) as ArrayRef, "2024-02-29T12:30:00.000001"),
            (Arc::new(naive), "2024-02-29T12:30:00.000001"),
            (Arc::new(time), "12:30:00.000001"),
        ] {
            let to = staged_as(column.data_type());
            let texts = staged(&column, &to).unwrap();
            assert_eq!(texts.as_string::<i32>().value(0), text);
        }
    }

    #[test]
    fn values_that_redshift_does_not_keep_are_refused_by_their_column() {
        let batch = |column: ArrayRef| {
            let batch = RecordBatch::try_from_iter([("note", column)]).unwrap();
            let schema = staged_schema(&batch.schema());
            staged_batch(&batch, &schema)
        };
        let texts = |text: &str| Arc::new(StringArray::from(vec![text])) as ArrayRef;
        assert!(batch(texts(&"é".repeat(32_767))).is_ok());
        for (text, says) in [
            ("é".repeat(32_768), "65536 bytes"),
            ("a\0b".to_owned(), "NUL"),
        ] {
            let error = batch(texts(&text)).unwrap_err().to_string();
            assert!(error.contains("'note'") && error.contains(says), "{error}");
        }
        let wide = batch(Arc::new(UInt64Array::from(vec![u64::MAX]))).unwrap();
        assert_eq!(*wide.column(0).data_type(), DataType::Decimal128(20, 0));
        let narrow = batch(Arc::new(Int8Array::from(vec![-1]))).unwrap();
        assert_eq!(*narrow.column(0).data_type(), DataType::Int16);
    }
}
