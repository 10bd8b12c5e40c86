//! The committed code, not the proto text, is what is compiled: a few values spelled out
//! byte by byte, and the method paths.

use prost::Message;
use tf_proto::tfplugin6::{
    AttributePath, Diagnostic, DynamicValue, FunctionError, attribute_path, diagnostic, get_provider_schema, provider_server,
};
use tf_proto::{health, plugin};
use tonic::server::NamedService;

#[test]
fn diagnostic_has_the_bytes_of_its_field_numbers() {
    let step = attribute_path::Step { selector: Some(attribute_path::step::Selector::ElementKeyInt(7)) };
    let finding = Diagnostic {
        severity: diagnostic::Severity::Warning.into(),
        summary: "s".to_owned(),
        detail: "d".to_owned(),
        attribute: Some(AttributePath { steps: vec![step] }),
    };
    assert_eq!(finding.encode_to_vec(), [8, 2, 0x12, 1, b's', 0x1a, 1, b'd', 0x22, 4, 0x0a, 2, 0x18, 7]);
}

#[test]
fn an_argument_index_of_zero_is_sent() {
    let first = FunctionError { text: String::new(), function_argument: Some(0) };
    assert_eq!(first.encode_to_vec(), [0x10, 0]);
}

#[test]
fn fields_of_newer_cores_are_skipped() {
    let value = DynamicValue::decode(&[0x0a, 1, 0xc0, 0x9a, 0x3f, 1, 9][..]).expect("a valid message");
    assert_eq!(value.msgpack, [0xc0]);
}

#[test]
fn map_order_does_not_depend_on_insertion() {
    let schema_of = |names: [&str; 3]| get_provider_schema::Response {
        resource_schemas: names.into_iter().map(|name| (name.to_owned(), Default::default())).collect(),
        ..Default::default()
    };
    assert_eq!(schema_of(["a", "b", "c"]).encode_to_vec(), schema_of(["c", "a", "b"]).encode_to_vec());
}

#[test]
fn services_have_the_names_that_cores_call() {
    fn name<S: NamedService>() -> &'static str {
        S::NAME
    }
    assert_eq!(name::<provider_server::ProviderServer<()>>(), "tfplugin6.Provider");
    assert_eq!(name::<plugin::grpc_controller_server::GrpcControllerServer<()>>(), "plugin.GRPCController");
    assert_eq!(name::<plugin::grpc_stdio_server::GrpcStdioServer<()>>(), "plugin.GRPCStdio");
    assert_eq!(name::<plugin::grpc_broker_server::GrpcBrokerServer<()>>(), "plugin.GRPCBroker");
    assert_eq!(name::<health::health_server::HealthServer<()>>(), "grpc.health.v1.Health");
}
