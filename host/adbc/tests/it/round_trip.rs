//! Every type that has a SQL type, and back.

use std::sync::Arc;

use arrow::array::builder::{
    FixedSizeListBuilder, Int32Builder, LargeListBuilder, ListBuilder, MapBuilder, StringBuilder,
};
use arrow::array::{
    Array, ArrayRef, BinaryArray, BinaryViewArray, BooleanArray, Decimal32Array, Decimal64Array,
    Decimal128Array, DictionaryArray, FixedSizeBinaryArray, Float32Array, Float64Array, Int8Array,
    Int16Array, Int32Array, Int64Array, IntervalYearMonthArray, LargeBinaryArray, LargeStringArray,
    RecordBatch, StringArray, StringViewArray, StructArray, UInt8Array, UInt16Array, UInt32Array,
    UInt64Array, make_array, new_null_array,
};
use arrow::compute::{CastOptions, cast_with_options};
use arrow::datatypes::{
    DataType, Field, Fields, Int32Type, IntervalMonthDayNano, IntervalUnit, Schema, TimeUnit,
    UInt8Type,
};
use weir_adbc::{Connection, Table, Vendor, What, create_table_sql};

use crate::driver::memory;
use crate::rows::{append, number, reader_of};

/// What a table made for `column` has after it was loaded into it.
fn through(connection: &mut Connection, name: &str, column: &ArrayRef) -> ArrayRef {
    let field = Field::new(name, column.data_type().clone(), true);
    let rows = RecordBatch::try_new(Arc::new(Schema::new(vec![field])), vec![column.clone()]);
    let rows = rows.unwrap();
    let create = create_table_sql(Vendor::DuckDb, &Table::from("t"), &rows.schema()).unwrap();
    connection.execute("drop table if exists t").unwrap();
    connection.execute(&create).unwrap();
    connection
        .ingest(&append("t"), reader_of(rows))
        .unwrap_or_else(|error| panic!("{create}: {error} {:?}", error.driver_message()));
    let rows = connection.query("select * from t", None).unwrap();
    assert_eq!(rows.schema().field(0).name(), name);
    let batches: Result<Vec<_>, _> = rows.collect();
    let batches = batches.unwrap();
    let columns: Vec<&dyn Array> = batches
        .iter()
        .map(|batch| batch.column(0).as_ref())
        .collect();
    arrow::compute::concat(&columns).unwrap()
}

/// Each value comes back; of another type of Arrow only if the same value has that one there.
fn comes_back(column: ArrayRef) {
    let mut connection = memory();
    let data_type = column.data_type().clone();
    let back = through(&mut connection, "v", &column);
    let options = CastOptions {
        safe: false,
        ..CastOptions::default()
    };
    let back = cast_with_options(&back, &data_type, &options)
        .unwrap_or_else(|error| panic!("{data_type}: {error}"));
    assert_eq!(&back, &column, "{data_type}");
    let nulls = new_null_array(&data_type, 3);
    let back = through(&mut connection, "v", &nulls);
    assert_eq!(back.null_count(), 3, "{data_type}");
}

fn with_null<T: Copy>(values: &[T]) -> Vec<Option<T>> {
    let values = values.iter().map(|value| Some(*value));
    values.chain([None]).collect()
}

#[test]
fn numbers() {
    comes_back(Arc::new(BooleanArray::from(vec![
        Some(true),
        Some(false),
        None,
    ])));
    comes_back(Arc::new(Int8Array::from(with_null(&[
        i8::MIN,
        -1,
        0,
        i8::MAX,
    ]))));
    comes_back(Arc::new(Int16Array::from(with_null(&[
        i16::MIN,
        -1,
        0,
        i16::MAX,
    ]))));
    comes_back(Arc::new(Int32Array::from(with_null(&[
        i32::MIN,
        -1,
        0,
        i32::MAX,
    ]))));
    comes_back(Arc::new(Int64Array::from(with_null(&[
        i64::MIN,
        -1,
        0,
        i64::MAX,
    ]))));
    comes_back(Arc::new(UInt8Array::from(with_null(&[0, 1, u8::MAX]))));
    comes_back(Arc::new(UInt16Array::from(with_null(&[0, 1, u16::MAX]))));
    comes_back(Arc::new(UInt32Array::from(with_null(&[0, 1, u32::MAX]))));
    comes_back(Arc::new(UInt64Array::from(with_null(&[0, 1, u64::MAX]))));
}

#[test]
fn floats_keep_their_bits() {
    let singles = [
        0.0,
        -0.0,
        f32::MIN,
        f32::MAX,
        f32::MIN_POSITIVE,
        f32::from_bits(1),
        f32::INFINITY,
        f32::NEG_INFINITY,
        0.1,
    ];
    let doubles = [
        0.0,
        -0.0,
        f64::MIN,
        f64::MAX,
        f64::MIN_POSITIVE,
        f64::from_bits(1),
        f64::INFINITY,
        f64::NEG_INFINITY,
        0.1,
    ];
    comes_back(Arc::new(Float32Array::from(with_null(&singles))));
    comes_back(Arc::new(Float64Array::from(with_null(&doubles))));
    // A NaN is equal to itself here, as arrays compare bits.
    comes_back(Arc::new(Float32Array::from(with_null(&[f32::NAN]))));
    comes_back(Arc::new(Float64Array::from(with_null(&[f64::NAN]))));
}

#[test]
fn decimals() {
    for (precision, scale) in [
        (1, 0),
        (1, 1),
        (4, 2),
        (9, 3),
        (18, 18),
        (19, 0),
        (38, 0),
        (38, 10),
        (38, 38),
    ] {
        let most = 10_i128.pow(u32::from(precision)) - 1;
        let values = Decimal128Array::from(with_null(&[most, -most, 0, 1, -1]));
        let values = values.with_precision_and_scale(precision, scale).unwrap();
        comes_back(Arc::new(values));
    }
    let values = Decimal32Array::from(with_null(&[999_999_999, -999_999_999, 0]));
    comes_back(Arc::new(values.with_precision_and_scale(9, 3).unwrap()));
    let values = Decimal64Array::from(with_null(&[999_999_999_999_999_999, -1, 0]));
    comes_back(Arc::new(values.with_precision_and_scale(18, 17).unwrap()));
}

#[test]
fn texts_and_bytes() {
    let long = "𝄞 longer than twelve bytes ".repeat(3000);
    let texts = [
        Some(""),
        Some(" "),
        Some("\0"),
        Some("a\0b"),
        Some("'\"\\\n\r\t"),
        Some("𝄞🦀 e\u{301} \u{10ffff}"),
        Some("twelve bytes"),
        Some(&long),
        Some("NULL"),
        None,
    ];
    comes_back(Arc::new(StringArray::from(texts.to_vec())));
    comes_back(Arc::new(LargeStringArray::from(texts.to_vec())));
    comes_back(Arc::new(StringViewArray::from(texts.to_vec())));
    comes_back(Arc::new(
        texts.into_iter().collect::<DictionaryArray<Int32Type>>(),
    ));
    comes_back(Arc::new(
        texts.into_iter().collect::<DictionaryArray<UInt8Type>>(),
    ));
    let bytes: Vec<Option<&[u8]>> = vec![
        Some(b""),
        Some(b"\0"),
        Some(b"\xff\xfe\0\x80"),
        Some(b"\\x00"),
        Some(long.as_bytes()),
        None,
    ];
    comes_back(Arc::new(BinaryArray::from(bytes.clone())));
    comes_back(Arc::new(LargeBinaryArray::from(bytes.clone())));
    comes_back(Arc::new(BinaryViewArray::from(bytes)));
    let values = [Some([0_u8, 255]), None, Some([92, 39])].into_iter();
    let fixed = FixedSizeBinaryArray::try_from_sparse_iter_with_size(values, 2).unwrap();
    comes_back(Arc::new(fixed));
}

/// Numbers as another type of the same width.
fn seen_as(numbers: &dyn Array, data_type: &DataType) -> ArrayRef {
    let data = numbers
        .to_data()
        .into_builder()
        .data_type(data_type.clone());
    make_array(data.build().unwrap())
}

#[test]
fn days_and_times_of_day() {
    let days = Int32Array::from(with_null(&[0, -1, 19_000, 2_932_896, i32::MIN, i32::MAX]));
    comes_back(seen_as(&days, &DataType::Date32));
    let moments = Int64Array::from(with_null(&[0, -86_400_000, 2_932_896 * 86_400_000]));
    comes_back(seen_as(&moments, &DataType::Date64));
    let seconds = Int32Array::from(with_null(&[0, 86_399]));
    comes_back(seen_as(&seconds, &DataType::Time32(TimeUnit::Second)));
    let millis = Int32Array::from(with_null(&[0, 1, 86_399_999]));
    comes_back(seen_as(&millis, &DataType::Time32(TimeUnit::Millisecond)));
    let micros = Int64Array::from(with_null(&[0, 1, 86_399_999_999]));
    comes_back(seen_as(&micros, &DataType::Time64(TimeUnit::Microsecond)));
    let nanos = Int64Array::from(with_null(&[0, 1, 86_399_999_999_999]));
    comes_back(seen_as(&nanos, &DataType::Time64(TimeUnit::Nanosecond)));
}

#[test]
fn moments() {
    let all = with_null(&[
        0,
        1,
        -1,
        253_402_300_799,
        -62_135_596_800,
        i64::MIN,
        -i64::MAX,
        i64::MAX,
    ]);
    for unit in [
        TimeUnit::Second,
        TimeUnit::Millisecond,
        TimeUnit::Microsecond,
        TimeUnit::Nanosecond,
    ] {
        let data_type = DataType::Timestamp(unit, None);
        comes_back(seen_as(&Int64Array::from(all.clone()), &data_type));
    }
    for zone in ["UTC", "+02:00", "Europe/Copenhagen"] {
        let data_type = DataType::Timestamp(TimeUnit::Microsecond, Some(zone.into()));
        comes_back(seen_as(&Int64Array::from(all.clone()), &data_type));
        // These become microseconds, of which there are fewer years.
        let fewer = Int64Array::from(with_null(&[0, -1, 253_402_300_799, 9_223_372_036_854]));
        for unit in [TimeUnit::Second, TimeUnit::Millisecond] {
            comes_back(seen_as(
                &fewer,
                &DataType::Timestamp(unit, Some(zone.into())),
            ));
        }
    }
}

#[test]
fn moments_beyond_the_years_that_there_are_are_an_error() {
    let mut connection = memory();
    let data_type = DataType::Timestamp(TimeUnit::Second, Some("UTC".into()));
    let column = seen_as(&Int64Array::from(vec![0, i64::MAX / 2]), &data_type);
    let rows = RecordBatch::try_from_iter([("v", column)]).unwrap();
    connection
        .execute("create table t (v timestamptz)")
        .unwrap();
    let error = connection
        .ingest(&append("t"), reader_of(rows))
        .unwrap_err();
    assert!(
        matches!(error.what(), What::CannotConvert { .. }),
        "{error} {:?}",
        error.driver_message()
    );
    assert_eq!(number(&mut connection, "select count(*) from t"), 0);
}

#[test]
fn intervals() {
    let mut connection = memory();
    let mut nanos = |column: ArrayRef| {
        let back = through(&mut connection, "v", &column);
        assert_eq!(
            back.data_type(),
            &DataType::Interval(IntervalUnit::MonthDayNano)
        );
        let back = back
            .as_any()
            .downcast_ref::<arrow::array::IntervalMonthDayNanoArray>();
        back.unwrap().iter().collect::<Vec<_>>()
    };
    let whole = |months, days, nanos| Some(IntervalMonthDayNano::new(months, days, nanos));
    let months = IntervalYearMonthArray::from(vec![Some(-13), Some(i32::MAX), None]);
    let expected = [whole(-13, 0, 0), whole(i32::MAX, 0, 0), None];
    assert_eq!(nanos(Arc::new(months)), expected);
    let numbers = Int64Array::from(with_null(&[-3, 0, 9_000_000]));
    for (unit, nanos_each) in [
        (TimeUnit::Second, 1_000_000_000),
        (TimeUnit::Millisecond, 1_000_000),
        (TimeUnit::Microsecond, 1000),
    ] {
        let expected = [
            whole(0, 0, -3 * nanos_each),
            whole(0, 0, 0),
            whole(0, 0, 9_000_000 * nanos_each),
            None,
        ];
        assert_eq!(
            nanos(seen_as(&numbers, &DataType::Duration(unit))),
            expected
        );
    }
}

#[test]
fn lists_structs_and_maps() {
    let mut lists = ListBuilder::new(StringBuilder::new());
    lists.append_value([Some("𝄞"), None, Some("")]);
    lists.append_null();
    lists.append_value(Vec::<Option<&str>>::new());
    comes_back(Arc::new(lists.finish()));
    let mut lists = LargeListBuilder::new(ListBuilder::new(Int32Builder::new()));
    lists.values().append_value([Some(1), None]);
    lists.values().append_null();
    lists.append(true);
    lists.append(false);
    comes_back(Arc::new(lists.finish()));
    let mut lists = FixedSizeListBuilder::new(Int32Builder::new(), 2);
    lists.values().append_slice(&[1, 2]);
    lists.append(true);
    lists.values().append_nulls(2);
    lists.append(false);
    comes_back(Arc::new(lists.finish()));
    let mut maps = MapBuilder::new(None, StringBuilder::new(), Int32Builder::new());
    maps.keys().append_value("k\"");
    maps.values().append_null();
    maps.append(true).unwrap();
    maps.append(false).unwrap();
    maps.append(true).unwrap();
    comes_back(Arc::new(maps.finish()));

    let inner = Fields::from(vec![Field::new("deep ❄", DataType::Utf8, true)]);
    let deep: ArrayRef = Arc::new(StringArray::from(vec![Some("x"), None, Some("z")]));
    let deep: ArrayRef = Arc::new(StructArray::new(inner.clone(), vec![deep], None));
    let numbers: ArrayRef = Arc::new(
        Decimal128Array::from(vec![Some(1), None, Some(3)])
            .with_precision_and_scale(5, 2)
            .unwrap(),
    );
    let fields = Fields::from(vec![
        Field::new("a \"quoted\" name", DataType::Decimal128(5, 2), true),
        Field::new("select", DataType::Struct(inner), true),
    ]);
    let validity = vec![true, false, true].into();
    let structs = StructArray::new(fields, vec![numbers, deep], Some(validity));
    let mut connection = memory();
    let column: ArrayRef = Arc::new(structs);
    let back = through(&mut connection, "v", &column);
    let shown = |column: &ArrayRef| {
        let rows = RecordBatch::try_from_iter([("v", column.clone())]).unwrap();
        arrow::util::pretty::pretty_format_batches(&[rows])
            .unwrap()
            .to_string()
    };
    assert_eq!(shown(&back), shown(&column));
    assert_eq!(back.is_null(1), column.is_null(1));
}

#[test]
fn what_has_no_type_is_an_error_that_names_the_column() {
    let cases = [
        DataType::Null,
        DataType::Float16,
        DataType::Decimal256(40, 2),
        DataType::Decimal128(5, -2),
        DataType::Timestamp(TimeUnit::Nanosecond, Some("UTC".into())),
        DataType::Duration(TimeUnit::Nanosecond),
        DataType::Interval(IntervalUnit::MonthDayNano),
        DataType::Interval(IntervalUnit::DayTime),
        DataType::Dictionary(Box::new(DataType::Int8), Box::new(DataType::Int64)),
        DataType::Struct(Fields::empty()),
        DataType::new_list(DataType::Null, true),
    ];
    for data_type in cases {
        let schema = Schema::new(vec![
            Field::new("good", DataType::Int64, true),
            Field::new("bad", data_type.clone(), true),
        ]);
        let error = create_table_sql(Vendor::DuckDb, &Table::from("t"), &schema).unwrap_err();
        let what = What::CannotConvert {
            column: Some("bad".to_owned()),
            data_type: Some(data_type.to_string()),
        };
        assert_eq!(error.what(), &what);
        assert_eq!(
            error.to_string(),
            format!(
                "cannot create t: a value or type cannot be converted: column 'bad' of type {data_type}"
            )
        );
    }
}

/// DuckDB's driver would change the values, and say nothing.
#[test]
fn what_has_no_type_is_not_loaded_either() {
    let mut connection = memory();
    let moments = Int64Array::from(vec![1]);
    let data_type = DataType::Timestamp(TimeUnit::Nanosecond, Some("UTC".into()));
    let rows = RecordBatch::try_from_iter([("v", seen_as(&moments, &data_type))]).unwrap();
    connection
        .execute("create table t (v timestamptz)")
        .unwrap();
    for mode in [weir_adbc::Mode::Append, weir_adbc::Mode::Replace] {
        let target = weir_adbc::Ingest {
            mode,
            ..append("t")
        };
        let error = connection
            .ingest(&target, reader_of(rows.clone()))
            .unwrap_err();
        assert_eq!(
            error.to_string(),
            "cannot load rows into t: a value or type cannot be converted: column 'v' of type \
             Timestamp(ns, \"UTC\")"
        );
    }
}

#[test]
fn hostile_names() {
    let long = "x".repeat(200);
    let names = [
        "select",
        "a\"b",
        "\"",
        "\"\"; drop table t; --",
        "a'b",
        "a.b",
        " ",
        "tab\tand\nline",
        "Æther 𝄞 e\u{301}",
        "$1",
        "?",
        "back\\slash`",
        "UPPER",
        &long,
    ];
    let mut connection = memory();
    let column: ArrayRef = Arc::new(Int64Array::from(vec![1, 2]));
    let rows = names.map(|name| (name, column.clone()));
    let rows = RecordBatch::try_from_iter(rows).unwrap();
    for name in names {
        let table = Table {
            catalog: None,
            schema: Some(name),
            name,
        };
        let schema = weir_adbc::quote_identifier(Vendor::DuckDb, name).unwrap();
        connection
            .execute(&format!("create schema {schema}"))
            .unwrap();
        let create = create_table_sql(Vendor::DuckDb, &table, &rows.schema()).unwrap();
        connection.execute(&create).unwrap();
        let target = weir_adbc::Ingest {
            table,
            mode: weir_adbc::Mode::Append,
            temporary: false,
        };
        let loaded = connection.ingest(&target, reader_of(rows.clone())).unwrap();
        assert_eq!(loaded, 2, "{name}");
        let schema = connection.table_schema(&table).unwrap().unwrap();
        let there: Vec<_> = schema
            .fields()
            .iter()
            .map(|field| field.name().as_str())
            .collect();
        assert_eq!(there, names);
        let quoted = table.quoted(Vendor::DuckDb).unwrap();
        assert_eq!(
            number(&mut connection, &format!("select count(*) from {quoted}")),
            2
        );
    }
}

#[test]
fn not_null_is_kept() {
    let mut connection = memory();
    let schema = Schema::new(vec![
        Field::new("a", DataType::Int64, false),
        Field::new("b", DataType::Int64, true),
    ]);
    let create = create_table_sql(Vendor::DuckDb, &Table::from("t"), &schema).unwrap();
    connection.execute(&create).unwrap();
    // If there is none: once more is harmless.
    connection.execute(&create).unwrap();
    connection
        .execute("insert into t values (1, null)")
        .unwrap();
    let error = connection
        .execute("insert into t values (null, 1)")
        .unwrap_err();
    assert_eq!(error.what(), &What::ConstraintViolated);
}
