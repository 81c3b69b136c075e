-- The key is made of the two natural keys alone, so that no batch can move it. Bars within them are doubled: then
-- the single one stands between them.
select distinct
    concat(replace(treatment_type, '|', '||'), ' | ', replace(treatment_outcome_status, '|', '||')) as type_and_status_key,
    treatment_type,
    treatment_outcome_status as outcome_status
from silver.treatments
