//! arrow's decoders of a file's columns.

use std::sync::Arc;

use arrow::array::RecordBatch;
use arrow::datatypes::{FieldRef, Schema, SchemaRef};
use arrow::error::ArrowError;
use arrow::json::ReaderBuilder;
use arrow::json::reader::Decoder;

use super::{NO_FIT, decimals, told};
use crate::fault::DecodeError;

/// Decode one text to columns; after an error they are of no use any more.
pub(super) struct Decoders {
    /// Of the columns in which no decimal is, or of none where all have one.
    plain: Option<Decoder>,
    /// Of the columns in which decimals are, with text in their place. It is given the same bytes and
    /// stops at the same ones: where documents end does not depend on columns.
    texts: Option<Decoder>,
    schema: SchemaRef,
}

impl Decoders {
    pub(super) fn new(schema: SchemaRef, batch_rows: usize) -> Result<Decoders, DecodeError> {
        let (mut plain, mut texts) = (Vec::new(), Vec::new());
        for field in schema.fields() {
            match decimals::as_text(field.data_type()) {
                Some(text) => texts.push(Arc::new(field.as_ref().clone().with_data_type(text))),
                None => plain.push(Arc::clone(field)),
            }
        }
        let decoder = |fields: Vec<FieldRef>, numbers_as_text| {
            ReaderBuilder::new(Arc::new(Schema::new(fields)))
                .with_batch_size(batch_rows)
                .with_coerce_primitive(numbers_as_text)
                .build_decoder()
        };
        // One of them counts the rows, though there be no column.
        let alone = texts.is_empty();
        Ok(Decoders {
            texts: (!alone).then(|| decoder(texts, true)).transpose()?,
            plain: (alone || !plain.is_empty())
                .then(|| decoder(plain, false))
                .transpose()?,
            schema,
        })
    }

    pub(super) fn schema(&self) -> &SchemaRef {
        &self.schema
    }

    /// Takes as much of `text` as makes a batch; how much that was.
    pub(super) fn decode(&mut self, text: &[u8]) -> Result<usize, ArrowError> {
        [&mut self.plain, &mut self.texts]
            .into_iter()
            .flatten()
            .try_fold(0, |_, decoder| decoder.decode(text))
    }

    /// Whether that many documents are there, and none is begun after them.
    pub(super) fn hold(&self, documents: usize) -> bool {
        [&self.plain, &self.texts]
            .into_iter()
            .flatten()
            .all(|decoder| decoder.len() >= documents && !decoder.has_partial_record())
    }

    /// The documents so far as rows, or what is wrong.
    pub(super) fn flush(&mut self) -> Result<Option<RecordBatch>, &'static str> {
        let flush =
            |decoder: &mut Option<Decoder>| decoder.as_mut().map_or(Ok(None), Decoder::flush);
        let (plain, texts) = (flush(&mut self.plain), flush(&mut self.texts));
        let plain = plain.map_err(|error| told(&error))?;
        let texts = texts.map_err(|error| told(&error))?;
        match (plain, texts) {
            (batch, None) => Ok(batch),
            (plain, Some(texts)) => match self.joined(plain.as_ref(), &texts) {
                Some(batch) => Ok(Some(batch)),
                None => Err(NO_FIT),
            },
        }
    }

    /// The columns of both in their order, decimals as such; none if one of these is none.
    fn joined(&self, plain: Option<&RecordBatch>, texts: &RecordBatch) -> Option<RecordBatch> {
        let columns = self.schema.fields().iter().map(|field| {
            let name = field.name();
            match texts.column_by_name(name) {
                Some(texts) => decimals::from_text(texts, field.data_type()),
                None => plain?.column_by_name(name).cloned(),
            }
        });
        let columns = columns.collect::<Option<Vec<_>>>()?;
        RecordBatch::try_new(Arc::clone(&self.schema), columns).ok()
    }
}
