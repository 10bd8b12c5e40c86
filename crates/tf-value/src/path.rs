//! Where in a value something is.

use std::cmp::Ordering;
use std::fmt;

/// One step from a value into one of its parts. There is no step into a set element: paths end at the set
/// (the protocol cannot name one).
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Step {
    /// an attribute of an object
    Attribute(String),
    /// an element of a map
    Key(String),
    /// an element of a list or tuple
    Index(i64),
}

/// A way from the root of a configuration to one of its parts. Inside a set it stays at the set, whatever is stepped
/// into.
#[derive(Clone, Debug, Default)]
pub struct Path {
    steps: Vec<Step>,
    is_in_set: bool,
}

impl Path {
    /// The root itself.
    #[must_use]
    pub fn root() -> Self {
        Self::default()
    }

    /// The path of a top-level attribute.
    #[must_use]
    pub fn of(attribute: &str) -> Self {
        Self::root().attribute(attribute)
    }

    /// One step on, into an attribute.
    #[must_use]
    pub fn attribute(&self, name: &str) -> Self {
        self.then(Step::Attribute(name.to_owned()))
    }

    /// One step on, into a map element.
    #[must_use]
    pub fn key(&self, key: &str) -> Self {
        self.then(Step::Key(key.to_owned()))
    }

    /// One step on, into a list element.
    #[must_use]
    pub fn index(&self, index: usize) -> Self {
        self.then(Step::Index(i64::try_from(index).expect("a list in memory is shorter than i64::MAX")))
    }

    /// One step on.
    #[must_use]
    pub fn then(&self, step: Step) -> Self {
        let mut path = self.clone();
        if !path.is_in_set {
            path.steps.push(step);
        }
        path
    }

    /// One step on, into an element of this set: the same path, which goes no further.
    #[must_use]
    pub fn set_element(&self) -> Self {
        Self { is_in_set: true, ..self.clone() }
    }

    /// The steps from the root.
    #[must_use]
    pub fn steps(&self) -> &[Step] {
        &self.steps
    }
}

impl FromIterator<Step> for Path {
    fn from_iter<I: IntoIterator<Item = Step>>(steps: I) -> Self {
        Self { steps: steps.into_iter().collect(), is_in_set: false }
    }
}

impl PartialEq for Path {
    fn eq(&self, other: &Self) -> bool {
        self.steps == other.steps
    }
}

impl Eq for Path {}

impl Ord for Path {
    fn cmp(&self, other: &Self) -> Ordering {
        self.steps.cmp(&other.steps)
    }
}

impl PartialOrd for Path {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

/// As a person writes it in HCL: `ports[0].number`, `clusters["east"].directory`.
impl fmt::Display for Path {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (position, step) in self.steps.iter().enumerate() {
            match step {
                Step::Attribute(name) if position == 0 => write!(f, "{name}")?,
                Step::Attribute(name) => write!(f, ".{name}")?,
                Step::Key(key) => write!(f, "[{key:?}]")?,
                Step::Index(index) => write!(f, "[{index}]")?,
            }
        }
        Ok(())
    }
}
