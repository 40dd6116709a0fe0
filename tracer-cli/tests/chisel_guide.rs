//! What docs/chisels.md says is so: its example, and what it says of functions that look at events without Lua.

use std::process::Command;

const GUIDE: &str = include_str!("../../docs/chisels.md");
const CAPTURE: &str = concat!(
    env!("CARGO_MANIFEST_DIR"),
    "/../tests/captures/falcosecurity+falco_test_trace_files_open-multiple-files-61832b1.scap"
);

/// Runs tracer with a folder that has this chisel and gives what it printed.
fn with_chisel(name: &str, source: &str, runs: &[&[&str]]) -> Vec<String> {
    let folder = std::env::temp_dir().join(format!("tracer-guide-{}-{name}", std::process::id()));
    std::fs::create_dir_all(&folder).expect("a folder for the chisel");
    std::fs::write(folder.join(format!("{name}.lua")), source).expect("written");
    let output = |args: &&[&str]| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_tracer"));
        command.args(["-r", CAPTURE, "--chisel-dir"]).arg(&folder).args(*args);
        command.output().expect("tracer runs")
    };
    let outputs: Vec<_> = runs.iter().map(output).collect();
    std::fs::remove_dir_all(&folder).expect("removed");
    let said = |output: std::process::Output| {
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8_lossy(&output.stdout).into_owned()
    };
    outputs.into_iter().map(said).collect()
}

#[test]
fn the_example_counts_opened_files() {
    let example = GUIDE.split("```lua\n").nth(1).and_then(|rest| rest.split("```").next());
    let opened =
        "evt.type in (open, openat, openat2, creat) and evt.dir=< and evt.failed=false and proc.name exists";
    let runs: [&[&str]; 4] = [
        &["-c", "opens_by", "proc.name"],
        &["-c", "opens_by", "proc.name 1000000"],
        &["-p", "%evt.num", opened],
        &["-cl"],
    ];
    let outputs = with_chisel("opens_by", example.expect("an example in the guide"), &runs);
    let [counted, limited, events, listed] = outputs.as_slice() else { panic!("{outputs:?}") };
    let sum: usize = counted.lines().filter_map(|line| line.split('\t').next()?.parse::<usize>().ok()).sum();
    assert_eq!(sum, events.lines().count());
    assert!(sum > 0 && limited.is_empty(), "{counted}{limited}");
    assert!(listed.contains("Opened files by a field"), "{listed}");
}

#[test]
fn events_are_counted_as_lua_would() {
    let source = "description = 'd' short_description = 's' category = 'Misc' args = {}
        local bounds = { 1, 1000, 1000, 20000, 1e9 }
        local latency, time, by_latency, by_time
        local latencies, times = {}, {}
        function on_init()
          chisel.set_filter('evt.dir=<')
          latency, time = chisel.request_field('evt.latency'), chisel.request_field('evt.rawtime')
          by_latency = chisel.count('evt.latency', bounds)
          by_time = chisel.count('evt.rawtime', { 0, 250, 500 }, 1000)
          return true
        end
        local function count(counts, bounds, value)
          local at = 0
          for place, bound in ipairs(bounds) do at = value >= bound and place or at end
          counts[at] = (counts[at] or 0) + 1
        end
        function on_event()
          count(latencies, bounds, evt.field(latency))
          count(times, { 0, 250, 500 }, evt.field(time) % 1000)
        end
        function on_capture_end()
          local got_latencies, got_times = by_latency:take(), by_time:take()
          local seen = 0
          for place = 1, #bounds do
            assert(got_latencies[place] == latencies[place], 'latency ' .. place)
            assert(got_times[place] == times[place], 'time ' .. place)
            seen = seen + (got_latencies[place] and 1 or 0) + (got_times[place] and 1 or 0)
          end
          assert(got_latencies[0] == nil and next(by_time:take()) == nil)
          print(seen)
        end";
    let outputs = with_chisel("counts", source, &[&["-c", "counts"]]);
    let places: usize = outputs[0].trim().parse().expect("a number of places");
    assert!(places >= 5, "{places} places have events");
}

#[test]
fn the_last_event_of_a_key_is_remembered_as_lua_would() {
    let source = "description = 'd' short_description = 's' category = 'Misc' args = {}
        local names = { 'evt.num', 'evt.type', 'evt.args', 'evt.is_io', 'evt.rawarg.res' }
        local fields, last, thread, is_enter, begun = {}, {}
        local compared = 0
        function on_init()
          for at, name in ipairs(names) do fields[at] = chisel.request_field(name) end
          thread, is_enter = chisel.request_field('thread.tid'), chisel.request_field('evt.dir')
          begun = chisel.remember('thread.tid', names, 'evt.dir=>')
          return true
        end
        function on_event()
          local tid = evt.field(thread)
          if evt.field(is_enter) == '>' then
            last[tid] = {}
            for at, field in ipairs(fields) do last[tid][at] = evt.field(field) end
          elseif last[tid] then
            local got = { begun:last(tid) }
            for at = 1, #names do assert(got[at] == last[tid][at], names[at]) end
            assert(begun:last(-5) == nil and begun:last('x') == nil and begun:last(nil) == nil)
            compared = compared + 1
          end
        end
        function on_capture_end() print(compared) end";
    let outputs = with_chisel("memory", source, &[&["-c", "memory"]]);
    let compared: usize = outputs[0].trim().parse().expect("a number of events");
    assert!(compared > 20, "{compared}");
}
