-- The snapshot of a day: every patient whom the source has named by then, as it last did. That is yesterday's snapshot
-- and today's patients, without need of yesterday's: a day that is missing or late breaks nothing.
select patient_id, name, last_seen
from (
    select patient_id, name, load_date as last_seen,
           row_number() over (partition by patient_id order by load_date desc) as nth
    from cleansed.patients
    where source = $source and load_date <= $date
) seen
where nth = 1
