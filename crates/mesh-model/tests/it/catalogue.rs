//! The catalogue of findings.

use mesh_model::{Code, Severity};

#[test]
fn codes_are_in_order_and_documented() {
    let codes: Vec<&str> = Code::ALL.iter().map(|code| code.as_str()).collect();
    assert!(codes.is_sorted_by(|a, b| a < b), "{codes:?}");
    for code in Code::ALL {
        let text = code.as_str();
        assert!(text.len() == 6 && text.starts_with("GM") && text[2..].bytes().all(|b| b.is_ascii_digit()), "{text}");
        assert!(code.doc().trim().len() > 20, "{text}");
        assert!(!code.summary().is_empty() && !code.summary().ends_with('.'), "{text}");
    }
}

#[test]
fn severities_of_the_model() {
    let warnings: Vec<&str> = Code::ALL
        .iter()
        .filter(|code| code.as_str() < "GM2" && code.severity() == Severity::Warning)
        .map(|code| code.as_str())
        .collect();
    assert_eq!(warnings, ["GM1007", "GM1017", "GM1018", "GM1019"]);
}

#[test]
fn every_code_of_the_model_has_a_test() {
    let tests = concat!(include_str!("errors.rs"), include_str!("unknown.rs"));
    for code in Code::ALL.iter().filter(|code| code.as_str() < "GM2") {
        assert!(tests.contains(&format!("Code::{code:?}")), "{code:?}");
    }
}
