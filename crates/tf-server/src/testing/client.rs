//! The calling side: values to messages and back, each message through its bytes.

use prost::Message;
use tf_proto::tfplugin6 as proto;
use tf_proto::tfplugin6::attribute_path::step::Selector;
use tf_proto::tfplugin6::diagnostic::Severity as ProtoSeverity;
use tf_value::codec::msgpack;
use tf_value::{Diagnostic, Diagnostics, Path, Severity, Step, Type, Value};

use super::Failure;

/// The message as the other side gets it.
pub(super) fn carried<M: Message + Default>(message: &M) -> M {
    M::decode(message.encode_to_vec().as_slice()).expect("bytes that prost wrote are read by prost")
}

pub(super) fn encode(ty: &Type, value: &Value) -> Option<proto::DynamicValue> {
    let msgpack = msgpack::encode(ty, value).unwrap_or_else(|error| panic!("the test made a value of another type: {error}"));
    Some(proto::DynamicValue { msgpack, json: Vec::new() })
}

/// A value from the provider; anything but msgpack of the right type is its fault.
pub(super) fn decode(ty: &Type, value: Option<proto::DynamicValue>) -> Result<Value, Failure> {
    let Some(proto::DynamicValue { msgpack, json }) = value else { return Ok(Value::Null) };
    if !json.is_empty() {
        return Err(Failure::violation("the provider answered in JSON"));
    }
    if msgpack.is_empty() {
        return Ok(Value::Null);
    }
    msgpack::decode(ty, &msgpack).map_err(|error| Failure::violation(format!("a value does not match its schema: {error}")))
}

pub(super) fn diagnostics(messages: Vec<proto::Diagnostic>) -> Result<Diagnostics, Failure> {
    let mut diagnostics = Diagnostics::new();
    for message in messages {
        let severity = match message.severity() {
            ProtoSeverity::Error => Severity::Error,
            ProtoSeverity::Warning => Severity::Warning,
            ProtoSeverity::Invalid => return Err(Failure::violation("a diagnostic without severity")),
        };
        let path = message.attribute.as_ref().map(path).transpose()?;
        diagnostics.push(Diagnostic { severity, summary: message.summary, detail: message.detail, path });
    }
    Ok(diagnostics)
}

pub(super) fn path(path: &proto::AttributePath) -> Result<Path, Failure> {
    let step = |step: &proto::attribute_path::Step| match &step.selector {
        Some(Selector::AttributeName(name)) => Ok(Step::Attribute(name.clone())),
        Some(Selector::ElementKeyString(key)) => Ok(Step::Key(key.clone())),
        Some(Selector::ElementKeyInt(index)) => Ok(Step::Index(*index)),
        None => Err(Failure::violation("a path with an empty step")),
    };
    path.steps.iter().map(step).collect()
}
