//! Treatments as the items of a DynamoDB table: an export of it as AWS writes one, or the table itself.
//!
//! An item has six maps. Of the first batch each item is as it was added; the second batch has modified a tenth of
//! them, added a twentieth, and removed a hundredth. An export is whole: that of the second batch has all items that
//! are there then. [`Dirt`] adds faults in exact numbers, one to an item, to the items of the first batch; what the
//! second one modifies has none. All other items pass every check of the treatments pipeline.
//!
//! - [`Options`], [`generate`], [`fill`]: what to write, and writing it as an export or to a table.
//! - [`Dirt`], [`Fault`]: what can be wrong, and how often.
//! - [`Manifest`]: what was written.

mod dirt;
mod export;
mod item;
mod manifest;
mod table;
mod world;

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::fs;
use std::io;
use std::path::Path;

pub use dirt::{Dirt, Fault};
pub use manifest::Manifest;

use crate::random::Random;
use dirt::Flaws;
use item::Item;
use world::Scale;

const FLAWS: u64 = 82;
const FATE: u64 = 83;

/// The attribute that is the table's key.
const KEY: &str = "treatment_id_partition_key";

/// How many items the real table has.
pub const REAL_ITEMS: u64 = 59_452;

/// How many items a data file of an export has, about.
const FILE_ITEMS: u64 = 20_000;

/// What to write.
#[derive(Clone, Debug, PartialEq)]
pub struct Options {
    /// Items of the first batch.
    pub items: u64,
    /// Which batch, from 1: each has what those before left.
    pub batch: u64,
    /// Same options, same bytes; another seed, other bytes.
    pub seed: u64,
    /// The faults to add.
    pub dirt: Dirt,
}

impl Options {
    /// Clean items, as they were added.
    pub fn for_items(items: u64) -> Self {
        Self {
            items,
            batch: 1,
            seed: 1,
            dirt: Dirt::default(),
        }
    }
}

/// What the second batch does with an item of the first.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Fate {
    Stays,
    Modified,
    Removed,
}

/// The items of a batch, and what is wrong with them.
struct Items<'a> {
    options: &'a Options,
    flaws: Flaws,
    scale: Scale,
    fates: BTreeMap<u64, Fate>,
}

impl<'a> Items<'a> {
    fn of(options: &'a Options) -> io::Result<Self> {
        let wrong = |what: &str| io::Error::new(io::ErrorKind::InvalidInput, what.to_owned());
        match options.batch {
            1 | 2 => {}
            _ => return Err(wrong("there are two batches, 1 and 2")),
        }
        let random = Random::of(options.seed, FLAWS, 0);
        let mut items = Self {
            options,
            flaws: Flaws::place(&options.dirt, options.items, random)?,
            scale: Scale::of(options.items),
            fates: BTreeMap::new(),
        };
        if options.batch == 2 {
            items.draw(Fate::Modified, options.items / 10);
            items.draw(Fate::Removed, options.items / 100);
        }
        Ok(items)
    }

    fn draw(&mut self, fate: Fate, mut left: u64) {
        let mut random = Random::of(self.options.seed, FATE, fate as u64);
        while left > 0 {
            let number = random.below(self.options.items);
            if let Entry::Vacant(place) = self.fates.entry(number) {
                place.insert(fate);
                left -= 1;
            }
        }
    }

    fn added(&self) -> u64 {
        match self.options.batch {
            1 => 0,
            _ => self.options.items / 20,
        }
    }

    fn fate(&self, number: u64) -> Fate {
        self.fates.get(&number).copied().unwrap_or(Fate::Stays)
    }

    /// The item of that number, as it is after the batch.
    fn item(&self, number: u64) -> Item {
        let modified = self.fate(number) == Fate::Modified || number >= self.options.items;
        Item {
            seed: self.options.seed,
            number,
            modified,
            scale: self.scale,
            flaw: self.flaws.of(number).filter(|_| !modified),
        }
    }

    /// Hands on each item that is there after the batch.
    fn each(&self, mut take: impl FnMut(&Item) -> io::Result<()>) -> io::Result<()> {
        (0..self.options.items + self.added())
            .filter(|number| self.fate(*number) != Fate::Removed)
            .try_for_each(|number| take(&self.item(number)))
    }

    fn manifest(&self) -> Manifest {
        let count = |fate| self.fates.values().filter(|other| **other == fate).count() as u64;
        let (modified, removed) = (count(Fate::Modified), count(Fate::Removed));
        let mut faults = BTreeMap::new();
        let numbers = (0..self.options.items).filter(|number| self.fate(*number) == Fate::Stays);
        for fault in numbers.filter_map(|number| self.flaws.of(number)) {
            *faults.entry(fault).or_default() += 1;
        }
        Manifest {
            seed: self.options.seed,
            batch: self.options.batch,
            export: format!("AWSDynamoDB/{}", self.export()),
            items: self.options.items + self.added() - removed,
            modified,
            added: self.added(),
            removed,
            faults,
        }
    }

    /// What AWS calls the export: a time, and a number.
    fn export(&self) -> String {
        let time = 1_709_250_000_000 + (self.options.batch - 1) * 1_987_200_000;
        format!("{time:014}-{:08x}", self.options.seed)
    }
}

/// Writes an export into `dir`, which is created if it is missing, and `manifest.json` beside it. An export of the
/// same name is replaced; that of the other batch stays.
///
/// # Errors
///
/// `InvalidInput` where a rate of [`Dirt`] is not from 0 to 1, there are fewer items than faults, or there is no such
/// batch; otherwise what the file system says.
pub fn generate(dir: &Path, options: &Options) -> io::Result<Manifest> {
    let items = Items::of(options)?;
    let count = (options.items / FILE_ITEMS).clamp(4, 1_024);
    let mut files: Vec<_> = (0..count).map(|_| export::DataFile::new()).collect();
    items.each(|item| {
        let place = (item.number % count) as usize;
        let file = files.get_mut(place).expect("a remainder is an index");
        let line = match item.flaw {
            Some(Fault::BadJson) => format!("{{\"Item\":{{\"{KEY}\":{{\"S\":\"{}\"", item.key()),
            _ => format!("{{\"Item\":{}}}", item.json()),
        };
        file.line(&line)
    })?;
    let date = match options.batch {
        1 => "2024-03-01",
        _ => "2024-03-24",
    };
    export::write(dir, &items.export(), date, files)?;
    let manifest = items.manifest();
    fs::write(dir.join("manifest.json"), manifest.to_json())?;
    Ok(manifest)
}

/// Brings a table to the state after a batch: the first one writes all items, the second one what it modifies, adds and
/// removes. The table is made if it is not there. `endpoint` is `http://host:port` of a server that takes any
/// credentials, such as moto or DynamoDB Local. Lines that are no JSON are left out: no table has such an item.
///
/// # Errors
///
/// As [`generate`]; and what the server says.
pub fn fill(endpoint: &str, table: &str, options: &Options) -> io::Result<Manifest> {
    let items = Items::of(options)?;
    let server = table::Server::at(endpoint)?;
    server.create(table, KEY)?;
    let mut requests = Vec::new();
    let mut send = |request: String| {
        requests.push(request);
        if requests.len() == table::MOST_ITEMS {
            server.write(table, &std::mem::take(&mut requests))?;
        }
        Ok::<_, io::Error>(())
    };
    items.each(|item| {
        let is_new = options.batch == 1 || item.modified;
        match item.flaw {
            Some(Fault::BadJson) => Ok(()),
            _ if !is_new => Ok(()),
            _ => send(format!("{{\"PutRequest\":{{\"Item\":{}}}}}", item.json())),
        }
    })?;
    for (number, fate) in &items.fates {
        let item = items.item(*number);
        if *fate == Fate::Removed && items.flaws.of(*number) != Some(Fault::BadJson) {
            let key = item.key();
            send(format!(
                "{{\"DeleteRequest\":{{\"Key\":{{\"{KEY}\":{{\"S\":\"{key}\"}}}}}}}}"
            ))?;
        }
    }
    if !requests.is_empty() {
        server.write(table, &requests)?;
    }
    let mut manifest = items.manifest();
    manifest.items -= manifest.faults.remove(&Fault::BadJson).unwrap_or_default();
    Ok(manifest)
}
