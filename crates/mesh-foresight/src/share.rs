//! Parts of a whole, exactly.

use std::fmt;
use std::iter::Sum;
use std::ops::{Add, Mul};

/// A part of all requests, as a fraction in lowest terms: nothing is rounded before it is shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Share {
    part: u128,
    whole: u128,
}

impl Share {
    /// None of them.
    pub const NONE: Self = Self { part: 0, whole: 1 };
    /// All of them.
    pub const ALL: Self = Self { part: 1, whole: 1 };

    /// `part` of `whole`; none where there is no whole.
    #[must_use]
    pub fn of(part: u128, whole: u128) -> Self {
        match (part, whole) {
            (0, _) | (_, 0) => Self::NONE,
            _ => {
                let divisor = divisor(part, whole);
                Self { part: part / divisor, whole: whole / divisor }
            }
        }
    }

    /// How many.
    #[must_use]
    pub fn part(self) -> u128 {
        self.part
    }

    /// Of how many.
    #[must_use]
    pub fn whole(self) -> u128 {
        self.whole
    }

    /// Whether there is none.
    #[must_use]
    pub fn is_none(self) -> bool {
        self.part == 0
    }

    /// In hundredths of a percent, to the nearest one.
    #[must_use]
    pub fn basis_points(self) -> u128 {
        let Self { part, whole } = self.narrowed();
        (part * 20_000 / whole).div_ceil(2)
    }
}

fn divisor(mut one: u128, mut other: u128) -> u128 {
    while other != 0 {
        (one, other) = (other, one % other);
    }
    one
}

impl Share {
    fn plus(self, other: Self) -> Option<Self> {
        let divisor = divisor(self.whole, other.whole);
        let (mine, its) = (other.whole / divisor, self.whole / divisor);
        let part = self.part.checked_mul(mine)?.checked_add(other.part.checked_mul(its)?)?;
        Some(Self::of(part, self.whole.checked_mul(mine)?))
    }

    fn times(self, other: Self) -> Option<Self> {
        let [one, two] = [Self::of(self.part, other.whole), Self::of(other.part, self.whole)];
        Some(Self::of(one.part.checked_mul(two.part)?, one.whole.checked_mul(two.whole)?))
    }

    /// Nearly the same, in numbers that fit whatever is done with two of them. Fleets whose fractions need more do not occur.
    fn narrowed(self) -> Self {
        let excess = (u128::BITS - self.whole.max(self.part).leading_zeros()).saturating_sub(60);
        Self::of(self.part >> excess, (self.whole >> excess).max(1))
    }
}

impl Add for Share {
    type Output = Self;

    fn add(self, other: Self) -> Self {
        self.plus(other).or_else(|| self.narrowed().plus(other.narrowed())).unwrap_or(self)
    }
}

impl Mul for Share {
    type Output = Self;

    fn mul(self, other: Self) -> Self {
        self.times(other).or_else(|| self.narrowed().times(other.narrowed())).unwrap_or(self)
    }
}

impl Sum for Share {
    fn sum<I: Iterator<Item = Self>>(shares: I) -> Self {
        shares.fold(Self::NONE, Add::add)
    }
}

impl fmt::Display for Share {
    /// In percent, with at most two decimals: `100%`, `46.5%`, `33.33%`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let points = self.basis_points();
        let (whole, decimals) = (points / 100, points % 100);
        match (decimals, decimals % 10) {
            (0, _) => write!(f, "{whole}%"),
            (_, 0) => write!(f, "{whole}.{}%", decimals / 10),
            _ => write!(f, "{whole}.{decimals:02}%"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Share;

    #[test]
    fn what_does_not_fit_is_rounded_and_no_panic() {
        let primes = [(1 << 61) - 1, (1 << 31) - 1, (1 << 89) - 1];
        let sum: Share = primes.into_iter().map(|prime| Share::of(prime / 2, prime)).sum();
        assert_eq!(sum.to_string(), "150%");
        let product = primes.into_iter().fold(Share::ALL, |product, prime| product * Share::of(prime / 2, prime));
        assert_eq!(product.to_string(), "12.5%");
    }

    #[test]
    fn fractions_are_exact_and_shown_in_percent() {
        assert_eq!(Share::of(2, 6), Share::of(1, 3));
        assert_eq!(Share::of(1, 3) + Share::of(1, 6), Share::of(1, 2));
        assert_eq!(Share::of(7, 10) * Share::of(5, 7), Share::of(1, 2));
        assert_eq!([Share::of(1, 3); 3].into_iter().sum::<Share>(), Share::ALL);
        for (share, text) in [
            (Share::NONE, "0%"),
            (Share::ALL, "100%"),
            (Share::of(93, 200), "46.5%"),
            (Share::of(1, 3), "33.33%"),
            (Share::of(2, 3), "66.67%"),
            (Share::of(1, 1000), "0.1%"),
            (Share::of(5, 100), "5%"),
            (Share::of(1, 2000), "0.05%"),
        ] {
            assert_eq!(share.to_string(), text);
        }
    }
}
