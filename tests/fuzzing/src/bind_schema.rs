//! `bind_schema`: whatever fields a plugin's `bind` returns, they are a schema within the caps, or a
//! reason that hides nothing from whoever reads it.
//!
//! An input is read as fields in preorder: a sound tree, such a tree with a few fields changed, or
//! any fields at all, some of them repeated thousands of times.

use std::collections::BTreeSet;
use std::sync::Arc;

use arbitrary::{Result, Unstructured};
use arrow::datatypes::{DataType, Field, Fields, Schema, TimeUnit};
use weir_verify::guest_text::is_deceptive;
use weir_verify::schema::{
    FlatField, Kind, MAX_DEPTH, MAX_FIELDS, MAX_NAME, flatten, normalise_schema, unflatten,
};
use weir_verify::verify::{Node, Shape, verify};

use crate::{fields, noise};

/// Runs the target on one input.
pub fn run(data: &[u8]) {
    let mut u = Unstructured::new(data);
    let _ = attempt(&mut u);
}

fn attempt(u: &mut Unstructured<'_>) -> Result<()> {
    let (flat, sound) = match u.int_in_range(0..=3)? {
        0 => (tree(u)?, true),
        1 => {
            let mut flat = tree(u)?;
            for _ in 0..u.int_in_range(1..=3)? {
                mutate(u, &mut flat)?;
            }
            (flat, false)
        }
        2 => (anything(u)?, false),
        _ => (repeated(u)?, false),
    };
    match unflatten(flat.clone()) {
        Ok(schema) => accepted(&flat, &schema),
        Err(bad) => {
            let why = bad.to_string();
            assert!(!why.is_empty() && !why.contains(is_deceptive), "{why:?}");
            assert!(why.len() <= MAX_NAME + 200, "{why}");
            assert!(!sound, "a sound schema was refused: {why}\n{flat:?}");
        }
    }
    Ok(())
}

/// A schema as an honest plugin would return it.
fn tree(u: &mut Unstructured<'_>) -> Result<Vec<FlatField>> {
    let columns = (0..u.int_in_range(1..=5)?)
        .map(|column| fields::field(u, ["v", "w", "x", "y", "ż"][column], 4))
        .collect::<Result<Vec<_>>>()?;
    Ok(flatten(&Schema::new(columns)).unwrap())
}

fn name(u: &mut Unstructured<'_>) -> Result<String> {
    const ODD: [&str; 9] = [
        "",
        "a",
        "A",
        "item",
        "a\nb",
        "\u{202e}a",
        "a\u{200b}",
        "数",
        "a.b",
    ];
    Ok(match u.int_in_range(0..=7)? {
        0..=3 => (*u.choose(&ODD)?).to_owned(),
        4 => "n".repeat(u.int_in_range(MAX_NAME - 2..=MAX_NAME + 2)?),
        5 => "é".repeat(u.int_in_range(MAX_NAME / 2 - 1..=MAX_NAME / 2 + 1)?),
        _ => u.arbitrary()?,
    })
}

fn kind(u: &mut Unstructured<'_>) -> Result<Kind> {
    Ok(match u.int_in_range(0..=9)? {
        0..=2 => Kind::Leaf(fields::leaf(u)?),
        3 => Kind::Leaf(DataType::Decimal128(u.arbitrary()?, u.arbitrary()?)),
        4 => {
            let zone: Option<&str> = u.arbitrary()?;
            Kind::Leaf(DataType::Timestamp(TimeUnit::Second, zone.map(Into::into)))
        }
        5 => {
            let units = [TimeUnit::Second, TimeUnit::Nanosecond];
            let unit = *u.choose(&units)?;
            Kind::Leaf(match u.arbitrary()? {
                true => DataType::Time32(unit),
                false => DataType::Time64(unit),
            })
        }
        6 => Kind::Leaf(match u.arbitrary()? {
            true => fields::foreign(u)?,
            // Children that are hidden inside a type.
            false => DataType::List(Arc::new(Field::new("a\nb", DataType::Int8, true))),
        }),
        7 => Kind::List,
        _ => Kind::Struct,
    })
}

fn flat(u: &mut Unstructured<'_>) -> Result<FlatField> {
    let kind = kind(u)?;
    let natural = match kind {
        Kind::Leaf(_) => 0,
        Kind::List => 1,
        Kind::Struct => u.int_in_range(1..=3)?,
    };
    Ok(FlatField {
        name: name(u)?,
        kind,
        nullable: u.arbitrary()?,
        children: match u.ratio(1, 6)? {
            true => *u.choose(&[0, 1, 2, 5000, u32::MAX])?,
            false => natural,
        },
    })
}

fn mutate(u: &mut Unstructured<'_>, fields: &mut Vec<FlatField>) -> Result<()> {
    if fields.is_empty() {
        return Ok(());
    }
    let at = u.choose_index(fields.len())?;
    match u.int_in_range(0..=4)? {
        0 => fields[at].name = name(u)?,
        1 => fields[at].children = *u.choose(&[0, 1, 2, 3, u32::MAX])?,
        2 => fields[at].kind = kind(u)?,
        3 => {
            fields.remove(at);
        }
        _ => {
            let field = flat(u)?;
            fields.insert(at, field);
        }
    }
    Ok(())
}

fn anything(u: &mut Unstructured<'_>) -> Result<Vec<FlatField>> {
    (0..u.int_in_range(0..=24)?).map(|_| flat(u)).collect()
}

/// Runs of one field: of columns, of nesting, of both.
fn repeated(u: &mut Unstructured<'_>) -> Result<Vec<FlatField>> {
    let mut out = Vec::new();
    for _ in 0..u.int_in_range(1..=4)? {
        let field = flat(u)?;
        let times = match u.ratio(1, 24)? {
            true => *u.choose(&[700, MAX_FIELDS - 1, MAX_FIELDS])?,
            false => *u.choose(&[1, 2, 9, MAX_DEPTH - 1, MAX_DEPTH, MAX_DEPTH + 1])?,
        };
        let numbered = u.ratio(2, 3)?;
        for time in 0..times {
            let mut field = field.clone();
            if numbered {
                field.name = format!("n{time}");
            }
            out.push(field);
        }
    }
    Ok(out)
}

/// A schema that was accepted is what the fields say, and nothing that the host cannot hold.
fn accepted(flat: &[FlatField], schema: &Arc<Schema>) {
    assert!(!flat.is_empty() && flat.len() <= MAX_FIELDS);
    assert_eq!(within(schema.fields(), 1), flat.len());
    let again = flatten(schema).expect("only types that cross are accepted");
    assert_eq!(again, flat);
    assert_eq!(unflatten(again).as_ref(), Ok(schema));
    assert_eq!(normalise_schema(schema).as_ref(), Ok(schema));

    // A batch of it without rows can be sent.
    let shape = Shape::of(schema);
    assert_eq!(shape.nodes, flat.len());
    let nodes = vec![Node::default(); shape.nodes];
    let buffers = vec![&[] as &[u8]; shape.buffers];
    let batch = verify(schema, 0, &nodes, &buffers).expect("no rows are a batch of any schema");
    for column in batch.columns() {
        column.to_data().validate_full().unwrap();
    }
}

/// Checks names, siblings and depth; gives the number of fields at all levels.
fn within(fields: &Fields, depth: usize) -> usize {
    assert!(depth <= MAX_DEPTH);
    let names: BTreeSet<&str> = fields.iter().map(|field| field.name().as_str()).collect();
    assert_eq!(names.len(), fields.len(), "names side by side differ");
    let below = fields.iter().map(|field| {
        let name = field.name();
        assert!((1..=MAX_NAME).contains(&name.len()) && !name.contains(is_deceptive));
        match field.data_type() {
            DataType::Struct(fields) => within(fields, depth + 1),
            DataType::List(item) => within(&Fields::from(vec![Arc::clone(item)]), depth + 1),
            _ => 0,
        }
    });
    fields.len() + below.sum::<usize>()
}

/// Inputs that are read as many kinds of field lists.
pub fn seeds() -> Vec<Vec<u8>> {
    (0..1500)
        .map(|seed| noise(seed + 10_000, 16 + (seed as usize % 10) * 24))
        .collect()
}
