//! A screen as SVG: a window with its title, and each run of equal cells as a text that is exactly as long as its cells,
//! whatever the font. Blocks and bars are drawn, so that there are no gaps in them.

use std::fmt::Write;

use vt100::{Cell, Color, Screen};

/// A cell, in the units of the picture.
const WIDTH: f64 = 8.4;
const HEIGHT: f64 = 18.0;
/// From the top of a cell to the line that letters stand on.
const BASE: f64 = 13.5;
const FONT: f64 = 14.0;
/// Around the screen, and above it for the title.
const MARGIN: f64 = 12.0;
const TITLE: f64 = 34.0;

type Rgb = (u8, u8, u8);

const BACKGROUND: Rgb = (0x16, 0x1b, 0x22);
const FOREGROUND: Rgb = (0xd3, 0xda, 0xe2);
/// The sixteen colours, readable on the background.
const PALETTE: [Rgb; 16] = [
    (0x0d, 0x11, 0x17),
    (0xff, 0x7b, 0x72),
    (0x56, 0xc9, 0x6a),
    (0xe3, 0xb3, 0x41),
    (0x6c, 0xb0, 0xff),
    (0xc9, 0x9c, 0xff),
    (0x4f, 0xc6, 0xd6),
    (0xb1, 0xba, 0xc4),
    (0x7d, 0x86, 0x90),
    (0xff, 0xa1, 0x98),
    (0x7e, 0xe7, 0x87),
    (0xf0, 0xc8, 0x60),
    (0x79, 0xc0, 0xff),
    (0xd2, 0xa8, 0xff),
    (0x76, 0xe3, 0xea),
    (0xf0, 0xf6, 0xfc),
];

/// What a cell looks like, its character apart.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Look {
    foreground: Rgb,
    background: Option<Rgb>,
    bold: bool,
    underlined: bool,
}

impl Look {
    fn of(cell: &Cell) -> Look {
        let (mut foreground, mut background) =
            (rgb(cell.fgcolor()).unwrap_or(FOREGROUND), rgb(cell.bgcolor()));
        if cell.inverse() {
            (foreground, background) = (background.unwrap_or(BACKGROUND), Some(foreground));
        }
        if cell.dim() {
            foreground = between(foreground, background.unwrap_or(BACKGROUND), 0.42);
        }
        Look { foreground, background, bold: cell.bold(), underlined: cell.underline() }
    }
}

/// `None` is the default.
fn rgb(color: Color) -> Option<Rgb> {
    match color {
        Color::Default => None,
        Color::Rgb(r, g, b) => Some((r, g, b)),
        Color::Idx(index @ 0..16) => PALETTE.get(usize::from(index)).copied(),
        // A cube of six steps each.
        Color::Idx(index @ 16..232) => {
            let step = |n: u8| if n == 0 { 0 } else { 55 + 40 * n };
            let n = index - 16;
            Some((step(n / 36), step(n / 6 % 6), step(n % 6)))
        }
        Color::Idx(index) => Some([8 + 10 * (index - 232); 3].into()),
    }
}

/// A colour so far on the way from `a` to `b`.
fn between(a: Rgb, b: Rgb, part: f64) -> Rgb {
    let mix = |a: u8, b: u8| (f64::from(a) + (f64::from(b) - f64::from(a)) * part).round() as u8;
    (mix(a.0, b.0), mix(a.1, b.1), mix(a.2, b.2))
}

fn hex((r, g, b): Rgb) -> String {
    format!("#{r:02x}{g:02x}{b:02x}")
}

/// A number without digits that say nothing.
fn short(n: f64) -> String {
    let text = format!("{n:.2}");
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}

/// The part of a cell that a block covers: from the left, from the top, width, height.
fn block(c: char) -> Option<(f64, f64, f64, f64)> {
    let eighths = |n: u32| f64::from(n) / 8.0;
    match c {
        '▁'..='█' => {
            let height = eighths(u32::from(c) - u32::from('▁') + 1);
            Some((0.0, 1.0 - height, 1.0, height))
        }
        '▉'..='▏' => Some((0.0, 0.0, eighths(7 - (u32::from(c) - u32::from('▉'))), 1.0)),
        _ => None,
    }
}

/// The screen up to its last line with anything on it.
pub fn of(screen: &Screen, title: &str) -> String {
    let (lines, columns) = screen.size();
    let (lines, columns) = (lines.get(), columns.get());
    let is_used = |line: &u16| (0..columns).any(|x| screen.cell(*line, x).is_some_and(is_visible));
    let lines = (0..lines).rev().find(is_used).map_or(1, |last| last + 1);
    let width = f64::from(columns) * WIDTH + 2.0 * MARGIN;
    let height = f64::from(lines) * HEIGHT + TITLE + MARGIN;
    let mut out = String::new();
    // Writing into memory cannot fail.
    let _ = writeln!(
        out,
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {0} {1}\" width=\"{0}\" height=\"{1}\" role=\"img\" \
         aria-label=\"{2}\" font-family=\"ui-monospace, 'DejaVu Sans Mono', Menlo, Consolas, monospace\" \
         font-size=\"{FONT}\" fill=\"{3}\">",
        short(width),
        short(height),
        escaped(title),
        hex(FOREGROUND),
    );
    let _ = writeln!(
        out,
        "<rect x=\"0.5\" y=\"0.5\" width=\"{}\" height=\"{}\" rx=\"8\" fill=\"{}\" stroke=\"#3d444d\"/>",
        short(width - 1.0),
        short(height - 1.0),
        hex(BACKGROUND),
    );
    for (nth, colour) in [1, 3, 2].into_iter().enumerate() {
        let x = short(MARGIN + 6.0 + nth as f64 * 18.0);
        let _ = writeln!(out, "<circle cx=\"{x}\" cy=\"16\" r=\"5\" fill=\"{}\"/>", hex(PALETTE[colour]));
    }
    let _ = writeln!(
        out,
        "<text x=\"{}\" y=\"21\" text-anchor=\"middle\" fill=\"{}\">{}</text>",
        short(width / 2.0),
        hex(PALETTE[8]),
        escaped(title)
    );
    for line in 0..lines {
        draw_line(screen, line, columns, &mut out);
    }
    out.push_str("</svg>\n");
    out
}

fn is_visible(cell: &Cell) -> bool {
    !cell.contents().trim().is_empty() || cell.bgcolor() != Color::Default || cell.inverse()
}

fn draw_line(screen: &Screen, line: u16, columns: u16, out: &mut String) {
    let y = TITLE + f64::from(line) * HEIGHT;
    let cells: Vec<&Cell> = (0..columns).filter_map(|x| screen.cell(line, x)).collect();
    let looks: Vec<Look> = cells.iter().map(|cell| Look::of(cell)).collect();
    for run in runs(&looks, |a, b| a.background == b.background) {
        if let Some(background) = looks[run.start].background {
            rectangle(run.start as f64, run.len() as f64, y, HEIGHT, background, out);
        }
    }
    for run in runs(&looks, |a, b| a == b) {
        draw_run(&cells[run.clone()], run.start, looks[run.start], y, out);
    }
}

/// Neighbours that are alike.
fn runs(looks: &[Look], alike: impl Fn(&Look, &Look) -> bool) -> Vec<std::ops::Range<usize>> {
    let mut begin = 0;
    looks
        .chunk_by(alike)
        .map(|chunk| {
            let run = begin..begin + chunk.len();
            begin = run.end;
            run
        })
        .collect()
}

/// A rectangle over cells, somewhat larger, so that nothing shines through between neighbours.
fn rectangle(x: f64, cells: f64, y: f64, height: f64, colour: Rgb, out: &mut String) {
    let _ = writeln!(
        out,
        "<rect x=\"{}\" y=\"{}\" width=\"{}\" height=\"{}\" fill=\"{}\"/>",
        short(MARGIN + x * WIDTH),
        short(y),
        short(cells * WIDTH + 0.15),
        short(height + 0.15),
        hex(colour),
    );
}

/// Words of a run of cells; blocks are drawn.
fn draw_run(cells: &[&Cell], start: usize, look: Look, y: f64, out: &mut String) {
    let text = |cell: &Cell| match cell.contents() {
        "" => ' ',
        contents => contents.chars().next().unwrap_or(' '),
    };
    let mut at = 0;
    while at < cells.len() {
        let x = (start + at) as f64;
        let c = text(cells[at]);
        if let Some((left, top, width, height)) = block(c) {
            let alike = cells[at..].iter().take_while(|cell| text(cell) == c).count();
            let count = if width < 1.0 { 1 } else { alike };
            rectangle(
                x + left,
                count as f64 * width,
                y + top * HEIGHT,
                height * HEIGHT,
                look.foreground,
                out,
            );
            at += count;
            continue;
        }
        if c == ' ' {
            at += 1;
            continue;
        }
        // Up to two blanks or a block.
        let mut end = at + 1;
        while end < cells.len() && block(text(cells[end])).is_none() {
            let blank = |n: usize| cells.get(n).is_none_or(|cell| text(cell) == ' ');
            if blank(end) && blank(end + 1) {
                break;
            }
            end += 1;
        }
        let words: String = cells[at..end].iter().map(|cell| text(cell)).collect();
        let trimmed = words.trim_end();
        let count = trimmed.chars().count() as f64;
        let style = [
            (look.foreground != FOREGROUND).then(|| format!(" fill=\"{}\"", hex(look.foreground))),
            look.bold.then(|| " font-weight=\"bold\"".to_owned()),
            look.underlined.then(|| " text-decoration=\"underline\"".to_owned()),
        ];
        let _ = writeln!(
            out,
            "<text x=\"{}\" y=\"{}\" textLength=\"{}\"{} xml:space=\"preserve\">{}</text>",
            short(MARGIN + x * WIDTH),
            short(y + BASE),
            short(count * WIDTH),
            style.into_iter().flatten().collect::<String>(),
            escaped(trimmed),
        );
        at = end;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::num::NonZeroU16;

    fn picture(drawn: &str) -> String {
        let size = |n| NonZeroU16::new(n).unwrap();
        let mut parser = vt100::Parser::new(size(3), size(20), 0);
        parser.process(drawn.as_bytes());
        of(parser.screen(), "a <title>")
    }

    #[test]
    fn words_are_as_long_as_their_cells() {
        let svg = picture("ab cd   \x1b[1;31mef\x1b[0m&");
        assert!(
            svg.contains(&format!(
                "textLength=\"{}\" xml:space=\"preserve\">ab cd</text>",
                short(5.0 * WIDTH)
            ))
        );
        assert!(svg.contains("fill=\"#ff7b72\" font-weight=\"bold\" xml:space=\"preserve\">ef</text>"));
        assert!(svg.contains(">&amp;</text>") && svg.contains("a &lt;title&gt;"));
    }

    #[test]
    fn backgrounds_and_blocks_are_drawn() {
        let svg = picture("\x1b[30;46mrow\x1b[0m ██▌");
        let cyan = format!("width=\"{}\" height=\"18.15\" fill=\"#4fc6d6\"", short(3.0 * WIDTH + 0.15));
        assert!(svg.contains(&cyan), "{svg}");
        let bar = format!("width=\"{}\" height=\"18.15\" fill=\"#d3dae2\"", short(2.0 * WIDTH + 0.15));
        assert!(svg.contains(&bar), "{svg}");
        assert!(!svg.contains('█') && !svg.contains('▌'));
    }
}
