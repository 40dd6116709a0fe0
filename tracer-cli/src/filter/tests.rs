//! What the language accepts and what it means.

mod language;
mod meaning;
mod properties;
mod scene;
