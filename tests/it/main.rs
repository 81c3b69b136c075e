//! Whole-system tests: the built `weir`, driven as a user would.
//!
//! - [`golden`]: CMS's own sample files, and their figures.
//! - [`generated`]: generated files with faults in known numbers.
//! - [`synpuf`]: from a folder and from a web page to a warehouse and a model, with every row foretold.
//! - [`part_d`]: PostgreSQL to MySQL, with every row of every report foretold.
//! - [`outside_reader`]: Python's `deltalake` reads what Weir wrote.
//! - [`kills`], [`concurrent`]: crashes at any moment, and runs side by side.
//! - [`bad_input`], [`bad_plugin`], [`bad_file`]: one clear error, and targets as before the run.
//! - [`source_plugins`]: streams that a plugin reads over HTTP.
//! - [`dirt`]: records that cannot be read, kept aside.
//! - [`terms`]: what a stage gives a plugin and holds it to.
//! - [`determinism`]: the same input, the same output.
//! - [`fold`]: stages that make few rows of many.
//! - [`formats`], [`checks`], [`modes`], [`merge`]: what can be read, judged and written.
//! - [`schema_change`], [`server_columns`]: tables whose columns differ from those of the rows.
//! - [`lost_answers`], [`server_trouble`]: servers whose answers are lost, and servers in trouble.
//! - [`hostile`]: every guest of `tests/hostile` in a pipeline.
//! - [`backfill`]: runs for many values of a parameter, and everything read anew.
//! - [`quarantine`]: rejected rows, and what becomes of them.
//! - [`masks`], [`sensitivity`]: values masked in tables and quarantine, and where sensitive ones may go.
//! - [`reviewed`]: faults that a review found, which must not come back.
//! - [`history`]: run records as tables.
//! - [`stores`]: lakes and input in an object store.
//! - [`upkeep`]: `weir lake`, and the format of a lake.
//! - [`supply`]: where components come from, and whether they may run.
//! - [`authoring`], [`diff`]: authors of plugins, from a new folder to what a next version changes.
//! - [`cli`], [`surroundings`]: the commands, and where they are typed.
//! - [`billing`]: files that arrive in any order, and again, to a star schema in PostgreSQL.
//! - [`visit_events`]: the pipeline of that name, by sources and days.
//! - [`report`]: pages for people, and what is not on them.
//! - [`canary`]: no value of a row is anywhere but in tables.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a panic is how a test reports"
)]

mod adbc;
mod authoring;
mod backfill;
mod bad_file;
mod bad_input;
mod bad_plugin;
mod billing;
mod billing_files;
mod canary;
mod checks;
mod cli;
mod concurrent;
mod database_sql;
mod decoders;
mod determinism;
mod dev;
mod diff;
mod dirt;
mod dynamodb;
mod fold;
mod formats;
mod generated;
mod golden;
mod guides;
mod history;
mod hostile;
mod incremental;
mod kills;
mod lost_answers;
mod masks;
mod merge;
mod modes;
mod mysql;

mod other_sources;
mod outside_reader;
mod part_d;
mod postgres;
mod quarantine;
mod redshift;
mod redshift_stand_in;
mod report;
mod reviewed;
mod schema_change;
mod sensitivity;
mod server_columns;
mod server_trouble;
mod side_inputs;
mod source_plugins;
mod sources;
mod sqlite;
mod stores;
mod supply;
mod surroundings;
mod synpuf;
mod terms;
mod treatments;
mod treatments_expected;
mod upkeep;
mod visit_events;
mod visits;
