//! Which end of a connection is the server, for connections that were there before the first event.
//!
//! Lists of fds name the local end first. Users read `client->server`, so connections from a port
//! that this machine listens on are turned round.

use super::State;
use super::fd::{FdInfo, FdKind, L4, Role};
use super::fd_table::Alter;
use super::tuple;
use rustc_hash::FxHashSet;
use std::rc::Rc;

impl State {
    /// Turns the TCP connections whose role is not known from local→remote into client→server.
    ///
    /// To be called once by sources that fill the fds from a list, after all of them are there.
    pub fn orient_connections(&mut self) {
        let mut listening = FxHashSet::default();
        for thread in self.threads() {
            match thread.fds.unread() {
                Some(unread) => listening.extend(&unread.listening),
                None => listening.extend(thread.fds.iter().filter_map(|(_, info)| listens_on(info))),
            }
        }
        let orient: Alter = Rc::new(move |info| orient(info, &listening));
        for thread in self.threads.iter_mut().flatten() {
            if thread.fds.unread().is_some() || thread.fds.iter().any(|(_, info)| is_one_sided(info)) {
                thread.fds.alter(&orient);
            }
        }
    }
}

fn listens_on(info: &FdInfo) -> Option<u16> {
    let socket = info.socket.as_ref().filter(|socket| socket.l4 == L4::Tcp)?;
    let is_server = matches!(info.kind, FdKind::Ipv4Server | FdKind::Ipv6Server);
    socket.dest.filter(|_| is_server).map(|own| own.port)
}

/// Whether it is not known which end of a connection this is.
fn is_one_sided(info: &FdInfo) -> bool {
    info.socket.as_ref().is_some_and(|socket| socket.l4 == L4::Tcp && socket.role == Role::Unknown)
}

fn orient(info: &mut FdInfo, listening: &FxHashSet<u16>) {
    if !is_one_sided(info) {
        return;
    }
    let Some(socket) = &mut info.socket else { return };
    let (Some(local), Some(remote)) = (socket.source, socket.dest) else { return };
    socket.connected = true;
    socket.role = Role::Client;
    if listening.contains(&local.port) {
        socket.role = Role::Server;
        (socket.source, socket.dest) = (Some(remote), Some(local));
        info.name.clear();
        tuple::write_connection(&mut info.name, remote, local, socket.l4);
    }
}

#[cfg(test)]
mod tests {
    use super::super::fd::{Endpoint, Socket};
    use super::super::thread::Thread;
    use super::*;

    #[test]
    fn connections_from_a_listening_port_are_turned_round() {
        let end = |port| Some(Endpoint { ip: [127, 0, 0, 1].into(), port });
        let socket = |kind, source, dest| FdInfo {
            socket: Some(Box::new(Socket { l4: L4::Tcp, source, dest, ..Socket::default() })),
            ..FdInfo::new(kind)
        };
        let mut state = State::default();
        let mut listener = Thread::new(1, 1);
        listener.fds.insert(3, socket(FdKind::Ipv4Server, None, end(22)));
        let mut worker = Thread::new(2, 2);
        worker.fds.insert(3, socket(FdKind::Ipv4, end(22), end(4000)));
        worker.fds.insert(4, socket(FdKind::Ipv4, end(4001), end(80)));
        state.insert(listener);
        state.insert(worker);
        state.orient_connections();
        let fd = |fd| state.by_tid(2).and_then(|t| t.fds.get(fd)).unwrap();
        let role = |fd: &FdInfo| fd.socket.as_ref().map(|s| (s.role, s.dest.map(|d| d.port)));
        assert_eq!(fd(3).name, "127.0.0.1:4000->127.0.0.1:22");
        assert_eq!(role(fd(3)), Some((Role::Server, Some(22))));
        assert_eq!(role(fd(4)), Some((Role::Client, Some(80))));
    }
}
