//! What a chisel may use: memory, and time for each call.
//!
//! Lua 5.1 asks for all its memory in one place, where the limit is kept, and runs a hook after so
//! many instructions, also inside `pcall` and coroutines. LuaJIT, which would be faster, does
//! neither in compiled code; that is why it is not used. What runs natively cannot run away: the
//! library functions whose time or stack is not bounded by memory are replaced in [`super::library`].

use mlua::{Lua, ffi};
use nix::time::{ClockId, clock_gettime};
use std::cell::Cell;
use std::ffi::c_int;
use std::time::Duration;

/// What one Lua state may use.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// Bytes.
    pub memory: usize,
    /// CPU time of one call: of the file when it is loaded, of a callback.
    pub time: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self { memory: 512 << 20, time: Duration::from_secs(5) }
    }
}

/// The message of a call that took too long, to be told from errors of the chisel's own.
pub const TOO_LONG: &str = "took too long";

/// Instructions between looks at the clock: some hundred microseconds.
const STRIDE: c_int = 50_000;

/// The call that runs. One thread runs at most one at a time.
#[derive(Clone, Copy)]
struct Call {
    limit: Duration,
    /// Set when it has run for a stride: most calls never look at the clock.
    deadline: Option<Duration>,
}

thread_local! {
    static CALL: Cell<Call> = const { Cell::new(Call { limit: Duration::MAX, deadline: None }) };
}

impl Limits {
    /// Makes them hold for a Lua state.
    ///
    /// # Errors
    /// A state whose memory cannot be limited.
    pub fn apply(&self, lua: &Lua) -> mlua::Result<()> {
        lua.set_memory_limit(self.memory)?;
        // SAFETY: the hook is set on the state that is lent for the call; it stays valid without it.
        unsafe {
            lua.exec_raw::<()>((), |state| {
                ffi::lua_sethook(state, Some(look_at_clock), ffi::LUA_MASKCOUNT, STRIDE);
            })
        }
    }

    /// Says that a call begins.
    #[inline]
    pub fn begin_call(&self) {
        CALL.set(Call { limit: self.time, deadline: None });
    }
}

/// CPU time of this thread: that a machine is busy with other things is not the chisel's fault.
fn cpu_time() -> Duration {
    clock_gettime(ClockId::CLOCK_THREAD_CPUTIME_ID).map(Duration::from).unwrap_or_default()
}

/// Raises an error in a call that has run for too long.
unsafe extern "C-unwind" fn look_at_clock(state: *mut ffi::lua_State, _: *mut ffi::lua_Debug) {
    let mut call = CALL.get();
    let now = cpu_time();
    let deadline = *call.deadline.get_or_insert(now.saturating_add(call.limit));
    CALL.set(call);
    if now < deadline {
        return;
    }
    // SAFETY: `state` is the running state. From here on every instruction fails, so that a `pcall`
    // around the loop does not save it. Nothing with a destructor lives in this frame.
    unsafe {
        ffi::lua_sethook(state, Some(look_at_clock), ffi::LUA_MASKCOUNT, 1);
        ffi::luaL_error(state, c"took too long".as_ptr());
    }
}
