//! How field values look in objects.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::time::Duration;

use mesh_model::Leaf;

use crate::Tree;

/// A value with one form in objects.
pub(crate) trait ToTree {
    /// Its form.
    fn to_tree(&self) -> Tree;
}

impl ToTree for String {
    fn to_tree(&self) -> Tree {
        Tree::String(self.clone())
    }
}

impl ToTree for bool {
    fn to_tree(&self) -> Tree {
        Tree::Bool(*self)
    }
}

impl ToTree for u32 {
    fn to_tree(&self) -> Tree {
        Tree::from(i64::from(*self))
    }
}

impl ToTree for u8 {
    fn to_tree(&self) -> Tree {
        Tree::from(i64::from(*self))
    }
}

impl ToTree for Duration {
    fn to_tree(&self) -> Tree {
        Tree::String(duration_text(*self))
    }
}

macro_rules! names {
    ($($name:ident),+) => {
        $(impl ToTree for mesh_model::names::$name {
            fn to_tree(&self) -> Tree {
                Tree::from(self.as_str())
            }
        })+
    };
}

names!(SubsetName, Hostname, CanonicalName, NetworkName, Region, ServiceAccount, PortName);

impl ToTree for mesh_model::names::PortNumber {
    fn to_tree(&self) -> Tree {
        Tree::from(i64::from(self.get()))
    }
}

impl ToTree for std::net::IpAddr {
    fn to_tree(&self) -> Tree {
        Tree::String(self.to_string())
    }
}

impl<T: ToTree> ToTree for Leaf<T> {
    fn to_tree(&self) -> Tree {
        match self {
            Self::Known(value) => value.to_tree(),
            Self::Unknown(path) => Tree::Unknown(path.clone()),
        }
    }
}

impl<T: ToTree> ToTree for Option<T> {
    fn to_tree(&self) -> Tree {
        self.as_ref().map_or(Tree::Null, ToTree::to_tree)
    }
}

impl<T: ToTree> ToTree for Vec<T> {
    fn to_tree(&self) -> Tree {
        Tree::list(self.iter().map(ToTree::to_tree))
    }
}

impl<T: ToTree> ToTree for BTreeMap<String, T> {
    fn to_tree(&self) -> Tree {
        Tree::map(self.iter().map(|(key, value)| (key.clone(), value.to_tree())))
    }
}

/// A duration as protobuf's JSON form wants it: seconds, with as many decimals as needed (`90s`, `0.5s`). Go's `1m30s` is
/// refused by istiod.
#[must_use]
pub fn duration_text(duration: Duration) -> String {
    let mut text = duration.as_secs().to_string();
    if duration.subsec_nanos() > 0 {
        let decimals = format!("{:09}", duration.subsec_nanos());
        let _ = write!(text, ".{}", decimals.trim_end_matches('0'));
    }
    text.push('s');
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_seconds() {
        let text = |millis| duration_text(Duration::from_millis(millis));
        assert_eq!(text(1000), "1s");
        assert_eq!(text(90_000), "90s");
        assert_eq!(text(500), "0.5s");
        assert_eq!(text(1_005), "1.005s");
        assert_eq!(duration_text(Duration::from_nanos(1)), "0.000000001s");
    }
}
