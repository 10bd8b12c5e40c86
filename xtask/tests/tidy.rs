//! The rules of the house, one test each, so that `cargo test` says which one is broken.

use xtask::tidy::{Clone, Complaints, Rule, arrows, documents, files, purity};
use xtask::workspace::Workspace;

fn check(rule: Rule) {
    let workspace = Workspace::find().expect("the tests run inside a clone");
    let clone = Clone::read(workspace).expect("git lists the files");
    let complaints = rule(&clone).expect("the rule can run");
    assert_eq!(complaints, Complaints::new(), "\n{}\n", complaints.join("\n"));
}

#[test]
fn crates_depend_only_as_the_table_allows() {
    check(arrows::internal);
}

#[test]
fn foreign_crates_stay_where_they_are_allowed() {
    check(arrows::external);
}

#[test]
fn no_source_file_is_too_long() {
    check(files::length);
}

#[test]
fn every_source_file_is_in_the_module_tree() {
    check(files::orphans);
}

#[test]
fn the_top_level_is_as_listed() {
    check(files::top_level);
}

#[test]
fn no_file_mentions_somebodys_machine() {
    check(files::machine_paths);
}

#[test]
fn every_example_file_belongs_to_an_example() {
    check(files::examples);
}

#[test]
fn pure_crates_have_no_door_to_the_outside() {
    check(purity::pure_crates);
}

#[test]
fn every_invariant_names_an_existing_test() {
    check(documents::invariants);
}

#[test]
fn every_failure_names_an_existing_test() {
    check(documents::failures);
}

#[test]
fn every_complaint_names_an_existing_test() {
    check(documents::complaints);
}

#[test]
fn decisions_are_numbered_and_short() {
    check(documents::decisions);
}

#[test]
fn links_in_documents_lead_somewhere() {
    check(documents::links);
}
