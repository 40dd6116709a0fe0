//! Linux values (x86_64) as the values that the schema carries.
//!
//! Captures hold portable values: an open flag has the same bit on every architecture, and filters
//! and chisels know those bits. The probe copies registers as they are, so the translation happens
//! here. Every translation is a row of `data/convert.json`; a new one needs no code.
//!
//! Some rows look odd and are so on purpose, because readers of captures expect it: a Linux flag of
//! more than one bit counts as set when *any* of its bits is. So `O_DIRECTORY` alone also yields
//! `O_TMPFILE`, and `O_DSYNC` alone also `O_SYNC`.

pub use super::convert_tables::Conversion;
use super::convert_tables::RULES;

/// How a value is put together: bits passed through, bits translated, one field looked up.
#[derive(Debug)]
pub(super) struct Rule {
    pub name: &'static str,
    /// Bits of the result; higher ones are cut off.
    pub width: u8,
    pub when: When,
    /// Bits that mean the same in Linux and in the schema.
    pub keep: u64,
    /// (Linux bits, schema bits): added when any of the Linux bits is set.
    pub set: &'static [(u64, u64)],
    /// (Linux bits, schema bits): added when none of the Linux bits is set.
    pub unset: &'static [(u64, u64)],
    pub cases: Option<Cases>,
}

/// What the first of two arguments must be for the second to mean something.
#[derive(Debug)]
pub(super) enum When {
    /// There is only one argument.
    Always,
    /// Any of these bits; the result is 0 otherwise.
    Any(u64),
    /// This value; the result is the default of the cases otherwise.
    Is(u64),
}

/// A field of the value that is an enumeration.
#[derive(Debug)]
pub(super) struct Cases {
    pub shift: u8,
    /// Applied after the shift.
    pub mask: u64,
    pub default: u64,
    pub values: &'static [(u64, u64)],
}

impl Rule {
    fn apply(&self, a: u64, b: u64) -> u64 {
        let value = match self.when {
            When::Always => a,
            When::Any(bits) if a & bits != 0 => b,
            When::Any(_) => return 0,
            // Arguments compared with a value are C ints; the upper half of the register is noise.
            When::Is(wanted) if a & 0xffff_ffff == wanted => b,
            When::Is(_) => return self.cases.as_ref().map_or(0, |c| c.default),
        };
        let mut out = value & self.keep;
        for &(linux, schema) in self.set {
            if value & linux != 0 {
                out |= schema;
            }
        }
        for &(linux, schema) in self.unset {
            if value & linux == 0 {
                out |= schema;
            }
        }
        if let Some(cases) = &self.cases {
            let field = (value >> cases.shift) & cases.mask;
            out |= cases.values.iter().find(|(linux, _)| *linux == field).map_or(cases.default, |c| c.1);
        }
        match self.width {
            64.. => out,
            width => out & ((1 << width) - 1),
        }
    }
}

impl Conversion {
    /// The schema's value for the Linux value `a`.
    ///
    /// [`Conversion::OpenModes`] takes (open flags, mode) and [`Conversion::SockoptOptname`] takes
    /// (level, option name), both as in the system call; the others ignore `b`.
    #[inline]
    pub fn apply(self, a: u64, b: u64) -> u64 {
        match RULES.get(self as usize) {
            Some((_, rule)) => rule.apply(a, b),
            None => a,
        }
    }

    /// The conversion that `data/convert.json` calls `name`, such as `open_flags`.
    pub fn by_name(name: &str) -> Option<Self> {
        RULES.iter().find(|(_, rule)| rule.name == name).map(|(conversion, _)| *conversion)
    }

    /// Its name in `data/convert.json`.
    pub fn name(self) -> &'static str {
        RULES.get(self as usize).map_or("", |(_, rule)| rule.name)
    }
}

/// Flags of `open(2)` and its kin. The access mode, 0/1/2 in Linux, is 1/2/3 here.
pub fn open_flags(flags: u64) -> u32 {
    Conversion::OpenFlags.apply(flags, 0) as u32
}

/// Mode of `open(2)`: 0 unless `flags` (Linux) create a file, because it is garbage then.
pub fn open_modes(flags: u64, mode: u64) -> u32 {
    Conversion::OpenModes.apply(flags, mode) as u32
}

/// Flags of `clone(2)`.
pub fn clone_flags(flags: u64) -> u32 {
    Conversion::CloneFlags.apply(flags, 0) as u32
}

/// `AF_*`; families that the schema does not know are `AF_UNSPEC`.
pub fn socket_family(family: u64) -> u8 {
    Conversion::SocketFamily.apply(family, 0) as u8
}

/// `POLL*` bits of `struct pollfd`.
pub fn poll_events(events: u64) -> u16 {
    Conversion::PollEvents.apply(events, 0) as u16
}

#[cfg(test)]
mod tests {
    use super::super::tables;
    use super::*;

    /// The value of a name in a flag table.
    fn flag(table: &super::super::FlagTable, name: &str) -> u32 {
        table.entries.iter().find(|(n, _)| *n == name).map_or_else(|| panic!("no {name}"), |e| e.1)
    }

    #[test]
    fn rules_are_in_the_order_of_the_enum() {
        for (i, (conversion, rule)) in RULES.iter().enumerate() {
            assert_eq!(*conversion as usize, i, "{}", rule.name);
            assert_eq!(Conversion::by_name(rule.name), Some(*conversion));
            assert_eq!(conversion.name(), rule.name);
        }
        assert_eq!(Conversion::by_name("no_such"), None);
    }

    #[test]
    fn open_flags_have_schema_values() {
        let of = |name| flag(&tables::FILE_FLAGS, name);
        assert_eq!(open_flags(libc::O_RDONLY as u64), of("O_RDONLY"));
        assert_eq!(open_flags(libc::O_WRONLY as u64), of("O_WRONLY"));
        assert_eq!(open_flags((libc::O_RDWR | libc::O_CREAT) as u64), of("O_RDWR") | of("O_CREAT"));
        assert_eq!(
            open_flags((libc::O_CLOEXEC | libc::O_NONBLOCK) as u64),
            of("O_RDONLY") | of("O_CLOEXEC") | of("O_NONBLOCK")
        );
    }

    #[test]
    fn a_flag_of_several_bits_is_set_by_any_of_them() {
        let of = |name| flag(&tables::FILE_FLAGS, name);
        assert_eq!(
            open_flags(libc::O_DIRECTORY as u64),
            of("O_RDONLY") | of("O_DIRECTORY") | of("O_TMPFILE")
        );
        assert_eq!(open_flags(libc::O_DSYNC as u64), of("O_RDONLY") | of("O_DSYNC") | of("O_SYNC"));
    }

    #[test]
    fn a_mode_counts_only_when_a_file_is_created() {
        assert_eq!(open_modes(libc::O_RDONLY as u64, 0o644), 0);
        assert_eq!(open_modes((libc::O_WRONLY | libc::O_CREAT) as u64, 0o4644), 0o4644);
        assert_eq!(open_modes(libc::O_TMPFILE as u64, 0o100_600), 0o600);
    }

    #[test]
    fn enumerations_have_a_default_and_ignore_the_upper_half_of_a_register() {
        assert_eq!(Conversion::FcntlCmd.apply(libc::F_GETFL as u64, 0), 4);
        assert_eq!(Conversion::FcntlCmd.apply(9999, 0), 0);
        assert_eq!(Conversion::RlimitResource.apply(7, 0), 7);
        assert_eq!(Conversion::RlimitResource.apply(77, 0), 255);
        assert_eq!(Conversion::SockoptLevel.apply(0xdead_0000_0001, 0), 1);
        assert_eq!(Conversion::PtraceRequests.apply(0x4200, 0), 14);
        assert_eq!(socket_family(libc::AF_NETLINK as u64), 16);
        assert_eq!(socket_family(77), 0);
    }

    #[test]
    fn socket_options_are_known_at_the_socket_level_only() {
        let reuse = libc::SO_REUSEADDR as u64;
        assert_eq!(Conversion::SockoptOptname.apply(libc::SOL_SOCKET as u64, reuse), 2);
        assert_eq!(Conversion::SockoptOptname.apply(libc::SOL_TCP as u64, reuse), 0);
    }

    #[test]
    fn bits_and_a_field_can_share_a_value() {
        // FUTEX_WAIT_BITSET | FUTEX_PRIVATE_FLAG | FUTEX_CLOCK_REALTIME
        assert_eq!(Conversion::FutexOp.apply(9 | 128 | 256, 0), 9 | 128 | 256);
        assert_eq!(Conversion::MknodMode.apply(0o644, 0), u64::from(libc::S_IFREG | 0o644));
        assert_eq!(
            Conversion::MknodMode.apply(u64::from(libc::S_IFIFO | 0o600), 0),
            u64::from(libc::S_IFIFO | 0o600)
        );
        // Q_XQUOTAON for groups: QCMD(XQM_CMD(1), GRPQUOTA)
        let command = 0x5801 << 8 | 1;
        assert_eq!(Conversion::QuotactlCmd.apply(command, 0), 256);
        assert_eq!(Conversion::QuotactlType.apply(command, 0), 2);
    }

    #[test]
    fn page_faults_name_both_sides_of_a_bit() {
        let of = |name| flag(&tables::PF_FLAGS, name);
        let read_of_missing_page = of("PAGE_NOT_PRESENT") | of("READ_ACCESS") | of("USER_FAULT");
        assert_eq!(Conversion::PfFlags.apply(0x4, 0), u64::from(read_of_missing_page));
    }

    #[test]
    fn other_flags_move_to_their_schema_bits() {
        let threads = (libc::CLONE_VM | libc::CLONE_THREAD | libc::CLONE_FILES) as u64;
        let of = |name| flag(&tables::CLONE_FLAGS, name);
        assert_eq!(clone_flags(threads), of("CLONE_VM") | of("CLONE_THREAD") | of("CLONE_FILES"));
        let map = (libc::MAP_PRIVATE | libc::MAP_ANONYMOUS | libc::MAP_FIXED) as u64;
        assert_eq!(Conversion::MmapFlags.apply(map, 0), 2 | 8 | 4);
        assert_eq!(poll_events(libc::POLLERR as u64 | libc::POLLIN as u64), 1 | 16);
        assert_eq!(Conversion::ShutdownHow.apply(libc::SHUT_RDWR as u64, 0), 2);
    }
}
