//! Runs chisels: the sink at the end of the pipeline.

use super::current;
use super::error::{ChiselError, ErrorKind};
use super::requests::{Interval, LineFormat, Requests, Run};
use super::sandbox::Callback;
use super::script::{Script, Surroundings, is_true};
use super::table::TopTable;
use crate::event::Event;
use crate::fields::{ExtractOptions, Extraction, Field, FieldFlags};
use crate::output::report::Totals;
use crate::schema::{Category, EventType, TypeSet};
use crate::sink::{Sink, Unshown};
use crate::state::thread::Thread;
use crate::state::{Context, State};
use bstr::BString;
use mlua::Function;
use std::io;
use std::ops::Range;
use std::rc::Rc;

const SECOND: u64 = 1_000_000_000;

/// How often one chisel may put another in its place.
const MAX_EXEC: usize = 8;

/// The chisels of a run.
pub struct Engine {
    chisels: Vec<Chisel>,
    surroundings: Surroundings,
    options: ExtractOptions,
    scratch: Vec<u8>,
    errors: Vec<ChiselError>,
    report: fn(&ChiselError),
}

/// A chisel that runs.
struct Chisel {
    name: String,
    requests: Rc<Requests>,
    timer: Timer,
    body: Body,
    /// It failed and is left alone.
    stopped: bool,
}

enum Body {
    Lua { script: Box<Script>, on_event: Option<Callback>, on_interval: Option<Function> },
    Table(Box<TopTable>),
}

/// When `on_interval` was last called.
#[derive(Default)]
struct Timer {
    /// Begin of the interval of the last event seen.
    interval: Option<u64>,
    called: u64,
}

impl Timer {
    /// The interval of the last event seen; before there was one, no time at all.
    #[inline]
    fn current(&self, length: u64) -> Range<u64> {
        self.interval.map_or(0..0, |begin| begin..begin.saturating_add(length))
    }
}

impl Engine {
    /// Initialises chisels, each with its arguments. Errors that stop a chisel later are handed to
    /// `report` when they happen.
    ///
    /// # Errors
    /// A chisel that does not want to run.
    pub fn new(
        wanted: Vec<(Script, Vec<BString>)>,
        surroundings: Surroundings,
        options: ExtractOptions,
        report: fn(&ChiselError),
    ) -> Result<Self, ChiselError> {
        let chisels = wanted.into_iter().map(|(script, args)| Chisel::new(script, args, &surroundings));
        let chisels = chisels.collect::<Result<Vec<_>, _>>()?;
        let mut options = options;
        if let Some(mode) = surroundings.run.buffer_mode.get()
            && !surroundings.run.buffers_chosen
        {
            options.buffer = mode;
        }
        Ok(Self { chisels, surroundings, options, scratch: Vec::new(), errors: Vec::new(), report })
    }

    /// What the chisels ask of the run as a whole.
    pub fn run(&self) -> &Run {
        &self.surroundings.run
    }

    /// The filter of the command line together with the one that a chisel set for the whole run.
    pub fn global_filter(&self) -> String {
        let run = self.run();
        let (typed, set) = (run.filter.borrow(), run.extra_filter.borrow());
        match set.as_deref() {
            None => typed.clone(),
            Some(set) if typed.trim().is_empty() => set.to_owned(),
            Some(set) => format!("({typed}) and ({set})"),
        }
    }

    /// The filters of the chisels as one, `None` when one of them wants all events.
    pub fn filter(&self) -> Option<String> {
        let mut all = Vec::new();
        for chisel in &self.chisels {
            all.extend(chisel.requests.filter_texts()?.iter().map(|text| format!("({text})")));
        }
        Some(all.join(" or "))
    }

    /// The fields that the chisels look at, each at least once.
    pub fn fields(&self) -> Vec<&'static Field> {
        let mut fields = Vec::new();
        for chisel in &self.chisels {
            fields.extend(chisel.requests.fields.borrow().iter().map(|field| field.field));
            if let Some(LineFormat::Text(template)) = &*chisel.requests.format.borrow() {
                fields.extend(template.columns().map(|column| column.field.field));
            }
        }
        fields
    }

    /// Calls `on_capture_start` with the state before the first event.
    pub fn start(&mut self, state: &State) {
        let Self { chisels, errors, report, surroundings, .. } = self;
        for chisel in chisels {
            let started = current::during_state(&chisel.requests, state, || {
                chisel.body.start(surroundings, &chisel.requests)
            });
            let said_no = || ChiselError::new(&chisel.name, "on_capture_start says that it cannot run");
            let outcome = started.and_then(|yes| yes.then_some(()).ok_or_else(said_no));
            chisel.settle(outcome, errors, *report, &surroundings.run);
        }
    }

    /// Calls `on_capture_end` with the last state and time and writes what was printed.
    ///
    /// # Errors
    /// Output that cannot be written; that nobody reads it is none.
    pub fn end(&mut self, state: &State, totals: &Totals) -> io::Result<()> {
        let Self { chisels, errors, report, surroundings, .. } = self;
        let run = &surroundings.run;
        // The first and the last events may have been none for these chisels.
        run.first_ts.set(totals.first_ts);
        run.last_ts.set(totals.last_ts);
        let (first, last) = (run.first_ts.get(), run.last_ts.get());
        for chisel in chisels.iter_mut().filter(|chisel| !chisel.stopped) {
            let outcome = current::during_state(&chisel.requests, state, || {
                chisel.body.end(last, last.saturating_sub(first), surroundings)
            });
            chisel.settle(outcome, errors, *report, run);
        }
        self.write_out()
    }

    /// The errors that stopped chisels.
    pub fn errors(&self) -> &[ChiselError] {
        &self.errors
    }

    fn see(&mut self, context: &Context<'_>, passed: bool) -> io::Result<()> {
        let ts = context.event.ts;
        let run = &self.surroundings.run;
        if run.ended.get() {
            return Ok(());
        }
        if run.first_ts.get() == 0 {
            run.first_ts.set(context.binding.first_ts);
        }
        run.last_ts.set(ts);
        // Most events are for none of them.
        let mut opened = None;
        for chisel in &mut self.chisels {
            if !chisel.wants(context.event, passed) {
                continue;
            }
            let open = || Extraction::new(*context, &self.options, std::mem::take(&mut self.scratch));
            let from = &*opened.get_or_insert_with(open);
            let mut outcome = chisel.keep_time(ts, from, &self.surroundings);
            if passed && outcome.is_ok() {
                outcome = chisel.event(from, &self.surroundings);
            }
            if outcome.is_err() {
                let outcome = outcome.map_err(|e| ChiselError { event: Some(context.event.num), ..e });
                chisel.settle(outcome, &mut self.errors, self.report, run);
            }
        }
        let Some(from) = opened else { return Ok(()) };
        self.scratch = from.into_scratch();
        match self.surroundings.console.borrow_mut().take_failure() {
            Some(failure) => Err(failure),
            None => Ok(()),
        }
    }

    fn write_out(&mut self) -> io::Result<()> {
        let mut console = self.surroundings.console.borrow_mut();
        console.flush();
        match console.take_failure() {
            Some(failure) if failure.kind() != io::ErrorKind::BrokenPipe => Err(failure),
            _ => Ok(()),
        }
    }
}

impl Sink for Engine {
    fn event(&mut self, context: &Context<'_>) -> io::Result<()> {
        self.see(context, true)
    }

    fn unshown(&mut self, context: &Context<'_>, why: Unshown) -> io::Result<()> {
        match why {
            Unshown::StateOnly => Ok(()),
            // Internal events are what CPU times are made of.
            Unshown::Hidden => self.see(context, context.event.info().category == Category::Internal),
            Unshown::Refused => self.see(context, false),
        }
    }

    fn unwanted(&self) -> TypeSet {
        TypeSet::of(|ty| self.chisels.iter().all(|chisel| chisel.never_wants(ty)))
    }

    fn counted(&self) -> TypeSet {
        TypeSet::of(|ty| self.chisels.iter().all(|chisel| chisel.never_wants(ty) || chisel.only_counts(ty)))
    }

    fn count(&mut self, context: &Context<'_>) {
        let from = Extraction::new(*context, &self.options, std::mem::take(&mut self.scratch));
        for chisel in self.chisels.iter_mut().filter(|chisel| !chisel.stopped) {
            // Chisels in Lua have counters that leave it to the filter.
            let may_count = match &chisel.body {
                Body::Table(table) => table.events().contains(context.event),
                Body::Lua { .. } => true,
            };
            if may_count && chisel.requests.admits(&from) {
                chisel.count(&from);
            }
        }
        self.scratch = from.into_scratch();
    }

    /// Of several chisels each would have to know the thread.
    fn counted_by_use(&self) -> TypeSet {
        match self.chisels.as_slice() {
            [chisel] => TypeSet::of(|ty| chisel.counts_by_use(ty)),
            _ => TypeSet::default(),
        }
    }

    fn count_use(&mut self, _: &Event<'_>, thread: &Thread, _: u64) -> bool {
        match self.chisels.as_mut_slice() {
            [Chisel { body: Body::Table(table), .. }] => table.count_use(thread),
            _ => false,
        }
    }

    fn counted_by_latency(&self) -> TypeSet {
        match self.chisels.as_slice() {
            [chisel] => TypeSet::of(|ty| chisel.counts_by_latency(ty)),
            _ => TypeSet::default(),
        }
    }

    fn count_latency(&mut self, ns: u64) {
        for chisel in &self.chisels {
            for counter in &*chisel.requests.counters.borrow() {
                counter.borrow_mut().count(ns as f64);
            }
        }
    }

    /// Chisels in Lua may ask the table of threads.
    fn sees_usage(&self) -> bool {
        let reads = |chisel: &Chisel| {
            chisel.requests.fields.borrow().iter().any(|field| field.field.flags.contains(FieldFlags::USAGE))
        };
        self.chisels.iter().any(|chisel| matches!(chisel.body, Body::Lua { .. }) || reads(chisel))
    }

    fn quiet(&self) -> Range<u64> {
        let running = self.chisels.iter().filter(|chisel| !chisel.stopped);
        running.map(Chisel::quiet).fold(0..u64::MAX, |a, b| a.start.max(b.start)..a.end.min(b.end))
    }

    fn is_done(&self) -> bool {
        self.surroundings.run.ended.get() || self.chisels.iter().all(|chisel| chisel.stopped)
    }

    fn flush(&mut self) -> io::Result<()> {
        let mut console = self.surroundings.console.borrow_mut();
        console.flush();
        console.take_failure().map_or(Ok(()), Err)
    }

    fn finish(&mut self) -> io::Result<()> {
        self.flush()
    }
}

impl Chisel {
    fn new(script: Script, args: Vec<BString>, surroundings: &Surroundings) -> Result<Self, ChiselError> {
        let made = |name: String, requests, body| Self {
            name,
            requests,
            timer: Timer::default(),
            body,
            stopped: false,
        };
        let name = script.description.name.clone();
        let (mut script, mut args) = (Some(script), args);
        let mut wanted = name.clone();
        for _ in 0..MAX_EXEC {
            if wanted == TopTable::NAME {
                let requests = Rc::new(Requests::new(&surroundings.run));
                let table = TopTable::new(&args, &requests, surroundings)?;
                return Ok(made(name, requests, Body::Table(Box::new(table))));
            }
            let current = match script.take() {
                Some(script) => script,
                None => Script::load(&wanted, surroundings)?,
            };
            current.init(&args)?;
            let next = current.requests.exec.borrow_mut().take();
            match next {
                Some(next) => (wanted, args) = next,
                None => {
                    let requests = Rc::clone(&current.requests);
                    let on_event = current.sandbox.callback("on_event");
                    let body = Body::Lua {
                        on_event: on_event.map_err(|e| ChiselError::from_lua(&name, "on_init", &e))?,
                        on_interval: current.sandbox.function("on_interval"),
                        script: Box::new(current),
                    };
                    return Ok(made(name, requests, body));
                }
            }
        }
        Err(ChiselError::new(&name, "chisels put each other in their place without end"))
    }

    /// An error stops the chisel, or the run when the chisel wants that.
    fn settle(
        &mut self,
        outcome: Result<(), ChiselError>,
        errors: &mut Vec<ChiselError>,
        report: fn(&ChiselError),
        run: &Run,
    ) {
        let Err(error) = outcome else { return };
        self.stopped = true;
        if error.kind == ErrorKind::Exit {
            run.ended.set(true);
            return;
        }
        report(&error);
        errors.push(error);
    }

    /// Whether events of this type are nothing to it, but for the time they tell.
    fn never_wants(&self, ty: EventType) -> bool {
        match &self.body {
            Body::Table(table) => !table.events().contains_type(ty),
            Body::Lua { .. } => self.requests.never_wants(ty),
        }
    }

    /// Whether all events of this type that it wants are counted natively, and nothing else.
    fn only_counts(&self, ty: EventType) -> bool {
        !matches!(&self.body, Body::Lua { on_event: Some(_), .. }) && self.requests.only_count(ty)
    }

    /// Whether it counts all events of this type by what their thread uses of CPUs.
    fn counts_by_use(&self, ty: EventType) -> bool {
        matches!(&self.body, Body::Table(table) if table.counts_by_use(ty)) && self.requests.admits_all(ty)
    }

    /// Whether it counts all events of this type by their latency.
    fn counts_by_latency(&self, ty: EventType) -> bool {
        let counters = self.requests.counters.borrow();
        matches!(self.body, Body::Lua { .. })
            && self.only_counts(ty)
            && self.requests.admits_all(ty)
            && counters.iter().all(|counter| counter.borrow().is_of_latency())
    }

    /// Counts an event that the filter let pass, for those that do it without Lua.
    #[inline]
    fn count(&mut self, from: &Extraction<'_>) {
        for counter in &*self.requests.counters.borrow() {
            counter.borrow_mut().event(from, &mut self.requests.text.borrow_mut());
        }
        if let Body::Table(table) = &mut self.body {
            table.event(from);
        }
    }

    /// The times at which no other interval begins.
    #[inline]
    fn quiet(&self) -> Range<u64> {
        self.requests.interval.get().map_or(0..u64::MAX, |interval| self.timer.current(interval.length))
    }

    /// Whether there may be something to do at an event, which `passed` the filter of the command line.
    #[inline]
    fn wants(&self, event: &Event<'_>, passed: bool) -> bool {
        if self.stopped {
            return false;
        }
        !self.quiet().contains(&event.ts) || passed && self.asks_about(event)
    }

    /// Whether its filters may let the event pass.
    #[inline]
    fn asks_about(&self, event: &Event<'_>) -> bool {
        match &self.body {
            Body::Table(table) => table.events().contains(event),
            Body::Lua { .. } => self.requests.wants(event),
        }
    }

    /// Calls `on_interval` when an interval has passed.
    #[inline]
    fn keep_time(
        &mut self,
        ts: u64,
        from: &Extraction<'_>,
        surroundings: &Surroundings,
    ) -> Result<(), ChiselError> {
        let Some(Interval { length, precise }) = self.requests.interval.get() else { return Ok(()) };
        if self.quiet().contains(&ts) {
            return Ok(());
        }
        let interval = ts - ts % length;
        let Some(before) = self.timer.interval else {
            self.timer.interval = Some(interval);
            return Ok(());
        };
        if interval == before {
            return Ok(());
        }
        self.timer.interval = Some(interval);
        if precise && interval > before {
            let mut at = before;
            while at < interval {
                at += length;
                self.interval_passed(at, from, surroundings)?;
            }
            return Ok(());
        }
        self.interval_passed(ts, from, surroundings)
    }

    fn interval_passed(
        &mut self,
        ts: u64,
        from: &Extraction<'_>,
        surroundings: &Surroundings,
    ) -> Result<(), ChiselError> {
        let delta = if self.timer.called == 0 { 0 } else { ts.saturating_sub(self.timer.called) };
        self.timer.called = ts;
        match &mut self.body {
            Body::Table(table) => {
                table.interval(ts, delta, surroundings);
                Ok(())
            }
            Body::Lua { script, on_interval: Some(on_interval), .. } => {
                let args = ((ts / SECOND) as f64, (ts % SECOND) as f64, delta as f64);
                let goes_on = current::during_event(&self.requests, from, || {
                    script.call("on_interval", on_interval, args)
                })?;
                match is_true(&goes_on) {
                    true => Ok(()),
                    false => Err(ChiselError::new(&self.name, "on_interval says that it cannot go on")),
                }
            }
            Body::Lua { .. } => Ok(()),
        }
    }

    #[inline]
    fn event(&mut self, from: &Extraction<'_>, surroundings: &Surroundings) -> Result<(), ChiselError> {
        for memory in &*self.requests.memories.borrow() {
            let kept = memory.borrow_mut().event(from, self.requests.for_terminal);
            kept.map_err(|e| ChiselError::new(&self.name, e.to_string()))?;
        }
        if !self.requests.admits(from) {
            return Ok(());
        }
        self.count(from);
        let Body::Lua { script, on_event, .. } = &self.body else { return Ok(()) };
        if let Some(on_event) = on_event {
            let call = || script.call_back("on_event", *on_event);
            if !current::during_event(&self.requests, from, call)? {
                return Ok(());
            }
        }
        if let Some(format) = &mut *self.requests.format.borrow_mut() {
            let mut console = surroundings.console.borrow_mut();
            let written = match format {
                LineFormat::Text(template) => template.write(from, console.buffer()),
                LineFormat::Json(object) => object.write(from, console.buffer()),
            };
            if written {
                console.buffer().push(b'\n');
                console.line_done();
            }
        }
        Ok(())
    }
}

impl Body {
    fn start(&mut self, surroundings: &Surroundings, requests: &Requests) -> Result<bool, ChiselError> {
        match self {
            Body::Table(table) => {
                table.start(surroundings, requests);
                Ok(true)
            }
            Body::Lua { script, .. } => match script.sandbox.function("on_capture_start") {
                Some(function) => Ok(is_true(&script.call("on_capture_start", &function, ())?)),
                None => Ok(true),
            },
        }
    }

    fn end(&mut self, ts: u64, delta: u64, surroundings: &Surroundings) -> Result<(), ChiselError> {
        match self {
            Body::Table(table) => {
                table.end(ts, delta, surroundings);
                Ok(())
            }
            Body::Lua { script, .. } => match script.sandbox.function("on_capture_end") {
                Some(function) => {
                    let args = ((ts / SECOND) as f64, (ts % SECOND) as f64, delta as f64);
                    script.call("on_capture_end", &function, args).map(drop)
                }
                None => Ok(()),
            },
        }
    }
}
