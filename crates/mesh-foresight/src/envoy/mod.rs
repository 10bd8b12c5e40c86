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

/// The endpoints of a host, as its client's proxy knows them.
#[derive(Clone, Debug, Default)]
pub(crate) struct Assignment {
    pub(crate) endpoints: Vec<Endpoint>,
    /// localities, as far as calls are divided among them
    pub(crate) groups: Vec<Group>,
}

/// A locality in a priority.
#[derive(Clone, Debug)]
pub(crate) struct Group {
    /// 0 is served first
    pub(crate) priority: usize,
    /// among those of the priority
    pub(crate) weight: u64,
}

/// An endpoint of a host.
#[derive(Clone, Debug)]
pub(crate) struct Endpoint {
    /// which of the groups
    pub(crate) group: usize,
    /// among those of the group
    pub(crate) weight: u64,
    pub(crate) answer: Answer,
}

impl Assignment {
    /// The priority of an endpoint.
    pub(crate) fn priority(&self, endpoint: usize) -> usize {
        self.groups[self.endpoints[endpoint].group].priority
    }
}

impl Endpoint {
    pub(crate) fn fault(&self) -> Option<Fault> {
        match &self.answer {
            Answer::Failed(fault, _) => Some(*fault),
            Answer::Served | Answer::Denied => None,
        }
    }
}
