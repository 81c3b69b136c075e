//! The hostile guests of `tests/hostile`, each against the sandbox: it ends in the error that names
//! it, or gets nothing; the host lives, its memory and the guest's time stay within bounds, and an
//! honest guest works afterwards.
//!
//! - [`field`]: where attacks take place, and what is demanded after every one of them.
//! - [`batches`], [`schemas`], [`calls`], [`contract`]: what guests give and say.
//! - [`stopping`], [`memory`], [`traps`]: what they take, and how they end.
//! - [`sources`], [`folds`]: what only guests of these worlds can do; [`requests`]: what sources send.
//! - [`loading`]: what is refused before any of it runs.
//! - [`nothing`], [`words`]: what they look for, and what they let slip.
//! - [`stops`], [`canary`]: figures, over many stops and a million batches.
#![cfg(test)]
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test may panic"
)]

mod batches;
mod calls;
mod canary;
mod contract;
mod field;
mod folds;
mod loading;
mod memory;
mod nothing;
mod requests;
mod schemas;
mod sources;
mod stopping;
mod stops;
mod traps;
mod web;
mod words;

use batches::*;
use calls::*;
use contract::*;
use folds::*;
use loading::*;
use memory::*;
use nothing::*;
use requests::*;
use schemas::*;
use sources::*;
use stopping::*;
use traps::*;
use words::*;

/// A guest without a test of its name does not compile.
macro_rules! assert_test_exists {
    ($name:ident) => {
        #[allow(unused_imports, reason = "that it can be named is the point")]
        use self::$name as _;
    };
}

weir_roster::foreach_guest!(assert_test_exists);
