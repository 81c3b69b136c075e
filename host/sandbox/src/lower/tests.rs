//! What crosses is what was given, and no more of it.

use arrow::array::{
    BooleanArray, Decimal128Array, DictionaryArray, FixedSizeListArray, Int32Array, Int64Array,
    LargeListArray, ListArray, StringArray, StringViewArray, StructArray,
};
use arrow::datatypes::{Field, Int8Type};

use super::*;
use crate::schema::normalise_schema;
use crate::verify::verify;

fn one(name: &str, column: ArrayRef) -> RecordBatch {
    RecordBatch::try_from_iter_with_nullable([(name, column, true)]).unwrap()
}

/// What comes back when `batch` crosses and returns unchanged.
fn there_and_back(batch: &RecordBatch) -> RecordBatch {
    let bound = normalise_schema(&batch.schema()).unwrap();
    let lowered = lower(batch, &bound).unwrap();
    let buffers: Vec<&[u8]> = lowered
        .buffers
        .iter()
        .map(|buffer| buffer.as_slice())
        .collect();
    verify(&bound, lowered.rows, &lowered.nodes, &buffers).unwrap()
}

fn columns() -> Vec<ArrayRef> {
    let strings: StringArray = (0..50)
        .map(|i| (i % 4 != 1).then(|| "é".repeat(i % 7)))
        .collect();
    let lists = ListArray::from_iter_primitive::<arrow::datatypes::Int32Type, _, _>(
        (0..50).map(|i| (i % 5 != 2).then(|| (0..i % 4).map(Some).collect::<Vec<_>>())),
    );
    let structs = StructArray::from(vec![
        (
            Arc::new(Field::new("s", DataType::Utf8, true)),
            Arc::new(strings.clone()) as ArrayRef,
        ),
        (
            Arc::new(Field::new("l", lists.data_type().clone(), true)),
            Arc::new(lists.clone()) as ArrayRef,
        ),
    ]);
    vec![
        Arc::new(
            (0..50)
                .map(|i| (i % 3 != 0).then_some(i))
                .collect::<Int64Array>(),
        ),
        Arc::new(
            (0..50)
                .map(|i| (i % 3 != 0).then_some(i % 2 == 0))
                .collect::<BooleanArray>(),
        ),
        Arc::new(
            (0..50)
                .map(Some)
                .collect::<Decimal128Array>()
                .with_precision_and_scale(10, 2)
                .unwrap(),
        ),
        Arc::new(strings),
        Arc::new(lists),
        Arc::new(structs),
    ]
}

#[test]
fn every_slice_of_every_type_survives() {
    for column in columns() {
        let batch = one("c", column);
        for (start, rows) in [(0, 50), (0, 0), (1, 49), (3, 17), (8, 8), (49, 1), (50, 0)] {
            let slice = batch.slice(start, rows);
            assert_eq!(
                there_and_back(&slice),
                slice,
                "{:?} from {start}",
                batch.column(0).data_type()
            );
        }
    }
}

#[test]
fn a_slice_carries_only_its_own_bytes() {
    let batch = one(
        "c",
        Arc::new(
            (0..1000)
                .map(|i| Some(format!("{i:0100}")))
                .collect::<StringArray>(),
        ),
    );
    let lowered = lower(&batch.slice(500, 10), &batch.schema()).unwrap();
    assert_eq!(lowered.bytes(), 11 * 4 + 10 * 100);
}

#[test]
fn encodings_are_unpacked() {
    let dictionary: DictionaryArray<Int8Type> = vec![Some("x"), None, Some("y"), Some("x")]
        .into_iter()
        .collect();
    let view = StringViewArray::from(vec![
        Some("a string too long to be inline"),
        None,
        Some("b"),
        Some("c"),
    ]);
    let runs = RunArray::<arrow::datatypes::Int32Type>::try_new(
        &Int32Array::from(vec![3, 4]),
        &StringArray::from(vec!["r", "s"]),
    )
    .unwrap();
    let item = Arc::new(Field::new("item", DataType::Int32, true));
    let numbers = Arc::new(Int32Array::from_iter_values(0..8));
    let fixed =
        FixedSizeListArray::new(Arc::clone(&item), 2, Arc::clone(&numbers) as ArrayRef, None);
    let large = LargeListArray::new(
        item,
        OffsetBuffer::from_lengths([2, 0, 3, 3]),
        numbers,
        None,
    );
    let batch = RecordBatch::try_from_iter_with_nullable([
        ("d", Arc::new(dictionary) as ArrayRef, true),
        ("v", Arc::new(view) as ArrayRef, true),
        ("r", Arc::new(runs) as ArrayRef, true),
        ("f", Arc::new(fixed) as ArrayRef, true),
        ("l", Arc::new(large) as ArrayRef, true),
    ])
    .unwrap();
    let back = there_and_back(&batch.slice(1, 3));
    let text = |i: usize| back.column(i).as_string::<i32>().iter().collect::<Vec<_>>();
    assert_eq!(text(0), [None, Some("y"), Some("x")]);
    assert_eq!(text(1), [None, Some("b"), Some("c")]);
    assert_eq!(text(2), [Some("r"), Some("r"), Some("s")]);
    let lengths = |i: usize| {
        back.column(i)
            .as_list::<i32>()
            .offsets()
            .lengths()
            .collect::<Vec<_>>()
    };
    assert_eq!(lengths(3), [2, 2, 2]);
    assert_eq!(lengths(4), [0, 3, 3]);
}

#[test]
fn a_dictionary_bomb_is_measured_before_it_is_unpacked() {
    let keys = arrow::array::Int8Array::from(vec![0; 8192]);
    let bomb = DictionaryArray::new(keys, Arc::new(StringArray::from(vec!["x".repeat(1 << 20)])));
    let batch = one("c", Arc::new(bomb));
    assert!(unpacked_bytes(&batch) > 8 << 30);
    let parts = split(&batch, 128 << 20);
    assert!(
        parts.iter().all(|part| unpacked_bytes(part) <= 32 << 20),
        "each part fits a quarter of the grant"
    );
    assert_eq!(parts.iter().map(RecordBatch::num_rows).sum::<usize>(), 8192);
    let runs = RunArray::<arrow::datatypes::Int32Type>::try_new(
        &Int32Array::from(vec![8192]),
        &StringArray::from(vec!["x".repeat(1 << 20)]),
    )
    .unwrap();
    assert!(unpacked_bytes(&one("c", Arc::new(runs))) > 8 << 30);
}

#[test]
fn batches_are_split_in_order() {
    let batch = one("c", Arc::new((0..20_000).collect::<Int64Array>()));
    let parts = split(&batch, 128 << 20);
    assert_eq!(
        parts.iter().map(RecordBatch::num_rows).collect::<Vec<_>>(),
        [8192, 8192, 3616]
    );
    let tight = split(&batch, 4 * 1024);
    assert!(tight.iter().all(|part| unpacked_bytes(part) <= 1024));
    let joined = arrow::compute::concat_batches(&batch.schema(), &tight).unwrap();
    assert_eq!(joined, batch);
    assert!(split(&batch.slice(0, 0), 128 << 20).is_empty());
    assert_eq!(
        split(&batch.slice(0, 3), 0).len(),
        3,
        "a row that fits nowhere stays one row"
    );
}

#[test]
fn other_columns_than_bound_are_refused() {
    let bound = one("c", Arc::new(Int64Array::from(vec![1]))).schema();
    for other in [
        one("d", Arc::new(Int64Array::from(vec![1]))),
        one("c", Arc::new(Int32Array::from(vec![1]))),
        one("c", Arc::new(StringArray::from(vec!["1"]))),
    ] {
        assert!(lower(&other, &bound).is_err());
    }
    let strict = Schema::new(vec![Field::new("c", DataType::Int64, false)]);
    assert!(
        lower(&one("c", Arc::new(Int64Array::from(vec![None]))), &strict)
            .unwrap_err()
            .contains("nulls")
    );
}

/// A query hides a value by its validity bit alone; below it the bytes are still there.
#[test]
fn what_lies_under_a_null_does_not_cross() {
    const HIDDEN: i64 = 0x5ec2_e75e_c2e7;
    const TEXT: &str = "secret";
    let nulls = || Some(NullBuffer::from(vec![true, false, true, false]));
    let numbers: ArrayRef = Arc::new(Int64Array::new(vec![1, HIDDEN, 3, HIDDEN].into(), nulls()));
    let texts = || StringArray::from(vec!["a", TEXT, "bc", TEXT]);
    let hidden_texts: ArrayRef = Arc::new({
        let (offsets, values, _) = texts().into_parts();
        StringArray::new(offsets, values, nulls())
    });
    let truths: ArrayRef = Arc::new(BooleanArray::new(
        BooleanBuffer::from(vec![false, true, false, true]),
        nulls(),
    ));
    let item = |data_type| Arc::new(Field::new_list_field(data_type, true));
    let lists: ArrayRef = Arc::new(ListArray::new(
        item(DataType::Utf8),
        OffsetBuffer::from_lengths([1, 1, 1, 1]),
        Arc::new(texts()),
        nulls(),
    ));
    // The children have no nulls of their own: what is around them has.
    let structs: ArrayRef = Arc::new(StructArray::new(
        vec![
            Field::new("text", DataType::Utf8, false),
            Field::new("number", DataType::Int64, false),
            Field::new("list", DataType::List(item(DataType::Utf8)), false),
        ]
        .into(),
        vec![
            Arc::new(texts()),
            Arc::new(Int64Array::from(vec![1, HIDDEN, 3, HIDDEN])),
            Arc::new(ListArray::new(
                item(DataType::Utf8),
                OffsetBuffer::from_lengths([1, 1, 1, 1]),
                Arc::new(texts()),
                None,
            )),
        ],
        nulls(),
    ));
    for column in [numbers, hidden_texts, truths, lists, structs] {
        let what = column.data_type().clone();
        for batch in [one("c", Arc::clone(&column)), one("c", column.slice(1, 3))] {
            let bound = normalise_schema(&batch.schema()).unwrap();
            let lowered = lower(&batch, &bound).unwrap();
            for buffer in &lowered.buffers {
                let bytes = buffer.as_slice();
                let has = |needle: &[u8]| bytes.windows(needle.len()).any(|found| found == needle);
                assert!(!has(TEXT.as_bytes()), "{what}");
                assert!(!has(&HIDDEN.to_le_bytes()), "{what}");
            }
            if what == DataType::Boolean {
                assert!(lowered.buffers[1].iter().all(|byte| *byte == 0));
            }
            assert_eq!(there_and_back(&batch), batch, "{what}");
        }
    }
}
