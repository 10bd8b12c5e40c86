//! Write-only values and the versions that say when to write them again.
//!
//! The value `<name>_wo` is in the configuration alone: no plan and no state ever holds it, so nobody can compare it. Its
//! companion `<name>_wo_version` is an ordinary number; a changed number is the word to write the value again.

use tf_value::Value;

/// What to do with the write-only value `<name>_wo` of an object (the whole resource, or a nested object): `None` leaves
/// what was written before; `Some` is the value to write, null to remove it. `prior` and `planned` are the object in the
/// states before and after (null where it is not there), `config` is the object as configured, where alone the value is.
#[must_use]
pub fn write_only_change<'c>(prior: &Value, planned: &Value, config: &'c Value, name: &str) -> Option<&'c Value> {
    if planned.is_null() {
        return None;
    }
    let version = format!("{name}_wo_version");
    let is_new = prior.is_null();
    (is_new || prior.get(&version) != planned.get(&version)).then(|| config.get(&format!("{name}_wo")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_version_alone_decides() {
        let object = |version: i64| Value::map([("key_wo", Value::Null), ("key_wo_version", Value::int(version))]);
        let config = Value::map([("key_wo", Value::string("hush"))]);
        let change = |prior: &Value, planned: &Value| write_only_change(prior, planned, &config, "key").cloned();
        assert_eq!(change(&Value::Null, &object(1)), Some(Value::string("hush")), "new");
        assert_eq!(change(&object(1), &object(1)), None, "the same version: what was written stays");
        assert_eq!(change(&object(1), &object(2)), Some(Value::string("hush")));
        assert_eq!(change(&object(2), &object(1)), Some(Value::string("hush")), "any change counts");
        assert_eq!(change(&object(1), &Value::Null), None, "a delete writes nothing");
        let removed = write_only_change(&object(1), &object(2), &Value::Null, "key");
        assert_eq!(removed, Some(&Value::Null), "taken out of the configuration");
    }
}
