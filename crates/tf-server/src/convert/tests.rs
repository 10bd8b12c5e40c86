use tf_proto::tfplugin6 as proto;
use tf_proto::tfplugin6::attribute_path::step::Selector;
use tf_proto::tfplugin6::diagnostic::Severity;
use tf_value::{Diagnostic, Diagnostics, Path};

use super::{diagnostics, value};
use crate::wire::Wire;

#[test]
fn a_value_is_msgpack_json_or_nothing() {
    let message = |msgpack: &[u8], json: &[u8]| Some(proto::DynamicValue { msgpack: msgpack.to_vec(), json: json.to_vec() });
    assert_eq!(value::from_proto(None), Wire::Absent);
    assert_eq!(value::from_proto(message(b"", b"")), Wire::Absent);
    assert_eq!(value::from_proto(message(b"m", b"")), Wire::Msgpack(b"m".to_vec()));
    assert_eq!(value::from_proto(message(b"", b"j")), Wire::Json(b"j".to_vec()));
    for wire in [Wire::Absent, Wire::Msgpack(b"m".to_vec()), Wire::Json(b"j".to_vec())] {
        assert_eq!(value::from_proto(value::to_proto(wire.clone())), wire);
    }
}

#[test]
fn a_diagnostic_keeps_severity_words_and_place() {
    let path = Path::of("rules").index(2).attribute("labels").key("k");
    let mut found = Diagnostics::new();
    found.push(Diagnostic::error("Summary", "Detail").at(path));
    found.push(Diagnostic::warning("Careful", "Why"));
    found.push(Diagnostic::error("Whole block", "Why").at(Path::root()));
    let messages = diagnostics::to_proto(found);
    let [error, warning, whole] = messages.as_slice() else { panic!("three messages") };
    assert_eq!((error.severity(), error.summary.as_str(), error.detail.as_str()), (Severity::Error, "Summary", "Detail"));
    let steps: Vec<_> = error.attribute.iter().flat_map(|path| &path.steps).filter_map(|step| step.selector.clone()).collect();
    let wanted = [
        Selector::AttributeName("rules".to_owned()),
        Selector::ElementKeyInt(2),
        Selector::AttributeName("labels".to_owned()),
        Selector::ElementKeyString("k".to_owned()),
    ];
    assert_eq!(steps, wanted);
    assert_eq!((warning.severity(), &warning.attribute), (Severity::Warning, &None));
    assert_eq!(whole.attribute, None, "the root is no place in a configuration");
}

#[test]
fn a_client_without_capabilities_has_none() {
    assert!(!value::write_only_attributes_allowed(None));
    let capabilities = proto::ClientCapabilities { deferral_allowed: false, write_only_attributes_allowed: true };
    assert!(value::write_only_attributes_allowed(Some(capabilities)));
}
