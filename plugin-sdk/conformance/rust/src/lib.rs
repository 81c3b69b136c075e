//! The canonical transform of the conformance set: what it does is said in `../README.md`. The same
//! transform stands beside it in Python and in JavaScript; all three must hand the same bytes to the
//! host.

#[cfg(test)]
mod tests;

use std::sync::Arc;

use weir_plugin::arrow::array::{
    BooleanArray, Date32Array, Decimal128Array, Int64Array, ListBuilder, StringArray,
    StringBuilder, StructArray, UInt32Array,
};
use weir_plugin::arrow::buffer::NullBuffer;
use weir_plugin::arrow::compute::take_record_batch;
use weir_plugin::arrow::datatypes::{Fields, Int64Type};
use weir_plugin::prelude::*;

struct Conformance {
    tag: String,
    id: usize,
    facts: SchemaRef,
}

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Config {
    /// What labels begin with.
    tag: String,
}

/// 9999-12-31, the last day that all languages have.
const LAST_DAY: i32 = 2_932_896;

const NO_ID: Rule = Rule {
    name: "no_id",
    description: "A row has an id.",
};
const NEGATIVE_ID: Rule = Rule {
    name: "negative_id",
    description: "An id is zero or more.",
};

impl Transform for Conformance {
    type Config = Config;

    const INFO: Info = Info {
        name: "conformance",
        version: env!("CARGO_PKG_VERSION"),
        description: "Does the same in every language.",
        columns: &["id"],
        rules: &[NO_ID, NEGATIVE_ID],
    };

    fn bind(config: Config, context: &Context) -> Result<(Self, Vec<Output>), Error> {
        let id = context.input.index_of("id").map_err(Error::data)?;
        let word = Field::new("item", DataType::Utf8, true);
        let facts = Arc::new(Schema::new(vec![
            Field::new("id", DataType::Int64, false),
            Field::new("label", DataType::Utf8, false),
            Field::new("nulls", DataType::UInt32, false),
            Field::new("share", DataType::Decimal128(20, 2), true),
            Field::new("day", DataType::Date32, true),
            Field::new("words", DataType::List(Arc::new(word)), true),
            Field::new("place", DataType::Struct(place()), true),
        ]));
        let outputs = vec![
            Output::new("kept", context.input.clone()),
            Output::new("facts", facts.clone()),
        ];
        let tag = config.tag;
        Ok((Self { tag, id, facts }, outputs))
    }

    fn process(&mut self, rows: &RecordBatch, out: &mut Emitter<'_>) -> Result<(), Error> {
        let ids = rows.column(self.id).as_primitive::<Int64Type>();
        let mut kept = Vec::new();
        for (row, id) in (0u32..).zip(ids) {
            match id {
                None => out.reject(row, &NO_ID, NO_ID.description),
                Some(id) if id < 0 => out.reject(row, &NEGATIVE_ID, "the id is negative"),
                Some(_) => kept.push(row),
            }
        }
        let facts = self.facts_of(rows, ids, &kept)?;
        kept.reverse();
        let indices = UInt32Array::from(kept.clone());
        out.emit_from(0, &take_record_batch(rows, &indices)?, &kept);
        kept.reverse();
        out.emit_from(1, &facts, &kept);
        Ok(())
    }
}

impl Conformance {
    fn facts_of(
        &self,
        rows: &RecordBatch,
        ids: &Int64Array,
        kept: &[u32],
    ) -> Result<RecordBatch, Error> {
        let kept_ids: Vec<i64> = kept.iter().map(|row| ids.value(*row as usize)).collect();
        let labels = kept_ids.iter().map(|id| format!("{} {id}", self.tag));
        let nulls = kept.iter().map(|row| {
            let of_row = rows.columns().iter();
            of_row
                .map(|column| u32::from(column.is_null(*row as usize)))
                .sum::<u32>()
        });
        let shares = kept_ids
            .iter()
            .map(|id| (id % 3 != 0).then_some(i128::from(*id) * 25));
        let days = kept_ids
            .iter()
            .map(|id| i32::try_from(*id).ok().filter(|day| *day <= LAST_DAY));
        let mut words = ListBuilder::new(StringBuilder::new());
        for id in &kept_ids {
            for word in 0..id % 4 {
                match word {
                    1 => words.values().append_null(),
                    _ => words.values().append_value(format!("wört {word}")),
                }
            }
            words.append(true);
        }
        let there: Vec<bool> = kept_ids.iter().map(|id| id % 5 != 0).collect();
        let even: BooleanArray = kept_ids
            .iter()
            .map(|id| Some(id % 5 != 0 && id % 2 == 0))
            .collect();
        let text: StringArray = kept_ids
            .iter()
            .map(|id| (id % 5 != 0 && id % 7 != 0).then(|| id.to_string()))
            .collect();
        let place = StructArray::try_new(
            place(),
            vec![Arc::new(even), Arc::new(text)],
            Some(NullBuffer::from(there)),
        )?;
        let columns: Vec<ArrayRef> = vec![
            Arc::new(Int64Array::from(kept_ids.clone())),
            Arc::new(labels.map(Some).collect::<StringArray>()),
            Arc::new(UInt32Array::from_iter_values(nulls)),
            Arc::new(
                shares
                    .collect::<Decimal128Array>()
                    .with_precision_and_scale(20, 2)?,
            ),
            Arc::new(days.collect::<Date32Array>()),
            Arc::new(words.finish()),
            Arc::new(place),
        ];
        Ok(RecordBatch::try_new(self.facts.clone(), columns)?)
    }
}

/// The fields of `place`.
fn place() -> Fields {
    vec![
        Field::new("even", DataType::Boolean, false),
        Field::new("text", DataType::Utf8, true),
    ]
    .into()
}

weir_plugin::export_transform!(Conformance);
