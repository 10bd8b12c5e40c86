//! What all calls share: the catalogue of the provider, cancellation, and protection against panics.

use std::any::Any;
use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use tf_value::schema::{FunctionSchema, IdentitySchema, Schema};
use tf_value::{Diagnostic, Type};
use tokio_util::sync::CancellationToken;
use tracing::Instrument;

use crate::identity::Identity;
use crate::{Cx, DataSource, Function, Provider, Resource};

/// Serves one provider: the implementation of the service that core calls. Clones share everything.
#[derive(Clone)]
pub struct Server {
    pub(crate) shared: Arc<Shared>,
}

pub(crate) struct Shared {
    pub(crate) provider: Arc<dyn Provider>,
    pub(crate) schema: Schema,
    pub(crate) ty: Type,
    pub(crate) resources: BTreeMap<&'static str, Kind<dyn Resource>>,
    pub(crate) data_sources: BTreeMap<&'static str, Kind<dyn DataSource>>,
    pub(crate) functions: BTreeMap<&'static str, (Arc<dyn Function>, FunctionSchema)>,
    /// parent of the tokens of all running calls
    stop: Mutex<CancellationToken>,
    /// the process is about to end: running and later calls are to answer with what they have
    leaving: CancellationToken,
    calls: AtomicU64,
}

/// A resource or a data source, with its schema at hand.
pub(crate) struct Kind<T: ?Sized> {
    pub(crate) implementation: Arc<T>,
    pub(crate) schema: Arc<Schema>,
    pub(crate) ty: Arc<Type>,
    /// of resources that have one
    pub(crate) identity: Option<Arc<Identity>>,
}

impl<T: ?Sized> Clone for Kind<T> {
    fn clone(&self) -> Self {
        let Self { implementation, schema, ty, identity } = self;
        let (implementation, identity) = (Arc::clone(implementation), identity.clone());
        Self { implementation, schema: Arc::clone(schema), ty: Arc::clone(ty), identity }
    }
}

impl<T: ?Sized> Kind<T> {
    fn new(implementation: Arc<T>, schema: Schema, identity: Option<IdentitySchema>) -> Self {
        let ty = Arc::new(schema.ty());
        let identity = identity.map(|schema| Arc::new(Identity::new(schema)));
        Self { implementation, schema: Arc::new(schema), ty, identity }
    }
}

impl Server {
    /// A server for `provider`, whose schemas are read here, once.
    #[must_use]
    pub fn new(provider: Arc<dyn Provider>) -> Self {
        Self::until(provider, CancellationToken::new())
    }

    /// The same; all calls are cancelled with `leaving`.
    #[must_use]
    pub fn until(provider: Arc<dyn Provider>, leaving: CancellationToken) -> Self {
        let schema = provider.schema();
        let resources = provider.resources().into_iter().map(|resource| {
            let (schema, identity) = (resource.schema(), resource.identity_schema());
            (resource.type_name(), Kind::new(resource, schema, identity))
        });
        let data_sources = provider.data_sources().into_iter().map(|source| {
            let schema = source.schema();
            (source.type_name(), Kind::new(source, schema, None))
        });
        let functions = provider.functions().into_iter().map(|function| {
            let schema = function.schema();
            (function.name(), (function, schema))
        });
        let shared = Shared {
            ty: schema.ty(),
            schema,
            resources: resources.collect(),
            data_sources: data_sources.collect(),
            functions: functions.collect(),
            provider,
            stop: Mutex::new(leaving.child_token()),
            leaving,
            calls: AtomicU64::new(0),
        };
        Self { shared: Arc::new(shared) }
    }

    /// What one call gets; its token ends with the next [`Server::stop`].
    pub(crate) fn cx(&self, write_only_attributes_allowed: bool) -> Cx {
        let stop = self.shared.stop.lock().unwrap_or_else(PoisonError::into_inner);
        Cx::new(stop.child_token(), write_only_attributes_allowed)
    }

    /// Cancels all running calls; later ones run with a fresh token.
    pub(crate) fn stop(&self) {
        let mut stop = self.shared.stop.lock().unwrap_or_else(PoisonError::into_inner);
        std::mem::replace(&mut *stop, self.shared.leaving.child_token()).cancel();
    }

    pub(crate) fn resource(&self, type_name: &str) -> Result<Kind<dyn Resource>, Diagnostic> {
        self.shared.resources.get(type_name).cloned().ok_or_else(|| unknown_type("resource", type_name))
    }

    pub(crate) fn data_source(&self, type_name: &str) -> Result<Kind<dyn DataSource>, Diagnostic> {
        self.shared.data_sources.get(type_name).cloned().ok_or_else(|| unknown_type("data source", type_name))
    }

    /// Runs provider code on a task of its own, so that its panic ends that task alone.
    pub(crate) async fn guarded<T: Send + 'static>(
        &self,
        rpc: &'static str,
        subject: &str,
        code: impl Future<Output = T> + Send + 'static,
    ) -> Result<T, Diagnostic> {
        let call = self.shared.calls.fetch_add(1, Ordering::Relaxed);
        let span = tracing::debug_span!("call", rpc, subject, call);
        tokio::spawn(code.instrument(span)).await.map_err(|failure| match failure.try_into_panic() {
            Ok(payload) => panicked(rpc, subject, payload.as_ref()),
            Err(_) => Diagnostic::error(
                "Provider is shutting down",
                format!("{rpc} of {subject} was abandoned because the provider process is ending. Run the command again."),
            ),
        })
    }
}

fn panicked(rpc: &str, subject: &str, payload: &(dyn Any + Send)) -> Diagnostic {
    let text = payload.downcast_ref::<String>().map(String::as_str);
    let text = text.or_else(|| payload.downcast_ref::<&str>().copied()).unwrap_or("no text");
    Diagnostic::error(
        "Provider panicked",
        format!(
            "{rpc} of {subject} stopped unexpectedly: {text}. This is a bug in the provider; please report it with the \
             stack trace in its log (TF_LOG_PROVIDER=error). The last state that the provider recorded is kept."
        ),
    )
}

fn unknown_type(what: &str, type_name: &str) -> Diagnostic {
    Diagnostic::error(
        format!("Unknown {what} type"),
        format!("This provider has no {what} \"{type_name}\". The installed provider may be older than the configuration."),
    )
}
