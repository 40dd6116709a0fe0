//! `-c`, `-cl` and `-i`: the chisels of a run, and what there is to choose from.

use super::args::Args;
use super::plan::{self, Surroundings, UsageError};
use crate::chisel::arguments;
use crate::chisel::console::Console;
use crate::chisel::requests::Run;
use crate::chisel::script::{Description, Script};
use crate::chisel::{Catalog, ChiselError, Engine, Limits, script};
use crate::fields::ExtractOptions;
use crate::filter::parse::parse;
use crate::live::LiveOptions;
use bstr::BString;
use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::io::{self, Write};
use std::rc::Rc;

/// The largest part of a buffer that the probe copies.
const MAX_SNAPLEN: u32 = 65_000;
/// Columns of the listing.
const WIDTH: usize = 80;
/// Column at which descriptions start.
const INDENT: usize = 24;

/// Chisels with their arguments, loaded and not yet initialised, and what is left of the words: the
/// filter.
pub struct Chosen {
    pub chisels: Vec<(Script, Vec<BString>)>,
    pub filter_words: Vec<String>,
}

/// What the chisels of a command line are given.
pub fn surroundings(args: &Args, terminal: Surroundings, out: Box<dyn Write>) -> script::Surroundings {
    let run = Run {
        is_live: args.read.is_empty(),
        is_terminal: terminal.stdout_is_terminal,
        terminal_size: terminal.stdout_is_terminal.then_some((terminal.width, terminal.height)),
        source_name: args.read.first().map(|file| file.display().to_string()).unwrap_or_default(),
        json: args.json,
        buffers_chosen: args.json || args.ascii || args.hex || args.hex_ascii || args.base64,
        containers: matches!(
            args.print.as_deref(),
            Some("c" | "container" | "k" | "kubernetes" | "m" | "mesos")
        ),
        allow_io: args.allow_chisel_io,
        ..Run::default()
    };
    script::Surroundings {
        catalog: Rc::new(Catalog::new(args.chisel_folders.clone())),
        run: Rc::new(run),
        console: Rc::new(RefCell::new(Console::new(out, args.unbuffered))),
        limits: Limits::default(),
    }
}

/// Loads the chisels and finds their arguments among the words.
///
/// # Errors
/// Chisels that are not there or cannot be loaded, arguments that do not fit.
pub fn choose(args: &Args, surroundings: &script::Surroundings) -> Result<Chosen, ChiselError> {
    let mut taken = BTreeSet::new();
    let mut chisels = Vec::new();
    for (name, word) in args.chisels.iter().zip(&args.chisel_words) {
        let script = Script::load(name, surroundings)?;
        let following = word.and_then(|at| args.words.get(at..));
        let values = match following {
            Some([first, ..]) if takes(&script.description, following.unwrap_or_default()) => {
                taken.extend(*word);
                arguments::split(name, first, &script.description.parameters)?
            }
            _ => Vec::new(),
        };
        surroundings.run.typed.borrow_mut().extend(values.iter().cloned());
        arguments::check(name, values.len(), &script.description.parameters)?;
        chisels.push((script, values.into_iter().map(BString::from).collect()));
    }
    let left = args.words.iter().enumerate().filter(|(at, _)| !taken.contains(at));
    Ok(Chosen { chisels, filter_words: left.map(|(_, word)| word.clone()).collect() })
}

/// Whether the first of these words is the chisel's argument. When it could do without one, words
/// that read as a filter are the filter.
fn takes(chisel: &Description, words: &[String]) -> bool {
    match chisel.parameters.as_slice() {
        [] => false,
        parameters if parameters.iter().any(|p| !p.optional) => true,
        [one] if one.kind == "filter" => true,
        _ => parse(&words.join(" ")).is_err(),
    }
}

/// The chisels of a run, initialised.
///
/// # Errors
/// As [`choose`], and chisels that do not want to run.
pub fn engine(
    args: &Args,
    terminal: Surroundings,
    out: Box<dyn Write>,
    options: ExtractOptions,
) -> Result<Engine, ChiselError> {
    let given = surroundings(args, terminal, out);
    let chosen = choose(args, &given)?;
    *given.run.filter.borrow_mut() = chosen.filter_words.join(" ");
    let console = Rc::clone(&given.console);
    let engine = Engine::new(chosen.chisels, given, options, |error| eprintln!("tracer: {error}"));
    if engine.is_err() {
        // What it printed before it failed may say why.
        console.borrow_mut().flush();
    }
    engine
}

/// What the probe has to deliver for these chisels.
///
/// # Errors
/// As those of a run without chisels.
pub fn live_options(
    args: &Args,
    engine: &Engine,
    options: &ExtractOptions,
) -> Result<LiveOptions, UsageError> {
    let both: Vec<String> = [engine.global_filter(), engine.filter().unwrap_or_default()]
        .into_iter()
        .filter(|text| !text.trim().is_empty())
        .map(|text| format!("({text})"))
        .collect();
    let filter = plan::compile(&both.join(" and "))?;
    let mut live = plan::live_options(args, filter.as_ref(), engine.fields().into_iter(), options)?;
    if let Some(wanted) = engine.run().snaplen.get() {
        live.probe.snaplen = live.probe.snaplen.max(wanted.min(MAX_SNAPLEN));
    }
    Ok(live)
}

/// Writes the chisels by category.
///
/// # Errors
/// What `out` reports.
pub fn list(out: &mut dyn Write, surroundings: &script::Surroundings) -> io::Result<()> {
    let mut categories: BTreeMap<String, Vec<Description>> = BTreeMap::new();
    for name in surroundings.catalog.names() {
        // Modules, views, and chisels that fail: `-c` says why.
        let Ok(script) = Script::load(&name, surroundings) else { continue };
        if !script.description.hidden {
            categories.entry(script.description.category.clone()).or_default().push(script.description);
        }
    }
    for (category, chisels) in categories {
        let title = format!("Category: {}", printable(&category));
        writeln!(out, "\n{title}\n{}", "-".repeat(title.chars().count()))?;
        for chisel in chisels {
            super::list::write_beside(out, &chisel.name, &printable(&chisel.short), INDENT, WIDTH)?;
        }
    }
    Ok(())
}

/// Writes what a chisel does and which arguments it takes.
///
/// # Errors
/// What `out` reports.
pub fn info(out: &mut dyn Write, chisel: &Description) -> io::Result<()> {
    let title = format!("Category: {}", printable(&chisel.category));
    writeln!(out, "\n{title}\n{}", "-".repeat(title.chars().count()))?;
    super::list::write_beside(out, &chisel.name, &printable(&chisel.short), INDENT, WIDTH)?;
    writeln!(out)?;
    super::list::write_beside(out, "", &printable(&chisel.long), 0, WIDTH)?;
    if chisel.parameters.is_empty() {
        return Ok(());
    }
    writeln!(out, "\nArguments:")?;
    for parameter in &chisel.parameters {
        let name = format!("{} ({})", printable(&parameter.name), printable(&parameter.kind));
        let optional = if parameter.optional { "Optional. " } else { "" };
        let text = format!("{optional}{}", printable(&parameter.description));
        super::list::write_beside(out, &name, &text, INDENT, WIDTH)?;
    }
    Ok(())
}

/// Text of a file that may be anybody's, for the terminal.
fn printable(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect()
}
