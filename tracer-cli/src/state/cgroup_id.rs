//! Which container a process is in, read from its control groups.
//!
//! Every engine puts each container in a control group of its own and names it after the container.
//! A path is read from its end: the innermost part that one of the [`PATTERNS`] knows decides, so
//! that a container inside a container is the inner one, and groups that a service manager makes
//! inside a container do not hide it.

use bstr::BString;

/// What runs a container.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum ContainerType {
    Docker,
    Lxc,
    LibvirtLxc,
    Mesos,
    Rkt,
    Custom,
    Cri,
    Containerd,
    CriO,
    Bpm,
    Static,
    Podman,
    /// systemd-nspawn. Captures have no number for it.
    Nspawn,
    /// A virtual machine that systemd-machined knows. Captures have no number for it.
    Machine,
    #[default]
    Unknown,
}

/// (type, number in captures, name).
static TYPES: &[(ContainerType, u32, &str)] = &[
    (ContainerType::Docker, 0, "docker"),
    (ContainerType::Lxc, 1, "lxc"),
    (ContainerType::LibvirtLxc, 2, "libvirt-lxc"),
    (ContainerType::Mesos, 3, "mesos"),
    (ContainerType::Rkt, 4, "rkt"),
    (ContainerType::Custom, 5, "custom"),
    (ContainerType::Cri, 6, "cri"),
    (ContainerType::Containerd, 7, "containerd"),
    (ContainerType::CriO, 8, "cri-o"),
    (ContainerType::Bpm, 9, "bpm"),
    (ContainerType::Static, 10, "static"),
    (ContainerType::Podman, 11, "podman"),
    (ContainerType::Nspawn, 5, "systemd-nspawn"),
    (ContainerType::Machine, 5, "machine"),
    (ContainerType::Unknown, 0xffff, "unknown"),
];

impl ContainerType {
    /// A number that no two types share; captures of other programs know another one.
    pub fn index(self) -> u32 {
        TYPES.iter().position(|row| row.0 == self).map_or(u32::MAX - 1, |at| at as u32)
    }

    /// The type with this [`ContainerType::index`].
    pub fn of_index(index: u32) -> Self {
        usize::try_from(index).ok().and_then(|at| TYPES.get(at)).map_or(ContainerType::Unknown, |row| row.0)
    }

    /// The type with this number in captures; for numbers of the future [`ContainerType::Unknown`].
    pub fn from_code(code: u64) -> Self {
        TYPES.iter().find(|row| u64::from(row.1) == code).map_or(Self::Unknown, |row| row.0)
    }

    /// The type that is called so.
    pub fn from_name(name: &str) -> Option<Self> {
        TYPES.iter().find(|row| row.2 == name).map(|row| row.0)
    }

    /// Whether there is no other name than the one in the path of the control group.
    pub fn is_named_by_its_id(self) -> bool {
        use ContainerType as C;
        matches!(self, C::Lxc | C::LibvirtLxc | C::Nspawn | C::Machine | C::Mesos | C::Bpm | C::Rkt)
    }

    /// The number for captures.
    pub fn code(self) -> u32 {
        TYPES.iter().find(|row| row.0 == self).map_or(0xffff, |row| row.1)
    }

    /// `container.type`.
    pub fn name(self) -> &'static str {
        TYPES.iter().find(|row| row.0 == self).map_or("unknown", |row| row.2)
    }
}

/// What a part of a path has between prefix and suffix.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Id {
    /// 64 hexadecimal digits; the first 12 are the short form.
    Hex,
    /// 36 hexadecimal digits and dashes.
    Uuid,
    /// Any text.
    Name,
    /// Any text in which systemd wrote bytes as `\xHH`.
    Escaped,
}

/// Where in the path the part has to be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Below {
    Anything,
    /// Directly below a part with this name.
    Parent(&'static str),
    /// Directly below a part that begins with this.
    ParentPrefix(&'static str),
    /// Somewhere below a part that begins with this.
    Ancestor(&'static str),
    /// Directly below this part, which is at the top, and only when the process has a pid namespace
    /// of its own: the name alone says too little.
    NamespacedTop(&'static str),
}

/// One way to name a control group.
struct Pattern {
    kind: ContainerType,
    below: Below,
    prefix: &'static str,
    suffix: &'static str,
    id: Id,
}

const fn part(kind: ContainerType, prefix: &'static str, suffix: &'static str, id: Id) -> Pattern {
    Pattern { kind, below: Below::Anything, prefix, suffix, id }
}

const fn below(kind: ContainerType, below: Below, prefix: &'static str, id: Id) -> Pattern {
    Pattern { kind, below, prefix, suffix: "", id }
}

/// The first pattern that fits a part counts.
static PATTERNS: &[Pattern] = &[
    // Named after the engine, by its systemd or its cgroupfs driver.
    part(ContainerType::Podman, "libpod-", ".scope", Id::Hex),
    part(ContainerType::Podman, "libpod-", "", Id::Hex),
    part(ContainerType::Docker, "docker-", ".scope", Id::Hex),
    part(ContainerType::Containerd, "cri-containerd-", ".scope", Id::Hex),
    part(ContainerType::Containerd, "nerdctl-", ".scope", Id::Hex),
    part(ContainerType::CriO, "crio-", ".scope", Id::Hex),
    part(ContainerType::CriO, "crio-", "", Id::Hex),
    // Nothing but the id: what is above it tells whose it is.
    below(ContainerType::Podman, Below::ParentPrefix("podman-"), "", Id::Hex),
    below(ContainerType::Podman, Below::Ancestor("user.slice"), "", Id::Hex),
    below(ContainerType::Cri, Below::Ancestor("kubepods"), "", Id::Hex),
    part(ContainerType::Docker, "", "", Id::Hex),
    below(ContainerType::Mesos, Below::Parent("mesos"), "", Id::Uuid),
    below(ContainerType::Lxc, Below::Parent("lxc"), "", Id::Name),
    below(ContainerType::Lxc, Below::Parent("lxc.payload"), "", Id::Name),
    part(ContainerType::Lxc, "lxc.payload.", "", Id::Name),
    part(ContainerType::LibvirtLxc, "", ".libvirt-lxc", Id::Name),
    part(ContainerType::Bpm, "bpm-", ".scope", Id::Name),
    part(ContainerType::Machine, "machine-qemu\\x2d", ".scope", Id::Escaped),
    part(ContainerType::Nspawn, "machine-", ".scope", Id::Escaped),
    part(ContainerType::Nspawn, "systemd-nspawn@", ".service", Id::Escaped),
    below(ContainerType::Containerd, Below::NamespacedTop("default"), "", Id::Name),
];

/// The container that a control group belongs to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Found {
    pub kind: ContainerType,
    /// The whole id, or the name where an engine has no ids.
    pub full_id: BString,
}

/// Length of the short form of an id.
const SHORT: usize = 12;
/// Length of [`Id::Hex`].
const HEX_LEN: usize = 64;
/// Length of [`Id::Uuid`].
const UUID_LEN: usize = 36;

impl Found {
    /// The form of the id that people use: 12 digits of a long number, or the name.
    pub fn id(&self) -> &[u8] {
        short_id(&self.full_id)
    }
}

/// The first 12 digits of an id of 64; any other text as it is.
pub fn short_id(full: &[u8]) -> &[u8] {
    if is_hex_id(full) { full.get(..SHORT).unwrap_or(full) } else { full }
}

/// The container that these control groups (`subsystem=path`, each with a final NUL) say the
/// process is in, `None` on the host.
///
/// `own_pid_namespace` says whether the process has other ids inside than the host sees.
pub fn container_id_of(cgroups: &[u8], own_pid_namespace: bool) -> Option<Found> {
    let mut before: &[u8] = b"";
    for group in cgroups.split(|b| *b == 0) {
        let Some(start) = memchr::memchr(b'/', group) else { continue };
        let path = group.get(start..).unwrap_or_default();
        // Mostly all subsystems have the same path, or the topmost one.
        if path == b"/" || path == before {
            continue;
        }
        before = path;
        if let Some(found) = in_path(path, own_pid_namespace) {
            return Some(found);
        }
    }
    None
}

/// Whether all groups are the topmost ones. Where a probe sees version 2 of control groups only and
/// the engine uses version 1, that is so in containers too.
pub(super) fn are_topmost(cgroups: &[u8]) -> bool {
    cgroups.split(|b| *b == 0).filter(|group| !group.is_empty()).all(|group| group.ends_with(b"=/"))
}

/// The user below whose slice the control groups are.
pub(super) fn owner_of(cgroups: &[u8]) -> Option<u32> {
    const SLICE: &[u8] = b"/user-";
    let at = memchr::memmem::find(cgroups, SLICE)? + SLICE.len();
    let rest = cgroups.get(at..)?;
    let digits = rest.iter().take_while(|b| b.is_ascii_digit()).count();
    let (uid, after) = rest.split_at_checked(digits)?;
    after.starts_with(b".slice").then(|| std::str::from_utf8(uid).ok()?.parse().ok())?
}

fn in_path(path: &[u8], own_pid_namespace: bool) -> Option<Found> {
    let mut rest = path;
    while let Some(slash) = memchr::memrchr(b'/', rest) {
        let name = rest.get(slash + 1..).unwrap_or_default();
        rest = rest.get(..slash).unwrap_or_default();
        // nspawn itself, beside what it runs.
        if name == b"supervisor" {
            return None;
        }
        if let Some(found) = in_part(name, rest, own_pid_namespace) {
            return Some(found);
        }
    }
    None
}

fn in_part(name: &[u8], above: &[u8], own_pid_namespace: bool) -> Option<Found> {
    // systemd's libvirt driver: "machine-lxc\x2d<pid>\x2d<name>.scope".
    if let Some(found) = libvirt_lxc_scope(name) {
        return Some(found);
    }
    // containerd's CRI plugin without systemd: "<slice>:cri-containerd:<id>".
    if name.len() >= HEX_LEN
        && let Some(at) = memchr::memmem::rfind(name, b":cri-containerd:")
    {
        let id = name.get(at + b":cri-containerd:".len()..)?;
        return is_hex_id(id).then(|| Found { kind: ContainerType::Containerd, full_id: id.into() });
    }
    if !name.is_empty() && above.ends_with(b"/libvirt/lxc") {
        return Some(Found { kind: ContainerType::LibvirtLxc, full_id: name.into() });
    }
    // Short names, as most are, have no room for the ids of most patterns.
    let is_short = name.len() < HEX_LEN;
    PATTERNS.iter().filter(|pattern| !(is_short && pattern.id == Id::Hex)).find_map(|pattern| {
        let id = pattern.id_in(name)?;
        is_below(pattern.below, above, own_pid_namespace).then(|| Found {
            kind: pattern.kind,
            full_id: if pattern.id == Id::Escaped { unescape(id) } else { id.into() },
        })
    })
}

impl Pattern {
    /// What stands between prefix and suffix, if the name fits. Most names fit no pattern: of those
    /// nearly all have the wrong length, or the wrong byte at one end.
    fn id_in<'a>(&self, name: &'a [u8]) -> Option<&'a [u8]> {
        let len = name.len().checked_sub(self.prefix.len() + self.suffix.len())?;
        let fits = match self.id {
            Id::Hex => len == HEX_LEN,
            Id::Uuid => len == UUID_LEN,
            Id::Name | Id::Escaped => len > 0,
        };
        let (prefix, suffix) = (self.prefix.as_bytes(), self.suffix.as_bytes());
        let begins = prefix.is_empty() || prefix.first() == name.first() && name.starts_with(prefix);
        let ends = suffix.is_empty() || suffix.last() == name.last() && name.ends_with(suffix);
        if !(fits && begins && ends) {
            return None;
        }
        let id = name.get(prefix.len()..name.len() - suffix.len())?;
        let is_id = match self.id {
            Id::Hex => is_hex_id(id),
            Id::Uuid => is_uuid(id),
            Id::Name | Id::Escaped => true,
        };
        is_id.then_some(id)
    }
}

fn is_below(place: Below, above: &[u8], own_pid_namespace: bool) -> bool {
    let parent = || above.rsplit(|b| *b == b'/').next().unwrap_or_default();
    match place {
        Below::Anything => true,
        Below::Parent(name) => parent() == name.as_bytes(),
        Below::ParentPrefix(prefix) => parent().starts_with(prefix.as_bytes()),
        Below::Ancestor(prefix) => {
            above.split(|b| *b == b'/').any(|part| part.starts_with(prefix.as_bytes()))
        }
        Below::NamespacedTop(name) => own_pid_namespace && above.strip_prefix(b"/") == Some(name.as_bytes()),
    }
}

fn libvirt_lxc_scope(name: &[u8]) -> Option<Found> {
    const MARK: &[u8] = b"-lxc\\x2d";
    // Nearly all others end here.
    let name = name.strip_suffix(b".scope")?;
    let at = memchr::memmem::find(name, MARK)?;
    let id = name.get(at + MARK.len()..).filter(|id| !id.is_empty())?;
    Some(Found { kind: ContainerType::LibvirtLxc, full_id: id.into() })
}

pub(super) fn is_hex_id(id: &[u8]) -> bool {
    id.len() == HEX_LEN && id.iter().all(u8::is_ascii_hexdigit)
}

fn is_uuid(id: &[u8]) -> bool {
    id.len() == UUID_LEN && id.iter().all(|b| b.is_ascii_hexdigit() || *b == b'-')
}

/// Undoes systemd's way of writing names of units: `\x2d` is a dash.
fn unescape(text: &[u8]) -> BString {
    let mut out = Vec::with_capacity(text.len());
    let mut rest = text;
    while let Some((first, after)) = rest.split_first() {
        let escaped = rest.strip_prefix(b"\\x").and_then(|hex| {
            let digits = std::str::from_utf8(hex.get(..2)?).ok()?;
            Some((u8::from_str_radix(digits, 16).ok()?, hex.get(2..)?))
        });
        let (byte, next) = escaped.unwrap_or((*first, after));
        out.push(byte);
        rest = next;
    }
    out.into()
}

#[cfg(test)]
mod tests {
    use super::*;
    use ContainerType as T;

    const ID: &str = "697956520d891b5cb0e215093970c733549a3f745f52263c05b37f8a488994f3";
    const OTHER: &str = "000000000000000000000000000000000000000000000000000000000000000f";

    fn found(path: &str) -> Option<(T, String)> {
        found_when(path, false)
    }

    fn found_when(path: &str, own_pid_namespace: bool) -> Option<(T, String)> {
        let path = path.replace("ID", ID).replace("OTHER", OTHER);
        let cgroups = format!("cpu=/\0name=systemd={path}\0");
        container_id_of(cgroups.as_bytes(), own_pid_namespace)
            .map(|found| (found.kind, String::from_utf8(found.id().to_vec()).unwrap()))
    }

    fn is(kind: T, id: &str, paths: &[&str]) {
        for path in paths {
            assert_eq!(found(path), Some((kind, id.to_owned())), "{path}");
        }
    }

    const SHORT_ID: &str = "697956520d89";

    #[test]
    fn docker() {
        let paths = ["/docker/ID", "/mygrp/ID", "/system.slice/docker-ID.scope", "/docker/OTHER/docker/ID"];
        is(T::Docker, SHORT_ID, &paths);
        is(T::Docker, SHORT_ID, &["/docker/ID/init.scope", "/docker/ID/system.slice/x.service"]);
    }

    #[test]
    fn podman() {
        let paths = [
            "/libpod_parent/libpod-ID",
            "/mygrp/libpod-ID",
            "/libpod_parent/OTHER/libpod-ID",
            "/machine.slice/libpod-ID.scope",
            "/machine.slice/libpod-ID.scope/container",
            "/user.slice/user-1000.slice/user@1000.service/user.slice/podman-123.scope/ID",
            "/user.slice/user-1000.slice/session-3.scope/ID",
            "/machine.slice/machine-sd.scope/payload/machine.slice/libpod-ID.scope",
        ];
        is(T::Podman, SHORT_ID, &paths);
        assert_eq!(found("/libpod_parent/conmon"), None);
        assert_eq!(found("/machine.slice/libpod-conmon-ID.scope"), None);
    }

    #[test]
    fn kubernetes() {
        is(T::Cri, SHORT_ID, &["/kubepods/burstable/podUID/ID", "/kubepods.slice/kubepods-pod1.slice/ID"]);
        let containerd = [
            "/kubepods.slice/kubepods-burstable.slice/kubepods-burstable-podUID.slice/cri-containerd-ID.scope",
            "/system.slice/containerd.service/kubepods-burstable-podUID.slice:cri-containerd:ID",
        ];
        is(T::Containerd, SHORT_ID, &containerd);
        let crio = [
            "/kubepods.slice/kubepods-burstable.slice/kubepods-burstable-podUID.slice/crio-ID.scope",
            "/kubepods/besteffort/podUID/crio-ID",
        ];
        is(T::CriO, SHORT_ID, &crio);
        assert_eq!(found("/kubepods.slice/kubepods-pod1.slice/crio-conmon-ID.scope"), None);
    }

    #[test]
    fn containerd_alone() {
        is(T::Containerd, SHORT_ID, &["/system.slice/nerdctl-ID.scope"]);
        assert_eq!(found_when("/default/web1", true), Some((T::Containerd, "web1".into())));
        assert_eq!(found("/default/web1"), None, "on the host it may be anybody's");
        assert_eq!(found_when("/a/default/web1", true), None);
    }

    #[test]
    fn lxc() {
        let paths =
            ["/lxc/web", "/lxc.payload/web", "/lxc.payload.web", "/lxc.payload.web/.lxc", "/lxc/web/a/b"];
        is(T::Lxc, "web", &paths);
        assert_eq!(found("/lxc.monitor.web"), None);
        let paths =
            ["/machine/web.libvirt-lxc", "/libvirt/lxc/web", "/machine.slice/machine-lxc\\x2dweb.scope"];
        is(T::LibvirtLxc, "web", &paths);
    }

    #[test]
    fn machines() {
        is(T::Nspawn, "sd", &["/machine.slice/machine-sd.scope/payload", "/machine.slice/machine-sd.scope"]);
        is(T::Nspawn, "sd", &["/machine.slice/machine-sd.scope/payload/system.slice/cron.service"]);
        is(T::Nspawn, "my-box", &["/machine.slice/systemd-nspawn@my\\x2dbox.service/payload"]);
        assert_eq!(found("/machine.slice/machine-sd.scope/supervisor"), None);
        is(T::Machine, "1-vm", &["/machine.slice/machine-qemu\\x2d1\\x2dvm.scope/libvirt/emulator"]);
    }

    #[test]
    fn others() {
        is(
            T::Mesos,
            "5b6bb2d8-1d8c-4a5b-9a2e-0123456789ab",
            &["/mesos/5b6bb2d8-1d8c-4a5b-9a2e-0123456789ab"],
        );
        is(T::Bpm, "web", &["/system.slice/bpm-web.scope"]);
    }

    #[test]
    fn the_host() {
        for path in [
            "/",
            "/init.scope",
            "/user.slice/user-1000.slice/session-3.scope",
            "/system.slice/docker.service",
            "/docker/697956520d89",
            "/docker/buildkit",
            "/mesos/x",
            "/payload",
            "",
        ] {
            assert_eq!(found(path), None, "{path}");
        }
        assert_eq!(container_id_of(b"", true), None);
        assert_eq!(container_id_of(b"\0\0=\0/\0", true), None);
    }

    #[test]
    fn any_line_may_name_the_container() {
        // podman with crun where version 2 is hidden, and the other way round.
        let first = format!("memory=/libpod_parent/libpod-{ID}\0unified=/\0");
        let last = format!("memory=/\0cpu=/\0unified=/libpod_parent/libpod-{ID}\0");
        for cgroups in [first, last] {
            let found = container_id_of(cgroups.as_bytes(), false).unwrap();
            assert_eq!((found.kind, found.id().len(), found.full_id), (T::Podman, 12, ID.into()));
        }
    }

    #[test]
    fn topmost_groups() {
        assert!(are_topmost(b"cpu=/\0memory=/\0") && are_topmost(b""));
        assert!(!are_topmost(b"cpu=/\0memory=/a\0") && !are_topmost(b"cpu=/a/\0"));
    }

    #[test]
    fn numbers_of_types() {
        for code in 0..12 {
            assert_eq!(u64::from(T::from_code(code).code()), code);
        }
        assert_eq!((T::from_code(99), T::Nspawn.name()), (T::Unknown, "systemd-nspawn"));
    }
}
