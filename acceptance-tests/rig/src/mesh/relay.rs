//! What stands between istiod and the proxies of one cluster: it passes configuration on, gives out certificates, and sees
//! every refusal.
//!
//! A gateway's listener on all addresses is moved to the gateway's own one on the way: several gateways share this machine.
//! Everything else passes byte for byte.

use std::collections::BTreeMap;
use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};

use http_body_util::channel::{Channel, Sender};
use http_body_util::combinators::UnsyncBoxBody;
use http_body_util::{BodyExt as _, Empty};
use hyper::body::{Bytes, Incoming};
use hyper::header::HeaderMap;
use hyper::service::service_fn;
use hyper::{Request, Response};
use hyper_util::rt::{TokioExecutor, TokioIo};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;
use xtask::{Problem, Result};

use crate::http::{runtime, wait_for};
use crate::mesh::wire;
use crate::pki::Identity;

const CONFIGURATION: &str = "/envoy.service.discovery.v3.AggregatedDiscoveryService/StreamAggregatedResources";
const CERTIFICATES: &str = "/envoy.service.secret.v3.SecretDiscoveryService/StreamSecrets";
const SECRET: &str = "type.googleapis.com/envoy.extensions.transport_sockets.tls.v3.Secret";
const LISTENER: &str = "type.googleapis.com/envoy.config.listener.v3.Listener";

/// Where a message names its sender, its type, what it asks for, and what is wrong with the answer before.
mod request {
    pub(super) const NODE: u32 = 2;
    pub(super) const NODE_ID: u32 = 1;
    pub(super) const NAMES: u32 = 3;
    pub(super) const TYPE: u32 = 4;
    pub(super) const NONCE: u32 = 5;
    pub(super) const ERROR: u32 = 6;
    pub(super) const ERROR_MESSAGE: u32 = 2;
}

/// Where an answer has its resources, and a listener its address.
mod answer {
    pub(super) const VERSION: u32 = 1;
    pub(super) const RESOURCES: u32 = 2;
    pub(super) const TYPE: u32 = 4;
    pub(super) const NONCE: u32 = 5;
    /// resource, its value, address, socket address, its text
    pub(super) const LISTENER_ADDRESSES: [u32; 5] = [RESOURCES, 2, 2, 1, 2];
}

type Body = UnsyncBoxBody<Bytes, Infallible>;
type Pipe = Sender<Bytes, Infallible>;

/// The certificates of a cluster's proxies, by the address in their node id, and the root that all of them believe.
#[derive(Debug, Clone)]
pub struct Secrets {
    /// By address.
    pub identities: BTreeMap<String, Identity>,
    /// As PEM.
    pub root: String,
}

/// Serves the proxies of one cluster until it is dropped.
#[derive(Debug)]
pub struct Relay {
    state: Arc<State>,
    task: JoinHandle<()>,
}

#[derive(Debug)]
struct State {
    /// istiod; there is none where only certificates are given out.
    upstream: Option<SocketAddr>,
    secrets: Secrets,
    refusals: Mutex<Vec<String>>,
}

impl Relay {
    /// Listens for proxies.
    ///
    /// # Errors
    /// When the address is taken.
    pub fn start(address: SocketAddr, upstream: Option<SocketAddr>, secrets: Secrets) -> Result<Self> {
        let listener = wait_for(async move { TcpListener::bind(address).await });
        let listener = listener.map_err(|error| Problem::new(format!("cannot listen on {address}: {error}")))?;
        let state = Arc::new(State { upstream, secrets, refusals: Mutex::default() });
        let task = runtime().spawn(accept(listener, Arc::clone(&state)));
        Ok(Self { state, task })
    }

    /// From now on only what is refused from now on counts.
    pub fn forget_refusals(&self) {
        self.state.refusals.lock().unwrap_or_else(PoisonError::into_inner).clear();
    }

    /// What proxies refused, since the start: node, type and reason.
    pub fn refusals(&self) -> Vec<String> {
        self.state.refusals.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

impl Drop for Relay {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn accept(listener: TcpListener, state: Arc<State>) {
    while let Ok((stream, _)) = listener.accept().await {
        let _ = stream.set_nodelay(true);
        let state = Arc::clone(&state);
        tokio::spawn(async move {
            let service = service_fn(move |request| {
                let state = Arc::clone(&state);
                async move { Ok::<_, Infallible>(state.serve(request).await) }
            });
            let server = hyper::server::conn::http2::Builder::new(TokioExecutor::new());
            let _ = server.serve_connection(TokioIo::new(stream), service).await;
        });
    }
}

impl State {
    async fn serve(self: Arc<Self>, request: Request<Incoming>) -> Response<Body> {
        match (request.uri().path(), self.upstream) {
            (CERTIFICATES, _) => {
                let (pipe, body) = Channel::new(4);
                tokio::spawn(self.give_certificates(Messages::of(request.into_body()), pipe));
                answered(body.boxed_unsync())
            }
            (CONFIGURATION, Some(upstream)) => match self.pass_on(upstream, request).await {
                Ok(response) => response,
                Err(error) => refused(&error.to_string()),
            },
            (path, _) => refused(&format!("nobody serves {path}")),
        }
    }

    async fn pass_on(self: Arc<Self>, upstream: SocketAddr, request: Request<Incoming>) -> Result<Response<Body>> {
        let stream = TcpStream::connect(upstream).await.map_err(|error| Problem::new(error.to_string()))?;
        let _ = stream.set_nodelay(true);
        let problem = |error: hyper::Error| Problem::new(format!("istiod: {error}"));
        let shaken = hyper::client::conn::http2::handshake(TokioExecutor::new(), TokioIo::new(stream)).await;
        let (mut sender, connection) = shaken.map_err(problem)?;
        tokio::spawn(connection);
        let (mut to_istiod, body) = Channel::<Bytes, Infallible>::new(4);
        let asked = Request::post(format!("http://{upstream}{CONFIGURATION}"))
            .header("content-type", "application/grpc")
            .header("te", "trailers")
            .body(body)
            .map_err(|error| Problem::new(error.to_string()))?;
        let node = Arc::new(Mutex::new(String::new()));
        let (listener, seen) = (Arc::clone(&self), Arc::clone(&node));
        // istiod says nothing before it is asked
        tokio::spawn(async move {
            let mut messages = Messages::of(request.into_body());
            while let Some(message) = messages.next().await {
                listener.look(&message, &seen);
                if to_istiod.send_data(frame(&message)).await.is_err() {
                    return;
                }
            }
        });
        let answer = sender.send_request(asked).await.map_err(problem)?;
        let (mut to_proxy, body) = Channel::new(4);
        tokio::spawn(async move {
            let mut messages = Messages::of(answer.into_body());
            while let Some(message) = messages.next().await {
                let id = node.lock().unwrap_or_else(PoisonError::into_inner).clone();
                let message = at_home(&id, &message).unwrap_or(message);
                if to_proxy.send_data(frame(&message)).await.is_err() {
                    return;
                }
            }
            let _ = to_proxy.send_trailers(ended(14)).await;
            drop(sender);
        });
        Ok(answered(body.boxed_unsync()))
    }

    /// Learns who asks, and notes a refusal.
    fn look(&self, message: &[u8], node: &Mutex<String>) {
        let mut node = node.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(id) = node_id(message) {
            *node = id;
        }
        let error = wire::values(message, request::ERROR).unwrap_or_default();
        if let Some(error) = error.last() {
            let text = |bytes: &[u8], number| wire::text(bytes, number).unwrap_or_default();
            let refusal = format!("{node}: {}: {}", text(message, request::TYPE), text(error, request::ERROR_MESSAGE));
            self.refusals.lock().unwrap_or_else(PoisonError::into_inner).push(refusal);
        }
    }

    /// A certificate does not change while a mesh runs: each name is answered once.
    async fn give_certificates(self: Arc<Self>, mut messages: Messages, mut pipe: Pipe) {
        let (mut id, mut given) = (String::new(), Vec::new());
        while let Some(message) = messages.next().await {
            id = node_id(&message).unwrap_or(id);
            let names: Vec<String> = wire::values(&message, request::NAMES)
                .unwrap_or_default()
                .into_iter()
                .map(|name| String::from_utf8_lossy(name).into_owned())
                .collect();
            if names == given {
                continue;
            }
            let nonce = wire::text(&message, request::NONCE).unwrap_or_default();
            let answer = self.certificates(&id, &names, &nonce);
            given = names;
            if pipe.send_data(frame(&answer)).await.is_err() {
                return;
            }
        }
    }

    fn certificates(&self, id: &str, names: &[String], nonce: &str) -> Vec<u8> {
        let mut message = Vec::new();
        wire::put(&mut message, answer::VERSION, b"1");
        for name in names {
            let Some(secret) = self.secret(id, name) else { continue };
            let mut any = Vec::new();
            wire::put(&mut any, 1, SECRET.as_bytes());
            wire::put(&mut any, 2, &secret);
            wire::put(&mut message, answer::RESOURCES, &any);
        }
        wire::put(&mut message, answer::TYPE, SECRET.as_bytes());
        wire::put(&mut message, answer::NONCE, format!("{nonce}1").as_bytes());
        message
    }

    /// `Secret { name = 1, tls_certificate = 2 { certificate_chain = 1, private_key = 2 }, validation_context = 4 { trusted_ca
    /// = 1 } }`, each one a `DataSource { inline_bytes = 2 }`.
    fn secret(&self, id: &str, name: &str) -> Option<Vec<u8>> {
        let source = |number: u32, pem: &str, into: &mut Vec<u8>| {
            let mut source = Vec::new();
            wire::put(&mut source, 2, pem.as_bytes());
            wire::put(into, number, &source);
        };
        let (mut secret, mut content) = (Vec::new(), Vec::new());
        wire::put(&mut secret, 1, name.as_bytes());
        if name == "ROOTCA" {
            source(1, &self.secrets.root, &mut content);
            wire::put(&mut secret, 4, &content);
        } else {
            let identity = self.secrets.identities.get(address_of(id)?)?;
            source(1, &identity.certificate, &mut content);
            source(2, &identity.key, &mut content);
            wire::put(&mut secret, 2, &content);
        }
        Some(secret)
    }
}

/// The listeners of a gateway at the gateway's address; `None` when nothing is to be changed.
fn at_home(id: &str, message: &[u8]) -> Option<Vec<u8>> {
    let address = id.strip_prefix("router~").and_then(|_| address_of(id))?;
    if wire::text(message, answer::TYPE).ok()? != LISTENER {
        return None;
    }
    let is_everywhere = |old: &[u8]| matches!(old, b"0.0.0.0" | b"::");
    wire::edit(message, &answer::LISTENER_ADDRESSES, &|old| is_everywhere(old).then(|| address.as_bytes().to_vec())).ok()
}

fn node_id(message: &[u8]) -> Option<String> {
    let node = *wire::values(message, request::NODE).ok()?.last()?;
    wire::text(node, request::NODE_ID).ok().filter(|id| !id.is_empty())
}

/// `sidecar~127.1.0.5~…`: the second part.
fn address_of(id: &str) -> Option<&str> {
    id.split('~').nth(1)
}

/// The messages of a gRPC stream.
struct Messages {
    body: Incoming,
    buffer: Vec<u8>,
}

impl Messages {
    fn of(body: Incoming) -> Self {
        Self { body, buffer: Vec::new() }
    }

    /// The next one; `None` at the end, however it came.
    async fn next(&mut self) -> Option<Vec<u8>> {
        loop {
            if let Some((head, rest)) = self.buffer.split_at_checked(5) {
                let length = u32::from_be_bytes([head[1], head[2], head[3], head[4]]) as usize;
                if let Some(message) = rest.get(..length) {
                    let message = message.to_vec();
                    self.buffer.drain(..5 + length);
                    return Some(message);
                }
            }
            let frame = self.body.frame().await?.ok()?;
            if let Ok(data) = frame.into_data() {
                self.buffer.extend_from_slice(&data);
            }
        }
    }
}

fn frame(message: &[u8]) -> Bytes {
    let length = u32::try_from(message.len()).expect("a message is shorter than 4 GiB");
    [&[0][..], &length.to_be_bytes(), message].concat().into()
}

fn answered(body: Body) -> Response<Body> {
    let mut response = Response::new(body);
    response.headers_mut().insert("content-type", "application/grpc".parse().expect("a header"));
    response
}

/// gRPC's "unavailable", so that the proxy tries again.
fn refused(why: &str) -> Response<Body> {
    let mut response = answered(Empty::new().boxed_unsync());
    response.headers_mut().extend(ended(14));
    if let Ok(why) = why.parse() {
        response.headers_mut().insert("grpc-message", why);
    }
    response
}

fn ended(status: u16) -> HeaderMap {
    HeaderMap::from_iter([("grpc-status".parse().expect("a header"), status.into())])
}

#[cfg(test)]
mod tests {
    use super::*;

    fn listener(address: &[u8]) -> Vec<u8> {
        let [mut socket, mut outer, mut listener, mut any, mut message] = [const { Vec::new() }; 5];
        wire::put(&mut socket, 2, address);
        wire::put(&mut outer, 1, &socket);
        wire::put(&mut listener, 1, b"0.0.0.0_15443");
        wire::put(&mut listener, 2, &outer);
        wire::put(&mut any, 1, LISTENER.as_bytes());
        wire::put(&mut any, 2, &listener);
        wire::put(&mut message, answer::RESOURCES, &any);
        wire::put(&mut message, answer::TYPE, LISTENER.as_bytes());
        message
    }

    #[test]
    fn a_gateway_listens_at_its_own_address_only() {
        let gateway = "router~127.2.15.1~gateway.istio-system~istio-system.svc.cluster.local";
        assert_eq!(at_home(gateway, &listener(b"0.0.0.0")), Some(listener(b"127.2.15.1")));
        assert_eq!(at_home(gateway, &listener(b"127.9.9.9")), Some(listener(b"127.9.9.9")));
        assert_eq!(at_home("sidecar~127.1.0.5~a.b~b", &listener(b"0.0.0.0")), None);
    }
}
