select distinct on (disease_id)
    disease_id,
    disease_speciality_id as speciality_id,
    disease_name as name,
    disease_type as type,
    disease_severity as severity,
    disease_transmission_mode as transmission_mode,
    disease_mortality_rate as mortality_rate,
    metadata_modified_at as modified_at,
    treatment_id as stated_by
from silver.treatments
order by disease_id, metadata_modified_at desc, treatment_id desc
