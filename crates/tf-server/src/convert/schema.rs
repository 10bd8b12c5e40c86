//! Schemas and function signatures.

use tf_proto::tfplugin6::function::{Parameter as ProtoParameter, Return};
use tf_proto::tfplugin6::resource_identity_schema::IdentityAttribute as ProtoIdentityAttribute;
use tf_proto::tfplugin6::schema::object::NestingMode;
use tf_proto::tfplugin6::schema::{Attribute as ProtoAttribute, Block, Object};
use tf_proto::tfplugin6::{Function, ResourceIdentitySchema, Schema as ProtoSchema, ServerCapabilities, StringKind};
use tf_value::Type;
use tf_value::schema::{
    Attribute, ForImport, FunctionSchema, IdentityAttribute, IdentitySchema, Kind, Mode, Nesting, Parameter, Schema,
};

/// Whose schema it is: a default makes an attribute computed where core may then find a value that nobody wrote.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Owner {
    /// the provider block: core never takes values back
    Provider,
    /// a resource or a data source
    Block,
}

pub(super) fn capabilities() -> ServerCapabilities {
    ServerCapabilities {
        plan_destroy: true,
        get_provider_schema_optional: true,
        move_resource_state: true,
        generate_resource_config: false,
    }
}

pub(super) fn to_proto(schema: &Schema, owner: Owner) -> ProtoSchema {
    let Schema { version, description, attributes } = schema;
    let version = i64::try_from(*version).expect("schema versions are small");
    let block = Block {
        version,
        attributes: attributes.iter().map(|attribute| attribute_to_proto(attribute, owner)).collect(),
        block_types: Vec::new(),
        description: description.clone(),
        description_kind: StringKind::Markdown.into(),
        deprecated: false,
        deprecation_message: String::new(),
    };
    ProtoSchema { version, block: Some(block) }
}

fn attribute_to_proto(attribute: &Attribute, owner: Owner) -> ProtoAttribute {
    // the last two are for the plan engine alone
    let Attribute { name, description, kind, mode, default, sensitive, write_only, deprecated, on_change: _, keep: _ } =
        attribute;
    let (ty, nested_type) = match kind {
        Kind::Value(ty) => (type_to_proto(ty), None),
        Kind::Nested(nesting, attributes) => {
            let nesting = match nesting {
                Nesting::Single => NestingMode::Single,
                Nesting::List => NestingMode::List,
                Nesting::Set => NestingMode::Set,
                Nesting::Map => NestingMode::Map,
            };
            let attributes = attributes.iter().map(|attribute| attribute_to_proto(attribute, owner)).collect();
            (Vec::new(), Some(Object { attributes, nesting: nesting.into() }))
        }
    };
    let filled_in = default.is_some() && owner == Owner::Block;
    ProtoAttribute {
        name: name.clone(),
        r#type: ty,
        description: description.clone(),
        required: *mode == Mode::Required,
        optional: matches!(mode, Mode::Optional | Mode::OptionalComputed),
        computed: matches!(mode, Mode::Computed | Mode::OptionalComputed) || filled_in,
        sensitive: *sensitive,
        description_kind: StringKind::Markdown.into(),
        deprecated: deprecated.is_some(),
        nested_type,
        write_only: *write_only,
        deprecation_message: deprecated.clone().unwrap_or_default(),
    }
}

pub(super) fn identity_to_proto(schema: &IdentitySchema) -> ResourceIdentitySchema {
    let IdentitySchema { version, attributes } = schema;
    let convert = |attribute: &IdentityAttribute| {
        let IdentityAttribute { name, description, ty, for_import } = attribute;
        ProtoIdentityAttribute {
            name: name.clone(),
            r#type: type_to_proto(ty),
            required_for_import: *for_import == ForImport::Required,
            optional_for_import: *for_import == ForImport::Optional,
            description: description.clone(),
        }
    };
    let version = i64::try_from(*version).expect("schema versions are small");
    ResourceIdentitySchema { version, identity_attributes: attributes.iter().map(convert).collect() }
}

pub(super) fn function_to_proto(schema: &FunctionSchema) -> Function {
    let FunctionSchema { summary, description, parameters, variadic, returns } = schema;
    Function {
        parameters: parameters.iter().map(parameter_to_proto).collect(),
        variadic_parameter: variadic.as_ref().map(parameter_to_proto),
        r#return: Some(Return { r#type: type_to_proto(returns) }),
        summary: summary.clone(),
        description: description.clone(),
        description_kind: StringKind::Markdown.into(),
        deprecation_message: String::new(),
    }
}

fn parameter_to_proto(parameter: &Parameter) -> ProtoParameter {
    let Parameter { name, description, ty, allow_null, allow_unknown } = parameter;
    ProtoParameter {
        name: name.clone(),
        r#type: type_to_proto(ty),
        allow_null_value: *allow_null,
        allow_unknown_values: *allow_unknown,
        description: description.clone(),
        description_kind: StringKind::Markdown.into(),
    }
}

fn type_to_proto(ty: &Type) -> Vec<u8> {
    ty.to_json_bytes()
}
