//! Reading an object: every member is understood, known to make no difference, or the reason why nothing is foretold.

use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;

use istio_objects::{Object, ObjectKey, Tree};
use mesh_model::LeafPath;

/// Why nothing can be foretold.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Unforeseen {
    /// a value is known only after apply
    Unknown(LeafPath),
    /// an object says something whose effect this model does not know
    NotModelled {
        /// the object
        object: ObjectKey,
        /// the member, as `spec.http[0].fault`
        member: String,
    },
}

impl fmt::Display for Unforeseen {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unknown(leaf) => write!(f, "{leaf} is known only after apply"),
            Self::NotModelled { object, member } => write!(f, "what {member} of {object} does is not modelled"),
        }
    }
}

impl std::error::Error for Unforeseen {}

/// A part of an object, and where it is.
#[derive(Clone)]
pub(super) struct Part<'a> {
    object: &'a Object,
    path: String,
    tree: Option<&'a Tree>,
}

impl<'a> Part<'a> {
    /// The `spec` of an object, which has no other member.
    pub(super) fn spec(object: &'a Object) -> Result<Self, Unforeseen> {
        if let Some(stray) = object.body.keys().find(|key| *key != "spec") {
            return Err(Unforeseen::NotModelled { object: object.key(), member: stray.clone() });
        }
        Ok(Self { object, path: "spec".to_owned(), tree: object.body.get("spec") })
    }

    /// The member with this name, there or not.
    pub(super) fn member(&self, key: &str) -> Self {
        Self { path: format!("{}.{key}", self.path), tree: self.tree.and_then(|tree| tree.member(key)), ..self.clone() }
    }

    /// Refuses members besides these.
    pub(super) fn only(&self, keys: &[&str]) -> Result<(), Unforeseen> {
        let Some(tree) = self.tree else { return Ok(()) };
        match tree {
            Tree::Map(members) => match members.keys().find(|key| !keys.contains(&key.as_str())) {
                Some(stray) => Err(self.member(stray).refused()),
                None => Ok(()),
            },
            _ => Err(self.refused()),
        }
    }

    pub(super) fn is_there(&self) -> bool {
        self.tree.is_some_and(|tree| *tree != Tree::Null)
    }

    /// That this part is not understood, or not known yet.
    pub(super) fn refused(&self) -> Unforeseen {
        match self.tree.and_then(Tree::unknown) {
            Some(leaf) => Unforeseen::Unknown(leaf.clone()),
            None => Unforeseen::NotModelled { object: self.object.key(), member: self.path.clone() },
        }
    }

    pub(super) fn text(&self) -> Result<Option<&'a str>, Unforeseen> {
        match self.tree {
            None | Some(Tree::Null) => Ok(None),
            Some(Tree::String(text)) => Ok(Some(text)),
            Some(_) => Err(self.refused()),
        }
    }

    /// A text that must be one of these; the first of each pair is what it says.
    pub(super) fn one_of<T: Copy>(&self, texts: &[(&str, T)], default: T) -> Result<T, Unforeseen> {
        let Some(text) = self.text()? else { return Ok(default) };
        texts.iter().find(|(known, _)| *known == text).map(|(_, meant)| *meant).ok_or_else(|| self.refused())
    }

    pub(super) fn required<T>(&self, value: Option<T>) -> Result<T, Unforeseen> {
        value.ok_or_else(|| self.refused())
    }

    pub(super) fn number<N: FromStr>(&self) -> Result<Option<N>, Unforeseen> {
        match self.tree {
            None | Some(Tree::Null) => Ok(None),
            Some(Tree::Number(text)) => text.parse().map(Some).map_err(|_| self.refused()),
            Some(_) => Err(self.refused()),
        }
    }

    pub(super) fn boolean(&self) -> Result<Option<bool>, Unforeseen> {
        match self.tree {
            None | Some(Tree::Null) => Ok(None),
            Some(Tree::Bool(value)) => Ok(Some(*value)),
            Some(_) => Err(self.refused()),
        }
    }

    pub(super) fn elements(&self) -> Result<Vec<Self>, Unforeseen> {
        match self.tree {
            None | Some(Tree::Null) => Ok(Vec::new()),
            Some(Tree::List(elements)) => Ok(elements
                .iter()
                .enumerate()
                .map(|(index, tree)| Self { path: format!("{}[{index}]", self.path), tree: Some(tree), ..self.clone() })
                .collect()),
            Some(_) => Err(self.refused()),
        }
    }

    pub(super) fn texts(&self) -> Result<Vec<String>, Unforeseen> {
        self.elements()?.iter().map(|part| part.required(part.text()?).map(str::to_owned)).collect()
    }

    /// Members of a map, by name.
    pub(super) fn entries(&self) -> Result<Vec<(&'a str, Self)>, Unforeseen> {
        match self.tree {
            None | Some(Tree::Null) => Ok(Vec::new()),
            Some(Tree::Map(members)) => Ok(members.keys().map(|key| (key.as_str(), self.member(key))).collect()),
            Some(_) => Err(self.refused()),
        }
    }

    pub(super) fn labels(&self) -> Result<BTreeMap<String, String>, Unforeseen> {
        self.entries()?.into_iter().map(|(key, part)| Ok((key.to_owned(), part.required(part.text()?)?.to_owned()))).collect()
    }
}
