-- Items that silver does not have, or has as they were before they were modified.
select i.*
from silver.items i
left join silver.treatments t on t.treatment_id = i.treatment_id
where t.treatment_id is null or i.metadata_modified_at > t.metadata_modified_at
