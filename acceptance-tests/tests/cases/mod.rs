//! Every acceptance case, by subject.

use acceptance_tests::Case;

mod harness;

/// All cases.
pub fn all() -> Vec<Case> {
    [harness::cases()].into_iter().flatten().collect()
}
