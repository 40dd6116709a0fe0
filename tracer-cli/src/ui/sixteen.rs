//! Colours for terminals that have sixteen: crossterm numbers all of them as those of the palette of 256, which such a
//! terminal takes for something else (`48;5;4`: blinking, underlined).

use std::io::{self, Write};

/// Longest sequence that is looked at.
const MAX_SEQUENCE: usize = 64;

/// Writes to a terminal of sixteen colours.
pub struct Sixteen<W> {
    out: W,
    /// `false`: the terminal has more, and everything passes as it is.
    applies: bool,
    /// An escape sequence of which the end has not come yet.
    sequence: Vec<u8>,
}

impl<W: Write> Sixteen<W> {
    pub fn new(out: W, applies: bool) -> Self {
        Self { out, applies, sequence: Vec::new() }
    }

    fn end_sequence(&mut self) -> io::Result<()> {
        let sequence = std::mem::take(&mut self.sequence);
        let colours = sequence.strip_prefix(b"\x1b[").and_then(|rest| rest.strip_suffix(b"m"));
        match colours.and_then(|text| std::str::from_utf8(text).ok()) {
            Some(text) => write!(self.out, "\x1b[{}m", rewritten(text)),
            None => self.out.write_all(&sequence),
        }
    }
}

/// The parameters of a sequence with the first sixteen colours of the palette by their older names.
fn rewritten(parameters: &str) -> String {
    let all: Vec<&str> = parameters.split(';').collect();
    let mut out: Vec<String> = Vec::with_capacity(all.len());
    let mut rest = all.as_slice();
    while let [first, others @ ..] = rest {
        let colour = match others {
            ["5", colour, ..] => colour.parse::<u8>().ok().filter(|colour| *colour < 16),
            _ => None,
        };
        match (*first, colour) {
            ("38" | "48", Some(colour)) => {
                let plane = if *first == "38" { 0 } else { 10 };
                let base = if colour < 8 { 30 } else { 90 - 8 };
                out.push((base + plane + colour).to_string());
                rest = &others[2..];
            }
            _ => {
                out.push((*first).to_owned());
                rest = others;
            }
        }
    }
    out.join(";")
}

impl<W: Write> Write for Sixteen<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if !self.applies {
            return self.out.write(bytes);
        }
        for byte in bytes {
            let is_inside = !self.sequence.is_empty();
            if !is_inside && *byte != b'\x1b' {
                self.out.write_all(&[*byte])?;
                continue;
            }
            self.sequence.push(*byte);
            let is_final = match self.sequence.len() {
                1 => false,
                2 => *byte != b'[',
                _ => matches!(byte, 0x40..=0x7e),
            };
            if is_final || self.sequence.len() > MAX_SEQUENCE {
                self.end_sequence()?;
            }
        }
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.out.flush()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(pieces: &[&str], applies: bool) -> String {
        let mut out = Vec::new();
        let mut terminal = Sixteen::new(&mut out, applies);
        pieces.iter().for_each(|piece| terminal.write_all(piece.as_bytes()).unwrap());
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn the_first_sixteen_have_older_names() {
        assert_eq!(written(&["a\x1b[38;5;4", "mb\x1b[", "48;5;9mc"], true), "a\x1b[34mb\x1b[101mc");
        assert_eq!(written(&["\x1b[38;5;0;48;5;2mé\x1b[0m"], true), "\x1b[30;42mé\x1b[0m");
        assert_eq!(
            written(&["\x1b[39m\x1b[1m\x1b[2;3H\x1b[?25l\x1b7x"], true),
            "\x1b[39m\x1b[1m\x1b[2;3H\x1b[?25l\x1b7x"
        );
        assert_eq!(written(&["\x1b[38;5;200m\x1b[38;2;1;2;3m"], true), "\x1b[38;5;200m\x1b[38;2;1;2;3m");
        assert_eq!(written(&["\x1b[38;5;4m"], false), "\x1b[38;5;4m");
    }
}
