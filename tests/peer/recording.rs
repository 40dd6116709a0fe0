//! What tracer writes, tracer and sysdig read.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use tracer_tests::programs::{Scratch, run_silent};
use tracer_tests::tracer::{PATIENCE, Tracer, binary};
use tracer_tests::{Completion, Needs, Trial, live};

use crate::records::Program;
use crate::sysdig::{captures, name_of, sysdig, tracer, without_number};

pub const CODECS: [&str; 3] = ["none", "gzip", "zstd"];

pub fn trials() -> Vec<Trial> {
    vec![
        live("recording::captures written again read the same", &[], written_again),
        live("recording::parts read as the whole", &[], parts),
        live(
            "recording::sysdig reads captures written again",
            &[Needs::Program("sysdig")],
            sysdig_reads_again,
        ),
        live("recording::filters choose what is written", &[], filtered),
        live("recording::what a filter keeps reads as before", &[], self_contained),
        live("recording::several captures are merged", &[], merged),
        live("recording::secrets are replaced", &[], redacted),
        live("recording::a flight recorder writes what was asked for", &[], flight_recorder),
        live("recording::a flight recorder goes on after a signal", &[Needs::Root], flight_recorder_live),
        live("recording::old files make room", &[], make_room),
        live("recording::the filter chooses processes that are listed", &[], listed),
        live("recording::files are not written over", &[], not_written_over),
        live("recording::a full disk keeps what fits", &[Needs::Root, Needs::Program("mount")], full_disk),
        live("recording::killed recordings can be read", &[Needs::Root], killed),
    ]
}

/// Runs `tracer` with these arguments and wants it to succeed.
fn write(arguments: &[&str]) -> Result<()> {
    let output = Command::new(binary()?).args(arguments).output().context("tracer")?;
    ensure!(output.status.success(), "tracer {arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
    Ok(())
}

pub fn text(path: &Path) -> Result<&str> {
    path.to_str().context("a path that is no text")
}

/// A format with every field that needs no argument.
fn every_field() -> Result<String> {
    let output = Command::new(binary()?).args(["-l", "-j"]).output().context("tracer -l -j")?;
    let mut format = String::from("*%evt.num");
    for line in output.stdout.split(|b| *b == b'\n').filter(|line| !line.is_empty()) {
        let field: serde_json::Value = serde_json::from_slice(line)?;
        if field["argument"] != "required" && field["filter_only"] == false {
            let name = field["name"].as_str().context("a field without a name")?;
            format.push_str(&format!("\t{name}=%{name}"));
        }
    }
    ensure!(format.len() > 1000, "few fields: {format}");
    Ok(format)
}

fn written_again() -> Result<Completion> {
    let scratch = Scratch::new("again")?;
    let every_field = every_field()?;
    let columns: [&[&str]; 3] = [&[], &["-j"], &["-D", "-p", &every_field]];
    for capture in captures()? {
        let wanted =
            columns.iter().map(|arguments| tracer(&capture, arguments)).collect::<Result<Vec<_>>>()?;
        for codec in CODECS {
            let copy = scratch.path().join(codec);
            write(&["-r", text(&capture)?, "-w", text(&copy)?, "--compress", codec, "--overwrite"])?;
            for (arguments, wanted) in columns.iter().zip(&wanted) {
                let found = tracer(&copy, arguments)?;
                ensure!(wanted.len() == found.len(), "{} {codec} {arguments:?}: lines", name_of(&capture));
                for (wanted, found) in wanted.iter().zip(&found) {
                    ensure!(wanted == found, "{} {codec}: {}", name_of(&capture), difference(wanted, found));
                }
            }
        }
    }
    Ok(Completion::Completed)
}

/// The first columns in which two lines differ.
fn difference(wanted: &[u8], found: &[u8]) -> String {
    let (wanted, found) = (String::from_utf8_lossy(wanted), String::from_utf8_lossy(found));
    let number = wanted.split(['\t', ' ']).next().unwrap_or_default();
    let mut pairs = wanted.split('\t').zip(found.split('\t'));
    let (wanted, found) = pairs.find(|(wanted, found)| wanted != found).unwrap_or_default();
    format!("event {number}: {wanted:.200}, not {found:.200}")
}

fn parts() -> Result<Completion> {
    let wanted = ["head-d-pipeline", "head-e-sockets", "s36-c-failopen", "s36-d-pipeline", "nginx-3f89e2d"];
    for capture in captures()? {
        let name = name_of(&capture);
        if !wanted.iter().any(|wanted| name.contains(wanted)) {
            continue;
        }
        let scratch = Scratch::new("parts")?;
        let base = scratch.text() + "/part";
        write(&["-r", text(&capture)?, "-w", &base, "-e", "100"])?;
        let count = std::fs::read_dir(scratch.path())?.count();
        ensure!(count > 1, "{name}: {count} parts");
        let (mut found, mut end) = (Vec::new(), Vec::new());
        for part in 0..count {
            end = tracer(Path::new(&format!("{base}{part}")), &[])?;
            found.extend_from_slice(&end);
        }
        let whole = tracer(&capture, &[])?;
        ensure!(whole.len() == found.len(), "{name}: {} of {} events", found.len(), whole.len());
        for (whole, part) in whole.iter().zip(&found) {
            ensure!(
                without_number(whole) == without_number(part),
                "{name}:\n- {}\n+ {}",
                String::from_utf8_lossy(whole),
                String::from_utf8_lossy(part)
            );
        }
        // A ring keeps the last ones.
        write(&["-r", text(&capture)?, "-w", &base, "-e", "100", "-W", "2", "--overwrite"])?;
        let last = format!("{base}{}", (count - 1) % 2);
        let kept = tracer(Path::new(&last), &[])?;
        ensure!(kept == end, "{name}: the end of the ring");
    }
    Ok(Completion::Completed)
}

fn sysdig_reads_again() -> Result<Completion> {
    let scratch = Scratch::new("sysdig")?;
    let copy = scratch.path().join("copy");
    for capture in captures()? {
        let name = name_of(&capture);
        let Some(before) = sysdig(&capture, &[])? else {
            println!("{name}: sysdig does not read the original");
            continue;
        };
        for codec in ["none", "gzip"] {
            write(&["-r", text(&capture)?, "-w", text(&copy)?, "--compress", codec, "--overwrite"])?;
            let after = sysdig(&copy, &[])?.with_context(|| format!("{name} {codec}: sysdig fails"))?;
            ensure!(before == after, "{name} {codec}: sysdig reads something else");
        }
    }
    Ok(Completion::Completed)
}

/// Whether there is such an event in a file, whose last frame may be on its way to the disk.
pub fn has_event(capture: &Path, filter: &str) -> Result<bool> {
    let output = Program::Tracer.reading(capture)?.args(["-n", "1", filter]).output()?;
    Ok(!output.stdout.is_empty())
}

/// Waits until there is something in the file.
pub fn wait_for(capture: &Path) -> Result<()> {
    wait_until(capture, || capture.metadata().is_ok_and(|meta| meta.len() > 0))
}

/// Waits for one of the files of a recording in `folder`, whose first one may have made room before anybody looks.
pub fn wait_for_any(folder: &Path) -> Result<()> {
    let has_content = |file: std::fs::DirEntry| file.metadata().is_ok_and(|meta| meta.len() > 0);
    wait_until(folder, || std::fs::read_dir(folder).is_ok_and(|files| files.flatten().any(has_content)))
}

fn wait_until(place: &Path, is_there: impl Fn() -> bool) -> Result<()> {
    for _ in 0..400 {
        if is_there() {
            return Ok(());
        }
        std::thread::sleep(Duration::from_millis(50));
    }
    bail!("nothing is written to {}", place.display())
}

pub fn capture_named(part: &str) -> Result<PathBuf> {
    let found = captures()?.into_iter().find(|capture| name_of(capture).contains(part));
    found.with_context(|| format!("no capture {part}"))
}

fn filtered() -> Result<Completion> {
    let scratch = Scratch::new("filter")?;
    let (some, fat) = (scratch.path().join("some"), scratch.path().join("fat"));
    let capture = capture_named("s36-d-pipeline")?;
    let filter = "evt.type in (read, write) and evt.dir=<";
    write(&["-r", text(&capture)?, "-w", text(&some)?, filter])?;
    write(&["-r", text(&capture)?, "-w", text(&fat)?, "-F", filter])?;
    let wanted = tracer(&capture, &[filter])?;
    let without_numbers = |lines: &[Vec<u8>]| -> Vec<Vec<u8>> {
        lines.iter().map(|line| without_number(line).to_vec()).collect()
    };
    ensure!(tracer(&some, &[])?.len() == wanted.len(), "events that passed");
    // With what the state needs, the names are those of the whole capture.
    let names = ["-p", "%evt.time %proc.name %thread.tid %evt.type %evt.rawres"];
    let all = Command::new(binary()?).arg("-r").arg(&capture).args(names).arg(filter).output()?;
    let kept = Command::new(binary()?).arg("-r").arg(&fat).args(names).output()?;
    ensure!(all.stdout == kept.stdout, "names with -F");
    ensure!(without_numbers(&tracer(&fat, &[])?).len() == wanted.len(), "hidden events are shown");
    Ok(Completion::Completed)
}

/// What can be asked about an event, but for what counts or compares events.
pub const SHOWN: &str = "*%evt.rawtime %evt.type %evt.dir %evt.latency %evt.args %proc.pid %proc.name %proc.cmdline \
     %proc.exepath %proc.cwd %proc.env %proc.ppid %proc.pname %proc.pcmdline %proc.aname[2] %proc.sname %proc.loginshellid \
     %proc.nthreads %proc.fdopencount %proc.duration %thread.tid %thread.exectime %user.name %group.name %user.homedir \
     %container.id %container.name %container.image %fd.num %fd.name %fd.type %fd.l4proto %fd.sip %fd.cip %fd.is_server \
     %fd.name_changed %proc.tty %proc.exe_ino %proc.vmsize";

fn self_contained() -> Result<Completion> {
    const FILTERS: [&str; 10] = [
        "evt.type in (read, write) and evt.dir=<",
        "evt.failed=true",
        "proc.name in (cat, sh, sleep)",
        "evt.type in (connect, accept, accept4)",
        "evt.type=close and evt.dir=<",
        "evt.type in (clone, execve, kill, procexit)",
        "fd.num > 3 and evt.dir=<",
        "evt.dir=> and fd.typechar=f",
        "evt.dir=< and evt.latency > 100000",
        "fd.type in (ipv4, unix)",
    ];
    let wanted =
        ["s36-d-pipeline", "head-e-sockets", "s36-c-failopen", "mpm-event", "psp_privileged", "setns"];
    let scratch = Scratch::new("contained")?;
    let copy = scratch.path().join("copy");
    for capture in captures()? {
        let name = name_of(&capture);
        if !wanted.iter().any(|wanted| name.contains(wanted)) {
            continue;
        }
        for filter in FILTERS {
            write(&["-r", text(&capture)?, "-w", text(&copy)?, "--overwrite", "--compress", "none", filter])?;
            let before = tracer(&capture, &["-p", SHOWN, filter])?;
            let after = tracer(&copy, &["-p", SHOWN])?;
            ensure!(before.len() == after.len(), "{name} {filter}: {} of {}", after.len(), before.len());
            for (before, after) in before.iter().zip(&after) {
                ensure!(
                    before == after,
                    "{name} {filter}:\n- {}\n+ {}",
                    String::from_utf8_lossy(before),
                    String::from_utf8_lossy(after)
                );
            }
        }
    }
    Ok(Completion::Completed)
}

/// A capture (one whose events are in order) in two parts, and merged with itself: at all times there are two processes with the same number.
fn merged() -> Result<Completion> {
    const PART: &str = "evt.is_io=true or evt.type in (open, openat)";
    let rest = format!("not ({PART})");
    let scratch = Scratch::new("merged")?;
    let [part, other, both] = ["part", "other", "both"].map(|name| scratch.path().join(name));
    let same = |what: &str, wanted: &[Vec<u8>], found: &[Vec<u8>]| {
        ensure!(wanted.len() == found.len(), "{what}: {} of {} lines", found.len(), wanted.len());
        match wanted.iter().zip(found).find(|(wanted, found)| wanted != found) {
            None => Ok(()),
            Some((wanted, found)) => {
                bail!("{what}:\n- {}\n+ {}", String::from_utf8_lossy(wanted), String::from_utf8_lossy(found))
            }
        }
    };
    for name in ["head-c-failopen", "head-e-sockets"] {
        let capture = capture_named(name)?;
        for (file, filter) in [(&part, PART), (&other, rest.as_str())] {
            write(&["-r", text(&capture)?, "-w", text(file)?, "--overwrite", "--compress", "none", filter])?;
        }
        let shown = ["-p", SHOWN];
        let whole = tracer(&capture, &shown)?;
        same(name, &whole, &tracer(&part, &["-r", text(&other)?, "-p", SHOWN])?)?;
        let twice = tracer(&capture, &["-r", text(&capture)?, "-p", SHOWN])?;
        let mut doubled = [whole.as_slice(), whole.as_slice()].concat();
        let mut sorted = twice.clone();
        doubled.sort_unstable();
        sorted.sort_unstable();
        same("with itself", &doubled, &sorted)?;
        for [a, b] in [[&part, &other], [&capture, &capture]] {
            write(&["-r", text(a)?, "-r", text(b)?, "-w", text(&both)?, "--overwrite"])?;
            let numbered = format!("*%evt.num {}", SHOWN.trim_start_matches('*'));
            let wanted = tracer(a, &["-r", text(b)?, "-p", &numbered])?;
            same("written", &wanted, &tracer(&both, &["-p", &numbered])?)?;
        }
    }
    Ok(Completion::Completed)
}

fn redacted() -> Result<Completion> {
    let scratch = Scratch::new("redacted")?;
    let copy = scratch.path().join("copy");
    let capture = capture_named("s36-d-pipeline")?;
    let format = ["-p", "*%evt.num|%proc.args|%proc.env|%evt.buffer"];
    let before = tracer(&capture, &format)?;
    for options in
        [&["--redact", "proc.env,proc.args,evt.buffer"][..], &["--redact", "proc.env", "evt.type=execve"]]
    {
        let mut arguments =
            vec!["-r", text(&capture)?, "-w", text(&copy)?, "--overwrite", "--compress", "none"];
        arguments.extend_from_slice(options);
        write(&arguments)?;
        let after = tracer(&copy, &format)?;
        ensure!(
            !after.is_empty() && (options.len() > 2 || before.len() == after.len()),
            "{options:?}: {}",
            after.len()
        );
        let bytes = std::fs::read(&copy)?;
        ensure!(tracer_tests::tracer::contains(&bytes, b"=<redacted>"), "{options:?}: nothing replaced");
        // Every program of the recording was started with this.
        ensure!(!tracer_tests::tracer::contains(&bytes, b"PATH=/"), "{options:?}: an environment");
        for line in &after {
            let columns: Vec<&[u8]> = line.split(|b| *b == b'|').collect();
            let [_, args, _, data] = columns[..] else { bail!("columns") };
            let is_hidden = |text: &[u8]| {
                text.is_empty()
                    || text == b"<NA>"
                    || text.split(|b| *b == b' ').all(|word| word == b"<redacted>")
            };
            ensure!(options.len() > 2 || is_hidden(args), "{}", String::from_utf8_lossy(line));
            ensure!(
                options.len() > 2 || data == b"<NA>" || data.iter().all(|b| *b == b'*'),
                "{}",
                String::from_utf8_lossy(line)
            );
        }
    }
    Ok(Completion::Completed)
}

/// The files of a folder in the order of their numbers, each with its lines.
fn numbered(folder: &Path, base: &str) -> Result<Vec<Vec<Vec<u8>>>> {
    let count = std::fs::read_dir(folder)?.count();
    let first = (0..).find(|n| folder.join(format!("{base}{n}")).exists()).context("no file")?;
    (first..first + count).map(|n| tracer(&folder.join(format!("{base}{n}")), &[])).collect()
}

fn flight_recorder() -> Result<Completion> {
    let capture = capture_named("s36-d-pipeline")?;
    let whole = tracer(&capture, &[])?;
    let scratch = Scratch::new("flight")?;
    let base = scratch.text() + "/dump";
    let dump_on = ["--dump-on", "evt.type=execve and evt.dir=<", "--dump-after", "0"];
    let mut arguments = vec!["-r", text(&capture)?, "-w", &base, "--ring", "1h"];
    arguments.extend_from_slice(&dump_on);
    write(&arguments)?;
    let dumps = numbered(scratch.path(), "dump")?;
    ensure!(dumps.len() > 2, "{} dumps", dumps.len());
    // Each ends with what it was written for, and nothing is in two of them or in none.
    for dump in dumps.iter().rev().skip(1) {
        let last = dump.last().context("an empty dump")?;
        ensure!(String::from_utf8_lossy(last).contains("< execve"), "{}", String::from_utf8_lossy(last));
    }
    let all: Vec<&[u8]> = dumps.iter().flatten().map(|line| without_number(line)).collect();
    let wanted: Vec<&[u8]> = whole.iter().map(|line| without_number(line)).collect();
    ensure!(all == wanted, "{} of {} lines", all.len(), wanted.len());
    // A small ring has the end.
    let capture = capture_named("bencer_example2_502error")?;
    let whole = tracer(&capture, &[])?;
    let small = scratch.text() + "/small";
    write(&["-r", text(&capture)?, "-w", &small, "--ring", "1M", "--compress", "none"])?;
    let end = tracer(Path::new(&(small + "0")), &[])?;
    let end: Vec<&[u8]> = end.iter().map(|line| without_number(line)).collect();
    let wanted: Vec<&[u8]> = whole.iter().map(|line| without_number(line)).collect();
    ensure!(
        !end.is_empty() && end.len() < wanted.len() && wanted.ends_with(&end),
        "{} of {} lines",
        end.len(),
        wanted.len()
    );
    Ok(Completion::Completed)
}

fn flight_recorder_live() -> Result<Completion> {
    let scratch = Scratch::new("flight-live")?;
    let base = scratch.text() + "/dump";
    let recorder = Tracer::start(&["-w", &base, "--ring", "1h"])?;
    for round in 0..3 {
        let file = scratch.path().join(format!("dump{round}"));
        // The signal has no meaning before the recorder is ready: it is sent until there is a file.
        let deadline = std::time::Instant::now() + tracer_tests::tracer::PATIENCE;
        while !file.metadata().is_ok_and(|meta| meta.len() > 0) {
            ensure!(std::time::Instant::now() < deadline, "no dump {round}");
            run_silent(&mut Command::new("/bin/true"))?;
            if is_recording(recorder.id()) {
                // SAFETY: kill has no memory preconditions; the child has not been waited for, so the number is its own.
                unsafe { libc::kill(recorder.id() as i32, libc::SIGUSR1) };
            }
            std::thread::sleep(Duration::from_millis(100));
        }
    }
    let output = recorder.finish()?;
    ensure!(output.code == 0, "{}", output.stderr);
    for round in 0..3 {
        let lines = tracer(&scratch.path().join(format!("dump{round}")), &[])?;
        // The first may have been asked for before there was an event.
        ensure!(round == 0 || !lines.is_empty(), "dump {round} is empty");
    }
    Ok(Completion::Completed)
}

/// Whether the recorder handles SIGUSR1 already.
fn is_recording(pid: u32) -> bool {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
    let caught = status.lines().find_map(|line| line.strip_prefix("SigCgt:"));
    let caught = caught.and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok()).unwrap_or(0);
    caught & (1 << (libc::SIGUSR1 - 1)) != 0
}

fn make_room() -> Result<Completion> {
    const TOTAL: u64 = 1 << 20;
    let capture = capture_named("bencer_example2_502error")?;
    let whole = tracer(&capture, &[])?;
    let scratch = Scratch::new("room")?;
    let base = scratch.text() + "/part";
    write(&["-r", text(&capture)?, "-w", &base, "--max-total", "1M", "--compress", "none"])?;
    let mut bytes = 0;
    for entry in std::fs::read_dir(scratch.path())? {
        bytes += entry?.metadata()?.len();
    }
    ensure!(bytes <= TOTAL, "{bytes} bytes");
    let parts = numbered(scratch.path(), "part")?;
    ensure!(parts.len() > 1, "{} parts", parts.len());
    let end: Vec<&[u8]> = parts.iter().flatten().map(|line| without_number(line)).collect();
    let wanted: Vec<&[u8]> = whole.iter().map(|line| without_number(line)).collect();
    ensure!(end.len() < wanted.len() && wanted.ends_with(&end), "{} of {} lines", end.len(), wanted.len());
    Ok(Completion::Completed)
}

fn listed() -> Result<Completion> {
    let capture = capture_named("bencer_example2_502error")?;
    let scratch = Scratch::new("listed")?;
    let (some, all) = (scratch.path().join("some"), scratch.path().join("all"));
    for (filter, is_shorter) in [("proc.name=cat", true), ("proc.name=nginx and evt.type=close", false)] {
        let arguments = ["-r", text(&capture)?, "--compress", "none", "--overwrite", filter, "-w"];
        write(&[&arguments[..], &[text(&all)?]].concat())?;
        write(&[&arguments[..], &[text(&some)?, "--filter-proclist"]].concat())?;
        let (short, long) = (some.metadata()?.len(), all.metadata()?.len());
        ensure!(!is_shorter || short < long, "{filter}: {short} and {long} bytes");
        // Who is not listed and is needed all the same comes with the events.
        let wanted = tracer(&capture, &["-p", SHOWN, filter])?;
        ensure!(tracer(&some, &["-p", SHOWN])? == wanted, "{filter}: what is shown");
    }
    Ok(Completion::Completed)
}

fn not_written_over() -> Result<Completion> {
    let scratch = Scratch::new("over")?;
    let capture = capture_named("head-e-sockets")?;
    let file = scratch.path().join("file");
    std::fs::write(&file, "mine")?;
    let run = |arguments: &[&str]| -> Result<(Option<i32>, String)> {
        let output = Command::new(binary()?).args(arguments).output()?;
        Ok((output.status.code(), String::from_utf8_lossy(&output.stderr).into_owned()))
    };
    let (code, said) = run(&["-r", text(&capture)?, "-w", text(&file)?])?;
    ensure!(code == Some(1) && said.contains("--overwrite"), "{code:?} {said}");
    ensure!(std::fs::read(&file)? == b"mine", "the file was touched");
    write(&["-r", text(&capture)?, "-w", text(&file)?, "--overwrite"])?;
    let (code, said) = run(&["-r", text(&file)?, "-w", text(&file)?, "--overwrite"])?;
    ensure!(code == Some(1) && said.contains("being read"), "{code:?} {said}");
    ensure!(tracer(&file, &[])? == tracer(&capture, &[])?, "the file that was read is another");
    Ok(Completion::Completed)
}

/// A small file system that goes away with the value.
struct SmallDisk<'a>(&'a Path);

impl Drop for SmallDisk<'_> {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg(self.0).status();
    }
}

fn full_disk() -> Result<Completion> {
    let scratch = Scratch::new("full")?;
    let mounted = Command::new("mount")
        .args(["-t", "tmpfs", "-o", "size=200k", "none"])
        .arg(scratch.path())
        .output()
        .context("mount")?;
    if !mounted.status.success() {
        return Ok(Completion::ignored_with("needs the right to mount"));
    }
    let _disk = SmallDisk(scratch.path());
    let capture = capture_named("bencer_example2_502error")?;
    let whole = tracer(&capture, &[])?;
    let file = scratch.path().join("file");
    let output = Command::new(binary()?)
        .args(["-r", text(&capture)?, "-w", text(&file)?, "--compress", "none"])
        .output()?;
    let said = String::from_utf8_lossy(&output.stderr);
    ensure!(output.status.code() == Some(1), "{:?} {said}", output.status);
    ensure!(said.contains("No space left") && said.contains("events are written"), "{said}");
    let kept = tracer(&file, &[])?;
    ensure!(!kept.is_empty() && whole.starts_with(&kept), "{} of {} lines", kept.len(), whole.len());
    Ok(Completion::Completed)
}

fn killed() -> Result<Completion> {
    for (round, codec) in CODECS.iter().enumerate() {
        let scratch = Scratch::new("killed")?;
        let capture = scratch.path().join("capture");
        let recorder = Tracer::start(&["-w", text(&capture)?, "--compress", codec])?;
        wait_for(&capture)?;
        let begin = Instant::now();
        while !has_event(&capture, "proc.name=true")? {
            ensure!(begin.elapsed() < PATIENCE, "{codec}: no event comes into the file");
            for _ in 0..20 * (round + 1) {
                run_silent(&mut Command::new("/bin/true"))?;
            }
        }
        // SAFETY: kill has no memory preconditions; the child has not been waited for, so the number is its own.
        unsafe { libc::kill(recorder.id() as i32, libc::SIGKILL) };
        let output = recorder.wait()?;
        ensure!(output.code == 128 + libc::SIGKILL, "{} {}", output.code, output.stderr);
        ensure!(has_event(&capture, "proc.name=true")?, "{codec}: no events");
    }
    Ok(Completion::Completed)
}
