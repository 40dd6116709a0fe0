//! What a program is called that was started through a file descriptor.

use std::process::Command;

use anyhow::{Context, Result, ensure};
use tracer_tests::programs::{Scratch, compile, run_silent};
use tracer_tests::tracer::Tracer;
use tracer_tests::{Completion, Needs, Trial, live};

pub fn trials() -> Vec<Trial> {
    vec![live("exec_names::execveat", &[Needs::Root, Needs::Program("gcc")], execveat)]
}

/// Each way of `programs/execveat.c` that works: the path of the executable, what the kernel calls the file that was
/// asked for, made absolute (`@` is the test's folder), and whether it is in memory only.
const WAYS: &[(&str, &str, &str, bool)] = &[
    ("descriptor", "@/sub/program", "/dev/fd/50", false),
    ("directory", "@/sub/program", "/dev/fd/60/sub/program", false),
    ("current", "@/sub/program", "@/sub/program", false),
    ("absolute", "@/sub/program", "@/sub/program", false),
    ("memory", "/memfd:scratch", "/dev/fd/70", true),
];

/// Those that fail, with what they say.
const FAILURES: &[(&str, &str)] = &[("absent", "-2"), ("closed", "-9")];

const FORMAT: &str = "*%evt.type|%evt.rawres|%proc.exepath|%proc.exe|%proc.args|%proc.is_exe_from_memfd|\
    %evt.arg.trusted_exepath|%evt.arg.filename|%evt.args";

fn execveat() -> Result<Completion> {
    let folder = Scratch::new("execveat")?;
    let program = folder.path().join("sub/program");
    std::fs::create_dir(folder.path().join("sub"))?;
    std::fs::copy(compile("execveat", "tracer-execveat", &[])?, &program)?;
    let filter = format!(
        "evt.dir=< and (evt.type in (execve, execveat) or evt.arg.path startswith /execveat/) and \
         (proc.exe=tracer-execveat or proc.exepath={})",
        program.display()
    );
    let mut tracer = Tracer::start_seeing(&["-p", FORMAT], &filter)?;
    let (_, status) = run_silent(Command::new(&program).arg(folder.path()))?;
    ensure!(status == 0, "the program itself ended with {status}");
    tracer.mark()?;
    let output = tracer.finish()?;

    let lines: Vec<String> = output.lines();
    let find = |what: &str| {
        let found = lines.iter().find(|line| line.starts_with(what) && line.contains("|tracer-execveat|"));
        found.with_context(|| format!("no «{what}» in\n{}", lines.join("\n")))
    };
    for (way, path, asked, in_memory) in WAYS {
        let [path, asked] = [path, asked].map(|text| text.replace('@', &folder.text()));
        let known = format!("|{path}|tracer-execveat|end {way}|{in_memory}|");
        // What the exec event itself says, and what is known of the process afterwards.
        find(&format!("execve|0{known}{path}|{asked}|"))?;
        find(&format!("chdir|-2{known}"))?;
    }
    for (way, result) in FAILURES {
        let line = lines.iter().find(|line| line.starts_with(&format!("execveat|{result}|")));
        let line = line.with_context(|| format!("no failure of «{way}» in\n{}", lines.join("\n")))?;
        ensure!(line.contains(&format!("end.{way}.")), "other arguments than «{way}»: {line}");
    }
    Ok(Completion::Completed)
}
