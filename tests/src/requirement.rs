//! What a test needs of the machine.

use std::path::Path;

use libtest_mimic::{Completion, Trial};

/// One thing that a machine may lack.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Needs {
    /// The right to trace.
    Root,
    /// A program on the search path.
    Program(&'static str),
}

impl Needs {
    /// Why the test cannot run here, if it cannot.
    fn missing(self) -> Option<String> {
        match self {
            // SAFETY: geteuid has no preconditions and cannot fail.
            Needs::Root => (unsafe { libc::geteuid() } != 0).then(|| "needs root".to_string()),
            Needs::Program(name) => (!on_path(name)).then(|| format!("needs {name}")),
        }
    }
}

/// Whether `name` is an executable file in a folder of PATH.
fn on_path(name: &str) -> bool {
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&path).any(|folder| Path::new(&folder).join(name).is_file())
}

/// A test that is ignored, with the reason, where one of its needs is not met. The body may itself find that it cannot
/// run and say so.
pub fn live(
    name: impl Into<String>,
    needs: &'static [Needs],
    body: impl FnOnce() -> anyhow::Result<Completion> + Send + 'static,
) -> Trial {
    Trial::ignorable_test(name, move || {
        if let Some(reason) = needs.iter().find_map(|need| need.missing()) {
            return Ok(Completion::ignored_with(reason));
        }
        // The whole chain of causes: Failed takes only what Display prints.
        body().map_err(|error| format!("{error:#}").into())
    })
}
