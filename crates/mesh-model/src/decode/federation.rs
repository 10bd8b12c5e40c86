//! What the resource of a mesh writes: exported Services under names of the whole mesh, and the mode of mutual TLS.

use std::collections::BTreeSet;

use super::destination::{decode_backends, decode_client_namespace, decode_ignored, decode_keepalive};
use super::facts::optional;
use super::failover::Around;
use super::mesh::check_outside_clusters;
use super::reader::{Read, Sink, Value, all};
use super::shapes::{FEDERATION, MUTUAL_TLS};
use crate::derived::federated_hostname;
use crate::facts::Backend;
use crate::finding::Code;
use crate::intent::{Export, Federation, MutualTls, VirtualMesh};
use crate::names::{ClusterName, HostnameSuffix};
use crate::text::quoted;

/// `mesh` and its members are known as far as they could be read.
pub(super) fn decode_federation(
    value: &Value<'_>,
    (mesh, members): (Option<&VirtualMesh>, Option<&BTreeSet<ClusterName>>),
    sink: &mut Sink,
) -> Read<Federation> {
    let federation = value.object(sink, &FEDERATION)?;
    let exports_value = federation.get("exports");
    let backends = decode_backends(&exports_value, members, sink);
    let suffix_value = federation.get("hostname_suffix");
    let suffix = decode_suffix(&suffix_value, mesh, sink);
    let exports = match (backends, &suffix) {
        (Ok(backends), Ok(suffix)) => decode_exports(&exports_value, backends, suffix, mesh, sink),
        (Err(reported), _) => Err(reported),
        (_, Err(reported)) => Err(*reported),
    };
    let around = Around { mesh, members, clients: members, serving: None };
    let client_namespace =
        optional(&federation.get("client_namespace"), sink, |value, sink| decode_client_namespace(value, around, sink));
    let tcp_keepalive = optional(&federation.get("tcp_keepalive"), sink, decode_keepalive);
    let ignored = optional(&federation.get("ignore_findings"), sink, decode_ignored);
    Ok(Federation {
        exports: exports?,
        client_namespace: client_namespace?.unwrap_or_default(),
        tcp_keepalive: tcp_keepalive?,
        ignored: ignored?.unwrap_or_default(),
    })
}

fn decode_suffix(value: &Value<'_>, mesh: Option<&VirtualMesh>, sink: &mut Sink) -> Read<HostnameSuffix> {
    let suffix = optional(value, sink, |value, sink| value.name(sink))?.unwrap_or_else(HostnameSuffix::global);
    if let Some(mesh) = mesh {
        check_outside_clusters(suffix.as_str(), value, &mesh.clusters, sink)?;
    }
    Ok(suffix)
}

/// Gives every Service its name. A cluster's domain may be another cluster's name and the suffix: that is refused.
fn decode_exports(
    value: &Value<'_>,
    backends: Vec<Backend>,
    suffix: &HostnameSuffix,
    mesh: Option<&VirtualMesh>,
    sink: &mut Sink,
) -> Read<Vec<Export>> {
    let items = value.list(sink, usize::MAX)?;
    let decode = |(backend, item): (Backend, &Value<'_>), sink: &mut Sink| {
        let Backend { service, namespace, cluster, subsets, .. } = &backend;
        if subsets.is_some() {
            let what = format!("Export {namespace}/{service} of cluster {cluster} names subsets.");
            let why = "An export is called as a whole; a gloo_virtual_destination has subsets.";
            sink.report(Code::Unsupported, item.path().attribute("subsets"), what, why, "Remove `subsets`.");
        }
        let hostname = federated_hostname(service, namespace, cluster, suffix).map_err(|error| {
            let what = format!(
                "The name of this export, <service>.<namespace>.svc.<cluster>.{suffix}, has {} characters.",
                error.text.len()
            );
            sink.report(
                Code::InvalidValue,
                item.path(),
                what,
                "A hostname has at most 253.",
                "Write a shorter hostname_suffix: hostname_suffix = \"global\"",
            )
        })?;
        if let Some(mesh) = mesh {
            check_outside_clusters(hostname.as_str(), item, &mesh.clusters, sink)?;
        }
        Ok(Export { hostname, backend })
    };
    all(backends.into_iter().zip(&items).map(|pair| decode(pair, sink)).collect())
}

pub(super) fn decode_mutual_tls(value: &Value<'_>, sink: &mut Sink) -> Read<MutualTls> {
    let mode = value.object(sink, &MUTUAL_TLS)?.get("mode");
    let text = mode.string(sink)?;
    if let Some(mode) = MutualTls::ALL.into_iter().find(|mode| mode.as_str() == text) {
        return Ok(mode);
    }
    if text == "disable" {
        let what = "Mode disable would turn mutual TLS off in every member.";
        let why = "East-west gateways pass mutual TLS alone: every call from another cluster would fail.";
        return Err(mode.report(sink, Code::Unsupported, what, why));
    }
    let names = MutualTls::ALL.map(|mode| quoted(mode.as_str()).to_string()).join(", ");
    Err(mode.report(sink, Code::InvalidValue, format!("{} is no mode of mutual TLS.", quoted(text)), format!("One of: {names}.")))
}
