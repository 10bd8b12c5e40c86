//! Going through a value with paths.

use crate::{Path, Step, Type, Value};

impl Value {
    /// Calls `visit` for this value and everything inside it, parents first, siblings in order; where it answers `false`,
    /// what is inside is left out. What is inside a set has the path of the set. The value conforms to `ty`.
    pub fn walk<'v>(&'v self, ty: &Type, visit: &mut impl FnMut(&Path, &Type, &'v Self) -> bool) {
        walk(&Path::root(), ty, self, visit);
    }

    /// Where this value is unknown, outermost places only.
    #[must_use]
    pub fn unknown_paths(&self, ty: &Type) -> Vec<Path> {
        let mut paths = Vec::new();
        self.walk(ty, &mut |path, _, value| {
            if value.is_unknown() && paths.last() != Some(path) {
                paths.push(path.clone());
            }
            !value.is_unknown()
        });
        paths
    }

    /// The part at `path`; `None` where the path leads nowhere.
    #[must_use]
    pub fn at(&self, path: &Path) -> Option<&Self> {
        path.steps().iter().try_fold(self, |value, step| match (step, value.inner()) {
            (Step::Attribute(name) | Step::Key(name), Self::Map(entries)) => entries.get(name),
            (Step::Index(index), Self::List(elements)) => elements.get(usize::try_from(*index).ok()?),
            _ => None,
        })
    }
}

fn walk<'v>(path: &Path, ty: &Type, value: &'v Value, visit: &mut impl FnMut(&Path, &Type, &'v Value) -> bool) {
    if !visit(path, ty, value) {
        return;
    }
    match (ty, value) {
        (Type::List(_) | Type::Tuple(_), Value::List(elements)) => {
            for (position, element) in elements.iter().enumerate() {
                if let Some(ty) = ty.element(position) {
                    walk(&path.index(position), ty, element, visit);
                }
            }
        }
        (Type::Set(ty), Value::Set(elements)) => {
            let path = path.set_element();
            elements.iter().for_each(|element| walk(&path, ty, element, visit));
        }
        (Type::Map(ty), Value::Map(entries)) => {
            entries.iter().for_each(|(key, value)| walk(&path.key(key), ty, value, visit));
        }
        (Type::Object(attributes), Value::Map(entries)) => {
            for (name, value) in entries {
                if let Some(ty) = attributes.get(name) {
                    walk(&path.attribute(name), ty, value, visit);
                }
            }
        }
        (Type::Dynamic, Value::Dynamic(inner)) => walk(path, &inner.0, &inner.1, visit),
        _ => {}
    }
}
