//! Reference tables: handed whole to each instance, after `bind`, and not larger than it should hold.

use weir_sandbox::{Isolation, SideInput};

use super::*;

fn codes(rows: i64) -> SideInput {
    let rows = batch(rows);
    SideInput {
        name: "codes".into(),
        schema: rows.schema(),
        rows: [rows].into(),
    }
}

async fn handed(mode: &str, side: SideInput, terms: &Terms) -> Result<Instance, SandboxError> {
    let mut instance = transform().await.instantiate("s", terms).await?;
    let request = BindRequest {
        side_inputs: vec![side],
        ..request(json!({ "mode": mode }), &batch(1))
    };
    instance.bind(&request).await?;
    Ok(instance)
}

/// The rows that the guest was given, as it emitted them.
async fn given(instance: &mut Instance) -> Vec<RecordBatch> {
    let processed = instance.process(&batch(10)).await.unwrap();
    let emitted = processed.emitted.into_iter();
    emitted.map(|emitted| emitted.batch).collect()
}

#[tokio::test]
async fn all_rows_are_given_once_in_pieces_that_fit() {
    let terms = Terms::from(Limits::default().with_rows_out(20_000));
    let mut instance = handed("side", codes(10_000), &terms).await.unwrap();
    let pieces = given(&mut instance).await;
    assert!(pieces.len() > 1 && pieces.iter().all(|piece| piece.num_rows() <= 8192));
    let all = arrow::compute::concat_batches(&batch(1).schema(), &pieces).unwrap();
    assert_eq!(all, batch(10_000));
    assert!(given(&mut instance).await.is_empty());
}

#[tokio::test]
async fn a_fresh_instance_is_given_all_rows_anew() {
    let terms = Terms {
        isolation: Isolation::Batch,
        ..Terms::from(Limits::default())
    };
    let mut instance = handed("side", codes(7), &terms).await.unwrap();
    for _ in 0..3 {
        assert_eq!(given(&mut instance).await, [batch(7)]);
    }
}

#[tokio::test]
async fn there_are_no_rows_in_bind_and_none_of_other_tables() {
    let terms = Terms::from(Limits::default());
    let error = handed("side_bind", codes(1), &terms).await.unwrap_err();
    assert!(
        matches!(&error, SandboxError::Contract { why, .. } if why == "read a side input during bind"),
        "{error}"
    );
    let mut instance = handed("side_unbound", codes(1), &terms).await.unwrap();
    let error = instance.process(&batch(10)).await.unwrap_err();
    assert!(
        matches!(&error, SandboxError::Contract { why, .. } if why == "read side input 7, and 1 were bound"),
        "{error}"
    );
}

#[tokio::test]
async fn tables_that_are_too_large_are_refused_before_the_guest_is_called() {
    let limits = Limits {
        memory: 4 << 20,
        ..Limits::default()
    };
    let error = handed("side", codes(100_000), &limits.into()).await;
    let error = error.unwrap_err();
    assert!(
        matches!(&error, SandboxError::SideInputsTooLarge { allowed, bytes, .. } if *allowed == 1 << 20 && bytes > allowed),
        "{error}"
    );
    assert!(error.hint().unwrap().contains("select fewer rows"));
}

#[tokio::test]
async fn two_tables_of_one_name_are_no_request() {
    let mut instance = transform()
        .await
        .instantiate("s", &Limits::default().into())
        .await
        .unwrap();
    let request = BindRequest {
        side_inputs: vec![codes(1), codes(2)],
        ..request(json!({}), &batch(1))
    };
    let error = instance.bind(&request).await.unwrap_err();
    assert!(matches!(error, SandboxError::BadCall { .. }), "{error}");
}
