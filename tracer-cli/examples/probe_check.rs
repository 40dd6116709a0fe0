use tracer::live::probe::*;
use tracer_common::plan::*;
use tracer_common::record::*;
fn main() {
    let t = std::time::Instant::now();
    let mut native = vec![CallPlan::default(); 512];
    let all = std::env::args().nth(1).unwrap_or_default();
    for p in native.iter_mut() {
        p.flags = if all == "both" {
            3
        } else if all == "none" {
            0
        } else {
            2
        };
        p.args = 3;
    }
    let mut pc = |nr: usize, program: u8, pieces: &[PiecePlan]| {
        if all == "none" {
            return;
        }
        let p = &mut native[nr];
        p.program = program;
        p.args = 6;
        p.pieces = pieces.len() as u8;
        p.piece[..pieces.len()].copy_from_slice(pieces);
    };
    let s = |arg| PiecePlan { kind: piece::STR, arg, when: 7, limit: 4096, ..Default::default() };
    pc(257, 0, &[s(1), PiecePlan { kind: piece::FD_FILE, arg: FD_RESULT, when: 2, ..Default::default() }]);
    pc(0, 0, &[PiecePlan { kind: piece::BUF, arg: 1, len: len::RESULT, when: 2, ..Default::default() }]);
    pc(
        1,
        0,
        &[PiecePlan {
            kind: piece::BUF,
            arg: 1,
            len: len::RESULT_OR_ARG,
            len_arg: 2,
            when: 6,
            ..Default::default()
        }],
    );
    pc(
        42,
        0,
        &[
            PiecePlan {
                kind: piece::BUF,
                arg: 1,
                len: len::ARG,
                len_arg: 2,
                limit: 128,
                when: 7,
                ..Default::default()
            },
            PiecePlan { kind: piece::FD_SOCKET, arg: 0, when: 6, ..Default::default() },
        ],
    );
    pc(
        59,
        1,
        &[
            PiecePlan { kind: piece::TASK, when: 6, ..Default::default() },
            PiecePlan { kind: piece::ARG_AREA, when: 6, limit: 4096, ..Default::default() },
            PiecePlan { kind: piece::ENV_AREA, when: 6, limit: 4096, ..Default::default() },
            PiecePlan { kind: piece::EXE_PATH, when: 6, ..Default::default() },
            PiecePlan { kind: piece::CGROUP_PATH, when: 6, ..Default::default() },
            PiecePlan { kind: piece::STR_ARRAY, arg: 1, when: 4, ..Default::default() },
        ],
    );
    pc(9, 0, &[PiecePlan { kind: piece::MEMORY, when: 6, ..Default::default() }]);
    pc(
        20,
        2,
        &[PiecePlan { kind: piece::IOVEC_DATA, arg: 1, len: len::RESULT, when: 6, ..Default::default() }],
    );
    pc(
        46,
        2,
        &[
            PiecePlan { kind: piece::MSGHDR, arg: 1, when: 6, ..Default::default() },
            PiecePlan { kind: piece::MSG_NAME, arg: 1, when: 6, ..Default::default() },
            PiecePlan { kind: piece::MSG_DATA, arg: 1, len: len::RESULT, when: 6, ..Default::default() },
        ],
    );
    let o = ProbeOptions {
        ring_bytes: 8 << 20,
        snaplen: 80,
        enter: all == "both",
        switches: true,
        page_faults: true,
        refuse: std::env::var("REFUSE").unwrap_or_default().split(',').map(String::from).collect(),
    };
    let compat = native.clone();
    let mut p = match Probe::load(&o, [&native, &compat]) {
        Ok(p) => p,
        Err(e) => {
            println!("{e}");
            return;
        }
    };
    println!("loaded in {:?}", t.elapsed());
    for r in &p.reports {
        println!("{:?}", r);
    }
    p.offsets.each(|n, o| {
        if o == u32::MAX {
            println!("ABSENT {n}")
        }
    });
    let secs: f64 = std::env::var("SECS").ok().and_then(|s| s.parse().ok()).unwrap_or(1.0);
    let quiet = std::env::var("QUIET").is_ok();
    let end = std::time::Instant::now() + std::time::Duration::from_secs_f64(secs);
    let (mut n, mut bytes) = (0u64, 0u64);
    while std::time::Instant::now() < end {
        for r in &mut p.rings {
            let cpu = r.cpu;
            loop {
                {
                    let Some(b) = r.peek() else { break };
                    n += 1;
                    bytes += b.len() as u64;
                    if !quiet {
                        let h: RecordHeader = unsafe { std::ptr::read_unaligned(b.as_ptr().cast()) };
                        println!("cpu{cpu} {:?}", h);
                        let mut at = HEADER_LEN + h.args as usize * 8;
                        for _ in 0..h.pieces {
                            let l = u16::from_le_bytes([b[at], b[at + 1]]) as usize;
                            println!(
                                "   slot {} status {} len {} {:?}",
                                b[at + 2],
                                b[at + 3],
                                l,
                                String::from_utf8_lossy(&b[at + 4..at + 4 + l])
                            );
                            at += 4 + l;
                        }
                        if at != b.len() {
                            println!("   LEFT {}", b.len() - at)
                        }
                    }
                }
                r.advance();
            }
            r.release();
        }
        std::thread::sleep(std::time::Duration::from_millis(2));
    }
    println!("{n} records {bytes} bytes");
    for c in p.counters() {
        println!("{c:?}");
    }
}
