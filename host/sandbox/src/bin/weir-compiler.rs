//! The smallest program that is a compiler of components: what the sandbox's tests compile in.

use std::process::ExitCode;

fn main() -> ExitCode {
    // The first is `weir_sandbox::COMPILER_ARGUMENT`.
    weir_sandbox::compiler_main(std::env::args_os().skip(2))
}
