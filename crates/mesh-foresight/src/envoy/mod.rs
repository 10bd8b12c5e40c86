//! What Envoy does with endpoints, counted as it counts.

mod load;
mod outlier;
mod retry;

pub(crate) use load::loads;
pub use outlier::Ejections;
pub(crate) use outlier::eject;
pub use retry::{Loss, Tries};
pub(crate) use retry::{Repeating, worst};

use crate::reach::Answer;
use crate::world::Fault;

/// An endpoint of a host, as its client sees it.
#[derive(Clone, Debug)]
pub(crate) struct Endpoint {
    /// 0 is served first
    pub(crate) priority: usize,
    /// region, zone, subzone
    pub(crate) locality: Vec<String>,
    /// among those of one locality
    pub(crate) weight: u32,
    pub(crate) answer: Answer,
}

impl Endpoint {
    pub(crate) fn fault(&self) -> Option<Fault> {
        match &self.answer {
            Answer::Failed(fault, _) => Some(*fault),
            Answer::Served | Answer::Denied => None,
        }
    }
}
