//! Rows of the shape of CMS's prescriber-by-drug file, for benchmarks.

use std::fs::{self, File};
use std::io::{BufWriter, Write};
use std::path::Path;

/// The columns, in CMS's order, with the type of each in the lake and in SQL.
pub(crate) const COLUMNS: [(&str, &str, &str); 22] = [
    ("prscrbr_npi", "int64", "bigint"),
    ("prscrbr_last_org_name", "string", "text"),
    ("prscrbr_first_name", "string", "text"),
    ("prscrbr_city", "string", "text"),
    ("prscrbr_state_abrvtn", "string", "text"),
    ("prscrbr_state_fips", "string", "text"),
    ("prscrbr_type", "string", "text"),
    ("prscrbr_type_src", "string", "text"),
    ("brnd_name", "string", "text"),
    ("gnrc_name", "string", "text"),
    ("tot_clms", "int64", "bigint"),
    ("tot_30day_fills", "decimal(12,1)", "decimal(12,1)"),
    ("tot_day_suply", "int64", "bigint"),
    ("tot_drug_cst", "decimal(14,2)", "decimal(14,2)"),
    ("tot_benes", "int64", "bigint"),
    ("ge65_sprsn_flag", "string", "text"),
    ("ge65_tot_clms", "int64", "bigint"),
    ("ge65_tot_30day_fills", "decimal(12,1)", "decimal(12,1)"),
    ("ge65_tot_drug_cst", "decimal(14,2)", "decimal(14,2)"),
    ("ge65_tot_day_suply", "int64", "bigint"),
    ("ge65_bene_sprsn_flag", "string", "text"),
    ("ge65_tot_benes", "int64", "bigint"),
];

/// Rows with as many different values as such files have, the same each time.
pub(crate) fn generate(path: &Path, rows: u64) {
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    let mut out = BufWriter::with_capacity(1 << 20, File::create(path).unwrap());
    let names: Vec<&str> = COLUMNS.iter().map(|(name, ..)| *name).collect();
    writeln!(out, "{}", names.join(",")).unwrap();
    let mut state = 0x9e37_79b9_7f4a_7c15_u64;
    let mut next = move |below: u64| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state % below
    };
    for row in 0..rows {
        let (prescriber, drug) = (row / 22, next(3_000));
        let claims = 11 + next(900);
        let cost = claims * (300 + next(40_000));
        let (fills, days) = (claims * 11 + next(9), claims * 30);
        let (benes, older) = (11 + next(300), claims / 2);
        writeln!(
            out,
            "{},LASTNAME{},FIRST{},CITY {},{},{:02},Specialty {},S,BRAND {drug},GENERIC {},{claims},{}.{},{days},{}.{:02},{benes},{},{older},{}.{},{}.{:02},{},{},{}",
            1_003_000_000 + prescriber,
            prescriber % 90_000,
            prescriber % 7_000,
            prescriber % 9_000,
            ["NY", "CA", "TX", "FL", "WA"][usize::try_from(prescriber % 5).unwrap()],
            prescriber % 56,
            prescriber % 180,
            drug / 2,
            fills / 10,
            fills % 10,
            cost / 100,
            cost % 100,
            ["*", "#", "A"][usize::try_from(row % 3).unwrap()],
            fills / 20,
            fills % 10,
            cost / 200,
            cost % 100,
            days / 2,
            ["*", "#", "A"][usize::try_from(row % 3).unwrap()],
            benes / 2,
        )
        .unwrap();
    }
    out.flush().unwrap();
}
