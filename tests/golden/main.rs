//! Tests beside newer programs than the one that can be installed: sysdig 0.36 and Falco's libraries of July 2026. What
//! they print for the captures is kept in `data/`.

mod columns;
mod differences;
mod fidelity;
mod schemas;

fn main() {
    let mut trials = Vec::new();
    trials.extend(fidelity::trials());
    trials.extend(schemas::trials());
    tracer_tests::run(trials);
}
