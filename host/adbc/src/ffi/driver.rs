//! A library and the driver in it; calls and their errors.

use std::cell::UnsafeCell;
use std::ffi::CStr;
use std::path::Path;
use std::sync::Arc;

use super::abi;
use crate::error::{Doing, Error, Failure, What};

/// A driver that was started. It is released with the last handle.
pub(crate) struct DriverHandle {
    /// What drivers are given a pointer to, and may write to.
    raw: Box<UnsafeCell<abi::Driver>>,
    /// Its functions as they were when it had started.
    pub(super) functions: abi::Driver,
    /// It knows ADBC 1.1.
    pub(super) extended: bool,
}

// SAFETY: `functions` is never changed, and the functions of a driver may be called from any thread. `raw`
// is only handed to the driver, by pointer, and released in `drop`.
unsafe impl Send for DriverHandle {}
// SAFETY: as above.
unsafe impl Sync for DriverHandle {}

/// The names under which a library may export the function that begins its driver: by the conventions
/// of driver managers the file's name in one word and `Init`, and `AdbcDriverInit`; DuckDB has its own.
pub(super) fn entry_points(path: &Path) -> Vec<String> {
    let stem = path.file_name().and_then(|name| name.to_str());
    let stem = stem
        .and_then(|name| name.split('.').next())
        .unwrap_or_default();
    let stem = stem.strip_prefix("lib").unwrap_or(stem);
    let words = stem.split(['_', '-']).filter(|word| !word.is_empty());
    let mut derived = String::new();
    for word in words {
        let mut letters = word.chars();
        derived.extend(letters.next().map(|first| first.to_ascii_uppercase()));
        derived.push_str(letters.as_str());
    }
    let mut names = Vec::new();
    if stem.contains("duckdb") {
        names.push("duckdb_adbc_init".to_owned());
    }
    if !derived.is_empty() {
        let prefix = if derived.starts_with("Adbc") {
            ""
        } else {
            "Adbc"
        };
        names.push(format!("{prefix}{derived}Init"));
    }
    names.push("AdbcDriverInit".to_owned());
    names
}

impl DriverHandle {
    pub(crate) fn load(path: &Path, entry_point: Option<&str>) -> Result<Arc<DriverHandle>, Error> {
        let fail = |what| Error::new(Doing::Load, what);
        let not_found = || {
            fail(What::LibraryNotFound {
                path: path.to_owned(),
            })
        };
        let is_place = path.components().count() > 1;
        if is_place && !path.is_file() {
            return Err(not_found());
        }
        // SAFETY: the library's constructors run. That they do what constructors may is what whoever
        // names a driver vouches for, as for all else that it does.
        let library = unsafe { libloading::Library::new(path) }.map_err(|error| {
            // What the system said is in the source.
            let said = std::error::Error::source(&error).map(ToString::to_string);
            let said = said.unwrap_or_else(|| error.to_string());
            if !is_place && said.contains("cannot open shared object file") {
                return not_found().saying(said);
            }
            fail(What::LibraryUnusable {
                path: path.to_owned(),
            })
            .saying(said)
        })?;
        let names = entry_point.map_or_else(|| entry_points(path), |name| vec![name.to_owned()]);
        let mut init = None;
        for name in &names {
            if name.is_empty() || name.contains('\0') {
                continue;
            }
            // SAFETY: a function of this name has ADBC's signature, by its convention or by the caller's word.
            if let Ok(symbol) = unsafe { library.get::<abi::Init>(name.as_bytes()) } {
                init = Some(*symbol);
                break;
            }
        }
        let Some(init) = init else {
            return Err(fail(What::NoEntryPoint {
                path: path.to_owned(),
                tried: names,
            }));
        };
        // Never unloaded: batches hold functions of it, and runtimes of some languages cannot be.
        std::mem::forget(library);
        Self::start(init)
    }

    pub(super) fn start(init: abi::Init) -> Result<Arc<DriverHandle>, Error> {
        let mut refused = Failure::default();
        for version in [abi::VERSION_1_1, abi::VERSION_1_0] {
            let raw = Box::new(UnsafeCell::new(abi::Driver::empty()));
            // What is wrong here is said in the struct of ADBC 1.0: the driver may know no other.
            let mut error = abi::Error::empty(std::ptr::null_mut());
            error.vendor_code = 0;
            // SAFETY: the driver struct has the size of version 1.1, which is the larger one.
            let code = unsafe { init(version, raw.get().cast(), &mut error) };
            let failure = taken(code, &mut error);
            if code == abi::OK {
                // SAFETY: the call is over, and nobody else has the pointer yet.
                let functions = unsafe { *raw.get() };
                return Ok(Arc::new(DriverHandle {
                    raw,
                    functions,
                    extended: version == abi::VERSION_1_1,
                }));
            }
            // A driver that did not start has nothing to be released.
            refused = failure;
        }
        Err(Error::of(Doing::Load, refused))
    }

    pub(super) fn pointer(&self) -> *mut abi::Driver {
        self.raw.get()
    }

    /// One call. `call` gets a place for an error, which is read and released in any case.
    pub(super) fn call<F>(
        &self,
        doing: impl FnOnce() -> Doing,
        function: Option<F>,
        call: impl FnOnce(F, *mut abi::Error) -> abi::Code,
    ) -> Result<(), Error> {
        let Some(function) = function else {
            return Err(missing(doing()));
        };
        let mut error = abi::Error::empty(self.pointer());
        let code = call(function, &mut error);
        let failure = taken(code, &mut error);
        if code == abi::OK {
            return Ok(());
        }
        Err(Error::of(doing(), failure))
    }
}

impl Drop for DriverHandle {
    fn drop(&mut self) {
        if let Some(release) = self.functions.release {
            let mut error = abi::Error::empty(self.pointer());
            // SAFETY: the driver started, and with the last handle nothing of it is in use.
            let code = unsafe { release(self.pointer(), &mut error) };
            drop(taken(code, &mut error));
        }
    }
}

/// A function that the driver does not have.
pub(super) fn missing(doing: Doing) -> Error {
    Error::of(
        doing,
        Failure {
            status: abi::NOT_IMPLEMENTED,
            ..Failure::default()
        },
    )
}

/// What an error says. It is released.
fn taken(code: abi::Code, error: &mut abi::Error) -> Failure {
    let failure = read(code, error);
    if let Some(release) = error.release {
        // SAFETY: the driver set the function for this struct, and it is called once.
        unsafe { release(error) };
        error.release = None;
    }
    failure
}

/// What an error says, which stays its owner's.
pub(super) fn read(code: abi::Code, error: &abi::Error) -> Failure {
    let message = (!error.message.is_null()).then(|| {
        // SAFETY: by ADBC a message that is not null ends with a NUL, and lives until the error's release.
        let message = unsafe { CStr::from_ptr(error.message) };
        message.to_string_lossy().into_owned()
    });
    #[allow(
        clippy::cast_sign_loss,
        reason = "`char` of C has a sign on some machines only"
    )]
    let state = error.sqlstate.map(|letter| letter as u8);
    let is_state = state.iter().all(u8::is_ascii_alphanumeric) && state != *b"00000";
    Failure {
        status: code,
        sqlstate: is_state.then(|| state.map(char::from).iter().collect()),
        vendor_code: Some(error.vendor_code)
            .filter(|code| *code != abi::EXTENDED_ERROR && *code != 0),
        message,
    }
}
