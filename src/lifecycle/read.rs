//! Refreshing: what the clusters hold now, compared with what was written.

use std::collections::BTreeSet;
use std::time::Duration;

use mesh_model::Code;
use mesh_model::names::ClusterName;
use tf_server::{Applied, Cx, Private};
use tf_value::{Diagnostic, Diagnostics, Value};

use super::private::Notes;
use super::state::{Drift, Record, drift_value, with};
use super::{IntentKind, IntentResource, time_limit};
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
        let objects: usize = record.manifests.values().map(Vec::len).sum();
        if objects == 0 && record.drift.is_empty() {
            return Applied { state: Some(state), private, diagnostics: Diagnostics::new() };
        }
        let identity = match self.kind.parse_id(state.get("id").as_str().unwrap_or_default()) {
            Ok(identity) => identity,
            Err(problem) => {
                let diagnostics = tf_value::Diagnostic::error("Damaged state", problem).into();
                return Applied { state: Some(state), private, diagnostics };
            }
        };
        let claim = identity.claim(&session.settings.owner, K::TYPE);
        let limit = time_limit(&state, "read", READ_LIMIT);
        let instance = Notes::read(&private).instance;
        let seen = kube_apply::refresh_instance(&session.fleet, &claim, instance.as_deref(), &record.manifests);
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
            for finding in seen.findings.iter_mut().filter(|finding| finding.code == Code::ClusterUnreachable) {
                finding.code = Code::ClusterSkipped;
            }
        }
        let diagnostics = self.cook(&seen.findings);
        let unseen: BTreeSet<&ClusterName> = seen.skipped.iter().chain(&seen.unread).collect();
        if diagnostics.has_errors() {
            return Applied { state: Some(state), private, diagnostics };
        }
        if seen.present + seen.taken == 0 && unseen.is_empty() && objects > 0 {
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
