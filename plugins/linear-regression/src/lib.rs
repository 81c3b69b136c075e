//! Fits a linear model to all rows by least squares: one row for each coefficient, and with each how good the fit is.
//!
//! Rows go into means and co-moments, which are merged exactly as if all rows had been seen by one instance, but for
//! the last digits. The coefficients solve the normal equations of the centred columns.

mod moments;

use std::sync::Arc;

use weir_plugin::arrow::array::{Float64Array, Float64Builder, Int64Array, StringArray};
use weir_plugin::arrow::compute::cast;
use weir_plugin::prelude::*;

use moments::Moments;

/// The name of the constant term among the coefficients.
const INTERCEPT: &str = "(intercept)";

/// The plugin's configuration.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Config {
    /// The column that is to be explained.
    target: String,
    /// The columns that explain it, all numbers or truth values.
    features: Vec<String>,
    /// What is added to the variance of each feature (ridge regression), in the scale of the columns as they are;
    /// nothing if it is left out.
    #[serde(default)]
    ridge: f64,
    /// Fewer rows than these make no model, and no error: the result has no rows.
    #[serde(default)]
    at_least: u64,
}

struct LinearRegression {
    /// The features, then the target.
    columns: Vec<usize>,
    names: Vec<String>,
    ridge: f64,
    at_least: u64,
    result: SchemaRef,
}

impl Fold for LinearRegression {
    type Config = Config;
    type State = Moments;

    const INFO: Info = Info {
        name: "linear-regression",
        version: env!("CARGO_PKG_VERSION"),
        description: "Fits a linear model to all rows, by least squares.",
        columns: &[],
        rules: &[],
    };

    fn bind(config: Config, context: &Context) -> Result<(Self, SchemaRef), Error> {
        if config.features.is_empty() {
            return Err(Error::config("there are no features: name the columns"));
        }
        if !(config.ridge.is_finite() && config.ridge >= 0.0) {
            return Err(Error::config("`ridge` is a number from 0"));
        }
        let names: Vec<&str> = config
            .features
            .iter()
            .chain([&config.target])
            .map(String::as_str)
            .collect();
        let columns = context.positions(&names)?;
        for (name, column) in names.iter().zip(&columns) {
            let data_type = context.input.field(*column).data_type();
            if !(data_type.is_numeric() || *data_type == DataType::Boolean) {
                return Err(Error::data(format!(
                    "column '{name}' is {data_type}, and a linear model needs numbers"
                )));
            }
        }
        let result: SchemaRef = Arc::new(Schema::new(vec![
            Field::new("feature", DataType::Utf8, false),
            Field::new("coefficient", DataType::Float64, false),
            Field::new("rows", DataType::Int64, false),
            Field::new("rmse", DataType::Float64, false),
            Field::new("r2", DataType::Float64, true),
        ]));
        let plugin = LinearRegression {
            columns,
            names: config.features,
            ridge: config.ridge,
            at_least: config.at_least,
            result: Arc::clone(&result),
        };
        Ok((plugin, result))
    }

    fn empty(&self) -> Moments {
        Moments::of(self.columns.len())
    }

    fn fold(&self, state: &mut Moments, rows: &RecordBatch) -> Result<(), Error> {
        let columns: Vec<ArrayRef> = self
            .columns
            .iter()
            .map(|column| Ok(cast(rows.column(*column), &DataType::Float64)?))
            .collect::<Result<_, Error>>()?;
        let columns: Vec<&Float64Array> =
            columns.iter().map(|column| column.as_primitive()).collect();
        let mut values = vec![0.0; columns.len()];
        let mut skipped = 0_u32;
        for row in 0..rows.num_rows() {
            let mut whole = true;
            for (value, column) in values.iter_mut().zip(&columns) {
                *value = column.value(row);
                whole &= column.is_valid(row) && value.is_finite();
            }
            match whole {
                true => state.add(&values),
                false => skipped += 1,
            }
        }
        if skipped > 0 {
            weir_plugin::metric("rows_without_a_value", f64::from(skipped));
        }
        Ok(())
    }

    fn merge(&self, state: &mut Moments, other: Moments) -> Result<(), Error> {
        state.merge(&other);
        Ok(())
    }

    fn result(&self, state: Moments) -> Result<RecordBatch, Error> {
        if state.rows() < self.at_least {
            weir_plugin::log::warn(format_args!(
                "{} rows make no model: it takes {}",
                state.rows(),
                self.at_least
            ));
            return Ok(RecordBatch::new_empty(Arc::clone(&self.result)));
        }
        let fit = state.fit(self.ridge).map_err(|dependent| {
            let what = match dependent {
                Some(feature) => self.names.get(feature).map_or("one", String::as_str),
                None => {
                    return Error::data(format!(
                        "{} rows are too few for {} features",
                        state.rows(),
                        self.names.len()
                    ));
                }
            };
            Error::data(format!(
                "feature '{what}' says nothing that those before it do not say: leave it out, or set `ridge`"
            ))
        })?;
        let mut names = vec![INTERCEPT];
        names.extend(self.names.iter().map(String::as_str));
        let mut coefficients = Float64Builder::with_capacity(names.len());
        coefficients.append_value(fit.intercept);
        coefficients.append_slice(&fit.coefficients);
        let count = names.len();
        let rows = i64::try_from(state.rows()).map_err(Error::fatal)?;
        Ok(RecordBatch::try_new(
            Arc::clone(&self.result),
            vec![
                Arc::new(StringArray::from(names)),
                Arc::new(coefficients.finish()),
                Arc::new(Int64Array::from(vec![rows; count])),
                Arc::new(Float64Array::from(vec![fit.rmse; count])),
                Arc::new(Float64Array::from(vec![fit.r2; count])),
            ],
        )?)
    }
}

weir_plugin::export_fold!(LinearRegression);

#[cfg(test)]
mod tests {
    use weir_plugin::serde_json::json;
    use weir_plugin::testing::Harness;

    use super::*;

    fn rows(data: &[(Option<f64>, f64, f64)]) -> RecordBatch {
        let column = |of: fn(&(Option<f64>, f64, f64)) -> Option<f64>| -> ArrayRef {
            Arc::new(data.iter().map(of).collect::<Float64Array>())
        };
        RecordBatch::try_from_iter([
            ("x", column(|row| row.0)),
            ("z", column(|row| Some(row.1))),
            ("y", column(|row| Some(row.2))),
        ])
        .unwrap()
    }

    fn harness() -> Harness {
        Harness::new(json!({ "target": "y", "features": ["x", "z"] }))
    }

    /// The root of a sum that is nothing but rounding has half its digits.
    fn near(one: &RecordBatch, other: &RecordBatch) -> bool {
        let values = |batch: &RecordBatch, name: &str| -> Vec<f64> {
            let column: &Float64Array = batch.column_by_name(name).unwrap().as_primitive();
            column.iter().map(Option::unwrap_or_default).collect()
        };
        ["coefficient", "rmse", "r2"].iter().all(|name| {
            let (one, other) = (values(one, name), values(other, name));
            one.iter().zip(&other).all(|(a, b)| (a - b).abs() < 1e-5)
        })
    }

    fn coefficients(result: &RecordBatch) -> Vec<f64> {
        let column: &Float64Array = result.column_by_name("coefficient").unwrap().as_primitive();
        column.values().to_vec()
    }

    #[test]
    fn a_plane_is_found_exactly() {
        let data: Vec<_> = (0..20)
            .map(|n| (f64::from(n), f64::from(n * n % 7)))
            .map(|(x, z)| (Some(x), z, 3.0 + 2.0 * x - 0.5 * z))
            .collect();
        let result = harness()
            .fold::<LinearRegression>(&[rows(&data)], near)
            .unwrap();
        for (found, expected) in coefficients(&result).iter().zip([3.0, 2.0, -0.5]) {
            assert!((found - expected).abs() < 1e-9, "{found} {expected}");
        }
        let r2: &Float64Array = result.column_by_name("r2").unwrap().as_primitive();
        assert!((r2.value(0) - 1.0).abs() < 1e-12);
    }

    #[test]
    fn a_fit_worked_by_hand() {
        // y = 1 + x with residuals 1, -2, 1 around it: x̄ = 1, ȳ = 2; Sxx = 2, Sxy = 2, SSE = 6.
        let data = [
            (Some(0.0), 0.0, 2.0),
            (Some(1.0), 0.0, 0.0),
            (Some(2.0), 0.0, 4.0),
        ];
        let one = Harness::new(json!({ "target": "y", "features": ["x"] }));
        let result = one.fold::<LinearRegression>(&[rows(&data)], near).unwrap();
        let found = coefficients(&result);
        assert!(
            (found[0] - 1.0).abs() < 1e-12 && (found[1] - 1.0).abs() < 1e-12,
            "{found:?}"
        );
        let rmse: &Float64Array = result.column_by_name("rmse").unwrap().as_primitive();
        assert!((rmse.value(0) - (6.0_f64 / 3.0).sqrt()).abs() < 1e-12);
        let r2: &Float64Array = result.column_by_name("r2").unwrap().as_primitive();
        // SST = 8.
        assert!((r2.value(0) - 0.25).abs() < 1e-12);
    }

    #[test]
    fn rows_without_a_value_do_not_count() {
        let mut data: Vec<_> = (0..5)
            .map(|n| (Some(f64::from(n)), f64::from(n * n), f64::from(n)))
            .collect();
        data.push((None, 100.0, -100.0));
        let result = harness()
            .fold::<LinearRegression>(&[rows(&data)], near)
            .unwrap();
        let count: &Int64Array = result.column_by_name("rows").unwrap().as_primitive();
        assert_eq!(count.value(0), 5);
    }

    #[test]
    fn too_few_rows_may_make_no_model() {
        let data: Vec<_> = (0..9)
            .map(|n| (Some(f64::from(n)), f64::from(n * n), f64::from(n)))
            .collect();
        for (at_least, rows_out) in [(9, 3), (10, 0)] {
            let harness = Harness::new(
                json!({ "target": "y", "features": ["x", "z"], "at_least": at_least }),
            );
            let result = harness.fold::<LinearRegression>(&[rows(&data)], near);
            assert_eq!(result.unwrap().num_rows(), rows_out);
        }
    }

    /// What says nothing gets nothing, and the rest is as if it were not there.
    #[test]
    fn a_ridge_lets_a_constant_be_a_feature() {
        let data: Vec<_> = (0..50)
            .map(|n| (Some(f64::from(n)), 7.0, 1.0 + 2.0 * f64::from(n)))
            .collect();
        let harness = Harness::new(json!({ "target": "y", "features": ["x", "z"], "ridge": 1e-6 }));
        let result = harness.fold::<LinearRegression>(&[rows(&data)], near);
        let found = coefficients(&result.unwrap());
        assert!((found[1] - 2.0).abs() < 1e-6, "{found:?}");
        assert_eq!(found[2], 0.0);
    }

    #[test]
    fn what_has_no_fit_is_told() {
        let told = |data: &[(Option<f64>, f64, f64)]| {
            let error = harness().fold::<LinearRegression>(&[rows(data)], near);
            error.unwrap_err().message().to_owned()
        };
        let twice: Vec<_> = (0..9)
            .map(|n| (Some(f64::from(n)), f64::from(2 * n), f64::from(n)))
            .collect();
        assert!(told(&twice).contains("feature 'z' says nothing"));
        let few = told(&[(Some(1.0), 2.0, 3.0)]);
        assert!(few.contains("1 rows are too few for 2 features"), "{few}");
        let error = Harness::new(json!({ "target": "y", "features": ["nothing"] }))
            .fold::<LinearRegression>(&[rows(&twice)], near);
        assert!(error.unwrap_err().message().contains("lacks nothing"));
    }
}
