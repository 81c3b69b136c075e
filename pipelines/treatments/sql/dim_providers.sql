select distinct on (provider_id)
    provider_id,
    provider_full_name as full_name,
    provider_speciality_id as speciality_id,
    provider_affiliated_hospital as affiliated_hospital,
    metadata_modified_at as modified_at,
    treatment_id as stated_by
from silver.treatments
order by provider_id, metadata_modified_at desc, treatment_id desc
