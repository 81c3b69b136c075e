//! A database.

use std::cell::UnsafeCell;
use std::sync::{Arc, Mutex};

use super::driver::DriverHandle;
use super::{abi, text};
use crate::classify::unknown_option;
use crate::error::{Doing, Error, What};
use crate::options::{OptionValue, Shape};

/// A database, opened or not yet.
pub(crate) struct DatabaseHandle {
    pub(super) raw: Box<UnsafeCell<abi::Database>>,
    /// Held during each call: ADBC allows one at a time.
    pub(super) turn: Mutex<()>,
    pub(super) driver: Arc<DriverHandle>,
}

// SAFETY: a database may be used from any thread, one call at a time, which `turn` sees to.
unsafe impl Send for DatabaseHandle {}
// SAFETY: as above.
unsafe impl Sync for DatabaseHandle {}

impl DatabaseHandle {
    pub(crate) fn open(
        driver: Arc<DriverHandle>,
        options: &[(String, OptionValue)],
    ) -> Result<Arc<DatabaseHandle>, Error> {
        let raw = Box::new(UnsafeCell::new(abi::Database {
            private_data: std::ptr::null_mut(),
            private_driver: driver.pointer(),
        }));
        driver.call(
            || Doing::OpenDatabase,
            driver.functions.database_new,
            // SAFETY: the struct is empty, as the function needs it.
            |new, error| unsafe { new(raw.get(), error) },
        )?;
        // From here on it is released, whatever comes.
        let database = DatabaseHandle {
            raw,
            turn: Mutex::new(()),
            driver,
        };
        for (name, value) in options {
            database.set_option(name, value)?;
        }
        database
            .driver
            .call(
                || Doing::OpenDatabase,
                database.driver.functions.database_init,
                // SAFETY: the struct was made by the driver, and only this thread has it.
                |init, error| unsafe { init(database.raw.get(), error) },
            )
            .map_err(|error| {
                let names = options.iter().map(|(name, _)| &**name);
                match unknown_option(error.driver_message().unwrap_or_default(), names) {
                    Some(option) => error.is(What::OptionRefused {
                        option: option.to_owned(),
                    }),
                    None => error,
                }
            })?;
        Ok(Arc::new(database))
    }

    fn set_option(&self, name: &str, value: &OptionValue) -> Result<(), Error> {
        let doing = || Doing::SetOption(name.to_owned());
        let key = text(name, doing, "the option's name")?;
        let (key, raw, functions) = (key.as_ptr(), self.raw.get(), &self.driver.functions);
        match value.shape() {
            Shape::Text(value) => {
                let value = text(value, doing, "the option's value")?;
                self.driver.call(
                    doing,
                    functions.database_set_option,
                    // SAFETY: both texts live through the call.
                    |set, error| unsafe { set(raw, key, value.as_ptr(), error) },
                )
            }
            Shape::Bytes(value) => self.driver.call(
                doing,
                functions.database_set_option_bytes,
                // SAFETY: the text and the bytes live through the call.
                |set, error| unsafe { set(raw, key, value.as_ptr(), value.len(), error) },
            ),
            Shape::Int(value) => self.driver.call(
                doing,
                functions.database_set_option_int,
                // SAFETY: the text lives through the call.
                |set, error| unsafe { set(raw, key, value, error) },
            ),
            Shape::Double(value) => self.driver.call(
                doing,
                functions.database_set_option_double,
                // SAFETY: the text lives through the call.
                |set, error| unsafe { set(raw, key, value, error) },
            ),
        }
    }
}

impl Drop for DatabaseHandle {
    fn drop(&mut self) {
        // A driver that cannot release it can do nothing about that, and neither can we.
        let _ = self.driver.call(
            || Doing::OpenDatabase,
            self.driver.functions.database_release,
            // SAFETY: connections hold the database, so there are none left.
            |release, error| unsafe { release(self.raw.get(), error) },
        );
    }
}
