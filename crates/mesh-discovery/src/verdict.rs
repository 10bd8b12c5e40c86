//! Findings of discovery and the HCL that they show.

use mesh_model::names::ClusterName;
use mesh_model::{AttributePath, Code, Finding, Findings, Severity};

/// Collects the findings about one cluster.
pub(crate) struct Verdicts<'c> {
    pub(crate) cluster: &'c ClusterName,
    findings: Findings,
}

impl<'c> Verdicts<'c> {
    pub(crate) fn new(cluster: &'c ClusterName) -> Self {
        Self { cluster, findings: Vec::new() }
    }

    /// A finding about the cluster as a whole.
    pub(crate) fn cluster(&mut self, code: Code, what: impl Into<String>, why: impl Into<String>, fix: impl Into<String>) {
        self.findings.push(Finding::new(code, AttributePath::of("name"), what, why, fix).in_cluster(self.cluster));
    }

    /// A finding about one object, `<Kind>/<namespace>/<name>`.
    pub(crate) fn object(
        &mut self,
        code: Code,
        object: &str,
        what: impl Into<String>,
        why: impl Into<String>,
        fix: impl Into<String>,
    ) {
        let finding = Finding::new(code, AttributePath::of("name"), what, why, fix);
        self.findings.push(finding.in_cluster(self.cluster).on_object(object));
    }

    /// A finding that was made elsewhere.
    pub(crate) fn pass_on(&mut self, finding: Finding) {
        self.findings.push(finding);
    }

    pub(crate) fn has_error(&self) -> bool {
        self.findings.iter().any(|finding| finding.code.severity() == Severity::Error)
    }

    /// All findings in their order, each once.
    pub(crate) fn into_findings(mut self) -> Findings {
        self.findings.sort();
        self.findings.dedup();
        self.findings
    }
}

/// The facts of a cluster as they are written by hand; `given` are lines that are already known.
pub(crate) fn facts_by_hand(cluster: &ClusterName, given: &[(&str, &str)]) -> String {
    let value =
        |name: &str, example: &str| given.iter().find(|(of, _)| *of == name).map_or(example, |(_, value)| value).to_owned();
    format!(
        "resource \"gloo_virtual_mesh\" \"…\" {{\n  clusters = {{\n    {cluster} = {{\n      istio_version = \"{}\"\n      \
         revision      = \"{}\"\n      trust_domain  = \"{}\"\n      dns_capture   = true\n      \
         gateways      = [{{ addresses = [\"203.0.113.10\"] }}]\n    }}\n  }}\n}}",
        value("istio_version", "1.28"),
        value("revision", "default"),
        value("trust_domain", "cluster.local"),
    )
}

/// The line that brings kinds into the inventory of a directory cluster.
pub(crate) fn kubectl_get(cluster: &ClusterName, kinds: &str) -> String {
    let scope = if matches!(kinds, "namespaces" | "nodes") { "" } else { " --all-namespaces" };
    let file = kinds.replace(',', "-");
    format!("In the directory of cluster {cluster}: kubectl get {kinds}{scope} -o yaml > inventory/{file}.yaml")
}
