//! Waits for what the server, or somebody who works with it, does in his own time.

use kube_apply::progress::Wait;

use super::{CancellationToken, Class, ClusterError, Inner, Instant, Known, LONGEST_WAIT, LOOK, NotFound, ObjectKey, Value};

impl Inner {
    /// Waits a moment for what may appear during the same apply; `begun`: since when it is waited for.
    pub(super) async fn wait(
        &self,
        key: &ObjectKey,
        what: NotFound,
        begun: Instant,
        cancel: &CancellationToken,
    ) -> Result<(), ClusterError> {
        let namespace = key.namespace.as_ref().map_or("-", |namespace| namespace.as_str());
        let missing = match what {
            NotFound::Namespace => format!("namespace {namespace} in cluster {}", self.cluster()),
            NotFound::Kind | NotFound::Object => format!("the definition of kind {} in cluster {}", key.kind, self.cluster()),
        };
        self.transport.teller().look(&Wait::new(missing, Some(LONGEST_WAIT)).since(begun));
        tokio::select! {
            biased;
            () = cancel.cancelled() => Err(ClusterError::new(
                Class::Cancelled,
                self.cluster(),
                format!("{key} was not written"),
                "The run was interrupted while the write waited for its namespace or kind.",
                "Apply again: the plan shows what is left to do.",
            ).at(key)),
            () = tokio::time::sleep(LOOK) => Ok(()),
        }
    }

    /// Waits until a deleted object is gone: finalizers may hold it.
    pub(super) async fn gone(&self, known: &Known, key: &ObjectKey, uid: &str) -> Result<(), ClusterError> {
        let begun = Instant::now();
        loop {
            let held = match self.read(known, None, key).await? {
                Some(there) if there.uid() == uid => there.json.pointer("/metadata/finalizers").cloned().unwrap_or(Value::Null),
                _ => return Ok(()),
            };
            if begun.elapsed() >= LONGEST_WAIT {
                return Err(ClusterError::new(
                    Class::Invalid,
                    self.cluster(),
                    format!("{key} in cluster {} is deleted and does not go: finalizers {held} hold it", self.cluster()),
                    "Who put a finalizer on an object removes it when his work is done; he did not within the time that is waited.",
                    "See why the controller behind the finalizer does not work, then apply again.",
                )
                .at(key));
            }
            let end = format!("the end of {key} in cluster {}, which finalizers {held} hold", self.cluster());
            self.transport.teller().look(&Wait::new(end, Some(LONGEST_WAIT)).since(begun));
            tokio::time::sleep(LOOK).await;
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use kube_apply::testing::Log;
    use mesh_model::names::OwnerId;

    use super::*;
    use crate::tests::support::host;
    use crate::{Access, Auth, KubeCluster, Limits};

    /// A cluster that nobody asks.
    fn cluster() -> KubeCluster {
        let host = host("https://203.0.113.1", Auth::None);
        let owner: OwnerId = "a/b".parse().expect("an owner");
        let limits = Limits::new(4, Duration::from_secs(15));
        KubeCluster::new("west".parse().expect("a name"), Access::Host(Box::new(host)), &owner, "test", limits)
    }

    #[tokio::test(start_paused = true)]
    async fn what_appears_during_the_apply_is_told_once_for_all_who_wait_for_it() {
        let (log, cluster, cancel) = (Log::new(), cluster(), CancellationToken::new());
        let wait = async |name: &str, missing: NotFound| {
            let begun = Instant::now();
            let key: ObjectKey = format!("VirtualService/late/{name}").parse().expect("a key");
            while begun.elapsed() < Duration::from_secs(15) {
                cluster.0.wait(&key, missing, begun, &cancel).await.expect("nobody cancels");
            }
        };
        tokio::join!(wait("a", NotFound::Namespace), wait("b", NotFound::Namespace), wait("c", NotFound::Kind));
        let mut lines = log.lines();
        lines.sort();
        let kind = "waiting for the definition of kind VirtualService in cluster west";
        let namespace = "waiting for namespace late in cluster west";
        let told = |what: &str| [12, 2].map(|waited| format!("{what}: {waited} s by now, 30 s at most"));
        let mut wanted = [told(namespace), told(kind)].concat();
        wanted.sort();
        assert_eq!(lines, wanted);
    }
}
