//! The command line as a whole: what is printed where, and with which exit status. Nothing here
//! traces, so none of it needs root.

use std::process::{Command, Output};

fn tracer(args: &[&str]) -> Output {
    match Command::new(env!("CARGO_BIN_EXE_tracer")).args(args).env_remove("NO_COLOR").output() {
        Ok(output) => output,
        Err(e) => panic!("cannot start tracer: {e}"),
    }
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// Runs tracer, which is to refuse the command line; what it says.
#[track_caller]
fn refused(args: &[&str]) -> String {
    let output = tracer(args);
    let message = text(&output.stderr);
    assert_eq!(output.status.code(), Some(2), "{args:?}: {message}");
    assert_eq!(text(&output.stdout), "", "{args:?}");
    assert!(message.starts_with("tracer: "), "{message}");
    message
}

#[test]
fn wrong_options_are_refused_in_one_line() {
    for (args, part) in [
        (&["--foo"][..], "--foo"),
        (&["-p"], "--print"),
        (&["-t", "x"], "[possible values: h, a, r, d, D]"),
        (&["-n", "abc"], "-n needs a number above 0, not 'abc'"),
        (&["-n", "0"], "-n needs a number above 0"),
        (&["-M", "-5"], "-M"),
        (&["-M", "0"], "-M needs a number above 0"),
        (&["-s", "many"], "--snaplen"),
        (&["-A", "-x"], "cannot be used with"),
        (&["-x", "-A"], "cannot be used with"),
    ] {
        let message = refused(args);
        assert!(message.contains(part), "{args:?}: {message}");
        assert_eq!(message.lines().count(), 1, "{message}");
    }
}

#[test]
fn a_wrong_filter_has_a_caret_below_the_fault() {
    let message = refused(&["evt.type=openat", "and", "proc.nmae=cat"]);
    let lines: Vec<&str> = message.lines().collect();
    assert_eq!(lines.len(), 3, "{message}");
    assert!(lines[0].contains("proc.nmae"), "{message}");
    assert_eq!(lines[1], "  evt.type=openat and proc.nmae=cat");
    assert_eq!(lines[2].find('^'), lines[1].find("proc.nmae"), "{message}");
    assert!(lines[2].contains("proc.name"), "the nearest field is offered: {message}");
    refused(&["proc.name"]);
    refused(&["proc.name=cat", "and"]);
    refused(&["(", "proc.name=cat"]);
    refused(&["evt.type=nosuchcall"]);
}

#[test]
fn a_wrong_format_has_a_caret_below_the_fault() {
    let message = refused(&["-p", "%evt.num %12proc.nmae"]);
    let lines: Vec<&str> = message.lines().collect();
    assert_eq!(lines[1], "  %evt.num %12proc.nmae");
    assert_eq!(lines[2].find('^'), lines[1].find("proc.nmae"), "{message}");
    assert!(lines[2].contains("proc.name"), "{message}");
    refused(&["-p", "%evt.num %"]);
    refused(&["-p", "%evt.num %5"]);
    refused(&["-p", ""]);
    // Also when nothing would be shown.
    refused(&["-q", "-p", "%nothing.like.this"]);
}

#[test]
fn fields_are_listed_with_and_without_types() {
    let plain = tracer(&["-l"]);
    assert_eq!(plain.status.code(), Some(0));
    let list = text(&plain.stdout);
    for field in ["evt.num", "evt.type", "proc.name", "thread.tid", "user.name", "fd.name", "fs.path.name"] {
        assert!(list.lines().any(|l| l.split(' ').next() == Some(field)), "{field} is not listed");
    }
    assert!(!list.contains("(Type: "));
    for args in [&["-l", "-v"][..], &["-lv"]] {
        let typed = text(&tracer(args).stdout);
        assert!(typed.contains("(Type: UINT64)"), "{args:?}");
    }
}

#[test]
fn events_are_listed_with_their_parameters() {
    let output = tracer(&["-L"]);
    assert_eq!(output.status.code(), Some(0));
    let list = text(&output.stdout);
    let line = |start: &str| list.lines().any(|l| l.starts_with(start));
    assert!(line("> openat(FD dirfd, FSRELPATH name, FLAGS32 flags, UINT32 mode"), "{list}");
    assert!(line("< openat(FD fd, "));
    assert!(list.lines().all(|l| l.starts_with("> ") || l.starts_with("< ")));
}

#[test]
fn help_and_version_are_no_errors() {
    let help = tracer(&["--help"]);
    assert_eq!(help.status.code(), Some(0));
    let help = text(&help.stdout);
    for part in ["--print", "--numevents", "--snaplen", "tracer doctor", "Exit status", "Output:"] {
        assert!(help.contains(part), "{part}: {help}");
    }
    let short = text(&tracer(&["-h"]).stdout);
    assert!(short.lines().count() < help.lines().count());
    let version = tracer(&["--version"]);
    assert_eq!(text(&version.stdout), format!("tracer {}\n", env!("CARGO_PKG_VERSION")));
}

#[test]
fn the_default_format_can_be_printed() {
    let output = tracer(&["-pp"]);
    assert_eq!(output.status.code(), Some(0));
    let expected =
        "*%evt.num %evt.outputtime %evt.cpu %proc.name (%thread.tid) %evt.dir %evt.type %evt.info\n";
    assert_eq!(text(&output.stdout), expected);
}

#[test]
fn a_reader_that_leaves_ends_a_listing_quietly() {
    let script = format!("{} -L | head -1; echo \"${{PIPESTATUS[0]}}\"", env!("CARGO_BIN_EXE_tracer"));
    let output = match Command::new("bash").args(["-c", &script]).output() {
        Ok(output) => output,
        Err(e) => panic!("cannot start bash: {e}"),
    };
    assert_eq!(text(&output.stderr), "");
    assert_eq!(text(&output.stdout).lines().last(), Some("0"));
}

#[test]
fn a_full_disk_is_a_failure() {
    let full = match std::fs::File::options().write(true).open("/dev/full") {
        Ok(full) => full,
        Err(e) => panic!("no /dev/full: {e}"),
    };
    let output = match Command::new(env!("CARGO_BIN_EXE_tracer")).arg("-L").stdout(full).output() {
        Ok(output) => output,
        Err(e) => panic!("cannot start tracer: {e}"),
    };
    assert_eq!(output.status.code(), Some(1));
    assert_eq!(
        text(&output.stderr),
        "tracer: cannot write the output: No space left on device (os error 28)\n"
    );
}

fn capture(name: &str) -> String {
    format!("{}/../tests/captures/{name}", env!("CARGO_MANIFEST_DIR"))
}

const SETUID: &str = "sysflow_tests_setuid_setuid-39405e4.scap.gz";
const FILES: &str = "sysflow_tests_files_files-cca35eb.scap.gz";

#[test]
fn files_that_cannot_be_read_are_told_in_one_line() {
    for (file, part) in [
        ("/no/such.scap", "can't open file /no/such.scap: No such file or directory"),
        ("/", "can't open file /: it is a directory"),
        ("/dev/null", "/dev/null is empty"),
        ("Cargo.toml", "Cargo.toml is not a capture: it does not begin with a section header"),
    ] {
        let output = tracer(&["-r", file]);
        assert_eq!(output.status.code(), Some(1), "{file}");
        assert_eq!(text(&output.stdout), "");
        let message = text(&output.stderr);
        assert!(message.contains(part) && message.lines().count() == 1, "{message}");
    }
}

#[test]
fn what_comes_before_a_cut_is_shown_and_the_cut_is_a_failure() {
    let whole = tracer(&["-r", &capture(SETUID)]);
    assert_eq!(whole.status.code(), Some(0));
    let bytes = std::fs::read(capture(SETUID)).unwrap_or_default();
    let cut = std::env::temp_dir().join(format!("tracer-cut-{}.scap.gz", std::process::id()));
    if let Err(e) = std::fs::write(&cut, bytes.get(..bytes.len() - 400).unwrap_or_default()) {
        panic!("{}: {e}", cut.display());
    }
    let output = tracer(&["-r", &cut.display().to_string()]);
    let _ = std::fs::remove_file(&cut);
    assert_eq!(output.status.code(), Some(1));
    assert!(!output.stdout.is_empty() && whole.stdout.starts_with(&output.stdout));
    assert!(text(&output.stderr).contains("at byte"), "{}", text(&output.stderr));
}

#[test]
fn what_is_written_can_be_shown_as_well() {
    let copy = std::env::temp_dir().join(format!("tracer-tee-{}.scap", std::process::id()));
    let path = copy.display().to_string();
    let filter = "evt.dir=< and proc.name!=sudo";
    let wanted = tracer(&["-r", &capture(FILES), filter]);
    let shown = tracer(&["-r", &capture(FILES), "-w", &path, "--tee", filter]);
    let written = tracer(&["-r", &path, "-p", "*%evt.rawtime %proc.name %evt.type %evt.args"]);
    let same = tracer(&["-r", &capture(FILES), filter, "-p", "*%evt.rawtime %proc.name %evt.type %evt.args"]);
    let silent = tracer(&["-r", &capture(FILES), "-w", &path, "--overwrite", filter]);
    let _ = std::fs::remove_file(&copy);
    assert!(!wanted.stdout.is_empty() && wanted.stdout == shown.stdout, "{}", text(&shown.stderr));
    assert_eq!(text(&written.stdout), text(&same.stdout));
    assert!(silent.stdout.is_empty());
    assert_eq!(tracer(&["-r", &capture(FILES), "--tee"]).status.code(), Some(2));
}

#[test]
fn several_files_are_read_one_after_the_other_and_each_is_counted_anew() {
    let first = tracer(&["-r", &capture(SETUID), "-tr"]).stdout;
    let second = tracer(&["-r", &capture(FILES), "-tr"]).stdout;
    let both = tracer(&["-r", &capture(SETUID), "-r", &capture(FILES), "-tr"]).stdout;
    assert!(!first.is_empty() && !second.is_empty());
    assert_eq!(text(&both), text(&[first, second].concat()));
}
