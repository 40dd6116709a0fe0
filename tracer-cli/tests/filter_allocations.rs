//! Filters run for each event: once warm, they must not allocate.

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;
use tracer::event::{Event, EventBits};
use tracer::fields::ExtractOptions;
use tracer::filter::Filter;
use tracer::schema::EventType;
use tracer::state::fd::{FdInfo, FdKind};
use tracer::state::thread::Thread;
use tracer::state::{Binding, Context, State};

thread_local! {
    static ALLOCATIONS: Cell<usize> = const { Cell::new(0) };
}

struct Counting;

// SAFETY: everything is passed on to the system's allocator unchanged; counting touches only a
// thread-local integer without destructor, which allocates nothing.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        ALLOCATIONS.with(|n| n.set(n.get() + 1));
        // SAFETY: the caller upholds the contract of `alloc`, which is the same.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, memory: *mut u8, layout: Layout) {
        // SAFETY: `memory` came from `System` through `alloc` above with this layout.
        unsafe { System.dealloc(memory, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

#[test]
fn a_warm_filter_allocates_nothing() {
    let mut state = State::default();
    for (pid, parent, comm) in [(1, 0, "init"), (10, 1, "cat")] {
        let mut thread = Thread::new(pid, pid);
        thread.ptid = parent;
        thread.comm = comm.into();
        let mut file = FdInfo::new(FdKind::File);
        // No UTF-8, which makes regular expressions work on a copy.
        file.name = b"/tmp/\xff.so".to_vec().into();
        thread.fds.insert(3, file);
        state.insert(thread);
    }
    let binding = Binding { thread: state.find(10), fd: Some(3), ..Binding::default() };
    let (res, dirfd) = (3i64.to_le_bytes(), (-100i64).to_le_bytes());
    let params: [&[u8]; 3] = [&res, &dirfd, b"/tmp/x.so\0"];
    let event = Event {
        num: 1,
        ts: 1,
        tid: 10,
        pid: 10,
        cpu: 0,
        ty: EventType::SYSCALL_OPENAT_2_X,
        bits: EventBits::empty(),
        unreadable: 0,
        params: (&params).into(),
    };
    let context = Context { event: &event, state: &state, binding: &binding };
    let options = ExtractOptions::default();
    for text in [
        "evt.type=openat and evt.dir=< and proc.name=cat",
        "proc.name in (cat, dog) and fd.name contains .so and not fd.name startswith /usr",
        "fd.name icontains SO and fd.name glob *.so and fd.name iglob *.SO and fd.name pmatch (/etc, /tmp)",
        "fd.name regex '/tmp/.*'",
        "fd.name startswith anyof (/usr, /tmp)",
        "proc.aname=init and proc.aname!=zsh and fd.types in (file)",
        "fd.num=3 and evt.rawarg.fd in (1,2,3) and evt.arg.name contains x",
        "proc.cmdline startswith cat",
        "proc.name != val(proc.pname) and basename(fd.name) endswith .so",
        "concat(tolower(proc.name), '-', proc.pname) = cat-init and len(fd.name) > 3",
    ] {
        let mut filter = Filter::compile(text).unwrap_or_else(|e| panic!("{}", e.render(text)));
        for _ in 0..3 {
            assert!(filter.matches(context, &options), "{text}");
        }
        let before = ALLOCATIONS.with(Cell::get);
        for _ in 0..100 {
            filter.matches(context, &options);
        }
        assert_eq!(ALLOCATIONS.with(Cell::get) - before, 0, "{text}");
    }
}
