//! Tests beside the real sysdig: what it prints for the captures in `captures/`, tracer prints too.

mod catalogue;
mod chisels;
mod default_output;
mod fields;
mod filter_text;
mod filters;
mod older_reader;
mod options;
mod recording;
mod records;
mod replay;
mod rules;
mod situation;
mod sysdig;
mod tshark;
mod workload;

fn main() {
    let mut trials = Vec::new();
    trials.extend(chisels::trials());
    trials.extend(default_output::trials());
    trials.extend(fields::trials());
    trials.extend(filters::trials());
    trials.extend(options::trials());
    trials.extend(older_reader::trials());
    trials.extend(recording::trials());
    trials.extend(replay::trials());
    trials.extend(tshark::trials());
    tracer_tests::run(trials);
}
