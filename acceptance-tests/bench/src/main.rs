//! `cargo xt bench`: what an apply and a plan cost with this provider, beside another one and beside the core alone.
//!
//! ```text
//! fixture (the same objects, three ways) ─► CLI ─► provider ─► relay (bytes) ─► API server (requests, by its own count)
//! destinations (of clusters in folders) ─────┴──────┴─ watch (time, memory of both processes)
//! ```
//!
//! Contract: every figure of a table comes from one run on one machine, and a run in which a provider did something else than
//! was asked (a plan without change that has one, objects that are not there) is an error, not a figure.

mod destinations;
mod fixture;
mod race;
mod relay;
mod report;
mod requests;
mod watch;

use std::process::ExitCode;

use xtask::term::{Ink, note};
use xtask::{Problem, Result};

/// Numbers of objects, unless others are asked for.
const SIZES: [usize; 3] = [10, 100, 500];

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    match sizes(&arguments).and_then(|sizes| race::run(&sizes)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(problem) => {
            note(&format!("{} {problem}", Ink::stderr().bad("error:")));
            ExitCode::FAILURE
        }
    }
}

fn sizes(arguments: &[String]) -> Result<Vec<usize>> {
    if arguments.is_empty() {
        return Ok(SIZES.to_vec());
    }
    let number = |text: &String| match text.parse() {
        Ok(number @ 1..=5000) => Ok(number),
        _ => Err(Problem::new(format!("bench takes numbers of objects from 1 to 5000, not `{text}`"))),
    };
    arguments.iter().map(number).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_numbers_of_objects() {
        let of = |words: &[&str]| sizes(&words.iter().map(|word| (*word).to_owned()).collect::<Vec<_>>());
        assert_eq!(of(&[]), Ok(SIZES.to_vec()));
        assert_eq!(of(&["3", "40"]), Ok(vec![3, 40]));
        assert!(of(&["0"]).is_err() && of(&["many"]).is_err());
    }
}
