//! Diagnostics and paths.

use tf_proto::tfplugin6::attribute_path::Step as ProtoStep;
use tf_proto::tfplugin6::attribute_path::step::Selector;
use tf_proto::tfplugin6::diagnostic::Severity as ProtoSeverity;
use tf_proto::tfplugin6::{AttributePath, Diagnostic as ProtoDiagnostic, FunctionError as ProtoFunctionError};
use tf_value::{Diagnostic, Diagnostics, Path, Severity, Step};

use crate::FunctionError;

pub(super) fn to_proto(diagnostics: Diagnostics) -> Vec<ProtoDiagnostic> {
    let convert = |diagnostic| {
        let Diagnostic { severity, summary, detail, path } = diagnostic;
        let severity = match severity {
            Severity::Error => ProtoSeverity::Error,
            Severity::Warning => ProtoSeverity::Warning,
        };
        // the root is no place in a configuration: such a message belongs to the whole block
        let attribute = path.filter(|path| !path.steps().is_empty()).map(|path| path_to_proto(&path));
        ProtoDiagnostic { severity: severity.into(), summary, detail, attribute }
    };
    diagnostics.into_iter().map(convert).collect()
}

pub(super) fn path_to_proto(path: &Path) -> AttributePath {
    let convert = |step: &Step| {
        let selector = match step {
            Step::Attribute(name) => Selector::AttributeName(name.clone()),
            Step::Key(key) => Selector::ElementKeyString(key.clone()),
            Step::Index(index) => Selector::ElementKeyInt(*index),
        };
        ProtoStep { selector: Some(selector) }
    };
    AttributePath { steps: path.steps().iter().map(convert).collect() }
}

pub(super) fn function_error_to_proto(error: FunctionError) -> ProtoFunctionError {
    let FunctionError { text, argument } = error;
    ProtoFunctionError { text, function_argument: argument }
}
