//! Findings become diagnostics here and nowhere else.

use mesh_model::input::PathStep;
use mesh_model::{AttributePath, Finding, Severity};
use tf_value::{Diagnostic, Path, Step, Type};

/// The diagnostic of a finding. `ty` is the type of the configuration that the finding's path is about: paths stop at
/// sets, which the protocol cannot step into.
pub(crate) fn cook(finding: &Finding, ty: &Type) -> Diagnostic {
    let summary = format!("{} ({})", finding.code.summary(), finding.code);
    let mut detail = capitalised(&finding.what);
    let places = [("cluster", finding.cluster.as_ref().map(ToString::to_string)), ("object", finding.object.clone())];
    for (name, place) in places {
        if let Some(place) = place
            && !finding.what.contains(&place)
        {
            detail.push_str(&format!(" ({name} {place})"));
        }
    }
    for part in [&finding.why, &finding.fix] {
        if !part.is_empty() {
            detail.push_str("\n\n");
            detail.push_str(part);
        }
    }
    // names and values of foreign objects are in it
    let detail = kube_apply::printable(&detail);
    let diagnostic = match finding.code.severity() {
        Severity::Error => Diagnostic::error(summary, detail),
        Severity::Warning => Diagnostic::warning(summary, detail),
    };
    let path = protocol_path(&finding.path, ty);
    if path.steps().is_empty() { diagnostic } else { diagnostic.at(path) }
}

/// A finding as a text, where there is no place for a diagnostic: in the error of a function.
pub(crate) fn told(finding: &Finding) -> String {
    let Finding { code, path, cluster: _, object: _, what, why, fix } = finding;
    kube_apply::printable(&format!("{} ({code}) at {path}: {what}\n\n{why}\n\n{fix}", code.summary()))
}

/// The text as the beginning of a paragraph. An attribute's name stays as it is written.
fn capitalised(text: &str) -> String {
    let articles = [("the ", "The "), ("a ", "A "), ("an ", "An ")];
    let rest = articles.iter().find_map(|(small, large)| Some(format!("{large}{}", text.strip_prefix(small)?)));
    rest.unwrap_or_else(|| text.to_owned())
}

/// The longest part of the path that the protocol can name.
fn protocol_path(path: &AttributePath, ty: &Type) -> Path {
    let mut steps = Vec::new();
    let mut ty = ty.clone();
    for step in &path.0 {
        let (next, step) = match (ty, step) {
            (Type::Object(mut attributes), PathStep::Attribute(name)) => match attributes.remove(name) {
                Some(attribute) => (attribute, Step::Attribute(name.clone())),
                None => break,
            },
            (Type::Map(element), PathStep::Key(key)) => (*element, Step::Key(key.clone())),
            (Type::List(element), PathStep::Index(index)) => match i64::try_from(*index) {
                Ok(index) => (*element, Step::Index(index)),
                Err(_) => break,
            },
            _ => break,
        };
        steps.push(step);
        ty = next;
    }
    steps.into_iter().collect()
}
