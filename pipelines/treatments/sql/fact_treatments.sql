-- The keys of dates, times, types and statuses are made as the dimensions make them.
select
    treatment_id,
    cast(date_part('year', treatment_start_date) * 10000 + date_part('month', treatment_start_date) * 100 + date_part('day', treatment_start_date) as int) as start_date_key,
    cast(date_part('hour', treatment_start_date) * 10000 + date_part('minute', treatment_start_date) * 100 + floor(date_part('second', treatment_start_date)) as int) as start_time_key,
    cast(date_part('year', treatment_completion_date) * 10000 + date_part('month', treatment_completion_date) * 100 + date_part('day', treatment_completion_date) as int) as completion_date_key,
    cast(date_part('hour', treatment_completion_date) * 10000 + date_part('minute', treatment_completion_date) * 100 + floor(date_part('second', treatment_completion_date)) as int) as completion_time_key,
    cast(date_part('year', treatment_outcome_date) * 10000 + date_part('month', treatment_outcome_date) * 100 + date_part('day', treatment_outcome_date) as int) as outcome_date_key,
    cast(date_part('hour', treatment_outcome_date) * 10000 + date_part('minute', treatment_outcome_date) * 100 + floor(date_part('second', treatment_outcome_date)) as int) as outcome_time_key,
    concat(replace(treatment_type, '|', '||'), ' | ', replace(treatment_outcome_status, '|', '||')) as type_and_status_key,
    location_id,
    provider_speciality_id as speciality_id,
    provider_id,
    patient_id,
    disease_id,
    treatment_duration_in_days as duration_in_days,
    treatment_cost as cost,
    metadata_added_at as added_at,
    metadata_modified_at as modified_at
from silver.treatments
