//! Part of a recording, by time or by the numbers of events (`--from`, `--to`).

/// One end of the part.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Bound {
    /// ns since the epoch.
    Time(u64),
    /// ns since the first event.
    SinceStart(u64),
    /// Number of an event (`evt.num`).
    Event(u64),
}

/// The part; both ends belong to it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Window {
    pub from: Option<Bound>,
    /// The part ends with the first event beyond this.
    pub to: Option<Bound>,
}

/// Where an event lies.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Side {
    Before,
    Within,
    After,
}

impl Bound {
    /// Whether this is left of an event; `None` for one that has no time when times are compared.
    fn compare(self, num: u64, ts: Option<u64>, first_ts: u64) -> Option<std::cmp::Ordering> {
        Some(match self {
            Bound::Time(at) => at.cmp(&ts?),
            Bound::SinceStart(past) => first_ts.saturating_add(past).cmp(&ts?),
            Bound::Event(number) => number.cmp(&num),
        })
    }
}

impl Window {
    /// Whether it has any end.
    pub fn is_whole(&self) -> bool {
        self.from.is_none() && self.to.is_none()
    }

    /// Where an event with this number and time lies in a recording that begins at `first_ts`. Events
    /// without a time belong to no part that times delimit.
    #[inline]
    pub fn side(&self, num: u64, ts: Option<u64>, first_ts: u64) -> Side {
        let compare = |bound: Option<Bound>| bound.map(|bound| bound.compare(num, ts, first_ts));
        match (compare(self.from), compare(self.to)) {
            (_, Some(Some(to))) if to.is_lt() => Side::After,
            (Some(None), _) | (_, Some(None)) => Side::Before,
            (Some(Some(from)), _) if from.is_gt() => Side::Before,
            _ => Side::Within,
        }
    }

    /// Whether all events with numbers and times up to these lie before the part.
    pub fn begins_after(&self, num: u64, ts: u64, first_ts: u64) -> bool {
        let compare = |bound: Bound| bound.compare(num, Some(ts), first_ts);
        self.from.and_then(compare).is_some_and(|order| order.is_gt())
    }

    /// Whether an event with this number, or one with this time, ends the part.
    pub fn ends_before(&self, num: u64, ts: u64, first_ts: u64) -> bool {
        let compare = |bound: Bound| bound.compare(num, Some(ts), first_ts);
        self.to.and_then(compare).is_some_and(|order| order.is_lt())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_ends_belong_to_it() {
        let sides = |from, to| {
            let window = Window { from: Some(from), to: Some(to) };
            [9, 10, 15, 20, 21].map(|n| window.side(n, Some(1000 + n), 1000))
        };
        let wanted = [Side::Before, Side::Within, Side::Within, Side::Within, Side::After];
        assert_eq!(sides(Bound::Event(10), Bound::Event(20)), wanted);
        assert_eq!(sides(Bound::Time(1010), Bound::Time(1020)), wanted);
        assert_eq!(sides(Bound::SinceStart(10), Bound::Event(20)), wanted);
        assert_eq!(Window::default().side(1, None, 0), Side::Within);
    }

    #[test]
    fn events_without_a_time_are_in_no_span_of_time() {
        let time = Window { from: Some(Bound::Time(5)), to: None };
        assert_eq!(time.side(7, None, 0), Side::Before);
        let numbers = Window { from: Some(Bound::Event(5)), to: Some(Bound::Event(9)) };
        assert_eq!(numbers.side(7, None, 0), Side::Within);
    }
}
