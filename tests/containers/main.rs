//! Containers of real engines, and engines that answer nonsense.
//!
//! What the engines need is in `engines/`, a script each. An engine that is not installed, or does not work here, is
//! ignored with the reason.

mod engine;
mod names;
mod rename;
mod seeds;
mod short_lived;
mod table;
mod trouble;

fn main() {
    let mut trials = Vec::new();
    trials.extend(names::trials());
    trials.extend(short_lived::trials());
    trials.extend(seeds::trials());
    trials.extend(rename::trials());
    trials.extend(trouble::trials());
    tracer_tests::run(trials);
}
