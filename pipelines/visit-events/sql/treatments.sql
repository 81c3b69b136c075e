select treatments_drug, treatments_dose, diagnosis_code, visit_id
from cleansed.treatments
where source = $source and load_date = $date
