//! Drivers that break the rules, made here: what they hand over is refused, and everything is released
//! once.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a panic is how a test reports"
)]

use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::ffi::{c_char, c_int, c_void};
use std::path::Path;
use std::ptr::{null, null_mut};
use std::sync::Arc;

use arrow::array::ffi::{FFI_ArrowArray, FFI_ArrowSchema};
use arrow::array::ffi_stream::FFI_ArrowArrayStream;
use arrow::array::{
    Array, ArrayData, ArrayRef, DictionaryArray, Int32Array, Int64Array, ListArray, RecordBatch,
    RecordBatchIterator, StringArray, StringViewArray, StructArray,
};
use arrow::buffer::Buffer;
use arrow::datatypes::{DataType, Field, Int32Type, Schema, SchemaRef};

use super::driver::entry_points;
use super::{ConnectionHandle, DatabaseHandle, DriverHandle, abi};
use crate::connection::Connection;
use crate::error::{Error, Status, What};
use crate::ingest::{Ingest, Mode};
use crate::options::OptionValue;

/// What the driver of this thread does.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Act {
    Well,
    KnowsOnly1_0,
    DoesNotStart,
    RefusesOptions,
    RefusesToOpen,
    RefusesToConnect,
    /// It says that all is well, and gives nothing.
    GivesNoStream,
    GivesNoSchemaFunction,
    GivesNoNextFunction,
    FailsAtTheSchema,
    GivesNoSchema,
    GivesAFieldWithoutType,
    GivesANameThatIsNoText,
    FailsAtTheBatch,
    /// It takes the rows to be loaded, and reads none.
    ReadsNoRows,
    /// It reads them, and counts otherwise.
    Miscounts,
}

thread_local! {
    static ACT: Cell<Act> = const { Cell::new(Act::Well) };
    /// Made and not released: drivers, databases, connections, statements, errors, streams.
    static LIVE: Cell<[i32; 6]> = const { Cell::new([0; 6]) };
    static BATCHES: RefCell<VecDeque<FFI_ArrowArray>> = const { RefCell::new(VecDeque::new()) };
    static SCHEMA: RefCell<Option<SchemaRef>> = const { RefCell::new(None) };
}

const DRIVER: usize = 0;
const DATABASE: usize = 1;
const CONNECTION: usize = 2;
const STATEMENT: usize = 3;
const ERROR: usize = 4;
const STREAM: usize = 5;

fn count(what: usize, by: i32) {
    LIVE.with(|live| {
        let mut counts = live.get();
        counts[what] += by;
        live.set(counts);
    });
}

fn act() -> Act {
    ACT.with(Cell::get)
}

const MESSAGE: &std::ffi::CStr = c"canary";

unsafe extern "C" fn release_error(error: *mut abi::Error) {
    count(ERROR, -1);
    // SAFETY: called by `taken`, with the error that `fail` filled in.
    unsafe {
        (*error).message = null_mut();
        (*error).release = None;
    }
}

fn fail(error: *mut abi::Error, code: abi::Code) -> abi::Code {
    count(ERROR, 1);
    // SAFETY: tests hand over a valid place.
    unsafe {
        (*error).message = MESSAGE.as_ptr().cast_mut();
        (*error).sqlstate = b"28P01".map(|letter| letter as c_char);
        (*error).vendor_code = 7;
        (*error).release = Some(release_error);
    }
    code
}

unsafe extern "C" fn release_driver(_: *mut abi::Driver, _: *mut abi::Error) -> abi::Code {
    count(DRIVER, -1);
    abi::OK
}

unsafe extern "C" fn new_database(raw: *mut abi::Database, _: *mut abi::Error) -> abi::Code {
    count(DATABASE, 1);
    // SAFETY: `DatabaseHandle` hands over its struct.
    unsafe { (*raw).private_data = std::ptr::without_provenance_mut(1) };
    abi::OK
}

unsafe extern "C" fn set_option(
    _: *mut abi::Database,
    _: *const c_char,
    _: *const c_char,
    error: *mut abi::Error,
) -> abi::Code {
    if act() == Act::RefusesOptions {
        return fail(error, 3);
    }
    abi::OK
}

unsafe extern "C" fn init_database(_: *mut abi::Database, error: *mut abi::Error) -> abi::Code {
    if act() == Act::RefusesToOpen {
        return fail(error, 9);
    }
    abi::OK
}

unsafe extern "C" fn release_database(_: *mut abi::Database, _: *mut abi::Error) -> abi::Code {
    count(DATABASE, -1);
    abi::OK
}

unsafe extern "C" fn new_connection(_: *mut abi::Connection, _: *mut abi::Error) -> abi::Code {
    count(CONNECTION, 1);
    abi::OK
}

unsafe extern "C" fn init_connection(
    _: *mut abi::Connection,
    _: *mut abi::Database,
    error: *mut abi::Error,
) -> abi::Code {
    if act() == Act::RefusesToConnect {
        return fail(error, 13);
    }
    abi::OK
}

unsafe extern "C" fn release_connection(_: *mut abi::Connection, _: *mut abi::Error) -> abi::Code {
    count(CONNECTION, -1);
    abi::OK
}

unsafe extern "C" fn new_statement(
    _: *mut abi::Connection,
    _: *mut abi::Statement,
    _: *mut abi::Error,
) -> abi::Code {
    count(STATEMENT, 1);
    abi::OK
}

unsafe extern "C" fn release_statement(_: *mut abi::Statement, _: *mut abi::Error) -> abi::Code {
    count(STATEMENT, -1);
    abi::OK
}

unsafe extern "C" fn set_sql(
    _: *mut abi::Statement,
    _: *const c_char,
    _: *mut abi::Error,
) -> abi::Code {
    abi::OK
}

unsafe extern "C" fn set_statement_option(
    _: *mut abi::Statement,
    _: *const c_char,
    _: *const c_char,
    _: *mut abi::Error,
) -> abi::Code {
    abi::OK
}

unsafe extern "C" fn bind_stream(
    _: *mut abi::Statement,
    rows: *mut FFI_ArrowArrayStream,
    _: *mut abi::Error,
) -> abi::Code {
    // SAFETY: `StatementHandle` hands over a stream, which is moved out of its place.
    let mut rows = unsafe { FFI_ArrowArrayStream::from_raw(rows) };
    while act() != Act::ReadsNoRows {
        let mut array = FFI_ArrowArray::empty();
        // SAFETY: arrow's own function for its own stream.
        assert_eq!(unsafe { rows.get_next.unwrap()(&mut rows, &mut array) }, 0);
        if array.is_released() {
            break;
        }
    }
    abi::OK
}

unsafe extern "C" fn get_schema(_: *mut FFI_ArrowArrayStream, out: *mut FFI_ArrowSchema) -> c_int {
    let schema = SCHEMA.with_borrow(|schema| schema.clone().unwrap());
    let schema = FFI_ArrowSchema::try_from(schema.as_ref()).unwrap();
    match act() {
        Act::FailsAtTheSchema => return 5,
        Act::GivesNoSchema => return 0,
        // SAFETY (both): there is a first field; it is not released, as its release wants what is taken away.
        Act::GivesAFieldWithoutType => unsafe {
            (**schema.children).format = null();
            (**schema.children).release = None;
        },
        Act::GivesANameThatIsNoText => unsafe {
            (**schema.children).name = c"\xff".as_ptr();
            (**schema.children).release = None;
        },
        _ => {}
    }
    // SAFETY: `Stream` hands over an empty place.
    unsafe { out.write(schema) };
    0
}

unsafe extern "C" fn get_next(_: *mut FFI_ArrowArrayStream, out: *mut FFI_ArrowArray) -> c_int {
    if act() == Act::FailsAtTheBatch {
        return 22;
    }
    if let Some(array) = BATCHES.with_borrow_mut(VecDeque::pop_front) {
        // SAFETY: `Stream` hands over an empty place.
        unsafe { out.write(array) };
    }
    0
}

unsafe extern "C" fn release_stream(_: *mut FFI_ArrowArrayStream) {
    // And leaves the function where it is, which the caller must not call again.
    count(STREAM, -1);
}

unsafe extern "C" fn execute(
    _: *mut abi::Statement,
    out: *mut FFI_ArrowArrayStream,
    rows: *mut i64,
    _: *mut abi::Error,
) -> abi::Code {
    if out.is_null() {
        let counted = if act() == Act::Miscounts { 1 } else { -1 };
        // SAFETY: `StatementHandle` hands over a place.
        unsafe { rows.write(counted) };
        return abi::OK;
    }
    if act() == Act::GivesNoStream {
        return abi::OK;
    }
    count(STREAM, 1);
    let stream = FFI_ArrowArrayStream {
        get_schema: (act() != Act::GivesNoSchemaFunction).then_some(get_schema),
        get_next: (act() != Act::GivesNoNextFunction).then_some(get_next),
        get_last_error: None,
        release: Some(release_stream),
        private_data: null_mut(),
    };
    // SAFETY: `StatementHandle` hands over an empty place.
    unsafe { out.write(stream) };
    abi::OK
}

unsafe extern "C" fn start(version: c_int, raw: *mut c_void, error: *mut abi::Error) -> abi::Code {
    match act() {
        Act::DoesNotStart => return fail(error, 9),
        Act::KnowsOnly1_0 if version != abi::VERSION_1_0 => return fail(error, 2),
        _ => {}
    }
    count(DRIVER, 1);
    let driver = abi::Driver {
        release: Some(release_driver),
        database_new: Some(new_database),
        database_set_option: Some(set_option),
        database_init: Some(init_database),
        database_release: Some(release_database),
        connection_new: Some(new_connection),
        connection_init: Some(init_connection),
        connection_release: Some(release_connection),
        statement_new: Some(new_statement),
        statement_release: Some(release_statement),
        statement_set_sql_query: Some(set_sql),
        statement_set_option: Some(set_statement_option),
        statement_bind_stream: Some(bind_stream),
        statement_execute_query: Some(execute),
        ..abi::Driver::empty()
    };
    // SAFETY: `DriverHandle` hands over a place for a driver.
    unsafe { raw.cast::<abi::Driver>().write(driver) };
    abi::OK
}

fn connected(act: Act) -> Result<Connection, Error> {
    ACT.set(act);
    let driver = DriverHandle::start(start)?;
    let options = [("uri".to_owned(), OptionValue::text("canary"))];
    let database = DatabaseHandle::open(driver, &options)?;
    ConnectionHandle::connect(database, &[]).map(Connection::of)
}

/// Whatever happened, nothing is left, and nothing was released twice.
fn nothing_is_left() {
    assert_eq!(LIVE.get(), [0; 6]);
}

#[test]
fn whatever_is_refused_everything_is_released_once() {
    let option = "uri".to_owned();
    let cases = [
        (Act::DoesNotStart, What::DriverUnusable),
        (Act::RefusesOptions, What::OptionRefused { option }),
        (Act::RefusesToOpen, What::Unauthorised),
        (Act::RefusesToConnect, What::Unauthorised),
    ];
    for (act, what) in cases {
        let error = connected(act).map(drop).unwrap_err();
        assert_eq!(error.what(), &what);
        assert_eq!(error.sqlstate(), Some("28P01"));
        assert_eq!(error.vendor_code(), Some(7));
        assert_eq!(error.driver_message(), Some("canary"));
        assert!(!format!("{error} {error:?}").contains("canary"));
        nothing_is_left();
    }
}

#[test]
fn what_the_driver_has_not_is_not_called() {
    let mut connection = connected(Act::KnowsOnly1_0).unwrap();
    let feature = "transactions";
    let error = connection.begin().unwrap_err();
    assert_eq!(error.what(), &What::NotImplemented { feature });
    let error = connection.canceller().cancel().unwrap_err();
    assert_eq!(error.status(), Some(Status::NotImplemented));
    let error = connection.prepare("x").map(drop).unwrap_err();
    let feature = "prepared statements";
    assert_eq!(error.what(), &What::NotImplemented { feature });
    let error = connection.table_schema(&"t".into()).unwrap_err();
    assert!(matches!(error.what(), What::NotImplemented { .. }));
    drop(connection);
    nothing_is_left();
}

/// What the driver gives for a column, changed by `change`.
fn given(
    column: &ArrayRef,
    change: impl FnOnce(&mut FFI_ArrowArray),
) -> Result<RecordBatch, Error> {
    let rows = RecordBatch::try_from_iter([("v", column.clone())]).unwrap();
    give(
        rows.schema(),
        &StructArray::from(rows).to_data(),
        Act::Well,
        change,
    )
}

fn give(
    schema: SchemaRef,
    rows: &ArrayData,
    act: Act,
    change: impl FnOnce(&mut FFI_ArrowArray),
) -> Result<RecordBatch, Error> {
    let mut array = FFI_ArrowArray::new(rows);
    change(&mut array);
    BATCHES.with_borrow_mut(|batches| {
        batches.clear();
        batches.push_back(array);
    });
    SCHEMA.set(Some(schema));
    let mut connection = connected(act)?;
    let batch = connection
        .query("x", None)
        .map(|mut rows| rows.next().unwrap());
    drop(connection);
    nothing_is_left();
    batch?
}

fn fault_of(result: Result<RecordBatch, Error>) -> &'static str {
    match result.unwrap_err().what() {
        What::DriverFault { fault } => fault,
        other => panic!("{other:?}"),
    }
}

fn numbers() -> ArrayRef {
    Arc::new(Int64Array::from(vec![Some(1), None]))
}

#[test]
fn a_result_without_its_functions_is_refused() {
    let rows = RecordBatch::try_from_iter([("v", numbers())]).unwrap();
    let result = |act| {
        let data = StructArray::from(rows.clone()).to_data();
        give(rows.schema(), &data, act, |_| {})
    };
    assert_eq!(result(Act::Well).unwrap(), rows);
    let cases = [
        (Act::GivesNoStream, "it gave no result and no error"),
        (
            Act::GivesNoSchemaFunction,
            "its result has no function for the schema",
        ),
        (
            Act::GivesNoNextFunction,
            "its result has no function for batches",
        ),
        (Act::GivesNoSchema, "it gave no schema and no error"),
        (
            Act::GivesAFieldWithoutType,
            "a field of its schema has no type",
        ),
        (
            Act::GivesANameThatIsNoText,
            "a name in its schema is no UTF-8",
        ),
    ];
    for (act, fault) in cases {
        assert_eq!(fault_of(result(act)), fault);
    }
    assert_eq!(
        result(Act::FailsAtTheSchema).unwrap_err().status(),
        Some(Status::Io)
    );
    let error = result(Act::FailsAtTheBatch).unwrap_err();
    assert_eq!(error.status(), Some(Status::InvalidArgument));
}

/// The first column of the rows.
fn column(rows: &mut FFI_ArrowArray) -> &mut FFI_ArrowArray {
    // SAFETY: there is one.
    unsafe { &mut **rows.children }
}

fn null_buffer(array: &mut FFI_ArrowArray, index: usize) {
    // SAFETY: arrays have as many as the tests name.
    unsafe { *array.buffers.add(index) = null() };
}

#[test]
fn counts_and_pointers_that_do_not_fit_are_refused() {
    let texts: ArrayRef = Arc::new(StringArray::from(vec!["a", "b"]));
    let views: ArrayRef = Arc::new(StringViewArray::from(vec!["longer than twelve bytes"]));
    let lists: ArrayRef = Arc::new(ListArray::from_iter_primitive::<Int32Type, _, _>([Some([
        Some(1),
    ])]));
    let words: ArrayRef = Arc::new(
        ["a", "b"]
            .into_iter()
            .collect::<DictionaryArray<Int32Type>>(),
    );
    type Change = fn(&mut FFI_ArrowArray);
    let cases: [(&ArrayRef, Change); 20] = [
        (&numbers(), |rows| rows.length = -1),
        (&numbers(), |rows| rows.length = i64::MAX),
        (&numbers(), |rows| rows.offset = -1),
        (&numbers(), |rows| rows.n_children = 2),
        (&numbers(), |rows| rows.n_children = -1),
        (&numbers(), |rows| rows.children = null_mut()),
        (&numbers(), |rows| {
            rows.children = Box::leak(Box::new(null_mut()));
        }),
        (&numbers(), |rows| column(rows).length = 1),
        (&numbers(), |rows| column(rows).null_count = 2),
        (&numbers(), |rows| column(rows).n_buffers = 1),
        (&numbers(), |rows| column(rows).n_buffers = -2),
        (&numbers(), |rows| column(rows).buffers = null_mut()),
        (&numbers(), |rows| null_buffer(column(rows), 1)),
        (&texts, |rows| null_buffer(column(rows), 1)),
        (&texts, |rows| null_buffer(column(rows), 2)),
        (&views, |rows| null_buffer(column(rows), 1)),
        (&views, |rows| null_buffer(column(rows), 2)),
        (&views, |rows| null_buffer(column(rows), 3)),
        (&lists, |rows| null_buffer(column(rows), 1)),
        (&words, |rows| column(rows).dictionary = null_mut()),
    ];
    for (number, (column, change)) in cases.into_iter().enumerate() {
        assert!(given(column, |_| {}).is_ok(), "{number}");
        let result = given(column, change);
        assert!(result.is_err(), "{number}");
        let _ = fault_of(result);
    }
}

#[test]
fn values_that_arrow_does_not_know_are_refused() {
    let schema = |data_type: &DataType| {
        SchemaRef::new(Schema::new(vec![Field::new("v", data_type.clone(), false)]))
    };
    let texts = |offsets: [i32; 3], bytes: &[u8]| {
        let data = ArrayData::builder(DataType::Utf8)
            .len(2)
            .add_buffer(Buffer::from_slice_ref(offsets))
            .add_buffer(Buffer::from(bytes));
        // SAFETY: it is only handed on through the C interface.
        (DataType::Utf8, unsafe { data.build_unchecked() })
    };
    let keys = DataType::Dictionary(Box::new(DataType::Int32), Box::new(DataType::Utf8));
    let words = ArrayData::builder(keys.clone())
        .len(2)
        .add_buffer(Buffer::from_slice_ref([0_i32, 9]))
        .add_child_data(StringArray::from(vec!["a"]).to_data());
    let cases = [
        texts([0, 1, 2], b"a\xff"),
        texts([0, 1, 3], "\u{e9}a".as_bytes()),
        texts([0, 2, 1], b"ab"),
        texts([0, 1, -1], b"ab"),
        texts([-1, 1, 2], b"ab"),
        // SAFETY: as above.
        (keys, unsafe { words.build_unchecked() }),
        (
            DataType::Int32,
            Int32Array::from(vec![Some(1), None]).to_data(),
        ),
    ];
    for (number, (data_type, data)) in cases.into_iter().enumerate() {
        let schema = schema(&data_type);
        let rows = ArrayData::builder(DataType::Struct(schema.fields().clone()))
            .len(2)
            .add_child_data(data);
        // SAFETY: as above.
        let rows = unsafe { rows.build_unchecked() };
        let result = give(schema, &rows, Act::Well, |_| {});
        assert!(result.is_err(), "{number}");
        let _ = fault_of(result);
    }
}

#[test]
fn rows_that_the_driver_does_not_take_are_missed() {
    for (act, is_well) in [
        (Act::Well, true),
        (Act::ReadsNoRows, false),
        (Act::Miscounts, false),
    ] {
        let mut connection = connected(act).unwrap();
        let target = Ingest {
            table: "t".into(),
            mode: Mode::Create,
            temporary: false,
        };
        let rows = RecordBatch::try_from_iter([("v", numbers())]).unwrap();
        let schema = rows.schema();
        let rows = Box::new(RecordBatchIterator::new([Ok(rows)], schema));
        let result = connection.ingest(&target, rows);
        match result {
            Ok(rows) => assert!(is_well && rows == 2),
            Err(error) => assert!(!is_well && matches!(error.what(), What::DriverFault { .. })),
        }
        drop(connection);
        nothing_is_left();
    }
}

#[test]
fn libraries_are_asked_for_the_usual_names() {
    let names = |path: &str| entry_points(Path::new(path));
    assert_eq!(
        names("/x/libadbc_driver_flightsql.so.1"),
        ["AdbcDriverFlightsqlInit", "AdbcDriverInit"]
    );
    assert_eq!(
        names("libduckdb.so"),
        ["duckdb_adbc_init", "AdbcDuckdbInit", "AdbcDriverInit"]
    );
    assert_eq!(names(""), ["AdbcDriverInit"]);
}
