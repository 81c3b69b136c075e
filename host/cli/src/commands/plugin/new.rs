//! `weir plugin new`.

use weir_workbench::{Kind, Language, create};

use crate::args::{LanguageArg, NewArgs, WorldArg};
use crate::commands::print;
use crate::failure::Failure;

pub(crate) fn run(args: &NewArgs) -> Result<u8, Failure> {
    let kind = match args.world {
        WorldArg::Transform => Kind::Transform,
        WorldArg::Check => Kind::Check,
        WorldArg::Decoder => Kind::Decoder,
        WorldArg::Source => Kind::Source,
        WorldArg::Fold => Kind::Fold,
    };
    let language = match args.lang {
        LanguageArg::Rust => Language::Rust,
        LanguageArg::Python => Language::Python,
        LanguageArg::Js => Language::Js,
    };
    let created = create(&args.folder, kind, language)?;
    let mut text = format!(
        "made the plugin '{}', a {kind} in {language}, in {}\n",
        created.name,
        args.folder.display()
    );
    for file in &created.files {
        text.push_str(&format!("  {}\n", file.display()));
    }
    text.push_str("  vendor/weir: the SDK\n\nnext:\n");
    text.push_str(&format!("  cd {}\n", args.folder.display()));
    if let Some(install) = language.install() {
        text.push_str(&format!("  {install}\n"));
    }
    text.push_str("  weir plugin test\n");
    print(&text)?;
    Ok(0)
}
