//! What core asks.

use tf_proto::tfplugin6 as proto;

use super::value::{from_proto, identity_from_proto, raw_from_proto, write_only_attributes_allowed};
use crate::rpc;

impl From<proto::validate_provider_config::Request> for rpc::validate_provider_config::Request {
    fn from(request: proto::validate_provider_config::Request) -> Self {
        let proto::validate_provider_config::Request { config } = request;
        Self { config: from_proto(config) }
    }
}

impl From<proto::validate_resource_config::Request> for rpc::validate_resource_config::Request {
    fn from(request: proto::validate_resource_config::Request) -> Self {
        let proto::validate_resource_config::Request { type_name, config, client_capabilities } = request;
        let write_only_attributes_allowed = write_only_attributes_allowed(client_capabilities);
        Self { type_name, config: from_proto(config), write_only_attributes_allowed }
    }
}

impl From<proto::validate_data_resource_config::Request> for rpc::validate_data_resource_config::Request {
    fn from(request: proto::validate_data_resource_config::Request) -> Self {
        let proto::validate_data_resource_config::Request { type_name, config } = request;
        Self { type_name, config: from_proto(config) }
    }
}

impl From<proto::configure_provider::Request> for rpc::configure_provider::Request {
    fn from(request: proto::configure_provider::Request) -> Self {
        let proto::configure_provider::Request { terraform_version, config, client_capabilities } = request;
        let write_only_attributes_allowed = write_only_attributes_allowed(client_capabilities);
        Self { terraform_version, config: from_proto(config), write_only_attributes_allowed }
    }
}

impl From<proto::upgrade_resource_state::Request> for rpc::upgrade_resource_state::Request {
    fn from(request: proto::upgrade_resource_state::Request) -> Self {
        let proto::upgrade_resource_state::Request { type_name, version, raw_state } = request;
        let (json, has_flatmap) = raw_from_proto(raw_state);
        Self { type_name, version, json, has_flatmap }
    }
}

impl From<proto::upgrade_resource_identity::Request> for rpc::upgrade_resource_identity::Request {
    fn from(request: proto::upgrade_resource_identity::Request) -> Self {
        let proto::upgrade_resource_identity::Request { type_name, version, raw_identity } = request;
        let (json, _) = raw_from_proto(raw_identity);
        Self { type_name, version, json }
    }
}

impl From<proto::read_resource::Request> for rpc::read_resource::Request {
    fn from(request: proto::read_resource::Request) -> Self {
        let proto::read_resource::Request {
            type_name,
            current_state,
            private,
            provider_meta: _,
            client_capabilities,
            current_identity,
        } = request;
        Self {
            type_name,
            current: from_proto(current_state),
            private,
            identity: identity_from_proto(current_identity),
            write_only_attributes_allowed: write_only_attributes_allowed(client_capabilities),
        }
    }
}

impl From<proto::plan_resource_change::Request> for rpc::plan_resource_change::Request {
    fn from(request: proto::plan_resource_change::Request) -> Self {
        let proto::plan_resource_change::Request {
            type_name,
            prior_state,
            proposed_new_state,
            config,
            prior_private,
            provider_meta: _,
            client_capabilities,
            prior_identity,
        } = request;
        Self {
            type_name,
            prior: from_proto(prior_state),
            proposed: from_proto(proposed_new_state),
            config: from_proto(config),
            private: prior_private,
            identity: identity_from_proto(prior_identity),
            write_only_attributes_allowed: write_only_attributes_allowed(client_capabilities),
        }
    }
}

impl From<proto::apply_resource_change::Request> for rpc::apply_resource_change::Request {
    fn from(request: proto::apply_resource_change::Request) -> Self {
        let proto::apply_resource_change::Request {
            type_name,
            prior_state,
            planned_state,
            config,
            planned_private,
            provider_meta: _,
            planned_identity,
        } = request;
        Self {
            type_name,
            prior: from_proto(prior_state),
            planned: from_proto(planned_state),
            config: from_proto(config),
            private: planned_private,
            identity: identity_from_proto(planned_identity),
        }
    }
}

impl From<proto::import_resource_state::Request> for rpc::import_resource_state::Request {
    fn from(request: proto::import_resource_state::Request) -> Self {
        let proto::import_resource_state::Request { type_name, id, client_capabilities, identity } = request;
        let write_only_attributes_allowed = write_only_attributes_allowed(client_capabilities);
        let identity = identity.map(|identity| identity_from_proto(Some(identity)));
        Self { type_name, id, identity, write_only_attributes_allowed }
    }
}

impl From<proto::move_resource_state::Request> for rpc::move_resource_state::Request {
    fn from(request: proto::move_resource_state::Request) -> Self {
        let proto::move_resource_state::Request {
            source_provider_address,
            source_type_name,
            source_schema_version,
            source_state,
            target_type_name,
            source_private,
            source_identity,
            source_identity_schema_version,
        } = request;
        let (source_json, _) = raw_from_proto(source_state);
        let (identity, _) = raw_from_proto(source_identity);
        Self {
            source_provider_address,
            source_type_name,
            source_schema_version,
            source_json,
            source_private,
            source_identity: (!identity.is_empty()).then_some((source_identity_schema_version, identity)),
            target_type_name,
        }
    }
}

impl From<proto::read_data_source::Request> for rpc::read_data_source::Request {
    fn from(request: proto::read_data_source::Request) -> Self {
        let proto::read_data_source::Request { type_name, config, provider_meta: _, client_capabilities } = request;
        let write_only_attributes_allowed = write_only_attributes_allowed(client_capabilities);
        Self { type_name, config: from_proto(config), write_only_attributes_allowed }
    }
}

impl From<proto::call_function::Request> for rpc::call_function::Request {
    fn from(request: proto::call_function::Request) -> Self {
        let proto::call_function::Request { name, arguments } = request;
        Self { name, arguments: arguments.into_iter().map(|argument| from_proto(Some(argument))).collect() }
    }
}
