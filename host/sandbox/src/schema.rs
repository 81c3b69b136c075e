//! The schemas of `weir-verify`, with the sandbox's errors.

use arrow::datatypes::{Schema, SchemaRef};
use weir_verify::schema::{self, UnsupportedType};

pub(crate) use weir_verify::schema::{CROSSING_TYPES, FlatField, Kind, flatten};

use crate::error::SandboxError;

/// The schema that crosses for `schema`: dictionaries, views, run-ends, fixed-size lists and 64-bit
/// offsets become the plain type of their values; metadata is dropped.
///
/// # Errors
/// [`SandboxError::UnsupportedType`] names the first column whose type cannot cross.
pub fn normalise_schema(schema: &Schema) -> Result<SchemaRef, SandboxError> {
    schema::normalise_schema(schema).map_err(|UnsupportedType { column, data_type }| {
        SandboxError::UnsupportedType { column, data_type }
    })
}

/// Builds the schema a guest returned, trusting nothing of it; says why it cannot be.
pub(crate) fn unflatten(flat: Vec<FlatField>) -> Result<SchemaRef, String> {
    schema::unflatten(flat).map_err(|bad| bad.to_string())
}

/// Refuses a name that is empty, overlong, or would mislead the person who reads it.
pub(crate) fn check_name(name: &str) -> Result<(), String> {
    schema::check_name(name).map_err(|bad| bad.to_string())
}

#[cfg(test)]
mod tests {
    use arrow::datatypes::{DataType, Field};

    use super::*;

    #[test]
    fn a_type_that_does_not_cross_is_named_with_those_that_do() {
        let odd = Schema::new(vec![Field::new(
            "s",
            DataType::Struct(vec![Field::new("n", DataType::Null, true)].into()),
            true,
        )]);
        let error = normalise_schema(&odd).unwrap_err();
        assert!(
            matches!(&error, SandboxError::UnsupportedType { column, .. } if column == "s.n"),
            "{error}"
        );
        assert!(error.hint().unwrap().contains("decimal128"));
    }
}
