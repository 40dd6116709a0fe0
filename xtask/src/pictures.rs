//! `cargo xtask pictures`: the pictures of the README, made of what the real program draws on a real terminal.
//!
//! They show captures of the tests, with the time in UTC and no settings of anybody's, so that they change only when the
//! program does.

mod svg;

use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, Result};
use vt100::Screen;

use crate::bench;
use crate::terminal::Terminal;

#[derive(clap::Args)]
pub struct Args {
    /// The tracer to draw instead of a fresh release build
    #[arg(long)]
    tracer: Option<PathBuf>,
    /// Only the picture with this name
    #[arg(long)]
    only: Option<String>,
}

/// A picture, and how the program comes to show it.
struct Picture {
    name: &'static str,
    /// What somebody types who wants to see it; `FILE` stands for the capture.
    arguments: &'static [&'static str],
    capture: &'static str,
    /// As the title says it.
    file: &'static str,
    /// Keys, and what is on the screen when each was heard.
    steps: &'static [(&'static [u8], &'static str)],
    lines: u16,
}

const COLUMNS: u16 = 112;

const DOWN: &[u8] = b"\x1b[B";
const ENTER: &[u8] = b"\r";
const F5: &[u8] = b"\x1b[15~";
const F12: &[u8] = b"\x1b[24~";

const WEB: &str = "bencer_example2_502error-947a737.scap.gz";
const STORE: &str = "sysflow_tests_objectstore_download-a366d2c.scap.gz";

const PICTURES: [Picture; 5] = [
    Picture {
        name: "processes",
        arguments: &["ui", "-r", "FILE", "-pc"],
        capture: STORE,
        file: "store.scap",
        steps: &[(b"", "minio server"), (DOWN, "2/74")],
        lines: 24,
    },
    Picture {
        name: "drill-down",
        arguments: &["ui", "-r", "FILE", "-pc"],
        capture: STORE,
        file: "store.scap",
        steps: &[(b"", "minio server"), (DOWN, "2/74"), (ENTER, "1/8(12%)"), (ENTER, "fs.json")],
        lines: 20,
    },
    Picture {
        name: "echo",
        arguments: &["ui", "-r", "FILE", "-pc"],
        capture: WEB,
        file: "web.scap",
        steps: &[(b"", "haproxy"), (F5, "GET /bar")],
        lines: 24,
    },
    Picture {
        name: "spectrogram",
        arguments: &["ui", "-r", "FILE"],
        capture: WEB,
        file: "web.scap",
        steps: &[(b"", "haproxy"), (F12, "|100ms")],
        lines: 29,
    },
    Picture {
        name: "events",
        arguments: &["-r", "FILE", "-n", "16", "proc.name=python and evt.category=net and evt.dir=<"],
        capture: WEB,
        file: "web.scap",
        steps: &[],
        lines: 30,
    },
];

pub fn run(root: &Path, args: &Args) -> Result<()> {
    let tracer = match &args.tracer {
        Some(given) => given.clone(),
        None => bench::build(root)?,
    };
    let folder = root.join("docs/pictures");
    std::fs::create_dir_all(&folder)?;
    for picture in &PICTURES {
        if args.only.as_ref().is_some_and(|only| only != picture.name) {
            continue;
        }
        let place = folder.join(format!("{}.svg", picture.name));
        let svg = draw(root, &tracer, picture).with_context(|| picture.name.to_owned())?;
        std::fs::write(&place, svg).with_context(|| place.display().to_string())?;
        println!("{}", place.display());
    }
    Ok(())
}

fn draw(root: &Path, tracer: &Path, picture: &Picture) -> Result<String> {
    // The screen names the file that it shows.
    let folder = root.join("target/pictures");
    std::fs::create_dir_all(&folder)?;
    let file = folder.join(picture.file);
    std::fs::copy(root.join("tests/captures").join(picture.capture), &file)?;
    let said = |path: &str| -> Vec<String> {
        picture.arguments.iter().map(|word| word.replace("FILE", path)).collect()
    };
    let environment = ["env", "TZ=UTC", "XDG_CONFIG_HOME=/nonexistent"].map(str::to_owned);
    let words: Vec<String> = environment
        .into_iter()
        .chain([tracer.display().to_string()])
        .chain(said(&file.display().to_string()))
        .collect();
    let mut terminal = Terminal::start(&words, COLUMNS, picture.lines)?;
    for (keys, wanted) in picture.steps {
        terminal.type_keys(keys)?;
        terminal.wait_for(wanted, |screen| screen.contents().contains(wanted))?;
    }
    if picture.steps.is_empty() {
        terminal.watch_to_end();
    } else {
        terminal.wait_for("all of the file", is_complete)?;
        terminal.watch(Duration::from_millis(300));
    }
    let quoted = |word: String| if word.contains(' ') { format!("\"{word}\"") } else { word };
    let command: Vec<String> = said(picture.file).into_iter().map(quoted).collect();
    Ok(svg::of(terminal.screen(), &format!("tracer {}", command.join(" "))))
}

/// Whether the line with the file says that all of it was read.
fn is_complete(screen: &Screen) -> bool {
    let source = screen.rows(0, COLUMNS).nth(1).unwrap_or_default();
    !source.contains(" read)") && !source.contains(", reading)")
}
