-- No rows, where there was no model.
select f.*, m.model_version
from curated.features f
cross join (select distinct model_version from curated.fitted) m
