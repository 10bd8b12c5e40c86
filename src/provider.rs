//! The provider: its block becomes settings and a fleet of clusters. Nothing is opened.

use std::sync::Arc;

use kube_apply::port::Cluster;
use tf_server::{BoxFuture, Cx, DataSource, Function, Provider, Resource};
use tf_value::schema::Schema;
use tf_value::{Diagnostics, Value};

use crate::catalog;
use crate::session::Configured;
use crate::settings;

/// What a fleet makes of each of its clusters before it uses it.
pub type Decorate = dyn Fn(Arc<dyn Cluster>) -> Arc<dyn Cluster> + Send + Sync;

/// The gloo provider.
pub struct Gloo {
    configured: Arc<Configured>,
    decorate: Box<Decorate>,
}

impl Gloo {
    /// A provider that is not configured yet.
    #[must_use]
    pub fn new() -> Self {
        Self::decorated(|cluster| cluster)
    }

    /// The same, whose clusters go through `decorate`: a seam for tests, which watch or break them there.
    #[must_use]
    pub fn decorated(decorate: impl Fn(Arc<dyn Cluster>) -> Arc<dyn Cluster> + Send + Sync + 'static) -> Self {
        Self { configured: Arc::default(), decorate: Box::new(decorate) }
    }
}

impl Default for Gloo {
    fn default() -> Self {
        Self::new()
    }
}

impl Provider for Gloo {
    fn schema(&self) -> Schema {
        settings::schema()
    }

    fn validate(&self, config: &Value) -> Diagnostics {
        settings::decode(config, &environment).1
    }

    fn configure<'a>(&'a self, _cx: &'a Cx, _terraform_version: &'a str, config: Value) -> BoxFuture<'a, Diagnostics> {
        Box::pin(async move {
            let (settings, diagnostics) = settings::decode(&config, &environment);
            if diagnostics.has_errors() {
                return diagnostics;
            }
            match settings {
                Some(settings) => self.configured.set(settings, &*self.decorate),
                None => return settings::owner_is_unknown(),
            }
            diagnostics
        })
    }

    fn resources(&self) -> Vec<Arc<dyn Resource>> {
        catalog::resources(&self.configured)
    }

    fn data_sources(&self) -> Vec<Arc<dyn DataSource>> {
        catalog::data_sources(&self.configured)
    }

    fn functions(&self) -> Vec<Arc<dyn Function>> {
        catalog::functions()
    }
}

/// The environment, for connection settings alone.
fn environment(name: &str) -> Option<String> {
    std::env::var(name).ok()
}
