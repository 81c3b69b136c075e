//! Paths such as `name[*].given[*]`, and all paths of a configuration as one tree.

/// The most steps of a path.
const MAX_STEPS: usize = 32;

/// The way from a resource to a value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Path(Vec<Step>);

#[derive(Clone, Debug, PartialEq, Eq)]
enum Step {
    /// To the value of an object's key.
    Key(String),
    /// To an item of an array, from 0.
    Item(usize),
    /// To each item of an array.
    All,
}

impl Path {
    /// Reads a path; none if it is not one.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let mut steps = Vec::new();
        for part in text.split('.') {
            let mut parts = part.split('[');
            let key = parts.next()?;
            let is_key = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-');
            if key.is_empty() || !key.bytes().all(is_key) {
                return None;
            }
            steps.push(Step::Key(key.to_owned()));
            for index in parts {
                steps.push(match index.strip_suffix(']')? {
                    "*" => Step::All,
                    number if number.bytes().all(|byte| byte.is_ascii_digit()) => {
                        Step::Item(number.parse().ok()?)
                    }
                    _ => return None,
                });
            }
        }
        (steps.len() <= MAX_STEPS).then_some(Self(steps))
    }

    /// Whether it leads to several values.
    pub(crate) fn is_list(&self) -> bool {
        self.0.contains(&Step::All)
    }
}

/// Where paths lead from one place on.
#[derive(Debug, Default)]
pub(crate) struct Node {
    /// The columns whose path ends here.
    pub(crate) columns: Vec<usize>,
    /// The columns that take one value, or null, of each item here: their last `[*]` leads here.
    pub(crate) each: Vec<usize>,
    pub(crate) keys: Vec<(String, Node)>,
    pub(crate) items: Vec<(usize, Node)>,
    pub(crate) all: Option<Box<Node>>,
}

/// All paths of a configuration, so that a resource is read once for all of them.
#[derive(Debug)]
pub(crate) struct Tree {
    pub(crate) root: Node,
    /// For each column whether it takes several values.
    pub(crate) lists: Vec<bool>,
}

impl Tree {
    /// The tree of the paths of columns, in their order.
    pub(crate) fn of(paths: impl IntoIterator<Item = Path>) -> Self {
        let (mut root, mut lists) = (Node::default(), Vec::new());
        for (column, path) in paths.into_iter().enumerate() {
            lists.push(path.is_list());
            let last_all = path.0.iter().rposition(|step| *step == Step::All);
            let mut node = &mut root;
            for (nth, step) in path.0.into_iter().enumerate() {
                node = node.step(step);
                if Some(nth) == last_all {
                    node.each.push(column);
                }
            }
            node.columns.push(column);
        }
        Self { root, lists }
    }
}

impl Node {
    pub(crate) fn is_leaf(&self) -> bool {
        self.keys.is_empty() && self.items.is_empty() && self.all.is_none()
    }

    fn step(&mut self, step: Step) -> &mut Self {
        match step {
            Step::Key(key) => child(&mut self.keys, key),
            Step::Item(number) => child(&mut self.items, number),
            Step::All => self.all.get_or_insert_default(),
        }
    }
}

/// The child of this name, which is made if it is missing.
fn child<K: PartialEq>(children: &mut Vec<(K, Node)>, name: K) -> &mut Node {
    let place = children.iter().position(|(known, _)| *known == name);
    let place = place.unwrap_or_else(|| {
        children.push((name, Node::default()));
        children.len() - 1
    });
    #[expect(
        clippy::indexing_slicing,
        reason = "it was found, or pushed, at that place"
    )]
    &mut children[place].1
}
