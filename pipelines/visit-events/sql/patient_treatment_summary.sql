-- Keys are a source's own, and a load's: without both in each join, rows of one source meet those of another.
select t.treatments_drug, t.treatments_dose, v.visit_date as prescribed_date, p.name
from treatments t
join diagnoses d on d.load_date = t.load_date and d.source = t.source
                and d.visit_id = t.visit_id and d.diagnosis_code = t.diagnosis_code
join visits v    on v.load_date = d.load_date and v.source = d.source and v.visit_id = d.visit_id
join patients p  on p.load_date = v.load_date and p.source = v.source and p.patient_id = v.patient_id
