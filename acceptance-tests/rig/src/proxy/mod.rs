//! A proxy before one API server: it passes everything, counts everything, and breaks what it is told to.
//!
//! It ends TLS with a certificate of the rig's authority, so that it sees HTTP, and asks the server with the client's own
//! headers, credentials too. It speaks HTTP/1.1 only. One connection of a client is one connection to the server.

mod body;
mod injection;

use std::net::{IpAddr, SocketAddr};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use http_body_util::{BodyExt as _, Full};
use hyper::body::{Bytes, Incoming};
use hyper::client::conn::http1::SendRequest;
use hyper::service::service_fn;
use hyper::{Request, Response};
use hyper_util::rt::TokioIo;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio_rustls::TlsAcceptor;
use xtask::{Problem, Result};

use self::body::{Answered, Bytecount, Counted};
pub use self::injection::{Effect, Injection, Seen};
use crate::http::{Peer, open, wait_for};
use crate::pki::{Identity, serve};
use crate::wait::is_so_by;

/// A request and what became of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Record {
    /// The request.
    pub seen: Seen,
    /// The status that was answered; `None` while there is none, and when there never was one.
    pub status: Option<u16>,
    /// What was broken.
    pub effect: Option<Effect>,
}

/// What went through a proxy since it was started or last asked to forget.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Figures {
    /// Requests, broken ones too.
    pub requests: u64,
    /// Connections of clients.
    pub connections: u64,
    /// Bytes of HTTP from clients, headers too, inside of TLS.
    pub received: u64,
    /// Bytes of HTTP to clients, as compressed as they were.
    pub sent: u64,
}

/// A running proxy; dropped, it closes its port and every connection.
#[derive(Debug)]
pub struct Proxy {
    address: SocketAddr,
    kubeconfig: PathBuf,
    state: Arc<State>,
    accepting: tokio::task::AbortHandle,
}

#[derive(Debug)]
struct State {
    upstream: Peer,
    injections: Mutex<Vec<Injection>>,
    records: Mutex<Vec<Record>>,
    connections: AtomicU64,
    bytes: Arc<Bytecount>,
    /// Counts heals; what hangs waits for the next one.
    healed: watch::Sender<u64>,
    /// Closed with the proxy; connections end with it.
    open: watch::Sender<()>,
}

impl Proxy {
    /// Listens at a free port of this address, before that server.
    pub(crate) fn start(identity: &Identity, upstream: &Peer, ip: IpAddr) -> Result<Self> {
        let acceptor = TlsAcceptor::from(Arc::new(serve(identity)?));
        let state = Arc::new(State {
            upstream: upstream.clone(),
            injections: Mutex::default(),
            records: Mutex::default(),
            connections: AtomicU64::new(0),
            bytes: Arc::default(),
            healed: watch::Sender::new(0),
            open: watch::Sender::new(()),
        });
        let listener = wait_for(TcpListener::bind((ip, 0)));
        let bound = listener.and_then(|listener| Ok((listener.local_addr()?, listener)));
        let (address, listener) = bound.map_err(|error| Problem::new(format!("no port for a proxy: {error}")))?;
        // the task does not keep the state: dropping the proxy must end the connections
        let accepting = crate::http::runtime().spawn(accept(listener, acceptor, Arc::downgrade(&state), state.open.subscribe()));
        Ok(Self { address, kubeconfig: PathBuf::new(), state, accepting: accepting.abort_handle() })
    }

    pub(crate) fn with_kubeconfig(mut self, kubeconfig: PathBuf) -> Self {
        self.kubeconfig = kubeconfig;
        self
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// `https://127.….….…:<port>`.
    pub fn url(&self) -> String {
        format!("https://{}", self.address)
    }

    /// A kubeconfig with the contexts of the cluster, through the proxy.
    pub fn kubeconfig(&self) -> &Path {
        &self.kubeconfig
    }

    /// The API server behind the proxy, asked through it with all rights.
    pub fn api(&self) -> crate::Api {
        crate::Api::new(self.state.upstream.at(self.address))
    }

    /// Breaks requests from now on. Where several injections are for one request, the first is taken; all of them count it.
    pub fn inject(&self, injection: Injection) {
        lock(&self.state.injections).push(injection);
    }

    /// Breaks nothing any more; connections that hang are reset.
    pub fn heal(&self) {
        lock(&self.state.injections).clear();
        self.state.healed.send_modify(|count| *count += 1);
    }

    /// Every request so far, in the order of their arrival.
    pub fn records(&self) -> Vec<Record> {
        lock(&self.state.records).clone()
    }

    /// The sums so far.
    pub fn figures(&self) -> Figures {
        Figures {
            requests: lock(&self.state.records).len() as u64,
            connections: self.state.connections.load(Ordering::Relaxed),
            received: self.state.bytes.received.load(Ordering::Relaxed),
            sent: self.state.bytes.sent.load(Ordering::Relaxed),
        }
    }

    /// Begins records and figures anew.
    pub fn forget(&self) {
        lock(&self.state.records).clear();
        self.state.connections.store(0, Ordering::Relaxed);
        self.state.bytes.received.store(0, Ordering::Relaxed);
        self.state.bytes.sent.store(0, Ordering::Relaxed);
    }

    /// Waits until a request of this kind has arrived; then a test knows that another process is in the middle of it.
    ///
    /// # Errors
    /// When none arrives in time.
    pub fn wait_for_request(&self, patience: Duration, is_it: impl Fn(&Seen) -> bool) -> Result<()> {
        let has_come = || Ok(lock(&self.state.records).iter().any(|record| is_it(&record.seen)));
        if is_so_by(std::time::Instant::now() + patience, has_come)? {
            return Ok(());
        }
        Err(Problem::new(format!("no such request within {} s", patience.as_secs_f64())))
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.accepting.abort();
        self.state.open.send_replace(());
    }
}

async fn accept(listener: TcpListener, acceptor: TlsAcceptor, state: std::sync::Weak<State>, closed: watch::Receiver<()>) {
    loop {
        let Ok((stream, _)) = listener.accept().await else { continue };
        let Some(state) = state.upgrade() else { return };
        let (acceptor, mut closed) = (acceptor.clone(), closed.clone());
        tokio::spawn(async move {
            tokio::select! {
                () = converse(stream, acceptor, state) => {}
                _ = closed.changed() => {}
            }
        });
    }
}

/// One connection of a client.
async fn converse(stream: TcpStream, acceptor: TlsAcceptor, state: Arc<State>) {
    state.connections.fetch_add(1, Ordering::Relaxed);
    let _ = stream.set_nodelay(true);
    // another handle on the socket, to say that its end is a reset
    let Ok((stream, socket)) = stream.into_std().and_then(|stream| Ok((TcpStream::from_std(stream.try_clone()?)?, stream)))
    else {
        return;
    };
    let Ok(stream) = acceptor.accept(stream).await else { return };
    let stream = Counted { stream, count: Arc::clone(&state.bytes) };
    let upstream = Arc::new(tokio::sync::Mutex::new(None));
    let socket = Arc::new(socket);
    let service = service_fn(move |request| {
        let (state, upstream, socket) = (Arc::clone(&state), Arc::clone(&upstream), Arc::clone(&socket));
        async move {
            let mut upstream = upstream.lock().await;
            answer(&state, &mut upstream, request).await.inspect_err(|_| {
                // errors of a service close the connection; with nothing to linger for, that is a reset
                let _ = rustix::net::sockopt::set_socket_linger(&*socket, Some(Duration::ZERO));
            })
        }
    });
    let _ = hyper::server::conn::http1::Builder::new().serve_connection(TokioIo::new(stream), service).await;
}

/// The connection is to be reset.
#[derive(Debug)]
struct Broken;

impl std::fmt::Display for Broken {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("broken on request of a test")
    }
}

impl std::error::Error for Broken {}

type Upstream = Option<SendRequest<Full<Bytes>>>;

async fn answer(
    state: &State,
    upstream: &mut Upstream,
    request: Request<Incoming>,
) -> std::result::Result<Response<Answered>, Broken> {
    let seen = see(&request);
    let mut healed = state.healed.subscribe();
    let effect = {
        let mut injections = lock(&state.injections);
        let effects: Vec<Effect> = injections.iter_mut().filter_map(|injection| injection.take(&seen)).collect();
        effects.into_iter().next()
    };
    let index = {
        let mut records = lock(&state.records);
        records.push(Record { seen, status: None, effect: effect.clone() });
        records.len() - 1
    };
    let answered = match effect {
        Some(Effect::Pages(limit)) => forward(state, upstream, paged(request, limit)).await,
        Some(Effect::AnswerAfter(status)) => {
            forward_whole(state, upstream, request).await?;
            own(status, None, injection::words(status).1)
        }
        None => forward(state, upstream, request).await,
        Some(Effect::Delay(time)) => {
            tokio::time::sleep(time).await;
            forward(state, upstream, request).await
        }
        Some(Effect::Reset) => Err(Broken),
        Some(Effect::Hang) => {
            let _ = healed.changed().await;
            Err(Broken)
        }
        Some(Effect::ResetAfter) => {
            forward_whole(state, upstream, request).await?;
            Err(Broken)
        }
        Some(Effect::HangAfter) => {
            forward_whole(state, upstream, request).await?;
            let _ = healed.changed().await;
            Err(Broken)
        }
        Some(Effect::Answer { status, retry_after, message }) => own(status, retry_after, &message),
        Some(Effect::Truncate(bytes)) => {
            let (parts, body) = forward_whole(state, upstream, request).await?.into_parts();
            Ok(Response::from_parts(parts, Answered::Torn(Some(body.slice(..bytes.min(body.len()))))))
        }
        Some(Effect::Garble(bytes)) => {
            let (mut parts, body) = forward_whole(state, upstream, request).await?.into_parts();
            parts.headers.remove("content-length");
            Ok(Response::from_parts(parts, Answered::Own(Some(body.slice(..bytes.min(body.len()))))))
        }
    };
    if let (Ok(answered), Some(record)) = (&answered, lock(&state.records).get_mut(index)) {
        record.status = Some(answered.status().as_u16());
    }
    answered
}

/// The request for pages of this size.
fn paged(mut request: Request<Incoming>, limit: usize) -> Request<Incoming> {
    let changed = see(&request).with_limit(limit).and_then(|query| format!("{}?{query}", request.uri().path()).parse().ok());
    if let Some(uri) = changed {
        *request.uri_mut() = uri;
    }
    request
}

fn see(request: &Request<Incoming>) -> Seen {
    let user_agent = request.headers().get("user-agent").and_then(|value| value.to_str().ok());
    Seen {
        method: request.method().to_string(),
        path: request.uri().path().to_owned(),
        query: request.uri().query().unwrap_or_default().to_owned(),
        user_agent: user_agent.unwrap_or_default().to_owned(),
    }
}

fn own(status: u16, retry_after: Option<u32>, message: &str) -> std::result::Result<Response<Answered>, Broken> {
    let mut response = Response::builder().status(status).header("content-type", "application/json");
    if let Some(seconds) = retry_after {
        response = response.header("retry-after", seconds);
    }
    response.body(Answered::Own(Some(injection::status_body(status, message).into()))).map_err(|_| Broken)
}

/// The server's answer as it comes. A server that cannot be reached is a reset for the client, as without the proxy.
async fn forward(
    state: &State,
    upstream: &mut Upstream,
    request: Request<Incoming>,
) -> std::result::Result<Response<Answered>, Broken> {
    Ok(pass(state, upstream, request).await?.map(Answered::Passing))
}

/// The server's answer once all of it is here.
async fn forward_whole(
    state: &State,
    upstream: &mut Upstream,
    request: Request<Incoming>,
) -> std::result::Result<Response<Bytes>, Broken> {
    let (parts, body) = pass(state, upstream, request).await?.into_parts();
    let body = body.collect().await.map_err(|_| Broken)?.to_bytes();
    Ok(Response::from_parts(parts, body))
}

async fn pass(
    state: &State,
    upstream: &mut Upstream,
    request: Request<Incoming>,
) -> std::result::Result<Response<Incoming>, Broken> {
    let (parts, body) = request.into_parts();
    let body = Full::new(body.collect().await.map_err(|_| Broken)?.to_bytes());
    let sender = match upstream.take().filter(|sender| !sender.is_closed()) {
        Some(mut sender) => sender.ready().await.map(|()| sender).ok(),
        None => None,
    };
    let mut sender = match sender {
        Some(sender) => sender,
        None => open(state.upstream.address, &state.upstream.tls()).await.map_err(|_| Broken)?,
    };
    let answer = sender.send_request(Request::from_parts(parts, body)).await.map_err(|_| Broken)?;
    *upstream = Some(sender);
    Ok(answer)
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
