//! The row contract of a stage: whether what a call gave keeps to it.

use crate::model::Processed;
use crate::terms::RowContract;

/// Whether `given` keeps to `contract`, for `outputs` outputs and `rows` rows of input.
pub(super) fn keeps_rows(
    contract: RowContract,
    outputs: usize,
    rows: u32,
    given: &Processed,
) -> Result<(), String> {
    if contract == RowContract::Any {
        return Ok(());
    }
    let rejected = given.rows_found();
    for output in 0..outputs {
        // The rows that came out so far are those before `next`, less those rejected.
        let mut next = 0;
        let mut rejections = rejected.iter().copied().peekable();
        let mut missing = 0_u32;
        let mut skip_to = |row: u32, next: &mut u32| {
            for absent in *next..row {
                while rejections.next_if(|rejected| *rejected < absent).is_some() {}
                if rejections.peek() != Some(&absent) {
                    missing = missing.saturating_add(1);
                }
            }
            *next = row.saturating_add(1);
        };
        for emitted in given
            .emitted
            .iter()
            .filter(|emitted| emitted.output == output)
        {
            let count = u32::try_from(emitted.batch.num_rows()).unwrap_or(u32::MAX);
            for index in 0..count {
                let row = match &emitted.origin {
                    None => index,
                    Some(origin) => usize::try_from(index)
                        .ok()
                        .and_then(|index| origin.get(index).copied())
                        .unwrap_or(u32::MAX),
                };
                if row < next {
                    return Err(format!(
                        "emitted row {row} twice or out of order; its stage allows `{contract}`"
                    ));
                }
                skip_to(row, &mut next);
            }
        }
        skip_to(rows, &mut next);
        if contract == RowContract::OneToOne && missing > 0 {
            return Err(format!(
                "neither emitted nor rejected {missing} of {rows} rows; its stage demands `{contract}`"
            ));
        }
    }
    Ok(())
}
