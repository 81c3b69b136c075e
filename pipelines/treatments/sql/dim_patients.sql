select distinct on (patient_id)
    patient_id,
    patient_full_name as full_name,
    patient_gender as gender,
    patient_age as age,
    metadata_modified_at as modified_at,
    treatment_id as stated_by
from silver.treatments
order by patient_id, metadata_modified_at desc, treatment_id desc
