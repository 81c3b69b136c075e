//! The characters that an ISA names by the places in which they stand.

/// How an interchange begins.
pub(crate) const ISA: &[u8] = b"ISA";
/// Where the elements of an ISA are separated.
const SEPARATED: [usize; 16] = [
    3, 6, 17, 20, 31, 34, 50, 53, 69, 76, 81, 83, 89, 99, 101, 103,
];
/// Where ISA11 stands: what separates repetitions, before 00402 the standard's name.
const REPETITION: usize = 82;
/// Where ISA16 stands.
const COMPONENT: usize = 104;
const END: usize = 105;

/// What separates and ends within one interchange.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Separators {
    pub(crate) element: u8,
    pub(crate) component: u8,
    /// None where ISA11 is a letter, as in interchanges before 00402.
    pub(crate) repetition: Option<u8>,
    /// What ends a segment.
    pub(crate) end: u8,
}

impl Separators {
    /// Reads them from an ISA and the byte that ends it; none if it is not one.
    pub(crate) fn read(header: &[u8; END + 1]) -> Option<Self> {
        let at = |place: usize| header.get(place).copied();
        let (element, component, end) = (at(3)?, at(COMPONENT)?, at(END)?);
        let is_header = header.starts_with(ISA)
            && SEPARATED.iter().all(|place| at(*place) == Some(element))
            && is_separator(element)
            && is_separator(component)
            && is_separator(end)
            && element != component
            && element != end
            && component != end;
        let repetition = at(REPETITION)
            .filter(|byte| is_separator(*byte) && ![element, component, end].contains(byte));
        is_header.then_some(Self {
            element,
            component,
            repetition,
            end,
        })
    }
}

fn is_separator(byte: u8) -> bool {
    byte.is_ascii() && !byte.is_ascii_alphanumeric() && byte != b' '
}

/// Where the next ISA seems to begin: the name, and behind it what can separate.
pub(crate) fn next_isa(bytes: &[u8]) -> Option<usize> {
    memchr::memmem::find_iter(bytes, ISA).find(|begins| {
        let behind = bytes.get(begins + ISA.len());
        behind.is_some_and(|byte| is_separator(*byte))
    })
}
