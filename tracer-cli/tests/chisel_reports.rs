//! The chisels that sysdig does not have, on captures: what they sum up is what the events say one by one.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use serde_json::Value;

/// A web server at work; the calls of its clients are not in it.
const SERVER: &str = "sysflow_tests_nginx_nginx-276f035.scap.gz";
/// Containers that are started; begins of calls are in it.
const CONTAINER: &str = "sysflow_tests_alpine_alpine-b1cbcc7.scap.gz";
/// Programs of which some fail.
const FAILURES: &str = "head-c-failopen.scap.gz";

fn run(capture: &str, args: &[&str]) -> Output {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/captures").join(capture);
    let mut command = Command::new(env!("CARGO_BIN_EXE_tracer"));
    // The chisels of the folder that the tests happen to run in are not meant.
    command.arg("-r").arg(path).args(args).current_dir("/");
    command.output().unwrap()
}

#[track_caller]
fn lines(capture: &str, args: &[&str]) -> Vec<String> {
    let output = run(capture, args);
    assert!(output.status.success(), "{args:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8_lossy(&output.stdout).lines().map(str::to_owned).collect()
}

/// The rows of a chisel with `-j`.
#[track_caller]
fn rows(capture: &str, args: &[&str]) -> Vec<Value> {
    let lines = lines(capture, &[&["-j"], args].concat());
    lines.iter().map(|line| serde_json::from_str(line).unwrap_or_else(|e| panic!("{line}: {e}"))).collect()
}

fn number(row: &Value, name: &str) -> u64 {
    row[name].as_u64().unwrap_or_else(|| panic!("no {name} in {row}"))
}

const CALLS: &str =
    "evt.dir=< and syscall.type exists and not (evt.type in (clone,clone3,fork,vfork) and evt.rawres=0)";

/// What each call says, as calls, errors, longest and whole time.
fn sums(capture: &str) -> BTreeMap<String, [u64; 4]> {
    let mut sums: BTreeMap<String, [u64; 4]> = BTreeMap::new();
    for line in lines(capture, &["-p", "*%syscall.type %evt.failed %evt.latency", CALLS]) {
        let words: Vec<&str> = line.split(' ').collect();
        let [name, failed, latency] = words[..] else { panic!("{line}") };
        let latency: u64 = latency.parse().unwrap_or(0);
        let [calls, errors, max, time] = sums.entry(name.to_owned()).or_default();
        *calls += 1;
        *errors += u64::from(failed == "true");
        *max = latency.max(*max);
        *time += latency;
    }
    assert!(sums.len() > 10);
    sums
}

#[test]
fn calls_are_summed_up() {
    for capture in [SERVER, FAILURES] {
        let rows = rows(capture, &["-c", "syscallsummary"]);
        let got = rows.iter().map(|row| {
            let sums = ["calls", "errors", "max", "time"].map(|name| number(row, name));
            (row["syscall"].as_str().unwrap().to_owned(), sums)
        });
        assert_eq!(got.collect::<BTreeMap<_, _>>(), sums(capture), "{capture}");
        assert!(rows.is_sorted_by_key(|row| std::cmp::Reverse(number(row, "time"))));
    }
    let by_calls = rows(SERVER, &["-c", "syscallsummary", "calls"]);
    assert!(by_calls.is_sorted_by_key(|row| std::cmp::Reverse(number(row, "calls"))));
    let text = lines(SERVER, &["-c", "syscallsummary"]);
    assert!(text[0].starts_with("% TIME ") && text.last().unwrap().ends_with(" total"), "{text:?}");
}

#[test]
fn percentiles_are_those_of_the_values() {
    let mut values: BTreeMap<String, Vec<u64>> = BTreeMap::new();
    for line in lines(SERVER, &["-p", "%evt.latency %evt.type", "evt.dir=< and evt.latency>0"]) {
        let (latency, name) = line.split_once(' ').unwrap();
        values.entry(name.to_owned()).or_default().push(latency.parse().unwrap());
    }
    let rows = rows(SERVER, &["-c", "latency", "evt.type evt.latency 0"]);
    assert_eq!(rows.len(), values.len());
    for row in &rows {
        let values = values.get_mut(row["key"].as_str().unwrap()).unwrap();
        values.sort_unstable();
        assert_eq!(number(row, "count"), values.len() as u64);
        for (name, share) in [("p50", 0.5), ("p90", 0.9), ("p99", 0.99), ("max", 1.0)] {
            let place = (share * values.len() as f64).ceil() as usize - 1;
            let (got, exact) = (number(row, name), values[place]);
            assert!(got.abs_diff(exact) <= exact / 100 + 1, "{name} of {row}: {exact}");
        }
    }
    assert_eq!(rows.len().min(3), self::rows(SERVER, &["-c", "latency", "evt.type evt.latency 3"]).len());
}

/// The sum of `%evt.rawres` of the events that pass a filter, and how many there are.
fn bytes(capture: &str, filter: &str) -> (u64, usize) {
    let values = lines(capture, &["-p", "%evt.rawres", filter]);
    (values.iter().map(|value| value.parse::<u64>().unwrap()).sum(), values.len())
}

#[test]
fn intervals_lose_nothing() {
    let files = "evt.is_io=true and evt.dir=< and fd.type=file and evt.failed=false";
    let sum = |rows: &[Value], name: &str| rows.iter().map(|row| row[name].as_f64().unwrap()).sum::<f64>();
    let devices = rows(SERVER, &["-c", "iostat"]);
    let (read, reads) = bytes(SERVER, &format!("{files} and evt.is_io_read=true"));
    let (written, _) = bytes(SERVER, &format!("{files} and evt.is_io_write=true"));
    assert!((sum(&devices, "read_kib_per_s") - read as f64 / 1024.0).abs() < 0.001);
    assert!((sum(&devices, "written_kib_per_s") - written as f64 / 1024.0).abs() < 0.001);
    assert_eq!(sum(&devices, "reads_per_s"), reads as f64);
    let machine = rows(SERVER, &["-c", "vmstat"]);
    let calls = lines(SERVER, &["-p", "%evt.num", "evt.dir=< and syscall.type exists"]).len();
    assert_eq!(sum(&machine, "calls"), calls as f64);
    let (read, _) = bytes(SERVER, "evt.dir=< and evt.is_io_read=true and evt.failed=false");
    assert_eq!(sum(&machine, "read"), read as f64);
    assert!(rows(SERVER, &["-c", "vmstat", "5"]).len() < machine.len());
}

#[test]
fn messages_on_sockets_have_a_line_each() {
    let rows = rows(SERVER, &["-c", "packets"]);
    let (sum, count) = bytes(SERVER, "evt.is_io=true and evt.dir=< and evt.rawres>0 and fd.sockfamily=ip");
    assert_eq!((rows.iter().map(|row| number(row, "bytes")).sum::<u64>(), rows.len()), (sum, count));
    // The server reads what comes from the client.
    for row in &rows {
        let at = if row["direction"] == "in" { "to" } else { "from" };
        assert_eq!(row[at], "127.0.0.1:80", "{row}");
    }
    let text = lines(SERVER, &["-c", "packets"]);
    assert!(
        text[1].contains(" tcp   127.0.0.1:34648       > 127.0.0.1:80               398 nginx(6466)"),
        "{}",
        text[1]
    );
}

#[test]
fn opened_files_and_started_programs() {
    let failed = rows(FAILURES, &["-c", "opensnoop", "failed"]);
    let expected =
        lines(FAILURES, &["-p", "%evt.res", "evt.type in (open,openat,openat2,creat) and evt.failed=true"]);
    let results: Vec<&str> = failed.iter().map(|row| row["result"].as_str().unwrap()).collect();
    assert_eq!(results, expected);
    assert!(failed.iter().all(|row| row["fd"].is_null() && row["path"].is_string()));
    let all = rows(FAILURES, &["-c", "opensnoop"]);
    assert!(all.len() > failed.len() && all.iter().any(|row| row["fd"].as_u64().is_some()));
    let started = rows(FAILURES, &["-c", "execsnoop"]);
    let expected = lines(FAILURES, &["-p", "%evt.res", "evt.type in (execve,execveat) and evt.dir=<"]);
    assert_eq!(started.len(), expected.len());
}

/// The name of a picture that goes away with the value.
struct Picture(PathBuf);

impl Picture {
    fn new(name: &str) -> Self {
        let path = std::env::temp_dir().join(format!("tracer-picture-{}-{name}", std::process::id()));
        let _ = std::fs::remove_file(&path);
        Self(path)
    }

    fn name(&self) -> &str {
        self.0.to_str().unwrap()
    }
}

impl Drop for Picture {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.0);
    }
}

#[test]
fn a_heat_map_as_a_picture() {
    let calls = lines(SERVER, &["-p", "%evt.num", "evt.dir=< and evt.latency>0"]).len();
    let svg = Picture::new("heat.svg");
    let said = lines(SERVER, &["-c", "heatmap", &format!("{} 250", svg.name())]);
    assert!(said[0].contains(" intervals of 250ms in "), "{said:?}");
    let text = std::fs::read_to_string(&svg.0).unwrap();
    let counts = text.split("<title>").skip(1).map(|rest| rest.split('<').next().unwrap());
    assert_eq!(counts.map(|count| count.parse::<usize>().unwrap()).sum::<usize>(), calls);

    let png = Picture::new("heat.png");
    lines(SERVER, &["-c", "heatmap", png.name()]);
    let mut reader =
        png::Decoder::new(std::io::BufReader::new(std::fs::File::open(&png.0).unwrap())).read_info().unwrap();
    let mut pixels = vec![0; reader.output_buffer_size().unwrap()];
    let info = reader.next_frame(&mut pixels).unwrap();
    assert!(info.width == 880 && info.height > 100, "{info:?}");
    // Something is drawn below the scale.
    let row = info.line_size;
    assert!(pixels[row * 6..].iter().any(|value| *value > 100));

    // What is there is not written over, and what was not named is not made.
    let again = run(SERVER, &["-c", "heatmap", png.name()]);
    assert_eq!(again.status.code(), Some(1));
    assert!(!run(SERVER, &["-c", "heatmap", "/tmp/picture.txt"]).status.success());
}

#[test]
fn a_flame_graph_of_calls() {
    let stacks = lines(CONTAINER, &["-c", "flame"]);
    let mut time = 0;
    for stack in &stacks {
        let (path, us) = stack.rsplit_once(' ').unwrap();
        assert!(path.contains(';'), "{stack}");
        time += us.parse::<u64>().unwrap();
    }
    let latencies =
        lines(CONTAINER, &["-p", "%evt.latency", "evt.dir=< and syscall.type exists and evt.latency>0"]);
    let exact: u64 = latencies.iter().map(|latency| latency.parse::<u64>().unwrap()).sum();
    assert!(time > 0 && stacks.iter().any(|stack| stack.matches(';').count() > 2), "{stacks:?}");
    assert!(time.abs_diff(exact / 1000) <= stacks.len() as u64, "{time} {exact}");
    let svg = Picture::new("flame.svg");
    lines(CONTAINER, &["-c", "flame", svg.name()]);
    let text = std::fs::read_to_string(&svg.0).unwrap();
    assert!(text.starts_with("<svg") && text.contains("<title>all: ") && text.ends_with("</svg>\n"));
}
