//! Refreshing: what the clusters hold now, compared with what was written.

use std::collections::BTreeSet;
use std::time::Duration;

use istio_objects::ObjectKey;
use kube_apply::Standing;
use mesh_model::names::ClusterName;
use mesh_model::{Code, Finding, Findings};
use tf_server::{Applied, Cx, Private};
use tf_value::{Diagnostic, Diagnostics, Value};

use super::private::Notes;
use super::state::{Drift, Record, drift_value, with};
use super::{IntentKind, IntentResource, time_limit};
use crate::session::Session;
use crate::settings::Unreachable;

/// How long a refresh may take, unless `timeouts` says otherwise.
const READ_LIMIT: Duration = Duration::from_secs(60);

impl<K: IntentKind> IntentResource<K> {
    pub(super) async fn refresh(&self, cx: &Cx, mut state: Value, private: Private) -> Applied {
        let session = match self.configured.session() {
            Ok(session) => session,
            Err(diagnostics) => return Applied { state: Some(state), private, diagnostics },
        };
        let record = match Record::read(&state) {
            Ok(record) => record,
            Err(damaged) => return Applied { state: Some(state), private, diagnostics: damaged.into() },
        };
        let notes = Notes::read(&private);
        if let Some(changed) = super::plan::owner_changed(&notes, &session, K::TYPE) {
            return Applied { state: Some(state), private, diagnostics: changed.into() };
        }
        let objects: usize = record.manifests.values().map(Vec::len).sum();
        if objects == 0 && record.drift.is_empty() {
            return Applied { state: Some(state), private, diagnostics: Diagnostics::new() };
        }
        let claim = match self.claim_of(&state, &session) {
            Ok(claim) => claim,
            Err(damaged) => return Applied { state: Some(state), private, diagnostics: damaged.into() },
        };
        let limit = time_limit(&state, "read", READ_LIMIT);
        let mut prior = record.manifests.clone();
        for cluster in record.drifted_clusters() {
            prior.entry(cluster).or_default();
        }
        let seen = kube_apply::refresh_instance(&session.fleet, &claim, notes.instance.as_deref(), &prior);
        let mut seen = tokio::select! {
            seen = seen => seen,
            () = cx.cancel.cancelled() => return interrupted(state, private),
            () = tokio::time::sleep(limit) => return timed_out(state, private, limit),
        };
        if session.settings.clusters.is_none() {
            // no cluster is registered because none is known yet
            seen.findings.retain(|finding| finding.code != Code::UnconfiguredCluster);
        }
        if session.settings.unreachable == Unreachable::Warn {
            seen.findings.iter_mut().filter(|finding| finding.code == Code::ClusterUnreachable).for_each(keep_as_known);
        }
        seen.findings.extend(out_of_reach(&record, &session));
        let diagnostics = self.cook(&seen.findings);
        let unseen: BTreeSet<&ClusterName> = seen.skipped.iter().chain(&seen.unread).collect();
        if diagnostics.has_errors() {
            return Applied { state: Some(state), private, diagnostics };
        }
        let is_left_over = seen.drift.values().flatten().any(|line| line == kube_apply::LEFTOVER);
        if seen.present + seen.taken == 0 && unseen.is_empty() && objects > 0 && !is_left_over {
            return Applied { state: None, private: Private::new(), diagnostics };
        }
        // what could not be looked at stays as it was last seen
        let kept = record
            .drift
            .into_iter()
            .filter(|(object, _)| unseen.iter().any(|cluster| object.split('/').next() == Some(cluster.as_str())));
        let mut drift: Drift = kept.collect();
        drift.extend(seen.drift);
        with(&mut state, "drift", drift_value(&drift));
        Applied { state: Some(state), private, diagnostics }
    }
}

/// What an unreachable cluster means where that is no error.
fn keep_as_known(finding: &mut Finding) {
    finding.code = Code::ClusterSkipped;
    let cluster = finding.cluster.as_ref().map_or("the cluster", ClusterName::as_str);
    let kept = format!("The last known state of cluster {cluster} is kept, and nothing about it was checked");
    finding.what = format!("{kept}: {}", finding.what);
    finding.why = format!(
        "{} `plan.unreachable` is \"warn\", so the plan goes on with what every resource knew of this cluster: changes that \
         others made there are not seen, and a change of a resource that has objects there is refused.",
        finding.why
    );
}

/// What a failed apply left in clusters that the provider block has no more: nobody could delete it unseen.
fn out_of_reach(record: &Record, session: &Session) -> Findings {
    let mut findings = Findings::new();
    for cluster in record.drifted_clusters() {
        if record.manifests.contains_key(&cluster) || session.standing(&cluster) != Standing::Unconfigured {
            continue;
        }
        let prefix = format!("{cluster}/");
        let keys: Vec<ObjectKey> = record.drift.keys().filter_map(|key| key.strip_prefix(&prefix)?.parse().ok()).collect();
        findings.push(kube_apply::unconfigured(&cluster, keys.iter()));
    }
    findings
}

fn interrupted(state: Value, private: Private) -> Applied {
    let diagnostics = Diagnostic::error("Interrupted", "The refresh was interrupted; the state is as before.").into();
    Applied { state: Some(state), private, diagnostics }
}

fn timed_out(state: Value, private: Private, limit: Duration) -> Applied {
    let diagnostics = Diagnostic::error(
        "Refresh took too long",
        format!("The clusters did not all answer within {limit:?}; the state is as before.\n\nFind out which one is slow, or allow more time:\n\n  timeouts = {{ read = \"5m\" }}"),
    )
    .into();
    Applied { state: Some(state), private, diagnostics }
}
