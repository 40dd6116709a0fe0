//! Tests beside the real sysdig: what it prints for the captures in `captures/`, tracer prints too.

mod chisels;
mod default_output;
mod differences;
mod fields;
mod recording;
mod sysdig;

fn main() {
    let mut trials = Vec::new();
    trials.extend(chisels::trials());
    trials.extend(default_output::trials());
    trials.extend(fields::trials());
    trials.extend(recording::trials());
    tracer_tests::run(trials);
}
