//! Virtual meshes: as a resource, and as the object that destinations take, which says nothing of what the resource writes.

use std::collections::{BTreeMap, BTreeSet};

use super::facts::{decode_cluster, optional};
use super::federation::{decode_federation, decode_mutual_tls};
use super::reader::{Object, Read, Sink, Value, all};
use super::shapes::{MANAGED_MESH, VIRTUAL_MESH};
use super::{MAX_CLUSTERS, MAX_LIST};
use crate::facts::ClusterFacts;
use crate::finding::Code;
use crate::intent::{ManagedMesh, VirtualMesh};
use crate::names::{ClusterName, HostnameSuffix, Namespace, OwnerId, TrustDomain};

/// `gloo_virtual_mesh`
pub(super) fn decode_resource(value: &Value<'_>, sink: &mut Sink) -> Read<ManagedMesh> {
    let resource = value.top_level(sink, &MANAGED_MESH)?;
    let (mesh, members) = decode_members(&resource, sink);
    let around = (mesh.as_ref().ok(), members.as_ref());
    let federation = optional(&resource.get("federation"), sink, |value, sink| decode_federation(value, around, sink));
    let mutual_tls = optional(&resource.get("mtls"), sink, decode_mutual_tls);
    Ok(ManagedMesh { mesh: mesh?, federation: federation?, mutual_tls: mutual_tls? })
}

/// The argument `virtual_mesh`. The members are known also where their facts are wrong; `None`: they are not known.
pub(super) fn decode_argument(value: &Value<'_>, sink: &mut Sink) -> (Read<VirtualMesh>, Option<BTreeSet<ClusterName>>) {
    match value.object(sink, &VIRTUAL_MESH) {
        Ok(mesh) => {
            let owner = optional(&mesh.get("owner"), sink, |value, sink| value.name::<OwnerId>(sink));
            let (decoded, members) = decode_members(&mesh, sink);
            (decoded.and_then(|mesh| owner.map(|_| mesh)), members)
        }
        Err(reported) => (Err(reported), None),
    }
}

fn decode_members(mesh: &Object<'_>, sink: &mut Sink) -> (Read<VirtualMesh>, Option<BTreeSet<ClusterName>>) {
    let name = mesh.get("name").name(sink);
    let suffix_value = mesh.get("hostname_suffix");
    let suffix = optional(&suffix_value, sink, |value, sink| value.name::<HostnameSuffix>(sink));
    let (clusters, members) = match decode_clusters(&mesh.get("clusters"), sink) {
        Ok((clusters, members)) => (clusters, Some(members)),
        Err(reported) => (Err(reported), None),
    };
    let accepted =
        optional(&mesh.get("accepted_trust_domains"), sink, |value, sink| decode_accepted(value, members.as_ref(), sink));
    let finish = |sink: &mut Sink| {
        let (name, clusters, accepted) = (name?, clusters?, accepted?);
        let hostname_suffix = suffix?.unwrap_or_default();
        check_outside_clusters(hostname_suffix.as_str(), &suffix_value, &clusters, sink)?;
        Ok(VirtualMesh { name, hostname_suffix, clusters, accepted_trust_domains: accepted.unwrap_or_default() })
    };
    (finish(sink), members)
}

type Clusters = BTreeMap<ClusterName, ClusterFacts>;

fn decode_clusters(value: &Value<'_>, sink: &mut Sink) -> Read<(Read<Clusters>, BTreeSet<ClusterName>)> {
    let items = value.map(sink, MAX_CLUSTERS)?;
    if items.is_empty() {
        return Err(value.empty(sink));
    }
    let mut members = BTreeSet::new();
    let clusters = items
        .into_iter()
        .map(|(key, item)| {
            let name = item.key::<ClusterName>(sink, key);
            members.extend(name.iter().cloned());
            let facts = decode_cluster(&item, sink);
            Ok((name?, facts?))
        })
        .collect();
    Ok((all(clusters).map(BTreeMap::from_iter), members))
}

/// Trust domains by the member that accepts them.
fn decode_accepted(
    value: &Value<'_>,
    members: Option<&BTreeSet<ClusterName>>,
    sink: &mut Sink,
) -> Read<BTreeMap<ClusterName, BTreeSet<TrustDomain>>> {
    let items = value.map(sink, MAX_CLUSTERS)?;
    let accepted = items.into_iter().map(|(key, item)| {
        let cluster = item.key(sink, key).and_then(|name| check_member(name, &item, members, sink));
        let domains = item.list(sink, MAX_LIST).and_then(|items| all(items.iter().map(|item| item.name(sink)).collect()));
        Ok((cluster?, domains?.into_iter().collect()))
    });
    let accepted = accepted.collect();
    Ok(all(accepted)?.into_iter().collect())
}

/// Why [`check_outside_clusters`] and [`check_no_short_name`] refuse.
const TAKES_CALLS: &str = "Calls to a cluster's own Services would be taken away from them.";

/// A name that clients call must not end in the domain of a cluster's own Services.
pub(super) fn check_outside_clusters(text: &str, value: &Value<'_>, clusters: &Clusters, sink: &mut Sink) -> Read<()> {
    let ends_in = |domain: &str| text.strip_suffix(domain).is_some_and(|rest| rest.is_empty() || rest.ends_with('.'));
    for (cluster, facts) in clusters {
        if ends_in(facts.cluster_domain.as_str()) {
            let what = format!("{text:?} ends in {}, the domain of the Services in cluster {cluster}.", facts.cluster_domain);
            return Err(value.report(sink, Code::ClusterHostname, what, TAKES_CALLS));
        }
    }
    if ends_in("svc") {
        let what = format!("{text:?} ends in svc, as the short names of Services do.");
        return Err(value.report(sink, Code::ClusterHostname, what, TAKES_CALLS));
    }
    Ok(())
}

/// Nor may it be how clients call a Service in one of these namespaces.
pub(super) fn check_no_short_name<'n>(
    text: &str,
    value: &Value<'_>,
    mut namespaces: impl Iterator<Item = &'n Namespace>,
    sink: &mut Sink,
) -> Read<()> {
    let Some((service, namespace)) = text.split_once('.').filter(|(_, rest)| namespaces.any(|own| own.as_str() == *rest)) else {
        return Ok(());
    };
    let what = format!("{text:?} is the short name of a Service {service} in namespace {namespace}.");
    Err(value.report(sink, Code::ClusterHostname, what, TAKES_CALLS))
}

/// A cluster that is named somewhere must be a member.
pub(super) fn decode_member(value: &Value<'_>, members: Option<&BTreeSet<ClusterName>>, sink: &mut Sink) -> Read<ClusterName> {
    let name = value.name(sink)?;
    check_member(name, value, members, sink)
}

pub(super) fn check_member(
    name: ClusterName,
    value: &Value<'_>,
    members: Option<&BTreeSet<ClusterName>>,
    sink: &mut Sink,
) -> Read<ClusterName> {
    let Some(members) = members.filter(|members| !members.contains(&name)) else {
        return Ok(name);
    };
    let what = format!("Cluster {name} is no member of the virtual mesh; its members are {}.", super::reader::names(members));
    let fix = format!("Add it to clusters of the virtual mesh, {name} = data.gloo_cluster.{name}.facts, or remove it here.");
    Err(sink.report(Code::UnknownCluster, value.path(), what, "Nothing is known about it, and nothing is written there.", fix))
}
