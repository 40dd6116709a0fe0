//! What a view shows of this machine beside what is added up from a recording of the same time.

use std::collections::BTreeMap;
use std::io::{Read, Seek, Write};
use std::path::Path;

use anyhow::{Context, Result, bail, ensure};
use serde_json::Value;
use tracer_tests::programs::Scratch;
use tracer_tests::tracer::Tracer;
use tracer_tests::{Completion, Needs, Trial, live};

pub fn trials() -> Vec<Trial> {
    vec![
        live("views::files_agree_with_a_recording", &[Needs::Root], || files(&[])),
        live("views::files_with_containers_agree_with_a_recording", &[Needs::Root], || files(&["-pc"])),
    ]
}

/// On a machine that is too busy for all events to be delivered, it is done again so often.
const TRIES: usize = 4;

/// Columns of the view that are sums, and the fields that they are sums of.
const SUMS: [(&str, &str); 5] = [
    ("BYTES IN", "evt.buflen.file.in"),
    ("BYTES OUT", "evt.buflen.file.out"),
    ("OPS", "evt.count.exit"),
    ("OPENS", "evt.count.open"),
    ("ERRORS", "evt.count.error"),
];

/// Sums by name of the file.
type Sums = BTreeMap<String, [u64; SUMS.len()]>;

fn files(options: &[&str]) -> Result<Completion> {
    let mut said = String::new();
    for _ in 0..TRIES {
        let (shown, recorded) = look(options)?;
        ensure!(shown.len() == FILES && recorded.len() == FILES, "files: {shown:?} and {recorded:?}");
        if shown == recorded {
            return Ok(Completion::Completed);
        }
        said = format!("shown {shown:?}, recorded {recorded:?}");
    }
    bail!("{said}")
}

/// The sums that the view shows of files that are worked on, and those of a recording.
fn look(options: &[&str]) -> Result<(Sums, Sums)> {
    let (watched, aside) = (Scratch::new("view")?, Scratch::new("view-recording")?);
    let filter = format!("fd.directory={}", watched.text());
    let capture = aside.path().join("all.scap").display().to_string();
    let line = ["-p", "%fd.name", "--unbuffered", "--tee", "-w", &capture, &filter];
    let mut recorder = Tracer::start(&line)?;
    let mut view = Tracer::start(&[&["ui", "-j", "-v", "files", "-d", "300"], options, &[&filter]].concat())?;
    for tracer in [&mut recorder, &mut view] {
        mark(tracer, watched.path(), "begin")?;
    }
    work(watched.path())?;
    for tracer in [&mut recorder, &mut view] {
        mark(tracer, watched.path(), "end")?;
    }
    ensure!(recorder.finish()?.code == 0, "the recorder failed");
    let output = view.finish()?;
    ensure!(output.code == 0, "{}", output.stderr);
    let samples = output.lines().into_iter().map(|line| serde_json::from_str::<Value>(&line));
    let samples: Vec<Value> = samples.collect::<Result<_, _>>().context("samples")?;
    let rows = samples.iter().filter_map(|sample| sample["rows"].as_array()).flatten();
    let shown = sums(rows, "FILENAME", SUMS.map(|(column, _)| column));

    let fields = SUMS.map(|(_, field)| format!("%{field}")).join(" ");
    let format = format!("*%fd.name {fields}");
    let condition = format!("({filter}) and (fd.type=file or fd.type=directory) and evt.dir=<");
    let output = Tracer::start(&["-r", &capture, "-j", "-p", &format, &condition])?.wait()?;
    ensure!(output.code == 0, "{}", output.stderr);
    let events = output.lines().into_iter().map(|line| serde_json::from_str::<Value>(&line));
    let events: Vec<Value> = events.collect::<Result<_, _>>().context("events")?;
    Ok((shown, sums(events.iter(), "fd.name", SUMS.map(|(_, field)| field))))
}

/// Adds up objects by name, those of the files that were worked on.
fn sums<'a>(objects: impl Iterator<Item = &'a Value>, name: &str, columns: [&str; SUMS.len()]) -> Sums {
    let mut sums = Sums::new();
    for object in objects {
        let Some(name) = object[name].as_str().filter(|name| name.contains("/worked-on-")) else { continue };
        let row = sums.entry(name.to_owned()).or_default();
        for (sum, column) in row.iter_mut().zip(columns) {
            *sum += object[column].as_u64().unwrap_or(0);
        }
    }
    sums
}

/// Waits until everything that has happened so far was seen.
fn mark(tracer: &mut Tracer, folder: &Path, name: &str) -> Result<()> {
    let path = folder.join(format!("mark-{name}-{}", tracer.id()));
    let name = path.display().to_string();
    tracer.until(&name, || std::fs::write(&path, "").context("a mark"), |line| line.contains(&name))?;
    Ok(())
}

/// Files that are worked on.
const FILES: usize = 3;

fn work(folder: &Path) -> Result<()> {
    for nth in 0..FILES {
        let path = folder.join(format!("worked-on-{nth}"));
        for round in 1..=40 {
            let mut file = std::fs::File::options()
                .read(true)
                .write(true)
                .create(true)
                .truncate(true)
                .open(&path)
                .with_context(|| path.display().to_string())?;
            file.write_all(&vec![b'x'; round * (nth + 1)])?;
            file.rewind()?;
            file.read_to_end(&mut Vec::new())?;
        }
    }
    Ok(())
}
