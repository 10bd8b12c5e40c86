//! What has to hold before a Service can be a backend.

use mesh_model::Code;

use super::Found;
use crate::inventory::{Kind, Object};
use crate::istio::control_plane;
use crate::mesh_config::is_discovered;
use crate::read;
use crate::verdict::{Verdicts, kubectl_get};
use crate::workload::{Member, Role, WORKLOAD_KINDS, members, workload_names};

impl<'a> Found<'_, 'a, '_> {
    /// Whether the inventory can tell what stands behind the Service.
    pub(super) fn check_kinds(&mut self) -> bool {
        let cluster = self.verdicts.cluster;
        let has_workloads = WORKLOAD_KINDS.iter().any(|kind| self.inventory.has(*kind));
        let has_pods = self.inventory.has(Kind::Pod);
        let missing = match (has_workloads, has_pods) {
            (false, false) => "Deployments nor Pods",
            (false, true) if self.behind.is_empty() => "Deployments nor other workloads",
            (true, false) => {
                if !self.behind.is_empty() {
                    let what = format!(
                        "The inventory of cluster {cluster} has no Pod: the sidecars behind {} are not checked.",
                        self.object()
                    );
                    let why = "Mutual TLS breaks the calls to pods without a sidecar.";
                    self.verdicts.object(Code::NotChecked, &self.object(), what, why, kubectl_get(cluster, "pods"));
                }
                return true;
            }
            _ => return true,
        };
        self.verdicts.object(
            Code::KindMissing,
            &self.object(),
            format!(
                "The inventory of cluster {cluster} has neither {missing}, so what stands behind {} is not known.",
                self.object()
            ),
            "Service accounts, sidecars and the canonical name are read from workloads.",
            kubectl_get(cluster, "deployments,statefulsets,daemonsets,pods"),
        );
        false
    }

    /// An error if istiod does not look at the namespace: then it knows neither the Service nor our objects there.
    pub(super) fn check_discovered(&mut self) {
        let mentions = |object: Object<'_>| {
            read::text(object.value, &["data", "mesh"]).is_some_and(|mesh| mesh.contains("discoverySelectors"))
        };
        if !self.inventory.all(Kind::ConfigMap).any(mentions) {
            return;
        }
        // what is wrong with the control plane is the business of the cluster's facts
        let mut elsewhere = Verdicts::new(self.verdicts.cluster);
        let everybody = members(self.inventory, None);
        let Some(istio) = control_plane(self.inventory, &everybody, None, &mut elsewhere) else { return };
        let (object, namespace, cluster) = (self.object(), self.namespace, self.verdicts.cluster);
        let Some(known) = self.inventory.get(Kind::Namespace, "", namespace.as_str()) else {
            if !istio.discovery_selectors.is_empty() {
                self.verdicts.object(
                    Code::NotChecked,
                    &object,
                    format!("The inventory of cluster {cluster} has no Namespace {namespace}: whether istiod looks at it is not known."),
                    "discoverySelectors of the mesh configuration choose namespaces by label.",
                    kubectl_get(cluster, "namespaces"),
                );
            }
            return;
        };
        if !is_discovered(&istio.discovery_selectors, &read::map(known.value, &["metadata", "labels"])) {
            self.verdicts.object(
                Code::UnusableService,
                &object,
                format!("{object} in cluster {cluster} is in a namespace that istiod does not look at."),
                "discoverySelectors of the mesh configuration leave it out, so the gateway does not know the Service.",
                format!("Give the namespace {namespace} a label that one of the discoverySelectors matches."),
            );
        }
    }

    /// An error for templates without pods whose pods will have no sidecar: that there are none now must not make the Service
    /// one that is listed.
    pub(super) fn check_templates(&mut self) {
        if !self.inventory.has(Kind::Namespace) {
            return;
        }
        let bare = |member: &&Member<'a>| {
            member.pod.is_none()
                && !self.has_pods(member)
                && !member.has_proxy(Role::Sidecar)
                && (member.has_proxy(Role::Gateway) || !self.is_to_be_injected(member))
        };
        let names = workload_names(self.behind.iter().filter(bare));
        if names.is_empty() {
            return;
        }
        let (object, cluster, namespace) = (self.object(), self.verdicts.cluster, self.namespace);
        self.verdicts.object(
            Code::SidecarMissing,
            &object,
            format!("Behind {object} in cluster {cluster} are workloads whose pods will have no sidecar: {names}."),
            "The destination calls all its endpoints with mutual TLS; pods without a sidecar refuse it.",
            format!("Label the namespace: kubectl label namespace {namespace} istio-injection=enabled"),
        );
    }

    /// Errors for workloads that answer without mutual TLS of a sidecar.
    pub(super) fn check_sidecars(&mut self) {
        let namespace = self.inventory.get(Kind::Namespace, "", self.service.namespace);
        let namespace_mode = namespace.and_then(|namespace| namespace.label("istio.io/dataplane-mode"));
        let bare = |member: &&Member<'a>| match member.pod {
            Some(_) => !member.has_proxy(Role::Sidecar),
            // a template shows an injected sidecar only in its pods
            None => !member.has_proxy(Role::Sidecar) && !self.has_pods(member) && member.inject() == Some(false),
        };
        let ambient = |member: &Member<'a>| {
            let mode = member.dataplane_mode().or(namespace_mode);
            member.has_proxy(Role::Ambient)
                || member.is_redirected_to_ztunnel()
                || (mode == Some("ambient") && !member.has_proxy(Role::Sidecar) && member.inject() != Some(true))
        };
        let ambient_now = |member: &&Member<'a>| ambient(member) && (member.pod.is_some() || !self.has_pods(member));
        let in_ambient: Vec<&Member<'a>> = self.behind.iter().filter(ambient_now).collect();
        let without: Vec<&Member<'a>> = self.behind.iter().filter(bare).filter(|member| !ambient(member)).collect();
        let (object, cluster) = (self.object(), self.verdicts.cluster);
        if !in_ambient.is_empty() {
            let names = workload_names(in_ambient.iter().copied());
            self.verdicts.object(
                Code::AmbientWorkload,
                &object,
                format!("Behind {object} in cluster {cluster} are workloads in ambient mode: {names}."),
                "An east-west gateway passes mutual TLS of sidecars through; ztunnel does not answer it.",
                "Move these workloads to sidecars (remove the label istio.io/dataplane-mode=ambient, set istio-injection=enabled, \
                 restart them), or leave the cluster out of `backends`.",
            );
        }
        if !without.is_empty() {
            let names = workload_names(without.iter().copied());
            let namespace = self.namespace;
            self.verdicts.object(
                Code::SidecarMissing,
                &object,
                format!("Behind {object} in cluster {cluster} are workloads without a sidecar: {names}."),
                "The destination calls all its endpoints with mutual TLS; pods without a sidecar refuse it.",
                format!(
                    "Label the namespace (kubectl label namespace {namespace} istio-injection=enabled) and restart the workloads, \
                     or leave the cluster out of `backends`."
                ),
            );
        }
    }
}
