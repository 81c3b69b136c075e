//! The tables in PostgreSQL, filled without a file in between.

use std::io::{self, Write};
use std::process::{Child, ChildStdin, Command, Stdio};

use super::{Manifest, Options, Table};

/// Makes the tables that are not there and adds the rows, each table by a `psql` of its own, which
/// `psql` makes: with the connection as its arguments or in its environment.
///
/// # Errors
///
/// As [`generate`](super::generate); and where `psql` cannot be started or says that it failed,
/// which it explains on stderr. What other tables were given by then stays.
pub fn fill(psql: impl Fn() -> Command, options: &Options) -> io::Result<Manifest> {
    let run = |sql: &str, input: Stdio| {
        psql()
            .args(["--no-psqlrc", "--quiet", "-v", "ON_ERROR_STOP=1", "-c", sql])
            .stdin(input)
            .stdout(Stdio::null())
            .spawn()
    };
    for table in Table::ALL {
        // That a table is there already is no news.
        let create = format!("set client_min_messages = warning; {}", table.create());
        ended(run(&create, Stdio::null())?)?;
    }
    super::write(options, |table| {
        let mut child = run(&table.copy("stdin"), Stdio::piped())?;
        let input = child.stdin.take();
        Ok(Box::new(Copying { child, input }))
    })
}

fn ended(mut child: Child) -> io::Result<()> {
    let status = child.wait()?;
    if status.success() {
        return Ok(());
    }
    Err(io::Error::other(format!("psql ended with {status}")))
}

/// A `psql` that takes rows. It is flushed once, at the end of the table, which ends its input too.
struct Copying {
    child: Child,
    input: Option<ChildStdin>,
}

impl Write for Copying {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match &mut self.input {
            Some(input) => input.write(bytes),
            None => Err(io::ErrorKind::BrokenPipe.into()),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        self.input = None;
        let status = self.child.wait()?;
        if status.success() {
            return Ok(());
        }
        Err(io::Error::other(format!("psql ended with {status}")))
    }
}
