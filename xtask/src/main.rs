//! `cargo xtask …`: everything that is not `cargo build`. One module per subcommand.

mod bench;
mod ebpf;
mod golden;
mod pictures;
mod tables;
mod terminal;

use clap::{Parser, Subcommand};

#[derive(Parser)]
#[command(name = "xtask", bin_name = "cargo xtask", about = "Everything that is not `cargo build`")]
struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Make the Rust tables of the event schema from `data/`
    Tables(tables::Args),
    /// Measure
    Bench {
        #[command(subcommand)]
        what: bench::What,
    },
    /// Pack what other programs print for the captures into tests/golden/data/
    Golden(golden::Args),
    /// Make the pictures of the README of what the program draws
    Pictures(pictures::Args),
    /// Build the probe into tracer-ebpf/prebuilt/
    Ebpf {
        /// Only compare with the committed object
        #[arg(long)]
        check: bool,
    },
}

fn main() -> anyhow::Result<()> {
    match Args::parse().command {
        Command::Bench { what } => bench::run(&root(), &what),
        Command::Pictures(args) => pictures::run(&root(), &args),
        Command::Golden(args) => golden::run(&root(), &args),
        Command::Tables(args) => tables::run(&args),
        Command::Ebpf { check } => ebpf::run(&root(), check),
    }
}

/// The top folder of the workspace.
fn root() -> std::path::PathBuf {
    let here = std::path::Path::new(env!("CARGO_MANIFEST_DIR"));
    here.parent().unwrap_or(here).to_path_buf()
}
