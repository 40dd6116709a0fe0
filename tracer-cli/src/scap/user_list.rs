//! Users and groups of the host.

use super::body::Body;
use super::damage::Fault;
use crate::state::users::{User, Users};
use bstr::BString;

/// Most users and groups kept.
const MAX: usize = 1 << 20;

/// Reads the body of a user list into `users`, in place of what is there.
pub(super) fn read(body: &mut Body<'_>, sized: bool, users: &mut Users) -> Result<(), Fault> {
    users.users.clear();
    users.groups.clear();
    // What is left at the end is padding.
    while body.left() >= 4 {
        if sized {
            let len = u64::from(body.u32("length of a user")?);
            let rest = len.checked_sub(4).ok_or(Fault::Value { what: "the length of a user", value: len })?;
            let mut entry = body.entry(rest, "a user")?;
            read_entry(&mut entry, users)?;
            entry.finish()?;
        } else {
            read_entry(body, users)?;
        }
    }
    Ok(())
}

fn read_entry(body: &mut Body<'_>, users: &mut Users) -> Result<(), Fault> {
    const USER: u8 = 0;
    if body.u8("kind of a user")? == USER {
        let uid = body.u32("uid")?;
        let gid = body.u32("gid")?;
        let name = BString::from(body.text("name of a user")?);
        let home = BString::from(body.text("home directory")?);
        let shell = BString::from(body.text("shell")?);
        if users.users.len() < MAX {
            users.users.insert(uid, User { gid, name, home, shell });
        }
    } else {
        let gid = body.u32("gid")?;
        let name = BString::from(body.text("name of a group")?);
        if users.groups.len() < MAX {
            users.groups.insert(gid, name);
        }
    }
    Ok(())
}
