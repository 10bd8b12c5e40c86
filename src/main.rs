//! The provider binary. Terraform and OpenTofu start it; `--debug` waits for them instead.

use std::process::ExitCode;

fn main() -> ExitCode {
    terraform_provider_gloo::run(std::env::args().skip(1))
}
