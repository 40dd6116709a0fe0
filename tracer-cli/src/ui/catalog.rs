//! All views: those in the binary, and people's own in folders, which come first.

use super::aggregate::{Layout, LayoutError};
use super::view::{Kind, View};
use crate::chisel::{self, sandbox};
use std::path::{Path, PathBuf};
use std::rc::Rc;

/// The views by name.
pub struct Catalog {
    views: Vec<Rc<View>>,
}

impl Catalog {
    /// Reads the views of the binary and those (`v_*.lua`) in `folders`; of two with the same id the first stays.
    /// What is wrong with a file is returned beside it.
    pub fn load(folders: &[PathBuf]) -> (Self, Vec<String>) {
        let mut faults = Vec::new();
        let mut views: Vec<Rc<View>> = Vec::new();
        let modules = Rc::new(chisel::Catalog::of(folders.to_vec()));
        let mut add =
            |name: &str, source: &[u8], faults: &mut Vec<String>| match parse(name, source, &modules) {
                Ok(view) if views.iter().any(|one| one.id == view.id) => {}
                Ok(view) => views.push(Rc::new(view)),
                Err(fault) => faults.push(fault),
            };
        for folder in folders {
            for file in view_files(folder) {
                let name = file.file_stem().unwrap_or_default().to_string_lossy().into_owned();
                match std::fs::read(&file) {
                    Ok(source) => add(&name, &source, &mut faults),
                    Err(e) => faults.push(format!("{}: {e}", file.display())),
                }
            }
        }
        for (name, source) in chisel::catalog::embedded().iter().filter(|(name, _)| name.starts_with("v_")) {
            add(name, source, &mut faults);
        }
        views.sort_by(|a, b| a.name.cmp(&b.name));
        (Self { views }, faults)
    }

    pub fn all(&self) -> &[Rc<View>] {
        &self.views
    }

    pub fn by_id(&self, id: &str) -> Option<&Rc<View>> {
        self.views.iter().find(|view| view.id == id)
    }

    /// The views that can show a selection by `field`, `""` being the whole machine.
    pub fn for_selection<'a>(&'a self, field: &'a str) -> impl Iterator<Item = &'a Rc<View>> {
        self.views.iter().filter(move |view| view.applies_to(field) && view.is_offered())
    }

    /// The view that shows a selection in `from` by `field`.
    pub fn drill_target(&self, from: &View, field: &str) -> Option<&Rc<View>> {
        from.drilldown_target.as_deref().and_then(|id| self.by_id(id)).or_else(|| {
            let fits = |view: &&Rc<View>| view.applies_to(field) && view.is_offered();
            let others = self.views.iter().filter(|view| view.id != from.id);
            others.filter(fits).find(|view| view.kind != Kind::Spectrogram)
        })
    }
}

fn view_files(folder: &Path) -> Vec<PathBuf> {
    // A folder that is not there has no views.
    let entries = std::fs::read_dir(folder).into_iter().flatten().flatten();
    let mut files: Vec<PathBuf> = entries.map(|entry| entry.path()).filter(|path| is_view(path)).collect();
    files.sort();
    files
}

fn is_view(path: &Path) -> bool {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    name.starts_with("v_") && name.ends_with(".lua")
}

fn parse(name: &str, source: &[u8], modules: &Rc<chisel::Catalog>) -> Result<View, String> {
    let table = sandbox::table_of(name, source, "view_info", modules).map_err(|e| e.to_string())?;
    let view: View = serde_json::from_value(table).map_err(|e| format!("view {name}: {e}"))?;
    // Unknown fields are found here, not when somebody chooses the view.
    for containers in [false, true] {
        Layout::new(&view, containers, 0).map_err(|e: LayoutError| e.to_string())?;
    }
    Ok(view)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::filter::Filter;
    use crate::ui::view::at_depth;

    #[test]
    fn every_view_of_the_binary_can_be_shown() {
        let (catalog, faults) = Catalog::load(&[]);
        assert!(faults.is_empty(), "{}", faults.join("\n"));
        assert!(catalog.all().len() >= 43);
        for view in catalog.all() {
            if !view.filter.is_empty() {
                let filter = at_depth(&view.filter, 1);
                if let Err(e) = Filter::compile(&filter) {
                    panic!("{}: {}", view.id, e.render(&filter));
                }
            }
            if let Some(target) = &view.drilldown_target {
                assert!(catalog.by_id(target).is_some(), "{}: no view {target}", view.id);
            }
            for column in view.columns.iter().filter(|column| column.is_shown()) {
                assert!(!column.description.is_empty(), "{}: {}", view.id, column.name);
            }
        }
    }

    #[test]
    fn what_is_wrong_with_a_view_is_said() {
        let fault =
            |source: &str| parse("v_mine", source.as_bytes(), &Rc::default()).map(|v| v.id).unwrap_err();
        assert!(fault("view_info = {").contains("v_mine"));
        assert!(fault("view_info = { id = 'x', name = 'X' }").contains("columns"));
        let unknown = "view_info = { id = 'x', name = 'X', columns = {{ name = 'A', field = 'proc.nam', is_key = true }} }";
        assert!(fault(unknown).contains("column A"), "{}", fault(unknown));
        let keyless = "view_info = { id = 'x', name = 'X', columns = {{ name = 'A', field = 'proc.name' }} }";
        assert!(fault(keyless).contains("is_key"));
    }
}
