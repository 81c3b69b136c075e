//! Seeded generators for the inputs of the reference pipelines.
//!
//! A generator writes files of any size in the exact shape of the real ones, with faults in rows
//! that it counted beforehand. The same options give the same bytes on every platform, and the
//! manifest that it returns says what a correct pipeline must find.
//!
//! - [`synpuf`]: the CSV files of CMS's DE-SynPUF.
//! - [`visit_events`]: JSON files of visits, of two sources and any number of days.
//! - [`part_d`]: the tables of Medicare Part D prescribers, as CSV files or in PostgreSQL.
//! - [`treatments`]: treatments as items of DynamoDB, as an export or in a table.
//! - [`billing`]: the CSV files of a billing system, in two deliveries.
//! - `csv`, `calendar`, `random`: what a generator is made of; rows are a function of the seed and
//!   their number alone, so nothing grows with the size of the files but the list of faults.
//!
//! ```
//! use weir_generate::synpuf::{self, Dirt, Fault, Options, Table};
//!
//! # fn main() -> std::io::Result<()> {
//! # let dir = tempfile::tempdir()?;
//! # let dir = dir.path();
//! let manifest = synpuf::generate(
//!     dir,
//!     &Options {
//!         outpatient: 1_000,
//!         dirt: Dirt { bad_date: 0.01, ..Dirt::default() },
//!         ..Options::for_beneficiaries(200)
//!     },
//! )?;
//! assert_eq!(manifest.rows(Table::Outpatient), 1_000);
//! assert_eq!(manifest.faults(Table::Outpatient, Fault::BadDate), 10);
//! assert_eq!(manifest.accepted(Table::Outpatient), 990);
//! # Ok(())
//! # }
//! ```

pub mod billing;
mod calendar;
mod csv;
pub mod part_d;
mod random;
pub mod synpuf;
pub mod treatments;
pub mod visit_events;
