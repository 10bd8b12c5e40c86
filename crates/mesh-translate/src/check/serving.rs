//! Whether policies let calls from other clusters reach the pods: mutual TLS, authorisation.

use mesh_model::hosts::covers;
use mesh_model::{AttributePath, Code, Finding, Findings};
use serde_json::Value;

use super::live::{Inventory, Live};
use super::planned::Planned;
use super::pods::{Pods, Reach};

pub(super) fn check(planned: &Planned<'_>, pods: &Pods<'_>, inventory: &Inventory<'_>, findings: &mut Findings) {
    check_mutual_tls(pods, inventory, findings);
    check_authorization(planned, pods, inventory, findings);
}

fn check_mutual_tls(pods: &Pods<'_>, inventory: &Inventory<'_>, findings: &mut Findings) {
    let root = inventory.root_namespace();
    let applying: Vec<(Reach, Live<'_>)> =
        inventory.of_kind("PeerAuthentication").filter_map(|policy| Some((pods.reach(&policy, root)?, policy))).collect();
    let ports: Vec<Option<&str>> = pods.target_ports.iter().map(|port| Some(port.as_str())).collect();
    let ports = if ports.is_empty() { vec![None] } else { ports };
    for port in ports {
        // the most specific one that says anything counts
        let Some(reach) = applying.iter().filter(|(_, policy)| mode(policy, port).is_some()).map(|(reach, _)| *reach).max()
        else {
            continue;
        };
        for (_, policy) in applying.iter().filter(|(other, policy)| *other == reach && mode(policy, port) == Some("DISABLE")) {
            findings.push(mutual_tls_off(pods, inventory, policy));
        }
    }
}

fn mutual_tls_off(pods: &Pods<'_>, inventory: &Inventory<'_>, policy: &Live<'_>) -> Finding {
    Finding::new(
        Code::MutualTlsOff,
        AttributePath::of("backends"),
        format!(
            "PeerAuthentication {}/{} in cluster {} turns mutual TLS off for pods of {}.",
            policy.namespace, policy.name, inventory.cluster, pods.whose
        ),
        "Clients call the destination with mutual TLS, and gateways drop endpoints without it: every call would fail.",
        "Set its mode to PERMISSIVE or STRICT for these pods, or leave the cluster out of `backends`.",
    )
    .in_cluster(inventory.cluster)
    .on_object(policy.key("PeerAuthentication"))
}

/// The mode for one of the pods' ports; `None` where the policy leaves it to a less specific one.
fn mode<'a>(policy: &Live<'a>, port: Option<&str>) -> Option<&'a str> {
    let set = |mode: Option<&'a Value>| mode.and_then(Value::as_str).filter(|mode| *mode != "UNSET");
    let port = port.and_then(|port| policy.at("/spec/portLevelMtls")?.get(port)?.get("mode"));
    set(port).or_else(|| set(policy.at("/spec/mtls/mode")))
}

/// Says what certainly denies; whom the rules of a policy admit is not known here.
fn check_authorization(planned: &Planned<'_>, pods: &Pods<'_>, inventory: &Inventory<'_>, findings: &mut Findings) {
    let root = inventory.root_namespace();
    let applying: Vec<Live<'_>> =
        inventory.of_kind("AuthorizationPolicy").filter(|policy| pods.reach(policy, root).is_some()).collect();
    let action = |policy: &Live<'_>| policy.at("/spec/action").and_then(Value::as_str).unwrap_or("ALLOW").to_owned();
    let unconditional = |rule: &Value| rule.as_object().is_some_and(serde_json::Map::is_empty);
    for policy in
        applying.iter().filter(|policy| action(policy) == "DENY" && policy.list("/spec/rules").iter().any(unconditional))
    {
        findings.push(denied(pods, inventory, policy, "denies every call"));
    }
    let allowing: Vec<&Live<'_>> = applying.iter().filter(|policy| action(policy) == "ALLOW").collect();
    let Some(first) = allowing.first() else { return };
    let mut rules = allowing.iter().flat_map(|policy| policy.list("/spec/rules")).peekable();
    if rules.peek().is_none() {
        findings.push(denied(pods, inventory, first, "allows nothing, and nothing else allows a call"));
    } else if !rules.any(|rule| admits_host(rule, planned.hostname)) {
        findings.push(denied(
            pods,
            inventory,
            first,
            &format!("allows other hosts only; clients ask for {0} and {0}:<port>", planned.hostname),
        ));
    }
}

/// Whether a rule is not limited to other hosts.
fn admits_host(rule: &Value, hostname: &str) -> bool {
    let Some(operations) = rule.get("to").and_then(Value::as_array).filter(|operations| !operations.is_empty()) else {
        return true;
    };
    operations.iter().any(|to| {
        let Some(hosts) = to.pointer("/operation/hosts").and_then(Value::as_array) else { return true };
        hosts.iter().filter_map(Value::as_str).any(|host| {
            let host = host.to_ascii_lowercase();
            let name = host.strip_suffix(":*").unwrap_or(&host);
            let name =
                name.rsplit_once(':').filter(|(_, port)| port.bytes().all(|b| b.is_ascii_digit())).map_or(name, |(name, _)| name);
            covers(name, hostname) || name.strip_suffix('*').is_some_and(|prefix| hostname.starts_with(prefix))
        })
    })
}

fn denied(pods: &Pods<'_>, inventory: &Inventory<'_>, policy: &Live<'_>, what: &str) -> Finding {
    Finding::new(
        Code::AuthorizationDenies,
        AttributePath::of("backends"),
        format!(
            "AuthorizationPolicy {}/{} in cluster {} applies to pods of {} and {what}.",
            policy.namespace, policy.name, inventory.cluster, pods.whose
        ),
        "Denied calls are answered 403, which no retry and no failover repairs.",
        "Allow the clients by their accounts, from other clusters too: rules: [{ from: [{ source: { principals: [<trust domain>/ns/<namespace>/sa/<account>] } }] }]",
    )
    .in_cluster(inventory.cluster)
    .on_object(policy.key("AuthorizationPolicy"))
}
