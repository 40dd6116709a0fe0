//! What lies over a screen: menus, a line to type into, pages to read.

use super::view::Action;

/// What choosing an entry does.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Choice {
    /// The view with this id.
    View(String),
    /// Sort by the column with this index.
    Sort(usize),
    /// Run an action of the view, by index.
    Action(usize),
    /// How data is shown, by index into the modes of the text screen.
    Mode(usize),
}

/// One entry.
#[derive(Debug, Clone)]
pub struct Entry {
    pub text: String,
    pub choice: Choice,
}

/// A list to choose from, at the left of the screen.
#[derive(Debug, Clone)]
pub struct Menu {
    pub title: &'static str,
    pub width: u16,
    pub entries: Vec<Entry>,
    pub selected: usize,
}

impl Menu {
    pub fn new(title: &'static str, width: u16, entries: Vec<Entry>, selected: usize) -> Self {
        let selected = selected.min(entries.len().saturating_sub(1));
        Self { title, width, entries, selected }
    }

    /// Moves the selection by so many entries; it stays within the list.
    pub fn move_by(&mut self, by: isize) {
        let last = self.entries.len().saturating_sub(1);
        self.selected = self.selected.saturating_add_signed(by).min(last);
    }

    pub fn chosen(&self) -> Option<&Choice> {
        self.entries.get(self.selected).map(|entry| &entry.choice)
    }

    /// Entries of actions, each with its key.
    pub fn of_actions(actions: &[Action]) -> Self {
        let entry = |(at, action): (usize, &Action)| {
            let what = if action.description.is_empty() { &action.command } else { &action.description };
            Entry { text: format!("{}  {what}", action.hotkey), choice: Choice::Action(at) }
        };
        Self::new("Select Action", 42, actions.iter().enumerate().map(entry).collect(), 0)
    }
}

/// What a typed line is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Purpose {
    /// Only rows with this text.
    Rows,
    /// The filter of events.
    Filter,
    /// Go to the next place with this text.
    Search,
    /// Go to the line with this number.
    Line,
    /// The name of a file to be written.
    Save(SaveAs),
}

/// What is written to a file, unless its name ends with `.scap`: then the events of the selection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SaveAs {
    /// The rows on the screen; by the ending of the name as JSON or CSV.
    Table,
    /// The lines of the text screen.
    Text,
}

/// A line to type into.
#[derive(Debug, Clone)]
pub struct Prompt {
    pub purpose: Purpose,
    pub text: String,
    /// In characters.
    pub cursor: usize,
    /// Why what was typed cannot be used.
    pub fault: Option<String>,
}

impl Prompt {
    pub fn new(purpose: Purpose, text: &str) -> Self {
        Self { purpose, text: text.to_owned(), cursor: text.chars().count(), fault: None }
    }

    pub fn label(&self) -> &'static str {
        match self.purpose {
            Purpose::Rows => "Rows with: ",
            Purpose::Filter => "Filter: ",
            Purpose::Search => "Search: ",
            Purpose::Line => "Line: ",
            Purpose::Save(_) => "Save as: ",
        }
    }

    fn byte(&self, at: usize) -> usize {
        self.text.char_indices().nth(at).map_or(self.text.len(), |(byte, _)| byte)
    }

    pub fn insert(&mut self, c: char) {
        let byte = self.byte(self.cursor);
        self.text.insert(byte, c);
        self.cursor += 1;
    }

    /// Removes the character before the cursor.
    pub fn backspace(&mut self) {
        if self.cursor > 0 {
            self.cursor -= 1;
            self.delete();
        }
    }

    /// Removes the character at the cursor.
    pub fn delete(&mut self) {
        let byte = self.byte(self.cursor);
        if byte < self.text.len() {
            self.text.remove(byte);
        }
    }

    pub fn clear(&mut self) {
        self.text.clear();
        self.cursor = 0;
    }

    pub fn move_by(&mut self, by: isize) {
        self.cursor = self.cursor.saturating_add_signed(by).min(self.text.chars().count());
    }
}

/// What is over the screen.
#[derive(Debug, Clone)]
pub enum Overlay {
    Menu(Menu),
    Prompt(Prompt),
    /// A page and the first line of it that is seen.
    Page {
        title: String,
        lines: Vec<String>,
        top: usize,
    },
    /// A command that is run when `y` is pressed.
    Confirm {
        command: String,
        wait: bool,
    },
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_is_edited_by_characters() {
        let mut prompt = Prompt::new(Purpose::Search, "aé");
        prompt.insert('ü');
        prompt.move_by(-2);
        prompt.backspace();
        assert_eq!((prompt.text.as_str(), prompt.cursor), ("éü", 0));
        prompt.delete();
        prompt.delete();
        prompt.delete();
        prompt.backspace();
        assert_eq!(prompt.text, "");
        prompt.move_by(9);
        assert_eq!(prompt.cursor, 0);
    }
}
