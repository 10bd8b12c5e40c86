//! A virtual mesh: what its members hold besides destinations, and whether they trust each other.

use std::collections::BTreeMap;
use std::sync::Arc;

use istio_objects::Object;
use istio_objects::kinds::{MutualTlsMode, PeerAuthentication};
use mesh_model::facts::ClusterFacts;
use mesh_model::finding::Severity;
use mesh_model::input::PathStep;
use mesh_model::intent::{ManagedMesh, MutualTls, VirtualMesh};
use mesh_model::names::{ClusterName, Namespace, TrustDomain};
use mesh_model::{AttributePath, Code, Finding, Findings};

use crate::federation::{self, Told};
use crate::{Objects, Translation};

/// The one name under which Istio reads the mode of a whole mesh or namespace from now on; two are an error of its own.
const DEFAULT: &str = "default";

/// Translates a virtual mesh. One without `federation` and `mtls` has no objects in any cluster.
pub fn translate_mesh(intent: &ManagedMesh) -> Translation {
    let ManagedMesh { mesh, federation, mutual_tls } = intent;
    let mut translation = Translation::default();
    if let Some(federation) = federation {
        (translation.objects, translation.findings) = federation::federate(mesh, federation);
    }
    if let Some(mode) = mutual_tls {
        add_mode(&mut translation.objects, mesh, *mode);
    }
    let Translation { objects, findings } = &mut translation;
    // with exports it is an error, which says more
    if !findings.iter().any(|finding| finding.code == Code::TrustDomainsDiffer) {
        findings.extend(trust_domains(mesh));
    }
    if findings.iter().any(|finding| finding.code.severity() == Severity::Error) {
        objects.clear();
    }
    objects.values_mut().for_each(|objects| objects.sort_by_cached_key(|object| object.key()));
    findings.sort();
    translation
}

/// What [`crate::check_inventory`] says of the objects of a mesh, where the mesh has what the destination would have.
pub fn in_mesh(findings: Findings) -> Findings {
    let (mut told, mut others) = (Told::default(), Findings::new());
    for mut finding in findings {
        let Some(PathStep::Attribute(argument)) = finding.path.0.first() else {
            others.push(finding);
            continue;
        };
        match argument.as_str() {
            "hostname" | "namespace" | "backends" => {
                finding.path = AttributePath::of("federation").attribute("exports");
                told.tell(finding);
            }
            "client_namespace" => {
                finding.path = AttributePath::of("federation").attribute("client_namespace");
                told.tell(finding);
            }
            "manifest" => {
                finding.path = AttributePath::of("mtls");
                others.push(finding);
            }
            _ => others.push(finding),
        }
    }
    others.extend(told.findings());
    others.sort();
    others
}

/// The mode of every member, in its root namespace.
fn add_mode(objects: &mut Objects, mesh: &VirtualMesh, mode: MutualTls) {
    let mode = match mode {
        MutualTls::Strict => MutualTlsMode::Strict,
        MutualTls::Permissive => MutualTlsMode::Permissive,
    };
    let mut made: BTreeMap<&Namespace, Arc<Object>> = BTreeMap::new();
    for (cluster, facts) in &mesh.clusters {
        let root = &facts.root_namespace;
        let object = made.entry(root).or_insert_with(|| {
            let name = DEFAULT.parse().expect("it is an object name");
            Arc::new(PeerAuthentication { mode: Some(mode) }.object(root.clone(), name, BTreeMap::new()))
        });
        objects.entry(cluster.clone()).or_default().push(Arc::clone(object));
    }
}

/// Members whose workloads do not accept each other, as far as is said.
fn trust_domains(mesh: &VirtualMesh) -> Option<Finding> {
    let mut domains: BTreeMap<&TrustDomain, Vec<&str>> = BTreeMap::new();
    for (cluster, facts) in &mesh.clusters {
        domains.entry(&facts.trust_domain).or_default().push(cluster.as_str());
    }
    let refuses = |(cluster, facts): (&ClusterName, &ClusterFacts)| {
        let accepted = mesh.accepted_trust_domains.get(cluster);
        let is_refused =
            |domain: &TrustDomain| *domain != facts.trust_domain && !accepted.is_some_and(|accepted| accepted.contains(domain));
        let refused: Vec<String> =
            domains.keys().filter(|domain| is_refused(domain)).map(|domain| format!("{:?}", domain.as_str())).collect();
        (!refused.is_empty()).then(|| format!("{cluster} = [{}]", refused.join(", ")))
    };
    let missing: Vec<String> = mesh.clusters.iter().filter_map(refuses).collect();
    let ids: Vec<String> = domains
        .iter()
        .map(|(domain, clusters)| format!("spiffe://{domain}/ns/<namespace>/sa/<account> in {}", clusters.join(", ")))
        .collect();
    (!missing.is_empty()).then(|| {
        Finding::new(
            Code::MembersDistrust,
            AttributePath::of("accepted_trust_domains"),
            format!("The members have {} trust domains; their workloads are {}.", domains.len(), ids.join("; ")),
            "A server refuses clients of another trust domain, unless its mesh accepts that domain. Destinations and exports \
             that would lead from one to another are refused where nothing says so.",
            format!(
                "Let each mesh accept the others (meshConfig.caCertificates[].trustDomains), and say so: accepted_trust_domains = {{ {} }}. Or give the meshes one `trustDomain`, or make a virtual mesh of each.",
                missing.join(", ")
            ),
        )
    })
}
