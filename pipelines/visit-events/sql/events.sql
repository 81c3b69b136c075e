select patient_id, name, visits
from cleansed.events
where source = $source and load_date = $date
