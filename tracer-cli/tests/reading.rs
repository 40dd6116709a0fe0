//! What somebody meets who reads captures: pipes that close, files that are none, files that still grow.

use std::fs::{File, OpenOptions};
use std::io::{BufRead, BufReader, Read, Write};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};

const BINARY: &str = env!("CARGO_BIN_EXE_tracer");
/// Of some hundred events, and of tens of thousands.
const SHORT: &str = "falcosecurity+falco_test_trace_files_cat_write-c4cf36b.scap";
const LONG: &str = "sysflow_tests_nginx_nginx-276f035.scap.gz";

fn capture(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/captures").join(name)
}

/// The bytes of [`SHORT`] without compression, and a place in the middle of one of its last blocks.
fn plain() -> (Vec<u8>, usize) {
    let packed = std::fs::read(capture(SHORT)).expect("a capture");
    let mut bytes = Vec::new();
    flate2::read::MultiGzDecoder::new(&packed[..]).read_to_end(&mut bytes).expect("it is gzip");
    let (mut at, mut blocks) = (0, Vec::new());
    while let Some(len) = bytes.get(at + 4..at + 8) {
        blocks.push(at);
        at += u32::from_le_bytes(len.try_into().expect("four bytes")) as usize;
    }
    let cut = blocks[blocks.len() - 20] + 10;
    (bytes, cut)
}

fn run(command: &mut Command) -> Output {
    command.output().expect("tracer can be started")
}

fn read(file: &Path, options: &[&str]) -> Output {
    run(Command::new(BINARY).arg("-r").arg(file).args(options))
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// A folder that goes away with the value.
struct Scratch(PathBuf);

impl Scratch {
    fn new(name: &str) -> Scratch {
        let path = std::env::temp_dir().join(format!("tracer-reading-{}-{name}", std::process::id()));
        std::fs::create_dir_all(&path).expect("a folder");
        Scratch(path)
    }

    fn file(&self, name: &str, bytes: &[u8]) -> PathBuf {
        let path = self.0.join(name);
        std::fs::write(&path, bytes).expect("a file");
        path
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

#[test]
fn a_reader_that_leaves_ends_the_run_quietly() {
    for options in [&[][..], &["-j"], &["-p", "%evt.num %proc.name"], &["--unbuffered"], &["-S", "-v"]] {
        let mut child = Command::new(BINARY)
            .arg("-r")
            .arg(capture(LONG))
            .args(options)
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("tracer can be started");
        let mut first = [0; 20];
        child.stdout.take().expect("a pipe").read_exact(&mut first).expect("some output");
        let output = child.wait_with_output().expect("it ends");
        assert_eq!(output.status.code(), Some(0), "{options:?}: {}", text(&output.stderr));
        if !options.contains(&"-v") {
            assert_eq!(text(&output.stderr), "", "{options:?}");
        }
    }
}

#[test]
fn what_is_no_capture_is_told_in_one_clear_line() {
    let folder = Scratch::new("none");
    let secret = folder.file("secret.scap", &plain().0);
    std::fs::set_permissions(&secret, PermissionsExt::from_mode(0o0)).expect("nobody may read it");
    for (file, expected) in [
        (folder.0.join("none.scap"), "can't open file FILE: No such file or directory"),
        (folder.0.clone(), "can't open file FILE: it is a directory"),
        (folder.file("empty.scap", b""), "FILE is empty: there is no capture in it"),
        (
            folder.file("picture.png", b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR\0\0\x01\0"),
            "FILE is not a capture: it does not begin with a section header",
        ),
        (folder.file("notes.txt", b"hello\n"), "FILE is not a capture: it is too short"),
        (
            folder.file("letter.txt", b"Dear reader, this is a letter.\n"),
            "FILE is not a capture: it does not begin with a section header",
        ),
        (secret, "can't open file FILE: Permission denied"),
    ] {
        let mut command = Command::new(BINARY);
        command.arg("-r").arg(&file);
        if expected.ends_with("denied") && is_root() {
            // Root may read everything, and other users perhaps not the folder of the binary.
            let copy = folder.0.join("tracer");
            std::fs::copy(BINARY, &copy).expect("a copy of the binary");
            command = Command::new(copy);
            command.arg("-r").arg(&file).uid(65534).gid(65534);
        }
        let output = run(&mut command);
        let expected = expected.replace("FILE", &file.display().to_string());
        assert_eq!(text(&output.stderr), format!("tracer: {expected}\n"));
        assert_eq!((output.status.code(), text(&output.stdout)), (Some(1), String::new()), "{expected}");
    }
}

fn is_root() -> bool {
    nix::unistd::geteuid().is_root()
}

#[test]
fn a_pipe_is_shown_as_it_is_written() {
    let folder = Scratch::new("pipe");
    let (bytes, cut) = plain();
    let whole = text(&read(&capture(SHORT), &[]).stdout);
    let fifo = folder.0.join("fifo");
    nix::unistd::mkfifo(&fifo, nix::sys::stat::Mode::S_IRWXU).expect("a named pipe");
    let mut reader = Reader::start(&fifo, &[]);
    let mut writer = OpenOptions::new().write(true).open(&fifo).expect("the other end");
    writer.write_all(&bytes[..cut]).expect("half of it");
    // These lines come although the writer has not finished.
    let before = read(&folder.file("half.scap", &bytes[..cut]), &[]);
    let mut shown = reader.lines(text(&before.stdout).lines().count());
    assert!(!shown.is_empty());
    writer.write_all(&bytes[cut..]).expect("the rest");
    drop(writer);
    shown.push_str(&reader.rest());
    assert_eq!(reader.end(), (Some(0), String::new()));
    assert_eq!(shown, whole);
}

#[test]
fn a_file_that_still_grows_is_read_to_its_present_end() {
    let folder = Scratch::new("growing");
    let (bytes, cut) = plain();
    let file = folder.0.join("growing.scap");
    let mut writer = File::create(&file).expect("a file");
    writer.write_all(&bytes[..cut]).expect("half of it");
    let growing = read(&file, &[]);
    assert_eq!((growing.status.code(), text(&growing.stderr)), (Some(0), String::new()));
    drop(writer);
    // Nobody writes it any more: the end is missing. A program that another test starts at this moment may still have
    // the file for a while.
    let mut tries = (0..200).map(|_| {
        std::thread::sleep(std::time::Duration::from_millis(20));
        read(&file, &[])
    });
    let cut = tries.find(|output| output.status.code() != Some(0)).expect("the cut is told");
    assert_eq!(cut.status.code(), Some(1));
    assert!(text(&cut.stderr).contains("is it truncated?"), "{}", text(&cut.stderr));
    assert!(!growing.stdout.is_empty());
    assert_eq!(text(&growing.stdout), text(&cut.stdout));
}

#[test]
fn a_file_is_followed_until_the_interrupt() {
    let folder = Scratch::new("follow");
    let (bytes, cut) = plain();
    let whole = text(&read(&capture(SHORT), &[]).stdout);
    let file = folder.file("growing.scap", &bytes[..cut]);
    let before = text(&read(&file, &[]).stdout).lines().count();
    let mut reader = Reader::start(&file, &["--follow"]);
    let mut shown = reader.lines(before);
    let mut writer = OpenOptions::new().append(true).open(&file).expect("the file");
    writer.write_all(&bytes[cut..]).expect("the rest");
    shown.push_str(&reader.lines(whole.lines().count() - before));
    assert_eq!(shown, whole);
    reader.interrupt();
    assert_eq!(reader.rest(), "");
    assert_eq!(reader.end(), (Some(0), String::new()));
}

/// A tracer that reads, and its lines as they come.
struct Reader {
    child: Child,
    lines: BufReader<std::process::ChildStdout>,
}

impl Reader {
    fn start(file: &Path, options: &[&str]) -> Reader {
        let mut command = Command::new(BINARY);
        command.arg("-r").arg(file).args(options).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().expect("tracer can be started");
        let lines = BufReader::new(child.stdout.take().expect("a pipe"));
        Reader { child, lines }
    }

    /// Waits for the next lines.
    fn lines(&mut self, count: usize) -> String {
        let mut text = String::new();
        for _ in 0..count {
            assert!(self.lines.read_line(&mut text).expect("text") > 0, "it ended after: {text}");
        }
        text
    }

    fn rest(&mut self) -> String {
        let mut text = String::new();
        self.lines.read_to_string(&mut text).expect("text");
        text
    }

    fn interrupt(&self) {
        let pid = nix::unistd::Pid::from_raw(self.child.id().cast_signed());
        nix::sys::signal::kill(pid, nix::sys::signal::Signal::SIGINT).expect("it runs");
    }

    /// Exit status and errors.
    fn end(self) -> (Option<i32>, String) {
        let output = self.child.wait_with_output().expect("it ends");
        (output.status.code(), text(&output.stderr))
    }
}

#[test]
fn progress_is_shown_beside_the_output() {
    let plain = read(&capture(LONG), &[]);
    for option in ["-P", "--progress"] {
        let output = read(&capture(LONG), &[option]);
        assert_eq!(output.status.code(), Some(0));
        assert!(output.stdout == plain.stdout, "{option} changes the output");
        let shown = text(&output.stderr);
        assert!(shown.ends_with("\r100.00\n"), "{shown:?}");
        let figures: Vec<f64> =
            shown.trim_end().split('\r').skip(1).map(|n| n.parse().expect("a number")).collect();
        assert!(figures.is_sorted(), "{shown:?}");
    }
    let live = run(Command::new(BINARY).arg("-P"));
    assert_eq!(live.status.code(), Some(2));
    assert!(text(&live.stderr).contains("--read"), "{}", text(&live.stderr));
}
