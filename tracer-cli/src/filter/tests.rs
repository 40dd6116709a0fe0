//! What the language accepts and what it means.

mod announced;
mod language;
mod meaning;
mod properties;
pub(crate) mod scene;
