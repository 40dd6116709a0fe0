//! Users and groups of the traced system.

use bstr::BString;
use rustc_hash::FxHashMap;

#[derive(Debug, Clone, Default)]
pub struct User {
    pub gid: u32,
    pub name: BString,
    pub home: BString,
    pub shell: BString,
}

/// uid and gid → names.
#[derive(Debug, Clone, Default)]
pub struct Users {
    pub users: FxHashMap<u32, User>,
    pub groups: FxHashMap<u32, BString>,
}
