//! Row 9: a state of all the memory that there is.

use hostile::source::*;

struct Hostile;

impl Source for Hostile {
    fn read() -> Result<Page, Error> {
        emit("n");
        let bytes = hostile::most_of_memory();
        let mut state = String::with_capacity(bytes);
        while state.len() < bytes {
            state.push('s');
        }
        Ok(Page { state, done: false })
    }
}

hostile::source!(Hostile);
