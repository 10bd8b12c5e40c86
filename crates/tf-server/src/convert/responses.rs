//! What core is answered.

use std::collections::BTreeMap;

use tf_proto::tfplugin6 as proto;

use super::diagnostics::{self, function_error_to_proto, path_to_proto};
use super::schema::{self, Owner, capabilities};
use super::value::{identity_to_proto, to_proto};
use crate::rpc;
use crate::server::Shared;

impl From<rpc::get_metadata::Response> for proto::get_metadata::Response {
    fn from(response: rpc::get_metadata::Response) -> Self {
        let rpc::get_metadata::Response { resources, data_sources, functions } = response;
        use proto::get_metadata::{DataSourceMetadata, FunctionMetadata, ResourceMetadata};
        let data_sources = data_sources.into_iter().map(|name| DataSourceMetadata { type_name: name.to_owned() });
        let resources = resources.into_iter().map(|name| ResourceMetadata { type_name: name.to_owned() });
        let functions = functions.into_iter().map(|name| FunctionMetadata { name: name.to_owned() });
        Self {
            server_capabilities: Some(capabilities()),
            diagnostics: Vec::new(),
            data_sources: data_sources.collect(),
            resources: resources.collect(),
            functions: functions.collect(),
            ephemeral_resources: Vec::new(),
            list_resources: Vec::new(),
            actions: Vec::new(),
        }
    }
}

fn functions(shared: &Shared) -> BTreeMap<String, proto::Function> {
    let functions = shared.functions.iter();
    functions.map(|(name, (_, function))| ((*name).to_owned(), schema::function_to_proto(function))).collect()
}

impl From<rpc::get_provider_schema::Response> for proto::get_provider_schema::Response {
    fn from(response: rpc::get_provider_schema::Response) -> Self {
        let rpc::get_provider_schema::Response(shared) = response;
        let block = |schema| schema::to_proto(schema, Owner::Block);
        let resources = shared.resources.iter();
        let data_sources = shared.data_sources.iter();
        Self {
            provider: Some(schema::to_proto(&shared.schema, Owner::Provider)),
            resource_schemas: resources.map(|(name, kind)| ((*name).to_owned(), block(&kind.schema))).collect(),
            data_source_schemas: data_sources.map(|(name, kind)| ((*name).to_owned(), block(&kind.schema))).collect(),
            diagnostics: Vec::new(),
            provider_meta: None,
            server_capabilities: Some(capabilities()),
            functions: functions(&shared),
            ephemeral_resource_schemas: BTreeMap::new(),
            list_resource_schemas: BTreeMap::new(),
            action_schemas: BTreeMap::new(),
        }
    }
}

impl From<rpc::get_functions::Response> for proto::get_functions::Response {
    fn from(response: rpc::get_functions::Response) -> Self {
        let rpc::get_functions::Response(shared) = response;
        Self { functions: functions(&shared), diagnostics: Vec::new() }
    }
}

impl From<rpc::get_resource_identity_schemas::Response> for proto::get_resource_identity_schemas::Response {
    fn from(response: rpc::get_resource_identity_schemas::Response) -> Self {
        let rpc::get_resource_identity_schemas::Response(shared) = response;
        let resources = shared.resources.iter();
        let schemas = resources.filter_map(|(name, kind)| {
            let identity = kind.identity.as_ref()?;
            Some(((*name).to_owned(), schema::identity_to_proto(&identity.schema)))
        });
        Self { identity_schemas: schemas.collect(), diagnostics: Vec::new() }
    }
}

/// Answers that consist of diagnostics alone.
macro_rules! only_diagnostics {
    ($($rpc:ident),*) => {$(
        impl From<rpc::$rpc::Response> for proto::$rpc::Response {
            fn from(response: rpc::$rpc::Response) -> Self {
                let rpc::$rpc::Response { diagnostics } = response;
                Self { diagnostics: diagnostics::to_proto(diagnostics) }
            }
        }
    )*};
}

only_diagnostics!(validate_provider_config, validate_resource_config, validate_data_resource_config, configure_provider);

impl From<rpc::upgrade_resource_state::Response> for proto::upgrade_resource_state::Response {
    fn from(response: rpc::upgrade_resource_state::Response) -> Self {
        let rpc::upgrade_resource_state::Response { upgraded, diagnostics } = response;
        Self { upgraded_state: to_proto(upgraded), diagnostics: diagnostics::to_proto(diagnostics) }
    }
}

impl From<rpc::upgrade_resource_identity::Response> for proto::upgrade_resource_identity::Response {
    fn from(response: rpc::upgrade_resource_identity::Response) -> Self {
        let rpc::upgrade_resource_identity::Response { upgraded, diagnostics } = response;
        Self { upgraded_identity: identity_to_proto(upgraded), diagnostics: diagnostics::to_proto(diagnostics) }
    }
}

impl From<rpc::read_resource::Response> for proto::read_resource::Response {
    fn from(response: rpc::read_resource::Response) -> Self {
        let rpc::read_resource::Response { state, private, identity, diagnostics } = response;
        Self {
            new_state: to_proto(state),
            diagnostics: diagnostics::to_proto(diagnostics),
            private,
            deferred: None,
            new_identity: identity_to_proto(identity),
        }
    }
}

impl From<rpc::plan_resource_change::Response> for proto::plan_resource_change::Response {
    fn from(response: rpc::plan_resource_change::Response) -> Self {
        let rpc::plan_resource_change::Response { planned, requires_replace, private, identity, diagnostics } = response;
        Self {
            planned_state: to_proto(planned),
            requires_replace: requires_replace.iter().map(path_to_proto).collect(),
            planned_private: private,
            diagnostics: diagnostics::to_proto(diagnostics),
            legacy_type_system: false,
            deferred: None,
            planned_identity: identity_to_proto(identity),
        }
    }
}

impl From<rpc::apply_resource_change::Response> for proto::apply_resource_change::Response {
    fn from(response: rpc::apply_resource_change::Response) -> Self {
        let rpc::apply_resource_change::Response { state, private, identity, diagnostics } = response;
        Self {
            new_state: to_proto(state),
            private,
            diagnostics: diagnostics::to_proto(diagnostics),
            legacy_type_system: false,
            new_identity: identity_to_proto(identity),
        }
    }
}

impl From<rpc::import_resource_state::Response> for proto::import_resource_state::Response {
    fn from(response: rpc::import_resource_state::Response) -> Self {
        let rpc::import_resource_state::Response { imported, diagnostics } = response;
        let imported = imported.into_iter().map(|found| {
            let rpc::import_resource_state::Found { type_name, state, private, identity } = found;
            let (state, identity) = (to_proto(state), identity_to_proto(identity));
            proto::import_resource_state::ImportedResource { type_name, state, private, identity }
        });
        Self { imported_resources: imported.collect(), diagnostics: diagnostics::to_proto(diagnostics), deferred: None }
    }
}

impl From<rpc::move_resource_state::Response> for proto::move_resource_state::Response {
    fn from(response: rpc::move_resource_state::Response) -> Self {
        let rpc::move_resource_state::Response { state, private, identity, diagnostics } = response;
        Self {
            target_state: to_proto(state),
            diagnostics: diagnostics::to_proto(diagnostics),
            target_private: private,
            target_identity: identity_to_proto(identity),
        }
    }
}

impl From<rpc::read_data_source::Response> for proto::read_data_source::Response {
    fn from(response: rpc::read_data_source::Response) -> Self {
        let rpc::read_data_source::Response { state, diagnostics } = response;
        Self { state: to_proto(state), diagnostics: diagnostics::to_proto(diagnostics), deferred: None }
    }
}

impl From<rpc::call_function::Response> for proto::call_function::Response {
    fn from(response: rpc::call_function::Response) -> Self {
        let rpc::call_function::Response { result } = response;
        match result {
            Ok(value) => Self { result: to_proto(value), error: None },
            Err(error) => Self { result: None, error: Some(function_error_to_proto(error)) },
        }
    }
}

impl From<rpc::stop_provider::Response> for proto::stop_provider::Response {
    fn from(response: rpc::stop_provider::Response) -> Self {
        let rpc::stop_provider::Response = response;
        Self { error: String::new() }
    }
}
