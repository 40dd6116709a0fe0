//! Ends calls of chisels that take too long.
//!
//! LuaJIT can run a hook after every so many instructions, and then all of them are slow. So there is none until it is
//! needed: a thread looks now and then at the CPU time of the threads that run Lua. Where one call has taken too much
//! of it, a signal interrupts that thread, and its handler sets a hook that raises an error at the next instruction and
//! at every one after it, so that a `pcall` around the loop does not save it. LuaJIT's own interpreter of the command
//! line stops scripts in this way. Code that LuaJIT has compiled does not look for hooks; it compiles none here, as its
//! compiler is part of a library that chisels do not get.

use mlua::ffi;
use nix::sys::signal::{SaFlags, SigAction, SigHandler, SigSet, Signal, sigaction};
use nix::time::{ClockId, clock_gettime};
use nix::unistd::gettid;
use std::cell::{Cell, RefCell};
use std::ffi::c_int;
use std::io;
use std::ptr;
use std::sync::atomic::{AtomicPtr, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::thread;
use std::time::Duration;

/// Between two looks; a call can last so much longer than it may.
const LOOK: Duration = Duration::from_millis(20);

/// Does nothing in programs that do not handle it: one too many is harmless.
const INTERRUPT: Signal = Signal::SIGURG;

/// The message of a call that took too long, to be told from errors of the chisel's own.
pub const TOO_LONG: &str = "took too long";

/// A thread that runs Lua, and the call that it is in.
struct Post {
    tid: libc::pid_t,
    clock: ClockId,
    /// Calls so far.
    calls: AtomicU64,
    /// The number of the call that runs, 0 when none does.
    running: AtomicU64,
    /// The number of the call that has to end.
    condemned: AtomicU64,
    /// ns of CPU time that it may take.
    limit: AtomicU64,
    state: AtomicPtr<ffi::lua_State>,
}

/// So many looks at least have to find a call running before it has taken too long: where a whole machine stood still,
/// its clocks may say that a thread ran all the time.
const LOOKS: u32 = 4;

/// What the watchdog remembers of a post: the call it saw there, the CPU time of the thread then, and how much of it the
/// call has taken.
struct Watched {
    post: Arc<Post>,
    call: u64,
    clock: Duration,
    taken: Duration,
}

static WATCHED: Mutex<Vec<Watched>> = Mutex::new(Vec::new());
static STARTED: OnceLock<Result<(), io::ErrorKind>> = OnceLock::new();

/// Takes the thread's post away when the thread ends.
struct Enlisted(Arc<Post>);

thread_local! {
    /// The post of this thread, null before it has one. Without a destructor: the handler looks at it.
    static POST: Cell<*const Post> = const { Cell::new(ptr::null()) };
    static ENLISTED: RefCell<Option<Enlisted>> = const { RefCell::new(None) };
}

impl Drop for Enlisted {
    fn drop(&mut self) {
        POST.set(ptr::null());
        let mut watched = WATCHED.lock().unwrap_or_else(PoisonError::into_inner);
        watched.retain(|watched| !Arc::ptr_eq(&watched.post, &self.0));
    }
}

/// Has calls of this thread watched from now on.
///
/// # Errors
/// A watchdog that cannot be started.
pub fn enlist() -> io::Result<()> {
    if !POST.get().is_null() {
        return Ok(());
    }
    STARTED.get_or_init(|| start().map_err(|e| e.kind())).map_err(io::Error::from)?;
    let mut clock = 0;
    // SAFETY: the clock of the calling thread is written to a valid place.
    let failed = unsafe { libc::pthread_getcpuclockid(libc::pthread_self(), &raw mut clock) };
    if failed != 0 {
        return Err(io::Error::from_raw_os_error(failed));
    }
    let post = Arc::new(Post {
        tid: gettid().as_raw(),
        clock: ClockId::from_raw(clock),
        calls: AtomicU64::new(0),
        running: AtomicU64::new(0),
        condemned: AtomicU64::new(0),
        limit: AtomicU64::new(0),
        state: AtomicPtr::new(ptr::null_mut()),
    });
    let watched = Watched { post: Arc::clone(&post), call: 0, clock: Duration::ZERO, taken: Duration::ZERO };
    WATCHED.lock().unwrap_or_else(PoisonError::into_inner).push(watched);
    POST.set(Arc::as_ptr(&post));
    ENLISTED.set(Some(Enlisted(post)));
    Ok(())
}

/// A call that is watched until this is dropped.
pub struct Call {
    number: u64,
}

impl Call {
    /// Watches the call that this thread begins in `state`. A thread runs one at a time.
    ///
    /// # Safety
    /// `state` is the main state of a Lua state, which outlives the call.
    #[inline]
    pub unsafe fn begin(state: *mut ffi::lua_State, limit: Duration) -> Self {
        let number = here().map_or(0, |post| {
            let number = post.calls.load(Ordering::Relaxed) + 1;
            post.calls.store(number, Ordering::Relaxed);
            post.limit.store(u64::try_from(limit.as_nanos()).unwrap_or(u64::MAX), Ordering::Relaxed);
            post.state.store(state, Ordering::Relaxed);
            post.running.store(number, Ordering::Release);
            number
        });
        Self { number }
    }
}

impl Drop for Call {
    #[inline]
    fn drop(&mut self) {
        if let Some(post) = here() {
            post.running.store(0, Ordering::Release);
            if post.condemned.load(Ordering::Relaxed) == self.number {
                // SAFETY: the state outlives the call, as promised when it began.
                unsafe { ffi::lua_sethook(post.state.load(Ordering::Relaxed), None, 0, 0) };
            }
        }
    }
}

/// Whether the call that this thread is in has to end: for native code that can take long.
pub fn is_condemned() -> bool {
    here().is_some_and(Post::is_condemned)
}

#[inline]
fn here<'a>() -> Option<&'a Post> {
    // SAFETY: the thread owns its post until `POST` is cleared, on the same thread; no borrow outlives a function here.
    unsafe { POST.get().as_ref() }
}

fn start() -> io::Result<()> {
    let action = SigAction::new(SigHandler::Handler(interrupted), SaFlags::SA_RESTART, SigSet::empty());
    // SAFETY: the handler does what it says it may.
    unsafe { sigaction(INTERRUPT, &action) }?;
    thread::Builder::new().name("chisel-watchdog".to_owned()).spawn(|| {
        loop {
            thread::sleep(LOOK);
            let mut watched = WATCHED.lock().unwrap_or_else(PoisonError::into_inner);
            watched.iter_mut().for_each(Watched::look);
        }
    })?;
    Ok(())
}

impl Watched {
    fn look(&mut self) {
        let post = &self.post;
        let call = post.running.load(Ordering::Acquire);
        if call == 0 {
            return;
        }
        let Ok(now) = clock_gettime(post.clock).map(Duration::from) else { return };
        let since = now.saturating_sub(std::mem::replace(&mut self.clock, now));
        if call != self.call {
            (self.call, self.taken) = (call, Duration::ZERO);
            return;
        }
        let limit = Duration::from_nanos(post.limit.load(Ordering::Relaxed));
        self.taken += since.min(limit / LOOKS);
        if self.taken >= limit {
            post.condemned.store(call, Ordering::Relaxed);
            // Again at each look until the call has ended.
            // SAFETY: no memory is involved; a thread that has ended is not found.
            unsafe { libc::syscall(libc::SYS_tgkill, libc::getpid(), post.tid, INTERRUPT as c_int) };
        }
    }
}

impl Post {
    fn is_condemned(&self) -> bool {
        let running = self.running.load(Ordering::Acquire);
        running != 0 && running == self.condemned.load(Ordering::Relaxed)
    }
}

/// The handler: sets the hook when the call that runs here has to end. It loads and stores, and calls only
/// `lua_sethook`, which LuaJIT allows at any moment.
extern "C" fn interrupted(_: c_int) {
    if let Some(post) = here()
        && post.is_condemned()
    {
        // SAFETY: a call runs in this state on this thread, and it lives at least as long.
        unsafe {
            ffi::lua_sethook(post.state.load(Ordering::Relaxed), Some(end_call), ffi::LUA_MASKCOUNT, 1);
        }
    }
}

/// The hook.
unsafe extern "C-unwind" fn end_call(state: *mut ffi::lua_State, _: *mut ffi::lua_Debug) {
    // SAFETY: `state` is the running state. Nothing with a destructor lives in this frame.
    unsafe { ffi::luaL_error(state, c"took too long".as_ptr()) };
}
