//! The population: who lives when, and how many claims each person has.

use super::columns::Table;
use crate::calendar::Day;
use crate::random::Random;

pub(super) const YEARS: [u32; 3] = [2008, 2009, 2010];

/// What never changes about a person.
pub(super) struct Person {
    pub(super) id: u64,
    pub(super) birth: Day,
    pub(super) death: Option<Day>,
    pub(super) sex: u64,
    pub(super) race: u64,
    pub(super) state: u64,
    pub(super) county: u64,
}

impl Person {
    /// Whether the person is in the year's file: those who died in an earlier year are not.
    pub(super) fn is_in(&self, year: u32) -> bool {
        self.death
            .is_none_or(|death| death >= Day::of(i64::from(year), 1, 1))
    }

    /// The last day on which the person can have a claim.
    pub(super) fn last_day(&self) -> Day {
        self.death.unwrap_or(Day::of(2010, 12, 31))
    }
}

/// All persons; each is a function of the seed and its number.
#[derive(Clone, Copy)]
pub(super) struct Population {
    pub(super) seed: u64,
    pub(super) size: u64,
}

const PERSON: u64 = 1;
const WEIGHT: u64 = 2;

/// Share of each SSA state code, in thousandths; the codes between get what is left.
const LARGE_STATES: [(u64, u64); 8] = [
    (10, 90),
    (5, 88),
    (33, 58),
    (45, 58),
    (39, 50),
    (52, 34),
    (14, 40),
    (36, 40),
];

impl Population {
    pub(super) fn person(&self, number: u64) -> Person {
        let mut random = Random::of(self.seed, PERSON, number);
        // Ascending, all different, and never in the upper half of a step: see `stranger`.
        let step = self.id_step();
        let id = number * step + random.below(step / 2);
        let born = 1910 + random.below(60).max(random.below(40)) as i64;
        let birth = Day::of(born, 1 + random.below(12) as i64, 1);
        let death = YEARS
            .into_iter()
            .find(|_| random.chance(16, 1_000))
            .map(|year| Day::of(i64::from(year), 1 + random.below(12) as i64, 1));
        let state = if random.chance(458, 1_000) {
            random.weighted(&LARGE_STATES)
        } else {
            1 + random.below(54)
        };
        Person {
            id,
            birth,
            death,
            sex: random.weighted(&[(1, 49), (2, 51)]),
            race: random.weighted(&[(1, 83), (2, 10), (3, 4), (5, 3)]),
            state,
            county: random.below(100) * 10,
        }
    }

    /// An id between a person's and the next one's, which nobody has.
    pub(super) fn stranger(&self, number: u64) -> u64 {
        let step = self.id_step();
        number * step + step / 2 + step / 4
    }

    fn id_step(&self) -> u64 {
        u64::MAX / self.size.max(1)
    }

    /// Spreads `rows` rows of a table over the population: few persons have many, many have none.
    /// Returns each person who has rows with the number of them, in order, exactly `rows` in all.
    pub(super) fn spread(self, table: Table, rows: u64) -> impl Iterator<Item = (u64, u64)> {
        let total: u128 = (0..self.size)
            .map(|number| self.weight(table, number))
            .sum();
        let mut weight = 0;
        let mut given = 0;
        (0..self.size).filter_map(move |number| {
            weight += self.weight(table, number);
            let due = (u128::from(rows) * weight / total.max(1)) as u64;
            let share = due - given;
            given = due;
            (share > 0).then_some((number, share))
        })
    }

    fn weight(&self, table: Table, number: u64) -> u128 {
        let mut random = Random::of(self.seed ^ table as u64, WEIGHT, number);
        let rank = random.below(100);
        // The first person has a weight, so that rows find somebody.
        let least = u64::from(number == 0);
        let weight = if rank < 20 {
            0
        } else {
            1 + (rank - 20) * (rank - 20) / 100
        };
        u128::from(weight.max(least))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_rows_are_given_out() {
        for (size, rows) in [(1, 7), (3, 1), (100, 12_345)] {
            let population = Population { seed: 9, size };
            let given: u64 = population
                .spread(Table::DrugEvents, rows)
                .map(|(_, rows)| rows)
                .sum();
            assert_eq!(given, rows);
        }
    }

    #[test]
    fn ids_ascend_and_strangers_lie_between() {
        let population = Population {
            seed: 5,
            size: 1_000,
        };
        for number in 0..999 {
            let (id, next) = (
                population.person(number).id,
                population.person(number + 1).id,
            );
            assert!(id < population.stranger(number) && population.stranger(number) < next);
        }
    }
}
