//! A bit of everything, to be recorded.

use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result, ensure};
use tracer_tests::programs::run_silent;

/// Files, forks, sockets, pipes, signals, threads, failing calls and all the calls of a program made for it.
pub fn work(syscalls: &Path, folder: &Path) -> Result<()> {
    std::fs::create_dir_all(folder)?;
    run_silent(Command::new(syscalls).arg(folder))?;
    let script = "ls /absent; ls -l /usr/bin /etc; echo a | cat | sort; for i in 1 2 3; do /bin/true; done; cd /tmp; \
        (sleep 5 & kill $!; wait); exec env A=b printenv A";
    run_silent(Command::new("/bin/sh").args(["-c", script]))?;
    for address in ["127.0.0.1:0", "[::1]:0"] {
        // A machine without IPv6 does less.
        let Ok(listener) = std::net::TcpListener::bind(address) else { continue };
        let client = std::net::TcpStream::connect(listener.local_addr()?)?;
        let (server, _) = listener.accept()?;
        std::io::Write::write_all(&mut &client, b"hello")?;
        std::io::Read::read_exact(&mut &server, &mut [0; 5])?;
    }
    let datagrams = std::net::UdpSocket::bind("127.0.0.1:0")?;
    datagrams.send_to(b"hello", datagrams.local_addr()?)?;
    datagrams.recv(&mut [0; 5])?;
    let (one, other) = std::os::unix::net::UnixDatagram::pair()?;
    let thread = std::thread::spawn(move || one.send(b"hello"));
    other.recv(&mut [0; 5])?;
    let sent = thread.join().ok().context("a thread that panics")?;
    ensure!(sent? == 5, "a short datagram");
    Ok(())
}
