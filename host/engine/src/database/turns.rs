//! One connection for all scans of a snapshot, where a database gives its snapshot to no second one.
//!
//! Scans take turns. A query may ask for rows of one table while it has not taken all of another (a merge join
//! does): so a scan for whose connection others wait reads its rows to the end, into files of the engine's
//! spilling, and lets go of the connection.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use arrow::array::RecordBatch;
use arrow::datatypes::SchemaRef;
use datafusion::common::runtime::SpawnedTask;
use datafusion::execution::runtime_env::RuntimeEnv;
use datafusion::physical_plan::SpillManager;
use datafusion::physical_plan::metrics::{ExecutionPlanMetricsSet, SpillMetrics};
use datafusion::physical_plan::spill::spill_pool;
use futures::stream::BoxStream;
use futures::{StreamExt, TryStreamExt};
use tokio::sync::{Mutex, OwnedMutexGuard, mpsc, watch};

use crate::error::{Error, ErrorKind, Result};

/// A file of spilled rows has at most so many bytes; it is removed once it has been read.
const SPILL_FILE: usize = 64 << 20;

/// A connection that serves one scan at a time. Clones share it.
pub(crate) struct Turns<C> {
    connection: Arc<Mutex<Option<C>>>,
    /// How many wait for it.
    waiting: watch::Sender<usize>,
    /// Whether somebody has asked it something, and has not waited for the answer.
    unanswered: Arc<AtomicBool>,
}

impl<C> Clone for Turns<C> {
    fn clone(&self) -> Turns<C> {
        Turns {
            connection: Arc::clone(&self.connection),
            waiting: self.waiting.clone(),
            unanswered: Arc::clone(&self.unanswered),
        }
    }
}

/// The connection, for as long as this lives.
pub(crate) struct Turn<C> {
    connection: OwnedMutexGuard<Option<C>>,
    unanswered: Arc<AtomicBool>,
}

/// A question to a database whose answer is waited for.
pub(crate) struct Asking(Arc<AtomicBool>);

impl Asking {
    /// The answer, or its beginning, has come.
    pub(crate) fn answered(self) {
        self.0.store(false, Ordering::SeqCst);
    }
}

impl<C> Turn<C> {
    /// Says that a question follows: until it is answered, nobody else may ask one.
    ///
    /// # Errors
    /// Storage, if a scan has left the connection in the middle of a question.
    pub(crate) fn asking(&self) -> Result<Asking> {
        if self.unanswered.swap(true, Ordering::SeqCst) {
            return Err(Error::new(
                ErrorKind::Storage,
                "a query left the connection in the middle of a question",
            )
            .with_hint("run the same command again"));
        }
        Ok(Asking(Arc::clone(&self.unanswered)))
    }

    /// The connection.
    ///
    /// # Errors
    /// Internal, if it was closed before.
    pub(crate) fn connection(&mut self) -> Result<&mut C> {
        self.connection
            .as_mut()
            .ok_or_else(|| Error::internal("a database is read after its snapshot was closed"))
    }
}

/// One who waits, and who is gone when it is dropped.
struct Waiting<'a>(&'a watch::Sender<usize>);

impl<'a> Waiting<'a> {
    fn at(waiting: &'a watch::Sender<usize>) -> Waiting<'a> {
        waiting.send_modify(|waiting| *waiting += 1);
        Waiting(waiting)
    }
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.0.send_modify(|waiting| *waiting -= 1);
    }
}

impl<C: Send + 'static> Turns<C> {
    pub(crate) fn new(connection: C) -> Turns<C> {
        Turns {
            connection: Arc::new(Mutex::new(Some(connection))),
            waiting: watch::Sender::new(0),
            unanswered: Arc::new(AtomicBool::new(false)),
        }
    }

    /// Waits for the connection.
    pub(crate) async fn take(&self) -> Turn<C> {
        let _waiting = Waiting::at(&self.waiting);
        let connection = Arc::clone(&self.connection).lock_owned().await;
        Turn {
            connection,
            unanswered: Arc::clone(&self.unanswered),
        }
    }

    /// Takes the connection away for good.
    pub(crate) async fn close(&self) -> Option<C> {
        self.take().await.connection.take()
    }

    /// The rows that `open` reads of the connection, once it is this scan's turn.
    pub(crate) fn scan(
        &self,
        env: Arc<RuntimeEnv>,
        schema: SchemaRef,
        open: impl FnOnce(Turn<C>) -> BoxStream<'static, Result<RecordBatch>> + Send + 'static,
    ) -> BoxStream<'static, Result<RecordBatch>> {
        let turns = self.clone();
        let (send, mut receive) = mpsc::channel(1);
        async_stream::stream! {
            // It ends with the stream.
            let task = SpawnedTask::spawn(async move {
                let rows = open(turns.take().await);
                turns.feed(rows, &send, (env, schema)).await
            });
            while let Some(batch) = receive.recv().await {
                yield Ok(batch);
            }
            match task.join().await {
                Ok(Ok(())) => {}
                Ok(Err(error)) => yield Err(error),
                Err(error) => yield Err(Error::internal("a scan has ended early").with_source(error)),
            }
        }
        .boxed()
    }

    /// Sends rows; from the moment on at which somebody else waits for the connection, by way of files.
    async fn feed(
        &self,
        mut rows: BoxStream<'static, Result<RecordBatch>>,
        send: &mpsc::Sender<RecordBatch>,
        (env, schema): (Arc<RuntimeEnv>, SchemaRef),
    ) -> Result<()> {
        let mut waiting = self.waiting.subscribe();
        while let Some(batch) = rows.try_next().await? {
            let room = tokio::select! {
                biased;
                room = send.reserve() => Some(room),
                _ = waiting.wait_for(|waiting| *waiting > 0) => None,
            };
            match room {
                Some(Ok(room)) => room.send(batch),
                // Who asked for the rows has enough of them.
                Some(Err(_)) => return Ok(()),
                None => {
                    let metrics = SpillMetrics::new(&ExecutionPlanMetricsSet::new(), 0);
                    let manager = Arc::new(SpillManager::new(env, metrics, schema));
                    let (sink, mut spilled) = spill_pool::spsc_channel(SPILL_FILE, manager);
                    sink.push_batch(&batch)?;
                    while let Some(batch) = rows.try_next().await? {
                        sink.push_batch(&batch)?;
                    }
                    drop((sink, rows));
                    while let Some(batch) = spilled.try_next().await? {
                        if send.send(batch).await.is_err() {
                            return Ok(());
                        }
                    }
                    return Ok(());
                }
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use arrow::array::Int64Array;
    use arrow::datatypes::{DataType, Field, Schema};
    use futures::TryStreamExt;

    use super::*;

    fn schema() -> SchemaRef {
        Arc::new(Schema::new(vec![Field::new("n", DataType::Int64, false)]))
    }

    /// A hundred batches of one row.
    fn counting(mut turn: Turn<i64>) -> BoxStream<'static, Result<RecordBatch>> {
        async_stream::try_stream! {
            let first = *turn.connection()?;
            for n in first..first + 100 {
                let column = Arc::new(Int64Array::from(vec![n]));
                yield RecordBatch::try_new(schema(), vec![column])?;
            }
            *turn.connection()? += 100;
        }
        .boxed()
    }

    fn numbers(batches: &[RecordBatch]) -> Vec<i64> {
        let column = |batch: &RecordBatch| {
            let values = batch.column(0).as_any().downcast_ref::<Int64Array>();
            values.unwrap().values().to_vec()
        };
        batches.iter().flat_map(column).collect()
    }

    #[tokio::test]
    async fn one_scan_does_not_keep_another_waiting() {
        let turns = Turns::new(0_i64);
        let env = Arc::new(RuntimeEnv::default());
        let scan = || turns.scan(Arc::clone(&env), schema(), counting);
        let (mut one, mut other) = (scan(), scan());
        let mut first = vec![one.try_next().await.unwrap().unwrap()];
        // Of the first scan nobody takes anything any more.
        let second: Vec<RecordBatch> = {
            let mut all = Vec::new();
            while let Some(batch) = other.try_next().await.unwrap() {
                all.push(batch);
            }
            all
        };
        first.extend(one.try_collect::<Vec<_>>().await.unwrap());
        assert_eq!(numbers(&first), (0..100).collect::<Vec<_>>());
        assert_eq!(numbers(&second), (100..200).collect::<Vec<_>>());
    }

    #[tokio::test]
    async fn a_scan_that_is_left_gives_its_turn_back() {
        let turns = Turns::new(0_i64);
        let env = Arc::new(RuntimeEnv::default());
        let mut left = turns.scan(Arc::clone(&env), schema(), counting);
        left.try_next().await.unwrap();
        drop(left);
        let all = turns.scan(env, schema(), counting);
        let all: Vec<RecordBatch> = all.try_collect().await.unwrap();
        assert_eq!(numbers(&all), (0..100).collect::<Vec<_>>());
        assert_eq!(turns.close().await, Some(100));
        let closed = turns.scan(Arc::new(RuntimeEnv::default()), schema(), counting);
        let told = closed.try_collect::<Vec<_>>().await.unwrap_err();
        assert!(told.to_string().contains("closed"), "{told}");
    }
}
