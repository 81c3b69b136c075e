select distinct on (location_id)
    location_id,
    location_country as country,
    location_state as state,
    location_city as city,
    metadata_modified_at as modified_at,
    treatment_id as stated_by
from silver.treatments
order by location_id, metadata_modified_at desc, treatment_id desc
