//! Applies a linear model to rows: each feature times its coefficient, and a constant.
//!
//! The model comes as a side input, so that it is a table like any other: it has versions, and a new one needs no
//! new plugin.

use std::sync::Arc;

use weir_plugin::arrow::array::Float64Array;
use weir_plugin::arrow::compute::cast;
use weir_plugin::prelude::*;

/// The side input that holds the model.
const MODEL: &str = "model";
/// The feature that is the constant term.
const INTERCEPT: &str = "(intercept)";

const MISSING_FEATURE: Rule = Rule {
    name: "missing_feature",
    description: "A row has a finite value of each feature of the model.",
};

/// The plugin's configuration.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Config {
    /// The name of the column that takes the predictions.
    #[serde(default = "prediction")]
    prediction: String,
}

fn prediction() -> String {
    "prediction".to_owned()
}

struct LinearPrediction {
    input: SchemaRef,
    output: SchemaRef,
    model: Model,
}

/// A linear model.
#[derive(Default)]
struct Model {
    intercept: f64,
    /// Each with the column of the input that it multiplies.
    coefficients: Vec<(usize, f64)>,
}

impl Transform for LinearPrediction {
    type Config = Config;

    const INFO: Info = Info {
        name: "linear-prediction",
        version: env!("CARGO_PKG_VERSION"),
        description: "Applies a linear model to rows.",
        columns: &[],
        rules: &[MISSING_FEATURE],
    };

    fn bind(config: Config, context: &Context) -> Result<(Self, Vec<Output>), Error> {
        let model = context.side_input(MODEL)?;
        model.has("feature", &DataType::Utf8)?;
        model.has("coefficient", &DataType::Float64)?;
        for field in context.input.fields() {
            let data_type = field.data_type();
            if !(data_type.is_numeric() || *data_type == DataType::Boolean) {
                return Err(Error::data(format!(
                    "column '{}' is {data_type}, and a linear model needs numbers: grant its features only",
                    field.name()
                )));
            }
        }
        let output = Arc::new(Schema::new(vec![Field::new(
            config.prediction,
            DataType::Float64,
            false,
        )]));
        let plugin = LinearPrediction {
            input: Arc::clone(&context.input),
            output: Arc::clone(&output),
            model: Model::default(),
        };
        Ok((plugin, Output::only(output)))
    }

    fn load(&mut self, side_inputs: &mut SideInputs) -> Result<(), Error> {
        self.model = Model::of(&side_inputs.read(MODEL)?, &self.input)?;
        Ok(())
    }

    fn process(&mut self, rows: &RecordBatch, out: &mut Emitter<'_>) -> Result<(), Error> {
        let mut sums = vec![self.model.intercept; rows.num_rows()];
        for (column, coefficient) in &self.model.coefficients {
            let column = cast(rows.column(*column), &DataType::Float64)?;
            let column: &Float64Array = column.as_primitive();
            for (row, sum) in sums.iter_mut().enumerate() {
                let value = match column.is_valid(row) {
                    true => column.value(row),
                    false => f64::NAN,
                };
                *sum += coefficient * value;
            }
        }
        let missing: Vec<u32> = (0..)
            .zip(&mut sums)
            .filter(|(_, sum)| !sum.is_finite())
            .map(|(row, sum)| {
                // A placeholder: the row is rejected.
                *sum = 0.0;
                row
            })
            .collect();
        out.reject_rows(&missing, &MISSING_FEATURE, "a feature has no finite value");
        let predictions = Arc::new(Float64Array::from(sums));
        out.emit(&RecordBatch::try_new(
            Arc::clone(&self.output),
            vec![predictions],
        )?);
        Ok(())
    }
}

impl Model {
    /// Reads the model's table; `input` has the features.
    fn of(rows: &RecordBatch, input: &Schema) -> Result<Model, Error> {
        let column = |name: &str| {
            let column = rows.column_by_name(name);
            column.ok_or_else(|| Error::fatal(format!("the model has lost its column {name}")))
        };
        let features = column("feature")?.as_string::<i32>();
        let coefficients: &Float64Array = column("coefficient")?.as_primitive();
        let mut intercept = None;
        let mut by_column: Vec<(usize, f64)> = Vec::with_capacity(rows.num_rows());
        for (feature, coefficient) in features.iter().zip(coefficients) {
            let (Some(feature), Some(coefficient)) = (feature, coefficient) else {
                return Err(Error::data("the model has a row with a null"));
            };
            if !coefficient.is_finite() {
                return Err(Error::data(format!(
                    "the coefficient of '{feature}' in the model is no finite number"
                )));
            }
            let twice = match feature {
                INTERCEPT => intercept.replace(coefficient).is_some(),
                feature => {
                    let column = input.index_of(feature).map_err(|_| {
                        Error::data(format!(
                            "the model has the feature '{feature}', which is not granted: add it to grant.columns"
                        ))
                    })?;
                    let known = by_column.iter().any(|(known, _)| *known == column);
                    by_column.push((column, coefficient));
                    known
                }
            };
            if twice {
                return Err(Error::data(format!(
                    "the model has '{feature}' twice: hand over one model, with a query if the table keeps several"
                )));
            }
        }
        let intercept = intercept.ok_or_else(|| {
            Error::data(format!(
                "the model has no row '{INTERCEPT}': is the table empty?"
            ))
        })?;
        Ok(Model {
            intercept,
            coefficients: by_column,
        })
    }
}

weir_plugin::export_transform!(LinearPrediction);

#[cfg(test)]
mod tests {
    use weir_plugin::arrow::array::{Int64Array, StringArray};
    use weir_plugin::testing::{Balance, Harness, Outcome};

    use super::*;

    fn model(rows: &[(&str, f64)]) -> RecordBatch {
        let features: StringArray = rows.iter().map(|row| Some(row.0)).collect();
        let coefficients: Float64Array = rows.iter().map(|row| Some(row.1)).collect();
        RecordBatch::try_from_iter([
            ("feature", Arc::new(features) as ArrayRef),
            ("coefficient", Arc::new(coefficients)),
        ])
        .unwrap()
    }

    fn predicted(model: RecordBatch, x: Vec<Option<i64>>) -> Result<Outcome, Error> {
        let x: ArrayRef = Arc::new(Int64Array::from(x));
        let rows = RecordBatch::try_from_iter([("x", x)]).unwrap();
        Harness::new(r#"{ "prediction": "y" }"#)
            .side_input(MODEL, model)
            .transform::<LinearPrediction>(&[rows])
    }

    #[test]
    fn a_line_is_followed_and_a_row_without_a_value_rejected() {
        let line = model(&[("x", 2.0), (INTERCEPT, 1.0)]);
        let outcome = predicted(line, vec![Some(0), Some(3), None, Some(-1)]).unwrap();
        let rows = outcome.output("out").unwrap();
        let found: &Float64Array = rows.column_by_name("y").unwrap().as_primitive();
        assert_eq!(found.values(), &[1.0, 7.0, -1.0]);
        assert_eq!(outcome.rejected("missing_feature"), [2]);
        let balance = Balance {
            read: 4,
            accepted: 3,
            rejected: 1,
            dropped: 0,
        };
        assert_eq!(outcome.balance(), balance);
    }

    #[test]
    fn what_is_no_model_is_told() {
        let told = |rows: &[(&str, f64)]| {
            predicted(model(rows), vec![Some(1)])
                .unwrap_err()
                .to_string()
        };
        let endless = told(&[(INTERCEPT, 1.0), ("x", f64::NAN)]);
        assert!(endless.contains("of 'x' in the model is no finite number"));
        assert!(told(&[]).contains("is the table empty?"));
        assert!(
            told(&[(INTERCEPT, 1.0), ("z", 1.0)]).contains("the feature 'z', which is not granted")
        );
        assert!(told(&[(INTERCEPT, 1.0), ("x", 1.0), ("x", 2.0)]).contains("'x' twice"));
    }

    #[test]
    fn a_step_without_a_model_is_told_how_to_hand_it_over() {
        let x: ArrayRef = Arc::new(Int64Array::from(vec![1]));
        let rows = RecordBatch::try_from_iter([("x", x)]).unwrap();
        let error = Harness::new("{}").transform::<LinearPrediction>(&[rows]);
        let error = error.unwrap_err().to_string();
        assert!(error.contains("side_inputs = { model = "), "{error}");
    }
}
