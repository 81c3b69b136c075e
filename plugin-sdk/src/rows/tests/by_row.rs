//! Row transforms as plugins.

use std::marker::PhantomData;
use std::sync::Arc;

use arrow::array::{ArrayRef, AsArray, Decimal128Array, Int64Array, RecordBatch, StringArray};
use arrow::datatypes::{DataType, Field, Int64Type, Schema};
use schemars::JsonSchema;
use serde::Deserialize;

use super::super::*;
use crate::testing::{Balance, Harness};
use crate::{Context, Emitter, Error, Info, Output, Rule, Transform};

const NEGATIVE: Rule = Rule {
    name: "negative",
    description: "No number is below zero.",
};
const UNDECLARED: Rule = Rule {
    name: "undeclared",
    description: "Not in the info.",
};

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Config {
    /// Numbers above are dropped.
    #[serde(default = "most")]
    most: i64,
}

fn most() -> i64 {
    100
}

#[derive(FromRow)]
struct Input<'a> {
    n: i64,
    name: Option<&'a str>,
}

#[derive(IntoRow)]
struct Number<'a> {
    n: i64,
    name: Option<&'a str>,
}

#[derive(IntoRow)]
struct Divisor {
    of: i64,
    by: i64,
}

/// Gives each number and its divisors, each to an output of its own.
struct Numbers {
    most: i64,
}

impl RowTransform for Numbers {
    type Config = Config;
    type Input<'a> = Input<'a>;
    type Output<'a> = (Option<Number<'a>>, Vec<Divisor>);

    const INFO: Info = Info {
        name: "numbers",
        version: "0.1.0",
        description: "Divides.",
        columns: Input::COLUMNS,
        rules: &[NEGATIVE, MISSING_VALUE],
    };
    const OUTPUTS: &'static [&'static str] = &["numbers", "divisors"];

    fn bind(config: Config, context: &Context) -> Result<Self, Error> {
        if context.run.parameter("refuse").is_some() {
            return Err(Error::config("refused"));
        }
        Ok(Self { most: config.most })
    }

    fn row<'a>(&'a self, row: Input<'a>) -> Result<Self::Output<'a>, Rejection> {
        let Input { n, name } = row;
        if n < 0 {
            return Err(Rejection::new(&NEGATIVE, "n is below zero"));
        }
        if n == 77 {
            return Err(Rejection::new(&UNDECLARED, "n is odd"));
        }
        let divisors = (1..=n).filter(|by| n % by == 0);
        Ok((
            (n <= self.most).then_some(Number { n, name }),
            divisors.map(|by| Divisor { of: n, by }).collect(),
        ))
    }
}

fn batch(numbers: Vec<Option<i64>>) -> RecordBatch {
    let names: StringArray = numbers.iter().map(|n| n.map(|n| format!("n{n}"))).collect();
    RecordBatch::try_from_iter_with_nullable([
        ("name", Arc::new(names) as ArrayRef, true),
        ("n", Arc::new(Int64Array::from(numbers)), true),
    ])
    .unwrap()
}

fn numbers(batch: &RecordBatch, column: usize) -> Vec<i64> {
    batch
        .column(column)
        .as_primitive::<Int64Type>()
        .values()
        .to_vec()
}

#[test]
fn rows_go_to_their_outputs_and_keep_their_origin() {
    let rows = vec![Some(4), Some(-1), None, Some(101), Some(0), Some(3)];
    let outcome = Harness::new("{}")
        .transform::<ByRow<Numbers>>(&[batch(rows), batch(vec![Some(1), Some(-7)])])
        .unwrap();
    assert_eq!(
        outcome.balance(),
        Balance {
            read: 8,
            accepted: 5,
            rejected: 3,
            dropped: 0
        }
    );
    assert_eq!(outcome.rejected("negative"), [1, 7]);
    assert_eq!(outcome.rejected("missing_value"), [2]);
    let numbers_out = outcome.output("numbers").unwrap();
    assert_eq!(numbers(&numbers_out, 0), [4, 0, 3, 1]);
    assert_eq!(numbers_out.column(1).as_string::<i32>().value(0), "n4");
    let divisors = outcome.output("divisors").unwrap();
    assert_eq!(numbers(&divisors, 0), [4, 4, 4, 101, 101, 3, 3, 1]);
    assert_eq!(numbers(&divisors, 1), [1, 2, 4, 1, 101, 1, 3, 1]);
}

#[test]
fn the_origin_is_left_out_where_each_row_gives_one() {
    /// Records how batches come.
    #[derive(Default)]
    struct Origins(Vec<(usize, Option<Vec<u32>>)>);
    impl crate::transform::EmitSink for Origins {
        fn emit(
            &mut self,
            output: usize,
            _: &RecordBatch,
            origin: Option<&[u32]>,
        ) -> Result<(), Error> {
            self.0.push((output, origin.map(<[u32]>::to_vec)));
            Ok(())
        }
        fn reject(&mut self, _: &[u32], _: &str, _: &str) {}
    }
    let origins = |rows: Vec<Option<i64>>| {
        let batch = batch(rows);
        let context = Context {
            input: batch.schema(),
            ..Context::default()
        };
        let mut bound =
            crate::transform::BoundTransform::<ByRow<Numbers>>::bind("{}", &context).unwrap();
        let mut sink = Origins::default();
        bound.process(&batch, &mut sink).unwrap();
        sink.0
    };
    assert_eq!(
        origins(vec![Some(1), Some(2)]),
        [(0, None), (1, Some(vec![0, 1, 1]))]
    );
    assert_eq!(
        origins(vec![Some(0), Some(-1), Some(1)]),
        [(0, Some(vec![0, 2])), (1, Some(vec![2]))]
    );
    // As many rows as were read, but not one of each.
    assert_eq!(
        origins(vec![Some(101), Some(2)]),
        [(0, Some(vec![1])), (1, Some(vec![0, 0, 1, 1]))]
    );
    assert_eq!(origins(vec![Some(-1)]), []);
    assert_eq!(origins(vec![]), []);
}

#[test]
fn what_bind_cannot_take_is_an_error() {
    let bind = |harness: Harness| harness.bind::<ByRow<Numbers>>();
    let outputs = bind(Harness::new("{}").input(batch(vec![]).schema())).unwrap();
    assert_eq!(outputs[0].name, "numbers");
    assert_eq!(outputs[1].schema, schema::<Divisor>());

    let Err(Error::Data(message)) = bind(Harness::new("{}")) else {
        panic!("there are no columns")
    };
    assert!(
        message.contains("column `n`: Int64 expected, none found"),
        "{message}"
    );
    let schema = Schema::new(vec![
        Field::new("n", DataType::Int64, true),
        Field::new("name", DataType::Utf8, true),
    ]);
    let bound = Harness::new("{}").input(schema);
    assert!(bind(bound.clone()).is_ok());
    let refused = bind(bound.parameter("refuse", "1"));
    assert_eq!(refused, Err(Error::config("refused")));
    assert!(matches!(
        bind(Harness::new(r#"{"least":1}"#)),
        Err(Error::Config(_))
    ));
}

#[test]
fn a_rule_that_is_not_declared_ends_the_run() {
    let result = Harness::new("{}").transform::<ByRow<Numbers>>(&[batch(vec![Some(77)])]);
    let Err(Error::Fatal(message)) = result else {
        panic!("it was taken")
    };
    assert!(message.contains("undeclared"), "{message}");
}

/// Misnames its outputs; has each of the forms that one output has.
struct Forms<const OUTPUTS: usize>;

#[derive(Clone, FromRow, IntoRow)]
struct Plain {
    n: Option<i64>,
}

impl<const OUTPUTS: usize> RowTransform for Forms<OUTPUTS> {
    type Config = Config;
    type Input<'a> = Plain;
    type Output<'a> = (Plain, [Plain; 2], Vec<Plain>);

    // No field refuses a null, so that no rule is needed.
    const INFO: Info = Info {
        name: "forms",
        version: "0.1.0",
        description: "",
        columns: &[],
        rules: &[],
    };
    const OUTPUTS: &'static [&'static str] = ["one", "two", "none"].split_at(OUTPUTS).0;

    fn bind(_: Config, _: &Context) -> Result<Self, Error> {
        Ok(Self)
    }

    fn row(&self, row: Plain) -> Result<(Plain, [Plain; 2], Vec<Plain>), Rejection> {
        Ok((row.clone(), [row.clone(), Plain { n: None }], Vec::new()))
    }

    fn finish(&mut self) -> Result<(), Error> {
        crate::metric("finished", 1.0);
        Ok(())
    }
}

#[test]
fn a_row_becomes_one_or_several_or_none() {
    let outcome = Harness::new("{}")
        .transform::<ByRow<Forms<3>>>(&[batch(vec![Some(1), None])])
        .unwrap();
    let nulls = |output: &str| outcome.output(output).unwrap().column(0).null_count();
    let rows = |output: &str| outcome.output(output).unwrap().num_rows();
    assert_eq!((rows("one"), nulls("one")), (2, 1));
    assert_eq!((rows("two"), nulls("two")), (4, 3));
    assert_eq!(rows("none"), 0);
    assert_eq!(outcome.metric("finished"), 1.0);
}

#[test]
fn outputs_have_a_name_each() {
    let bound = Harness::new("{}")
        .input(batch(vec![]).schema())
        .bind::<ByRow<Forms<2>>>();
    let expected = "`OUTPUTS` names 2 outputs, and `Output` has 3";
    assert_eq!(bound, Err(Error::fatal(expected)));
}

/// Makes `O` of an amount.
struct Pay<O>(PhantomData<O>);

#[derive(FromRow)]
struct Amount {
    paid: Option<Decimal<4, 2>>,
}

#[derive(IntoRow)]
struct Paid {
    paid: Option<Decimal<4, 2>>,
}

/// Has two columns of one name.
#[derive(IntoRow)]
struct PaidTwice {
    paid: Option<Decimal<4, 2>>,
    #[row(flatten)]
    again: Paid,
}

impl From<Amount> for Paid {
    fn from(Amount { paid }: Amount) -> Self {
        Self { paid }
    }
}

impl From<Amount> for PaidTwice {
    fn from(Amount { paid }: Amount) -> Self {
        let again = Paid { paid };
        Self { paid, again }
    }
}

impl<O: IntoRow + From<Amount> + 'static> RowTransform for Pay<O> {
    type Config = Config;
    type Input<'a> = Amount;
    type Output<'a> = O;

    const INFO: Info = Info {
        name: "pay",
        version: "0.1.0",
        description: "",
        columns: Amount::COLUMNS,
        rules: &[MISSING_VALUE],
    };

    fn bind(_: Config, _: &Context) -> Result<Self, Error> {
        Ok(Self(PhantomData))
    }

    fn row(&self, row: Amount) -> Result<O, Rejection> {
        Ok(row.into())
    }
}

fn amounts(units: Vec<Option<i128>>) -> RecordBatch {
    let paid = Decimal128Array::from(units).with_precision_and_scale(4, 2);
    let paid: ArrayRef = Arc::new(paid.unwrap());
    RecordBatch::try_from_iter_with_nullable([("paid", paid, true)]).unwrap()
}

#[test]
fn a_row_with_too_long_a_decimal_is_rejected() {
    let outcome = Harness::new("{}")
        .transform::<ByRow<Pay<Paid>>>(&[amounts(vec![Some(99_99), Some(10_000), None])])
        .unwrap();
    assert_eq!(outcome.output("out").unwrap().num_rows(), 2);
    assert_eq!(outcome.rejected("missing_value"), [1]);
    assert_eq!(
        outcome.rejections[0].message,
        "column `paid` has more than 4 digits"
    );
}

/// The host would refuse them too.
#[test]
fn two_columns_of_one_name_do_not_leave_a_plugin() {
    let harness = Harness::new("{}").input(amounts(vec![]).schema());
    assert!(harness.bind::<ByRow<Pay<Paid>>>().is_ok());
    assert_eq!(
        harness.bind::<ByRow<Pay<PaidTwice>>>(),
        Err(Error::fatal("two columns are named `paid`"))
    );
}

#[test]
fn an_output_to_which_nothing_goes_takes_no_memory() {
    let outputs = Output::only(schema::<Paid>());
    // There is no room for so many rows.
    let mut made = <Option<Paid> as IntoRows>::begin(&mut outputs.iter(), usize::MAX).unwrap();
    None.add(0, &mut made);
}

/// The same as [`Numbers`]' first output, over a whole batch: rows may be read within any transform.
struct Whole {
    layout: Layout,
    output: arrow::datatypes::SchemaRef,
}

impl Transform for Whole {
    type Config = Config;

    const INFO: Info = Numbers::INFO;

    fn bind(_: Config, context: &Context) -> Result<(Self, Vec<Output>), Error> {
        let output = schema::<Number>();
        let layout = Layout::of::<Input>(&context.input)?;
        Ok((
            Self {
                layout,
                output: output.clone(),
            },
            Output::only(output),
        ))
    }

    fn process(&mut self, rows: &RecordBatch, out: &mut Emitter<'_>) -> Result<(), Error> {
        let mut made = Builder::new(self.output.clone(), rows.num_rows());
        for (row, at) in self.layout.read::<Input>(rows)?.zip(0..) {
            match row {
                Ok(Input { n, name }) => made.push(Number { n, name }),
                Err(fault) => {
                    out.reject(at, &MISSING_VALUE, fault.to_string());
                    made.push(Number { n: 0, name: None });
                }
            }
        }
        out.emit(&made.finish()?);
        Ok(())
    }
}

#[test]
fn a_transform_over_batches_reads_and_makes_rows_too() {
    let outcome = Harness::new("{}")
        .transform::<Whole>(&[batch(vec![Some(1), None, Some(3)])])
        .unwrap();
    assert_eq!(numbers(&outcome.output("out").unwrap(), 0), [1, 3]);
    assert_eq!(outcome.rejected("missing_value"), [1]);
}
