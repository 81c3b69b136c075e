select diagnosis_code, visit_id, diagnosis_description
from cleansed.diagnoses
where source = $source and load_date = $date
