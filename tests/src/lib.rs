//! What whole-program tests share: the tracer under test, the C programs it watches, and what a test needs to run.
//!
//! A test that cannot run here (no root, no compiler, no strace …) says why by name and counts as ignored.

pub mod programs;
pub mod requirement;
pub mod tracer;

pub use libtest_mimic::{Completion, Failed, Trial};
pub use requirement::{Needs, live};
pub use tracer::{Output, Tracer};

/// Runs the trials of one test program, one at a time unless the command line asks for more: each watches the whole
/// machine and would see the others.
pub fn run(trials: Vec<Trial>) -> ! {
    let mut arguments = libtest_mimic::Arguments::from_args();
    arguments.test_threads.get_or_insert(1);
    libtest_mimic::run(&arguments, trials).exit()
}
