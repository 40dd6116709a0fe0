//! Every option that sysdig lists does the same here, or says in one line why it is not needed.

use std::collections::BTreeSet;
use std::path::Path;

use anyhow::{Context, Result, ensure};
use tracer_tests::programs::Scratch;
use tracer_tests::{Completion, Needs, Trial, live};

use crate::records::Program;
use crate::sysdig::captures;

pub fn trials() -> Vec<Trial> {
    vec![live("options do what they do in sysdig", &[Needs::Program("sysdig")], options)]
}

/// What the option is to do here.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Here {
    /// Both programs print the same.
    Same,
    /// It works; what it prints is tested elsewhere, or is meant to be different.
    Works,
    /// The run goes on, and one line says why it is not needed.
    NotNeeded,
    /// It is refused, and one line says why.
    Refused,
}

use Here::{NotNeeded, Refused, Same, Works};

/// The columns that both programs print: what depends on how events are counted is not among them.
const COLUMNS: &str = "-p*%evt.rawtime %evt.dir %evt.type %proc.name %user.name %group.name";

/// An option with all names that sysdig lists for it, the arguments it is tried with ($F is a file that may be
/// written), and what it is to do.
const OPTIONS: &[(&str, &str, Here)] = &[
    ("-A --print-ascii", "-A -p%evt.buffer evt.type=write", Same),
    ("-b --print-base64", "-b -p%evt.buffer evt.type=write", Same),
    ("-x --print-hex", "-x -p%evt.buffer evt.type=write", Same),
    ("-X --print-hex-ascii", "-X -p%evt.buffer evt.type=write", Same),
    ("-B --bpf", "-Bprobe.o", NotNeeded),
    ("-c --chisel", "-c topprocs_cpu", Works),
    ("-cl --list-chisels", "-cl", Works),
    ("-i --chisel-info", "-i topprocs_cpu", Works),
    ("-C --file-size", "-C 100 -w $F", Works),
    ("-G --seconds", "-G 100 -w $F", Works),
    ("-e", "-e 100000 -w $F", Works),
    ("-W --limit", "-C 100 -W 2 -w $F", Works),
    ("-w --write", "-w $F", Works),
    ("-z --compress", "--compress -w $F", Works),
    ("-F --fatfile", "-F -w $F proc.name=cat", Works),
    ("--filter-proclist", "--filter-proclist -w $F proc.name=cat", Works),
    ("--cri", "--cri /run/none.sock", Same),
    ("--cri-timeout", "--cri-timeout 10", NotNeeded),
    ("-d --displayflt", "-d evt.type=open", Same),
    ("-D --debug", "-D", Works),
    ("-E --exclude-users", "-E", Same),
    ("-h --help", "-h", Works),
    ("-H --plugin", "-H dummy:{}", Refused),
    ("-I --input", "-I dummy:1", Refused),
    ("-Il", "-Il", Refused),
    ("--plugin-config-file", "--plugin-config-file a.yaml", Refused),
    ("-j --json", "-j", Works),
    ("-k --k8s-api", "-k http://127.0.0.1:9", NotNeeded),
    ("-K --k8s-api-cert", "-K cert", NotNeeded),
    ("--node-name", "--node-name=here", NotNeeded),
    ("-m --mesos-api", "-m http://127.0.0.1:9", Refused),
    ("-L --list-events", "-L", Works),
    ("-l --list", "-l", Works),
    ("--list-markdown", "--list-markdown", Works),
    ("--libs-version", "--libs-version", Refused),
    ("--large-environment", "--large-environment", Same),
    ("-M", "-M 1", Same),
    ("-n --numevents", "-n 5 evt.type=open", Works),
    ("--page-faults", "--page-faults", Same),
    ("-P --progress", "-P", Same),
    ("-p --print", "-p%evt.type", Same),
    ("-q --quiet", "-q", Same),
    ("-R", "-R -p%fd.name fd.type=ipv4", Same),
    ("-r --read", "", Same),
    ("-S --summary", "-q -S", Works),
    ("-s --snaplen", "-s 10", Same),
    ("-t --timetype", "-t r", Same),
    ("-T --force-tracers-capture", "-T", NotNeeded),
    ("--unbuffered", "--unbuffered", Same),
    ("-U --suppress-comm", "-U cat", Works),
    ("-v --verbose", "-v", Same),
    ("--version", "--version", Works),
];

fn options() -> Result<Completion> {
    let listed = listed_by_sysdig()?;
    let known: BTreeSet<String> =
        OPTIONS.iter().flat_map(|(names, ..)| names.split(' ')).map(str::to_owned).collect();
    let missing: Vec<&String> = listed.difference(&known).collect();
    ensure!(missing.is_empty(), "sysdig lists options that this test does not know: {missing:?}");
    ensure!(listed.len() > 60, "only {} options were found in sysdig's help", listed.len());

    let capture = captures()?.into_iter().find(|path| path.to_string_lossy().contains("cat_write"));
    let capture = capture.context("the capture of cat and write is missing")?;
    let mut wrong = Vec::new();
    for (names, arguments, here) in OPTIONS {
        if let Err(error) = try_option(&capture, arguments, *here) {
            wrong.push(format!("{names}: {error:#}"));
        }
    }
    ensure!(wrong.is_empty(), "{}", wrong.join("\n"));
    Ok(Completion::Completed)
}

/// The names in the left column of `sysdig --help`.
fn listed_by_sysdig() -> Result<BTreeSet<String>> {
    let output = std::process::Command::new("sysdig").arg("--help").output().context("sysdig")?;
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let names = text.lines().filter(|line| line.starts_with(" -")).flat_map(|line| {
        // The description starts in a column of its own; some lines have no room for it.
        let left = line.get(..20).filter(|left| left.ends_with(' ')).unwrap_or(line);
        left.split([' ', ',']).filter(|word| word.starts_with('-') && word.len() > 1).map(|word| {
            let end = word.find(['<', '=', '[']).unwrap_or(word.len());
            word[..end].to_owned()
        })
    });
    Ok(names.collect())
}

fn try_option(capture: &Path, arguments: &str, here: Here) -> Result<()> {
    let folder = Scratch::new("options")?;
    let file = folder.path().join("out.scap");
    let typed: Vec<String> = arguments
        .split_whitespace()
        .map(|word| if word == "$F" { file.to_string_lossy().into_owned() } else { word.to_owned() })
        .collect();
    let run = |program: Program| -> Result<_> {
        let mut command = program.reading(capture)?;
        if !arguments.contains("-p%") {
            command.arg(COLUMNS);
        }
        command.args(&typed).current_dir(folder.path()).output().context("cannot be run")
    };
    let ours = run(Program::Tracer)?;
    let said = String::from_utf8_lossy(&ours.stderr);
    let about_it: Vec<&str> = said.lines().filter(|line| line.starts_with("tracer: -")).collect();
    match here {
        Same | Works => {
            ensure!(ours.status.success(), "{}: {said}", ours.status);
            ensure!(about_it.is_empty(), "{said}");
        }
        NotNeeded => {
            ensure!(ours.status.success() && !ours.stdout.is_empty(), "{}: {said}", ours.status);
            ensure!(about_it.len() == 1 && said.contains("is not needed: "), "{said}");
        }
        Refused => {
            ensure!(ours.status.code() == Some(2) && said.lines().count() == 1, "{}: {said}", ours.status);
            ensure!(said.contains("is not supported: "), "{said}");
        }
    }
    if here == Same {
        let theirs = run(Program::Sysdig)?;
        ensure!(
            theirs.stdout == ours.stdout,
            "sysdig prints\n{}\nand tracer\n{}",
            String::from_utf8_lossy(&theirs.stdout),
            String::from_utf8_lossy(&ours.stdout)
        );
    }
    Ok(())
}
