//! Schemas as core reads them from the wire. What the wire does not carry (defaults, replacement, keeping) core does not
//! know either.

use std::collections::BTreeMap;

use tf_proto::tfplugin6 as proto;
use tf_proto::tfplugin6::schema::object::NestingMode;
use tf_value::Type;
use tf_value::schema::{
    Attribute, ForImport, FunctionSchema, IdentityAttribute, IdentitySchema, Kind, Mode, Nesting, OnChange, Parameter, Schema,
};

/// Everything that one `GetProviderSchema` announces.
pub(super) struct Catalogue {
    pub(super) provider: Schema,
    pub(super) resources: BTreeMap<String, Schema>,
    pub(super) data_sources: BTreeMap<String, Schema>,
    pub(super) functions: BTreeMap<String, FunctionSchema>,
    pub(super) identities: BTreeMap<String, IdentitySchema>,
}

/// Reads the announcement; the error is what makes core refuse the whole provider.
pub(super) fn read(
    response: proto::get_provider_schema::Response,
    identities: proto::get_resource_identity_schemas::Response,
) -> Result<Catalogue, String> {
    let all = |schemas: BTreeMap<String, proto::Schema>| {
        schemas.into_iter().map(|(name, schema)| Ok((name.clone(), read_schema(&name, schema)?))).collect::<Result<_, String>>()
    };
    let functions = response.functions.into_iter().map(|(name, function)| Ok((name.clone(), read_function(&name, function)?)));
    let identities =
        identities.identity_schemas.into_iter().map(|(name, schema)| Ok((name.clone(), read_identity(&name, schema)?)));
    Ok(Catalogue {
        provider: read_schema("the provider", response.provider.ok_or("no provider schema")?)?,
        resources: all(response.resource_schemas)?,
        data_sources: all(response.data_source_schemas)?,
        functions: functions.collect::<Result<_, String>>()?,
        identities: identities.collect::<Result<_, String>>()?,
    })
}

fn read_schema(place: &str, schema: proto::Schema) -> Result<Schema, String> {
    let block = schema.block.ok_or(format!("{place}: no block"))?;
    if !block.block_types.is_empty() {
        return Err(format!("{place}: nested blocks are never used"));
    }
    Ok(Schema {
        version: u64::try_from(schema.version).map_err(|_| format!("{place}: negative version"))?,
        description: block.description,
        attributes: read_attributes(place, block.attributes)?,
    })
}

fn read_attributes(place: &str, attributes: Vec<proto::schema::Attribute>) -> Result<Vec<Attribute>, String> {
    attributes.into_iter().map(|attribute| read_attribute(place, attribute)).collect()
}

fn read_attribute(place: &str, attribute: proto::schema::Attribute) -> Result<Attribute, String> {
    let place = format!("{place}.{}", attribute.name);
    let kind = match (attribute.r#type.is_empty(), attribute.nested_type) {
        (false, None) => Kind::Value(read_type(&place, &attribute.r#type)?),
        (true, Some(object)) => {
            let nesting = match object.nesting() {
                NestingMode::Invalid => return Err(format!("{place}: no nesting mode")),
                NestingMode::Single => Nesting::Single,
                NestingMode::List => Nesting::List,
                NestingMode::Set => Nesting::Set,
                NestingMode::Map => Nesting::Map,
            };
            Kind::Nested(nesting, read_attributes(&place, object.attributes)?)
        }
        (true, None) | (false, Some(_)) => return Err(format!("{place}: exactly one of type and nested type is needed")),
    };
    let mode = match (attribute.required, attribute.optional, attribute.computed) {
        (true, false, false) => Mode::Required,
        (false, true, false) => Mode::Optional,
        (false, true, true) => Mode::OptionalComputed,
        (false, false, true) => Mode::Computed,
        other => return Err(format!("{place}: required, optional, computed = {other:?}")),
    };
    if !attribute.deprecation_message.is_empty() && !attribute.deprecated {
        return Err(format!("{place}: a deprecation message needs a deprecated attribute"));
    }
    Ok(Attribute {
        name: attribute.name,
        description: attribute.description,
        kind,
        mode,
        default: None,
        sensitive: attribute.sensitive,
        write_only: attribute.write_only,
        deprecated: attribute.deprecated.then_some(attribute.deprecation_message),
        on_change: OnChange::Update,
        keep: false,
    })
}

fn read_identity(place: &str, schema: proto::ResourceIdentitySchema) -> Result<IdentitySchema, String> {
    let attribute = |attribute: proto::resource_identity_schema::IdentityAttribute| {
        let place = format!("{place}, identity, {}", attribute.name);
        let for_import = match (attribute.required_for_import, attribute.optional_for_import) {
            (true, false) => ForImport::Required,
            (false, true) => ForImport::Optional,
            other => return Err(format!("{place}: required, optional = {other:?}")),
        };
        let ty = read_type(&place, &attribute.r#type)?;
        Ok(IdentityAttribute { name: attribute.name, description: attribute.description, ty, for_import })
    };
    let version = u64::try_from(schema.version).map_err(|_| format!("{place}: negative version"))?;
    let attributes = schema.identity_attributes.into_iter().map(attribute).collect::<Result<_, _>>()?;
    let schema = IdentitySchema { version, attributes };
    match schema.violations().first() {
        Some(violation) => Err(format!("{place}, identity: {violation}")),
        None => Ok(schema),
    }
}

fn read_function(name: &str, function: proto::Function) -> Result<FunctionSchema, String> {
    let parameters = function.parameters.into_iter().map(|parameter| read_parameter(name, parameter));
    let returns = function.r#return.ok_or(format!("{name}: no return type"))?;
    Ok(FunctionSchema {
        summary: function.summary,
        description: function.description,
        parameters: parameters.collect::<Result<_, _>>()?,
        variadic: function.variadic_parameter.map(|parameter| read_parameter(name, parameter)).transpose()?,
        returns: read_type(name, &returns.r#type)?,
    })
}

fn read_parameter(place: &str, parameter: proto::function::Parameter) -> Result<Parameter, String> {
    Ok(Parameter {
        ty: read_type(place, &parameter.r#type)?,
        name: parameter.name,
        description: parameter.description,
        allow_null: parameter.allow_null_value,
        allow_unknown: parameter.allow_unknown_values,
    })
}

fn read_type(place: &str, json: &[u8]) -> Result<Type, String> {
    Type::from_json_bytes(json).map_err(|error| format!("{place}: {error}"))
}
