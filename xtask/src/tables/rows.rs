//! Reading of the data files.

use std::fs;
use std::path::Path;

use anyhow::{Context as _, bail};
use serde::de::DeserializeOwned;

/// A JSON file.
pub fn json<T: DeserializeOwned>(data: &Path, name: &str) -> anyhow::Result<T> {
    let text = fs::read_to_string(data.join(name)).with_context(|| format!("cannot read data/{name}"))?;
    serde_json::from_str(&text).with_context(|| format!("data/{name}"))
}

/// The rows of a tab separated file of `N` columns; lines that begin with `#` are comments.
pub fn tsv<const N: usize>(data: &Path, name: &str) -> anyhow::Result<Vec<[String; N]>> {
    let text = fs::read_to_string(data.join(name)).with_context(|| format!("cannot read data/{name}"))?;
    let mut rows = Vec::new();
    for (i, line) in text.lines().enumerate().filter(|(_, l)| !l.starts_with('#')) {
        let columns: Vec<String> = line.split('\t').map(str::to_owned).collect();
        match columns.try_into() {
            Ok(row) => rows.push(row),
            Err(_) => bail!("data/{name}:{}: {N} columns wanted", i + 1),
        }
    }
    Ok(rows)
}

/// `FOO_BAR` → `FooBar`, the way schema words become Rust variants.
pub fn camel(word: &str) -> String {
    let mut out = String::new();
    for part in word.split('_').filter(|p| !p.is_empty()) {
        let (first, rest) = part.split_at(1);
        out.push_str(&first.to_uppercase());
        out.push_str(&rest.to_lowercase());
    }
    out
}

/// Rows numbered by their first column as a dense array; holes are `None`.
pub fn dense<T>(rows: Vec<(usize, T)>) -> Vec<Option<T>> {
    let len = rows.iter().map(|(i, _)| i + 1).max().unwrap_or(0);
    let mut out: Vec<Option<T>> = std::iter::repeat_with(|| None).take(len).collect();
    for (i, row) in rows {
        out[i] = Some(row);
    }
    out
}
