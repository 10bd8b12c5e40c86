//! Kubernetes objects over HTTPS: what seeds and tests need, with known paths and no discovery.

use serde_json::{Value, json};
use xtask::{Problem, Result};

use crate::http::{Answer, Call, Peer};

/// Field manager of everything the rig writes.
pub const MANAGER: &str = "rig";

/// An API server, asked as somebody.
#[derive(Debug, Clone)]
pub struct Api {
    peer: Peer,
}

impl Api {
    /// The API server behind this peer.
    pub fn new(peer: Peer) -> Self {
        Self { peer }
    }

    /// The same server, asked with another bearer token.
    pub fn with_token(&self, token: &str) -> Self {
        Self { peer: self.peer.with_token(token) }
    }

    /// Any request.
    ///
    /// # Errors
    /// When no whole answer came; every status is an answer.
    pub fn call(&self, call: Call) -> Result<Answer> {
        self.peer.call(call)
    }

    /// Any request that waits this long at most.
    ///
    /// # Errors
    /// As [`Self::call`].
    pub fn call_within(&self, call: Call, patience: std::time::Duration) -> Result<Answer> {
        self.peer.call_within(call, patience)
    }

    /// `GET`.
    ///
    /// # Errors
    /// When no whole answer came.
    pub fn get(&self, path: &str) -> Result<Answer> {
        self.call(Call { method: "GET", path: path.to_owned(), ..Call::default() })
    }

    /// The items of a list.
    ///
    /// # Errors
    /// When it cannot be listed.
    pub fn list(&self, path: &str) -> Result<Vec<Value>> {
        let mut answer = success("list", path, self.get(path)?)?;
        match answer["items"].take() {
            Value::Array(items) => Ok(items),
            _ => Err(Problem::new(format!("{path} is no list"))),
        }
    }

    /// One object; `None` when there is none.
    ///
    /// # Errors
    /// When it cannot be read.
    pub fn read(&self, path: &str) -> Result<Option<Value>> {
        let answer = self.get(path)?;
        if answer.status == 404 { Ok(None) } else { success("read", path, answer).map(Some) }
    }

    /// Server-side apply as this field manager, without force; returns the object as it is then.
    ///
    /// # Errors
    /// When the server refuses.
    pub fn apply_as(&self, object: &Value, manager: &str) -> Result<Value> {
        let path = path_of(object)?;
        let query = format!("{path}?fieldManager={manager}&fieldValidation=Strict");
        let call = Call { method: "PATCH", path: query, content_type: "application/apply-patch+yaml", body: object.to_string() };
        success("apply", &path, self.call(call)?)
    }

    /// [`Self::apply_as`] the rig; its status too, when it has one.
    ///
    /// # Errors
    /// When the server refuses.
    pub fn apply(&self, object: &Value) -> Result<Value> {
        let applied = self.apply_as(object, MANAGER)?;
        if object["status"].is_null() {
            return Ok(applied);
        }
        let path = path_of(object)?;
        let mut status = json!({ "apiVersion": object["apiVersion"], "kind": object["kind"], "status": object["status"] });
        status["metadata"] = json!({ "name": object["metadata"]["name"] });
        let body = status.to_string();
        let query = format!("{path}/status?fieldManager={MANAGER}");
        let call = Call { method: "PATCH", path: query, content_type: "application/merge-patch+json", body };
        success("write the status of", &path, self.call(call)?)
    }

    /// JSON merge patch, as a person with `kubectl edit` would do it.
    ///
    /// # Errors
    /// When the server refuses.
    pub fn merge(&self, path: &str, patch: &Value, manager: &str) -> Result<Value> {
        let query = format!("{path}?fieldManager={manager}");
        let body = patch.to_string();
        let call = Call { method: "PATCH", path: query, content_type: "application/merge-patch+json", body };
        success("patch", path, self.call(call)?)
    }

    /// Deletes one object; that there is none is no error.
    ///
    /// # Errors
    /// When the server refuses.
    pub fn delete(&self, path: &str) -> Result<()> {
        let answer = self.call(Call { method: "DELETE", path: path.to_owned(), ..Call::default() })?;
        if answer.status == 404 { Ok(()) } else { success("delete", path, answer).map(drop) }
    }

    /// `POST` to a collection or a subresource.
    ///
    /// # Errors
    /// When the server refuses.
    pub fn create(&self, path: &str, object: &Value) -> Result<Value> {
        let call = Call { method: "POST", path: path.to_owned(), body: object.to_string(), ..Call::default() };
        success("create in", path, self.call(call)?)
    }
}

fn success(doing: &str, path: &str, answer: Answer) -> Result<Value> {
    if answer.is_success() {
        return Ok(answer.json());
    }
    Err(Problem::new(format!("cannot {doing} {path}: {} {}", answer.status, answer.message())))
}

/// The path of an object: cluster-wide where it names no namespace.
///
/// # Errors
/// When it lacks apiVersion, kind or name.
pub fn path_of(object: &Value) -> Result<String> {
    let metadata = &object["metadata"];
    let name = metadata["name"].as_str().ok_or_else(|| Problem::new(format!("an object without name: {object}")))?;
    Ok(format!("{}/{name}", collection_of(object)?))
}

/// The path of the collection that an object belongs to.
///
/// # Errors
/// When it lacks apiVersion or kind.
pub fn collection_of(object: &Value) -> Result<String> {
    let text = |key: &str| object[key].as_str().ok_or_else(|| Problem::new(format!("an object without {key}: {object}")));
    let (version, kind) = (text("apiVersion")?, text("kind")?);
    let root = if version.contains('/') { format!("/apis/{version}") } else { format!("/api/{version}") };
    let namespace = object["metadata"]["namespace"].as_str().map(|name| format!("/namespaces/{name}")).unwrap_or_default();
    Ok(format!("{root}{namespace}/{}", plural(kind)))
}

/// The name of a kind in paths, by the rule that all kinds of Kubernetes, Istio and Gateway API follow.
pub fn plural(kind: &str) -> String {
    let lower = kind.to_lowercase();
    match lower.strip_suffix('y') {
        Some(stem) if !stem.ends_with(['a', 'e', 'o', 'u']) => format!("{stem}ies"),
        _ if lower.ends_with("class") || lower.ends_with("ss") => format!("{lower}es"),
        _ if lower.ends_with('s') => lower,
        _ => format!("{lower}s"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_follow_from_the_object() {
        let object = json!({
            "apiVersion": "networking.istio.io/v1", "kind": "ServiceEntry", "metadata": { "namespace": "a", "name": "b" }
        });
        assert_eq!(path_of(&object), Ok("/apis/networking.istio.io/v1/namespaces/a/serviceentries/b".to_owned()));
        let node = json!({ "apiVersion": "v1", "kind": "Node", "metadata": { "name": "n" } });
        assert_eq!(path_of(&node), Ok("/api/v1/nodes/n".to_owned()));
        assert!(path_of(&json!({})).is_err());
    }

    #[test]
    fn plurals_are_those_of_the_api() {
        let pairs =
            [("Gateway", "gateways"), ("AuthorizationPolicy", "authorizationpolicies"), ("GatewayClass", "gatewayclasses")];
        for (kind, path) in pairs.into_iter().chain([("Endpoints", "endpoints"), ("Telemetry", "telemetries")]) {
            assert_eq!(plural(kind), path);
        }
    }
}
