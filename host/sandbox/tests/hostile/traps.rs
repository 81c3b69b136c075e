//! Row 11: guests that end in the middle.

use weir_sandbox::{Call, PluginErrorKind, SandboxError};

use crate::field::{Attack, Stop, stopped};

stopped! {
    aborts => Stop::Trap("unreachable"),
    calls_a_function_of_another_type => Stop::Trap("indirect call type mismatch"),
    calls_nothing => Stop::Trap("uninitialized element"),
    calls_past_its_table => Stop::Trap("table access out of bounds"),
    copies_past_its_memory => Stop::Trap("memory access out of bounds"),
    divides_by_nothing => Stop::Trap("division by zero"),
    divides_by_zero => Stop::Trap("division by zero"),
    divides_the_least_number => Stop::Trap("integer overflow"),
    exits_0 => Stop::Trap("called exit with status 0"),
    exits_1 => Stop::Trap("called exit with status 1"),
    panics_in_a_panic => Stop::Trap("unreachable"),
    reads_past_its_memory => Stop::Trap("memory access out of bounds"),
    returns_a_message_outside_memory => Stop::Trap("out of bounds"),
    returns_a_message_that_is_no_text => Stop::Trap("utf-8"),
    returns_an_error_of_no_case => Stop::Trap("discriminant"),
    returns_from_an_odd_place => Stop::Trap("not aligned"),
    returns_from_outside_memory => Stop::Trap("out of bounds"),
    returns_neither => Stop::Trap("expected"),
    traps_after_emitting => Stop::Trap("unreachable"),
    traps_in_the_first_batch => Stop::Trap("unreachable"),
    turns_nan_into_a_number => Stop::Trap("invalid conversion to integer"),
    writes_past_its_memory => Stop::Trap("memory access out of bounds"),
}

/// Guests that end in another call.
macro_rules! ended {
    ($($name:ident => $call:ident $what:literal),* $(,)?) => {$(
        #[test]
        pub(crate) fn $name() {
            let stop = Stop::Trap($what);
            Attack::by(stringify!($name)).run().stopped_at(Call::$call, None, stop);
        }
    )*};
}

ended! {
    traps_in_start => Instantiate "unreachable",
    traps_in_describe => Describe "unreachable",
    traps_in_bind => Bind "unreachable",
    traps_in_finish => Finish "unreachable",
    puts_arguments_outside_memory => Bind "beyond end of memory",
    puts_arguments_at_odd_places => Bind "not aligned",
}

#[test]
pub(crate) fn traps_in_the_third_batch() {
    let outcome = Attack::by("traps_in_the_third_batch").batches(5).run();
    assert_eq!(outcome.given.len(), 2);
    outcome.stopped_at(Call::Process, Some(3), Stop::Trap("unreachable"));
}

#[test]
pub(crate) fn errs_for_ever() {
    let error = Attack::by("errs_for_ever").run().error.expect("an error");
    let SandboxError::PluginError { kind, message, .. } = &error else {
        panic!("{error}");
    };
    assert_eq!(*kind, PluginErrorKind::Fatal);
    assert!(
        message.starts_with("no\\u{1b}[2J\\nerror: forged "),
        "{message}"
    );
    assert_eq!(message.len(), 1024 + '…'.len_utf8());
}

#[test]
pub(crate) fn asks_to_be_tried_again() {
    let error = Attack::by("asks_to_be_tried_again")
        .run()
        .error
        .expect("an error");
    assert!(error.retryable(), "{error}");
    let at = error.call_site().expect("an error of a call");
    assert_eq!((at.call, at.batch), (Call::Process, Some(1)));
}
