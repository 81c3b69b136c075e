//! How a failed command ends: one message with its causes and a hint, and the exit code.

use std::error::Error as StdError;

use weir_engine::{Error, ErrorKind};
use weir_pipeline::Faults;
use weir_sandbox::SandboxError;

/// Exit codes besides 0; see `main`.
pub(crate) mod code {
    pub(crate) const FAILED: u8 = 1;
    pub(crate) const USAGE: u8 = 2;
    pub(crate) const WARNED: u8 = 3;
    pub(crate) const DIFFERS: u8 = 3;
    pub(crate) const RETRY: u8 = 75;
}

/// Why a command failed.
#[derive(Debug)]
pub(crate) struct Failure {
    message: String,
    causes: Vec<String>,
    hint: Option<String>,
    code: u8,
    /// The message is a finished screen, printed as it is.
    screen: bool,
}

impl Failure {
    pub(crate) fn new(message: impl Into<String>) -> Failure {
        Failure {
            message: message.into(),
            causes: Vec::new(),
            hint: None,
            code: code::FAILED,
            screen: false,
        }
    }

    pub(crate) fn usage(message: impl Into<String>) -> Failure {
        Failure {
            code: code::USAGE,
            ..Failure::new(message)
        }
    }

    /// A text that says everything itself.
    pub(crate) fn screen(text: String, code: u8) -> Failure {
        Failure {
            code,
            screen: true,
            ..Failure::new(text)
        }
    }

    pub(crate) fn hint(mut self, hint: impl Into<String>) -> Failure {
        self.hint = Some(hint.into());
        self
    }

    pub(crate) fn code(&self) -> u8 {
        self.code
    }

    pub(crate) fn print(&self) {
        if self.screen {
            eprintln!("{}", self.message.trim_end());
            return;
        }
        eprintln!("error: {}", self.message);
        for cause in &self.causes {
            eprintln!("  caused by: {cause}");
        }
        if let Some(hint) = &self.hint {
            eprintln!("hint: {hint}");
        }
    }
}

impl std::fmt::Display for Failure {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.message.trim_end())
    }
}

/// The exit code for an error of the engine.
pub(crate) fn exit_code(error: &Error) -> u8 {
    match error.kind() {
        ErrorKind::Usage => code::USAGE,
        _ if error.is_retryable() => code::RETRY,
        _ => code::FAILED,
    }
}

/// What lies behind an error, outermost first.
pub(crate) fn causes(error: &dyn StdError) -> Vec<String> {
    let mut causes = Vec::new();
    let mut cause = error.source();
    while let Some(current) = cause {
        let text = current.to_string();
        // Libraries differ in whether a message repeats its cause.
        if causes
            .last()
            .is_none_or(|last: &String| !last.contains(&text))
        {
            causes.push(text);
        }
        cause = current.source();
    }
    causes
}

impl From<Error> for Failure {
    fn from(error: Error) -> Failure {
        if let Some(faults) = error.faults() {
            return Failure::screen(faults.to_string(), code::USAGE);
        }
        Failure {
            code: exit_code(&error),
            causes: causes(&error),
            hint: error.hint().map(str::to_owned),
            ..Failure::new(error.to_string())
        }
    }
}

impl From<Faults> for Failure {
    fn from(faults: Faults) -> Failure {
        Failure::screen(faults.to_string(), code::USAGE)
    }
}

impl From<SandboxError> for Failure {
    fn from(error: SandboxError) -> Failure {
        Error::from(error).into()
    }
}

impl From<weir_workbench::Error> for Failure {
    fn from(error: weir_workbench::Error) -> Failure {
        let code = match error {
            weir_workbench::Error::Tool { .. } => code::FAILED,
            weir_workbench::Error::Usage { .. } | weir_workbench::Error::File { .. } => code::USAGE,
        };
        Failure {
            code,
            causes: causes(&error),
            hint: Some(error.hint().to_owned()),
            ..Failure::new(error.to_string())
        }
    }
}

/// A lock or list that cannot be used; what is about a plugin has a place in the pipeline file.
impl From<weir_components::Error> for Failure {
    fn from(error: weir_components::Error) -> Failure {
        Failure {
            causes: causes(&error),
            hint: Some(error.hint()),
            ..Failure::usage(error.to_string())
        }
    }
}
