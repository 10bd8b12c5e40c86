//! What istiod told the proxies of a case, kept as text, and told again to other Envoys without istiod.
//!
//! Kept is what Envoy says it took (its page `config_dump`), as canonical JSON: members sorted, what changes from run to run left
//! out. To be told again it becomes static: endpoints and routes stand in their clusters and listeners. Certificates are new in
//! each run.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use xtask::{Problem, Result};

use crate::mesh::Mesh;
use crate::mesh::envoy::{Envoy, node, relay, socket};
use crate::mesh::fleet::Canaries;
use crate::mesh::layout::{PORT, Role, Seat, Spot};

/// Bumped when [`Proxy`] changes.
const FORM: u32 = 1;

/// What was told to the proxies of one case.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Recording {
    /// Version of this form.
    form: u32,
    /// istiod's version.
    pub istio: String,
    /// Digest of the objects that the provider wrote for the case.
    pub objects: String,
    /// By `<cluster>/<workload>`.
    pub proxies: BTreeMap<String, Proxy>,
    /// Of each server.
    #[serde(skip, default = "one")]
    pods: u8,
}

fn one() -> u8 {
    1
}

/// What was told to one proxy, each list by name.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Proxy {
    /// Clusters.
    pub clusters: BTreeMap<String, Value>,
    /// The endpoints of clusters that get them.
    pub endpoints: BTreeMap<String, Value>,
    /// Listeners.
    pub listeners: BTreeMap<String, Value>,
    /// Routes of listeners that get them.
    pub routes: BTreeMap<String, Value>,
}

impl Recording {
    /// What all proxies of a mesh took.
    ///
    /// # Errors
    /// When a proxy does not say.
    pub fn of(mesh: &Mesh, objects: &str) -> Result<Self> {
        let proxy = |envoy: &Envoy| Ok((envoy.seat().name(), Proxy::of(envoy)?));
        let proxies = mesh.fleet().proxies().map(proxy).collect::<Result<_>>()?;
        Ok(Self { form: FORM, istio: mesh.program().version.clone(), objects: objects.to_owned(), proxies, pods: one() })
    }

    /// The same with what the proxies of second versions took.
    ///
    /// # Errors
    /// When a proxy does not say.
    pub fn with_canaries(mut self, canaries: &Canaries) -> Result<Self> {
        for canary in canaries.values() {
            self.proxies.insert(canary.proxy().seat().name(), Proxy::of(canary.proxy())?);
        }
        Ok(self)
    }

    /// The same with so many pods of each server, as istiod would tell of them. One sidecar stands for all of them: it listens at
    /// the address of each, and each has a backend of its own.
    #[must_use]
    pub fn with_pods(mut self, pods: u8) -> Self {
        let servers: Vec<Spot> = self
            .proxies
            .keys()
            .filter_map(|name| seat(name))
            .filter(|seat| seat.role == Role::Server)
            .map(|seat| seat.spot)
            .collect();
        for (name, proxy) in &mut self.proxies {
            for assignment in proxy.endpoints.values_mut() {
                servers.iter().for_each(|spot| add_endpoints(assignment, *spot, pods));
            }
            if let Some(Seat { spot, role: Role::Server }) = seat(name) {
                (1..pods).for_each(|number| proxy.listen_for(spot, number));
            }
        }
        self.pods = pods;
        self
    }

    /// Pods of each server.
    pub fn pods(&self) -> u8 {
        self.pods
    }

    /// As it is kept.
    pub fn text(&self) -> String {
        let text = serde_json::to_string_pretty(self).expect("texts and numbers are JSON");
        // one blank is indentation enough for what is this deep
        let halve = |line: &str| {
            let rest = line.trim_start_matches(' ');
            format!("{}{rest}\n", " ".repeat((line.len() - rest.len()) / 2))
        };
        text.lines().map(halve).collect()
    }

    /// The way back.
    ///
    /// # Errors
    /// When the text is no recording of this form.
    pub fn parse(text: &str) -> Result<Self> {
        let recording: Self = serde_json::from_str(text).map_err(|error| Problem::new(format!("no recording: {error}")))?;
        if recording.form == FORM { Ok(recording) } else { Err(Problem::new("a recording of another form")) }
    }

    /// The beginnings of Envoys that do as those of the recording did.
    ///
    /// # Errors
    /// When a proxy sits nowhere.
    pub fn bootstraps(&self) -> Result<Vec<(Seat, Value)>> {
        let seat = |name: &String| seat(name).ok_or_else(|| Problem::new(format!("the recording has a proxy {name}")));
        self.proxies.iter().map(|(name, proxy)| Ok((seat(name)?, proxy.bootstrap(seat(name)?, &self.istio)))).collect()
    }
}

impl Proxy {
    /// What a proxy took.
    ///
    /// # Errors
    /// When it does not say.
    pub fn of(envoy: &Envoy) -> Result<Self> {
        let dump = envoy.page("/config_dump?include_eds")?;
        let mut dump: Value = serde_json::from_str(&dump).map_err(|error| Problem::new(format!("config_dump: {error}")))?;
        forget(&mut dump);
        let mut all = |list: &str, path: &[&str], name: &str| {
            let mut found = BTreeMap::new();
            for part in dump["configs"].as_array_mut().into_iter().flatten() {
                for item in part.get_mut(list).and_then(Value::as_array_mut).into_iter().flatten() {
                    let Some(value) = path.iter().try_fold(&mut *item, |value, step| value.get_mut(*step)) else { continue };
                    let mut value = value.take();
                    // its place says it
                    value.as_object_mut().and_then(|members| members.remove("@type"));
                    found.insert(value[name].as_str().unwrap_or_default().to_owned(), value);
                }
            }
            found
        };
        let mut proxy = Self {
            clusters: all("dynamic_active_clusters", &["cluster"], "name"),
            endpoints: all("dynamic_endpoint_configs", &["endpoint_config"], "cluster_name"),
            listeners: all("dynamic_listeners", &["active_state", "listener"], "name"),
            routes: all("dynamic_route_configs", &["route_config"], "name"),
        };
        proxy.keep_what_is_reached(envoy.seat());
        Ok(proxy)
    }

    /// Listeners at the proxy's own address, the routes that they name, and the clusters that either names: of a gateway, those
    /// for which it lets connections in.
    fn keep_what_is_reached(&mut self, seat: Seat) {
        let own = seat.ip().to_string();
        self.listeners.retain(|_, listener| listener["address"]["socket_address"]["address"] == own.as_str());
        let listeners = Value::from_iter(self.listeners.values().cloned());
        let is_named = |name: &str, by: &str| by.contains(&Value::from(name).to_string());
        let named = listeners.to_string();
        self.routes.retain(|name, _| is_named(name, &named));
        let named = named + &Value::from_iter(self.routes.values().cloned()).to_string();
        self.clusters.retain(|name, _| is_named(name, &named));
        let services: Vec<&str> = self.clusters.iter().map(|(name, cluster)| service_of(name, cluster)).collect();
        self.endpoints.retain(|name, _| services.contains(&name.as_str()));
    }

    /// One more pod: the listener and the cluster of the first one's port of HTTP, with other addresses.
    fn listen_for(&mut self, spot: Spot, number: u8) {
        let [(first, own), (address, backend)] = [spot.pod(0), spot.pod(number)];
        let (cluster, added) = (format!("inbound|{PORT}||"), format!("inbound|{PORT}||{number}"));
        let changed = |value: &Value, changes: &[(&str, &str)]| {
            let text = changes.iter().fold(value.to_string(), |text, (from, to)| text.replace(from, to));
            serde_json::from_str(&text).expect("names and addresses were replaced by such")
        };
        let [from, to] = [own, backend].map(|backend| format!("\"port_value\":{}", backend.port()));
        let known = self.clusters.get(&cluster).map(|known| changed(known, &[(&cluster, &added), (&from, &to)]));
        self.clusters.extend(known.map(|known| (added.clone(), known)));
        let [first, address] = [first, address].map(|address| address.to_string());
        let known = self.listeners.get(&format!("{first}_{PORT}"));
        let known = known.map(|known| changed(known, &[(&first, &address), (&cluster, &added)]));
        self.listeners.extend(known.map(|known| (format!("{address}_{PORT}"), known)));
    }

    /// The same as static configuration; certificates come from the cluster's relay.
    pub fn bootstrap(&self, seat: Seat, istio: &str) -> Value {
        let clusters: Vec<Value> =
            self.clusters.values().map(|cluster| self.with_endpoints(cluster)).chain([relay(seat, "sds-grpc")]).collect();
        let mut listeners: Vec<Value> = self.listeners.values().cloned().collect();
        listeners.iter_mut().for_each(|listener| self.put_routes(listener));
        json!({
            "node": node(seat, istio),
            "admin": { "address": socket(&seat.ip().to_string(), 15000) },
            "static_resources": { "clusters": clusters, "listeners": listeners },
        })
    }

    fn with_endpoints(&self, cluster: &Value) -> Value {
        let mut cluster = cluster.clone();
        if cluster["type"] != "EDS" {
            return cluster;
        }
        let name = cluster["name"].as_str().unwrap_or_default().to_owned();
        let endpoints = self.endpoints.get(service_of(&name, &cluster)).cloned();
        let mut endpoints = endpoints.unwrap_or_else(|| json!({ "cluster_name": name }));
        endpoints["cluster_name"] = name.into();
        if let Some(members) = cluster.as_object_mut() {
            members.remove("eds_cluster_config");
            members.insert("type".to_owned(), "STATIC".into());
            members.insert("load_assignment".to_owned(), endpoints);
        }
        cluster
    }

    /// A route that is fetched becomes one that is there.
    fn put_routes(&self, value: &mut Value) {
        match value {
            Value::Object(members) => {
                let name = members.get("rds").and_then(|rds| rds["route_config_name"].as_str());
                if let Some(routes) = name.and_then(|name| self.routes.get(name)).cloned() {
                    members.remove("rds");
                    members.insert("route_config".to_owned(), routes);
                }
                members.values_mut().for_each(|member| self.put_routes(member));
            }
            Value::Array(items) => items.iter_mut().for_each(|item| self.put_routes(item)),
            _ => {}
        }
    }
}

/// Beside the server of a cluster, its other pods.
fn add_endpoints(assignment: &mut Value, spot: Spot, pods: u8) {
    let address = "/endpoint/address/socket_address/address";
    for locality in assignment["endpoints"].as_array_mut().into_iter().flatten() {
        let Some(endpoints) = locality["lb_endpoints"].as_array_mut() else { continue };
        let is_first = |endpoint: &&Value| {
            let port = endpoint.pointer("/endpoint/address/socket_address/port_value");
            port == Some(&PORT.into()) && endpoint.pointer(address) == Some(&spot.pod(0).0.to_string().into())
        };
        let Some(first) = endpoints.iter().find(is_first).cloned() else { continue };
        endpoints.extend((1..pods).map(|number| {
            let mut endpoint = first.clone();
            *endpoint.pointer_mut(address).expect("the first one has one") = spot.pod(number).0.to_string().into();
            endpoint
        }));
        // as many as endpoints, where it is not a share
        if locality["load_balancing_weight"] == 1 {
            locality["load_balancing_weight"] = pods.into();
        }
    }
}

/// Under which name a cluster gets its endpoints.
fn service_of<'a>(name: &'a str, cluster: &'a Value) -> &'a str {
    cluster["eds_cluster_config"]["service_name"].as_str().unwrap_or(name)
}

/// Leaves out what differs from run to run.
fn forget(value: &mut Value) {
    match value {
        Value::Object(members) => {
            for name in ["last_updated", "version_info", "health_status", "terminating_state", "draining_state"] {
                members.remove(name);
            }
            members.values_mut().for_each(forget);
        }
        Value::Array(items) => items.iter_mut().for_each(forget),
        _ => {}
    }
}

fn seat(name: &str) -> Option<Seat> {
    let (cluster, app) = name.split_once('/')?;
    let role = Role::ALL.into_iter().chain([Role::Canary]).find(|role| role.app() == app)?;
    Spot::of(cluster).map(|spot| Seat { spot, role })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn proxy() -> Proxy {
        let one = |name: &str, value: Value| BTreeMap::from([(name.to_owned(), value)]);
        let filter = json!({ "rds": { "route_config_name": "9080", "config_source": { "ads": {} } }, "stat_prefix": "x" });
        Proxy {
            clusters: one("a", json!({ "name": "a", "type": "EDS", "eds_cluster_config": { "service_name": "b" } })),
            endpoints: one("b", json!({ "cluster_name": "b", "endpoints": [{ "priority": 1 }] })),
            listeners: one("l", json!({ "name": "l", "filter_chains": [{ "filters": [filter] }] })),
            routes: one("9080", json!({ "name": "9080", "virtual_hosts": [] })),
        }
    }

    #[test]
    fn what_was_fetched_is_there() {
        let seat = seat("west/reviews").expect("a seat");
        let bootstrap = proxy().bootstrap(seat, "1.30.3");
        let cluster = &bootstrap["static_resources"]["clusters"][0];
        let wanted = json!({
            "name": "a", "type": "STATIC", "load_assignment": { "cluster_name": "a", "endpoints": [{ "priority": 1 }] }
        });
        assert_eq!(cluster, &wanted);
        let filter = &bootstrap["static_resources"]["listeners"][0]["filter_chains"][0]["filters"][0];
        assert_eq!(filter, &json!({ "stat_prefix": "x", "route_config": { "name": "9080", "virtual_hosts": [] } }));
    }

    #[test]
    fn pods_are_told_of_and_listened_for() {
        let socket = |address: &str, port: u16| json!({ "socket_address": { "address": address, "port_value": port } });
        let endpoint = |address: &str, port: u16| json!({ "endpoint": { "address": socket(address, port) } });
        let one = |name: &str, value: Value| BTreeMap::from([(name.to_owned(), value)]);
        let endpoints = json!({ "endpoints": [{ "lb_endpoints": [endpoint("127.1.0.21", PORT)], "load_balancing_weight": 1 }] });
        let client = Proxy { endpoints: one("a", endpoints), ..Proxy::default() };
        let inbound = json!({ "name": "inbound|9080||", "endpoints": [endpoint("127.0.0.1", 19101)] });
        let listener = json!({ "name": "127.1.0.21_9080", "address": socket("127.1.0.21", PORT), "cluster": "inbound|9080||" });
        let server =
            Proxy { clusters: one("inbound|9080||", inbound), listeners: one("127.1.0.21_9080", listener), ..Proxy::default() };
        let proxies = BTreeMap::from([("east/productpage".to_owned(), client), ("east/reviews".to_owned(), server)]);
        let recording = Recording { form: FORM, istio: "1.30.3".to_owned(), objects: "0".to_owned(), proxies, pods: 1 };
        assert_eq!(recording.clone().with_pods(1), recording);
        let several = recording.with_pods(3);
        let told = &several.proxies["east/productpage"].endpoints["a"]["endpoints"][0];
        let pods = [("127.1.0.21", PORT), ("127.1.1.1", PORT), ("127.1.1.2", PORT)];
        let wanted = json!({ "lb_endpoints": pods.map(|(address, port)| endpoint(address, port)), "load_balancing_weight": 3 });
        assert_eq!(*told, wanted);
        let mut share = json!({ "endpoints": [{ "lb_endpoints": [endpoint("127.1.0.21", PORT)], "load_balancing_weight": 50 }] });
        add_endpoints(&mut share, seat("east/reviews").expect("a seat").spot, 3);
        assert_eq!(share["endpoints"][0]["load_balancing_weight"], 50);
        let server = &several.proxies["east/reviews"];
        assert_eq!(server.listeners["127.1.1.2_9080"]["address"], socket("127.1.1.2", PORT));
        let cluster = &server.clusters[server.listeners["127.1.1.2_9080"]["cluster"].as_str().expect("it names one")];
        assert_eq!(cluster["endpoints"][0], endpoint("127.0.0.1", 19152));
    }

    #[test]
    fn a_text_is_read_as_it_was_written() {
        let proxies = BTreeMap::from([("east/productpage".to_owned(), proxy())]);
        let recording = Recording { form: FORM, istio: "1.30.3".to_owned(), objects: "0".to_owned(), proxies, pods: 1 };
        assert_eq!(Recording::parse(&recording.text()), Ok(recording.clone()));
        assert!(Recording::parse(&recording.text().replace("\"form\": 1", "\"form\": 0")).is_err());
    }

    #[test]
    fn moments_are_forgotten() {
        let mut dump = json!({ "a": [{ "last_updated": "now", "b": 1 }] });
        forget(&mut dump);
        assert_eq!(dump, json!({ "a": [{ "b": 1 }] }));
    }
}
