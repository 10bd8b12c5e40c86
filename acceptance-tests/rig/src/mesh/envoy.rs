//! One Envoy: its beginning, its process, and its own pages.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use serde_json::{Value, json};
use xtask::{Problem, Result};

use crate::mesh::layout::{Role, Seat};
use crate::mesh::seeds;
use crate::mesh::traffic::page;
use crate::supervisor::{Launch, Supervisor};

/// A proxy of a mesh.
#[derive(Debug)]
pub struct Envoy {
    seat: Seat,
    binary: PathBuf,
    folder: PathBuf,
    supervisor: Arc<Supervisor>,
}

impl Envoy {
    /// Starts it with this configuration.
    ///
    /// # Errors
    /// When it cannot be started.
    pub fn start(seat: Seat, binary: &Path, supervisor: &Arc<Supervisor>, bootstrap: &Value) -> Result<Self> {
        let folder = supervisor.room().join("envoy").join(seat.name());
        std::fs::create_dir_all(&folder).map_err(Problem::file("create", &folder))?;
        let envoy = Self { seat, binary: binary.to_path_buf(), folder, supervisor: Arc::clone(supervisor) };
        let path = envoy.bootstrap();
        std::fs::write(&path, bootstrap.to_string()).map_err(Problem::file("write", &path))?;
        envoy.launch()?;
        Ok(envoy)
    }

    /// Where it sits.
    pub fn seat(&self) -> Seat {
        self.seat
    }

    /// What it prints.
    pub fn log(&self) -> PathBuf {
        self.folder.join("log")
    }

    /// Whether it has its configuration.
    pub fn is_live(&self) -> bool {
        page(self.seat.admin(), "/ready").is_ok_and(|text| text.trim() == "LIVE")
    }

    /// One of its own pages.
    ///
    /// # Errors
    /// When it does not answer.
    pub fn page(&self, path: &str) -> Result<String> {
        page(self.seat.admin(), path)
    }

    /// It is killed: connections end.
    ///
    /// # Errors
    /// When it was never started.
    pub fn kill(&self) -> Result<()> {
        self.supervisor.signal(&self.program(), "kill")
    }

    /// It hangs.
    ///
    /// # Errors
    /// When it does not run.
    pub fn stop(&self) -> Result<()> {
        self.supervisor.signal(&self.program(), "stop")
    }

    /// It goes on.
    ///
    /// # Errors
    /// When it does not run.
    pub fn cont(&self) -> Result<()> {
        self.supervisor.signal(&self.program(), "cont")
    }

    /// Runs again, if it was killed or hangs.
    ///
    /// # Errors
    /// When it cannot be started.
    pub fn heal(&self) -> Result<()> {
        if self.supervisor.ended(&self.program())?.is_none() {
            return self.cont();
        }
        self.launch()
    }

    fn program(&self) -> String {
        format!("envoy/{}", self.seat.name())
    }

    fn bootstrap(&self) -> PathBuf {
        self.folder.join("bootstrap.json")
    }

    fn launch(&self) -> Result<()> {
        let mut command = vec![self.binary.display().to_string(), "--config-path".to_owned()];
        command.push(self.bootstrap().display().to_string());
        // several run here; and what an agent passes on: else connections keep the listener of before for ten minutes
        let flags = "--disable-hot-restart --concurrency 1 --log-level warning --drain-time-s 45 --drain-strategy immediate";
        command.extend(flags.split(' ').map(str::to_owned));
        let launch = Launch { name: self.program(), command, folder: self.folder.clone(), log: self.log(), rank: 0 };
        self.supervisor.launch(&launch).map(drop)
    }
}

/// The beginning of a proxy that gets everything else from its cluster's relay.
pub fn bootstrap(seat: Seat, istio: &str) -> Value {
    let dynamic = json!({ "ads": {}, "initial_fetch_timeout": "0s", "resource_api_version": "V3" });
    let stream = json!({
        "api_type": "GRPC", "transport_api_version": "V3", "set_node_on_first_message_only": true,
        "grpc_services": [{ "envoy_grpc": { "cluster_name": "xds-grpc" } }],
    });
    json!({
        "node": node(seat, istio),
        "admin": { "address": socket(&seat.ip().to_string(), 15000) },
        "dynamic_resources": { "lds_config": dynamic, "cds_config": dynamic, "ads_config": stream },
        "static_resources": { "clusters": [relay(seat, "xds-grpc"), relay(seat, "sds-grpc")] },
    })
}

/// How a proxy introduces itself.
pub fn node(seat: Seat, istio: &str) -> Value {
    let Seat { spot, role } = seat;
    let mut labels = seeds::labels(role);
    if role == Role::Gateway {
        labels = json!({ "app": role.app(), "istio": "eastwestgateway", "topology.istio.io/network": spot.name() });
    }
    let (ip, name) = (seat.ip().to_string(), format!("{}-{}", role.app(), spot.name()));
    json!({
        "id": seat.node_id(),
        "cluster": format!("{}.{}", role.app(), seat.namespace()),
        "locality": { "region": spot.region(), "zone": spot.zone() },
        "metadata": {
            "NAME": name, "NAMESPACE": seat.namespace(), "CLUSTER_ID": spot.name(), "NETWORK": spot.name(),
            "INTERCEPTION_MODE": "NONE", "INSTANCE_IPS": ip, "LABELS": labels, "SERVICE_ACCOUNT": role.account(),
            "MESH_ID": "cluster.local", "ISTIO_VERSION": istio,
        },
    })
}

/// The cluster from which configuration or certificates come.
pub fn relay(seat: Seat, name: &str) -> Value {
    let address = seat.spot.relay();
    let protocol = json!({
        "envoy.extensions.upstreams.http.v3.HttpProtocolOptions": {
            "@type": "type.googleapis.com/envoy.extensions.upstreams.http.v3.HttpProtocolOptions",
            "explicit_http_config": { "http2_protocol_options": {} },
        },
    });
    let endpoint = json!({ "endpoint": { "address": socket(&address.ip().to_string(), address.port()) } });
    json!({
        "name": name, "type": "STATIC", "connect_timeout": "1s", "typed_extension_protocol_options": protocol,
        "load_assignment": { "cluster_name": name, "endpoints": [{ "lb_endpoints": [endpoint] }] },
    })
}

/// A socket address as Envoy has it.
pub fn socket(ip: &str, port: u16) -> Value {
    json!({ "socket_address": { "address": ip, "port_value": port } })
}
