//! Rows named one by one, handed over in few calls: one for each rule and message.

use std::borrow::Cow;
use std::collections::BTreeMap;

use crate::{Error, Rule};

pub(crate) type Message = Cow<'static, str>;

/// The rows rejected from (or failed in) one batch, grouped by rule and message, in the order in
/// which each pair first came up.
pub(crate) struct Rejections {
    rules: &'static [Rule],
    batch_rows: usize,
    groups: Vec<Group>,
    by_reason: BTreeMap<(&'static str, Message), usize>,
    fault: Option<Error>,
}

pub(crate) struct Group {
    pub(crate) rule: &'static str,
    pub(crate) message: Message,
    pub(crate) rows: Vec<u32>,
}

impl Rejections {
    pub(crate) fn new(rules: &'static [Rule], batch_rows: usize) -> Self {
        Self {
            rules,
            batch_rows,
            groups: Vec::new(),
            by_reason: BTreeMap::new(),
            fault: None,
        }
    }

    pub(crate) fn add(&mut self, rows: &[u32], rule: &Rule, message: Message) {
        if rows.is_empty() {
            return;
        }
        let Some(rule) = self.rules.iter().find(|known| known.name == rule.name) else {
            self.fault(format!(
                "the rule `{}` is not among the rules of its `INFO`",
                rule.name
            ));
            return;
        };
        if let Some(row) = rows.iter().find(|row| **row as usize >= self.batch_rows) {
            self.fault(format!(
                "rule `{}` names row {row} of a batch of {} rows",
                rule.name, self.batch_rows
            ));
            return;
        }
        let next = self.groups.len();
        let group = *self
            .by_reason
            .entry((rule.name, message.clone()))
            .or_insert(next);
        match self.groups.get_mut(group) {
            Some(group) => group.rows.extend_from_slice(rows),
            None => self.groups.push(Group {
                rule: rule.name,
                message,
                rows: rows.to_vec(),
            }),
        }
    }

    /// Notes a breach of the contract; the first one becomes the call's error.
    pub(crate) fn fault(&mut self, message: String) {
        self.fault.get_or_insert(Error::Fatal(message));
    }

    pub(crate) fn finish(self) -> Result<Vec<Group>, Error> {
        match self.fault {
            Some(fault) => Err(fault),
            None => Ok(self.groups),
        }
    }
}
