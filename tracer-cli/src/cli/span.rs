//! What `--from` and `--to` mean.

use super::plan::UsageError;
use crate::window::{Bound, Window};
use jiff::civil::DateTime;
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};

/// Numbers of seconds from here on are since 1970: no recording is that long.
const FIRST_DATE: u64 = 100_000_000;
const NS_PER_S: u64 = 1_000_000_000;

/// The part of the recording that is asked for, `None` for all of it.
pub(super) fn window(from: Option<&str>, to: Option<&str>) -> Result<Option<Window>, UsageError> {
    let bound = |option: &str, text: Option<&str>| {
        let Some(text) = text else { return Ok(None) };
        bound(text).map(Some).ok_or_else(|| {
            UsageError(format!(
                "{option} needs seconds since the start (90.5, 1m30s), a time (2026-05-01T12:00:00), seconds \
                 since 1970 or the number of an event (#1000), not '{text}'"
            ))
        })
    };
    let window = Window { from: bound("--from", from)?, to: bound("--to", to)? };
    Ok((!window.is_whole()).then_some(window))
}

fn bound(text: &str) -> Option<Bound> {
    if let Some(number) = text.strip_prefix('#') {
        return number.parse().ok().map(Bound::Event);
    }
    if let Some(ns) = seconds(text) {
        return Some(if ns < FIRST_DATE * NS_PER_S { Bound::SinceStart(ns) } else { Bound::Time(ns) });
    }
    if let Ok(time) = text.parse::<Timestamp>() {
        return u64::try_from(time.as_nanosecond()).ok().map(Bound::Time);
    }
    // Without a zone it is the one that times are shown in.
    if let Ok(time) = text.parse::<DateTime>() {
        let time = time.to_zoned(TimeZone::system()).ok()?;
        return u64::try_from(time.timestamp().as_nanosecond()).ok().map(Bound::Time);
    }
    let past: SignedDuration = text.parse().ok()?;
    u64::try_from(past.as_nanos()).ok().map(Bound::SinceStart)
}

/// Seconds with a fraction of up to nine digits, in ns.
fn seconds(text: &str) -> Option<u64> {
    let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
    let is_number = |text: &str| text.bytes().all(|b| b.is_ascii_digit());
    if whole.is_empty() || fraction.len() > 9 || !is_number(whole) || !is_number(fraction) {
        return None;
    }
    let fraction: u64 = format!("{fraction:0<9}").parse().ok()?;
    whole.parse::<u64>().ok()?.checked_mul(NS_PER_S)?.checked_add(fraction)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_form() {
        assert_eq!(bound("#12"), Some(Bound::Event(12)));
        assert_eq!(bound("90"), Some(Bound::SinceStart(90 * NS_PER_S)));
        assert_eq!(bound("0.000000001"), Some(Bound::SinceStart(1)));
        assert_eq!(bound("1m30s"), Some(Bound::SinceStart(90 * NS_PER_S)));
        assert_eq!(bound("250ms"), Some(Bound::SinceStart(NS_PER_S / 4)));
        assert_eq!(bound("1700000000.5"), Some(Bound::Time(1_700_000_000_500_000_000)));
        assert_eq!(bound("2023-11-14T22:13:20.5Z"), Some(Bound::Time(1_700_000_000_500_000_000)));
        assert!(matches!(bound("2023-11-14T22:13:20"), Some(Bound::Time(_))));
        assert!(matches!(bound("2023-11-14 22:13"), Some(Bound::Time(_))));
        for wrong in ["", "#", "#x", "-5", "-5s", "1.2.3", "noon", "1.0000000001", "99999999999999"] {
            assert_eq!(bound(wrong), None, "{wrong}");
        }
    }
}
