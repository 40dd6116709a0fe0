//! How numbers with digits after the point are rounded: halves away from zero, as sysdig's LuaJIT does.

/// A number that rounds away from zero where so many digits after the point leave exactly a half; any other number is
/// left as it is. Formatting itself rounds halves to even.
pub fn half_away(number: f64, digits: u8) -> f64 {
    let scale = 10f64.powi(i32::from(digits));
    let scaled = number * scale;
    // A product that was rounded is no half: 2.675 lies below one.
    let is_exact = number.mul_add(scale, -scaled) == 0.0;
    match scaled.fract().abs() == 0.5 && is_exact {
        true if number > 0.0 => number.next_up(),
        true => number.next_down(),
        false => number,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn exact_halves_are_rounded_away_from_zero() {
        let rounded = |n: f64| format!("{:.2}", half_away(n, 2));
        assert_eq!([1.625, 0.125, 2.375, -0.375].map(rounded), ["1.63", "0.13", "2.38", "-0.38"]);
        assert_eq!([2.675, 1.005, 8.345, 1.1].map(rounded), ["2.67", "1.00", "8.35", "1.10"]);
        assert_eq!(format!("{:.0} {:.1}", half_away(2.5, 0), half_away(0.25, 1)), "3 0.3");
    }
}
