select fact_table_pk, dim_patient_pk, dim_physician_pk, dim_date_post_pk, dim_date_service_pk,
       dim_cpt_code_pk, dim_payer_pk, dim_transaction_pk, dim_location_pk, patient_number,
       dim_diagnosis_code_pk, cpt_units, gross_charge, payment, adjustment,
       ar
from cleansed.fact_table
