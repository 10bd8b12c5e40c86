//! An API server in this process: enough of one for the paths that a real one cannot be made to take at will.
//!
//! Server-side apply follows what a real server was seen to do: owners by member of `spec`, label and annotation; force
//! takes members from others; what the last owner gives up goes; `resourceVersion` and `uid` are preconditions, also of a
//! creation.

use std::collections::{BTreeMap, VecDeque};
use std::convert::Infallible;
use std::sync::{Arc, Mutex, MutexGuard};

use http::{Request, Response, StatusCode};
use http_body_util::{BodyExt as _, Full};
use hyper::body::{Bytes, Incoming};
use serde_json::{Map, Value, json};
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

/// How the next request is answered instead.
pub(super) enum Break {
    /// with this status, header and body
    Answer(u16, Option<(&'static str, &'static str)>, Value),
    /// not at all
    Hang,
    /// with less than was announced
    Truncate,
}

/// A request as it came.
#[derive(Clone, Debug)]
pub(super) struct Seen {
    pub(super) method: String,
    pub(super) path: String,
    pub(super) authorization: String,
    pub(super) user_agent: String,
    pub(super) body: Value,
}

#[derive(Default)]
pub(super) struct State {
    objects: BTreeMap<String, Value>,
    version: u64,
    pub(super) seen: Vec<Seen>,
    pub(super) breaks: VecDeque<Break>,
    /// tokens that are accepted; empty: all
    pub(super) tokens: Vec<String>,
    /// objects of one page
    pub(super) page: usize,
    /// namespaces that are there
    pub(super) namespaces: Vec<String>,
    /// the only version in which kinds are served
    pub(super) version_of_kinds: &'static str,
    /// kinds that nobody may list
    pub(super) unlisted: Vec<&'static str>,
    /// what admission makes of every applied object
    pub(super) admission: Option<fn(&mut Value)>,
    /// the next continuation is too old
    pub(super) is_expired: bool,
    /// every continuation is too old
    pub(super) never_ends: bool,
    /// how often writes come second to a status
    pub(super) status_writes: usize,
}

pub(super) struct Fake {
    pub(super) url: String,
    state: Arc<Mutex<State>>,
    stop: CancellationToken,
}

impl Drop for Fake {
    fn drop(&mut self) {
        self.stop.cancel();
    }
}

impl Fake {
    pub(super) async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let state =
            State { page: 500, version: 10, namespaces: vec!["bookinfo".to_owned()], version_of_kinds: "v1", ..State::default() };
        let (state, stop) = (Arc::new(Mutex::new(state)), CancellationToken::new());
        tokio::spawn(stop.clone().run_until_cancelled_owned(serve(listener, Arc::clone(&state))));
        Self { url, state, stop }
    }

    pub(super) fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap()
    }

    pub(super) fn then(&self, broken: Break) {
        self.state().breaks.push_back(broken);
    }

    pub(super) fn requests(&self) -> Vec<String> {
        self.state().seen.iter().map(|seen| format!("{} {}", seen.method, seen.path)).collect()
    }

    /// Applies a part of an object as another manager would.
    pub(super) fn join(&self, path: &str, part: &Value, manager: &str) {
        let mut part = part.clone();
        part["metadata"] = json!({});
        let (code, _) = self.state().apply(path, part, manager, false);
        assert_eq!(code, 200);
    }

    /// Changes an object as another manager would.
    pub(super) fn edit(&self, path: &str, edit: &dyn Fn(&mut Value)) {
        let mut state = self.state();
        let before = state.objects.get(path).cloned().expect("it is there");
        let mut object = before.clone();
        edit(&mut object);
        state.store(path, object, Some(&before), "kubectl-edit");
    }
}

async fn serve(listener: TcpListener, state: Arc<Mutex<State>>) {
    loop {
        let Ok((stream, _)) = listener.accept().await else { return };
        let state = Arc::clone(&state);
        tokio::spawn(async move {
            let service = hyper::service::service_fn(move |request| answer(Arc::clone(&state), request));
            let io = hyper_util::rt::TokioIo::new(stream);
            let _ = hyper::server::conn::http1::Builder::new().serve_connection(io, service).await;
        });
    }
}

async fn answer(state: Arc<Mutex<State>>, request: Request<Incoming>) -> Result<Response<Full<Bytes>>, Infallible> {
    let (head, body) = request.into_parts();
    let header = |name: &str| head.headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default().to_owned();
    let body = body.collect().await.map(|body| body.to_bytes()).unwrap_or_default();
    let body: Value = serde_json::from_slice(&body).unwrap_or_default();
    let seen = Seen {
        method: head.method.to_string(),
        path: head.uri.to_string(),
        authorization: header("authorization"),
        user_agent: header("user-agent"),
        body: body.clone(),
    };
    let broken = {
        let mut state = state.lock().unwrap();
        state.seen.push(seen);
        state.breaks.pop_front()
    };
    let reply = |status: u16, body: &Value| {
        let body = Full::new(Bytes::from(body.to_string()));
        Response::builder().status(StatusCode::from_u16(status).unwrap()).body(body).unwrap()
    };
    match broken {
        Some(Break::Hang) => std::future::pending().await,
        Some(Break::Truncate) => {
            let mut response = reply(200, &json!({"items": []}));
            response.headers_mut().insert("content-length", "1000".parse().unwrap());
            return Ok(response);
        }
        Some(Break::Answer(status, header, body)) => {
            let mut response = reply(status, &body);
            if let Some((name, value)) = header {
                response.headers_mut().insert(name, value.parse().unwrap());
            }
            return Ok(response);
        }
        None => {}
    }
    let mut state = state.lock().unwrap();
    let token = header("authorization").trim_start_matches("Bearer ").to_owned();
    if !state.tokens.is_empty() && !state.tokens.contains(&token) {
        return Ok(reply(401, &status(401, "Unauthorized", "Unauthorized", None)));
    }
    let path = head.uri.path().to_owned();
    let query: BTreeMap<String, String> = head
        .uri
        .query()
        .unwrap_or_default()
        .split('&')
        .filter_map(|pair| pair.split_once('='))
        .map(|(name, value)| (name.to_owned(), value.replace("%3D", "=").replace("%2F", "/").replace("%3A", ":")))
        .collect();
    let kind = header("content-type");
    let (code, body) = state.answer(head.method.as_str(), &path, &query, &kind, body);
    Ok(reply(code, &body))
}

fn status(code: u16, reason: &str, message: &str, details: Option<Value>) -> Value {
    json!({"kind": "Status", "apiVersion": "v1", "status": "Failure", "code": code, "reason": reason, "message": message, "details": details})
}

fn conflict() -> (u16, Value) {
    (409, status(409, "Conflict", "the object has been modified", None))
}

impl State {
    fn answer(&mut self, method: &str, path: &str, query: &BTreeMap<String, String>, kind: &str, body: Value) -> (u16, Value) {
        let parts: Vec<&str> = path.trim_start_matches('/').split('/').collect();
        // apis/<group>/<version>[/namespaces/<namespace>]/<plural>[/<name>]
        if parts.first() != Some(&"apis") || !["virtualservices", "serviceentries"].iter().any(|known| parts.contains(known)) {
            return (404, Value::String("404 page not found".to_owned()));
        }
        if parts[2] != self.version_of_kinds {
            return (404, Value::String("404 page not found".to_owned()));
        }
        let is_object = parts.len() == 7;
        let is_dry = query.contains_key("dryRun");
        match (method, is_object) {
            ("GET", false) if self.unlisted.contains(&parts[parts.len() - 1]) => {
                (403, status(403, "Forbidden", "cannot list", None))
            }
            ("GET", false) => self.list(parts[parts.len() - 1], query),
            ("GET", true) => match self.objects.get(path) {
                Some(object) => (200, object.clone()),
                None => (404, status(404, "NotFound", "not found", Some(json!({"kind": parts[5], "name": parts[6]})))),
            },
            ("DELETE", true) => {
                let Some(object) = self.objects.get(path).cloned() else {
                    return (404, status(404, "NotFound", "not found", Some(json!({"kind": parts[5], "name": parts[6]}))));
                };
                let wanted = |name: &str| body.pointer(&format!("/preconditions/{name}")).cloned();
                if wanted("uid").is_some_and(|uid| uid != object["metadata"]["uid"])
                    || wanted("resourceVersion").is_some_and(|version| version != object["metadata"]["resourceVersion"])
                {
                    return conflict();
                }
                if !is_dry {
                    self.objects.remove(path);
                }
                (200, json!({"kind": "Status", "status": "Success"}))
            }
            ("PATCH", true) if !self.namespaces.iter().any(|namespace| namespace == parts[4]) => {
                let details = json!({"kind": "namespaces", "name": parts[4]});
                (404, status(404, "NotFound", "namespaces not found", Some(details)))
            }
            ("PATCH", true) if kind.contains("json-patch") => self.patch(path, &body, &query["fieldManager"]),
            ("PATCH", true) => self.apply(path, body, &query["fieldManager"], is_dry),
            _ => (405, Value::Null),
        }
    }

    fn list(&mut self, plural: &str, query: &BTreeMap<String, String>) -> (u16, Value) {
        if query.contains_key("continue") && (self.never_ends || std::mem::take(&mut self.is_expired)) {
            return (410, status(410, "Expired", "the continue token is too old", None));
        }
        let mut all: Vec<&Value> =
            self.objects.iter().filter(|(path, _)| path.contains(plural)).map(|(_, object)| object).collect();
        if let Some((name, value)) = query.get("labelSelector").and_then(|selector| selector.split_once('=')) {
            all.retain(|object| object["metadata"]["labels"][name] == value);
        }
        let from: usize = query.get("continue").and_then(|token| token.parse().ok()).unwrap_or(0);
        let page: Vec<&Value> = all.iter().skip(from).take(self.page).copied().collect();
        let next = from + page.len();
        let token = if next < all.len() { next.to_string() } else { String::new() };
        (200, json!({"kind": "List", "metadata": {"continue": token}, "items": page}))
    }

    fn patch(&mut self, path: &str, steps: &Value, manager: &str) -> (u16, Value) {
        let Some(before) = self.objects.get(path).cloned() else { return (404, Value::Null) };
        let mut object = before.clone();
        for step in steps.as_array().into_iter().flatten() {
            let at = step["path"].as_str().unwrap();
            match step["op"].as_str() {
                Some("test") if object.pointer(at) != step.get("value") => {
                    return (422, status(422, "Invalid", "test failed", None));
                }
                Some("remove") => {
                    let (parent, name) = at.rsplit_once('/').unwrap();
                    let parent = object.pointer_mut(parent).unwrap();
                    match parent {
                        Value::Array(items) => drop(items.remove(name.parse().unwrap())),
                        parent => drop(parent.as_object_mut().unwrap().remove(&name.replace("~1", "/"))),
                    }
                }
                _ => {}
            }
        }
        self.store(path, object, Some(&before), manager);
        (200, self.objects[path].clone())
    }

    fn apply(&mut self, path: &str, mut applied: Value, manager: &str, is_dry: bool) -> (u16, Value) {
        if self.status_writes > 0 && self.objects.contains_key(path) {
            self.status_writes -= 1;
            self.version += 1;
            let version = self.version;
            let object = self.objects.get_mut(path).unwrap();
            object["metadata"]["resourceVersion"] = json!(version.to_string());
            object["status"] = json!({"seen": version});
        }
        let wanted = |name: &str| applied["metadata"].get(name).cloned();
        let before = self.objects.get(path).cloned();
        if let Some(before) = &before {
            if wanted("uid").is_some_and(|uid| uid != before["metadata"]["uid"])
                || wanted("resourceVersion").is_some_and(|version| version != before["metadata"]["resourceVersion"])
            {
                return conflict();
            }
        } else if wanted("uid").is_some() {
            return conflict();
        }
        let metadata = applied["metadata"].as_object_mut().unwrap();
        metadata.remove("uid");
        metadata.remove("resourceVersion");
        let mut object = before.clone().unwrap_or_else(|| json!({"apiVersion": applied["apiVersion"], "kind": applied["kind"], "metadata": {"name": applied["metadata"]["name"], "namespace": applied["metadata"]["namespace"], "managedFields": []}}));
        let mut entries: Vec<Value> = object["metadata"]["managedFields"].as_array().cloned().unwrap_or_default();
        let own = |entry: &Value| entry["manager"] == manager && entry["operation"] == "Apply";
        let owned_before: Vec<[String; 2]> = entries.iter().find(|entry| own(entry)).map(leaves).unwrap_or_default();
        entries.retain(|entry| !own(entry));
        let now = members(&applied);
        for (leaf, value) in &now {
            if member(&object, leaf) != Some(value) {
                entries.iter_mut().for_each(|entry| disown(entry, leaf));
            }
            *member_mut(&mut object, leaf) = value.clone();
        }
        for leaf in owned_before.iter().filter(|leaf| !now.contains_key(*leaf)) {
            if !entries.iter().any(|entry| leaves(entry).contains(leaf)) {
                member_parent(&mut object, leaf).remove(&leaf[1]);
            }
        }
        entries.push(entry(manager, "Apply", now.keys()));
        object["metadata"]["managedFields"] = Value::Array(entries);
        if let Some(admission) = self.admission {
            admission(&mut object);
        }
        if is_dry {
            return (200, object);
        }
        let code = if before.is_some() { 200 } else { 201 };
        self.put(path, object);
        (code, self.objects[path].clone())
    }

    /// Stores what a manager made of an object, with its name on what it changed.
    fn store(&mut self, path: &str, mut object: Value, before: Option<&Value>, manager: &str) {
        let old = before.map(members).unwrap_or_default();
        let new = members(&object);
        let changed: Vec<[String; 2]> =
            new.iter().filter(|(leaf, value)| old.get(*leaf) != Some(value)).map(|(leaf, _)| leaf.clone()).collect();
        let mut entries: Vec<Value> = object["metadata"]["managedFields"].as_array().cloned().unwrap_or_default();
        for leaf in changed.iter().chain(old.keys().filter(|leaf| !new.contains_key(*leaf))) {
            entries.iter_mut().for_each(|entry| disown(entry, leaf));
        }
        if !changed.is_empty() {
            entries.push(entry(manager, "Update", changed.iter()));
        }
        object["metadata"]["managedFields"] = Value::Array(entries);
        self.put(path, object);
    }

    fn put(&mut self, path: &str, mut object: Value) {
        self.version += 1;
        object["metadata"]["resourceVersion"] = json!(self.version.to_string());
        if object["metadata"]["uid"].is_null() {
            object["metadata"]["uid"] = json!(format!("uid-{}", self.version));
        }
        self.objects.insert(path.to_owned(), object);
    }
}

const PLACES: [(&str, &str); 3] = [("spec", "f:spec"), ("labels", "f:labels"), ("annotations", "f:annotations")];

fn place<'a>(object: &'a Value, place: &str) -> Option<&'a Value> {
    if place == "spec" { object.get("spec") } else { object["metadata"].get(place) }
}

fn members(object: &Value) -> BTreeMap<[String; 2], Value> {
    let of = |(name, _): (&'static str, &str)| {
        let members = place(object, name).and_then(Value::as_object).cloned().unwrap_or_default();
        members.into_iter().map(move |(member, value)| ([name.to_owned(), member], value))
    };
    PLACES.into_iter().flat_map(of).collect()
}

fn member<'a>(object: &'a Value, leaf: &[String; 2]) -> Option<&'a Value> {
    place(object, &leaf[0])?.get(&leaf[1])
}

fn member_parent<'a>(object: &'a mut Value, leaf: &[String; 2]) -> &'a mut Map<String, Value> {
    let parent = if leaf[0] == "spec" { &mut object["spec"] } else { &mut object["metadata"][leaf[0].as_str()] };
    if parent.is_null() {
        *parent = json!({});
    }
    parent.as_object_mut().unwrap()
}

fn member_mut<'a>(object: &'a mut Value, leaf: &[String; 2]) -> &'a mut Value {
    member_parent(object, leaf).entry(leaf[1].clone()).or_insert(Value::Null)
}

fn entry<'a>(manager: &str, operation: &str, leaves: impl Iterator<Item = &'a [String; 2]>) -> Value {
    let mut fields = json!({});
    for [place, name] in leaves {
        let node = if place == "spec" { &mut fields["f:spec"] } else { &mut fields["f:metadata"][format!("f:{place}")] };
        node[format!("f:{name}")] = json!({});
    }
    json!({"manager": manager, "operation": operation, "time": "2026-01-01T00:00:00Z", "apiVersion": "networking.istio.io/v1", "fieldsV1": fields})
}

fn leaves(entry: &Value) -> Vec<[String; 2]> {
    let fields = &entry["fieldsV1"];
    let of = |(name, key): (&str, &str)| -> Vec<[String; 2]> {
        let node = if name == "spec" { &fields[key] } else { &fields["f:metadata"][key] };
        let names = node.as_object().into_iter().flatten();
        names.map(|(member, _)| [name.to_owned(), member.trim_start_matches("f:").to_owned()]).collect()
    };
    PLACES.into_iter().flat_map(of).collect()
}

fn disown(entry: &mut Value, leaf: &[String; 2]) {
    let node = if leaf[0] == "spec" {
        entry.pointer_mut("/fieldsV1/f:spec")
    } else {
        entry.pointer_mut(&format!("/fieldsV1/f:metadata/f:{}", leaf[0]))
    };
    if let Some(node) = node.and_then(Value::as_object_mut) {
        node.remove(&format!("f:{}", leaf[1]));
    }
}
