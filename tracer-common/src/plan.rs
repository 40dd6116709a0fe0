//! The capture plan: what the probe copies for each system call.
//!
//! User space writes one [`CallPlan`] per system call number; growing coverage means growing data.

/// Entries of a table of plans. x86_64 and i386 end well below; higher numbers, which no kernel knows, have the last plan.
pub const PLAN_ENTRIES: u32 = 512;
/// Pieces one call can copy.
pub const MAX_PIECES: usize = 8;

/// Bits of [`CallPlan::flags`].
pub mod want {
    /// Emit a record when the call begins.
    pub const ENTER: u16 = 1;
    /// Emit a record when the call returns.
    pub const EXIT: u16 = 2;
    /// Shift of those bits to the ones that say what is wanted of this number in either interface: what has none of them
    /// is refused before the probe has looked who makes the call, and through which interface.
    pub const EITHER: u16 = 2;
}

/// How one piece is found. The operands are those of [`PiecePlan`].
pub mod piece {
    pub const NONE: u8 = 0;
    /// NUL-terminated string at `args[arg]`, at most `limit` bytes.
    pub const STR: u8 = 1;
    /// Bytes at `args[arg]`; the length is `len` (see [`super::len`]), at most `limit` and, when
    /// `limit` is 0, the snap length.
    pub const BUF: u8 = 2;
    /// The file behind the fd (see [`super::FD_RESULT`]): `record::FileFacts`.
    pub const FD_FILE: u8 = 3;
    /// The socket behind the fd: `record::SocketFacts`.
    pub const FD_SOCKET: u8 = 4;
    /// `record::MemoryFacts` of the caller.
    pub const MEMORY: u8 = 5;
    /// Data gathered from the `struct iovec` array at `args[arg]` with `args[arg + 1]` entries:
    /// as many bytes as `len` says, at most the snap length. Vector program only.
    pub const IOVEC_DATA: u8 = 6;
    /// The `struct msghdr` at `args[arg]`. Any program.
    pub const MSGHDR: u8 = 7;
    /// The address in the `msghdr` at `args[arg]`. Vector program only.
    pub const MSG_NAME: u8 = 8;
    /// The iovec array of the `msghdr` at `args[arg]`. Any program.
    pub const MSG_IOV: u8 = 9;
    /// The data of the `msghdr` at `args[arg]`. Vector program only.
    pub const MSG_DATA: u8 = 10;
    /// The control data of the `msghdr` at `args[arg]`, at most `limit`. Vector program only.
    pub const MSG_CONTROL: u8 = 11;
    /// `record::TaskFacts` of the caller. Task program only.
    pub const TASK: u8 = 12;
    /// The memory that holds the arguments of the program (strings with their NULs).
    pub const ARG_AREA: u8 = 13;
    /// The memory that holds its environment.
    pub const ENV_AREA: u8 = 14;
    /// Path of the executable: components from the file up to the root, each with its NUL.
    pub const EXE_PATH: u8 = 15;
    /// Path of the control group in the default hierarchy, in the same form.
    pub const CGROUP_PATH: u8 = 16;
    /// Strings of the NULL-terminated pointer array at `args[arg]`, each with its NUL.
    pub const STR_ARRAY: u8 = 17;
    /// Path of the file behind the fd, in the form of `EXE_PATH`. Task program only.
    pub const FD_PATH: u8 = 18;
    /// The path that was given to exec: the string at `args[arg]`, at the exit of a call that
    /// succeeded the copy that the kernel has put above the environment.
    pub const EXEC_NAME: u8 = 19;
}

/// Where the length of a `BUF` comes from.
pub mod len {
    /// `limit` bytes.
    pub const FIXED: u8 = 0;
    /// The result of the call; nothing when it failed.
    pub const RESULT: u8 = 1;
    /// `args[len_arg]`.
    pub const ARG: u8 = 2;
    /// The result when it is positive, else `args[len_arg]`.
    pub const RESULT_OR_ARG: u8 = 3;
    /// `args[len_arg]` times 8 (`struct pollfd`).
    pub const ARG_X8: u8 = 4;
    /// `args[len_arg]` times 16 (`struct iovec`).
    pub const ARG_X16: u8 = 5;
    /// The 32-bit integer that `args[len_arg]` points to.
    pub const ARG_POINTS: u8 = 6;
    /// `args[len_arg]` times 6 (`struct sembuf`).
    pub const ARG_X6: u8 = 7;
}

/// When a piece is copied; bits of [`PiecePlan::when`].
pub mod when {
    pub const ENTER: u8 = 1;
    /// At the exit of a call that succeeded.
    pub const SUCCESS: u8 = 2;
    /// At the exit of a call that failed.
    pub const FAILURE: u8 = 4;
    pub const EXIT: u8 = SUCCESS | FAILURE;
}

/// The number of `socketcall` in the 32-bit interface: its first argument says which call is meant, its second is an
/// array of the arguments of that.
pub const SOCKETCALL: u16 = 102;

/// The call that a `socketcall` means (include/uapi/linux/net.h): its own number in the 32-bit interface, and the number
/// of its arguments.
#[inline(always)]
pub const fn socket_call(which: usize) -> Option<(u16, u8)> {
    const CALLS: [(u16, u8); 32] = {
        let mut calls = [(0, 0); 32];
        calls[1] = (359, 3); // socket
        calls[2] = (361, 3); // bind
        calls[3] = (362, 3); // connect
        calls[4] = (363, 2); // listen
        calls[5] = (364, 3); // accept, as accept4 without flags
        calls[6] = (367, 3); // getsockname
        calls[7] = (368, 3); // getpeername
        calls[8] = (360, 4); // socketpair
        calls[9] = (369, 4); // send, as sendto without an address
        calls[10] = (371, 4); // recv, as recvfrom without an address
        calls[11] = (369, 6); // sendto
        calls[12] = (371, 6); // recvfrom
        calls[13] = (373, 2); // shutdown
        calls[14] = (366, 5); // setsockopt
        calls[15] = (365, 5); // getsockopt
        calls[16] = (370, 3); // sendmsg
        calls[17] = (372, 3); // recvmsg
        calls[18] = (364, 4); // accept4
        calls[19] = (337, 5); // recvmmsg
        calls[20] = (345, 4); // sendmmsg
        calls
    };
    match CALLS[which & 31] {
        (0, _) => None,
        _ if which > 31 => None,
        call => Some(call),
    }
}

/// [`PiecePlan::arg`] of `FD_*` pieces: the fd is the result of the call.
pub const FD_RESULT: u8 = 7;
/// Bit of [`PiecePlan::arg`] of `FD_*` pieces: the argument points to the fd, as of `pipe`.
pub const FD_POINTED: u8 = 8;

/// Which program makes the record of a call.
pub mod program {
    /// The table-driven one.
    pub const PLAIN: u8 = 0;
    /// Facts about the task: clone, exec and their kin.
    pub const TASK: u8 = 1;
    /// iovec and msghdr.
    pub const VECTOR: u8 = 2;
}

#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct PiecePlan {
    /// One of [`piece`].
    pub kind: u8,
    /// Argument that holds the address or the fd.
    pub arg: u8,
    /// One of [`len`].
    pub len: u8,
    pub len_arg: u8,
    /// Bits of [`when`].
    pub when: u8,
    pub _pad: u8,
    /// Bytes; 0: the snap length.
    pub limit: u16,
}

#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct CallPlan {
    /// Bits of [`want`].
    pub flags: u16,
    /// Argument words to copy, at most 6.
    pub args: u8,
    /// Entries of `piece` in use.
    pub pieces: u8,
    /// One of [`program`], at exit.
    pub program: u8,
    /// When any piece is due; bits of [`when`].
    pub due: u8,
    pub _pad: [u8; 2],
    pub piece: [PiecePlan; MAX_PIECES],
}

impl CallPlan {
    /// Nothing is wanted.
    pub const NONE: CallPlan = CallPlan {
        flags: 0,
        args: 0,
        pieces: 0,
        program: 0,
        due: 0,
        _pad: [0; 2],
        piece: [PiecePlan { kind: 0, arg: 0, len: 0, len_arg: 0, when: 0, _pad: 0, limit: 0 }; MAX_PIECES],
    };
}

const _: () = assert!(size_of::<PiecePlan>() == 8);
const _: () = assert!(size_of::<CallPlan>() == 72);
