//! Where everything of a mesh listens. The addresses are the same in every run, because gateways' addresses are part of the
//! objects that tests compare; so one mesh runs on a machine at a time.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};

/// The namespace of the services of [`CLUSTERS`].
pub const NAMESPACE: &str = "bookinfo";

/// The namespace of the control plane and of the gateway.
pub const ROOT: &str = "istio-system";

/// The port of every Service, and of the listeners of sidecars.
pub const PORT: u16 = 9080;

/// What a backend and its callers speak: each on a port of its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Speech {
    /// HTTP/1.1; the backend names itself in a header.
    Http,
    /// It says its name to whoever connects, and ends the connection.
    Tcp,
    /// HTTP/2 with a status of gRPC behind the body; the name is in a header.
    Grpc,
    /// As TCP, over TLS of its own.
    Tls,
}

impl Speech {
    /// All of a backend.
    pub const ALL: [Self; 4] = [Self::Http, Self::Tcp, Self::Grpc, Self::Tls];

    /// The Service's port, and that of listeners of sidecars.
    pub fn port(self) -> u16 {
        match self {
            Self::Http => PORT,
            Self::Tcp => 9090,
            Self::Grpc => 9100,
            Self::Tls => 9443,
        }
    }

    /// The port's name.
    pub fn name(self) -> &'static str {
        match self {
            Self::Http => "http",
            Self::Tcp => "tcp",
            Self::Grpc => "grpc",
            Self::Tls => "tls",
        }
    }
}

/// Where names of gateways are asked for.
pub const RESOLVER: (Ipv4Addr, u16) = (Ipv4Addr::new(127, 0, 12, 1), 53);

/// The port of east-west gateways.
pub const GATEWAY_PORT: u16 = 15443;

/// Clusters that differ in nothing but their regions.
pub const CLUSTERS: [&str; 3] = ["east", "west", "north"];

/// A cluster that was set up by somebody else: its trust domain, its domain and its namespace are others.
pub const FOREIGN: &str = "south";

/// What a cluster is like.
struct Place {
    name: &'static str,
    region: &'static str,
    namespace: &'static str,
    trust_domain: &'static str,
    domain: &'static str,
}

impl Place {
    const fn usual(name: &'static str, region: &'static str) -> Self {
        Self { name, region, namespace: NAMESPACE, trust_domain: "cluster.local", domain: "cluster.local" }
    }
}

/// All, in the order of their numbers.
const PLACES: [Place; 4] = [
    Place::usual(CLUSTERS[0], "us-east-1"),
    Place::usual(CLUSTERS[1], "us-west-2"),
    Place::usual(CLUSTERS[2], "eu-north-1"),
    Place { name: FOREIGN, region: "sa-south-1", namespace: "library", trust_domain: "south.example", domain: "south.local" },
];

/// A cluster of a mesh: its name and its addresses.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Spot {
    number: u8,
}

impl Spot {
    /// The cluster of this name.
    pub fn of(name: &str) -> Option<Self> {
        let index = PLACES.iter().position(|known| known.name == name)?;
        u8::try_from(index + 1).ok().map(|number| Self { number })
    }

    /// Its name.
    pub fn name(self) -> &'static str {
        self.place().name
    }

    /// Its region.
    pub fn region(self) -> &'static str {
        self.place().region
    }

    /// The namespace of its services.
    pub fn namespace(self) -> &'static str {
        self.place().namespace
    }

    /// Its trust domain.
    pub fn trust_domain(self) -> &'static str {
        self.place().trust_domain
    }

    /// What names of its Services end with.
    pub fn domain(self) -> &'static str {
        self.place().domain
    }

    /// Its only zone.
    pub fn zone(self) -> String {
        format!("{}a", self.region())
    }

    /// `127.<number>.<group>.<member>`.
    pub fn address(self, group: u8, member: u8) -> IpAddr {
        Ipv4Addr::new(127, self.number, group, member).into()
    }

    /// Where istiod answers on this port, except for its webhook.
    pub fn istiod(self, port: u16) -> SocketAddr {
        (self.address(14, 1), port).into()
    }

    /// The port of istiod's webhook on 127.0.0.1: its certificate names `localhost`.
    pub fn webhook_port(self) -> u16 {
        15170 + u16::from(self.number)
    }

    /// Where proxies get their configuration and their certificates.
    pub fn relay(self) -> SocketAddr {
        (self.address(13, 1), 15010).into()
    }

    /// The service addresses of its API server.
    pub fn service_range(self) -> String {
        format!("10.{}.0.0/16", 200 + u16::from(self.number))
    }

    /// Where the backend of its server, or of its second version, listens for this.
    pub fn backend(self, role: Role, speech: Speech) -> SocketAddr {
        let member = match speech {
            Speech::Http => 1,
            Speech::Tcp => 2,
            Speech::Grpc => 3,
            Speech::Tls => 4,
        };
        let version = if role == Role::Canary { 10 } else { 0 };
        (Ipv4Addr::LOCALHOST, 19000 + 100 * u16::from(self.number) + version + member).into()
    }

    /// The address of one of several pods of its server, and where its backend listens. The first is the server's own.
    pub fn pod(self, number: u8) -> (IpAddr, SocketAddr) {
        match number {
            0 => (Role::Server.ip(self), self.backend(Role::Server, Speech::Http)),
            _ => {
                (self.address(1, number), (Ipv4Addr::LOCALHOST, 19050 + 100 * u16::from(self.number) + u16::from(number)).into())
            }
        }
    }

    fn place(self) -> &'static Place {
        &PLACES[usize::from(self.number) - 1]
    }
}

/// What a proxy is there for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Role {
    /// Beside `productpage`, which only calls.
    Client,
    /// Beside `reviews`, which only answers.
    Server,
    /// Beside the second version of `reviews`, in cases that have one.
    Canary,
    /// Between networks.
    Gateway,
}

impl Role {
    /// All of every cluster.
    pub const ALL: [Self; 3] = [Self::Client, Self::Server, Self::Gateway];

    /// Name of the workload.
    pub fn app(self) -> &'static str {
        match self {
            Self::Client => "productpage",
            Self::Server => "reviews",
            Self::Canary => "reviews-v2",
            Self::Gateway => "istio-eastwestgateway",
        }
    }

    /// The Service in front of it.
    pub fn service(self) -> &'static str {
        if self == Self::Canary { Self::Server.app() } else { self.app() }
    }

    /// The value of its label `version`.
    pub fn version(self) -> &'static str {
        if self == Self::Canary { "v2" } else { "v1" }
    }

    /// Its service account.
    pub fn account(self) -> &'static str {
        match self {
            Self::Client => "bookinfo-productpage",
            Self::Server | Self::Canary => "bookinfo-reviews",
            Self::Gateway => "istio-eastwestgateway",
        }
    }

    /// Its address in a cluster.
    pub fn ip(self, spot: Spot) -> IpAddr {
        match self {
            Self::Client => spot.address(0, 5),
            Self::Server => spot.address(0, 21),
            Self::Canary => spot.address(0, 22),
            Self::Gateway => spot.address(15, 1),
        }
    }
}

/// One proxy of a mesh.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Seat {
    /// Its cluster.
    pub spot: Spot,
    /// What it is there for.
    pub role: Role,
}

impl Seat {
    /// `<cluster>/<workload>`.
    pub fn name(self) -> String {
        format!("{}/{}", self.spot.name(), self.role.app())
    }

    /// Its namespace.
    pub fn namespace(self) -> &'static str {
        if self.role == Role::Gateway { ROOT } else { self.spot.namespace() }
    }

    /// Its address.
    pub fn ip(self) -> IpAddr {
        self.role.ip(self.spot)
    }

    /// Where Envoy tells about itself.
    pub fn admin(self) -> SocketAddr {
        (self.ip(), 15000).into()
    }

    /// Its identity.
    pub fn spiffe(self) -> String {
        format!("spiffe://{}/ns/{}/sa/{}", self.spot.trust_domain(), self.namespace(), self.role.account())
    }

    /// How it introduces itself to istiod.
    pub fn node_id(self) -> String {
        let (namespace, domain) = (self.namespace(), self.spot.domain());
        let kind = if self.role == Role::Gateway { "router" } else { "sidecar" };
        format!("{kind}~{}~{}-{}.{namespace}~{namespace}.svc.{domain}", self.ip(), self.role.app(), self.spot.name())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_cluster_has_addresses_of_its_own() {
        let [east, west] = ["east", "west"].map(|name| Spot::of(name).expect("it is known"));
        assert_ne!(east.relay(), west.relay());
        assert_eq!(Role::Gateway.ip(west).to_string(), "127.2.15.1");
        assert_eq!(
            (west.backend(Role::Server, Speech::Http).port(), west.backend(Role::Canary, Speech::Tcp).port()),
            (19201, 19212)
        );
        assert_eq!(Spot::of("nowhere"), None);
        assert!(Seat { spot: east, role: Role::Gateway }.node_id().starts_with("router~127.1.15.1~"));
        let south = Spot::of(FOREIGN).expect("it is known");
        assert_eq!(Seat { spot: south, role: Role::Server }.spiffe(), "spiffe://south.example/ns/library/sa/bookinfo-reviews");
        assert!(Seat { spot: south, role: Role::Client }.node_id().ends_with("~library.svc.south.local"));
    }
}
