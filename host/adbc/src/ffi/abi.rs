//! The structs of the ADBC 1.1 C API, as drivers lay them out.
//!
//! Functions that are never called are there for their size only.

use std::ffi::{c_char, c_int, c_void};
use std::ptr::null_mut;

use arrow::array::ffi::{FFI_ArrowArray, FFI_ArrowSchema};
use arrow::array::ffi_stream::FFI_ArrowArrayStream;

/// What a function answers: [`OK`], or one of the numbers of `Status`.
pub(super) type Code = u8;

/// A call that did what it was to do.
pub(super) const OK: Code = 0;
/// A call that the driver does not have.
pub(super) const NOT_IMPLEMENTED: Code = 2;

/// The API's first version, whose driver struct ends before `error_get_detail_count`.
pub(super) const VERSION_1_0: c_int = 1_000_000;
/// The version that this module is made for.
pub(super) const VERSION_1_1: c_int = 1_001_000;

/// In `Error::vendor_code`, before a call: the last two fields of the struct may be used.
pub(super) const EXTENDED_ERROR: i32 = i32::MIN;

/// `struct AdbcError`.
#[repr(C)]
pub(super) struct Error {
    pub(super) message: *mut c_char,
    pub(super) vendor_code: i32,
    pub(super) sqlstate: [c_char; 5],
    pub(super) release: Option<unsafe extern "C" fn(*mut Error)>,
    pub(super) private_data: *mut c_void,
    pub(super) private_driver: *mut Driver,
}

/// `struct AdbcDatabase`.
#[repr(C)]
pub(super) struct Database {
    pub(super) private_data: *mut c_void,
    pub(super) private_driver: *mut Driver,
}

/// `struct AdbcConnection`.
#[repr(C)]
pub(super) struct Connection {
    pub(super) private_data: *mut c_void,
    pub(super) private_driver: *mut Driver,
}

/// `struct AdbcStatement`.
#[repr(C)]
pub(super) struct Statement {
    pub(super) private_data: *mut c_void,
    pub(super) private_driver: *mut Driver,
}

/// A function that is never called.
type Unused = Option<unsafe extern "C" fn()>;
/// A function of one object.
type Plain<T> = Option<unsafe extern "C" fn(*mut T, *mut Error) -> Code>;
/// A function that sets an option of an object to a text.
type SetText<T> =
    Option<unsafe extern "C" fn(*mut T, *const c_char, *const c_char, *mut Error) -> Code>;

/// The function that a driver's library exports.
pub(super) type Init = unsafe extern "C" fn(c_int, *mut c_void, *mut Error) -> Code;

/// `struct AdbcDriver`.
#[repr(C)]
#[derive(Clone, Copy)]
pub(super) struct Driver {
    pub(super) private_data: *mut c_void,
    pub(super) private_manager: *mut c_void,
    pub(super) release: Option<unsafe extern "C" fn(*mut Driver, *mut Error) -> Code>,
    pub(super) database_init: Plain<Database>,
    pub(super) database_new: Plain<Database>,
    pub(super) database_set_option: SetText<Database>,
    pub(super) database_release: Plain<Database>,
    pub(super) connection_commit: Plain<Connection>,
    pub(super) connection_get_info: Option<
        unsafe extern "C" fn(
            *mut Connection,
            *const u32,
            usize,
            *mut FFI_ArrowArrayStream,
            *mut Error,
        ) -> Code,
    >,
    pub(super) connection_get_objects: Unused,
    pub(super) connection_get_table_schema: Option<
        unsafe extern "C" fn(
            *mut Connection,
            *const c_char,
            *const c_char,
            *const c_char,
            *mut FFI_ArrowSchema,
            *mut Error,
        ) -> Code,
    >,
    pub(super) connection_get_table_types: Unused,
    pub(super) connection_init:
        Option<unsafe extern "C" fn(*mut Connection, *mut Database, *mut Error) -> Code>,
    pub(super) connection_new: Plain<Connection>,
    pub(super) connection_set_option: SetText<Connection>,
    pub(super) connection_read_partition: Unused,
    pub(super) connection_release: Plain<Connection>,
    pub(super) connection_rollback: Plain<Connection>,
    pub(super) statement_bind: Option<
        unsafe extern "C" fn(
            *mut Statement,
            *mut FFI_ArrowArray,
            *mut FFI_ArrowSchema,
            *mut Error,
        ) -> Code,
    >,
    pub(super) statement_bind_stream:
        Option<unsafe extern "C" fn(*mut Statement, *mut FFI_ArrowArrayStream, *mut Error) -> Code>,
    pub(super) statement_execute_query: Option<
        unsafe extern "C" fn(
            *mut Statement,
            *mut FFI_ArrowArrayStream,
            *mut i64,
            *mut Error,
        ) -> Code,
    >,
    pub(super) statement_execute_partitions: Unused,
    pub(super) statement_get_parameter_schema: Unused,
    pub(super) statement_new:
        Option<unsafe extern "C" fn(*mut Connection, *mut Statement, *mut Error) -> Code>,
    pub(super) statement_prepare: Plain<Statement>,
    pub(super) statement_release: Plain<Statement>,
    pub(super) statement_set_option: SetText<Statement>,
    pub(super) statement_set_sql_query:
        Option<unsafe extern "C" fn(*mut Statement, *const c_char, *mut Error) -> Code>,
    pub(super) statement_set_substrait_plan: Unused,
    pub(super) error_get_detail_count: Unused,
    pub(super) error_get_detail: Unused,
    pub(super) error_from_array_stream:
        Option<unsafe extern "C" fn(*mut FFI_ArrowArrayStream, *mut Code) -> *const Error>,
    pub(super) database_get_option: Unused,
    pub(super) database_get_option_bytes: Unused,
    pub(super) database_get_option_double: Unused,
    pub(super) database_get_option_int: Unused,
    pub(super) database_set_option_bytes: Option<
        unsafe extern "C" fn(*mut Database, *const c_char, *const u8, usize, *mut Error) -> Code,
    >,
    pub(super) database_set_option_double:
        Option<unsafe extern "C" fn(*mut Database, *const c_char, f64, *mut Error) -> Code>,
    pub(super) database_set_option_int:
        Option<unsafe extern "C" fn(*mut Database, *const c_char, i64, *mut Error) -> Code>,
    pub(super) connection_cancel: Plain<Connection>,
    pub(super) connection_get_option: Unused,
    pub(super) connection_get_option_bytes: Unused,
    pub(super) connection_get_option_double: Unused,
    pub(super) connection_get_option_int: Unused,
    pub(super) connection_get_statistics: Unused,
    pub(super) connection_get_statistic_names: Unused,
    pub(super) connection_set_option_bytes: Unused,
    pub(super) connection_set_option_double: Unused,
    pub(super) connection_set_option_int: Unused,
    pub(super) statement_cancel: Plain<Statement>,
    pub(super) statement_execute_schema: Unused,
    pub(super) statement_get_option: Unused,
    pub(super) statement_get_option_bytes: Unused,
    pub(super) statement_get_option_double: Unused,
    pub(super) statement_get_option_int: Unused,
    pub(super) statement_set_option_bytes: Unused,
    pub(super) statement_set_option_double: Unused,
    pub(super) statement_set_option_int: Unused,
}

impl Error {
    /// An error that a driver may fill in, with all its fields.
    pub(super) fn empty(driver: *mut Driver) -> Error {
        Error {
            message: null_mut(),
            vendor_code: EXTENDED_ERROR,
            sqlstate: [0; 5],
            release: None,
            private_data: null_mut(),
            private_driver: driver,
        }
    }
}

impl Driver {
    /// A driver without any function.
    pub(super) fn empty() -> Driver {
        Driver {
            private_data: null_mut(),
            private_manager: null_mut(),
            release: None,
            database_init: None,
            database_new: None,
            database_set_option: None,
            database_release: None,
            connection_commit: None,
            connection_get_info: None,
            connection_get_objects: None,
            connection_get_table_schema: None,
            connection_get_table_types: None,
            connection_init: None,
            connection_new: None,
            connection_set_option: None,
            connection_read_partition: None,
            connection_release: None,
            connection_rollback: None,
            statement_bind: None,
            statement_bind_stream: None,
            statement_execute_query: None,
            statement_execute_partitions: None,
            statement_get_parameter_schema: None,
            statement_new: None,
            statement_prepare: None,
            statement_release: None,
            statement_set_option: None,
            statement_set_sql_query: None,
            statement_set_substrait_plan: None,
            error_get_detail_count: None,
            error_get_detail: None,
            error_from_array_stream: None,
            database_get_option: None,
            database_get_option_bytes: None,
            database_get_option_double: None,
            database_get_option_int: None,
            database_set_option_bytes: None,
            database_set_option_double: None,
            database_set_option_int: None,
            connection_cancel: None,
            connection_get_option: None,
            connection_get_option_bytes: None,
            connection_get_option_double: None,
            connection_get_option_int: None,
            connection_get_statistics: None,
            connection_get_statistic_names: None,
            connection_set_option_bytes: None,
            connection_set_option_double: None,
            connection_set_option_int: None,
            statement_cancel: None,
            statement_execute_schema: None,
            statement_get_option: None,
            statement_get_option_bytes: None,
            statement_get_option_double: None,
            statement_get_option_int: None,
            statement_set_option_bytes: None,
            statement_set_option_double: None,
            statement_set_option_int: None,
        }
    }
}

// A driver of either version writes up to these places; another size would be memory that is not ours.
const POINTER: usize = size_of::<*mut c_void>();
const _: () = assert!(std::mem::offset_of!(Driver, error_get_detail_count) == 29 * POINTER);
const _: () = assert!(size_of::<Driver>() == 58 * POINTER);
const _: () = assert!(std::mem::offset_of!(Error, release) == 24 || POINTER != 8);
