//! Colours by meaning. The sixteen colours of the terminal are used, which its owner has made readable on its
//! background; without colours the same things are bold or reversed.

use super::lines::Tone;
use super::meaning::Meaning;
use ratatui::style::{Color, Modifier, Style};

/// How much colour the terminal has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Depth {
    /// None is wanted, or there is none.
    None,
    Sixteen,
    /// The palette of 256.
    Palette,
    True,
}

impl Depth {
    /// What the environment says: `NO_COLOR`, `COLORTERM`, `TERM`.
    pub fn of_terminal() -> Self {
        let variable = |name| std::env::var(name).unwrap_or_default();
        let term = variable("TERM");
        if !variable("NO_COLOR").is_empty() || term == "dumb" {
            Depth::None
        } else if matches!(variable("COLORTERM").as_str(), "truecolor" | "24bit") {
            Depth::True
        } else if term.contains("256color") {
            Depth::Palette
        } else {
            Depth::Sixteen
        }
    }
}

/// The styles of everything on the screen.
#[derive(Debug, Clone, Copy)]
pub struct Theme {
    pub depth: Depth,
}

impl Theme {
    const fn coloured(self, color: Color) -> Style {
        match self.depth {
            Depth::None => Style::new(),
            _ => Style::new().fg(color),
        }
    }

    /// First line. No colour is readable on every background but the one that text has.
    pub const fn title(self) -> Style {
        Style::new().add_modifier(Modifier::BOLD)
    }

    /// What the mouse selects in a spectrogram.
    pub const fn rectangle(self) -> Style {
        Style::new().add_modifier(Modifier::REVERSED)
    }

    /// The part of the time that is looked at.
    pub const fn chosen(self, has_keys: bool) -> Style {
        match self.depth {
            Depth::None => Style::new().add_modifier(Modifier::REVERSED),
            _ if has_keys => Style::new().fg(Color::Black).bg(Color::Yellow),
            _ => Style::new().fg(Color::Black).bg(Color::Cyan),
        }
    }

    /// What something is called, beside its value.
    pub const fn label(self) -> Style {
        match self.depth {
            Depth::None => Style::new(),
            _ => Style::new().add_modifier(Modifier::DIM),
        }
    }

    /// Headings of columns.
    pub const fn heading(self) -> Style {
        match self.depth {
            Depth::None => Style::new().add_modifier(Modifier::REVERSED),
            _ => Style::new().fg(Color::Black).bg(Color::Green),
        }
    }

    /// The heading of the column that sorts.
    pub const fn sorting(self) -> Style {
        match self.depth {
            Depth::None => Style::new().add_modifier(Modifier::REVERSED).add_modifier(Modifier::BOLD),
            _ => Style::new().fg(Color::Black).bg(Color::Cyan).add_modifier(Modifier::BOLD),
        }
    }

    pub const fn selected(self) -> Style {
        match self.depth {
            Depth::None => Style::new().add_modifier(Modifier::REVERSED),
            _ => Style::new().fg(Color::Black).bg(Color::Cyan),
        }
    }

    /// Keys in the last line.
    pub const fn key(self) -> Style {
        Style::new().add_modifier(Modifier::BOLD)
    }

    /// What the keys do.
    pub const fn legend(self) -> Style {
        match self.depth {
            Depth::None => Style::new().add_modifier(Modifier::REVERSED),
            _ => Style::new().fg(Color::Black).bg(Color::Cyan),
        }
    }

    /// Losses, errors, questions.
    pub const fn alarm(self) -> Style {
        self.coloured(Color::Red).add_modifier(Modifier::BOLD)
    }

    /// Bars in a table.
    pub const fn bar(self) -> Style {
        self.coloured(Color::Blue)
    }

    /// Zeros, and other things that are of little interest.
    pub const fn quiet(self) -> Style {
        self.label()
    }

    /// A value in a table.
    pub const fn value(self, meaning: Meaning) -> Style {
        match meaning {
            Meaning::Plain => Style::new(),
            Meaning::Quiet => self.quiet(),
            Meaning::Read => self.coloured(Color::Green),
            Meaning::Written => self.coloured(Color::Magenta),
            Meaning::Notable => self.coloured(Color::Yellow),
            Meaning::Alarming => self.coloured(Color::Red),
        }
    }

    /// Text that was searched for.
    pub const fn found(self) -> Style {
        match self.depth {
            Depth::None => Style::new().add_modifier(Modifier::UNDERLINED),
            _ => Style::new().fg(Color::Black).bg(Color::Yellow),
        }
    }

    pub const fn line(self, tone: Tone) -> Style {
        match tone {
            Tone::Plain => Style::new(),
            Tone::Read => self.coloured(Color::Green).add_modifier(Modifier::BOLD),
            Tone::Write => self.coloured(Color::Magenta).add_modifier(Modifier::BOLD),
            Tone::Error => self.coloured(Color::Red),
        }
    }

    /// The colour of a share from 0 to 1 in a spectrogram, from cold to hot.
    pub fn heat(self, share: f64) -> Color {
        let share = share.clamp(0.0, 1.0);
        match self.depth {
            Depth::None => Color::Reset,
            Depth::Sixteen => {
                let steps =
                    [Color::Blue, Color::Cyan, Color::Green, Color::Yellow, Color::LightRed, Color::Red];
                steps[((share * steps.len() as f64) as usize).min(steps.len() - 1)]
            }
            // The colour cube of the palette, along the same way.
            Depth::Palette => {
                let steps = [17, 18, 19, 26, 32, 37, 42, 76, 112, 148, 184, 220, 214, 208, 202, 196];
                Color::Indexed(steps[((share * steps.len() as f64) as usize).min(steps.len() - 1)])
            }
            Depth::True => {
                let stops = [
                    (20, 24, 82),
                    (32, 100, 170),
                    (38, 166, 154),
                    (120, 200, 80),
                    (245, 200, 50),
                    (225, 50, 40),
                ];
                let place = share * (stops.len() - 1) as f64;
                let at = (place as usize).min(stops.len() - 2);
                let (from, to, part) = (stops[at], stops[at + 1], place - at as f64);
                let mix = |a: i32, b: i32| (f64::from(a) + f64::from(b - a) * part) as u8;
                Color::Rgb(mix(from.0, to.0), mix(from.1, to.1), mix(from.2, to.2))
            }
        }
    }
}
