//! Several captures as one stream.

use super::*;
use crate::event::EventBits;
use crate::scap::{self, ReadOptions};
use crate::schema::EventType;
use crate::state::inspector::Inspector;
use std::path::PathBuf;

/// A folder with captures, which goes with the test.
struct Files(PathBuf);

impl Files {
    fn new(name: &str) -> Self {
        let folder = std::env::temp_dir().join(format!("tracer-merged-{name}-{}", std::process::id()));
        std::fs::create_dir_all(&folder).unwrap();
        Self(folder)
    }

    /// Writes a capture in which thread `tid` is called `name` and closes something at these times.
    fn capture(&self, name: &str, tid: u64, times: &[u64]) -> PathBuf {
        let note = event(0, EventType::CONTAINER_JSON_E.0, &[b"{}\0"]);
        let mut file = [section(), machine(name), processes(tid, name), event_block(&note)].concat();
        for ts in times {
            file.extend(event_block(&of_thread(tid, &event(*ts, EventType::SYSCALL_CLOSE_X.0, &[&[0; 8]]))));
        }
        let path = self.0.join(name);
        std::fs::write(&path, file).unwrap();
        path
    }
}

impl Drop for Files {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

fn machine(hostname: &str) -> Vec<u8> {
    let mut body = [1u32.to_le_bytes().to_vec(), vec![0; 16], hostname.as_bytes().to_vec()].concat();
    body.resize(4 + 16 + 128 + 32, 0);
    block(0x201, &body)
}

/// A process list of the first version with one entry.
fn processes(tid: u64, name: &str) -> Vec<u8> {
    let mut entry: Vec<u8> = [tid, tid, 1].map(u64::to_le_bytes).concat();
    for part in [name, "exe", "", "/"] {
        entry.extend(text(part));
    }
    entry.extend(1024u64.to_le_bytes());
    entry.extend([0u32, 0, 0].map(u32::to_le_bytes).concat());
    block(0x202, &entry)
}

/// The event with another thread.
fn of_thread(tid: u64, event: &[u8]) -> Vec<u8> {
    let mut event = event.to_vec();
    event[8..16].copy_from_slice(&tid.to_le_bytes());
    event
}

/// What the files are read as: of each event its number, its time since the first, the name of its machine and thread;
/// of recordings where they begin.
fn stream(files: &[PathBuf]) -> Vec<String> {
    let mut source = scap::open(files, &ReadOptions::default()).unwrap();
    let mut inspector = Inspector::default();
    inspector.load(source.as_mut()).unwrap();
    let (mut out, mut number) = (Vec::new(), 0);
    loop {
        match source.next().unwrap() {
            Next::Event(event) if event.bits.contains(EventBits::EARLY) => {
                inspector.apply(&event, &mut |_| None);
            }
            Next::Event(event) => {
                number += 1;
                let binding = inspector.apply(&event, &mut |_| None);
                if !event.bits.contains(EventBits::STATE_ONLY) {
                    let name =
                        binding.thread.and_then(|key| inspector.state.thread(key)).unwrap().comm.clone();
                    let host = &inspector.state.machine.hostname;
                    out.push(format!("{number} +{} {host} {name}", event.ts - binding.first_ts));
                }
            }
            Next::Recording => {
                inspector.begin_recording();
                inspector.load(source.as_mut()).unwrap();
                number = 0;
                out.push("recording".to_owned());
            }
            Next::Resume => number = source.resume(&mut inspector).unwrap(),
            Next::Joined => {
                number = source.resume(&mut inspector).unwrap();
                out.push("joined".to_owned());
            }
            Next::End => return out,
            Next::Idle | Next::Section | Next::Amendment(_) => {}
        }
    }
}

#[test]
fn events_of_captures_at_the_same_time_come_in_order_and_each_has_its_own_state() {
    let files = Files::new("overlap");
    // The same thread, on two machines.
    let a = files.capture("a", 7, &[10, 20, 20, 50]);
    let b = files.capture("b", 7, &[15, 20, 60]);
    let wanted =
        ["2 +0 a a", "joined", "3 +5 b b", "4 +10 b b", "5 +10 a a", "6 +10 a a", "7 +40 a a", "8 +50 b b"];
    assert_eq!(stream(&[a.clone(), b.clone()]), wanted);
    assert_eq!(stream(&[b, a]), wanted);
}

#[test]
fn a_capture_that_begins_after_all_others_is_a_recording_of_its_own() {
    let files = Files::new("rows");
    let (a, b) = (files.capture("a", 7, &[10, 20]), files.capture("b", 7, &[30, 40]));
    let empty = files.capture("c", 7, &[]);
    let wanted = ["2 +0 a a", "3 +10 a a", "recording", "2 +0 b b", "3 +10 b b", "recording"];
    assert_eq!(stream(&[b, empty, a]), wanted);
}

#[test]
fn a_capture_within_another_one_ends_before_it() {
    let files = Files::new("within");
    let (a, b) = (files.capture("a", 7, &[10, 40]), files.capture("b", 8, &[20, 30]));
    let wanted = ["2 +0 a a", "joined", "3 +10 b b", "4 +20 b b", "5 +30 a a"];
    assert_eq!(stream(&[a, b]), wanted);
}

#[test]
fn a_file_that_is_no_capture_is_an_error_before_anything_is_read() {
    let files = Files::new("wrong");
    let (a, wrong) = (files.capture("a", 7, &[10]), files.0.join("wrong"));
    std::fs::write(&wrong, "text").unwrap();
    assert!(scap::open(&[a, wrong], &ReadOptions::default()).is_err());
}
