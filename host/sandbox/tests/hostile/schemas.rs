//! Row 3: what `describe` and `bind` may return.

use arrow::datatypes::DataType;
use weir_sandbox::{Call, Isolation, LimitKind, Powers, SandboxError};

use crate::field::{Attack, Stop};

/// Guests whose `bind` returns a schema that cannot be.
macro_rules! refused {
    ($($name:ident => $part:literal),* $(,)?) => {$(
        #[test]
        pub(crate) fn $name() {
            let stop = Stop::BadSchema($part);
            Attack::by(stringify!($name)).run().stopped_at(Call::Bind, None, stop);
        }
    )*};
}

/// Guests whose `describe` does.
macro_rules! misdescribed {
    ($($name:ident => $stop:expr),* $(,)?) => {$(
        #[test]
        pub(crate) fn $name() {
            Attack::by(stringify!($name)).run().stopped_at(Call::Describe, None, $stop);
        }
    )*};
}

refused! {
    binds_5000_fields => "5000 fields; at most 4096",
    binds_65_outputs => "65 outputs; at most 64",
    binds_an_output_twice => "two outputs are named 'out'",
    binds_a_field_twice => "named 'a'",
    binds_no_fields => "no fields",
    binds_an_empty_name => "a name is empty",
    binds_a_name_of_a_megabyte => "1048576 bytes; at most 256",
    binds_control_characters => "control or invisible characters",
    binds_reversed_text => "control or invisible characters",
    binds_children_that_are_missing => "announces 4294967295 children, but the fields end before",
    binds_a_leaf_with_children => "cannot have 1 children",
    binds_a_list_of_two => "cannot have 2 children",
    binds_an_empty_struct => "cannot have 0 children",
    binds_65_levels => "deeper than 64 levels",
    binds_4000_levels => "deeper than 64 levels",
    binds_precision_0 => "precision 0 is not between 1 and 38",
    binds_precision_200 => "precision 200 is not between 1 and 38",
    binds_scale_beyond_precision => "scale 6 does not fit precision 5",
    binds_a_time_of_no_unit => "time32 counts seconds or milliseconds",
    binds_a_zone_that_is_a_path => "neither an IANA name nor an offset",
}

misdescribed! {
    describes_100000_rules => Stop::BadSchema("100000 columns or rules; at most 4096"),
    describes_5000_columns => Stop::BadSchema("5000 columns or rules; at most 4096"),
    describes_9_megabytes => Stop::Limit(LimitKind::Hostcall),
    describes_2_megabytes => Stop::BadSchema("2097152 bytes"),
    describes_4_billion_rules => Stop::Trap("out of bounds"),
    describes_itself_in_itself => Stop::Limit(LimitKind::Hostcall),
    wants_a_deceptive_column => Stop::BadSchema("control or invisible characters"),
}

#[test]
pub(crate) fn binds_9_megabytes() {
    Attack::by("binds_9_megabytes")
        .limits(|limits| limits.memory = 64 << 20)
        .run()
        .stopped_at(Call::Bind, None, Stop::Limit(LimitKind::Hostcall));
}

#[test]
pub(crate) fn binds_a_type_of_no_case() {
    let stop = Stop::Trap("unexpected discriminant");
    Attack::by("binds_a_type_of_no_case")
        .run()
        .stopped_at(Call::Bind, None, stop);
}

/// The answer that was planned with is the one that runs: an instance made anew for a later batch is
/// held to it.
#[test]
pub(crate) fn binds_by_chance() {
    let attack = || {
        Attack::by("binds_by_chance").batches(2).terms(|terms| {
            terms.isolation = Isolation::Batch;
            terms.powers = Powers {
                random: true,
                ..Powers::default()
            };
        })
    };
    let outcome = attack().run();
    assert_eq!(outcome.given.len(), 1, "the first batch is bound as it was");
    outcome.stopped_at(
        Call::Bind,
        None,
        Stop::Contract("other outputs than at first"),
    );
    // Without the power there is no chance in it.
    attack()
        .terms(|terms| terms.powers = Powers::default())
        .run()
        .unstopped();
}

/// A decoder is bound for each file. What the second `bind` returns is checked as the first was.
#[test]
pub(crate) fn binds_otherwise_each_time() {
    let guest = weir_roster::Guest::named("binds_otherwise_each_time").unwrap();
    let first = Attack::by(guest.name).run().unstopped();
    assert_eq!(
        first.outputs[0].schema.field(0).data_type(),
        &DataType::Utf8
    );
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    runtime.block_on(async {
        let plugin = crate::field::sandbox()
            .load(guest.name, guest.component())
            .await
            .unwrap();
        let mut instance = plugin
            .instantiate("step 's' stage 1", &crate::field::limits().into())
            .await
            .unwrap();
        let request = crate::field::request(serde_json::json!({}), &crate::field::batch());
        instance.bind(&request).await.unwrap();
        instance.finish().await.unwrap();
        let error = instance.bind(&request).await.unwrap_err();
        assert!(
            matches!(&error, SandboxError::BadSchema { why, .. } if why.contains("control")),
            "{error}"
        );
        let gone = instance.decode(b"x").await.unwrap_err();
        assert!(
            matches!(
                gone,
                SandboxError::Poisoned { .. } | SandboxError::BadCall { .. }
            ),
            "{gone}"
        );
        crate::field::honest().await;
    });
}
