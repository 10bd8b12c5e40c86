use tf_proto::tfplugin6 as proto;
use tf_proto::tfplugin6::provider_server::Provider as _;
use tf_proto::tfplugin6::schema::object::NestingMode;
use tonic::Request;

use super::core;

async fn announced() -> proto::get_provider_schema::Response {
    let (core, _) = core().await;
    let request = Request::new(proto::get_provider_schema::Request {});
    core.server().get_provider_schema(request).await.expect("an answer").into_inner()
}

fn attribute<'a>(attributes: &'a [proto::schema::Attribute], name: &str) -> &'a proto::schema::Attribute {
    attributes.iter().find(|attribute| attribute.name == name).expect("it is declared")
}

#[tokio::test]
async fn nested_attributes_have_a_nested_type_and_no_type() {
    let response = announced().await;
    let block = response.resource_schemas["toy_thing"].block.as_ref().expect("a block");
    assert_eq!(response.resource_schemas["toy_thing"].version, 2);
    assert!(block.block_types.is_empty());
    for (name, nesting) in [
        ("single", NestingMode::Single),
        ("rules", NestingMode::List),
        ("members", NestingMode::Set),
        ("by_key", NestingMode::Map),
    ] {
        let found = attribute(&block.attributes, name);
        let nested = found.nested_type.as_ref().expect("a nested type");
        assert!(found.r#type.is_empty() && nested.nesting() == nesting, "{name}");
        assert!(attribute(&nested.attributes, "uid").computed);
    }
    assert_eq!(attribute(&block.attributes, "tags").r#type, br#"["set","string"]"#);
    assert_eq!(attribute(&block.attributes, "any").r#type, br#""dynamic""#);
}

#[tokio::test]
async fn a_default_makes_an_attribute_computed_but_not_in_the_provider_block() {
    let response = announced().await;
    let flags = |attribute: &proto::schema::Attribute| (attribute.required, attribute.optional, attribute.computed);
    let block = response.resource_schemas["toy_thing"].block.as_ref().expect("a block");
    assert_eq!(flags(attribute(&block.attributes, "name")), (true, false, false));
    assert_eq!(flags(attribute(&block.attributes, "size")), (false, true, false));
    assert_eq!(flags(attribute(&block.attributes, "weight")), (false, true, true));
    assert_eq!(flags(attribute(&block.attributes, "policy")), (false, true, true));
    assert_eq!(flags(attribute(&block.attributes, "id")), (false, false, true));
    assert!(attribute(&block.attributes, "token").sensitive && attribute(&block.attributes, "secret_wo").write_only);
    let provider = response.provider.expect("a schema").block.expect("a block");
    assert_eq!(flags(attribute(&provider.attributes, "region")), (false, true, false));
}

#[tokio::test]
async fn capabilities_and_names_are_announced_alike() {
    let response = announced().await;
    let (core, _) = core().await;
    let request = Request::new(proto::get_metadata::Request {});
    let metadata = core.server().get_metadata(request).await.expect("an answer").into_inner();
    let capabilities = response.server_capabilities.expect("capabilities");
    assert_eq!(metadata.server_capabilities, Some(capabilities));
    assert!(capabilities.plan_destroy && capabilities.get_provider_schema_optional && capabilities.move_resource_state);
    assert!(!capabilities.generate_resource_config);
    assert!(metadata.resources.iter().map(|found| &found.type_name).eq(response.resource_schemas.keys()));
    assert!(metadata.data_sources.iter().map(|found| &found.type_name).eq(response.data_source_schemas.keys()));
    assert!(metadata.functions.iter().map(|found| &found.name).eq(response.functions.keys()));
    let request = Request::new(proto::get_functions::Request {});
    let functions = core.server().get_functions(request).await.expect("an answer").into_inner();
    assert_eq!(functions.functions, response.functions);
    let join = &response.functions["join"];
    assert_eq!((join.parameters.len(), join.variadic_parameter.is_some()), (1, true));
}

#[tokio::test]
async fn identity_schemas_say_what_an_import_needs() {
    let (core, _) = core().await;
    let request = Request::new(proto::get_resource_identity_schemas::Request {});
    let answer = core.server().get_resource_identity_schemas(request).await.expect("an answer").into_inner();
    assert!(answer.diagnostics.is_empty());
    assert_eq!(answer.identity_schemas.keys().collect::<Vec<_>>(), ["toy_note", "toy_thing"]);
    assert_eq!(answer.identity_schemas["toy_note"].version, 1);
    let thing = &answer.identity_schemas["toy_thing"];
    let flags = thing.identity_attributes.iter().map(|attribute| {
        assert_eq!(attribute.r#type, br#""string""#);
        (attribute.name.as_str(), attribute.required_for_import, attribute.optional_for_import)
    });
    assert_eq!(flags.collect::<Vec<_>>(), [("name", true, false), ("place", false, true)]);
}
