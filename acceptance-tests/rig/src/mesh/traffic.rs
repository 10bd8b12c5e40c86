//! Calls of a client, one after the other, and what came back.

use std::collections::BTreeMap;
use std::fmt;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use http_body_util::{BodyExt as _, Empty};
use hyper::body::{Bytes, Incoming};
use hyper::client::conn::{http1, http2};
use hyper::{Method, Request, Response};
use hyper_util::rt::{TokioExecutor, TokioIo};
use rustls::pki_types::ServerName;
use tokio::io::AsyncReadExt as _;
use tokio::net::TcpStream;
use tokio::task::JoinHandle;
use xtask::{Problem, Result};

use crate::http::{runtime, wait_for};
use crate::mesh::echo::{CALLED_AS, CALLED_BY, SERVED_BY};
use crate::mesh::layout::Speech;
use crate::mesh::tls;
use crate::wait::is_so_by;

/// A client waits this long for an answer.
const PATIENCE: Duration = Duration::from_secs(15);

/// Between two calls of constant traffic.
const PACE: Duration = Duration::from_millis(10);

/// What has not happened after this time does not happen.
pub const EVENTUALLY: Duration = Duration::from_secs(90);

/// One call.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Seen {
    /// When it was made, since the traffic began.
    pub at: Duration,
    /// How long it took.
    pub took: Duration,
    /// The status; 0 when there was no answer, 200 for an answer over TCP.
    pub status: u16,
    /// The backend that answered; empty when none did.
    pub by: String,
    /// Whom the backend was called by, in the words of its sidecar.
    pub peer: String,
    /// The host that the backend was asked for.
    pub host: String,
    /// The body of an answer that no backend gave: the proxy's reason.
    pub why: String,
}

impl Seen {
    /// Whether the client got what it asked for.
    pub fn is_served(&self) -> bool {
        self.status == 200 && !self.by.is_empty() && self.why.is_empty()
    }
}

/// Some calls.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Calls(pub Vec<Seen>);

impl Calls {
    /// How many were not served.
    pub fn errors(&self) -> usize {
        self.0.iter().filter(|seen| !seen.is_served()).count()
    }

    /// How many each backend served.
    pub fn by(&self) -> BTreeMap<&str, usize> {
        let mut counts = BTreeMap::new();
        for seen in self.0.iter().filter(|seen| seen.is_served()) {
            *counts.entry(seen.by.as_str()).or_default() += 1;
        }
        counts
    }

    /// How many this backend served.
    pub fn served_by(&self, backend: &str) -> usize {
        self.by().get(backend).copied().unwrap_or_default()
    }

    /// How long after the first call this backend first served, and how long after it alone did.
    pub fn taken_over_by(&self, backend: &str) -> Option<(Duration, Duration)> {
        let is_by = |seen: &Seen| seen.is_served() && seen.by == backend;
        let start = self.0.first()?.at;
        let first = self.0.iter().find(|seen| is_by(seen))?.at;
        let alone = self.0.iter().rposition(|seen| !is_by(seen)).map_or(Some(start), |last| Some(self.0.get(last + 1)?.at))?;
        Some((first - start, alone - start))
    }

    /// Backends in the order in which they first answered, an error as `!`, each run of one once.
    pub fn order(&self) -> Vec<&str> {
        let mut order: Vec<&str> = self.0.iter().map(|seen| if seen.is_served() { seen.by.as_str() } else { "!" }).collect();
        order.dedup();
        order
    }
}

impl fmt::Display for Calls {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} calls, {} errors", self.0.len(), self.errors())?;
        self.by().iter().try_for_each(|(backend, count)| write!(f, ", {backend} {count}"))?;
        let mut reasons: BTreeMap<(u16, &str), usize> = BTreeMap::new();
        for seen in self.0.iter().filter(|seen| !seen.is_served()) {
            *reasons.entry((seen.status, seen.why.trim())).or_default() += 1;
        }
        reasons.iter().try_for_each(|((status, why), count)| write!(f, "; {count} × {status} {why}"))
    }
}

/// A client with one connection at a time, as an application has it to its sidecar.
#[derive(Debug)]
pub struct Client {
    address: SocketAddr,
    host: String,
    method: Method,
    speech: Speech,
    sender: Option<Sender>,
}

#[derive(Debug)]
enum Sender {
    Http(http1::SendRequest<Empty<Bytes>>),
    Grpc(http2::SendRequest<Empty<Bytes>>),
}

impl Sender {
    async fn connect(speech: Speech, stream: TcpStream) -> hyper::Result<Self> {
        let stream = TokioIo::new(stream);
        Ok(if speech == Speech::Grpc {
            let (sender, connection) = http2::handshake(TokioExecutor::new(), stream).await?;
            tokio::spawn(connection);
            Self::Grpc(sender)
        } else {
            let (sender, connection) = http1::handshake(stream).await?;
            tokio::spawn(connection);
            Self::Http(sender)
        })
    }

    fn is_closed(&self) -> bool {
        match self {
            Self::Http(sender) => sender.is_closed(),
            Self::Grpc(sender) => sender.is_closed(),
        }
    }

    async fn send(&mut self, request: Request<Empty<Bytes>>) -> hyper::Result<Response<Incoming>> {
        match self {
            Self::Http(sender) => {
                sender.ready().await?;
                sender.send_request(request).await
            }
            Self::Grpc(sender) => {
                sender.ready().await?;
                sender.send_request(request).await
            }
        }
    }
}

impl Client {
    /// Calls this host through the proxy at this address.
    pub fn new(address: SocketAddr, host: &str) -> Self {
        Self { address, host: host.to_owned(), method: Method::GET, speech: Speech::Http, sender: None }
    }

    /// Speaks this with it; over TCP and TLS it takes what the backend says without being asked.
    pub fn speaking(speech: Speech, address: SocketAddr, host: &str) -> Self {
        let method = if speech == Speech::Grpc { Method::POST } else { Method::GET };
        Self { speech, method, ..Self::new(address, host) }
    }

    /// The same with this method.
    pub fn with(self, method: Method) -> Self {
        Self { method, ..self }
    }

    /// One request.
    pub async fn ask(&mut self, path: &str) -> (u16, hyper::HeaderMap, String) {
        match tokio::time::timeout(PATIENCE, self.exchange(path)).await {
            Ok(Ok(answer)) => answer,
            Ok(Err(why)) => self.failed(why),
            Err(_) => self.failed(format!("no answer within {} s", PATIENCE.as_secs())),
        }
    }

    fn failed(&mut self, why: String) -> (u16, hyper::HeaderMap, String) {
        self.sender = None;
        (0, hyper::HeaderMap::new(), why)
    }

    async fn exchange(&mut self, path: &str) -> std::result::Result<(u16, hyper::HeaderMap, String), String> {
        let text = |error: hyper::Error| error.to_string();
        let mut sender = match self.sender.take().filter(|sender| !sender.is_closed()) {
            Some(sender) => sender,
            None => {
                let stream = TcpStream::connect(self.address).await.map_err(|error| error.to_string())?;
                let _ = stream.set_nodelay(true);
                Sender::connect(self.speech, stream).await.map_err(text)?
            }
        };
        let request = Request::builder().method(&self.method);
        let request = if self.speech == Speech::Grpc {
            let uri = format!("http://{}{path}", self.host);
            request.uri(uri).header("content-type", "application/grpc").header("te", "trailers")
        } else {
            request.uri(path).header("host", &self.host)
        };
        let request = request.body(Empty::new()).map_err(|error| error.to_string())?;
        let (mut head, body) = sender.send(request).await.map_err(text)?.into_parts();
        let body = body.collect().await.map_err(text)?;
        // of a call over gRPC the trailers tell what became of it
        head.headers.extend(body.trailers().cloned().unwrap_or_default());
        let body = body.to_bytes();
        self.sender = Some(sender);
        Ok((head.status.as_u16(), head.headers, String::from_utf8_lossy(&body).into_owned()))
    }

    async fn call(&mut self, since: Instant) -> Seen {
        let at = since.elapsed();
        if matches!(self.speech, Speech::Tcp | Speech::Tls) {
            let (status, by, why) = match tokio::time::timeout(PATIENCE, listen(self.speech, self.address)).await {
                Ok(Ok(by)) if by.is_empty() => (0, by, "the connection ended without a word".to_owned()),
                Ok(Ok(by)) => (200, by, String::new()),
                Ok(Err(error)) => (0, String::new(), error.kind().to_string()),
                Err(_) => (0, String::new(), format!("no word within {} s", PATIENCE.as_secs())),
            };
            return Seen { at, took: since.elapsed() - at, status, by, peer: String::new(), host: String::new(), why };
        }
        let (status, headers, body) = self.ask("/").await;
        let header = |name: &str| headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default().to_owned();
        let (by, grpc) = (header(SERVED_BY), header("grpc-status"));
        let why = match (by.is_empty(), grpc.as_str()) {
            (false, "" | "0") => String::new(),
            (_, "") => body,
            (_, grpc) => format!("gRPC {grpc} {}", header("grpc-message")),
        };
        Seen { at, took: since.elapsed() - at, status, by, peer: header(CALLED_BY), host: header(CALLED_AS), why }
    }
}

/// What is said at this address until the connection ends.
async fn listen(speech: Speech, address: SocketAddr) -> std::io::Result<String> {
    let mut said = String::new();
    let mut stream = TcpStream::connect(address).await?;
    if speech == Speech::Tls {
        let name = ServerName::try_from(tls::HOST).map_err(std::io::Error::other)?;
        tls::client().connect(name, stream).await?.read_to_string(&mut said).await?;
    } else {
        stream.read_to_string(&mut said).await?;
    }
    Ok(said)
}

/// Asks the proxy's own page at this address.
///
/// # Errors
/// When it does not answer with 200.
pub fn page(address: SocketAddr, path: &str) -> Result<String> {
    let (mut client, wanted) = (Client::new(address, &address.to_string()), path.to_owned());
    let (status, _, body) = wait_for(async move { client.ask(&wanted).await });
    if status == 200 { Ok(body) } else { Err(Problem::new(format!("http://{address}{path}: {status} {body}"))) }
}

/// So many calls.
pub fn calls(address: SocketAddr, host: &str, count: usize) -> Calls {
    let mut client = Client::new(address, host);
    wait_for(async move {
        let since = Instant::now();
        let mut seen = Vec::with_capacity(count);
        for _ in 0..count {
            seen.push(client.call(since).await);
        }
        Calls(seen)
    })
}

/// A client that calls without end, until it is dropped.
#[derive(Debug)]
pub struct Traffic {
    seen: Arc<Mutex<Vec<Seen>>>,
    task: JoinHandle<()>,
}

impl Traffic {
    /// Begins to call.
    pub fn start(mut client: Client) -> Self {
        let seen = Arc::new(Mutex::new(Vec::new()));
        let log = Arc::clone(&seen);
        let task = runtime().spawn(async move {
            let since = Instant::now();
            let mut pace = tokio::time::interval(PACE);
            pace.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
            loop {
                pace.tick().await;
                let one = client.call(since).await;
                log.lock().unwrap_or_else(PoisonError::into_inner).push(one);
            }
        });
        Self { seen, task }
    }

    /// How many calls were made.
    pub fn mark(&self) -> usize {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner).len()
    }

    /// The calls after a mark.
    pub fn since(&self, mark: usize) -> Calls {
        Calls(self.seen.lock().unwrap_or_else(PoisonError::into_inner).get(mark..).unwrap_or_default().to_vec())
    }

    /// All calls.
    pub fn all(&self) -> Calls {
        self.since(0)
    }

    /// Waits until the last `count` calls, all made from now on, are as told.
    ///
    /// # Panics
    /// When that does not happen within [`EVENTUALLY`].
    pub fn wait_until(&self, what: &str, count: usize, is_so: impl Fn(&Seen) -> bool) {
        let mark = self.mark();
        let end = Instant::now() + EVENTUALLY;
        let is_there = is_so_by(end, || {
            let calls = self.since(mark).0;
            Ok(calls.len() >= count && calls[calls.len() - count..].iter().all(&is_so))
        });
        assert_eq!(is_there, Ok(true), "not within {EVENTUALLY:?}: {what}; since then {}", self.since(mark));
    }

    /// Waits until so many more calls were made.
    ///
    /// # Panics
    /// When they take more than a tenth of a second each, and [`EVENTUALLY`] besides.
    pub fn more(&self, count: usize) -> Calls {
        let mark = self.mark();
        let patience = EVENTUALLY + PACE * 10 * u32::try_from(count).unwrap_or(u32::MAX);
        let is_done = is_so_by(Instant::now() + patience, || Ok(self.mark() >= mark + count));
        assert_eq!(is_done, Ok(true), "no {count} calls within {patience:?}: {}", self.since(mark));
        self.since(mark)
    }
}

impl Drop for Traffic {
    fn drop(&mut self) {
        self.task.abort();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn calls_are_counted_by_who_answered() {
        let seen = |status, by: &str| Seen {
            at: Duration::ZERO,
            took: Duration::ZERO,
            status,
            by: by.to_owned(),
            peer: String::new(),
            host: String::new(),
            why: String::new(),
        };
        let calls = Calls(vec![seen(200, "east"), seen(200, "east"), seen(503, ""), seen(500, "west"), seen(200, "west")]);
        assert_eq!((calls.errors(), calls.served_by("east"), calls.served_by("north")), (2, 2, 0));
        assert_eq!(calls.order(), ["east", "!", "west"]);
        assert_eq!(calls.taken_over_by("west"), Some((Duration::ZERO, Duration::ZERO)));
        assert_eq!(calls.taken_over_by("east"), None, "it is not the last one");
        assert_eq!(calls.to_string(), "5 calls, 2 errors, east 2, west 1; 1 × 500 ; 1 × 503 ");
    }
}
