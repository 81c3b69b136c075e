//! An item as the table has it, and the row that becomes of it.

use weir_plugin::prelude::*;
use weir_plugin::rows::{Decimal, LocalTimestamp};

use crate::values::{
    Number, OTHER_KEY, decimal, in_order, key, moment, needed_moment, text, whole,
};

/// An item of the table. A map or leaf that is missing or `NULL` is none.
#[derive(Clone, Default, FromRow)]
pub(crate) struct Item<'a> {
    treatment_id_partition_key: Option<&'a str>,
    treatment: Option<Treatment<'a>>,
    provider: Option<Provider<'a>>,
    location: Option<Location<'a>>,
    patient: Option<Patient<'a>>,
    disease: Option<Disease<'a>>,
    metadata: Option<Metadata<'a>>,
}

#[derive(Clone, Default, FromRow)]
struct Treatment<'a> {
    id: Option<&'a str>,
    start_date: Option<&'a str>,
    completion_date: Option<&'a str>,
    outcome_status: Option<&'a str>,
    outcome_date: Option<&'a str>,
    duration_in_days: Option<Number>,
    cost: Option<Number>,
    r#type: Option<&'a str>,
}

#[derive(Clone, Default, FromRow)]
struct Provider<'a> {
    id: Option<&'a str>,
    full_name: Option<&'a str>,
    speciality_id: Option<&'a str>,
    speciality_name: Option<&'a str>,
    affiliated_hospital: Option<&'a str>,
}

#[derive(Clone, Default, FromRow)]
struct Location<'a> {
    id: Option<&'a str>,
    country: Option<&'a str>,
    state: Option<&'a str>,
    city: Option<&'a str>,
}

/// The patient, whose name is masked elsewhere and does not come here.
#[derive(Clone, Default, FromRow)]
struct Patient<'a> {
    id: Option<&'a str>,
    gender: Option<&'a str>,
    age: Option<Number>,
}

#[derive(Clone, Default, FromRow)]
struct Disease<'a> {
    id: Option<&'a str>,
    speciality_id: Option<&'a str>,
    name: Option<&'a str>,
    r#type: Option<&'a str>,
    severity: Option<&'a str>,
    transmission_mode: Option<&'a str>,
    mortality_rate: Option<Number>,
}

#[derive(Clone, Default, FromRow)]
struct Metadata<'a> {
    added_at: Option<&'a str>,
    modified_at: Option<&'a str>,
}

/// The row: each column is called after its map and its leaf.
#[derive(Clone, Debug, PartialEq, IntoRow)]
pub(crate) struct Flat<'a> {
    treatment_id: &'a str,
    treatment_start_date: LocalTimestamp,
    treatment_completion_date: Option<LocalTimestamp>,
    treatment_outcome_status: &'a str,
    treatment_outcome_date: Option<LocalTimestamp>,
    treatment_duration_in_days: Option<i32>,
    treatment_cost: Option<Decimal<10, 2>>,
    treatment_type: &'a str,
    provider_id: &'a str,
    provider_full_name: Option<&'a str>,
    provider_speciality_id: &'a str,
    provider_speciality_name: Option<&'a str>,
    provider_affiliated_hospital: Option<&'a str>,
    location_id: &'a str,
    location_country: Option<&'a str>,
    location_state: Option<&'a str>,
    location_city: Option<&'a str>,
    patient_id: &'a str,
    patient_gender: Option<&'a str>,
    patient_age: Option<i32>,
    disease_id: &'a str,
    disease_speciality_id: Option<&'a str>,
    disease_name: Option<&'a str>,
    disease_type: Option<&'a str>,
    disease_severity: Option<&'a str>,
    disease_transmission_mode: Option<&'a str>,
    disease_mortality_rate: Option<Decimal<5, 2>>,
    metadata_added_at: Option<LocalTimestamp>,
    metadata_modified_at: LocalTimestamp,
}

impl<'a> Item<'a> {
    /// The row of an item.
    ///
    /// # Errors
    /// A [`Rejection`] under the first rule that the item breaks: keys before numbers, numbers before dates.
    pub(crate) fn flat(self) -> Result<Flat<'a>, Rejection> {
        let treatment = self.treatment.unwrap_or_default();
        let provider = self.provider.unwrap_or_default();
        let location = self.location.unwrap_or_default();
        let patient = self.patient.unwrap_or_default();
        let disease = self.disease.unwrap_or_default();
        let metadata = self.metadata.unwrap_or_default();

        let treatment_id = key(
            self.treatment_id_partition_key,
            "the item has no treatment_id_partition_key",
        )?;
        if text(treatment.id).is_some_and(|id| id != treatment_id) {
            let message = "treatment.id is not the item's treatment_id_partition_key";
            return Err(Rejection::new(&OTHER_KEY, message));
        }
        let treatment_type = key(treatment.r#type, "treatment.type is missing")?;
        let treatment_outcome_status = key(
            treatment.outcome_status,
            "treatment.outcome_status is missing",
        )?;
        let provider_id = key(provider.id, "provider.id is missing")?;
        let provider_speciality_id =
            key(provider.speciality_id, "provider.speciality_id is missing")?;
        let location_id = key(location.id, "location.id is missing")?;
        let patient_id = key(patient.id, "patient.id is missing")?;
        let disease_id = key(disease.id, "disease.id is missing")?;

        let treatment_duration_in_days = whole(
            treatment.duration_in_days,
            "treatment.duration_in_days is no whole number from 0 on",
        )?;
        let treatment_cost = decimal(
            treatment.cost,
            "treatment.cost is no decimal(10,2) from 0 on",
        )?;
        let patient_age = whole(patient.age, "patient.age is no whole number from 0 on")?;
        let disease_mortality_rate = decimal(
            disease.mortality_rate,
            "disease.mortality_rate is no decimal(5,2) from 0 on",
        )?;

        let start = needed_moment(treatment.start_date, "treatment.start_date is no date")?;
        let completion = moment(
            treatment.completion_date,
            "treatment.completion_date is no date",
        )?;
        let outcome = moment(treatment.outcome_date, "treatment.outcome_date is no date")?;
        let added = moment(metadata.added_at, "metadata.added_at is no date")?;
        let modified = needed_moment(metadata.modified_at, "metadata.modified_at is no date")?;
        in_order(
            Some(start),
            completion,
            "treatment.completion_date is before treatment.start_date",
        )?;
        in_order(
            Some(start),
            outcome,
            "treatment.outcome_date is before treatment.start_date",
        )?;
        in_order(
            added,
            Some(modified),
            "metadata.modified_at is before metadata.added_at",
        )?;

        Ok(Flat {
            treatment_id,
            treatment_start_date: start,
            treatment_completion_date: completion,
            treatment_outcome_status,
            treatment_outcome_date: outcome,
            treatment_duration_in_days,
            treatment_cost,
            treatment_type,
            provider_id,
            provider_full_name: text(provider.full_name),
            provider_speciality_id,
            provider_speciality_name: text(provider.speciality_name),
            provider_affiliated_hospital: text(provider.affiliated_hospital),
            location_id,
            location_country: text(location.country),
            location_state: text(location.state),
            location_city: text(location.city),
            patient_id,
            patient_gender: text(patient.gender),
            patient_age,
            disease_id,
            disease_speciality_id: text(disease.speciality_id),
            disease_name: text(disease.name),
            disease_type: text(disease.r#type),
            disease_severity: text(disease.severity),
            disease_transmission_mode: text(disease.transmission_mode),
            disease_mortality_rate,
            metadata_added_at: added,
            metadata_modified_at: modified,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn item() -> Item<'static> {
        Item {
            treatment_id_partition_key: Some("T1"),
            treatment: Some(Treatment {
                id: Some("T1"),
                start_date: Some("2024-01-05T08:30:00"),
                outcome_status: Some("Ongoing"),
                r#type: Some(" Surgery "),
                ..Treatment::default()
            }),
            provider: Some(Provider {
                id: Some("P1"),
                speciality_id: Some("S1"),
                ..Provider::default()
            }),
            location: Some(Location {
                id: Some("L1"),
                city: Some(" "),
                ..Location::default()
            }),
            patient: Some(Patient {
                id: Some("A1"),
                ..Patient::default()
            }),
            disease: Some(Disease {
                id: Some("D1"),
                ..Disease::default()
            }),
            metadata: Some(Metadata {
                added_at: None,
                modified_at: Some("2024-01-06"),
            }),
        }
    }

    fn broken(breaks: fn(&mut Item<'_>)) -> &'static str {
        let mut item = item();
        breaks(&mut item);
        item.flat().unwrap_err().rule().name
    }

    #[test]
    fn what_is_not_said_is_null() {
        let flat = item().flat().unwrap();
        assert_eq!(flat.treatment_type, "Surgery");
        assert_eq!((flat.location_city, flat.treatment_cost), (None, None));
        assert_eq!(flat.treatment_completion_date, None);
    }

    #[test]
    fn keys_must_be_there_and_agree() {
        assert_eq!(
            broken(|item| item.treatment_id_partition_key = None),
            "missing_key"
        );
        assert_eq!(broken(|item| item.provider = None), "missing_key");
        assert_eq!(broken(|item| item.treatment = None), "missing_key");
        assert_eq!(
            broken(|item| item.location.as_mut().unwrap().id = Some(" ")),
            "missing_key"
        );
        assert_eq!(
            broken(|item| item.treatment.as_mut().unwrap().id = Some("T2")),
            "other_key"
        );
    }

    #[test]
    fn dates_are_in_order() {
        assert_eq!(broken(|item| item.metadata = None), "bad_date");
        assert_eq!(
            broken(|item| item.treatment.as_mut().unwrap().start_date = None),
            "bad_date"
        );
        assert_eq!(
            broken(|item| item.treatment.as_mut().unwrap().completion_date =
                Some("2024-01-05T08:29:59")),
            "date_order"
        );
        assert_eq!(
            broken(|item| item.metadata.as_mut().unwrap().added_at = Some("2024-01-07")),
            "date_order"
        );
    }
}
