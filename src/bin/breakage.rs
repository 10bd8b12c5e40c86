//! The provider with writes that break where the environment says: for the acceptance tests, behind the feature `breakage`.
//!
//! - `GLOO_BREAK`: breakages, separated by commas, as [`kube_apply::breakage`] documents them (`kill:before:3`);
//! - `GLOO_BREAK_TOLD`: a pipe that gets a line when a breakage is reached, before it happens;
//! - `GLOO_BREAK_GO`: a pipe from which a pause reads its end.

use std::process::ExitCode;
use std::sync::Arc;

use kube_apply::breakage::{Break, Breaker};
use terraform_provider_gloo::{Gloo, run_with};

fn main() -> ExitCode {
    let breaks: Vec<Break> = std::env::var("GLOO_BREAK").map_or_else(
        |_| Vec::new(),
        |text| text.split(',').map(|one| one.parse().unwrap_or_else(|wrong| panic!("{wrong}"))).collect(),
    );
    let told = std::env::var_os("GLOO_BREAK_TOLD");
    let announce = move || {
        if let Some(path) = &told {
            // who does not listen is not told
            let _ = std::fs::OpenOptions::new()
                .append(true)
                .create(true)
                .open(path)
                .and_then(|mut file| std::io::Write::write_all(&mut file, b"reached\n"));
        }
    };
    let go = std::env::var_os("GLOO_BREAK_GO");
    let resume = move || {
        if let Some(path) = &go {
            // ends when somebody writes to the pipe
            let _ = std::fs::File::open(path).and_then(|mut pipe| std::io::Read::read(&mut pipe, &mut [0]));
        }
    };
    let breaker = Breaker::real(breaks, Box::new(announce), Arc::new(resume));
    run_with(Gloo::decorated(move |cluster| breaker.decorate(cluster)), std::env::args().skip(1))
}
