select visit_id, patient_id, visit_date, provider_notes_text, provider_notes_author
from cleansed.visits
where source = $source and load_date = $date
