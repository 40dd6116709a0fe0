//! What is remembered from run to run: by which column each view was sorted, and how data was shown.

use super::drill::Level;
use super::text_screen::About;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};

#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Remembered {
    /// By id of the view: heading of the column, and whether the largest values come first.
    sort: BTreeMap<String, (String, bool)>,
    /// Index into the modes of the text screen, for data and for events.
    echo_mode: Option<usize>,
    dig_mode: Option<usize>,
}

impl Remembered {
    /// Where it is kept: `$XDG_CONFIG_HOME/tracer/ui.json`, or in `~/.config`; `None` without a home.
    pub fn place() -> Option<PathBuf> {
        let folder = |name| std::env::var_os(name).map(PathBuf::from).filter(|path| path.is_absolute());
        let config = folder("XDG_CONFIG_HOME").or_else(|| Some(folder("HOME")?.join(".config")))?;
        Some(config.join("tracer/ui.json"))
    }

    /// What was saved; nothing where there is no such file, or another one.
    pub fn load(place: &Path) -> Self {
        let text = std::fs::read(place).unwrap_or_default();
        serde_json::from_slice(&text).unwrap_or_default()
    }

    /// Saves it: the file is the old or the new one at every moment.
    ///
    /// # Errors
    /// A folder or a file that cannot be written.
    pub fn save(&self, place: &Path) -> io::Result<()> {
        if let Some(folder) = place.parent() {
            std::fs::create_dir_all(folder)?;
        }
        let new = place.with_extension(format!("new-{}", std::process::id()));
        std::fs::write(&new, serde_json::to_vec_pretty(self)?)?;
        std::fs::rename(&new, place)
    }

    /// How the level is sorted from now on.
    pub fn keep_sort(&mut self, level: &Level) {
        let (column, descending) = level.sort;
        if let Some(column) = level.layout.columns.get(column) {
            self.sort.insert(level.view.id.clone(), (column.heading.clone(), descending));
        }
    }

    /// Sorts a level as it was sorted last, if it still has that column.
    pub fn sort(&self, level: &mut Level) {
        let Some((heading, descending)) = self.sort.get(&level.view.id) else { return };
        let mut columns = level.layout.columns.iter();
        if let Some(at) = columns.position(|column| column.is_shown && column.heading == *heading) {
            level.sort = (at, *descending);
        }
    }

    pub const fn mode(&self, about: About) -> Option<usize> {
        match about {
            About::Echo => self.echo_mode,
            About::Dig => self.dig_mode,
        }
    }

    pub const fn keep_mode(&mut self, about: About, mode: usize) {
        match about {
            About::Echo => self.echo_mode = Some(mode),
            About::Dig => self.dig_mode = Some(mode),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ui::catalog::Catalog;

    #[test]
    fn what_was_saved_is_there_again_and_garbage_is_nothing() {
        let catalog = Catalog::load(&[]).0;
        let mut level = Level::root(catalog.by_id("procs").unwrap(), false).unwrap();
        let by_cpu = level.sort;
        level.sort_by(3);
        let mut remembered = Remembered::default();
        remembered.keep_sort(&level);
        remembered.keep_mode(About::Dig, 2);
        let place = std::env::temp_dir().join(format!("tracer-remembered-{}/a/ui.json", std::process::id()));
        remembered.save(&place).unwrap();
        let found = Remembered::load(&place);
        assert_eq!(found, remembered);
        assert_eq!((found.mode(About::Dig), found.mode(About::Echo)), (Some(2), None));
        let mut anew = Level::root(catalog.by_id("procs").unwrap(), false).unwrap();
        assert_eq!(anew.sort, by_cpu);
        found.sort(&mut anew);
        assert_eq!(anew.sort, level.sort);
        std::fs::write(&place, b"{\"sort\": 7").unwrap();
        assert_eq!(Remembered::load(&place), Remembered::default());
        std::fs::remove_dir_all(place.ancestors().nth(2).unwrap()).unwrap();
    }
}
