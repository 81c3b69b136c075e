//! The terms of a stage: what it gives a plugin, what it holds the plugin to, and where the plugin's
//! words go.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use crate::error::{KEPT, UNTOLD};
use crate::guest_log::GuestSink;
use crate::limits::Limits;
use crate::outbound::Outbound;

/// Everything one stage agrees with a plugin. `Default` gives nothing: no powers, the default
/// [`Limits`], no rows or rules pinned, one instance for a partition, words to `tracing`.
#[derive(Clone, Debug, Default)]
pub struct Terms {
    /// How much it may use.
    pub limits: Limits,
    /// What it may reach besides the columns it is given.
    pub powers: Powers,
    /// What its output must keep to.
    pub contract: Contract,
    /// How long its memory lives.
    pub isolation: Isolation,
    /// Where its free text goes.
    pub speech: Speech,
    /// What the host holds for it is reserved here; unbounded by the run if there is none.
    pub budget: Option<Arc<dyn MemoryBudget>>,
}

impl From<Limits> for Terms {
    fn from(limits: Limits) -> Terms {
        Terms {
            limits,
            ..Terms::default()
        }
    }
}

/// What a plugin may reach besides its columns. `Default` is nothing: a clock that stands, randomness
/// from a fixed seed, no secret, no network.
#[derive(Clone, Debug, Default)]
pub struct Powers {
    /// Whether the wall clock shows the real time. The monotonic clock always stands still, so that
    /// nothing can be timed.
    pub clock: bool,
    /// Whether random numbers are the system's. Two runs then differ.
    pub random: bool,
    /// Secrets by the name under which the plugin asks for them.
    pub secrets: BTreeMap<String, Secret>,
    /// Who sends its requests; a source that asks for `wasi:http` is refused without.
    pub http: Option<Arc<dyn Outbound>>,
}

impl Powers {
    /// Whether a plugin with these powers computes the same from the same input.
    pub fn deterministic(&self) -> bool {
        !self.clock && !self.random
    }
}

/// A value that is never shown.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(String);

impl Secret {
    /// Wraps `value`.
    pub fn new(value: impl Into<String>) -> Secret {
        Secret(value.into())
    }

    pub(crate) fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(…)")
    }
}

/// What a plugin's output must keep to. Breaking it is a
/// [`Contract`](crate::SandboxError::Contract) error and ends the instance.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Contract {
    /// How many rows come out for each row that goes in.
    pub rows: RowContract,
    /// The rules it may raise, with what each demands; any rule if there is no list.
    pub rules: Option<BTreeMap<String, String>>,
}

/// How many rows of each output come out for each row that goes in. A row that is rejected counts as
/// one that came out.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum RowContract {
    /// Any number, as far as the limits go.
    #[default]
    Any,
    /// One or none, in the order of the input.
    AtMostOne,
    /// One, in the order of the input.
    OneToOne,
}

impl fmt::Display for RowContract {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            RowContract::Any => "any",
            RowContract::AtMostOne => "at-most-one",
            RowContract::OneToOne => "one-to-one",
        })
    }
}

/// How long a plugin's memory lives.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Isolation {
    /// As long as its partition: what it keeps from one batch it finds at the next.
    #[default]
    Partition,
    /// One batch. Each is given to a fresh instance, bound anew, finished after it and thrown away.
    Batch,
}

impl fmt::Display for Isolation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Isolation::Partition => "partition",
            Isolation::Batch => "batch",
        })
    }
}

/// Where a plugin's free text goes: lines of its log, stdout and stderr, messages of rejections and
/// typed errors, words of a panic.
#[derive(Clone, Debug, Default)]
pub enum Speech {
    /// Lines go to `tracing`, target `weir::guest`; messages come back with what they belong to.
    #[default]
    Open,
    /// As if open, but that lines go to the sink: for an author who tries a plugin.
    Heard(Arc<dyn GuestSink>),
    /// All of it goes to the sink and nowhere else. A rejection carries what its rule demands by
    /// [`Contract::rules`], an error no text and no number of the guest's, and metrics are kept too.
    Kept(Arc<dyn GuestSink>),
    /// As if kept, and nobody is told: for a plugin whose words may hold a secret, where there is no log
    /// to keep them in.
    Untold,
}

impl Speech {
    /// What stands in the place of the guest's words in errors; none where they are told.
    pub(crate) fn instead(&self) -> Option<&'static str> {
        match self {
            Speech::Open | Speech::Heard(_) => None,
            Speech::Kept(_) => Some(KEPT),
            Speech::Untold => Some(UNTOLD),
        }
    }

    /// Whether the guest's words stay out of everything that comes back from a call.
    pub(crate) fn is_withheld(&self) -> bool {
        self.instead().is_some()
    }
}

/// The memory of whatever runs the sandbox, of which outputs take their share while the host holds
/// them. The linear memory is not asked for here: its owner reserves the whole grant beforehand.
pub trait MemoryBudget: Send + Sync + fmt::Debug {
    /// Takes `bytes`; false, and nothing taken, if there is not that much left.
    fn try_take(&self, bytes: u64) -> bool;
    /// Gives back `bytes` that were taken before.
    fn give_back(&self, bytes: u64);
}
