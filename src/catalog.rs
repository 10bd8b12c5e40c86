//! Everything that the provider offers. A new resource or data source is one line here.

use std::sync::Arc;

use tf_server::{DataSource, Function, Resource};

use crate::data_sources::cluster::ClusterData;
use crate::data_sources::failover::FailoverData;
use crate::data_sources::objects::ObjectsData;
use crate::data_sources::service::ServiceData;
use crate::data_sources::services::ServicesData;
use crate::data_sources::workloads::WorkloadsData;
use crate::functions::expand::Expand;
use crate::functions::foresight::{Diagram, FailoverTable};
use crate::functions::manifests::{Files, ToYaml};
use crate::functions::names::{GlobalHostname, ParseId, SpiffeId};
use crate::functions::role::Role;
use crate::lifecycle::IntentResource;
use crate::resources::istio_object::IstioObject;
use crate::resources::virtual_destination::VirtualDestination;
use crate::resources::virtual_mesh::VirtualMesh;
use crate::session::Configured;

/// The resources.
pub(crate) fn resources(configured: &Arc<Configured>) -> Vec<Arc<dyn Resource>> {
    vec![
        Arc::new(IntentResource::new(VirtualMesh, configured)),
        Arc::new(IntentResource::new(VirtualDestination, configured)),
        Arc::new(IntentResource::new(IstioObject, configured)),
    ]
}

/// The data sources.
pub(crate) fn data_sources(configured: &Arc<Configured>) -> Vec<Arc<dyn DataSource>> {
    vec![
        Arc::new(ClusterData::new(configured)),
        Arc::new(ServiceData::new(configured)),
        Arc::new(ServicesData::new(configured)),
        Arc::new(WorkloadsData::new(configured)),
        Arc::new(ObjectsData::new(configured)),
        Arc::new(FailoverData),
    ]
}

/// The functions.
pub(crate) fn functions() -> Vec<Arc<dyn Function>> {
    vec![
        Arc::new(Role),
        Arc::new(FailoverTable),
        Arc::new(Diagram),
        Arc::new(ToYaml),
        Arc::new(Files),
        Arc::new(Expand),
        Arc::new(SpiffeId),
        Arc::new(ParseId),
        Arc::new(GlobalHostname),
    ]
}
