//! All views: those in the binary, and people's own in folders, which come first.

use super::layout::{Layout, LayoutError};
use super::view::{Kind, View};
use crate::chisel::{self, sandbox::Descriptions};
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
        // Nobody waits longer for the screen than for half of them.
        let of_binary = std::thread::scope(|scope| {
            let embedded = chisel::catalog::embedded();
            let (some, others) = embedded.split_at(embedded.len() / 2);
            let other = std::thread::Builder::new().spawn_scoped(scope, || of_binary(others, folders));
            let mut all = of_binary(some, folders);
            all.extend(match other.map(std::thread::ScopedJoinHandle::join) {
                Ok(Ok(views)) => views,
                _ => of_binary(others, folders),
            });
            all
        });
        let modules = Rc::new(chisel::Catalog::of(folders.to_vec()));
        let of_people = folders.iter().flat_map(|folder| view_files(folder)).map(|file| {
            let name = file.file_stem().unwrap_or_default().to_string_lossy().into_owned();
            let source = std::fs::read(&file).map_err(|e| format!("{}: {e}", file.display()))?;
            // Each has a place of its own: nothing that one does is seen by another.
            let mut place = Descriptions::new(&modules).map_err(|e| e.to_string())?;
            parse(&mut place, &name, &source)
        });
        for view in of_people.chain(of_binary) {
            match view {
                Ok(view) if views.iter().any(|one| one.id == view.id) => {}
                Ok(view) => views.push(Rc::new(view)),
                Err(fault) => faults.push(fault),
            }
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

/// The views among these files, which may require modules from `folders`.
fn of_binary(files: &[(&str, &[u8])], folders: &[PathBuf]) -> Vec<Result<View, String>> {
    let modules = Rc::new(chisel::Catalog::of(folders.to_vec()));
    let mut place = match Descriptions::new(&modules) {
        Ok(place) => place,
        Err(e) => return vec![Err(e.to_string())],
    };
    let views = files.iter().filter(|(name, _)| name.starts_with("v_"));
    views.map(|(name, source)| parse(&mut place, name, source)).collect()
}

fn parse(place: &mut Descriptions, name: &str, source: &[u8]) -> Result<View, String> {
    let table = place.table(name, source, "view_info").map_err(|e| e.to_string())?;
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
        let fault = |source: &str| {
            let mut place = Descriptions::new(&Rc::default()).unwrap();
            parse(&mut place, "v_mine", source.as_bytes()).map(|view| view.id).unwrap_err()
        };
        assert!(fault("view_info = {").contains("v_mine"));
        assert!(fault("view_info = { id = 'x', name = 'X' }").contains("columns"));
        let unknown = "view_info = { id = 'x', name = 'X', columns = {{ name = 'A', field = 'proc.nam', is_key = true }} }";
        assert!(fault(unknown).contains("column A"), "{}", fault(unknown));
        let keyless = "view_info = { id = 'x', name = 'X', columns = {{ name = 'A', field = 'proc.name' }} }";
        assert!(fault(keyless).contains("is_key"));
    }
}
