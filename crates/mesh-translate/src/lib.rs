//! mesh-translate
