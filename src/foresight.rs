//! A virtual destination, given as a value, translated as its resource does it, and what it does when something dies.

use std::collections::BTreeMap;

use mesh_foresight::{Fleet, Given, Pods, Table, Unforeseen, World};
use mesh_model::decode::{self, Outcome};
use mesh_model::{Code, Finding, Findings, Input, Severity, intent};
use tf_value::Value;

use crate::lifecycle::IntentKind as _;
use crate::resources::virtual_destination::VirtualDestination;
use crate::schema::{HANDLING, arguments};

/// How many pods a cluster has that nobody says anything about: the fewest of which some can be dead.
const USUAL_PODS: u32 = 2;

/// A destination whose behaviour is known.
pub(crate) struct Foreseen {
    /// `<namespace>/<name>`
    pub(crate) id: String,
    /// its objects and the facts behind them
    pub(crate) fleet: Fleet,
    /// its ports, by number
    pub(crate) ports: Vec<u16>,
    hostname: String,
    world: World,
}

/// Why nothing can be said about a value.
#[derive(Debug)]
pub(crate) struct Refusal {
    /// in fixed words
    pub(crate) summary: &'static str,
    /// what, why, how to fix, a paragraph each
    pub(crate) details: Vec<String>,
}

/// Translates the resource object `destination` from its own arguments. `None`: something that matters is not known yet.
pub(crate) fn foresee(destination: &Value) -> Result<Option<Foreseen>, Refusal> {
    let input = match crate::input::from_value(destination) {
        Input::Unknown => return Ok(None),
        Input::Map(members) => arguments_of(members)?,
        _ => return Err(no_destination()),
    };
    let decoded = decode::virtual_destination(&input);
    let intent = match decoded.outcome {
        Outcome::Intent(intent) => intent,
        Outcome::UnknownShape(_) => return Ok(None),
        Outcome::Invalid => return Err(refused(&decoded.findings)),
    };
    let translation = mesh_translate::translate(&intent);
    if translation.findings.iter().any(is_error) {
        return Err(refused(&translation.findings));
    }
    let fleet = match Fleet::read(&translation.objects, &intent.mesh, &intent.backends) {
        Ok(fleet) => fleet,
        Err(Unforeseen::Unknown(_)) => return Ok(None),
        Err(unforeseen @ Unforeseen::NotModelled { .. }) => return Err(not_modelled(&unforeseen, overlay_behind(&intent))),
    };
    let mut ports: Vec<u16> = intent.ports.iter().map(|port| port.number.get()).collect();
    ports.sort_unstable();
    let world = World { usual: USUAL_PODS, ..usual_world(&intent) };
    let id = format!("{}/{}", intent.namespace, intent.name);
    Ok(Some(Foreseen { id, fleet, ports, hostname: intent.hostname.to_string(), world }))
}

impl Foreseen {
    /// The same with other numbers of pods.
    pub(crate) fn with_pods(mut self, pods: impl IntoIterator<Item = (mesh_model::names::ClusterName, u32)>) -> Self {
        let well = |all| Pods { all, failing: 0, fault: mesh_foresight::Fault::Connection };
        self.world.pods.extend(pods.into_iter().map(|(cluster, all)| (cluster, well(all))));
        self
    }

    /// The table of a port.
    pub(crate) fn table(&self, port: u16, given: Option<&[Given]>) -> Table {
        self.fleet.table(&self.world, &self.hostname, port, given)
    }

    /// The diagram of the first port.
    pub(crate) fn diagram(&self) -> String {
        let port = self.ports.first().copied().unwrap_or_default();
        self.fleet.diagram(&self.world, &self.hostname, port)
    }
}

/// Everything is well, and names are resolved as far as the intent says: who ignores that finding says that something else answers
/// DNS.
pub(crate) fn usual_world(intent: &intent::VirtualDestination) -> World {
    let is_answered = intent.ignored.contains_key(&Code::DnsCaptureOff);
    World { resolved: intent.mesh.clusters.keys().filter(|_| is_answered).cloned().collect(), ..World::default() }
}

/// What the object has of the arguments that say what is written. Other objects have none of them.
fn arguments_of(mut members: BTreeMap<String, Input>) -> Result<Input, Refusal> {
    let schema = VirtualDestination.schema();
    let known: Vec<&str> = arguments(&schema.attributes).filter(|name| !HANDLING.contains(name)).collect();
    if !["virtual_mesh", "backends", "ports"].iter().all(|name| members.contains_key(*name)) {
        return Err(no_destination());
    }
    members.retain(|name, _| known.contains(&name.as_str()));
    Ok(Input::Map(members))
}

/// Which of the overlays makes objects say what is not modelled: the first with which they do.
fn overlay_behind(intent: &intent::VirtualDestination) -> Option<usize> {
    let is_modelled = |count: usize| {
        let fewer = intent::VirtualDestination { overlays: intent.overlays[..count].to_vec(), ..intent.clone() };
        let objects = mesh_translate::translate(&fewer).objects;
        !matches!(Fleet::read(&objects, &fewer.mesh, &fewer.backends), Err(Unforeseen::NotModelled { .. }))
    };
    (0..intent.overlays.len()).take_while(|count| is_modelled(*count)).last()
}

fn not_modelled(unforeseen: &Unforeseen, overlay: Option<usize>) -> Refusal {
    let remedy = match overlay {
        Some(index) => format!("`overlays[{index}]` writes it: leave it out, or leave out this call."),
        None => "No overlay writes it, so this is a gap of the provider: leave out this call, and please report it with the configuration.".to_owned(),
    };
    Refusal {
        summary: "Behaviour is not modelled",
        details: vec![
            format!("{unforeseen}."),
            "Who serves is computed by a model of istiod and Envoy, which says nothing rather than something wrong.".to_owned(),
            remedy,
        ],
    }
}

fn no_destination() -> Refusal {
    Refusal {
        summary: "Not a virtual destination",
        details: vec![
            "It has not the arguments of a gloo_virtual_destination.".to_owned(),
            "What is foretold is computed from all of them.".to_owned(),
            "Give the whole resource: gloo_virtual_destination.reviews".to_owned(),
        ],
    }
}

fn is_error(finding: &Finding) -> bool {
    finding.code.severity() == Severity::Error
}

fn refused(findings: &Findings) -> Refusal {
    let told = findings.iter().filter(|finding| is_error(finding)).map(crate::cook::told);
    Refusal { summary: "The destination has errors", details: told.collect() }
}

#[cfg(test)]
mod tests {
    use istio_objects::ObjectKey;
    use mesh_foresight::Unforeseen;

    use super::not_modelled;

    #[test]
    fn only_an_overlay_that_is_there_is_blamed() {
        let object = ObjectKey { kind: "Gateway".to_owned(), namespace: None, name: "vd".parse().expect("a name") };
        let unforeseen = Unforeseen::NotModelled { object, member: "spec.x".to_owned() };
        let remedy = |overlay| not_modelled(&unforeseen, overlay).details.pop().expect("it has some");
        assert!(remedy(Some(2)).starts_with("`overlays[2]` writes it"), "{}", remedy(Some(2)));
        assert!(remedy(None).contains("a gap of the provider"), "{}", remedy(None));
    }
}
