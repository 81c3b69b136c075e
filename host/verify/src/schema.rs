//! Schemas at the border: which types cross, and the checked conversion between an Arrow schema and
//! the flat preorder list of fields that crosses in its place.

use std::sync::Arc;

use arrow::datatypes::{
    DECIMAL128_MAX_PRECISION, DECIMAL128_MAX_SCALE, DataType, Field, FieldRef, Fields, Schema,
    SchemaRef, TimeUnit,
};

use crate::guest_text::is_deceptive;

/// The types that cross, for messages.
pub const CROSSING_TYPES: &str = "boolean, (u)int8-64, float16-64, utf8, binary, date32, date64, time32, time64, \
     timestamp, decimal128, list, struct (dictionaries, views, run-ends and 64-bit offsets are unpacked)";

/// Most fields of a schema that a guest returns, at all levels together.
pub const MAX_FIELDS: usize = 4096;
/// Deepest nesting, a column being at level 1.
pub const MAX_DEPTH: usize = 64;
/// Longest name, in bytes.
pub const MAX_NAME: usize = 256;
/// Longest time zone, in bytes; the longest IANA name has 32.
const MAX_ZONE: usize = 64;

/// Why what a guest returned is no schema. Holds names and counts; a name that it holds has passed
/// [`check_name`].
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct BadSchema(String);

/// A column whose type cannot cross.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("column '{column}' has type {data_type}, which cannot be given to a plugin")]
pub struct UnsupportedType {
    /// The column's path: its name, and those of the fields below it, joined by dots.
    pub column: String,
    /// Its type, as arrow writes it.
    pub data_type: String,
}

/// One field of a flattened schema; its `children` follow it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FlatField {
    /// Its name.
    pub name: String,
    /// Its type.
    pub kind: Kind,
    /// Whether it may hold nulls.
    pub nullable: bool,
    /// How many of the fields after it are its own, those below them not counted.
    pub children: u32,
}

/// A flat field's type.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A type without children.
    Leaf(DataType),
    /// A list of the one child.
    List,
    /// A struct of the children.
    Struct,
}

/// The schema that crosses for `schema`: dictionaries, views, run-ends, fixed-size lists and 64-bit
/// offsets become the plain type of their values; metadata is dropped.
///
/// # Errors
/// [`UnsupportedType`] names the first column whose type cannot cross.
pub fn normalise_schema(schema: &Schema) -> Result<SchemaRef, UnsupportedType> {
    let fields = schema
        .fields()
        .iter()
        .map(|field| normalise_field(field, ""))
        .collect::<Result<Vec<_>, _>>()?;
    Ok(Arc::new(Schema::new(fields)))
}

fn normalise_field(field: &FieldRef, parent: &str) -> Result<FieldRef, UnsupportedType> {
    let path = if parent.is_empty() {
        field.name().clone()
    } else {
        format!("{parent}.{}", field.name())
    };
    let data_type = normalise_type(field.data_type(), &path)?;
    Ok(Arc::new(Field::new(
        field.name(),
        data_type,
        field.is_nullable(),
    )))
}

fn normalise_type(data_type: &DataType, path: &str) -> Result<DataType, UnsupportedType> {
    use DataType as T;
    Ok(match data_type {
        leaf if is_leaf(leaf) => leaf.clone(),
        T::LargeUtf8 | T::Utf8View => T::Utf8,
        T::LargeBinary | T::BinaryView => T::Binary,
        T::Dictionary(_, values) => normalise_type(values, path)?,
        T::RunEndEncoded(_, values) => normalise_type(values.data_type(), path)?,
        T::List(item)
        | T::LargeList(item)
        | T::ListView(item)
        | T::LargeListView(item)
        | T::FixedSizeList(item, _) => T::List(normalise_field(item, path)?),
        T::Struct(fields) if !fields.is_empty() => T::Struct(
            fields
                .iter()
                .map(|field| normalise_field(field, path))
                .collect::<Result<Fields, _>>()?,
        ),
        _ => {
            return Err(UnsupportedType {
                column: path.to_owned(),
                data_type: data_type.to_string(),
            });
        }
    })
}

/// Whether a type crosses as it is and has no children.
pub(crate) fn is_leaf(data_type: &DataType) -> bool {
    use DataType as T;
    matches!(
        data_type,
        T::Boolean
            | T::Int8
            | T::Int16
            | T::Int32
            | T::Int64
            | T::UInt8
            | T::UInt16
            | T::UInt32
            | T::UInt64
            | T::Float16
            | T::Float32
            | T::Float64
            | T::Utf8
            | T::Binary
            | T::Date32
            | T::Date64
            | T::Time32(_)
            | T::Time64(_)
            | T::Timestamp(_, _)
            | T::Decimal128(_, _)
    )
}

/// Flattens a normalised schema. None if a type does not cross.
pub fn flatten(schema: &Schema) -> Option<Vec<FlatField>> {
    fn push(field: &Field, out: &mut Vec<FlatField>) -> Option<()> {
        let (kind, children): (Kind, Vec<&FieldRef>) = match field.data_type() {
            DataType::List(item) => (Kind::List, vec![item]),
            DataType::Struct(fields) => (Kind::Struct, fields.iter().collect()),
            leaf => (Kind::Leaf(leaf.clone()), Vec::new()),
        };
        let count = u32::try_from(children.len()).ok()?;
        out.push(FlatField {
            name: field.name().clone(),
            kind,
            nullable: field.is_nullable(),
            children: count,
        });
        children.into_iter().try_for_each(|child| push(child, out))
    }
    let mut out = Vec::new();
    schema
        .fields()
        .iter()
        .try_for_each(|field| push(field, &mut out))?;
    Some(out)
}

/// Builds the schema a guest returned, trusting nothing of it.
///
/// # Errors
/// [`BadSchema`] for a list that is no preorder walk of a schema, for what goes over a cap, for
/// names that mislead or stand side by side twice, and for types that cannot be.
pub fn unflatten(flat: Vec<FlatField>) -> Result<SchemaRef, BadSchema> {
    if flat.is_empty() {
        return Err(bad("it has no fields"));
    }
    if flat.len() > MAX_FIELDS {
        return Err(bad(format!(
            "it has {} fields; at most {MAX_FIELDS} are accepted",
            flat.len()
        )));
    }
    let mut rest = flat.into_iter();
    let mut fields: Vec<FieldRef> = Vec::new();
    while let Some(field) = rest.next() {
        fields.push(build(field, &mut rest, 1)?);
    }
    distinct(&fields)?;
    Ok(Arc::new(Schema::new(fields)))
}

fn bad(why: impl Into<String>) -> BadSchema {
    BadSchema(why.into())
}

fn build(
    flat: FlatField,
    rest: &mut std::vec::IntoIter<FlatField>,
    depth: usize,
) -> Result<FieldRef, BadSchema> {
    let FlatField {
        name,
        kind,
        nullable,
        children,
    } = flat;
    if depth > MAX_DEPTH {
        return Err(bad(format!("it nests deeper than {MAX_DEPTH} levels")));
    }
    check_name(&name)?;
    let children_fit = match &kind {
        Kind::Leaf(_) => children == 0,
        Kind::List => children == 1,
        Kind::Struct => children >= 1,
    };
    if !children_fit {
        return Err(bad(format!(
            "field '{name}' cannot have {children} children"
        )));
    }
    let mut built = Vec::new();
    for _ in 0..children {
        let Some(child) = rest.next() else {
            return Err(bad(format!(
                "field '{name}' announces {children} children, but the fields end before"
            )));
        };
        built.push(build(child, rest, depth + 1)?);
    }
    let data_type = match kind {
        Kind::Leaf(leaf) => {
            check_leaf(&leaf).map_err(|why| bad(format!("field '{name}': {why}")))?;
            leaf
        }
        Kind::List => match built.pop() {
            Some(item) => DataType::List(item),
            None => return Err(bad(format!("field '{name}' is a list of nothing"))),
        },
        Kind::Struct => {
            distinct(&built)?;
            DataType::Struct(built.into())
        }
    };
    Ok(Arc::new(Field::new(name, data_type, nullable)))
}

/// Refuses a name that is empty, overlong, or would mislead the person who reads it.
///
/// # Errors
/// [`BadSchema`], which does not quote the name.
pub fn check_name(name: &str) -> Result<(), BadSchema> {
    if name.is_empty() {
        Err(bad("a name is empty"))
    } else if name.len() > MAX_NAME {
        Err(bad(format!(
            "a name has {} bytes; at most {MAX_NAME} are accepted",
            name.len()
        )))
    } else if name.chars().any(is_deceptive) {
        Err(bad("a name holds control or invisible characters"))
    } else {
        Ok(())
    }
}

fn distinct(fields: &[FieldRef]) -> Result<(), BadSchema> {
    let mut names: Vec<&str> = fields.iter().map(|field| field.name().as_str()).collect();
    names.sort_unstable();
    match names.windows(2).find(|pair| pair.first() == pair.last()) {
        Some(pair) => Err(bad(format!(
            "two fields side by side are named '{}'",
            pair.first().unwrap_or(&"")
        ))),
        None => Ok(()),
    }
}

fn check_leaf(leaf: &DataType) -> Result<(), String> {
    match leaf {
        // A list here would hide its item from the caps.
        other if !is_leaf(other) => Err("its type does not cross".into()),
        DataType::Decimal128(precision, scale) => {
            let digits = i8::try_from(*precision).unwrap_or(i8::MAX);
            if *precision == 0 || *precision > DECIMAL128_MAX_PRECISION {
                Err(format!(
                    "precision {precision} is not between 1 and {DECIMAL128_MAX_PRECISION}"
                ))
            } else if *scale > digits
                || *scale > DECIMAL128_MAX_SCALE
                || *scale < -DECIMAL128_MAX_SCALE
            {
                Err(format!("scale {scale} does not fit precision {precision}"))
            } else {
                Ok(())
            }
        }
        DataType::Time32(TimeUnit::Microsecond | TimeUnit::Nanosecond) => {
            Err("time32 counts seconds or milliseconds".into())
        }
        DataType::Time64(TimeUnit::Second | TimeUnit::Millisecond) => {
            Err("time64 counts microseconds or nanoseconds".into())
        }
        DataType::Timestamp(_, Some(zone)) if !is_zone(zone) => {
            Err("the time zone is neither an IANA name nor an offset such as +02:00".into())
        }
        _ => Ok(()),
    }
}

/// Whether `zone` has the form of an IANA name or of an offset.
fn is_zone(zone: &str) -> bool {
    if let Some(offset) = zone.strip_prefix(['+', '-']) {
        let Some((hours, minutes)) = offset.split_once(':') else {
            return false;
        };
        let two = |text: &str, max: u8| {
            text.len() == 2
                && text.bytes().all(|b| b.is_ascii_digit())
                && text.parse::<u8>().is_ok_and(|n| n <= max)
        };
        return two(hours, 23) && two(minutes, 59);
    }
    zone.len() <= MAX_ZONE
        && zone.starts_with(|c: char| c.is_ascii_alphabetic())
        && zone
            .bytes()
            .all(|b| b.is_ascii_alphanumeric() || matches!(b, b'/' | b'_' | b'-' | b'+'))
        && zone.split('/').all(|part| !part.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn flat(name: &str, kind: Kind, children: u32) -> FlatField {
        FlatField {
            name: name.into(),
            kind,
            nullable: true,
            children,
        }
    }

    fn leaf(name: &str) -> FlatField {
        flat(name, Kind::Leaf(DataType::Int64), 0)
    }

    #[test]
    fn a_schema_survives_the_trip() {
        let schema = Arc::new(Schema::new(vec![
            Field::new("a", DataType::Int64, false),
            Field::new(
                "b",
                DataType::Struct(
                    vec![
                        Field::new(
                            "c",
                            DataType::List(Arc::new(Field::new("item", DataType::Utf8, true))),
                            true,
                        ),
                        Field::new(
                            "d",
                            DataType::Timestamp(TimeUnit::Microsecond, Some("+02:00".into())),
                            true,
                        ),
                    ]
                    .into(),
                ),
                true,
            ),
        ]));
        assert_eq!(unflatten(flatten(&schema).unwrap()).unwrap(), schema);
    }

    #[test]
    fn forged_schemas_are_refused() {
        let refused = |fields: Vec<FlatField>, part: &str| {
            let why = unflatten(fields).unwrap_err().to_string();
            assert!(why.contains(part), "{why}");
        };
        refused(vec![], "no fields");
        refused((0..5000).map(|i| leaf(&i.to_string())).collect(), "4096");
        refused(vec![leaf("a"), leaf("a")], "named 'a'");
        refused(vec![leaf("")], "empty");
        refused(vec![leaf(&"x".repeat(257))], "257");
        refused(vec![leaf("a\nb")], "control");
        refused(vec![flat("s", Kind::Struct, 3), leaf("a")], "end before");
        refused(
            vec![flat("s", Kind::Struct, u32::MAX), leaf("a")],
            "end before",
        );
        refused(vec![flat("s", Kind::Struct, 0)], "0 children");
        refused(
            vec![flat("l", Kind::List, 2), leaf("a"), leaf("b")],
            "2 children",
        );
        refused(
            vec![flat("i", Kind::Leaf(DataType::Int8), 1), leaf("a")],
            "1 children",
        );
        refused(
            vec![flat("s", Kind::Struct, 2), leaf("a"), leaf("a")],
            "named 'a'",
        );
        let mut deep: Vec<_> = (0..100).map(|_| flat("l", Kind::List, 1)).collect();
        deep.push(leaf("x"));
        refused(deep, "64 levels");
        for (data_type, part) in [
            (DataType::Decimal128(0, 0), "precision 0"),
            (DataType::Decimal128(39, 0), "precision 39"),
            (DataType::Decimal128(5, 6), "scale 6"),
            (DataType::Decimal128(5, -128), "scale -128"),
            (DataType::Time32(TimeUnit::Nanosecond), "time32"),
            (DataType::Time64(TimeUnit::Second), "time64"),
            (
                DataType::Timestamp(TimeUnit::Second, Some("".into())),
                "zone",
            ),
            (
                DataType::Timestamp(TimeUnit::Second, Some("+99:00".into())),
                "zone",
            ),
            (
                DataType::Timestamp(TimeUnit::Second, Some("../etc/passwd".into())),
                "zone",
            ),
            (
                DataType::Timestamp(TimeUnit::Second, Some("a".repeat(65).into())),
                "zone",
            ),
            (DataType::Null, "does not cross"),
            (DataType::Utf8View, "does not cross"),
            (
                DataType::List(Arc::new(Field::new("a\nb", DataType::Int8, true))),
                "does not cross",
            ),
        ] {
            refused(vec![flat("x", Kind::Leaf(data_type), 0)], part);
        }
    }

    #[test]
    fn zones_have_the_form_of_zones() {
        for zone in [
            "UTC",
            "Europe/Berlin",
            "Etc/GMT+5",
            "America/Port-au-Prince",
            "+00:00",
            "-11:30",
        ] {
            assert!(is_zone(zone), "{zone}");
        }
    }

    #[test]
    fn encodings_are_unpacked_and_the_rest_is_named() {
        let dictionary =
            DataType::Dictionary(Box::new(DataType::Int32), Box::new(DataType::Utf8View));
        let list = DataType::LargeList(Arc::new(Field::new("item", dictionary.clone(), true)));
        let schema = Schema::new(vec![
            Field::new("a", dictionary, true),
            Field::new("b", list, true),
        ]);
        let normal = normalise_schema(&schema).unwrap();
        assert_eq!(normal.field(0).data_type(), &DataType::Utf8);
        assert_eq!(
            normal.field(1).data_type(),
            &DataType::List(Arc::new(Field::new("item", DataType::Utf8, true)))
        );
        let odd = Schema::new(vec![Field::new(
            "s",
            DataType::Struct(vec![Field::new("n", DataType::Null, true)].into()),
            true,
        )]);
        let error = normalise_schema(&odd).unwrap_err();
        assert!(
            matches!(&error, UnsupportedType { column, .. } if column == "s.n"),
            "{error}"
        );
    }
}
