//! The example of docs/chisels.md does what the text says.

use std::process::Command;

const GUIDE: &str = include_str!("../../docs/chisels.md");
const CAPTURE: &str = concat!(
    env!("CARGO_MANIFEST_DIR"),
    "/../tests/captures/falcosecurity+falco_test_trace_files_open-multiple-files-61832b1.scap"
);

#[test]
fn the_example_counts_opened_files() {
    let example = GUIDE.split("```lua\n").nth(1).and_then(|rest| rest.split("```").next());
    let folder = std::env::temp_dir().join(format!("tracer-guide-{}", std::process::id()));
    std::fs::create_dir_all(&folder).expect("a folder for the example");
    std::fs::write(folder.join("opens_by.lua"), example.expect("an example in the guide")).expect("written");
    let run = |args: &[&str]| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_tracer"));
        command.args(["-r", CAPTURE, "--chisel-dir"]).arg(&folder).args(args);
        let output = command.output().expect("tracer runs");
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8_lossy(&output.stdout).into_owned()
    };
    let counted = run(&["-c", "opens_by", "proc.name"]);
    let limited = run(&["-c", "opens_by", "proc.name 1000000"]);
    let opened =
        "evt.type in (open, openat, openat2, creat) and evt.dir=< and evt.failed=false and proc.name exists";
    let events = run(&["-p", "%evt.num", opened]);
    let listed = run(&["-cl"]);
    std::fs::remove_dir_all(&folder).expect("removed");

    let sum: usize = counted.lines().filter_map(|line| line.split('\t').next()?.parse::<usize>().ok()).sum();
    assert_eq!(sum, events.lines().count());
    assert!(sum > 0 && limited.is_empty(), "{counted}{limited}");
    assert!(listed.contains("Opened files by a field"), "{listed}");
}
