//! Tests that trace this machine: the tracer is run as a user runs it, beside programs whose doings are known.

mod agreement;
mod ancestry;
mod argument;
mod chisels;
mod command_line;
mod commands;
mod every_chisel;
mod exec_names;
mod hostile;
mod loss;
mod marked;
mod reports;
mod screen;
mod strace;
mod strace_log;
mod views;

fn main() {
    let mut trials = Vec::new();
    trials.extend(command_line::trials());
    trials.extend(commands::trials());
    trials.extend(chisels::trials());
    trials.extend(every_chisel::trials());
    trials.extend(agreement::trials());
    trials.extend(views::trials());
    trials.extend(reports::trials());
    trials.extend(screen::trials());
    trials.extend(ancestry::trials());
    trials.extend(exec_names::trials());
    trials.extend(loss::trials());
    trials.extend(strace::trials());
    trials.extend(hostile::trials());
    tracer_tests::run(trials);
}
