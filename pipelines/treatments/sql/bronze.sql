-- The patient's name becomes a column of its own, which the next stage masks.
select
    treatment_id_partition_key,
    treatment,
    provider,
    location,
    named_struct('id', named_patient['id'], 'gender', named_patient['gender'], 'age', named_patient['age']) as patient,
    named_patient['full_name'] as patient_full_name,
    disease,
    metadata
from input
