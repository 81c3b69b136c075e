//! Hand-made evil batches for every type, and honest ones that must pass.

use arrow::array::AsArray;
use arrow::datatypes::{Int64Type, TimeUnit};

use super::*;

fn schema(data_type: DataType, nullable: bool) -> SchemaRef {
    Arc::new(Schema::new(vec![Field::new("c", data_type, nullable)]))
}

fn node(length: u32, null_count: u32) -> Node {
    Node { length, null_count }
}

fn ints(values: &[i32]) -> Vec<u8> {
    values
        .iter()
        .flat_map(|value| value.to_le_bytes())
        .collect()
}

fn check(
    data_type: DataType,
    rows: u32,
    nodes: &[Node],
    buffers: &[&[u8]],
) -> Result<RecordBatch, BadBatch> {
    verify(&schema(data_type, true), rows, nodes, buffers)
}

#[track_caller]
fn refused(data_type: DataType, rows: u32, nodes: &[Node], buffers: &[&[u8]], part: &str) {
    let bad = check(data_type, rows, nodes, buffers)
        .expect_err("refused")
        .to_string();
    assert!(bad.contains(part), "{bad}");
}

fn list(item: DataType, nullable: bool) -> DataType {
    DataType::List(Arc::new(Field::new("item", item, nullable)))
}

/// Every type of fixed width that crosses, and its width.
fn fixed() -> Vec<(DataType, usize)> {
    use DataType as T;
    let zone = Some("UTC".into());
    vec![
        (T::Int8, 1),
        (T::UInt8, 1),
        (T::Int16, 2),
        (T::UInt16, 2),
        (T::Float16, 2),
        (T::Int32, 4),
        (T::UInt32, 4),
        (T::Float32, 4),
        (T::Date32, 4),
        (T::Time32(TimeUnit::Second), 4),
        (T::Int64, 8),
        (T::UInt64, 8),
        (T::Float64, 8),
        (T::Date64, 8),
        (T::Time64(TimeUnit::Nanosecond), 8),
        (T::Timestamp(TimeUnit::Microsecond, zone), 8),
        (T::Decimal128(38, 2), 16),
    ]
}

#[test]
fn fixed_width_values_are_counted() {
    for (data_type, width) in fixed() {
        let bytes = vec![1u8; 3 * width + 5];
        let exact = &bytes[..3 * width];
        for good in [exact, &bytes] {
            let batch = check(data_type.clone(), 3, &[node(3, 0)], &[&[], good]).unwrap();
            assert_eq!(
                (batch.num_rows(), batch.column(0).data_type()),
                (3, &data_type)
            );
            let copied = batch.column(0).to_data().buffers()[0].len();
            assert_eq!(copied, 3 * width, "bytes beyond the values stay behind");
        }
        refused(
            data_type.clone(),
            3,
            &[node(3, 0)],
            &[&[], &exact[1..]],
            "bytes where",
        );
        refused(
            data_type.clone(),
            3,
            &[node(4, 0)],
            &[&[], &bytes],
            "4 values where there must be 3",
        );
        refused(
            data_type.clone(),
            u32::MAX,
            &[node(u32::MAX, 0)],
            &[&[], &bytes],
            "bytes where",
        );
        check(data_type, 0, &[node(0, 0)], &[&[], &[]]).expect("an empty batch");
    }
}

#[test]
fn misaligned_buffers_are_copied_into_aligned_ones() {
    let bytes = [7u8; 33];
    for start in 0..8 {
        let batch = check(
            DataType::Int64,
            3,
            &[node(3, 0)],
            &[&[], &bytes[start..start + 24]],
        )
        .unwrap();
        assert_eq!(
            batch.column(0).as_primitive::<Int64Type>().value(2),
            0x0707_0707_0707_0707
        );
    }
}

#[test]
fn counts_of_nodes_and_buffers_are_the_schemas() {
    refused(
        DataType::Int64,
        0,
        &[],
        &[&[], &[]],
        "0 nodes where the schema has 1",
    );
    refused(DataType::Int64, 0, &[node(0, 0); 2], &[&[], &[]], "2 nodes");
    refused(
        DataType::Int64,
        0,
        &[node(0, 0)],
        &[&[]],
        "1 buffers where the schema has 2",
    );
    refused(
        DataType::Int64,
        0,
        &[node(0, 0)],
        &[&[], &[], &[]],
        "3 buffers",
    );
}

#[test]
fn nulls_are_counted() {
    let eight = [0u8; 8 * 8];
    let good = check(DataType::Int64, 8, &[node(8, 3)], &[&[0b0101_1011], &eight]).unwrap();
    assert_eq!(good.column(0).null_count(), 3);
    refused(
        DataType::Int64,
        8,
        &[node(8, 4)],
        &[&[0b0101_1011], &eight],
        "4 nulls by count, 3 by its validity bitmap",
    );
    refused(
        DataType::Int64,
        8,
        &[node(8, 0)],
        &[&[0b0101_1011], &eight],
        "0 nulls by count, 3",
    );
    refused(
        DataType::Int64,
        8,
        &[node(8, u32::MAX)],
        &[&[0], &eight],
        "4294967295 nulls by count",
    );
    refused(
        DataType::Int64,
        8,
        &[node(8, 1)],
        &[&[], &eight],
        "no validity bitmap",
    );
    refused(
        DataType::Int64,
        9,
        &[node(9, 1)],
        &[&[0xff], &[0; 72]],
        "a buffer of 1 bytes where 2 are needed",
    );
    // Bits past the length do not count.
    check(DataType::Int64, 2, &[node(2, 0)], &[&[0b0000_0011], &eight]).unwrap();
    let strict = schema(DataType::Int64, false);
    let bad = verify(&strict, 8, &[node(8, 3)], &[&[0b0101_1011], &eight]).unwrap_err();
    assert!(bad.to_string().contains("none by its schema"), "{bad}");
}

#[test]
fn booleans_are_bits() {
    let batch = check(DataType::Boolean, 9, &[node(9, 0)], &[&[], &[0xff, 0x01]]).unwrap();
    assert_eq!(batch.column(0).as_boolean().true_count(), 9);
    refused(
        DataType::Boolean,
        9,
        &[node(9, 0)],
        &[&[], &[0xff]],
        "1 bytes where 2",
    );
}

#[test]
fn offsets_begin_at_zero_never_fall_and_stay_inside() {
    for data_type in [DataType::Utf8, DataType::Binary] {
        let run = |offsets: &[i32], part: &str| {
            refused(
                data_type.clone(),
                3,
                &[node(3, 0)],
                &[&[], &ints(offsets), b"abcdef"],
                part,
            );
        };
        let good = check(
            data_type.clone(),
            3,
            &[node(3, 0)],
            &[&[], &ints(&[0, 1, 1, 4]), b"abcdef"],
        )
        .unwrap();
        assert_eq!(
            good.column(0).to_data().buffers()[1].len(),
            4,
            "bytes beyond the last offset stay behind"
        );
        run(&[0, 1, 2, 7], "bytes where 7 are needed");
        run(&[0, 1, 2, i32::MAX], "bytes where");
        run(&[0, 3, 2, 4], "fall");
        run(&[0, -1, 2, 4], "fall");
        run(&[0, 1, 2, -1], "fall");
        run(&[1, 1, 2, 4], "begin at zero");
        run(&[-1, 1, 2, 4], "begin at zero");
        run(&[i32::MIN; 4], "begin at zero");
        run(&[0, 1, 2], "12 bytes where 16");
        check(data_type.clone(), 0, &[node(0, 0)], &[&[], &[], &[]])
            .expect("no offsets for no values");
        check(data_type.clone(), 0, &[node(0, 0)], &[&[], &[0; 4], &[]])
            .expect("one offset for no values");
        refused(
            data_type.clone(),
            u32::MAX,
            &[node(u32::MAX, 0)],
            &[&[], &[], &[]],
            "bytes where",
        );
    }
}

#[test]
fn text_is_utf8_and_no_offset_splits_a_character() {
    let text = "aé".as_bytes();
    check(
        DataType::Utf8,
        2,
        &[node(2, 0)],
        &[&[], &ints(&[0, 1, 3]), text],
    )
    .unwrap();
    refused(
        DataType::Utf8,
        2,
        &[node(2, 0)],
        &[&[], &ints(&[0, 2, 3]), text],
        "splits a character",
    );
    refused(
        DataType::Utf8,
        1,
        &[node(1, 0)],
        &[&[], &ints(&[0, 1]), b"\xff"],
        "UTF-8",
    );
    refused(
        DataType::Utf8,
        1,
        &[node(1, 0)],
        &[&[], &ints(&[0, 2]), b"\xc3("],
        "UTF-8",
    );
    refused(
        DataType::Utf8,
        1,
        &[node(1, 0)],
        &[&[], &ints(&[0, 3]), b"\xed\xa0\x80"],
        "UTF-8",
    );
    // Bad bytes under a null are refused too: later code may read them.
    refused(
        DataType::Utf8,
        1,
        &[node(1, 1)],
        &[&[0], &ints(&[0, 1]), b"\xff"],
        "UTF-8",
    );
    check(
        DataType::Binary,
        1,
        &[node(1, 0)],
        &[&[], &ints(&[0, 1]), b"\xff"],
    )
    .unwrap();
}

#[test]
fn decimals_keep_to_their_precision() {
    let wide = |value: i128| value.to_le_bytes().to_vec();
    let kind = DataType::Decimal128(3, 1);
    check(kind.clone(), 1, &[node(1, 0)], &[&[], &wide(-999)]).unwrap();
    refused(
        kind.clone(),
        1,
        &[node(1, 0)],
        &[&[], &wide(1000)],
        "more digits",
    );
    refused(
        kind.clone(),
        1,
        &[node(1, 0)],
        &[&[], &wide(i128::MIN)],
        "more digits",
    );
    check(kind, 1, &[node(1, 1)], &[&[0], &wide(i128::MAX)])
        .expect("what is under a null is not a value");
    let thousands = DataType::Decimal128(3, -3);
    check(thousands.clone(), 1, &[node(1, 0)], &[&[], &wide(999)]).unwrap();
    refused(
        thousands,
        1,
        &[node(1, 0)],
        &[&[], &wide(1000)],
        "more digits",
    );
}

#[test]
fn lists_reach_no_further_than_their_values() {
    let kind = list(DataType::Int8, true);
    let run = |offsets: &[i32], values: u32| {
        check(
            kind.clone(),
            2,
            &[node(2, 0), node(values, 0)],
            &[&[], &ints(offsets), &[], &[1, 2, 3]],
        )
    };
    assert_eq!(run(&[0, 1, 3], 3).unwrap().num_rows(), 2);
    let longer = run(&[0, 1, 2], 3).unwrap();
    assert_eq!(
        longer.column(0).as_list::<i32>().values().len(),
        2,
        "values past the last offset are cut"
    );
    assert!(
        run(&[0, 1, 4], 3)
            .unwrap_err()
            .to_string()
            .contains("reach past")
    );
    assert!(
        run(&[0, 1, i32::MAX], 3)
            .unwrap_err()
            .to_string()
            .contains("reach past")
    );
    assert!(run(&[0, 3, 1], 3).unwrap_err().to_string().contains("fall"));
    assert!(
        run(&[0, 1, 3], 4)
            .unwrap_err()
            .to_string()
            .contains("3 bytes where 4")
    );
    assert!(
        run(&[0, 1, 3], u32::MAX)
            .unwrap_err()
            .to_string()
            .contains("bytes where")
    );
    let strict = list(DataType::Int8, false);
    let nulls = [node(1, 0), node(2, 1)];
    refused(
        strict,
        1,
        &nulls,
        &[&[], &ints(&[0, 2]), &[0b01], &[1, 2]],
        "do not fit the list",
    );
}

#[test]
fn structs_have_fields_of_their_own_length() {
    let kind = |nullable| {
        DataType::Struct(
            vec![
                Field::new("a", DataType::Int8, nullable),
                Field::new("b", DataType::Utf8, true),
            ]
            .into(),
        )
    };
    let offsets = ints(&[0, 1, 1]);
    let buffers: &[&[u8]] = &[&[], &[], &[1, 2], &[], &offsets, b"x"];
    assert_eq!(
        check(kind(true), 2, &[node(2, 0); 3], buffers)
            .unwrap()
            .num_rows(),
        2
    );
    refused(
        kind(true),
        2,
        &[node(2, 0), node(1, 0), node(2, 0)],
        buffers,
        "1 values where there must be 2",
    );
    refused(
        kind(true),
        u32::MAX,
        &[node(u32::MAX, 0); 3],
        buffers,
        "bytes where",
    );
    // A field without nulls may be null only where its struct is.
    let nulls: &[&[u8]] = &[&[0b01], &[0b01], &[1, 2], &[], &offsets, b"x"];
    check(kind(false), 2, &[node(2, 1), node(2, 1), node(2, 0)], nulls).unwrap();
    let elsewhere: &[&[u8]] = &[&[0b01], &[0b10], &[1, 2], &[], &offsets, b"x"];
    refused(
        kind(false),
        2,
        &[node(2, 1), node(2, 1), node(2, 0)],
        elsewhere,
        "none by its schema",
    );
}

#[test]
fn types_that_do_not_cross_are_refused() {
    let dictionary = DataType::Dictionary(Box::new(DataType::Int8), Box::new(DataType::Utf8));
    for data_type in [
        DataType::Null,
        DataType::Utf8View,
        dictionary,
        DataType::FixedSizeBinary(4),
        DataType::LargeUtf8,
        DataType::Decimal256(76, 0),
        DataType::Duration(TimeUnit::Second),
    ] {
        refused(data_type, 0, &[node(0, 0)], &[&[], &[]], "does not cross");
    }
}

#[test]
fn any_bytes_give_a_batch_or_a_reason() {
    // A small deterministic fuzz, in the place of a coverage-guided one.
    let kinds = [
        DataType::Int64,
        DataType::Boolean,
        DataType::Utf8,
        DataType::Binary,
        DataType::Decimal128(5, 2),
        list(DataType::Utf8, false),
        list(list(DataType::Boolean, true), true),
        DataType::Struct(vec![Field::new("a", list(DataType::Int16, false), false)].into()),
    ];
    let mut seed = 0x9e37_79b9_7f4a_7c15u64;
    let mut random = move || {
        seed ^= seed << 13;
        seed ^= seed >> 7;
        seed ^= seed << 17;
        seed
    };
    let mut accepted = 0;
    for round in 0..200_000 {
        let schema = schema(kinds[round % kinds.len()].clone(), round % 3 != 0);
        let shape = Shape::of(&schema);
        let small = |n: u64| {
            if n.is_multiple_of(61) {
                u32::MAX
            } else {
                (n % 4) as u32
            }
        };
        let rows = small(random());
        let nodes: Vec<Node> = (0..shape.nodes)
            .map(|i| Node {
                length: if i == 0 || random().is_multiple_of(2) {
                    rows
                } else {
                    small(random())
                },
                null_count: if random().is_multiple_of(3) {
                    small(random())
                } else {
                    0
                },
            })
            .collect();
        let owned: Vec<Vec<u8>> = (0..shape.buffers)
            .map(|_| {
                (0..random() % 40)
                    .map(|_| {
                        if random().is_multiple_of(4) {
                            (random() % 3) as u8
                        } else {
                            0
                        }
                    })
                    .collect()
            })
            .collect();
        let buffers: Vec<&[u8]> = owned.iter().map(Vec::as_slice).collect();
        if let Ok(batch) = verify(&schema, rows, &nodes, &buffers) {
            accepted += 1;
            for column in batch.columns() {
                column
                    .to_data()
                    .validate_full()
                    .expect("what is accepted is valid");
            }
        }
    }
    assert!(
        accepted > 1000,
        "the fuzz reaches valid batches: {accepted}"
    );
}
