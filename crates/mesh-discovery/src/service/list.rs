//! Every Service of a cluster.

use std::borrow::Borrow;
use std::collections::BTreeSet;

use mesh_model::Code;
use mesh_model::names::{ClusterName, OwnerId};
use serde_json::Value;

use super::{Asked, Found, ServiceFacts, check_services};
use crate::inventory::{Inventory, Kind};
use crate::read;
use crate::verdict::Verdicts;
use crate::{Discovered, Selected};

/// A Service that is asked for, whether it can be a backend or not.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ListedService {
    /// its namespace
    pub namespace: String,
    /// its name
    pub name: String,
    /// the backend that it is, or why it is none
    pub found: Discovered<ServiceFacts>,
}

/// Every Service that `selected` takes, by namespace and name, each judged as [`super::service()`] does it.
///
/// What is wrong with a Service stays with it; what the inventory lacks is said of the cluster, and then there is no list.
#[must_use]
pub fn services(
    objects: &[impl Borrow<Value>],
    cluster: &ClusterName,
    selected: Selected<'_>,
    owner: Option<&OwnerId>,
) -> Discovered<Vec<ListedService>> {
    let inventory = Inventory::new(objects, owner);
    let mut verdicts = Verdicts::new(cluster);
    check_services(&inventory, &mut verdicts);
    let mut listed = Vec::new();
    for service in inventory.all(Kind::Service) {
        if !selected.takes(service.namespace, &read::map(service.value, &["metadata", "labels"])) {
            continue;
        }
        let mut own = Verdicts::new(cluster);
        let object = format!("Service/{}/{}", service.namespace, service.name);
        let facts = match (service.namespace.parse(), service.name.parse()) {
            (Ok(namespace), Ok(name)) => {
                let asked = Asked { namespace: &namespace, name: &name, together_with: &BTreeSet::new() };
                let mut found = Found::new(&inventory, service, asked, &mut own);
                found.check_templates();
                found.facts()
            }
            (Err(problem), _) | (_, Err(problem)) => {
                let why = "An API server has no such Service.";
                own.object(Code::UnusableService, &object, format!("{problem}."), why, "Correct the inventory.");
                None
            }
        };
        if facts.as_ref().is_some_and(|facts| facts.backend.ports.is_empty()) {
            let what = format!("{object} in cluster {cluster} has no TCP port whose target is known.");
            let fix = "Give the Service a numeric targetPort, or name a Service with a TCP port.";
            own.object(Code::UnusableService, &object, what, "A destination has no port to call then.", fix);
        }
        let facts = if own.has_error() { None } else { facts };
        let mut findings = own.into_findings();
        // what is not known of one is not known of all
        if let Some(missing) = findings.iter().position(|finding| finding.code == Code::KindMissing) {
            verdicts.pass_on(findings.swap_remove(missing));
            break;
        }
        let found = Discovered { value: facts, findings };
        listed.push(ListedService { namespace: service.namespace.to_owned(), name: service.name.to_owned(), found });
    }
    let value = if verdicts.has_error() { None } else { Some(listed) };
    Discovered { value, findings: verdicts.into_findings() }
}
