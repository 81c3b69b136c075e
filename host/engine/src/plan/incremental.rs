//! Whether a table can be read as `incremental` says.

use arrow::datatypes::{DataType, Schema, SchemaRef};
use weir_pipeline::{Fault, Incremental, Lag, Progress, StageAction, Step};

use super::stages::column_index;
use super::{Labels, PlannedSegment};
use crate::error::Result;
use crate::types::type_text;

/// That the cursor is a column of the table whose values have an order, and from which the lag can be
/// taken.
///
/// How far a step has read stands in its decision, in the lake's own folder: so `sensitive` columns are none,
/// and neither are those that the step masks.
pub(super) fn check(
    step: &Step,
    incremental: &Incremental,
    table: &SchemaRef,
    sensitive: &Labels,
) -> Result<()> {
    let Progress::Cursor { column, lag } = &incremental.by else {
        return Ok(());
    };
    let place = &incremental.place;
    let masked = step.stages.iter().any(|stage| match &stage.action {
        StageAction::Mask(masks) => masks.iter().any(|mask| mask.column == *column),
        _ => false,
    });
    if masked || sensitive.contains_key(column) {
        let why = match masked {
            true => "the step masks it",
            false => "it is sensitive",
        };
        return Err(Fault::new(format!(
            "'{column}' cannot be a cursor: {why}, and the highest value stands in the lake's own folder"
        ))
        .at(place)
        .hint("name another column that grows, or read a lake table by = \"version\"")
        .into());
    }
    let index = column_index(table, column, place)?;
    let data_type = table.field(index).data_type();
    let fault = |what: String, hint: &str| Err(Fault::new(what).at(place).hint(hint).into());
    let is = type_text(data_type);
    let (time, number) = match data_type {
        DataType::Date32 | DataType::Timestamp(..) => (true, false),
        data_type if data_type.is_integer() => (false, true),
        DataType::Decimal128(..) | DataType::Utf8 | DataType::Utf8View => (false, false),
        _ => {
            return fault(
                format!("'{column}' is {is}, which cannot be a cursor"),
                "name a date, a timestamp, a whole number, a decimal or a text that grows",
            );
        }
    };
    match lag {
        Some(Lag::Time(_)) if !time => fault(
            format!("'{column}' is {is}, and `lag` a duration"),
            "a whole number has a lag without a unit; decimals and texts have none",
        ),
        Some(Lag::Number(_)) if !number => fault(
            format!("'{column}' is {is}, and `lag` a number"),
            "a date or timestamp has a lag such as \"2h\"; decimals and texts have none",
        ),
        Some(Lag::Time(lag))
            if *data_type == DataType::Date32 && !lag.as_secs().is_multiple_of(86_400) =>
        {
            fault(
                format!("'{column}' is a date, and `lag` no number of days"),
                "write whole days, such as \"3d\"",
            )
        }
        _ => Ok(()),
    }
}

/// That rejected rows can be found again which `lag` reads again.
pub(super) fn keeps_cursor<'a>(
    step: &Step,
    rejecting: impl IntoIterator<Item = &'a PlannedSegment>,
) -> Result<()> {
    let Some(incremental) = &step.read.incremental else {
        return Ok(());
    };
    let Progress::Cursor {
        column,
        lag: Some(_),
    } = &incremental.by
    else {
        return Ok(());
    };
    let rejecting: Vec<&PlannedSegment> = rejecting.into_iter().collect();
    // A mask of a copy masks what it was copied from in the rows that are rejected before.
    let masks = |segment: &&PlannedSegment| segment.kept.columns().any(|(name, _)| name == column);
    if rejecting.iter().any(masks) {
        return Err(Fault::new(format!(
            "'{column}' is masked where rows are rejected, and by it those are known that `lag` reads again"
        ))
        .at(&incremental.place)
        .hint("leave out `lag`, or the mask of the column and its copies")
        .into());
    }
    let lacks = |input: &Schema| input.field_with_name(column).is_err();
    if rejecting.iter().any(|segment| lacks(&segment.input)) {
        return Err(Fault::new(format!(
            "rows are rejected where they have no column '{column}', by which those are known that `lag` reads again"
        ))
        .at(&incremental.place)
        .hint("select the column in each query of the step, or leave out `lag`")
        .into());
    }
    Ok(())
}
