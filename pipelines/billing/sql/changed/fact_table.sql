-- The rows of raw that cleansed does not have as they are: new ones, changed ones, and those that are kept aside.
with landed as (
    select *, md5(concat_ws(chr(31), coalesce(fact_table_pk, '∅'), coalesce(dim_patient_pk, '∅'), coalesce(dim_physician_pk, '∅'),
               coalesce(dim_date_post_pk, '∅'), coalesce(dim_date_service_pk, '∅'), coalesce(dim_cpt_code_pk, '∅'),
               coalesce(dim_payer_pk, '∅'), coalesce(dim_transaction_pk, '∅'), coalesce(dim_location_pk, '∅'),
               coalesce(patient_number, '∅'), coalesce(dim_diagnosis_code_pk, '∅'), coalesce(cpt_units, '∅'),
               coalesce(gross_charge, '∅'), coalesce(payment, '∅'), coalesce(adjustment, '∅'),
               coalesce(ar, '∅'))) as landed_as
    from raw.fact_table
)
select l.* from landed l
left anti join cleansed.fact_table c on c.landed_as = l.landed_as
