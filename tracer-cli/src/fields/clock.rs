//! Time of day as text. Consecutive events nearly always share their second, so its text is kept;
//! the time zone is asked once per minute.

use super::write::write_padded;
use jiff::Timestamp;
use jiff::tz::{Offset, TimeZone};
use std::cell::{Cell, OnceCell};

const NS: u64 = 1_000_000_000;

#[derive(Clone, Copy)]
struct Second {
    second: u64,
    text: [u8; 8],
    minute: u64,
    /// Seconds east of UTC during `minute`.
    offset: i64,
}

thread_local! {
    static ZONE: OnceCell<TimeZone> = const { OnceCell::new() };
    static LAST: Cell<Second> =
        const { Cell::new(Second { second: u64::MAX, text: [b'0'; 8], minute: u64::MAX, offset: 0 }) };
}

/// `HH:MM:SS` local time.
pub(super) fn write_time_s(out: &mut Vec<u8>, ts: u64) {
    out.extend_from_slice(&second(ts).text);
}

/// `HH:MM:SS.nnnnnnnnn` local time.
pub(super) fn write_time(out: &mut Vec<u8>, ts: u64) {
    let mut text = *b"00:00:00.000000000";
    let (hms, rest) = text.split_at_mut(8);
    hms.copy_from_slice(&second(ts).text);
    let mut ns = ts % NS;
    for digit in rest.iter_mut().skip(1).rev() {
        *digit = b'0' + (ns % 10) as u8;
        ns /= 10;
    }
    out.extend_from_slice(&text);
}

/// `YYYY-MM-DD HH:MM:SS` local time.
pub(super) fn write_datetime_s(out: &mut Vec<u8>, ts: u64) {
    write_date(out, (ts / NS).cast_signed() + second(ts).offset);
    out.push(b' ');
    write_time_s(out, ts);
}

/// `YYYY-MM-DD HH:MM:SS.nnnnnnnnn` local time.
pub(super) fn write_datetime(out: &mut Vec<u8>, ts: u64) {
    write_datetime_s(out, ts);
    out.push(b'.');
    write_padded(out, ts % NS, 9);
}

/// `YYYY-MM-DDTHH:MM:SS.nnnnnnnnn+0000`.
pub(super) fn write_iso8601(out: &mut Vec<u8>, ts: u64) {
    write_date(out, (ts / NS).cast_signed());
    out.push(b'T');
    out.extend_from_slice(&clock_text(ts / NS % 86_400));
    out.push(b'.');
    write_padded(out, ts % NS, 9);
    out.extend_from_slice(b"+0000");
}

/// `s.nnnnnnnnn`.
pub(super) fn write_seconds(out: &mut Vec<u8>, ns: u64) {
    super::write::write_unsigned(out, ns / NS);
    out.push(b'.');
    write_padded(out, ns % NS, 9);
}

#[inline]
fn second(ts: u64) -> Second {
    let now = ts / NS;
    LAST.with(|cell| {
        let last = cell.get();
        if last.second == now {
            return last;
        }
        let minute = now / 60;
        let offset = if last.minute == minute { last.offset } else { local_offset(now.cast_signed()) };
        let of_day = (now.cast_signed() + offset).rem_euclid(86_400);
        let fresh = Second { second: now, text: clock_text(of_day.cast_unsigned()), minute, offset };
        cell.set(fresh);
        fresh
    })
}

fn local_offset(seconds: i64) -> i64 {
    let offset = |at| ZONE.with(|zone| zone.get_or_init(TimeZone::system).to_offset(at));
    i64::from(Timestamp::from_second(seconds).map_or(Offset::UTC, offset).seconds())
}

fn clock_text(of_day: u64) -> [u8; 8] {
    let mut text = *b"00:00:00";
    for (at, n) in [(0, of_day / 3600), (3, of_day / 60 % 60), (6, of_day % 60)] {
        text[at] += (n / 10) as u8;
        text[at + 1] += (n % 10) as u8;
    }
    text
}

fn write_date(out: &mut Vec<u8>, seconds: i64) {
    // Beyond the year 9999 there is no date; recordings with damaged clocks get there.
    let date =
        Timestamp::from_second(seconds).map(|at| Offset::UTC.to_datetime(at).date()).unwrap_or_default();
    write_padded(out, u64::from(date.year().unsigned_abs()), 4);
    out.push(b'-');
    write_padded(out, u64::from(date.month().unsigned_abs()), 2);
    out.push(b'-');
    write_padded(out, u64::from(date.day().unsigned_abs()), 2);
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(write: impl Fn(&mut Vec<u8>)) -> String {
        let mut out = Vec::new();
        write(&mut out);
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn times_of_one_second_share_its_text() {
        let first = text(|out| write_time(out, 1_470_327_477_882_069_542));
        assert_eq!(first.get(8..), Some(".882069542"));
        assert_eq!(
            text(|out| write_time(out, 1_470_327_477_000_000_001)),
            first.replace("882069542", "000000001")
        );
        assert_ne!(text(|out| write_time_s(out, 1_470_327_478_000_000_001)), first[..8]);
    }

    #[test]
    fn iso_time_is_utc() {
        assert_eq!(
            text(|out| write_iso8601(out, 1_470_327_477_882_069_542)),
            "2016-08-04T16:17:57.882069542+0000"
        );
        assert_eq!(text(|out| write_iso8601(out, u64::MAX)), "2554-07-21T23:34:33.709551615+0000");
    }

    #[test]
    fn seconds_are_padded_to_nanoseconds() {
        assert_eq!(text(|out| write_seconds(out, 125)), "0.000000125");
    }
}
