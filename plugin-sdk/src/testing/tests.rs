use std::sync::Arc;

use arrow::array::{AsArray, Int32Array, RecordBatch};
use arrow::datatypes::{DataType, Field, Int32Type, Schema};
use schemars::JsonSchema;
use serde::Deserialize;

use super::*;
use crate::{Emitter, Info, Rule, Verdict, log, metric};

const ODD: Rule = Rule {
    name: "odd",
    description: "A number is even.",
};
const UNDECLARED: Rule = Rule {
    name: "undeclared",
    description: "Not in the info.",
};

/// A transform that breaks the contract in the way its configuration names.
struct Breach {
    breach: Breaches,
    batches: i32,
}

#[derive(Clone, Copy, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
enum Breaches {
    #[default]
    None,
    NoSuchOutput,
    OtherSchema,
    FewerRows,
    OriginOutOfRange,
    RejectOutOfRange,
    UndeclaredRule,
    BatchBorders,
    LargeType,
}

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Config {
    #[serde(default)]
    breach: Breaches,
}

impl Transform for Breach {
    type Config = Config;

    const INFO: Info = Info {
        name: "breach",
        version: "0.1.0",
        description: "Breaks the contract.",
        columns: &[],
        rules: &[ODD],
    };

    fn bind(config: Config, context: &Context) -> Result<(Self, Vec<Output>), Error> {
        context.positions(&["n"])?;
        let data_type = match config.breach {
            Breaches::LargeType => DataType::LargeUtf8,
            _ => DataType::Int32,
        };
        let schema = Arc::new(Schema::new(vec![Field::new("n", data_type, true)]));
        let outputs = vec![
            Output::new("even", schema.clone()),
            Output::new("twice", schema),
        ];
        Ok((
            Self {
                breach: config.breach,
                batches: 0,
            },
            outputs,
        ))
    }

    fn process(&mut self, rows: &RecordBatch, out: &mut Emitter<'_>) -> Result<(), Error> {
        self.batches += 1;
        let numbers = rows.column(0).as_primitive::<Int32Type>();
        for (row, number) in (0..).zip(numbers) {
            match number {
                Some(number) if number % 2 != 0 => out.reject(row, &ODD, "n is odd"),
                _ => {}
            }
        }
        match self.breach {
            Breaches::NoSuchOutput => out.emit_to(2, rows),
            Breaches::OtherSchema => {
                out.emit(&RecordBatch::try_from_iter([(
                    "m",
                    rows.column(0).clone(),
                )])?);
            }
            Breaches::FewerRows => out.emit(&rows.slice(0, 0)),
            Breaches::OriginOutOfRange => out.emit_from(1, &rows.slice(0, 1), &[7]),
            Breaches::RejectOutOfRange => out.reject(7, &ODD, "n is odd"),
            Breaches::UndeclaredRule => out.reject_rows(&[0], &UNDECLARED, "n is odd"),
            Breaches::BatchBorders => {
                let counted = Int32Array::from(vec![self.batches; rows.num_rows()]);
                out.emit(&RecordBatch::try_from_iter_with_nullable([(
                    "n",
                    Arc::new(counted) as _,
                    true,
                )])?);
            }
            Breaches::None | Breaches::LargeType => out.emit(rows),
        }
        Ok(())
    }
}

fn numbers(numbers: Vec<Option<i32>>) -> RecordBatch {
    let numbers: arrow::array::ArrayRef = Arc::new(Int32Array::from(numbers));
    RecordBatch::try_from_iter_with_nullable([("n", numbers, true)]).unwrap()
}

fn breach(breach: &str) -> Result<Outcome, Error> {
    let batches = [
        numbers(vec![Some(2), Some(3), None, Some(4)]),
        numbers(vec![Some(5), Some(6)]),
    ];
    Harness::new(format!(r#"{{ "breach": "{breach}" }}"#)).transform::<Breach>(&batches)
}

#[test]
fn breaches_of_the_contract_are_named() {
    for (name, message) in [
        (
            "no_such_output",
            "fatal: it emitted to output 2, but `bind` returned 2",
        ),
        ("other_schema", "fatal: output `even`: column "),
        (
            "fewer_rows",
            "fatal: output `even`: 0 rows emitted for 4 read; give each row's origin",
        ),
        (
            "origin_out_of_range",
            "fatal: output `twice`: origin 7 in a batch of 4 rows",
        ),
        (
            "reject_out_of_range",
            "fatal: rule `odd` names row 7 of a batch of 4 rows",
        ),
        (
            "undeclared_rule",
            "fatal: the rule `undeclared` is not among",
        ),
        (
            "batch_borders",
            "fatal: what it emits to `even` depends on where batches end",
        ),
        ("large_type", "fatal: column `n` has type LargeUtf8"),
        ("another", "config: unknown variant `another`"),
    ] {
        let error = breach(name).unwrap_err().to_string();
        assert!(error.starts_with(message), "{name}: {error}");
    }
}

/// A transform that keeps the contract with two outputs.
struct Halves(Arc<Schema>);

impl Transform for Halves {
    type Config = Config;

    const INFO: Info = Info {
        name: "halves",
        version: "0.1.0",
        description: "Halves.",
        columns: &["n"],
        rules: &[ODD],
    };

    fn bind(_: Config, context: &Context) -> Result<(Self, Vec<Output>), Error> {
        let schema = context.input.clone();
        let outputs = vec![
            Output::new("all", schema.clone()),
            Output::new("twice", schema.clone()),
        ];
        Ok((Self(schema), outputs))
    }

    fn process(&mut self, rows: &RecordBatch, out: &mut Emitter<'_>) -> Result<(), Error> {
        let numbers = rows.column(0).as_primitive::<Int32Type>();
        let mut origin = Vec::new();
        let mut twice = Vec::new();
        for (row, number) in (0..).zip(numbers) {
            let Some(number) = number else { continue };
            if number % 2 != 0 {
                out.reject(row, &ODD, "n is odd");
            }
            origin.extend([row, row]);
            twice.extend([number, number]);
        }
        let twice = RecordBatch::try_new(self.0.clone(), vec![Arc::new(Int32Array::from(twice))])?;
        out.emit_from(1, &twice, &origin);
        metric("rows", rows.num_rows() as f64);
        log::info("a batch");
        Ok(())
    }
}

#[test]
fn rejected_rows_are_withdrawn_and_rows_balance() {
    let batches = [
        numbers(vec![Some(2), Some(3), None, Some(4)]),
        numbers(vec![Some(5), Some(6)]),
    ];
    let outcome = Harness::new("{}")
        .parameter("date", "2010-03-12")
        .transform::<Halves>(&batches)
        .unwrap();
    assert_eq!(outcome.rejected("odd"), [1, 4]);
    let twice = outcome.output("twice").unwrap();
    assert_eq!(
        twice
            .column(0)
            .as_primitive::<Int32Type>()
            .values()
            .as_ref(),
        [2, 2, 4, 4, 6, 6]
    );
    assert_eq!(outcome.output("all").unwrap().num_rows(), 0);
    assert_eq!(outcome.output("none"), None);
    assert_eq!(
        outcome.balance(),
        Balance {
            read: 6,
            accepted: 3,
            rejected: 2,
            dropped: 1
        }
    );
    assert_eq!(outcome.metric("rows"), 6.0);
    assert_eq!(
        outcome.logs,
        [
            (Level::Info, "a batch".to_owned()),
            (Level::Info, "a batch".to_owned())
        ]
    );
}

/// A check that fails the first row of each batch, which no check may do.
struct First;

impl Check for First {
    type Config = Config;

    const INFO: Info = Info {
        name: "first",
        version: "0.1.0",
        description: "Fails first rows.",
        columns: &[],
        rules: &[ODD],
    };

    fn bind(_: Config, _: &Context) -> Result<Self, Error> {
        Ok(Self)
    }

    fn process(&mut self, _: &RecordBatch, out: &mut Verdict<'_>) -> Result<(), Error> {
        out.fail(0, &ODD, "first");
        Ok(())
    }
}

#[test]
fn a_check_that_depends_on_batch_borders_is_caught() {
    let error = Harness::new("")
        .check::<First>(&[numbers(vec![Some(1), Some(2), Some(3)])])
        .unwrap_err();
    assert_eq!(
        error.to_string(),
        "fatal: which rows it rejects depends on where batches end"
    );
}
