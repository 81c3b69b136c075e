select dim_patient_pk, patient_number, first_name, last_name, email,
       patient_gender, patient_age, city, state
from cleansed.dim_patient
