//! What users of other providers complain of, proved otherwise on real API servers. `docs/dev/complaints.md` has the list; the
//! number is in the name of each case.

mod connection;
mod objects;
mod owners;

use std::path::Path;

use acceptance_tests::{Case, Live, Rig};
use rig::{Proxy, Seen};
use serde_json::{Value, json};

pub fn cases() -> Vec<Case> {
    let subjects = [connection::cases(), objects::cases(), owners::cases()];
    subjects.into_iter().flatten().collect()
}

/// `gloo_istio_object.<name>`: a VirtualService of that name and for that host in `namespace` of both clusters, with this
/// route.
fn route(namespace: &str, name: &str, http: &str, lines: &str) -> String {
    let spec = format!("{{ hosts = [\"{name}\"], http = [{http}] }}");
    object("networking.istio.io/v1", "VirtualService", namespace, name, &spec, lines)
}

/// A route to one host.
const HTTP: &str = "{ route = [{ destination = { host = \"reviews\" } }] }";

/// `gloo_istio_object.<name>` in both clusters; `spec` is HCL.
fn object(version: &str, kind: &str, namespace: &str, name: &str, spec: &str, lines: &str) -> String {
    format!(
        r#"
resource "gloo_istio_object" "{name}" {{
  clusters = ["east", "west"]
  manifest = {{
    apiVersion = "{version}"
    kind       = "{kind}"
    metadata   = {{ name = "{name}", namespace = "{namespace}" }}
    spec       = {spec}
  }}
{lines}
}}
"#
    )
}

/// The address of [`object`].
fn address(name: &str) -> String {
    format!("gloo_istio_object.{name}")
}

/// Where VirtualServices of a namespace are.
fn routes(namespace: &str) -> String {
    format!("/apis/networking.istio.io/v1/namespaces/{namespace}/virtualservices")
}

/// A VirtualService that somebody else wrote.
fn theirs(live: &Live, name: &str, spec: &Value) -> Value {
    json!({
        "apiVersion": "networking.istio.io/v1", "kind": "VirtualService", "spec": spec,
        "metadata": { "name": name, "namespace": live.namespace() },
    })
}

/// A proxy before both clusters, and the provider block that goes through them, with these lines besides.
fn through_proxies(live: &Live, lines: &str) -> ([Proxy; 2], String) {
    let proxies = ["east", "west"].map(|name| live.cluster(name).proxy().expect("a free port"));
    let entry = |name: &str, proxy: &Proxy| Live::entry_of(name, &shown(proxy.kubeconfig()));
    let entries = entry("east", &proxies[0]) + &entry("west", &proxies[1]);
    (proxies, live.provider_with(&live.owner(), &entries, lines))
}

/// An entry of `clusters` for a server at this address, with these lines for its authentication.
fn by_address(live: &Live, name: &str, url: &str, auth: &str) -> String {
    let authority = quoted(live.cluster(name).authority());
    format!("    {name} = {{ host = \"{url}\", ca_certificate = {authority}, auth = {{ {auth} }} }}\n")
}

/// A text of several lines as HCL has it.
fn quoted(text: &str) -> String {
    Value::from(text).to_string()
}

fn shown(path: &Path) -> String {
    path.display().to_string()
}

/// Requests that ask a server what it can do, instead of using what is known: `/api/v1`, `/apis/<group>/<version>` and above.
fn is_discovery(seen: &Seen) -> bool {
    let path = seen.path.as_str();
    let depth = if path.starts_with("/apis") { 4 } else { 3 };
    path.matches('/').count() < depth || path.starts_with("/openapi") || path.contains("customresourcedefinitions")
}

/// The copy of a rig whose provider's processes are counted in a file; how many there were so far is the second one.
fn counted(rig: &Rig, folder: &Path) -> (Rig, impl Fn() -> usize) {
    use std::os::unix::fs::PermissionsExt as _;
    let (room, log) = (folder.join("counted"), folder.join("starts"));
    std::fs::create_dir(&room).expect("a new folder is writable");
    let name = format!("terraform-provider-gloo{}", std::env::consts::EXE_SUFFIX);
    let script = format!("#!/bin/sh\necho x >> '{}'\nexec '{}' \"$@\"\n", shown(&log), shown(&rig.provider.join(&name)));
    let wrapper = room.join(&name);
    std::fs::write(&wrapper, script)
        .and_then(|()| std::fs::set_permissions(&wrapper, std::fs::Permissions::from_mode(0o700)))
        .expect("a new folder is writable");
    let count = move || std::fs::read_to_string(&log).map_or(0, |text| text.lines().count());
    (Rig { provider: room, ..rig.clone() }, count)
}
