-- Patient numbers that stand under several keys: perhaps one person, whose bills are in several places.
select patient_number, count(*) as keys
from cleansed.dim_patient
group by patient_number
having count(*) > 1
