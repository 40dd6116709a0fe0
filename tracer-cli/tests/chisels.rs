//! Chisels of people who mean no good, or make mistakes: tracer says so in one line, other chisels go on.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

const CAPTURE: &str = concat!(
    env!("CARGO_MANIFEST_DIR"),
    "/../tests/captures/falcosecurity+falco_test_trace_files_connect_localhost-8806a67.scap"
);

const HEAD: &str = "description = 'd' short_description = 's' category = 'Misc' args = {}\n";

/// Counts events: what it prints must not depend on its neighbour.
const GOOD: &str = "local n = 0 function on_init() return true end function on_event() n = n + 1 return true end \
                    function on_capture_end() print('seen ' .. n) end";

/// A folder with chisels that goes away with the value.
struct Folder(PathBuf);

impl Folder {
    fn new(test: &str, bad: &str) -> Self {
        let path = std::env::temp_dir().join(format!("tracer-chisels-{}-{test}", std::process::id()));
        std::fs::create_dir_all(&path).unwrap();
        std::fs::write(path.join("good.lua"), format!("{HEAD}{GOOD}")).unwrap();
        std::fs::write(path.join("bad.lua"), format!("{HEAD}{bad}")).unwrap();
        Self(path)
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

fn run(folder: &Path, args: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_tracer"));
    command.args(["-r", CAPTURE, "--chisel-dir"]).arg(folder).args(args);
    command.output().unwrap()
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// The line that the good chisel prints alone.
fn undisturbed(folder: &Folder) -> String {
    let alone = run(&folder.0, &["-c", "good"]);
    assert!(alone.status.success(), "{}", text(&alone.stderr));
    text(&alone.stdout)
}

/// Runs a bad chisel beside the good one: it stops with a line that has `part` in it, the good one goes on.
#[track_caller]
fn stops_alone(test: &str, bad: &str, part: &str) {
    let folder = Folder::new(test, bad);
    let output = run(&folder.0, &["-c", "bad", "-c", "good"]);
    let (stdout, stderr) = (text(&output.stdout), text(&output.stderr));
    assert_eq!(output.status.code(), Some(1), "{stdout}{stderr}");
    let about: Vec<&str> = stderr.lines().filter(|line| line.starts_with("tracer: chisel bad: ")).collect();
    assert_eq!(about.len(), 1, "{stderr}");
    assert!(about[0].contains(part), "{stderr}");
    assert!(stdout.ends_with(&undisturbed(&folder)), "{stdout}");
}

/// Runs a bad chisel that cannot even begin: the run ends with one line that has `part` in it.
#[track_caller]
fn cannot_begin(test: &str, bad: &str, part: &str, status: i32) {
    let folder = Folder::new(test, bad);
    let output = run(&folder.0, &["-c", "bad"]);
    let stderr = text(&output.stderr);
    assert_eq!(output.status.code(), Some(status), "{stderr}");
    assert_eq!(stderr.lines().count(), 1, "{stderr}");
    assert!(stderr.starts_with("tracer: chisel bad: ") && stderr.contains(part), "{stderr}");
}

const INIT: &str = "function on_init() return true end ";

#[test]
fn an_endless_loop() {
    stops_alone(
        "loop",
        &format!("{INIT}function on_event() while true do pcall(error) end end"),
        "took too long",
    );
}

#[test]
fn a_memory_bomb() {
    let bad = format!(
        "{INIT}local t = {{}} function on_event() while true do t[#t + 1] = ('x'):rep(1e7) .. #t end end"
    );
    stops_alone("memory", &bad, "not enough memory");
}

#[test]
fn a_syntax_error() {
    cannot_begin("syntax", "function on_init( return true end", "bad.lua:2:", 1);
}

#[test]
fn an_error_before_the_first_event() {
    cannot_begin("init", "function on_init() error('no') end", "bad.lua:2: no, in on_init", 1);
    cannot_begin("false", "function on_init() return false end", "on_init says that it cannot run", 1);
    cannot_begin("file", "error('no')", "bad.lua:2: no", 1);
    stops_alone(
        "start",
        &format!("{INIT}function on_capture_start() error('no') end"),
        "no, in on_capture_start",
    );
}

#[test]
fn an_error_in_an_argument() {
    let bad =
        "args = {{ name = 'a', description = '', argtype = 'int' }} function on_set_arg() error('no') end ";
    let folder = Folder::new("argument", &format!("{bad}{INIT}"));
    let output = run(&folder.0, &["-c", "bad", "5"]);
    assert_eq!(output.status.code(), Some(1));
    assert!(text(&output.stderr).contains("no, in on_set_arg"), "{}", text(&output.stderr));
    let output = run(&folder.0, &["-c", "bad"]);
    assert_eq!(output.status.code(), Some(2));
    assert!(text(&output.stderr).contains("needs the argument a"), "{}", text(&output.stderr));
}

#[test]
fn an_error_at_an_event() {
    stops_alone("event", &format!("{INIT}function on_event() error('no') end"), "no, in on_event (event 1)");
}

#[test]
fn an_error_in_an_interval() {
    let bad =
        "function on_init() chisel.set_interval_ns(1) return true end function on_interval() error('no') end";
    stops_alone("interval", bad, "no, in on_interval");
}

#[test]
fn an_error_at_the_end() {
    let folder = Folder::new("end", &format!("{INIT}function on_capture_end() error('no') end"));
    let output = run(&folder.0, &["-c", "bad", "-c", "good"]);
    assert_eq!(output.status.code(), Some(1));
    assert!(text(&output.stderr).contains("no, in on_capture_end"), "{}", text(&output.stderr));
    assert_eq!(text(&output.stdout), undisturbed(&folder));
}

#[test]
fn wrong_types_to_every_function() {
    let bad = "
        local values = { {}, {}, {} }
        local function try()
          for _, api in ipairs({ sysdig, chisel, evt, string, table, math, os, io, bit }) do
            for name, f in pairs(api) do
              if type(f) == 'function' and not ({ end_capture = 1, exit = 1, exec = 1, run_app = 1 })[name] then
                pcall(f) pcall(f, {}) pcall(f, nil, {}) pcall(f, -1, -1) pcall(f, 'x', {}, 1) pcall(f, 1e300, 1e300)
                pcall(f, print, print) pcall(f, true, false, nil) pcall(f, '', '', '') pcall(f, 0/0)
              end
            end
          end
        end
        function on_init() try() return true end
        on_capture_start = on_init
        function on_event() try() error('done') end";
    stops_alone("types", bad, "done");
}

#[test]
fn the_outside_is_closed() {
    for (name, attempt) in [
        ("open", "io.open('/etc/passwd')"),
        ("execute", "os.execute('true')"),
        ("popen", "io.popen('true')"),
        ("remove", "os.remove('/nonexistent')"),
        ("network", "sysdig.udp_setpeername('127.0.0.1', '9')"),
        ("write", "sysdig.run_app('-r x -w /nonexistent/y')"),
    ] {
        let bad = format!("{INIT}function on_event() {attempt} end");
        stops_alone(&format!("outside-{name}"), &bad, "needs --allow-chisel-io");
    }
    cannot_begin("module", "require '../../etc/passwd'", "no module", 1);
}

#[test]
fn an_unknown_field() {
    let bad = "function on_init() chisel.request_field('proc.nmae') return true end";
    cannot_begin("field", bad, "did you mean proc.name?", 1);
}

#[test]
fn a_wrong_filter() {
    let bad = "function on_init() chisel.set_filter('proc.name=') return true end";
    cannot_begin("filter", bad, "in filter proc.name=", 1);
}

#[test]
fn what_is_remembered_is_limited() {
    let bad = "function on_init()
          local names = {}
          for i = 1, 100000 do names[i] = 'evt.num' end
          chisel.remember('evt.num', names, 'evt.num>0')
          return true
        end";
    stops_alone("remember", bad, "takes too much memory (event ");
    let bad = "function on_init() chisel.count('evt.num', { 2, 1 }) return true end";
    cannot_begin("count", bad, "the bounds of a counter ascend", 1);
}

#[test]
fn files_that_are_no_chisels() {
    let folder = Folder::new("module", "args = nil");
    let output = run(&folder.0, &["-c", "bad"]);
    assert_eq!(output.status.code(), Some(2), "{}", text(&output.stderr));
    let output = run(&folder.0, &["-c", "nosuch"]);
    assert_eq!(output.status.code(), Some(2), "{}", text(&output.stderr));
}
