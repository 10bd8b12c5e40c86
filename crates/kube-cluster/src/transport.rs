//! Requests to one API server.
//!
//! Contract: bounded at once, in time and in number of attempts; a request that changes something is sent again only when
//! the server said that it was not done, or when it never left. A server that is silent costs a request at most
//! [`SILENCE`], and everybody who was waiting beside it gets the same verdict. A 401 renews the credential once.

use std::hash::{BuildHasher as _, Hasher as _};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use http::header::{ACCEPT, AUTHORIZATION, CONTENT_LENGTH, CONTENT_TYPE, HeaderMap, HeaderValue, RETRY_AFTER, USER_AGENT};
use http::{Method, Request, StatusCode};
use http_body_util::BodyExt as _;
use mesh_model::names::ClusterName;
use serde_json::Value;
use tokio::sync::{Mutex as AsyncMutex, Semaphore, SemaphorePermit};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use crate::access::Access;
use crate::connect::{self, Connection};
use kube_apply::progress::{Teller, Wait};
use kube_apply::{Class, ClusterError};

/// How long a silent server may keep a request waiting, all attempts together.
const SILENCE: Duration = Duration::from_secs(40);
/// Attempts of one request.
const ATTEMPTS: u32 = 6;
/// The longest wait that a server may ask for.
const LONGEST_PAUSE: Duration = Duration::from_secs(30);
/// Larger than a page of 500 objects of the largest size that API servers store.
const MAX_ANSWER: usize = 1 << 30;

/// Bounds that all clusters of a provider share.
#[derive(Clone, Debug)]
pub struct Limits {
    total: Arc<Semaphore>,
    per_cluster: usize,
    request: Duration,
}

impl Limits {
    /// So many requests at once over all clusters, at most 16 of them to one, each of them for so long.
    #[must_use]
    pub fn new(in_flight: usize, request: Duration) -> Self {
        let in_flight = in_flight.clamp(1, Semaphore::MAX_PERMITS);
        Self { total: Arc::new(Semaphore::new(in_flight)), per_cluster: in_flight.min(16), request }
    }
}

/// One request.
pub(crate) struct Call<'a> {
    pub(crate) method: Method,
    /// path and query
    pub(crate) path: String,
    pub(crate) content: Option<(&'static str, Vec<u8>)>,
    /// stops it as long as it was not sent; `None`: it changes nothing and may be dropped
    pub(crate) cancel: Option<&'a CancellationToken>,
    /// whether the body of a success is kept as text
    pub(crate) is_list: bool,
}

impl Call<'_> {
    pub(crate) fn get(path: String) -> Self {
        Self { method: Method::GET, path, content: None, cancel: None, is_list: false }
    }

    pub(crate) fn list(path: String) -> Self {
        Self { is_list: true, ..Self::get(path) }
    }

    fn is_read(&self) -> bool {
        self.cancel.is_none()
    }
}

/// What a server answered.
pub(crate) struct Reply {
    pub(crate) status: StatusCode,
    pub(crate) body: Value,
    /// the body of a list, in the place of `body`
    pub(crate) text: Vec<u8>,
    /// texts of its `Warning` headers
    pub(crate) warnings: Vec<String>,
}

pub(crate) struct Transport {
    cluster: ClusterName,
    access: Access,
    user_agent: HeaderValue,
    limits: Limits,
    own: Semaphore,
    connection: AsyncMutex<Option<(u64, Connection)>>,
    teller: Teller,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    /// the server wants no requests before
    paused_until: Option<Instant>,
    /// when it was found silent
    silent: Option<(Instant, ClusterError)>,
}

/// How an attempt failed without an answer.
enum Failure {
    /// nothing was sent
    Connect(String),
    /// the certificate of the server, or ours, is not accepted
    Tls(String),
    /// it was sent, and nobody knows
    Lost(String),
    Timeout,
}

impl Transport {
    pub(crate) fn new(cluster: ClusterName, access: Access, user_agent: &str, limits: Limits) -> Self {
        let user_agent = HeaderValue::try_from(user_agent).unwrap_or(HeaderValue::from_static("terraform-provider-gloo"));
        Self {
            cluster,
            access,
            user_agent,
            own: Semaphore::new(limits.per_cluster),
            limits,
            connection: AsyncMutex::default(),
            teller: Teller::default(),
            state: Mutex::default(),
        }
    }

    pub(crate) fn cluster(&self) -> &ClusterName {
        &self.cluster
    }

    /// Who tells what is waited for in this cluster.
    pub(crate) fn teller(&self) -> &Teller {
        &self.teller
    }

    /// Sends a request until it is answered.
    pub(crate) async fn send(&self, call: Call<'_>) -> Result<Reply, ClusterError> {
        let asked = Instant::now();
        let deadline = asked + SILENCE;
        let mut is_renewed = false;
        let mut attempt = 0;
        let mut held = None;
        loop {
            attempt += 1;
            // a silent server is asked once more in the same turn: those who wait get the verdict instead of a turn
            let permits = match held.take() {
                Some(permits) => permits,
                None => self.permits(&call).await?,
            };
            self.stop_if_silent(asked)?;
            let (generation, connection) = self.connection(None).await?;
            self.paused(&call).await?;
            if call.cancel.is_some_and(CancellationToken::is_cancelled) {
                return Err(self.cancelled());
            }
            let limit = self.limits.request.min(deadline.saturating_duration_since(Instant::now()).max(Duration::from_secs(1)));
            let answer = tokio::time::timeout(limit, self.attempt(&call, &connection));
            let wait = Wait::new(format!("an answer of the API server of cluster {}", self.cluster), Some(limit));
            let result = match self.teller.over(wait, answer).await {
                Ok(result) => result,
                Err(_) => Err(Failure::Timeout),
            };
            let may_repeat = attempt < ATTEMPTS && Instant::now() < deadline;
            match result {
                Ok((status, headers, bytes)) => {
                    if status == StatusCode::UNAUTHORIZED && connection.is_renewable && !is_renewed {
                        is_renewed = true;
                        tracing::debug!(cluster = %self.cluster, "credential refused; asking for another");
                        self.connection(Some(generation)).await?;
                        continue;
                    }
                    let keeps_text = call.is_list && status.is_success();
                    let body = if bytes.is_empty() || keeps_text { Value::Null } else { parse(&bytes) };
                    let text = if keeps_text { bytes } else { Vec::new() };
                    let reply = Reply { status, body, text, warnings: warnings(&headers) };
                    // nothing was done on 429; what a 5xx has done is known for a read only: nothing
                    let is_repeatable = call.is_read() && !(call.method == Method::PATCH && reply.is_untyped_refusal());
                    let is_busy = status == StatusCode::TOO_MANY_REQUESTS
                        || (status.is_server_error() && (is_repeatable || is_refused_unread(status, &headers)));
                    if !(is_busy && may_repeat) {
                        return Ok(reply);
                    }
                    drop(permits);
                    self.pause(&call, attempt, retry_after(&headers)).await?;
                }
                Err(Failure::Connect(_)) if may_repeat && attempt < 4 => {
                    drop(permits);
                    self.pause(&call, attempt, None).await?;
                }
                Err(Failure::Lost(_)) if may_repeat && attempt < 4 && call.is_read() => {
                    drop(permits);
                    self.pause(&call, attempt, None).await?;
                }
                Err(Failure::Timeout) if may_repeat && attempt < 2 && call.is_read() => held = Some(permits),
                Err(failure) => return Err(self.silent(&connection.server, failure, asked)),
            }
        }
    }

    async fn attempt(&self, call: &Call<'_>, connection: &Connection) -> Result<(StatusCode, HeaderMap, Vec<u8>), Failure> {
        let mut request = Request::builder().method(call.method.clone()).uri(&call.path);
        request = request.header(ACCEPT, "application/json").header(USER_AGENT, self.user_agent.clone());
        if let Some(bearer) = &connection.bearer {
            request = request.header(AUTHORIZATION, bearer.clone());
        }
        let content = call.content.as_ref().map(|(kind, bytes)| (*kind, bytes.clone()));
        let body = match content {
            Some((kind, bytes)) => {
                request = request.header(CONTENT_TYPE, kind);
                kube_client::client::Body::from(bytes)
            }
            None => kube_client::client::Body::empty(),
        };
        let request = request.body(body).map_err(|error| Failure::Connect(error.to_string()))?;
        let response = connection.client.send(request).await.map_err(classify)?;
        let (head, body) = response.into_parts();
        let mut body = std::pin::pin!(http_body_util::Limited::new(body, MAX_ANSWER));
        // a page of a list is megabytes: they are here once
        let mut bytes = Vec::with_capacity(length(&head.headers));
        while let Some(frame) = body.frame().await {
            let frame = frame.map_err(|error| Failure::Lost(format!("the answer broke off: {error}")))?;
            frame.data_ref().into_iter().for_each(|data| bytes.extend_from_slice(data));
        }
        tracing::trace!(cluster = %self.cluster, method = %call.method, path = %call.path, status = head.status.as_u16(), bytes = bytes.len(), "answer");
        Ok((head.status, head.headers, bytes))
    }

    /// The right to send: within the bounds, and not before the server wants requests again.
    async fn permits(&self, call: &Call<'_>) -> Result<(SemaphorePermit<'_>, SemaphorePermit<'_>), ClusterError> {
        let waited = async {
            let own = self.own.acquire().await.expect("the semaphore is never closed");
            let total = self.limits.total.acquire().await.expect("the semaphore is never closed");
            (own, total)
        };
        match call.cancel {
            None => Ok(waited.await),
            Some(cancel) => tokio::select! {
                biased;
                () = cancel.cancelled() => Err(self.cancelled()),
                permits = waited => Ok(permits),
            },
        }
    }

    /// Waits before another attempt: as long as the server asks for, else longer each time, spread at random.
    async fn pause(&self, call: &Call<'_>, attempt: u32, asked: Option<Duration>) -> Result<(), ClusterError> {
        let until = {
            let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
            let now = Instant::now();
            let ceiling = Duration::from_millis(100) * 2_u32.pow(attempt.min(6));
            let wait =
                asked.map_or_else(|| spread(ceiling), |asked| asked.min(LONGEST_PAUSE) + spread(Duration::from_millis(250)));
            if asked.is_some() {
                state.paused_until = Some(state.paused_until.map_or(now + wait, |until| until.max(now + wait)));
            }
            state.paused_until.map_or(now + wait, |until| until.max(now + wait))
        };
        let pause = self.pausing(until);
        match call.cancel {
            None => pause.await,
            Some(cancel) => tokio::select! {
                biased;
                () = cancel.cancelled() => return Err(self.cancelled()),
                () = pause => {}
            },
        }
        Ok(())
    }

    async fn pausing(&self, until: Instant) {
        let at_most = until.saturating_duration_since(Instant::now());
        let wait = Wait::new(format!("the end of the pause that cluster {} needs", self.cluster), Some(at_most));
        self.teller.over(wait, tokio::time::sleep_until(until)).await;
    }

    /// Waits until the server wants requests again.
    async fn paused(&self, call: &Call<'_>) -> Result<(), ClusterError> {
        let until = self.state.lock().unwrap_or_else(PoisonError::into_inner).paused_until;
        let Some(until) = until.filter(|until| *until > Instant::now()) else { return Ok(()) };
        match call.cancel {
            None => self.pausing(until).await,
            Some(cancel) => tokio::select! {
                biased;
                () = cancel.cancelled() => return Err(self.cancelled()),
                () = self.pausing(until) => {}
            },
        }
        Ok(())
    }

    /// The connection, opened when there is none; renewed when its credential is about to end, or is the refused one.
    async fn connection(&self, refused: Option<u64>) -> Result<(u64, Connection), ClusterError> {
        let mut held = self.connection.lock().await;
        if let Some((generation, connection)) = held.as_ref()
            && refused != Some(*generation)
            && connection.renew_at.is_none_or(|at| Instant::now() < at)
        {
            return Ok((*generation, connection.clone()));
        }
        let previous = held.as_ref().map(|(_, connection)| connection);
        match connect::open(&self.access, self.limits.request, previous).await {
            Ok(connection) => {
                let generation = held.as_ref().map_or(0, |(generation, _)| generation + 1);
                *held = Some((generation, connection.clone()));
                Ok((generation, connection))
            }
            Err(refusal) => {
                let error = ClusterError::new(
                    Class::Unreachable,
                    &self.cluster,
                    format!("cluster {} cannot be asked: {}", self.cluster, refusal.what),
                    refusal.why,
                    refusal.fix,
                );
                Err(error.lasting())
            }
        }
    }

    fn stop_if_silent(&self, asked: Instant) -> Result<(), ClusterError> {
        let state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        match &state.silent {
            // found while this request was waiting for its turn
            Some((found, error)) if *found >= asked => Err(error.clone()),
            _ => Ok(()),
        }
    }

    fn silent(&self, server: &str, failure: Failure, asked: Instant) -> ClusterError {
        let (why, is_lasting) = match failure {
            Failure::Connect(why) | Failure::Tls(why) => (why, true),
            Failure::Lost(why) => (why, false),
            Failure::Timeout => {
                let waited = asked.elapsed().as_secs();
                (format!("it did not answer within {waited} s"), true)
            }
        };
        let error = ClusterError::new(
            Class::Unreachable,
            &self.cluster,
            format!("the API server of cluster {} at {server} gives no answer", self.cluster),
            format!("{why}."),
            "Check its address, the network and the proxy on the way, and its certificate: `kubectl --request-timeout 5s get \
             --raw /version` tells the same from this machine. A cluster that is gone for good goes into \
             `decommissioned_clusters`.",
        );
        let error = if is_lasting { error.lasting() } else { error };
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        if is_lasting {
            state.silent = Some((Instant::now(), error.clone()));
        }
        error
    }

    fn cancelled(&self) -> ClusterError {
        ClusterError::new(
            Class::Cancelled,
            &self.cluster,
            format!("a request to cluster {} was not sent", self.cluster),
            "The run was interrupted.",
            "Apply again: the plan shows what is left to do.",
        )
    }
}

/// The length that an answer announces, if that is no fancy.
fn length(headers: &HeaderMap) -> usize {
    let announced: Option<usize> = headers.get(CONTENT_LENGTH).and_then(|value| value.to_str().ok()?.parse().ok());
    announced.unwrap_or_default().min(64 << 20)
}

/// Whether a server error says that the request was not looked at.
fn is_refused_unread(status: StatusCode, headers: &HeaderMap) -> bool {
    status == StatusCode::SERVICE_UNAVAILABLE && headers.contains_key(RETRY_AFTER)
}

fn retry_after(headers: &HeaderMap) -> Option<Duration> {
    headers.get(RETRY_AFTER)?.to_str().ok()?.trim().parse().ok().map(Duration::from_secs)
}

/// The texts of `Warning: 299 - "text"` headers.
fn warnings(headers: &HeaderMap) -> Vec<String> {
    let texts = headers.get_all("warning").iter().filter_map(|value| {
        let (_, quoted) = std::str::from_utf8(value.as_bytes()).ok()?.split_once('"')?;
        Some(quoted.rsplit_once('"')?.0.replace("\\\"", "\"").replace("\\\\", "\\"))
    });
    texts.collect()
}

/// JSON, or the text itself: what stands in the way of an API server often answers with a page.
fn parse(bytes: &[u8]) -> Value {
    serde_json::from_slice(bytes).unwrap_or_else(|_| Value::String(String::from_utf8_lossy(bytes).chars().take(300).collect()))
}

/// A time between nothing and `ceiling`.
fn spread(ceiling: Duration) -> Duration {
    let random = std::hash::RandomState::new().build_hasher().finish();
    ceiling.mul_f64(f64::from(u32::try_from(random >> 32).unwrap_or_default()) / f64::from(u32::MAX))
}

fn classify(error: kube_client::Error) -> Failure {
    let mut is_connect = false;
    let mut tls = None;
    let mut last = String::new();
    let mut source: Option<&(dyn std::error::Error + 'static)> = Some(&error);
    while let Some(error) = source {
        if let Some(client) = error.downcast_ref::<hyper_util::client::legacy::Error>() {
            is_connect |= client.is_connect();
        }
        let inner = error.downcast_ref::<std::io::Error>().and_then(std::io::Error::get_ref);
        let inner = inner.map(|inner| inner as &(dyn std::error::Error + 'static));
        for error in [Some(error), inner].into_iter().flatten() {
            if let Some(rustls) = error.downcast_ref::<rustls::Error>() {
                tls = Some(rustls.to_string());
            }
        }
        last = inner.map_or_else(|| error.to_string(), ToString::to_string);
        source = error.source().or_else(|| inner.and_then(std::error::Error::source));
    }
    match tls {
        Some(why) => Failure::Tls(why),
        None if is_connect => Failure::Connect(last),
        None => Failure::Lost(last),
    }
}

#[cfg(test)]
mod tests {
    use kube_apply::testing::Log;

    use super::*;
    use crate::Auth;
    use crate::tests::support::host;

    #[tokio::test(start_paused = true)]
    async fn a_pause_that_the_server_asks_for_is_told_once_for_all_requests() {
        let host = host("https://203.0.113.1", Auth::None);
        let limits = Limits::new(4, Duration::from_secs(15));
        let transport = Transport::new("west".parse().expect("a name"), Access::Host(Box::new(host)), "test", limits);
        let (log, call) = (Log::new(), Call::get(String::new()));
        transport.pause(&call, 1, Some(Duration::from_secs(1))).await.expect("nobody cancels");
        assert_eq!(log.lines(), [""; 0], "a moment is not told");
        let asked = Some(Duration::from_secs(20));
        let (one, other) = tokio::join!(transport.pause(&call, 1, asked), transport.pause(&call, 1, asked));
        one.and(other).expect("nobody cancels");
        let lines = log.lines();
        let waited = |line: &String| line.starts_with("waiting for the end of the pause that cluster west needs: ");
        assert!(lines.len() == 2 && lines.iter().all(waited), "{lines:?}");
        assert!(lines[0].ends_with(": 2 s by now, 20 s at most") && lines[1].contains(": 12 s by now"), "{lines:?}");
    }
}
