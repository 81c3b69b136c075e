/// What a plugin says of itself, without being bound.
///
/// The JSON Schema of its configuration is not written here: it is derived from the plugin's
/// `Config` type.
#[derive(Clone, Copy, Debug)]
pub struct Info {
    /// The plugin's name, in lower case with dashes.
    pub name: &'static str,
    /// The plugin's own version, usually `env!("CARGO_PKG_VERSION")`.
    pub version: &'static str,
    /// One sentence that says what it does.
    pub description: &'static str,
    /// The columns it wants to be granted; empty means: it depends on the configuration.
    pub columns: &'static [&'static str],
    /// Every rule it can raise. Raising another is an error.
    pub rules: &'static [Rule],
}

/// A reason for which a plugin may reject or fail a row.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rule {
    /// A short name in lower case with underscores, stable across versions: quarantine and
    /// reports are grouped by it.
    pub name: &'static str,
    /// One sentence that says what the rule demands.
    pub description: &'static str,
}
