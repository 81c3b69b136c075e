//! `weir-generate`: writes generated inputs of the reference pipelines.

use std::path::PathBuf;
use std::process::Command;

use clap::{Parser, Subcommand};
use weir_generate::billing;
use weir_generate::part_d;
use weir_generate::synpuf::{self, Dirt, Options};
use weir_generate::treatments;
use weir_generate::visit_events;

#[derive(Parser)]
#[command(
    name = "weir-generate",
    version,
    about = "Writes generated inputs of the reference pipelines"
)]
struct Arguments {
    #[command(subcommand)]
    input: Input,
}

#[derive(Subcommand)]
enum Input {
    /// The CSV files of CMS's DE-SynPUF
    Synpuf {
        /// Folder to write to
        dir: PathBuf,
        /// Persons in the first year
        #[arg(long, value_name = "N", default_value_t = 2_000)]
        beneficiaries: u64,
        /// Rows of inpatient claims [default: 1 per 2 beneficiaries]
        #[arg(long, value_name = "N")]
        inpatient: Option<u64>,
        /// Rows of outpatient claims [default: 3 per beneficiary]
        #[arg(long, value_name = "N")]
        outpatient: Option<u64>,
        /// Rows of drug events [default: 25 per beneficiary]
        #[arg(long, value_name = "N")]
        drug_events: Option<u64>,
        /// Rows of Carrier claims, in two files [default: 20 per beneficiary]
        #[arg(long, value_name = "N")]
        carrier: Option<u64>,
        /// Which sample: it is in the files' names, and its persons are no other's
        #[arg(long, value_name = "N", default_value_t = 1)]
        sample: u64,
        /// Same seed, same bytes
        #[arg(long, default_value_t = 1)]
        seed: u64,
        /// Share of rows with a fault, for each kind of fault
        #[arg(long, value_name = "RATE", default_value_t = 0.0)]
        dirt: f64,
        /// End lines in LF instead of CR LF
        #[arg(long)]
        lf: bool,
        /// Put the names in the header in quotes
        #[arg(long)]
        quoted_header: bool,
    },
    /// JSON files of visits, of two sources, day by day
    VisitEvents {
        /// Folder to write to
        dir: PathBuf,
        /// Records of each file
        #[arg(long, value_name = "N", default_value_t = 1_000)]
        patients: u64,
        /// Days, from 2024-02-28 on
        #[arg(long, value_name = "N", default_value_t = 2)]
        days: u64,
        /// Same seed, same bytes
        #[arg(long, default_value_t = 1)]
        seed: u64,
        /// Share of records with a fault, for each kind of fault
        #[arg(long, value_name = "RATE", default_value_t = 0.0)]
        dirt: f64,
        /// One visit, one diagnosis and two treatments for each patient
        #[arg(long)]
        plain: bool,
    },
    /// The tables of Medicare Part D prescribers
    PartD {
        /// Folder to write CSV files to
        #[arg(required_unless_present = "postgres")]
        dir: Option<PathBuf>,
        /// Fill PostgreSQL instead, by `psql` and its variables (PGHOST, PGDATABASE, ...)
        #[arg(long, conflicts_with = "dir")]
        postgres: bool,
        /// Rows of prescriber_drug; the other tables keep CMS's proportions
        #[arg(long, value_name = "N", default_value_t = 20_000)]
        rows: u64,
        /// Same seed, same bytes
        #[arg(long, default_value_t = 1)]
        seed: u64,
        /// Share of rows with a fault, for each kind of fault
        #[arg(long, value_name = "RATE", default_value_t = 0.0)]
        dirt: f64,
        /// Which part of how many, from 1: later parts add rows to those before
        #[arg(long, value_name = "N/ALL", default_value = "1/1", value_parser = part)]
        part: (u64, u64),
    },
    /// Treatments: an export of DynamoDB to an object store, or the table
    Treatments {
        /// Folder to write the export to
        #[arg(required_unless_present = "endpoint")]
        dir: Option<PathBuf>,
        /// Fill a table at http://HOST:PORT instead: moto, DynamoDB Local, or what else takes any credentials
        #[arg(long, value_name = "URL", conflicts_with = "dir")]
        endpoint: Option<String>,
        /// The table to fill
        #[arg(long, value_name = "NAME", default_value = "treatments")]
        table: String,
        /// Items of the first batch
        #[arg(long, value_name = "N", default_value_t = treatments::REAL_ITEMS)]
        items: u64,
        /// Which batch: the second one modifies, adds and removes items
        #[arg(long, value_name = "N", default_value_t = 1)]
        batch: u64,
        /// Same seed, same bytes
        #[arg(long, default_value_t = 1)]
        seed: u64,
        /// Share of items with a fault, for each kind of fault
        #[arg(long, value_name = "RATE", default_value_t = 0.0)]
        dirt: f64,
    },
    /// The CSV files of a billing system: facts and eight dimensions
    Billing {
        /// Folder to write to
        dir: PathBuf,
        /// Rows of FactTable; the dimensions keep their proportions
        #[arg(long, value_name = "N", default_value_t = 84_219)]
        facts: u64,
        /// 1: all nine files; 2: what comes the day after
        #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u64).range(1..=2))]
        delivery: u64,
        /// Same seed, same bytes
        #[arg(long, default_value_t = 1)]
        seed: u64,
        /// Share of rows with a fault, for each kind of fault
        #[arg(long, value_name = "RATE", default_value_t = 0.0)]
        dirt: f64,
    },
}

/// `2/3`: the second of three parts, which is number 1.
fn part(text: &str) -> Result<(u64, u64), String> {
    let numbers = text
        .split_once('/')
        .and_then(|(part, all)| Some((part.parse::<u64>().ok()?, all.parse().ok()?)));
    match numbers {
        Some((part, all)) if (1..=all).contains(&part) => Ok((part - 1, all)),
        _ => Err("a part is N/ALL, such as 1/2".to_owned()),
    }
}

fn main() -> anyhow::Result<()> {
    match Arguments::parse().input {
        Input::Synpuf {
            dir,
            beneficiaries,
            inpatient,
            outpatient,
            drug_events,
            carrier,
            sample,
            seed,
            dirt,
            lf,
            quoted_header,
        } => {
            let usual = Options::for_beneficiaries(beneficiaries);
            let options = Options {
                beneficiaries,
                inpatient: inpatient.unwrap_or(usual.inpatient),
                outpatient: outpatient.unwrap_or(usual.outpatient),
                drug_events: drug_events.unwrap_or(usual.drug_events),
                carrier: carrier.unwrap_or(usual.carrier),
                sample,
                seed,
                crlf: !lf,
                quoted_header,
                dirt: Dirt::everywhere(dirt),
            };
            let manifest = synpuf::generate(&dir, &options)?;
            for file in &manifest.files {
                eprintln!(
                    "{}: {} rows, {} to be rejected",
                    file.name,
                    file.rows,
                    file.rejected()
                );
            }
            println!("{}", dir.join("manifest.json").display());
        }
        Input::VisitEvents {
            dir,
            patients,
            days,
            seed,
            dirt,
            plain,
        } => {
            let options = visit_events::Options {
                patients,
                days,
                shape: match plain {
                    true => visit_events::Shape::Plain,
                    false => visit_events::Shape::Varied,
                },
                seed,
                dirt: visit_events::Dirt::everywhere(dirt),
            };
            let manifest = visit_events::generate(&dir, &options)?;
            for file in &manifest.files {
                let rejected = file.records - file.accepted();
                eprintln!(
                    "{}: {} records, {rejected} to be rejected",
                    file.path(),
                    file.records
                );
            }
            println!("{}", dir.join("manifest.json").display());
        }
        Input::PartD {
            dir,
            postgres: _,
            rows,
            seed,
            dirt,
            part,
        } => {
            let options = part_d::Options {
                seed,
                dirt: part_d::Dirt::everywhere(dirt),
                part,
                ..part_d::Options::for_rows(rows)
            };
            let manifest = match dir {
                Some(dir) => part_d::generate(&dir, &options)?,
                None => part_d::fill_postgres(|| Command::new("psql"), &options)?,
            };
            print!("{}", manifest.to_json());
        }
        Input::Treatments {
            dir,
            endpoint,
            table,
            items,
            batch,
            seed,
            dirt,
        } => {
            let options = treatments::Options {
                items,
                batch,
                seed,
                dirt: treatments::Dirt::everywhere(dirt),
            };
            let manifest = match (dir, endpoint) {
                (Some(dir), _) => treatments::generate(&dir, &options)?,
                (None, Some(endpoint)) => treatments::fill(&endpoint, &table, &options)?,
                (None, None) => anyhow::bail!("name a folder, or an --endpoint"),
            };
            print!("{}", manifest.to_json());
        }
        Input::Billing {
            dir,
            facts,
            delivery,
            seed,
            dirt,
        } => {
            let options = billing::Options {
                seed,
                dirt: billing::Dirt::everywhere(dirt),
                delivery: match delivery {
                    1 => billing::Delivery::First,
                    _ => billing::Delivery::Second,
                },
                ..billing::Options::for_facts(facts)
            };
            let manifest = billing::generate(&dir, &options)?;
            for file in &manifest.files {
                let faulty: u64 = file.faults.values().sum();
                eprintln!("{}: {} rows, {faulty} with a fault", file.name, file.rows);
            }
            println!("{}", dir.join("manifest.json").display());
        }
    }
    Ok(())
}
