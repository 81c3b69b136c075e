//! A pipeline file as it is written: read, merged with what it includes and with a profile.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::File;
use std::io::Read as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::expand::expand;
use crate::fault::{Fault, Faults, Sink};
use crate::grammar::{self, schema::SchemaFiles};
use crate::merge;
use crate::model::{Pipeline, ReadSource, StageAction};
use crate::params::{self, Bindings, ParamSpec};
use crate::place::Place;
use crate::plugin_set::PluginSet;
use crate::substitute::{self, Position, Scope};
use crate::toml_text;
use crate::tree::{self, Node, Value};

/// The format this version reads: `weir = 1`.
const FORMAT: i64 = 1;

/// Files larger than this are no pipeline files.
const MOST_BYTES: u64 = 1 << 20;

/// What decides how a file is read, apart from its text.
pub struct LoadOptions<'a> {
    /// The profile to merge over the file.
    pub profile: Option<&'a str>,
    /// Looks up a variable of the environment. Called for the names that the file refers to, when
    /// it is loaded and never again.
    pub env: &'a dyn Fn(&str) -> Option<String>,
}

/// Gives the text of a file that a pipeline file names, an include or a schema, or says why it cannot
/// be read.
pub type ReadText = Arc<dyn Fn(&Path) -> Result<String, String> + Send + Sync>;

/// A pipeline file, with its includes and its profile merged in and its references still in
/// place.
///
/// It is loaded once and may be resolved many times, with other arguments each time. Loading
/// settles what does not depend on arguments: includes, the profile, the environment and the
/// declarations of the parameters. Schema files are read anew by each call that needs them.
///
/// Paths in an included file are relative to the folder of the *including* pipeline file, as all
/// paths of a pipeline are.
pub struct PipelineFile {
    path: PathBuf,
    dir: PathBuf,
    root: Node,
    params: Vec<ParamSpec>,
    env: BTreeMap<String, Option<String>>,
    read_text: ReadText,
}

impl PipelineFile {
    /// Reads a pipeline file and what it includes.
    ///
    /// # Errors
    ///
    /// All faults that can be found without arguments, if there is one that keeps the file from
    /// being loaded: it is no TOML, an include or a profile is faulty, or a parameter is.
    pub fn load(path: &Path, options: &LoadOptions<'_>) -> Result<PipelineFile, Faults> {
        match read_limited(path) {
            Ok(text) => PipelineFile::parse(path, &text, options),
            Err(why) => Err(
                Fault::new(format!("{} cannot be read: {why}", path.display()))
                    .hint("name a pipeline file, which is TOML and begins with weir = 1")
                    .into(),
            ),
        }
    }

    /// The same for a text that is not, or not yet, what the file at `path` holds: an editor's
    /// buffer, a test. Includes and schemas are read relative to `path`.
    ///
    /// # Errors
    ///
    /// As [`PipelineFile::load`].
    pub fn parse(
        path: &Path,
        text: &str,
        options: &LoadOptions<'_>,
    ) -> Result<PipelineFile, Faults> {
        PipelineFile::parse_with(path, text, options, Arc::new(read_limited))
    }

    /// The same where the files that it names are read by `read_text` and by nothing else, now and
    /// later: an editor's other buffers, a test. It is given their paths below the folder of `path`.
    ///
    /// # Errors
    ///
    /// As [`PipelineFile::load`].
    pub fn parse_with(
        path: &Path,
        text: &str,
        options: &LoadOptions<'_>,
        read_text: ReadText,
    ) -> Result<PipelineFile, Faults> {
        let LoadOptions { profile, env } = options;
        let dir = match path.parent() {
            Some(parent) if !parent.as_os_str().is_empty() => parent.to_owned(),
            _ => PathBuf::from("."),
        };
        let root = tree::parse(path, text)?;
        right_format(&root)?;

        let sink = Sink::default();
        let folder = path.parent().unwrap_or(Path::new(""));
        let root = merge::includes(root, folder, &read_text, &sink);
        let root = merge::profile(root, *profile, &sink);

        let mut names = Vec::new();
        substitute::variables(&root, &mut names);
        let names: BTreeSet<String> = names.into_iter().collect();
        let env: BTreeMap<_, _> = names
            .into_iter()
            .map(|name| {
                let value = env(&name);
                (name, value)
            })
            .collect();

        let params = declared(&root, &env, &sink);
        let file = PipelineFile {
            path: path.to_owned(),
            dir,
            root,
            params,
            env,
            read_text,
        };
        if !sink.is_empty() {
            // One fault shall not hide the next.
            sink.extend(file.check().err().into_iter().flatten());
            sink.finish()?;
        }
        Ok(file)
    }

    /// The parameters in the order of the file.
    pub fn params(&self) -> &[ParamSpec] {
        &self.params
    }

    /// Binds the parameters to `args` (name to text, as `--param name=text` gives them) and their
    /// defaults, and checks everything.
    ///
    /// # Errors
    ///
    /// Unknown, missing, ill-typed and refused arguments, and every fault of the file.
    pub fn resolve(&self, args: &BTreeMap<String, String>) -> Result<Pipeline, Faults> {
        let sink = Sink::default();
        let bindings = self.bind(args)?;
        let pipeline = self.read(&bindings, &self.schemas(), &sink);
        sink.finish()?;
        // A reader that gives up says why; this is for one that forgets to.
        pipeline.ok_or_else(|| {
            Fault::new("the pipeline is incomplete, and the reason was not found")
                .at(&self.root.place)
                .hint("this is a fault of Weir: please report it with the file")
                .into()
        })
    }

    /// Checks what can be checked without arguments: with each parameter at its default, its first
    /// allowed value or a stand-in, then with each other allowed value of each parameter.
    ///
    /// # Errors
    ///
    /// Every fault of the file, each once.
    pub fn check(&self) -> Result<(), Faults> {
        let schemas = self.schemas();
        let mut faults: Vec<Fault> = Vec::new();
        for bindings in params::samples(&self.params) {
            let sink = Sink::default();
            self.read(&bindings, &schemas, &sink);
            sink.extend(faults);
            // Each once: the same fault for every value of every parameter would fill the memory.
            faults = sink.finish().err().into_iter().flatten().collect();
        }
        Faults::check(faults)
    }

    /// The plugins that any run may use, with `args` bound and every allowed value of the other
    /// parameters tried: what a lock has to name, though no run's arguments are known.
    ///
    /// # Errors
    ///
    /// Faults of the file and of `args`; a plugin, or its component, that only a parameter's
    /// value can name.
    pub fn plugin_set(&self, args: &BTreeMap<String, String>) -> Result<PluginSet, Faults> {
        self.check()?;
        let schemas = self.schemas();
        let sink = Sink::default();
        let mut set: Option<PluginSet> = None;
        for bindings in params::samples_with(&self.params, args, &sink) {
            let Some(pipeline) = self.read(&bindings, &schemas, &sink) else {
                continue;
            };
            let found = self.used_plugins(&pipeline, &bindings, &sink);
            let Some(set) = &mut set else {
                set = Some(found);
                continue;
            };
            for (name, source) in found.plugins {
                let known = set.plugins.entry(name.clone()).or_insert(source.clone());
                if known.component != source.component {
                    sink.push(
                        Fault::new(format!(
                            "plugin '{name}' has another component for another value of a parameter"
                        ))
                        .at(&source.place)
                        .hint("declare a plugin for each, and let the parameter choose between them by name"),
                    );
                }
            }
        }
        sink.finish()?;
        set.ok_or_else(|| {
            Fault::new("which plugins the steps use cannot be said without the parameters' values")
                .at(&self.root.place)
                .hint("give them with --param NAME=VALUE")
                .into()
        })
    }

    /// The plugins in use under `bindings`; faults for those that a stand-in names.
    fn used_plugins(&self, pipeline: &Pipeline, bindings: &Bindings, sink: &Sink) -> PluginSet {
        let unknown = |what: String, place: &Place| {
            sink.push(
                Fault::new(format!("{what} depends on a parameter that has no value"))
                    .at(place)
                    .hint(
                        "give the parameter a default or `values`, or give its value with --param",
                    ),
            );
        };
        for step in &pipeline.steps {
            if let ReadSource::Files(read) = &step.read.source
                && let Some(plugin) = read.plugin()
                && !pipeline.plugins.contains_key(&plugin.plugin)
            {
                unknown("which plugin reads".to_owned(), &step.read.place);
            }
        }
        for stage in pipeline.steps.iter().flat_map(|step| &step.stages) {
            if let StageAction::Transform(plugin)
            | StageAction::PluginCheck(plugin)
            | StageAction::Fold(plugin) = &stage.action
                && !pipeline.plugins.contains_key(&plugin.plugin)
            {
                unknown("which plugin this stage uses".to_owned(), &stage.place);
            }
        }
        // The model does not say what a stand-in went into; the tree does.
        let tree = expand(&self.root, &self.scope(bindings), &Sink::default());
        let section = tree.table().and_then(|table| table.get("plugins"));
        let guessed = |name: &str| {
            section
                .and_then(|entry| {
                    entry
                        .node
                        .table()?
                        .get(name)?
                        .node
                        .table()?
                        .get("component")
                })
                .is_some_and(|entry| entry.node.guess)
        };
        let set = pipeline.plugin_set();
        for (name, source) in &set.plugins {
            if guessed(name) {
                unknown(format!("the component of plugin '{name}'"), &source.place);
            }
        }
        set
    }

    /// The file as TOML after includes, profile, defaults and `each`; with arguments, also after
    /// parameters, whose bound values become the defaults of their declarations. References to the
    /// environment stay references, since it may hold secrets. The text is a pipeline file again.
    ///
    /// # Errors
    ///
    /// Faulty arguments, and faults of the file.
    pub fn resolved_toml(&self, args: Option<&BTreeMap<String, String>>) -> Result<String, Faults> {
        let sink = Sink::default();
        let bindings = match args {
            Some(args) => {
                self.resolve(args)?;
                Some(self.bind(args)?)
            }
            None => {
                self.check()?;
                None
            }
        };
        let scope = Scope {
            specs: &self.params,
            params: bindings.as_ref(),
            env: None,
            each: None,
        };
        let tree = expand(&self.root, &scope, &sink);
        sink.finish()?;
        Ok(toml_text::render(&tree, bindings.as_ref()))
    }

    /// The values of the parameters; faulty arguments are told together with a faulty file.
    fn bind(&self, args: &BTreeMap<String, String>) -> Result<Bindings, Faults> {
        let sink = Sink::default();
        let bindings = params::bind(&self.params, args, &sink);
        if !sink.is_empty() {
            sink.extend(self.check().err().into_iter().flatten());
        }
        sink.finish()?;
        Ok(bindings)
    }

    fn schemas(&self) -> SchemaFiles {
        SchemaFiles::new(Arc::clone(&self.read_text))
    }

    fn scope<'a>(&'a self, bindings: &'a Bindings) -> Scope<'a> {
        Scope {
            specs: &self.params,
            params: Some(bindings),
            env: Some(&self.env),
            each: None,
        }
    }

    fn read(&self, bindings: &Bindings, schemas: &SchemaFiles, sink: &Sink) -> Option<Pipeline> {
        let tree = expand(&self.root, &self.scope(bindings), sink);
        let params = bindings
            .iter()
            .map(|(name, bound)| (name.clone(), bound.value.clone()))
            .collect();
        grammar::pipeline(&tree, &self.path, &self.dir, params, schemas, sink)
    }
}

/// The declarations of the parameters, their references to the environment replaced.
fn declared(root: &Node, env: &BTreeMap<String, Option<String>>, sink: &Sink) -> Vec<ParamSpec> {
    let Some(entry) = root.table().and_then(|table| table.get("params")) else {
        return Vec::new();
    };
    let scope = Scope {
        specs: &[],
        params: Some(&Bindings::new()),
        env: Some(env),
        each: None,
    };
    let node = scope.apply(&entry.node, Position::Declaration, sink);
    params::specs(&node, sink)
}

/// A file of another format is not read further: its faults would be those of this version.
fn right_format(root: &Node) -> Result<(), Fault> {
    let hint = "write weir = 1 at the top of the file";
    match root.table().and_then(|table| table.get("weir")) {
        None => Err(Fault::new("the file does not say which format it has")
            .at(&root.place)
            .hint(hint)),
        Some(entry) => match entry.node.value {
            Value::Int(FORMAT) => Ok(()),
            _ => Err(Fault::new("this weir reads format 1")
                .at(&entry.node.place)
                .hint("use a weir that reads this format, or write weir = 1 and what it knows")),
        },
    }
}

/// The text of a file, unless it is too large or no UTF-8; the error says why not.
fn read_limited(path: &Path) -> Result<String, String> {
    let file = File::open(path).map_err(|error| error.to_string())?;
    let mut bytes = Vec::new();
    // One byte more than allowed tells, whatever the file's length is said to be.
    file.take(MOST_BYTES + 1)
        .read_to_end(&mut bytes)
        .map_err(|error| error.to_string())?;
    if u64::try_from(bytes.len()).unwrap_or(u64::MAX) > MOST_BYTES {
        return Err("it is larger than 1 MiB".to_owned());
    }
    String::from_utf8(bytes).map_err(|_| "it is not UTF-8 text".to_owned())
}
