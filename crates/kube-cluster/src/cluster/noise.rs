//! What a test does to an API server besides what the port can: the writes of controllers, and a look at what they left.

use super::{Call, ClusterError, KubeCluster, Method, ObjectKey, Value, escape};

impl KubeCluster {
    /// A JSON merge patch of an object, or of a part of it that is written apart (`status`), as this field manager.
    ///
    /// # Errors
    /// When the server refuses.
    pub async fn merge(&self, key: &ObjectKey, part: Option<&str>, patch: &Value, manager: &str) -> Result<Value, ClusterError> {
        let known = self.0.known(key)?;
        let part = part.map(|part| format!("/{part}")).unwrap_or_default();
        let call = Call {
            method: Method::PATCH,
            path: format!("{}{part}?fieldManager={}", known.object(known.versions[0], key), escape(manager)),
            content: Some(("application/merge-patch+json", patch.to_string().into_bytes())),
            cancel: None,
            is_list: false,
        };
        let reply = self.0.transport.send(call).await?;
        if reply.is_success() { Ok(reply.body) } else { Err(reply.error(self.0.cluster(), "patch", known, Some(key))) }
    }
}
