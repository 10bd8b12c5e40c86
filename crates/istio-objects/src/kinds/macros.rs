//! One line per field: its documentation, its type, its path.

/// Declares a kind (or a part of one) whose fields are given in slices.
macro_rules! fields {
    ($(#[$doc:meta])* $name:ident { $($(#[$field_doc:meta])* $field:ident: $type:ty => $path:literal,)+ }) => {
        $(#[$doc])*
        #[derive(Clone, Debug, Default, PartialEq, Eq)]
        pub struct $name {
            $(
                $(#[$field_doc])*
                ///
                #[doc = concat!("Written at `", $path, "`.")]
                pub $field: Option<$type>,
            )+
        }

        impl $name {
            /// Paths of all fields.
            pub const FIELDS: &[&str] = &[$($path,)+];

            /// Paths of the fields that this slice gives.
            #[must_use]
            pub fn given(&self) -> Vec<&'static str> {
                let Self { $($field,)+ } = self;
                [$(($path, $field.is_some()),)+].into_iter().filter_map(|(path, given)| given.then_some(path)).collect()
            }

            /// Both slices together.
            ///
            /// # Errors
            /// When both give the same field.
            pub fn merge(self, other: Self) -> Result<Self, $crate::kinds::Conflict> {
                Ok(Self {
                    $($field: match (self.$field, other.$field) {
                        (Some(_), Some(_)) => {
                            return Err($crate::kinds::Conflict { kind: stringify!($name), field: $path });
                        }
                        (first, second) => first.or(second),
                    },)+
                })
            }

            pub(crate) fn members(&self) -> $crate::kinds::Members {
                let mut members = $crate::kinds::Members::default();
                $(if let Some(value) = &self.$field {
                    members.put($path, $crate::kinds::value::ToTree::to_tree(value));
                })+
                members
            }
        }
    };
}

/// Declares a kind that is an object of its own; of Istio's networking group, unless another one is named first.
macro_rules! kind {
    ($(#[$doc:meta])* $name:ident { $($rest:tt)+ }) => {
        $crate::kinds::macros::kind! { networking: $(#[$doc])* $name { $($rest)+ } }
    };
    ($group:ident: $(#[$doc:meta])* $name:ident { $($rest:tt)+ }) => {
        $crate::kinds::macros::fields! { $(#[$doc])* $name { $($rest)+ } }

        impl $name {
            /// The object with these fields.
            #[must_use]
            pub fn object(
                &self,
                namespace: mesh_model::names::Namespace,
                name: mesh_model::names::ObjectName,
                labels: std::collections::BTreeMap<String, String>,
            ) -> $crate::Object {
                self.members().object($crate::Kind::$group(stringify!($name)), namespace, name, labels)
            }
        }
    };
}

pub(crate) use {fields, kind};
