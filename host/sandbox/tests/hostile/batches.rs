//! Rows 1, 2 and 10: batches that are none, numbers that are too large, and little that becomes much.

use std::time::Duration;

use serde_json::json;
use weir_sandbox::{Call, LimitKind, Limits};

use crate::field::{Attack, Stop, stopped};

stopped! {
    offsets_fall => Stop::BadBatch("column 'a': its offsets fall"),
    offsets_below_zero => Stop::BadBatch("column 'a': its offsets fall"),
    offsets_not_from_zero => Stop::BadBatch("do not begin at zero"),
    offsets_past_the_data => Stop::BadBatch("a buffer of 3 bytes where 4 are needed"),
    offsets_at_the_far_end => Stop::BadBatch("a buffer of 0 bytes where 2147483647 are needed"),
    offsets_split_a_character => Stop::BadBatch("splits a character"),
    offsets_missing => Stop::BadBatch("a buffer of 0 bytes where 12 are needed"),
    offsets_too_few => Stop::BadBatch("a buffer of 8 bytes where 12 are needed"),
    offsets_cut_short => Stop::BadBatch("a buffer of 7 bytes where 8 are needed"),
    text_is_not_utf8 => Stop::BadBatch("not UTF-8"),
    null_count_too_high => Stop::BadBatch("2 nulls by count, 1 by its validity bitmap"),
    null_count_too_low => Stop::BadBatch("0 nulls by count, 1 by its validity bitmap"),
    null_count_of_4_billion => Stop::BadBatch("nulls, but no validity bitmap"),
    bitmap_too_short => Stop::BadBatch("a buffer of 1 bytes where 2 are needed"),
    null_where_none_may_be => Stop::BadBatch("nulls in a column that has none"),
    null_deep_in_a_struct => Stop::BadBatch("nulls in a field that has none"),
    decimal_beyond_its_precision => Stop::BadBatch("more digits than its precision"),
    nodes_missing => Stop::BadBatch("0 nodes where the schema has 1"),
    nodes_too_many => Stop::BadBatch("100000 nodes where the schema has 1"),
    buffers_missing => Stop::BadBatch("1 buffers where the schema has 2"),
    buffers_too_many => Stop::BadBatch("100000 buffers where the schema has 2"),
    values_missing => Stop::BadBatch("a buffer of 0 bytes where 8000 are needed"),
    length_of_4_billion => Stop::BadBatch("4294967295 values where there must be 1"),
    rows_of_4_billion => Stop::Limit(LimitKind::OutputRows),
    list_longer_than_its_items => Stop::BadBatch("reach past its values"),
    list_items_of_4_billion => Stop::BadBatch("where 34359738360 are needed"),
    list_of_uneven_structs => Stop::BadBatch("1 values where there must be 2"),
    struct_of_uneven_fields => Stop::BadBatch("1 values where there must be 2"),
    emits_to_no_output => Stop::BadBatch("emitted to output 4294967295, and 1 were bound"),
    emits_nodes_outside_memory => Stop::Trap("out of bounds"),
    emits_4_billion_buffers => Stop::Trap("out of bounds"),
    emits_a_buffer_outside_memory => Stop::Trap("out of bounds"),
    emits_a_buffer_that_wraps => Stop::Trap("out of bounds"),
    emits_an_origin_of_4_billion => Stop::Trap("out of bounds"),
    amplifies_rows => Stop::Limit(LimitKind::OutputRows),
    fans_one_row_out => Stop::Limit(LimitKind::OutputRows),
    emits_one_region_for_ever => Stop::Limit(LimitKind::OutputBytes),
}

#[test]
pub(crate) fn decodes_what_is_no_text() {
    Attack::by("decodes_what_is_no_text").run().stopped_at(
        Call::Decode,
        Some(1),
        Stop::BadBatch("not UTF-8"),
    );
}

/// So much output that what is not charged for would show.
const MUCH: u64 = 128 << 20;

fn much(limits: &mut Limits) {
    limits.deadline = Duration::from_secs(10);
    limits.output_bytes = MUCH;
}

/// What a column costs the host although it holds nothing is charged for, so that the limit on bytes
/// bounds the memory of the process.
#[test]
pub(crate) fn emits_nothing_for_ever() {
    let outcome = Attack::by("emits_nothing_for_ever")
        .limits(much)
        .run()
        .stopped(Stop::Limit(LimitKind::OutputBytes));
    assert!(outcome.usage.bytes_out > MUCH);
}

#[test]
pub(crate) fn rejects_for_ever() {
    Attack::by("rejects_for_ever")
        .limits(much)
        .run()
        .stopped(Stop::Limit(LimitKind::OutputBytes));
}

/// Lists overwrite each other, and the batch: whatever the guest is left with and gives back is
/// looked at like any other.
#[test]
pub(crate) fn puts_arguments_on_each_other() {
    Attack::by("puts_arguments_on_each_other")
        .config(json!({ "a": 1 }))
        .run()
        .stopped_at(Call::Bind, None, Stop::Trap(""));
}
