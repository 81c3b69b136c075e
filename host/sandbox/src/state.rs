//! The host's side of one instance: what its store holds, and what a guest's calls into the host do
//! to it. The ABI tracks translate; the rules are here.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use arrow::array::RecordBatch;
use arrow::datatypes::SchemaRef;
use wasmtime::component::ResourceTable;
use wasmtime_wasi::{WasiCtx, WasiCtxView, WasiView};
use wasmtime_wasi_http::{WasiHttpCtx, WasiHttpCtxView, WasiHttpView};

use crate::error::{Call, LimitKind};
use crate::guest_log::{GuestLevel, GuestLog, GuestStream};
use crate::guest_text::{MAX_TEXT, escape};
use crate::held::Held;
use crate::limits::Limiter;
use crate::lower::Lowered;
use crate::model::{ByteRejection, Emitted, Finding, Processed, RecordRejection, World};
use crate::outbound::{Hooks, Refused};
use crate::terms::{Contract, Secret, Terms};
use crate::verify::{BadBatch, Shape};

/// Longest rule or metric name kept, in bytes.
const MAX_NAME: usize = 64;
/// Most metrics of one instance.
const MAX_METRICS: usize = 64;
/// What the host is charged for each batch or finding besides its contents.
const ITEM_COST: u64 = 256;
/// What each array of a batch takes besides its buffers, and each buffer besides its bytes, rounded up:
/// so many columns of no rows are not free.
const ARRAY_COST: u64 = 256;
const BUFFER_COST: u64 = 64;

/// What the host holds for each row of a finding until it is judged.
const FOUND_ROW_COST: u64 = 64;

/// Why the host stops a guest in the middle of a call.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Halt {
    Limit {
        which: LimitKind,
        allowed: u64,
        asked: u64,
    },
    BadBatch(String),
    Contract(String),
}

impl fmt::Display for Halt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Halt::Limit { which, allowed, .. } => write!(f, "over the limit of {allowed} {which}"),
            Halt::BadBatch(why) | Halt::Contract(why) => f.write_str(why),
        }
    }
}

impl std::error::Error for Halt {}

impl From<BadBatch> for Halt {
    fn from(bad: BadBatch) -> Halt {
        Halt::BadBatch(bad.to_string())
    }
}

/// An output that `bind` returned, with the shape of its batches.
#[derive(Clone, Debug)]
pub(crate) struct BoundOutput {
    pub(crate) schema: SchemaRef,
    pub(crate) shape: Shape,
}

/// The rows of a reference table, and how many of its batches the guest has been given.
struct SideRows {
    batches: Arc<[Lowered]>,
    given: usize,
}

/// The data of one instance's store.
pub(crate) struct State {
    wasi: WasiCtx,
    http: WasiHttpCtx,
    hooks: Hooks,
    world: World,
    pub(crate) table: ResourceTable,
    pub(crate) monotonic_now: u64,
    pub(crate) limiter: Limiter,
    pub(crate) log: GuestLog,
    pub(crate) metrics: BTreeMap<String, f64>,
    pub(crate) outputs: Vec<BoundOutput>,
    side_inputs: Vec<SideRows>,
    contract: Contract,
    words_are_withheld: bool,
    secrets: BTreeMap<String, Secret>,
    output_bytes: u64,
    rows_out_per_row: u64,
    rows_out_floor: u64,
    held: Held,
    outbox: Outbox,
}

/// What the call in progress has given so far.
#[derive(Debug, Default)]
struct Outbox {
    call: Option<Call>,
    rows_in: u32,
    rows_allowed: u64,
    rows_out: u64,
    bytes: u64,
    given: Processed,
}

impl State {
    pub(crate) fn new(world: World, terms: &Terms, log: GuestLog) -> State {
        let limits = &terms.limits;
        let mut table = ResourceTable::new();
        table.set_max_capacity(usize::try_from(limits.handles).unwrap_or(usize::MAX));
        State {
            wasi: crate::inert::context(&log, &terms.powers),
            http: crate::outbound::context(),
            hooks: Hooks::new(terms.powers.http.clone(), terms.budget.clone()),
            world,
            table,
            monotonic_now: 0,
            limiter: Limiter::new(limits),
            log,
            metrics: BTreeMap::new(),
            outputs: Vec::new(),
            side_inputs: Vec::new(),
            contract: terms.contract.clone(),
            words_are_withheld: terms.speech.is_withheld(),
            secrets: terms.powers.secrets.clone(),
            output_bytes: limits.output_bytes,
            rows_out_per_row: u64::from(limits.rows_out_per_row),
            rows_out_floor: limits.rows_out_floor,
            held: Held::of(terms.budget.clone()),
            outbox: Outbox::default(),
        }
    }

    /// Makes ready for a call with `rows` rows of input.
    pub(crate) fn begin(&mut self, call: Call, rows: u32) {
        let rows_allowed = match call {
            Call::Decode | Call::Finish | Call::Read => u64::MAX,
            _ => u64::from(rows)
                .saturating_mul(self.rows_out_per_row)
                .saturating_add(self.rows_out_floor),
        };
        self.outbox = Outbox {
            call: Some(call),
            rows_in: rows,
            rows_allowed,
            ..Outbox::default()
        };
        self.hooks.last.clear();
        self.limiter.memory_denied = None;
        self.limiter.table_denied = None;
        self.held = Held::of(self.held.budget());
    }

    /// What the call gave, and how many bytes that is.
    pub(crate) fn take(&mut self) -> (Processed, u64) {
        let mut outbox = std::mem::take(&mut self.outbox);
        outbox.given.reserved = self.held.hand_over();
        (outbox.given, outbox.bytes)
    }

    /// Accounts for `bytes` that the host is about to hold for the guest.
    pub(crate) fn charge(&mut self, bytes: u64) -> Result<(), Halt> {
        self.outbox.bytes = self.outbox.bytes.saturating_add(bytes);
        if self.outbox.bytes > self.output_bytes {
            return Err(Halt::Limit {
                which: LimitKind::OutputBytes,
                allowed: self.output_bytes,
                asked: self.outbox.bytes,
            });
        }
        if !self.held.take(bytes) {
            return Err(Halt::Limit {
                which: LimitKind::RunMemory,
                allowed: self.held.bytes(),
                asked: self.outbox.bytes,
            });
        }
        Ok(())
    }

    /// The output that a guest names in `emit`. Refuses an emission that may not be now, and counts
    /// its rows, before anything is copied.
    pub(crate) fn begin_emit(&mut self, output: u32, rows: u32) -> Result<BoundOutput, Halt> {
        match (self.outbox.call, self.world) {
            (Some(Call::Process), World::Transform)
            | (Some(Call::Decode | Call::Read), _)
            | (Some(Call::Finish), World::Decoder | World::Fold) => {}
            (Some(call), _) => return Err(Halt::Contract(format!("emitted during {call}"))),
            (None, _) => return Err(Halt::Contract("emitted outside a call".into())),
        }
        let bound = usize::try_from(output)
            .ok()
            .and_then(|index| self.outputs.get(index))
            .cloned();
        let Some(bound) = bound else {
            return Err(Halt::BadBatch(format!(
                "emitted to output {output}, and {} were bound",
                self.outputs.len()
            )));
        };
        self.outbox.rows_out = self.outbox.rows_out.saturating_add(u64::from(rows));
        if self.outbox.rows_out > self.outbox.rows_allowed {
            return Err(Halt::Limit {
                which: LimitKind::OutputRows,
                allowed: self.outbox.rows_allowed,
                asked: self.outbox.rows_out,
            });
        }
        let arrays = wide(bound.shape.nodes).saturating_mul(ARRAY_COST);
        let buffers = wide(bound.shape.buffers).saturating_mul(BUFFER_COST);
        self.charge(ITEM_COST.saturating_add(arrays).saturating_add(buffers))?;
        Ok(bound)
    }

    /// Makes the rows of reference tables ready to be given, from the first on.
    pub(crate) fn hand(&mut self, tables: impl Iterator<Item = Arc<[Lowered]>>) {
        let rows = tables.map(|batches| SideRows { batches, given: 0 });
        self.side_inputs = rows.collect();
    }

    /// The next rows of a reference table; none when all have been given.
    pub(crate) fn next_side_rows(&mut self, side_input: u32) -> Result<Option<&Lowered>, Halt> {
        match self.outbox.call {
            Some(Call::Process | Call::Decode | Call::Snapshot | Call::Merge | Call::Finish) => {}
            Some(call) => return Err(Halt::Contract(format!("read a side input during {call}"))),
            None => return Err(Halt::Contract("read a side input outside a call".into())),
        }
        let tables = self.side_inputs.len();
        let index = usize::try_from(side_input).unwrap_or(usize::MAX);
        let Some(table) = self.side_inputs.get_mut(index) else {
            let why = format!("read side input {side_input}, and {tables} were bound");
            return Err(Halt::Contract(why));
        };
        let next = table.batches.get(table.given);
        table.given = table.given.saturating_add(usize::from(next.is_some()));
        Ok(next)
    }

    /// Checks what `origin` claims about `rows` emitted rows.
    pub(crate) fn check_origin(&self, rows: u32, origin: Option<&[u32]>) -> Result<(), Halt> {
        let input = self.outbox.rows_in;
        match origin {
            None if self.world == World::Transform && rows != input => Err(Halt::BadBatch(
                format!("{rows} rows without an origin, which says one for each of {input}"),
            )),
            None => Ok(()),
            Some(origin) if wide(origin.len()) != u64::from(rows) => Err(Halt::BadBatch(format!(
                "an origin of {} for {rows} rows",
                origin.len()
            ))),
            Some(origin) => match origin.iter().max() {
                Some(&row) if row >= input => {
                    Err(Halt::BadBatch(format!("origin {row} of {input} rows")))
                }
                _ => Ok(()),
            },
        }
    }

    /// Keeps a verified batch until the call is over.
    pub(crate) fn end_emit(&mut self, output: u32, batch: RecordBatch, origin: Option<Vec<u32>>) {
        let output = usize::try_from(output).unwrap_or(usize::MAX);
        self.outbox.given.emitted.push(Emitted {
            output,
            batch,
            origin,
        });
    }

    /// Makes ready to look at `count` rows of a finding, before that is done.
    pub(crate) fn begin_find(&mut self, count: usize) -> Result<(), Halt> {
        if self.outbox.call != Some(Call::Process) {
            return Err(Halt::Contract("named rows outside process".into()));
        }
        self.charge(wide(count).saturating_mul(4))
    }

    /// The rows that a guest names, ascending, each once. It may name millions, of which no more than
    /// the batch has are different: each is looked at once, so that what this takes is bounded like an
    /// operation on the guest's memory, which sorting them would not be.
    pub(crate) fn named_rows(&self, named: &[u32]) -> Result<Vec<u32>, Halt> {
        let input = self.outbox.rows_in;
        let mut is_named = vec![false; usize::try_from(input).unwrap_or(usize::MAX)];
        for &row in named {
            match usize::try_from(row)
                .ok()
                .and_then(|row| is_named.get_mut(row))
            {
                Some(mark) => *mark = true,
                None => return Err(Halt::Contract(format!("named row {row} of {input}"))),
            }
        }
        Ok((0..input)
            .zip(is_named)
            .filter(|(_, named)| *named)
            .map(|(row, _)| row)
            .collect())
    }

    /// Keeps a finding about rows of the batch in process, as [`State::named_rows`] gave them.
    pub(crate) fn end_find(
        &mut self,
        rows: Vec<u32>,
        rule: &str,
        message: &str,
    ) -> Result<(), Halt> {
        let (rule, message) = self.words(rule, message)?;
        self.charge(wide(rows.len()).saturating_mul(FOUND_ROW_COST))?;
        self.outbox.given.findings.push(Finding {
            rows,
            rule,
            message,
        });
        Ok(())
    }

    /// Keeps a rejection of bytes.
    pub(crate) fn reject_bytes(
        &mut self,
        offset: u64,
        length: u64,
        rule: &str,
        message: &str,
    ) -> Result<(), Halt> {
        if !matches!(self.outbox.call, Some(Call::Decode | Call::Finish)) {
            return Err(Halt::Contract(
                "rejected bytes outside decode and finish".into(),
            ));
        }
        let (rule, message) = self.words(rule, message)?;
        self.outbox.given.rejected_bytes.push(ByteRejection {
            offset,
            length,
            rule,
            message,
        });
        Ok(())
    }

    /// Keeps a rejection of a source's record.
    pub(crate) fn reject_record(
        &mut self,
        record: &str,
        rule: &str,
        message: &str,
    ) -> Result<(), Halt> {
        if self.outbox.call != Some(Call::Read) {
            return Err(Halt::Contract("rejected a record outside read".into()));
        }
        let (rule, message) = self.words(rule, message)?;
        let record = match self.words_are_withheld {
            true => String::new(),
            false => escape(record, MAX_TEXT),
        };
        self.charge(wide(record.len()))?;
        self.outbox.given.rejected_records.push(RecordRejection {
            record,
            rule,
            message,
        });
        Ok(())
    }

    /// The last request of the call that came to nothing; its words are partly the guest's, and stay where
    /// those are kept.
    pub(crate) fn refused(&self) -> Option<Refused> {
        match self.words_are_withheld {
            true => None,
            false => self.hooks.last.get(),
        }
    }

    /// Checks a finding's rule, and escapes and charges for its words. Where words are kept, the
    /// message is what the rule demands and the guest's own goes to its log.
    fn words(&mut self, rule: &str, message: &str) -> Result<(String, String), Halt> {
        let rule = escape(rule, MAX_NAME);
        let demand = match &self.contract.rules {
            None => None,
            Some(rules) => Some(rules.get(&rule).ok_or_else(|| {
                Halt::Contract(format!("raised rule '{rule}', which is not on its list"))
            })?),
        };
        let message = if self.words_are_withheld {
            if !message.is_empty() {
                let line = format!("{rule}: {message}");
                self.log.line(GuestLevel::Info, GuestStream::Message, &line);
            }
            demand.cloned().unwrap_or_default()
        } else {
            escape(message, MAX_TEXT)
        };
        self.charge(ITEM_COST.saturating_add(wide(rule.len() + message.len())))?;
        Ok((rule, message))
    }

    /// Logs a line of the guest's.
    pub(crate) fn log(&self, level: GuestLevel, message: &str) {
        self.log.line(level, GuestStream::Log, message);
    }

    /// The secret granted under `name`.
    pub(crate) fn secret(&self, name: &str) -> Option<String> {
        self.secrets
            .get(name)
            .map(|secret| secret.expose().to_owned())
    }

    /// Adds to a metric. What is not a number is dropped, as are names past the first 64 and what would
    /// make a sum infinite.
    pub(crate) fn metric(&mut self, name: &str, value: f64) {
        if !value.is_finite() {
            return;
        }
        let name = escape(name, MAX_NAME);
        let known = self.metrics.get(&name).copied();
        let sum = known.unwrap_or(0.0) + value;
        if sum.is_finite() && (known.is_some() || self.metrics.len() < MAX_METRICS) {
            self.metrics.insert(name, sum);
        }
    }
}

impl WasiView for State {
    fn ctx(&mut self) -> WasiCtxView<'_> {
        WasiCtxView {
            ctx: &mut self.wasi,
            table: &mut self.table,
        }
    }
}

impl WasiHttpView for State {
    fn http(&mut self) -> WasiHttpCtxView<'_> {
        WasiHttpCtxView {
            hooks: &mut self.hooks,
            table: &mut self.table,
            ctx: &mut self.http,
        }
    }
}

fn wide(count: usize) -> u64 {
    u64::try_from(count).unwrap_or(u64::MAX)
}
