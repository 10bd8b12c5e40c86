//! The front door: `cargo xt <command>`.

#[cfg(feature = "codegen")]
mod codegen;

use std::process::ExitCode;

use xtask::term::{Ink, note};
use xtask::workspace::Workspace;
use xtask::{Problem, Result};

const USAGE: &str = "\
cargo xt <command>

  quickstart [dir]   build the provider, then plan, apply, drift, repair and plan again on two
                     clusters that are folders; with dir: on a copy of your own configuration
  dev                two real API servers and a folder with a wired CLI, until Ctrl-C
  test               everything that has to be green, in CI too
  tidy               the rules of the house alone (arrows, file sizes, links, invariants; seconds)
  soak [runs]        hostile messages, random object sets and journeys, every write broken in every way, 10000
                     of each unless told otherwise, ten hostile requests and 100 names of objects for each of
                     these, and 1000 refreshes among noise on real API servers; prints what repeats a failure
  bench [N...]       apply and plan N objects (10, 100 and 500) on two real API servers, beside another
                     provider and the core alone; a quarter of an hour; a table for docs/dev/benchmarks.md
  replay [text]      what istiod told the proxies of each case, told again to real Envoys, with traffic; no istiod
  live [text]        the same cases and more on API servers, istiod and Envoy; needs pilot-discovery on PATH
                     or in GLOO_TEST_PILOT_DISCOVERY
  record [text]      as live, and keeps what istiod told in acceptance-tests/recordings; review the diff
  golden [filter]    run the golden cases and rewrite their expected files; review the diff
  docs [--check]     generate docs/ from the provider's schema; --check compares instead
  codegen [--check]  generate the wire code from proto/; --check compares instead
  release [platform] build, check and pack the provider as registries and mirrors want it, for all platforms that can be
                     built here or for those named (linux_amd64); signs with the gpg key that GLOO_RELEASE_KEY names
  tools [name]       find or build the programs that tests use; with name: print its path
";

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match run(&arguments) {
        Ok(code) => code,
        Err(problem) => {
            note(&format!("{} {problem}", Ink::stderr().bad("error:")));
            ExitCode::FAILURE
        }
    }
}

fn run(arguments: &[&str]) -> Result<ExitCode> {
    let done = ExitCode::SUCCESS;
    match arguments {
        ["help" | "--help" | "-h"] => {
            xtask::term::say(USAGE);
            Ok(done)
        }
        ["quickstart"] => xtask::quickstart::run(&Workspace::find()?, None).map(|()| done),
        ["quickstart", folder] => xtask::quickstart::run(&Workspace::find()?, Some(folder)).map(|()| done),
        ["dev"] => xtask::dev::run(&Workspace::find()?).map(|()| done),
        ["test"] => xtask::test::run(&Workspace::find()?),
        ["tidy"] => xtask::tidy::run(&Workspace::find()?).map(|()| done),
        ["soak"] => xtask::soak::run(&Workspace::find()?, None).map(|()| done),
        ["soak", runs] => xtask::soak::run(&Workspace::find()?, Some(runs)).map(|()| done),
        ["bench", sizes @ ..] => xtask::bench::run(&Workspace::find()?, sizes).map(|()| done),
        [mode @ ("replay" | "live" | "record"), filters @ ..] => xtask::mesh::run(&Workspace::find()?, mode, filters),
        ["golden", filter @ ..] => xtask::golden::run(&Workspace::find()?, filter).map(|()| done),
        ["docs"] => xtask::docs::generate(&Workspace::find()?).map(|()| done),
        ["docs", "--check"] => xtask::docs::check(&Workspace::find()?).map(|()| done),
        ["codegen", rest @ ..] => codegen(rest).map(|()| done),
        ["release", platforms @ ..] => xtask::release::run(&Workspace::find()?, platforms).map(|()| done),
        ["tools"] => xtask::tools::run(&Workspace::find()?, None).map(|()| done),
        ["tools", name] => xtask::tools::run(&Workspace::find()?, Some(name)).map(|()| done),
        [] => Err(Problem::new(format!("which command?\n\n{USAGE}"))),
        other => Err(Problem::new(format!("`{}` is no command\n\n{USAGE}", other.join(" ")))),
    }
}

#[cfg(feature = "codegen")]
fn codegen(arguments: &[&str]) -> Result<()> {
    let check = match arguments {
        [] => false,
        ["--check"] => true,
        other => {
            return Err(Problem::new(format!("codegen takes --check, not `{}`", other.join(" "))));
        }
    };
    codegen::run(check).map_err(Problem::new)
}

/// The generator is behind a feature, so that this binary compiles in seconds: run ourselves
/// again with it.
#[cfg(not(feature = "codegen"))]
fn codegen(arguments: &[&str]) -> Result<()> {
    let workspace = Workspace::find()?;
    let status = xtask::workspace::cargo(&workspace.root)
        .args(["run", "--quiet", "--package", "xtask", "--features", "codegen", "--", "codegen"])
        .args(arguments)
        .status()
        .map_err(|error| Problem::new(format!("cannot run cargo: {error}")))?;
    if status.success() { Ok(()) } else { Err(Problem::new("codegen failed, see above")) }
}
