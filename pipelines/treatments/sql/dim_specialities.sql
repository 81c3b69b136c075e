-- Providers name their speciality, diseases only say which it is: those that no provider has are there without a
-- name, and without a time, so that whatever a provider says comes after it.
with stated as (
    select provider_speciality_id as speciality_id, provider_speciality_name as name,
           metadata_modified_at as modified_at, treatment_id as stated_by
    from silver.treatments
    union all
    select disease_speciality_id, null, null, null
    from silver.treatments
    where disease_speciality_id is not null
)
select distinct on (speciality_id) speciality_id, name, modified_at, stated_by
from stated
order by speciality_id, modified_at desc nulls last, stated_by desc nulls last
