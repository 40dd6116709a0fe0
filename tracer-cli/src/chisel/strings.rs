//! `string.find`, `match`, `gmatch` and `gsub` as chisels get them: by a matcher that the watchdog can stop; and `format`,
//! which rounds as sysdig's does.
//!
//! C functions of Lua's own protocol. An error that they raise skips the destructors of their frames, so there are none:
//! texts are those on Lua's stack, and what grows is Lua's memory and counts for its limit.

use super::pattern::{Capture, Fault, Matcher, is_plain};
use super::rounding::half_away;
use super::watchdog;
use mlua::{Lua, Table, ffi};
use std::ffi::{CStr, c_int};
use std::ptr;
use std::slice;
use std::sync::OnceLock;

/// Puts the functions in the place of those of the library.
///
/// # Errors
/// A lack of memory.
pub fn install(lua: &Lua, string: &Table) -> mlua::Result<()> {
    if FORMAT.get().is_none() {
        let mut native = None;
        // SAFETY: the closure only looks at the one value on the stack.
        unsafe {
            let function: mlua::Function = string.raw_get("format")?;
            lua.exec_raw::<()>(function, |state| native = ffi::lua_tocfunction(state, -1))?;
        }
        let native = native.ok_or_else(|| mlua::Error::runtime("string.format is no native function"))?;
        // Another thread found the same.
        let _ = FORMAT.set(native);
    }
    let functions: [(&str, ffi::lua_CFunction); 6] = [
        ("find", find),
        ("match", matches),
        ("gmatch", gmatch),
        ("gfind", gmatch),
        ("gsub", gsub),
        ("format", format),
    ];
    for (name, function) in functions {
        // SAFETY: these functions follow the protocol of Lua's C functions.
        string.raw_set(name, unsafe { lua.create_c_function(function)? })?;
    }
    Ok(())
}

/// The text at `i`; raises an error when there is none.
///
/// # Safety
/// `state` is a running state, and the text stays on its stack as long as it is used.
unsafe fn text<'a>(state: *mut ffi::lua_State, i: c_int) -> &'a [u8] {
    // SAFETY: as the caller promises.
    unsafe {
        let mut length = 0;
        let start = ffi::luaL_checklstring(state, i, &raw mut length);
        slice::from_raw_parts(start.cast(), length)
    }
}

/// Hands on an answer of the matcher, or raises the error that it is.
///
/// # Safety
/// `state` is a running state; the caller has no destructors pending.
unsafe fn answer<T>(state: *mut ffi::lua_State, answer: Result<T, Fault>) -> T {
    let message: &CStr = match answer {
        Ok(answer) => return answer,
        Err(Fault::Malformed(what)) => what,
        Err(Fault::TooComplex) => c"pattern too complex",
        Err(Fault::Ended) => c"took too long",
    };
    // SAFETY: as the caller promises.
    unsafe { ffi::luaL_error(state, c"%s".as_ptr(), message.as_ptr()) };
    unreachable!("an error of Lua does not return to where it is raised")
}

/// Pushes a capture.
///
/// # Safety
/// As for [`answer`], and `subject` is what the capture is of.
unsafe fn push_capture(state: *mut ffi::lua_State, subject: &[u8], capture: Capture) {
    // SAFETY: as the caller promises.
    unsafe {
        match capture {
            Capture::Place(at) => ffi::lua_pushinteger(state, (at + 1) as ffi::lua_Integer),
            Capture::Text(from, length) => {
                let text = subject.get(from..from + length).unwrap_or_default();
                ffi::lua_pushlstring_(state, text.as_ptr().cast(), text.len());
            }
            Capture::Open(_) => answer(state, Err(Fault::Malformed(c"unfinished capture"))),
        }
    }
}

/// Pushes the captures of a match, the whole of it when there are none and `or_whole`; returns how many.
///
/// # Safety
/// As for [`push_capture`].
unsafe fn push_captures(
    state: *mut ffi::lua_State,
    subject: &[u8],
    matcher: &Matcher<'_>,
    (start, end): (usize, usize),
    or_whole: bool,
) -> c_int {
    let whole = [Capture::Text(start, end - start)];
    let captures = match matcher.captures() {
        [] if or_whole => &whole[..],
        captures => captures,
    };
    let count = captures.len() as c_int;
    // SAFETY: as the caller promises.
    unsafe {
        ffi::luaL_checkstack(state, count, c"too many captures".as_ptr());
        captures.iter().for_each(|capture| push_capture(state, subject, *capture));
    }
    count
}

unsafe extern "C-unwind" fn find(state: *mut ffi::lua_State) -> c_int {
    // SAFETY: called by Lua with a running state.
    unsafe { search(state, true) }
}

unsafe extern "C-unwind" fn matches(state: *mut ffi::lua_State) -> c_int {
    // SAFETY: called by Lua with a running state.
    unsafe { search(state, false) }
}

/// `find(subject, pattern, init, plain)` and `match(subject, pattern, init)`.
///
/// # Safety
/// Called by Lua with a running state.
unsafe fn search(state: *mut ffi::lua_State, is_find: bool) -> c_int {
    // SAFETY: as the caller promises; both texts are arguments and stay on the stack.
    unsafe {
        let (subject, pattern) = (text(state, 1), text(state, 2));
        let start = first_place(ffi::luaL_optinteger(state, 3, 1), subject.len());
        if is_find && (ffi::lua_toboolean(state, 4) != 0 || is_plain(pattern)) {
            let rest = subject.get(start..).unwrap_or_default();
            return match memchr::memmem::find(rest, pattern) {
                Some(at) => {
                    ffi::lua_pushinteger(state, (start + at + 1) as ffi::lua_Integer);
                    ffi::lua_pushinteger(state, (start + at + pattern.len()) as ffi::lua_Integer);
                    2
                }
                None => {
                    ffi::lua_pushnil(state);
                    1
                }
            };
        }
        let (is_anchored, pattern) = anchor(pattern);
        let mut matcher = Matcher::new(subject, pattern, watchdog::is_condemned);
        let last = if is_anchored { start } else { subject.len() };
        for at in start..=last {
            if let Some(end) = answer(state, matcher.match_at(at)) {
                if is_find {
                    ffi::lua_pushinteger(state, (at + 1) as ffi::lua_Integer);
                    ffi::lua_pushinteger(state, end as ffi::lua_Integer);
                }
                return push_captures(state, subject, &matcher, (at, end), !is_find)
                    + if is_find { 2 } else { 0 };
            }
        }
        ffi::lua_pushnil(state);
        1
    }
}

/// Where a search begins, from 0: negative numbers count from the end.
fn first_place(init: ffi::lua_Integer, length: usize) -> usize {
    match usize::try_from(init) {
        Ok(init) => init.saturating_sub(1).min(length),
        Err(_) => length.saturating_sub(usize::try_from(init.unsigned_abs()).unwrap_or(usize::MAX)),
    }
}

/// Whether a pattern matches only where it begins, and the rest of it.
fn anchor(pattern: &[u8]) -> (bool, &[u8]) {
    match pattern {
        [b'^', rest @ ..] => (true, rest),
        pattern => (false, pattern),
    }
}

/// `gmatch(subject, pattern)`: a function that gives the next match each time.
unsafe extern "C-unwind" fn gmatch(state: *mut ffi::lua_State) -> c_int {
    // SAFETY: called by Lua with a running state.
    unsafe {
        text(state, 1);
        text(state, 2);
        ffi::lua_settop(state, 2);
        ffi::lua_pushinteger(state, 0);
        ffi::lua_pushcclosure(state, next_match, 3);
    }
    1
}

unsafe extern "C-unwind" fn next_match(state: *mut ffi::lua_State) -> c_int {
    // SAFETY: called by Lua with a running state; the texts are upvalues.
    unsafe {
        let subject = text(state, ffi::lua_upvalueindex(1));
        let pattern = text(state, ffi::lua_upvalueindex(2));
        let start = usize::try_from(ffi::lua_tointeger(state, ffi::lua_upvalueindex(3))).unwrap_or(0);
        let mut matcher = Matcher::new(subject, pattern, watchdog::is_condemned);
        for at in start..=subject.len() {
            if let Some(end) = answer(state, matcher.match_at(at)) {
                let next = if end == at { end + 1 } else { end };
                ffi::lua_pushinteger(state, next as ffi::lua_Integer);
                ffi::lua_replace(state, ffi::lua_upvalueindex(3));
                return push_captures(state, subject, &matcher, (at, end), true);
            }
        }
    }
    0
}

/// `gsub(subject, pattern, replacement, most)`.
unsafe extern "C-unwind" fn gsub(state: *mut ffi::lua_State) -> c_int {
    // SAFETY: called by Lua with a running state; the texts are arguments and stay on the stack.
    unsafe {
        let (subject, pattern) = (text(state, 1), text(state, 2));
        let kind = ffi::lua_type(state, 3);
        if !matches!(kind, ffi::LUA_TNUMBER | ffi::LUA_TSTRING | ffi::LUA_TTABLE | ffi::LUA_TFUNCTION) {
            ffi::luaL_argerror(state, 3, c"string/function/table expected".as_ptr());
        }
        let most = ffi::luaL_optinteger(state, 4, ffi::lua_Integer::MAX);
        ffi::lua_settop(state, 3);
        let (is_anchored, pattern) = anchor(pattern);
        let mut matcher = Matcher::new(subject, pattern, watchdog::is_condemned);
        let mut made = Made::new(state);
        let mut at = 0;
        let mut count = 0;
        while count < most {
            let found = answer(state, matcher.match_at(at));
            if let Some(end) = found {
                count += 1;
                replace(state, &mut made, subject, &matcher, (at, end));
            }
            match found {
                Some(end) if end > at => at = end,
                _ => match subject.get(at) {
                    Some(byte) => {
                        made.add(state, slice::from_ref(byte));
                        at += 1;
                    }
                    None => break,
                },
            }
            if is_anchored {
                break;
            }
        }
        made.add(state, subject.get(at..).unwrap_or_default());
        ffi::lua_pushlstring_(state, made.start.cast(), made.length);
        ffi::lua_pushinteger(state, count);
    }
    2
}

/// Adds what stands for a match: a text with captures in it, a value of a table, or what a function gives.
///
/// # Safety
/// As for [`push_capture`]; the replacement is the third argument.
unsafe fn replace(
    state: *mut ffi::lua_State,
    made: &mut Made,
    subject: &[u8],
    matcher: &Matcher<'_>,
    (start, end): (usize, usize),
) {
    let whole = Capture::Text(start, end - start);
    // SAFETY: as the caller promises.
    unsafe {
        ffi::luaL_checkstack(state, 3, c"gsub".as_ptr());
        match ffi::lua_type(state, 3) {
            ffi::LUA_TTABLE => {
                push_capture(state, subject, matcher.captures().first().copied().unwrap_or(whole));
                ffi::lua_gettable(state, 3);
            }
            ffi::LUA_TFUNCTION => {
                ffi::lua_pushvalue(state, 3);
                let count = push_captures(state, subject, matcher, (start, end), true);
                ffi::lua_call(state, count, 1);
            }
            _ => {
                let mut rest = text(state, 3);
                while let Some(at) = memchr::memchr(b'%', rest) {
                    made.add(state, rest.get(..at).unwrap_or_default());
                    let Some(letter) = rest.get(at + 1) else { return };
                    match usize::from(*letter).checked_sub(usize::from(b'0')).filter(|digit| *digit < 10) {
                        Some(digit) => {
                            let capture = match (digit, matcher.captures()) {
                                (0, _) | (1, []) => Some(whole),
                                (digit, captures) => captures.get(digit - 1).copied(),
                            };
                            let capture = capture.ok_or(Fault::Malformed(c"invalid capture index"));
                            push_capture(state, subject, answer(state, capture));
                            made.add_pushed(state);
                        }
                        None => made.add(state, slice::from_ref(letter)),
                    }
                    rest = rest.get(at + 2..).unwrap_or_default();
                }
                made.add(state, rest);
                return;
            }
        }
        if ffi::lua_toboolean(state, -1) == 0 {
            ffi::lua_settop(state, -2);
            made.add(state, subject.get(start..end).unwrap_or_default());
        } else if ffi::lua_isstring(state, -1) != 0 {
            made.add_pushed(state);
        } else {
            let kind = ffi::lua_typename(state, ffi::lua_type(state, -1));
            ffi::luaL_error(state, c"invalid replacement value (a %s)".as_ptr(), kind);
        }
    }
}

/// Place of [`Made`] on the stack, behind the arguments.
const MADE: c_int = 4;

/// A text that grows, in a block of Lua's memory at a fixed place of the stack.
struct Made {
    start: *mut u8,
    length: usize,
    room: usize,
}

impl Made {
    /// # Safety
    /// `state` is a running state with three values on its stack; the caller has no destructors pending.
    unsafe fn new(state: *mut ffi::lua_State) -> Self {
        const ROOM: usize = 128;
        // SAFETY: as the caller promises.
        let start = unsafe { ffi::lua_newuserdata(state, ROOM) };
        Self { start: start.cast(), length: 0, room: ROOM }
    }

    /// # Safety
    /// As for [`Made::new`], with the same state.
    unsafe fn add(&mut self, state: *mut ffi::lua_State, bytes: &[u8]) {
        let needed = self.length.saturating_add(bytes.len());
        // SAFETY: as the caller promises. The block has `room` bytes, and at least `needed` when they are written; it
        // overlaps no text.
        unsafe {
            if needed > self.room {
                let room = needed.saturating_mul(2);
                let start = ffi::lua_newuserdata(state, room).cast::<u8>();
                ptr::copy_nonoverlapping(self.start, start, self.length);
                ffi::lua_replace(state, MADE);
                (self.start, self.room) = (start, room);
            }
            ptr::copy_nonoverlapping(bytes.as_ptr(), self.start.add(self.length), bytes.len());
        }
        self.length = needed;
    }

    /// Adds the text on top of the stack and takes it away.
    ///
    /// # Safety
    /// As for [`Made::add`].
    unsafe fn add_pushed(&mut self, state: *mut ffi::lua_State) {
        // SAFETY: as the caller promises; the text is taken away when it has been copied. When the block grows it is
        // not on top any more, so that it is looked for by place.
        unsafe {
            let place = ffi::lua_gettop(state);
            let bytes = text(state, place);
            self.add(state, bytes);
            ffi::lua_settop(state, place - 1);
        }
    }
}

/// The native `string.format`, the same in all states.
static FORMAT: OnceLock<ffi::lua_CFunction> = OnceLock::new();

/// Digits after the point of each `%.Nf` in a format, with the place of its argument, from 2.
fn fixed_digits(format: &[u8], mut found: impl FnMut(c_int, u8)) {
    let mut place = 1;
    let mut rest = format;
    while let Some(at) = memchr::memchr(b'%', rest) {
        rest = &rest[at + 1..];
        if let [b'%', tail @ ..] = rest {
            rest = tail;
            continue;
        }
        place += 1;
        let Some(end) = rest.iter().position(u8::is_ascii_alphabetic) else { return };
        if rest[end] == b'f' {
            let digits = rest[..end].rsplit(|b| *b == b'.').next().filter(|digits| digits.len() < end);
            if let Some([digit @ b'0'..=b'9']) = digits {
                found(place, digit - b'0');
            }
        }
        rest = &rest[end + 1..];
    }
}

/// `string.format`: where the digits of a `%.2f` leave exactly a half, it rounds up, as sysdig's LuaJIT does.
unsafe extern "C-unwind" fn format(state: *mut ffi::lua_State) -> c_int {
    // SAFETY: called by Lua with a running state; no destructors are pending in this frame.
    unsafe {
        fixed_digits(text(state, 1), |place, digits| {
            let number = ffi::lua_tonumber(state, place);
            let rounded = half_away(number, digits);
            if rounded != number {
                ffi::lua_pushnumber(state, rounded);
                ffi::lua_replace(state, place);
            }
        });
        FORMAT.get().map_or(0, |native| native(state))
    }
}
