//! What a change of a virtual destination does to requests on its way: its steps, as the apply will go them, each foretold.

use std::collections::{BTreeMap, BTreeSet};

use istio_objects::{Wave, changes};
use mesh_foresight::{Fleet, Interruption, Live, both, interruptions};
use mesh_model::intent::VirtualDestination;
use mesh_model::{AttributePath, Code, Finding, Findings};

use crate::foresight::usual_world;
use crate::session::PerCluster;

/// Requests that are answered before and after, and not in between. Nothing is said where it cannot be foretold: of objects that an
/// overlay changed beyond what is modelled, and of a hostname that becomes another one, which comes before the old one goes.
pub(super) fn findings(old: &VirtualDestination, new: &VirtualDestination, before: &PerCluster, goal: &PerCluster) -> Findings {
    if old.hostname != new.hostname {
        return Findings::new();
    }
    let waves = mesh_translate::order(changes(before, goal), goal);
    if waves.len() < 2 {
        return Findings::new();
    }
    let Some(lost) = lost(old, new, before, &waves) else { return Findings::new() };
    let mut by_step: BTreeMap<usize, Vec<&Interruption>> = BTreeMap::new();
    for interruption in &lost {
        by_step.entry(interruption.state).or_default().push(interruption);
    }
    let changed = changed(old, new);
    by_step.into_iter().map(|(state, lost)| finding((old, new), &waves[state - 1], &lost, &changed)).collect()
}

/// The arguments that say who serves whom, as far as they differ.
fn changed(old: &VirtualDestination, new: &VirtualDestination) -> Vec<&'static str> {
    let differs = [
        ("backends", old.backends != new.backends),
        ("subsets", old.subsets != new.subsets),
        ("ports", old.ports != new.ports),
        ("failover", old.failover != new.failover),
        ("clients", old.clients != new.clients),
        ("client_namespace", old.client_namespace != new.client_namespace),
        ("export_to", old.export_to != new.export_to),
        ("virtual_mesh", old.mesh != new.mesh),
    ];
    differs.into_iter().filter(|(_, differs)| *differs).map(|(name, _)| name).collect()
}

/// `None`: something is not modelled.
fn lost(old: &VirtualDestination, new: &VirtualDestination, before: &PerCluster, waves: &[Wave]) -> Option<Vec<Interruption>> {
    let (mesh, backends) = both((&old.mesh, &old.backends), (&new.mesh, &new.backends));
    let mut now = Live::of(before);
    let mut states = vec![Fleet::read(now.objects(), &mesh, &backends).ok()?];
    for wave in waves {
        wave.iter().for_each(|change| now.apply(change));
        states.push(Fleet::read(now.objects(), &mesh, &backends).ok()?);
    }
    let ports: Vec<u16> = new.ports.iter().map(|port| port.number.get()).collect();
    Some(interruptions(&states, &usual_world(new), new.hostname.as_str(), &ports))
}

/// How other backends come without a loss.
fn steps(old: &VirtualDestination, new: &VirtualDestination) -> String {
    let accounts = |intent: &VirtualDestination| -> BTreeSet<(String, String)> {
        let all =
            intent.backends.iter().flat_map(|backend| backend.service_accounts.iter().map(move |account| (backend, account)));
        all.filter_map(|(backend, account)| Some((backend.namespace.to_string(), account.known()?.to_string()))).collect()
    };
    let (before, after) = (accounts(old), accounts(new));
    let namespaces: BTreeSet<&String> = before.union(&after).map(|(namespace, _)| namespace).collect();
    if before == after || namespaces.len() > 1 {
        return "Change less in an apply: first add what comes to `backends`, where it can serve beside what goes, then take away what \
                goes. Or give what comes a hostname of its own, and let clients turn to it."
            .to_owned();
    }
    let both: Vec<String> = before.union(&after).map(|(_, account)| format!("{account:?}")).collect();
    format!(
        "Let clients accept the servers of before and those that come. Apply this with the backends of before, then with those that \
         come, then leave it out:\n\n  backends = [for b in <the backends> : merge(b, {{ service_accounts = [{}] }})]",
        both.join(", ")
    )
}

/// What is lost after one step of the apply.
fn finding(
    (old, new): (&VirtualDestination, &VirtualDestination),
    step: &Wave,
    lost: &[&Interruption],
    changed: &[&str],
) -> Finding {
    let first = lost[0];
    let clients: BTreeSet<&str> = lost.iter().map(|one| one.cluster.as_str()).collect();
    let ports: BTreeSet<u16> = lost.iter().map(|one| one.port).collect();
    let ports: Vec<String> = ports.iter().map(ToString::to_string).collect();
    let written = step.iter().find(|change| change.cluster == first.cluster).or_else(|| step.first());
    let written = written.map(|change| format!("{}/{}", change.cluster, change.key())).unwrap_or_default();
    let reasons = first.forecast.reasons();
    let state = if reasons.is_empty() { first.forecast.summary() } else { reasons.join("; ") };
    let fix = match changed {
        [] | ["backends"] => steps(old, new),
        several => format!("Change one of these in an apply, and the next in another one: {}.", several.join(", ")),
    };
    Finding::new(
        Code::LostInBetween,
        AttributePath::of(changed.first().copied().unwrap_or("backends")),
        format!(
            "Some requests to {}, port {}, of clients in {} are answered before this change and after it, and not in between. After \
             {written} is written: {state}.",
            new.hostname,
            ports.join(", "),
            clients.into_iter().collect::<Vec<_>>().join(", "),
        ),
        "Which pods a hostname means, how entries lead to others and whom clients accept stand in objects of their own; no order \
         of writes changes all of them at once. It lasts until the next step is written everywhere and proxies have followed.",
        fix,
    )
    .in_cluster(&first.cluster)
}
