//! The derives at work: what structs read from columns and make of them.

mod by_row;
mod names;

use std::borrow::Cow;
use std::sync::Arc;

use arrow::array::{
    Array, ArrayRef, AsArray, BooleanArray, Date32Array, Decimal128Array, Int32Array, Int64Array,
    ListArray, RecordBatch, StringArray, StructArray, TimestampMicrosecondArray,
};
use arrow::buffer::OffsetBuffer;
use arrow::datatypes::{DataType, Field, Int32Type, Schema, TimeUnit};

use super::*;
use crate::Error;

/// A field of every type. The same struct is read and written.
#[derive(Clone, Debug, Default, PartialEq, FromRow, IntoRow)]
struct Every {
    flag: bool,
    int8: i8,
    int16: i16,
    int32: i32,
    int64: i64,
    uint8: u8,
    uint16: u16,
    uint32: u32,
    uint64: u64,
    float32: f32,
    float64: f64,
    text: String,
    bytes: Vec<u8>,
    money: Decimal<12, 2>,
    date: Date,
    time_s: Time<Second>,
    time_ms: Time<Millisecond>,
    time: Time,
    time_ns: Time<Nanosecond>,
    moment_s: Timestamp<Second>,
    moment_ms: Timestamp<Millisecond>,
    moment: Timestamp,
    moment_ns: Timestamp<Nanosecond>,
    local: LocalTimestamp,
    list: Vec<i64>,
    texts: Vec<Option<String>>,
    lists: Vec<Vec<Date>>,
    blobs: Vec<Vec<u8>>,
    nested: Inner,
    items: Vec<Inner>,
    maybe_flag: Option<bool>,
    maybe_int: Option<u16>,
    maybe_text: Option<String>,
    maybe_bytes: Option<Vec<u8>>,
    maybe_money: Option<Decimal<38, 0>>,
    maybe_time: Option<Time<Second>>,
    maybe_moment: Option<Timestamp>,
    maybe_list: Option<Vec<Option<i8>>>,
    maybe_nested: Option<Inner>,
    maybe_items: Option<Vec<Option<Inner>>>,
}

#[derive(Clone, Debug, Default, PartialEq, FromRow, IntoRow)]
struct Inner {
    name: String,
    count: Option<i32>,
}

fn every(n: u8) -> Every {
    let inner = |n: u8| Inner {
        name: format!("é{n}"),
        count: n.is_multiple_of(2).then_some(i32::from(n)),
    };
    let wide = i64::from(n) * 1_000_003;
    let some = n.is_multiple_of(3);
    Every {
        flag: n.is_multiple_of(2),
        int8: -(n as i8),
        int16: i16::MIN + i16::from(n),
        int32: i32::MIN + i32::from(n),
        int64: i64::MIN + wide,
        uint8: u8::MAX - n,
        uint16: u16::MAX - u16::from(n),
        uint32: u32::MAX - u32::from(n),
        uint64: u64::MAX - u64::from(n),
        float32: f32::from(n) / 3.0,
        float64: f64::from(n) / 3.0,
        text: "x".repeat(n.into()),
        bytes: vec![n; (n % 4).into()],
        money: Decimal::new(i128::from(-wide)).unwrap(),
        date: Date::from_days(wide as i32),
        time_s: Time::new(1, 2, n.into()).unwrap(),
        time_ms: Time::new(1, 2, n.into()).unwrap(),
        time: Time::from_count(wide).unwrap(),
        time_ns: Time::from_count(wide).unwrap(),
        moment_s: Timestamp::from_count(wide),
        moment_ms: Timestamp::from_count(-wide),
        moment: Timestamp::from_count(wide),
        moment_ns: Timestamp::from_count(wide),
        local: LocalTimestamp::from_count(wide),
        list: (0..wide).step_by(1_000_003).collect(),
        texts: vec![None, Some(n.to_string())],
        lists: vec![vec![], vec![Date::from_days(n.into())]],
        blobs: vec![vec![n], vec![]],
        nested: inner(n),
        items: (0..n % 3).map(inner).collect(),
        maybe_flag: some.then_some(true),
        maybe_int: some.then_some(n.into()),
        maybe_text: some.then(String::new),
        maybe_bytes: some.then(Vec::new),
        maybe_money: some.then(|| Decimal::new(i128::from(n) << 100).unwrap()),
        maybe_time: some.then(Time::default),
        maybe_moment: some.then(Timestamp::default),
        maybe_list: some.then(|| vec![Some(n as i8), None]),
        maybe_nested: some.then(|| inner(n)),
        maybe_items: some.then(|| vec![None, Some(inner(n))]),
    }
}

fn build<T: IntoRow>(rows: impl IntoIterator<Item = T>) -> RecordBatch {
    let mut batch = Builder::new(schema::<T>(), 0);
    rows.into_iter().for_each(|row| batch.push(row));
    batch.finish().unwrap()
}

fn read<'a, T: FromRow<'a>>(batch: &'a RecordBatch) -> Result<Vec<T>, Unreadable> {
    let layout = Layout::of::<T>(batch.schema_ref()).unwrap();
    layout.read::<T>(batch).unwrap().collect()
}

fn misfit<'a, T: FromRow<'a>>(schema: &Schema) -> String {
    match Layout::of::<T>(schema) {
        Err(Error::Data(message)) => message,
        other => panic!("{other:?}"),
    }
}

#[test]
fn every_type_is_read_as_it_was_written() {
    let rows: Vec<Every> = (0..40).map(every).collect();
    let batch = build(rows.clone());
    batch.columns().iter().for_each(|column| {
        column.to_data().validate_full().unwrap();
    });
    assert_eq!(read::<Every>(&batch).unwrap(), rows);
    // Slices begin within a byte of null bits, and within offsets.
    for (start, rows_read) in [(0, 7), (3, 30), (9, 31), (39, 1), (40, 0)] {
        assert_eq!(
            read::<Every>(&batch.slice(start, rows_read)).unwrap(),
            rows[start..start + rows_read]
        );
    }
    assert_eq!(build::<Every>([]).num_rows(), 0);
}

#[test]
fn a_struct_says_its_schema() {
    let schema = schema::<Every>();
    let field = |name: &str| schema.field_with_name(name).unwrap().clone();
    assert_eq!(field("int64"), Field::new("int64", DataType::Int64, false));
    assert_eq!(
        field("maybe_int"),
        Field::new("maybe_int", DataType::UInt16, true)
    );
    assert_eq!(field("money").data_type(), &DataType::Decimal128(12, 2));
    assert_eq!(
        field("moment").data_type(),
        &DataType::Timestamp(TimeUnit::Microsecond, Some("UTC".into()))
    );
    assert_eq!(
        field("local").data_type(),
        &DataType::Timestamp(TimeUnit::Microsecond, None)
    );
    assert_eq!(
        field("time_ms").data_type(),
        &DataType::Time32(TimeUnit::Millisecond)
    );
    let inner = vec![
        Field::new("name", DataType::Utf8, false),
        Field::new("count", DataType::Int32, true),
    ];
    assert_eq!(
        field("maybe_items"),
        Field::new_list(
            "maybe_items",
            Field::new_list_field(DataType::Struct(inner.into()), true),
            true
        )
    );
    assert_eq!(Every::COLUMNS.len(), schema.fields().len());
}

#[test]
fn text_and_bytes_are_borrowed_from_the_batch() {
    #[derive(FromRow)]
    struct Borrowed<'batch> {
        text: &'batch str,
        bytes: Option<&'batch [u8]>,
        texts: Vec<&'batch str>,
    }
    #[derive(IntoRow)]
    struct Written<'x> {
        text: &'x str,
        bytes: Option<&'x [u8]>,
        texts: Vec<&'x str>,
    }
    let batch = build([Written {
        text: "anna",
        bytes: Some(b"\xff"),
        texts: vec!["a", "b"],
    }]);
    let rows: Vec<Borrowed> = read(&batch).unwrap();
    assert_eq!((rows[0].text, rows[0].bytes), ("anna", Some(&b"\xff"[..])));
    assert_eq!(rows[0].texts, ["a", "b"]);
    let bytes = batch.column(0).as_string::<i32>().values();
    assert_eq!(rows[0].text.as_ptr(), bytes.as_ptr());
}

#[test]
fn columns_are_named_as_the_attributes_say() {
    #[derive(Debug, Default, PartialEq, FromRow, IntoRow)]
    #[row(rename_all = "camelCase")]
    struct Named {
        claim_id: i32,
        #[row(rename = "PRVDR #")]
        provider: i32,
        r#type: i32,
        #[row(flatten)]
        more: More,
    }
    #[derive(Debug, Default, PartialEq, FromRow, IntoRow)]
    struct More {
        last_one: i32,
    }
    let row = Named {
        claim_id: 1,
        provider: 2,
        r#type: 3,
        more: More { last_one: 4 },
    };
    let batch = build([row]);
    let schema = batch.schema();
    let names: Vec<&str> = schema
        .fields()
        .iter()
        .map(|field| field.name().as_str())
        .collect();
    assert_eq!(names, ["claimId", "PRVDR #", "type", "last_one"]);
    assert_eq!(Named::COLUMNS, ["claimId", "PRVDR #", "type"]);

    // Found by name, wherever they are.
    let mixed = batch.project(&[3, 1, 0, 2]).unwrap();
    let rows: Vec<Named> = read(&mixed).unwrap();
    assert_eq!(rows[0].more.last_one, 4);
    assert_eq!((rows[0].claim_id, rows[0].provider), (1, 2));
}

#[derive(Debug, PartialEq, FromRow)]
struct Defaults {
    #[row(default)]
    count: i32,
    #[row(default)]
    name: Option<String>,
    #[row(default)]
    inner: Inner,
}

#[test]
fn a_default_stands_in_for_what_is_missing_or_null() {
    let count: ArrayRef = Arc::new(Int32Array::from(vec![Some(7), None]));
    let batch = RecordBatch::try_from_iter([("count", count)]).unwrap();
    let rows: Vec<Defaults> = read(&batch).unwrap();
    assert_eq!((rows[0].count, rows[1].count), (7, 0));
    assert_eq!((&rows[0].name, &rows[0].inner), (&None, &Inner::default()));
    assert!(!Defaults::COLUMNS.contains(&"count"));

    // A column that is there must be of the type.
    let schema = Schema::new(vec![Field::new("count", DataType::Utf8, true)]);
    assert!(misfit::<Defaults>(&schema).contains("column `count`: Int32 expected, Utf8 found"));
}

#[test]
fn a_null_says_where_it_is() {
    #[derive(Debug, FromRow)]
    #[expect(dead_code, reason = "only read")]
    struct Row {
        id: i64,
        nested: Option<Outer>,
    }
    #[derive(Debug, FromRow)]
    #[expect(dead_code, reason = "only read")]
    struct Outer {
        #[row(rename = "list")]
        items: Vec<i32>,
    }
    let ids: ArrayRef = Arc::new(Int64Array::from(vec![
        Some(1),
        None,
        Some(3),
        Some(4),
        Some(5),
    ]));
    let lists = ListArray::from_iter_primitive::<Int32Type, _, _>([
        Some(vec![Some(1)]),
        Some(vec![]),
        None,
        Some(vec![Some(1), None]),
        None,
    ]);
    let field = Arc::new(Field::new("list", lists.data_type().clone(), true));
    let nested = StructArray::new(
        vec![field].into(),
        vec![Arc::new(lists)],
        Some(vec![true, true, true, true, false].into()),
    );
    let nested: ArrayRef = Arc::new(nested);
    let batch = RecordBatch::try_from_iter([("id", ids), ("nested", nested)]).unwrap();
    let layout = Layout::of::<Row>(batch.schema_ref()).unwrap();
    let found: Vec<String> = layout
        .read::<Row>(&batch)
        .unwrap()
        .map(|row| row.map_or_else(|null| null.to_string(), |row| row.id.to_string()))
        .collect();
    assert_eq!(
        found,
        [
            "1",
            "column `id` is null",
            "column `nested.list` is null",
            "column `nested.list.item` is null",
            "5",
        ]
    );
}

/// The same place as a misfit of the type is told at, whatever the list calls its items.
#[test]
fn a_null_within_an_item_says_where_it_is() {
    #[derive(Debug, FromRow)]
    #[expect(dead_code, reason = "only read")]
    struct Patient {
        visits: Vec<Visit>,
        lists: Vec<Vec<i32>>,
    }
    #[derive(Debug, FromRow)]
    #[expect(dead_code, reason = "only read")]
    struct Visit {
        date: Date,
    }
    let visits = |dates: Vec<Option<i32>>, lists: Vec<Option<i32>>| {
        let dates: ArrayRef = Arc::new(Date32Array::from(dates));
        let date = Field::new("date", DataType::Date32, true);
        let visits = StructArray::new(vec![date].into(), vec![dates], None);
        let one_each = OffsetBuffer::from_lengths([1]);
        let field = Field::new("element", visits.data_type().clone(), true);
        let visits = ListArray::new(Arc::new(field), one_each.clone(), Arc::new(visits), None);
        let inner = ListArray::from_iter_primitive::<Int32Type, _, _>([Some(lists)]);
        let field = Field::new_list_field(inner.data_type().clone(), true);
        let lists = ListArray::new(Arc::new(field), one_each, Arc::new(inner), None);
        RecordBatch::try_from_iter([
            ("visits", Arc::new(visits) as ArrayRef),
            ("lists", Arc::new(lists)),
        ])
        .unwrap()
    };
    let fault = |batch: &RecordBatch| read::<Patient>(batch).unwrap_err().to_string();
    assert_eq!(
        fault(&visits(vec![None], vec![])),
        "column `visits.item.date` is null"
    );
    assert_eq!(
        fault(&visits(vec![Some(1)], vec![Some(1), None])),
        "column `lists.item.item` is null"
    );
    assert!(read::<Patient>(&visits(vec![Some(1)], vec![Some(1)])).is_ok());
}

#[test]
fn a_row_that_is_not_there_reads_as_nulls() {
    let lists = ListArray::from_iter_primitive::<Int32Type, _, _>([Some([Some(1)])]);
    let fitted = Fitted::default();
    let lists = <Vec<i32> as FromColumn>::column(&lists, &fitted).unwrap();
    assert_eq!(Vec::<i32>::get(&lists, 0), Ok(Some(vec![1])));
    for row in [1, usize::MAX - 1, usize::MAX] {
        assert_eq!(Vec::<i32>::get(&lists, row), Ok(None));
    }
    let numbers = Int32Array::from(vec![1]);
    let numbers = <i32 as FromColumn>::column(&numbers, &fitted).unwrap();
    assert_eq!(i32::get(&numbers, usize::MAX), Ok(None));
}

#[test]
fn a_decimal_with_too_many_digits_is_unreadable() {
    #[derive(Debug, PartialEq, FromRow)]
    struct Row {
        paid: Option<Decimal<4, 2>>,
        #[row(default)]
        fees: Vec<Decimal<3, 0>>,
    }
    const { assert!(<Row as FromRow>::REFUSES) };
    const { assert!(<Option<Decimal<4, 2>> as FromColumn>::REFUSES) };
    let decimals = |units: Vec<Option<i128>>, precision, scale| {
        let decimals = Decimal128Array::from(units);
        decimals.with_precision_and_scale(precision, scale).unwrap()
    };
    // Arrow lets a column hold more than its type says.
    let paid = decimals(
        vec![Some(99_99), Some(10_000), Some(-10_000), None, Some(1)],
        4,
        2,
    );
    let fees = decimals(vec![Some(999), Some(-1000)], 3, 0);
    let field = Arc::new(Field::new_list_field(fees.data_type().clone(), true));
    let ends = OffsetBuffer::from_lengths([1, 0, 0, 0, 1]);
    let fees = ListArray::new(field, ends, Arc::new(fees), None);
    let batch = RecordBatch::try_from_iter([
        ("paid", Arc::new(paid) as ArrayRef),
        ("fees", Arc::new(fees)),
    ])
    .unwrap();
    let layout = Layout::of::<Row>(batch.schema_ref()).unwrap();
    let rows: Vec<_> = layout
        .read::<Row>(&batch)
        .unwrap()
        .map(|row| row.map_err(|fault| fault.to_string()))
        .collect();
    let row = |paid: Option<i128>, fees: &[i128]| {
        Ok(Row {
            paid: paid.map(|units| Decimal::new(units).unwrap()),
            fees: fees
                .iter()
                .map(|units| Decimal::new(*units).unwrap())
                .collect(),
        })
    };
    let too_long = || Err("column `paid` has more than 4 digits".to_owned());
    assert_eq!(
        rows,
        [
            row(Some(99_99), &[999]),
            too_long(),
            too_long(),
            row(None, &[]),
            Err("column `fees.item` has more than 3 digits".to_owned()),
        ]
    );
}

#[test]
fn a_type_knows_whether_a_null_can_spoil_it() {
    #[derive(FromRow)]
    #[expect(dead_code, reason = "only its constants are looked at")]
    struct Lenient {
        a: Option<i32>,
        b: Option<Vec<Option<String>>>,
        c: Option<AllOptional>,
        #[row(default)]
        d: i64,
        #[row(flatten)]
        e: AllOptional,
    }
    #[derive(FromRow)]
    #[expect(dead_code, reason = "only its constants are looked at")]
    struct AllOptional {
        a: Option<i32>,
    }
    #[derive(FromRow)]
    #[expect(dead_code, reason = "only its constants are looked at")]
    struct Within {
        a: Option<Inner>,
    }
    #[derive(FromRow)]
    #[expect(dead_code, reason = "only its constants are looked at")]
    struct Items {
        a: Option<Vec<i32>>,
    }
    const { assert!(!<Lenient as FromRow>::REFUSES) };
    const { assert!(<Within as FromRow>::REFUSES) };
    const { assert!(<Items as FromRow>::REFUSES) };
    const { assert!(<Defaults as FromRow>::REFUSES) };
}

#[test]
fn all_columns_that_do_not_fit_are_named_together() {
    #[derive(FromRow)]
    #[expect(dead_code, reason = "does not fit")]
    struct Claim<'a> {
        id: i64,
        paid: Decimal<12, 2>,
        moment: Timestamp,
        name: &'a str,
        visits: Vec<Visit>,
        codes: Vec<String>,
        stay: Option<Visit>,
        fits: bool,
    }
    #[derive(FromRow)]
    #[expect(dead_code, reason = "does not fit")]
    struct Visit {
        date: Date,
        ward: Option<String>,
    }
    let visit = vec![Field::new("date", DataType::Utf8, true)];
    let visit = DataType::Struct(visit.into());
    let schema = Schema::new(vec![
        Field::new("id", DataType::Int32, true),
        Field::new("paid", DataType::Decimal128(14, 2), true),
        Field::new(
            "moment",
            DataType::Timestamp(TimeUnit::Microsecond, None),
            true,
        ),
        Field::new_list("visits", Field::new("element", visit, true), true),
        Field::new("codes", DataType::Utf8, true),
        Field::new("stay", DataType::Date32, true),
        Field::new("fits", DataType::Boolean, true),
    ]);
    assert_eq!(
        misfit::<Claim>(&schema),
        "the input does not fit `Claim`: \
         column `id`: Int64 expected, Int32 found; \
         column `paid`: Decimal128(12, 2) expected, Decimal128(14, 2) found; \
         column `moment`: Timestamp(µs, \"UTC\") expected, Timestamp(µs) found; \
         column `name`: Utf8 expected, none found; \
         column `visits.item.date`: Date32 expected, Utf8 found; \
         column `visits.item.ward`: Utf8 expected, none found; \
         column `codes`: List of Utf8 expected, Utf8 found; \
         column `stay`: Struct expected, Date32 found; \
         name missing columns in the stage's `grant`; \
         the input has id, paid, moment, visits, codes, stay, fits"
    );
    assert!(misfit::<Visit>(&Schema::empty()).ends_with("the input has no columns"));
    // No grant mends a type.
    let schema = Schema::new(vec![
        Field::new("date", DataType::Utf8, true),
        Field::new("ward", DataType::Utf8, true),
    ]);
    assert_eq!(
        misfit::<Visit>(&schema),
        "the input does not fit `Visit`: column `date`: Date32 expected, Utf8 found"
    );
}

#[test]
fn columns_that_say_more_than_the_type_are_read() {
    #[derive(FromRow)]
    struct Row {
        paid: Decimal<12, 2>,
        moment: Timestamp,
    }
    let paid = Decimal128Array::from(vec![1250]).with_precision_and_scale(9, 2);
    let moment = TimestampMicrosecondArray::from(vec![1]).with_timezone("+02:00");
    let batch = RecordBatch::try_from_iter([
        ("paid", Arc::new(paid.unwrap()) as ArrayRef),
        ("moment", Arc::new(moment)),
    ])
    .unwrap();
    let rows: Vec<Row> = read(&batch).unwrap();
    assert_eq!(rows[0].paid.to_string(), "12.50");
    assert_eq!(rows[0].moment.count(), 1);
}

#[test]
fn a_batch_of_another_schema_is_refused() {
    let id: ArrayRef = Arc::new(Int64Array::from(vec![1]));
    let flag: ArrayRef = Arc::new(BooleanArray::from(vec![true]));
    #[derive(FromRow)]
    #[expect(dead_code, reason = "never read")]
    struct Row {
        id: i64,
    }
    let schema = Schema::new(vec![Field::new("id", DataType::Int64, false)]);
    let layout = Layout::of::<Row>(&schema).unwrap();
    let other = RecordBatch::try_from_iter([("flag", flag)]).unwrap();
    assert!(matches!(layout.read::<Row>(&other), Err(Error::Fatal(_))));
    let none = other.project(&[]).unwrap();
    assert!(matches!(layout.read::<Row>(&none), Err(Error::Fatal(_))));
    let same = RecordBatch::try_from_iter([("id", id)]).unwrap();
    assert!(layout.read::<Row>(&same).is_ok());
    // A layout of another type.
    assert!(matches!(layout.read::<Every>(&same), Err(Error::Fatal(_))));
}

/// A layout keeps positions, and a batch its columns' names: neither says what they were made for.
#[test]
fn columns_are_not_taken_for_others() {
    #[derive(Debug, PartialEq, FromRow, IntoRow)]
    struct Pair {
        a: i64,
        b: i64,
    }
    #[derive(FromRow)]
    #[expect(dead_code, reason = "never read")]
    struct Swapped {
        b: i64,
        a: i64,
    }
    let fatal = |layout: &Layout, batch: &RecordBatch| match layout.read::<Pair>(batch) {
        Err(Error::Fatal(message)) => message,
        Err(other) => panic!("{other}"),
        Ok(_) => panic!("it was read"),
    };
    let batch = build([Pair { a: 1, b: 2 }]);
    let layout = Layout::of::<Pair>(batch.schema_ref()).unwrap();
    let swapped = batch.project(&[1, 0]).unwrap();
    assert_eq!(
        fatal(&layout, &swapped),
        "a batch does not have the columns that `Pair` was bound to"
    );
    let other = Layout::of::<Swapped>(batch.schema_ref()).unwrap();
    let message = fatal(&other, &batch);
    assert!(
        message.contains("::Pair` where `") && message.ends_with("::Swapped` was bound"),
        "{message}"
    );
    // The same columns, of which the schema says more.
    let fields = batch.schema_ref().fields().iter().map(|field| {
        let metadata = [("k".to_owned(), "v".to_owned())].into();
        field
            .as_ref()
            .clone()
            .with_nullable(true)
            .with_metadata(metadata)
    });
    let schema = Schema::new(fields.collect::<Vec<_>>());
    let same = RecordBatch::try_new(schema.into(), batch.columns().to_vec()).unwrap();
    let rows: Result<Vec<Pair>, _> = layout.read(&same).unwrap().collect();
    assert_eq!(rows, Ok(vec![Pair { a: 1, b: 2 }]));

    // The same columns under a decimal's other scale, and under another name within a struct.
    #[derive(FromRow)]
    #[expect(dead_code, reason = "never read")]
    struct Deep {
        paid: Decimal<12, 2>,
        list: Vec<Inner>,
    }
    let schema = |scale, name: &str, nullable| {
        let inner = vec![
            Field::new("name", DataType::Utf8, nullable),
            Field::new(name, DataType::Int32, nullable),
        ];
        let item = Field::new_list_field(DataType::Struct(inner.into()), nullable);
        Schema::new(vec![
            Field::new("paid", DataType::Decimal128(12, scale), nullable),
            Field::new_list("list", item, nullable),
        ])
    };
    let layout = Layout::of::<Deep>(&schema(2, "count", true)).unwrap();
    let read = |schema: Schema| {
        let batch = RecordBatch::new_empty(schema.into());
        layout.read::<Deep>(&batch).map(|rows| rows.len())
    };
    assert_eq!(read(schema(2, "count", true)), Ok(0));
    assert_eq!(read(schema(2, "count", false)), Ok(0));
    for other in [schema(3, "count", true), schema(2, "other", true)] {
        assert!(matches!(read(other), Err(Error::Fatal(_))));
    }
}

#[test]
fn a_batch_is_made_under_its_own_schema() {
    #[derive(IntoRow)]
    struct Line {
        number: i64,
        text: Option<String>,
    }
    let made = |fields: Vec<Field>| {
        let mut batch = Builder::new(Schema::new(fields).into(), 1);
        let (number, text) = (1, Some("one".to_owned()));
        batch.push(Line { number, text });
        batch.finish()
    };
    let field = |name: &str, data_type| Field::new(name, data_type, false);
    let (number, text) = (
        field("number", DataType::Int64),
        field("text", DataType::Utf8),
    );
    assert_eq!(
        made(vec![number.clone(), text.clone()]).unwrap().num_rows(),
        1
    );
    let other = Err(Error::fatal(
        "a batch of `Line` has a schema with other columns than `Line`",
    ));
    for schema in [
        vec![text.clone(), number.clone()],
        vec![number.clone(), field("texts", DataType::Utf8)],
        vec![field("number", DataType::UInt64), text],
        vec![number],
    ] {
        assert_eq!(made(schema), other);
    }
}

trait Named {
    fn misfit() -> String;
}

impl Named for Inner {
    fn misfit() -> String {
        #[derive(FromRow)]
        #[expect(dead_code, reason = "does not fit")]
        struct Claim<'a> {
            name: &'a str,
        }
        misfit::<Claim>(&Schema::empty())
    }
}

#[test]
fn a_type_within_a_method_has_a_name() {
    let message = Inner::misfit();
    assert!(
        message.starts_with("the input does not fit `Claim`: "),
        "{message}"
    );
}

#[test]
fn text_may_be_owned_in_some_rows_only() {
    #[derive(IntoRow)]
    struct Row<'a> {
        name: Cow<'a, str>,
    }
    let batch = build(["ok", "bad"].map(|name| Row {
        name: match name {
            "bad" => name.to_uppercase().into(),
            _ => name.into(),
        },
    }));
    let names = StringArray::from(vec!["ok", "BAD"]);
    assert_eq!(batch.column(0).as_string::<i32>(), &names);
}

#[test]
fn structs_that_macros_write_are_derived_too() {
    macro_rules! row {
        ($name:ident { $($field:ident: $type:ty),* }) => {
            #[derive(FromRow, IntoRow)]
            struct $name {
                $($field: $type,)*
                row: i32,
                columns: Option<i32>,
            }
        };
    }
    row!(Odd { fields: i32, builders: String, arrays: Vec<i32> });
    let batch = build([Odd {
        fields: 1,
        builders: "b".into(),
        arrays: vec![2],
        row: 3,
        columns: None,
    }]);
    let rows: Vec<Odd> = read(&batch).unwrap();
    assert_eq!((rows[0].fields, rows[0].row, rows[0].columns), (1, 3, None));
    assert_eq!(
        (rows[0].builders.as_str(), rows[0].arrays.as_slice()),
        ("b", &[2][..])
    );
}

#[test]
fn dates_are_arrows() {
    let days: ArrayRef = Arc::new(Date32Array::from(vec![14_680]));
    #[derive(FromRow)]
    struct Row {
        day: Date,
    }
    let batch = RecordBatch::try_from_iter([("day", days)]).unwrap();
    assert_eq!(
        read::<Row>(&batch).unwrap()[0].day.to_string(),
        "2010-03-12"
    );
}

#[test]
fn a_time_that_is_none_is_told_however_large_its_parts_are() {
    let time = |hour, minute, second| Time::<Second>::new(hour, minute, second).map(Time::count);
    assert_eq!(time(23, 59, 59), Some(86_399));
    for (hour, minute, second) in [
        (24, 0, 0),
        (0, 60, 0),
        (0, 0, 60),
        (1_193_047, 0, 0),
        (0, u32::MAX, 0),
        (23, 59, u32::MAX),
    ] {
        assert_eq!(time(hour, minute, second), None);
    }
}
