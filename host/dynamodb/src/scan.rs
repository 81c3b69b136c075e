//! Reads one segment of a table, page by page.

use std::collections::{BTreeSet, HashMap};

use aws_sdk_dynamodb::operation::scan::ScanOutput;
use aws_sdk_dynamodb::operation::scan::builders::ScanFluentBuilder;
use aws_sdk_dynamodb::types::{AttributeValue, ReturnConsumedCapacity};
use bytes::Bytes;
use futures::StreamExt;
use futures::stream::{self, BoxStream};
use tokio::time::Instant;

use crate::attempts::{Asked, Attempts, Failure};
use crate::client::Client;
use crate::error::{Error, Result};
use crate::item::item_json;
use crate::rate::RateLimit;

/// How many segments DynamoDB allows.
const MOST_SEGMENTS: u32 = 1_000_000;
/// How long an expression may be, in bytes.
const LONGEST_EXPRESSION: usize = 4096;

/// A segment's pages, in order. After an error there are none. Dropping it stops the scan: what was
/// asked for last is not read any further.
pub type Pages = BoxStream<'static, Result<Page>>;

/// What of a table is read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ScanSpec {
    /// The table's name or ARN.
    pub table: String,
    /// In how many segments the table is read, 1 to 1,000,000. All segments together have each item
    /// once.
    pub segments: u32,
    /// Which of them this is, from 0.
    pub segment: u32,
    /// The attributes that are read, by their names as they are, whatever characters they have; none:
    /// all. A page takes as many units as with all.
    pub projection: Option<Vec<String>>,
    /// Whether everything written before the scan's page is seen. It takes twice the units.
    pub consistent: bool,
    /// How many items a page may have, at least 1; none: as many as go into 1 MiB.
    pub page_items: Option<u32>,
}

impl ScanSpec {
    /// All of a table in one segment, in pages as large as can be, not consistent.
    pub fn of(table: impl Into<String>) -> ScanSpec {
        ScanSpec {
            table: table.into(),
            segments: 1,
            segment: 0,
            projection: None,
            consistent: false,
            page_items: None,
        }
    }
}

/// Some items of a segment.
#[derive(Clone, Debug, PartialEq)]
pub struct Page {
    /// The items as JSON, each on a line of its own with its line's end, its attributes sorted by name.
    pub lines: Bytes,
    /// How many they are; perhaps none.
    pub items: u64,
    /// How many capacity units the page took, where the server says so.
    pub units: Option<f64>,
}

/// A primary key of an item.
type Key = HashMap<String, AttributeValue>;

/// A segment being read.
struct Segment {
    client: Client,
    spec: ScanSpec,
    limit: Option<RateLimit>,
    request: ScanFluentBuilder,
    /// After which item the next page begins.
    after: Option<Key>,
    circle: Circle,
    pages: u64,
    ended: bool,
}

/// Finds out that keys come round to one where they were before. It keeps one key: the first, then
/// later and later ones, each twice as far from the one before. So a circle is seen after at most four
/// times as many pages as lie before it and in it.
#[derive(Default)]
struct Circle {
    kept: Option<Key>,
    /// How many keys came after the kept one.
    after: u64,
    /// After how many another is kept.
    until: u64,
}

impl Circle {
    /// Whether the key is the kept one.
    fn closes(&mut self, key: &Key) -> bool {
        if self.kept.as_ref() == Some(key) {
            return true;
        }
        self.after += 1;
        if self.after > self.until || self.kept.is_none() {
            self.kept = Some(key.clone());
            self.until = self.until.saturating_mul(2).max(1);
            self.after = 0;
        }
        false
    }
}

impl Client {
    /// Reads a segment of a table. A page is asked for when the stream is, and where there is a limit,
    /// when that allows it.
    ///
    /// A page is asked for again after failures that may pass, as the settings' [`Retry`](crate::Retry)
    /// says, each page anew. What the limit makes a page wait does not count as time there.
    ///
    /// # Errors
    /// Something in `spec` cannot be used. All else is an error in the stream.
    pub fn scan(&self, spec: ScanSpec, limit: Option<RateLimit>) -> Result<Pages> {
        let request = self.scan_request(&spec)?;
        let segment = Segment {
            client: self.clone(),
            spec,
            limit,
            request,
            after: None,
            circle: Circle::default(),
            pages: 0,
            ended: false,
        };
        Ok(stream::unfold(segment, |mut segment| async move {
            if segment.ended {
                return None;
            }
            let page = segment.page().await;
            segment.ended = segment.ended || page.is_err();
            Some((page, segment))
        })
        .boxed())
    }

    fn scan_request(&self, spec: &ScanSpec) -> Result<ScanFluentBuilder> {
        let ScanSpec {
            table,
            segments,
            segment,
            projection,
            consistent,
            page_items,
        } = spec;
        if table.is_empty() {
            return Err(Error::setting(
                "table",
                "is empty",
                "give its name or its ARN",
            ));
        }
        if *segments == 0 || *segments > MOST_SEGMENTS || segment >= segments {
            return Err(Error::setting(
                "segment",
                "is none of those that the table is read in",
                "read in 1 to 1,000,000 segments, and count them from 0",
            ));
        }
        let items = page_items.map(i32::try_from).transpose();
        let Ok(items @ (None | Some(1..))) = items else {
            return Err(Error::setting(
                "items per page",
                "are no number from 1 to 2,147,483,647",
                "give such a number, or none to have pages of up to 1 MiB",
            ));
        };
        // Both are at most 1,000,000.
        let whole = |number: u32| i32::try_from(number).unwrap_or(i32::MAX);
        let mut request = self
            .sdk
            .scan()
            .table_name(table)
            .segment(whole(*segment))
            .total_segments(whole(*segments))
            .consistent_read(*consistent)
            .return_consumed_capacity(ReturnConsumedCapacity::Total)
            .set_limit(items);
        if let Some(names) = projection {
            let (expression, names) = projected(names)?;
            request = request
                .projection_expression(expression)
                .set_expression_attribute_names(Some(names));
        }
        Ok(request)
    }
}

/// An expression for attributes, with a placeholder for each name: a name itself may be a reserved
/// word, or have characters that mean something in an expression.
fn projected(names: &[String]) -> Result<(String, HashMap<String, String>)> {
    let wrong = |what, hint| Err(Error::setting("projection", what, hint));
    if names.is_empty() || names.iter().any(String::is_empty) {
        return wrong(
            "has no name, or an empty one",
            "name at least one attribute, or leave the projection out to read all",
        );
    }
    if names.iter().collect::<BTreeSet<_>>().len() != names.len() {
        return wrong("has a name twice", "name each attribute once");
    }
    let placeholders: Vec<_> = (0..names.len()).map(|index| format!("#a{index}")).collect();
    let expression = placeholders.join(",");
    if expression.len() > LONGEST_EXPRESSION {
        return wrong(
            "has more names than DynamoDB takes (about 700)",
            "name fewer attributes, or leave the projection out to read all",
        );
    }
    Ok((
        expression,
        placeholders
            .into_iter()
            .zip(names.iter().cloned())
            .collect(),
    ))
}

impl Segment {
    /// The next page. It is the last where `ended` says so afterwards.
    async fn page(&mut self) -> Result<Page> {
        let reply = self.ask().await?;
        self.pages += 1;
        let page = self.convert(&reply)?;
        // An empty key is none: to ask for what comes after it would begin anew.
        match reply.last_evaluated_key.filter(|key| !key.is_empty()) {
            None => self.ended = true,
            Some(key) if self.circle.closes(&key) => {
                return Err(Error::Circle {
                    table: self.spec.table.clone(),
                    segment: self.spec.segment,
                    pages: self.pages,
                });
            }
            Some(key) => self.after = Some(key),
        }
        Ok(page)
    }

    /// Asks for the next page until there is a reply that is not to be asked for again.
    async fn ask(&self) -> Result<ScanOutput> {
        let asked = self.asked();
        let mut attempts = Attempts::new(self.client.retry);
        loop {
            let taken = match &self.limit {
                Some(limit) => Some(limit.ready().await),
                None => None,
            };
            let request = self.request.clone();
            let begun = Instant::now();
            let sent = request.set_exclusive_start_key(self.after.clone()).send();
            let failure = match sent.await {
                Ok(reply) => {
                    if let Some(taken) = taken {
                        taken.took(units(&reply, asked)?.ok_or_else(|| Error::NoCapacity {
                            place: self.client.place.clone(),
                        })?);
                    }
                    return Ok(reply);
                }
                Err(error) => Failure::of(error, asked),
            };
            if let (Failure::Throttled { .. }, Some(taken)) = (&failure, taken) {
                taken.took_none();
            }
            attempts.failed(begun, failure, asked).await?;
        }
    }

    fn asked(&self) -> Asked<'_> {
        Asked {
            action: "dynamodb:Scan",
            table: &self.spec.table,
            place: &self.client.place,
        }
    }

    fn convert(&self, reply: &ScanOutput) -> Result<Page> {
        let asked = self.asked();
        // A page without items has an empty list of them.
        let Some(items) = &reply.items else {
            return Err(asked.reply("it has no items, not even none"));
        };
        if usize::try_from(reply.count) != Ok(items.len()) {
            return Err(asked.reply("it has other than the number of items that it says"));
        }
        let mut lines = Vec::new();
        for (item, number) in items.iter().zip(1..) {
            item_json(item, &mut lines).map_err(|wrong| Error::Item {
                table: self.spec.table.clone(),
                segment: self.spec.segment,
                page: self.pages,
                item: number,
                wrong,
            })?;
            lines.push(b'\n');
        }
        Ok(Page {
            lines: lines.into(),
            items: items.len() as u64,
            units: units(reply, asked)?,
        })
    }
}

/// What a page took.
fn units(reply: &ScanOutput, asked: Asked<'_>) -> Result<Option<f64>> {
    let units = reply
        .consumed_capacity()
        .and_then(|capacity| capacity.capacity_units());
    match units {
        Some(units) if !units.is_finite() || units < 0.0 => {
            Err(asked.reply("it took a number of units that is none"))
        }
        units => Ok(units),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(number: usize) -> Key {
        HashMap::from([("id".to_owned(), AttributeValue::N(number.to_string()))])
    }

    #[test]
    fn circles_of_any_length_are_seen_wherever_they_begin() {
        for straight in 0..20 {
            for length in 1..20 {
                let mut circle = Circle::default();
                let keys = (0..straight).chain((straight..straight + length).cycle());
                let seen = keys
                    .take(200)
                    .position(|number| circle.closes(&key(number)));
                let seen = seen.expect("the circle is seen");
                assert!(seen >= length, "{straight} {length} {seen}");
                assert!(
                    seen <= 4 * (straight + length),
                    "{straight} {length} {seen}"
                );
            }
        }
    }

    #[test]
    fn keys_that_go_on_are_no_circle() {
        let mut circle = Circle::default();
        assert!(!(0..10_000).any(|number| circle.closes(&key(number))));
    }

    #[test]
    fn names_are_projected_by_placeholders() {
        let names = ["name", "a.b", "#x", "size"].map(str::to_owned);
        let (expression, placeholders) = projected(&names).unwrap();
        assert_eq!(expression, "#a0,#a1,#a2,#a3");
        assert_eq!(placeholders.len(), 4);
        assert_eq!(placeholders["#a1"], "a.b");
        let many: Vec<_> = (0..900).map(|number| number.to_string()).collect();
        for wrong in [
            &[][..],
            &[String::new()],
            &["a".to_owned(), "a".to_owned()],
            &many,
        ] {
            assert!(projected(wrong).is_err());
        }
    }
}
