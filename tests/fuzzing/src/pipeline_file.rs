//! `pipeline_file`: whatever a pipeline file and the files it names hold, they are a pipeline or
//! faults that can be shown; and a file written out again is the same pipeline.
//!
//! An input is text. Lines that begin with `#>>> ` and go on with a path begin the text of another
//! file; no other file exists.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use weir_pipeline::{Faults, LoadOptions, ParamSpec, ParamType, PipelineFile, ReadText};

use crate::noise;

/// Begins the text of another file.
const FILE: &str = "\n#>>> ";

/// Where the pipeline file would lie.
const PATH: &str = "folder/pipeline.toml";

/// Runs the target on one input.
pub fn run(data: &[u8]) {
    let Ok(input) = std::str::from_utf8(data) else {
        return;
    };
    let mut parts = input.split(FILE);
    let text = parts.next().unwrap_or_default();
    let files: BTreeMap<String, String> = parts
        .map(|part| {
            let (path, text) = part.split_once('\n').unwrap_or((part, ""));
            (format!("folder/{path}"), text.to_owned())
        })
        .collect();
    let files: ReadText = Arc::new(move |path: &Path| {
        let text = path.to_str().and_then(|path| files.get(path));
        text.cloned()
            .ok_or_else(|| "there is no such file".to_owned())
    });
    for profile in [None, Some("p")] {
        let read = read(text, profile, &files);
        if let Some(file) = told(read) {
            loaded(&file, profile, &files);
        }
    }
}

fn read(text: &str, profile: Option<&str>, files: &ReadText) -> Result<PipelineFile, Faults> {
    let env = |name: &str| name.starts_with('W').then(|| "from-env".to_owned());
    let options = LoadOptions { profile, env: &env };
    PipelineFile::parse_with(Path::new(PATH), text, &options, Arc::clone(files))
}

/// What was read, unless there are faults: then these are shown as a terminal gets them.
fn told<T>(result: Result<T, Faults>) -> Option<T> {
    match result {
        Ok(value) => Some(value),
        Err(faults) => {
            assert!(faults.len() > 0);
            let shown = faults.to_string();
            let odd = |c: char| c.is_control() && c != '\n';
            assert!(
                shown.starts_with("error: ") && !shown.contains(odd),
                "{shown:?}"
            );
            for fault in &faults {
                if let Some(place) = &fault.place {
                    let (line, column) = place.line_column();
                    assert!(line >= 1 && column >= 1);
                    assert!(line <= place.text.matches('\n').count() + 1);
                }
            }
            None
        }
    }
}

fn loaded(file: &PipelineFile, profile: Option<&str>, files: &ReadText) {
    let sound = told(file.check()).is_some();
    told(file.resolve(&BTreeMap::new()));
    let args = arguments(file.params());
    let resolved = told(file.resolve(&args));
    assert!(
        sound || resolved.is_none() || !args.is_empty(),
        "a file with faults was resolved"
    );
    told(file.resolved_toml(Some(&args)));
    // Written out, it is a pipeline file again, and stays as it is.
    if let Some(text) = told(file.resolved_toml(None)) {
        assert!(sound);
        let again = match read(&text, None, files).and_then(|again| again.check().map(|()| again)) {
            Ok(again) => again,
            Err(faults) => panic!("written out ({profile:?}) it has faults:\n{faults}\n{text}"),
        };
        let same = again.resolved_toml(None).expect("it was checked");
        assert_eq!(same, text);
    }
}

/// An argument for each parameter.
fn arguments(params: &[ParamSpec]) -> BTreeMap<String, String> {
    let value = |spec: &ParamSpec| match spec.param_type {
        ParamType::String => "x",
        ParamType::Int => "2008",
        ParamType::Date => "2026-01-31",
        ParamType::Bool => "true",
        ParamType::Path => "in/a/b",
    };
    params
        .iter()
        .map(|spec| (spec.name.clone(), value(spec).to_owned()))
        .collect()
}

/// Pipelines put together from parts that fit each other, and some that do not.
pub fn seeds() -> Vec<Vec<u8>> {
    const HEADS: [&str; 3] = [
        "weir = 1\nname = \"claims\"\n",
        "weir = 1\nname = \"claims\"\nowner = \"team\"\ndescription = \"é\"\n",
        "weir = 1\nname = \"claims\"\ninclude = [\"parts/zones.toml\"]\n",
    ];
    const SECTIONS: [&str; 10] = [
        "[params]\nyear = { type = \"int\", values = [2008, 2009] }\nday = { type = \"date\", default = 2026-01-31 }\n",
        "[params]\nyear = { type = \"string\", default = \"${env.WEIR_YEAR:-2008}\" }\nday = { type = \"path\" }\nflag = { type = \"bool\", default = true }\n",
        "[lake]\nurl = \"${env.WEIR_LAKE:-./lake}\"\n",
        "[zone.raw]\n[zone.curated]\nretention = \"30d\"\nsensitivity = \"high\"\n",
        "[zone.raw]\nurl = \"file:///tmp\"\n",
        "[connections.warehouse]\nkind = \"sqlite\"\npath = \"${env.W:-}\"\n",
        "[plugins]\nparse = { component = \"../plugins/parse\" }\njudge = { component = \"j.wasm\", sha256 = \"0000000000000000000000000000000000000000000000000000000000000000\" }\n",
        "[profile.p.lake]\nurl = \"elsewhere\"\n[profile.p.params]\nyear = { default = 2009 }\n",
        "[defaults.step]\ntimeout = \"5m\"\n",
        "[[checks.sound]]\nnot_null = [\"id\"]\n",
    ];
    const READS: [&str; 7] = [
        "read = { files = \"in_${param.year}/*.csv\", format = \"csv\", schema = { id = \"int64 not null\", cost = \"decimal(9,2)\" } }\n",
        "read = { files = \"in/*.gz\", format = \"csv\", delimiter = \"|\", quote = \"'\", header = false, nulls = [\"\", \"NA\"], compression = \"gzip\", schema = \"schemas/a.toml\", limit = 10 }\n",
        "read = { files = \"${param.day:%Y%m%d}/{a,b}*.json\", format = \"json\", allow_missing = true, schema = [{ name = \"id\", type = \"list<struct<x: int8, y: string>>\", source = \"ID\" }] }\n",
        "read = { files = \"**/*.parquet\", format = \"parquet\" }\n",
        "read = { table = \"raw.claims\" }\n",
        "read = { sql = \"select * from raw.claims where year = $year\" }\n",
        "each = { t = [\"a\", \"b\"], n = [1, 2] }\nread = { files = \"${each.t}_${each.n}.csv\", format = \"csv\", schema = { id = \"string\" } }\n",
    ];
    const STAGES: [&str; 8] = [
        "[[step.stage]]\ntransform = \"parse\"\nconfig = { table = \"${param.year}\", deep = { a = [1, 2.5] } }\ngrant = { columns = [\"*\", \"!id\"], memory = \"64MiB\", deadline = \"2s\" }\n",
        "[[step.stage]]\nplugin_check = \"judge\"\ngrant = { columns = [\"id\"] }\non_fail = \"warn\"\n",
        "[[step.stage]]\nsql = \"select id from input\"\n",
        "[[step.stage]]\ncheck = { not_null = [\"id\"], unique = [[\"id\", \"year\"]] }\non_fail = \"quarantine\"\nfail_above = \"1%\"\nwarn_above = 10\n",
        "[[step.stage]]\ncheck = { accepted = { id = [\"a\", \"b\"] }, range = { cost = { min = 0, max = 1e3 } } }\non_fail = \"drop\"\n",
        "[[step.stage]]\ncheck = { pattern = { id = \"[a-z]+\" }, expression = [\"cost > 0\"], references = { id = \"raw.claims.id\" } }\non_fail = \"fail\"\n",
        "[[step.stage]]\ncheck = \"sound\"\noutput = \"visits\"\n",
        "",
    ];
    const WRITES: [&str; 5] = [
        "[[step.write]]\ntable = \"curated.claims\"\n",
        "[[step.write]]\ntable = \"curated.c_${param.year}\"\nmode = \"replace-partition\"\npartition = { year = \"${param.year}\", day = \"${param.day}\" }\n",
        "[[step.write]]\noutput = \"visits\"\ntable = \"raw.claims\"\nmode = \"append\"\n",
        "[[step.write]]\nconnection = \"warehouse\"\ntable = \"claims\"\nmode = \"replace\"\n",
        "[[step.write]]\ntable = \"curated.${each.t}\"\nmode = \"replace-partition\"\npartition = { n = \"${each.n}\" }\n",
    ];
    const FILES: [&str; 3] = [
        "",
        "\n#>>> schemas/a.toml\n[columns]\nid = \"int64 not null\"\nat = \"timestamptz\"\n\n#>>> parts/zones.toml\n[zone.raw]\n[zone.curated]\n",
        "\n#>>> schemas/a.toml\ndescription = \"é\"\ncolumns = [{ name = \"id\", type = \"date\", nullable = false }]\n",
    ];
    (0..400)
        .map(|seed| {
            let pick = noise(seed + 30_000, 64);
            let mut pick = pick.iter().map(|byte| usize::from(*byte));
            let mut next = |most: usize| pick.next().unwrap_or(0) % most;
            let mut text = HEADS[next(3)].to_owned();
            // Most have what the steps refer to.
            for section in SECTIONS {
                if next(3) > 0 {
                    text.push_str(section);
                }
            }
            for step in 0..=next(2) {
                text.push_str(&format!("[[step]]\nname = \"s{step}\"\n"));
                text.push_str(READS[next(7)]);
                for _ in 0..next(3) {
                    text.push_str(STAGES[next(8)]);
                }
                text.push_str(WRITES[next(5)]);
            }
            text.push_str(FILES[next(3)]);
            text.into_bytes()
        })
        .collect()
}
