//! What a chisel may use: memory, and time for each call.
//!
//! LuaJIT asks for all its memory in one place, where the limit is kept; for time see [`super::watchdog`]. What runs
//! natively cannot run away: the library functions whose time is not bounded by memory are replaced in [`super::strings`]
//! and [`super::library`].

use super::watchdog;
use mlua::Lua;
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

impl Limits {
    /// Makes them hold for a Lua state.
    ///
    /// # Errors
    /// A state whose memory cannot be limited, or no watchdog for its calls.
    pub fn apply(&self, lua: &Lua) -> mlua::Result<()> {
        lua.set_memory_limit(self.memory)?;
        watchdog::enlist().map_err(mlua::Error::external)
    }
}
