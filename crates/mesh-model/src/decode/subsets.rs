//! Subsets: parts of the pods behind a destination, among which calls are split.

use std::collections::{BTreeMap, BTreeSet};

use super::MAX_SUBSETS;
use super::facts::optional;
use super::reader::{Read, Sink, Value, all, check_unique, names, shown, sound};
use super::scalars::decode_selector;
use super::shapes::SUBSET;
use crate::derived;
use crate::facts::Backend;
use crate::finding::Code;
use crate::intent::{Port, Protocol, Subset};
use crate::names::{Hostname, SubsetName};
use crate::text::quoted;

/// What the weights of all subsets are together.
const WHOLE: u32 = 100;
/// Most bytes of a server name, after which TLS libraries refuse it.
const MAX_SERVER_NAME: usize = 255;
/// Labels that tell endpoints something else: what selects and ranks them, how they are called, and where they are. One that ends
/// with `/` or `-` stands for all that begin so.
const TAKEN: [&str; 6] = [
    "gloo-terraform/",
    "gloo-terraform-",
    "service.istio.io/canonical-name",
    "security.istio.io/tlsMode",
    "topology.istio.io/",
    "topology.kubernetes.io/",
];

type Subsets = BTreeMap<SubsetName, Subset>;

pub(super) fn decode_subsets(value: &Value<'_>, sink: &mut Sink) -> Read<Subsets> {
    let items = value.map(sink, MAX_SUBSETS)?;
    if items.is_empty() {
        return Err(value.empty(sink));
    }
    let subsets: Vec<_> = items.iter().map(|(key, item)| decode_subset(key, item, sink)).collect();
    let subsets: Subsets = all(subsets)?.into_iter().collect();
    let sum: u32 = subsets.values().map(|subset| u32::from(subset.weight)).sum();
    if sum != WHOLE {
        let weights: Vec<String> = subsets.iter().map(|(name, subset)| format!("{name} = {}", subset.weight)).collect();
        let what = format!("The weights of {} are {sum} together: {}.", shown(&value.path()), weights.join(", "));
        return Err(value.report(sink, Code::InvalidValue, what, "They are percent of all calls: 100 together."));
    }
    let all: Vec<_> = subsets.iter().zip(&items).collect();
    for ((name, subset), (_, item)) in &all {
        let covers = |(other, wide): (&SubsetName, &Subset)| {
            other != *name && wide.labels.iter().all(|(key, value)| subset.labels.get(key) == Some(value))
        };
        // of two that are equal the later one is told
        let covering =
            subsets.iter().find(|(other, wide)| covers((other, wide)) && (wide.labels != subset.labels || other < name));
        if let Some((other, wide)) = covering {
            let what = format!("The labels of {other}, {}, select every pod of {name}, {}, too.", text(wide), text(subset));
            let why = "Calls of one subset would be answered by the other one.";
            return Err(item.report(sink, Code::ConflictingArguments, what, why));
        }
    }
    Ok(subsets)
}

fn decode_subset(key: &str, item: &Value<'_>, sink: &mut Sink) -> Read<(SubsetName, Subset)> {
    let name = item.key::<SubsetName>(sink, key);
    let subset = item.object(sink, &SUBSET)?;
    let labels_value = subset.get("labels");
    let labels = decode_selector(&labels_value, sink).and_then(|labels| {
        let is_taken = |label: &&String| {
            TAKEN.iter().any(|taken| if taken.ends_with(['/', '-']) { label.starts_with(taken) } else { *label == taken })
        };
        match labels.keys().find(is_taken) {
            None => Ok(labels),
            Some(label) => {
                let what = format!("{} cannot tell a subset.", quoted(label));
                let why = "Istio, or this provider, says something else of endpoints with this label.";
                Err(labels_value.report(sink, Code::InvalidValue, what, why))
            }
        }
    });
    let weight = subset.get("weight").integer(sink, 0, WHOLE);
    let (name, labels, weight) = (name?, labels?, weight?);
    Ok((name, Subset { labels, weight: u8::try_from(weight).unwrap_or(u8::MAX) }))
}

/// Subsets of a backend.
pub(super) fn decode_backend_subsets(value: &Value<'_>, sink: &mut Sink) -> Read<Option<BTreeSet<SubsetName>>> {
    optional(value, sink, |value, sink| {
        let items = value.filled_list(sink, MAX_SUBSETS)?;
        let subsets: Vec<_> = items.iter().map(|item| item.name::<SubsetName>(sink)).collect();
        let entries = sound(&subsets, &items).map(|(name, item)| (name, format!("Subset {name}"), item.path()));
        check_unique(sink, entries, "subsets is a set.")?;
        subsets.into_iter().collect()
    })
}

/// Judges which subsets backends have.
pub(super) fn check_backends(value: &Value<'_>, backends: &[Backend], subsets: &Subsets, sink: &mut Sink) {
    for (index, backend) in backends.iter().enumerate() {
        let Backend { cluster, namespace, service, selector, subsets: own, .. } = backend;
        let path = value.path().index(index).attribute("subsets");
        if let Some(stranger) = own.iter().flatten().find(|name| !subsets.contains_key(*name)) {
            let declared = if subsets.is_empty() { "none".to_owned() } else { names(subsets.keys()) };
            let what = format!(
                "Service {namespace}/{service} of cluster {cluster} names subset {stranger}; the destination's: {declared}."
            );
            let fix = format!(
                "Declare it: subsets = {{ {stranger} = {{ labels = {{ version = \"{stranger}\" }}, weight = 0 }} }}, with the others."
            );
            sink.report(Code::InvalidValue, path, what, "Only subsets of the destination get calls.", fix);
            continue;
        }
        let contradicts = |(_, subset): &(&SubsetName, &Subset)| {
            subset.labels.iter().any(|(key, value)| selector.get(key).is_some_and(|selected| selected != value))
        };
        let mut has = subsets.iter().filter(|(name, _)| backend.has_subset(name));
        if let Some((name, subset)) = has.find(contradicts) {
            let selected: Vec<String> = selector.iter().map(|(key, value)| format!("{key}={value}")).collect();
            let what = format!(
                "Service {namespace}/{service} of cluster {cluster} selects {}, which no pod of subset {name}, {}, has.",
                selected.join(","),
                text(subset)
            );
            let rest: Vec<String> = subsets
                .iter()
                .filter(|entry| backend.has_subset(entry.0) && !contradicts(entry))
                .map(|(name, _)| format!("\"{name}\""))
                .collect();
            let fix = format!(
                "Say which subsets it has: merge(<the backend>, {{ subsets = [{}] }}), or name a Service that selects the pods of all of them.",
                rest.join(", ")
            );
            sink.report(Code::ConflictingArguments, path, what, "Calls of the subset to that cluster would find nobody.", fix);
        }
    }
}

/// Judges ports: connections of `tls` cannot be split.
pub(super) fn check_ports(value: &Value<'_>, ports: &[Port], sink: &mut Sink) {
    for (index, port) in ports.iter().enumerate().filter(|(_, port)| port.protocol == Protocol::Tls) {
        let what = format!("Port {} carries TLS of the applications, which cannot be split among subsets.", port.name);
        let why = "Istio splits such connections by the name that a client asks for only: clients that ask for another one, or for none, would be cut off.";
        let fix = format!(
            "Carry it as bytes, which are split by connection: ports = [{{ number = {}, protocol = \"tcp\" }}]",
            port.number
        );
        sink.report(Code::Unsupported, value.path().index(index).attribute("protocol"), what, why, fix);
    }
}

/// Judges the length of server names.
pub(super) fn check_server_names(value: &Value<'_>, hostname: &Hostname, ports: &[Port], subsets: &Subsets, sink: &mut Sink) {
    let host = derived::serving_host(hostname);
    let longest = subsets.keys().max_by_key(|name| name.as_str().len()).into_iter();
    for (name, port) in longest.flat_map(|name| ports.iter().max_by_key(|port| port.number).map(|port| (name, port))) {
        let length = derived::server_name(port.number, Some(name), host.as_str()).len();
        if length > MAX_SERVER_NAME {
            let what = format!("The server name of subset {name} has {length} characters.");
            let why = format!("It is made of the hostname and the name of the subset; TLS takes {MAX_SERVER_NAME} at most.");
            value.report(sink, Code::InvalidValue, what, why);
        }
    }
}

fn text(subset: &Subset) -> String {
    let labels: Vec<String> = subset.labels.iter().map(|(key, value)| format!("{key}={value}")).collect();
    labels.join(",")
}
