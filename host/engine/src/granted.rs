//! Which columns and struct fields a plugin is given, and how the rest joins what it gives back.

use std::sync::Arc;

use arrow::array::{
    Array, ArrayRef, AsArray, RecordBatch, RecordBatchOptions, StructArray, make_array,
};
use arrow::buffer::NullBuffer;
use arrow::datatypes::{DataType, Field, FieldRef, Fields, Schema, SchemaRef};

use crate::error::{Error, Result};

/// The part of a schema that a plugin is given: whole columns, and single fields of structs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Granted {
    columns: Vec<Part>,
}

/// A column, or a field of a struct, of which something is given.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Part {
    /// Its place among its siblings.
    index: usize,
    /// The fields given; none: all of it.
    fields: Option<Vec<Part>>,
}

impl Granted {
    /// What `patterns` take of `schema`, one after the other: a glob of column names, or a path of
    /// globs into structs (`patient.zip`, `patient.*`); after `!` it takes away.
    ///
    /// # Errors
    /// The pattern that cannot be read, or that matches nothing.
    pub fn of(schema: &Schema, patterns: &[String]) -> std::result::Result<Granted, BadPattern> {
        let mut leaves: Vec<Leaf> = Vec::new();
        collect(
            schema.fields(),
            &mut Vec::new(),
            &mut Vec::new(),
            &mut leaves,
        );
        for written in patterns {
            let (pattern, given) = match written.strip_prefix('!') {
                Some(pattern) => (pattern, false),
                None => (written.as_str(), true),
            };
            let bad = |why: String| BadPattern {
                pattern: pattern.to_owned(),
                why,
            };
            let glob = |text: &str| {
                glob::Pattern::new(text).map_err(|error| bad(format!("is no pattern: {error}")))
            };
            // A column's own name may hold points, so the whole pattern is tried on it first.
            let whole = glob(pattern)?;
            let path = pattern
                .split('.')
                .map(glob)
                .collect::<std::result::Result<Vec<_>, _>>()?;
            let mut any = false;
            for leaf in &mut leaves {
                let column = leaf.names.first().is_some_and(|name| whole.matches(name));
                let nested = path.len() > 1
                    && path.len() <= leaf.names.len()
                    && path
                        .iter()
                        .zip(&leaf.names)
                        .all(|(glob, name)| glob.matches(name));
                if column || nested {
                    leaf.given = given;
                    any = true;
                }
            }
            if !any {
                return Err(bad("matches no column".to_owned()));
            }
        }
        let given: Vec<&[usize]> = leaves
            .iter()
            .filter(|leaf| leaf.given)
            .map(|leaf| leaf.path.as_slice())
            .collect();
        Ok(Granted {
            columns: parts(schema.fields(), &given),
        })
    }

    /// Whether anything of the column `name` is given.
    pub fn touches(&self, schema: &Schema, name: &str) -> bool {
        self.columns.iter().any(|part| {
            schema
                .fields()
                .get(part.index)
                .is_some_and(|field| field.name() == name)
        })
    }

    /// The schema that the plugin sees.
    pub fn schema(&self, schema: &Schema) -> SchemaRef {
        Arc::new(Schema::new(given_fields(schema.fields(), &self.columns)))
    }

    /// The rows that the plugin sees: the columns given, structs with the fields given. Nothing else of
    /// `batch` is in them.
    pub fn project(&self, batch: &RecordBatch) -> Result<RecordBatch> {
        let columns = self
            .columns
            .iter()
            .map(|part| given_array(array_at(batch.columns(), part.index)?, part))
            .collect::<Result<Vec<_>>>()?;
        let options = RecordBatchOptions::new().with_row_count(Some(batch.num_rows()));
        let schema = self.schema(batch.schema_ref());
        Ok(RecordBatch::try_new_with_options(
            schema, columns, &options,
        )?)
    }

    /// The fields of what the plugin does not see, in order: whole columns, and structs with the fields
    /// that were not given.
    pub fn rest_fields(&self, schema: &Schema) -> Vec<FieldRef> {
        rest_fields(schema.fields(), &self.columns)
    }

    /// What the plugin does not see of `batch`, as in [`Granted::rest_fields`].
    pub fn rest(&self, batch: &RecordBatch) -> Result<Vec<ArrayRef>> {
        rest_arrays(batch.schema_ref().fields(), batch.columns(), &self.columns)
    }

    /// The paths of what is not given, for people: `ssn`, `patient.name`.
    pub fn withheld(&self, schema: &Schema) -> Vec<String> {
        let mut out = Vec::new();
        paths(&self.rest_fields(schema), schema.fields(), "", &mut out);
        out
    }

    /// The paths of what is given, for people: `age`, `patient.zip`.
    pub fn given(&self, schema: &Schema) -> Vec<String> {
        let mut out = Vec::new();
        paths(self.schema(schema).fields(), schema.fields(), "", &mut out);
        out
    }
}

/// A pattern of a grant that cannot be meant.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BadPattern {
    /// The pattern.
    pub pattern: String,
    /// What is wrong with it, after its name.
    pub why: String,
}

/// A column or field without fields of its own (other than in lists, which are given whole).
struct Leaf {
    path: Vec<usize>,
    names: Vec<String>,
    given: bool,
}

fn collect(
    fields: &Fields,
    path: &mut Vec<usize>,
    names: &mut Vec<String>,
    leaves: &mut Vec<Leaf>,
) {
    for (index, field) in fields.iter().enumerate() {
        path.push(index);
        names.push(field.name().clone());
        match field.data_type() {
            DataType::Struct(children) if !children.is_empty() => {
                collect(children, path, names, leaves);
            }
            _ => leaves.push(Leaf {
                path: path.clone(),
                names: names.clone(),
                given: false,
            }),
        }
        path.pop();
        names.pop();
    }
}

/// The parts of `fields` that the paths of leaves `given` make up.
fn parts(fields: &Fields, given: &[&[usize]]) -> Vec<Part> {
    fields
        .iter()
        .enumerate()
        .filter_map(|(index, field)| {
            let below: Vec<&[usize]> = given
                .iter()
                .filter_map(|path| match path.split_first() {
                    Some((first, rest)) if *first == index => Some(rest),
                    _ => None,
                })
                .collect();
            if below.is_empty() {
                return None;
            }
            let fields = match field.data_type() {
                DataType::Struct(children) if !children.is_empty() => {
                    let inner = parts(children, &below);
                    let whole = inner.len() == children.len()
                        && inner.iter().all(|part| part.fields.is_none());
                    (!whole).then_some(inner)
                }
                _ => None,
            };
            Some(Part { index, fields })
        })
        .collect()
}

fn given_fields(fields: &Fields, parts: &[Part]) -> Vec<FieldRef> {
    parts
        .iter()
        .filter_map(|part| {
            let field = fields.get(part.index)?;
            match (&part.fields, field.data_type()) {
                (Some(inner), DataType::Struct(children)) => {
                    let children = Fields::from(given_fields(children, inner));
                    Some(with_type(field, DataType::Struct(children)))
                }
                _ => Some(Arc::clone(field)),
            }
        })
        .collect()
}

fn given_array(array: &ArrayRef, part: &Part) -> Result<ArrayRef> {
    let Some(inner) = &part.fields else {
        return Ok(Arc::clone(array));
    };
    let whole = array.as_struct();
    let children = inner
        .iter()
        .map(|part| given_array(array_at(whole.columns(), part.index)?, part))
        .collect::<Result<Vec<_>>>()?;
    let fields = given_fields(whole.fields(), inner);
    rebuilt(fields, children, whole.nulls().cloned())
}

fn rest_fields(fields: &Fields, parts: &[Part]) -> Vec<FieldRef> {
    fields
        .iter()
        .enumerate()
        .filter_map(|(index, field)| {
            let Some(part) = parts.iter().find(|part| part.index == index) else {
                return Some(Arc::clone(field));
            };
            match (&part.fields, field.data_type()) {
                (Some(inner), DataType::Struct(children)) => {
                    let children = Fields::from(rest_fields(children, inner));
                    Some(with_type(field, DataType::Struct(children)))
                }
                _ => None,
            }
        })
        .collect()
}

fn rest_arrays(fields: &Fields, arrays: &[ArrayRef], parts: &[Part]) -> Result<Vec<ArrayRef>> {
    let mut rest = Vec::new();
    for (index, array) in arrays.iter().enumerate() {
        let Some(part) = parts.iter().find(|part| part.index == index) else {
            rest.push(Arc::clone(array));
            continue;
        };
        if let (Some(inner), Some(field)) = (&part.fields, fields.get(index))
            && let DataType::Struct(children) = field.data_type()
        {
            let whole = array.as_struct();
            let arrays = rest_arrays(children, whole.columns(), inner)?;
            let fields = rest_fields(children, inner);
            rest.push(rebuilt(fields, arrays, whole.nulls().cloned())?);
        }
    }
    Ok(rest)
}

/// Paths of `fields`, going into a struct only where it is not the whole of what it is in `of`.
fn paths(fields: &[FieldRef], of: &Fields, above: &str, out: &mut Vec<String>) {
    for field in fields {
        let whole = of
            .iter()
            .find(|whole| whole.name() == field.name())
            .map(|whole| whole.data_type());
        let path = format!("{above}{}", field.name());
        match (field.data_type(), whole) {
            (DataType::Struct(some), Some(DataType::Struct(all))) if some != all => {
                paths(some, all, &format!("{path}."), out);
            }
            _ => out.push(path),
        }
    }
}

/// The fields above a plugin: its own, then the rest. The rest of a struct of which it was given some
/// fields goes into the struct of that name that it gives back, if it does.
///
/// # Errors
/// The name that two columns, or two fields of a struct, would share.
pub fn joined_fields(
    own: &[FieldRef],
    rest: &[FieldRef],
) -> std::result::Result<Vec<FieldRef>, String> {
    let mut joined = own.to_vec();
    for field in rest {
        let Some(twin) = joined.iter_mut().find(|own| own.name() == field.name()) else {
            joined.push(Arc::clone(field));
            continue;
        };
        match (twin.data_type(), field.data_type()) {
            (DataType::Struct(own), DataType::Struct(rest)) => {
                let fields = merged_fields(own, rest)?;
                let nullable = twin.is_nullable() || field.is_nullable();
                *twin = Arc::new(Field::new(field.name(), DataType::Struct(fields), nullable));
            }
            _ => return Err(field.name().clone()),
        }
    }
    Ok(joined)
}

/// The fields of two structs as one. All of them may be null: where only one of the structs is, the
/// other's fields are there alone.
fn merged_fields(own: &Fields, rest: &Fields) -> std::result::Result<Fields, String> {
    Ok(joined_fields(own, rest)?
        .iter()
        .map(|field| Arc::new(field.as_ref().clone().with_nullable(true)))
        .collect())
}

/// The columns of [`joined_fields`].
pub fn joined_arrays(
    own: (&[FieldRef], &[ArrayRef]),
    rest: (&[FieldRef], &[ArrayRef]),
) -> Result<Vec<ArrayRef>> {
    let mut joined = own.1.to_vec();
    for (field, array) in rest.0.iter().zip(rest.1) {
        let twin = own.0.iter().position(|own| own.name() == field.name());
        match twin.and_then(|index| joined.get_mut(index)) {
            None => joined.push(Arc::clone(array)),
            Some(twin) => *twin = merged(twin, array)?,
        }
    }
    Ok(joined)
}

/// Two structs of distinct fields as one. It is null where both are.
fn merged(own: &ArrayRef, rest: &ArrayRef) -> Result<ArrayRef> {
    let (Some(own), Some(rest)) = (own.as_struct_opt(), rest.as_struct_opt()) else {
        return Err(Error::internal("columns of one name cannot be joined"));
    };
    // A field is null where its own struct was, though the other may make the row there.
    let under = |array: &StructArray| -> Result<Vec<ArrayRef>> {
        array
            .columns()
            .iter()
            .map(|child| match array.nulls() {
                None => Ok(Arc::clone(child)),
                Some(nulls) => {
                    let nulls = NullBuffer::union(child.logical_nulls().as_ref(), Some(nulls));
                    let data = child.to_data().into_builder().nulls(nulls).build()?;
                    Ok(make_array(data))
                }
            })
            .collect()
    };
    let nulls = match (own.nulls(), rest.nulls()) {
        (Some(own), Some(rest)) => Some(NullBuffer::new(own.inner() | rest.inner())),
        _ => None,
    };
    let fields = merged_fields(own.fields(), rest.fields())
        .map_err(|name| Error::internal(format!("two fields are called '{name}'")))?;
    let arrays = joined_arrays((own.fields(), &under(own)?), (rest.fields(), &under(rest)?))?;
    Ok(Arc::new(StructArray::try_new(fields, arrays, nulls)?))
}

fn rebuilt(
    fields: Vec<FieldRef>,
    arrays: Vec<ArrayRef>,
    nulls: Option<NullBuffer>,
) -> Result<ArrayRef> {
    Ok(Arc::new(StructArray::try_new(
        fields.into(),
        arrays,
        nulls,
    )?))
}

fn with_type(field: &Field, data_type: DataType) -> FieldRef {
    Arc::new(field.clone().with_data_type(data_type))
}

fn array_at(arrays: &[ArrayRef], index: usize) -> Result<&ArrayRef> {
    arrays
        .get(index)
        .ok_or_else(|| Error::internal("a granted column is not there"))
}

#[cfg(test)]
mod tests {
    use arrow::array::{Int64Array, StringArray};
    use arrow::util::display::{ArrayFormatter, FormatOptions};

    use super::*;

    fn text(name: &str) -> Field {
        Field::new(name, DataType::Utf8, false)
    }

    /// id, patient { name, home { street, zip } } of which the second and third are null somewhere.
    fn visits() -> RecordBatch {
        let strings = |values: [&str; 3]| Arc::new(StringArray::from(values.to_vec())) as ArrayRef;
        let home_fields = Fields::from(vec![text("street"), text("zip")]);
        let home = StructArray::new(
            home_fields.clone(),
            vec![strings(["s0", "s1", "s2"]), strings(["z0", "z1", "z2"])],
            Some(NullBuffer::from(vec![true, true, false])),
        );
        let patient_fields = Fields::from(vec![
            text("name"),
            Field::new("home", DataType::Struct(home_fields), true),
        ]);
        let patient = StructArray::new(
            patient_fields,
            vec![strings(["n0", "n1", "n2"]), Arc::new(home)],
            Some(NullBuffer::from(vec![true, false, true])),
        );
        RecordBatch::try_from_iter_with_nullable([
            (
                "id",
                Arc::new(Int64Array::from(vec![0, 1, 2])) as ArrayRef,
                false,
            ),
            ("patient", Arc::new(patient), true),
        ])
        .unwrap()
    }

    fn granted(patterns: &[&str]) -> Granted {
        let patterns: Vec<String> = patterns.iter().map(|p| (*p).to_owned()).collect();
        Granted::of(visits().schema_ref(), &patterns).unwrap()
    }

    fn shown(array: &ArrayRef) -> Vec<String> {
        let options = FormatOptions::default().with_null("-");
        let formatter = ArrayFormatter::try_new(array, &options).unwrap();
        (0..array.len())
            .map(|row| formatter.value(row).to_string())
            .collect()
    }

    #[test]
    fn patterns_give_and_take_columns_and_fields() {
        let batch = visits();
        let schema = batch.schema_ref();
        for (patterns, given, withheld) in [
            (&["*"][..], &["id", "patient"][..], &[][..]),
            (&["id"], &["id"], &["patient"]),
            (
                &["patient.home"],
                &["patient.home"],
                &["id", "patient.name"],
            ),
            (&["patient.*"], &["patient"], &["id"]),
            (
                &["patient.*.zip"],
                &["patient.home.zip"],
                &["id", "patient.name", "patient.home.street"],
            ),
            (
                &["*", "!patient.name"],
                &["id", "patient.home"],
                &["patient.name"],
            ),
            (&["*", "!patient"], &["id"], &["patient"]),
            (
                &["pat*", "!patient.home.street"],
                &["patient.name", "patient.home.zip"],
                &["id", "patient.home.street"],
            ),
        ] {
            let granted = granted(patterns);
            assert_eq!(granted.given(schema), given, "{patterns:?}");
            assert_eq!(granted.withheld(schema), withheld, "{patterns:?}");
        }
        for wrong in ["ssn", "patient.ssn", "id.x", "patient.home.zip.x", "[", ""] {
            let bad = Granted::of(schema, &[wrong.to_owned()]).unwrap_err();
            assert_eq!(bad.pattern, wrong);
        }
    }

    #[test]
    fn nothing_else_is_in_what_the_plugin_sees() {
        let seen = granted(&["patient.*.zip"]).project(&visits()).unwrap();
        assert_eq!(
            shown(seen.column(0)),
            ["{home: {zip: z0}}", "-", "{home: -}"]
        );
        let text = format!("{:?}", seen.column(0).to_data());
        assert!(!text.contains("s0"), "{text}");
    }

    #[test]
    fn given_and_rest_join_to_what_was_there() {
        let batch = visits();
        for patterns in [
            &["patient.home"][..],
            &["patient.*.zip"],
            &["id"],
            &["patient.name"],
        ] {
            let granted = granted(patterns);
            let seen = granted.project(&batch).unwrap();
            let rest = granted.rest(&batch).unwrap();
            let rest_fields = granted.rest_fields(batch.schema_ref());
            let fields = joined_fields(seen.schema_ref().fields(), &rest_fields).unwrap();
            let arrays = joined_arrays(
                (seen.schema_ref().fields(), seen.columns()),
                (&rest_fields, &rest),
            )
            .unwrap();
            let joined = RecordBatch::try_new(Arc::new(Schema::new(fields)), arrays).unwrap();
            let patient = joined.column_by_name("patient").unwrap();
            let mut rows: Vec<String> = shown(patient);
            // Fields come in the order of who gave them.
            for row in &mut rows {
                let mut parts: Vec<&str> = row
                    .split(['{', '}', ',', ' '])
                    .filter(|p| !p.is_empty())
                    .collect();
                parts.sort_unstable();
                *row = parts.join(" ");
            }
            assert_eq!(
                rows,
                ["home: n0 name: s0 street: z0 zip:", "-", "- home: n2 name:"],
                "{patterns:?}"
            );
            assert_eq!(shown(joined.column_by_name("id").unwrap()), ["0", "1", "2"]);
        }
    }

    #[test]
    fn a_null_struct_keeps_what_the_other_has() {
        let granted = granted(&["patient.name"]);
        let batch = visits();
        let rest = granted.rest(&batch).unwrap();
        // The plugin makes a patient where there was none, and none where there was one.
        let names: ArrayRef = Arc::new(StringArray::from(vec!["N0", "N1", "N2"]));
        let own: ArrayRef = Arc::new(StructArray::new(
            Fields::from(vec![text("name")]),
            vec![names],
            Some(NullBuffer::from(vec![false, true, false])),
        ));
        let joined = merged(&own, rest.last().unwrap()).unwrap();
        assert_eq!(
            shown(&joined),
            [
                "{name: -, home: {street: s0, zip: z0}}",
                "{name: N1, home: -}",
                "{name: -, home: -}"
            ]
        );
    }

    #[test]
    fn names_that_meet_are_named() {
        let own = [Arc::new(text("id"))];
        let rest = [Arc::new(Field::new("id", DataType::Int64, false))];
        assert_eq!(joined_fields(&own, &rest), Err("id".to_owned()));
    }
}
